"""mosaik 3: a world of simulators in a ring of time-shifted connections, each one a process, or all in one process.

Without progress bars, logs and debugging. Of the world's two switches, `cache` and `lazy_stepping`, both off was the
quickest of the four ways in four rounds of four (N=8, processes): what is said is pushed, not asked for. A simulator waits
for its neighbours only, so members get apart; see `Row`.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.peers import apart
from benchmarks.peers.alone import alone
from benchmarks.peers.apart import CannotRunError, Job, Peer
from benchmarks.peers.rings import Laps, Lived, laps_of
from benchmarks.peers.rows import Row

PROCESSES, ONE_PROCESS = "simulators as subprocesses", "simulators in one process"
PEER = Peer("mosaik", "benchmarks.peers.mosaik_ring", ("mosaik", "mosaik_api_v3"), (PROCESSES, ONE_PROCESS))


def measure(members: int, control_ticks: int, warmup: int, configuration: str = PROCESSES) -> Row:
    """See `apart.measure`."""
    return apart.measure(PEER, members, control_ticks, warmup, configuration)


def ring(job: Job) -> Laps:
    """The world."""
    import mosaik
    from loguru import logger

    logger.remove()
    starter: dict[str, Any] = {"cmd": f"{sys.executable} -m benchmarks.peers.mosaik_members %(addr)s"}
    if job.configuration == ONE_PROCESS:
        starter = {"python": "benchmarks.peers.mosaik_members:RingSimulator"}
    files = [Path(job.folder, f"member_{member}.json") for member in range(job.members)]
    world = mosaik.World({"Ring": starter}, mosaik_config={"start_timeout": job.timeout_s}, cache=False)
    with contextlib.closing(_Shutting(world)):
        entities = []
        for member, file in enumerate(files):
            simulator = world.start("Ring", member=member, members=job.members, ticks=job.ticks, lived=str(file))
            entities.append(simulator.Member())
        for source, target in zip(entities, [*entities[1:], entities[0]], strict=True):
            world.connect(source, target, "said", time_shifted=True, initial_data={"said": None})
        world.run(until=job.ticks, print_progress=False, lazy_stepping=False)
    if missing := [file.name for file in files if not file.exists()]:
        raise CannotRunError(f"{missing[0]} was not written")
    note = "all in one process: for information" if job.configuration == ONE_PROCESS else ""
    return laps_of([msgspec.json.decode(file.read_bytes(), type=Lived) for file in files], note)


class _Shutting:
    """A world that is shut down although its run failed; a second time does no harm."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def close(self) -> None:
        """See the class."""
        with contextlib.suppress(RuntimeError):  # its loop is closed already
            self._world.shutdown()


if __name__ == "__main__":
    alone(PEER, measure)
