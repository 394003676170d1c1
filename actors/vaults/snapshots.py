"""Snapshots: boundaries that have a name. What was there is in the journal and the keyframes.

Those that come round are many, so some go again, and writing one reads none of the others. For each branch it is written down
how far they have come round: whoever lives its control ticks again takes none of them again, whether it is there or has gone.
"""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import bindparam, func, select

from actors.core.kernel.errors import CommandRefusedError
from actors.vaults.audit_logs import AuditLog
from actors.vaults.checks import checked_name, checked_note, checked_number
from actors.vaults.fences import Fence
from actors.vaults.records import INTERVAL, Audit, Instant, Snapshot, unknown_snapshot
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import branches, counters, multiverses, snapshots
from actors.vaults.thinning import too_many

SNAPSHOTS = "snapshots"
"""The counter of their numbers."""
CAME_ROUND = "@"
"""After a branch's name, the counter of the control tick up to which its snapshots have come round."""

Seals = Callable[[], list[tuple[str, Instant]]]
"""Says, when it is asked, which boundaries of which branches are sealed."""


class Snapshots:
    """The snapshots of every multiverse in a store."""

    def __init__(self, store: Store, audits: AuditLog) -> None:
        self._store = store
        self._audits = audits
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
        self._insert = store.prepare(updating(store.insert(snapshots), ["multiverse", "snapshot"], {}))
        of_branch = snapshots.c.branch == bindparam("branch")
        come_round = snapshots.c.origin == bindparam("origin")
        self._come_round_count = store.prepare(
            select(func.count()).select_from(snapshots).where(of_multiverse, of_branch, come_round)
        )
        pinned = select(branches.c.snapshot).where(branches.c.multiverse == bindparam("multiverse"))
        self._unpinned = store.prepare(
            select(snapshots.c.control_tick, snapshots.c.position, snapshots.c.snapshot)
            .where(of_multiverse, of_branch, come_round, snapshots.c.snapshot.not_in(pinned))
            .order_by(snapshots.c.control_tick.desc(), snapshots.c.position.desc())
        )
        self._branches = store.prepare(
            select(snapshots.c.branch).where(of_multiverse, come_round).distinct().order_by(snapshots.c.branch)
        )
        self._delete = store.prepare(
            snapshots.delete().where(of_multiverse, snapshots.c.snapshot == bindparam("snapshot"))
        )
        self._dependants = store.prepare(
            select(branches.c.branch)
            .where(branches.c.multiverse == bindparam("multiverse"), branches.c.snapshot == bindparam("snapshot"))
            .order_by(branches.c.number)
        )

    def take(
        self,
        name: str,
        epoch: int,
        taken: list[Snapshot],
        kept_max: int | None,
        seals: Seals,
        audits: Sequence[Audit],
    ) -> list[Snapshot]:
        """Writes snapshots down in one transaction; see `Vault.take_snapshots`."""
        checked_name(name, "the multiverse's name")
        rows = [_row(name, one) for one in taken]

        def write(cursor: Cursor) -> list[Snapshot]:
            self._fence.hold(cursor, name, epoch)
            number = self._counted(cursor, name, SNAPSHOTS)
            reached: dict[str, int] = {}  # by branch, how far they have come round
            written: list[Snapshot] = []
            for one, row in zip(taken, rows, strict=True):
                if one.origin == INTERVAL:
                    if one.branch not in reached:
                        reached[one.branch] = self._counted(cursor, name, one.branch + CAME_ROUND)
                    if one.control_tick <= reached[one.branch]:  # lived again by a clock that took over
                        continue
                    reached[one.branch] = one.control_tick
                number += 1
                while not (is_new := self._written(cursor, row, number)) and not one.snapshot:
                    number += 1
                if is_new:
                    snapshot = one.snapshot or _given(number)
                    written.append(msgspec.structs.replace(one, snapshot=snapshot, number=number))
                elif one.origin != INTERVAL:  # of an earlier build there may be one that was not counted
                    raise CommandRefusedError(
                        f"{name!r} has a snapshot {one.snapshot!r} already; choose another name, or delete that one first."
                    )
            for branch in dict.fromkeys(one.branch for one in written if one.origin == INTERVAL):
                if kept_max is not None:
                    self._thin(cursor, name, branch, kept_max, seals)
                self._count_to(cursor, name, branch + CAME_ROUND, reached[branch])
            if written:
                self._count_to(cursor, name, SNAPSHOTS, number)
            self._audits.enter(cursor, name, audits)
            return written

        return self._store.write(write)

    def prune(self, name: str, kept_max: int, seals: Seals) -> int:
        """Lets some go of those that came round; see `Vault.prune_snapshots`."""

        def write(cursor: Cursor) -> int:
            self._fence.shut(cursor, name)
            cursor.execute(self._branches, {"multiverse": name, "origin": INTERVAL})
            found = [branch for (branch,) in cursor.fetchall()]
            return sum(self._thin(cursor, name, branch, kept_max, seals) for branch in found)

        checked_name(name, "the multiverse's name")
        return self._store.write(write)

    def _thin(self, cursor: Cursor, name: str, branch: str, kept_max: int, seals: Seals) -> int:
        """Lets go of a branch's what is too many; gives how many went."""
        come_round = {"multiverse": name, "branch": branch, "origin": INTERVAL}
        cursor.execute(self._come_round_count, come_round)
        if cursor.fetchone()[0] <= kept_max:
            return 0
        cursor.execute(self._unpinned, come_round)
        found: dict[Instant, str] = {(tick, position): snapshot for tick, position, snapshot in cursor.fetchall()}
        for owner, instant in seals():
            if owner == branch:  # which has left its parent before any came round
                found.pop(instant, None)
        if not found:
            return 0
        newest, *before = found
        gone = too_many(newest, before, kept_max)
        for instant in gone:
            cursor.execute(self._delete, {"multiverse": name, "snapshot": found[instant]})
        return len(gone)

    def _written(self, cursor: Cursor, row: dict[str, object], number: int) -> bool:
        """Writes one down, unless there is one of its name."""
        cursor.execute(self._insert, {**row, "snapshot": row["snapshot"] or _given(number), "number": number})
        return bool(cursor.rowcount == 1)

    def _counted(self, cursor: Cursor, name: str, counter: str) -> int:
        cursor.execute(self._last, {"multiverse": name, "counter": counter})
        found = cursor.fetchone()
        return 0 if found is None else int(found[0])

    def _count_to(self, cursor: Cursor, name: str, counter: str, value: int) -> None:
        cursor.execute(self._count, {"multiverse": name, "counter": counter, "value": value})

    def delete(self, name: str, epoch: int, snapshot: str, audits: Sequence[Audit]) -> None:
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
            self._audits.enter(cursor, name, audits)

        self._store.write(write)

    def known(self, name: str) -> list[Snapshot]:
        """Every snapshot of a multiverse, in the order in which they were taken."""
        return self._store.read(lambda cursor: self._fetch(cursor, checked_name(name, "the multiverse's name")))

    def _fetch(self, cursor: Cursor, name: str) -> list[Snapshot]:
        cursor.execute(self._known, {"multiverse": name})
        return [Snapshot(*found) for found in cursor.fetchall()]


def _given(number: int) -> str:
    """The name of one that was given none."""
    return f"s{number}"


def _row(name: str, one: Snapshot) -> dict[str, object]:
    if one.snapshot:
        checked_name(one.snapshot, "the snapshot's name")
    return {
        "multiverse": name,
        "snapshot": one.snapshot,
        "branch": checked_name(one.branch, "the snapshot's branch"),
        "control_tick": checked_number(one.control_tick, "the snapshot's control tick"),
        "position": checked_number(one.position, "the snapshot's journal position"),
        "digest": checked_note(one.digest, "the snapshot's digest"),
        "reason": checked_note(one.reason, "the snapshot's reason"),
        "origin": checked_note(one.origin, "the snapshot's origin"),
        "command_id": checked_note(one.command_id, "the command's id"),
    }
