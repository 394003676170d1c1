"""Windows: where events need several control ticks to arrive, so many are granted at once.

What a member says in a window arrives after it, so at its beginning all inboxes of the window are known. The members
live through it without waiting for each other, and the clock then goes through it tick by tick with what they answered,
by the same rules as ever: the same history, at a fraction of the messages.
"""

from collections import deque

from actors.core.kernel.effects import Exchange, Lost, Script
from actors.core.kernel.errors import ProtocolError
from actors.core.kernel.members import Grant, Outbox
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.ticking import TickRecord, occasion_of


def control_ticks_script(sequencer: Sequencer, control_ticks_max: int) -> Script[list[TickRecord]]:
    """As many control ticks as may be granted at once, at least one.

    Args:
        sequencer: the rules, standing at a boundary.
        control_ticks_max: no more than this.
    """
    window = min(control_ticks_max, sequencer.settings.window_control_ticks)
    if window <= 1 or (window := min(window, sequencer.lookahead())) <= 1 or sequencer.somebody_thaws:
        return [(yield from sequencer.control_tick_script())]
    plan = _plan(sequencer, window)
    answers = yield Exchange(plan, occasion_of(sequencer.control_tick + 1))
    answered = {
        member_id: answer if isinstance(answer, Lost) else deque(answer) for member_id, answer in answers.items()
    }
    granted = {member_id: deque(grants) for member_id, grants in plan.items()}
    return [_live(sequencer, granted, answered) for _ in range(window)]


def _plan(sequencer: Sequencer, window: int) -> dict[str, tuple[Grant, ...]]:
    """The grants of every member in the coming control ticks, as they will be unless something fails."""
    settings, posts = sequencer.settings, sequencer.posts_ahead()
    stale = {member_id for member_id, seated in sequencer.members.items() if seated.digest_stale}
    plan: dict[str, list[Grant]] = {}
    for tick in range(sequencer.control_tick + 1, sequencer.control_tick + 1 + window):
        sequencer.deliver(tick, posts)
        digest_due = tick % settings.digest_interval_control_ticks == 0
        owing = stale if digest_due else ()
        for member_id, local_ticks, inbox in sequencer.due(tick, posts, owing.__contains__):
            grants = plan.setdefault(member_id, [])
            number = sequencer.members[member_id].number + len(grants) + 1
            grants.append(Grant(sequencer.epoch, settings.branch, number, tick, local_ticks, inbox, (), digest_due))
            (stale.discard if digest_due else stale.add)(member_id)
    return {member_id: tuple(grants) for member_id, grants in plan.items()}


def _live(
    sequencer: Sequencer, granted: dict[str, deque[Grant]], answered: dict[str, deque[Outbox] | Lost]
) -> TickRecord:
    """One control tick of the window, with the answers that are there already."""
    script = sequencer.control_tick_script()
    exchange = next(script)
    if not isinstance(exchange, Exchange):
        raise ProtocolError(f"a control tick asked for {exchange!r}, which a window cannot give.")
    outcome: dict[str, tuple[Outbox, ...] | Lost] = {}
    for member_id, (grant,) in exchange.grants.items():
        answer = answered[member_id]
        if granted[member_id].popleft() != grant:
            raise ProtocolError(
                f"{member_id} was not granted in its window what control tick {grant.control_tick} brought."
            )
        outcome[member_id] = answer if isinstance(answer, Lost) else (answer.popleft(),)
    try:
        script.send(outcome)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise ProtocolError("a control tick of a window asked for more than its grants.")
