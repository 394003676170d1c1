"""The command line: `soulfra …`, the same as `python -m orchestration …`."""

import contextlib
import os
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from actors.core.kernel.errors import CallerError, SettingsError, SoulfraError
from orchestration.audit_commands import audits
from orchestration.command_options import Address, Name
from orchestration.god_shells import gods
from orchestration.history_commands import fork, history, revert, snapshots, sweep
from orchestration.instance_commands import instances
from orchestration.pace_commands import pause, start
from orchestration.pace_commands import run as run_control_ticks
from orchestration.package_commands import packages
from orchestration.vault_commands import vaults
from orchestration.wordings import visible

DONE, FAILED, WRONG_USE = 0, 1, 2
INTERRUPTED = 130
"""What typer makes of an interrupt."""

app = typer.Typer(
    name="soulfra",
    help="Runs many worlds as one, under a master clock.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.add_typer(snapshots)
app.add_typer(history)
app.add_typer(vaults)
app.add_typer(audits)
app.add_typer(packages)
app.add_typer(instances)
app.add_typer(gods)
app.command("run")(run_control_ticks)
app.command()(start)
app.command()(pause)
app.command()(revert)
app.command()(fork)
app.command()(sweep)


@app.callback(invoke_without_command=True)
def _root(context: typer.Context) -> int:
    """Runs many worlds as one, under a master clock."""
    if context.invoked_subcommand is None:
        print(context.get_help())
    return DONE


@app.command()
def simulate(
    games: Annotated[int | None, typer.Option(help="Cities to run, 1 by default.")] = None,
    duration: Annotated[float | None, typer.Option(help="Simulated seconds to run.")] = None,
    control_ticks: Annotated[int | None, typer.Option(help="Control ticks to run.")] = None,
    control_tick_interval: Annotated[int | None, typer.Option(help="Local ticks in a control tick (10).")] = None,
    local_tick_ms: Annotated[int | None, typer.Option(help="Simulated milliseconds in a local tick (100).")] = None,
    npcs: Annotated[int | None, typer.Option(help="NPCs in each city, 40 by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="From which every draw follows (0).")] = None,
    engine: Annotated[
        str | None, typer.Option(help="ray (the default): every realm an actor; local: one process.")
    ] = None,
    lane: Annotated[str | None, typer.Option(help="How grants travel on Ray: zmq (the default) or ray.")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Keep real time although there is a bound.")] = False,
    paranoid: Annotated[
        bool, typer.Option("--paranoid", help="Every realm lives all twice, in two processes; --engine local.")
    ] = False,
    kill: Annotated[list[str] | None, typer.Option(help="REALM@TICK: kill its process, see it come back.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a report to this HTML file.")] = None,
    series: Annotated[Path | None, typer.Option(help="Write the series to this .csv or .parquet file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    scenario: Annotated[Path | None, typer.Option(help="A scenario file (TOML) instead of --games.")] = None,
    realm_path: Annotated[list[str] | None, typer.Option(help="A folder with your own realm modules.")] = None,
    address: Annotated[str, typer.Option(help="Address of a running Ray cluster.")] = "",
) -> int:
    """Runs a multiverse. Without a bound it keeps real time until Ctrl-C; with one it runs as fast as it can."""
    from orchestration import simulations  # so that --help is quick

    described = _scenario(scenario, games, npcs).model_copy(
        update={
            name: value
            for name, value in (
                ("seed", _whole("--seed", seed, 0)),
                ("control_tick_interval_ticks", _whole("--control-tick-interval", control_tick_interval, 1)),
                ("local_tick_interval_ms", _whole("--local-tick-ms", local_tick_ms, 1)),
            )
            if value is not None
        }
    )
    return simulations.simulate(
        simulations.Simulation(
            scenario=described,
            control_ticks=_bound(described, duration, control_ticks),
            engine=engine or ("local" if paranoid else "ray"),
            lane=lane,
            address=address,
            realm_paths=tuple(realm_path or ()),
            realtime=realtime,
            paranoid=paranoid,
            kills=tuple(_kill(one) for one in kill or ()),
            report=report,
            series=series,
            as_json=as_json,
            command=shlex.join(["soulfra", *sys.argv[1:]]),
        )
    )


def _kill(text: str) -> tuple[int, str]:
    member_id, at, tick = text.rpartition("@")
    if not at or not member_id or not tick.isascii() or not tick.isdecimal() or int(tick) < 1:
        raise SettingsError(
            f"--kill must read REALM@TICK with a control tick from 1 on, for example sol_1@20, not {text!r}."
        )
    return int(tick), member_id


def _scenario(path: Path | None, games: int | None, npcs: int | None) -> Any:
    from orchestration import scenarios

    if path is None:
        count = 1 if games is None else games
        _whole("--games", count, 1, scenarios.GAMES_MAX)
        each = 40 if npcs is None else npcs
        _whole("--npcs", each, 0)
        return scenarios.of_cities(count, each)
    for option, value in (("--games", games), ("--npcs", npcs)):
        if value is not None:
            raise SettingsError(f"{option} and --scenario exclude each other; the file says which realms there are.")
    return scenarios.load(path)


def _bound(described: Any, duration: float | None, control_ticks: int | None) -> int | None:
    if duration is not None and control_ticks is not None:
        raise SettingsError("--duration and --control-ticks exclude each other; give one.")
    if duration is not None:
        if not 0 < duration < 1e12:
            raise SettingsError(f"--duration must be more than 0 simulated seconds, not {duration!r}.")
        control_tick_ms = described.control_tick_interval_ticks * described.local_tick_interval_ms
        return -int(-duration * 1000 // control_tick_ms)
    _whole("--control-ticks", control_ticks, 1)
    bound: int | None = described.control_ticks if control_ticks is None else control_ticks
    return bound


def _whole(option: str, value: int | None, least: int, most: int | None = None) -> int | None:
    if value is not None and (value < least or (most is not None and value > most)):
        allowed = f"{least} or more" if most is None else f"from {least} to {most}"
        raise SettingsError(f"{option} must be {allowed}, not {value}.")
    return value


@app.command()
def up(
    name: Name,
    vault: Annotated[str, typer.Option(help="A file, or a PostgreSQL URL; NAME.sqlite by default.")] = "",
    scenario: Annotated[Path | None, typer.Option(help="What a new one begins with: a scenario file (TOML).")] = None,
    games: Annotated[int | None, typer.Option(help="Instead: so many cities, 1 by default.")] = None,
    npcs: Annotated[int | None, typer.Option(help="NPCs in each city, 40 by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="From which every draw of a new one follows (0).")] = None,
    address: Address = "",
    lane: Annotated[str | None, typer.Option(help="How grants travel: zmq (the default) or ray.")] = None,
    realm_path: Annotated[list[str] | None, typer.Option(help="A folder with your own realm modules.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Let it stand; otherwise it runs in real time.")] = False,
) -> int:
    """Starts a multiverse that outlives this program, on a Ray cluster that runs (`ray start --head`).

    With history in its vault it goes on where that ends: after `down`, after a power cut, after the cluster was lost. A
    scenario's events happen when they are due; journeys of its players do not, for they need a program that drives
    (`Multiverse.attach`).
    """
    from orchestration import detached  # so that --help is quick

    described = _scenario(scenario, games, npcs)
    if _whole("--seed", seed, 0) is not None:
        described = described.model_copy(update={"seed": seed})
    given = any(option is not None for option in (scenario, games, npcs, seed))
    return detached.up(
        detached.Up(name, vault, described, given, address, lane, tuple(realm_path or ()), paused=paused)
    )


@app.command()
def status(
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    address: Address = "",
) -> int:
    """Says how a multiverse stands that is up: its boundary, its realms, who is waited for, who was brought back."""
    from orchestration import detached

    return detached.status(name, address, as_json=as_json)


@app.command()
def down(name: Name, address: Address = "") -> int:
    """Ends a multiverse that was started with `up`, at a boundary; its vault stays, and `up` goes on from there."""
    from orchestration import detached

    return detached.down(name, address)


def run(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit code: 0 done, 1 failed, 2 wrong use. Errors are one line each."""
    try:
        code = app(args=arguments, prog_name="soulfra", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        _complain(error.format_message())
        return WRONG_USE
    except (typer.Abort, KeyboardInterrupt):
        _complain(_interrupted(arguments))
        return FAILED
    except CallerError as error:
        _complain(error.message)
        return WRONG_USE
    except SoulfraError as error:
        _complain(error.message)
        return FAILED
    except OSError as error:  # standard output is closed or its disk is full
        _complain(f"the output cannot be written: {error.strerror or error}.")
        return FAILED
    if code == INTERRUPTED:
        _complain(_interrupted(arguments))
        return FAILED
    return code if isinstance(code, int) else DONE


def _complain(message: str) -> None:
    for line in message.splitlines():
        print(f"soulfra: {visible(line)}", file=sys.stderr)


def main() -> None:
    """The entry point. A request to terminate ends a run as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)
    code = run()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.exit(code)
    os._exit(code)  # Python would try to flush what cannot be written once more, and say so


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _interrupted(arguments: list[str] | None) -> str:
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["simulate"]:
        return "interrupted before the run began."
    return "interrupted; what was asked for may still come about (`soulfra status NAME` says how it stands)."
