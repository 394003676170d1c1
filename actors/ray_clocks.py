"""The master clock as a Ray actor: runs on one thread, commands on others, and readers on threads of their own.

The actor has a clock and is none: Ray wraps every method of an actor's class, inherited ones too, in one that asks whether
calls are traced, and a clock calls its own methods in every control tick.
"""

import contextlib
import ctypes
import gc
import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import ray

from actors.chronicles import Chronicle, Founding
from actors.clock_messages import AS_FAST_AS_IT_CAN, REALTIME, Pace
from actors.command_rounds import VAULT_PATIENCE_S, VAULT_RETRY_S
from actors.core.kernel.errors import EngineError, SoulfraError, UnreachableVaultError
from actors.core.kernel.settings import Settings
from actors.instance_clocks import InstanceClock
from actors.ray_lanes import RayLane
from actors.ray_nodes import Node, NodeWatch, seconds_left
from actors.vaults.openings import POSTGRES_SCHEMES, open_vault
from actors.zmq_lanes import ZmqLane

LANES: dict[str, type[RayLane]] = {"ray": RayLane, "zmq": ZmqLane}
COMMANDING_THREADS = 8
"""Callers whose commands may wait for a boundary at the same time; more of them queue in Ray."""
READING_THREADS = 6
"""Readers never wait for the clock, so they must not queue behind those who do."""
SIGN_THREADS = 2
"""For what is answered even by a clock that does not stand yet, and never waits for anything."""
M_ARENA_MAX = -8
"""Of glibc's `mallopt`."""
SETTLED_AFTER_S = 30.0
"""A clock that was started again does not leave its node before; else it might go round in circles."""


class Home(msgspec.Struct, frozen=True):
    """Where a multiverse's history is kept.

    Attributes:
        name: of the multiverse.
        vault: URL or path of its vault.
        temporary: whether the vault is only there for the clock to survive its own process, and goes when it closes.
    """

    name: str
    vault: str
    temporary: bool = False

    @property
    def is_file(self) -> bool:
        """Whether the vault is a file, which only its own node has."""
        return not self.vault.startswith(POSTGRES_SCHEMES)


class ClusterClock(InstanceClock):
    """A `MasterClock` on a cluster. When its process dies, the next one takes up where it stood, and runs if it ran.

    Args:
        settings: what this history depends on.
        realm_paths: users' folders for factories.
        hosts: how many hosts to make ready ahead of need, the registry's included.
        lane: "zmq" or "ray".
        home: where its history is kept.
        placement: Ray's options for where the clock itself may live.
    """

    def __init__(
        self,
        settings: Settings,
        realm_paths: tuple[str, ...],
        hosts: int,
        lane: str,
        home: Home,
        placement: Mapping[str, Any] | None = None,
    ) -> None:
        gc.freeze()  # what has been imported stays; looking through it for garbage takes 50 ms
        _share_one_heap()
        context = ray.get_runtime_context()
        self._home = home
        self._placement = placement or {}
        self._again = context.was_current_actor_reconstructed
        self._node_id = context.get_node_id()
        self._left_behind: list[str] = []
        self._began_at = time.monotonic()
        self._nodes = NodeWatch()
        ground = LANES[lane](realm_paths, self._nodes)
        super().__init__(settings, ground, hosts, lambda: self._open(settings, realm_paths))

    def _take_place(self) -> None:
        """On a thread of its own: a clock that lives its history again, or waits for a host, says so meanwhile."""
        self._keeps = not self._home.temporary
        threading.Thread(target=self._stand_up_and_run, name="soulfra-stand-up", daemon=True).start()

    def _stand_up_and_run(self) -> None:
        self._stand_up()
        if self._again and self._ordered in (REALTIME, AS_FAST_AS_IT_CAN) and not self._unable:
            with contextlib.suppress(SoulfraError):  # `status` says what breaks it
                self.begin(Pace(realtime=self._ordered == REALTIME))

    def _open(self, settings: Settings, realm_paths: tuple[str, ...]) -> Chronicle:
        home = self._home
        if home.temporary:
            Path(home.vault).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._again and home.is_file and not home.temporary and not Path(home.vault).is_file():
            raise EngineError(
                f"the clock of {home.name!r} was started again where there is no file {home.vault!r}: its history was lost "
                "with its node. A vault on PostgreSQL outlives a node."
            )
        give_up = time.monotonic() + (VAULT_PATIENCE_S if self._again else 0.0)
        while True:
            try:
                vault = open_vault(home.vault, power_safe=not home.temporary)
                return Chronicle(vault, home.name, Founding(settings, realm_paths), temporary=home.temporary)
            except UnreachableVaultError as error:
                if time.monotonic() >= give_up:
                    raise
                self._taking_up = f"waiting for its vault: {error.message}"
                time.sleep(VAULT_RETRY_S)

    # ------------------------------------------------------------------------------------------------------- nodes

    def _look_after_nodes(self) -> None:
        leaving = self._nodes.leaving()
        self._left_behind = []
        if not leaving:
            return
        if self._node_id in leaving and self._may_leave():
            self._mark_present()  # nobody has seen further, so the next clock need not live on before it runs
            self._write_keyframe()
            os.kill(
                os.getpid(), signal.SIGKILL
            )  # an end of its own accord would be the end; so Ray starts it elsewhere
        self._left_behind = self._fleet.evacuate(leaving)

    def _may_leave(self) -> bool:
        """Whether the clock can take its place on another node, and has not come from one just now."""
        return (
            self._chronicle.shared
            and not self._nodes.lacks(self._placement)
            and len(self._nodes.nodes()) > len(self._nodes.leaving())
            and not (self._again and time.monotonic() - self._began_at < SETTLED_AFTER_S)
        )

    def _notices(self) -> tuple[str, ...]:
        leaving = self._nodes.leaving()
        said = list(super()._notices())
        said += [f"node {node.name} ({node_id[:8]}) is being drained{_when(node)}" for node_id, node in leaving.items()]
        if self._left_behind:
            said.append(f"still there: {', '.join(self._left_behind)}")
        if self._node_id in leaving and not self._chronicle.shared:
            said.append("the clock is there and its vault is a file, which cannot move: take it down before")
        return tuple(said)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Calls a method, when this clock stands: it may be the successor of the one that the caller knew."""
        if method not in AT_ONCE:
            self._stands.wait()
        return getattr(self, method)(*arguments)

    def process_id(self) -> int:
        """Of the clock's process."""
        return os.getpid()

    def close(self) -> None:
        """See `MasterClock.close`."""
        super().close()
        if self._home.temporary:
            shutil.rmtree(Path(self._home.vault).parent, ignore_errors=True)


class RayClock:
    """A `ClusterClock`, which Ray starts again when its process dies. Its arguments are that one's."""

    def __init__(self, *arguments: Any) -> None:
        self._clock = ClusterClock(*arguments)

    def ask(self, method: str, *arguments: Any) -> Any:
        """See `ClusterClock.ask`."""
        return self._clock.ask(method, *arguments)

    @ray.method(concurrency_group="signs")
    def process_id(self) -> int:
        """Of the clock's process."""
        return os.getpid()

    @ray.method(concurrency_group="signs")
    def crash(self) -> None:
        """Ends this process as the machine would: at once, without a word."""
        os.kill(os.getpid(), signal.SIGKILL)


def _share_one_heap() -> None:
    """Lets all threads allocate in one place, where the C library can do that.

    Threads of this process come and go, and each would be given a place of its own, which only fragments: in a million idle
    control ticks the clock grew by 14 MiB.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _when(node: Node) -> str:
    left_s = seconds_left(node)
    return "" if left_s is None else f" and goes in {max(0.0, left_s):.0f} s"


SIGNS = frozenset({"process_id", "status", "stop"})
"""Methods that a clock answers on threads of their own, before it stands."""
AT_ONCE = SIGNS | {"close"}
"""Methods that do not wait until it stands."""
GROUPS = {
    **dict.fromkeys(SIGNS, "signs"),
    **dict.fromkeys(("about", "boundary", "recoveries", "query", "check_permission"), "readers"),
    **dict.fromkeys(("advance_to", "run_for"), "run"),
}
"""On which threads a method runs; those left out are commands."""
OPTIONS = {"max_concurrency": COMMANDING_THREADS}
"""For `RemoteClock.options`; Ray takes no two of those after another."""

_remote: Any = ray.remote  # its annotations know no concurrency groups
RemoteClock = _remote(
    num_cpus=0,
    max_restarts=-1,
    max_task_retries=0,
    concurrency_groups={"run": 1, "readers": READING_THREADS, "signs": SIGN_THREADS},
)(RayClock)
