"""`soulfra god`: a command for every type of the union, its options made of the model; results told; mistakes in one line."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shells import Shell, shell_on

from actors.core.kernel.errors import CommandRefusedError, SettingsError
from orchestration import Multiverse
from orchestration.god_commands import BY_TYPE, GOD_COMMANDS, AgentPossession, RealityFork
from orchestration.god_options import command_of, name_of, parts_of

ROOT = Path(__file__).parents[2]
CALM = "runtime.agents.arty.personality.calm"


@pytest.fixture
def mv(tmp_path: Path) -> Iterator[Multiverse]:
    with Multiverse(7, name="home", engine="local", vault=tmp_path / "home.sqlite", principal="tester") as made:
        made.create_instance("alpha")
        made.run(5)
        yield made


@pytest.fixture
def soulfra(mv: Multiverse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return shell_on(mv, monkeypatch, capsys)


# ------------------------------------------------------------------------------------------------ made of the models


def test_every_type_is_a_command_and_every_field_an_option(soulfra: Shell) -> None:
    listed = soulfra("god")[1]
    for type_, model in BY_TYPE.items():
        assert f"  {name_of(type_)} " in listed
        help_ = soulfra("god", name_of(type_), "--help")[1]
        covered = {part.path[0] for part in parts_of(model)}
        assert covered == set(model.model_fields) - {"type"}
        assert all(f"{part.option} " in help_ for part in parts_of(model))


def test_every_field_says_for_whom_it_is() -> None:
    assert [(type_, part.word) for type_, model in BY_TYPE.items() for part in parts_of(model) if not part.says] == []


def test_options_of_a_command_have_names_of_their_own() -> None:
    for model in BY_TYPE.values():
        options = [part.option for part in parts_of(model)]
        assert len(options) == len(set(options))
        assert not {"--as", "--json", "--address"} & set(options)


def test_what_is_not_given_is_left_to_the_model() -> None:
    given = command_of("AGENT_POSSESSION", {"instance": "alpha", "agent": None, "step": None})
    assert given == AgentPossession(instance="alpha")


def test_changes_are_of_all_copies_or_of_one() -> None:
    def changes(texts: list[str], **given: object) -> object:
        made = command_of("REALITY_FORK", {"source": "alpha", "modifications": texts, **given})
        assert isinstance(made, RealityFork)
        return made.modifications

    assert changes(["a.b=1"]) == ({"a.b": 1},)
    assert changes(["a.b=1", "3:a.c=true", '3:a.d="x=y"', "2:a.e=word"]) == (
        {"a.b": 1},
        {"a.b": 1, "a.e": "word"},
        {"a.b": 1, "a.c": True, "a.d": "x=y"},
    )
    assert changes(["a.b=1"], count=2) == ({"a.b": 1},) * 2 == changes(["a.b=1"], names=["x", "y"])
    for wrong in (["a.b"], ["=1"], ["2:=1"], ["1:a.b=1", "a.b=2"], ["9:a.b=1"], ["1001:a=1"]):
        with pytest.raises(SettingsError, match="--set"):
            changes(wrong, count=2 if wrong == ["9:a.b=1"] else None)


@pytest.mark.parametrize("kind", ["inject_ritual", "resume"])
def test_interventions_have_their_fields_side_by_side(kind: str) -> None:
    given = {"instance": "alpha", "intervention_kind": kind}
    given |= {"intervention_agent": "arty", "intervention_ritual": "cleansing"} if kind == "inject_ritual" else {}
    made = GOD_COMMANDS.dump_python(command_of("PUPPET_MASTER_INTERVENTION", given))
    assert made["intervention"]["kind"] == kind
    with pytest.raises(CommandRefusedError, match="no such field"):
        command_of("PUPPET_MASTER_INTERVENTION", {**given, "intervention_phase": "calm-bloom"})


def test_who_asks_for_something_else_does_not_wait_for_the_models() -> None:
    code = (
        "import sys; from orchestration.main import run; run(['--help']); run(['package', '--help']); "
        "print({'orchestration.god_commands', 'ray'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n" and "  god " in done.stdout


# ------------------------------------------------------------------------------------------------------- carried out


def test_time_stands_still_and_goes_on(soulfra: Shell, mv: Multiverse) -> None:
    code, out, err = soulfra("god", "freeze-time", "home", "--scope", "alpha", "--duration-ticks", 20)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "mirror~1, protocol~1, runtime~1, surface~1 stand still",
        "boundary: control tick 5 of main, journal position 2",
    ]
    assert "stood still already" in soulfra("god", "freeze-time", "home")[1]
    told = json.loads(soulfra("god", "unfreeze-time", "home", "--scope", "surface~1", "--json")[1])
    assert (told["type"], told["thawed"], told["still"]) == ("UNFREEZE_TIME", ["surface~1"], {})
    assert mv.instance("alpha").stills.keys() == {"mirror", "protocol", "runtime"}
    assert "nobody stood still for that" in soulfra("god", "unfreeze-time", "home", "--scope", "surface~1")[1]


def test_instances_are_cloned_forked_and_merged(soulfra: Shell, mv: Multiverse) -> None:
    assert soulfra("god", "clone-instance", "home", "--source", "alpha", "--name", "beta", "--set", f"{CALM}=0.9")[
        1
    ].startswith("beta is i2: mirror~2, protocol~2, runtime~2, surface~2\n")
    assert mv.query("runtime~2", "agent", {"agent_id": "arty"})["personality"]["calm"] == 0.9
    fork = ("god", "reality-fork", "home", "--source", "alpha")
    out = soulfra(*fork, "--name", "b", "--name", "c", "--set", f"2:{CALM}=0.8", "--control-tick", 3)[1]
    assert [line.split(" is ")[0] for line in out.splitlines()[:2]] == ["b", "c"]
    calm = [mv.query(mv.instance(one)["runtime"], "agent", {"agent_id": "arty"})["personality"]["calm"] for one in "bc"]
    assert calm == [0.4, 0.8]
    mv.run(5)
    merge = ("god", "merge-instances", "home", "--id", "b", "--id", "c")
    dry = soulfra(*merge, "--strategy", "ours", "--dry-run")[1].splitlines()
    assert dry[0].startswith("i3 and i4 merged by 'ours': ") and "a dry run: nothing was made" in dry
    code, out, err = soulfra(*merge, "--strategy", "ours", "--name", "bc")
    assert (code, err) == (0, "") and "bc is i5" in out.splitlines()
    assert out.splitlines()[0] == dry[0]
    assert " left" in out and "section" in out, "conflicts are a table"
    code, out, err = soulfra(*merge)
    assert (code, out) == (2, "") and "the sides are in conflict, and the strategy is to fail" in err


def test_an_agent_is_possessed_once_however_often_the_same_is_asked(soulfra: Shell, mv: Multiverse) -> None:
    possess = ("god", "agent-possession", "home", "--instance", "alpha", "--agent", "arty")
    first = soulfra(*possess, "--as", "ann", "--idempotency-key", "one", "--json")[1]
    before = mv.digest()
    assert soulfra(*possess, "--as", "ann", "--idempotency-key", "one", "--json")[1] == first
    assert mv.digest() == before
    lease = json.loads(first)["lease_id"]
    code, out, err = soulfra(*possess, "--as", "bob")
    assert (code, out) == (2, "") and "is possessed by ann" in err
    acted = soulfra(*possess, "--step", "act", "--lease-id", lease, "--action", "rest")[1]
    assert acted.startswith("act in i1: action rest, agent arty\n")
    assert soulfra(*possess, "--step", "release", "--lease-id", lease)[1].startswith("release in i1: released arty\n")
    code, _, err = soulfra(*possess, "--step", "act", "--lease-id", lease, "--action", "rest")
    assert code == 2 and "is released" in err


def test_time_goes_back(soulfra: Shell, mv: Multiverse) -> None:
    out = soulfra("god", "timeline-revert", "home", "--scope", "alpha", "--control-tick", 2)[1].splitlines()
    assert out[:2] == ["mirror~1 is back at its local tick 20", "protocol~1 is back at its local tick 20"]
    out = soulfra("god", "timeline-revert", "home", "--control-tick", 4, "--name", "again")[1].splitlines()
    assert out == [
        "back at control tick 4 of main, on from there on again",
        "boundary: control tick 4 of again, journal position 1",
    ]


def test_instances_may_speak_to_each_other(soulfra: Shell, mv: Multiverse) -> None:
    mv.create_instance("beta")
    link = ("god", "cross-instance-communication", "home", "--id", "alpha", "--id", "beta")
    assert "may speak to each other" in soulfra(*link)[1]
    assert "no longer speak to each other" in soulfra(*link, "--no-enable")[1]


def test_a_god_intervenes(soulfra: Shell, mv: Multiverse) -> None:
    intervene = ("god", "puppet-master-intervention", "home", "--instance", "alpha", "--kind")
    weather = soulfra(*intervene, "alter_weather", "--phase", "drift-wave", "--intensity", "0.7")[1]
    assert "phase drift-wave" in weather and mv.query("surface~1", "weather")["intensity"] == 0.7
    assert soulfra(*intervene, "modify_personality", "--agent", "arty", "--set", "calm=0.9")[0] == 0
    assert "agent_id eve" in soulfra(*intervene, "spawn_agent", "--agent", "eve", "--set", "calm=0.9")[1]
    assert mv.query("runtime~1", "agent", {"agent_id": "eve"})["personality"]["calm"] == 0.9
    code, _, err = soulfra(*intervene, "terminate_agent", "--agent", "cal_riven")
    assert code == 2 and err.startswith("soulfra: Cal Riven denies")
    stops = soulfra(*intervene, "emergency_override", "--platform", "surface", "--reason", "to see it")[1]
    assert stops.startswith("emergency_override in i1: frozen surface~1")
    assert soulfra(*intervene, "resume")[1].startswith("resume in i1: thawed surface~1")


def test_any_command_as_json(soulfra: Shell, mv: Multiverse, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"type": "CLONE_INSTANCE", "source": "alpha", "name": "beta", "idempotency_key": "k"})
    told = soulfra("god", "command", "home", "--json-command", text, "--json")[1]
    assert json.loads(told)["instance"]["name"] == "beta"
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert soulfra("god", "command", "home", "--json-command", "-", "--json")[1] == told
    assert [one.name for one in mv.instances()] == ["alpha", "beta"]


def test_of_a_key_that_is_there_twice_the_last_counts(soulfra: Shell, mv: Multiverse) -> None:
    text = '{"type": "CLONE_INSTANCE", "source": "alpha", "name": "first", "name": "last"}'
    assert soulfra("god", "command", "home", "--json-command", text)[0] == 0
    assert [one.name for one in mv.instances()] == ["alpha", "last"]


def test_on_a_branch_that_begins_before_it_the_same_key_is_another_command(soulfra: Shell, mv: Multiverse) -> None:
    clone = ("god", "clone-instance", "home", "--source", "alpha", "--name", "beta", "--idempotency-key", "k")
    assert soulfra(*clone)[0] == 0
    soulfra("god", "timeline-revert", "home", "--control-tick", 3)
    assert [one.name for one in mv.instances()] == ["alpha"]
    assert "boundary: control tick 3 of main-2" in soulfra(*clone)[1]
    assert [one.name for one in mv.instances()] == ["alpha", "beta"]


def test_who_asks_is_in_the_audit_log_refused_or_not(soulfra: Shell, mv: Multiverse, tmp_path: Path) -> None:
    assert soulfra("god", "freeze-time", "home", "--as", "ann")[0] == 0
    assert soulfra("god", "agent-possession", "home", "--instance", "alpha", "--agent", "eve", "--as", "bob")[0] == 2
    records = json.loads(soulfra("audit", "show", "home", "--vault", tmp_path / "home.sqlite", "--json")[1])["records"]
    assert [(one["principal"], one["verb"]) for one in records][-2:] == [
        ("ann", "FREEZE_TIME"),
        ("bob", "AGENT_POSSESSION"),
    ]
    assert [one["outcome"] == "done" for one in records][-2:] == [True, False]


def test_roles_are_given_and_taken_back(soulfra: Shell, mv: Multiverse) -> None:
    assert soulfra("god", "grant", "home", "ann", "operator") == (0, "ann: operator everywhere\n", "")
    told = soulfra("god", "grant", "home", "ann", "god", "--scope", "i1")[1]
    assert "god for i1" in told and "operator everywhere" in told
    code, out, err = soulfra("god", "freeze-time", "home", "--as", "ann")
    assert (code, out) == (2, "") and "'ann' may not ask for 'FREEZE_TIME' everywhere: that takes the role god" in err
    assert soulfra("god", "clone-instance", "home", "--source", "alpha", "--as", "ann")[0] == 0
    document = json.loads(soulfra("god", "revoke", "home", "ann", "god", "--scope", "i1", "--json")[1])
    assert document == {"name": "home", "principal": "ann", "roles": {"*": ["operator"]}}
    assert soulfra("god", "revoke", "home", "ann") == (0, "ann: no role\n", "")


# ------------------------------------------------------------------------------------------------------------ refused


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Multiverse]:
    """One for all mistakes: whatever is refused leaves it as it is."""
    vault = tmp_path_factory.mktemp("god") / "home.sqlite"
    with Multiverse(7, name="home", engine="local", vault=vault) as made:
        made.create_instance("alpha")
        made.run(5)
        yield made


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["freeze-time"], "Missing argument"),
        (["freeze-time", "home", "--duration-ticks", "x"], "--duration-ticks"),
        (["freeze-time", "home", "--duration-ticks", "0"], "duration_ticks: input should be greater than or equal"),
        (["freeze-time", "home", "--scope", "nobody"], "nobody"),
        (["freeze-time", "home", "--as", " "], "principal must be"),
        (["freeze-time", "home", "--idempotency-key", "k" * 101], "idempotency_key: string should have at most"),
        (["clone-instance", "home"], "Missing option '--source'"),
        (["clone-instance", "home", "--source", "beta"], "there is no instance 'beta'; there are i1 (alpha)"),
        (["clone-instance", "home", "--source", "alpha", "--name", "alpha"], "already"),
        (["clone-instance", "home", "--source", "alpha", "--set", "x"], "--set must read PATH=VALUE"),
        (["clone-instance", "home", "--source", "alpha", "--set", "heart.x=1"], "does not begin with a member"),
        (["clone-instance", "home", "--source", "alpha", "--set", f"{CALM}=2"], "fit"),
        (["clone-instance", "home", "--source", "alpha", "--set", f"{CALM}=wild"], "'wild' is no float"),
        (["merge-instances", "home", "--id", "alpha"], "ids: tuple should have at least 2 items"),
        (["merge-instances", "home", "--id", "a", "--id", "b", "--strategy", "both"], "'ours', 'theirs' or 'fail'"),
        (["reality-fork", "home", "--source", "alpha", "--count", "0"], "count: input should be greater than"),
        (["reality-fork", "home", "--source", "alpha", "--count", "2", "--name", "x"], "1 names are given for 2"),
        (["reality-fork", "home", "--source", "alpha", "--control-tick", "99"], "99"),
        (["agent-possession", "home", "--instance", "alpha", "--agent", "eve"], "eve"),
        (["agent-possession", "home", "--instance", "alpha", "--step", "eat"], "step: input should be 'possess'"),
        (["timeline-revert", "home"], "a revert needs a control tick, or else a snapshot"),
        (["timeline-revert", "home", "--snapshot", "none"], "none"),
        (["cross-instance-communication", "home", "--id", "alpha"], "ids"),
        (["puppet-master-intervention", "home", "--instance", "alpha"], "Missing option '--kind'"),
        (["puppet-master-intervention", "home", "--instance", "alpha", "--kind", "rain"], "'rain'"),
        (
            ["puppet-master-intervention", "home", "--instance", "alpha", "--kind", "alter_weather"],
            "phase: field required",
        ),
        (
            ["puppet-master-intervention", "home", "--instance", "alpha", "--kind", "resume", "--agent", "arty"],
            "there is no such field; there are kind, platform",
        ),
        (["command", "home"], "Missing option '--json-command'"),
        (["command", "home", "--json-command", "x"], "invalid JSON"),
        (["command", "home", "--json-command", "{}"], "a god command needs a type, one of FREEZE_TIME"),
        (["command", "home", "--json-command", '{"type":"FREEZE_TIME","until":1}'], "there is no such field"),
        (["command", "home", "--json-command", "[" * 9_999], "invalid JSON"),
        (["grant", "home", "ann", "king"], "there is no role 'king'"),
        (["grant", "home", "ann"], "Missing argument"),
        (["revoke", "home", "ann", "god"], "was not granted 'god'"),
        (["nonsense", "home"], "No such command"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(
    unchanged: Multiverse,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    before = unchanged.digest()
    code, out, err = shell_on(unchanged, monkeypatch, capsys)("god", *arguments)
    assert (code, out, unchanged.digest()) == (2, "", before)
    assert says in err and len(err.splitlines()) == 1
