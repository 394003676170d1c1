"""Capacity: many realms on one machine, what adding one takes, and many events in one control tick.

    python -m benchmarks.capacity [--realms 3,20,100] [--events 100000] [--json FILE]

Memory is the proportional set size (PSS) of the clock and of all hosts: pages that processes share are shared out.
"""

import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from benchmarks.recovery import ring
from orchestration import Multiverse

ADDED = 5
"""Realms that are added one after another to see what one takes."""


def start(realms: int) -> dict[str, Any]:
    """Starts so many realms; how long that took, and the memory of their processes."""
    begun = time.perf_counter()
    with ring(realms, 1, engine="ray", spare_hosts=0) as mv:
        started_s = time.perf_counter() - begun
        ran = mv.run(200, progress=lambda status: None)
        processes = {member["process_id"] for member in mv.members()}
        each_mib = [pss_mib(process) for process in processes]
    return {
        "realms": realms,
        "started_s": started_s,
        "tick_p50_ms": statistics.median(tick.elapsed_ms for tick in ran),
        "host_mib": statistics.median(each_mib),
        "hosts_mib": sum(each_mib),
    }


def add(spares: int) -> dict[str, Any]:
    """Adds realms one after another to a multiverse that runs, with so many spares."""
    with ring(2, 1, engine="ray", spare_hosts=spares) as mv:
        mv.run(20, progress=lambda status: None)
        took_ms = []
        for number in range(ADDED):
            time.sleep(3.0)  # spares are started when nobody has needed a host for a second
            begun = time.perf_counter()
            mv.register_game(
                f"late_{number}", "rings:Ring", params={"successor": "member_000", "predecessor": "member_000"}
            )
            took_ms.append((time.perf_counter() - begun) * 1e3)
    return {"spares": spares, "median_ms": statistics.median(took_ms), "worst_ms": max(took_ms)}


def flood(events: int, engine: str) -> dict[str, Any]:
    """So many events that arrive in one control tick, and what a member with a bounded inbox says to them."""
    with Multiverse(
        1, engine=engine, realm_paths=[Path(__file__).parent / "realms"], inbox_events_max=events - 1_000
    ) as mv:
        mv.register_game("speaker", "floods:Speaker", params={"listener": "listener", "events": events})
        mv.register_game("listener", "floods:Listener")
        mv.run(1)
        spoken, heard = (mv.run(1)[0].elapsed_ms for _ in range(2))
        letters = mv.dead_letters()
        found = mv.query("listener", "all")["heard"]
    return {
        "engine": engine,
        "events": events,
        "heard": int(found),
        "refused": len(letters),
        "reason": letters[0]["reason"] if letters else "",
        "spoken_ms": spoken,
        "heard_ms": heard,
    }


def pss_mib(process: int) -> float:
    """The memory of a process, with its share of what it shares."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("capacity", __doc__)
    parser.add_argument("--realms", default="3,20,100")
    parser.add_argument("--events", type=int, default=100_000)
    options = parser.parse_args(arguments)
    if options.events < 2_000:
        parser.error("--events must be 2000 or more")
    floods = [flood(options.events, engine) for engine in ("local", "ray")]
    added = [add(spares) for spares in (2, 0)]
    starts = [start(int(realms)) for realms in options.realms.split(",")]
    found = machine(["ray", "pyzmq"])
    print(in_words(found))
    for row in starts:
        print(
            f"{row['realms']:4} realms stand after {row['started_s']:.1f} s; {row['host_mib']:.0f} MiB each, "
            f"{row['hosts_mib'] / 1024:.2f} GiB in all; control tick {row['tick_p50_ms']:.1f} ms (median)"
        )
    for row in added:
        print(
            f"adding a realm, {row['spares']} spares: {row['median_ms']:.0f} ms (median), {row['worst_ms']:.0f} ms (worst)"
        )
    for row in floods:
        print(
            f"{row['engine']}: {row['events']:,} events in one control tick: {row['heard']:,} heard in {row['heard_ms']:.0f} "
            f"ms, {row['refused']:,} refused: {row['reason']!r}"
        )
    write_figures(options.json, {"machine": found, "starts": starts, "added": added, "floods": floods})
    return 0 if all(row["heard"] + row["refused"] == row["events"] for row in floods) else 1


if __name__ == "__main__":
    sys.exit(main())
