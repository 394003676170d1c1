"""Keyframes: all of one or nothing of it, checked to the last byte when read.

A keyframe is large, so it is hashed and compressed before its transaction begins, and the transaction touches no table
of the journal.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import zstandard
from sqlalchemy import and_, bindparam, case, select

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import DamagedVaultError
from actors.vaults.checks import DOCUMENT_BYTES_MAX, checked_bytes, checked_name, checked_number
from actors.vaults.journals import check_current
from actors.vaults.records import Keyframe, LatestKeyframe
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import documents, fences, keyframes

KEYFRAMES_KEPT = 2
"""Per branch: the newest, and the one before in case the newest is damaged."""
COMPRESSION_LEVEL = 3
"""zstd's own default; higher levels take several times as long for a tenth less."""

Instant = tuple[int, int]
"""Control tick and journal position."""
Key = dict[str, Any]
"""Multiverse, branch, control tick and position, by the names of their columns."""


class Keyframes:
    """The keyframes of every multiverse in a store, with a copy of their epochs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        insert_fence = store.insert(fences)
        given = insert_fence.excluded.epoch
        higher = case((given > fences.c.epoch, given), else_=fences.c.epoch)
        self._raise = store.prepare(updating(insert_fence, ["multiverse"], {"epoch": higher}))
        self._current_locked = store.prepare(
            select(fences.c.epoch).where(fences.c.multiverse == bindparam("multiverse")).with_for_update()
        )
        of_branch = (keyframes.c.multiverse == bindparam("multiverse")) & (keyframes.c.branch == bindparam("branch"))
        self._instants = store.prepare(
            select(keyframes.c.control_tick, keyframes.c.position)
            .where(of_branch)
            .order_by(keyframes.c.control_tick.desc(), keyframes.c.position.desc())
        )
        self._insert = [store.prepare(table.insert()) for table in (keyframes, documents)]
        keys = [column.name for column in keyframes.primary_key]
        self._delete = [
            store.prepare(table.delete().where(*(table.c[key] == bindparam(key) for key in keys)))
            for table in (documents, keyframes)
        ]
        whole = keyframes.outerjoin(documents, and_(*(keyframes.c[key] == documents.c[key] for key in keys)))
        self._read = store.prepare(
            select(
                keyframes.c.manifest, *(documents.c[name] for name in ("name", "sha256", "size_bytes", "compressed"))
            )
            .select_from(whole)
            .where(*(keyframes.c[key] == bindparam(key) for key in keys))
        )

    def raise_fence(self, name: str, epoch: int) -> None:
        """Lets no epoch before `epoch` write any more. A lower one than known already is no change."""
        self._store.write(lambda cursor: cursor.execute(self._raise, {"multiverse": name, "epoch": epoch}) and None)

    def save(self, name: str, epoch: int, keyframe: Keyframe) -> None:
        """Writes a keyframe in one transaction; see `Vault.save_keyframe`."""
        key = _key(name, keyframe.branch, keyframe.control_tick, keyframe.position)
        saved: Instant = (keyframe.control_tick, keyframe.position)
        packed = [_packed(key, document, content) for document, content in keyframe.documents.items()]
        manifest = _manifest(key, [(row["name"], row["sha256"]) for row in packed])

        def write(cursor: Cursor) -> None:
            cursor.execute(self._current_locked, {"multiverse": name})
            check_current(name, epoch, cursor.fetchone())
            cursor.execute(self._instants, key)
            found: list[Instant] = cursor.fetchall()
            before = [instant for instant in found if instant < saved]
            # What is not before the saved one is of a future that was never reached again: it must not come back.
            for instant in [one for one in found if one >= saved] + before[KEYFRAMES_KEPT - 1 :]:
                for statement in self._delete:
                    cursor.execute(statement, _key(name, keyframe.branch, *instant))
            cursor.execute(self._insert[0], {**key, "manifest": manifest})
            for row in packed:
                cursor.execute(self._insert[1], row)

        self._store.write(write)

    def latest(self, name: str, branch: str, before: int | None = None) -> LatestKeyframe:
        """Reads the newest keyframe that is whole; see `Vault.latest_keyframe`."""
        damaged: list[str] = []
        key = _key(name, branch, 0, 0)
        try:
            for instant in self._found(key):
                if before is not None and instant[0] >= before:
                    continue
                try:
                    found = self._whole(_key(name, branch, *instant))
                except DamagedVaultError as error:
                    damaged.append(f"keyframe of control tick {instant[0]}: {error.message}")
                else:
                    if found is not None:
                        return LatestKeyframe(found, tuple(damaged))
        except DamagedVaultError as error:
            damaged.append(error.message)
        return LatestKeyframe(None, tuple(damaged))

    def _found(self, key: Key) -> list[Instant]:
        def fetch(cursor: Cursor) -> list[Instant]:
            cursor.execute(self._instants, key)
            return list(cursor.fetchall())

        return self._store.read(fetch)

    def _whole(self, key: Key) -> Keyframe | None:
        """A keyframe, or None if it has been replaced meanwhile."""

        def fetch(cursor: Cursor) -> list[tuple[Any, ...]]:
            cursor.execute(self._read, key)
            return list(cursor.fetchall())

        rows = self._store.read(fetch)
        if not rows:
            return None
        stored = [row[1:] for row in rows if row[1] is not None]
        if _manifest(key, [(document, sha256) for document, sha256, _, _ in stored]) != rows[0][0]:
            raise DamagedVaultError("its list of documents is not the one that was written.")
        contents = {document: _unpacked(document, *rest) for document, *rest in stored}
        return Keyframe(key["branch"], key["control_tick"], key["position"], contents)

    def close(self) -> None:
        """Waits for the write under way."""
        self._store.close()


def _key(name: str, branch: str, control_tick: int, position: int) -> Key:
    return {
        "multiverse": checked_name(name, "the multiverse's name"),
        "branch": checked_name(branch, "a keyframe's branch"),
        "control_tick": checked_number(control_tick, "a keyframe's control tick"),
        "position": checked_number(position, "a keyframe's position"),
    }


def _packed(key: Key, document: str, content: bytes) -> dict[str, Any]:
    checked_name(document, "a document's name")
    checked_bytes(content, f"document {document!r} of a keyframe", DOCUMENT_BYTES_MAX)
    return {
        **key,
        "name": document,
        "sha256": hashlib.sha256(content).digest(),
        "size_bytes": len(content),
        "compressed": zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(content),
    }


def _unpacked(document: str, sha256: bytes, size_bytes: int, compressed: bytes) -> bytes:
    try:
        # A damaged header may ask for any amount of memory, so it is read before it is obeyed.
        if zstandard.frame_content_size(compressed) == size_bytes:
            content = zstandard.ZstdDecompressor().decompress(compressed)
            if hashlib.sha256(content).digest() == sha256:
                return content
    except zstandard.ZstdError:
        pass
    raise DamagedVaultError(f"its document {document!r} is not what was written.")


def _manifest(key: Key, written: Iterable[tuple[str, bytes]]) -> bytes:
    """What ties a keyframe's documents together, so that none can be missing, renamed or another boundary's."""
    return hashlib.sha256(encode([list(key.values()), sorted(written)])).digest()
