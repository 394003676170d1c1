"""How fast the City lives, beside a Mesa 3 model of the same rules, and what hosting costs a Mesa model.

    python -m benchmarks.city [--json FILE] [--quick]

One process, one run. Every series is measured in repetitions that take turns, so that what else the machine does hits all
alike; told are the median and the spread (least and most). A City is driven through its `Seat`, ten local ticks a grant,
as a host does it; "digest" means a SHA-256 of the whole state at every control tick. All series live through the same
hours of the day, from the ninth hour on, when people are about.

An NPC-step is one NPC through one local tick. The target is a hundred times Mesa at 10,000 NPCs.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actors.core.kernel.members import Birth, Grant, Member
from actors.core.kernel.seats import Seat
from actors.core.realms.city import City
from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from benchmarks.mesa_city import MesaCity

TICKS_PER_GRANT = 10
FIRST_TICK = 90
TARGET_RATIO, TARGET_NPCS = 100, 10_000
MESA, LEAN_MESA = "Mesa", "Mesa, no grid"
"""As a Mesa user writes it, and as fast as Mesa's manner allows; see `mesa_city`."""
HOSTED_NPCS = 5_000
"""A Mesa model of so many has steps of about 10 ms."""

Series = dict[str, Any]
Lap = Callable[[], float]


class Driven:
    """A member in its seat, and the next grant's number."""

    def __init__(self, make: Callable[[Birth], Member], digest: bool) -> None:
        self.seat = Seat(Birth("realm", 1, "realm"), make)
        self.digest = digest
        self.number = 0

    def live(self, local_ticks: int) -> None:
        """One grant.

        Raises:
            RuntimeError: the member failed.
        """
        self.number += 1
        outbox = self.seat.advance(Grant(1, "main", self.number, self.number, local_ticks, digest=self.digest))
        if outbox.failure is not None:
            raise RuntimeError(outbox.failure.traceback)


def city_lap(npcs: int, digest: bool, grants: int) -> Lap:
    """A lap of a City that has lived until `FIRST_TICK`: seconds for so many grants."""
    driven = Driven(lambda birth: City(birth, npcs=npcs), digest)
    driven.live(FIRST_TICK)

    def lap() -> float:
        start = time.perf_counter()
        for _ in range(grants):
            driven.live(TICKS_PER_GRANT)
        return time.perf_counter() - start

    return lap


def mesa_lap(npcs: int, ticks: int, space: bool) -> Lap:
    """A lap of the bare Mesa model from `FIRST_TICK` on: seconds for so many steps."""
    model = MesaCity(npcs=npcs, space=space, seed=1)
    for _ in range(FIRST_TICK):
        model.step()

    def lap() -> float:
        start = time.perf_counter()
        for _ in range(ticks):
            model.step()
        return time.perf_counter() - start

    return lap


def measured(laps: Mapping[str, Lap], repetitions: int) -> dict[str, list[float]]:
    """Seconds of every lap, in repetitions that take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in laps}
    for _ in range(repetitions):
        for name, lap in laps.items():
            gc.collect()
            seconds[name].append(lap())
    return seconds


def rates(seconds: Sequence[float], steps: int) -> Series:
    """Steps per second: median, least, most."""
    found = sorted(steps / each for each in seconds)
    return {"median": statistics.median(found), "least": found[0], "most": found[-1], "repetitions": len(found)}


def npc_steps(quick: bool) -> dict[str, Series]:
    """NPC-steps per second by series: kind, NPCs, rates."""
    grants = {1_000: 4, 10_000: 4, 100_000: 1 if quick else 3, 1_000_000: 1}
    repetitions = 3 if quick else 5
    rows: dict[str, Series] = {}
    for npcs, count in grants.items():
        laps = {
            "City, digest": city_lap(npcs, True, count),
            "City, no digest": city_lap(npcs, False, count),
        }
        mesa_ticks = 2 if quick else TICKS_PER_GRANT
        if npcs == 1_000 or (npcs == 10_000 and not quick):
            laps[MESA] = mesa_lap(npcs, mesa_ticks, space=True)
            laps[LEAN_MESA] = mesa_lap(npcs, mesa_ticks, space=False)
        for name, seconds in measured(laps, repetitions).items():
            steps = npcs * (mesa_ticks if name in (MESA, LEAN_MESA) else count * TICKS_PER_GRANT)
            rows[f"{name} {npcs}"] = {"kind": name, "npcs": npcs, **rates(seconds, steps)}
    return rows


def hosting_overhead(quick: bool = False) -> Series:
    """What a seat and the adapter add to a Mesa model with steps of about 10 ms: ms per step, bare and hosted, with digests."""
    from actors.adapters.mesa_realms import MesaRealm

    steps = TICKS_PER_GRANT if quick else 2 * TICKS_PER_GRANT
    arguments: dict[str, Any] = {"npcs": HOSTED_NPCS, "space": False, "collect": True}
    bare = MesaCity(**arguments, seed=1)
    hosted = Driven(
        lambda birth: MesaRealm(birth, model="benchmarks.mesa_city:MesaCity", arguments=arguments, seed=1), True
    )

    def bare_lap() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            bare.step()
        return time.perf_counter() - start

    def hosted_lap() -> float:
        start = time.perf_counter()
        for _ in range(0, steps, TICKS_PER_GRANT):
            hosted.live(TICKS_PER_GRANT)
        return time.perf_counter() - start

    seconds = measured({"bare": bare_lap, "hosted": hosted_lap}, 3 if quick else 9)
    pairs = zip(seconds["bare"], seconds["hosted"], strict=True)
    ratios = sorted(with_host / alone - 1 for alone, with_host in pairs)
    return {
        "npcs": HOSTED_NPCS,
        "bare_ms_per_step": statistics.median(seconds["bare"]) / steps * 1e3,
        "hosted_ms_per_step": statistics.median(seconds["hosted"]) / steps * 1e3,
        "overhead": statistics.median(ratios),
        "overhead_least": ratios[0],
        "overhead_most": ratios[-1],
    }


def show(report: Series) -> None:
    """Prints the report as two tables."""
    print(in_words(report["machine"]))
    print(f"\n{'NPC-steps/s, million':<24}{'NPCs':>10}{'median':>10}{'least':>10}{'most':>10}{'x Mesa':>10}")
    rows = report["npc_steps"]
    for row in rows.values():
        beside = rows.get(f"{MESA} {row['npcs']}")
        ratio = f"{row['median'] / beside['median']:.0f}" if beside else ""
        figures = "".join(f"{row[name] / 1e6:>10.3f}" for name in ("median", "least", "most"))
        print(f"{row['kind']:<24}{row['npcs']:>10,}{figures}{ratio:>10}")
    for name, ratio in report["ratios_at_target"].items():
        print(f"City with digests against {name!r} at {TARGET_NPCS:,} NPCs: {ratio:.0f}x (target {TARGET_RATIO}x)")
    hosting = report["hosting"]
    print(f"\nHosting a Mesa model of {hosting['npcs']:,} agents, digest at every control tick:")
    print(f"bare {hosting['bare_ms_per_step']:.2f} ms a step, hosted {hosting['hosted_ms_per_step']:.2f} ms, ", end="")
    print(f"overhead {hosting['overhead']:+.1%} ({hosting['overhead_least']:+.1%} … {hosting['overhead_most']:+.1%})")


def main() -> None:
    """Measures, prints, and writes the report if asked to."""
    options = parser_of("city", __doc__)
    options.add_argument("--quick", action="store_true", help="fewer repetitions, no Mesa at 10,000: under 15 s")
    chosen = options.parse_args()
    started = time.perf_counter()
    steps = npc_steps(chosen.quick)
    city = steps[f"City, digest {TARGET_NPCS}"]["median"]
    beside = {name: steps.get(f"{name} {TARGET_NPCS}") for name in (MESA, LEAN_MESA)}
    report = {
        "machine": machine(("numpy", "mesa")),
        "npc_steps": steps,
        "ratios_at_target": {name: city / row["median"] for name, row in beside.items() if row is not None},
        "hosting": hosting_overhead(chosen.quick),
        "elapsed_s": time.perf_counter() - started,
    }
    show(report)
    write_figures(chosen.json, report)


if __name__ == "__main__":
    main()
