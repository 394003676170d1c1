"""`soulfra vault …`: look after the vault itself, whether or not its multiverses are up."""

import json
from typing import Annotated, Any

import typer

from actors.core.kernel.errors import SettingsError
from orchestration.command_options import AsJson, show_help
from orchestration.wordings import visible

KEPT_LEAST = 3
KEYFRAMES_KEPT = 100
"""Where nothing is said."""

VaultArgument = Annotated[str, typer.Argument(help="A file, or a PostgreSQL URL.", metavar="VAULT")]

vaults = typer.Typer(name="vault", help="Look after a vault: back it up, verify it, prune it.")


vaults.callback(invoke_without_command=True)(show_help)


@vaults.command("backup")
def backup(
    vault: VaultArgument,
    target: Annotated[str, typer.Argument(help="The copy: a new file, or the URL of an empty database.")],
    as_json: AsJson = False,
) -> int:
    """Copies a vault as it is at one instant; a clock that has it open runs on. The copy is there whole, or not at all."""
    from rich.console import Console
    from rich.status import Status

    from actors.vaults.copies import back_up
    from orchestration.vault_files import existing_vault

    with Status("copying", console=Console(stderr=True)) as shown:
        rows = back_up(
            str(existing_vault(vault)), target, lambda table, count: shown.update(f"copying {table}: {count:,} rows")
        )
    if as_json:
        print(json.dumps({"vault": vault, "target": target, "rows": rows}))
    else:
        print(f"{target} is a copy of {vault}: {sum(rows.values()):,} rows, {rows['vault_journal']:,} of them journal")
    return 0


@vaults.command("verify")
def verify(vault: VaultArgument, as_json: AsJson = False) -> int:
    """Reads everything in a vault and says what is wrong with it; the exit code is 1 if anything is."""
    from actors.journal_rows import is_readable
    from actors.vaults.openings import open_vault
    from orchestration.vault_files import existing_vault

    with open_vault(existing_vault(vault)) as opened:
        found: dict[str, Any] = {one.name: opened.faults(one.name, is_readable) for one in opened.multiverses()}
    if as_json:
        print(json.dumps({"vault": vault, "faults": found}))
    else:
        for name, faults in found.items():
            print(visible(f"{name}: {'; '.join(faults) if faults else 'all is well'}"))
        if not found:
            print(f"{vault} has no multiverse")
    return int(any(found.values()))


@vaults.command("seal")
def seal(
    vault: VaultArgument,
    name: Annotated[str, typer.Argument(help="Of the multiverse.", metavar="NAME")],
    snapshot: Annotated[str, typer.Argument(help="Which snapshot.")],
    realm_path: Annotated[list[str] | None, typer.Option(help="A folder with your own realm modules.")] = None,
) -> int:
    """Writes a snapshot down whole: nothing has to be lived again to stand there, so it outlives an upgrade of the rules."""
    from orchestration import time_trees

    time_trees.seal(vault, name, snapshot, tuple(realm_path or ()))
    print(f"{snapshot} of {name} is sealed")
    return 0


@vaults.command("prune")
def prune(
    vault: VaultArgument,
    keyframes: Annotated[
        int | None, typer.Option(help=f"How many of each branch may stay; {KEYFRAMES_KEPT} if nothing is said.")
    ] = None,
    snapshots: Annotated[
        int | None, typer.Option(help="How many of those that came round on each branch may stay; instead, or as well.")
    ] = None,
    unified: Annotated[
        int | None, typer.Option(help="How many unified snapshots may stay, the newest; instead, or as well.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Lets keyframes go, or snapshots that came round, the more the further back; or the oldest unified snapshots.

    History stays whole; to look far back takes longer with fewer keyframes. A snapshot that was taken by hand, from which a
    branch was made, or that is sealed, stays.
    """
    from actors.vaults.openings import open_vault
    from orchestration.vault_files import existing_vault

    if keyframes is snapshots is unified is None:
        keyframes = KEYFRAMES_KEPT
    for option, count in (("--keyframes", keyframes), ("--snapshots", snapshots), ("--unified", unified)):
        if count is not None and count < KEPT_LEAST:
            raise SettingsError(f"{option} must be {KEPT_LEAST} or more, not {count}.")
    gone: dict[str, dict[str, int]] = {}
    with open_vault(existing_vault(vault)) as opened:
        names = [one.name for one in opened.multiverses()]
        if keyframes is not None:
            gone["keyframes"] = {name: opened.prune(name, keyframes) for name in names}
        if snapshots is not None:
            gone["snapshots"] = {name: opened.prune_snapshots(name, snapshots) for name in names}
        if unified is not None:
            gone["unified snapshots"] = {name: opened.unified_snapshots.prune(name, unified) for name in names}
        opened.compact()
    if as_json:
        print(
            json.dumps({"vault": vault} | {f"{kind.replace(' ', '_')}_gone": counts for kind, counts in gone.items()})
        )
    else:
        lines = (f"{name}: {count:,} {kind} went" for kind in gone for name, count in gone[kind].items())
        print("\n".join(visible(one) for one in lines))
    return 0
