"""History: what snapshots cost in time and room, and how long it takes to be at any past control tick.

    python -m benchmarks.history [--control-ticks 10000] [--npcs 10000] [--looks 20] [--json FILE]

A City lives on Ray with its vault in a SQLite file, and a snapshot comes round every ten control ticks. *Store* is what the
vault takes beside as many full copies of the City's state, each compressed by itself (zstd, level 3). *Time travel* is
from asking for a control tick until its digest is there, in another process than the world's, which runs on; each time
everything is read from the file. *Stop* is what taking a snapshot by hand costs a clock with 20 realms of 1 MB each,
beside one quiet control tick and a copy of as much memory. *Writing* is what control ticks with a command take while the
first keyframe of 20 realms of 5 MB each, which nothing makes smaller, is written, beside those after it.
"""

import random
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from rich.console import Console
from rich.progress import Progress

from actors.core.kernel.states import encode_state
from actors.vaults.openings import KEYFRAMES_SUFFIX
from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from orchestration import Multiverse

REALMS = Path(__file__).resolve().parent / "realms"
INTERVAL = 10
STOCKS, STOCK_BYTES = 20, 1_000_000
TAKEN = 50
LARGE_BYTES = 100_000_000
QUIET_MIN = 300
"""Control ticks in which nothing is written."""


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def lived(folder: Path, control_ticks: int, npcs: int, looks: int) -> dict[str, Any]:
    """A City's life, what it left in its vault, and looks back at it while it goes on."""
    vault = folder / "city.sqlite"
    compressor = zstandard.ZstdCompressor(level=3)
    copies = 0
    chains: dict[int, str] = {}
    with Multiverse(1, name="city", vault=vault, snapshot_interval_control_ticks=INTERVAL) as mv:
        mv.register_game("city", "actors.core.realms.city:City", params={"npcs": npcs})
        spent_s = 0.0
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("living", total=control_ticks)
            for tick in range(INTERVAL, control_ticks + 1, INTERVAL):
                begun = time.perf_counter()
                mv.run(INTERVAL)
                spent_s += time.perf_counter() - begun
                chains[tick] = mv.digest_chain()
                copies += len(compressor.compress(encode_state(mv.state_of("city"))))
                progress.advance(task, INTERVAL)
        taken = len(mv.snapshots())
        draw = random.Random(1)
        ticks = sorted(draw.sample(sorted(chains), min(looks, len(chains))))
        mv.start("realtime")
        took_s = []
        for tick in ticks:
            begun = time.perf_counter()
            with mv.at(tick) as past:
                chain = past.digest_chain()
                took_s.append(time.perf_counter() - begun)
            if chain != chains[tick]:
                raise SystemExit(f"control tick {tick} came out otherwise; these figures are void.")
        mv.pause()
        stored_up = _bytes_in(folder)
    stored = _bytes_in(folder)
    return {
        "control_ticks": control_ticks,
        "npcs": npcs,
        "snapshots": taken,
        "tick_ms": spent_s / control_ticks * 1e3,
        "stored_mb": stored / 1e6,
        "stored_up_mb": stored_up / 1e6,
        "copies_mb": copies / 1e6,
        "store_ratio": stored / copies,
        "look_median_s": statistics.median(took_s),
        "look_worst_s": max(took_s),
        "looks": len(took_s),
    }


def stopped(folder: Path) -> dict[str, float]:
    """What a snapshot by hand costs a clock that runs as fast as it can."""
    with Multiverse(1, name="stop", vault=folder / "stop.sqlite", realm_paths=[REALMS], window_control_ticks=1) as mv:
        for number in range(STOCKS):
            mv.register_game(f"stock_{number:02}", "stocks:Stock", params={"tells": True})
        mv.run(100)
        quiet_ms = statistics.median(tick.elapsed_ms for tick in mv.run(200))
        whole = [np.zeros(STOCK_BYTES, np.uint8) for _ in range(STOCKS)]
        begun = time.perf_counter()
        copies = [part.copy() for part in whole]
        copy_ms = (time.perf_counter() - begun) * 1e3
        del copies
        took_ms = []
        for _ in range(TAKEN):
            mv.run(5)
            begun = time.perf_counter()
            mv.snapshot()
            took_ms.append((time.perf_counter() - begun) * 1e3)
    return {
        "quiet_ms": quiet_ms,
        "copy_ms": copy_ms,
        "stop_median_ms": statistics.median(took_ms),
        "stop_worst_ms": max(took_ms),
    }


def writing(folder: Path) -> dict[str, float]:
    """Control ticks with a command while 100 MB of chunks are written, and when nothing is."""
    vault = folder / "large.sqlite"
    with (
        Multiverse(1, name="large", vault=vault, realm_paths=[REALMS]) as mv,
        closing(sqlite3.connect(vault.with_name(vault.name + KEYFRAMES_SUFFIX))) as tables,
    ):
        for number in range(STOCKS):
            mv.register_game(
                f"stock_{number:02}", "stocks:Stock", params={"rows": LARGE_BYTES // STOCKS // 8, "noisy": True}
            )
        took_ms: dict[bool, list[float]] = {True: [], False: []}
        writes = True
        while writes or len(took_ms[False]) < QUIET_MIN:
            begun = time.perf_counter()
            mv.command("stock_00", "add", {"amount": 1})
            mv.run(1)
            took_ms[writes].append((time.perf_counter() - begun) * 1e3)
            (written,) = tables.execute("SELECT COUNT(*) FROM vault_keyframes").fetchone()
            if written > 1:
                raise SystemExit("another keyframe was written when nothing should be; these figures are void.")
            writes = not written
        (stored,) = tables.execute("SELECT SUM(LENGTH(compressed)) FROM vault_chunks").fetchone()
    return {
        "chunks_mb": stored / 1e6,
        "quiet_median_ms": statistics.median(took_ms[False]),
        "quiet_worst_ms": max(took_ms[False]),
        "writing_median_ms": statistics.median(took_ms[True]),
        "writing_worst_ms": max(took_ms[True]),
        "writing_ticks": len(took_ms[True]),
        "writing_ratio": max(took_ms[True]) / max(took_ms[False]),
    }


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("history", __doc__)
    parser.add_argument("--control-ticks", type=int, default=10_000)
    parser.add_argument("--npcs", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=20)
    options = parser.parse_args(arguments)
    if options.control_ticks < INTERVAL or options.control_ticks % INTERVAL or options.npcs < 1 or options.looks < 1:
        parser.error(f"--control-ticks must be a multiple of {INTERVAL}, --npcs and --looks 1 or more")
    found = machine(["ray", "pyzmq", "numpy", "zstandard"])
    print(in_words(found))
    with tempfile.TemporaryDirectory() as folder:
        row = lived(Path(folder), options.control_ticks, options.npcs, options.looks)
    print(
        f"store: {row['snapshots']:,} snapshots of {row['npcs']:,} NPCs in {row['control_ticks']:,} control ticks of "
        f"{row['tick_ms']:.1f} ms take {row['stored_mb']:.1f} MB ({row['stored_up_mb']:.1f} while it is up, logs included); as "
        f"many compressed copies {row['copies_mb']:.1f} MB: {row['store_ratio']:.1%}"
    )
    print(
        f"time travel: {row['looks']} control ticks, {row['look_median_s']:.2f} s (median), {row['look_worst_s']:.2f} s (worst)"
    )
    with tempfile.TemporaryDirectory() as folder:
        stop = stopped(Path(folder))
    print(
        f"stop: a snapshot of {STOCKS} realms of 1 MB takes {stop['stop_median_ms']:.2f} ms (median), "
        f"{stop['stop_worst_ms']:.2f} (worst); a quiet control tick {stop['quiet_ms']:.2f}, a copy {stop['copy_ms']:.2f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        write = writing(Path(folder))
    print(
        f"writing: while {write['chunks_mb']:.0f} MB of chunks are written, {write['writing_ticks']} control ticks with a "
        f"command take {write['writing_median_ms']:.1f} ms (median), {write['writing_worst_ms']:.1f} (worst); quiet ones "
        f"{write['quiet_median_ms']:.1f}, {write['quiet_worst_ms']:.1f}: {write['writing_ratio']:.1f} × the worst quiet one"
    )
    write_figures(options.json, {"machine": found, "life": row, "stop": stop, "writing": write})
    return 0


if __name__ == "__main__":
    sys.exit(main())
