"""Recovery: processes of members are killed at random moments; the history must be that of a calm run.

    python -m benchmarks.recovery [--kills 20] [--realms 3] [--spares 2,0] [--pause 2.5,4] [--lane zmq] [--seed 1] [--json FILE]

Killed is by SIGKILL, from outside, whoever the dice choose (the player registry, too), while the clock runs. Told are how
long each member took to stand again, from the moment the lane saw its host die, and the longest control tick, which is
what the other members saw of it. With pauses of some seconds a spare that was used has been replaced before the next kill.
The digest chain is compared with that of the local engine.
"""

import os
import random
import signal
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from orchestration.multiverse import Multiverse

REALMS = Path(__file__).resolve().parent / "realms"


def ring(realms: int, seed: int, **where: Any) -> Multiverse:
    """A multiverse of so many realms in a ring, with a player; see `Multiverse` for where."""
    mv = Multiverse(seed, control_tick_interval_ticks=1, realm_paths=[REALMS], realms_expected=realms, **where)
    ids = [f"member_{member:03}" for member in range(realms)]
    for member, realm_id in enumerate(ids):
        params = {"successor": ids[(member + 1) % realms], "predecessor": ids[member - 1]}
        mv.register_game(realm_id, "rings:Ring", params=params)
    mv.players.create_player("Alice", "elf", ids[0])
    return mv


def measure(kills: int, realms: int, spares: int, lane: str, seed: int, pause_s: tuple[float, float]) -> dict[str, Any]:
    """Runs until so many processes have been killed and brought back; returns what it took, and whether anybody can tell."""
    dice = random.Random(seed)
    with ring(realms, seed, engine="ray", lane=lane, spare_hosts=spares) as mv:
        mv.run(50)
        time.sleep(2.0)  # the spares are started when nobody has needed a host for a second
        done = threading.Event()
        killer = threading.Thread(target=_kill, args=(mv, kills, pause_s, dice, done))
        killer.start()
        ticks_ms: list[float] = []
        while not done.is_set():
            ticks_ms += [tick.elapsed_ms for tick in mv.run(200, progress=lambda status: None)]
        killer.join()
        mv.run(50)
        chain, control_ticks = mv.digest_chain(), mv.status().boundary.control_tick
        recoveries = mv.recoveries()
        errors = [game["error"] for game in mv.get_multiverse_state()["games"] if game["error"]]
    with ring(realms, seed, engine="local") as calm:
        calm.advance_to(control_ticks)
        equal = calm.digest_chain() == chain
    took = sorted(one["elapsed_ms"] for one in recoveries)
    return {
        "lane": lane,
        "realms": realms,
        "spares": spares,
        "seed": seed,
        "kills": kills,
        "recoveries": len(recoveries),
        "control_ticks": control_ticks,
        "chain_equal": equal,
        "errors": errors,
        "recovery_p50_ms": statistics.median(took) if took else 0.0,
        "recovery_worst_ms": took[-1] if took else 0.0,
        "tick_p50_ms": statistics.median(ticks_ms),
        "tick_worst_ms": max(ticks_ms),
        "ticks_over_250_ms": sum(tick > 250 for tick in ticks_ms),
    }


def _kill(mv: Multiverse, kills: int, pause_s: tuple[float, float], dice: random.Random, done: threading.Event) -> None:
    try:
        for number in range(kills):
            time.sleep(dice.uniform(*pause_s))
            before = len(mv.recoveries())
            victim = dice.choice([member for member in mv.members() if member["process_id"]])
            os.kill(victim["process_id"], signal.SIGKILL)  # a process that this run has started
            while len(mv.recoveries()) == before:
                time.sleep(0.01)
            if sys.stderr.isatty() or number % 50 == 49:
                print(f"{number + 1} of {kills} killed and back", file=sys.stderr)
    finally:
        done.set()


def main(arguments: list[str] | None = None) -> int:
    """See the module; 1 if a history differs or a member was lost."""
    parser = parser_of("recovery", __doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--realms", type=int, default=3)
    parser.add_argument("--spares", default="2,0")
    parser.add_argument("--pause", default="2.5,4", help="seconds between two kills, from,to")
    parser.add_argument("--lane", default="zmq")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.kills < 1 or options.realms < 2:
        parser.error("--kills must be 1 or more, --realms 2 or more")
    spares = [int(number) for number in options.spares.split(",")]
    least, most = (float(seconds) for seconds in options.pause.split(","))
    rows = [
        measure(options.kills, options.realms, number, options.lane, options.seed, (least, most)) for number in spares
    ]
    found = machine(["ray", "pyzmq"])
    print(in_words(found))
    for row in rows:
        print(
            f"{row['lane']} lane, {row['realms']} realms, {row['spares']} spares, seed {row['seed']}: {row['kills']} killed, "
            f"{row['recoveries']} brought back; member standing again after {row['recovery_p50_ms']:.0f} ms (median), "
            f"{row['recovery_worst_ms']:.0f} ms (worst); longest control tick {row['tick_worst_ms']:.0f} ms of "
            f"{row['control_ticks']:,}, {row['ticks_over_250_ms']} over 250 ms; chain "
            f"{'equal to the calm run' if row['chain_equal'] else 'DIFFERENT'}"
            + (f"; ERRORS {row['errors']}" if row["errors"] else "")
        )
    write_figures(options.json, {"machine": found, "rows": rows})
    return 0 if all(row["chain_equal"] and not row["errors"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
