"""Idle: what a million control ticks in which nothing happens leave behind in memory.

    python -m benchmarks.idle [--engine local] [--realms 3] [--control-ticks 1000000] [--warm-up 200000] [--json FILE]

Memory is the proportional set size (PSS) of the clock's process and of all hosts. The clock keeps the newest control ticks
for reports, up to `logbook_bytes_max`; here that is little, and it is full before anything is measured. Exits with 1 if memory
has grown by more than 1 %.
"""

import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.capacity import pss_mib
from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from orchestration import Multiverse

SLICE = 5_000
LOGBOOK_BYTES = 1 << 20
SAMPLES, SETTLED = 20, 20
"""Memory goes up and down with what is kept until the next checkpoint: the highest of so many slices is compared."""
WARM_UP = (SETTLED + SAMPLES) * SLICE
"""Enough to fill the logbook. The heap of a clock on Ray goes on to find its size for up to a million more."""
GROWTH_MAX = 0.01


def measure(engine: str, realms: int, control_ticks: int, warm_up: int) -> dict[str, Any]:
    """Lives so many control ticks after so many to warm up; memory before and after."""
    folder = Path(__file__).parent / "realms"
    with Multiverse(1, engine=engine, realm_paths=[folder], logbook_bytes_max=LOGBOOK_BYTES) as mv:
        for realm in range(realms):
            mv.register_game(f"idle_{realm:03}", "idles:Idle")
        processes = {member["process_id"] for member in mv.members()} | {mv.about.process_id}
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("idle", total=warm_up + control_ticks)
            taken_mib = []
            for begun in range(0, warm_up + control_ticks, SLICE):
                if begun == warm_up:
                    first_s = time.perf_counter()
                mv.run(SLICE)
                taken_mib.append(_mib(processes))
                progress.advance(task, SLICE)
            elapsed_s = time.perf_counter() - first_s
        first_mib, last_mib = max(taken_mib[warm_up // SLICE - SAMPLES : warm_up // SLICE]), max(taken_mib[-SAMPLES:])
        dropped = mv.series()[1]
    return {
        "engine": engine,
        "realms": realms,
        "control_ticks": control_ticks,
        "warm_up": warm_up,
        "elapsed_s": elapsed_s,
        "first_mib": first_mib,
        "rows_dropped": dropped,
        "last_mib": last_mib,
        "growth": last_mib / first_mib - 1,
    }


def _mib(processes: set[int]) -> float:
    return sum(map(pss_mib, processes))


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("idle", __doc__)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--realms", type=int, default=3)
    parser.add_argument("--control-ticks", type=int, default=1_000_000)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="control ticks before memory is first looked at")
    options = parser.parse_args(arguments)
    if options.realms < 1 or options.control_ticks < SLICE or options.control_ticks % SLICE:
        parser.error(f"--realms must be 1 or more, --control-ticks a multiple of {SLICE}")
    if options.warm_up < WARM_UP or options.warm_up % SLICE:
        parser.error(f"--warm-up must be at least {WARM_UP:,}, and a multiple of {SLICE:,}")
    row = measure(options.engine, options.realms, options.control_ticks, options.warm_up)
    found = machine(["ray", "pyzmq"])
    print(in_words(found))
    print(
        f"{row['engine']} engine, {row['realms']} realms: {row['first_mib']:.2f} MiB after {row['warm_up']:,} control ticks, "
        f"{row['last_mib']:.2f} after {row['control_ticks']:,} idle ones more ({row['elapsed_s']:.0f} s): {row['growth']:+.2%}"
    )
    write_figures(options.json, {"machine": found, "row": row})
    return 0 if row["growth"] <= GROWTH_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
