"""Sweeps: many branches from one boundary, beside the bare time of their control ticks.

    python -m benchmarks.sweeps [--npcs 1000] [--burn-in 900] [--branches 100] [--control-ticks 100] [--repeats 3] [--json FILE]

A City lives `burn-in` control ticks with its vault in a file; then so many branches of so many control ticks, each with another
thrift, are swept from there on as many workers as the machine has cores. Compared is the time of both with the bare time of
the same control ticks: those of the branches in as many plain processes as there are cores, all at once and with nothing
else counted, half of them before the sweep and half after it; those of the burn-in shared over the cores, which they cannot
really be. Starting each branch anew would live the burn-in every time. Ray is started before anything is measured. The
rows of three branches are compared with those of runs by hand. All of it is measured several times, for a plain process is
up to a fifth slower at one moment than at another; told are every ratio and their median.
"""

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from actors.headless import Headless
from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from orchestration import Multiverse
from orchestration.ray_engines import cluster
from orchestration.sweeps import origin_of, sweep

CITY = "actors.core.realms.city:City"
THRIFTS = 100


def measure(npcs: int, burn_in: int, branches: int, control_ticks: int) -> dict[str, Any]:
    """Lives it both ways."""
    cores = os.cpu_count() or 1
    table = [{"city.npcs.*.thrift": number % (THRIFTS + 1)} for number in range(branches)]
    with Multiverse(1, engine="local") as mv:
        mv.register_game("city", CITY, params={"npcs": npcs})
        begun = time.perf_counter()
        mv.run(burn_in)
        bare_burn_in_s = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder, cluster("", cores):
        vault = Path(folder) / "city.sqlite"
        sweep_warm(vault)
        with Multiverse(1, engine="local", name="city", vault=vault) as mv:
            mv.register_game("city", CITY, params={"npcs": npcs})
            begun = time.perf_counter()
            mv.run(burn_in)
            mv.snapshot("burnt in")
            burn_in_s = time.perf_counter() - begun
        plain_s = plainly(vault, table[::2], control_ticks, cores)
        begun = time.perf_counter()
        rows = sweep(vault, "city", table, control_ticks, snapshot="burnt in", measures=["city.wealth"])
        sweep_s = time.perf_counter() - begun
        plain_s += plainly(vault, table[1::2], control_ticks, cores)
        with Multiverse(1, engine="local", name="city", vault=vault) as mv:
            for number in (0, branches // 2, branches - 1):
                mv.revert(snapshot="burnt in")
                mv.modify("city", {"npcs.*.thrift": table[number]["city.npcs.*.thrift"]})
                mv.run(control_ticks)
                if mv.digest_chain() != rows[number]["digest_chain"]:
                    raise SystemExit(f"branch {number + 1} is not what a run by hand is; these figures are void.")
    bare_s = bare_burn_in_s / cores + plain_s
    return {
        "npcs": npcs,
        "branches": branches,
        "control_ticks": burn_in + branches * control_ticks,
        "anew": branches * (burn_in + control_ticks),
        "bare_tick_ms": plain_s / (branches * control_ticks) * cores * 1e3,
        "burn_in_s": burn_in_s,
        "sweep_s": sweep_s,
        "bare_s": bare_s,
        "ratio": (burn_in_s + sweep_s) / bare_s,
        "sweep_ratio": sweep_s / plain_s,
    }


def plainly(vault: Path, table: list[dict[str, Any]], control_ticks: int, cores: int) -> float:
    """Seconds for the control ticks of some branches in as many processes at once, but for what is before and after them."""
    shares = [table[number::cores] for number in range(cores)]
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn"), initializer=imported) as pool:
        there = [pool.submit(time.sleep, 0.5) for _ in range(cores)]
        for one in there:
            one.result()
        return sum(pool.map(lived_plainly, [vault] * cores, shares, [control_ticks] * cores)) / cores


def imported() -> None:
    """Fetches what a City needs."""
    with Multiverse(1, engine="local") as mv:
        mv.register_game("city", CITY, params={"npcs": 10})
        mv.run(1)


def lived_plainly(vault: Path, table: list[dict[str, Any]], control_ticks: int) -> float:
    """Seconds for the control ticks of some branches, one after another in this process."""
    origin = origin_of(vault, "city", "burnt in", None, "", ())
    took_s = 0.0
    for changes in table:
        with Headless(origin.settings, origin.epoch, ()) as lived:
            lived.become(origin.standing)
            lived.modify("city", {path.removeprefix("city."): value for path, value in changes.items()})
            begun = time.perf_counter()
            lived.run(control_ticks)
            took_s += time.perf_counter() - begun
    return took_s


def sweep_warm(vault: Path) -> None:
    """Lets Ray start its workers and fetch what they import."""
    there = vault.with_name("warm.sqlite")
    with Multiverse(1, engine="local", name="warm", vault=there) as mv:
        mv.register_game("city", CITY, params={"npcs": 10})
        mv.run(1)
    sweep(there, "warm", [{}] * 8, 1, control_tick=1)


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("sweeps", __doc__)
    parser.add_argument("--npcs", type=int, default=1_000)
    parser.add_argument("--burn-in", type=int, default=900)
    parser.add_argument("--branches", type=int, default=100)
    parser.add_argument("--control-ticks", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    if min(options.npcs, options.branches, options.control_ticks, options.repeats) < 1 or options.burn_in < 10:
        parser.error("--npcs, --branches, --control-ticks and --repeats must be 1 or more, --burn-in 10 or more")
    found = machine(["ray", "numpy"])
    print(in_words(found))
    rows = []
    for _ in range(options.repeats):
        row = measure(options.npcs, options.burn_in, options.branches, options.control_ticks)
        rows.append(row)
        print(
            f"{row['branches']} branches, {row['control_ticks']:,} control ticks of {row['bare_tick_ms']:.2f} ms in all: "
            f"burn-in {row['burn_in_s']:.1f} s, sweep {row['sweep_s']:.1f} s; bare over {found['cores']} cores "
            f"{row['bare_s']:.1f} s: {row['ratio']:.2f} × (the sweep alone {row['sweep_ratio']:.2f} ×); anew it were "
            f"{row['anew']:,} control ticks",
            flush=True,
        )
    ratio = statistics.median(row["ratio"] for row in rows)
    print(f"median of {len(rows)}: {ratio:.2f} × bare")
    write_figures(options.json, {"machine": found, "ratio": ratio, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
