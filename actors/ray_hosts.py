"""The generic host as a Ray actor. Grants and outboxes cross as MessagePack: a struct costs pickle ten times as much."""

import socket
from collections.abc import Mapping
from typing import Any

import msgspec
import ray

from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.effects import Refused, Spawned
from actors.core.kernel.members import Birth, Grant, Outbox
from actors.hosts import Host
from actors.lanes import Whereabouts, attempt

READERS = 4
"""Threads of a host that answer readers and heartbeats while a grant is carried out."""

encode_message = msgspec.msgpack.Encoder().encode
decode_outbox = msgspec.msgpack.Decoder(Outbox).decode
_decode_grant = msgspec.msgpack.Decoder(Grant).decode


class RayHost(Host):
    """See `Host`. What the clock calls runs in order on the main thread; readers have threads of their own."""

    def embody_or_refuse(self, birth: Birth, spec: MemberSpec) -> Spawned | Refused:
        """See `Host.embody`; an error of ours comes back as a value."""
        return attempt(lambda: self.embody(birth, spec))  # type: ignore[no-any-return]

    def advance_message(self, grant: bytes) -> bytes:
        """See `Seat.advance`."""
        return encode_message(self.advance(_decode_grant(grant)))

    def rebuild(self) -> Outbox | Refused:
        """See `Rebuild`."""
        return attempt(self.seat.status)  # type: ignore[no-any-return]

    def capture(self) -> bytes:
        """See `Seat.capture`."""
        return self.seat.capture()

    @ray.method(concurrency_group="readers")
    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Any:
        """See `Seat.query`; an error of ours comes back as a value."""
        return attempt(lambda: self.seat.query(verb, arguments))

    @ray.method(concurrency_group="readers")
    def beat(self) -> tuple[int, int]:
        """See `Host.heartbeat`."""
        return self.heartbeat()

    @ray.method(concurrency_group="readers")
    def whereabouts(self) -> Whereabouts:
        """Where this host lives."""
        return Whereabouts(self.heartbeat()[0], socket.gethostname())


_remote: Any = ray.remote  # its annotations know no concurrency groups
RemoteHost = _remote(num_cpus=0, max_restarts=0, max_task_retries=0, concurrency_groups={"readers": READERS})(RayHost)
