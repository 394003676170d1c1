"""What the commands of a shell have in common: their arguments and options, and how they say what they came to."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from orchestration.wordings import visible

Name = Annotated[str, typer.Argument(help="Of the multiverse: letters, digits, '.', '_', '-'.", metavar="NAME")]
Address = Annotated[str, typer.Option(help="Of the Ray cluster; else RAY_ADDRESS, else the one on this machine.")]
VaultOption = Annotated[str, typer.Option("--vault", help="A file, or a PostgreSQL URL; NAME.sqlite by default.")]
RealmPath = Annotated[list[str] | None, typer.Option(help="A folder with your own realm modules.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def show_help(context: typer.Context) -> int:
    """What a group of commands does without one: it says which there are."""
    if context.invoked_subcommand is None:
        print(context.get_help())
    return 0


def vault_of(name: str, vault: str) -> str:
    """Where the history of a multiverse is: what is named, or a file in this folder that is called like it."""
    from orchestration.detached import checked_name  # it imports Ray

    return vault or f"{checked_name(name)}.sqlite"


def say(document: dict[str, Any], as_json: bool, words: str | Callable[[], None]) -> int:
    """Prints what a command came to, for people or for programs; the exit code of one that has done its work."""
    if as_json:
        print(json.dumps(document))
    elif isinstance(words, str):
        print(visible(words))
    else:
        words()
    return 0
