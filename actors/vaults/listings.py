"""Listings: members' states in tables of their own, so that plain SQL can read them.

They are written with keyframes and say no more than those; nothing is ever read back from them.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Table, bindparam

from actors.vaults.records import Listing
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import LISTINGS, listed

Rows = Mapping[str, Mapping[str, object]]


class Listings:
    """The listings of every multiverse in a store, and what this process has written of them last."""

    def __init__(self, store: Store) -> None:
        insert_listed = store.insert(listed)
        tick = {"control_tick": insert_listed.excluded.control_tick}
        self._note = store.prepare(updating(insert_listed, ["multiverse", "branch", "listing"], tick))
        self._tables = {listing: _Statements(store, table) for listing, table in LISTINGS.items()}
        self._known: dict[tuple[str, str, str], Rows] = {}

    def write(self, cursor: Cursor, name: str, branch: str, listing: Listing) -> None:
        """Within a transaction: the table becomes what the listing says, as far as it is of this branch."""
        table, of = self._tables[listing.listing], {"multiverse": name, "branch": branch}
        known = self._known.get((name, branch, listing.listing))
        if known is None:  # what another process may have written
            cursor.execute(table.clear, of)
            known = {}
        if known is not listing.rows:
            for key in sorted(known.keys() - listing.rows.keys()):
                cursor.execute(table.delete, {**of, table.key: key})
            for key, row in sorted(listing.rows.items()):
                if known.get(key) != row:
                    cursor.execute(table.put, {**of, table.key: key, **row})
        cursor.execute(self._note, {**of, "listing": listing.listing, "control_tick": listing.control_tick})

    def written(self, name: str, branch: str, listings: Sequence[Listing]) -> None:
        """After the commit: so they stand now."""
        for listing in listings:
            self._known[name, branch, listing.listing] = listing.rows


class _Statements:
    """Those of one table, whose key is multiverse, branch, and one column more."""

    def __init__(self, store: Store, table: Table) -> None:
        keys = [column.name for column in table.primary_key]
        self.key = keys[-1]
        insert = store.insert(table)
        others = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
        of_branch = [table.c[key] == bindparam(key) for key in keys[:-1]]
        self.put = store.prepare(updating(insert, keys, others))
        self.delete = store.prepare(table.delete().where(*of_branch, table.c[self.key] == bindparam(self.key)))
        self.clear = store.prepare(table.delete().where(*of_branch))
