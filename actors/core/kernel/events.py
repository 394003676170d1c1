"""Events: what one member says to others, and the order in which it is heard.

Sent in control tick *k*, an event arrives at the start of *k+1*, or of `deliver_at` where it names one. At a receiver,
events are ordered by `(source, sequence)`, source as UTF-8 bytes; the order in which outboxes came in never matters.
(Python compares text by code point, which is the order of the UTF-8 bytes, so plain comparison does it.)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec

from actors.core.kernel.addresses import RealmCoordinate, checked_part
from actors.core.kernel.codec import Plain, bounded, decode
from actors.core.kernel.digests import digest_of
from actors.core.kernel.errors import EventRefusedError


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event on its way, the form that travels between clock and members.

    Attributes:
        event_id: unique; `source#sequence`, or what the driver named it.
        source: member that said it; `@outside` if it came from outside.
        sequence: grows by one with every event of that source; the journal position for `@outside`.
        target: member it is for, or None for all subscribers of its type.
        event_type: declared by whoever emits and handles it.
        payload: the data, encoded; nobody can change it under way.
        control_tick_id: the control tick it was sent in.
        deliver_at: the control tick at whose start it arrives.
        cause: id of the event or command it came from, or "".
        path: the members its chain of causes passed through, oldest first.
        carries: conserved quantities in transit, by name and in order of it (a caravan's wealth): counted while it travels.
        claimed_source: for an event from outside, the realm that the driver says it comes from.
    """

    event_id: str
    source: str
    sequence: int
    target: str | None
    event_type: str
    payload: bytes
    control_tick_id: int
    deliver_at: int
    cause: str = ""
    path: tuple[str, ...] = ()
    carries: tuple[tuple[str, int], ...] = ()
    claimed_source: str = ""

    @property
    def data(self) -> dict[str, Plain]:
        """The data, decoded anew at each call; changing it changes nobody else's."""
        return decode(self.payload)  # type: ignore[no-any-return]

    @property
    def origin(self) -> str:
        """The realm it says it comes from: the source, or the driver's claim."""
        return self.claimed_source or self.source

    def carried(self, quantity: str) -> int:
        """How much of a conserved quantity it carries."""
        return dict(self.carries).get(quantity, 0)


CARRIED_MAX = 2**53
"""Sums over a thousand such events still fit into the 64 bits of the codec."""
DELIVER_AT_MAX = 2**53
QUANTITIES_MAX = 16
EVENT_ID_CHARACTERS_MAX = 256
PATH_MEMBERS_MAX = 32
"""A path keeps its newest members; a rumour that circles for ever must not grow for ever."""


_place = attrgetter("source", "sequence")


def order(events: Iterable[Event]) -> list[Event]:
    """The events in the one order in which they are heard: `(source, sequence)`."""
    return sorted(events, key=_place)


def event_digest(event: Event) -> bytes:
    """The digest of one event under way."""
    return digest_of(_encoder.encode(event))


def events_digest(events: list[Event]) -> bytes:
    """The digest of several, in their order."""
    return digest_of(_encoder.encode(events))


_encoder = msgspec.msgpack.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class CrossGameEvent:
    """An event as a driver writes it; the clock makes an `Event` of it.

    Attributes:
        event_id: the driver's name for it, unique; "" lets the clock name it.
        source_realm: where the driver says it comes from: a claim, for order it counts as `@outside`.
        target_realm: whom it is for; None sends it to all subscribers of its type.
        event_type: one that the target (or, for a broadcast, any member) declares to handle.
        data: plain data, at most 1 MiB encoded.
        control_tick_id: the control tick the driver saw when it wrote the event; for its own records.
        deliver_at: the control tick at whose start it arrives; None means the next one.
        cause: id of what it came from, or "".
        path: the realms that its chain of causes passed through before its source, as the driver tells it.
        carries: conserved quantities it brings into the multiverse; entered in the ledger.

    Source: seed 002, "MultiGameTickEngine".
    """

    event_id: str
    source_realm: str | RealmCoordinate
    target_realm: str | RealmCoordinate | None
    event_type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    control_tick_id: int = 0
    deliver_at: int | None = None
    cause: str = ""
    path: tuple[str, ...] = ()
    carries: Mapping[str, int] = field(default_factory=dict)

    def claimed_path(self) -> tuple[str, ...]:
        """The path with the claimed source at its end, checked; its newest members if it is too long.

        Raises:
            AddressError: a member of it can be no id.
        """
        source = realm_id_of(self.source_realm)
        if not isinstance(self.path, list | tuple):
            raise EventRefusedError(f"path must be a list of realm ids, not {self.path!r:.80}.")
        path = tuple(checked_part(member, "path") for member in self.path)
        return (*path, *((source,) if source else ()))[-PATH_MEMBERS_MAX:]

    def sealed(self) -> bytes:
        """All of it but the data's Python objects, checked and encoded.

        Raises:
            EventRefusedError: a field of the wrong shape, or data that is not plain or too large.
        """
        for name in ("event_id", "event_type", "cause"):
            text = getattr(self, name)
            if not isinstance(text, str) or len(text) > EVENT_ID_CHARACTERS_MAX or not text.isprintable():
                raise EventRefusedError(
                    f"{name} must be printable text of at most {EVENT_ID_CHARACTERS_MAX} characters, not {text!r:.80}."
                )
        if not self.event_type:
            raise EventRefusedError("event_type is empty; name a type that the target handles.")
        if not isinstance(self.data, Mapping):
            raise EventRefusedError(f"data of event {self.event_id!r} must be a map, not {type(self.data).__name__}.")
        try:
            return bounded(self.data, f"data of event {self.event_id!r}")
        except ValueError as error:
            raise EventRefusedError(f"data of event {self.event_id!r} cannot be sent: {error}.") from None


def realm_id_of(realm: str | RealmCoordinate) -> str:
    """The id of a realm given by its id or its coordinate; "" stands for none.

    Raises:
        AddressError: text that can be no id.
    """
    if isinstance(realm, RealmCoordinate):
        return realm.realm_id
    return checked_part(realm, "realm id") if realm != "" else ""


def checked_carries(carries: Mapping[str, int] | None) -> tuple[tuple[str, int], ...]:
    """Conserved quantities as an event carries them.

    Raises:
        EventRefusedError: an amount that is not a whole number from 0 to `CARRIED_MAX`, or too many quantities.
    """
    if carries is not None and not isinstance(carries, Mapping):
        raise EventRefusedError(f"carries must be a map of quantity to amount, not {carries!r:.80}.")
    if len(carries or {}) > QUANTITIES_MAX:
        raise EventRefusedError(f"an event cannot carry {len(carries or {})} quantities; at most {QUANTITIES_MAX}.")
    for quantity, amount in (carries or {}).items():
        checked_part(quantity, "quantity")
        if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= CARRIED_MAX:
            raise EventRefusedError(
                f"an event cannot carry {amount!r} of {quantity!r}; use a whole number from 0 to {CARRIED_MAX}."
            )
    return tuple(sorted((carries or {}).items()))


class Trace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One step of a cascade: what happened, where, when, and what caused it.

    Attributes:
        event_id: the event.
        cause: the event or command it came from, or "".
        event_type: its type.
        where: the member in which it was said.
        target: whom it was for: a member, "*" for subscribers, or the member itself for an event within its tick.
        control_tick: when, on the clock.
        local_tick: when, on the member.
        depth: 0 for an event that came in or was said by the tick, n for one that a rule emitted in the n-th round.
    """

    event_id: str
    cause: str
    event_type: str
    where: str
    target: str
    control_tick: int
    local_tick: int
    depth: int
