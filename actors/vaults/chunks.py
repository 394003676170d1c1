"""Chunks: what keyframes consist of, each piece stored once however many keyframes have it.

A document is cut where its owner says that something begins which often stays as it was (a column of a table), and into
pieces of `CHUNK_BYTES` at most. Pieces are known by their SHA-256, compressed with zstd and counted: when no document of a
keyframe has one any more, it goes in the same transaction.

A piece of a column holds numbers of two, four or eight bytes whose high bytes are much alike; with all first bytes first, then
all second ones, and so on, it becomes smaller (by 8 % over a City's keyframes). The *stride* is how many bytes a number has;
1 leaves the piece as it is.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import zstandard
from sqlalchemy import bindparam, select

from actors.core.kernel.errors import DamagedVaultError
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import chunks

CHUNK_BYTES = 1 << 16
"""Small enough that a change in a large column costs little more than itself, large enough that its row costs little."""
COMPRESSION_LEVEL = 3
"""zstd's own default; higher levels take several times as long for a tenth less."""
SHA_BYTES = 32
STRIDES = (1, 2, 4, 8)
SAMPLE_BYTES = 1 << 13
"""Of a piece; by which the stride is chosen. Trying the whole piece finds strides that save a five-hundredth more."""
FETCHED_AT_ONCE = 50
"""Chunks asked for in one statement: a server is asked seldom, and a statement stays short."""


class Cut(msgspec.Struct, frozen=True):
    """A document in pieces.

    Attributes:
        sha256: of the whole.
        size_bytes: of the whole.
        pieces: digest and content, in order.
    """

    sha256: bytes
    size_bytes: int
    pieces: tuple[tuple[bytes, memoryview], ...]

    @property
    def digests(self) -> bytes:
        """The pieces' digests, one after another."""
        return b"".join(digest for digest, _ in self.pieces)


def cut(content: bytes, borders: Sequence[int] = ()) -> Cut:
    """Cuts a document at its borders and wherever a piece would be too large.

    Args:
        content: the document.
        borders: offsets within it, in order.
    """
    view, pieces = memoryview(content), []
    for start, end in zip((0, *borders), (*borders, len(content)), strict=True):
        for at in range(start, end, CHUNK_BYTES):
            piece = view[at : min(at + CHUNK_BYTES, end)]
            pieces.append((hashlib.sha256(piece).digest(), piece))
    return Cut(hashlib.sha256(content).digest(), len(content), tuple(pieces))


class Chunks:
    """The chunks of every multiverse in a store."""

    def __init__(self, store: Store) -> None:
        insert = store.insert(chunks)
        this = (chunks.c.multiverse == bindparam("of")) & (chunks.c.sha256 == bindparam("piece"))
        more = chunks.c.uses + bindparam("more")
        self._insert = store.prepare(
            updating(insert, ["multiverse", "sha256"], {"uses": chunks.c.uses + insert.excluded.uses})
        )
        self._use = store.prepare(chunks.update().where(this).values(uses=more))
        self._drop = store.prepare(chunks.delete().where(this, chunks.c.uses <= bindparam("least")))
        asked: list[Any] = [bindparam(f"piece{number}") for number in range(FETCHED_AT_ONCE)]
        self._read = store.prepare(
            select(*(chunks.c[name] for name in ("sha256", "size_bytes", "stride", "compressed"))).where(
                chunks.c.multiverse == bindparam("of"), chunks.c.sha256.in_(asked)
            )
        )
        self._counted = store.prepare(
            select(chunks.c.sha256, chunks.c.uses).where(chunks.c.multiverse == bindparam("of"))
        )
        self._known: dict[str, set[bytes]] = {}

    def packed(self, multiverse: str, cuts: Iterable[Cut]) -> "Packed":
        """Pieces ready to be written: those that the last keyframe had are not compressed again."""
        known = self._known.get(multiverse, set())
        uses: Counter[bytes] = Counter()
        contents: dict[bytes, memoryview] = {}
        for one in cuts:
            for digest, piece in one.pieces:
                uses[digest] += 1
                contents[digest] = piece
        compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
        fresh = {digest: _squeezed(compressor, contents[digest]) for digest in contents if digest not in known}
        return Packed(multiverse, dict(uses), contents, fresh)

    def add(self, cursor: Cursor, packed: "Packed") -> None:
        """Within a transaction: every piece is there once more than before."""
        for digest in sorted(packed.uses):  # always in the same order, so that no two writers wait for each other
            uses, squeezed = packed.uses[digest], packed.fresh.get(digest)
            if squeezed is None:
                cursor.execute(self._use, {"of": packed.multiverse, "piece": digest, "more": uses})
                if cursor.rowcount == 1:
                    continue
                compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
                squeezed = _squeezed(compressor, packed.contents[digest])
            stride, compressed = squeezed
            row = {"multiverse": packed.multiverse, "sha256": digest, "uses": uses}
            row |= {"size_bytes": len(packed.contents[digest]), "stride": stride, "compressed": compressed}
            cursor.execute(self._insert, row)

    def added(self, packed: "Packed") -> None:
        """After the commit: these are known now."""
        self._known[packed.multiverse] = set(packed.uses)

    def release(self, cursor: Cursor, multiverse: str, digests: Iterable[bytes]) -> None:
        """Within a transaction: documents that had these pieces are gone, and so are pieces that nobody has."""
        uses: Counter[bytes] = Counter()
        for listed in digests:
            uses.update(digests_in(listed))
        for digest in sorted(uses):
            this = {"of": multiverse, "piece": digest}
            cursor.execute(self._use, {**this, "more": -uses[digest]})
            cursor.execute(self._drop, {**this, "least": 0})

    def faults(self, cursor: Cursor, multiverse: str, uses: Mapping[bytes, int]) -> list[str]:
        """What is wrong with the chunks of a multiverse whose keyframes have these, one line each."""
        cursor.execute(self._counted, {"of": multiverse})
        counted = dict(cursor.fetchall())
        found = [f"chunk {digest.hex()[:16]} is missing" for digest in sorted(uses.keys() - counted.keys())]
        found += [f"chunk {digest.hex()[:16]} belongs to nothing" for digest in sorted(counted.keys() - uses.keys())]
        for digest in sorted(uses.keys() & counted.keys()):
            if uses[digest] != counted[digest]:
                found.append(
                    f"chunk {digest.hex()[:16]} is counted {counted[digest]} times and has {uses[digest]} uses"
                )
        return found

    def contents(self, cursor: Cursor, multiverse: str, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Pieces by their digests; those that are missing or damaged are not among them."""
        wanted = sorted({digest for listed in digests for digest in digests_in(listed)})
        found: dict[bytes, bytes] = {}
        for at in range(0, len(wanted), FETCHED_AT_ONCE):
            some = wanted[at : at + FETCHED_AT_ONCE]
            some += some[-1:] * (FETCHED_AT_ONCE - len(some))
            asked = {f"piece{number}": digest for number, digest in enumerate(some)}
            cursor.execute(self._read, {"of": multiverse, **asked})
            for digest, size_bytes, stride, compressed in cursor.fetchall():
                if (content := _unpacked(digest, size_bytes, stride, compressed)) is not None:
                    found[digest] = content
        return found


class Packed(msgspec.Struct, frozen=True):
    """Pieces of the documents of one keyframe.

    Attributes:
        multiverse: whose.
        uses: how many times each is in them, by digest.
        contents: by digest.
        fresh: stride and compressed content, of those that may be new.
    """

    multiverse: str
    uses: dict[bytes, int]
    contents: dict[bytes, memoryview]
    fresh: dict[bytes, tuple[int, bytes]]


def digests_in(listed: bytes) -> list[bytes]:
    """The digests that stand one after another.

    Raises:
        DamagedVaultError: they do not come out even.
    """
    if len(listed) % SHA_BYTES:
        raise DamagedVaultError("a document's list of chunks is not what was written.")
    return [listed[at : at + SHA_BYTES] for at in range(0, len(listed), SHA_BYTES)]


def _squeezed(compressor: zstandard.ZstdCompressor, piece: memoryview) -> tuple[int, bytes]:
    """Stride and compressed content."""
    sample = piece[:SAMPLE_BYTES]
    stride = min(STRIDES, key=lambda stride: len(compressor.compress(_strewn(sample, stride))))
    return stride, compressor.compress(_strewn(piece, stride))


def _strewn(piece: bytes | memoryview, stride: int) -> bytes | memoryview:
    """The first bytes of all numbers, then the second ones, and so on; last, what is no whole number."""
    if stride == 1:
        return piece
    end = len(piece) - len(piece) % stride
    return np.frombuffer(piece[:end], np.uint8).reshape(-1, stride).T.tobytes() + bytes(piece[end:])


def _gathered(strewn: bytes, stride: int) -> bytes:
    """What `_strewn` had been given."""
    if stride == 1:
        return strewn
    end = len(strewn) - len(strewn) % stride
    return np.frombuffer(strewn[:end], np.uint8).reshape(stride, -1).T.tobytes() + strewn[end:]


def _unpacked(digest: bytes, size_bytes: int, stride: int, compressed: bytes) -> bytes | None:
    if stride not in STRIDES:
        return None
    try:
        # A damaged header may ask for any amount of memory, so it is read before it is obeyed.
        if zstandard.frame_content_size(compressed) == size_bytes <= CHUNK_BYTES:
            content = _gathered(zstandard.ZstdDecompressor().decompress(compressed), stride)
            if hashlib.sha256(content).digest() == digest:
                return content
    except zstandard.ZstdError:
        pass
    return None
