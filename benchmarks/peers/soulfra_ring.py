"""Soulfra itself, through its public driver, with all that it does by default: digests, books, series, records."""

import statistics
import time
from pathlib import Path
from typing import Any

from actors.core.kernel.errors import SettingsError
from benchmarks.peers import apart
from benchmarks.peers.alone import alone
from benchmarks.peers.apart import CannotRunError, Job, Peer
from benchmarks.peers.rings import Laps
from benchmarks.peers.rows import Row
from benchmarks.settling import settle
from orchestration.multiverse import Multiverse

LOCAL = "local engine"
PEER = Peer("Soulfra", "benchmarks.peers.soulfra_ring", ("ray",), ("zmq", "ray", LOCAL))
"""The configurations of Soulfra are its lanes, and the engine that has none."""
REALMS = Path(__file__).resolve().parents[1] / "realms"


def measure(members: int, control_ticks: int, warmup: int, lane: str = "zmq") -> Row:
    """See `apart.measure`."""
    return apart.measure(PEER, members, control_ticks, warmup, lane)


def ring(job: Job) -> Laps:
    """Runs the ring; what a control tick took is what the driver's own metrics say."""
    where: dict[str, Any] = {"engine": "ray", "lane": job.configuration}
    if job.configuration == LOCAL:
        where = {"engine": "local"}
    try:
        with Multiverse(
            1, control_tick_interval_ticks=1, realm_paths=[REALMS], realms_expected=job.members, **where
        ) as mv:
            return _run(mv, job)
    except SettingsError as error:  # such as a lane that is not there
        raise CannotRunError(error.message) from None


def _run(mv: Multiverse, job: Job) -> Laps:
    ids = [f"member_{member:03}" for member in range(job.members)]
    for member, realm_id in enumerate(ids):
        params = {"successor": ids[(member + 1) % len(ids)], "predecessor": ids[member - 1]}
        mv.register_game(realm_id, "rings:Ring", params=params)
    warm = mv.run(job.warmup)
    settle()
    begun = time.perf_counter_ns()
    metrics = mv.run(job.control_ticks)
    whole_us = (time.perf_counter_ns() - begun) / job.control_ticks / 1e3
    ticked_us = statistics.fmean(one.elapsed_ms for one in metrics) * 1e3
    note = f"run() as a whole: {whole_us:,.0f} µs per control tick, {whole_us - ticked_us:,.0f} of them between ticks"
    if job.configuration == LOCAL:
        note = f"all in one process: for information; {note}"
    durations = [round(one.elapsed_ms * 1e6) for one in (*warm, *metrics)]
    return Laps(durations, _fault(mv, ids, job.ticks), note=note)


def _fault(mv: Multiverse, ids: list[str], ticks: int) -> str:
    for realm_id in ids:
        heard = mv.query(realm_id, "all")
        if heard != {"heard": ticks - 1, "faults": 0}:
            return f"{realm_id} heard {heard} in {ticks} ticks, and should have heard {ticks - 1} without a fault"
    return ""


if __name__ == "__main__":
    alone(PEER, measure)
