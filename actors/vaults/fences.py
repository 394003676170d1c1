"""The fence: of all clocks that a multiverse has had, only the newest writes.

A transaction that writes first reads the multiverse's epoch under a lock (SQLite's write lock, PostgreSQL's lock on the
row). A takeover changes that row, so it comes before all of the transaction or after.
"""

from sqlalchemy import Table, bindparam, select

from actors.core.kernel.errors import StaleEpochError, VaultError
from actors.vaults.stores import Cursor, Store


class Fence:
    """The epochs of a store's multiverses.

    Args:
        store: where.
        table: that holds them, in its column `epoch`.
        key: the column with the multiverse's name.
    """

    def __init__(self, store: Store, table: Table, key: str) -> None:
        asked = select(table.c.epoch).where(table.c[key] == bindparam("multiverse"))
        self._current = store.prepare(asked)
        self._current_locked = store.prepare(asked.with_for_update())

    def look(self, cursor: Cursor, name: str, epoch: int) -> None:
        """Makes sure, now, that an epoch is current.

        Raises:
            StaleEpochError: another one is.
            VaultError: there is no such multiverse.
        """
        cursor.execute(self._current, {"multiverse": name})
        _check(name, epoch, cursor.fetchone())

    def hold(self, cursor: Cursor, name: str, epoch: int) -> None:
        """The same, and until the end of the transaction nobody takes over."""
        cursor.execute(self._current_locked, {"multiverse": name})
        _check(name, epoch, cursor.fetchone())

    def shut(self, cursor: Cursor, name: str) -> None:
        """Lets no clock write until the end of the transaction, which is that of somebody who is none."""
        cursor.execute(self._current_locked, {"multiverse": name})
        cursor.fetchone()


def _check(name: str, epoch: int, found: tuple[int] | None) -> None:
    if found is None:
        raise VaultError(f"the vault has no multiverse {name!r}; begin an epoch of it first.")
    if found[0] != epoch:
        raise StaleEpochError(
            f"epoch {epoch} of multiverse {name!r} is over: epoch {found[0]} is current, another clock has taken over. "
            "Nothing was written; end this clock."
        )
