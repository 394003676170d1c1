"""Branches: histories that left another one, and the one that a multiverse lives on."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, select

from actors.core.kernel.errors import CommandRefusedError, VaultError
from actors.vaults.audit_logs import AuditLog
from actors.vaults.checks import checked_name, checked_note, checked_number
from actors.vaults.fences import Fence
from actors.vaults.records import Audit, Branch, Instant
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import branches, fingerprints, heads, marks, multiverses, snapshots


class Branches:
    """The branches of every multiverse in a store."""

    def __init__(self, store: Store, audits: AuditLog) -> None:
        self._store = store
        self._audits = audits
        of_multiverse = branches.c.multiverse == bindparam("multiverse")
        self._fence = Fence(store, multiverses, "name")
        self._known = store.prepare(
            select(*(branches.c[name] for name in Branch.__struct_fields__))
            .where(of_multiverse)
            .order_by(branches.c.number)
        )
        self._last = store.prepare(select(func.max(branches.c.number)).where(of_multiverse))
        self._insert = store.prepare(branches.insert())
        self._snapshot = store.prepare(
            select(snapshots.c.number).where(
                snapshots.c.multiverse == bindparam("multiverse"), snapshots.c.snapshot == bindparam("snapshot")
            )
        )
        insert_head, insert_mark = store.insert(heads), store.insert(marks)
        self._select = store.prepare(updating(insert_head, ["multiverse"], {"branch": insert_head.excluded.branch}))
        self._mark = store.prepare(
            updating(insert_mark, ["multiverse", "branch"], {"control_tick": insert_mark.excluded.control_tick})
        )
        insert_print = store.insert(fingerprints)
        given = {"fingerprint": insert_print.excluded.fingerprint}
        keys = ["multiverse", "branch", "control_tick", "position"]
        self._note_rules = store.prepare(updating(insert_print, keys, given))
        self._rules = store.prepare(
            select(*(fingerprints.c[name] for name in (*keys[1:], "fingerprint")))
            .where(fingerprints.c.multiverse == bindparam("multiverse"))
            .order_by(fingerprints.c.control_tick, fingerprints.c.position)
        )
        self._head = store.prepare(select(heads.c.branch).where(heads.c.multiverse == bindparam("multiverse")))

    def leave(self, name: str, epoch: int, branch: Branch, fingerprint: str, audits: Sequence[Audit]) -> Branch:
        """Makes a branch and lets the multiverse live on it; see `Vault.leave`."""
        row = {
            "multiverse": checked_name(name, "the multiverse's name"),
            "branch": checked_name(branch.branch, "the branch"),
            "parent": checked_name(branch.parent, "the branch's parent"),
            "control_tick": checked_number(branch.control_tick, "the branch's control tick"),
            "position": checked_number(branch.position, "the branch's journal position"),
            "reason": checked_note(branch.reason, "the branch's reason"),
            "command_id": checked_note(branch.command_id, "the command's id"),
            "snapshot": checked_note(branch.snapshot, "the branch's snapshot"),
        }
        rules = _rules(name, branch.branch, branch.instant, fingerprint)

        def write(cursor: Cursor) -> int:
            self._fence.hold(cursor, name, epoch)
            if branch.branch in {branch.parent, *(one.branch for one in self._fetch(cursor, name))}:
                raise VaultError(f"{name!r} has a branch {branch.branch!r} already; choose another name.")
            if branch.snapshot:
                cursor.execute(self._snapshot, {"multiverse": name, "snapshot": branch.snapshot})
                if cursor.fetchone() is None:
                    raise CommandRefusedError(
                        f"snapshot {branch.snapshot!r} has been deleted meanwhile; nothing has changed."
                    )
            cursor.execute(self._last, {"multiverse": name})
            number: int = (cursor.fetchone()[0] or 0) + 1
            cursor.execute(self._insert, {**row, "number": number})
            cursor.execute(self._select, {"multiverse": name, "branch": branch.branch})
            cursor.execute(
                self._mark, {"multiverse": name, "branch": branch.branch, "control_tick": branch.control_tick}
            )
            if fingerprint:
                cursor.execute(self._note_rules, rules)
            self._audits.enter(cursor, name, audits)
            return number

        return msgspec.structs.replace(branch, number=self._store.write(write))

    def select(
        self, name: str, epoch: int, branch: str, end: Instant, fingerprint: str, audits: Sequence[Audit]
    ) -> None:
        """Lets the multiverse live on a branch that is there; see `Vault.select`."""
        rules = _rules(name, branch, end, fingerprint)
        row = {"multiverse": checked_name(name, "the multiverse's name"), "branch": checked_name(branch, "the branch")}

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            cursor.execute(self._select, row)
            if fingerprint:
                cursor.execute(self._note_rules, rules)
            self._audits.enter(cursor, name, audits)

        self._store.write(write)

    def head(self, name: str) -> str:
        """The branch that the multiverse lives on; "" if it has never left its first one."""

        def fetch(cursor: Cursor) -> str:
            cursor.execute(self._head, {"multiverse": checked_name(name, "the multiverse's name")})
            found = cursor.fetchone()
            return "" if found is None else str(found[0])

        return self._store.read(fetch)

    def known(self, name: str) -> list[Branch]:
        """Every branch of a multiverse but its first one, in the order in which they came to be."""
        return self._store.read(lambda cursor: self._fetch(cursor, checked_name(name, "the multiverse's name")))

    def _fetch(self, cursor: Cursor, name: str) -> list[Branch]:
        cursor.execute(self._known, {"multiverse": name})
        return [Branch(*found) for found in cursor.fetchall()]

    def note_rules(self, name: str, epoch: int, branch: str, instant: Instant, fingerprint: str) -> None:
        """Writes down by which rules a branch is lived from a boundary on; see `Vault.note_rules`."""
        row = _rules(name, branch, instant, fingerprint)

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            cursor.execute(self._note_rules, row)

        self._store.write(write)

    def rules(self, name: str) -> list[tuple[str, Instant, str]]:
        """Branch, boundary and fingerprint, wherever the rules changed; in the order of boundaries."""

        def fetch(cursor: Cursor) -> list[tuple[str, Instant, str]]:
            cursor.execute(self._rules, {"multiverse": checked_name(name, "the multiverse's name")})
            return [(branch, (tick, position), found) for branch, tick, position, found in cursor.fetchall()]

        return self._store.read(fetch)


def _rules(name: str, branch: str, instant: Instant, fingerprint: str) -> dict[str, object]:
    return {
        "multiverse": checked_name(name, "the multiverse's name"),
        "branch": checked_name(branch, "the branch"),
        "control_tick": checked_number(instant[0], "the boundary's control tick"),
        "position": checked_number(instant[1], "the boundary's journal position"),
        "fingerprint": checked_note(fingerprint, "the fingerprint"),
    }
