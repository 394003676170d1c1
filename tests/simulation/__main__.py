"""The simulation by hand.

python -m tests.simulation 17                     one seed, with its log
python -m tests.simulation soak --seeds 10000     many seeds; those that fail are named at the end
python -m tests.simulation --clocks 17            the same, where clocks and their vault fail, too
python -m tests.simulation mutations              whether the default seeds notice faults in the code
python -m tests.simulation points                 the named points
"""

import argparse
import sys
import time
from collections import Counter

from .comparisons import PartedError, check
from .faults import CLOCK_POINTS, HOST_POINTS, POINTS
from .mutations import DEFAULT_SEEDS, report
from .runs import StormyRun
from .succession_comparisons import check_succession
from .successions import StormySuccession

PROGRESS_INTERVAL_S = 10.0


def one(seed: int) -> int:
    """Lives one seed and prints what happened."""
    run = StormyRun(seed)
    try:
        run.live()
    except Exception:
        print(*run.storm.lines, sep="\n")
    else:
        print(*run.storm.lines, sep="\n")
        print(
            f"{len(run.fleet.recoveries)} recoveries, {len(run.decisions)} decisions, chain {run.sequencer.chain.hex()}"
        )
    try:
        check(seed)
    except PartedError as fault:
        print(fault)
        return 1
    print(f"seed {seed} has lived the calm life")
    return 0


def one_succession(seed: int) -> int:
    """Lives one seed of clocks that die and prints what happened."""
    run = StormySuccession(seed)
    try:
        run.live()
    except Exception:
        print(*run.lines, sep="\n")
    else:
        print(*run.lines, sep="\n")
        print(f"{run.clocks} clocks, {len(run.journal)} entries, chain {run.chain}")
    try:
        check_succession(seed)
    except PartedError as fault:
        print(fault)
        return 1
    print(f"seed {seed} has lived the calm life")
    return 0


def soak(first: int, seeds: int, stop: bool, clocks: bool) -> int:
    """Lives many seeds."""
    points = CLOCK_POINTS if clocks else HOST_POINTS
    begun = shown = time.monotonic()
    failed: list[int] = []
    hit = Counter(dict.fromkeys(points, 0))
    for lived, seed in enumerate(range(first, first + seeds), 1):
        try:
            plan = check_succession(seed).plan if clocks else check(seed).plan
        except PartedError as fault:
            failed.append(seed)
            print(fault, flush=True)
            if stop:
                return 1
        else:
            hit.update(plan.hit)
        now = time.monotonic()
        if now - shown > PROGRESS_INTERVAL_S:
            shown = now
            print(f"{lived} of {seeds} seeds, {len(failed)} failed, {lived / (now - begun):.1f} a second", flush=True)
    elapsed_s = time.monotonic() - begun
    print(f"{seeds} seeds from {first} in {elapsed_s:.0f} s, {seeds / elapsed_s:.1f} a second")
    rarest = sorted(points, key=hit.__getitem__)[:5]
    print("points struck least: " + ", ".join(f"{point.name} {hit[point]}" for point in rarest))
    print(f"failed: {', '.join(map(str, failed)) or 'none'}")
    return int(bool(failed))


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", help="a seed, or soak, mutations, points")
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--stop", action="store_true", help="stop at the first one that fails")
    parser.add_argument("--clocks", action="store_true", help="clocks and their vault fail, too")
    asked = parser.parse_args()
    if asked.what == "soak":
        return soak(asked.first, asked.seeds, asked.stop, asked.clocks)
    if asked.what == "mutations":
        return report(asked.seeds)
    if asked.what == "points":
        for point in POINTS:
            print(f"{point.side.name.lower():<7} {point.name:<24} {point.what}")
        return 0
    return (one_succession if asked.clocks else one)(int(asked.what))


if __name__ == "__main__":
    sys.exit(main())
