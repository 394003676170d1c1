"""PHOLD: 16 logical processes in 1, 2, 4 and 16 operating-system processes, and what that is worth.

    python -m benchmarks.phold [--units 1000] [--work-us 0,100] [--processes 1,2,4,16] [--json FILE]

Counted are events handled in (0, units]; with HELICS's parameters (16 events for each logical process, 10 % remote, mean
delay 0.9 after a lookahead of 0.1, which is one control tick) theory has 255,976 ± 1,370 (3 σ) for 1,000 units. Count and
digest must be the same however the logical processes are shared out. An empty event loop in one process is quicker than
any of this when events do no work; what is measured here is what an exact order of events over processes costs.

In lockstep a control tick lasts as long as its busiest process. Two processes have 12.8 events each in it on average, and
the busier one 14.8 (both are Poisson): more than 1.73 times the speed of one cannot be had with two, whatever messages cost.
With more processes than cores the operating system shares the work out better, until messages cost more than that gains.

How long the work takes is measured first, on this machine; what its cores are worth, before and after, by plain processes
that do that work and nothing else.
"""

import math
import multiprocessing
import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from actors.core.kernel.states import Records
from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from benchmarks.realms.pholds import toil
from benchmarks.settling import settle
from orchestration.multiverse import Multiverse

LOGICAL_PROCESSES = 16
EVENTS_EACH = 16
TICKS_PER_UNIT = 10
LOOKAHEAD, MEAN_DELAY = 0.1, 0.9
CALIBRATION_ROUNDS = 100_000
BARE_ROUNDS = 20_000_000
REALMS = Path(__file__).resolve().parent / "realms"


def expected(units: float) -> tuple[float, float]:
    """How many events theory has in so many units of time, and three standard deviations of it.

    Each of the events that are always there is a renewal process whose periods have the mean `LOOKAHEAD + MEAN_DELAY` and
    the standard deviation `MEAN_DELAY` (W. Feller, "An Introduction to Probability Theory", volume 2, chapter 11).
    """
    chains, mean = LOGICAL_PROCESSES * EVENTS_EACH, LOOKAHEAD + MEAN_DELAY
    count = chains * (units / mean + (MEAN_DELAY**2 - mean**2) / (2 * mean**2))
    return count, 3 * math.sqrt(chains * units * MEAN_DELAY**2 / mean**3)


def rounds_per_us() -> float:
    """How many rounds of work fit into a microsecond on this machine; the best of several tries."""

    def once() -> float:
        begun = time.perf_counter()
        toil(CALIBRATION_ROUNDS)
        return time.perf_counter() - begun

    return CALIBRATION_ROUNDS / min(once() for _ in range(20)) / 1e6


def speed_of_cores() -> float:
    """How many times as fast as one a plain process for each core does the work, nobody waiting for anybody."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    alone_s = _toil_in(1)
    return cores * alone_s / _toil_in(cores)


def _toil_in(processes: int) -> float:
    spawned = multiprocessing.get_context("spawn")
    with spawned.Pool(processes) as pool:
        pool.map(toil, [1] * processes)  # they have started
        begun = time.perf_counter()
        pool.map(toil, [BARE_ROUNDS] * processes, chunksize=1)
        return time.perf_counter() - begun


def measure(
    processes: int, units: int, work_us: int, seed: int = 1, engine: str = "ray", rounds: int = 0
) -> dict[str, Any]:
    """Runs PHOLD and returns what came out of it.

    Args:
        processes: operating-system processes, each one realm with its share of the logical processes.
        units: simulated time.
        work_us: about how long the handling of one event takes.
        seed: of the multiverse.
        engine: "ray", or "local" for no process of their own at all.
        rounds: of work for each event, which take that long.
    """
    each = LOGICAL_PROCESSES // processes
    realms = [f"lp_{at:02}" for at in range(processes)]
    with Multiverse(
        seed,
        engine=engine,
        control_tick_interval_ticks=1,
        realm_paths=[REALMS],
        realms_expected=processes,
        traces_max=0,
    ) as mv:
        for at, realm_id in enumerate(realms):
            params = {
                "first": at * each,
                "processes": each,
                "total": LOGICAL_PROCESSES,
                "realms": realms,
                "events": EVENTS_EACH,
                "rounds": rounds,
            }
            mv.register_game(realm_id, "pholds:Phold", params=params)
        if engine == "ray":
            settle()
        begun = time.perf_counter()
        mv.advance_to(units * TICKS_PER_UNIT)
        elapsed_s = time.perf_counter() - begun
        for game in mv.get_multiverse_state()["games"]:
            if game["error"]:
                raise SystemExit(f"{game['realm_id']} is in error: {game['error']}")
        held: dict[int, Any] = {}
        for realm_id in realms:
            section = mv.state_of(realm_id)["processes"]
            assert isinstance(section, Records)
            held |= {int(number): record for number, record in section.objects.items()}
    handled = sum(record["handled"] for record in held.values())
    digest = sha256(b"".join(held[number]["digest"] for number in sorted(held))).hexdigest()
    return {
        "engine": engine,
        "processes": processes,
        "work_us": work_us,
        "units": units,
        "events": handled,
        "digest": digest,
        "elapsed_s": elapsed_s,
        "events_per_s": handled / elapsed_s,
    }


def _table(rows: list[dict[str, Any]]) -> None:
    print(f"{'engine':8}{'processes':>10}{'work µs':>9}{'events':>10}{'events/s':>12}{'× one':>8}  digest")
    for row in rows:
        one = next(r for r in rows if r["engine"] == row["engine"] and r["work_us"] == row["work_us"])
        speed = row["events_per_s"] / one["events_per_s"]
        print(
            f"{row['engine']:8}{row['processes']:>10}{row['work_us']:>9}{row['events']:>10,}{row['events_per_s']:>12,.0f}"
            f"{speed:>8.2f}  {row['digest'][:16]}"
        )


def main(arguments: list[str] | None = None) -> int:
    """See the module; 1 if counts or digests disagree with each other or with theory."""
    parser = parser_of("phold", __doc__)
    parser.add_argument("--units", type=int, default=1_000, help="simulated time")
    parser.add_argument("--work-us", default="0,100", help="work for each event")
    parser.add_argument("--processes", default="1,2,4,16", help="operating-system processes; each divides 16")
    options = parser.parse_args(arguments)
    shares = [int(share) for share in options.processes.split(",")]
    if options.units < 1 or any(share < 1 or LOGICAL_PROCESSES % share for share in shares):
        parser.error("--units must be 1 or more, and --processes divisors of 16")
    rows = []
    per_us, cores = rounds_per_us(), [speed_of_cores()]
    for work_us in map(int, options.work_us.split(",")):
        rounds = round(work_us * per_us)
        rows.append(measure(1, options.units, work_us, engine="local", rounds=rounds))
        for share in shares:
            rows.append(measure(share, options.units, work_us, rounds=rounds))
            print(f"{share} processes, {work_us} µs: {rows[-1]['elapsed_s']:.1f} s", file=sys.stderr)
    cores.append(speed_of_cores())
    found = machine(["ray", "pyzmq", "numpy"])
    print(in_words(found))
    _table(rows)
    print(
        f"plain processes, one a core, do the work {cores[0]:.2f} × (before) and {cores[1]:.2f} × (after) as fast as one"
    )
    count, three_sigma = expected(options.units)
    agree = len({(row["events"], row["digest"]) for row in rows}) == 1
    within = abs(rows[0]["events"] - count) <= three_sigma
    print(f"theory: {count:,.0f} ± {three_sigma:,.0f} (3 σ): {'within' if within else 'OUTSIDE'}")
    print(f"counts and digests: {'all equal' if agree else 'DIFFERENT'}")
    write_figures(
        options.json, {"machine": found, "expected": count, "three_sigma": three_sigma, "cores": cores, "rows": rows}
    )
    return 0 if agree and within else 1


if __name__ == "__main__":
    sys.exit(main())
