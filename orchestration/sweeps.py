"""Sweeps: what would come of it if. From one boundary many branches, each with other modifications, into one tidy table.

The branches are headless: each lives in one process on the local engine, as a Ray task somewhere on the cluster. The rows
are those that a live run with the same modification would have shown. The boundary is lived up to once, for all of them.
"""

import csv
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors import factories
from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.errors import CommandRefusedError, SettingsError, SoulfraError, UnknownMemberError
from actors.core.kernel.modifications import by_member, modified
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import decode_state
from actors.headless import Headless
from actors.keyframes import Standing
from actors.pasts import PastChronicle, standing_at
from actors.vaults.openings import open_vault
from orchestration.series import checked_series_path, replacing
from orchestration.tidy_tables import write_csv, write_parquet
from orchestration.vault_files import existing_vault

BRANCHES_MAX = 100_000
AHEAD = 2
"""Tasks for each core that Ray knows of at once: a worker that ends one finds the next, and waits for nobody."""
CHAIN = "digest_chain"
LEADING = ("branch", "control_tick")

Changes = Mapping[str, Any]
"""Dotted path, beginning with the member's id, to value."""
Row = dict[str, Any]


class Origin(msgspec.Struct, frozen=True):
    """Where all branches begin.

    Attributes:
        settings: what their history depends on.
        epoch: of the multiverse.
        realm_paths: users' folders for factories.
        standing: how everything stood.
    """

    settings: Settings
    epoch: int
    realm_paths: tuple[str, ...]
    standing: Standing


class Plan(msgspec.Struct, frozen=True):
    """What every branch does.

    Attributes:
        control_ticks: how long it lives.
        measures: what is collected, as (member id, measure); none means all.
        every: it is collected every so many control ticks; 0 means at the end.
    """

    control_ticks: int
    measures: tuple[tuple[str, str], ...] = ()
    every: int = 0


def sweep(
    vault: str | Path,
    name: str,
    table: Sequence[Changes],
    control_ticks: int,
    *,
    snapshot: str = "",
    control_tick: int | None = None,
    branch: str = "",
    measures: Sequence[str] = (),
    every: int = 0,
    engine: str = "ray",
    address: str = "",
    realm_paths: Sequence[str | Path] = (),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Row]:
    """Lives a branch for each modification of a table, and collects measures.

    Args:
        vault: where the history is kept.
        name: of the multiverse.
        table: for each branch its modifications: dotted path, beginning with the member's id, to value. An empty one is
            the history as it would go on.
        control_ticks: how long each lives.
        snapshot: where they begin.
        control_tick: or else: the boundary after this control tick, before its commands.
        branch: of which history; "" for the one that the multiverse lives on.
        measures: `member.measure` each; none means all that there are.
        every: collect them every so many control ticks, not only at the end.
        engine: "ray", as tasks on a cluster; "local", one after another in this process.
        address: of the cluster; "" means `RAY_ADDRESS`, else the one on this machine, else one is started.
        realm_paths: more folders with users' own realm modules.
        progress: is told how many branches are done, of how many.

    Returns:
        Rows in the order of the table: branch (from 1), the modifications, control_tick, the measures as `member.measure`,
        digest_chain; and error, with what went wrong in a realm, if anything did.

    Raises:
        CommandRefusedError: a path that leads nowhere, a value of another kind, or an unknown measure: nothing was run. Or
            a realm cannot be made from what one of the branches would have it be.
        SoulfraError: the boundary cannot be had.
    """
    plan = _plan(table, control_ticks, measures, every, engine)
    origin = origin_of(vault, name, snapshot, control_tick, branch, tuple(str(path) for path in realm_paths))
    _check(origin, table, plan)
    done: dict[int, list[Row]] = {}
    live = _on_ray(address) if engine == "ray" else _here
    for number, rows in live(origin, table, plan):
        done[number] = rows
        progress(len(done), len(table))
    return [row for number in sorted(done) for row in done[number]]


def live_branch(origin: Origin, number: int, changes: Changes, plan: Plan) -> list[Row]:
    """One branch, in this process: its rows."""
    factories.add_realm_paths(origin.realm_paths)
    rows: list[Row] = []
    with Headless(origin.settings, origin.epoch, origin.realm_paths) as lived:
        lived.become(origin.standing)
        try:
            for member_id, some in sorted(_by_member(changes, origin.standing.members).items()):
                lived.modify(member_id, some)
        except SoulfraError as error:
            raise type(error)(f"branch {number} of the sweep: {error.message}") from None
        left = plan.control_ticks
        while left:
            step = min(left, plan.every or left)
            lived.run(step)
            left -= step
            rows.append(_row(lived, number, changes, plan))
    return rows


def _row(lived: Headless, number: int, changes: Changes, plan: Plan) -> Row:
    found = lived.measures()
    wanted = plan.measures or [(member_id, name) for member_id, some in sorted(found.items()) for name in sorted(some)]
    errors = lived.errors()
    return {
        "branch": number,
        **changes,
        "control_tick": lived.boundary.control_tick,
        **{f"{member_id}.{name}": found.get(member_id, {}).get(name) for member_id, name in wanted},
        CHAIN: lived.chain,
        **({"error": "; ".join(f"{one}: {why}" for one, why in sorted(errors.items()))} if errors else {}),
    }


def origin_of(
    vault: str | Path, name: str, snapshot: str, control_tick: int | None, branch: str, realm_paths: tuple[str, ...]
) -> Origin:
    """How everything stood at a boundary, lived up to in this process.

    Raises:
        SoulfraError: it cannot be had.
    """
    from orchestration.time_trees import taken_in

    if (control_tick is None) != bool(snapshot) or (snapshot and branch):
        raise CommandRefusedError("a sweep begins at a control tick, or else at a snapshot.")
    with open_vault(existing_vault(vault)) as opened:
        position = None
        if snapshot:
            taken = taken_in(opened, name, snapshot)
            control_tick, branch, position = taken.control_tick, taken.branch, taken.position
        past = PastChronicle(opened, name, control_tick, branch, position)  # type: ignore[arg-type]
        paths = tuple(dict.fromkeys((*realm_paths, *past.realm_paths)))
        factories.add_realm_paths(paths)
        _, standing = standing_at(past, paths)
        return Origin(past.settings, past.epoch, paths, standing)


# ------------------------------------------------------------------------------------------------------------- checks


def _plan(table: Sequence[Changes], control_ticks: int, measures: Sequence[str], every: int, engine: str) -> Plan:
    for value, what, least in ((control_ticks, "control_ticks", 1), (every, "every", 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SettingsError(f"{what} must be a whole number from {least} upwards, not {value!r}.")
    if not isinstance(table, Sequence) or isinstance(table, str) or not all(isinstance(one, Mapping) for one in table):
        raise SettingsError(f"the table must be a list of maps of path to value, not {table!r:.80}.")
    if paths := [path for one in table for path in one if not isinstance(path, str)]:
        raise SettingsError(f"a path must be text, not {paths[0]!r:.80}.")
    if not 1 <= len(table) <= BRANCHES_MAX:
        raise SettingsError(f"a sweep has from 1 to {BRANCHES_MAX:,} branches, not {len(table):,}.")
    if engine not in ("ray", "local"):
        raise SettingsError(f"engine must be one of ray, local, not {engine!r}.")
    return Plan(control_ticks, tuple(_measure(one) for one in measures), every)


def _measure(text: str) -> tuple[str, str]:
    member_id, dot, name = text.partition(".")
    if not dot or not member_id or not name:
        raise SettingsError(f"a measure must read member.measure, for example sol_1.wealth, not {text!r}.")
    return member_id, name


def _by_member(changes: Changes, members: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    def refusal(path: str, member_id: str) -> UnknownMemberError:
        known = ", ".join(sorted(members))
        return UnknownMemberError(f"{path!r}: there is no member {member_id!r} then; there are {known}.")

    return by_member(changes, members, refusal)


def _check(origin: Origin, table: Sequence[Changes], plan: Plan) -> None:
    """Finds out what would be refused before anything is run."""
    members = origin.standing.members
    states = {
        member_id: decode_state(kept.checkpoint.document)
        for member_id, kept in members.items()
        if kept.checkpoint is not None
    }
    for number, changes in enumerate(table, 1):
        try:
            for member_id, some in _by_member(changes, members).items():
                if member_id not in states:
                    raise CommandRefusedError(f"the state of {member_id} cannot be modified: it cannot be captured.")
                modified(states[member_id], some)
        except SoulfraError as error:
            raise type(error)(f"branch {number} of the sweep: {error.message}") from None
    if not plan.measures:
        return
    with Headless(origin.settings, origin.epoch, origin.realm_paths) as lived:
        lived.become(origin.standing)
        shown = lived.measures()
    for member_id, name in plan.measures:
        if member_id not in members:
            known = ", ".join(sorted(set(members) - {PLAYERS}))
            raise UnknownMemberError(f"there is no member {member_id!r} to measure; there are {known}.")
        if name not in shown[member_id]:
            known = ", ".join(sorted(shown[member_id])) or "none"
            raise CommandRefusedError(f"{member_id} has no measure {name!r}; it has {known}.")


# ------------------------------------------------------------------------------------------------------------ engines

Branches = Iterator[tuple[int, list[Row]]]


def _here(origin: Origin, table: Sequence[Changes], plan: Plan) -> Branches:
    for number, changes in enumerate(table, 1):
        yield number, live_branch(origin, number, changes, plan)


def _on_ray(address: str) -> Callable[[Origin, Sequence[Changes], Plan], Branches]:
    def branches(origin: Origin, table: Sequence[Changes], plan: Plan) -> Branches:
        import ray

        from orchestration.ray_engines import cluster

        with cluster(address, os.cpu_count() or 1):
            task = ray.remote(num_cpus=1, max_retries=3)(live_branch)
            there = ray.put(origin)
            waiting = iter(enumerate(table, 1))
            resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
            most = max(1, int(resources.get("CPU", 1)))
            running: dict[Any, int] = {}
            while True:
                for number, changes in itertools.islice(waiting, AHEAD * most - len(running)):
                    running[task.remote(there, number, dict(changes), plan)] = number
                if not running:
                    return
                (ready, *_), _ = ray.wait(list(running))
                try:
                    rows = ray.get(ready)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause if isinstance(error.cause, SoulfraError) else error from None
                yield running.pop(ready), rows

    return branches


# ------------------------------------------------------------------------------------------------------------- tables


def grid(varied: Sequence[str]) -> list[Row]:
    """Every combination of `path=value,value,…`, the last varying fastest.

    Raises:
        SettingsError: one that does not read so.
    """
    axes: list[list[tuple[str, Any]]] = []
    for text in varied:
        path, equals, values = text.partition("=")
        if not equals or not path or not values:
            raise SettingsError(
                f"--vary must read PATH=VALUE,VALUE,…, for example sol_1.npcs.*.thrift=0,50,100, not {text!r}."
            )
        axes.append([(path, _value(value)) for value in values.split(",")])
    return [dict(some) for some in itertools.product(*axes)]


def read_table(path: str | Path) -> list[Row]:
    """The modifications of a CSV file: a column for each path, a row for each branch; an empty cell changes nothing.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"the table {str(path)!r} cannot be read: {error}.") from None
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise SettingsError(f"line {number} of {str(path)!r} has not as many cells as the first line.")
    return [{key: _value(cell) for key, cell in row.items() if cell != ""} for row in rows]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def write_rows(path: str | Path, rows: Sequence[Row]) -> None:
    """Writes rows as a tidy table, CSV or Parquet by the suffix; see `orchestration.series` for what becomes of text.

    Raises:
        SettingsError: the file cannot be written.
    """
    target = checked_series_path(path)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(target) as file:
        (write_parquet if target.suffix == ".parquet" else write_csv)(file, columns, rows)
