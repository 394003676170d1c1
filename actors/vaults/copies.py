"""Copies of a vault: every row of every table as it was at one instant, in another vault of either kind.

The keyframes are copied first and the journal after them, so that no keyframe of the copy is of a boundary which its
journal does not have. Whoever has the vault open is not held up.
"""

import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from actors.core.kernel.errors import VaultError
from actors.vaults.openings import KEYFRAMES_SUFFIX, SQLITE_SCHEME, open_vault
from actors.vaults.stores import Cursor, Store
from actors.vaults.tables import PARTS
from actors.vaults.vaults import Vault

PARTIAL = ".partial-"
"""Before the number of the process that makes the copy, while it does."""
ROWS_AT_ONCE = 100
"""With chunks of 64 KiB, a few megabytes."""


def back_up(source: str, target: str, tell: Callable[[str, int], None] = lambda table, rows: None) -> dict[str, int]:
    """Copies a vault; the copy is there whole, or not at all.

    Args:
        source: URL or path.
        target: URL or path of a vault that is not there yet, or that is empty.
        tell: is told of each table how many rows have been copied, as it goes.

    Returns:
        Rows by table.

    Raises:
        VaultError: one of them cannot be used, or there is something in the target.
    """
    if "://" in target.removeprefix(SQLITE_SCHEME):
        with open_vault(source) as one, open_vault(target) as other:
            return _copied(one, other, target, tell)
    path = Path(target.removeprefix(SQLITE_SCHEME)).absolute()
    pieces = [path, path.with_name(path.name + KEYFRAMES_SUFFIX)]
    _sweep(path)
    if there := [piece for piece in pieces if piece.exists()]:
        raise VaultError(f"there is a file {os.fspath(there[0])!r} already; name another, or move it away.")
    partial = path.with_name(f"{path.name}{PARTIAL}{os.getpid()}")
    parts = [partial, partial.with_name(partial.name + KEYFRAMES_SUFFIX)]
    try:
        with open_vault(source) as one, open_vault(partial) as other:
            rows = _copied(one, other, target, tell)
        for part, piece in reversed(list(zip(parts, pieces, strict=True))):  # without its journal it is no vault yet
            part.rename(piece)
    except BaseException:
        if not path.exists():
            pieces[1].unlink(missing_ok=True)
        raise
    finally:
        for left in path.parent.glob(f"{partial.name}*"):
            left.unlink(missing_ok=True)
    return rows


def _sweep(path: Path) -> None:
    """Takes away what copies to the same place have left whose processes have died."""
    for left in path.parent.glob(f"{path.name}{PARTIAL}*"):
        maker = left.name.removeprefix(path.name + PARTIAL).partition(".")[0].partition("-")[0]
        if maker.isdecimal() and not _lives(int(maker)):
            if (
                left.name == f"{path.name}{PARTIAL}{maker}" and not path.exists()
            ):  # it may have named the other one already
                path.with_name(path.name + KEYFRAMES_SUFFIX).unlink(missing_ok=True)
            left.unlink(missing_ok=True)


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _copied(source: Vault, target: Vault, where: str, tell: Callable[[str, int], None]) -> dict[str, int]:
    stores = {"keyframes": (source.stores[1], target.stores[1]), "journal": (source.stores[0], target.stores[0])}
    if target.multiverses():
        raise VaultError(f"{where} has multiverses already; name an empty one.")
    rows: dict[str, int] = {}
    for part, (one, other) in stores.items():
        for table in PARTS[part]:
            rows[table.name] = 0

        def copy(reading: Cursor, part: str = part, one: Store = one, other: Store = other) -> None:
            def write(writing: Cursor) -> None:
                for table in PARTS[part]:
                    names = [column.name for column in table.columns]
                    insert = other.prepare(table.insert())
                    reading.execute(one.prepare(select(*(table.c[name] for name in names))))
                    while some := reading.fetchmany(ROWS_AT_ONCE):
                        writing.executemany(insert, [dict(zip(names, row, strict=True)) for row in some])
                        rows[table.name] += len(some)
                        tell(table.name, rows[table.name])

            other.write(write)

        one.read_still(copy)
    return rows
