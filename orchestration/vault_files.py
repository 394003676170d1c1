"""The files of a vault in SQLite, as far as the driver deals with them."""

import contextlib
from pathlib import Path

from actors.vaults.vaults import KEYFRAMES_SUFFIX

SUFFIXES = ("", "-wal", "-shm")
"""What SQLite adds to a file's name while it is open, and leaves behind when it is killed."""


def drop_files(path: Path) -> None:
    """Takes away a vault that nobody has used yet."""
    for part in ("", KEYFRAMES_SUFFIX):
        for suffix in SUFFIXES:
            with contextlib.suppress(OSError):
                path.with_name(path.name + part + suffix).unlink()
