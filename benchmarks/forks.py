"""Forks: how long it takes until copies of running Cities live on beside them.

    python -m benchmarks.forks [--npcs 10000] [--cities 3] [--copies 4] [--repeats 3] [--json FILE]

Three Cities of 10,000 NPCs become four copies of all three, twelve members in as many processes: once with as many spare
hosts ready, once with none, beside what as many empty Ray actors take to start and answer on a like cluster. Each
measurement has a cluster of its own, because Ray's first actors find processes that were started ahead, and they take
turns. The copies are compared with their origins ten control ticks later.
"""

import statistics
import sys
import time
from typing import Any

import ray

from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from orchestration import Multiverse

SETTLE_S = 6.0
"""For Ray's own first processes, and for spares, to be there."""


def forked(cities: int, npcs: int, copies: int, spares: int) -> float:
    """Seconds from asking for the copies until they stand."""
    ids = [f"city_{number}" for number in range(cities)]
    with Multiverse(1, spare_hosts=spares) as mv:
        for realm_id in ids:
            neighbours = [other for other in ids if other != realm_id]
            mv.register_game(realm_id, "actors.core.realms.city:City", params={"npcs": npcs, "neighbours": neighbours})
        mv.run(10)
        time.sleep(SETTLE_S + spares)
        begun = time.perf_counter()
        forks = mv.fork(ids, count=copies)
        took_s = time.perf_counter() - begun
        mv.run(10)
        digests = {game["realm_id"]: game["digest"] for game in mv.get_multiverse_state()["games"]}
        for fork in forks:
            if any(digests[copy] != digests[role] for role, copy in fork.realms.items()):
                raise SystemExit(f"fork {fork.number} lives another life; these figures are void.")
    return took_s


def bare(actors: int, hosts: int) -> float:
    """Seconds until so many empty actors answer, on a cluster on which as many others live as in `forked`."""
    ray.init(include_dashboard=False, log_to_driver=False)
    try:
        empty: Any = ray.remote(_Empty).options(num_cpus=0)
        others = [empty.remote() for _ in range(hosts)]
        ray.get([one.ping.remote() for one in others])
        time.sleep(SETTLE_S)
        begun = time.perf_counter()
        made = [empty.remote() for _ in range(actors)]
        ray.get([one.ping.remote() for one in made])
        return time.perf_counter() - begun
    finally:
        ray.shutdown()


class _Empty:
    def ping(self) -> None:
        """Says that it is there."""


def measure(cities: int, npcs: int, copies: int, repeats: int) -> dict[str, Any]:
    """All three in turns; medians, and the worst."""
    warm, cold, empty = [], [], []
    for number in range(repeats):
        warm.append(forked(cities, npcs, copies, cities * copies))
        cold.append(forked(cities, npcs, copies, 0))
        empty.append(bare(cities * copies, cities + 2))
        if sys.stderr.isatty():
            print(f"{number + 1} of {repeats}", file=sys.stderr)
    figures = {"warm": warm, "cold": cold, "bare": empty}
    return {
        "cities": cities,
        "npcs": npcs,
        "copies": copies,
        "repeats": repeats,
        **{f"{name}_median_s": statistics.median(took) for name, took in figures.items()},
        **{f"{name}_worst_s": max(took) for name, took in figures.items()},
        "cold_ratio": statistics.median(one / other for one, other in zip(cold, empty, strict=True)),
    }


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("forks", __doc__)
    parser.add_argument("--npcs", type=int, default=10_000)
    parser.add_argument("--cities", type=int, default=3)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    if min(options.npcs, options.cities, options.copies, options.repeats) < 1:
        parser.error("--npcs, --cities, --copies and --repeats must be 1 or more")
    row = measure(options.cities, options.npcs, options.copies, options.repeats)
    found = machine(["ray", "pyzmq", "numpy"])
    print(in_words(found))
    print(
        f"{row['cities']} realms of {row['npcs']:,} NPCs into {row['copies']} copies: with warm spares "
        f"{row['warm_median_s']:.3f} s (median), {row['warm_worst_s']:.3f} (worst); without {row['cold_median_s']:.2f} s, "
        f"{row['cold_worst_s']:.2f}; as many empty actors {row['bare_median_s']:.2f} s, {row['bare_worst_s']:.2f}: "
        f"{row['cold_ratio']:.2f} x"
    )
    write_figures(options.json, {"machine": found, "row": row})
    return 0


if __name__ == "__main__":
    sys.exit(main())
