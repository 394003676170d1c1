"""What outlives the program that started it: `soulfra up`, `status`, `down`, `attach`; orders, successors, hung members."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import gettempdir

import pytest
from processes import PATIENCE_S, alive, until

from actors.core.kernel.errors import EngineError, SoulfraError, StaleEpochError
from actors.vaults.openings import open_vault
from orchestration import Multiverse, ray_engines
from orchestration.main import run

ROOT = Path(__file__).parents[2]
REALMS = ROOT / "tests" / "realms"
RING = "small:Ring"
SCENARIO = f"""
local_tick_interval_ms = 1
seed = 5
realm_paths = ["{REALMS}"]
[[realms]]
id = "a"
factory = "{RING}"
params = {{ next_realm = "b", shouts = true }}
[[realms]]
id = "b"
factory = "{RING}"
params = {{ next_realm = "a" }}
[[players]]
name = "Alice"
realm = "a"
travels = [{{ at = 1000, to = "b" }}]
[[events]]
at = 3
type = "token"
target = "a"
"""

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def soulfra(capsys, tmp_path, monkeypatch):
    """Runs a command line in an empty folder; what it said, its code first. Takes down what is up at the end."""
    monkeypatch.chdir(tmp_path)
    names = set()

    def call(*arguments):
        if arguments[0] == "up" and len(arguments) > 1:
            names.add(arguments[1])
        code = run([str(one) for one in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield call
    for name in names:
        call("down", name)


def processes(mv):
    return [mv.about.process_id, *(member["process_id"] for member in mv.members())]


def calm(control_ticks):
    """The digest chain of the same life with nothing in its way, in one process."""
    from orchestration import scenarios
    from orchestration.agendas import set_up

    path = Path("two.toml")
    described = scenarios.load(path)
    with Multiverse(described.seed, local_tick_interval_ms=1, engine="local", realm_paths=[REALMS]) as mv:
        set_up(mv, described)
        mv.advance_to(control_ticks)
        return mv.digest_chain()


def test_up_status_down_and_up_again(soulfra, scenario, tmp_path):
    code, out, err = soulfra("up", "home", "--scenario", scenario)
    assert (code, out.splitlines()[0]) == (0, "home is up, new: 2 realms, running in real time."), err
    assert (
        f"vault file '{tmp_path / 'home.sqlite'}'" in out
        and "survives the death of any process, and a power cut" in out
    )
    assert err == "the journeys of 1 player are left out: they need a program that drives.\n"
    assert soulfra("up", "home") == (
        2,
        "",
        "soulfra: 'home' is up already on this cluster; attach to it, or take it down first.\n",
    )
    with Multiverse.attach("home") as mv:
        ours = processes(mv)
        until(lambda: mv.status().boundary.control_tick > 5)
    code, out, _ = soulfra("status", "home")
    assert code == 0 and out.startswith("home is running at control tick ") and "ring" in out
    code, out, _ = soulfra("status", "home", "--json")
    found = json.loads(out)
    assert (found["state"], found["epoch"], found["trouble"], found["waiting"], found["recoveries"]) == (
        "running",
        1,
        "",
        [],
        [],
    )
    assert [realm["realm_id"] for realm in found["realms"]] == ["a", "b"]
    assert {realm["state"] for realm in found["realms"]} <= {"running", "syncing"}
    code, out, _ = soulfra("down", "home")
    stood_at = int(out.partition("control tick ")[2].partition(".")[0])
    assert code == 0 and "home.sqlite" in out and stood_at >= found["boundary"]["control_tick"]
    until(lambda: not any(map(alive, ours)))
    code, out, err = soulfra("up", "home", "--paused", "--games", "3")
    assert out.startswith(f"home is up, resumed at control tick {stood_at}: 2 realms, paused.")
    assert "left aside" in err
    found = json.loads(soulfra("status", "home", "--json")[1])
    assert (found["state"], found["boundary"]["control_tick"]) == ("paused", stood_at)
    assert found["digest_chain"] == calm(stood_at)
    with Multiverse.attach("home") as mv:
        assert (mv.settings.seed, mv.about.lane) == (5, "zmq")
        assert [player.name for player in mv.players.get_realm_roster("a")] == ["Alice"]
        assert mv.run(3)[-1].control_tick_id == stood_at + 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["status", "nobody"], "no multiverse 'nobody' is up"),
        (["down", "nobody"], "start it with: soulfra up nobody"),
        (["status", "no/such"], "letters, digits"),
        (["up", "-x"], "-x"),
        (["up", "../x"], "letters, digits"),
        (["up", "x" * 65], "1 to 64"),
        (["up", "x", "--vault", "/no/such/folder/x.sqlite"], "there is no folder"),
        (["up", "x", "--vault", "/proc/x.sqlite"], "cannot be opened"),
        (["up", "x", "--vault", "postgresql://nobody@127.0.0.1:9/x"], "there is no connection"),
        (["up", "x", "--vault", "mysql://x"], "mysql"),
        (["up", "x", "--games", "0"], "--games"),
        (["up", "x", "--lane", "tin"], "zmq, ray"),
        (["up", "x", "--scenario", "nowhere.toml"], "cannot be read"),
        (["up"], "NAME"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line_and_leaves_nothing(soulfra, tmp_path, arguments, says):
    code, out, err = soulfra(*arguments)
    assert (code, out) == (2, "") and says in err and len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_that_cannot_be_made_leaves_nothing(soulfra, tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text(f'realm_paths = ["{REALMS}"]\n[[realms]]\nid = "a"\nfactory = "small:raising_factory"\n')
    code, out, err = soulfra("up", "home", "--scenario", path)
    assert (code, out) == (2, "") and "on strike" in err and len(err.splitlines()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["broken.toml"]
    assert soulfra("status", "home")[0] == 2


def test_a_cluster_that_is_not_there(tmp_path, monkeypatch):
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", "up", "home", "--vault", str(tmp_path / "home.sqlite")],
        cwd=ROOT, env=os.environ | {"RAY_ADDRESS": "127.0.0.1:9"}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "no Ray cluster answers" in done.stderr and len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []

    import ray

    def none_runs(**_):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", none_runs)
    with pytest.raises(EngineError, match="start one with `ray start --head`"):
        ray_engines._start("auto", ray_engines.LOCAL_CPUS)


def test_setting_up_may_be_interrupted(soulfra, scenario, tmp_path):
    where = {"name": "home", "vault": tmp_path / "home.sqlite", "detached": True, "realm_paths": [REALMS]}
    with Multiverse(5, local_tick_interval_ms=1, **where) as mv:
        with mv.setting_up():
            mv.register_game("a", RING, params={"next_realm": "b", "shouts": True})
        mv.end()  # as if it had been killed here
    _, out, err = soulfra("up", "home", "--scenario", scenario, "--paused")
    assert out.startswith("home is up, new: 2 realms, paused."), err
    with Multiverse.attach("home") as mv:
        kinds = [type(entry.command).__name__ for entry in mv.journal()]
        assert kinds == ["RegisterGame", "RegisterGame", "MemberCommand", "QueueEvent"]
        mv.advance_to(10)
        assert mv.digest_chain() == calm(10)


DRIVER = """
import sys, time
from orchestration import Multiverse
name, vault, realms, address = sys.argv[1:]
mv = Multiverse(1, name=name, vault=vault, realm_paths=[realms], address=address, detached=True, local_tick_interval_ms=1)
mv.register_game("a", "small:Ring")
mv.start()
print("started", flush=True)
time.sleep(1000)
"""


def test_a_dead_driver_and_two_living_ones(tmp_path):
    import ray

    arguments = ["home", str(tmp_path / "v.sqlite"), str(REALMS), ray.get_runtime_context().gcs_address]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None and driver.stdout.readline() == "started\n"
    driver.kill()
    driver.wait()
    driver.stdout.close()
    with Multiverse.attach("home") as one, Multiverse.attach("home") as other:
        seen = one.status().boundary.control_tick
        until(lambda: other.status().boundary.control_tick > seen + 5)
        lucks = [mv.command("a", "set_luck", {"luck": luck}) for luck, mv in ((7, one), (8, other))]
        assert lucks == [7, 8]
        boundary = one.pause()
        assert not other.status().running and other.status().boundary.control_tick == boundary["control_tick"]
        assert other.run(2)[-1].control_tick_id == boundary["control_tick"] + 2
        one.start("fast")
        with pytest.raises(SoulfraError, match="running already"):
            other.start()
        ours = processes(other)
        other.end()
        until(lambda: not any(map(alive, ours)))
        with pytest.raises(SoulfraError):
            one.run(1)
    with pytest.raises(SoulfraError, match="no multiverse 'home' is up"):
        Multiverse.attach("home")


def test_orders_outlive_the_clock_that_took_them(tmp_path):
    folders = left_behind()
    with Multiverse(1, engine="ray", realm_paths=[REALMS], local_tick_interval_ms=1) as mv:
        mv.register_game("a", RING)
        mv.start()
        until(lambda: mv.status().boundary.control_tick > 3)
        mv.kill("@clock")
        seen = mv.status().boundary.control_tick
        until(lambda: mv.status().running and mv.status().boundary.control_tick > seen)
        stood_at = mv.pause()["control_tick"]
        mv.kill("@clock")
        time.sleep(0.1)
        assert (mv.status().running, mv.status().boundary.control_tick) == (False, stood_at)
        assert mv.status().epoch == 3
    with Multiverse(1, engine="ray"):
        pass  # whoever opens a door sweeps away what doors of killed clocks have left
    until(lambda: left_behind() <= folders)  # other tests have doors, too, for a moment


def left_behind():
    """What clocks and their doors have in the system's folder for temporary files."""
    return {path for path in Path(gettempdir()).iterdir() if re.fullmatch(r"soulfra-(door-.*|[0-9a-f]{16})", path.name)}


def test_drivers_in_threads_are_answered_once_whatever_dies():
    with Multiverse(1, engine="ray", realm_paths=[REALMS]) as mv:
        mv.register_game("a", RING)
        answers, each = [], 6

        def drive(thread):
            for number in range(each):
                answers.append(mv.command("a", "set_luck", {"luck": 100 * thread + number}))

        threads = [threading.Thread(target=drive, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        os.kill(mv.about.process_id, signal.SIGKILL)
        for thread in threads:
            thread.join(PATIENCE_S)
        assert sorted(answers) == sorted(100 * thread + number for thread in range(4) for number in range(each))
        entries = mv.journal()
        assert len(entries) == 1 + len(answers) == len({entry.command_id for entry in entries})


def test_an_old_clock_that_is_alive_can_neither_write_nor_answer(tmp_path):
    where = {"name": "home", "vault": tmp_path / "v.sqlite", "realm_paths": [REALMS], "engine": "ray"}
    with Multiverse(1, **where) as old:
        old.register_game("a", RING)
        old.run(3)
        hosts = processes(old)[1:]
        with Multiverse(**where) as new:
            assert (new.settings.seed, new.status().epoch, old.status().epoch) == (1, 2, 1)
            with pytest.raises(SoulfraError) as refused:
                old.command("a", "set_luck", {"luck": 1})
            assert isinstance(refused.value, StaleEpochError | EngineError)
            assert "another clock has taken over" in until(lambda: old.status().trouble, 10)
            for ask in (old.digest, old.members, lambda: old.run(1), old.pause, lambda: old.query("a", "all")):
                with pytest.raises(SoulfraError):
                    ask()
            until(lambda: not any(map(alive, hosts)))
            new.command("a", "set_luck", {"luck": 2})
            assert [entry.position for entry in new.journal()] == [1, 2]
            assert new.run(4)[-1].control_tick_id >= 4


def test_an_old_clock_that_nobody_asks_ends_by_itself(tmp_path):
    where = {"name": "home", "vault": tmp_path / "v.sqlite", "realm_paths": [REALMS], "engine": "ray"}
    with Multiverse(1, local_tick_interval_ms=1, **where) as old:
        old.register_game("a", RING)
        old.start()
        with Multiverse(**where):
            assert "another clock has taken over" in until(lambda: old.status().trouble, 10)
            assert not until(lambda: old.status(), 1).running


def told(mv, what, within_s):
    """The first line of whom the clock waits for that says `what`; within a time, for a status must not keep it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for line in mv.status().waiting:
            if what in line:
                return line
        time.sleep(0.02)
    pytest.fail(f"nobody said {what!r}: {mv.status()}")
    return ""


@pytest.mark.parametrize(
    ("factory", "lane"),
    [
        (RING, "zmq"),
        ("small:Hog", "zmq"),
        pytest.param(RING, "ray", marks=pytest.mark.soak),
        pytest.param("small:Hog", "ray", marks=pytest.mark.soak),
    ],
)
def test_a_hung_member_is_named_and_in_the_end_alone_in_error(soulfra, tmp_path, factory, lane):
    params = {"sleep_s": 1000.0} if factory == RING else {"hog_at": 15}
    name = f"hung_{lane}"
    with Multiverse(
        1, name=name, vault=tmp_path / "v.sqlite", realm_paths=[REALMS], detached=True, lane=lane, member_timeout_s=3.0
    ) as mv:
        try:
            mv.register_game("hung", factory, params=params)
            mv.register_game("other", RING)
            hung = processes(mv)[2]
            mv.start("fast")
            begun = time.monotonic()
            assert "since" in told(mv, "waiting for hung", 3.0)
            assert time.monotonic() - begun < 3.0
            code, out, _ = soulfra("status", name)
            assert code == 0 and "waiting for hung since" in out and "heartbeat" in out and "is waiting at" in out
            errors = until(lambda: [one["error"] for one in mv.get_multiverse_state()["games"] if one["error"]])
            assert errors == ["its process did not answer within 3 s, and once more in the same grant"]
            seen = mv.status().boundary.control_tick
            until(lambda: mv.status().boundary.control_tick > seen + 3)
            until(lambda: not alive(hung))
        finally:
            mv.end()


def test_a_member_that_cannot_be_made_is_named_too(tmp_path):
    with Multiverse(1, engine="ray", realm_paths=[REALMS], start_timeout_s=4.0) as mv:
        for placement, says in (
            (None, "it is being made"),
            ({"resources": {"moon": 1}}, "no node of the cluster offers moon: 1"),
        ):
            failed = []

            def register(placement=placement, failed=failed):
                try:
                    mv.register_game("never", "small:sleeping_factory", placement=placement)
                except SoulfraError as error:
                    failed.append(error.message)

            thread = threading.Thread(target=register)
            thread.start()
            assert says in told(mv, says, 3.9)
            thread.join(PATIENCE_S)
            assert len(failed) == 1 and (placement is None or says in failed[0]), failed
        assert mv.members() and mv.run(1)


def test_a_clock_that_lives_its_history_again_says_so():
    with Multiverse(1, engine="ray", realm_paths=[REALMS]) as mv:
        mv.register_game("slow", RING, params={"sleep_s": 0.01})  # far less work than a keyframe is written for
        mv.run(15)
        mv.command("slow", "set_luck", {"luck": 1})
        os.kill(mv.about.process_id, signal.SIGKILL)
        assert told(mv, "living its history again", PATIENCE_S).endswith("of 15")
        assert mv.run(1)[-1].control_tick_id == 16


def dies_in(mv, action):
    """Does something while the clock's process dies."""
    killer = threading.Timer(0.25, os.kill, (mv._call("process_id"), signal.SIGKILL))
    killer.start()
    try:
        return action()
    finally:
        killer.join()


def test_whoever_waits_for_a_run_is_told_of_it_though_its_clock_has_died(tmp_path):
    """Over HTTP, too, a run is asked for as a visitor."""
    with Multiverse(1, engine="ray", name="m", vault=tmp_path / "m.sqlite", realm_paths=[REALMS]) as mv:
        mv.register_game("slow", RING, params={"sleep_s": 0.01})
        mv.run(1)
        ran = dies_in(mv, lambda: mv.visitor("zeus", "local").run(12))
        assert (ran.boundary.control_tick, ran.control_ticks) == (13, 12)
        assert ran.chain == mv.digest_chain()
        assert len(mv.recoveries()) == 1
        with open_vault(tmp_path / "m.sqlite") as vault:
            assert [one.verb for one in vault.audits("m")].count("run") == 1


@pytest.mark.soak
def test_whoever_waits_for_a_control_tick_is_told_of_it_though_its_clock_has_died():
    with Multiverse(1, engine="ray", realm_paths=[REALMS]) as mv:
        mv.register_game("slow", RING, params={"sleep_s": 0.01})
        ticked = dies_in(mv, lambda: [mv.execute_control_tick() for _ in range(4)])
        assert [one["control_tick_id"] for one in ticked] == [1, 2, 3, 4]
        assert mv.boundary().control_tick == 4
        assert len(mv.recoveries()) == 1


NOISY = """
import json, sys
from ray._private.worker import global_worker
from ray._private.utils import publish_error_to_driver
from orchestration import Multiverse
with Multiverse(1, engine="ray", realm_paths=[sys.argv[1]]) as mv:
    mv.register_game("ring", "small:Ring")
    for text in ("WARNING: 18 PYTHON worker processes have been started on node 1.", "A worker died or was killed"):
        publish_error_to_driver("worker_pool_large", text, global_worker.gcs_client)
    mv.run(3)
    mv.members()
    import time; time.sleep(1.0)
    print(json.dumps(mv.digest_chain()))
"""


@pytest.mark.xdist_group("own ray")
def test_what_ray_has_to_say_does_not_get_among_what_a_program_says():
    bare = {name: value for name, value in os.environ.items() if name != "RAY_DEDUP_LOGS"}
    shown = subprocess.run(
        [sys.executable, "-c", NOISY, str(REALMS)], cwd=ROOT, env=bare, capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)) == 64
