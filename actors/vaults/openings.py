"""Opening a vault: what a URL means, and what is made where nothing is yet."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from actors.core.kernel.errors import VaultError
from actors.vaults.vaults import Vault

if TYPE_CHECKING:  # SQLAlchemy takes a third of a second to import; who names a vault's type need not pay for that
    from actors.vaults.signed_heads import Signing
    from actors.vaults.stores import Store

SQLITE_SCHEME = "sqlite:///"
POSTGRES_SCHEMES = ("postgresql://", "postgres://")
KEYFRAMES_SUFFIX = ".keyframes"
"""Added to the whole name of the journal's file, so that no two vaults in a folder have the same."""


def open_vault(url: str | os.PathLike[str], *, power_safe: bool = True, signing: "Signing | None" = None) -> Vault:
    """Opens a vault and makes what is missing of it.

    Args:
        url: `sqlite:///` and a path, relative or absolute, or the bare path; or `postgresql://user@host:port/database`.
        power_safe: whether `append` waits until the disk has it. Without, a vault survives any process's death, but
            a power cut may undo the last commits (not the file); on PostgreSQL the server's settings then decide.
        signing: with what whoever begins an epoch signs heads of the audit log; None for what the environment says. The
            key is read then, and not before.

    Raises:
        DamagedVaultError: what is there is not a vault any more.
        VaultError: the URL cannot be used, the place cannot be reached or written, or it holds something else.
    """
    text = os.fspath(url)
    if text.startswith(POSTGRES_SCHEMES):
        return _open_server(text, power_safe, signing)
    if text.startswith(SQLITE_SCHEME):
        text = text.removeprefix(SQLITE_SCHEME)
    elif "://" in text or text.startswith("sqlite:"):
        raise VaultError(
            f"a vault's URL cannot begin with {text.partition('/')[0]!r}: it must be sqlite:///path, a bare path, or "
            "postgresql://user@host/database."
        )
    if not text or text == ":memory:" or "\0" in text:
        raise VaultError(f"a vault needs the path of a file, not {text!r}; for example sqlite:///vault.sqlite.")
    return _open_file(Path(text).absolute(), power_safe, signing)


def _open_file(path: Path, power_safe: bool, signing: "Signing | None") -> Vault:
    from actors.vaults.sqlite_files import SqliteFile

    beside = path.with_name(path.name + KEYFRAMES_SUFFIX)
    return _opened(lambda: SqliteFile(path, power_safe), lambda: SqliteFile(beside, power_safe), signing, shared=False)


def _open_server(url: str, power_safe: bool, signing: "Signing | None") -> Vault:
    from actors.vaults.postgres_servers import PostgresServer

    return _opened(
        lambda: PostgresServer(url, power_safe), lambda: PostgresServer(url, power_safe), signing, shared=True
    )


def _opened(
    for_journal: "Callable[[], Store]", for_keyframes: "Callable[[], Store]", signing: "Signing | None", *, shared: bool
) -> Vault:
    """Two stores, for even in one database neither may wait for the other."""
    from actors.vaults.audit_logs import AuditLog
    from actors.vaults.branches import Branches
    from actors.vaults.journals import Journal
    from actors.vaults.keyframes import Keyframes
    from actors.vaults.schemas import founded
    from actors.vaults.snapshots import Snapshots
    from actors.vaults.unified_snapshots import UnifiedSnapshots

    with ExitStack() as undo:
        store = for_journal()
        undo.callback(store.close)
        identity = founded(store, "journal")
        second = for_keyframes()
        undo.callback(second.close)
        founded(second, "keyframes", identity)
        audits = AuditLog(store, signing)
        parts = Journal(store, audits), Branches(store, audits), Snapshots(store, audits), Keyframes(second)
        vault = Vault(*parts, UnifiedSnapshots(store), store.where, store.promise(), shared)
        undo.pop_all()
    return vault
