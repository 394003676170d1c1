"""Laws of the player registry, over random histories."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from players_desk import NOBODY, SWORD, Desk

from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.codec import encode
from actors.core.kernel.events import Event, order
from actors.core.kernel.members import Birth
from actors.core.kernel.states import decode_state, encode_state
from actors.core.players.quests import OFFERED_AGAIN, QUEST_MOVES, STATUSES, UNDER_WAY
from actors.core.players.registry import PlayerRegistry
from actors.core.players.rosters import Roster, effective_roster

REALM_IDS = ("sol_1", "sol_2", "sol_3")
STATES = ("running", "running", "running", "paused", "error")

few = settings(max_examples=60, deadline=None)
realm_ids = st.sampled_from(REALM_IDS)
who = st.integers(0, 5)
states = st.fixed_dictionaries({realm_id: st.sampled_from(STATES) for realm_id in REALM_IDS})

create = st.tuples(st.just("create"), realm_ids, states)
travel = st.tuples(st.just("travel"), who, realm_ids, realm_ids, states)
evacuate = st.tuples(st.just("evacuate"), realm_ids, realm_ids, states)
resend = st.tuples(st.just("resend"), realm_ids)
deliver = st.tuples(st.just("deliver"), st.sets(realm_ids))


class World:
    """A registry with the rosters of its realms and the events between them."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.players: list[str] = []
        self.rosters = {realm_id: Roster() for realm_id in REALM_IDS}
        self.in_flight: list[Event] = []

    def act(self, verb: str, *arguments: Any) -> None:
        getattr(self, f"_{verb}")(*arguments)

    def _do(self, verb: str, **arguments: Any) -> Any:
        payload = (self.desk.command(verb, arguments),)
        outbox = self.desk.grant(payload)
        self.in_flight += outbox.events
        return self.desk.value_of(outbox)

    def _create(self, realm_id: str, realms: dict[str, str]) -> None:
        made = self._do(
            "create_player",
            player_name=f"P{len(self.players)}",
            character_race="elf",
            starting_realm=realm_id,
            realms=realms,
        )
        if made is not None:
            self.players.append(made["player_id"])

    def _travel(self, number: int, source: str, target: str, realms: dict[str, str]) -> None:
        player_id = self.players[number] if number < len(self.players) else NOBODY
        self._do("transition_player", player_id=player_id, source_realm=source, target_realm=target, realms=realms)

    def _evacuate(self, realm_id: str, target: str, realms: dict[str, str]) -> None:
        gone = self._do("evacuate", realm_id=realm_id, target_realm=target, realms=realms)
        if gone is not None:  # the realm is removed, its mail with it; another one of its name starts empty
            self.rosters[realm_id] = Roster()
            self.in_flight = [event for event in self.in_flight if event.target != realm_id]

    def _resend(self, realm_id: str) -> None:
        self._do("resend_roster", realm_id=realm_id)

    def _deliver(self, realm_ids: set[str]) -> None:
        for event in order(self.in_flight):
            if event.target in realm_ids:
                self.rosters[event.target].apply(event)
        self.in_flight = [event for event in self.in_flight if event.target not in realm_ids]


@few
@given(st.lists(st.one_of(create, travel, travel, evacuate, resend, deliver), max_size=40))
def test_the_registry_is_the_rosters_and_what_is_in_flight(acts: list[tuple[Any, ...]]) -> None:
    world = World()
    for act in acts:
        world.act(*act)
        seen: Counter[str] = Counter()
        for realm_id, roster in world.rosters.items():
            mail = [event for event in order(world.in_flight) if event.target == realm_id]
            believed = effective_roster(roster.players, mail)
            truth = {player["player_id"] for player in world.desk.ask("get_realm_roster", realm_id=realm_id)}
            assert set(believed) == truth
            seen.update(truth)
        assert seen == Counter(world.players)


ITEM_IDS = ("sword", "coin", "bell")
items = st.fixed_dictionaries(
    {
        "item_id": st.sampled_from(ITEM_IDS),
        "name": st.sampled_from(("Dawn", "Dusk")),
        "item_type": st.just("weapon"),
        "rarity": st.just("rare"),
        "source_realm": realm_ids,
        "quantity": st.integers(-1, 5),
        "transferable": st.booleans(),
    }
)
give = st.tuples(st.just("add_item_to_inventory"), who, st.fixed_dictionaries({"item": items}))
take = st.tuples(
    st.just("remove_item_from_inventory"),
    who,
    st.fixed_dictionaries({"item_id": st.sampled_from(ITEM_IDS), "quantity": st.integers(-1, 5)}),
)
RUNNING = dict.fromkeys(REALM_IDS, "running")
go = st.tuples(
    st.just("transition_player"),
    who,
    st.fixed_dictionaries({"source_realm": realm_ids, "target_realm": realm_ids, "realms": st.just(RUNNING)}),
)


@few
@given(st.lists(st.one_of(give, give, take, go), max_size=40), st.booleans())
def test_things_change_by_ledger_only_and_refusals_change_nothing(acts: list[tuple[Any, ...]], carried: bool) -> None:
    desk = Desk()
    players = [desk.create(f"P{at}", REALM_IDS[at % 3]) for at in range(4)]
    in_state = desk.last.totals["items"]
    for verb, number, arguments in acts:
        player_id = players[number] if number < len(players) else NOBODY
        before = desk.last
        if verb == "add_item_to_inventory" and carried:
            brought = max(0, arguments["item"]["quantity"])
            desk.tell("player_item", {"player_id": player_id, **arguments}, carries=(("items", brought),))
        else:
            brought = 0
            desk.grant((desk.command(verb, {"player_id": player_id, **arguments}),))
            if desk.last.results[0].error_code:
                assert (desk.last.digest, desk.last.events, desk.last.ledger) == (before.digest, (), {})
        in_state += brought + desk.last.ledger.get("items", 0)
        shown = sum(item["quantity"] for player in desk.ask("list_players") for item in player["inventory"])
        assert desk.last.totals == {"items": in_state, "players": 4}
        assert shown == in_state
        assert not any(item["quantity"] < 1 for player in desk.ask("list_players") for item in player["inventory"])


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
parameters = [
    *("player_id", "player_name", "character_race", "character_class", "starting_realm", "source_realm"),
    *("target_realm", "narrative_context", "realm_id", "realms", "faction", "change", "amount", "item", "item_id"),
    *("quantity", "quest_id", "title", "steps", "verb"),
]


@few
@given(st.data())
def test_no_input_harms_the_registry(data: st.DataObject) -> None:
    """Whatever comes, the registry answers with a value or a refusal, and is never put into error."""
    desk = Desk()
    fitting: dict[str, Any] = {
        "player_id": desk.create(),
        "starting_realm": "sol_1",
        "source_realm": "sol_1",
        "realms": RUNNING,
    }
    fitting |= {"target_realm": "sol_2", "realm_id": "sol_1", "item": SWORD, "item_id": "sword", "quest_id": "bell"}
    fitting |= {
        "player_name": "A",
        "character_race": "elf",
        "faction": "neutral",
        "change": 1,
        "amount": 1,
        "verb": "offer",
    }
    takes = desk.parameters()
    for _ in range(data.draw(st.integers(1, 6))):
        verb = data.draw(st.sampled_from(sorted(takes)))
        arguments = {name: fitting[name] for name in takes[verb] if name in fitting}
        wild = data.draw(st.dictionaries(st.sampled_from(parameters), anything, max_size=2))
        before = desk.last
        outbox = desk.grant((desk.command(verb, arguments | wild),))
        if outbox.results[0].error_code:
            assert (outbox.digest, outbox.events, outbox.ledger) == (before.digest, (), {})
    for event_type in sorted(desk.seat.contract.handles):
        desk.tell(
            event_type, data.draw(anything) if data.draw(st.booleans()) else fitting | {"more": data.draw(anything)}
        )


@few
@given(st.lists(st.tuples(st.sampled_from(("neutral", "realm_keepers")), st.integers(-900, 900)), max_size=20))
def test_scores_stay_in_bounds_and_applied_changes_add_up(changes: list[tuple[str, int]]) -> None:
    desk = Desk()
    player_id = desk.create()
    applied: Counter[str] = Counter()
    for faction, change in changes:
        told = desk.do("modify_reputation", player_id=player_id, faction=faction, change=change)
        applied[faction] += told["applied"]
        assert told["requested"] == change and abs(told["applied"]) <= abs(change)
        assert -1000 <= told["score"] <= 1000 and told["score"] == applied[faction]


verbs = st.sampled_from(("offer", *QUEST_MOVES))


@few
@given(st.lists(verbs, max_size=30), st.integers(0, 3))
def test_quests_move_by_their_table(moves: list[str], steps: int) -> None:
    desk = Desk()
    player_id = desk.create()
    status, done = "", 0
    for verb in moves:
        more = {"title": "Bell", "steps": steps} if verb == "offer" else {}
        starts = ("", *OFFERED_AGAIN) if verb == "offer" else QUEST_MOVES[verb][0]
        allowed = status in starts and not (verb == "complete" and done < steps)
        arguments = {"player_id": player_id, "quest_id": "bell", **more}
        if not allowed:
            assert desk.refused(f"{verb}_quest", **arguments) == "command_refused"
            continue
        quest = desk.do(f"{verb}_quest", **arguments)
        if verb == "offer":
            status, done = "available", 0
        else:
            status = QUEST_MOVES[verb][1]
            done += verb == "progress"
            done = min(done, steps) if steps else done
        assert (quest["status"], quest["steps_done"]) == (status, done)


def test_the_table_of_quests_names_known_statuses() -> None:
    named = {target for _, target in QUEST_MOVES.values()} | {
        start for starts, _ in QUEST_MOVES.values() for start in starts
    }
    assert named <= set(STATUSES) and set(UNDER_WAY) <= set(STATUSES)


@few
@given(st.lists(st.one_of(create, travel, evacuate), max_size=30))
def test_a_replay_and_a_restored_registry_are_the_same(acts: list[tuple[Any, ...]]) -> None:
    one, other = World(), World()
    for act in acts:
        one.act(*act)
        other.act(*act)
    assert one.desk.last.digest == other.desk.last.digest
    state = one.desk.seat.capture()
    registry = PlayerRegistry(Birth(PLAYERS, 7, PLAYERS))
    registry.restore(decode_state(state))
    assert encode_state(registry.capture()) == state
    assert dict(registry.totals()) == one.desk.last.totals
    assert encode(registry.view().query("list_players", {})) == encode(one.desk.ask("list_players"))
