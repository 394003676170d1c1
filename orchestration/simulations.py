"""One simulation from beginning to end: what `soulfra simulate` does."""

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from actors.clock_messages import CLOCK, FOREVER, Status
from actors.core.kernel.errors import SettingsError
from orchestration.agendas import Agenda, set_up
from orchestration.histories import Flow, Journey, RunHistory, SeriesRow
from orchestration.interrupts import noted_interrupts
from orchestration.live import LiveStatus, starting
from orchestration.multiverse import Multiverse
from orchestration.scenarios import Scenario
from orchestration.series import checked_series_path, checked_target, write_series
from orchestration.summaries import print_summary


@dataclass(frozen=True)
class Simulation:
    """A scenario and how to run it.

    Attributes:
        scenario: what.
        control_ticks: how long; None means until it is interrupted.
        engine: "ray" or "local".
        lane: the lane, or None for the engine's own.
        address: of a running Ray cluster, or "".
        realm_paths: users' folders.
        realtime: whether to keep real time.
        paranoid: whether every member lives everything twice; see `Multiverse`.
        kills: processes to kill, each as (control tick in which it is missed, member id).
        report: where to write the report, or None.
        series: where to write the series, or None.
        as_json: whether standard output is one JSON document.
        command: how it was called, for the report.
    """

    scenario: Scenario
    control_ticks: int | None
    engine: str
    lane: str | None
    address: str
    realm_paths: tuple[str, ...]
    realtime: bool
    paranoid: bool
    kills: tuple[tuple[int, str], ...]
    report: Path | None
    series: Path | None
    as_json: bool
    command: str


def simulate(simulation: Simulation) -> int:
    """Runs it, writes what was asked for, and returns the exit code: 0 done, 1 if a realm ended in error.

    An interrupt from the keyboard ends the run at a boundary; what was asked for is written all the same.

    Raises:
        SoulfraError: it could not be run.
    """
    _check_outputs(simulation)
    scenario = simulation.scenario
    with contextlib.ExitStack() as stack:
        if simulation.as_json:  # what a user's realm prints must not get into the document
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        waiting = stack.enter_context(starting(simulation.engine))
        mv = stack.enter_context(
            Multiverse(
                scenario.seed,
                name=scenario.title,
                control_tick_interval_ticks=scenario.control_tick_interval_ticks,
                local_tick_interval_ms=scenario.local_tick_interval_ms,
                engine=simulation.engine,
                lane=simulation.lane,
                address=simulation.address,
                realm_paths=(*scenario.realm_paths, *simulation.realm_paths),
                realms_expected=len(scenario.realms),
                paranoid=simulation.paranoid,
            )
        )
        agenda = set_up(mv, scenario)
        agenda.kills = _checked_kills(mv, simulation)
        waiting.stop()
        elapsed_s = _run(mv, simulation, agenda)
        history = _history(mv, simulation, elapsed_s)
    if simulation.series is not None:
        write_series(simulation.series, history.series)
    if simulation.report is not None:
        from orchestration.reports import write_report  # plotly takes its time to import

        write_report(simulation.report, history)
    if simulation.as_json:
        print(json.dumps(_document(history.summary)))
    else:
        print_summary(history.summary, agenda.refused, simulation.report, simulation.series)
    return 1 if any(game["state"] == "error" for game in history.summary["games"]) else 0


def _check_outputs(simulation: Simulation) -> None:
    """Finds out before a long run, not after it, that its results could not be written."""
    if simulation.series is not None:
        checked_series_path(simulation.series)
    if simulation.report is not None:
        checked_target(simulation.report)


def _checked_kills(mv: Multiverse, simulation: Simulation) -> list[tuple[int, str]]:
    """The kills, each at the boundary before its control tick."""
    if simulation.kills and mv.engine == "local":
        raise SettingsError("--kill needs processes to kill; use --engine ray.")
    known = [CLOCK, *(member["member_id"] for member in mv.members())] if simulation.kills else []
    for control_tick, member_id in simulation.kills:
        if simulation.kills.count((control_tick, member_id)) > 1:
            raise SettingsError(
                f"--kill {member_id}@{control_tick} is given twice; a process can be killed once in a tick."
            )
        if member_id not in known:
            raise SettingsError(
                f"--kill {member_id}@{control_tick}: there is no member {member_id!r}; there are {', '.join(known)}."
            )
        if simulation.control_ticks is not None and control_tick > simulation.control_ticks:
            raise SettingsError(
                f"--kill {member_id}@{control_tick} is after the end; the run has {simulation.control_ticks} control ticks."
            )
    return [(control_tick - 1, member_id) for control_tick, member_id in simulation.kills]


def _run(mv: Multiverse, simulation: Simulation, agenda: Agenda) -> float:
    end = FOREVER if simulation.control_ticks is None else simulation.control_ticks
    title = f"{simulation.scenario.title} · seed {simulation.scenario.seed} · {mv.engine} engine"
    realtime = simulation.realtime or simulation.control_ticks is None
    begun = time.monotonic()
    live = LiveStatus(title, simulation.control_ticks, simulation.scenario.local_tick_interval_ms, realtime)

    with contextlib.suppress(KeyboardInterrupt), noted_interrupts() as heed, live:

        def watch(status: Status) -> None:
            live.show(status)
            heed()

        agenda.play(mv, end, realtime=realtime, watch=watch)
        live.show(mv.status())
    return time.monotonic() - begun


def _history(mv: Multiverse, simulation: Simulation, elapsed_s: float) -> RunHistory:
    state, chain = mv.get_multiverse_state(), mv.digest_chain()
    stats = mv.players.get_multiverse_stats()
    records = mv.records()
    rows, dropped = mv.series()
    ticks = state["control_tick_id"]
    summary: dict[str, Any] = {
        "seed": mv.settings.seed,
        "engine": mv.engine,
        "lane": mv.lane or None,
        "control_ticks": ticks,
        "events_propagated": state["events_propagated"],
        "dead_letters": state["dead_letters"],
        "players": stats["total_players"],
        "transitions": stats["total_transitions"],
        "games": [
            {
                "realm_id": game["realm_id"],
                "stat7_key": game["stat7_key"],
                "state": game["state"],
                "local_tick": game["local_tick"],
                "npcs": _whole(game["measures"].get("npcs")),
                "digest": game["digest"],
                "error": game["error"],
                "recovery": game["recovery"],
            }
            for game in state["games"]
        ],
        "recoveries": mv.recoveries(),
        "paranoia": mv.paranoia(),
        "digest": mv.digest(),
        "digest_chain": chain,
        "elapsed_s": round(elapsed_s, 6),
        "control_ticks_per_s": round(ticks / elapsed_s, 3) if elapsed_s else 0.0,
        "command": simulation.command,
    }
    return RunHistory(
        summary,
        [SeriesRow(tick, realm_id, local_tick, measures) for tick, realm_id, local_tick, measures in rows],
        [Flow(record.control_tick_id, *flow) for record in records for flow in record.flows],
        [Journey(j["player_id"], j["name"], j["control_tick"], j["realm"]) for j in mv.players.journeys()],
        dropped,
    )


def _whole(measure: float | None) -> int | None:
    """A count among a realm's measures, if it has one."""
    return int(measure) if measure is not None and isfinite(measure) else None


DOCUMENT_KEYS = (
    "seed",
    "engine",
    "lane",
    "control_ticks",
    "events_propagated",
    "dead_letters",
    "players",
    "transitions",
    "games",
    "recoveries",
    "digest",
    "digest_chain",
    "elapsed_s",
    "control_ticks_per_s",
)
GAME_KEYS = ("realm_id", "stat7_key", "state", "local_tick", "npcs", "digest")


def _document(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary with exactly the keys that the command line promises, and `paranoia` in a paranoid run."""
    document = {key: summary[key] for key in DOCUMENT_KEYS}
    if summary["paranoia"] is not None:  # only who asked for it finds it
        document["paranoia"] = summary["paranoia"]
    document["games"] = [{key: game[key] for key in GAME_KEYS} for game in summary["games"]]
    return document
