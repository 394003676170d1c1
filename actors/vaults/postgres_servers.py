"""A vault in a PostgreSQL database, reached through psycopg 3."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, PoolProxiedConnection, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError

from actors.core.kernel.errors import DamagedVaultError, UncertainWriteError, UnreachableVaultError, VaultError
from actors.vaults.stores import LOCK_WAIT_S_MAX, Cursor, Store, one_line

CONNECT_WAIT_S_MAX = 10
"""A server that has not answered by then is as good as down."""
SILENCE_S_MAX = 20
"""A server's machine that is gone says nothing; without this limit TCP would wait for a quarter of an hour."""
IDLE_TRANSACTION_S_MAX = 15
"""A clock that is stopped in mid-transaction holds the lock that its successor needs; the server then ends it."""

CONNECTION: dict[str, int] = {
    "connect_timeout": CONNECT_WAIT_S_MAX,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_S_MAX * 1000,
}
"""What a connection is opened with unless its URL says otherwise."""

SESSION = f"""
SELECT set_config('lock_timeout', '{LOCK_WAIT_S_MAX}s', false),
       set_config('idle_in_transaction_session_timeout', '{IDLE_TRANSACTION_S_MAX}s', false)
"""
DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
"""A server may be set up to confirm commits before it has written them. Stricter settings than `on` are left alone."""

TROUBLES: dict[str, tuple[type[VaultError], str]] = {
    "42501": (VaultError, "this user may not do that; grant the user CREATE on the schema"),
    "53": (
        VaultError,
        "the server is out of disk, memory or connections; nothing of this was written. Make room, then try again",
    ),
    "55P03": (
        VaultError,
        f"another clock has held the lock for {LOCK_WAIT_S_MAX} s; nothing was written. End it, then try again",
    ),
    "58": (VaultError, "the server's disk reports an error; nothing of this was written. Check the server"),
    "XX001": (DamagedVaultError, "the database is damaged; restore a copy"),
    "XX002": (DamagedVaultError, "an index of the database is damaged; run REINDEX, or restore a copy"),
}
"""By the beginning of the SQLSTATE: whose fault it is, and what to do."""


class PostgresServer(Store):
    """One database of a server.

    Args:
        url: `postgresql://user:password@host:port/database`.
        power_safe: whether to turn `synchronous_commit` on where the server has it off.

    Raises:
        VaultError: psycopg is not installed, or the URL cannot be used.
    """

    begin_still = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED"  # so that whoever waited for a lock sees what its holder has done

    def __init__(self, url: str, power_safe: bool) -> None:
        parsed = _parsed(url)
        self._without_secrets = _censor(parsed)
        connect_args = {name: value for name, value in CONNECTION.items() if name not in parsed.query}
        try:
            engine = create_engine(
                parsed,
                connect_args=connect_args,
                isolation_level="AUTOCOMMIT",
                use_native_hstore=False,  # looking for that type takes a round trip
                hide_parameters=True,
            )
        except ImportError:
            raise VaultError(
                "a vault in PostgreSQL needs psycopg, which is not installed; pip install 'soulfra-multiverse[postgres]'."
            ) from None
        super().__init__(engine, f"PostgreSQL vault {_shown(parsed)!r}")

        @event.listens_for(engine, "connect")
        def _set_up(connection: Any, _record: object) -> None:
            connection.execute(SESSION)
            if power_safe:
                connection.execute(DURABLE)

    def insert(self, table: Any) -> Any:
        """An insert that may say what to do on conflict."""
        return insert(table)

    def tables(self, cursor: Cursor) -> set[str]:
        """Names of all tables in the schema where new ones would go."""
        cursor.execute("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()")
        return {name for (name,) in cursor.fetchall()}

    def compact(self) -> None:
        """See `Store`; the server does so by itself."""

    def promise(self) -> str:
        """In plain words, what a commit survives; asks the server how it is set up."""
        fsync, synchronous_commit = self.read(_asked_settings)
        promise = "What has been answered survives the death of any process here and losing this node"
        if fsync == "off":
            promise += "; the server's fsync is off, so a power cut of its machine may lose the vault"
        if synchronous_commit == "off":
            promise += "; the server's synchronous_commit is off, so its own death may lose the last commits"
        return promise + "; losing the server's disk loses the vault."

    def _explained(self, error: Exception) -> VaultError:
        state = getattr(error, "sqlstate", None) or ""
        kind, advice = next((found for start, found in TROUBLES.items() if state.startswith(start)), (VaultError, ""))
        no_state = not state and isinstance(
            error, self.dialect.loaded_dbapi.OperationalError
        )  # libpq's own, not the server's
        if not advice and (no_state or state.startswith(("08", "57P"))):
            kind = UnreachableVaultError
            advice = "there is no connection; check that the server runs, and host, port, database, user and password"
        return kind(
            f"{self.where}: {advice or 'see what PostgreSQL says'} (PostgreSQL says: {self._without_secrets(one_line(error))})."
        )

    def _is_lost(self, connection: PoolProxiedConnection) -> bool:
        driver: Any = connection.dbapi_connection
        return driver is None or bool(driver.closed)

    def _commit_failed(self, error: Exception, connection: PoolProxiedConnection) -> VaultError:
        if not self._is_lost(connection):
            return self._explained(error)
        said = self._without_secrets(one_line(error))
        return UncertainWriteError(
            f"{self.where}: the server was lost in the middle of a commit ({said}), so nobody knows whether that is written; "
            "open the vault again and read."
        )


def _asked_settings(cursor: Cursor) -> tuple[str, str]:
    cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
    return cursor.fetchone()  # type: ignore[no-any-return]


def _parsed(url: str) -> URL:
    _, _, rest = url.partition("://")
    try:
        parsed = make_url(f"postgresql+psycopg://{rest}")
    except (ArgumentError, ValueError):  # their texts show parts of the URL, perhaps the password
        parsed = None
    if parsed is None or not parsed.database:
        raise VaultError(
            "the vault's URL cannot be read: it must be postgresql://user@host:port/database, "
            "with special characters of the password percent-encoded."
        )
    return parsed


def _censor(url: URL) -> Callable[[str], str]:
    """What takes out of a text every form in which a driver could repeat a password. A closure, for it shows nothing."""
    plain = [str(url.password or "")] + [str(value) for name, value in url.query.items() if "password" in name]
    spelt = {form for secret in plain if secret for form in (secret, quote(secret, safe=""), quote_plus(secret))}
    secrets = sorted(spelt, key=len, reverse=True)

    def censored(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return censored


def _shown(url: URL) -> str:
    """The URL without its password and options."""
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{url.host or ''}{port}/{url.database}"
