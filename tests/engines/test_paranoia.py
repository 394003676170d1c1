"""Paranoid mode: what is deterministic passes, and what leaks is caught in its control tick, by member and object."""

import json
import os
import re
from pathlib import Path

import leaks
import pytest

from actors.core.kernel.errors import EngineError, NondeterminismError, SettingsError
from actors.doubles import STAYING, Double
from actors.paranoid_lanes import ParanoidLane
from orchestration import Multiverse, scenarios
from orchestration.agendas import set_up
from orchestration.main import run

ROOT = Path(__file__).parents[2]
REALMS = str(ROOT / "tests" / "realms")


def opened(seed=7, *, paranoid=True, **more):
    return Multiverse(seed, engine="local", realm_paths=[REALMS], paranoid=paranoid, **more)


# ----------------------------------------------------------------------------------------------------------- what passes


def test_cities_the_registry_and_a_ring_pass_and_live_the_life_that_they_live_alone():
    scenario = scenarios.load(ROOT / "examples" / "three_cities.toml")
    chains = []
    for paranoid in (False, True):
        with opened(scenario.seed, paranoid=paranoid) as mv:
            agenda = set_up(mv, scenario)
            for number in range(3):
                name, after = f"ring_{number}", f"ring_{(number + 1) % 3}"
                mv.register_game(name, "small:Ring", params={"next_realm": after, "shouts": True})
            mv.command("ring_0", "send", {"target": "ring_1"})
            agenda.play(mv, 20)
            chains.append(mv.digest_chain())
            found = mv.paranoia()
    assert chains[0] == chains[1]
    assert found["checks"] > 20 * 6  # six realms, and the registry whenever it had mail
    assert (found["from_birth"], found["unchecked"]) == ([], {})


def test_a_realm_that_raises_and_is_restarted_passes_too():
    with opened() as mv:
        mv.register_game("a", "small:Ring", params={"raise_at": 25})
        mv.register_game("b", "small:Ring", params={"shouts": True})
        mv.run(4)
        assert [game["state"] for game in mv.get_multiverse_state()["games"] if game["realm_id"] == "a"] == ["error"]
        mv.restart_game("a")  # and it fails again
        mv.run(4)
        assert mv.paranoia()["checks"] == 4 + 8 + 2  # with the grants that failed, and two commands of the registry's


@pytest.mark.parametrize("realm", ["Nothing", "Locale"])
def test_what_does_not_leak_passes_although_ticks_are_not_digested(realm):
    with opened(digest_interval_control_ticks=7) as mv:
        mv.register_game("r", f"leaks:{realm}")
        mv.run(9)
        assert mv.paranoia()["checks"] == 9


# ----------------------------------------------------------------------------------------------------- what is caught

LEAKS = (
    *("Hash", "SetOrder", "SharedGenerator", "NumpyGenerator", "WallClock", "LocalTime", "ProcessId"),
    *("Identity", "Environment", "Thread"),
)
REMEMBERED = ("Hidden", "ModuleState", "ModuleGenerator")
"""What is not in the state but is the same for whoever begins: it shows one control tick after it was first used."""


@pytest.mark.parametrize("realm", LEAKS)
def test_a_leak_is_caught_in_its_tick_by_member_and_object(realm, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with opened() as mv:
        mv.register_game("innocent", "leaks:Nothing")
        mv.register_game("leaking", f"leaks:{realm}", params={"leak_at": 25})
        mv.register_game("zebra", "small:Ring", params={"shouts": True})
        mv.run(2)
        with pytest.raises(NondeterminismError) as caught:
            mv.run(5)
        assert re.fullmatch(
            r"in control tick 3, leaking was not the same in another process \(hash seed [123]\): "
            r"figures\[7\]\.value: \d+ != \d+\.",
            caught.value.message,
        )
        with pytest.raises(EngineError, match="broke off after control tick 2: NondeterminismError: in control tick 3"):
            mv.run(1)


def test_without_digests_a_leak_is_caught_in_its_tick_all_the_same():
    with opened(digest_interval_control_ticks=50) as mv:
        mv.register_game("leaking", "leaks:Hash", params={"leak_at": 25})
        with pytest.raises(NondeterminismError, match=r"in control tick 3, leaking .*figures\[7\]\.value"):
            mv.run(5)


def test_a_leak_in_a_command_is_caught_there():
    with opened() as mv:
        mv.register_game("leaking", "leaks:Hash", params={"leak_at": 1000})
        mv.run(2)
        with pytest.raises(NondeterminismError, match=r"in commands after 2, leaking .*figures\[7\]\.value"):
            mv.command("leaking", "poke")


@pytest.mark.parametrize("realm", REMEMBERED)
def test_what_capture_leaves_out_is_caught_when_it_first_shows(realm):
    leaks.CALLS[0] = 0
    leaks.GENERATOR.seed(7)
    with opened() as mv:
        mv.register_game("leaking", f"leaks:{realm}", params={"leak_at": 25})
        mv.run(3)
        with pytest.raises(NondeterminismError, match=r"in control tick 4, leaking .*figures\[7\]\.value"):
            mv.run(1)


def test_a_restore_that_gives_another_state_is_caught():
    with opened() as mv:
        mv.register_game("leaking", "leaks:Forgetful", params={"leak_at": 1000})
        mv.run(3)
        says = r"in control tick 4, leaking .*restored from its capture it is another: figures\[0\]\.value: 30 != 25, and 9 more"
        with pytest.raises(NondeterminismError, match=says):
            mv.run(1)


def test_what_is_said_is_compared():
    with opened() as mv:
        mv.register_game("leaking", "leaks:Talkative", params={"leak_at": 25})
        with pytest.raises(NondeterminismError, match=r"in control tick 3, leaking .*events: .*leaking#0.* != "):
            mv.run(5)


def test_what_is_said_not_to_have_been_touched_is_hashed_anew():
    with opened() as mv:
        mv.register_game("leaking", "leaks:Untouched", params={"leak_at": 25})
        with pytest.raises(
            NondeterminismError, match=r"in control tick 3, leaking .*its digest is not that of its state"
        ):
            mv.run(5)


@pytest.mark.parametrize("lookahead", [1, 4])
def test_a_window_is_looked_into_tick_by_tick(lookahead):
    with opened(lookahead_control_ticks=lookahead) as mv:
        mv.register_game("innocent", "small:Ring", params={"shouts": True})
        mv.register_game("leaking", "leaks:Hash", params={"leak_at": 55})
        with pytest.raises(NondeterminismError, match=r"in control tick 6, leaking .*figures\[7\]\.value"):
            mv.run(9)
    chains = []
    for paranoid in (False, True):
        with opened(lookahead_control_ticks=lookahead, paranoid=paranoid) as mv:
            for number in range(2):
                mv.register_game(f"ring_{number}", "small:Ring", params={"shouts": True, "raise_at": 70 + number * 100})
            mv.run(10)
            chains.append(mv.digest_chain())
    assert chains[0] == chains[1]


def test_totals_are_compared():
    with opened() as mv:
        mv.register_game("leaking", "leaks:Embezzler", params={"leak_at": 25})
        with pytest.raises(NondeterminismError, match=r"in control tick 3, leaking .*totals: "):
            mv.run(5)


def test_a_failure_in_one_process_only_is_caught():
    with opened() as mv:
        mv.register_game("leaking", "leaks:Moody", params={"leak_at": 25})
        with pytest.raises(
            NondeterminismError, match=r"in control tick 3, .*failed only there \(RuntimeError: not today"
        ):
            mv.run(5)


def test_records_are_named_by_object_and_attribute():
    with opened() as mv:
        mv.register_game("leaking", "leaks:Words")
        with pytest.raises(NondeterminismError, match=r"in control tick 2, leaking .*: people\[bert\]\.friends: 'name"):
            mv.run(5)


# ------------------------------------------------------------------------------------- members that cannot be captured


def test_a_replayed_member_has_a_double_from_its_birth_on():
    with opened() as mv:
        mv.register_game("old", "leaks:Replayed")
        mv.run(5)
        assert mv.paranoia() == {"checks": 5, "from_birth": ["old"], "unchecked": {}}
        mv.register_game("leaking", "leaks:ReplayedHash", params={"leak_at": 25})
        with pytest.raises(NondeterminismError, match=r"in control tick 8, leaking .*(digest|figures)"):
            mv.run(5)


def test_a_member_that_promises_nothing_is_named():
    with opened() as mv:
        mv.register_game("anyhow", "leaks:Anyhow")
        mv.run(3)
        assert mv.paranoia() == {"checks": 0, "from_birth": [], "unchecked": {"anyhow": "its recovery is 'none'"}}


def test_a_mesa_model_has_a_double_too():
    scenario = scenarios.load(ROOT / "examples" / "mesa_neighbours.toml")
    with Multiverse(scenario.seed, engine="local", realm_paths=scenario.realm_paths, paranoid=True) as mv:
        agenda = set_up(mv, scenario)
        agenda.play(mv, 4)
        assert mv.paranoia()["from_birth"] == [], "it is restored from its capture in every control tick"
        assert mv.paranoia()["checks"] >= 8


# ------------------------------------------------------------------------------------------------------ the processes


def doubles_alive():
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = status.read_bytes().split(b"\0")
            parent = int((status.parent / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"actors.doubles" in words and parent == os.getpid():
            found.append(int(status.parent.name))
    return found


def test_no_double_outlives_its_multiverse():
    assert doubles_alive() == []
    with opened() as mv:
        mv.register_game("old", "leaks:Replayed")
        mv.register_game("new", "leaks:Nothing")
        mv.run(2)
        assert len(doubles_alive()) == 3
        mv.remove_game("old")
        assert len(doubles_alive()) == 2
    assert doubles_alive() == []


def test_a_multiverse_that_cannot_be_opened_leaves_no_double(tmp_path):
    (tmp_path / "no.vault").write_text("nothing of ours", encoding="utf-8")
    with pytest.raises(Exception, match="vault"):
        opened(name="m", vault=tmp_path / "no.vault")
    assert doubles_alive() == []


def test_a_double_that_dies_is_an_error_of_the_engine():
    with opened() as mv:
        mv.register_game("r", "leaks:Dying", params={"leak_at": 15})
        with pytest.raises(EngineError, match="r could not be checked in control tick 2: it ended there"):
            mv.run(5)
    double = Double(STAYING, 1)
    double.kill()
    with pytest.raises(EngineError, match="ended"):
        double.ask([b""])
    double.close()


def test_nonsense_is_refused_by_a_double_and_it_lives_on():
    double = Double(STAYING, 1)
    for nonsense in (b"", b"\x01", b"\x01\x00\xc1", b"\x02\x00", os.urandom(50)):
        answer, misfit = double.ask([nonsense])
        assert answer[:2] == b"\x01\x03" and misfit == b""
    double.close()


def test_a_vault_s_history_is_lived_again_under_paranoia(tmp_path):
    for paranoid in (False, True):
        with opened(name="m", vault=tmp_path / "a.vault", paranoid=paranoid) as mv:
            if not paranoid:
                mv.register_game("r", "small:Ring", params={"shouts": True})
            mv.run(10)
    assert mv._doubling.report()["checks"] >= 10


# ----------------------------------------------------------------------------------------------------------- the faces


def test_it_is_for_the_local_engine():
    with pytest.raises(SettingsError, match="paranoid needs engine='local'"):
        Multiverse(paranoid=True)
    with opened(paranoid=False) as mv:
        assert mv.paranoia() is None


def test_the_command_line(capsys):
    assert run(["simulate", "--paranoid", "--control-ticks", "5", "--seed", "7"]) == 0  # no --engine: the local one
    out, _ = capsys.readouterr()
    assert re.search(r"paranoid: \d+ answers were the same in another process", out)
    assert run(["simulate", "--paranoid", "--control-ticks", "5", "--seed", "7", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["paranoia"]["checks"] >= 5
    assert run(["simulate", "--paranoid", "--engine", "ray"]) == 2
    assert "paranoid needs engine='local'" in capsys.readouterr().err


def test_the_command_line_names_the_leak(capsys, tmp_path):
    scenario = tmp_path / "leaking.toml"
    scenario.write_text(
        f'title = "leaking"\nrealm_paths = ["{REALMS}"]\n'
        '[[realms]]\nid = "lighthouse"\nfactory = "leaks:SetOrder"\nparams = { leak_at = 25 }\n',
        encoding="utf-8",
    )
    assert run(["simulate", "--paranoid", "--scenario", str(scenario), "--control-ticks", "9", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "in control tick 3, lighthouse was not the same in another process" in err and "figures[7].value" in err


def test_lanes_close_twice():
    lane = ParanoidLane()
    lane.close()
    lane.close()
