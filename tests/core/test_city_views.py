"""What a City shows, what may be commanded, and what is said to whom."""

from typing import Any

import numpy as np
import pytest
from city_worlds import Cities, context_of, registry_event

from actors.core.kernel.codec import decode
from actors.core.kernel.errors import CommandRefusedError
from actors.core.realms.city_conversations import LINES_MAX, PLAYERS_MAX
from actors.core.realms.city_names import npc_name


def inhabited(*players: str) -> Cities:
    worlds = Cities({"sol_1": 64})
    for player in players:
        worlds.put("sol_1", **registry_event({"player_id": player}))
    worlds.tick(0)
    return worlds


def test_a_view_stays_as_it_was_while_the_city_lives_on() -> None:
    worlds = Cities({"a": 64, "b": 64}).run(3)
    city = worlds.cities["a"]
    view = city.view()
    copies = {name: column.copy() for name, column in view.columns.items()}
    summary = view.query("summary", {})
    worlds.command("a", "set_trait", npc=1, trait="temper", value=3)
    worlds.command("a", "grant_wealth", npc=1, amount=50)
    worlds.put("a", "world_event", {"message": "rain", "mood": 9})
    worlds.run(20)
    assert all(np.array_equal(view.columns[name], copy) for name, copy in copies.items())
    assert view.query("summary", {}) == summary
    assert city.view().query("summary", {}) != summary


def test_publishing_copies_nothing() -> None:
    city = Cities({"a": 64}).cities["a"]
    assert all(city.view().columns[name] is column for name, column in city.people.columns.items())


def test_people_are_found_by_role_and_origin() -> None:
    worlds = Cities({"a": 64})
    guards = worlds.query("a", "find_npcs", role="guard", limit=3)
    assert [person["id"] for person in guards] == [1, 6, 11]
    assert {person["faction"] for person in guards} == {"realm_keepers"}
    assert len(worlds.query("a", "find_npcs")) == 20
    assert len(worlds.query("a", "find_npcs", origin="a", limit=1_000)) == 64
    assert worlds.query("a", "find_npcs", origin="elsewhere") == []
    person = worlds.query("a", "npc", id=7)
    assert person["name"] == npc_name("a", 7)
    assert person["wealth"] == int(worlds.cities["a"].people.columns["wealth"][7])


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("weather", {}),
        ("summary", {"of": 1}),
        ("npc", {}),
        ("npc", {"id": 64}),
        ("npc", {"id": True}),
        ("npc", {"id": "1"}),
        ("npc", {"id": -1}),
        ("find_npcs", {"role": "king"}),
        ("find_npcs", {"limit": 0}),
        ("find_npcs", {"limit": 10**9}),
        ("find_npcs", {"name": "x"}),
        ("conversations", {"player_id": 3}),
    ],
)
def test_questions_that_do_not_fit_are_refused(verb: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(CommandRefusedError):
        Cities({"a": 64}).query("a", verb, **arguments)


def test_an_empty_city_has_figures_too() -> None:
    worlds = Cities({"a": 0}).run(2)
    assert worlds.query("a", "summary")["npcs"] == 0
    assert worlds.cities["a"].measures()["wealth_hoover"] == 0
    assert worlds.cities["a"].totals() == {"wealth": 0, "npcs": 0}


def test_speaking_keeps_to_the_player_and_the_tone_to_the_standing() -> None:
    worlds = inhabited("alice", "bob")
    standings = {"the_wanderers": "revered", "realm_keepers": "despised"}
    tones = [
        decode(
            worlds.command(
                "sol_1", "speak", player_id="alice", npc=npc, context=context_of("alice", **standings)
            ).payload
        )["tone"]
        for npc in (0, 1, 4)
    ]
    assert tones == ["reverent", "hostile", "casual"]
    secret = "The door opens at midnight, Alice."
    worlds.command(
        "sol_1", "speak", player_id="alice", npc=2, context=context_of("alice"), line=secret, question="when?"
    )
    worlds.command("sol_1", "speak", player_id="bob", npc=2, context=context_of("bob"))
    alices, bobs = (worlds.query("sol_1", "conversations", player_id=player) for player in ("alice", "bob"))
    assert (alices[-1]["line"], alices[-1]["question"]) == (secret, "when?")
    assert len(alices) == 4
    assert len(bobs) == 1
    assert "alice" not in str(bobs).lower()
    assert "midnight" not in str(worlds.query("sol_1", "summary"))
    assert worlds.query("sol_1", "conversations", player_id="eve") == []


def test_speaking_is_drawn_by_key() -> None:
    lines = []
    for _ in range(2):
        worlds = inhabited("alice")
        results = [
            worlds.command("sol_1", "speak", player_id="alice", npc=3, context=context_of("alice")) for _ in range(6)
        ]
        lines.append([decode(result.payload)["line"] for result in results])
    assert lines[0] == lines[1]
    assert len(set(lines[0])) > 1


@pytest.mark.parametrize(
    "changes",
    [
        {"npc": 64},
        {"npc": True},
        {"player_id": "eve", "context": context_of("eve")},
        {"context": 3},
        {"context": {}},
        {"context": {"player_id": "alice"}},
        {"context": {"player_id": "alice", "world_state": []}},
        {"context": context_of("bob")},
        {"context": context_of("alice", neutral="loved"), "npc": 4},
        {"line": 5},
        {"line": "x" * 2_001},
        {"question": "x" * 2_001},
        {"question": None},
    ],
)
def test_what_cannot_be_said_is_refused_and_changes_nothing(changes: dict[str, Any]) -> None:
    worlds = inhabited("alice")
    digest = worlds.outboxes["sol_1"].digest
    arguments = {"player_id": "alice", "npc": 1, "context": context_of("alice")} | changes
    assert worlds.command("sol_1", "speak", **arguments).error_code == "command_refused"
    assert worlds.outboxes["sol_1"].digest == digest


def test_conversations_are_bounded() -> None:
    worlds = inhabited(*(f"p{number}" for number in range(PLAYERS_MAX + 1)))
    for number in range(PLAYERS_MAX + 1):
        player = f"p{number}"
        worlds.command("sol_1", "speak", player_id=player, npc=1, context=context_of(player), line="Hello.")
    for _ in range(LINES_MAX + 3):
        worlds.command("sol_1", "speak", player_id="p5", npc=1, context=context_of("p5"), line="Again.")
    assert worlds.query("sol_1", "conversations", player_id="p0") == []
    assert len(worlds.query("sol_1", "conversations", player_id="p5")) == LINES_MAX


def test_granted_wealth_stands_in_the_ledger() -> None:
    worlds = Cities({"a": 40})
    before = worlds.totals()
    assert worlds.command("a", "grant_wealth", npc=3, amount=1_000).error_code == ""
    assert worlds.command("a", "grant_wealth", npc=3, amount=-500).error_code == ""
    assert worlds.ledger == {"wealth": 500}
    assert worlds.totals() == before


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("grant_wealth", {"npc": 3, "amount": 2**31}),
        ("grant_wealth", {"npc": 3, "amount": -(2**31)}),
        ("grant_wealth", {"npc": 3, "amount": 1.5}),
        ("grant_wealth", {"npc": 63, "amount": 1}),
        ("set_trait", {"npc": 3, "trait": "wealth", "value": 1}),
        ("set_trait", {"npc": 3, "trait": "temper", "value": 256}),
        ("set_trait", {"npc": None, "trait": "temper", "value": 1}),
        ("set_trait", {"npc": 3}),
    ],
)
def test_commands_out_of_bounds_are_refused(verb: str, arguments: dict[str, Any]) -> None:
    worlds = Cities({"a": 40})
    assert worlds.command("a", verb, **arguments).error_code == "command_refused"
