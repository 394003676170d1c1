"""Modifications by dotted path: what is changed, and how everything else is refused and left as it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.modifications import by_member, modified
from actors.core.kernel.states import Records, Table, differences, encode_state
from orchestration import Multiverse

REALMS = Path(__file__).parents[1] / "realms"


def state() -> dict[str, Any]:
    return {
        "npcs": Table(
            {
                "number": np.array([10, 20, 30]),
                "mood": np.array([1, 2, 3], dtype=np.int8),
                "alive": np.array([True, True, False]),
                "thrift": np.array([0.5, 0.25, 0.0], dtype=np.float32),
                "place": np.array([[1, 2], [3, 4], [5, 6]], dtype=np.int16),
            },
            key="number",
        ),
        "rows": Table({"heat": np.array([1.0, 2.0])}),
        "empty": Table({"heat": np.array([], dtype=np.float64)}),
        "notes": Records(
            {"day": 3, "a.b": {"x": 1, "list": [1, {"deep": "text"}], "none": None, "f": 0.5}, "name": "sol"}
        ),
        "none": Records({}),
        "slots": Table({"there": np.array([False, True, False]), "gold": np.array([0, 5, 0])}, present="there"),
    }


@pytest.mark.parametrize(
    ("changes", "differ"),
    [
        ({"npcs.20.mood": -128}, ["npcs[20].mood: 2 != -128"]),
        ({"npcs.*.mood": 2}, ["npcs[10].mood: 1 != 2", "npcs[30].mood: 3 != 2"]),
        ({"npcs.30.alive": True, "npcs.10.alive": False}, ["npcs[10].alive: True != False", "npcs[30].alive: False != True"]),
        ({"npcs.10.thrift": 1}, ["npcs[10].thrift: 0.5 != 1.0"]),
        ({"npcs.10.place": [7, 8]}, ["npcs[10].place: [1, 2] != [7, 8]"]),
        ({"rows.1.heat": 2.5}, ["rows[1].heat: 2.0 != 2.5"]),
        ({"slots.1.gold": 6}, ["slots[1].gold: 5 != 6"]),
        ({"notes.a.b.list.1": {"deep": "other"}}, ["notes[a.b].list: [1, {'deep': 'text'}] != [1, {'deep': 'other'}]"]),
        ({"notes.day": 4}, ["notes[day]: 3 != 4"]),
        ({"notes.a.b.x": 2}, ["notes[a.b].x: 1 != 2"]),
        ({"notes.a.b.list.1.deep": "other"}, ["notes[a.b].list: [1, {'deep': 'text'}] != [1, {'deep': 'other'}]"]),
        ({"notes.a.b.none": [1]}, ["notes[a.b].none: None != [1]"]),
        ({"notes.a.b.f": 2}, ["notes[a.b].f: 0.5 != 2.0"]),
    ],
)  # fmt: skip
def test_what_is_named_is_changed_and_nothing_else(changes: dict[str, Any], differ: list[str]) -> None:
    before = state()
    after, count = modified(before, changes)
    assert [str(one) for one in differences(before, after)] == differ
    assert count == (3 if any("*" in path for path in changes) else len(changes))
    assert encode_state(before) == encode_state(state())
    assert all(
        column.dtype == before[name].columns[attribute].dtype
        for name, section in after.items()
        if isinstance(section, Table)
        for attribute, column in section.columns.items()
    )


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("people.1.mood", 1, "there is no section 'people'; there are empty, none, notes, npcs, rows, slots"),
        ("npcs", 1, "must read section.object.attribute"),
        ("npcs.mood", 1, "must read section.object.attribute"),
        ("npcs.40.mood", 1, "there is no object '40' among 3"),
        ("npcs.0.mood", 1, "there is no object '0' among 3"),
        ("npcs.10.luck", 1, "there is no attribute 'luck'; there are alive, mood, number, place, thrift"),
        ("npcs.10.number", 11, "'number' names the objects and stays as it is"),
        ("npcs.10.mood", 128, "128 is no whole number from -128 to 127"),
        ("npcs.10.mood", 1.0, "1.0 is no whole number"),
        ("npcs.10.mood", True, "True is no whole number"),
        ("npcs.10.mood", "1", "'1' is no whole number"),
        ("npcs.10.mood", [1], "one value is needed"),
        ("npcs.10.alive", 1, "1 is no truth value"),
        ("npcs.10.thrift", 1e39, "no finite number of 32 bits"),
        ("npcs.10.thrift", float("inf"), "no finite number of 32 bits"),
        ("npcs.10.thrift", float("nan"), "no finite number of 32 bits"),
        ("npcs.10.thrift", "x", "no finite number of 32 bits"),
        ("npcs.10.place", 1, r"a list of shape \[2\] is needed"),
        ("npcs.10.place", [1, 2, 3], r"a list of shape \[2\] is needed"),
        ("npcs.10.place", [[1, 2], 3], r"a list of shape \[2\] is needed"),
        ("npcs.10.place", [1, 1e9], "is no whole number"),
        ("empty.*.heat", 1.0, "there are no objects"),
        ("rows.2.heat", 1.0, "there is no object '2' among 2"),
        ("none.*", 1, "there are no objects"),
        ("slots.0.gold", 1, "there is no object '0' among 1"),
        ("slots.1.there", False, "'there' says which objects there are and stays as it is"),
        ("notes.a.b", {"x": 1}, "is no dict"),
        ("notes.a.b.list.1", {"shallow": 1}, "is no dict"),
        ("notes.a.b.list." + "9" * 5_000, 1, "is no place in a list"),
        ("notes", 1, "must read section.object"),
        ("notes.night", 1, "there is no object 'night'; there are a.b, day, name"),
        ("notes.day", "4", "'4' is no int, as 3 is"),
        ("notes.day", True, "True is no int"),
        ("notes.day", 2**64, "serialize ints"),
        ("notes.day.hour", 1, "there is no 'hour'; 3 has no parts"),
        ("notes.a.b.y", 1, "there is no 'y'; there are f, list, none, x"),
        ("notes.a.b.list.2", 1, "'2' is no place in a list of 2"),
        ("notes.a.b.list.-1", 1, "'-1' is no place in a list of 2"),
        ("notes.*", 1, "is no dict"),
        ("notes.a.b.none", {1: 2}, "is not text"),
        ("", 1, "there is no section ''"),
    ],
)
def test_what_does_not_fit_is_refused_whole(path: str, value: Any, says: str) -> None:
    before = state()
    with pytest.raises(CommandRefusedError, match=says):
        modified(before, {"npcs.10.mood": 7, path: value})
    assert encode_state(before) == encode_state(state())


def test_nothing_is_no_modification() -> None:
    with pytest.raises(CommandRefusedError, match="at least one path"):
        modified(state(), {})


# ------------------------------------------------------------------------------------------------- on a multiverse


def test_a_modification_is_history(tmp_path: Path) -> None:
    where: dict[str, Any] = {"name": "home", "engine": "local", "vault": tmp_path / "v.sqlite"}
    with Multiverse(3, **where) as mv:
        mv.register_game("city", "actors.core.realms.city:City", params={"npcs": 30})
        mv.run(5)
        plain = mv.state_of("city")
        assert mv.modify("city", {"npcs.*.thrift": 0, "npcs.3.wealth": 5_000}) > 30
        changed = mv.state_of("city")
        assert {one.attribute for one in differences(plain, changed)} == {"thrift", "wealth"}
        held, due = mv.audit()["conservation"]["wealth"]
        assert held == due
        digest = mv.digest()
        for bad in ({"npcs.3.wealth": "much"}, {"npcs.3.wealth": 1, "nobody.1.x": 2}, {}):
            with pytest.raises(CommandRefusedError):
                mv.modify("city", bad)
        assert mv.digest() == digest
        mv.run(5)
        held, due = mv.audit()["conservation"]["wealth"]
        assert held == due
        chain = mv.digest_chain()
        with mv.at(5) as past:
            assert not list(differences(past.state_of("city"), plain))
        mv.revert(9)
        mv.run(1)
        assert mv.digest_chain() == chain
    with Multiverse(**where) as mv:
        assert mv.digest_chain() == chain


@pytest.mark.parametrize(
    "changes",
    [
        {"npcs.*.wealth": -1},
        {"npcs.0.habit": 77},
        {"npcs.0.activity": 99},
        {"npcs.0.place": 99},
        {"npcs.0.origin": 50},
        {"npcs.0.origin": -1},
        {"chronicle.counts": {}},
        {"npcs.5000.wealth": 5},
        {"npcs.0.alive": False},
    ],
)
def test_what_no_city_can_be_is_refused_and_leaves_it_as_it_was(changes: dict[str, Any]) -> None:
    with Multiverse(3, engine="local") as mv:
        mv.register_game("city", "actors.core.realms.city:City", params={"npcs": 6})
        mv.run(3)
        digest = mv.digest()
        with pytest.raises(CommandRefusedError):
            mv.modify("city", changes)
        assert mv.digest() == digest
        mv.run(20)
        assert all(not game["error"] for game in mv.get_multiverse_state()["games"])


def test_wealth_for_all_is_for_those_who_live_there() -> None:
    with Multiverse(3, engine="local") as mv:
        for city, other in (("sol", "luna"), ("luna", "sol")):
            mv.register_game(city, "actors.core.realms.city:City", params={"npcs": 6, "neighbours": [other]})
        mv.run(10)
        people = int(mv.query("sol", "summary")["npcs"])
        assert mv.modify("sol", {"npcs.*.wealth": 500}) == people
        for _ in range(60):
            mv.run(1)
            held, due = mv.audit()["conservation"]["wealth"]
            assert held == due


def test_what_cannot_be_captured_cannot_be_modified() -> None:
    with Multiverse(3, engine="local", realm_paths=[REALMS]) as mv:
        mv.register_game("again", "leaks:Replayed")
        with pytest.raises(CommandRefusedError, match="cannot be modified: its recovery is 'replayed'"):
            mv.modify("again", {"figures.0.value": 1})
        mv.run(2)


def test_changes_of_several_members_are_told_apart() -> None:
    changes = {"a.npcs.3.mood": 1, "b.day": 2, "a.day": 3, "b": 4}
    told_apart = by_member(changes, ("a", "b", "c"), lambda path, first: CommandRefusedError(path))
    assert told_apart == {"a": {"npcs.3.mood": 1, "day": 3}, "b": {"day": 2, "": 4}}


@pytest.mark.parametrize(("path", "first"), [("c.day", "c"), ("", ""), (".a", ""), (7, "7")])
def test_a_path_that_begins_with_no_member_is_refused(path: Any, first: str) -> None:
    with pytest.raises(CommandRefusedError, match=f"^{path!r} begins with {first!r}$"):
        by_member(
            {"a.day": 1, path: 2}, ("a",), lambda path, first: CommandRefusedError(f"{path!r} begins with {first!r}")
        )
