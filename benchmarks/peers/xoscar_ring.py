"""xoscar: one actor in each sub-pool process, and a `gather` of one call to each per control tick.

The coordinator lives in the main pool's process, on uvloop, which xoscar brings along.
"""

import asyncio
import time

from benchmarks.peers import apart
from benchmarks.peers.alone import alone
from benchmarks.peers.apart import Job, Peer
from benchmarks.peers.ports import free_port
from benchmarks.peers.rings import Laps
from benchmarks.peers.rows import Row

GATHER = "gather of actor calls"
PEER = Peer("xoscar", "benchmarks.peers.xoscar_ring", ("xoscar", "uvloop"), (GATHER,))


def measure(members: int, control_ticks: int, warmup: int, configuration: str = GATHER) -> Row:
    """See `apart.measure`."""
    return apart.measure(PEER, members, control_ticks, warmup, configuration)


def ring(job: Job) -> Laps:
    """The coordinator."""
    import uvloop

    laps: Laps = uvloop.run(_ring(job))
    return laps


async def _ring(job: Job) -> Laps:
    import xoscar
    from xoscar.backends.allocate_strategy import ProcessIndex

    from benchmarks.peers.xoscar_members import RingActor

    pool = await xoscar.create_actor_pool(f"127.0.0.1:{free_port()}", n_process=job.members)
    async with pool:
        actors = [
            await xoscar.create_actor(
                RingActor,
                member,
                job.members,
                address=pool.external_address,
                allocate_strategy=ProcessIndex(member + 1),  # 0 is the main pool
            )
            for member in range(job.members)
        ]
        events = [b""] * job.members
        durations = []
        for tick in range(1, job.ticks + 1):
            begun = time.perf_counter_ns()
            said = await asyncio.gather(*(actor.live(tick, event) for actor, event in zip(actors, events, strict=True)))
            durations.append(time.perf_counter_ns() - begun)
            events = [said[-1], *said[:-1]]
        faults = await asyncio.gather(*(actor.fault(job.ticks) for actor in actors))
    return Laps(durations, next(filter(None, faults), ""))


if __name__ == "__main__":
    alone(PEER, measure)
