"""`soulfra instance`: instances made, listed, shown, merged and ended from a shell, and how mistakes are told."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from shells import Shell, shell_on

from orchestration import Multiverse

REALMS = Path(__file__).parents[1] / "realms"


@pytest.fixture
def mv() -> Iterator[Multiverse]:
    with Multiverse(7, name="home", engine="local", realm_paths=[REALMS], instances_max=3) as made:
        yield made


@pytest.fixture
def soulfra(mv: Multiverse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return shell_on(mv, monkeypatch, capsys)


def test_one_is_made_and_named(soulfra: Shell, mv: Multiverse) -> None:
    assert soulfra("instance", "create", "home", "alpha") == (
        0,
        "alpha is i1, started: mirror~1, protocol~1, runtime~1, surface~1\n",
        "",
    )
    document = json.loads(soulfra("instance", "create", "home", "beta", "--phase", "created", "--json")[1])
    assert document["instance"] == {
        "instance_id": "i2",
        "name": "beta",
        "phase": "created",
        "members": dict(mv.instance("beta").members),
    }


def test_parameters_reach_their_platform(soulfra: Shell, mv: Multiverse) -> None:
    assert soulfra("instance", "create", "home", "alpha", "--param", "runtime.loop_local_ticks=50")[0] == 0
    mv.run(12)
    assert mv.query("runtime~1", "vitals")["loops_closed"] == 1, "a loop is 250 local ticks long otherwise"


def test_it_is_initialized_and_started_one_after_the_other(soulfra: Shell) -> None:
    soulfra("instance", "create", "home", "alpha", "--phase", "created")
    code, out, err = soulfra("instance", "start", "home", "alpha")
    assert (code, out) == (2, "") and "initialize it before it is started" in err
    assert soulfra("instance", "initialize", "home", "alpha") == (0, "alpha is initialized\n", "")
    assert soulfra("instance", "start", "home", "i1") == (0, "i1 is started\n", "")
    assert "already" in soulfra("instance", "start", "home", "alpha")[1]
    assert json.loads(soulfra("instance", "start", "home", "alpha", "--json")[1])["changed"] is False


def test_all_are_listed(soulfra: Shell, mv: Multiverse) -> None:
    assert soulfra("instance", "list", "home")[1].startswith("there are no instances")
    mv.create_instance("alpha")
    mv.run(5)
    mv.fork_instance("alpha", names=["beta"])
    mv.emergency_override("alpha", "surface", "to see it")
    mv.freeze(["beta"])
    heading, *rows = soulfra("instance", "list", "home")[1].splitlines()
    assert heading.split("  ")[0] == "instance"
    assert [" ".join(row.split()) for row in rows] == [
        "i1 alpha started 50 3 override (surface)",
        "i2 beta started 50 3 i1 at control tick 5 freeze",
    ]
    alpha, beta = json.loads(soulfra("instance", "list", "home", "--json")[1])["instances"]
    assert (alpha["instance_id"], alpha["agents"], alpha["stills"]) == ("i1", 3, {"surface": ["override"]})
    assert beta["ancestors"] == [{"fork": 1, "control_tick": 5, "position": 1, "branch": ""}]


def test_made_from_is_whom_it_left_last_or_all_that_it_was_merged_from(soulfra: Shell, mv: Multiverse) -> None:
    mv.create_instance("alpha")
    mv.run(1)
    mv.fork_instance("alpha", names=["beta"])
    mv.run(1)
    mv.fork_instance("beta", names=["gamma"])
    assert soulfra("instance", "show", "home", "gamma")[1].splitlines()[0].endswith("made from i2 at control tick 2")
    mv.destroy_instance("gamma")
    mv.god_mode_command({"type": "MERGE_INSTANCES", "ids": ["alpha", "beta"], "strategy": "ours", "name": "both"})
    shown = soulfra("instance", "show", "home", "both")[1].splitlines()[0]
    assert shown.endswith("made from i1 and i2 at control tick 2")


def test_a_society_is_shown(soulfra: Shell, mv: Multiverse) -> None:
    mv.create_instance("alpha")
    mv.register_game("a", "small:Ring")
    mv.attach_game("a", "alpha")
    mv.run(30)
    mv.god_mode_command({"type": "AGENT_POSSESSION", "instance": "alpha", "agent": "arty"}, principal="ann")
    code, out, err = soulfra("instance", "show", "home", "alpha")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "alpha (i1), started, at control tick 30 of main"
    weather, vitals = mv.query("surface~1", "weather"), mv.query("runtime~1", "vitals")
    assert lines[1].startswith(f"weather: {weather['phase']}, intensity {weather['intensity']:.3f}")
    assert lines[2] == f"compliance: {mv.query('protocol~1', 'compliance')['level']}, 0.998"
    others = vitals["rituals_ended"] - vitals["completed"] - vitals["aborted"]
    outcomes = [one["outcome"] for one in mv.query("runtime~1", "history").values()]
    assert len(outcomes) == vitals["rituals_ended"] and others == sum(one in ("denied", "lapsed") for one in outcomes)
    counted = f"{vitals['completed']} completed, {vitals['aborted']} aborted, {others} denied or lapsed"
    assert lines[4].startswith(f"rituals: {counted}; energy in the pool: ")
    assert [line.split()[0] for line in lines[6:11]] == ["surface", "runtime", "protocol", "mirror", "a"]
    (arty,) = (line for line in lines if line.startswith("arty "))
    assert "possessed" in arty and arty.endswith("ann until 1,300")
    assert sum(line.startswith("ritual_") for line in lines) == len(mv.query("runtime~1", "rituals")) > 0
    assert lines[-1] == f"digest {mv.instance_digest('alpha')}"


def test_a_picture_for_programs(soulfra: Shell, mv: Multiverse) -> None:
    mv.create_instance("alpha")
    mv.run(30)
    document = json.loads(soulfra("instance", "show", "home", "alpha", "--json")[1])
    picture = document["instance"]
    assert (document["name"], picture["name"], picture["digest"]) == ("home", "alpha", mv.instance_digest("alpha"))
    for name, (role, verb) in {"agents": ("runtime", "agents"), "weather": ("surface", "weather")}.items():
        assert picture[name] == json.loads(json.dumps(mv.query(f"{role}~1", verb)))
    assert list(picture["members"]) == ["surface", "runtime", "protocol", "mirror"]
    assert picture["boundary"]["control_tick"] == 30


def test_platforms_of_another_kind_are_shown_as_far_as_they_answer(soulfra: Shell, mv: Multiverse) -> None:
    mv.create_instance("odd", factories=dict.fromkeys(("surface", "runtime"), "small_platforms:Platform"))
    mv.run(2)
    code, out, _ = soulfra("instance", "show", "home", "odd")
    assert code == 0 and "compliance: excellent" in out and "weather" not in out
    assert json.loads(soulfra("instance", "show", "home", "odd", "--json")[1])["instance"]["agents"] is None
    assert " – " in soulfra("instance", "list", "home")[1]


def test_its_platforms_are_merged_and_nothing_changes(soulfra: Shell, mv: Multiverse, tmp_path: Path) -> None:
    mv.create_instance("alpha")
    mv.run(40)
    before = mv.digest()
    file = tmp_path / "unified.json"
    code, out, err = soulfra("instance", "merge", "home", "alpha", "--output", file)
    assert (code, err, mv.digest()) == (0, "", before)
    found = mv.merge_all_active_platforms("alpha")
    lines = out.splitlines()
    assert lines[0].startswith(f"alpha at control tick 40 of main, local tick 400: {len(found.metadata.conflicts)} ")
    assert len(found.metadata.conflicts) > 5
    assert [line.split()[:2] for line in lines[2:-2]] == [[one.type, one.where] for one in found.metadata.conflicts]
    assert lines[-2:] == [found.snapshot_id, f"written to {file}"]
    document = json.loads(file.read_text())
    assert document["snapshot_id"] == found.snapshot_id
    assert set(document["merged"]) == set(found.state)
    assert document["platforms"]["runtime"]["agents"].keys() == mv.query("runtime~1", "agents").keys()
    assert len(document["metadata"]["conflicts"]) == len(found.metadata.conflicts)
    told = json.loads(soulfra("instance", "merge", "home", "alpha", "--json")[1])["unified"]
    assert told == {key: document[key] for key in told} and "merged" not in told


def test_only_so_many_conflicts_are_printed(soulfra: Shell, mv: Multiverse, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration import unified_documents

    monkeypatch.setattr(unified_documents, "CONFLICTS_SHOWN_MAX", 2)
    mv.create_instance("alpha")
    mv.run(40)
    many = len(mv.merge_all_active_platforms("alpha").metadata.conflicts)
    assert f"… and {many - 2} more\n" in soulfra("instance", "merge", "home", "alpha")[1]


def test_ended_it_is_gone(soulfra: Shell, mv: Multiverse) -> None:
    mv.create_instance("alpha")
    assert soulfra("instance", "destroy", "home", "alpha") == (
        0,
        "alpha is gone: mirror~1, protocol~1, runtime~1, surface~1\n",
        "",
    )
    assert mv.instances() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "home"], "Missing argument"),
        (["create", "home", "alpha"], "there is an instance 'alpha' already"),
        (["create", "home", "b", "--phase", "awake"], "created, initialized or started"),
        (["create", "home", "b", "--param", "loop_local_ticks=5"], "--param must read ROLE.NAME=VALUE"),
        (["create", "home", "b", "--param", "runtime.loop_local_ticks"], "--param must read PATH=VALUE"),
        (["create", "home", "b", "--param", "heart.beats=1"], "the platforms are"),
        (["create", "home", "b", "--param", "runtime.loop_local_ticks=0"], "must be a whole number from 1"),
        (["create", "home", "i1"], "is an id"),
        (["show", "home", "beta"], "there is no instance 'beta'; there are i1 (alpha)"),
        (["show", "home"], "Missing argument"),
        (["start", "home", "beta"], "there is no instance 'beta'"),
        (["initialize", "home", "beta"], "there is no instance 'beta'"),
        (["destroy", "home", "beta"], "there is no instance 'beta'"),
        (["merge", "home", "beta"], "there is no instance 'beta'"),
        (["merge", "home", "alpha", "--output", "/no/such/folder/u.json"], "name a file in a folder that is there"),
        (["merge", "home", "alpha", "--output", "/tmp"], "name a file in a folder that is there"),
        (["merge", "home", "alpha", "--sync-delay-ticks", "-1"], "sync_delay_ticks must be local ticks from 0"),
        (["merge", "home", "alpha", "--sync-delay-ticks", "x"], "--sync-delay-ticks"),
        (["nonsense", "home"], "No such command"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(
    soulfra: Shell, mv: Multiverse, arguments: list[str], says: str
) -> None:
    mv.create_instance("alpha")
    before = mv.digest()
    code, out, err = soulfra("instance", *arguments)
    assert (code, out, mv.digest()) == (2, "", before)
    assert says in err and len(err.splitlines()) == 1


def test_what_there_is_is_said_without_a_command(soulfra: Shell) -> None:
    code, out, err = soulfra("instance")
    assert code == 0 and not err
    assert all(f"  {verb} " in out for verb in ("create", "list", "show", "initialize", "start", "destroy", "merge"))


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, mv: Multiverse) -> None:
    from actors.core.kernel.errors import SettingsError
    from orchestration.unified_documents import write

    mv.create_instance("alpha")
    with pytest.raises(SettingsError, match="cannot be written"):
        write(tmp_path / "gone" / "u.json", mv.merge_all_active_platforms("alpha"))
