"""What goes into a vault and comes out of it."""

from collections.abc import Mapping

import msgspec


class JournalRow(msgspec.Struct, frozen=True):
    """One outside input at its place in the history of a branch. The vault reads none of it but branch and position.

    Attributes:
        branch: the history it belongs to.
        position: 1 for the first of a branch, then growing by one.
        control_tick: the control tick that its boundary follows.
        command_id: by which a repeated command is known.
        kind: what sort of input it is.
        subject: the member it concerns; empty if none.
        payload: the input, encoded.
    """

    branch: str
    position: int
    control_tick: int
    command_id: str
    kind: str
    subject: str
    payload: bytes


class Opened(msgspec.Struct, frozen=True):
    """A multiverse taken over by a new clock.

    Attributes:
        epoch: the new clock's; every earlier one is stale from now on.
        founding: the document the multiverse was founded with, by whoever was first.
        created: whether this call founded it.
    """

    epoch: int
    founding: bytes
    created: bool


class KnownMultiverse(msgspec.Struct, frozen=True):
    """A multiverse of a vault, its current epoch and its founding document."""

    name: str
    epoch: int
    founding: bytes


class Keyframe(msgspec.Struct, frozen=True):
    """All states at one boundary, so that a new clock need not replay a branch from its birth.

    Attributes:
        branch: the history it belongs to.
        control_tick: the control tick that the boundary follows.
        position: of the last journal row that is in it; 0 if none is.
        documents: encoded states by name.
    """

    branch: str
    control_tick: int
    position: int
    documents: Mapping[str, bytes]


class LatestKeyframe(msgspec.Struct, frozen=True):
    """The newest keyframe that is whole.

    Attributes:
        keyframe: None if there is none; the branch is then replayed from its birth.
        damaged: of every newer keyframe, what is wrong with it.
    """

    keyframe: Keyframe | None
    damaged: tuple[str, ...] = ()
