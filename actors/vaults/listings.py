"""Listings: members' states in tables of their own, so that plain SQL can read them.

They are written with keyframes and say no more than those; no clock ever reads anything back from them. A table becomes what
its listing says, row by row where something has changed. Of a log, members remember the newest only: what they have
forgotten stays in the table. What they take back, because their time has gone back, goes to another table: a history that
leaves this one before that still has it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, func, select

from actors.core.platforms.rituals import ritual_number
from actors.vaults.records import Branch, Instant, Listing
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import LISTINGS, TAKEN_BACK, listed

Key = tuple[str, ...]
Rows = Mapping[Key, Mapping[str, object]]
Of = Mapping[str, object]
"""Multiverse and branch, by the names of their columns."""


AGAIN = "\u00a0"
"""Between the id of a row that came again and the row's number: no id that somebody may give has this space in it."""


class Listings:
    """The listings of every multiverse in a store, and what this process has written of them last."""

    def __init__(self, store: Store) -> None:
        insert_listed = store.insert(listed)
        tick = {"control_tick": insert_listed.excluded.control_tick}
        self._note = store.prepare(updating(insert_listed, ["multiverse", "branch", "listing"], tick))
        self._tables = {listing: _Statements(store, table) for listing, table in LISTINGS.items()}
        self._logs = {listing: _LogStatements(store, LISTINGS[listing], gone) for listing, gone in TAKEN_BACK.items()}
        self._known: dict[tuple[str, str, str], Listing] = {}

    def write(self, cursor: Cursor, name: str, branch: str, instant: Instant, listing: Listing) -> None:
        """Within a transaction: the table becomes what the listing says, as far as it is of this branch.

        Args:
            cursor: of the transaction.
            name: of the multiverse.
            branch: of which history.
            instant: the boundary until which a log's rows stood that are taken back.
            listing: what the table shall say.
        """
        table, of = self._tables[listing.listing], {"multiverse": name, "branch": branch}
        known = self._known.get((name, branch, listing.listing))
        log = self._logs.get(listing.listing)
        if log is not None:
            there = log.standing(cursor, of, known, listing.since or {})
        elif known is not None:
            there = known.rows
        else:  # what another process may have written
            cursor.execute(table.clear, of)
            there = {}
        if there is not listing.rows:
            for key in sorted(there.keys() - listing.rows.keys()):
                if log is not None:
                    log.take_back(cursor, {**of, **table.named(key)}, instant)
                cursor.execute(table.delete, {**of, **table.named(key)})
            for key, row in sorted(listing.rows.items()):
                if (before := there.get(key)) != row:
                    if log is not None and before is not None:
                        log.take_back(cursor, {**of, **table.named(key)}, instant)
                    elif log is not None:
                        log.set_aside(cursor, {**of, **table.named(key)}, _number(row))
                    cursor.execute(table.put, {**of, **table.named(key), **row})
        cursor.execute(self._note, {**of, "listing": listing.listing, "control_tick": listing.control_tick})

    def begin(self, cursor: Cursor, name: str, branch: Branch, listing: Listing) -> None:
        """Within a transaction: the log of a new branch begins with what its parent's was there; see `Vault.begin_log`."""
        table, log = self._tables[listing.listing], self._logs[listing.listing]
        of, parent = {"multiverse": name, "branch": branch.branch}, {"multiverse": name, "branch": branch.parent}
        for clear in (table.clear, log.clear):
            cursor.execute(clear, of)
        for owner, number in log.owners(cursor, parent, listing.since or {}):
            log.copy(cursor, parent, branch, owner, number, table.put)
        for key, row in sorted(listing.rows.items()):
            cursor.execute(table.put, {**of, **table.named(key), **row})
        cursor.execute(self._note, {**of, "listing": listing.listing, "control_tick": listing.control_tick})

    def written(self, name: str, branch: str, listings: Sequence[Listing]) -> None:
        """After the commit: so they stand now."""
        for listing in listings:
            self._known[name, branch, listing.listing] = listing


class _Statements:
    """Those of one table, whose key is multiverse, branch, and one column or more."""

    def __init__(self, store: Store, table: Table) -> None:
        keys = [column.name for column in table.primary_key]
        self.key = keys[2:]
        insert = store.insert(table)
        others = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
        of_branch = [table.c[key] == bindparam(key) for key in keys[:2]]
        whose = [table.c[key] == bindparam(key) for key in self.key]
        self.put = store.prepare(updating(insert, keys, others))
        self.delete = store.prepare(table.delete().where(*of_branch, *whose))
        self.clear = store.prepare(table.delete().where(*of_branch))

    def named(self, key: Key) -> dict[str, object]:
        """A key by the names of its columns."""
        return dict(zip(self.key, key, strict=True))


class _LogStatements:
    """More of a log, whose rows have a number, and of the table to which those go that are taken back."""

    def __init__(self, store: Store, table: Table, gone: Table) -> None:
        keys = [column.name for column in table.primary_key]
        self._key, self._owner, self._entry = keys[2:], keys[2], keys[-1]
        self._columns = [column.name for column in table.columns][2:]
        shown = [table.c[name] for name in self._columns]
        of_branch = [table.c[key] == bindparam(key) for key in keys[:2]]
        of_gone = [gone.c[key] == bindparam(key) for key in keys[:2]]
        owned, owned_gone = table.c[self._owner] == bindparam("owner"), gone.c[self._owner] == bindparam("owner")
        from_on, before = table.c.number >= bindparam("number"), table.c.number < bindparam("number")
        self._rows = store.prepare(select(*shown).where(*of_branch, owned, from_on))
        self._owners = store.prepare(select(table.c[self._owner]).where(*of_branch).distinct())
        self.clear = store.prepare(gone.delete().where(*of_gone))
        everything = [column.name for column in table.columns]
        instant: list[Any] = [bindparam(name).label(name) for name in ("control_tick", "position")]
        of_key = [table.c[key] == bindparam(key) for key in keys]
        self._same = store.prepare(select(table.c.number).where(*of_key, before))
        self._rename = store.prepare(table.update().values({self._entry: bindparam("renamed")}).where(*of_key))
        kept = select(*(table.c[name] for name in everything), *instant).where(*of_key)
        moved = store.insert(gone).from_select([*everything, "control_tick", "position"], kept)
        self._take_back = store.prepare(updating(moved, [column.name for column in gone.primary_key], {}))
        later = (gone.c.control_tick > bindparam("control_tick")) | (
            (gone.c.control_tick == bindparam("control_tick")) & (gone.c.position > bindparam("position"))
        )
        low = gone.c.number < bindparam("number")
        self._first_gone = store.prepare(select(func.min(gone.c.number)).where(*of_gone, owned_gone, later, low))
        self._gone = store.prepare(
            select(*(gone.c[name] for name in self._columns))
            .where(*of_gone, owned_gone, later, low)
            .order_by(gone.c.control_tick.desc(), gone.c.position.desc())
        )
        others = [name for name in everything if name != "branch"]
        source = select(bindparam("new").label("branch"), *(table.c[name] for name in others))
        self._copy = store.prepare(
            table.insert().from_select(["branch", *others], source.where(*of_branch, owned, before))
        )

    def standing(self, cursor: Cursor, of: Of, known: Listing | None, since: Mapping[str, int]) -> Rows:
        """The rows that a listing is about, as they are there: as this process knows, or else as they are read."""
        before = {} if known is None or known.since is None else known.since
        found: dict[Key, Mapping[str, object]] = {}
        for owner, number in sorted(since.items()):
            if owner not in before or number < before[owner]:
                found |= self._read(cursor, of, owner, number)
        if known is not None:
            for key, row in known.rows.items():
                owner = key[0]
                if owner in since and owner in before and before[owner] <= since[owner] <= _number(row):
                    found[key] = row
        return found

    def take_back(self, cursor: Cursor, key: Of, instant: Instant) -> None:
        """Keeps a row that is about to go."""
        cursor.execute(self._take_back, {**key, "control_tick": instant[0], "position": instant[1]})

    def set_aside(self, cursor: Cursor, key: Of, number: int) -> None:
        """Gives an older row another id, if it has one that is about to come again: whoever gave it had forgotten it."""
        entry_id = str(key[self._entry])
        if ritual_number(entry_id) is not None:  # one that is given once
            return
        cursor.execute(self._same, {**key, "number": number})
        if (found := cursor.fetchone()) is not None:
            cursor.execute(self._rename, {**key, "renamed": f"{entry_id}{AGAIN}{found[0]}"})

    def owners(self, cursor: Cursor, of: Of, since: Mapping[str, int]) -> list[tuple[str, int]]:
        """Who has rows, and up to which number they are asked for."""
        cursor.execute(self._owners, of)
        return [(owner, since[owner]) for (owner,) in sorted(cursor.fetchall()) if owner in since]

    def copy(self, cursor: Cursor, parent: Of, branch: Branch, owner: str, number: int, put: str) -> None:
        """Gives a branch what an owner had before a number when it left; of what was taken back since, what went first."""
        of = {**parent, "owner": owner}
        at = {"control_tick": branch.control_tick, "position": branch.position}
        cursor.execute(self._first_gone, {**of, **at, "number": number})
        first = cursor.fetchone()[0]
        cursor.execute(self._copy, {**of, "new": branch.branch, "number": number if first is None else first})
        if first is None:
            return
        standing = self._read(cursor, parent, owner, first)
        rows: dict[int, tuple[Key, Mapping[str, object]]] = {_number(row): (key, row) for key, row in standing.items()}
        cursor.execute(self._gone, {**of, **at, "number": number})
        for values in cursor.fetchall():
            one = self._split(values)
            rows[_number(one[1])] = one
        for place, (key, row) in sorted(rows.items()):
            if place < number:
                named = dict(zip(self._key, key, strict=True))
                cursor.execute(put, {**parent, "branch": branch.branch, **named, **row})

    def _read(self, cursor: Cursor, of: Of, owner: str, number: int) -> dict[Key, Mapping[str, object]]:
        cursor.execute(self._rows, {**of, "owner": owner, "number": number})
        return dict(self._split(values) for values in cursor.fetchall())

    def _split(self, values: Sequence[Any]) -> tuple[Key, dict[str, object]]:
        row = dict(zip(self._columns, values, strict=True))
        return tuple(row.pop(name) for name in self._key), row


def _number(row: Mapping[str, object]) -> int:
    return row["number"]  # type: ignore[return-value]
