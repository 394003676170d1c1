"""Multiverses that outlive the program that starts them: what `soulfra up`, `status` and `down` do."""

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.clock_messages import Status
from actors.core.kernel.errors import EngineError, SettingsError, VaultError
from orchestration.agendas import Agenda, set_up
from orchestration.multiverse import Multiverse
from orchestration.ray_engines import RayEngine, check_free, connected
from orchestration.scenarios import Scenario
from orchestration.summaries import print_status
from orchestration.vault_files import NewVault
from orchestration.wordings import visible

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
RECOVERIES_SHOWN_MAX = 10


@dataclass(frozen=True)
class Up:
    """What to bring up.

    Attributes:
        name: of the multiverse.
        vault: path or URL; "" means NAME.sqlite in the current folder.
        scenario: what a new one begins with.
        described: whether the user said what it begins with; where there is history already, that is left aside.
        address: of the Ray cluster; "" means `RAY_ADDRESS`, else the one on this machine.
        lane: the lane, or None for the default.
        realm_paths: users' folders.
        paused: whether it is to stand.
    """

    name: str
    vault: str
    scenario: Scenario
    described: bool
    address: str
    lane: str | None
    realm_paths: tuple[str, ...]
    paused: bool


def checked_name(name: str) -> str:
    """A name that a file, an actor and a command line can have.

    Raises:
        SettingsError: it is not.
    """
    if NAME.fullmatch(name) is None:
        raise SettingsError(
            "a multiverse's name must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit, "
            f"not {name!r:.80}."
        )
    return name


def up(order: Up) -> int:
    """Brings a multiverse up: a new one with what the scenario says, or one that goes on where its vault ends.

    Raises:
        SoulfraError: it could not be; nothing is left running, and of a new vault file nothing is left.
    """
    name = checked_name(order.name)
    vault = order.vault or f"{name}.sqlite"
    scenario = order.scenario
    with contextlib.ExitStack() as stack:
        with _wrong_use():
            stack.enter_context(connected(order.address))
            check_free(name)
        new = stack.enter_context(NewVault(vault))
        with _wrong_use():
            mv = stack.enter_context(_opened(order, vault))
        if not mv.about.resumed:
            new.founded.add((name, 1))
        try:
            resumed = not mv.is_new
            later = 0 if resumed else _begin(mv, scenario)
            boundary = mv.pause() if order.paused else _start(mv)
        except BaseException:
            mv.end()
            raise
        _say_what_was_done(mv, order, boundary["control_tick"] if resumed else None, later)
    return 0


def _opened(order: Up, vault: str) -> Multiverse:
    scenario = order.scenario
    return Multiverse(
        scenario.seed,
        name=order.name,
        control_tick_interval_ticks=scenario.control_tick_interval_ticks,
        local_tick_interval_ms=scenario.local_tick_interval_ms,
        lane=order.lane,
        address=order.address,
        realm_paths=(*scenario.realm_paths, *order.realm_paths),
        realms_expected=len(scenario.realms),
        vault=vault,
        detached=True,
    )


def _begin(mv: Multiverse, scenario: Scenario) -> int:
    """Sets a new multiverse up; gives how many players have journeys that nobody will undertake."""
    with mv.setting_up():
        agenda: Agenda = set_up(mv, scenario)
    return sum(not one.done for one in agenda.travellers)


def _start(mv: Multiverse) -> dict[str, Any]:
    boundary = mv.boundary()
    mv.start("realtime")
    return {"control_tick": boundary.control_tick}


def _say_what_was_done(mv: Multiverse, order: Up, resumed_at: int | None, later: int) -> None:
    state, about = mv.get_multiverse_state(), mv.about
    count = len(state["games"])
    realms = f"{count} realm{'' if count == 1 else 's'}"
    begun = "new" if resumed_at is None else f"resumed at control tick {resumed_at}"
    print(f"{order.name} is up, {begun}: {realms}, {'paused' if order.paused else 'running in real time'}.")
    print(f"clock: process {about.process_id} on {about.node}, {about.lane} lane")
    print(f"{about.vault}: {about.durability}")
    if resumed_at is not None and order.described:
        print(
            f"{order.name} has history; --scenario, --games, --npcs and --seed, which a new one begins with, were left aside.",
            file=sys.stderr,
        )
    for notice in mv.status().notices:
        print(visible(notice), file=sys.stderr)
    if later:
        whose = f"{later} player{'s' if later > 1 else ''}"
        print(f"the journeys of {whose} are left out: they need a program that drives.", file=sys.stderr)


def status(name: str, address: str, *, as_json: bool) -> int:
    """Says how a multiverse stands, without waiting for it."""
    checked_name(name)
    with _wrong_use(), connected(address):
        engine = RayEngine.found(name, address, standing=False)
        try:
            found: Status = engine.call("status")
            recoveries = engine.begin("recoveries")
            shown = recoveries.result() if recoveries.wait(1.0) else []
        finally:
            engine.close()
    document = _document(name, found, shown)
    if as_json:
        print(json.dumps(document))
    else:
        print_status(document)
    return 1 if found.trouble else 0


def _document(name: str, found: Status, recoveries: list[dict[str, Any]]) -> dict[str, Any]:
    """What `soulfra status NAME --json` prints."""
    return {
        "name": name,
        "state": _word(found),
        "boundary": msgspec.to_builtins(found.boundary),
        "epoch": found.epoch,
        "trouble": found.trouble,
        "waiting": list(found.waiting),
        "notices": list(found.notices),
        "realms": [
            {key: game[key] for key in ("realm_id", "kind", "state", "local_tick", "recovery", "error")}
            for game in found.state["games"]
        ],
        "events_propagated": found.state["events_propagated"],
        "dead_letters": found.state["dead_letters"],
        "lateness": msgspec.to_builtins(found.lateness),
        "recoveries": recoveries[-RECOVERIES_SHOWN_MAX:],
        "digest_chain": found.chain,
    }


def _word(found: Status) -> str:
    if found.trouble:
        return "broken off"
    if found.waiting:
        return "waiting"
    return "running" if found.running else "paused"


def down(name: str, address: str) -> int:
    """Ends a multiverse at a boundary; its vault stays."""
    checked_name(name)
    with _wrong_use(), connected(address):
        engine = RayEngine.found(name, address, standing=False)
        last = engine.stopped()
        vault = engine.begin("about")
        where = f" Its history is in {vault.result().vault}." if vault.wait(0.5) and not last.trouble else ""
        engine.end()
    print(f"{name} is down; it stood at control tick {last.boundary.control_tick}.{where}")
    return 0


@contextlib.contextmanager
def attached(name: str, address: str) -> Iterator[Multiverse]:
    """The driver of a multiverse that is up.

    Raises:
        SettingsError: the cluster cannot be reached.
        UnknownMultiverseError: it is not up.
    """
    checked_name(name)
    with _wrong_use(), connected(address):
        mv = Multiverse.attach(name, address)
    with mv:
        yield mv


@contextlib.contextmanager
def _wrong_use() -> Iterator[None]:
    """A cluster that cannot be reached, or a vault that cannot be opened, is for whoever typed the command to mend."""
    try:
        yield
    except (EngineError, VaultError) as error:
        raise SettingsError(error.message) from error
