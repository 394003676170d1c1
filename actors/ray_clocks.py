"""The master clock as a Ray actor: runs on one thread, commands on others, and readers on threads of their own."""

from collections.abc import Mapping
from typing import Any

import ray

from actors.clocks import FAST, MasterClock, Metrics, Pace, Status
from actors.core.kernel.codec import Plain
from actors.core.kernel.settings import Settings
from actors.ray_lanes import RayLane
from actors.zmq_lanes import ZmqLane

LANES: dict[str, type[RayLane]] = {"ray": RayLane, "zmq": ZmqLane}
COMMANDING_THREADS = 8
"""Callers whose commands may wait for a boundary at the same time; more of them queue in Ray."""
READING_THREADS = 4
"""Readers never wait for the clock, so they must not queue behind those who do."""


class RayClock(MasterClock):
    """See `MasterClock`.

    Args:
        settings: what this history depends on.
        realm_paths: users' folders for factories.
        hosts: how many hosts to make ready ahead of need, the registry's included.
        lane: "zmq" or "ray".
    """

    def __init__(self, settings: Settings, realm_paths: tuple[str, ...], hosts: int, lane: str) -> None:
        super().__init__(settings, LANES[lane](realm_paths), hosts)

    @ray.method(concurrency_group="run")
    def advance_to(  # type: ignore[override]  # the decorator hides the signature
        self, control_tick: int, pace: Pace = FAST
    ) -> list[Metrics]:
        """See `MasterClock.advance_to`."""
        return super().advance_to(control_tick, pace)

    @ray.method(concurrency_group="readers")
    def status(self) -> Status:  # type: ignore[override]  # likewise
        """See `MasterClock.status`."""
        return super().status()

    @ray.method(concurrency_group="readers")
    def stop(self) -> None:  # type: ignore[override]  # likewise
        """See `MasterClock.stop`."""
        super().stop()

    @ray.method(concurrency_group="readers")
    def query(  # type: ignore[override]  # likewise
        self, member_id: str, verb: str, arguments: Mapping[str, Plain]
    ) -> Plain:
        """See `MasterClock.query`."""
        return super().query(member_id, verb, arguments)


_remote: Any = ray.remote  # its annotations know no concurrency groups
RemoteClock = _remote(
    num_cpus=0, max_restarts=0, max_task_retries=0, concurrency_groups={"run": 1, "readers": READING_THREADS}
)(RayClock).options(max_concurrency=COMMANDING_THREADS)
