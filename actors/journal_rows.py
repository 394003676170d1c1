"""The journal as rows of a vault: how an entry is written down in one, and how a history is read from its branches' rows."""

from collections.abc import Iterator, Sequence

import msgspec

from actors.core.kernel.commands import JournalEntry
from actors.core.kernel.errors import DamagedVaultError
from actors.vaults.records import JournalRow, Stretch
from actors.vaults.vaults import Vault

ORDERS = "@orders"
"""The branch of a vault's journal with what was decided about running and standing; no part of any history."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(JournalEntry).decode


def row_of(branch: str, entry: JournalEntry) -> JournalRow:
    """An entry of a branch's journal as a row."""
    command, decision = entry.command, entry.decision
    if command is None:
        kind, subject = "decision", "" if decision is None else decision.member_id
    else:
        kind = type(command).__name__
        subject = str(getattr(command, "member_id", "") or getattr(command, "realm_id", ""))
    return JournalRow(branch, entry.position, entry.control_tick, entry.command_id, kind, subject, _encode(entry))


def is_readable(row: JournalRow) -> bool:
    """Whether a row of the journal is one of ours."""
    try:
        return row.branch == ORDERS or bool(_decode(row.payload))
    except msgspec.MsgspecError:
        return False


def entries_in(vault: Vault, name: str, path: Sequence[Stretch], after: int = 0) -> Iterator[JournalEntry]:
    """The journal of a history after a position.

    Args:
        vault: where.
        name: of the multiverse.
        path: of which branches' parts the history consists.
        after: the position.

    Raises:
        DamagedVaultError: rows are missing.
        VaultError: it cannot be read.
    """
    reached = after
    for stretch in path:
        last = None if stretch.until is None else stretch.until[1]
        if last is not None and last <= reached:
            continue
        for row in vault.rows(name, stretch.branch, reached):
            if last is not None and row.position > last:
                break
            reached = row.position
            try:
                entry = _decode(row.payload)
            except msgspec.MsgspecError as error:
                raise DamagedVaultError(
                    f"{vault.where}: the journal of branch {stretch.branch!r} of {name!r} cannot be read at position "
                    f"{row.position}: {error}. Restore a copy."
                ) from None
            yield entry
        if last is not None and reached < last:
            raise DamagedVaultError(
                f"{vault.where}: the journal of branch {stretch.branch!r} of {name!r} ends at position {reached}, and "
                f"history that left it goes on after {last}; rows are missing. Restore a copy."
            )
