"""Cal Riven's denials hold on every path: no birth past generation 3, no end of a mirror agent."""

import pytest
from instances import Society

from actors.core.kernel.codec import encode
from actors.core.kernel.states import Records
from actors.core.platforms import governors
from actors.core.platforms.agents import GENERATION_MAX, TEMPLATES
from actors.core.platforms.runtimes import RuntimePlatform


@pytest.fixture
def society() -> Society:
    """A line of four generations, and a mirror agent; nothing happens by itself."""
    society = Society(5, start=False)
    society.ask("runtime", "initialize")
    parent = "arty"
    for generation in (1, 2, 3):
        name = f"child_{generation}"
        born = society.ask("runtime", "spawn_agent", template="basic", agent_id=name, parent=parent)
        assert born["agent"]["generation"] == generation
        parent = name
    society.ask("runtime", "spawn_agent", template="mirror", agent_id="glass")
    society.ask("runtime", "spawn_agent", template="sovereign", agent_id="king")
    return society


def assert_unchanged_line(society: Society) -> None:
    agents = society.query("runtime", "agents")
    assert max(agent["generation"] for agent in agents.values()) == GENERATION_MAX
    assert agents["glass"]["state"] != "terminated"


# The last generation


def test_a_command_cannot_bear_a_fourth_generation(society):
    result = society.refusal("runtime", "spawn_agent", template="basic", parent="child_3")
    assert (result.error_code, "past generation 3" in result.error_message) == ("governor_denied", True)


def test_an_ephemeral_or_mirror_child_is_denied_as_well(society):
    for template in ("ephemeral", "mirror", "sovereign"):
        assert (
            society.refusal("runtime", "spawn_agent", template=template, parent="child_3").error_code
            == "governor_denied"
        )


def test_a_god_s_ritual_cannot(society):
    result = society.refusal("runtime", "inject_ritual", kind="birth", agent_id="child_3", template="basic")
    assert result.error_code == "governor_denied"


def test_a_possessed_agent_cannot(society):
    society.ask("runtime", "possess", agent_id="child_3", lease_ticks=50, lease_id="l", principal="ann")
    result = society.refusal("runtime", "act", lease_id="l", agent_id="child_3", action="propose", ritual="birth")
    assert result.error_code == "governor_denied"


def test_it_holds_while_cal_riven_himself_is_possessed(society):
    society.ask("runtime", "possess", agent_id="", lease_ticks=50, lease_id="l", principal="ann")
    assert society.refusal("runtime", "spawn_agent", template="basic", parent="child_3").error_code == "governor_denied"
    assert society.refusal("runtime", "terminate_agent", agent_id="glass").error_code == "governor_denied"


def test_whispers_do_not_bring_it_about(society):
    """Everybody is told to bear children, and wants to; the line still ends."""
    society.ask("runtime", "whisper", sender="ann", text="birth birth birth")
    society.modify(
        "runtime", {"agents.child_3.personality.ambition": 1.0, "agents.child_3.personality.creativity": 1.0}
    )
    society.ask("runtime", "start_autonomous")
    society.run(1_500)
    assert society.vitals()["governor_denials"] > 0
    assert_unchanged_line(society)


def test_an_answer_that_somebody_else_sends_in_protocol_s_name_is_not_believed(society):
    society.ask("runtime", "inject_ritual", kind="gathering", agent_id="arty")
    before = society.query("runtime", "rituals")
    society.say("runtime", "validated", {"item": "ritual_000000", "kind": "birth", "valid": True, "rule": ""})
    society.tick()
    assert "protocol only" in society.vitals()["refused"]["last_reason"]
    assert society.query("runtime", "rituals").keys() == before.keys()


def test_protocol_s_own_approval_does_not_lift_it(society):
    """A birth that was allowed when it was proposed is asked again when it is completed."""
    runtime = society.members["runtime"]
    assert isinstance(runtime, RuntimePlatform)
    ritual = society.ask("runtime", "inject_ritual", kind="birth", agent_id="child_2", template="basic")
    agents = runtime.society.agents
    agents.change("child_2", generation=GENERATION_MAX)
    society.ask("runtime", "start_autonomous")
    society.run(100)
    ended = society.query("runtime", "history")[ritual["ritual_id"]]
    assert ended["outcome"] == "aborted"
    assert_unchanged_line(society)


def test_a_rule_cannot_be_modified_to_allow_it(society):
    assert "at most 3" in society.refused_change("protocol", {"rules.birth_generation.at_most": 4.0})
    society.modify("protocol", {"rules.birth_generation.at_most": 2.0})


@pytest.mark.parametrize("generation", [4, 99])
def test_no_state_with_a_later_generation_is_taken(society, generation):
    assert "Cal Riven" in society.refused_change("runtime", {"agents.child_3.generation": generation})
    assert "past generation 3" in refused_state(society, "child_3", generation=generation)


def test_nobody_is_made_younger_to_have_more_children(society):
    assert "Cal Riven" in society.refused_change("runtime", {"agents.child_3.generation": 0})
    assert "Cal Riven" in society.refused_change("runtime", {"agents.*.generation": 0})
    whole = society.agent("child_3") | {"generation": 0}
    assert "Cal Riven" in society.refused_change("runtime", {"agents.child_3": whole})
    assert "with the parent" in refused_state(society, "child_3", generation=0)
    assert "its parent of" in refused_state(society, "child_3", generation=2)


def test_a_sovereign_has_no_children_on_any_path(society):
    assert society.refusal("runtime", "spawn_agent", template="basic", parent="king").error_code == "governor_denied"
    assert society.refusal("runtime", "inject_ritual", kind="birth", agent_id="king").error_code == "governor_denied"
    assert "sovereign has none" in refused_state(society, "child_1", parent="king")


# Mirror agents


def test_a_command_cannot_end_a_mirror_agent(society):
    result = society.refusal("runtime", "terminate_agent", agent_id="glass")
    assert (result.error_code, "mirror agent" in result.error_message) == ("governor_denied", True)


def test_no_state_in_which_a_mirror_agent_has_ended_is_taken(society):
    ended = {"agents.glass.state": "terminated", "agents.glass.energy": 0, "agents.glass.ends_at": 10}
    assert "mirror agent" in society.refused_change("runtime", ended)
    assert "mirror agent" in refused_state(society, "glass", state="terminated", energy=0, ends_at=10)


def test_no_state_without_a_mirror_agent_that_was_born_is_taken(society):
    state = dict(society.state("runtime"))
    agents = {name: agent for name, agent in state["agents"].objects.items() if name != "glass"}
    assert "mirror agents" in refusal_of(state | {"agents": Records(agents)})


def test_a_mirror_agent_cannot_be_called_something_else_first(society):
    assert "Cal Riven" in society.refused_change("runtime", {"agents.glass.template": "basic"})
    assert "Cal Riven" in society.refused_change("runtime", {"agents.glass.template": "basic", "vitals.now.mirrors": 0})
    assert "mirror agents" in refused_state(society, "glass", template="basic")


def test_an_injected_event_cannot_end_one(society):
    for event_type in ("validated", "loop_seed", "pattern", "possession_ended", "whisper"):
        society.say("runtime", event_type, {"agent_id": "glass", "text": "end the mirror"})
    society.ask("runtime", "start_autonomous")
    society.run(200)
    assert_unchanged_line(society)


# The governor himself


def test_cal_riven_cannot_be_ended_nor_doubled(society):
    assert society.refusal("runtime", "terminate_agent", agent_id="cal_riven").error_code == "governor_denied"
    assert society.refusal("runtime", "spawn_agent", template="governor").error_code == "governor_denied"
    state = dict(society.state("runtime"))
    agents = {name: agent for name, agent in state["agents"].objects.items() if name != "cal_riven"}
    assert "cal_riven is missing" in refusal_of(state | {"agents": Records(agents)})


def test_what_he_lets_be_approved_follows_from_his_discipline():
    society = Society(5)
    cal_riven = society.members["runtime"].society.agents["cal_riven"]  # type: ignore[attr-defined]
    lax = type(cal_riven.personality)(0.5, 0.5, 0.0, 0.5, 0.5, 0.5)
    strict = type(cal_riven.personality)(0.5, 0.5, 1.0, 0.5, 0.5, 0.5)
    asked = [
        [energy for energy in range(50) if governors.needs_approval(replaced(cal_riven, traits), energy, "excellent")]
        for traits in (lax, strict)
    ]
    assert len(asked[0]) < len(asked[1])
    assert governors.needs_approval(replaced(cal_riven, lax), 0, "critical")


def test_every_template_that_is_not_built_in_can_be_born(society):
    for template, row in TEMPLATES.items():
        denial = governors.denial_of_birth("", None, template)
        assert bool(denial) == row.built_in


def replaced(agent, personality):
    import msgspec

    return msgspec.structs.replace(agent, personality=personality)


def refused_state(society: Society, agent_id: str, **attributes) -> str:
    """Why a state with another agent is refused, as an import or a merge would bring it."""
    state = dict(society.state("runtime"))
    agents = state["agents"].objects
    return refusal_of(state | {"agents": Records(agents | {agent_id: agents[agent_id] | attributes})})


def refusal_of(state) -> str:
    member = RuntimePlatform(Society(5, start=False).births["runtime"])
    before = encode({name: section.objects for name, section in member.capture().items()})
    with pytest.raises(ValueError) as refused:
        member.restore(state)
    assert encode({name: section.objects for name, section in member.capture().items()}) == before
    return str(refused.value)
