"""`soulfra package …`: what a portable file holds, and whether it is what was written. Neither Ray nor a vault is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from orchestration.command_options import AsJson, say, show_help

if TYPE_CHECKING:
    from actors.packages.files import Inspection

SHOWN_OF_HASH = 16

packages = typer.Typer(name="package", help="Portable files of instances and multiverses.")


packages.callback(invoke_without_command=True)(show_help)


@packages.command("inspect")
def inspect(
    file: Annotated[Path, typer.Argument(help="The package's.", metavar="FILE")],
    keys: Annotated[
        list[str] | None, typer.Option("--key", help="A public key's file: by one of these it must be signed.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Says what a package holds, once its hash and signature are found right; its content is not unpacked."""
    from actors.packages.files import inspect_package
    from actors.vaults.key_files import public_key_in

    found = inspect_package(file, trusted=[public_key_in(key) for key in keys or ()])
    return say(_plain(found), as_json, lambda: _print(found))


def _plain(found: "Inspection") -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def _print(found: "Inspection") -> None:
    from rich.table import Table
    from rich.text import Text

    from orchestration.summaries import for_output  # people only

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
        boundary = f"{told.control_tick:,} of {told.branch}" if told.branch else ""
        table.add_row(
            *map(
                Text,
                (
                    "  " * one.level + one.name,
                    one.kind,
                    one.system_id,
                    f"{told.recursion_level:,}",
                    boundary,
                    told.digest[:SHOWN_OF_HASH],
                    f"{one.cut_bytes:,}",
                    " ".join(told.reason.split()),
                ),
            )
        )
    console.print(table)
