"""The four platforms made into one truth: each conflict found exactly when its rule says so, and who is believed."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.kernel.codec import decode, encode
from actors.core.kernel.errors import CallerError, MergeRefusedError
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.kernel.states import Records, Section, State, Table, encode_state
from actors.core.merging.platforms import RESOLUTIONS, Unified, unified
from actors.core.merging.unified_snapshots import UnifiedSnapshot, decode_unified_snapshot, unified_snapshot

DOC = Path(__file__).parent.parent.parent / "docs" / "merging.md"
Said = dict[str, dict[str, dict[str, Any]]]


def agreeing() -> Said:
    """Four platforms that say the same."""
    cal = {
        "personality": {"wit": 0.5},
        "memory": ["born"],
        "mood": 0.25,
        "energy": 70,
        "generation": 0,
        "state": "ready",
    }
    echo = {"mood": 0.25, "energy": 70, "state": "ready", "local_tick": 9}
    ritual = {"order": 1, "phase": "peak"}
    return {
        "surface": {
            "echoes": {"cal": {"latest": echo, "recent": [echo]}},
            "weather": {
                "now": {"phase": "calm-bloom", "intensity": 0.5, "frequency": 432, "trajectory": 0, "confidence": 1}
            },
            "traces": {},
        },
        "runtime": {
            "agents": {"cal": cal},
            "history": {"dawn": ritual, "dusk": {"order": 2, "phase": "waning"}},
            "rituals": {"noon": {"phase": "active"}},
            "threads": {"t1": {"priority": 1}},
            "loops": {"l1": {"number": 1}},
            "vitals": {"now": {"energy": 100}},
        },
        "protocol": {"validations": {"birth-1": {"valid": True, "by": "cal"}}, "contracts": {}, "compliance": {}},
        "mirror": {
            "timeline": {"dawn": {"order": 4, "seen": 1}, "dusk": {"order": 7, "seen": 2}},
            "vibes": {"now": {"intensity": 0.55, "harmony": 0.9}},
            "legal": {"birth-1": {"valid": True}, "whisper-2": {"valid": False}},
            "patterns": {},
        },
    }


def states(said: Said) -> dict[str, State]:
    return {role: {name: Records(one) for name, one in sections.items()} for role, sections in said.items()}


def types(one: Unified) -> list[str]:
    return [found.type for found in one.conflicts]


def test_platforms_that_say_the_same_are_not_in_conflict() -> None:
    said = agreeing()
    one = unified(states(said))
    assert one.conflicts == ()
    assert one.state == {
        "agents": said["runtime"]["agents"],
        "ritual_timeline": [
            {"id": "dawn", "record": {"order": 4, "seen": 1}},
            {"id": "dusk", "record": {"order": 7, "seen": 2}},
        ],
        "ritual_history": [
            {"id": "dawn", "record": {"order": 1, "phase": "peak"}},
            {"id": "dusk", "record": {"order": 2, "phase": "waning"}},
        ],
        "vibes": {**said["surface"]["weather"]["now"], "harmony": 0.9},
        "autonomous_operations": {name: said["runtime"][name] for name in ("rituals", "threads", "loops", "vitals")},
        "validations": {"birth-1": {"valid": True, "by": "cal"}, "whisper-2": {"valid": False}},
    }


def test_runtime_is_believed_about_agents() -> None:
    said = agreeing()
    said["surface"]["echoes"]["cal"]["latest"] |= {"mood": 0.75, "state": "executing"}
    one = unified(states(said))
    assert types(one) == ["AGENT_STATE_MISMATCH"] * 2
    mood, state = one.conflicts
    assert (mood.where, mood.values) == ("agents.cal.mood", {"surface": 0.75, "runtime": 0.25})
    assert (mood.winner, mood.resolution) == ("runtime", 0.25)
    assert (state.where, state.resolution) == ("agents.cal.state", "ready")
    assert one.state["agents"]["cal"]["mood"] == 0.25


def test_an_echo_that_shares_no_field_or_no_agent_is_no_mismatch() -> None:
    said = agreeing()
    said["surface"]["echoes"] = {
        "gone": {"latest": {"mood": 1.0}, "recent": []},
        "cal": {"latest": {"fading": 0.95}, "recent": []},
        "new": {"latest": None, "recent": []},
    }
    one = unified(states(said))
    assert one.conflicts == ()
    assert sorted(one.state["agents"]) == ["cal"]


@pytest.mark.parametrize(
    ("timeline", "ids"),
    [
        ({"dawn": 1}, ["dawn"]),
        ({"dawn": 2, "dusk": 1}, ["dusk", "dawn"]),
        ({"dawn": 1, "dusk": 2, "storm": 3}, ["dawn", "dusk", "storm"]),
        ({"dawn": 1, "noon": 2}, ["dawn", "noon"]),
        ({}, []),
    ],
    ids=["shorter", "another order", "longer", "another id", "nothing yet"],
)
def test_mirror_is_believed_about_the_timeline(timeline: dict[str, int], ids: list[str]) -> None:
    said = agreeing()
    said["mirror"]["timeline"] = {ritual: {"order": order, "seen": 0} for ritual, order in timeline.items()}
    one = unified(states(said))
    assert types(one) == ["RITUAL_TIMELINE_DIVERGENCE"]
    assert one.conflicts[0].values == {"runtime": ["dawn", "dusk"], "mirror": ids}
    assert (one.conflicts[0].winner, one.conflicts[0].resolution) == ("mirror", ids)
    assert [found["id"] for found in one.state["ritual_timeline"]] == ids
    assert [found["id"] for found in one.state["ritual_history"]] == ids
    for found in one.state["ritual_history"]:
        assert ("phase" in found["record"]) == (found["id"] in ("dawn", "dusk"))


@pytest.mark.parametrize(
    ("reflected", "aggregated", "apart"),
    [
        (0.5, 0.5, False),
        (0.5, 0.6, False),
        (0.8, 0.7, False),
        (0.7, 0.8, False),
        (0.3, 0.2, False),
        (0.5, 0.61, True),
        (0.61, 0.5, True),
        (0.5, 0.600001, True),
        (1, 0.1, True),
        (1, 0, True),
    ],
)
def test_surface_is_believed_about_the_weather(reflected: float, aggregated: float, apart: bool) -> None:
    said = agreeing()
    said["surface"]["weather"]["now"]["intensity"] = reflected
    said["mirror"]["vibes"]["now"]["intensity"] = aggregated
    one = unified(states(said))
    assert types(one) == ["VIBE_WEATHER_INCONSISTENCY"] * apart
    assert one.state["vibes"]["intensity"] == reflected
    for conflict in one.conflicts:
        assert conflict.values == {"surface": reflected, "mirror": aggregated}
        assert (conflict.winner, conflict.resolution) == ("surface", reflected)


def test_before_there_is_weather_it_is_not_inconsistent() -> None:
    said = agreeing()
    said["surface"]["weather"] = {}
    one = unified(states(said))
    assert one.conflicts == ()
    assert one.state["vibes"] == {"intensity": 0.55, "harmony": 0.9}


def test_protocol_is_believed_about_what_is_valid() -> None:
    said = agreeing()
    said["mirror"]["legal"]["birth-1"] = {"valid": False, "note": "odd"}
    said["protocol"]["validations"]["ritual-3"] = {"valid": False}
    one = unified(states(said))
    assert types(one) == ["LEGAL_VALIDATION_CONFLICT"]
    assert one.conflicts[0].where == "validations.birth-1.valid"
    assert one.conflicts[0].values == {"mirror": False, "protocol": True}
    assert (one.conflicts[0].winner, one.conflicts[0].resolution) == ("protocol", True)
    assert one.state["validations"] == {
        "birth-1": {"valid": True, "by": "cal"},
        "ritual-3": {"valid": False},
        "whisper-2": {"valid": False},
    }


ids = st.sampled_from(["a", "b", "c"])
echo = st.fixed_dictionaries(
    {}, optional={"mood": st.sampled_from([0.0, -0.0, 1.0]), "state": st.sampled_from(["x", "y"])}
)
ordered = st.dictionaries(ids, st.fixed_dictionaries({"order": st.integers(0, 2)}))
verdicts = st.dictionaries(ids, st.fixed_dictionaries({"valid": st.booleans()}))
present = st.fixed_dictionaries({}, optional={"now": st.fixed_dictionaries({"intensity": st.integers(0, 20).map(lambda n: n / 20)})})  # fmt: skip
platforms = st.fixed_dictionaries(
    {
        "surface": st.fixed_dictionaries(
            {
                "echoes": st.dictionaries(
                    ids, st.fixed_dictionaries({"latest": st.none() | echo, "recent": st.just([])})
                ),
                "weather": present,
            }
        ),
        "runtime": st.fixed_dictionaries(
            {
                "agents": st.dictionaries(ids, echo),
                "history": ordered,
                **{name: st.just({}) for name in ("rituals", "threads", "loops", "vitals")},
            }
        ),
        "protocol": st.fixed_dictionaries({"validations": verdicts}),
        "mirror": st.fixed_dictionaries({"timeline": ordered, "vibes": present, "legal": verdicts}),
    }
)


@given(platforms)
def test_each_conflict_is_found_exactly_when_its_rule_says_so(said: Said) -> None:
    before = copy.deepcopy(said)
    given_states = states(said)
    one = unified(given_states)
    surface, runtime, protocol, mirror = (said[role] for role in PLATFORM_ROLES)
    expected = {
        ("AGENT_STATE_MISMATCH", f"agents.{who}.{name}")
        for who, agent in runtime["agents"].items()
        for name, value in agent.items()
        for latest in [surface["echoes"].get(who, {}).get("latest") or {}]
        if name in latest and encode(latest[name]) != encode(value)
    }
    listed = [sorted(rituals, key=lambda one: (rituals[one]["order"], one)) for rituals in (runtime["history"], mirror["timeline"])]  # fmt: skip
    if listed[0] != listed[1]:
        expected.add(("RITUAL_TIMELINE_DIVERGENCE", "ritual_timeline"))
    twentieths = [round(said["now"]["intensity"] * 20) for said in (surface["weather"], mirror["vibes"]) if said]
    if len(twentieths) == 2 and abs(twentieths[0] - twentieths[1]) > 2:
        expected.add(("VIBE_WEATHER_INCONSISTENCY", "vibes.intensity"))
    expected |= {
        ("LEGAL_VALIDATION_CONFLICT", f"validations.{item}.valid")
        for item, verdict in mirror["legal"].items()
        if protocol["validations"].get(item, verdict)["valid"] != verdict["valid"]
    }
    assert {(found.type, found.where) for found in one.conflicts} == expected
    assert len(one.conflicts) == len(expected)
    winners = {rule.type: rule.winner for rule in RESOLUTIONS}
    for found in one.conflicts:
        assert found.winner == winners[found.type]
        assert encode(found.resolution) == encode(found.values[found.winner])
    assert encode(one.state["agents"]) == encode(runtime["agents"])
    assert encode(said) == encode(before)
    assert encode(unified(given_states).state) == encode(one.state)


def test_the_resolutions_are_documented_as_they_are() -> None:
    lines = DOC.read_text(encoding="utf-8").splitlines()
    for rule in RESOLUTIONS:
        assert f"| {rule.type} | {rule.loser} | {rule.winner} |" in lines


@pytest.mark.parametrize(
    ("role", "section", "objects", "words"),
    [
        ("runtime", "agents", None, "section runtime.agents is missing"),
        ("mirror", "legal", None, "section mirror.legal is missing"),
        ("runtime", "vitals", Table({"a": np.zeros(1)}), "section runtime.vitals is a Table; records are needed"),
        ("runtime", "agents", {"cal": 3}, "runtime.agents.cal must be a map, not 3"),
        ("runtime", "agents", {"cal": {"mood": float("nan")}}, "section runtime.agents is not plain data: NaN"),
        ("runtime", "loops", [1], "section runtime.loops must have its objects by id"),
        ("surface", "echoes", {"cal": None}, "surface.echoes.cal must be a map, not None"),
        ("surface", "echoes", {"cal": {"latest": 3}}, "surface.echoes (latest).cal must be a map"),
        ("runtime", "history", {"dawn": {}}, "runtime.history.dawn.order must be a whole number, not None"),
        ("mirror", "timeline", {"dawn": {"order": True}}, "mirror.timeline.dawn.order must be a whole number, not True"),
        ("surface", "weather", {"now": {}}, "surface.weather.now.intensity must be a number from 0 to 1, not None"),
        ("mirror", "vibes", {"now": {"intensity": float("inf")}}, "mirror.vibes.now.intensity must be a number from 0 to 1"),
        ("mirror", "vibes", {"now": {"intensity": True}}, "mirror.vibes.now.intensity must be a number from 0 to 1"),
        ("protocol", "validations", {"a": {"valid": 1}}, "protocol.validations.a.valid must be true or false, not 1"),
        ("mirror", "legal", {"a": {}}, "mirror.legal.a.valid must be true or false, not None"),
    ],
)  # fmt: skip
def test_malformed_states_are_refused(role: str, section: str, objects: Any, words: str) -> None:
    found: dict[str, dict[str, Section]] = {name: dict(state) for name, state in states(agreeing()).items()}
    found[role][section] = objects if isinstance(objects, Table) else Records(objects)
    if objects is None:
        del found[role][section]
    with pytest.raises(MergeRefusedError) as refusal:
        unified(found)
    assert words in str(refusal.value)


@pytest.mark.parametrize("change", [lambda found: found.pop("mirror"), lambda found: found.update(city={})])
def test_other_platforms_than_the_four_are_refused(change: Any) -> None:
    found = states(agreeing())
    change(found)
    with pytest.raises(MergeRefusedError, match="of the platforms surface, runtime, protocol, mirror, not of "):
        unified(found)


# --------------------------------------------------------------------------------------------------------- snapshots


def snapshot(said: Said | None = None, **changed: Any) -> UnifiedSnapshot:
    boundary = {"instance": "alpha", "branch": "main", "control_tick": 5, "position": 2, "local_tick": 50}
    return unified_snapshot(states(said or agreeing()), **{**boundary, "ticks_paused": 0, **changed})


def in_conflict() -> Said:
    said = agreeing()
    said["surface"]["echoes"]["cal"]["latest"]["mood"] = 0.0
    said["mirror"]["timeline"] = {}
    return said


def test_a_unified_snapshot_comes_back_as_it_was() -> None:
    taken = snapshot(in_conflict(), ticks_paused=3)
    back = decode_unified_snapshot(taken.encode())
    assert back == taken
    assert back.encode() == taken.encode()
    assert (back.metadata.strategy, back.metadata.ticks_paused) == ("active_platform_merge", 3)
    assert [found.type for found in back.metadata.conflicts] == ["AGENT_STATE_MISMATCH", "RITUAL_TIMELINE_DIVERGENCE"]
    assert back.state == unified(states(in_conflict())).state


def test_it_keeps_the_four_states_untouched() -> None:
    given_states = states(in_conflict())
    before = {role: encode_state(state) for role, state in given_states.items()}
    taken = snapshot(in_conflict())
    for role in PLATFORM_ROLES:
        assert encode_state(taken.platform(role)) == before[role] == encode_state(given_states[role])
    with pytest.raises(CallerError, match="'city' is no platform; there are surface, runtime, protocol, mirror"):
        taken.platform("city")


def test_nobody_can_change_it() -> None:
    taken = snapshot()
    with pytest.raises(AttributeError):
        taken.control_tick = 6  # type: ignore[misc]
    taken.state["agents"].clear()
    assert sorted(taken.state["agents"]) == ["cal"]


def test_its_id_follows_from_its_content_and_its_boundary() -> None:
    other = agreeing()
    other["surface"]["traces"]["t"] = 1
    seen = {
        snapshot().snapshot_id,
        snapshot(other).snapshot_id,
        *(
            snapshot(**{name: value}).snapshot_id
            for name, value in {"instance": "b", "branch": "b", "control_tick": 6, "position": 3, "local_tick": 51, "ticks_paused": 1}.items()
        ),
    }  # fmt: skip
    assert len(seen) == 8
    assert snapshot().snapshot_id == snapshot().snapshot_id


def test_what_is_no_unified_snapshot_is_refused() -> None:
    document = snapshot().encode()
    form, fields = decode(document)
    altered = {**fields, "control_tick": 6}
    for bad, words in [
        (b"", "no unified snapshot"),
        (document[:-1], "no unified snapshot"),
        (encode([form]), "no unified snapshot"),
        (encode(3), "no unified snapshot"),
        (encode([form, {**fields, "control_tick": "x"}]), "no unified snapshot"),
        (encode(["soulfra.unified_snapshot.2", fields]), "read it with the version that wrote it"),
        (encode([form, altered]), "is not as it was written"),
    ]:
        with pytest.raises(CallerError, match=words):
            decode_unified_snapshot(bad)
