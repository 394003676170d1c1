"""Whole instances merged: members together, references across them, events under way, ten thousand objects."""

from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from merging_worlds import bits, column, objects

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.events import Event, order
from actors.core.kernel.members import Birth, Grant, Turn
from actors.core.kernel.states import Records, State, Table, decode_state, encode_state
from actors.core.merging.in_flight import united
from actors.core.merging.instances import joined, parted
from actors.core.merging.merges import folded, merged
from actors.core.merging.schemes import Reference, Scheme
from actors.core.realms.city import City
from actors.core.realms.city_people import SLOTS_STEP

COUNT = 10_000
SCHEME = Scheme(
    identities={"city/npcs": ("number",)},
    references=(
        Reference("city/npcs", "friend", "city/npcs", nobody=-1),
        Reference("runtime/agents", "home", "city/npcs", nobody=-1),
        Reference("runtime/agents", "parent", "runtime/agents"),
        Reference("surface/echoes", "agent", "runtime/agents"),
    ),
)


def instance(newcomers: range, changed: slice, mood: int) -> dict[str, State]:
    """10,000 people and 10,000 agents with one echo each; newcomers live in the slots behind, `changed` have a mood."""
    slots = COUNT + 64
    number = np.zeros(slots, dtype=np.int64)
    number[:COUNT] = np.arange(COUNT)
    number[COUNT : COUNT + len(newcomers)] = list(newcomers)
    alive = np.zeros(slots, dtype=np.bool_)
    alive[: COUNT + len(newcomers)] = True
    moods = np.zeros(slots, dtype=np.int16)
    moods[changed] = mood
    friend = np.where(alive, np.roll(np.arange(slots), 1), 0).astype(np.int32)
    friend[0] = -1
    agents: dict[str, Any] = {
        f"agent_{at}": {"mood": 0.5, "home": at, "parent": f"agent_{at - 1}" if at else None, "traits": {"wit": 0.25}}
        for at in range(COUNT)
    }
    for at in range(COUNT)[changed]:
        agents[f"agent_{at}"]["traits"] = {"wit": 0.25, "luck": float(mood)}
    for place, who in enumerate(newcomers):
        agents[f"agent_{who}"] = {"mood": 0.5, "home": COUNT + place, "parent": "agent_0", "traits": {}}
    return {
        "city": {"npcs": Table({"alive": alive, "number": number, "mood": moods, "friend": friend}, present="alive")},
        "runtime": {"agents": Records(agents)},
        "surface": {"echoes": Records({f"echo_{name}": {"agent": name} for name in agents})},
    }


def test_three_instances_of_ten_thousand_with_references_between_them() -> None:
    base = joined(instance(range(0), slice(0, 0), 0))
    sides = [
        joined(instance(range(20_000, 20_003), slice(0, 4_000), 1)),
        joined(instance(range(30_000, 30_005), slice(3_000, 7_000), 2)),
        joined(instance(range(40_000, 40_002), slice(9_000, 10_000), 3)),
    ]
    started = process_time()
    done = folded(sides, [base, base], "ours", SCHEME)
    state = done.accepted()
    seconds = process_time() - started
    alive, number, friend = (np.array(column(state, "city/npcs", name)) for name in ("alive", "number", "friend"))
    assert int(alive.sum()) == len(np.unique(number[alive])) == COUNT + 10
    assert np.array_equal(number[friend[1:COUNT]], np.arange(COUNT - 1))
    for who, one in objects(state, "runtime/agents").items():
        assert number[one["home"]] == int(who.removeprefix("agent_"))
    for newcomers in (range(20_000, 20_003), range(30_000, 30_005), range(40_000, 40_002)):
        places = [int(np.flatnonzero(number == who)[0]) for who in newcomers]
        assert [friend[place] for place in places] == [COUNT - 1, *places[:-1]]
    assert len(objects(state, "surface/echoes")) == COUNT + 10
    contested = [found for found in done.conflicts if found.section == "runtime/agents"]
    assert [found.object for found in contested] == sorted(f"agent_{at}" for at in range(3_000, 4_000))
    assert {(found.attribute, found.left, found.right) for found in contested} == {("traits.luck", 1.0, 2.0)}
    assert len(done.conflicts) == 2_000
    assert np.array_equal(
        np.array(column(state, "city/npcs", "mood"))[:COUNT], np.repeat([1, 2, 0, 3], [4_000, 3_000, 2_000, 1_000])
    )
    assert seconds < 10, "some 2 seconds on an idle core; more is no longer linear"


def test_a_role_is_merged_as_the_thing_it_is() -> None:
    base = {"runtime": {"a": Records({"x": 1})}, "mirror": {}, "surface": {"e": Records()}}
    left = {"runtime": {"a": Records({"x": 2})}, "mirror": {}, "surface": {"e": Records()}}
    right = {"runtime": {"a": Records({"x": 1})}, "mirror": {}, "protocol": {"p": Records()}}
    found = parted(merged(joined(base), joined(left), joined(right)).accepted())
    assert sorted(found) == ["mirror", "protocol", "runtime"]
    assert found["mirror"] == {}
    assert bits(found["runtime"]) == bits(left["runtime"])


def test_joining_and_parting_are_there_and_back() -> None:
    members = instance(range(20_000, 20_001), slice(0, 1), 1)
    assert {role: bits(state) for role, state in parted(joined(members)).items()} == {
        role: bits(state) for role, state in members.items()
    }


@pytest.mark.parametrize("members", [{"": {}}, {"a/b": {}}, {"a.b": {}}, {"a": {"": Records()}}])
def test_names_that_cannot_be_told_apart_are_refused(members: dict[str, State]) -> None:
    with pytest.raises(MergeRefusedError):
        joined(members)


# ------------------------------------------------------------------------------------------------- events under way


def event(event_id: str, sequence: int = 1, source: str = "runtime", **data: Any) -> Event:
    return Event(event_id, source, sequence, None, "echo", encode(data), 4, 5)


events = st.lists(
    st.builds(lambda which, value: event(f"e{which}", which, value=value), st.integers(0, 4), st.integers(0, 1)),
    unique_by=lambda one: one.event_id,
    max_size=5,
)


def test_events_under_way_are_united_by_id_in_the_order_they_are_heard() -> None:
    one, two, three = event("c", 1), event("b", 2), event("a", 3)
    done = united([[three, one], [two, one]])
    assert done.accepted() == (one, two, three)
    assert done.conflicts == ()


def test_what_one_side_has_heard_since_is_not_heard_again() -> None:
    waiting, said = event("a"), event("b", 2)
    assert united([[], [waiting]], [[waiting]]).accepted() == ()
    assert united([[waiting], [said]], [[waiting]]).accepted() == (said,)
    assert united([[waiting], [waiting]], [[waiting]]).accepted() == (waiting,)


def test_two_events_of_one_id_are_a_conflict() -> None:
    left, right = event("a", mood=1), event("a", mood=2)
    assert united([[left], [right]], strategy="ours").accepted() == (left,)
    done = united([[left], [right]], strategy="theirs")
    assert done.accepted() == (right,)
    (conflict,) = done.conflicts
    assert (conflict.section, conflict.object, conflict.winner) == ("@events", "a", "right")
    assert (conflict.left["data"], conflict.right["data"]) == ({"mood": 1}, {"mood": 2})
    with pytest.raises(MergeRefusedError, match="different events under way have the same id: a"):
        united([[left], [right]]).accepted()


def test_a_side_with_an_id_twice_or_without_a_base_is_refused() -> None:
    with pytest.raises(MergeRefusedError, match="two events under way on one side have the id 'a'"):
        united([[event("a"), event("a", 2)], []])
    for sides, bases in ([[], None], [[], []], [[[], []], []], [[[]], [None]]):
        with pytest.raises(MergeRefusedError, match="need a base"):
            united(sides, bases)


@given(st.none() | events, events, events, st.sampled_from(["ours", "theirs", "fail"]))
def test_laws_of_uniting(base: list[Event] | None, one: list[Event], other: list[Event], strategy: Any) -> None:
    assert united([one, one], [base], strategy).accepted() == tuple(order(one))
    assert united([one, other], [one], strategy).accepted() == tuple(order(other))
    assert united([other, one], [one], strategy).accepted() == tuple(order(other))
    done = united([one, other], [base], strategy)
    ids = [found.event_id for found in done.events]
    assert len(ids) == len(set(ids))
    assert set(done.events) <= {*one, *other}
    if strategy == "ours":
        assert done.events == united([other, one], [base], "theirs").events
    if base is None:
        assert set(ids) == {found.event_id for found in (*one, *other)}


# -------------------------------------------------------------------------------------------------------------- cities


def test_two_lives_of_a_city_make_one_that_lives_on() -> None:
    """One arrival each, in the same slot; the time, the rumours and the counts are the first's."""
    scheme = Scheme(
        identities={"npcs": ("origin", "number")}, first=("chronicle", "rumours"), row_steps={"npcs": SLOTS_STEP}
    )
    base = lived(City(BIRTH, npcs=SLOTS_STEP), range(10)).capture()
    left, right = (lived(arrived(base, number), range(10, 20)).capture() for number in (900, 901))
    done = merged(base, left, right, "ours", scheme)
    city = City(BIRTH, npcs=SLOTS_STEP)
    city.restore(done.accepted())
    assert city.people.count == SLOTS_STEP + 2
    assert sorted(city.people.columns["number"][city.people.columns["alive"]].tolist())[-2:] == [900, 901]
    assert city.people.slots == 2 * SLOTS_STEP
    assert [(move.object, move.source, move.target) for move in done.moves] == [("0/901", SLOTS_STEP, SLOTS_STEP + 1)]
    lived(city, range(20, 30))


BIRTH = Birth("sol_1", 7, "sol_1")


def lived(city: City, local_ticks: range) -> City:
    """Alone: nobody from elsewhere is heard, and nothing that is said arrives."""
    for now in local_ticks:
        grant = Grant(1, "main", now + 1, now + 1, 1, ())
        city.advance(Turn(BIRTH, city.contract, BIRTH.streams(), grant, now, 0))
    return city


def arrived(base: State, number: int) -> City:
    city = City(BIRTH, npcs=SLOTS_STEP)
    city.restore(decode_state(encode_state(base)))
    city.people.settle({"origin": 0, "number": number, "wealth": 10})
    return city
