"""Strict lockstep side by side: Soulfra's lanes, HELICS, mosaik, xoscar, plain Ray and bare ZeroMQ, in one run.

    python -m benchmarks.lockstep [--members 3,8,20] [--only helics,ours] [--rounds N] [--quick] [--json FILE]

N members, each a process, in a ring: one event per member per control tick, heard one control tick later, checked and
counted; members do nothing else. A row that does not check has no figures. See `benchmarks/peers`.
"""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.command_lines import write_figures
from benchmarks.machines import in_words, machine
from benchmarks.peers import helics_ring, mosaik_ring, ray_ring, soulfra_ring, xoscar_ring, zmq_ring
from benchmarks.peers.alone import CONTROL_TICKS, WARMUP, OneLineParser, control_ticks, count, end_on_terminate, members
from benchmarks.peers.apart import Peer
from benchmarks.peers.rows import Row

Measure = Callable[[int, int, int, str], Row]

PEERS: dict[str, tuple[Peer, Measure]] = {
    "ours": (soulfra_ring.PEER, soulfra_ring.measure),
    "helics": (helics_ring.PEER, helics_ring.measure),
    "mosaik": (mosaik_ring.PEER, mosaik_ring.measure),
    "xoscar": (xoscar_ring.PEER, xoscar_ring.measure),
    "ray": (ray_ring.PEER, ray_ring.measure),
    "zmq": (zmq_ring.PEER, zmq_ring.measure),
}
MEMBERS = (3, 8, 20)
QUICK_CONTROL_TICKS, QUICK_WARMUP = 300, 50
OURS = (("Soulfra", "zmq"), ("Soulfra", "ray"))
"""What the others are compared with: the first of these that has figures."""
DISTRIBUTIONS = ("ray", "pyzmq", "msgspec", "helics", "mosaik", "mosaik-api-v3", "xoscar", "uvloop")
LEGEND = (
    "µs of wall time per control tick. × ours: the mean beside that of {reference}; above 1 ours is quicker.\n"
    "apart: how many control ticks the first member was ever ahead of the last. 1 is strict lockstep; above it members wait\n"
    "for their neighbours only, which is less work, and their percentiles tell of bursts: compare the mean."
)


def collect(
    names: Sequence[str], sizes: Sequence[int], ticks: int, warmup: int, rounds: int, show: Callable[[str, int], None]
) -> list[Row]:
    """Measures every configuration of these peers at all sizes; rounds take turns, and `best` chooses among them.

    `show` is told what begins and how many measurements there are in all.
    """
    plan = [
        (size, configuration, *PEERS[name])
        for size in sizes
        for name in names
        for configuration in PEERS[name][0].configurations
    ]
    found: dict[tuple[str, str, int], list[Row]] = {}
    for number in range(1, rounds + 1):
        for size, configuration, peer, measure in plan:
            again = f", round {number} of {rounds}" if rounds > 1 else ""
            show(f"N={size}, {peer.name}, {configuration}{again}", len(plan) * rounds)
            key = (peer.name, configuration, size)
            if not any(row.mean_us is None for row in found.get(key, [])):  # what cannot run will not run the next time
                found.setdefault(key, []).append(measure(size, ticks, warmup, configuration))
    return [best(rows) for rows in found.values()]


def best(rows: Sequence[Row]) -> Row:
    """Of several rounds the one with the least mean, since what else a machine does only ever adds; void if one is void."""
    without = [row for row in rows if row.mean_us is None]
    return without[0] if without else min(rows, key=lambda row: row.mean_us or 0.0)


def reference(rows: Iterable[Row], size: int) -> Row | None:
    """Our row that the others of this size are compared with."""
    ours = {(row.peer, row.configuration): row for row in rows if row.members == size and row.mean_us is not None}
    return next((ours[key] for key in OURS if key in ours), None)


def tables(rows: Sequence[Row]) -> list[Table]:
    """A table for each size, in the order of the rows."""
    return [_table(rows, size) for size in dict.fromkeys(row.members for row in rows)]


def _table(rows: Sequence[Row], size: int) -> Table:
    ours = reference(rows, size)
    table = Table(title=f"N = {size}", title_justify="left")
    table.add_column("peer")
    table.add_column("configuration")
    for heading in ("p50", "p99", "p99.9", "mean", "× ours", "apart"):
        table.add_column(heading, justify="right")
    table.add_column("note")
    for row in rows:
        if row.members == size:
            figures = [_figure(value) for value in (row.p50_us, row.p99_us, row.p999_us, row.mean_us)]
            far = "" if row.apart_ticks is None else str(row.apart_ticks)
            table.add_row(row.peer, row.configuration, *figures, _ratio(row, ours), far, row.note)
    return table


def _figure(value_us: float | None) -> str:
    return "" if value_us is None else f"{value_us:,.0f}"


def _ratio(row: Row, ours: Row | None) -> str:
    if row.mean_us is None or ours is None or ours.mean_us is None:
        return ""
    return f"{row.mean_us / ours.mean_us:.2f}"


def document(rows: Sequence[Row], where: dict[str, Any], options: dict[str, Any], elapsed_s: float) -> dict[str, Any]:
    """The report, for JSON."""
    return {
        "machine": where,
        "options": options,
        "rows": [msgspec.to_builtins(row) for row in rows],
        "elapsed_s": round(elapsed_s, 3),
    }


def _options(arguments: Sequence[str] | None) -> Any:
    options = OneLineParser(prog="python -m benchmarks.lockstep", description=__doc__.splitlines()[0])
    options.add_argument(
        "--members", type=_list_of(members), default=MEMBERS, metavar="N,N", help="sizes of the ring, 3,8,20"
    )
    options.add_argument(
        "--only", type=_list_of(_peer), default=tuple(PEERS), metavar="PEER,PEER", help=f"of {', '.join(PEERS)}"
    )
    options.add_argument("--control-ticks", type=control_ticks, help=f"to measure, {CONTROL_TICKS:,}")
    options.add_argument("--warmup", type=count(1, 1_000_000), help=f"control ticks before those, {WARMUP}")
    options.add_argument("--rounds", type=count(1, 100), default=1, help="measure so often, and keep each row's best")
    options.add_argument(
        "--quick", action="store_true", help=f"{QUICK_CONTROL_TICKS} control ticks after {QUICK_WARMUP}"
    )
    options.add_argument("--json", type=_writable, metavar="FILE", help="write the report there as JSON")
    chosen = options.parse_args(arguments)
    chosen.control_ticks = chosen.control_ticks or (QUICK_CONTROL_TICKS if chosen.quick else CONTROL_TICKS)
    chosen.warmup = chosen.warmup or (QUICK_WARMUP if chosen.quick else WARMUP)
    return chosen


def _list_of(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    def read_all(text: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(read(part.strip()) for part in text.split(",")))

    return read_all


def _peer(text: str) -> str:
    if text not in PEERS:
        raise ArgumentTypeError(f"there is no peer {text!r}; peers are {', '.join(PEERS)}")
    return text


def _writable(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise ArgumentTypeError(f"{text!r} cannot be written: it is a folder, or its folder is not there")
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and writes the report if asked to."""
    chosen = _options(arguments)
    begun, where = time.perf_counter(), machine(DISTRIBUTIONS)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(what: str, total: int) -> None:
            progress.update(task, description=what, total=total, advance=1)

        rows = collect(chosen.only, chosen.members, chosen.control_ticks, chosen.warmup, chosen.rounds, show)
    report = document(rows, where, _plain(chosen), time.perf_counter() - begun)
    _print(report, rows)
    write_figures(chosen.json, report)


def _plain(chosen: Any) -> dict[str, Any]:
    return {
        "members": list(chosen.members),
        "only": list(chosen.only),
        "control_ticks": chosen.control_ticks,
        "warmup": chosen.warmup,
        "rounds": chosen.rounds,
    }


def _print(report: dict[str, Any], rows: Sequence[Row]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)  # a file has room for the notes
    console.print(in_words(report["machine"]), highlight=False)
    for table in tables(rows):
        console.print()
        console.print(table)
    ours = next(filter(None, (reference(rows, row.members) for row in rows)), None)
    told = "ours, which has no figures here" if ours is None else f"{ours.peer}, {ours.configuration}"
    console.print(LEGEND.format(reference=told), highlight=False)
    console.print(f"{report['options']['control_ticks']:,} control ticks a row; {report['elapsed_s']:.0f} s in all.")


if __name__ == "__main__":
    end_on_terminate()
    main()
