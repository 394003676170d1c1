"""What reaches a City from elsewhere: caravans, rumours, questions, news; friendly, malformed and hostile."""

from typing import Any

import pytest
from city_worlds import Cities, registry_event
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import AddressError, SettingsError
from actors.core.kernel.members import Birth
from actors.core.realms import city_roles as roles
from actors.core.realms.city import City
from actors.core.realms.city_caravans import QUANTITY_MAX, RECORD_BOUNDS

MERCHANT = {name: low for name, (low, _) in RECORD_BOUNDS.items()} | {"origin": "sol_9", "number": 3, "mood": 7}


def caravan(**changes: Any) -> dict[str, Any]:
    return {"npc": MERCHANT | changes, "goods": 9}


def test_a_caravan_from_outside_moves_in() -> None:
    worlds = Cities({"sol_1": 40})
    before = worlds.totals()
    worlds.put("sol_1", "caravan", caravan(), carries=[("npcs", 1), ("wealth", 500)])
    worlds.tick(0)
    assert worlds.totals() == {"npcs": before["npcs"] + 1, "wealth": before["wealth"] + 500}
    (person,) = worlds.query("sol_1", "find_npcs", role="merchant", origin="sol_9")
    assert (person["id"], person["origin"]) == (40, "sol_9")
    assert person["wealth"] >= 500  # it has sold at some doors by now
    assert worlds.query("sol_1", "npc", id=40) == person


def test_a_caravan_fills_the_lowest_empty_slot() -> None:
    worlds = Cities({"sol_1": 64})
    worlds.cities["sol_1"].people.leave(5)
    for _ in range(2):
        worlds.put("sol_1", "caravan", caravan(), carries=[("npcs", 1)])
    worlds.tick(0)
    people = worlds.cities["sol_1"].people
    assert [bool(people.columns["origin"][slot]) for slot in (4, 5, 64, 65)] == [False, True, True, False]
    assert people.slots == 128


@pytest.mark.parametrize(
    ("data", "carries"),
    [
        ({}, [("npcs", 1), ("wealth", 5)]),
        ({"npc": 3}, [("npcs", 1), ("wealth", 5)]),
        (caravan(habit=25), [("npcs", 1), ("wealth", 5)]),
        (caravan(mood=True), [("npcs", 1), ("wealth", 5)]),
        (caravan(origin="a:b"), [("npcs", 1), ("wealth", 5)]),
        (caravan(number=-1), [("npcs", 1), ("wealth", 5)]),
        (caravan() | {"goods": 10**6}, [("npcs", 1)]),
        (caravan(), [("npcs", 0), ("wealth", 5)]),
        (caravan(), [("npcs", 10**12), ("wealth", 5)]),
        (caravan(), [("wealth", 5)]),
        (caravan(), [("npcs", 1), ("wealth", 2**60)]),
        (caravan(), [("gold", 4), ("npcs", 1), ("wealth", 2**31)]),
        (b"\xc1", [("npcs", 1), ("wealth", 5)]),
        (encode([1]), [("npcs", 1), ("wealth", 5)]),
    ],
)
def test_what_a_caravan_carries_is_never_lost(data: Any, carries: list[tuple[str, int]]) -> None:
    worlds = Cities({"sol_1": 3})
    expected = worlds.totals()
    for quantity, amount in carries:
        expected[quantity] = expected.get(quantity, 0) + amount
    worlds.put("sol_1", "caravan", data, carries=carries)
    assert worlds.totals() == expected
    worlds.tick()
    assert worlds.totals() == expected


def test_the_strongroom_is_bounded_and_the_ledger_says_what_it_destroyed() -> None:
    worlds = Cities({"sol_1": 0})
    for _ in range(3):
        worlds.put("sol_1", "rumour", {}, carries=[("wealth", QUANTITY_MAX - 1)])
    for number in range(100):
        worlds.put("sol_1", "caravan", {}, carries=[(f"kind_{number}", 1)])
    worlds.tick()
    city = worlds.cities["sol_1"]
    assert city.totals()["wealth"] == QUANTITY_MAX
    assert worlds.ledger["wealth"] == -2 * QUANTITY_MAX + 3
    assert len(city.strongroom.amounts) == 64
    assert len(worlds.ledger) == 1 + 37


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "npc", "goods", "topic", "origin", "hops", "hops_max", "tone", "ask", "role", "found", "message", "mood", "player",
    "slot", "bit",
)  # fmt: skip
HEARD = sorted(City(Birth("a", 0, "a"), npcs=0).contract.handles)


@settings(max_examples=150, deadline=None)
@given(
    event_type=st.sampled_from(HEARD),
    data=st.dictionaries(st.sampled_from(FIELDS), PLAIN | st.sampled_from(["where_is", "merchant", "sol_1", 0, 3]))
    | st.binary(max_size=8),
    claimed=st.sampled_from(["", "@players", "a b", "sol_2", "x" * 500]),
    npcs=st.sampled_from([0, 1, 40]),
)
def test_nothing_from_outside_raises_or_loses(event_type: str, data: Any, claimed: str, npcs: int) -> None:
    worlds = Cities({"sol_1": npcs})
    expected = worlds.totals()
    expected = {"npcs": expected["npcs"] + 1, "wealth": expected["wealth"] + 9}
    worlds.put("sol_1", event_type, data, claimed_source=claimed, carries=[("npcs", 1), ("wealth", 9)])
    worlds.tick()
    assert worlds.totals() == expected


def test_a_question_is_answered_with_its_cause() -> None:
    worlds = Cities({"sol_1": 40, "sol_2": 40}).run(40)
    asked = worlds.put("sol_1", "question", {"ask": "where_is", "role": "merchant"}, source="sol_2", claimed_source="")
    worlds.tick()
    (answer,) = (event for event in worlds.inboxes["sol_2"] if event.event_type == "answer")
    assert answer.cause == asked.event_id
    assert answer.data["found"][0]["role"] == "merchant"
    worlds.tick()
    kept = worlds.query("sol_2", "summary")["chronicle"]["answers"]
    assert kept[-1]["cause"] == asked.event_id
    assert kept[-1]["names"] == [person["name"] for person in answer.data["found"]]


def test_questions_that_cannot_be_understood_get_an_empty_answer() -> None:
    worlds = Cities({"sol_1": 4, "sol_2": 4})
    for data in ({"ask": "why"}, {"ask": "where_is", "role": "king"}, {"ask": "where_is", "origin": "x" * 10**5}):
        worlds.put("sol_1", "question", data, source="sol_2", claimed_source="")
    worlds.tick(0)
    assert [event.data for event in worlds.inboxes["sol_2"]] == [{"found": []}] * 3


def test_a_world_event_moves_moods_within_bounds_and_is_talked_about() -> None:
    worlds = Cities({"sol_1": 40})
    before = worlds.cities["sol_1"].people.columns["mood"].copy()
    for _ in range(50):
        worlds.put("sol_1", "world_event", {"message": "the moon fell", "mood": -(10**9)})
    worlds.tick(0)
    city = worlds.cities["sol_1"]
    assert (city.people.columns["mood"][:40] - before[:40] == -100).all()
    assert [rumour["topic"] for rumour in city.rumours.live.values()] == ["the moon fell"]


def all_curious(worlds: Cities, value: int) -> None:
    for npc in range(64):
        assert worlds.command("sol_1", "set_trait", npc=npc, trait="curiosity", value=value).error_code == ""


@pytest.mark.parametrize(("curiosity", "told", "cut"), [(255, 6, 1), (0, 1, 0)])
def test_a_rumour_cascades_from_door_to_door_up_to_the_depth(curiosity: int, told: int, cut: int) -> None:
    worlds = Cities({"sol_1": 64})
    all_curious(worlds, curiosity)
    worlds.put("sol_1", "rumour", {"topic": "a comet"})
    worlds.tick(0)
    outbox = worlds.outboxes["sol_1"]
    heard = worlds.cities["sol_1"].people.columns["heard"]
    if cut:
        assert max(trace.depth for trace in outbox.traces) == 5
        assert outbox.cascades_cut == 1
    assert (heard != 0).sum() <= told
    assert (heard != 0).any()
    if not cut:
        assert outbox.cascades_cut == 0


def test_the_third_caravan_of_a_day_calls_a_feast_that_others_hear_of() -> None:
    worlds = Cities({"sol_1": 40, "sol_2": 40}, caravans_per_hour=0)
    for _ in range(7):
        worlds.put("sol_1", "caravan", caravan(), carries=[("npcs", 1), ("wealth", 5)])
    worlds.tick()
    assert [event.event_type for event in worlds.inboxes["sol_2"] if event.event_type == "festival"] == ["festival"]
    assert {trace.event_type: trace.depth for trace in worlds.outboxes["sol_1"].traces} == {"market_day": 1, "feast": 2}
    assert worlds.cities["sol_1"].counts["feasts"] == 1


def test_rumours_are_told_on_up_to_their_limit() -> None:
    for hops, expected in ((1, {2}), (2, set())):
        worlds = Cities({"sol_1": 40})
        for number in range(16):
            worlds.put("sol_1", "rumour", {"topic": f"t{number}", "hops": hops, "hops_max": 2})
        worlds.tick(0)
        assert {event.data["hops"] for event in worlds.inboxes["sol_1"]} == expected


def test_a_hundred_thousand_rumours_in_one_tick() -> None:
    worlds = Cities({"sol_1": 1_000})
    for number in range(100_000):
        worlds.put("sol_1", "rumour", {"topic": f"rumour {number}"})
    worlds.tick()
    city = worlds.cities["sol_1"]
    assert city.counts["rumours_unheard"] >= 100_000 - 16 - 1
    assert len(city.rumours.live) <= 64


def test_a_traveller_is_greeted_and_the_roster_follows_the_registry_only() -> None:
    worlds = Cities({"sol_1": 64})
    worlds.put("sol_1", "player_traveled", {"player": "Alice"})
    worlds.put("sol_1", "player_arrived", {"player_id": "eve"})
    worlds.put("sol_1", **registry_event({"player_id": "alice"}))
    worlds.tick(0)
    summary = worlds.query("sol_1", "summary")
    assert summary["players"] == ["alice"]
    assert [greeting["player"] for greeting in summary["chronicle"]["greetings"]] == ["Alice"]


@pytest.mark.parametrize(
    "params",
    [
        {"npcs": -1},
        {"npcs": 5_000_001},
        {"npcs": True},
        {"npcs": 1.5},
        {"grid": 7},
        {"grid": 257},
        {"caravans_per_hour": 65},
        {"neighbours": "sol_2"},
        {"neighbours": 3},
        {"neighbours": ["sol_2", "sol_2"]},
        {"neighbours": ["sol_1"]},
    ],
)
def test_parameters_out_of_range_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        City(Birth("sol_1", 1, "sol_1"), **params)


def test_a_malformed_neighbour_is_refused() -> None:
    with pytest.raises(AddressError):
        City(Birth("sol_1", 1, "sol_1"), neighbours=["a:b"])


def test_tables_fit_each_other() -> None:
    assert all(len(day) == roles.HOURS_PER_DAY for day in roles.SCHEDULE)
    assert roles.ACTIVITY_BY_HOUR.shape == (roles.HOURS_PER_DAY, roles.HABITS)
    assert len(roles.FACTIONS) == len(roles.ROLES)
