"""Real time: how late control ticks are when 20 realms keep 20 of them a second.

    python -m benchmarks.realtime [--realms 20] [--per-second 20] [--seconds 60] [--lane zmq] [--json FILE]

Lateness is from the moment a control tick is due until it begins. None is skipped: one that is late begins at once. Beside
it, in the same minutes, a bare process does nothing but sleep until the same moments: what it is late by is the machine's.
"""

import itertools
import json
import subprocess
import sys
import threading
import time
from typing import Any

import msgspec

from actors.schedules import Schedule
from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from benchmarks.recovery import ring


def measure(realms: int, per_second: int, seconds: int, lane: str) -> dict[str, Any]:
    """Runs in real time and returns how late it was."""
    interval_ms = 1_000 // per_second
    with ring(realms, 1, engine="ray", lane=lane, local_tick_interval_ms=interval_ms) as mv:
        mv.run(50)
        time.sleep(5.0)  # the spares have been started by then
        bare = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, "--bare", f"--per-second={per_second}", f"--seconds={seconds}"],
            stdout=subprocess.PIPE,
        )
        ran = mv.run(seconds * per_second, realtime=True, progress=lambda status: None)
        lateness = mv.status().lateness
        slept = json.loads(bare.communicate()[0])
    ticks = [tick.control_tick_id for tick in ran]
    return {
        "lane": lane,
        "realms": realms,
        "interval_ms": interval_ms,
        "control_ticks": len(ran),
        "skipped": sum(later - earlier != 1 for earlier, later in itertools.pairwise(ticks)),
        "tick_worst_ms": max(tick.elapsed_ms for tick in ran),
        **{f"lateness_{name}": value for name, value in msgspec.to_builtins(lateness).items()},
        **{f"bare_{name}": value for name, value in slept.items()},
    }


def sleep(per_second: int, seconds: int) -> dict[str, Any]:
    """What a process is late by that does nothing between one moment and the next."""
    schedule, never = Schedule(1 / per_second), threading.Event()
    for _ in range(seconds * per_second):
        schedule.wait(never)
    return msgspec.to_builtins(schedule.lateness())  # type: ignore[no-any-return]


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("realtime", __doc__)
    parser.add_argument("--realms", type=int, default=20)
    parser.add_argument("--per-second", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--lane", default="zmq")
    parser.add_argument("--bare", action="store_true", help="only sleep, and print how late that was")
    options = parser.parse_args(arguments)
    if options.realms < 2 or not 1 <= options.per_second <= 1_000 or options.seconds < 1:
        parser.error("--realms must be 2 or more, --per-second from 1 to 1000, --seconds 1 or more")
    if options.bare:
        print(json.dumps(sleep(options.per_second, options.seconds)))
        return 0
    row = measure(options.realms, options.per_second, options.seconds, options.lane)
    found = machine(["ray", "pyzmq"])
    print(in_words(found))
    print(
        f"{row['realms']} realms, {row['control_ticks']:,} control ticks of {row['interval_ms']} ms, {row['lane']} lane: late "
        f"by {row['lateness_p99_ms']:.2f} ms (p99), {row['lateness_p999_ms']:.2f} (p99.9), {row['lateness_worst_ms']:.2f} "
        f"(worst); {row['skipped']} skipped; longest control tick {row['tick_worst_ms']:.1f} ms\n"
        f"a bare process that only sleeps: late by {row['bare_p99_ms']:.2f} ms (p99), {row['bare_p999_ms']:.2f} (p99.9), "
        f"{row['bare_worst_ms']:.2f} (worst)"
    )
    write_figures(options.json, {"machine": found, "row": row})
    return 0 if row["skipped"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
