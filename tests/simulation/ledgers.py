"""A real vault in a file whose writer may die in the middle of everything, and whose server may go away.

The transactions are real ones: what a clock leaves behind that dies in one is what SQLite makes of it.
"""

import copy
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from actors.core.kernel.errors import UncertainWriteError, UnreachableVaultError, VaultError
from actors.keyframes import TABLES
from actors.vaults.openings import open_vault
from actors.vaults.records import JournalRow, Keyframe, Opened
from actors.vaults.vaults import Vault

from .faults import Point

MEMORY = "/dev/shm"
NAME = "home"
GONE_FOR = 3
"""So many writes in a row find nobody."""

_DEATHS: dict[str, tuple[Point, Point, Point]] = {
    "append": (Point.WRITE_NOT_BEGUN, Point.WRITE_UNCOMMITTED, Point.WRITE_COMMITTED),
    "epoch": (Point.EPOCH_RACE, Point.EPOCH_UNCOMMITTED, Point.EPOCH_UNFENCED),
    "keyframe": (Point.KEYFRAME_UNWRITTEN, Point.KEYFRAME_UNCOMMITTED, Point.KEYFRAME_WRITTEN),
}
"""Before a transaction, before its commit, after it."""
_OVERTAKEN = {
    "append": Point.OVERTAKEN_IN_WRITE,
    "epoch": Point.EPOCH_RACE,
    "keyframe": Point.KEYFRAME_OF_OLD_CLOCK,
}


class Writer(Protocol):
    """The clock's process, as its vault sees it."""

    harm: str
    overtaken: bool

    def passes(self, *points: Point) -> None:
        """Passes points one after another; does not come back if the process dies at one, or is dead already."""
        ...

    def may_be_overtaken(self, point: Point) -> None:
        """Another clock may take over here, while this one goes on."""
        ...

    def is_struck(self, point: Point) -> bool:
        """Whether a point is struck that is not a death."""
        ...


class WatchedStore:
    """A store that says when a transaction begins, is about to be committed, and is."""

    def __init__(self, store: Any, process: Writer) -> None:
        self._store, self._process = store, process
        self.doing = ""
        self._gone = 0

    @property
    def where(self) -> str:
        """See `Store`."""
        return str(self._store.where)

    def write(self, work: Callable[[Any], Any]) -> Any:
        """See `Store`."""
        process, doing = self._process, self.doing
        process.passes()
        if not doing:
            return self._store.write(work)
        before, uncommitted, committed = _DEATHS[doing]
        process.may_be_overtaken(_OVERTAKEN[doing])
        if doing != "epoch":
            process.passes(before)
        self._fail(doing)

        def watched(cursor: Any) -> Any:
            result = work(cursor)
            process.passes(uncommitted)
            if doing == "append" and process.is_struck(Point.UNCERTAIN_UNWRITTEN):
                process.harm = Point.UNCERTAIN_UNWRITTEN.name
                raise UncertainWriteError("the vault was lost in the middle of a commit.")
            return result

        result = self._store.write(watched)
        if doing == "epoch":
            process.overtaken = False  # whoever came in between has the lower epoch
        process.passes(committed)
        if doing == "append" and process.is_struck(Point.UNCERTAIN_WRITTEN):
            process.harm = Point.UNCERTAIN_WRITTEN.name
            raise UncertainWriteError("the vault was lost in the middle of a commit.")
        return result

    def _fail(self, doing: str) -> None:
        if doing == "append":
            if self._process.is_struck(Point.UNREACHABLE):
                self._gone = GONE_FOR
            if self._gone:
                self._gone -= 1
                raise UnreachableVaultError("the vault's server has gone away.")
        elif doing == "epoch" and self._process.is_struck(Point.UNREACHABLE_AT_START):
            self._process.harm = Point.UNREACHABLE_AT_START.name
            raise UnreachableVaultError("the vault's server is not there.")
        elif doing == "keyframe" and self._process.is_struck(Point.KEYFRAME_FAILS):
            raise VaultError("the disk is full.")

    def read(self, work: Callable[[Any], Any]) -> Any:
        """See `Store`."""
        self._process.passes()
        return self._store.read(work)


class WatchedVault(Vault):
    """One clock's hold on a vault that other clocks hold, too."""

    def __init__(self, vault: Vault, process: Writer) -> None:
        journal, branches, snapshots = (copy.copy(one) for one in (vault._journal, vault._branches, vault._snapshots))
        keyframes, unified = copy.copy(vault._keyframes), copy.copy(vault.unified_snapshots)
        self._stores = (WatchedStore(journal._store, process), WatchedStore(keyframes._store, process))
        for part in (journal, branches, snapshots, unified):
            vars(part)["_store"] = self._stores[0]
        vars(keyframes)["_store"] = self._stores[1]
        parts = journal, branches, snapshots, keyframes, unified
        super().__init__(*parts, vault.where, vault.durability, vault.shared)

    @contextmanager
    def _doing(self, of: int, what: str) -> Iterator[None]:
        self._stores[of].doing = what
        try:
            yield
        finally:
            self._stores[of].doing = ""

    def begin_epoch(self, name: str, founding: bytes) -> Opened:
        with self._doing(0, "epoch"):
            return super().begin_epoch(name, founding)

    def append(self, name: str, epoch: int, rows: Sequence[JournalRow], *more: Any) -> None:
        with self._doing(0, "append" if rows else ""):
            super().append(name, epoch, rows, *more)

    def save_keyframe(self, name: str, epoch: int, keyframe: Keyframe, *more: Any) -> None:
        with self._doing(1, "keyframe"):
            super().save_keyframe(name, epoch, keyframe, *more)

    def close(self) -> None:
        """The others still need it."""


@contextmanager
def vault_in_memory() -> Iterator[Vault]:
    """A vault in files that no disk has to write, where the system has such a place."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="soulfra-simulation-", dir=place) as folder,
        open_vault(Path(folder, "vault.sqlite"), power_safe=False) as vault,
    ):
        yield vault


def balances_in(vault: Vault) -> dict[str, int]:
    """What the ledger says last of each conserved quantity."""

    def fetch(cursor: Any) -> dict[str, int]:
        cursor.execute("SELECT quantity, balance FROM vault_ledger ORDER BY control_tick, position")
        return {quantity: int(balance) for quantity, balance in cursor.fetchall()}

    return {quantity: balance for quantity, balance in vault._journal._store.read(fetch).items() if balance}


def damage_keyframes(vault: Vault, *, newest_only: bool) -> bool:
    """Spoils a document of the newest keyframe, or of all; whether there was one."""

    def spoil(cursor: Any) -> bool:
        cursor.execute("SELECT control_tick, position FROM vault_keyframes ORDER BY 1 DESC, 2 DESC")
        found = cursor.fetchall()
        for instant in found[:1] if newest_only else found:
            cursor.execute(
                "SELECT chunks FROM vault_documents WHERE control_tick = ? AND position = ? AND name = ?",
                (*instant, TABLES),
            )  # no other keyframe has these
            for listed in cursor.fetchall():
                cursor.execute("UPDATE vault_chunks SET compressed = zeroblob(9) WHERE sha256 = ?", (listed[0][-32:],))
        return bool(found)

    return bool(vault._keyframes._store.write(spoil))
