"""What clock and hosts say to each other, and its form on a lane: one byte of version, one of kind, MessagePack.

    clock ── Advance ──▶ host       grants of one member, and whether a checkpoint is due
    clock ◀── Answer ─── host       one outbox a grant, and the checkpoint
    clock ── Stand ────▶ host       how do you stand? (after a turn was discarded)
    clock ◀── Refusal ── host       an answer that says why there is none
    clock ── Embodiment ▶ host      make this member, or bring it back from what the clock kept of it
    clock ◀── Embodied ─ host

What cannot be read is refused without harm: `unpack` raises, and whoever reads decides.
"""

from typing import Annotated, TypeVar

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.digests import digest_of
from actors.core.kernel.errors import ProtocolError
from actors.core.kernel.members import Birth, Contract, Grant, Outbox

VERSION = 1
"""Grows when a message changes its meaning; both ends of a lane must have the same."""
UNREAD = 0
"""The request of a `Refusal` of what could not be read: nobody knows which question it was. No question has it."""
AT_LEAST_ONE = msgspec.Meta(min_length=1)
"""Both ends take the first and the last of what they get; a message without any is none."""


class Checkpoint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A member's state at a boundary, with what its seat has to know to go on from there.

    Attributes:
        document: the encoded state.
        number: of the last grant it has lived through.
        local_tick: its local time.
        sequence: its next event number.
        digest: of that state; empty if whoever is made from it becomes another, by its own lineage.
        boundary: which boundary it is of, as its view says it.
    """

    document: bytes
    number: int
    local_tick: int
    sequence: int
    digest: bytes
    boundary: dict[str, Plain]


class Advance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Grants of one member, in order and without a gap; more than one where lookahead allows it.

    Attributes:
        request: names the question; the answer says it again. Asked twice, it is the same question.
        grants: at least one.
        checkpoint: whether the answer shall bring a checkpoint, if the member can be captured.
    """

    request: int
    grants: Annotated[tuple[Grant, ...], AT_LEAST_ONE]
    checkpoint: bool = False


class Stand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Asks a member how it stands; one whose turn was discarded then stands at the boundary before it.

    Attributes:
        request: see `Advance`.
        checkpoint: whether the answer shall bring a checkpoint, if the member can be captured and is not in error.
    """

    request: int
    checkpoint: bool = False


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Outboxes for the grants of one `Advance`: fewer, if the last of them is a failure. For a `Stand`, the status."""

    request: int
    outboxes: Annotated[tuple[Outbox, ...], AT_LEAST_ONE]
    checkpoint: Checkpoint | None = None


class Refusal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why there is no answer: the code and the sentence of an error."""

    request: int
    code: str
    message: str


class Embodiment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Makes a member, or brings it back.

    Attributes:
        request: see `Advance`.
        birth: what it is told when it is made.
        spec: how it is made.
        again: whether this brings back a member that has lived; its factory is then not asked again whether it may.
        checkpoint: where it goes on from; None is its birth.
        since: the packed `Advance` messages it has answered since, in order.
    """

    request: int
    birth: Birth
    spec: MemberSpec
    again: bool = False
    checkpoint: Checkpoint | None = None
    since: tuple[bytes, ...] = ()


class Embodied(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A member stands.

    Attributes:
        request: see `Advance`.
        contract: what it promises.
        status: how it stands, as an outbox that says nothing.
        spec: how it was made, with what its factory's own check decided.
        digests: see `answered_as`, for each message in `since`; what was answered before must come out again.
        checkpoint: of a member just made that can be captured.
    """

    request: int
    contract: Contract
    status: Outbox
    spec: MemberSpec
    digests: tuple[bytes, ...] = ()
    checkpoint: Checkpoint | None = None


Message = Advance | Stand | Answer | Refusal | Embodiment | Embodied
M = TypeVar("M")

_KINDS: tuple[type[Message], ...] = (Advance, Stand, Answer, Refusal, Embodiment, Embodied)
_heads = {kind: bytes([VERSION, at]) for at, kind in enumerate(_KINDS)}
_decoders = tuple(msgspec.msgpack.Decoder(kind) for kind in _KINDS)
_said_encoder = msgspec.msgpack.Encoder(order="deterministic")
_encode_into = msgspec.msgpack.Encoder().encode_into


def pack(message: Message) -> bytes:
    """The message as it travels."""
    buffer = bytearray(_heads[type(message)])
    _encode_into(message, buffer, 2)
    return bytes(buffer)


def unpack(packed: bytes | memoryview, *expected: type[Message]) -> Message:
    """The message that was packed.

    Raises:
        ProtocolError: another version, a kind that is not expected here, or bytes that are no message.
    """
    if len(packed) < 2 or packed[0] != VERSION:
        version = f"version {packed[0]}" if len(packed) else "an empty one"
        raise ProtocolError(f"a message of version {VERSION} was expected, not {version}.")
    kind = packed[1]
    if kind >= len(_KINDS) or (expected and _KINDS[kind] not in expected):
        raise ProtocolError(f"a message of kind {kind} was not expected here.")
    try:
        return _decoders[kind].decode(memoryview(packed)[2:])
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise ProtocolError(f"a message cannot be read: {error}.") from None


def answered_as(answer: Answer) -> bytes:
    """What a repetition must come to: the last digest or, where none was taken, the digest of what was said."""
    last = answer.outboxes[-1]
    if last.digest:
        return last.digest
    said = [(one.number, one.local_tick, one.events, one.results, one.ledger) for one in answer.outboxes]
    return digest_of(_said_encoder.encode(said))


def packed(parcel: bytes | Message) -> bytes:
    """A parcel as bytes, which within one process it need not have been."""
    return parcel if isinstance(parcel, bytes) else pack(parcel)


def unpack_advance(packed: bytes | Advance) -> Advance:
    """The kept grants, which within one process need not have been packed.

    Raises:
        ProtocolError: see `unpack`.
    """
    return packed if isinstance(packed, Advance) else unpack(packed, Advance)  # type: ignore[return-value]
