"""Windows: where events need several control ticks to arrive, so many are granted at once.

What a member says in a window arrives after it, so at its beginning all inboxes of the window are known. The members
live through it without waiting for each other, and the clock then goes through it tick by tick with what they answered,
by the same rules as ever: the same history, at a fraction of the messages.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from actors.core.kernel.effects import Ahead, Exchange, Lost, Script
from actors.core.kernel.errors import ProtocolError
from actors.core.kernel.members import Grant, Outbox
from actors.core.kernel.postings import Foreseen
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.ticking import TickRecord, occasion_of

Answers = Mapping[str, tuple[Outbox, ...] | Lost]


class Planned(NamedTuple):
    """One control tick of a window, as it will be unless something fails before.

    Attributes:
        control_tick: which.
        grants: by member id in order.
        foreseen: what becomes of the mail of each domain.
    """

    control_tick: int
    grants: dict[str, Grant]
    foreseen: dict[int, Foreseen]


def control_ticks_script(
    sequencer: Sequencer,
    control_ticks_max: int,
    records: list[TickRecord],
    goes_on: Callable[[int], bool] | None = None,
) -> Script[None]:
    """As many control ticks as may be granted at once, at least one; and more windows, as long as nobody minds.

    While members live through a window, the books of the one before it are kept: what they will hear in it follows from
    what was said, and not from the books. So the boundary between two windows has passed before anybody could do anything
    at it, and whoever asks for this says, window by window, that nobody wants to. A window may be of one control tick.

    Args:
        sequencer: the rules, standing at a boundary.
        control_ticks_max: no more than this.
        records: what each control tick came to is added here, once it is in the books.
        goes_on: told that a window has been answered, and how many control ticks it had; whether the next may begin before
            the books of this one are kept. Without it, one window is all.
    """
    window = min(control_ticks_max, sequencer.settings.window_control_ticks)
    if window > 1:
        window = min(window, sequencer.lookahead())
    if sequencer.somebody_thaws or (window == 1 and (goes_on is None or control_ticks_max == 1)):
        records.append((yield from sequencer.control_tick_script()))
        return
    outlook, left = Outlook(sequencer), control_ticks_max - window
    plan = outlook.plan(window)
    exchange = _exchange(plan)
    while True:
        answers = yield exchange
        lived = plan
        begun = goes_on is not None and left > 0 and goes_on(len(lived)) and outlook.reaches_beyond(lived, answers)
        if begun:
            plan = outlook.plan(min(window, left))
            left -= len(plan)
            exchange = _exchange(plan)
            yield Ahead(exchange)
        _keep(sequencer, lived, answers, records)
        if not begun:
            return


def _exchange(plan: list[Planned]) -> Exchange:
    batches: dict[str, list[Grant]] = {}
    for planned in plan:
        for member_id, grant in planned.grants.items():
            batches.setdefault(member_id, []).append(grant)
    occasion = occasion_of(plan[0].control_tick)
    return Exchange({member_id: tuple(grants) for member_id, grants in batches.items()}, occasion)


def _keep(sequencer: Sequencer, plan: list[Planned], answers: Answers, records: list[TickRecord]) -> None:
    """Goes through a window tick by tick with what its members have answered."""
    answered = {
        member_id: answer if isinstance(answer, Lost) else deque(answer) for member_id, answer in answers.items()
    }
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


def _next_of(answer: deque[Outbox] | Lost) -> Outbox | Lost:
    return answer if isinstance(answer, Lost) else answer.popleft()


def _check(grants: Mapping[str, Grant], planned: Planned) -> None:
    for member_id, grant in grants.items():
        if planned.grants.get(member_id) != grant:
            raise ProtocolError(
                f"{member_id} was not granted in its window what control tick {grant.control_tick} brought."
            )


class Outlook:
    """The coming control ticks, as they will be unless something fails.

    Args:
        sequencer: the rules, standing at a boundary; nothing of it is changed.
    """

    def __init__(self, sequencer: Sequencer) -> None:
        members = sequencer.members
        self._sequencer = sequencer
        self._control_tick = sequencer.control_tick
        self._posts = sequencer.posts_ahead()
        self._stale = {member_id for member_id, seated in members.items() if seated.owes_digest}
        self._numbers = {member_id: seated.number for member_id, seated in members.items()}

    def plan(self, window: int) -> list[Planned]:
        """The next control ticks, so many."""
        return [self._plan_next() for _ in range(window)]

    def _plan_next(self) -> Planned:
        sequencer, posts, stale, numbers = self._sequencer, self._posts, self._stale, self._numbers
        tick = self._control_tick = self._control_tick + 1
        sequencer.deliver(tick, posts)
        digest_due = sequencer.is_digest_due(tick)
        owing = stale if digest_due else ()
        epoch, branch, grants = sequencer.epoch, sequencer.settings.branch, {}
        for member_id, local_ticks, inbox in sequencer.due(tick, posts, owing.__contains__):
            number = numbers[member_id] = numbers[member_id] + 1
            grants[member_id] = Grant(epoch, branch, number, tick, local_ticks, inbox, (), digest_due)
            (stale.discard if digest_due else stale.add)(member_id)
        return Planned(tick, grants, {domain: post.foreseen() for domain, post in posts.items()})

    def reaches_beyond(self, plan: list[Planned], answers: Answers) -> bool:
        """Takes in what was answered; False if what follows cannot be foreseen from that, and nothing here holds any more.

        What leaves its domain, comes too late or fails has consequences that only the books know.
        """
        sequencer = self._sequencer
        for member_id, outboxes in answers.items():
            domain = sequencer.members[member_id].domain
            post = self._posts[domain]
            if isinstance(outboxes, Lost):
                return False
            for outbox in outboxes:
                if outbox.failure is not None:
                    return False
                for event in outbox.events:
                    if event.deliver_at <= event.control_tick_id or not sequencer.stays_in(event, domain):
                        return False
                post.add(map(post.due, outbox.events))
        return True
