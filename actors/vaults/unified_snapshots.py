"""Unified snapshots: what merges of the four platforms of an instance came to, kept to be read again.

They are no part of history: nothing is lived again from them, and a multiverse goes on the same without them.
"""

import json
from typing import Any

import zstandard
from sqlalchemy import bindparam, select

from actors.core.kernel.errors import CommandRefusedError, DamagedVaultError, SoulfraError, UnknownSnapshotError
from actors.core.merging.unified_snapshots import UnifiedSnapshot, decode_unified_snapshot
from actors.vaults.checks import PAYLOAD_BYTES_MAX, checked_name, checked_note, checked_number
from actors.vaults.fences import Fence
from actors.vaults.records import Unification
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import multiverses, unified_snapshots

UNIFIED_SNAPSHOTS_MAX = 1_000
"""Of one multiverse; with one more, the oldest goes. Each takes some 70 KB."""
KEPT_LEAST = 3
DOCUMENT_BYTES_MAX = PAYLOAD_BYTES_MAX
"""Of one, before it is compressed."""
SHOWN_MAX = 20


class UnifiedSnapshots:
    """The unified snapshots of every multiverse in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        table = unified_snapshots.c
        of_multiverse = table.multiverse == bindparam("multiverse")
        one = table.snapshot_id == bindparam("snapshot_id")
        self._fence = Fence(store, multiverses, "name")
        self._insert = store.prepare(updating(store.insert(unified_snapshots), ["multiverse", "snapshot_id"], {}))
        told = [table[name] for name in Unification.__struct_fields__]
        self._known = store.prepare(select(*told).where(of_multiverse).order_by(table.number))
        numbered = select(table.number).where(of_multiverse).order_by(table.number.desc())
        self._numbers = store.prepare(numbered)
        self._last = self._numbers + " LIMIT 1"
        self._document = store.prepare(select(table.document).where(of_multiverse, one))
        self._row = store.prepare(select(*told, table.record, table.document).where(of_multiverse, one))
        self._forget = store.prepare(
            unified_snapshots.delete().where(of_multiverse, table.number <= bindparam("number"))
        )

    def keep(self, name: str, epoch: int, snapshot: UnifiedSnapshot, instance: str) -> None:
        """Writes one down; a second time is no change. When there are too many, the oldest go.

        Args:
            name: the multiverse.
            epoch: the writer's.
            snapshot: what is written.
            instance: the name of the instance that it is of.

        Raises:
            CommandRefusedError: it is too large.
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: bad input, or the vault cannot be written; nothing was.
        """
        row = {"multiverse": checked_name(name, "the multiverse's name"), **_row_of(snapshot, instance)}

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            cursor.execute(self._last, {"multiverse": name})
            last = cursor.fetchone()
            cursor.execute(self._insert, {**row, "number": 1 if last is None else last[0] + 1})
            self._thin(cursor, name, UNIFIED_SNAPSHOTS_MAX)

        self._store.write(write)

    def known(self, name: str) -> list[Unification]:
        """What there is to say of every one, in the order in which they were made.

        Raises:
            VaultError: the vault cannot be read.
        """

        def fetch(cursor: Cursor) -> list[Unification]:
            cursor.execute(self._known, {"multiverse": checked_name(name, "the multiverse's name")})
            return [Unification(*found) for found in cursor.fetchall()]

        return self._store.read(fetch)

    def read(self, name: str, snapshot_id: str) -> UnifiedSnapshot:
        """One, whole.

        Raises:
            UnknownSnapshotError: there is none of that id.
            CallerError: it was written by another version.
            DamagedVaultError: it is not what was written.
            VaultError: the vault cannot be read.
        """
        key = {
            "multiverse": checked_name(name, "the multiverse's name"),
            "snapshot_id": checked_note(snapshot_id, "id"),
        }

        def fetch(cursor: Cursor) -> bytes | None:
            cursor.execute(self._document, key)
            found = cursor.fetchone()
            return None if found is None else bytes(found[0])

        if (document := self._store.read(fetch)) is None:
            known = [one.snapshot_id for one in self.known(name)]
            some = ", ".join(known[-SHOWN_MAX:]) or "none yet"
            older = " and older ones" if len(known) > SHOWN_MAX else ""
            raise UnknownSnapshotError(f"{name!r} has no unified snapshot {snapshot_id!r:.80}; it has {some}{older}.")
        return _unpacked(document)

    def prune(self, name: str, kept_max: int) -> int:
        """Lets the oldest go until no more than so many are left; gives how many went.

        Raises:
            VaultError: a number below `KEPT_LEAST`, or the vault cannot be written; nothing was.
        """
        checked_name(name, "the multiverse's name")
        checked_number(kept_max, "the number of unified snapshots to keep", KEPT_LEAST)

        def write(cursor: Cursor) -> int:
            self._fence.shut(cursor, name)
            return self._thin(cursor, name, kept_max)

        return self._store.write(write)

    def _thin(self, cursor: Cursor, name: str, kept_max: int) -> int:
        cursor.execute(self._numbers, {"multiverse": name})
        if gone := [number for (number,) in cursor.fetchall()][kept_max:]:
            cursor.execute(self._forget, {"multiverse": name, "number": gone[0]})
        return len(gone)

    def faults(self, name: str) -> list[str]:
        """What is wrong with those of a multiverse, one line each."""
        found: list[str] = []
        for one in self.known(name):

            def fetch(cursor: Cursor, snapshot_id: str = one.snapshot_id) -> Any:
                cursor.execute(self._row, {"multiverse": name, "snapshot_id": snapshot_id})
                return cursor.fetchone()

            if (row := self._store.read(fetch)) is None:  # it has gone meanwhile
                continue
            *told, record, document = row
            try:
                snapshot = _unpacked(bytes(document))
            except SoulfraError as error:
                found.append(f"unified snapshot {one.snapshot_id} cannot be read: {error.message.rstrip('.')}")
                continue
            if (Unification(*told), record) != (_told(snapshot, one.number, one.instance), _record(snapshot)):
                found.append(f"unified snapshot {one.snapshot_id} is not what its row says")
        return found


def _unpacked(document: bytes) -> UnifiedSnapshot:
    try:
        return decode_unified_snapshot(zstandard.ZstdDecompressor().decompress(document))
    except zstandard.ZstdError:
        raise DamagedVaultError("its document is not what was written; restore a copy of the vault.") from None


def _told(snapshot: UnifiedSnapshot, number: int, instance: str) -> Unification:
    return Unification(
        snapshot.snapshot_id,
        number,
        snapshot.branch,
        snapshot.control_tick,
        snapshot.position,
        snapshot.instance,
        instance,
        snapshot.local_tick,
        len(snapshot.metadata.conflicts),
    )


def _record(snapshot: UnifiedSnapshot) -> str:
    """What people ask about in SQL: the merged state, and what there was to decide."""
    conflicts = [
        {"type": one.type, "where": one.where, "values": one.values, "winner": one.winner, "resolution": one.resolution}
        for one in snapshot.metadata.conflicts
    ]
    return json.dumps({"state": snapshot.state, "conflicts": conflicts}, sort_keys=True, default=bytes.hex)


def _row_of(snapshot: UnifiedSnapshot, instance: str) -> dict[str, object]:
    document = snapshot.encode()
    if len(document) > DOCUMENT_BYTES_MAX:
        raise CommandRefusedError(
            f"the unified snapshot of {snapshot.instance} has {len(document)} bytes; at most {DOCUMENT_BYTES_MAX} are kept in "
            "a vault. Let its platforms keep less."
        )
    for name in ("branch", "instance"):
        checked_name(getattr(snapshot, name), f"a unified snapshot's {name}")
    for name in ("control_tick", "position", "local_tick"):
        checked_number(getattr(snapshot, name), f"a unified snapshot's {name}")
    checked_name(instance, "the instance's name")
    told = _told(snapshot, 0, instance)
    row: dict[str, object] = {name: getattr(told, name) for name in Unification.__struct_fields__}
    return {**row, "record": _record(snapshot), "document": zstandard.ZstdCompressor().compress(document)}
