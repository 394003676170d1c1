"""The tables of a store are made where they are missing, and refused where they are another vault's or a newer one's."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.schema import CreateIndex, CreateTable

from actors.core.kernel.errors import VaultError
from actors.vaults.migrations import migrate
from actors.vaults.sqlite_files import SqliteFile
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import PARTS, SCHEMA_VERSION, parts

SCHEMA_LOCK = 7_070_707
"""Key of the advisory lock under which PostgreSQL makes tables: `IF NOT EXISTS` is no protection there against a race."""


def founded(store: Store, part: str, identity: str = "") -> str:
    """Makes sure that a store has the tables of a part.

    Args:
        store: where.
        part: a key of `PARTS`.
        identity: of the vault the part must belong to; empty takes whatever is there, or makes a new one.

    Returns:
        the vault's identity.

    Raises:
        VaultError: the store holds something else, another vault's part, or a newer version's.
    """
    found = store.read(lambda cursor: _parts(store, cursor))
    if part not in found:
        _check_is_ours(store, part, found)
        found = store.write(lambda cursor: _made(store, part, identity, cursor))
    version, owner = found[part]
    if version < SCHEMA_VERSION and not (identity and owner != identity):
        version, owner = store.write(lambda cursor: _made(store, part, owner, cursor))[part]
    if version > SCHEMA_VERSION:
        raise VaultError(
            f"{store.where} has version {version} of the {part} tables, and this program knows none above {SCHEMA_VERSION}; "
            "use the newer program that made it."
        )
    if identity and owner != identity:
        raise VaultError(
            f"{store.where} holds the {part} of another vault; move it away, and new ones will be made. History is whole "
            "without them."
        )
    return owner


def _parts(store: Store, cursor: Cursor) -> dict[str, tuple[int, str]]:
    if parts.name not in store.tables(cursor):
        return {}
    cursor.execute(store.prepare(select(parts.c.part, parts.c.version, parts.c.identity)))
    return {part: (version, identity) for part, version, identity in cursor.fetchall()}


def _check_is_ours(store: Store, part: str, found: Mapping[str, Any]) -> None:
    """A file is a vault's alone; a database on a server may hold other tables too."""
    if not isinstance(store, SqliteFile):
        return
    if found:
        raise VaultError(
            f"{store.where} holds a vault's {', '.join(sorted(found))}, not its {part}; name the vault's own file."
        )
    there = store.read(store.tables)
    if there and parts.name not in there:  # another process may have made them since they were looked for
        raise VaultError(f"{store.where} is a SQLite file with other tables, not a vault; name another file.")


def _made(store: Store, part: str, identity: str, cursor: Cursor) -> dict[str, tuple[int, str]]:
    if not isinstance(store, SqliteFile):
        cursor.execute(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
    if (before := _parts(store, cursor).get(part)) is not None:
        migrate(store, part, before[0], cursor)
    for table in (parts, *PARTS[part]):
        cursor.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=store.dialect)))
        for index in table.indexes:
            cursor.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=store.dialect)))
    insert = store.insert(parts)
    cursor.execute(
        store.prepare(updating(insert, ["part"], {"version": insert.excluded.version})),
        {"part": part, "version": SCHEMA_VERSION, "identity": identity or uuid.uuid4().hex},
    )
    return _parts(store, cursor)
