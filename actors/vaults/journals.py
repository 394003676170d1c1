"""The journal: rows that are there when `append` returns, written by the one clock whose epoch is current."""

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, func, literal_column, select

from actors.core.kernel.errors import DamagedVaultError, VaultError
from actors.vaults.audit_logs import AuditLog
from actors.vaults.checks import checked_bytes, checked_name, checked_note, checked_number
from actors.vaults.fences import Fence
from actors.vaults.records import OWN_MARK, Audit, Balance, Branch, JournalRow, KnownMultiverse, Opened
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import branches, journal, ledger, marks, multiverses

ROWS_READ_MAX = 200
"""Rows fetched at once: few enough for memory with the largest payloads, many enough to hide the way to a server."""


class Journal:
    """The journal of every multiverse in a store, with their epochs."""

    def __init__(self, store: Store, audits: AuditLog) -> None:
        self._store = store
        self._audits = audits
        self._fence = Fence(store, multiverses, "name")
        self._take = store.prepare(
            updating(
                store.insert(multiverses), ["name"], {"epoch": multiverses.c.epoch + literal_column("1")}
            ).returning(multiverses.c.epoch, multiverses.c.founding)
        )
        self._known = store.prepare(
            select(multiverses.c.name, multiverses.c.epoch, multiverses.c.founding).order_by(multiverses.c.name)
        )
        of_branch = (journal.c.multiverse == bindparam("multiverse")) & (journal.c.branch == bindparam("branch"))
        self._head = store.prepare(select(func.max(journal.c.position)).where(of_branch))
        self._left = store.prepare(
            select(branches.c.position).where(
                branches.c.multiverse == bindparam("multiverse"), branches.c.branch == bindparam("branch")
            )
        )
        self._with_rows = store.prepare(
            select(journal.c.branch).where(journal.c.multiverse == bindparam("multiverse")).distinct()
        )
        self._insert = store.prepare(journal.insert())
        insert_balance = store.insert(ledger)
        keys = [column.name for column in ledger.primary_key]
        self._enter = store.prepare(updating(insert_balance, keys, {"balance": insert_balance.excluded.balance}))
        columns = [journal.c[name] for name in JournalRow.__struct_fields__]
        after = of_branch & (journal.c.position > bindparam("after"))
        # Core's own limit makes a parameter of its own, whose value a compiled statement does not carry.
        self._after = (
            store.prepare(select(*columns).where(after).order_by(journal.c.position)) + f" LIMIT {ROWS_READ_MAX}"
        )

        insert_mark = store.insert(marks)
        self._mark = store.prepare(
            updating(insert_mark, ["multiverse", "branch"], {"control_tick": insert_mark.excluded.control_tick})
        )
        marked = (marks.c.multiverse == bindparam("multiverse")) & (marks.c.branch == bindparam("branch"))
        self._marked = store.prepare(select(marks.c.control_tick).where(marked))

    def begin_epoch(self, name: str, founding: bytes) -> Opened:
        """Gives out the next epoch; see `Vault.begin_epoch`."""
        new = {"name": checked_name(name, "the multiverse's name"), "epoch": 1}
        new["founding"] = checked_bytes(founding, "the founding document")
        self._audits.prepare()

        def take(cursor: Cursor) -> Opened:
            cursor.execute(self._take, new)
            epoch, stored = cursor.fetchall()[0]
            return Opened(epoch, stored, epoch == 1)

        return self._store.write(take)

    def check(self, name: str, epoch: int) -> None:
        """Raises if another epoch is current; see `Vault.check`."""
        checked_name(name, "the multiverse's name")
        self._store.read(lambda cursor: self._fence.look(cursor, name, epoch))

    def append(
        self,
        name: str,
        epoch: int,
        rows: Sequence[JournalRow],
        balances: Sequence[Balance],
        audits: Sequence[Audit],
    ) -> None:
        """Writes rows in one transaction; see `Vault.append`."""
        checked_name(name, "the multiverse's name")
        values = [_values(name, row) for row in rows]
        entered = [_balance_values(name, one) for one in balances]

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            heads: dict[str, int] = {}
            for row in rows:
                if row.branch not in heads:
                    heads[row.branch] = self._head_of(cursor, name, row.branch)
                if row.position != heads[row.branch] + 1:
                    raise VaultError(
                        f"journal row at position {row.position} of branch {row.branch!r} of {name!r} cannot follow position "
                        f"{heads[row.branch]}: {heads[row.branch] + 1} must come next. Nothing was written."
                    )
                heads[row.branch] = row.position
            for one in entered:
                cursor.execute(self._enter, one)
            self._audits.enter(cursor, name, audits)
            # The last by itself: after psycopg's executemany the server does not count a session's idle time, and would
            # leave the lock for ever to a clock that is stopped before its commit.
            if len(values) > 1:
                cursor.executemany(self._insert, values[:-1])
            if values:
                cursor.execute(self._insert, values[-1])

        self._store.write(write)

    def head(self, name: str, branch: str) -> int:
        """The last position of a branch; of one without rows, that of where it left its parent."""
        return self._store.read(lambda cursor: self._head_of(cursor, name, branch))

    def first_branches(self, name: str, known: Sequence[Branch]) -> list[tuple[str, int]]:
        """Branches with rows that left no other one, and 0, where their journals begin."""

        def fetch(cursor: Cursor) -> list[str]:
            cursor.execute(self._with_rows, {"multiverse": name})
            return [branch for (branch,) in cursor.fetchall()]

        return [(branch, 0) for branch in self._store.read(fetch) if branch not in {one.branch for one in known}]

    def beginnings(self, name: str) -> list[tuple[str, int]]:
        """Every history with rows, in order, and the position after which its journal begins."""

        def fetch(cursor: Cursor) -> list[tuple[str, int]]:
            cursor.execute(self._with_rows, {"multiverse": name})
            found = [str(branch) for (branch,) in cursor.fetchall()]
            return [(one, self._left_at(cursor, name, one)) for one in sorted(found) if not one.startswith(OWN_MARK)]

        return self._store.read(fetch)

    def _left_at(self, cursor: Cursor, name: str, branch: str) -> int:
        cursor.execute(self._left, {"multiverse": name, "branch": branch})
        found = cursor.fetchone()
        return 0 if found is None else int(found[0])

    def _head_of(self, cursor: Cursor, name: str, branch: str) -> int:
        cursor.execute(self._head, {"multiverse": name, "branch": branch})
        found = cursor.fetchone()
        if found is not None and found[0] is not None:
            return int(found[0])
        return self._left_at(cursor, name, branch)

    def mark(self, name: str, epoch: int, branch: str, control_tick: int) -> None:
        """Writes down how far a branch may be seen; see `Vault.mark`."""
        key = {"multiverse": checked_name(name, "the multiverse's name"), "branch": checked_name(branch, "the branch")}
        tick = checked_number(control_tick, "a mark's control tick")

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            cursor.execute(self._mark, {**key, "control_tick": tick})

        self._store.write(write)

    def marked(self, name: str, branch: str) -> int:
        """How far a branch may have been seen; see `Vault.marked`."""
        key = {"multiverse": checked_name(name, "the multiverse's name"), "branch": checked_name(branch, "the branch")}

        def fetch(cursor: Cursor) -> int:
            cursor.execute(self._marked, key)
            found = cursor.fetchone()
            return 0 if found is None else int(found[0])

        return self._store.read(fetch)

    def rows(self, name: str, branch: str, after_position: int) -> Iterator[JournalRow]:
        """Reads rows in order; see `Vault.rows`."""
        checked_name(name, "the multiverse's name")
        checked_name(branch, "the branch")
        position = checked_number(after_position, "after_position")
        while True:
            batch = self._read(name, branch, position)
            for row in batch:
                if row.position != position + 1:
                    raise DamagedVaultError(
                        f"{self._store.where}: the journal of branch {branch!r} of {name!r} goes from position {position} to "
                        f"{row.position}; rows are missing. Restore a copy."
                    )
                position = row.position
                yield row
            if len(batch) < ROWS_READ_MAX:
                return

    def _read(self, name: str, branch: str, after: int) -> list[JournalRow]:
        def fetch(cursor: Cursor) -> list[JournalRow]:
            cursor.execute(self._after, {"multiverse": name, "branch": branch, "after": after})
            return [JournalRow(*found) for found in cursor.fetchall()]

        return self._store.read(fetch)

    def multiverses(self) -> list[KnownMultiverse]:
        """Every multiverse; see `Vault.multiverses`."""

        def fetch(cursor: Cursor) -> list[KnownMultiverse]:
            cursor.execute(self._known)
            return [KnownMultiverse(*found) for found in cursor.fetchall()]

        return self._store.read(fetch)

    @property
    def audits(self) -> AuditLog:
        """The audit log beside it."""
        return self._audits

    @property
    def store(self) -> Store:
        """Where they are."""
        return self._store

    def close(self) -> None:
        """Waits for the write under way."""
        self._store.close()


def _balance_values(name: str, one: Balance) -> dict[str, object]:
    return {
        "multiverse": name,
        "branch": checked_name(one.branch, "a balance's branch"),
        "quantity": checked_note(one.quantity, "a balance's quantity"),
        "control_tick": checked_number(one.control_tick, "a balance's control tick"),
        "position": checked_number(one.position, "a balance's position"),
        "balance": checked_note(str(one.balance), "a balance"),
    }


def _values(name: str, row: JournalRow) -> dict[str, object]:
    return {
        "multiverse": name,
        "branch": checked_name(row.branch, "a journal row's branch"),
        "position": checked_number(row.position, "a journal row's position", 1),
        "control_tick": checked_number(row.control_tick, "a journal row's control tick"),
        "command_id": checked_note(row.command_id, "a journal row's command id"),
        "kind": checked_note(row.kind, "a journal row's kind"),
        "subject": checked_note(row.subject, "a journal row's subject"),
        "payload": checked_bytes(row.payload, "a journal row's payload"),
    }
