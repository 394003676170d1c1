"""The player registry as the clock sees it: commands and events through a real seat."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from players_desk import NOBODY, REALMS, SWORD, Desk

from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.codec import encode
from actors.core.kernel.errors import CommandRefusedError, UnknownPlayerError
from actors.core.kernel.members import Birth, Command
from actors.core.kernel.states import decode_state
from actors.core.players.inventories import ITEM_QUANTITY_MAX, InventoryItem
from actors.core.players.registry import ROSTER_PLAYERS_MAX, PlayerRegistry


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield Desk()


def test_the_contract_names_what_it_says_and_hears(desk: Desk) -> None:
    contract = desk.seat.contract
    assert (contract.kind, contract.event_driven) == ("players", True)
    assert {"player_arrived", "player_left", "player_roster"} <= contract.emits
    assert contract.handles == {"player_reputation", "player_experience", "player_quest", "player_item"}
    assert contract.told_realms == {"create_player", "transition_player", "evacuate"}


def test_a_new_player_has_the_defaults(desk: Desk) -> None:
    player_id = desk.create()
    player = desk.ask("get_player", player_id=player_id)
    assert player["character_class"] == "Wanderer"
    assert (player["level"], player["experience"], player["position"]) == (1, 0, "entry_point")
    assert player["visited_realms"] == ["sol_1"]
    assert {entry["score"] for entry in player["reputation"].values()} == {0}
    (arrived,) = desk.last.events
    assert (arrived.target, arrived.event_type) == ("sol_1", "player_arrived")
    assert arrived.data == {
        "player_id": player_id,
        "name": "Alice",
        "race": "human",
        "class": "Wanderer",
        "level": 1,
        "from_realm": None,
        "narrative_context": "",
    }
    assert desk.last.totals == {"items": 0, "players": 1} and desk.last.ledger == {"players": 1}


def test_names_need_not_be_unique_and_ids_follow_from_the_seed(desk: Desk) -> None:
    again, other = Desk(), Desk(seed=8)
    first, second = desk.create(), desk.create()
    assert first != second
    assert (again.create(), again.create()) == (first, second)
    assert other.create() != first


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"starting_realm": "nowhere"}, "unknown_member"),
        ({"starting_realm": "sol_4"}, "command_refused"),
        ({"starting_realm": 3}, "address"),
        ({"player_name": " "}, "command_refused"),
        ({"player_name": "x" * 65}, "command_refused"),
        ({"player_name": "a\nb"}, "command_refused"),
        ({"character_race": None}, "command_refused"),
        ({"character_class": ""}, "command_refused"),
        ({"realms": None}, "command_refused"),
        ({"realms": {"sol_1": 1}}, "command_refused"),
        ({"colour": "red"}, "command_refused"),
    ],
)
def test_a_player_that_cannot_be_created(desk: Desk, changes: dict[str, Any], code: str) -> None:
    fitting = {"player_name": "A", "character_race": "elf", "starting_realm": "sol_1", "realms": REALMS}
    assert desk.refused("create_player", **{**fitting, **changes}) == code


def test_a_realm_that_boots_or_pauses_takes_new_players(desk: Desk) -> None:
    desk.create(realm="sol_3")
    desk.create(realm="sol_5")


def test_travel_tells_both_realms(desk: Desk) -> None:
    player_id = desk.create()
    result = desk.travel(player_id, "sol_1", "sol_2", "Portal Jump")
    assert result == {"success": True, "reason": "", "message": "Alice travelled from sol_1 to sol_2."}
    left, arrived = desk.last.events
    assert (left.target, left.event_type) == ("sol_1", "player_left")
    assert left.data == {"player_id": player_id, "name": "Alice", "to_realm": "sol_2"}
    assert (arrived.target, arrived.event_type) == ("sol_2", "player_arrived")
    assert (arrived.data["from_realm"], arrived.data["narrative_context"]) == ("sol_1", "Portal Jump")
    player = desk.ask("get_player", player_id=player_id)
    assert (player["active_realm"], player["position"]) == ("sol_2", "arrival_point")
    assert player["visited_realms"] == ["sol_1", "sol_2"]
    desk.travel(player_id, "sol_2", "sol_1")
    assert desk.ask("get_player", player_id=player_id)["visited_realms"] == ["sol_1", "sol_2"]


@pytest.mark.parametrize(
    ("known", "source", "target", "reason"),
    [
        (False, "sol_1", "sol_2", "unknown_player"),
        (True, "sol_2", "sol_1", "not_in_realm"),
        (True, "sol_1", "sol_1", "same_realm"),
        (True, "sol_1", "no realm: at all", "realm_not_registered"),
        (True, "sol_1", "sol_3", "realm_not_running"),
        (True, "sol_1", "sol_4", "realm_not_running"),
        (False, "sol_2", "sol_2", "unknown_player"),
        (True, "sol_2", "sol_2", "not_in_realm"),
    ],
)
def test_travel_that_cannot_be_is_a_value_with_a_reason(
    desk: Desk, known: bool, source: str, target: str, reason: str
) -> None:
    player_id = desk.create()
    digest = desk.last.digest
    result = desk.travel(player_id if known else NOBODY, source, target)
    assert (result["success"], result["reason"]) == (False, reason)
    assert result["message"].endswith(".")
    assert (desk.last.digest, desk.last.events) == (digest, ())


@pytest.mark.parametrize(
    "changes", [{"target_realm": 5}, {"target_realm": "a\nb"}, {"narrative_context": "x" * 257}, {"realms": []}]
)
def test_malformed_travel_is_refused(desk: Desk, changes: dict[str, Any]) -> None:
    fitting = {"player_id": desk.create(), "source_realm": "sol_1", "target_realm": "sol_2", "realms": REALMS}
    assert desk.refused("transition_player", **{**fitting, **changes}) == "command_refused"


def test_a_source_that_is_gone_is_not_told(desk: Desk) -> None:
    player_id = desk.create()
    desk.do(
        "transition_player",
        player_id=player_id,
        source_realm="sol_1",
        target_realm="sol_2",
        realms={"sol_2": "running"},
    )
    assert [event.target for event in desk.last.events] == ["sol_2"]


def test_evacuation_moves_everybody_and_tells_the_target_only(desk: Desk) -> None:
    here = [desk.create("A"), desk.create("B")]
    elsewhere = desk.create("C", "sol_2")
    assert desk.do("evacuate", realm_id="sol_1", target_realm="sol_2", realms=REALMS) == here
    assert [(event.target, event.event_type) for event in desk.last.events] == [("sol_2", "player_arrived")] * 2
    assert [player["player_id"] for player in desk.ask("get_realm_roster", realm_id="sol_2")] == [*here, elsewhere]
    assert desk.refused("evacuate", realm_id="sol_2", target_realm="sol_2", realms=REALMS) == "command_refused"
    assert desk.refused("evacuate", realm_id="sol_2", target_realm="gone", realms=REALMS) == "unknown_member"
    assert desk.refused("evacuate", realm_id="sol_2", target_realm="sol_4", realms=REALMS) == "command_refused"


def test_a_roster_too_large_for_one_event_follows_one_by_one(desk: Desk) -> None:
    arguments = {
        "player_name": "\U00010000" * 64,
        "character_race": "\U00010000" * 64,
        "character_class": "\U00010000" * 64,
        "starting_realm": "sol_1",
        "realms": REALMS,
    }
    count = ROSTER_PLAYERS_MAX + 3
    desk.grant(tuple(Command(f"c{at}", "create_player", encode(arguments)) for at in range(count)))
    assert desk.do("resend_roster", realm_id="sol_1") == count
    kinds = [event.event_type for event in desk.last.events]
    assert kinds == ["player_roster", *["player_arrived"] * 3]
    assert len(desk.last.events[0].data["players"]) == ROSTER_PLAYERS_MAX
    assert desk.do("resend_roster", realm_id="sol_2") == 0
    assert desk.last.events[0].data == {"players": []}


def test_a_change_of_reputation_tells_what_was_asked_and_what_was_applied(desk: Desk) -> None:
    player_id = desk.create()
    told = desk.do("modify_reputation", player_id=player_id, faction="the_wanderers", change=1300)
    assert told == {
        "faction": "the_wanderers",
        "requested": 1300,
        "applied": 1000,
        "score": 1000,
        "standing": "revered",
    }
    (event,) = desk.last.events
    assert (event.target, event.data) == (None, {"player_id": player_id, **told})
    for faction, change in (("nobody", 1), (None, 1), ("neutral", True), ("neutral", 1.5), ("neutral", 10**10)):
        code = desk.refused("modify_reputation", player_id=player_id, faction=faction, change=change)
        assert code == "command_refused"
    assert desk.refused("modify_reputation", player_id=NOBODY, faction="neutral", change=1) == "unknown_player"


def test_the_level_follows_from_experience(desk: Desk) -> None:
    player_id = desk.create()
    steps = [(99, 1, 0), (1, 2, 1), (199, 2, 0), (1, 3, 1), (10**9, 100, 97)]
    for amount, level, gained in steps:
        result = desk.do("award_experience", player_id=player_id, amount=amount)
        assert (result["level"], result["levels_gained"]) == (level, gained)
    for refused in (0, -1, True, 10**12, "many"):
        assert desk.refused("award_experience", player_id=player_id, amount=refused) == "command_refused"


def test_items_stack_and_leave_by_quantity(desk: Desk) -> None:
    player_id = desk.create()
    coins: dict[str, Any] = {**SWORD, "item_id": "coin", "item_type": "currency", "rarity": "common"}
    desk.do("add_item_to_inventory", player_id=player_id, item={**coins, "quantity": 5})
    assert desk.last.ledger == {"items": 5}
    added = desk.do("add_item_to_inventory", player_id=player_id, item=InventoryItem(**coins).plain())
    assert added == {"item_id": "coin", "quantity": 6, "in_hand": True}
    assert desk.do("remove_item_from_inventory", player_id=player_id, item_id="coin", quantity=4)["quantity"] == 2
    assert desk.last.ledger == {"items": -4} and desk.last.totals["items"] == 2
    assert desk.refused("remove_item_from_inventory", player_id=player_id, item_id="coin", quantity=3)
    assert desk.do("remove_item_from_inventory", player_id=player_id, item_id="coin", quantity=2)["quantity"] == 0
    assert desk.ask("get_player", player_id=player_id)["inventory"] == []
    for quantity in (0, -1, True, "all"):
        assert desk.refused("remove_item_from_inventory", player_id=player_id, item_id="coin", quantity=quantity)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": True},
        {"quantity": ITEM_QUANTITY_MAX},
        {"item_type": "car"},
        {"item_type": ["weapon"]},
        {"rarity": "epic"},
        {"item_id": "a:b"},
        {"name": ""},
        {"source_realm": "@players"},
        {"transferable": 1},
        {"colour": "red"},
        {"name": "Dusk"},
        {"transferable": False},
    ],
)
def test_an_item_that_cannot_be_added(desk: Desk, changes: dict[str, Any]) -> None:
    player_id = desk.create()
    desk.do("add_item_to_inventory", player_id=player_id, item=SWORD)
    refused = desk.refused("add_item_to_inventory", player_id=player_id, item={**SWORD, **changes})
    assert refused in ("command_refused", "address")
    assert desk.refused("add_item_to_inventory", player_id=player_id, item="sword") == "command_refused"
    assert desk.refused("add_item_to_inventory", player_id=player_id, item={"item_id": "x"}) == "command_refused"


def test_what_is_not_transferable_waits_in_its_realm(desk: Desk) -> None:
    player_id = desk.create()

    def in_hand() -> dict[str, bool]:
        return {item["item_id"]: item["in_hand"] for item in desk.ask("get_player", player_id=player_id)["inventory"]}

    def legendary() -> bool:
        world = desk.ask("get_warbler_context", player_id=player_id)["world_state"]
        return bool(world["player_has_legendary_items"])

    desk.do("add_item_to_inventory", player_id=player_id, item={**SWORD, "transferable": False})
    assert in_hand() == {"sword": True} and legendary()
    desk.travel(player_id, "sol_1", "sol_2")
    assert in_hand() == {"sword": False} and not legendary()
    assert desk.refused("remove_item_from_inventory", player_id=player_id, item_id="sword") == "command_refused"
    bell = {**SWORD, "item_id": "bell", "transferable": False}
    assert not desk.do("add_item_to_inventory", player_id=player_id, item=bell)["in_hand"]
    assert desk.last.totals["items"] == 2
    desk.travel(player_id, "sol_2", "sol_1")
    assert in_hand() == {"sword": True, "bell": True} and legendary()


def test_progress_in_a_quest_belongs_to_the_player(desk: Desk) -> None:
    alice, bob = desk.create("Alice"), desk.create("Bob")
    for player_id in (alice, bob):
        desk.do("offer_quest", player_id=player_id, quest_id="bell", title="The Lost Bell", steps=3)
        desk.do("accept_quest", player_id=player_id, quest_id="bell")
    assert desk.do("progress_quest", player_id=alice, quest_id="bell", steps=2)["steps_done"] == 2
    assert desk.ask("get_player", player_id=bob)["quests"][0]["steps_done"] == 0
    assert desk.refused("complete_quest", player_id=alice, quest_id="bell") == "command_refused"
    assert desk.do("progress_quest", player_id=alice, quest_id="bell", steps=9)["steps_done"] == 3
    assert desk.do("complete_quest", player_id=alice, quest_id="bell")["status"] == "completed"
    assert desk.do("abandon_quest", player_id=bob, quest_id="bell")["status"] == "abandoned"
    again = desk.do("offer_quest", player_id=bob, quest_id="bell")
    assert (again["status"], again["steps_done"], again["title"]) == ("available", 0, "bell")


GIFTS: list[tuple[str, Mapping[str, Any]]] = [
    ("player_reputation", {"faction": "realm_keepers", "change": -250}),
    ("player_experience", {"amount": 120}),
    ("player_quest", {"verb": "offer", "quest_id": "bell", "title": "The Lost Bell"}),
    ("player_item", {"item": {**SWORD, "quantity": 3}}),
]


def test_realms_affect_players_by_events(desk: Desk) -> None:
    player_id = desk.create()
    for event_type, data in GIFTS:
        desk.tell(event_type, {"player_id": player_id, **data})
    player = desk.ask("get_player", player_id=player_id)
    assert player["reputation"]["realm_keepers"] == {"score": -250, "standing": "disliked"}
    assert (player["level"], player["quests"][0]["status"]) == (2, "available")
    assert player["inventory"][0]["quantity"] == 3
    assert desk.last.ledger == {"items": 3} and desk.ask("refusals") == {}


@pytest.mark.parametrize(("event_type", "data"), GIFTS)
def test_events_that_may_not_be_are_counted_and_nothing_else(
    desk: Desk, event_type: str, data: Mapping[str, Any]
) -> None:
    player_id = desk.create()
    before = desk.ask("get_player", player_id=player_id)
    bad: list[Any] = [{"player_id": NOBODY, **data}, {}, {"player_id": player_id}, [1], None, b"\xc1", b"\x81\x01\x02"]
    bad += [{"player_id": player_id, **data, key: value} for key, value in (("turn", 1), ("self", 1), ("more", 1))]
    bad += [{"player_id": player_id, **data, "verb": value} for value in ("steal", ["offer"], None)]
    bad += [{"player_id": player_id, **data, key: [key]} for key in data]
    for payload in bad:
        desk.tell(event_type, payload)
        assert desk.last.events == () and desk.last.ledger == {}
    assert desk.ask("get_player", player_id=player_id) == before
    counted = desk.ask("refusals")[event_type]
    assert (counted["count"], counted["last_source"]) == (len(bad), "sol_1")
    assert counted["last_reason"]


def test_what_an_event_carries_is_balanced_by_the_ledger(desk: Desk) -> None:
    player_id = desk.create()
    item = {**SWORD, "quantity": 3}
    desk.tell("player_item", {"player_id": player_id, "item": item}, carries=(("items", 3),))
    assert (desk.last.totals["items"], desk.last.ledger.get("items", 0)) == (3, 0)
    desk.tell("player_item", {"player_id": NOBODY, "item": item}, carries=(("items", 3),))
    assert (desk.last.totals["items"], desk.last.ledger) == (3, {"items": -3})


def test_statistics_have_the_seeds_names(desk: Desk) -> None:
    assert desk.ask("get_multiverse_stats") == {
        "total_players": 0,
        "total_realms_visited": 0,
        "realm_distribution": {},
        "total_transitions": 0,
        "avg_realms_per_player": 0.0,
    }
    alice = desk.create("Alice", "sol_2")
    desk.create("Bob")
    desk.control_tick = 4
    desk.travel(alice, "sol_2", "sol_1")
    assert desk.ask("get_multiverse_stats") == {
        "total_players": 2,
        "total_realms_visited": 2,
        "realm_distribution": {"sol_1": 2},
        "total_transitions": 1,
        "avg_realms_per_player": 1.5,
    }
    assert desk.last.measures == {"players": 2.0, "transitions": 1.0, "realms_visited": 2.0}
    assert [(stay["name"], stay["realm"], stay["control_tick"]) for stay in desk.ask("journeys")] == [
        ("Alice", "sol_2", 0),
        ("Alice", "sol_1", 4),
        ("Bob", "sol_1", 0),
    ]


def test_questions_that_do_not_fit_are_refused(desk: Desk) -> None:
    for verb in ("get_player", "get_warbler_context"):
        with pytest.raises(UnknownPlayerError):
            desk.ask(verb, player_id=NOBODY)
        with pytest.raises(UnknownPlayerError):
            desk.ask(verb, player_id=[1])
    for verb, arguments in (("get_player", {}), ("sing", {}), ("list_players", {"of": 1}), ("__class__", {})):
        with pytest.raises(CommandRefusedError):
            desk.ask(verb, **arguments)


def test_a_view_does_not_change_when_the_registry_does() -> None:
    registry = PlayerRegistry(Birth(PLAYERS, 7, PLAYERS))
    empty = registry.view()
    assert registry.view() is empty
    desk = Desk()
    first = desk.create("Alice")
    old = desk.seat._published[0]
    assert old is not None
    desk.travel(first, "sol_1", "sol_2")
    assert old.query("get_player", {"player_id": first})["active_realm"] == "sol_1"
    assert desk.ask("get_player", player_id=first)["active_realm"] == "sol_2"


def test_a_restored_registry_is_the_same(desk: Desk) -> None:
    players = [desk.create(name) for name in ("Zoe", "Adam", "Mia")]
    desk.travel(players[1], "sol_1", "sol_2")
    for event_type, data in GIFTS:
        desk.tell(event_type, {"player_id": players[2], **data})
    desk.tell("player_item", {})
    bow = {**SWORD, "item_id": "bow"}
    desk.do("add_item_to_inventory", player_id=players[2], item=bow)
    restored = PlayerRegistry(Birth(PLAYERS, 7, PLAYERS))
    restored.restore(decode_state(desk.seat.capture()))
    assert restored.totals() == desk.last.totals and dict(restored.measures()) == desk.last.measures
    for question in ("list_players", "get_multiverse_stats", "journeys", "refusals"):
        assert restored.view().query(question, {}) == desk.ask(question)
    for player_id in players:
        context = restored.view().query("get_warbler_context", {"player_id": player_id})
        assert context == desk.ask("get_warbler_context", player_id=player_id)


def test_statistics_survive_a_restore(desk: Desk) -> None:
    player_id = desk.create()
    desk.travel(player_id, "sol_1", "sol_2")
    before = desk.ask("get_multiverse_stats")
    other = PlayerRegistry(Birth(PLAYERS, 7, PLAYERS))
    other.restore(decode_state(desk.seat.capture()))
    assert other.view().query("get_multiverse_stats", {}) == before
    assert before["total_realms_visited"] == 2
