"""Digests: SHA-256 over what a boundary consists of, from the leaf up.

    leaf        header and bytes of one column or one set of records; above `CHUNK_BYTES`, over the digests of its chunks
    member      identity, local tick, next sequence number, and all leaves
    multiverse  control tick, all members, everything in flight
    chain       the digest of every control tick so far, folded

A large leaf is hashed by chunks, so that a member that can say what it has touched has only those chunks hashed anew.
SHA-256 because current processors have instructions for it: measured 1.7 times BLAKE2b in `hashlib` on such a machine.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from struct import Struct

import numpy as np

from actors.core.kernel.codec import encode
from actors.core.kernel.states import Array, State, Touched, leaves

CHUNK_BYTES = 1 << 14
"""Small enough that a change of 1 % costs little more than 1 % of the hashing; the overhead of a chunk is some 5 %."""
JOIN_BYTES_MAX = 1 << 12
"""Parts of this size together are hashed in one call; copying larger ones would cost more than the calls."""
NO_DIGEST = b""

_length = Struct("<Q").pack


def digest_of(*parts: bytes) -> bytes:
    """The digest of several parts. Every part is preceded by its length, so no two lists of parts look alike."""
    if sum(map(len, parts)) <= JOIN_BYTES_MAX:
        return sha256(b"".join([piece for part in parts for piece in (_length(len(part)), part)])).digest()
    whole = sha256()
    for part in parts:
        whole.update(_length(len(part)))
        whole.update(part)
    return whole.digest()


def leaf_digest(header: bytes, body: Array | bytes) -> bytes:
    """The digest of one leaf: of its bytes if small, of its chunks' digests if large."""
    if isinstance(body, bytes) and len(body) <= CHUNK_BYTES:
        return digest_of(header, body)
    view = memoryview(body) if isinstance(body, bytes) else _bytes_of(body)
    if len(view) <= CHUNK_BYTES:
        return digest_of(header, bytes(view))
    return _of_chunks(header, len(view), _chunk_digests(view))


def _of_chunks(header: bytes, size: int, chunks: Sequence[bytes]) -> bytes:
    return digest_of(header, _length(size), b"".join(chunks))


def _chunk_digests(view: memoryview) -> list[bytes]:
    return [sha256(view[at : at + CHUNK_BYTES]).digest() for at in range(0, len(view), CHUNK_BYTES)]


def _bytes_of(column: Array) -> memoryview:
    return column.reshape(-1).view(np.uint8).data if column.size else memoryview(b"")


def leaf_digests(state: State) -> dict[str, bytes]:
    """Leaf name to digest."""
    return {name: leaf_digest(header, body) for name, header, body in leaves(state)}


def member_digest(member_id: str, kind: str, local_tick: int, next_sequence: int, state: State) -> bytes:
    """The digest of one member at a boundary."""
    return MemberDigests(member_id, kind).take(local_tick, next_sequence, state)


class MemberDigests:
    """Takes one member's digests, hashing again only what it says it has touched.

    Args:
        member_id: the member.
        kind: its contract's.
    """

    def __init__(self, member_id: str, kind: str) -> None:
        self._identity = [member_id, kind]
        self._names: dict[str, bytes] = {}
        self._chunks: dict[str, tuple[bytes, list[bytes]]] = {}

    def forget(self) -> None:
        """What was hashed before is no longer what the member is made of: it was rebuilt."""
        self._chunks.clear()

    def take(self, local_tick: int, next_sequence: int, state: State, touched: Touched | None = None) -> bytes:
        """The digest of the member at a boundary.

        Args:
            local_tick: its local time.
            next_sequence: its next event number.
            state: all of it.
            touched: leaf name to the rows that may have changed since the last digest, as (first, end); leaves that are
                not named have not changed. None means that anything may have.
        """
        parts = [encode([*self._identity, local_tick, next_sequence])]
        for name, header, body in leaves(state):
            found = self._names.get(name)
            if found is None:
                found = self._names[name] = name.encode()
            parts.append(found)
            if isinstance(body, bytes) or body.nbytes <= CHUNK_BYTES:
                parts.append(leaf_digest(header, body))
            else:
                parts.append(self._large(name, header, body, None if touched is None else touched.get(name, ())))
        return digest_of(*parts)

    def _large(self, name: str, header: bytes, column: Array, rows: Sequence[tuple[int, int]] | None) -> bytes:
        view = _bytes_of(column)
        known = self._chunks.get(name)
        if rows is None or known is None or known[0] != header:
            chunks = _chunk_digests(view)
        else:
            chunks = known[1]
            row_bytes = len(view) // len(column)
            for first, end in rows:
                for at in range(first * row_bytes // CHUNK_BYTES, -(-end * row_bytes // CHUNK_BYTES)):
                    chunks[at] = sha256(view[at * CHUNK_BYTES : (at + 1) * CHUNK_BYTES]).digest()
        self._chunks[name] = (header, chunks)
        return _of_chunks(header, len(view), chunks)


def multiverse_digest(control_tick: int, members: Mapping[str, bytes], transit: bytes) -> bytes:
    """The digest of everything at a boundary. Members count in order of their ids."""
    parts = [_length(control_tick)]
    for member_id in sorted(members):
        parts += (member_id.encode(), members[member_id])
    return digest_of(*parts, transit)


def fold(chain: bytes, digest: bytes) -> bytes:
    """The chain with one more digest. It starts with `NO_DIGEST`."""
    return digest_of(chain, digest)
