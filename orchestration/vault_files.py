"""The file of a vault in SQLite, as far as the driver deals with it."""

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from actors.core.kernel.errors import VaultError
from actors.vaults.openings import KEYFRAMES_SUFFIX, SQLITE_SCHEME

SUFFIXES = ("", "-wal", "-shm")
"""What SQLite adds to a file's name while it is open, and leaves behind when it is killed."""


def existing_vault(vault: str | Path) -> str | Path:
    """`vault`, if it is a server's or a file that is there: looking makes nothing.

    Raises:
        VaultError: there is no such file.
    """
    file = str(vault).removeprefix(SQLITE_SCHEME)
    if "://" not in file and not Path(file).is_file():
        raise VaultError(f"there is no vault file {file!r}; name the one that the history is kept in.")
    return vault


class NewVault:
    """A vault that is perhaps about to be made: what failed leaves nothing of it, and nothing of anybody else's goes.

    Args:
        vault: its URL or path; a server's, or a file that is there, is left alone.

    Attributes:
        founded: (multiverse, epoch) of what its owner has founded in it; with anything else, somebody else uses it.
    """

    def __init__(self, vault: str) -> None:
        self._path = Path(vault)
        self._is_new = "://" not in vault and not self._path.exists()
        self._before = {path for path in self._files() if path.exists()}
        self.founded: set[tuple[str, int]] = set()

    def _files(self) -> list[Path]:
        name = self._path.name
        return [self._path.with_name(name + part + suffix) for part in ("", KEYFRAMES_SUFFIX) for suffix in SUFFIXES]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self._is_new and self._path.exists() and self._is_ours():
            for path in self._files():
                if path not in self._before:
                    with contextlib.suppress(OSError):
                        path.unlink()

    def _is_ours(self) -> bool:
        from actors.vaults.audit_logs import AuditLog
        from actors.vaults.journals import Journal  # imports take a third of a second, and seldom anything fails
        from actors.vaults.sqlite_files import SqliteFile

        store = SqliteFile(self._path, power_safe=False)
        try:
            return {(one.name, one.epoch) for one in Journal(store, AuditLog(store)).multiverses()} <= self.founded
        except VaultError:  # there is nothing in it yet
            return True
        finally:
            store.close()
