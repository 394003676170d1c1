"""The master clock as a Ray actor: runs on one thread, answers on others."""

from typing import Any

import ray

from actors.clocks import FAST, MasterClock, Metrics, Pace
from actors.core.kernel.settings import Settings
from actors.ray_lanes import RayLane

ANSWERING_THREADS = 8
"""Callers that may ask or command at the same time; more of them queue in Ray."""


class RayClock(MasterClock):
    """See `MasterClock`.

    Args:
        settings: what this history depends on.
        realm_paths: users' folders for factories.
        hosts: how many hosts to make ready ahead of need, the registry's included.
    """

    def __init__(self, settings: Settings, realm_paths: tuple[str, ...], hosts: int) -> None:
        lane = RayLane(realm_paths)
        lane.prepare(hosts)
        super().__init__(settings, lane)

    @ray.method(concurrency_group="run")
    def advance_to(  # type: ignore[override]  # the decorator hides the signature
        self, control_tick: int, pace: Pace = FAST
    ) -> list[Metrics]:
        """See `MasterClock.advance_to`."""
        return super().advance_to(control_tick, pace)


_remote: Any = ray.remote  # its annotations know no concurrency groups
RemoteClock = _remote(num_cpus=0, max_restarts=0, max_task_retries=0, concurrency_groups={"run": 1})(RayClock).options(
    max_concurrency=ANSWERING_THREADS
)
