"""Plain Ray: one actor per member, and one `ray.get` on the list of calls per control tick, from a clock that is an actor.

The cluster is started here, closed by a token, and goes away with this process.
"""

import logging
import time
from typing import Any

from benchmarks.peers import apart
from benchmarks.peers.alone import alone
from benchmarks.peers.apart import Job, Peer
from benchmarks.peers.rings import Ear, Laps, pack, unpack
from benchmarks.peers.rows import Row

CALLS = "actor calls, one ray.get on the list"
PEER = Peer("plain Ray", "benchmarks.peers.ray_ring", ("ray",), (CALLS,))
OBJECT_STORE_BYTES = 100 << 20


class RayMember:
    """See `Ear`."""

    def __init__(self, member: int, members: int) -> None:
        self._ear = Ear(member, members)

    def live(self, tick: int, event: bytes) -> bytes:
        """One control tick."""
        return pack(*self._ear.hear(tick, [unpack(event)] if event else []))

    def fault(self, ticks: int) -> str:
        """See `Ear.fault`."""
        return self._ear.fault(ticks)


class RayClock:
    """The coordinator; it owns the members."""

    def run(self, members: int, ticks: int) -> tuple[list[int], list[str]]:
        """The wall time of each control tick in ns, and what was heard wrongly."""
        import ray

        member_type: Any = ray.remote(num_cpus=0)(RayMember)
        actors = [member_type.remote(member, members) for member in range(members)]
        ray.get([actor.fault.remote(1) for actor in actors])  # they are there
        events = [b""] * members
        durations = []
        for tick in range(1, ticks + 1):
            begun = time.perf_counter_ns()
            said = ray.get([actor.live.remote(tick, event) for actor, event in zip(actors, events, strict=True)])
            durations.append(time.perf_counter_ns() - begun)
            events = [said[-1], *said[:-1]]
        return durations, ray.get([actor.fault.remote(ticks) for actor in actors])


def measure(members: int, control_ticks: int, warmup: int, configuration: str = CALLS) -> Row:
    """See `apart.measure`."""
    return apart.measure(PEER, members, control_ticks, warmup, configuration)


def ring(job: Job) -> Laps:
    """Starts a cluster, and the clock in it."""
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        clock: Any = ray.remote(num_cpus=0)(RayClock).remote()
        durations, faults = ray.get(clock.run.remote(job.members, job.ticks), timeout=job.timeout_s)
    finally:
        ray.shutdown()
    return Laps(durations, next(filter(None, faults), ""))


if __name__ == "__main__":
    alone(PEER, measure)
