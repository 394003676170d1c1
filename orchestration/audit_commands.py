"""`soulfra audit …`: who asked a multiverse for what, and whether the log that says so is what was written."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from actors.core.kernel.errors import SettingsError, UnknownMultiverseError
from actors.vaults.records import Audit
from orchestration.command_options import AsJson, Name, VaultOption, say, show_help, vault_of

if TYPE_CHECKING:
    from actors.vaults.signed_heads import SignedHead

HASH_CHARACTERS = 64
HEAD_BYTES_MAX = 64 << 10
"""Of a signed head's file; it has some 500 bytes."""
SHOWN_OF_HASH = 12
SHOWN_CHARACTERS_MAX = 40
"""Of what somebody has said, in a table; all that is kept of it is in the JSON document."""

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


@audits.command("keygen")
def keygen(
    file: Annotated[
        Path, typer.Argument(help="The private key's; the public half goes into FILE.pub.", metavar="FILE")
    ],
    as_json: AsJson = False,
) -> int:
    """Makes a key to sign with: heads of audit logs, and packages. The private half is for its owner alone."""
    from actors.vaults.key_files import PUBLIC_SUFFIX, generate

    told = {"private": str(file), "public": f"{file}{PUBLIC_SUFFIX}", "public_key": generate(file).hex()}
    return say(told, as_json, f"{told['public']} is the public half of {told['private']}: {told['public_key']}")


@audits.command("head")
def head(
    name: Name,
    sign: Annotated[str, typer.Option("--sign", help="A private key's file: say it as a signed JSON document.")] = "",
    vault: VaultOption = "",
    as_json: AsJson = False,
) -> int:
    """Says number and hash of the last record. Kept outside of the vault, it is what `verify --head` is held against."""
    from actors.vaults.key_files import SigningKey
    from actors.vaults.signed_heads import SignedHead

    key = SigningKey.load(sign) if sign else None
    with _opened(name, vault) as opened:
        found = opened.audit_head(name)
    if key is None:
        return say({"name": name, "head": _told(*found)}, as_json, _told(*found))
    document = SignedHead.made(key, name, found).document()
    return say(document, as_json, json.dumps(document))


@audits.command("verify")
def verify(
    name: Name,
    kept: Annotated[
        str, typer.Option("--head", help="NUMBER:HASH, as `audit head` said it, or the file of a signed head.")
    ] = "",
    keys: Annotated[
        list[str] | None, typer.Option("--key", help="A public key's file: of one such, all signed heads must be.")
    ] = None,
    vault: VaultOption = "",
    as_json: AsJson = False,
) -> int:
    """Finds records that were changed, removed or cut off; the exit code is 1 if there are any."""
    from actors.vaults.key_files import public_key_in

    trusted = [public_key_in(key) for key in keys or ()]
    against, signed = _head_of(kept) if kept else (None, None)
    if signed is not None and signed.multiverse != name:
        raise SettingsError(f"--head {kept!r:.100} is a head of {signed.multiverse!r}, not of {name!r}; name another.")
    with _opened(name, vault) as opened:
        found = opened.audit_faults(name, against, trusted)
        number, _ = opened.audit_head(name)
    if signed is not None and (wrong := signed.fault(trusted)):
        found.append(f"what was kept: {wrong}")
    words = "; ".join(found) if found else f"{name}: {number:,} records, all is well"
    say({"name": name, "records": number, "faults": found}, as_json, words)
    return int(bool(found))


def _opened(name: str, vault: str) -> Any:
    from contextlib import ExitStack

    from actors.vaults.openings import open_vault
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


def _head_of(text: str) -> "tuple[tuple[int, bytes], SignedHead | None]":
    number, colon, digits = text.partition(":")
    try:
        found = int(number), bytes.fromhex(digits)
    except ValueError:
        found = -1, b""
    if colon and found[0] >= 0 and len(digits) == HASH_CHARACTERS:
        return found, None
    from actors.vaults.signed_heads import SignedHead

    try:
        with Path(text).open("rb") as file:
            signed = SignedHead.read(file.read(HEAD_BYTES_MAX))
    except (OSError, ValueError):
        raise SettingsError(
            "--head must read NUMBER:HASH, as `soulfra audit head` says it, or name the file of a signed head, "
            f"not {text!r:.100}."
        ) from None
    return (signed.number, signed.sha256), signed


def _plain(one: Audit) -> dict[str, Any]:
    return {**msgspec.to_builtins(one), "sha256": one.sha256.hex()}


def _print(found: list[Audit]) -> None:
    from rich.table import Table
    from rich.text import Text

    from orchestration.summaries import for_output  # people only
    from orchestration.wordings import visible

    console = for_output()
    if not found:
        console.print("nobody has asked for anything yet")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("number", "at", "principal", "verb", "subject", "outcome", "boundary", "hash"):
        table.add_column(heading, justify="right" if heading == "number" else "left")
    for one in found:
        branch = visible(one.branch, SHOWN_CHARACTERS_MAX)
        boundary = f"{one.control_tick:,} of {branch}, journal position {one.position:,}"
        told = (
            visible(text, SHOWN_CHARACTERS_MAX) for text in (one.at, one.principal, one.verb, one.subject, one.outcome)
        )
        table.add_row(*map(Text, (str(one.number), *told, boundary, one.sha256.hex()[:SHOWN_OF_HASH])))
    console.print(table)
