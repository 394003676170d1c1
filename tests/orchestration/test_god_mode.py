"""God mode: one typed entry; every command all of it or nothing, once under one key, for whoever may ask for it."""

import json
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.core.kernel.commands import ChangeRole
from actors.core.kernel.errors import (
    CallerError,
    CommandRefusedError,
    DuplicateMemberError,
    GovernorDeniedError,
    PermissionRefusedError,
    SoulfraError,
    UnknownMemberError,
)
from actors.core.kernel.instances import PLATFORM_ROLES
from orchestration import Multiverse
from orchestration.bridges import CrossPlatformBridge
from orchestration.god_commands import BY_TYPE, god_command
from orchestration.god_results import MadeInstance, TimelineReverted
from tests.orchestration.societies_at_work import agents, god, intervene


@pytest.fixture
def mv(god_of_alpha):
    return god_of_alpha


# ----------------------------------------------------------------------------------------------------------- commands


def test_time_is_frozen_and_goes_on(mv):
    frozen = god(mv, "FREEZE_TIME", scope=["alpha"], duration_ticks=20)
    assert frozen.frozen == sorted(f"{role}~1" for role in PLATFORM_ROLES)
    assert frozen.boundary == {"branch": "main", "control_tick": 12, "position": 2}
    before = mv.instance_digest("alpha")
    mv.run(1)
    assert god(mv, "FREEZE_TIME", scope=["alpha"]).were_frozen == frozen.frozen
    assert god(mv, "UNFREEZE_TIME").thawed == frozen.frozen
    mv.run(1)
    assert mv.instance_digest("alpha") != before


def test_an_instance_is_cloned_with_a_name_and_a_change(mv):
    made = god(
        mv,
        "CLONE_INSTANCE",
        source="alpha",
        name="beta",
        modifications={"runtime.agents.arty.personality.creativity": 0.25},
    ).instance
    assert (made.instance_id, made.name) == ("i2", "beta")
    assert agents(mv, "beta")["arty"]["personality"]["creativity"] == 0.25
    assert {**agents(mv, "beta"), "arty": 0} == {**agents(mv), "arty": 0}


def test_reality_is_forked_now_at_a_control_tick_and_at_a_snapshot(mv):
    mv.snapshot("then")
    mv.run(3)
    now = god(mv, "REALITY_FORK", source="i1", count=2)
    past = god(mv, "REALITY_FORK", source="i1", control_tick=5, names=["past"])
    taken = god(mv, "REALITY_FORK", source="i1", snapshot="then", names=["taken"])
    assert [one.name for one in (*now.instances, *past.instances, *taken.instances)] == [
        "alpha~2",
        "alpha~3",
        "past",
        "taken",
    ]
    ticks = {game["realm_id"]: game["local_tick"] for game in mv.status().state["games"]}
    assert [ticks[f"runtime~{number}"] for number in (2, 4, 5)] == [150, 50, 120]


def test_an_agent_is_possessed_and_does_nothing_of_itself(mv):
    lease = mv.possess("alpha", "arty", lease_ticks=400)
    before = agents(mv)["arty"]
    assert before["state"] == "possessed"
    assert mv.query("runtime~1", "leases")[lease.lease_id]["principal"] == "zeus"
    assert lease.act("rest") == {"action": "rest", "agent": "arty"}
    with pytest.raises(CommandRefusedError, match="possessed by zeus"):
        mv.possess("alpha", "arty")
    assert lease.release() == {"released": ["arty"]}
    with pytest.raises(CommandRefusedError, match="is released"):
        lease.act("rest")
    over = mv.possess("alpha", "arty", lease_ticks=5)
    mv.run(1)
    with pytest.raises(CommandRefusedError, match="expired"):
        over.act("rest")
    whole = mv.possess("alpha")
    assert {one["state"] for one in agents(mv).values()} == {"possessed"}
    assert whole.act("rest", agent="cal_riven")["agent"] == "cal_riven"
    broken = god(mv, "AGENT_POSSESSION", instance="alpha", step="break").outcome
    assert "cal_riven" in broken["released"]


def test_forks_and_reverts_let_go_of_whoever_is_possessed(mv):
    mv.possess("alpha", "arty")
    mv.run(1)
    (copy,) = mv.fork_instance("alpha")
    mv.run(1)
    assert agents(mv)["arty"]["state"] == "possessed"
    assert agents(mv, copy)["arty"]["state"] != "possessed"
    god(mv, "TIMELINE_REVERT", scope="alpha", control_tick=13)
    mv.run(1)
    assert agents(mv)["arty"]["possession"] is None


def test_time_goes_back_for_all_for_an_instance_and_for_a_realm(mv):
    mv.register_game("sol", "actors.core.realms.city:City", params={"npcs": 5})
    mv.run(3)
    then = mv.instance_digest("alpha")
    mv.run(4)
    back = god(mv, "TIMELINE_REVERT", scope="alpha", control_tick=15)
    assert back.scope["local_ticks"]["runtime~1"] == 150
    assert god(mv, "TIMELINE_REVERT", scope="sol", control_tick=13).scope["local_tick"] == 10
    left = god(mv, "TIMELINE_REVERT", control_tick=15, name="other", reason="because")
    assert left.branch["branch"] == "other"
    assert mv.instance_digest("alpha") == then


def test_instances_speak_to_each_other_only_where_a_god_lets_them(mv):
    for name in ("beta", "gamma"):
        mv.create_instance(name)

    def whispered(instance):
        arguments = {"agent_id": "arty", "instance": instance, "text": "let us create something"}
        mv.command("runtime~1", "whisper_across", arguments)
        mv.run(2)
        return [one["sender"] for one in mv.query(mv.instance(instance)["runtime"], "whispers").values()]

    assert whispered("beta") == []
    assert mv.dead_letters()[-1]["reason"] == "cross-instance communication is off"
    assert god(mv, "CROSS_INSTANCE_COMMUNICATION", ids=["alpha", "beta"]).pairs == [["alpha", "beta"]]
    assert whispered("beta") == ["alpha/runtime"]
    assert whispered("gamma") == []
    mv.run(1)
    chain = mv.digest_chain()
    with mv.at(mv.boundary().control_tick) as past:
        assert past.digest_chain() == chain
    answer = mv.revert_instance("beta", 14)
    assert answer["entangled"] == ["alpha/runtime#" + answer["entangled"][0].rpartition("#")[2]]
    god(mv, "CROSS_INSTANCE_COMMUNICATION", ids=["alpha", "beta"], enable=False)
    assert whispered("beta") == []


def test_a_linked_instance_did_not_live_alone(mv):
    from actors.core.kernel.errors import EngineError

    mv.create_instance("beta")
    mv.run(1)
    god(mv, "CROSS_INSTANCE_COMMUNICATION", ids=["alpha", "beta"])
    mv.run(2)
    with pytest.raises(EngineError, match="look at the whole past"):
        mv.at(15, realm="runtime~1")
    with mv.at(13, realm="runtime~1") as past:
        assert past.digest()


def test_a_god_intervenes(mv):
    ritual = intervene(mv, "alpha", "inject_ritual", ritual="gathering", agent="arty")["ritual_id"]
    assert ritual in mv.query("runtime~1", "rituals")
    weather = intervene(mv, "alpha", "alter_weather", phase="chaos-bloom", intensity=0.75)
    assert (weather["phase"], weather["intensity"]) == ("chaos-bloom", 0.75)
    assert mv.query("surface~1", "weather")["phase"] == "chaos-bloom"
    traits = intervene(mv, "alpha", "modify_personality", agent="arty", personality={"calm": 1})
    assert traits["after"]["calm"] == 1.0
    born = intervene(mv, "alpha", "spawn_agent", template="mirror", agent="echo")
    assert born["agent_id"] == "echo"
    with pytest.raises(GovernorDeniedError, match="Cal Riven"):
        intervene(mv, "alpha", "terminate_agent", agent="echo")
    intervene(mv, "alpha", "spawn_agent", template="basic", agent="short")
    assert intervene(mv, "alpha", "terminate_agent", agent="short")["state"] == "terminated"


def test_an_emergency_stops_a_platform_until_it_is_resumed(mv):
    assert mv.emergency_override("alpha", "surface", "it flickers")["frozen"] == ["surface~1"]
    god(mv, "UNFREEZE_TIME")
    mv.run(3)
    ticks = {game["role"]: game["local_tick"] for game in mv.status().state["games"]}
    assert (ticks["surface"], ticks["runtime"]) == (120, 150)
    assert mv.journal()[-2].command.reason == "it flickers"
    assert mv.resume("alpha")["thawed"] == ["surface~1"]
    mv.run(1)
    assert {game["local_tick"] for game in mv.status().state["games"]} == {130, 160}
    assert all(there == owed for there, owed in mv.audit()["conservation"].values())


def test_the_bridge_serves_callers_outside(mv):
    bridge = CrossPlatformBridge(mv, "alpha")
    assert bridge.fetch_from_runtime("agents")["arty"] == agents(mv)["arty"]
    assert bridge.fetch_from_surface()["phase"]
    assert bridge.fetch_from_protocol()["level"]
    assert bridge.send_whisper_to_runtime("ada", "rest a while")["whisper_id"]
    with pytest.raises(CommandRefusedError, match="ada"):
        bridge.send_whisper_to_runtime("ada", "again")
    with pytest.raises(CommandRefusedError, match="'stop' or 'resume'"):
        bridge.send_emergency_override("runtime", "explode", "why not")
    assert bridge.send_emergency_override("all", "stop", "fire")["frozen"] == sorted(
        f"{one}~1" for one in PLATFORM_ROLES
    )
    assert len(bridge.send_emergency_override("all", "resume", "over")["thawed"]) == 4
    with pytest.raises(CommandRefusedError, match="there is no instance 'nobody'"):
        CrossPlatformBridge(mv, "nobody")


# ------------------------------------------------------------------------------------------- once, and by whom


def test_an_instance_goes_back_by_its_name_for_whoever_has_a_role_for_its_id(mv):
    mv.grant_role("zeus", "god")
    mv.grant_role("ann", "god", "alpha")
    command = {"type": "TIMELINE_REVERT", "scope": "alpha", "control_tick": 11}
    assert mv.god_mode_command(command, principal="ann").scope["local_ticks"]["runtime~1"] == 110
    with pytest.raises(PermissionRefusedError):
        mv.god_mode_command(command, principal="bob", origin="http")


def test_every_command_is_audited_by_its_name_refused_or_not(mv, tmp_path):
    from actors.vaults.openings import open_vault

    god(mv, "FREEZE_TIME", scope=["alpha"])
    with pytest.raises(GovernorDeniedError):
        intervene(mv, "alpha", "terminate_agent", agent="cal_riven")
    with pytest.raises(UnknownMemberError):
        god(mv, "FREEZE_TIME", scope=["nowhere"])
    with pytest.raises(PermissionRefusedError):
        mv.god_mode_command({"type": "FREEZE_TIME"}, principal="hermes", origin="http")
    mv.run(1)
    with open_vault(tmp_path / "m.sqlite") as vault:
        told = [(one.principal, one.verb, one.outcome) for one in vault.audits("m")][-4:]
    assert told == [
        ("zeus", "FREEZE_TIME", "done"),
        ("zeus", "PUPPET_MASTER_INTERVENTION", "governor_denied"),
        ("zeus", "FREEZE_TIME", "unknown_member"),
        ("hermes", "FREEZE_TIME", "permission_refused"),
    ]


def test_strangers_over_http_may_nothing_until_a_god_says_so_and_only_that(mv):
    def asked(kind, **more):
        return mv.god_mode_command({"type": kind, **more}, principal="hermes", origin="http")

    before = mv.digest()
    for command in ({"type": "FREEZE_TIME"}, {"type": "REALITY_FORK", "source": "alpha"}):
        with pytest.raises(PermissionRefusedError, match="'hermes' may not ask for"):
            mv.god_mode_command(command, principal="hermes", origin="http")
    assert mv.digest() == before
    mv._submit(ChangeRole("hermes", "god", "i1", granted=True))
    assert mv.digest() != before, "who may do what is state"
    assert asked("CLONE_INSTANCE", source="alpha").instance.instance_id == "i2"
    for kind, more in (("FREEZE_TIME", {}), ("CLONE_INSTANCE", {"source": "i2"})):
        with pytest.raises(PermissionRefusedError, match="may not ask for"):
            asked(kind, **more)
    mv.run(1)
    chain = mv.digest_chain()
    with mv.at(13) as past:
        assert past.digest_chain() == chain
    mv._submit(ChangeRole("hermes", "", "*", granted=False))
    with pytest.raises(PermissionRefusedError):
        asked("CLONE_INSTANCE", source="alpha")


def test_who_is_named_has_what_is_granted_also_locally_and_after_a_restart(tmp_path):
    with Multiverse(1, engine="local", name="m", vault=tmp_path / "m.sqlite", principal="pan") as mv:
        mv.create_instance("alpha")
        mv._submit(ChangeRole("pan", "observer", "*", granted=True))
        with pytest.raises(PermissionRefusedError, match="'pan' may not ask for 'FREEZE_TIME'"):
            god(mv, "FREEZE_TIME")
        with pytest.raises(PermissionRefusedError, match="'CreateInstance'"):
            mv.create_instance("beta")
    again = Multiverse(1, engine="local", name="m", vault=tmp_path / "m.sqlite", principal="pan")
    with again as mv, pytest.raises(PermissionRefusedError, match="'revert'"):
        mv.revert(0)


# ------------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ({"type": "SMITE"}, "needs a type, one of FREEZE_TIME"),
        ({}, "needs a type, one of FREEZE_TIME"),
        ([], "valid dictionary"),
        ("{", "invalid JSON"),
        (b"\xff", "JSON"),
        ({"type": "FREEZE_TIME", "scop": []}, "scop: there is no such field; there are duration_ticks, idempotency_key, scope"),
        ({"type": "FREEZE_TIME", "duration_ticks": "5"}, "duration_ticks: input should be a valid integer"),
        ({"type": "FREEZE_TIME", "duration_ticks": 0}, "greater than or equal to 1"),
        ({"type": "MERGE_INSTANCES", "ids": ["a"]}, "ids: tuple should have at least 2 items"),
        ({"type": "MERGE_INSTANCES", "ids": ["a", "b"], "strategy": "best"}, "'ours', 'theirs' or 'fail'"),
        ({"type": "REALITY_FORK"}, "source: field required"),
        ({"type": "REALITY_FORK", "source": "alpha", "branch": "x"}, "a fork begins now"),
        ({"type": "TIMELINE_REVERT"}, "needs a control tick"),
        ({"type": "TIMELINE_REVERT", "control_tick": 1, "snapshot": "s"}, "only one of them may be given"),
        ({"type": "TIMELINE_REVERT", "scope": "alpha", "control_tick": 1, "name": "x"}, "leave branch and name out"),
        ({"type": "AGENT_POSSESSION", "instance": "alpha", "agent": "nobody"}, "no living agent 'nobody'"),
        ({"type": "AGENT_POSSESSION", "instance": "alpha", "step": "act", "lease_id": "x", "action": "rest"}, "no lease 'x'"),
        ({"type": "CROSS_INSTANCE_COMMUNICATION", "ids": ["alpha", "alpha"]}, "two different"),
        ({"type": "CLONE_INSTANCE", "source": "alpha", "modifications": {"heart.x": 1}}, "does not begin with a member"),
        ({"type": "CLONE_INSTANCE", "source": "nobody"}, "there is no instance 'nobody'"),
        (
            {"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": {"kind": "sing"}},
            "does not match any of the expected tags",
        ),
        (
            {"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": {"kind": "resume", "x": 1}},
            "x: there is no such field; there are kind, platform",
        ),
    ],
)  # fmt: skip
def test_what_may_not_be_is_one_sentence_and_changes_nothing(mv, command, words):
    before = mv.digest()
    with pytest.raises(CommandRefusedError, match=words) as refused:
        mv.god_mode_command(command)
    assert "\n" not in refused.value.message
    assert mv.digest() == before


@pytest.mark.parametrize("kind", BY_TYPE)
def test_a_command_is_itself_again_from_its_json(kind):
    needed = {"source": "a", "ids": ["a", "b"], "instance": "a", "intervention": {"kind": "resume"}}
    fields = BY_TYPE[kind].model_fields
    one = god_command({"type": kind, **{name: value for name, value in needed.items() if name in fields}})
    assert god_command(one.model_dump_json()) == one
    assert god_command(one) is one or god_command(one) == one


def test_a_name_that_is_taken_changes_nothing(mv):
    before = mv.digest()
    with pytest.raises(DuplicateMemberError):
        god(mv, "CLONE_INSTANCE", source="alpha", name="alpha")
    assert mv.digest() == before


FIELDS = sorted({field for model in BY_TYPE.values() for field in model.model_fields})
WORDS = [
    "",
    "alpha",
    "i1",
    "arty",
    "runtime.agents.arty.mood",
    "possess",
    "act",
    "\n",
    "\0",
    "é",
    "\ud800",
    "x" * 200,
    "../x",
]
ATOMS = [None, True, -1, 0, 3, 2**70, 0.5, float("nan"), float("inf"), *WORDS]


def nonsense(rng, depth=0):
    """Something that nobody would ask for, as data, JSON text or bytes."""
    kind = rng.randrange(8 if depth < 3 else 4)
    if kind < 4:
        return rng.choice(ATOMS)
    if kind < 6:
        return [nonsense(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {str(rng.choice([*FIELDS, *WORDS])): nonsense(rng, depth + 1) for _ in range(rng.randrange(5))}


def malformed(rng):
    """A command with a type, or something else altogether."""
    found = nonsense(rng)
    if rng.random() < 0.7:
        fields = rng.sample(FIELDS, rng.randrange(5))
        found = {**{field: nonsense(rng) for field in fields}, "type": rng.choice([*BY_TYPE, nonsense(rng)])}
    form = rng.randrange(4)
    if form == 0:
        return json.dumps(found)[: rng.randrange(1, 300)]
    return repr(found).encode("utf-8", "surrogatepass") if form == 1 else found


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    with Multiverse(1, engine="local", name="m", vault=tmp_path_factory.mktemp("god") / "m.sqlite") as mv:
        mv.create_instance("alpha")
        mv.run(2)
        yield mv


AT_ONCE = 25


def cleared(mv, result):
    """Some nonsense is what somebody might want; what it has made goes again."""
    for made in getattr(result, "instances", [getattr(result, "instance", None)]):
        if isinstance(made, MadeInstance):
            mv.destroy_instance(made.instance_id)
    if isinstance(result, TimelineReverted):
        mv.select("main")


@settings(max_examples=10_000 // AT_ONCE, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_ten_thousand_malformed_commands_are_errors_and_no_more(fuzzed, seed):
    rng = Random(seed)
    before = fuzzed.digest()
    for _ in range(AT_ONCE):
        nonsensical = malformed(rng)
        try:
            one = god_command(nonsensical)
        except SoulfraError as error:
            check_refusal(error)
            continue
        try:
            cleared(fuzzed, fuzzed.god_mode_command(one))
            before = fuzzed.digest()
        except SoulfraError as error:
            check_refusal(error)
            assert fuzzed.digest() == before, one


def check_refusal(error):
    assert isinstance(error, CallerError)
    assert error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("REALITY_FORK", {"source": "alpha", "divergent": "no"}),
        ("MERGE_INSTANCES", {"ids": ["a", "b"], "dry_run": 1}),
        ("CROSS_INSTANCE_COMMUNICATION", {"ids": ["a", "b"], "enable": "yes"}),
        (
            "PUPPET_MASTER_INTERVENTION",
            {"instance": "a", "intervention": {"kind": "alter_weather", "phase": "x", "intensity": "1"}},
        ),
        (
            "PUPPET_MASTER_INTERVENTION",
            {"instance": "a", "intervention": {"kind": "emergency_override", "reason": "a\nb"}},
        ),
        ("TIMELINE_REVERT", {"control_tick": 1, "reason": "a\tb"}),
    ],
)
def test_a_value_of_a_like_type_is_another_one(kind, fields):
    with pytest.raises(CommandRefusedError):
        god_command({"type": kind, **fields})


def test_results_are_one_json_document_each(mv):
    for result in (
        god(mv, "FREEZE_TIME"),
        god(mv, "UNFREEZE_TIME"),
        god(mv, "REALITY_FORK", source="alpha"),
        god(mv, "MERGE_INSTANCES", ids=["i1", "i2"], strategy="ours", dry_run=True),
    ):
        assert json.loads(result.model_dump_json())["type"] == result.type


# ------------------------------------------------------------------------------------------------- what was found out once


def test_no_name_of_a_command_reaches_a_vault_that_cannot_hold_it(mv):
    from actors.core.kernel.commands import Unfreeze

    reply = mv._call("submit", Unfreeze((), "freeze"), "a\0b", "zeus")
    assert reply.error_code == "command_refused"
    mv.run(1)


def test_an_instance_and_a_realm_are_never_called_the_same(mv):
    mv.register_game("city", "actors.core.realms.city:City", params={"npcs": 3})
    with pytest.raises(DuplicateMemberError, match="there is a realm 'city'"):
        mv.create_instance("city")
    with pytest.raises(DuplicateMemberError, match="there is an instance 'alpha'"):
        mv.register_game("alpha", "actors.core.realms.city:City", params={"npcs": 3})


def test_a_cause_of_the_kernels_own_is_nobodys(mv):
    with pytest.raises(CommandRefusedError, match="use another cause"):
        mv.freeze(cause="unstarted")


def test_an_instance_does_not_go_back_behind_its_start(mv):
    mv.create_instance("late", phase="created")
    mv.run(2)
    mv.initialize_instance("late")
    mv.start_instance("late")
    mv.run(1)
    with pytest.raises(CommandRefusedError, match="it was created, and is more now"):
        mv.revert_instance("late", 13)


def test_a_platform_that_goes_back_alone_lets_go_of_whoever_was_possessed(mv):
    lease = mv.possess("alpha", "arty")
    mv.run(1)
    lease.release()
    mv.run(1)
    mv.revert_realm("runtime~1", 13)
    mv.run(1)
    with pytest.raises(CommandRefusedError, match="is released"):
        lease.act("rest")
