"""Digests: SHA-256 over what a boundary consists of, from the leaf up.

    leaf        header and bytes of one column or one set of records; above `CHUNK_BYTES`, over the digests of its chunks
    member      identity, local tick, next sequence number, and all leaves
    multiverse  control tick, all members, everything in flight
    chain       the digest of every control tick so far, folded

A large leaf is hashed by chunks so that later a member may hash only the chunks it touched and come to the same digest.
SHA-256 because current processors have instructions for it: measured 1.7 times BLAKE2b in `hashlib` on such a machine.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256

import numpy as np

from actors.core.kernel.codec import encode
from actors.core.kernel.states import Array, State, leaves

CHUNK_BYTES = 1 << 16
NO_DIGEST = b""


def digest_of(*parts: bytes) -> bytes:
    """The digest of several parts. Every part is preceded by its length, so no two lists of parts look alike."""
    whole = sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return whole.digest()


def leaf_digest(header: bytes, body: Array | bytes) -> bytes:
    """The digest of one leaf: of its bytes if small, of its chunks' digests if large."""
    view = memoryview(body) if isinstance(body, bytes) else _bytes_of(body)
    if len(view) <= CHUNK_BYTES:
        return digest_of(header, bytes(view))
    chunks = b"".join(sha256(view[at : at + CHUNK_BYTES]).digest() for at in range(0, len(view), CHUNK_BYTES))
    return digest_of(header, len(view).to_bytes(8, "little"), chunks)


def _bytes_of(column: Array) -> memoryview:
    return column.reshape(-1).view(np.uint8).data if column.size else memoryview(b"")


def leaf_digests(state: State) -> dict[str, bytes]:
    """Leaf name to digest."""
    return {name: leaf_digest(header, body) for name, header, body in leaves(state)}


def member_digest(member_id: str, kind: str, local_tick: int, next_sequence: int, state: State) -> bytes:
    """The digest of one member at a boundary."""
    parts = [encode([member_id, kind, local_tick, next_sequence])]
    for name, header, body in leaves(state):
        parts += (name.encode(), leaf_digest(header, body))
    return digest_of(*parts)


def multiverse_digest(control_tick: int, members: Mapping[str, bytes], transit: bytes) -> bytes:
    """The digest of everything at a boundary. Members count in order of their ids."""
    parts: Iterable[bytes] = (
        part for member_id in sorted(members) for part in (member_id.encode(), members[member_id])
    )
    return digest_of(control_tick.to_bytes(8, "little"), *parts, transit)


def fold(chain: bytes, digest: bytes) -> bytes:
    """The chain with one more digest. It starts with `NO_DIGEST`."""
    return digest_of(chain, digest)
