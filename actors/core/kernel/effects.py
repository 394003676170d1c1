"""What the sequencer asks of the shell around it. It decides, the shell acts; so the same logic runs on any engine.

A script of the sequencer yields one effect at a time and is sent what came of it.
"""

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import msgspec

from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.members import Birth, Grant
from actors.core.kernel.messages import Checkpoint


class Lost(msgspec.Struct, frozen=True, gc=False):
    """A member that cannot answer any more, and why: a dead process, decided outside of history."""

    reason: str


class Refused(msgspec.Struct, frozen=True, gc=False):
    """An effect that could not be had: the code and the sentence of an error."""

    code: str
    message: str


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """Send these grants, wait for every outbox. Comes to a map of member id to its outboxes or `Lost`, in any order.

    A member gets one grant, or several in a row where lookahead allows it, and answers each with an outbox; after a
    failure, the rest are not lived through and have none.

    Attributes:
        grants: for each member.
        occasion: what it is for, the same in every replay of this history: "tick 12", "command 3", "digest 3".
    """

    grants: Mapping[str, tuple[Grant, ...]]
    occasion: str


class Ahead(msgspec.Struct, frozen=True, gc=False):
    """Send the grants of an exchange, and do not wait: the next effect is that exchange. Comes to None.

    Attributes:
        exchange: what is begun.
    """

    exchange: Exchange


class Spawn(msgspec.Struct, frozen=True, gc=False):
    """Make a member in a host of its own. Comes to `Embodied` or `Refused`."""

    birth: Birth
    spec: MemberSpec


class Captured(msgspec.Struct, frozen=True, gc=False):
    """What a member can be made from: what it is told at its birth, how it is made, its state if it has lived."""

    birth: Birth
    spec: MemberSpec
    checkpoint: Checkpoint | None


class Populate(msgspec.Struct, frozen=True, gc=False):
    """Make these members, by id, all at once. Comes to a map of member id to `Embodied` or `Refused`."""

    newcomers: Mapping[str, Captured]


class Capture(msgspec.Struct, frozen=True, gc=False):
    """Say what these members are at this boundary. Comes to a map of member id to `Captured` or `Refused`."""

    member_ids: tuple[str, ...]


class Rebuild(msgspec.Struct, frozen=True, gc=False):
    """Let a member whose turn was discarded stand at the boundary before it. Comes to an `Outbox`, `Refused` or `Lost`."""

    member_id: str
    occasion: str


class Dispose(msgspec.Struct, frozen=True, gc=False):
    """Give a member's host back. Comes to nothing."""

    member_id: str


Effect = Exchange | Ahead | Spawn | Populate | Capture | Rebuild | Dispose

T = TypeVar("T")
Script = Generator[Effect, Any, T]
