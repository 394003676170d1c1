"""The seam between the clock and the hosts of its members: how messages travel, and what shows on the way.

A lane knows hosts, not members. It starts them, carries packed messages to them, and tells what came back: messages,
deaths, signs of life. It may lose or double a message and need not keep their order between hosts; who speaks to whom,
what is asked again and who is brought back is the fleet's business (`fleets.py`), the same on every lane.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.messages import Message


class Heard(msgspec.Struct, frozen=True, gc=False):
    """A host has answered."""

    host_id: str
    message: Message


class Died(msgspec.Struct, frozen=True, gc=False):
    """A host will not answer any more, and why: its process died, it could not be started, it spoke nonsense.

    Attributes:
        host_id: the host.
        reason: in plain words.
        came: whether it had ever been there; a host that never was has not died of what it carried.
    """

    host_id: str
    reason: str
    came: bool = True


class Beat(msgspec.Struct, frozen=True, gc=False):
    """A host's sign of life, and the local tick that its member is in."""

    host_id: str
    local_tick: int


class Rejoined(msgspec.Struct, frozen=True, gc=False):
    """A host's line was cut and is there again; what was sent in between may be lost."""

    host_id: str


Signal = Heard | Died | Beat | Rejoined


class Whereabouts(msgspec.Struct, frozen=True, gc=False):
    """Where a host lives.

    Attributes:
        process_id: its process.
        node: for people.
        node_id: what the cluster calls its node; "" without a cluster.
    """

    process_id: int
    node: str
    node_id: str = ""


class Lane(Protocol):
    """Carries messages between the clock and its hosts. One thread at a time, but for `query`."""

    name: str
    hosts_may_die: bool
    """Whether a host is a process of its own, which can be lost alone."""

    def start(self, host_id: str, placement: bytes) -> None:
        """Starts a host and does not wait for it. One that cannot be started shows as `Died`.

        Raises:
            FactoryError: placement options that cannot be used.
        """
        ...

    def send(self, host_id: str, parcel: Any) -> None:
        """Sends what `pack` made. A host that cannot be reached shows as `Died`."""
        ...

    def pack(self, message: Message) -> Any:
        """The message in the form that `send` takes and that may be kept to be sent again."""
        ...

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        """What has come; waits for at least one signal, but no longer than that."""
        ...

    def beat(self, host_id: str) -> None:
        """Asks for a sign of life, which comes as `Beat` even while the host computes."""
        ...

    def kill(self, host_id: str) -> None:
        """Ends a host. Nothing is heard of it any more."""
        ...

    def crash(self, host_id: str) -> None:
        """Kills a host's process from outside, for those who want to see what happens then."""
        ...

    def now_s(self) -> float:
        """Seconds on a clock that only goes forward."""
        ...

    def query(self, host_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """Asks the view that a host publishes; may be called from any thread and does not wait for the clock.

        Raises:
            CommandRefusedError: the view does not answer that.
            EngineError: the host cannot be reached.
        """
        ...

    def capture(self, host_id: str) -> bytes:
        """The state of a host's member; at a boundary only.

        Raises:
            EngineError: the host cannot be reached.
        """
        ...

    def whereabouts(self, host_ids: Sequence[str], patience_s: float = 0.0) -> dict[str, Whereabouts]:
        """Where hosts live, as far as it is known within so long: a host says it once, when it has started."""
        ...

    def obstacle(self, host_id: str) -> str:
        """Why a host that was started cannot come, in plain words; "" if nothing is known to stand in its way."""
        ...

    def computing(self) -> tuple[str, int] | None:
        """Where members share the clock's thread: the host that has it right now, and its local tick. From any thread."""
        ...

    def close(self) -> None:
        """Gives every host back."""
        ...
