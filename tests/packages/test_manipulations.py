"""Manipulations: what is asked for is changed in the state and in what is shown of it, and nothing else is."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.kernel.commands import MemberSpec, RegisterGame
from actors.core.kernel.domains import Cut, Origin, decoded_cut, encoded_cut
from actors.core.kernel.errors import CommandRefusedError, PackageError
from actors.core.kernel.members import Birth
from actors.core.kernel.messages import Checkpoint
from actors.core.kernel.states import Records, State, decode_state, differences, encode_state
from actors.core.platforms.rituals import HISTORY_MAX
from actors.packages.contents import GameState, Metadata, OuterLayerPackage
from actors.packages.manipulations import (
    MANIPULATIONS,
    alter_vibe_weather,
    inject_ritual_event,
    manipulated,
    modify_agent_personality,
    rewrite_history,
)

WEATHER = {"phase": "calm-bloom", "intensity": 0.3, "frequency": 432, "trajectory": "steady", "confidence": 0.5}


def ended(order: int, kind: str = "calling") -> dict[str, Any]:
    return {"kind": kind, "outcome": "completed", "flaws": 0, "order": order}


def runtime() -> State:
    return {
        "agents": Records(
            {
                "cal_riven": {"personality": {"creativity": 0.5, "calm": 0.25}, "energy": 7},
                "arty": {"personality": {"creativity": 0.1, "calm": 0.1}, "energy": 9},
            }
        ),
        "history": Records({"r1": ended(3), "r2": ended(4)}),
        "rituals": Records({"under way": {"kind": "calling"}}),
        "vitals": Records({"now": {"rituals_ended": 5, "energy": 1}}),
    }


def surface() -> State:
    return {"weather": Records({"now": dict(WEATHER)}), "echoes": Records({"e": {"text": "hi"}})}


def package(**states: State) -> OuterLayerPackage:
    origins = [
        Origin(
            role,
            RegisterGame(role, f"{role}:c:n:0", "platform", MemberSpec("m:f", b"")),
            Birth(role, 7, role),
            MemberSpec("m:f", b""),
            Checkpoint(encode_state(state), 3, 30, 5, b"digest", {"control_tick": 3}),
            [],
        )
        for role, state in sorted((states or {"runtime": runtime(), "surface": surface()}).items())
    ]
    cut = encoded_cut(Cut(3, origins, [], [], {}))
    return OuterLayerPackage("soulfra", "one", cut=cut, metadata=Metadata(digest="ab", reason="kept"))


def states_in(found: OuterLayerPackage) -> dict[str, State]:
    return {one.role: decode_state(one.checkpoint.document) for one in decoded_cut(found.cut).origins}


def changed(before: State, after: State) -> set[tuple[str, str, str]]:
    return {(one.section, one.object, one.attribute) for one in differences(before, after)}


def test_an_agents_personality() -> None:
    before = runtime()
    after = modify_agent_personality(before, "cal_riven", {"creativity": 1})
    assert changed(before, after) == {("agents", "cal_riven", "personality")}
    assert after["agents"].objects["cal_riven"]["personality"] == {"creativity": 1.0, "calm": 0.25}  # type: ignore[union-attr]
    assert changed(runtime(), before) == set(), "the given one is not touched"


def test_a_ritual_that_is_to_have_happened_comes_last() -> None:
    before = runtime()
    record = {"kind": "gathering", "outcome": "completed", "flaws": 2}
    after = inject_ritual_event(before, "mine", record)
    assert changed(before, after) == {("history", "mine", ""), ("vitals", "now", "rituals_ended")}
    assert after["history"].objects["mine"] == {**record, "order": 5}  # type: ignore[union-attr]
    assert after["vitals"].objects["now"] == {"rituals_ended": 6, "energy": 1}  # type: ignore[union-attr]
    alone = inject_ritual_event({"history": Records({})}, "mine", {"any": 1})
    assert alone["history"] == Records({"mine": {"any": 1, "order": 0}})


def test_a_history_that_is_written_anew_begins_where_the_remembered_one_did() -> None:
    before = runtime()
    before["vitals"].objects["now"]["reported"] = 5  # type: ignore[union-attr]
    records = {
        name: {key: value for key, value in ended(0, name).items() if key != "order"} for name in ("z", "a", "m")
    }
    after = rewrite_history(before, records)
    orders = {name: one["order"] for name, one in after["history"].objects.items()}  # type: ignore[union-attr]
    assert orders == {"z": 3, "a": 4, "m": 5}, "what was forgotten before stays: it was 0 to 2"
    assert after["vitals"].objects["now"] == {"rituals_ended": 6, "energy": 1, "reported": 3}  # type: ignore[union-attr]
    shorter = rewrite_history(before, {"r1": {name: value for name, value in ended(3).items() if name != "order"}})
    assert shorter["vitals"].objects["now"] == {"rituals_ended": 4, "energy": 1, "reported": 4}  # type: ignore[union-attr]
    nothing = rewrite_history(before, {})
    assert nothing["history"] == Records({})
    assert nothing["vitals"].objects["now"] == {"rituals_ended": 3, "energy": 1, "reported": 3}  # type: ignore[union-attr]
    forgotten = {**before, "history": Records({})}
    assert rewrite_history(forgotten, records)["vitals"].objects["now"]["rituals_ended"] == 8  # type: ignore[union-attr]


def test_a_full_history_forgets_its_oldest() -> None:
    full = {f"r{n}": ended(n) for n in range(10, 10 + HISTORY_MAX)}
    vitals = {"rituals_ended": 10 + HISTORY_MAX, "completed": 70}
    before = {"history": Records(full), "vitals": Records({"now": vitals})}
    after = inject_ritual_event(before, "mine", {"kind": "gathering", "outcome": "completed", "flaws": 2})
    assert full.keys() - after["history"].objects.keys() == {"r10"}  # type: ignore[union-attr]
    assert len(after["history"].objects) == HISTORY_MAX  # type: ignore[union-attr]
    assert after["vitals"].objects["now"] == {"rituals_ended": 11 + HISTORY_MAX, "completed": 71}  # type: ignore[union-attr]


def test_a_state_that_is_of_no_form_is_no_traceback() -> None:
    for odd in ({"rituals_ended": "x"}, {"rituals_ended": 5, "reported": "x"}, {"rituals_ended": 5, "completed": []}):
        damaged = package(runtime={**runtime(), "vitals": Records({"now": odd})}, surface=surface())
        for method, arguments in (
            ("INJECT_RITUAL_EVENT", {"ritual": "x", "record": {"kind": "", "outcome": "completed", "flaws": 0}}),
            ("REWRITE_HISTORY", {"history": {}}),
        ):
            if method == "REWRITE_HISTORY" and odd["rituals_ended"] == "x":
                continue  # it does not ask
            with pytest.raises(CommandRefusedError, match="whose state is not of our form"):
                manipulated(damaged, method, arguments)


def test_what_has_happened_is_counted() -> None:
    before = runtime()
    before["vitals"].objects["now"] |= {"completed": 4, "aborted": 1}  # type: ignore[union-attr]
    record = {"kind": "gathering", "outcome": "aborted", "flaws": 2}
    after = inject_ritual_event(before, "mine", record)["vitals"].objects["now"]  # type: ignore[union-attr]
    assert (after["completed"], after["aborted"], after["rituals_ended"]) == (4, 2, 6)
    after = rewrite_history(before, {"mine": record})["vitals"].objects["now"]  # type: ignore[union-attr]
    assert (after["completed"], after["aborted"], after["rituals_ended"]) == (2, 2, 4)


def test_the_weather() -> None:
    before = surface()
    after = alter_vibe_weather(before, {"phase": "chaos-bloom", "frequency": 852, "intensity": 1})
    assert changed(before, after) == {("weather", "now", name) for name in ("phase", "frequency", "intensity")}
    assert after["weather"].objects["now"]["intensity"] == 1.0  # type: ignore[union-attr]
    assert isinstance(after["weather"].objects["now"]["intensity"], float)  # type: ignore[union-attr]


NAN = float("nan")


@pytest.mark.parametrize(
    ("method", "arguments", "says"),
    [
        (
            "MODIFY_AGENT_PERSONALITY",
            {"agent": "nobody", "traits": {"calm": 0.1}},
            "no agent 'nobody'.*arty, cal_riven",
        ),
        (
            "MODIFY_AGENT_PERSONALITY",
            {"agent": "arty", "traits": {"wit": 0.1}},
            "no trait 'wit'; it has calm, creativity",
        ),
        ("MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": {"calm": 1.1}}, "calm must be a number from 0 to 1"),
        ("MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": {"calm": -0.1}}, "from 0 to 1"),
        ("MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": {"calm": NAN}}, "from 0 to 1"),
        ("MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": {"calm": True}}, "from 0 to 1"),
        ("MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": {}}, "at least one trait"),
        ("MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": [1]}, "at least one trait"),
        ("MODIFY_AGENT_PERSONALITY", {"agent": "arty"}, "takes agent, traits, and nothing else"),
        ("INJECT_RITUAL_EVENT", {"ritual": "r1", "record": {}}, "there is a ritual 'r1' in the history already"),
        ("INJECT_RITUAL_EVENT", {"ritual": "", "record": {}}, "can be no ritual's id"),
        ("INJECT_RITUAL_EVENT", {"ritual": "x", "record": ended(9)}, "without order, which is given here"),
        (
            "INJECT_RITUAL_EVENT",
            {"ritual": "x", "record": {"kind": "calling"}},
            r"must have flaws \(int\), kind \(str\)",
        ),
        ("INJECT_RITUAL_EVENT", {"ritual": "x", "record": {"kind": {1}}}, "cannot be kept: set is not plain data"),
        ("INJECT_RITUAL_EVENT", {"ritual": "x", "record": 5}, "must be a map of attributes"),
        ("REWRITE_HISTORY", {"history": []}, "a history is a map of ritual id to record, not list"),
        ("REWRITE_HISTORY", {"history": {"x": {"kind": 5, "outcome": "", "flaws": 0}}}, "must have flaws"),
        ("ALTER_VIBE_WEATHER", {"weather": {"humidity": 1}}, "weather has no 'humidity'; it has confidence, frequency"),
        ("ALTER_VIBE_WEATHER", {"weather": {"intensity": 0.05}}, "intensity must be a number from 0.1 to 1"),
        ("ALTER_VIBE_WEATHER", {"weather": {"frequency": "432"}}, "frequency must be of the kind int"),
        ("ALTER_VIBE_WEATHER", {"weather": {"phase": "chaos-bloom"}}, "has its own frequency; name both"),
        ("ALTER_VIBE_WEATHER", {"weather": {}}, "at least one attribute"),
        *[
            (method, arguments(ritual), f"ritual '{ritual}' has an id of those that Runtime itself gives")
            for ritual in ("ritual_000032", "ritual_000099", "ritual_1000000", "under way")
            for method, arguments in (
                ("INJECT_RITUAL_EVENT", lambda one: {"ritual": one, "record": {"kind": "", "outcome": "", "flaws": 0}}),
                ("REWRITE_HISTORY", lambda one: {"history": {one: {"kind": "", "outcome": "", "flaws": 0}}}),
            )
        ],
        ("INJECT_RITUAL_EVENT", {"ritual": ["x"], "record": {}}, "the ritual is named by its id, a text, not by"),
        ("INJECT_RITUAL_EVENT", {"ritual": "x" * 129, "record": {}}, "can be no ritual's id; use a short"),
        ("REWRITE_HISTORY", {"history": {5: {}}}, "5 can be no ritual's id"),
        ("MODIFY_AGENT_PERSONALITY", {"agent": ["a"], "traits": {"calm": 0.1}}, "the agent is named by its id, a text"),
        (["EAT"], {}, "there is no manipulation"),
        ("ALTER_VIBE_WEATHER", {"weather": {"frequency": 2**80}}, "makes what cannot be kept"),
        ("EAT", {}, "there is no manipulation 'EAT'; there are MODIFY_AGENT_PERSONALITY"),
    ],
)
def test_what_does_not_fit_is_refused(method: str, arguments: Any, says: str) -> None:
    before = package()
    with pytest.raises(CommandRefusedError, match=says):
        manipulated(before, method, arguments)
    assert before == package()


def test_a_package_is_changed_where_it_comes_to_life_and_where_it_is_shown() -> None:
    before = package()
    after = manipulated(before, "MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": {"calm": 0.75}})
    assert before == package()
    one, other = states_in(before), states_in(after)
    assert changed(one["runtime"], other["runtime"]) == {("agents", "arty", "personality")}
    assert changed(one["surface"], other["surface"]) == set()
    assert after.game_state == GameState(agents=dict(other["runtime"]["agents"].objects))  # type: ignore[union-attr]
    assert after.metadata == Metadata(reason="kept"), "it is not what was exported any more"
    cuts = decoded_cut(before.cut), decoded_cut(after.cut)
    assert [one.checkpoint.digest for one in cuts[1].origins] == [b"", b"digest"]
    rest = [
        msgspec.structs.replace(cut, origins=[msgspec.structs.replace(one, checkpoint=None) for one in cut.origins])
        for cut in cuts
    ]
    assert rest[0] == rest[1]
    stormy = manipulated(after, "ALTER_VIBE_WEATHER", {"weather": {"intensity": 0.9}})
    assert stormy.game_state.vibes["now"]["intensity"] == 0.9 and stormy.game_state.agents == after.game_state.agents


def test_whose_state_is_changed_has_to_be_clear() -> None:
    two = package(one=runtime(), two=runtime(), surface=surface())
    traits = {"agent": "arty", "traits": {"calm": 1.0}}
    with pytest.raises(CommandRefusedError, match="of one member; those that have it are one, two"):
        manipulated(two, "MODIFY_AGENT_PERSONALITY", traits)
    for role in ("surface", "nobody"):
        with pytest.raises(CommandRefusedError, match=f"of member '{role}'; those that have it are none"):
            manipulated(two, "MODIFY_AGENT_PERSONALITY", traits, role)
    after = states_in(manipulated(two, "MODIFY_AGENT_PERSONALITY", traits, "two"))
    assert changed(runtime(), after["one"]) == set() and changed(runtime(), after["two"])
    for cut in (b"", b"\xc1", b"x" * 50, package(x=runtime()).cut[:-1]):
        with pytest.raises(PackageError, match="the cut of package 'one' cannot be read"):
            manipulated(msgspec.structs.replace(two, cut=cut), "MODIFY_AGENT_PERSONALITY", traits)


def test_the_table_says_what_each_takes() -> None:
    assert set(MANIPULATIONS) == {
        "MODIFY_AGENT_PERSONALITY",
        "INJECT_RITUAL_EVENT",
        "ALTER_VIBE_WEATHER",
        "REWRITE_HISTORY",
    }
    for row in MANIPULATIONS.values():
        schema = row.schema()
        assert schema["required"] == sorted(schema["properties"]) and schema["description"]
        assert row.shown_as in GameState.__struct_fields__


@given(st.dictionaries(st.sampled_from(["creativity", "calm"]), st.floats(0, 1), min_size=1))
def test_a_trait_within_its_range_is_what_is_asked_for(traits: dict[str, float]) -> None:
    after = modify_agent_personality(runtime(), "arty", traits)
    personality = after["agents"].objects["arty"]["personality"]  # type: ignore[union-attr]
    assert personality == {"creativity": 0.1, "calm": 0.1} | traits
