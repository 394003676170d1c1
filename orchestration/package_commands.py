"""`soulfra package …`: instances out into portable files, and back; and what such a file holds.

To look at one takes neither Ray nor a vault. What goes out of a multiverse, or comes in, is for one that is up.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from actors.core.kernel.errors import SettingsError
from orchestration.command_options import Address, AsJson, Name, say, show_help

if TYPE_CHECKING:
    from actors.packages.files import Inspection

ALL = "-"
"""In place of an instance: every one of them."""
SHOWN_OF_HASH = 16
SHOWN_CHARACTERS_MAX = 40
REASON_CHARACTERS_MAX = 100
"""In the table; whole in the JSON document."""

File = Annotated[Path, typer.Argument(help="The package's.", metavar="FILE")]
TrustedKeys = Annotated[
    list[str] | None, typer.Option("--key", help="A public key's file: by one of these it must be signed.")
]

packages = typer.Typer(name="package", help="Portable files of instances and multiverses.")


packages.callback(invoke_without_command=True)(show_help)


@packages.command("inspect")
def inspect(file: File, keys: TrustedKeys = None, as_json: AsJson = False) -> int:
    """Says what a package holds, once its hash and signature are found right; its content is not unpacked."""
    from actors.packages.files import inspect_package
    from actors.vaults.key_files import public_key_in

    found = inspect_package(file, trusted=[public_key_in(key) for key in keys or ()])
    return say(_plain(found), as_json, lambda: _print(found))


@packages.command("export")
def export(
    name: Name,
    instance: Annotated[str, typer.Argument(help="Its id or its name; - is all of them.", metavar="INSTANCE")],
    file: File,
    snapshot: Annotated[str, typer.Option(help="As it was at this snapshot.")] = "",
    control_tick: Annotated[int | None, typer.Option(help="As it was after this control tick.", metavar="TICK")] = None,
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    key: Annotated[str, typer.Option(help="A private key's file: sign it with this.")] = "",
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Writes an instance of a multiverse that is up, with its attached realms, to a file; nothing changes by it."""
    from actors.packages.files import write_package
    from actors.vaults.key_files import SigningKey
    from orchestration.detached import attached

    if snapshot and control_tick is not None:
        raise SettingsError("give either --snapshot SNAPSHOT or --control-tick TICK; without both it is as it is now.")
    if instance == ALL and (snapshot or control_tick is not None):
        raise SettingsError("all of them are exported as they are now; leave --snapshot and --control-tick out.")
    signs = SigningKey.load(key) if key else None
    with attached(name, address) as mv:
        if instance == ALL:
            package = mv.export_multiverse(reason=reason)
        else:
            package = mv.export_to_outer_layer(instance, reason=reason, control_tick=control_tick, snapshot=snapshot)
    write_package(file, package, signs)
    document = {"name": name, "package": package.name, "file": str(file), "digest": package.metadata.digest}
    held = f", {len(package.inner):,} instances" if package.inner else ""
    return say(document, as_json, f"{file} holds {package.name}{held}: digest {package.metadata.digest}")


@packages.command("import")
def import_(
    name: Name,
    file: File,
    as_name: Annotated[str, typer.Option("--name", help="Of the instance; the package's own otherwise.")] = "",
    trust_factory: Annotated[
        list[str] | None,
        typer.Option(help="MODULE:NAME of members that the package may be made of beside those that are known."),
    ] = None,
    keys: TrustedKeys = None,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Brings what a file holds to life in a multiverse that is up, with the same digests by roles."""
    from actors.packages.files import read_package
    from actors.vaults.key_files import public_key_in
    from orchestration.detached import attached

    package = read_package(file, trusted=[public_key_in(one) for one in keys or ()])
    with attached(name, address) as mv:
        made = mv.import_from_outer_layer(package, name=as_name, trusted_factories=trust_factory or ())
        told = [
            {
                "instance_id": one.instance_id,
                "name": one.name,
                "members": dict(one.members),
                "digest": mv.instance_digest(one),
            }
            for one in made
        ]
    words = "\n".join(f"{one['name']} is {one['instance_id']}: digest {one['digest']}" for one in told)
    return say({"name": name, "instances": told}, as_json, words)


def _plain(found: "Inspection") -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def _print(found: "Inspection") -> None:
    from rich.table import Table
    from rich.text import Text

    from orchestration.summaries import for_output  # people only
    from orchestration.wordings import visible

    console = for_output()
    signed = f"signed by {found.signer}" if found.signer else "not signed"
    console.print(
        Text(
            f"version {found.version}, {found.file_bytes:,} bytes, {found.content_bytes:,} unpacked, "
            f"SHA-256 {found.sha256}, {signed}"
        ),
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("package", "kind", "system", "layer", "boundary", "digest", "cut", "reason"):
        table.add_column(heading, justify="right" if heading in ("layer", "cut") else "left")
    for one in found.packages:
        told = one.metadata
        branch = f" of {visible(told.branch, SHOWN_CHARACTERS_MAX)}" if told.branch else ""
        boundary = f"{told.control_tick:,}{branch}" if told.branch or one.cut_bytes else ""
        table.add_row(
            *map(
                Text,
                (
                    "  " * one.level + one.name,
                    one.kind,
                    one.system_id,
                    f"{told.recursion_level:,}",
                    boundary,
                    visible(told.digest[:SHOWN_OF_HASH]),
                    f"{one.cut_bytes:,}",
                    visible(" ".join(told.reason.split()), REASON_CHARACTERS_MAX),
                ),
            )
        )
    console.print(table)
