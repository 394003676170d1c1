"""What control ticks cost beyond the bare lockstep: windows, commands, large states. Ours only, on the zmq lane.

    python -m benchmarks.costs [--realms 3,20] [--control-ticks 500] [--json FILE]

A row is a multiverse of so many realms, µs of wall time per control tick. In `windows` events take ten control ticks to
arrive, and so many are granted at once. In `commands` a driver sends commands without a pause while the clock runs; each
is durable in a SQLite file before its result leaves, and told is how many control ticks one took. In `state` every realm
has 1 MB of which 1 % changes: `told` says what it has changed, `whole` does not, so that everything is hashed again.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from benchmarks.settling import settle
from orchestration.multiverse import Multiverse

REALMS = Path(__file__).resolve().parent / "realms"
WINDOW = 10


def _multiverse(realms: int, **settings: Any) -> Multiverse:
    return Multiverse(1, control_tick_interval_ticks=1, realm_paths=[REALMS], realms_expected=realms, **settings)


def _ring(mv: Multiverse, realms: int, delay: int = 1) -> None:
    ids = [f"member_{member:03}" for member in range(realms)]
    for member, realm_id in enumerate(ids):
        params = {"successor": ids[(member + 1) % realms], "predecessor": ids[member - 1], "delay": delay}
        mv.register_game(realm_id, "rings:Ring", params=params)


def _run(mv: Multiverse, control_ticks: int) -> dict[str, float]:
    mv.run(max(100, control_ticks // 5))
    settle()
    ticks_us = sorted(tick.elapsed_ms * 1e3 for tick in mv.run(control_ticks))
    faults = sum(game["measures"].get("faults", 0) for game in mv.get_multiverse_state()["games"])
    if faults:
        raise SystemExit(f"{faults} events were not heard when they should have been; these figures are void.")
    return {
        "p50_us": statistics.median(ticks_us),
        "p99_us": ticks_us[len(ticks_us) * 99 // 100],
        "p999_us": ticks_us[len(ticks_us) * 999 // 1000],
        "mean_us": statistics.fmean(ticks_us),
    }


def plain(realms: int, control_ticks: int) -> dict[str, float]:
    """One event a realm and control tick; what the others are compared with."""
    with _multiverse(realms) as mv:
        _ring(mv, realms)
        return _run(mv, control_ticks)


def windows(realms: int, control_ticks: int) -> dict[str, float]:
    """The same, granted ten control ticks at once."""
    with _multiverse(realms, lookahead_control_ticks=WINDOW, window_control_ticks=WINDOW) as mv:
        _ring(mv, realms, WINDOW)
        return _run(mv, control_ticks // WINDOW * WINDOW)


def commands(realms: int, control_ticks: int) -> dict[str, float]:
    """The same as plain, with commands from outside at every boundary that can take one."""
    done = threading.Event()
    sent = 0

    def command(mv: Multiverse) -> None:
        nonlocal sent
        while not done.is_set():
            mv.command("member_000", "note")
            sent += 1

    with tempfile.TemporaryDirectory() as folder, _multiverse(realms, name="b", vault=Path(folder) / "b.db") as mv:
        _ring(mv, realms)
        mv.run(100)
        driver = threading.Thread(target=command, args=(mv,))
        driver.start()
        begun, before = time.perf_counter(), sent
        try:
            found = _run(mv, control_ticks)
        finally:
            took_s, served = time.perf_counter() - begun, sent - before
            done.set()
            driver.join()
    ran = control_ticks + max(100, control_ticks // 5)
    return {**found, "mean_us": took_s / ran * 1e6, "commands_per_tick": served / ran}


def state(realms: int, control_ticks: int, *, tells: bool) -> dict[str, float]:
    """A million bytes in each realm; they say nothing, so they would be granted hundreds of control ticks at once."""
    with _multiverse(realms, window_control_ticks=1) as mv:
        for member in range(realms):
            mv.register_game(f"member_{member:03}", "stocks:Stock", params={"tells": tells})
        return _run(mv, control_ticks)


ROWS: dict[str, Callable[[int, int], dict[str, float]]] = {
    "plain": plain,
    f"windows of {WINDOW}": windows,
    "commands": commands,
    "state of 1 MB, told": lambda realms, control_ticks: state(realms, control_ticks, tells=True),
    "state of 1 MB, whole": lambda realms, control_ticks: state(realms, control_ticks, tells=False),
}


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("costs", __doc__)
    parser.add_argument("--realms", default="3,20")
    parser.add_argument("--control-ticks", type=int, default=500)
    options = parser.parse_args(arguments)
    sizes = [int(size) for size in options.realms.split(",")]
    if min(sizes) < 2 or options.control_ticks < 10 * WINDOW:
        parser.error(f"--realms must be 2 or more, --control-ticks {10 * WINDOW} or more")
    found = machine(["ray", "pyzmq", "msgspec"])
    print(in_words(found))
    rows: list[dict[str, Any]] = []
    for realms in sizes:
        for name, measure in ROWS.items():
            row: dict[str, Any] = {"realms": realms, "row": name, **measure(realms, options.control_ticks)}
            rows.append(row)
            ratio = row["mean_us"] / next(one["mean_us"] for one in rows if one["realms"] == realms)
            also = f", {row['commands_per_tick']:.2f} commands a control tick" if "commands_per_tick" in row else ""
            print(
                f"{realms:4} realms, {name:22} p50 {row['p50_us']:8,.0f}  p99 {row['p99_us']:8,.0f}  mean "
                f"{row['mean_us']:8,.0f} µs, {ratio:.2f} × plain{also}"
            )
    write_figures(options.json, {"machine": found, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
