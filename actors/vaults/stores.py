"""A database as the vault sees it: transactions that happen or do not, statements made once, errors in plain words.

Statements are written with SQLAlchemy Core, once for both databases, compiled once to the driver's own SQL and then run
on the driver's connections out of SQLAlchemy's pool. Executing Core each time cost 0.5 ms more for a durable append
that takes 0.25 ms.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Dialect, Engine, Executable, Insert, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from actors.core.kernel.errors import UnreachableVaultError, VaultError

LOCK_WAIT_S_MAX = 30
"""How long a writer waits for another process. Only a process that is stopped in mid-commit holds a lock for longer."""

T = TypeVar("T")
Cursor = Any
"""A driver's cursor; SQLite's and psycopg's share the few methods used."""


class Store(ABC):
    """A database, or a database file.

    Args:
        engine: made for it, in the driver's autocommit mode.
        where: what it is called in messages; without secrets.
    """

    begin: ClassVar[str]
    """The statement that starts a transaction which is going to write."""
    begin_still: ClassVar[str]
    """The statement that starts a transaction which reads, and all of it at one instant."""

    def __init__(self, engine: Engine, where: str) -> None:
        self.where = where
        self._engine = engine
        self._lock = threading.Lock()  # databases let writers wait by looking again and again; threads can do better
        self._closed = False
        self._errors: tuple[type[Exception], ...] = (engine.dialect.loaded_dbapi.Error, SQLAlchemyError)

    @property
    def dialect(self) -> Dialect:
        """Whose SQL it speaks."""
        return self._engine.dialect

    def prepare(self, statement: Executable) -> str:
        """A statement in the driver's own SQL. Its parameters go by name and are all given when it is executed."""
        return str(statement.compile(dialect=self.dialect))  # type: ignore[attr-defined]

    @abstractmethod
    def insert(self, table: Any) -> Any:
        """An insert that may say what to do on conflict: both databases can, in classes of their own."""

    @abstractmethod
    def tables(self, cursor: Cursor) -> set[str]:
        """Names of all tables."""

    def write(self, work: Callable[[Cursor], T]) -> T:
        """Does `work` in one transaction, committed and as durable as the store is when this returns.

        Args:
            work: executes statements; may be called a second time if the connection was lost.

        Raises:
            UncertainWriteError: the store was lost in the middle of the commit.
            UnreachableVaultError: there is no connection, nor a new one; nothing is written.
            VaultError: it cannot be reached, read or written; nothing is.
        """
        with self._lock:
            connection = self._connection()
            try:
                return self._transact(connection, work)
            except UnreachableVaultError:  # lost since the last time; a server that was restarted is back
                return self._transact(self._connection(), work)

    def read(self, work: Callable[[Cursor], T]) -> T:
        """Does `work`, which reads; each of its statements sees one instant.

        Raises:
            DamagedVaultError: what is read is not what was written.
            VaultError: the store cannot be reached or read.
        """
        connection = self._connection()
        try:
            return self._query(connection, work)
        except UnreachableVaultError:
            return self._query(self._connection(), work)

    def read_still(self, work: Callable[[Cursor], T]) -> T:
        """Does `work`, which reads; all of it sees one instant.

        Raises:
            VaultError: the store cannot be reached or read.
        """

        def still(cursor: Cursor) -> T:
            cursor.execute(self.begin_still)
            return work(cursor)

        return self._query(self._connection(), still)  # the pool ends the transaction

    def close(self) -> None:
        """Waits for the write under way and gives the connections back."""
        with self._lock:
            self._closed = True
            self._engine.dispose()

    @abstractmethod
    def promise(self) -> str:
        """In plain words, what a commit survives."""

    @abstractmethod
    def compact(self) -> None:
        """Gives back the room of what has been deleted, where the database does not do that by itself."""

    # ------------------------------------------------------------------------------------------- for each database

    @abstractmethod
    def _explained(self, error: Exception) -> VaultError:
        """The driver's error in one line: what was found, what was expected, what to do."""

    @abstractmethod
    def _is_lost(self, connection: PoolProxiedConnection) -> bool:
        """Whether there is nobody at the other end any more."""

    @abstractmethod
    def _commit_failed(self, error: Exception, connection: PoolProxiedConnection) -> VaultError:
        """What a failed commit means: usually that nothing is written; `UncertainWriteError` where nobody knows."""

    # --------------------------------------------------------------------------------------------------- the rest

    def _connection(self) -> PoolProxiedConnection:
        if self._closed:
            raise VaultError(f"{self.where} is closed; open the vault again.")
        try:
            return self._engine.raw_connection()
        except self._errors as error:
            raise self._explained(error) from None

    def _transact(self, connection: PoolProxiedConnection, work: Callable[[Cursor], T]) -> T:
        try:
            cursor = connection.cursor()
            try:
                cursor.execute(self.begin)
                result = work(cursor)
            except self._errors as error:
                raise self._failed(error, connection) from None
            try:
                cursor.execute("COMMIT")
            except self._errors as error:
                raise self._commit_failed(error, connection) from None
        finally:
            self._give_back(connection)
        return result

    def _query(self, connection: PoolProxiedConnection, work: Callable[[Cursor], T]) -> T:
        try:
            return work(connection.cursor())
        except self._errors as error:
            raise self._failed(error, connection) from None
        finally:
            self._give_back(connection)

    def _failed(self, error: Exception, connection: PoolProxiedConnection) -> VaultError:
        explained = self._explained(error)
        return UnreachableVaultError(explained.message) if self._is_lost(connection) else explained

    def _give_back(self, connection: PoolProxiedConnection) -> None:
        if self._is_lost(connection):
            connection.invalidate()
            self._engine.dispose()  # the idle ones went with it
        else:
            connection.close()  # back to the pool, which rolls back whatever was not committed


def updating(insert: Insert, keys: list[str], values: dict[str, Any]) -> Insert:
    """An insert that sets `values` where the row is there already; an empty dict leaves it as it is."""
    if values:
        return insert.on_conflict_do_update(index_elements=keys, set_=values)  # type: ignore[attr-defined, no-any-return]
    return insert.on_conflict_do_nothing(index_elements=keys)  # type: ignore[attr-defined, no-any-return]


def one_line(error: BaseException) -> str:
    """An error's text in one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
