"""An instance on a real cluster lives the life that it lives in one process, on either lane, whoever dies meanwhile."""

import os
import signal
import threading

import pytest
from processes import alive, until

from actors.clock_messages import CLOCK
from actors.core.kernel.errors import EngineError, GovernorDeniedError
from actors.packages.files import read_package, write_package
from orchestration import Multiverse

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def presided(mv, folder, kills=()):
    """All that a god does in an afternoon; what was seen of it. Whoever is named dies on the way."""
    dying = list(kills)

    def live(control_ticks):
        if dying:
            mv.kill(dying.pop(0))
        mv.run(control_ticks)

    def god(kind, **more):
        return mv.god_mode_command({"type": kind, **more})

    mv.create_instance("alpha")
    live(8)
    unified = mv.merge_all_active_platforms("alpha")
    god("FREEZE_TIME", scope=["surface~1"], duration_ticks=20)
    changes = [{"runtime.agents.arty.personality.creativity": 0.25}, {"runtime.agents.cal_riven.personality.calm": 0.5}]
    mv.fork_instance("alpha", names=["red", "blue"], modifications=changes)
    live(3)
    held = {"instance": "red", "agent": "arty"}
    lease = god("AGENT_POSSESSION", **held, idempotency_key="held").lease_id
    god("AGENT_POSSESSION", **held, step="act", lease_id=lease, action="rest")
    live(2)
    with pytest.raises(GovernorDeniedError):
        god(
            "PUPPET_MASTER_INTERVENTION", instance="red", intervention={"kind": "terminate_agent", "agent": "cal_riven"}
        )
    merged = god("MERGE_INSTANCES", ids=["red", "blue"], strategy="ours", name="violet").report
    live(3)
    file = folder / "violet.pkg"
    write_package(file, mv.export_to_outer_layer("violet"), replace=True)
    mv.destroy_instance("blue")
    mv.import_from_outer_layer(read_package(file), name="home")
    assert mv.instance_digest("home") == mv.instance_digest("violet")
    back = god("TIMELINE_REVERT", scope="alpha", control_tick=9).scope
    live(3)
    assert all(held == due for held, due in mv.audit()["conservation"].values())
    conflicts = [(one.type, one.where, one.winner) for one in unified.metadata.conflicts]
    return {
        "unified": (unified.snapshot_id, conflicts),
        "merged": (merged["bases"], merged["conflicts_count"], merged["changed_count"]),
        "back": (back["local_ticks"], back["dropped"]),
        "instances": [(one.instance_id, one.name, mv.instance_digest(one)) for one in mv.instances()],
        "end": (mv.digest(), mv.digest_chain()),
    }


@pytest.mark.parametrize("lane", ["zmq", pytest.param("ray", marks=pytest.mark.soak)])
def test_the_life_is_that_of_one_process_whoever_dies(tmp_path, lane):
    with Multiverse(5, engine="local", name="home", vault=tmp_path / "local.sqlite") as mv:
        expected = presided(mv, tmp_path)
    with Multiverse(5, engine="ray", lane=lane, name="home", vault=tmp_path / "ray.sqlite") as mv:
        assert presided(mv, tmp_path, kills=("runtime~1", CLOCK, "mirror~2", "protocol~4")) == expected
        assert {one["member_id"] for one in mv.recoveries()} >= {"mirror~2", CLOCK}
        processes = {one["process_id"] for one in mv.members() if one["member_id"] != "@players"}
        for one in mv.instances():
            mv.destroy_instance(one)
        until(lambda: not any(alive(process_id) for process_id in processes))
    with Multiverse(5, engine="local", name="home", vault=tmp_path / "ray.sqlite") as mv:
        assert mv.instances() == []


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["CLONE_INSTANCE", "MERGE_INSTANCES", "AGENT_POSSESSION", "import"])
def test_who_dies_in_the_middle_has_done_it_or_nothing(tmp_path, moment):
    """The clock's process is killed while it carries a command out; asked again under the same key, it is done once."""
    with Multiverse(5, engine="ray", name="home", vault=tmp_path / "ray.sqlite", spare_hosts=4) as mv:
        mv.create_instance("alpha")
        mv.fork_instance("alpha", names=["beta"])
        mv.run(4)
        package = mv.export_to_outer_layer("alpha")
        clock = mv.about.process_id
        commands = {
            "CLONE_INSTANCE": {"type": moment, "source": "alpha", "name": "gamma", "idempotency_key": "k"},
            "MERGE_INSTANCES": {"type": moment, "ids": ["i1", "i2"], "name": "gamma", "idempotency_key": "k"},
            "AGENT_POSSESSION": {"type": moment, "instance": "alpha", "agent": "arty", "idempotency_key": "k"},
        }
        killer = threading.Timer(0.02, lambda: os.kill(clock, signal.SIGKILL))
        killer.start()
        try:
            if moment == "import":
                mv.import_from_outer_layer(package, name="gamma")
            else:
                mv.god_mode_command(commands[moment])
        except EngineError:
            pass  # nobody knows what came of it; what follows finds out
        killer.join()
        until(lambda: CLOCK in {one["member_id"] for one in mv.recoveries()})
        if moment == "import":
            made = [one.name for one in mv.instances()].count("gamma")
            if not made:
                mv.import_from_outer_layer(package, name="gamma")
        else:
            first = mv.god_mode_command(commands[moment])
            assert mv.god_mode_command(commands[moment]) == first
        names = [one.name for one in mv.instances()]
        assert names == (["alpha", "beta"] if moment == "AGENT_POSSESSION" else ["alpha", "beta", "gamma"])
        assert len(mv.members()) == 1 + 4 * len(names), "no member that belongs to nobody"
        mv.run(2)
        chain = mv.digest_chain()
        with mv.at(mv.boundary().control_tick) as past:
            assert past.digest_chain() == chain
