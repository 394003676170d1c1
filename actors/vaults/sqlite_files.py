"""A vault's file in SQLite: written ahead (WAL), so that readers and the writer do not wait for each other."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, PoolProxiedConnection, create_engine
from sqlalchemy.dialects.sqlite import insert

from actors.core.kernel.errors import DamagedVaultError, UncertainWriteError, VaultError
from actors.vaults.stores import LOCK_WAIT_S_MAX, Cursor, Store, one_line

PAGE_BYTES = 2 << 10
"""Half of SQLite's own choice: most rows are either short or chunks, of whose last page half is lost. Files keep theirs."""
CACHE_KIB = 512
"""Of each connection: what is written is seldom read again, and a clock has several."""
LOG_BYTES = 1 << 20
"""When what is in the write-ahead log is brought into the file, and to what the log is cut back after something large."""
WAL_RETRY_S = 0.01

TROUBLES: dict[int, tuple[type[VaultError], str]] = {
    sqlite3.SQLITE_BUSY: (
        VaultError,
        f"another process has held its write lock for {LOCK_WAIT_S_MAX} s; nothing was written. End it, then try again",
    ),
    sqlite3.SQLITE_FULL: (VaultError, "the disk is full; nothing of this was written. Make room, then try again"),
    sqlite3.SQLITE_IOERR: (
        VaultError,
        "the disk reports an input/output error; nothing of this was written. Check the disk",
    ),
    sqlite3.SQLITE_READONLY: (VaultError, "it may be read only; make the file and its folder writable"),
    sqlite3.SQLITE_PERM: (VaultError, "access is denied; make the file and its folder readable and writable"),
    sqlite3.SQLITE_CANTOPEN: (VaultError, "it cannot be opened; check that its folder may be written by this user"),
    sqlite3.SQLITE_NOTADB: (
        DamagedVaultError,
        "it is not a SQLite file; name another file, or restore a copy of this one",
    ),
    sqlite3.SQLITE_CORRUPT: (DamagedVaultError, "it is damaged; restore a copy"),
}
"""By SQLite's primary result code: whose fault it is, and what to do."""


def _primary_code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class SqliteFile(Store):
    """One file.

    Args:
        path: of the file; it is made if it is not there.
        power_safe: whether a commit waits until the disk has it; otherwise only until the operating system has.

    Raises:
        VaultError: the file cannot be opened or made.
    """

    begin_still = "BEGIN"
    begin = "BEGIN IMMEDIATE"  # takes the write lock at once, so that what is read in it stays true until the commit

    def __init__(self, path: Path, power_safe: bool) -> None:
        self._path = path
        self._power_safe = power_safe
        where = f"vault file {os.fspath(path)!r}"
        _check_path(path, where)
        engine = create_engine(
            URL.create("sqlite", database=os.fspath(path)), creator=self._open, paramstyle="named", hide_parameters=True
        )
        super().__init__(engine, where)

    def insert(self, table: Any) -> Any:
        """An insert that may say what to do on conflict."""
        return insert(table)

    def tables(self, cursor: Cursor) -> set[str]:
        """Names of all tables."""
        return {name for (name,) in cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def compact(self) -> None:
        """See `Store`."""
        self.read(lambda cursor: cursor.execute("VACUUM") and None)

    def promise(self) -> str:
        """In plain words, what a commit survives."""
        power = "and a power cut" if self._power_safe else "but a power cut may undo the last of it"
        return (
            f"What has been answered survives the death of any process, {power}; losing this machine loses the vault."
        )

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=LOCK_WAIT_S_MAX,
            isolation_level=None,
            check_same_thread=False,  # the pool gives a connection to one thread at a time
        )
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._write_ahead(connection)
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._power_safe else 'NORMAL'}")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_BYTES // PAGE_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Turns write-ahead on, which the file then remembers. SQLite lets nobody wait for that lock, so it is tried again."""
        give_up = time.monotonic() + LOCK_WAIT_S_MAX
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(WAL_RETRY_S)
        if mode != "wal":
            raise VaultError(
                f"{self.where}: its file system cannot share memory between processes, which SQLite's write-ahead log needs; "
                "put the vault on a local disk, or use PostgreSQL."
            )

    def _explained(self, error: Exception) -> VaultError:
        kind, advice = TROUBLES.get(_primary_code(error), (VaultError, "see what SQLite says"))
        return kind(f"{self.where}: {advice} (SQLite says: {one_line(error)}).")

    def _is_lost(self, connection: PoolProxiedConnection) -> bool:
        return False

    def _commit_failed(self, error: Exception, connection: PoolProxiedConnection) -> VaultError:
        if _primary_code(error) != sqlite3.SQLITE_IOERR:
            return self._explained(error)
        return UncertainWriteError(
            f"{self.where}: the disk reports an input/output error in the middle of a commit ({one_line(error)}), so nobody "
            "knows whether that is written; check the disk, then open the vault again and read."
        )


def _check_path(path: Path, where: str) -> None:
    """Says in the user's words what SQLite would call "unable to open database file"."""
    folder = path.parent
    if not folder.is_dir():
        raise VaultError(f"{where}: there is no folder {os.fspath(folder)!r}; make it, or name another.")
    if path.is_dir():
        raise VaultError(f"{where} is a folder; name a file in it.")
    for place in (folder, path):
        with contextlib.suppress(FileNotFoundError):
            place.stat()
            if not os.access(place, os.R_OK | os.W_OK):
                raise VaultError(
                    f"{where}: {os.fspath(place)!r} may not be written by this user; change that, or name another."
                )
