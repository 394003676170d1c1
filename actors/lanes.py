"""Lanes: how effects of the sequencer are carried out. The seam between the clock and where its members live."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.effects import Dispose, Effect, Exchange, Rebuild, Refused, Spawn, Spawned, T
from actors.core.kernel.errors import SoulfraError, UnknownMemberError
from actors.core.kernel.members import Grant, Outbox
from actors.hosts import Host

PLACEMENT_OPTIONS = ("label_selector", "memory", "num_cpus", "resources", "runtime_env", "scheduling_strategy")
"""Ray's own words for where an actor may live; without meaning, but checked alike, where there is one process."""


class Whereabouts(msgspec.Struct, frozen=True):
    """Where a member lives."""

    process_id: int
    node: str


class Waiting(msgspec.Struct, frozen=True):
    """A member that the clock waits for.

    Attributes:
        member_id: the member.
        since_s: seconds since its grant was sent.
        heartbeat_age_s: seconds since its host last showed a sign of life; None if it has shown none yet.
        local_tick: the local tick it was in then.
    """

    member_id: str
    since_s: float
    heartbeat_age_s: float | None
    local_tick: int

    def __str__(self) -> str:
        sign = (
            "no heartbeat yet"
            if self.heartbeat_age_s is None
            else f"in local tick {self.local_tick}, last heartbeat {self.heartbeat_age_s:.1f} s ago"
        )
        return f"waiting for {self.member_id} since {self.since_s:.1f} s ({sign})"


class Lane(Protocol):
    """Carries out effects."""

    def perform(self, effect: Effect) -> Any:
        """Carries out one effect; see `effects.py` for what it comes to."""
        ...

    def prepare(self, hosts: int) -> None:
        """Makes so many hosts ready ahead of need, without waiting for them."""
        ...

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """Asks a member's published view; does not wait for the clock.

        Raises:
            UnknownMemberError: no such member.
            CommandRefusedError: the view does not answer that.
        """
        ...

    def capture(self, member_id: str) -> bytes:
        """A member's state; at a boundary only.

        Raises:
            UnknownMemberError: no such member.
        """
        ...

    def whereabouts(self) -> dict[str, Whereabouts]:
        """Where every member lives."""
        ...

    def waiting(self) -> list[Waiting]:
        """Members that the clock waits for right now; may be asked from another thread."""
        ...

    def close(self) -> None:
        """Gives every host back."""
        ...


class LocalLane:
    """All members in this process, one after another, in an order that must not matter.

    Args:
        realm_paths: users' folders for factories.
        sequence: in which order members are advanced; tests shuffle here.
    """

    def __init__(
        self, realm_paths: tuple[str, ...] = (), sequence: Callable[[list[str]], list[str]] = lambda ids: ids
    ) -> None:
        self._realm_paths = realm_paths
        self._sequence = sequence
        self._hosts: dict[str, Host] = {}
        self._busy: tuple[str, float] | None = None

    def perform(self, effect: Effect) -> Any:
        """See `Lane`."""
        match effect:
            case Exchange(grants):
                return {
                    member_id: self._advance(member_id, grants[member_id]) for member_id in self._sequence(list(grants))
                }
            case Spawn(birth, spec):
                host = Host(self._realm_paths)
                spawned = attempt(lambda: host.embody(birth, spec))
                if isinstance(spawned, Spawned):
                    self._hosts[birth.member_id] = host
                return spawned
            case Rebuild(member_id):
                return attempt(self._hosts[member_id].seat.status)
            case Dispose(member_id):
                return self._hosts.pop(member_id, None) and None

    def _advance(self, member_id: str, grant: Grant) -> Outbox:
        self._busy = (member_id, time.monotonic())
        try:
            return self._hosts[member_id].advance(grant)
        finally:
            self._busy = None

    def prepare(self, hosts: int) -> None:
        """See `Lane`. Here a host costs nothing."""

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See `Lane`."""
        return hosted(self._hosts, member_id).seat.query(verb, arguments)

    def capture(self, member_id: str) -> bytes:
        """See `Lane`."""
        return hosted(self._hosts, member_id).seat.capture()

    def whereabouts(self) -> dict[str, Whereabouts]:
        """See `Lane`."""
        return dict.fromkeys(sorted(self._hosts), Whereabouts(os.getpid(), socket.gethostname()))

    def waiting(self) -> list[Waiting]:
        """See `Lane`."""
        busy = self._busy
        if busy is None or busy[0] not in self._hosts:
            return []
        return [Waiting(busy[0], time.monotonic() - busy[1], 0.0, self._hosts[busy[0]].seat.progress)]

    def close(self) -> None:
        """See `Lane`."""
        self._hosts.clear()


def hosted(hosts: Mapping[str, T], member_id: str) -> T:
    """A member's host.

    Raises:
        UnknownMemberError: no such member.
    """
    host = hosts.get(member_id)
    if host is None:
        raise UnknownMemberError(f"no member {member_id!r} is registered; registered: {', '.join(sorted(hosts))}.")
    return host


def attempt(action: Callable[[], Any]) -> Any:
    """What an action comes to, or `Refused` with the error of ours that it raised."""
    try:
        return action()
    except SoulfraError as error:
        return Refused(error.code, error.message)
