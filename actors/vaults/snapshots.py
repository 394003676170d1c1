"""Snapshots: boundaries that have a name. What was there is in the journal and the keyframes."""

import msgspec
from sqlalchemy import bindparam, select

from actors.core.kernel.errors import CommandRefusedError
from actors.vaults.checks import checked_name, checked_note, checked_number
from actors.vaults.fences import Fence
from actors.vaults.records import INTERVAL, Snapshot, unknown_snapshot
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import branches, counters, multiverses, snapshots

SNAPSHOTS = "snapshots"
"""The counter of their numbers."""


class Snapshots:
    """The snapshots of every multiverse in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        of_multiverse = snapshots.c.multiverse == bindparam("multiverse")
        self._fence = Fence(store, multiverses, "name")
        self._known = store.prepare(
            select(*(snapshots.c[name] for name in Snapshot.__struct_fields__))
            .where(of_multiverse)
            .order_by(snapshots.c.number)
        )
        self._last = store.prepare(
            select(counters.c.value).where(
                counters.c.multiverse == bindparam("multiverse"), counters.c.counter == bindparam("counter")
            )
        )
        insert_counter = store.insert(counters)
        self._count = store.prepare(
            updating(insert_counter, ["multiverse", "counter"], {"value": insert_counter.excluded.value})
        )
        self._insert = store.prepare(snapshots.insert())
        self._delete = store.prepare(
            snapshots.delete().where(of_multiverse, snapshots.c.snapshot == bindparam("snapshot"))
        )
        self._dependants = store.prepare(
            select(branches.c.branch)
            .where(branches.c.multiverse == bindparam("multiverse"), branches.c.snapshot == bindparam("snapshot"))
            .order_by(branches.c.number)
        )

    def take(self, name: str, epoch: int, taken: list[Snapshot]) -> list[Snapshot]:
        """Writes snapshots down in one transaction; see `Vault.take_snapshots`."""
        checked_name(name, "the multiverse's name")
        rows = [_row(name, one) for one in taken]

        def write(cursor: Cursor) -> list[Snapshot]:
            self._fence.hold(cursor, name, epoch)
            cursor.execute(self._last, {"multiverse": name, "counter": SNAPSHOTS})
            found = cursor.fetchone()
            number: int = 0 if found is None else found[0]
            names = {one.snapshot for one in self._fetch(cursor, name)}
            written: list[Snapshot] = []
            for one, row in zip(taken, rows, strict=True):
                number += 1
                while not one.snapshot and f"s{number}" in names:
                    number += 1
                snapshot = one.snapshot or f"s{number}"
                if one.snapshot in names:
                    if one.origin == INTERVAL:  # lived again by a clock that took over
                        continue
                    raise CommandRefusedError(
                        f"{name!r} has a snapshot {snapshot!r} already; choose another name, or delete that one first."
                    )
                cursor.execute(self._insert, {**row, "snapshot": snapshot, "number": number})
                written.append(msgspec.structs.replace(one, snapshot=snapshot, number=number))
                names.add(snapshot)
            if written:
                cursor.execute(self._count, {"multiverse": name, "counter": SNAPSHOTS, "value": number})
            return written

        return self._store.write(write)

    def delete(self, name: str, epoch: int, snapshot: str) -> None:
        """Takes a name away; see `Vault.delete_snapshot`."""
        key = {"multiverse": checked_name(name, "the multiverse's name"), "snapshot": checked_note(snapshot, "its id")}

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            known = [one.snapshot for one in self._fetch(cursor, name)]
            if snapshot not in known:
                raise unknown_snapshot(name, snapshot, known)
            cursor.execute(self._dependants, key)
            if dependants := [found for (found,) in cursor.fetchall()]:
                raise CommandRefusedError(
                    f"snapshot {snapshot!r} cannot be deleted: {', '.join(dependants)} left history there."
                )
            cursor.execute(self._delete, key)

        self._store.write(write)

    def known(self, name: str) -> list[Snapshot]:
        """Every snapshot of a multiverse, in the order in which they were taken."""
        return self._store.read(lambda cursor: self._fetch(cursor, checked_name(name, "the multiverse's name")))

    def _fetch(self, cursor: Cursor, name: str) -> list[Snapshot]:
        cursor.execute(self._known, {"multiverse": name})
        return [Snapshot(*found) for found in cursor.fetchall()]


def _row(name: str, one: Snapshot) -> dict[str, object]:
    if one.snapshot:
        checked_name(one.snapshot, "the snapshot's name")
    return {
        "multiverse": name,
        "branch": checked_name(one.branch, "the snapshot's branch"),
        "control_tick": checked_number(one.control_tick, "the snapshot's control tick"),
        "position": checked_number(one.position, "the snapshot's journal position"),
        "digest": checked_note(one.digest, "the snapshot's digest"),
        "reason": checked_note(one.reason, "the snapshot's reason"),
        "origin": checked_note(one.origin, "the snapshot's origin"),
        "command_id": checked_note(one.command_id, "the command's id"),
    }
