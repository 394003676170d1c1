"""A member of the ring as an xoscar actor."""

import xoscar

from benchmarks.peers.rings import Ear, pack, unpack


class RingActor(xoscar.Actor):
    """See `Ear`."""

    def __init__(self, member: int, members: int) -> None:
        super().__init__()
        self._ear = Ear(member, members)

    def live(self, tick: int, event: bytes) -> bytes:
        """One control tick."""
        return pack(*self._ear.hear(tick, [unpack(event)] if event else []))

    def fault(self, ticks: int) -> str:
        """See `Ear.fault`."""
        return self._ear.fault(ticks)
