"""The generic host as a Ray actor. Messages cross as packed bytes: a struct costs pickle ten times as much.

The actor has a host and is none: Ray wraps every method of an actor's class, inherited ones too, in one that asks whether
calls are traced, and a host calls its own methods in every grant.
"""

import gc
import importlib
import os
import signal
import socket
import threading
from collections.abc import Mapping
from typing import Any

import ray

from actors.core.kernel.codec import Plain
from actors.core.kernel.effects import Refused
from actors.core.kernel.errors import SoulfraError
from actors.core.kernel.lanes import Whereabouts
from actors.hosts import Host

WARM = ("actors.core.realms.tick_engines", "actors.core.realms.city")
"""What most members are made of: imported while nobody waits for this host."""
READERS = 4
"""Threads of a host that answer readers and heartbeats while a grant is carried out."""


class RayHost:
    """A `Host`. Messages of the clock come on the main thread, or on the line's; readers have threads of their own.

    Args:
        host_id: what the clock calls it.
        realm_paths: users' folders for factories.
    """

    def __init__(self, host_id: str, realm_paths: tuple[str, ...]) -> None:
        for module in WARM:
            importlib.import_module(module)
        gc.freeze()  # what has been imported stays; looking through it for garbage takes 50 ms
        self._host = Host(realm_paths)
        self._host_id = host_id

    def hear(self, parcel: bytes) -> bytes:
        """See `Host.answer_packed`."""
        return self._host.answer_packed(parcel)

    @ray.method(concurrency_group="line")
    def stay(self) -> None:
        """Does not return: whoever waits for it learns when this process ends, even if nobody else asks it anything."""
        threading.Event().wait()

    @ray.method(concurrency_group="line")
    def open_line(self) -> tuple[bytes, str]:
        """Makes this host's key pair for the zmq lane; its public half, and the node it is on."""
        from actors.zmq_doors import Line  # not every lane needs it

        self._line = Line(self._host_id)
        return self._line.public_key, ray.get_runtime_context().get_node_id()

    @ray.method(concurrency_group="line")
    def serve_line(self, address: str, door_key: bytes) -> None:
        """Answers on the zmq lane until the process ends."""
        self._line.serve(address, door_key, self._host.answer_packed)

    @ray.method(concurrency_group="readers")
    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Any:
        """See `Seat.query`; an error of ours comes back as a value."""
        return _attempt(lambda: self._host.seat.query(verb, arguments))

    @ray.method(concurrency_group="readers")
    def capture(self) -> Any:
        """See `Seat.capture`; an error of ours comes back as a value."""
        return _attempt(lambda: self._host.seat.capture())

    @ray.method(concurrency_group="readers")
    def beat(self) -> int:
        """The local tick that the member is in."""
        return self._host.heartbeat()[1]

    @ray.method(concurrency_group="readers")
    def whereabouts(self) -> Whereabouts:
        """Where this host lives."""
        return Whereabouts(self._host.heartbeat()[0], socket.gethostname(), ray.get_runtime_context().get_node_id())

    @ray.method(concurrency_group="readers")
    def crash(self) -> None:
        """Ends this process as the machine would: at once, without a word."""
        os.kill(os.getpid(), signal.SIGKILL)


def _attempt(action: Any) -> Any:
    try:
        return action()
    except SoulfraError as error:
        return Refused(error.code, error.message)


_remote: Any = ray.remote  # its annotations know no concurrency groups
RemoteHost = _remote(
    num_cpus=0, max_restarts=0, max_task_retries=0, concurrency_groups={"readers": READERS, "line": 1}
)(RayHost)
