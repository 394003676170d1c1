"""`python -m serve`: a multiverse over HTTP, until Ctrl-C."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from actors.core.kernel.errors import CallerError, SettingsError, SoulfraError

DONE, FAILED, WRONG_USE = 0, 1, 2

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    name: Annotated[str, typer.Option(help="Of the multiverse.")] = "multiverse",
    vault: Annotated[str, typer.Option(help="A file, or a PostgreSQL URL; NAME.sqlite by default.")] = "",
    keys: Annotated[Path | None, typer.Option(help="The file of hashed keys; beside the vault's by default.")] = None,
    principal: Annotated[str, typer.Option(help="Whose key is shown.")] = "god",
    role: Annotated[
        str, typer.Option(help="Of the principal, when a key is made: observer, player, operator or god.")
    ] = "god",
    scope: Annotated[str, typer.Option(help="What the role is for: an instance, a realm; everything otherwise.")] = "",
    new_key: Annotated[bool, typer.Option("--new-key", help="Make a key in place of the one there is.")] = False,
    scenario: Annotated[Path | None, typer.Option(help="What a new one begins with: a scenario file (TOML).")] = None,
    games: Annotated[int, typer.Option(min=1, max=100, help="Instead: so many cities.")] = 2,
    npcs: Annotated[int, typer.Option(min=0, max=1_000_000, help="NPCs in each city.")] = 40,
    platform: Annotated[list[str] | None, typer.Option(help="ROLE=MODULE:NAME, a platform of your own.")] = None,
    realm_path: Annotated[list[str] | None, typer.Option(help="A folder with your own modules.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8000,
    paused: Annotated[
        bool, typer.Option("--paused", help="Let the clock stand; otherwise it keeps real time.")
    ] = False,
) -> None:
    """Starts a multiverse with realms and an instance, and a gateway to it over HTTP, on a Ray of its own.

    With history in its vault it goes on where that ends. The key of a god is shown when it is made, and never again.
    """
    from orchestration import scenarios  # so that --help is quick
    from serve import servers

    described = scenarios.of_cities(games, npcs) if scenario is None else scenarios.load(scenario)
    servers.serve(
        servers.Order(
            name=name,
            vault=vault or f"{name}.sqlite",
            keys=keys,
            principal=principal,
            role=role,
            scope=scope,
            has_new_key=new_key,
            scenario=described,
            platforms=dict(_platform(one) for one in platform or ()),
            realm_paths=tuple(realm_path or ()),
            host=host,
            port=port,
            is_paused=paused,
        )
    )


def _platform(text: str) -> tuple[str, str]:
    role, _, factory = text.partition("=")
    if not role or not factory:
        raise SettingsError(f"--platform must read ROLE=MODULE:NAME, not {text!r:.100}.")
    return role, factory


def run(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit code: 0 done, 1 failed, 2 wrong use. Errors are one line each."""
    try:
        app(args=arguments, prog_name="python -m serve", standalone_mode=False)
    except typer.TyperException as error:
        return _complain(error.format_message(), WRONG_USE)
    except (typer.Abort, KeyboardInterrupt):
        return DONE
    except SoulfraError as error:
        return _complain(error.message, WRONG_USE if isinstance(error, CallerError) else FAILED)
    return DONE


def _complain(message: str, code: int) -> int:
    for line in message.splitlines():
        print(f"serve: {line}", file=sys.stderr)
    return code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run())
