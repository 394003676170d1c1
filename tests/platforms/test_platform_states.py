"""What comes from outside as a state is checked to the last attribute: modifications, imports, merges."""

import pytest
from instances import KINDS, Society

from actors.core.kernel.codec import encode
from actors.core.kernel.states import Records, Table


@pytest.fixture(scope="module")
def grown() -> Society:
    society = Society(6)
    society.ask("runtime", "whisper", sender="ann", text="dream")
    society.ask("runtime", "possess", agent_id="agent_zero", lease_ticks=2_000, lease_id="l1", principal="ann")
    return society.run(700)


def refusal(society: Society, role: str, state) -> str:
    member = KINDS[role](society.births[role])
    with pytest.raises(ValueError) as refused:
        member.restore(state)
    return str(refused.value)


def with_object(state, section: str, object_id: str, /, **attributes):
    objects = state[section].objects
    return dict(state) | {section: Records(objects | {object_id: objects[object_id] | attributes})}


@pytest.mark.parametrize("role", KINDS)
def test_a_state_comes_back_as_it_was(grown, role):
    state = grown.state(role)
    member = KINDS[role](grown.births[role])
    member.restore(state)
    assert encode({name: section.objects for name, section in member.capture().items()}) == encode(
        {name: section.objects for name, section in state.items()}
    )
    assert all(isinstance(section, Records) for section in state.values())


LAYOUT = {
    "runtime": {"agents", "rituals", "history", "threads", "loops", "whispers", "leases", "exports", "vitals"},
    "surface": {"echoes", "traces", "weather", "vitals"},
    "protocol": {"rules", "validations", "contracts", "compliance", "vitals"},
    "mirror": {"observations", "timeline", "vibes", "legal", "patterns", "loops", "vitals"},
}


@pytest.mark.parametrize("role", KINDS)
def test_the_sections(grown, role):
    assert set(grown.state(role)) == LAYOUT[role]


@pytest.mark.parametrize(("role", "section"), [(role, section) for role in KINDS for section in sorted(LAYOUT[role])])
def test_a_section_that_is_missing_or_of_another_form_is_refused(grown, role, section):
    state = dict(grown.state(role))
    assert "has the sections" in refusal(grown, role, {name: state[name] for name in state if name != section})
    assert "as records" in refusal(grown, role, state | {section: Table({})})
    assert "has the sections" in refusal(grown, role, state | {"more": Records({})})


@pytest.mark.parametrize(("role", "section"), [(role, section) for role in KINDS for section in sorted(LAYOUT[role])])
def test_an_object_with_unknown_or_missing_attributes_is_refused(grown, role, section):
    state = grown.state(role)
    if not state[section].objects:
        pytest.skip("nothing is there at this moment")
    object_id = min(state[section].objects)
    assert "unknown field" in refusal(grown, role, with_object(state, section, object_id, surprise=1))
    objects = state[section].objects
    for attribute in objects[object_id]:
        fewer = {name: value for name, value in objects[object_id].items() if name != attribute}
        shortened = dict(state) | {section: Records(objects | {object_id: fewer})}
        assert "missing required field" in refusal(grown, role, shortened)


@pytest.mark.parametrize(
    ("role", "section", "object_id", "attributes", "says"),
    [
        ("runtime", "agents", "arty", {"mood": 1.5}, "<= 1.0"),
        ("runtime", "agents", "arty", {"mood": "high"}, "Expected `float`"),
        ("runtime", "agents", "arty", {"mood": True}, "Expected `float`"),
        ("runtime", "agents", "arty", {"energy": -1}, ">= 0"),
        ("runtime", "agents", "arty", {"energy": 101}, "<= 100"),
        ("runtime", "agents", "arty", {"state": "flying"}, "Invalid enum value"),
        ("runtime", "agents", "arty", {"template": "basic"}, "built-in agents are"),
        ("runtime", "agents", "arty", {"curses": 10}, "<= 9"),
        ("runtime", "agents", "arty", {"ends_at": 5}, "no end of its own"),
        ("runtime", "agents", "arty", {"memory": [{"at": 1, "kind": "x", "about": "y"}] * 13}, "length <= 12"),
        ("runtime", "agents", "arty", {"personality": {"creativity": 0.5}}, "missing required field"),
        ("runtime", "agents", "arty", {"business": {"tier": "guest"}}, "missing required field"),
        ("runtime", "agents", "agent_zero", {"business": None}, "with the business None"),
        ("runtime", "vitals", "now", {"pool": -1}, ">= 0"),
        ("runtime", "vitals", "now", {"initialized": False}, "has no agents"),
        ("runtime", "vitals", "now", {"mirrors": 7}, "mirror agents of 7 born"),
        ("runtime", "vitals", "now", {"rituals_ended": 0}, "order of its own"),
        ("runtime", "vitals", "now", {"pool": 99_999}, "100000 energy in all"),
        ("runtime", "exports", "reflection_000001", {"whole": False}, "read-only"),
        ("runtime", "loops", "loop_000001", {"number": 9}, "not that of its id"),
        ("surface", "weather", "now", {"intensity": 0.05}, ">= 0.1"),
        ("surface", "weather", "now", {"intensity": 1.05}, "<= 1.0"),
        ("surface", "weather", "now", {"phase": "hail"}, "Invalid enum value"),
        ("surface", "weather", "now", {"frequency": 1}, "set both"),
        ("surface", "weather", "now", {"until": 0, "since": 10}, "cannot end"),
        ("surface", "echoes", "arty", {"recent": [{"at": 1, "strength": 1.0, "mood": 0.5}] * 6}, "length <= 5"),
        ("protocol", "compliance", "now", {"score": 0.4, "level": "excellent"}, "that of its score"),
        ("protocol", "rules", "birth_generation", {"kind": "ritual"}, "at most 3"),
        ("protocol", "contracts", "contract_000000", {"terms": "nothing holds"}, "immutable"),
        ("mirror", "observations", "runtime", {"seen": {}}, "missing required field"),
        ("mirror", "vibes", "now", {"intensity": 2.0}, "<= 1.0"),
    ],
)
def test_what_no_platform_can_be_in_is_refused_with_its_place(grown, role, section, object_id, attributes, says):
    message = refusal(grown, role, with_object(grown.state(role), section, object_id, **attributes))
    assert says in message
    assert section in message or object_id in message


@pytest.mark.parametrize(
    ("role", "section", "object_id"),
    [
        ("surface", "weather", "then"),
        ("runtime", "vitals", "then"),
        ("mirror", "vibes", "then"),
        ("protocol", "compliance", "then"),
    ],
)
def test_a_section_of_one_has_just_that_one(grown, role, section, object_id):
    state = dict(grown.state(role))
    (only,) = state[section].objects.values()
    assert "now" in refusal(grown, role, state | {section: Records({object_id: only})})
    assert section in refusal(grown, role, state | {section: Records({})})


def test_too_many_objects_are_refused(grown):
    state = grown.state("runtime")
    arty = state["agents"].objects["arty"] | {"template": "basic"}
    many = state["agents"].objects | {f"a{number}": arty for number in range(20)}
    assert "it must have 0 to 16" in refusal(grown, "runtime", dict(state) | {"agents": Records(many)})


def test_ids_are_short_and_printable(grown):
    state = grown.state("runtime")
    arty = state["agents"].objects["arty"] | {"template": "basic"}
    for bad in ("", "a\nb", "x" * 200):
        assert "can be no id" in refusal(grown, "runtime", dict(state) | {"agents": Records({bad: arty})})


def test_a_whole_number_where_a_float_is_expected_is_taken_as_one():
    society = Society(6)
    society.modify("runtime", {"agents.arty.personality.creativity": 1})
    found = society.agent("arty")["personality"]["creativity"]
    assert (found, type(found)) == (1.0, float)
    state = with_object(society.state("runtime"), "agents", "arty", mood=1, aura=30)
    member = KINDS["runtime"](society.births["runtime"])
    member.restore(state)
    assert encode(member.capture()["agents"].objects["arty"]["mood"]) == encode(1.0)  # type: ignore[union-attr]


def test_a_modification_of_one_trait_changes_nothing_else(grown):
    society = Society(6).run(100)
    before = society.query("runtime", "agents")
    society.modify("runtime", {"agents.cal_riven.personality.creativity": 0.9})
    after = society.query("runtime", "agents")
    before["cal_riven"]["personality"]["creativity"] = 0.9
    assert after == before


def test_energy_that_a_modification_makes_is_in_the_ledger():
    society = Society(6).run(100)
    society.modify("runtime", {"vitals.now.pool": 5_000})
    society.run(100)
    assert society.seats["runtime"].status().totals == society.ledger
    assert society.ledger["energy"] > 5_000


@pytest.mark.parametrize(
    ("role", "path", "value"),
    [
        ("runtime", "exports.reflection_000001.whole", False),
        ("runtime", "vitals.now.mirrors", 3),
        ("runtime", "vitals.now.born", 2**53),
        ("runtime", "vitals.*.completed", 1),
        ("runtime", "loops.loop_000001.number", 2**53),
        ("surface", "vitals.now.echoes", 0),
        ("protocol", "vitals.now.validated", 2**53),
        ("mirror", "vitals.now.rituals", 2**53),
        ("runtime", "vitals.now.initialized", False),
        ("runtime", "loops.loop_000001.seal", "0" * 64),
        ("runtime", "agents.arty.born_at", 5),
        ("runtime", "agents.arty.parent", "cal_riven"),
        ("runtime", "agents.arty.personality.charm", 0.5),
        ("runtime", "agents.nobody.mood", 0.5),
        ("runtime", "agents.arty.mood", 1.01),
        ("protocol", "contracts.contract_000000.terms", "nothing holds"),
        ("protocol", "contracts.contract_000000.signed", []),
        ("protocol", "contracts.*.terms", "nothing holds"),
        ("surface", "weather.now.intensity", 3.0),
    ],
)
def test_what_must_not_be_modified(grown, role, path, value):
    grown.refused_change(role, {path: value})
