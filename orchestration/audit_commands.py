"""`soulfra audit …`: who asked a multiverse for what, and whether the log that says so is what was written."""

from typing import Annotated, Any

import msgspec
import typer

from actors.core.kernel.errors import SettingsError, UnknownMultiverseError
from actors.vaults.records import Audit
from orchestration.command_options import AsJson, Name, VaultOption, say, show_help, vault_of

HASH_CHARACTERS = 64
SHOWN_OF_HASH = 12

audits = typer.Typer(name="audit", help="Who asked for what, and whether the log of it is whole.")


audits.callback(invoke_without_command=True)(show_help)


@audits.command("show")
def show(
    name: Name,
    last: Annotated[int, typer.Option(help="How many records, the newest ones.")] = 20,
    vault: VaultOption = "",
    as_json: AsJson = False,
) -> int:
    """Lists the newest records: when, who, what, of whom, what came of it, and where history stood then."""
    if last < 1:
        raise SettingsError(f"--last must be a whole number from 1 upwards, not {last}.")
    with _opened(name, vault) as opened:
        number, sha256 = opened.audit_head(name)
        found = list(opened.audits(name, max(0, number - last)))
    document = {"name": name, "head": _told(number, sha256), "records": [_plain(one) for one in found]}
    return say(document, as_json, lambda: _print(found))


@audits.command("head")
def head(name: Name, vault: VaultOption = "", as_json: AsJson = False) -> int:
    """Says number and hash of the last record. Kept outside of the vault, it is what `verify --head` is held against."""
    with _opened(name, vault) as opened:
        told = _told(*opened.audit_head(name))
    return say({"name": name, "head": told}, as_json, told)


@audits.command("verify")
def verify(
    name: Name,
    kept: Annotated[str, typer.Option("--head", help="NUMBER:HASH, as `audit head` said it.")] = "",
    vault: VaultOption = "",
    as_json: AsJson = False,
) -> int:
    """Finds records that were changed, removed or cut off; the exit code is 1 if there are any."""
    against = _head_of(kept) if kept else None
    with _opened(name, vault) as opened:
        found = opened.audit_faults(name, against)
        number, _ = opened.audit_head(name)
    words = "; ".join(found) if found else f"{name}: {number:,} records, all is well"
    say({"name": name, "records": number, "faults": found}, as_json, words)
    return int(bool(found))


def _opened(name: str, vault: str) -> Any:
    from contextlib import ExitStack

    from actors.vaults.vaults import open_vault
    from orchestration.vault_files import existing_vault

    with ExitStack() as undo:
        opened = undo.enter_context(open_vault(existing_vault(vault_of(name, vault))))
        known = [one.name for one in opened.multiverses()]
        if name not in known:
            raise UnknownMultiverseError(
                f"{opened.where} has no multiverse {name!r}; it has {', '.join(known) or 'none'}."
            )
        undo.pop_all()
    return opened


def _told(number: int, sha256: bytes) -> str:
    return f"{number}:{sha256.hex()}"


def _head_of(text: str) -> tuple[int, bytes]:
    number, colon, digits = text.partition(":")
    try:
        found = int(number), bytes.fromhex(digits)
    except ValueError:
        found = -1, b""
    if not colon or found[0] < 0 or len(digits) != HASH_CHARACTERS:
        raise SettingsError(f"--head must read NUMBER:HASH, as `soulfra audit head` says it, not {text!r:.100}.")
    return found


def _plain(one: Audit) -> dict[str, Any]:
    return {**msgspec.to_builtins(one), "sha256": one.sha256.hex()}


def _print(found: list[Audit]) -> None:
    from rich.table import Table
    from rich.text import Text

    from orchestration.summaries import for_output  # people only

    console = for_output()
    if not found:
        console.print("nobody has asked for anything yet")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("number", "at", "principal", "verb", "subject", "outcome", "boundary", "hash"):
        table.add_column(heading, justify="right" if heading == "number" else "left")
    for one in found:
        boundary = f"{one.control_tick:,} of {one.branch}, journal position {one.position:,}"
        told = (str(one.number), one.at, one.principal, one.verb, one.subject, one.outcome, boundary)
        table.add_row(*map(Text, (*told, one.sha256.hex()[:SHOWN_OF_HASH])))
    console.print(table)
