"""The zmq lane: Ray places, starts and names the actors; what clock and hosts say in every tick goes over ZeroMQ.

Plain actor calls cost some 400 µs each on a small machine, ten times what a message on a line of its own costs. The death
of a host's process shows at once as the end of its connection; Ray's word for it comes seconds later and confirms.
"""

from collections.abc import Sequence
from typing import Any

import ray
from ray.util import get_node_ip_address

from actors.core.kernel.lanes import Died, Signal
from actors.ray_lanes import PROCESS_DIED, RayLane
from actors.ray_nodes import NodeWatch
from actors.zmq_doors import Door

LOOK_AROUND_MS = 10
"""How long silence lasts before the lane looks for departures and for hosts that have started: a death is seen within it."""


class ZmqLane(RayLane):
    """See `RayLane`."""

    name = "zmq"

    def __init__(self, realm_paths: tuple[str, ...] = (), nodes: NodeWatch | None = None) -> None:
        super().__init__(realm_paths, nodes)
        self._door = Door(get_node_ip_address())  # type: ignore[no-untyped-call]
        self._node = ray.get_runtime_context().get_node_id()
        self._outside: dict[str, list[bytes]] = {}
        self._shut = False

    def _welcome(self, host_id: str, actor: Any) -> None:
        self._outside[host_id] = []
        self._watched[actor.open_line.remote()] = (host_id, "key")

    def _watched_is(self, host_id: str, what: str, value: Any) -> Signal | None:
        if what == "key":
            public_key, node = value
            self._door.admit(public_key, host_id)
            address = self._door.near_address if node == self._node else self._door.address
            line = self._actors[host_id].serve_line.remote(address, self._door.public_key)
            self._watched[line] = (host_id, "line")
            return None
        return Died(host_id, "its line ended")  # it never does of itself

    def kill(self, host_id: str) -> None:
        """See `Lane`."""
        self._door.expel(host_id)
        self._outside.pop(host_id, None)
        super().kill(host_id)

    def send(self, host_id: str, parcel: bytes) -> None:
        """See `Lane`. What is sent to a host that has not come in yet waits for it."""
        if self._door.send(host_id, parcel):
            return
        waiting = self._outside.get(host_id)
        if waiting is not None and parcel not in waiting:  # asked again meanwhile, it need not hear it twice
            waiting.append(parcel)

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        """See `Lane`."""
        deadline = 0.0
        while True:
            found = self._door.receive(LOOK_AROUND_MS if timeout_s else 0)
            if found is not None:
                host_id, parcel = found
                if parcel:
                    return (self._read(host_id, parcel),)
                for waiting in self._outside.pop(host_id, ()):
                    self._door.send(host_id, waiting)
                continue
            if signals := self._look_around():
                return signals
            now = self.now_s()
            deadline = deadline or now + timeout_s
            if now >= deadline:
                return ()

    def _look_around(self) -> list[Signal]:
        departed: list[Signal] = [Died(host_id, PROCESS_DIED) for host_id in self._door.departures()]
        return departed or self._receive_each(0)

    def close(self) -> None:
        """See `Lane`."""
        super().close()
        if not self._shut:
            self._shut = True
            self._door.close()
