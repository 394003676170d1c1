"""Events under way on several sides, united by id."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.events import Event, event_digest, order
from actors.core.kernel.states import Records
from actors.core.merging.records import merged_records
from actors.core.merging.reports import Conflict
from actors.core.merging.rules import Strategy, checked_strategy

EVENTS = "@events"
"""What the report calls the section of events under way."""


@dataclass(frozen=True, slots=True)
class United:
    """Events under way after a merge.

    Attributes:
        events: each once, in the order in which they are heard.
        conflicts: ids under which two sides have different events.
        strategy: who won.
    """

    events: tuple[Event, ...]
    conflicts: tuple[Conflict, ...]
    strategy: Strategy

    def accepted(self) -> tuple[Event, ...]:
        """The events, if they may take effect.

        Raises:
            MergeRefusedError: the strategy is `fail` and there are conflicts.
        """
        if self.strategy == "fail" and self.conflicts:
            ids = ", ".join(found.object for found in self.conflicts[:5])
            raise MergeRefusedError(f"different events under way have the same id: {ids}. Use ours or theirs.")
        return self.events


def united(
    sides: Sequence[Iterable[Event]], bases: Sequence[Iterable[Event] | None] | None = None, strategy: Strategy = "fail"
) -> United:
    """Events under way on several sides, each id once, by the rules of states: an event is a single value.

    Args:
        sides: what is under way on each.
        bases: for each side from the second on, what was under way at the common ancestor: whatever one side has heard
            since is not heard again. Without, everything under way on any side is under way.
        strategy: which event it is where an id names two.

    Raises:
        MergeRefusedError: no sides, another number of bases, or a side has an id twice.
    """
    checked_strategy(strategy)
    events = [_by_id(side) for side in sides]
    known = bases if bases is not None else [None] * (len(sides) - 1)
    grounds = [None if base is None else _by_id(base) for base in known]
    if not events or len(grounds) != len(events) - 1:
        raise MergeRefusedError(f"events of {len(events)} sides need a base (or None) for each but the first.")
    result, conflicts = events[0], list[Conflict]()
    for number, (side, base) in enumerate(zip(events[1:], grounds, strict=True), 1):
        values = (_values(base), _values(result), _values(side))
        told = (_told(base), _told(result), _told(side))
        section, found = merged_records(EVENTS, values, strategy, step=number, told=told)  # type: ignore[arg-type]
        conflicts += found
        result = {
            event_id: next(
                held[event_id] for held in (result, side) if event_id in held and event_digest(held[event_id]) == digest
            )
            for event_id, digest in section.objects.items()
        }
    return United(tuple(order(result.values())), tuple(conflicts), strategy)


def _by_id(events: Iterable[Event]) -> dict[str, Event]:
    found: dict[str, Event] = {}
    for event in events:
        if event.event_id in found:
            raise MergeRefusedError(f"two events under way on one side have the id {event.event_id!r}.")
        found[event.event_id] = event
    return found


def _values(events: dict[str, Event] | None) -> Records | None:
    return None if events is None else Records({event_id: event_digest(event) for event_id, event in events.items()})


def _told(events: dict[str, Event] | None) -> Records | None:
    if events is None:
        return None
    return Records({event_id: _fields(event) for event_id, event in events.items()})


def _fields(event: Event) -> dict[str, Plain]:
    return {name: getattr(event, name) for name in event.__struct_fields__ if name != "payload"} | {"data": event.data}
