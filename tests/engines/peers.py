"""What may come to a door: hosts on threads, impostors and strangers, each with a socket of its own."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock, patch

import zmq

from actors.hosts import Host
from actors.zmq_doors import Door
from actors.zmq_lanes import ZmqLane

ADDRESS = "127.0.0.1"
SOON_MS = 5_000
"""For what must come; on a busy machine it may take its time."""
QUIET_MS = 300
"""For what must not come."""

Keys = tuple[bytes, bytes]


_made: list["Peer"] = []


@contextmanager
def context_of_a_test() -> Iterator[zmq.Context]:
    """A context whose sockets are all closed at the end, also those that nobody holds any more."""
    context = zmq.Context()
    try:
        yield context
    finally:
        for peer in _made:
            peer.leave()
        _made.clear()
        context.destroy(linger=0)


class Peer:
    """A socket before a door. What it claims to be and which key it has are two things."""

    def __init__(
        self, context: zmq.Context, door: Door, claim: str = "", keys: Keys | None = None, **options: Any
    ) -> None:
        self.public_key, self.secret_key = keys or zmq.curve_keypair()
        self.socket = context.socket(zmq.DEALER)
        _made.append(self)
        self.socket.linger = 0
        self.socket.curve_publickey, self.socket.curve_secretkey = self.public_key, self.secret_key
        self.socket.curve_serverkey = door.public_key
        self.socket.sndtimeo = 0
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(door.address)
        if claim:
            self.say(claim.encode())

    def say(self, *parts: bytes) -> None:
        with contextlib.suppress(
            zmq.Again
        ):  # a line that the door has cut by now takes nothing, and nothing gets through
            self.socket.send_multipart(parts)

    def hears(self, within_ms: int = SOON_MS) -> bytes | None:
        return self.socket.recv() if self.socket.poll(within_ms) else None

    def leave(self) -> None:
        self.socket.close()


def host_of(context: zmq.Context, door: Door, host_id: str) -> Peer:
    """A host whose key is listed, and that has come in."""
    keys = zmq.curve_keypair()
    door.admit(keys[0], host_id)
    peer = Peer(context, door, host_id, keys)
    assert next_from(door) == (host_id, b"")
    return peer


def next_from(door: Door, within_ms: int = SOON_MS) -> tuple[str, bytes] | None:
    """What the door gives next."""
    deadline = time.monotonic() + within_ms / 1e3
    while (found := door.receive(10)) is None and time.monotonic() < deadline:
        pass
    return found


def departed(door: Door, within_ms: int = SOON_MS) -> list[str]:
    """Who is said to have departed, as soon as anybody is."""
    deadline = time.monotonic() + within_ms / 1e3
    while not (found := list(door.departures())) and time.monotonic() < deadline:
        time.sleep(0.002)
    return found


def speaks_with(door: Door, host_id: str, peer: Peer) -> bool:
    """Whether a host's line carries both ways, and carries nothing else."""
    there = door.send(host_id, b"question")
    heard = peer.hears()
    peer.say(b"answer")
    return there and heard == b"question" and next_from(door) == (host_id, b"answer")


Spoil = Callable[[str, int, bytes], list[bytes]]
"""(host id, how many answers it gave before, the answer) to the parts that it sends instead."""


class LoopbackLane(ZmqLane):
    """The zmq lane with hosts on threads, so that no Ray is needed. Hosts can be made to answer nonsense."""

    def __init__(
        self, realm_paths: tuple[str, ...] = (), spoil: Spoil = lambda host_id, number, answer: [answer]
    ) -> None:
        with patch.multiple("actors.zmq_lanes", ray=MagicMock(), get_node_ip_address=lambda: ADDRESS):
            super().__init__(realm_paths)
        self._spoil = spoil
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.context = zmq.Context()
        self.died: list[Any] = []

    def start(self, host_id: str, placement: bytes) -> None:
        keys = zmq.curve_keypair()
        self._door.admit(keys[0], host_id)
        self._outside[host_id] = []
        thread = threading.Thread(target=self._live, args=(host_id, keys), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _live(self, host_id: str, keys: Keys) -> None:
        host, peer, number = Host(self._realm_paths), Peer(self.context, self._door, host_id, keys), 0
        while not self._over.is_set():
            if (question := peer.hears(10)) is not None:
                peer.say(*self._spoil(host_id, number, host.answer_packed(question)))
                number += 1
        peer.leave()

    def _receive_each(self, timeout_s: float) -> list[Any]:
        return []

    def receive(self, timeout_s: float) -> Any:
        signals = super().receive(timeout_s)
        self.died += [signal for signal in signals if type(signal).__name__ == "Died"]
        return signals

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        super().close()
        self.context.destroy(linger=0)
