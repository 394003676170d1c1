"""The master clock as a Ray actor: runs on one thread, commands on others, and readers on threads of their own."""

import gc
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import ray

from actors.chronicles import Chronicle, Founding
from actors.clocks import FAST, FOREVER, MasterClock, Metrics, Pace, Status
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import EngineError
from actors.core.kernel.settings import Settings
from actors.ray_lanes import RayLane
from actors.vaults.vaults import open_vault
from actors.zmq_lanes import ZmqLane

LANES: dict[str, type[RayLane]] = {"ray": RayLane, "zmq": ZmqLane}
COMMANDING_THREADS = 8
"""Callers whose commands may wait for a boundary at the same time; more of them queue in Ray."""
READING_THREADS = 6
"""Readers never wait for the clock, so they must not queue behind those who do."""


class Home(msgspec.Struct, frozen=True):
    """Where a multiverse's history is kept.

    Attributes:
        name: of the multiverse.
        vault: URL or path of its vault.
        temporary: whether the vault is only there for the clock to survive its own process, and goes when it closes.
        runs: whether the clock begins to run, in real time, as soon as it stands.
    """

    name: str
    vault: str
    temporary: bool = False
    runs: bool = False


class RayClock(MasterClock):
    """See `MasterClock`. Ray restarts it when its process dies; it then takes up where it stood.

    Args:
        settings: what this history depends on.
        realm_paths: users' folders for factories.
        hosts: how many hosts to make ready ahead of need, the registry's included.
        lane: "zmq" or "ray".
        home: where its history is kept.
    """

    def __init__(self, settings: Settings, realm_paths: tuple[str, ...], hosts: int, lane: str, home: Home) -> None:
        gc.freeze()  # what has been imported stays; looking through it for garbage takes 50 ms
        self._home = home
        super().__init__(settings, LANES[lane](realm_paths), hosts, lambda: self._open(settings, realm_paths))
        if home.runs:
            self.begin(Pace(realtime=True))

    def _open(self, settings: Settings, realm_paths: tuple[str, ...]) -> Chronicle:
        home = self._home
        if home.temporary:
            Path(home.vault).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        vault = open_vault(home.vault, power_safe=not home.temporary)
        chronicle = Chronicle(vault, home.name, Founding(settings, realm_paths))
        if ray.get_runtime_context().was_current_actor_reconstructed and not chronicle.resumes:
            raise EngineError(
                f"{vault.where} knows nothing of {home.name!r}, whose clock was started again here: it was lost with its "
                "node. A vault on PostgreSQL outlives a node."
            )
        return chronicle

    def begin(self, pace: Pace) -> None:
        """Lets the clock run by itself, without a bound and without anybody waiting for it.

        Raises:
            CommandRefusedError: it runs already.
        """
        self.begin_run(FOREVER, pace)

    @ray.method(concurrency_group="readers")
    def process_id(self) -> int:
        """Of the clock's process."""
        return os.getpid()

    @ray.method(concurrency_group="readers")
    def crash(self) -> None:
        """Ends this process as the machine would: at once, without a word."""
        os.kill(os.getpid(), signal.SIGKILL)

    @ray.method(concurrency_group="readers")
    def about(self) -> tuple[Settings, Home, str]:
        """What a driver has to know that finds this clock by name: settings, home, lane."""
        return self._sequencer.settings, self._home, self._lane.name

    def close(self) -> None:
        """See `MasterClock.close`."""
        super().close()
        if self._home.temporary:
            shutil.rmtree(Path(self._home.vault).parent, ignore_errors=True)

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


OPTIONS = {"max_concurrency": COMMANDING_THREADS}
"""For `RemoteClock.options`; Ray takes no two of those after another."""

_remote: Any = ray.remote  # its annotations know no concurrency groups
RemoteClock = _remote(
    num_cpus=0, max_restarts=-1, max_task_retries=0, concurrency_groups={"run": 1, "readers": READING_THREADS}
)(RayClock)
