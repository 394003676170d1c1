"""From earlier versions of the tables to this one, in the transaction that makes the tables which are new."""

import zstandard
from sqlalchemy import Column, LargeBinary, MetaData, Table, bindparam, literal_column, select
from sqlalchemy.schema import CreateTable

from actors.vaults.chunks import Chunks, cut
from actors.vaults.records import EVERYTHING
from actors.vaults.stores import Cursor, Store
from actors.vaults.tables import chains, chunks, documents

BEFORE_CHUNKS = 3
"""Until then a document was one value of a row."""
BEFORE_STRIDES = 4
"""Until then every chunk was compressed as it is, and there were chains of everything only."""


def migrate(store: Store, part: str, version: int, cursor: Cursor) -> None:
    """Brings what is in the tables of a part from `version` to the present one. New tables are made by the caller."""
    if part == "keyframes" and version < BEFORE_CHUNKS:
        _cut_documents(store, cursor)
    elif part == "keyframes" and version < BEFORE_STRIDES:
        kind = chunks.c.stride.type.compile(dialect=store.dialect)
        cursor.execute(f"ALTER TABLE {chunks.name} ADD COLUMN {chunks.c.stride.name} {kind} NOT NULL DEFAULT 1")
        names = ("multiverse", "branch", "first_tick", "chains")
        before = Table("vault_chains_of_all", MetaData(), *(Column(name, chains.c[name].type) for name in names))
        cursor.execute(f"ALTER TABLE {chains.name} RENAME TO {before.name}")
        cursor.execute(str(CreateTable(chains).compile(dialect=store.dialect)))
        of_all = select(literal_column(str(EVERYTHING)), *(before.c[name] for name in names))
        cursor.execute(store.prepare(chains.insert().from_select(["domain", *names], of_all)))
        cursor.execute(f"DROP TABLE {before.name}")


def _cut_documents(store: Store, cursor: Cursor) -> None:
    keys = [column.name for column in documents.primary_key]
    columns = [Column(name, documents.c[name].type) for name in (*keys, "sha256")]
    whole = Table("vault_documents_whole", MetaData(), *columns, Column("compressed", LargeBinary))
    cursor.execute(f"ALTER TABLE {documents.name} RENAME TO {whole.name}")
    for table in (chunks, documents):
        cursor.execute(str(CreateTable(table).compile(dialect=store.dialect)))
    cursor.execute(store.prepare(select(*(whole.c[name] for name in (*keys, "sha256")))))
    found = [dict(zip((*keys, "sha256"), values, strict=True)) for values in cursor.fetchall()]
    read = store.prepare(select(whole.c.compressed).where(*(whole.c[key] == bindparam(key) for key in keys)))
    insert, pieces = store.prepare(documents.insert()), Chunks(store)
    for row in found:  # one by one: each may be large
        cursor.execute(read, row)
        try:
            one = cut(zstandard.ZstdDecompressor().decompress(cursor.fetchone()[0]))
        except zstandard.ZstdError:  # its keyframe was damaged before, and is missed now, too
            continue
        cursor.execute(insert, {**row, "size_bytes": one.size_bytes, "chunks": one.digests})
        pieces.add(cursor, pieces.packed(row["multiverse"], [one]))
    cursor.execute(f"DROP TABLE {whole.name}")
