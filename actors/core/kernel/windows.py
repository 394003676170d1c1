"""Windows: where events need several control ticks to arrive, so many are granted at once.

What a member says in a window arrives after it, so at its beginning all inboxes of the window are known. The members
live through it without waiting for each other, and the clock then goes through it tick by tick with what they answered,
by the same rules as ever: the same history, at a fraction of the messages.
"""

from collections import deque
from typing import NamedTuple

from actors.core.kernel.effects import Exchange, Lost, Script
from actors.core.kernel.errors import ProtocolError
from actors.core.kernel.members import Grant, Outbox
from actors.core.kernel.postings import Foreseen
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.ticking import TickRecord, occasion_of


class Planned(NamedTuple):
    """One control tick of a window, as it will be unless something fails before.

    Attributes:
        grants: by member id in order.
        foreseen: what becomes of the mail of each domain.
    """

    grants: dict[str, Grant]
    foreseen: dict[int, Foreseen]


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
    batches: dict[str, list[Grant]] = {}
    for planned in plan:
        for member_id, grant in planned.grants.items():
            batches.setdefault(member_id, []).append(grant)
    occasion = occasion_of(sequencer.control_tick + 1)
    answers = yield Exchange({member_id: tuple(grants) for member_id, grants in batches.items()}, occasion)
    answered = {
        member_id: answer if isinstance(answer, Lost) else deque(answer) for member_id, answer in answers.items()
    }
    records: list[TickRecord] = []
    has_failed = False
    for planned in plan:
        grants = planned.grants
        if has_failed:  # who is in error gets no more mail, and no more grants
            grants = sequencer.begin_control_tick()
            _check(grants, planned)
        else:
            sequencer.follow(grants, planned.foreseen)
        outboxes = {member_id: _next_of(answered[member_id]) for member_id in grants}
        record = sequencer.end_control_tick(grants, outboxes)
        has_failed = has_failed or bool(record.failures)
        records.append(record)
    return records


def _next_of(answer: deque[Outbox] | Lost) -> Outbox | Lost:
    return answer if isinstance(answer, Lost) else answer.popleft()


def _check(grants: dict[str, Grant], planned: Planned) -> None:
    for member_id, grant in grants.items():
        if planned.grants.get(member_id) != grant:
            raise ProtocolError(
                f"{member_id} was not granted in its window what control tick {grant.control_tick} brought."
            )


def _plan(sequencer: Sequencer, window: int) -> list[Planned]:
    """The coming control ticks, as they will be unless something fails."""
    epoch, branch, members = sequencer.epoch, sequencer.settings.branch, sequencer.members
    posts = sequencer.posts_ahead()
    stale = {member_id for member_id, seated in members.items() if seated.digest_stale}
    numbers = {member_id: seated.number for member_id, seated in members.items()}
    plan = []
    for tick in range(sequencer.control_tick + 1, sequencer.control_tick + 1 + window):
        sequencer.deliver(tick, posts)
        digest_due = sequencer.is_digest_due(tick)
        owing = stale if digest_due else ()
        grants = {}
        for member_id, local_ticks, inbox in sequencer.due(tick, posts, owing.__contains__):
            number = numbers[member_id] = numbers[member_id] + 1
            grants[member_id] = Grant(epoch, branch, number, tick, local_ticks, inbox, (), digest_due)
            (stale.discard if digest_due else stale.add)(member_id)
        plan.append(Planned(grants, {domain: post.foreseen() for domain, post in posts.items()}))
    return plan
