"""Listings: members' states in tables of their own, so that plain SQL can read them.

They are written with keyframes and say no more than those; nothing is ever read back from them. A table becomes what its
listing says, row by row where something has changed. Of a log, members remember the newest only: what they have forgotten
stays in the table, unless their time has gone back to before it.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Table, bindparam

from actors.vaults.records import Listing
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import LISTINGS, listed

Key = tuple[str, ...]
Rows = Mapping[Key, Mapping[str, object]]
Of = Mapping[str, object]
"""Multiverse and branch, by the names of their columns."""


class Listings:
    """The listings of every multiverse in a store, and what this process has written of them last."""

    def __init__(self, store: Store) -> None:
        insert_listed = store.insert(listed)
        tick = {"control_tick": insert_listed.excluded.control_tick}
        self._note = store.prepare(updating(insert_listed, ["multiverse", "branch", "listing"], tick))
        self._tables = {listing: _Statements(store, table) for listing, table in LISTINGS.items()}
        self._known: dict[tuple[str, str, str], Listing] = {}

    def write(self, cursor: Cursor, name: str, branch: str, listing: Listing) -> None:
        """Within a transaction: the table becomes what the listing says, as far as it is of this branch."""
        table, of = self._tables[listing.listing], {"multiverse": name, "branch": branch}
        known = self._known.get((name, branch, listing.listing))
        if listing.since is not None:
            there = _log_brought_back(cursor, table, of, known, listing.since)
        elif known is not None:
            there = known.rows
        else:  # what another process may have written
            cursor.execute(table.clear, of)
            there = {}
        if there is not listing.rows:
            for key in sorted(there.keys() - listing.rows.keys()):
                cursor.execute(table.delete, {**of, **table.named(key)})
            for key, row in sorted(listing.rows.items()):
                if there.get(key) != row:
                    cursor.execute(table.put, {**of, **table.named(key), **row})
        cursor.execute(self._note, {**of, "listing": listing.listing, "control_tick": listing.control_tick})

    def written(self, name: str, branch: str, listings: Sequence[Listing]) -> None:
        """After the commit: so they stand now."""
        for listing in listings:
            self._known[name, branch, listing.listing] = listing


def _log_brought_back(
    cursor: Cursor, table: "_Statements", of: Of, known: Listing | None, since: Mapping[str, int]
) -> Rows:
    """The rows of a log that it is all about, as they are there; those of whom it is not known are taken out."""
    before = {} if known is None or known.since is None else known.since
    forgotten = {owner for owner, number in since.items() if owner not in before or number < before[owner]}
    for owner in sorted(forgotten):
        cursor.execute(table.bring_back, {**of, table.key[0]: owner, "number": since[owner]})
    if known is None:
        return {}
    return {
        key: row
        for key, row in known.rows.items()
        if (owner := key[0]) in since and owner not in forgotten and row["number"] >= since[owner]  # type: ignore[operator]
    }


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
        later = table.c.number >= bindparam("number") if "number" in table.c else None
        self.bring_back = "" if later is None else store.prepare(table.delete().where(*of_branch, whose[0], later))

    def named(self, key: Key) -> dict[str, object]:
        """A key by the names of its columns."""
        return dict(zip(self.key, key, strict=True))
