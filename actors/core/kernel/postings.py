"""The post: events under way, subscriptions and dead letters. Who gets what, and what happens to mail for nobody."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from actors.core.kernel.addresses import OUTSIDE
from actors.core.kernel.digests import NO_DIGEST, Remembered, digest_of, digest_with, fold
from actors.core.kernel.events import Event, event_digest, events_digest, order


class DeadLetter(msgspec.Struct, frozen=True):
    """Mail that could not be delivered, with the member it was for (None if it never came to that) and the reason."""

    event: Event
    target: str | None
    reason: str
    control_tick: int


class PostTable(msgspec.Struct, frozen=True):
    """All of a `Post`, to be written down. Amounts are text: sums outgrow 64 bits."""

    calendar: dict[int, list[Event]]
    mailboxes: dict[str, list[Event]]
    subscribers: dict[str, list[str]]
    dead_letters: list[DeadLetter]
    dead_letters_count: int
    dead_letters_chain: bytes
    lost: dict[str, str]
    delays: list[tuple[str, str, int]]


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_NOTHING = _encoder.encode([])


def _encoded(entries: list[Any]) -> bytes:
    return _encoder.encode(entries) if entries else _NOTHING


class Foreseen(NamedTuple):
    """What becomes of a control tick's mail, unless something fails before.

    Attributes:
        heard: whose mailboxes are emptied.
        arrived: what waits in other mailboxes from then on, by who will hear it.
        buried: what goes to the dead letters.
    """

    heard: tuple[str, ...]
    arrived: dict[str, list[Event]]
    buried: tuple[DeadLetter, ...]


class Post:
    """What is under way.

    Args:
        inbox_events_max: events that may wait for one member.
        dead_letters_max: dead letters kept whole.
        delay: control ticks that an event needs at least.

    Attributes:
        delays: (source, target) to control ticks, for pairs that have another delay for what is sent to one member.
    """

    def __init__(self, inbox_events_max: int, dead_letters_max: int, delay: int = 1) -> None:
        self._inbox_events_max = inbox_events_max
        self._delay = delay
        self.delays: dict[tuple[str, str], int] = {}
        self._calendar: dict[int, list[Event]] = {}
        self._calendar_digests: dict[int, bytes] = {}
        self._mailboxes: dict[str, list[Event]] = {}
        self._subscribers: dict[str, set[str]] = {}
        self._subscribers_encoded = _NOTHING
        self.dead_letters: deque[DeadLetter] = deque()
        self._dead_letters_max = dead_letters_max
        self.dead_letters_count = 0
        self._dead_letters_chain = NO_DIGEST
        self.lost: Counter[str] = Counter()
        self._seldom = Remembered()

    def table(self) -> PostTable:
        """All of this, to be written down at once."""
        return PostTable(
            self._calendar,
            self._mailboxes,
            {event_type: sorted(members) for event_type, members in self._subscribers.items()},
            list(self.dead_letters),
            self.dead_letters_count,
            self._dead_letters_chain,
            {quantity: str(amount) for quantity, amount in self.lost.items()},
            [(source, target, delay) for (source, target), delay in sorted(self.delays.items())],
        )

    def restore(self, table: PostTable) -> None:
        """Takes up what was written down; the table's lists are its own from now on."""
        self._calendar, self._mailboxes, self._calendar_digests = table.calendar, table.mailboxes, {}
        self._subscribers = {event_type: set(members) for event_type, members in table.subscribers.items()}
        self._encode_subscribers()
        self.dead_letters = deque(table.dead_letters)
        self.dead_letters_count, self._dead_letters_chain = table.dead_letters_count, table.dead_letters_chain
        self.lost = Counter({quantity: int(amount) for quantity, amount in table.lost.items()})
        self.delays = {(source, target): delay for source, target, delay in table.delays}

    def subscribe(self, member_id: str, event_type: str) -> None:
        """Adds a subscription; a second time is no change."""
        self._subscribers.setdefault(event_type, set()).add(member_id)
        self._encode_subscribers()

    def unsubscribe(self, member_id: str, event_type: str) -> None:
        """Ends a subscription."""
        members = self._subscribers.get(event_type, set())
        members.discard(member_id)
        if not members:
            self._subscribers.pop(event_type, None)
        self._encode_subscribers()

    def _encode_subscribers(self) -> None:
        """As the digest covers them. They seldom change; the digest is taken in every control tick."""
        subscribers = self._subscribers
        self._subscribers_encoded = _encoded([(kind, sorted(subscribers[kind])) for kind in sorted(subscribers)])

    def has_subscribers(self, event_types: frozenset[str]) -> bool:
        """Whether anybody hears broadcasts of one of these types."""
        return not event_types.isdisjoint(self._subscribers)

    def subscriptions(self, member_id: str) -> list[str]:
        """The types that a member is subscribed to, sorted."""
        return sorted(kind for kind, members in self._subscribers.items() if member_id in members)

    def due(self, event: Event) -> Event:
        """The event, to arrive no sooner than its way takes. What comes from outside has no way to go."""
        if event.source == OUTSIDE:
            return event
        earliest = event.control_tick_id + self.delay(event.source, event.target)
        return event if event.deliver_at >= earliest else msgspec.structs.replace(event, deliver_at=earliest)

    def delay(self, source: str, target: str | None) -> int:
        """Control ticks that an event of a source needs at least to a member, or to all subscribers."""
        return self._delay if target is None else self.delays.get((source, target), self._delay)

    def ahead(self) -> "PostAhead":
        """A copy in which one can look at what will be delivered in the coming control ticks."""
        return PostAhead(self)

    def follow(self, control_tick: int, foreseen: Foreseen) -> None:
        """Lets a control tick's mail be heard as it was foreseen."""
        self._calendar_digests.pop(control_tick, None)
        self._calendar.pop(control_tick, None)
        for member_id in foreseen.heard:
            self._mailboxes.pop(member_id, None)
        for member_id, events in foreseen.arrived.items():
            self.put(member_id, events)
        for letter in foreseen.buried:
            self.bury(letter.event, letter.target, letter.reason, control_tick)

    def add(self, events: Iterable[Event]) -> None:
        """Takes events in; each waits for its `deliver_at`."""
        calendar, digests = self._calendar, self._calendar_digests
        for event in events:
            waiting = calendar.get(event.deliver_at)
            if waiting is None:
                calendar[event.deliver_at] = [event]
            else:
                waiting.append(event)
                digests.pop(event.deliver_at, None)

    def deliver(self, control_tick: int, refusal: Callable[[str, str], str]) -> None:
        """Puts what is due into the mailboxes.

        Args:
            control_tick: the control tick that begins.
            refusal: why a member takes no event of a type now; "" if it does.
        """
        self._calendar_digests.pop(control_tick, None)
        for event in order(self._calendar.pop(control_tick, ())):
            for member_id in self._receivers(event):
                mailbox = self._mailboxes.get(member_id, [])
                reason = refusal(member_id, event.event_type)
                if not reason and len(mailbox) >= self._inbox_events_max:
                    reason = f"its inbox is full ({self._inbox_events_max} events)"
                if reason:
                    self.bury(event, member_id, reason, control_tick)
                else:
                    self.put(member_id, (event,))

    def _receivers(self, event: Event) -> list[str]:
        if event.target is not None:
            return [event.target]
        return sorted(self._subscribers.get(event.event_type, ()))

    def take(self, member_id: str) -> tuple[Event, ...]:
        """Empties a mailbox, in order."""
        waiting = self._mailboxes.pop(member_id, None)
        if not waiting:
            return ()
        return tuple(order(waiting)) if len(waiting) > 1 else (waiting[0],)

    def has_mail(self, member_id: str) -> bool:
        """Whether anything waits in a member's mailbox."""
        return member_id in self._mailboxes

    def bury(self, event: Event, target: str | None, reason: str, control_tick: int) -> None:
        """Puts mail to the dead letters. The oldest beyond the limit is let go, what it carried being counted as lost."""
        letter = DeadLetter(event, target, reason, control_tick)
        self.dead_letters.append(letter)
        self.dead_letters_count += 1
        self._dead_letters_chain = fold(
            self._dead_letters_chain, digest_of(event_digest(event), _encoder.encode([target, control_tick]))
        )  # not the reason: it may hold the words of a member's error
        if len(self.dead_letters) > self._dead_letters_max:
            for quantity, amount in self.dead_letters.popleft().event.carries:
                self.lost[quantity] += amount

    def remove(self, member_id: str, control_tick: int) -> None:
        """Forgets a member: its subscriptions end, its waiting mail goes to the dead letters."""
        for event_type in self.subscriptions(member_id):
            self.unsubscribe(member_id, event_type)
        for event in self.take(member_id):
            self.bury(event, member_id, "the member was removed", control_tick)
        self.delays = {pair: delay for pair, delay in self.delays.items() if member_id not in pair}

    def withdraw(self, member_id: str, reason: str, control_tick: int) -> list[str]:
        """Puts what a member has under way, and what is under way to it alone, to the dead letters; their ids, in order."""

        def concerned(event: Event) -> bool:
            return member_id in (event.source, event.target)

        gone: dict[str, Event] = {}
        slots: tuple[dict[Any, list[Event]], ...] = (self._calendar, self._mailboxes)
        for waiting in slots:
            for slot in sorted(waiting):
                gone |= {event.event_id: event for event in order(waiting[slot]) if concerned(event)}
                waiting[slot] = [event for event in waiting[slot] if not concerned(event)]
                if not waiting[slot]:
                    del waiting[slot]
        self._calendar_digests.clear()
        for event in gone.values():  # each once, however many were to hear it
            self.bury(event, event.target, reason, control_tick)
        return list(gone)

    def put(self, member_id: str, events: Iterable[Event]) -> None:
        """Lets events have arrived for a member."""
        if found := list(events):
            if (waiting := self._mailboxes.get(member_id)) is not None:
                waiting += found
            else:
                self._mailboxes[member_id] = found

    def cut(self, member_ids: Collection[str]) -> tuple[list[Event], dict[str, list[Event]]]:
        """What concerns some members: what they have sent or will hear of what is under way, and what waits for them."""
        calendar = [
            event
            for control_tick in sorted(self._calendar)
            for event in order(self._calendar[control_tick])
            if event.source in member_ids or not set(self._receivers(event)).isdisjoint(member_ids)
        ]
        return calendar, {one: order(self._mailboxes[one]) for one in sorted(member_ids) if one in self._mailboxes}

    def in_flight(self) -> Iterator[Event]:
        """Everything under way, in order of delivery and source: the calendar, then what waits in mailboxes."""
        for control_tick in sorted(self._calendar):
            yield from order(self._calendar[control_tick])
        for member_id in sorted(self._mailboxes):
            yield from order(self._mailboxes[member_id])

    def in_flight_to(self, member_id: str, control_tick: int, period: int) -> list[Event]:
        """What a member of a period will hear from a control tick on, in the order in which it will."""
        next_grant = control_tick // period + 1
        due = [event for events in self._calendar.values() for event in events if member_id in self._receivers(event)]

        def heard(event: Event) -> int:
            return max(next_grant, -(-event.deliver_at // period))

        return sorted(order([*self._mailboxes.get(member_id, ()), *due]), key=heard)

    def pending(self) -> int:
        """How many events are under way."""
        return sum(map(len, self._calendar.values())) + sum(map(len, self._mailboxes.values()))

    def carried(self) -> Counter[str]:
        """Conserved quantities under way, dead letters included."""
        total: Counter[str] = Counter()
        for event in self.in_flight():
            total.update(dict(event.carries))
        for letter in self.dead_letters:
            total.update(dict(letter.event.carries))
        return total

    def _slot_digest(self, control_tick: int) -> bytes:
        """The digest of what waits for one control tick; taken once, however many boundaries it waits."""
        found = self._calendar_digests[control_tick] = events_digest(order(self._calendar[control_tick]))
        return found

    def digest(self) -> bytes:
        """The digest of all this."""
        slots, digests = sorted(self._calendar), self._calendar_digests
        calendar = b"".join([digests.get(slot) or self._slot_digest(slot) for slot in slots])
        lost, delays = tuple(self.lost.items()), tuple(self.delays.items())
        seldom = self._seldom.get((self._subscribers_encoded, self._dead_letters_chain, lost, delays), _seldom)
        return digest_with((calendar, _encoder.encode(slots), self._mailboxes_encoded()), seldom)

    def _mailboxes_encoded(self) -> bytes:
        waiting = [(member_id, self._mailboxes[member_id]) for member_id in sorted(self._mailboxes)]
        return _encoded([(member_id, events_digest(order(events))) for member_id, events in waiting])


def _seldom(
    subscribers: bytes, dead_letters: bytes, lost: tuple[Any, ...], delays: tuple[Any, ...]
) -> tuple[bytes, ...]:
    return subscribers, dead_letters, _encoder.encode([sorted(lost)]), _encoded(sorted(delays))


class PostAhead(Post):
    """A copy of a post, in which one can look at what will be delivered in the coming control ticks."""

    def __init__(self, post: Post) -> None:
        super().__init__(post._inbox_events_max, 0, post._delay)
        self._calendar, self._subscribers = dict(post._calendar), post._subscribers
        self._mailboxes = dict(post._mailboxes)
        self.delays = post.delays
        # All other lists are still those of the post, which it changes only as was foreseen here.
        self._own: set[int] = set()
        self._own_mailboxes: set[str] = set()
        self._heard: list[str] = []
        self._arrived: dict[str, list[Event]] = {}
        self._buried: list[DeadLetter] = []

    def put(self, member_id: str, events: Iterable[Event]) -> None:
        """See `Post`."""
        found = list(events)
        self._arrived.setdefault(member_id, []).extend(found)
        if member_id not in self._own_mailboxes:
            self._own_mailboxes.add(member_id)
            if (waiting := self._mailboxes.get(member_id)) is not None:
                self._mailboxes[member_id] = list(waiting)
        super().put(member_id, found)

    def take(self, member_id: str) -> tuple[Event, ...]:
        """See `Post`."""
        if found := super().take(member_id):
            self._heard.append(member_id)
            self._arrived.pop(member_id, None)
        return found

    def add(self, events: Iterable[Event]) -> None:
        """See `Post`; the post itself does not hear of it."""
        calendar, own = self._calendar, self._own
        for event in events:
            if event.deliver_at not in own:
                own.add(event.deliver_at)
                calendar[event.deliver_at] = list(calendar.get(event.deliver_at, ()))
            calendar[event.deliver_at].append(event)

    def bury(self, event: Event, target: str | None, reason: str, control_tick: int) -> None:
        """Notes only what would go to the dead letters."""
        self._buried.append(DeadLetter(event, target, reason, control_tick))

    def foreseen(self) -> Foreseen:
        """What has become of the mail of the control tick that was looked at last."""
        seen = Foreseen(tuple(self._heard), self._arrived, tuple(self._buried))
        self._heard, self._arrived, self._buried = [], {}, []
        return seen
