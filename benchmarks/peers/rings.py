"""What a member of the ring says and hears, and the times at which it was let go on: the same for all peers."""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import msgspec

Said = tuple[int, int, int]
"""The control tick it was said in, who said it, and how many events that one had heard."""

_SAID = struct.Struct("<qiq")
BYTES = _SAID.size
"""20: what an event weighs on a peer's wire, its envelope aside."""

pack = _SAID.pack
"""Something said, as bytes."""


def unpack(payload: bytes) -> Said:
    """See `pack`."""
    tick, member, heard = _SAID.unpack(payload)
    return tick, member, heard


class Ear:
    """Checks what one member hears: in control tick k exactly what its predecessor said in k-1. Ticks count from 1."""

    def __init__(self, member: int, members: int) -> None:
        self.member = member
        self._predecessor = (member - 1) % members
        self.heard = 0
        self._fault = ""

    def hear(self, tick: int, events: Sequence[Said]) -> Said:
        """Hears the events of a control tick; returns what the member says in it."""
        self.heard += len(events)
        due = [] if tick == 1 else [(tick - 1, self._predecessor, max(0, tick - 2))]
        if not self._fault and [tuple(event) for event in events] != due:
            self._fault = f"member {self.member} heard {list(events)} in tick {tick}, and should have heard {due}"
        return tick, self.member, self.heard

    def fault(self, ticks: int) -> str:
        """What was heard wrongly in so many control ticks; "" if nothing was."""
        if not self._fault and self.heard != ticks - 1:
            return f"member {self.member} heard {self.heard} events in {ticks} ticks, and should have heard {ticks - 1}"
        return self._fault


class Lived(msgspec.Struct, frozen=True):
    """What one member of a ring without a coordinator has to tell.

    Attributes:
        fault: see `Ear.fault`.
        granted_ns: when it was let into each control tick, by the monotonic clock that all processes share.
    """

    fault: str
    granted_ns: list[int]


class Laps(msgspec.Struct, frozen=True):
    """What a ring has to tell.

    Attributes:
        durations_ns: wall time of each control tick, those of the warm-up first.
        fault: what a member heard wrongly; "" if all was right.
        apart_ticks: see `Row`.
        note: see `Row`.
    """

    durations_ns: list[int]
    fault: str = ""
    apart_ticks: int = 1
    note: str = ""


def laps_of(lives: Sequence[Lived], note: str = "") -> Laps:
    """The laps of a ring without a coordinator.

    A control tick begins when its last member is let into it. One member alone would tell too good a story where
    neighbours wait for neighbours only: it runs ahead in a burst and then waits for long.
    """
    begun = [max(moments) for moments in zip(*(life.granted_ns for life in lives), strict=True)]
    durations = [after - before for before, after in pairwise(begun)]
    fault = next((life.fault for life in lives if life.fault), "")
    return Laps(durations, fault, apart(lives), note)


def apart(lives: Sequence[Lived]) -> int:
    """How many control ticks the first member was ever ahead of the last one."""
    most = 0
    for tick, moments in enumerate(zip(*(life.granted_ns for life in lives), strict=True), start=1):
        first = min(moments)
        most = max(most, tick - min(bisect_right(life.granted_ns, first) for life in lives))
    return most
