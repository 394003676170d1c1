"""Nodes that die or are drained, and a control plane that goes away: several raylets on this machine.

A process has one connection to Ray, and that of the tests is taken; so each of these runs in a process of its own, which is
this file run as a program.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REALMS = ROOT / "tests" / "realms"
RING = "small:Ring"
EDGE = {"resources": {"edge": 0.01}}
"""Where a member may live that has its place on a node with an edge."""
STORE_BYTES = 80 << 20
DRAIN_S = 20.0
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_worker_maximum_startup_concurrency": "16",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "240",  # on a loaded machine a minute is soon over
}


def a_dead_node_costs_its_members_a_restart_elsewhere() -> None:
    with cluster() as nodes:
        first = nodes.add(edge=1)
        with multiverse(start_timeout_s=8.0) as mv:
            mv.register_game("pinned", RING, placement=EDGE)
            mv.register_game("free", RING)
            mv.run(5)
            nodes.add(edge=1)
            mv.start("fast")
            begun = nodes.kill(first)
            until(lambda: [one for one in mv.recoveries() if one["member_id"] == "pinned"])
            print(f"brought back after {time.monotonic() - begun:.1f} s: {mv.recoveries()}")
            control_tick = mv.pause()["control_tick"]
            assert mv.digest_chain() == calm(control_tick, "pinned", "free")


def a_member_that_no_node_has_room_for_is_alone_in_error() -> None:
    with cluster() as nodes:
        first = nodes.add(edge=1)
        with multiverse(start_timeout_s=6.0) as mv:
            mv.register_game("pinned", RING, placement=EDGE)
            mv.register_game("free", RING)
            mv.run(5)
            mv.start("fast")
            nodes.kill(first)
            said = until(lambda: [line for line in mv.status().waiting if "no node of the cluster offers edge" in line])
            assert said[0].startswith("waiting for pinned since"), said
            until(lambda: mv.get_multiverse_state()["games"][1]["state"] == "error")
            error = mv.get_multiverse_state()["games"][1]["error"]
            assert error == "its process died, and it cannot be brought back: no node of the cluster offers edge: 0.01"
            seen = mv.status().boundary.control_tick
            until(lambda: mv.status().boundary.control_tick > seen + 5)
            nodes.add(edge=1)
            mv.restart_game("pinned")
            until(lambda: mv.get_multiverse_state()["games"][1]["local_tick"] > 60)


def the_clock_s_node_dies_and_a_vault_on_a_server_keeps_its_history() -> None:
    with cluster() as nodes, server() as vault:
        first = nodes.add(core=1)
        with multiverse(name="home", vault=vault, clock_placement={"resources": {"core": 0.01}}) as mv:
            assert "PostgreSQL" in mv.about.vault
            mv.register_game("a", RING)
            mv.run(5)
            nodes.add(core=1)
            mv.start("fast")
            time.sleep(0.5)
            seen = mv.status().boundary.control_tick
            begun = nodes.kill(first)
            assert until(lambda: mv.status().waiting)
            until(lambda: mv.status().boundary.control_tick > seen and mv.recoveries())
            print(f"the clock is back, and further than before, after {time.monotonic() - begun:.1f} s")
            control_tick = mv.pause()["control_tick"]
            assert mv.digest_chain() == calm(control_tick, "a")


def the_clock_s_node_dies_and_a_vault_in_a_file_is_lost_with_it() -> None:
    import ray

    from actors.core.kernel.errors import EngineError
    from orchestration import Multiverse

    with cluster() as nodes:
        folder = Path(tempfile.mkdtemp(prefix="soulfra-node-"))
        first = nodes.add(folder, edge=1)

        @ray.remote(num_cpus=0, resources={"edge": 0.01})
        def start() -> str:
            with Multiverse(1, name="home", vault=folder / "v.sqlite", detached=True, realm_paths=[REALMS]) as mv:
                mv.register_game("a", RING)
                return mv.durability

        assert "losing this machine loses the vault" in ray.get(start.remote(), timeout=60)
        mv = Multiverse.attach("home")
        mv.run(2)
        nodes.kill(first)
        assert not folder.exists()
        with contextlib.suppress(EngineError):
            until(lambda: mv.run(1) and False)
        try:
            mv.run(1)
        except EngineError as error:
            assert "its vault, a file there, with it" in error.message, error
        else:
            raise AssertionError("a clock without its node has answered")


def a_drained_node_hands_its_members_over_before_it_goes() -> None:
    with cluster() as nodes:
        first = nodes.add(edge=1)
        with multiverse() as mv:
            mv.register_game("one", RING, placement=EDGE)
            mv.register_game("two", RING, placement=EDGE)
            mv.run(5)
            nodes.add(edge=1)
            mv.start("fast")
            begun = nodes.drain(first)
            until(lambda: [line for line in mv.status().notices if "is being drained" in line])
            until(lambda: len(mv.recoveries()) >= 2, DRAIN_S)
            print(f"handed over within {time.monotonic() - begun:.1f} s: {mv.recoveries()}")
            assert {one["reason"] for one in mv.recoveries()} == {"its node is being drained"}
            control_tick = mv.pause()["control_tick"]
            assert mv.digest_chain() == calm(control_tick, "one", "two")


def a_drained_node_hands_its_clock_over_too() -> None:
    with cluster() as nodes, server() as vault:
        first = nodes.add(core=1)
        with multiverse(name="home", vault=vault, clock_placement={"resources": {"core": 0.01}}) as mv:
            mv.register_game("a", RING)
            mv.run(5)
            nodes.add(core=1)
            mv.start("realtime")
            begun = nodes.drain(first)
            until(lambda: mv.status().epoch == 2 and mv.status().running, DRAIN_S)
            print(f"the clock runs elsewhere after {time.monotonic() - begun:.1f} s")
            control_tick = mv.pause()["control_tick"]
            assert mv.recoveries()[-1]["replayed"] == 0, "it wrote down where it stood before it left"
            assert mv.digest_chain() == calm(control_tick, "a")


def a_history_goes_on_with_fewer_more_and_other_nodes() -> None:
    with cluster() as nodes, tempfile.TemporaryDirectory() as folder:
        here = [nodes.add(edge=1), nodes.add(edge=1)]
        control_tick = 0
        for change in ("two nodes", "one node", "three others"):
            if change == "one node":
                nodes.kill(here.pop())
            elif change == "three others":
                nodes.kill(here.pop())
                here += [nodes.add(edge=1) for _ in range(3)]
            with multiverse(name="home", vault=Path(folder, "v.sqlite")) as mv:
                if not control_tick:
                    mv.register_game("pinned", RING, placement=EDGE)
                    mv.register_game("free", RING)
                assert mv.boundary().control_tick == control_tick
                mv.run(5)
                control_tick += 5
                assert mv.digest_chain() == calm(control_tick, "pinned", "free"), change


def a_lost_control_plane_is_survived() -> None:
    store = tempfile.mkdtemp(prefix="soulfra-gcs-")
    os.environ |= {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": store}
    with cluster() as nodes, multiverse() as mv:
        mv.register_game("a", RING)
        mv.run(5)
        mv.start("fast")
        time.sleep(1.5)  # the spares are ready
        nodes.cluster.head_node.kill_gcs_server()
        seen = mv.status().boundary.control_tick
        until(lambda: mv.status().boundary.control_tick > seen + 50)
        os.kill(process_of(mv, "a"), signal.SIGKILL)
        until(mv.recoveries)
        print(f"brought back on a spare, without a control plane: {mv.recoveries()}")
        nodes.cluster.head_node.start_gcs_server()
        mv.register_game("b", RING, placement={"num_cpus": 0.01})  # a new host, not a spare
        os.kill(mv.about.process_id, signal.SIGKILL)
        until(lambda: mv.status().epoch == 2 and mv.status().running)
        assert mv.query("b", "all") is not None
    shutil.rmtree(store)


CASES = [
    found for found in list(globals().values()) if getattr(found, "__module__", "") == __name__ and callable(found)
]


@pytest.mark.ray
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", [case.__name__ for case in CASES])
def test_nodes(case: str) -> None:
    done = subprocess.run(
        [sys.executable, __file__, case],
        cwd=ROOT, env=os.environ | ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        timeout=280,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-4000:]


# ------------------------------------------------------------------------------------------------ in the other process


class Nodes:
    """A head, where this process is, and nodes that come and go."""

    def __init__(self) -> None:
        import ray
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level="ERROR")
        self._folders: dict[object, Path] = {}

    def add(self, folder: Path | None = None, **resources: float) -> object:
        """A node with a folder of its own."""
        folder = folder or Path(tempfile.mkdtemp(prefix="soulfra-node-"))
        node = self.cluster.add_node(
            num_cpus=1, resources=resources, object_store_memory=STORE_BYTES, temp_dir=str(folder)
        )
        self._folders[node] = folder
        return node

    def kill(self, node: object) -> float:
        """As if its machine were gone, and its folder with it."""
        self.cluster.remove_node(node, allow_graceful=False)
        shutil.rmtree(self._folders.pop(node), ignore_errors=True)
        return time.monotonic()

    def drain(self, node: object) -> float:
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + DRAIN_S) * 1e3)
        accepted, why = GcsClient(address=self.cluster.address).drain_node(node.node_id, reason, "test", deadline_ms)
        assert accepted, why
        return time.monotonic()

    def close(self) -> None:
        import ray

        ray.shutdown()
        self.cluster.shutdown()
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def cluster():
    return contextlib.closing(Nodes())


@contextlib.contextmanager
def server():
    """The URL of a vault on a PostgreSQL server of its own."""
    sys.path.append(str(ROOT / "tests" / "vaults"))
    import servers

    found = servers.Server(servers.programs())
    try:
        yield found.fresh_url()
    finally:
        found.stop()


def multiverse(**options):
    from orchestration import Multiverse

    return Multiverse(1, realm_paths=[REALMS], local_tick_interval_ms=1, **options)


def calm(control_ticks: int, *realms: str) -> str:
    """The digest chain of the same life with nothing in its way."""
    with multiverse(engine="local") as mv:
        for realm in realms:
            mv.register_game(realm, RING)
        mv.advance_to(control_ticks)
        return mv.digest_chain()


def process_of(mv, member_id: str) -> int:
    return next(one["process_id"] for one in mv.members() if one["member_id"] == member_id)


def until(what, patience_s: float = 90.0):
    deadline = time.monotonic() + patience_s
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not come to that")
        time.sleep(0.05)
    return found


if __name__ == "__main__":
    globals()[sys.argv[1]]()
