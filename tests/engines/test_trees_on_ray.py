"""Going back on a real cluster: the same histories as in one process, on the hosts that are there, whoever dies meanwhile."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from processes import alive, until

from actors.clock_messages import CLOCK
from orchestration import Multiverse
from orchestration.main import run

ROOT = Path(__file__).parents[2]
REALMS = ROOT / "tests" / "realms"
RING = "small:Ring"

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def peopled(mv):
    for number in range(3):
        after = f"ring_{(number + 1) % 3}"
        mv.register_game(f"ring_{number}", RING, params={"next_realm": after, "shouts": True})
    return mv


def story(mv):
    """A life with three branches; what was seen of each."""
    seen = {}
    mv.run(6)
    mv.command("ring_1", "set_luck", {"luck": 5})
    mv.snapshot("mine")
    mv.run(4)
    seen["main"] = (mv.boundary().control_tick, mv.digest_chain())
    mv.revert(3, reason="what if")
    mv.register_game("late", RING, params={"shouts": True})
    mv.run(4)
    seen["main-2"] = (mv.boundary().control_tick, mv.digest_chain())
    mv.revert(snapshot="mine", name="third")
    mv.run(4)
    seen["third"] = (mv.boundary().control_tick, mv.digest_chain())
    return seen


def changed(mv):
    """What comes of changing the newest branch: one realm goes back, another is modified."""
    mv.select("third")
    went = mv.revert_realm("ring_0", 8)
    assert mv.modify("ring_2", {"ring.luck": 3}) == 1
    mv.run(3)
    return went["local_tick"], len(went["entangled"]), mv.digest_chain()


@pytest.mark.parametrize("lane", ["zmq", pytest.param("ray", marks=pytest.mark.soak)])
def test_the_same_tree_as_in_one_process(tmp_path, lane):
    where = {"name": "home", "realm_paths": [REALMS]}
    with Multiverse(7, engine="local", vault=tmp_path / "local.sqlite", **where) as mv:
        expected = story(peopled(mv))
        expected_changed = changed(mv)
    assert expected["third"] == expected["main"]
    with Multiverse(7, engine="ray", lane=lane, vault=tmp_path / "ray.sqlite", **where) as mv:
        peopled(mv)
        hosts = {one["member_id"]: one["process_id"] for one in mv.members()}
        assert story(mv) == expected
        assert {one["member_id"]: one["process_id"] for one in mv.members()} == hosts
        assert mv.recoveries() == []
        for branch in ("main-2", "main", "third"):
            mv.select(branch)
            assert (mv.boundary().control_tick, mv.digest_chain()) == expected[branch]
        with mv.at(snapshot="mine") as past:
            assert past.boundary.control_tick == 6
        assert changed(mv) == expected_changed
        mv.kill("ring_0")
        until(lambda: not alive(hosts["ring_0"]))
        mv.run(1)
        assert [one["member_id"] for one in mv.recoveries()] == ["ring_0"]


def forked(mv, kills=()):
    """A life with forks in forks, modified, from the past, and dropped again; whoever is named dies on the way."""
    rings = ["ring_0", "ring_1"]
    for ring, after in zip(rings, reversed(rings), strict=True):
        mv.register_game(ring, RING, params={"next_realm": after, "shouts": True})
    mv.command("ring_0", "send", {"target": "ring_1"})
    mv.run(4)
    first, second = mv.fork(rings, modifications=[{}, {"ring_1.ring.luck": 500}])
    mv.run(2)
    assert mv.drop_fork(second) == ["ring_0~2", "ring_1~2"]
    [deeper] = mv.fork(list(first.realms.values()), divergent=True)
    [deepest] = mv.fork([deeper["ring_1"]])
    for member_id in kills:
        mv.kill(member_id)
        mv.run(1)
    mv.run(3 - len(kills))
    [then] = mv.fork(["ring_0"], control_tick=3)
    mv.run(2)
    assert all(held == due for held, due in mv.audit()["conservation"].values())
    games = {game["realm_id"]: game["digest"] for game in mv.get_multiverse_state()["games"]}
    assert [games[first[ring]] for ring in rings] == [games[ring] for ring in rings]
    assert len({games[one] for one in ("ring_1", deeper["ring_1"], deepest["ring_1"])}) == 3
    assert games[then["ring_0"]] != games["ring_0"]
    return mv.digest(), mv.digest_chain()


@pytest.mark.parametrize("lane", ["zmq", pytest.param("ray", marks=pytest.mark.soak)])
def test_forks_are_the_same_as_in_one_process_whoever_dies(tmp_path, lane):
    where = {"name": "home", "realm_paths": [REALMS]}
    with Multiverse(7, engine="local", vault=tmp_path / "local.sqlite", **where) as mv:
        expected = forked(mv)
    with Multiverse(7, engine="ray", lane=lane, vault=tmp_path / "ray.sqlite", **where) as mv:
        assert forked(mv, kills=("ring_1~1", CLOCK, "ring_1~4")) == expected
        assert {one["member_id"] for one in mv.recoveries()} >= {"ring_1~1", "ring_1~4", CLOCK}
        processes = {one["process_id"] for one in mv.members()}
        for fork in mv.forks():
            mv.drop_fork(fork)
        gone = processes - {one["process_id"] for one in mv.members()}
        until(lambda: not any(alive(one) for one in gone))


def test_whoever_dies_while_all_goes_back_it_happens_once_or_not_at_all(tmp_path):
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    draw = random.Random(seed)
    with Multiverse(7, engine="ray", name="home", realm_paths=[REALMS], vault=tmp_path / "v.sqlite") as mv:
        peopled(mv)
        chains = [mv.digest_chain()]
        for _ in range(6):
            mv.run(1)
            chains.append(mv.digest_chain())
        for attempt in range(2):
            tick = draw.randrange(1, 6)
            victim = mv._engine.call("process_id") if attempt % 2 else draw.choice(mv.members())["process_id"]
            killer = threading.Timer(draw.uniform(0.0, 0.08), os.kill, (victim, signal.SIGKILL))
            killer.start()
            left = mv.revert(tick, branch="main")
            killer.join()
            until(lambda victim=victim: not alive(victim))
            assert [one.branch for one in mv.branches()] == ["main", *(f"main-{n + 2}" for n in range(attempt + 1))]
            assert (left.control_tick, mv.boundary().branch) == (tick, f"main-{attempt + 2}")
            mv.run(6 - tick)
            assert mv.digest_chain() == chains[6]
        mv.select("main")
        assert mv.digest_chain() == chains[6]
        assert len(mv.members()) == 4


def test_a_loss_is_part_of_the_control_tick_in_which_it_was_decided(tmp_path):
    vault = tmp_path / "v.sqlite"
    with Multiverse(7, engine="ray", name="home", realm_paths=[REALMS], vault=vault) as mv:
        mv.register_game("mortal", RING, params={"die_at": 35})
        mv.register_game("other", RING, params={"shouts": True})
        mv.run(6)
        assert [one["error"] != "" for one in mv.get_multiverse_state()["games"]] == [True, False]
        chains = {record.control_tick_id: record.chain.hex() for record in mv.records()}
    for tick in (3, 4, 5):
        looking = [
            sys.executable,
            "-m",
            "orchestration",
            "history",
            "at",
            "home",
            str(tick),
            "--vault",
            str(vault),
            "--json",
        ]
        looked = subprocess.run(looking, cwd=ROOT, capture_output=True, text=True, check=True)  # it dies if it errs
        document = json.loads(looked.stdout)
        assert document["digest_chain"] == chains[tick]
        assert [realm["state"] == "error" for realm in document["realms"]] == [tick >= 4, False]


def test_from_a_shell(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scenario = tmp_path / "one.toml"
    scenario.write_text(
        f'local_tick_interval_ms = 1\nrealm_paths = ["{REALMS}"]\n[[realms]]\nid = "a"\nfactory = "{RING}"\n'
    )

    def soulfra(*arguments):
        code = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    soulfra("up", "tree", "--scenario", scenario, "--paused")
    try:
        taken = json.loads(soulfra("snapshot", "take", "tree", "mine", "--reason", "at first", "--json"))
        assert (taken["snapshot"], taken["control_tick"], taken["reason"]) == ("mine", 0, "at first")
        with Multiverse.attach("tree") as mv:
            mv.run(5)
            chain = mv.digest_chain()
        assert soulfra("snapshot", "take", "tree").startswith("s2: control tick 5 on main, digest ")
        assert soulfra("revert", "tree", "--to", 2, "--as", "other") == (
            "tree is back at control tick 2 of main, and goes on from there on other\n"
        )
        assert soulfra("history", "select", "tree", "main") == "tree goes on at control tick 5 of main\n"
        assert json.loads(soulfra("history", "at", "tree", 5, "--json"))["digest_chain"] == chain
        assert soulfra("snapshot", "delete", "tree", "s2") == "s2 is deleted\n"
        assert soulfra("history", "show", "tree").splitlines() == [
            "main  0 … 5  lives here",
            "├── mine at 0  at first",
            "└── other  2 … 2",
        ]
        assert soulfra("fork", "tree", "--realm", "a", "--vary", "a.ring.luck=1,2") == "fork 1: a~1\nfork 2: a~2\n"
        late = json.loads(soulfra("fork", "tree", "--realm", "a", "--at", 2, "--divergent", "--json"))
        assert late == {"name": "tree", "forks": [{"fork": 3, "realms": {"a": "a~3"}}]}
        assert soulfra("fork", "tree", "--drop", 1, "--drop", 3) == "fork 2: a~2\n"
        for wrong, says in (
            (["--realm", "a", "--drop", "2"], "give either --realm"),
            (["--at", "2"], "say with --realm"),
            (["--realm", "a", "--vary", "x=1", "--table", "t"], "give either --vary"),
            (["--realm", "b"], "no realm 'b' is registered"),
            (["--drop", "7"], "there is no fork 7; there are 2"),
        ):
            assert run(["fork", "tree", *wrong]) == 2
            assert says in capsys.readouterr().err
        assert soulfra("fork", "tree", "--drop", 2) == "tree has no forks\n"
        with Multiverse.attach("tree") as mv:
            mv.run(1)
            before, branches = mv.state_of("a"), len(mv.branches())
            assert soulfra("revert", "tree", "--realm", "a", "--to", 2) == "a is back at its local tick 20\n"
            assert mv.boundary().control_tick == 6 and len(mv.branches()) == branches
            assert mv.state_of("a") != before
        went = json.loads(soulfra("revert", "tree", "--realm", "a", "--snapshot", "mine", "--json"))
        assert (went["realm_id"], went["local_tick"], went["entangled"]) == ("a", 0, [])
        assert run(["revert", "tree", "--to", "77"]) == 2
        assert "reaches from control tick 0 to 6" in capsys.readouterr().err
    finally:
        soulfra("down", "tree")
    assert run(["snapshot", "take", "tree"]) == 2
    assert "no multiverse 'tree' is up on this cluster" in capsys.readouterr().err


PLACES = (
    {"engine": "ray", "spare_hosts": 2},
    {"engine": "local"},  # fewer: one process for all
    {"engine": "ray", "lane": "ray", "spare_hosts": 0},
    {"engine": "ray", "spare_hosts": 4},  # more than there are members
)


def generation(mv, number):
    """A part of a life: one that goes back behind where it was taken up, and on."""
    mv.run(3)
    mv.command("ring_1", "set_luck", {"luck": number})
    mv.run(2)
    mv.revert(mv.boundary().control_tick - 3)
    mv.run(3)


@pytest.mark.soak
def test_a_history_goes_on_with_fewer_more_and_other_workers(tmp_path):
    where = {"name": "home", "realm_paths": [REALMS]}
    with Multiverse(7, engine="local", vault=tmp_path / "calm.sqlite", **where) as mv:
        peopled(mv)
        expected = []
        for number in range(len(PLACES)):
            generation(mv, number)
            expected.append((mv.boundary(), mv.digest_chain(), mv.digest()))
    for number, place in enumerate(PLACES):  # each takes up what the one before has restored
        with Multiverse(7, vault=tmp_path / "moved.sqlite", **where, **place) as mv:
            if not number:
                peopled(mv)
            generation(mv, number)
            assert (mv.boundary(), mv.digest_chain(), mv.digest()) == expected[number], place
