"""What may be asked of a Runtime: beginning, agents, rituals."""

import pytest
from instances import Society

from actors.core.platforms.agents import AGENTS_MAX, BIRTH_ENERGY, EPHEMERAL_TICKS, FADING_TICKS, TEMPLATES, inherited
from actors.core.platforms.personalities import TRAITS

EVERYTHING = [
    ("start_autonomous", {}),
    ("stop_autonomous", {}),
    ("whisper", {"sender": "ann", "text": "dream"}),
    ("whisper_across", {"agent_id": "arty", "instance": "beta", "text": "dream"}),
    ("spawn_agent", {"template": "basic"}),
    ("terminate_agent", {"agent_id": "arty"}),
    ("modify_personality", {"agent_id": "arty", "personality": {}}),
    ("inject_ritual", {"kind": "calling", "agent_id": "arty"}),
    ("possess", {"agent_id": "arty", "lease_ticks": 5, "lease_id": "l", "principal": "ann"}),
    ("act", {"lease_id": "l", "agent_id": "arty", "action": "rest"}),
    ("release", {"lease_id": "l"}),
    ("break_possession", {"agent_id": "arty"}),
]


def begun(seed: int = 4) -> Society:
    society = Society(seed, start=False)
    society.ask("runtime", "initialize")
    return society


def test_initializing_brings_the_built_in_agents_to_life():
    society = begun()
    agents = society.query("runtime", "agents")
    assert {name: agent["template"] for name, agent in agents.items()} == {
        "agent_zero": "business",
        "arty": "orchestrator",
        "cal_riven": "governor",
    }
    assert all(tuple(agent["personality"]) == TRAITS for agent in agents.values())


@pytest.mark.parametrize("verb", ["initialize", "start_autonomous", "stop_autonomous"])
def test_a_second_time_is_a_no_op_that_says_so(verb):
    society = Society(4)
    if verb == "stop_autonomous":
        society.ask("runtime", verb)
    before = society.standing("runtime")
    result = society.ask("runtime", verb)
    assert result["changed"] is False
    assert "already" in result["said"]
    assert society.standing("runtime") == before


@pytest.mark.parametrize(("verb", "arguments"), EVERYTHING)
def test_before_it_is_initialized_everything_else_is_an_error(verb, arguments):
    assert "initialize it first" in Society(4, start=False).refusal("runtime", verb, **arguments).error_message


def test_every_command_is_in_this_table():
    commands = Society(4, start=False).seats["runtime"].contract.commands
    assert commands == {verb for verb, _ in EVERYTHING} | {"initialize"}


def test_an_instance_that_has_not_begun_stands_still():
    society = Society(4, start=False).run(100)
    assert society.query("runtime", "agents") == {}
    assert society.vitals()["acts"] == dict.fromkeys(society.vitals()["acts"], 0)


def test_a_society_that_is_stopped_stands_still_and_goes_on():
    society = Society(4).run(100)
    society.ask("runtime", "stop_autonomous")
    acts, rituals = society.vitals()["acts"], society.query("runtime", "rituals")
    society.run(100)
    assert society.vitals()["acts"] == acts
    assert {name: ritual["phase"] for name, ritual in society.query("runtime", "rituals").items()} == {
        name: ritual["phase"] for name, ritual in rituals.items()
    }
    society.ask("runtime", "start_autonomous")
    society.run(50)
    assert society.vitals()["acts"] != acts


# Agents


@pytest.mark.parametrize("template", [name for name, row in TEMPLATES.items() if not row.built_in])
def test_an_agent_is_born_from_a_template(template):
    society = begun()
    born = society.ask("runtime", "spawn_agent", template=template, agent_id="late", personality={"calm": 1})
    assert born["agent_id"] == "late"
    agent = born["agent"]
    assert (agent["template"], agent["generation"], agent["parent"], agent["energy"]) == (
        template,
        0,
        None,
        BIRTH_ENERGY,
    )
    assert agent["personality"]["calm"] == 1.0
    assert agent["state"] == "initializing"
    society.tick()
    assert society.agent("late")["state"] == "initializing", "it becomes ready once the society acts by itself"
    society.ask("runtime", "start_autonomous")
    society.tick()
    assert society.agent("late")["state"] != "initializing"


def test_a_child_takes_after_its_parent():
    society = begun()
    society.modify("runtime", {"agents.arty.resonance": 1.0, "agents.arty.personality.creativity": 0.123})
    child = society.ask("runtime", "spawn_agent", template="basic", parent="arty")["agent"]
    assert child["personality"]["creativity"] == 0.123
    assert (child["generation"], child["parent"]) == (1, "arty")
    assert 0.8 <= child["resonance"] <= 1.0


@pytest.mark.parametrize(("resonance", "draw", "found"), [(0.5, 0, 0.4), (1.0, 32_768, 0.9), (0.0, 65_535, 0.2)])
def test_a_child_s_resonance_is_of_its_parent_s_and_of_chance(resonance, draw, found):
    assert inherited(resonance, draw) == pytest.approx(found, abs=1e-5)


def test_an_ephemeral_agent_ends_after_its_ticks():
    society = begun()
    society.ask("runtime", "spawn_agent", template="ephemeral", agent_id="brief")
    society.run(EPHEMERAL_TICKS)
    assert society.agent("brief")["state"] != "terminated"
    society.tick()
    assert society.agent("brief")["state"] == "terminated"
    assert society.agent("brief")["energy"] == 0
    society.run(FADING_TICKS)
    assert "brief" not in society.query("runtime", "agents")


def test_an_agent_that_is_ended_gives_its_energy_back():
    society = begun()
    pool = society.vitals()["pool"]
    society.ask("runtime", "spawn_agent", template="basic", agent_id="brief")
    society.ask("runtime", "inject_ritual", kind="calling", agent_id="brief")
    assert society.vitals()["pool"] == pool - BIRTH_ENERGY
    society.ask("runtime", "terminate_agent", agent_id="brief")
    assert society.vitals()["pool"] == pool
    assert society.query("runtime", "rituals") == {}
    assert "no living agent" in society.refusal("runtime", "terminate_agent", agent_id="brief").error_message


def test_a_society_without_arty_and_agent_zero_goes_on():
    society = Society(4)
    for agent_id in ("arty", "agent_zero"):
        society.ask("runtime", "terminate_agent", agent_id=agent_id)
    society.run(600).reborn().run(100)
    assert "arty" not in society.query("runtime", "agents")
    assert society.vitals()["completed"] > 0


def test_there_is_room_for_so_many():
    society = begun()
    for _ in range(AGENTS_MAX - 3):
        society.ask("runtime", "spawn_agent", template="basic")
    assert "the most there may be" in society.refusal("runtime", "spawn_agent", template="basic").error_message
    refused = society.refusal("runtime", "inject_ritual", kind="birth", agent_id="arty")
    assert "the most there may be" in refused.error_message


def test_a_parent_s_id_is_not_given_away_while_its_children_live():
    society = begun()
    society.ask("runtime", "spawn_agent", template="basic", agent_id="mother", parent="arty")
    society.ask("runtime", "spawn_agent", template="basic", agent_id="child", parent="mother")
    society.ask("runtime", "terminate_agent", agent_id="mother")
    society.run(FADING_TICKS + 10)
    assert "mother" not in society.query("runtime", "agents")
    assert "is taken" in society.refusal("runtime", "spawn_agent", template="basic", agent_id="mother").error_message


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"template": "dragon"}, "there are basic, mirror, sovereign, ephemeral"),
        ({"template": None}, "no template"),
        ({"agent_id": "arty"}, "is taken"),
        ({"agent_id": "a.b"}, "letters, digits"),
        ({"agent_id": "now"}, "letters, digits"),
        ({"agent_id": "ä"}, "letters, digits"),
        ({"agent_id": 7}, "must be text"),
        ({"agent_id": "x" * 65}, "at most 64"),
        ({"parent": "nobody"}, "no living agent"),
        ({"personality": {"charm": 1}}, "no trait"),
        ({"personality": {"calm": 2}}, "from 0 to 1"),
        ({"personality": {"calm": True}}, "from 0 to 1"),
        ({"personality": [1]}, "a map"),
    ],
)
def test_what_cannot_be_born(arguments, says):
    assert says in begun().refusal("runtime", "spawn_agent", **{"template": "basic"} | arguments).error_message


def test_a_personality_is_changed_trait_by_trait():
    society = begun()
    result = society.ask("runtime", "modify_personality", agent_id="arty", personality={"calm": 0, "empathy": 1})
    assert (result["after"]["calm"], result["after"]["empathy"]) == (0.0, 1.0)
    assert result["after"] == result["before"] | {"calm": 0.0, "empathy": 1.0} == society.agent("arty")["personality"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"agent_id": "nobody", "personality": {}},
        {"agent_id": "arty", "personality": {"calm": -0.1}},
        {"agent_id": "arty", "personality": None},
    ],
)
def test_what_a_personality_cannot_be(arguments):
    begun().refusal("runtime", "modify_personality", **arguments)


def test_agents_act_by_priority_and_ties_by_id():
    society = begun()
    for name, template in (("zed", "mirror"), ("abe", "sovereign"), ("bob", "ephemeral"), ("ada", "basic")):
        society.ask("runtime", "spawn_agent", template=template, agent_id=name)
    order = society.members["runtime"].society.in_order()  # type: ignore[attr-defined]
    assert order == ["cal_riven", "arty", "agent_zero", "abe", "zed", "ada", "bob"]


def test_without_energy_an_agent_is_suspended_until_it_is_given_some():
    society = begun()
    society.modify("runtime", {"agents.cal_riven.energy": 0, "vitals.now.pool": 0, "agents.arty.energy": 0})
    society.modify("runtime", {"agents.cal_riven.state": "ready", "agents.cal_riven.personality.calm": 0.0})
    society.ask("runtime", "start_autonomous")
    society.tick()
    assert society.agent("cal_riven")["state"] == "suspended"
    society.modify("runtime", {"agents.cal_riven.energy": 40})
    society.run(20)
    assert society.agent("cal_riven")["state"] in ("ready", "executing")


def test_three_curses_put_an_agent_into_error_and_a_cleansing_ends_that():
    society = Society(4)
    society.run(10)
    society.modify("runtime", {"agents.agent_zero.curses": 3})
    states = []
    for _ in range(30):
        society.tick()
        states.append(society.agent("agent_zero")["state"])
    assert states[0] == "error"
    assert {"ready", "executing"} & set(states)
    assert society.agent("agent_zero")["curses"] < 3


def test_a_view_answers_what_it_can_and_says_what_that_is():
    from actors.core.kernel.errors import CommandRefusedError

    society = Society(4).run(300)
    for role, member in society.members.items():
        for question, (_, argument) in member.questions.items():
            if not argument:
                assert isinstance(society.query(role, question), dict)
    for question, arguments, says in (
        ("agent", {"agent_id": "nobody"}, "there are agent_zero"),
        ("agent", {"agent_id": 5}, "there are agent_zero"),
        ("agent", {}, "it answers agents"),
        ("dreams", {}, "it answers agents"),
    ):
        with pytest.raises(CommandRefusedError, match=says):
            society.query("runtime", question, **arguments)


def test_a_view_does_not_change_when_the_platform_goes_on():
    society = Society(4).run(100)
    view = society.members["runtime"].view()
    before = view.query("agents", {})
    society.run(100)
    assert view.query("agents", {}) == before != society.query("runtime", "agents")


# Rituals


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"kind": "war"}, "no ritual"),
        ({"kind": 1}, "no ritual"),
        ({"agent_id": "nobody"}, "no living agent"),
        ({"template": "basic"}, "only a birth has one"),
        ({"kind": "birth", "template": "dragon"}, "no template"),
        ({"kind": "birth", "template": "governor"}, "Cal Riven denies"),
    ],
)
def test_what_cannot_be_injected(arguments, says):
    whole = {"kind": "calling", "agent_id": "arty"} | arguments
    assert says in begun().refusal("runtime", "inject_ritual", **whole).error_message


def test_an_injected_birth_bears_a_child():
    society = Society(4)
    society.ask("runtime", "inject_ritual", kind="birth", agent_id="arty", template="sovereign")
    society.run(60)
    ended = society.query("runtime", "history")["ritual_000000"]
    assert (ended["proposer"], ended["outcome"]) == ("god", "completed")
    children = [one for one in society.query("runtime", "agents").values() if one["template"] == "sovereign"]
    assert [(child["parent"], child["generation"]) for child in children] == [("arty", 1)]


# Agent Zero


def test_agent_zero_asks_above_his_tier_only():
    asked = {}
    for tier in ("guest", "enterprise"):
        society = begun()
        society.modify("runtime", {"agents.agent_zero.business.tier": tier})
        society.ask("runtime", "start_autonomous")
        society.run(300)
        asked[tier] = society.vitals()["ventures"]
    assert asked["guest"] > asked["enterprise"]


def test_the_wrong_settings_are_refused():
    from actors.core.kernel.errors import SettingsError

    for bad in (0, -1, True, 1.5, "5", 10**7):
        for name in ("whisper_gap_local_ticks", "loop_local_ticks"):
            with pytest.raises(SettingsError, match=name):
                Society(4, start=False, runtime={name: bad})
