"""The local lane: all members in this process. And what lanes have in common."""

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import EngineError
from actors.core.kernel.lanes import Heard, Signal, Whereabouts
from actors.core.kernel.messages import Message
from actors.hosts import Host

PLACEMENT_OPTIONS = ("label_selector", "memory", "num_cpus", "resources", "runtime_env", "scheduling_strategy")
"""Ray's own words for where an actor may live; without meaning, but checked alike, where there is one process."""


class LocalLane:
    """All members in this process, one after another, in an order that must not matter. See `Lane`.

    Args:
        realm_paths: users' folders for factories.
        sequence: in which order hosts answer; tests shuffle here.
    """

    name = ""
    hosts_may_die = False

    def __init__(
        self, realm_paths: tuple[str, ...] = (), sequence: Callable[[list[str]], list[str]] = lambda ids: ids
    ) -> None:
        self._realm_paths = realm_paths
        self._sequence = sequence
        self._hosts: dict[str, Host] = {}
        self._sent: dict[str, Message] = {}
        self._busy = ""

    def start(self, host_id: str, placement: bytes) -> None:
        """See `Lane`."""
        self._hosts[host_id] = Host(self._realm_paths)

    def pack(self, message: Message) -> Message:
        """See `Lane`. Within one process a message travels as it is."""
        return message

    def send(self, host_id: str, parcel: Message) -> None:
        """See `Lane`."""
        self._sent[host_id] = parcel

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        """See `Lane`."""
        sent, self._sent = self._sent, {}
        heard: list[Signal] = []
        for host_id in self._sequence(list(sent)):
            self._busy = host_id
            try:
                heard.append(Heard(host_id, self._hosts[host_id].answer(sent[host_id])))
            finally:
                self._busy = ""
        return heard

    def beat(self, host_id: str) -> None:
        """See `Lane`. Nobody can ask while a member computes on the only thread."""

    def kill(self, host_id: str) -> None:
        """See `Lane`."""
        self._hosts.pop(host_id, None)
        self._sent.pop(host_id, None)

    def crash(self, host_id: str) -> None:
        """See `Lane`.

        Raises:
            EngineError: always.
        """
        raise EngineError("on the local engine no member has a process of its own to kill; use engine='ray'.")

    def now_s(self) -> float:
        """See `Lane`."""
        return time.monotonic()

    def query(self, host_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See `Lane`."""
        return self._hosts[host_id].seat.query(verb, arguments)

    def capture(self, host_id: str) -> bytes:
        """See `Lane`."""
        return self._hosts[host_id].seat.capture()

    def whereabouts(self, host_ids: Sequence[str], patience_s: float = 0.0) -> dict[str, Whereabouts]:
        """See `Lane`."""
        return dict.fromkeys(host_ids, Whereabouts(os.getpid(), socket.gethostname()))

    def obstacle(self, host_id: str) -> str:
        """See `Lane`."""
        return ""

    def computing(self) -> tuple[str, int] | None:
        """See `Lane`."""
        host_id = self._busy
        return (host_id, self._hosts[host_id].heartbeat()[1]) if host_id in self._hosts else None

    def close(self) -> None:
        """See `Lane`."""
        self._hosts.clear()
