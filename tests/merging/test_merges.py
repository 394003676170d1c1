"""The merge of states by example: who is who, who wins, who stands where, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from merging_worlds import SCHEME, bits, cells, column, keyed, objects, people, slots

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.states import Records, Section, State, Table
from actors.core.merging.merges import Merged, folded, merged
from actors.core.merging.rules import RULES, STRATEGIES, Fate, Verdict
from actors.core.merging.schemes import Reference, Scheme

DOC = Path(__file__).parent.parent.parent / "docs" / "merging.md"
NAN = float("nan")


def of(**objects: Any) -> State:
    return {"r": Records(objects)}


def told(done: Merged) -> list[str]:
    return [f"{found} ({found.winner or 'nobody'})" for found in done.conflicts]


# ------------------------------------------------------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("base", "left", "right", "result"),
    [
        ({}, {}, {"a": 1}, {"a": 1}),
        ({}, {"a": 1}, {}, {"a": 1}),
        ({}, {"a": 1}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 1}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 1}, {}, {}),
        ({"a": 1}, {}, {"a": 1}, {}),
        ({"a": 1}, {}, {}, {}),
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_needs_no_strategy(base: Any, left: Any, right: Any, result: Any, strategy: Any) -> None:
    """As objects, as attributes and as keys within them."""
    for depth in range(3):
        done = merged(of(**base), of(**left), of(**right), strategy)
        assert objects(done.accepted(), "r") == result
        assert told(done) == []
        base, left, right, result = ({f"in {depth}": one} for one in (base, left, right, result))


@pytest.mark.parametrize(
    ("base", "left", "right"),
    [({"a": 1}, {"a": 2}, {"a": 3}), ({}, {"a": 2}, {"a": 3}), ({"a": 1}, {"a": 2}, {}), ({"a": 1}, {}, {"a": 3})],
)
def test_what_the_strategy_decides(base: Any, left: Any, right: Any) -> None:
    ours, theirs, fail = (
        merged(of(**base), of(**left), of(**right), strategy) for strategy in ("ours", "theirs", "fail")
    )
    assert objects(ours.accepted(), "r") == left
    assert objects(theirs.accepted(), "r") == right
    (conflict,) = ours.conflicts
    assert (conflict.section, conflict.object, conflict.attribute, conflict.winner) == ("r", "a", "", "left")
    assert (conflict.base, conflict.left, conflict.right) == (base.get("a"), left.get("a"), right.get("a"))
    with pytest.raises(
        MergeRefusedError, match=r"in conflict, and the strategy is to fail: r\[a\]: .* Use ours or theirs"
    ):
        fail.accepted()
    assert len(fail.conflicts) == 1


def test_attributes_are_merged_one_by_one_and_lists_are_not() -> None:
    base = of(cal={"mood": 1, "energy": 5, "personality": {"wit": 1, "trust": 1}, "memory": ["a"]})
    left = of(cal={"mood": 2, "energy": 5, "personality": {"wit": 2, "trust": 1}, "memory": ["a", "b"]})
    right = of(cal={"mood": 1, "energy": 4, "personality": {"wit": 1, "trust": 2, "joy": 1}, "memory": ["a", "c"]})
    done = merged(base, left, right, "theirs")
    assert objects(done.accepted(), "r")["cal"] == {
        "mood": 2,
        "energy": 4,
        "personality": {"wit": 2, "trust": 2, "joy": 1},
        "memory": ["a", "c"],
    }
    assert told(done) == ["r[cal].memory: ['a'] became ['a', 'b'] on the left and ['a', 'c'] on the right (right)"]


def test_a_value_is_what_its_bits_are() -> None:
    done = merged(of(a=0.0, b=1), of(a=-0.0, b=1), of(a=0.0, b=True), "fail")
    found = objects(done.accepted(), "r")
    assert str(found["a"]) == "-0.0"
    assert found["b"] is True
    table = merged({"t": cells([0.0, NAN])}, {"t": cells([-0.0, NAN])}, {"t": cells([0.0, 1.0])}, "fail")
    assert str(column(table.accepted(), "t", "level")) == "[-0.0, 1.0]"


def test_a_report_is_plain_data_even_where_a_column_is_not() -> None:
    wide: list[State] = [{"t": Table({"v": np.array([[value, 1.0]])})} for value in (NAN, 1.0, -0.0)]
    (conflict,) = merged(wide[0], wide[1], wide[2], "ours").conflicts
    assert (conflict.base, conflict.left) == (["NaN", 1.0], [1.0, 1.0])
    assert encode(conflict.right) == encode([-0.0, 1.0])


def test_a_value_that_became_a_map_on_both_sides_is_one_value() -> None:
    done = merged(of(a=1), of(a={"x": 1}), of(a={"y": 1}), "theirs")
    assert objects(done.accepted(), "r") == {"a": {"y": 1}}
    assert told(done) == ["r[a]: 1 became {'x': 1} on the left and {'y': 1} on the right (right)"]


def test_none_is_a_value_and_not_an_absence() -> None:
    done = merged(of(a=None), of(a=None), of(), "fail")
    assert objects(done.accepted(), "r") == {}
    assert told(merged(of(a=None), of(a=1), of(a=2), "ours")) == [
        "r[a]: None became 1 on the left and 2 on the right (left)"
    ]


# ---------------------------------------------------------------------------------------------------------- sections


def test_sections_come_and_go_as_objects_do() -> None:
    base: State = {"stays": Records(), "goes": Records({"a": 1})}
    left: State = {"stays": Records(), "goes": Records({"a": 1}), "new": cells([1.0])}
    right: State = {"stays": Records()}
    assert sorted(merged(base, left, right, "fail").accepted()) == ["new", "stays"]
    done = merged(base, {"stays": Records(), "goes": Records({"a": 2})}, right, "theirs")
    assert sorted(done.accepted()) == ["stays"]
    assert told(done) == [
        "goes: 'records of 1 objects' became 'records of 1 objects' on the left and None on the right (right)"
    ]


def of_t(**objects: Any) -> State:
    return {"t": Records(objects)}


def test_tables_of_another_form_are_taken_whole() -> None:
    wider: State = {"t": Table({"level": np.array([9.0]), "pair": np.zeros((1, 2), dtype=np.uint8)})}
    base: State = {"t": cells([1.0])}
    assert bits(merged(base, base, wider, "fail").accepted()) == bits(wider)
    done = merged(base, {"t": cells([2.0])}, wider, "theirs")
    assert bits(done.accepted()) == bits(wider)
    assert told(done) == [
        "t: 'table of 1 rows' became 'table of 1 rows' on the left and 'table of 1 rows' on the right (right)"
    ]
    done = merged(base, of_t(a=1), of_t(b=1), "ours")
    assert bits(done.accepted()) == bits(of_t(a=1))
    assert len(done.conflicts) == 1
    kinds = merged(None, {"t": Records()}, {"t": cells([])}, "ours")
    assert bits(kinds.accepted()) == bits({"t": Records()})


# ------------------------------------------------------------------------------------------------------------ tables


def test_a_table_with_a_key_is_merged_by_key_wherever_the_rows_stand() -> None:
    base: State = {"t": keyed({1: (10, 0.0), 2: (20, 0.0), 3: (30, 0.0)})}
    left: State = {"t": keyed({3: (31, 0.0), 1: (10, 0.5), 5: (50, 0.0)})}
    right: State = {"t": keyed({4: (40, 0.0), 3: (32, 0.0), 2: (20, 0.0), 1: (11, 0.0)})}
    done = merged(base, left, right, "theirs")
    state = done.accepted()
    assert column(state, "t", "id") == [1, 3, 4, 5]
    assert column(state, "t", "gold") == [11, 32, 40, 50]
    assert column(state, "t", "mood") == [0.5, 0.0, 0.0, 0.0]
    assert told(done) == ["t[3].gold: 30 became 31 on the left and 32 on the right (right)"]


def test_a_row_removed_here_and_changed_there_is_a_conflict() -> None:
    base: State = {"t": keyed({1: (10, 0.0), 2: (20, 0.0)})}
    left, right = {"t": keyed({2: (20, 0.0)})}, {"t": keyed({1: (11, 0.0), 2: (20, 0.0)})}
    assert column(merged(base, left, right, "ours").accepted(), "t", "id") == [2]
    done = merged(base, left, right, "theirs")
    assert column(done.accepted(), "t", "gold") == [11, 20]
    assert told(done) == ["t[1]: 'present' became None on the left and 'present' on the right (right)"]


def test_rows_without_a_name_are_known_by_their_number_and_new_ones_are_appended() -> None:
    base: State = {"t": cells([1.0, 2.0])}
    left: State = {"t": cells([1.5, 2.0, 7.0, 8.0])}
    right: State = {"t": cells([1.0, 2.5, 9.0, 8.0])}
    done = merged(base, left, right, "ours")
    assert column(done.accepted(), "t", "level") == [1.5, 2.5, 7.0, 8.0, 9.0]
    assert [(move.source, move.target, move.from_right) for move in done.moves] == [(2, 4, True)]
    assert column(merged(base, left, right, "theirs").accepted(), "t", "level") == [1.5, 2.5, 9.0, 8.0, 7.0]


def test_rows_cut_off_at_the_end_are_removed() -> None:
    base: State = {"t": cells([1.0, 2.0, 3.0])}
    done = merged(base, {"t": cells([1.0, 2.0])}, {"t": cells([1.5, 2.0, 3.0, 4.0])}, "fail")
    assert column(done.accepted(), "t", "level") == [1.5, 2.0, 4.0]


def test_two_alike_on_one_side_are_two() -> None:
    base: State = {"t": cells([1.0])}
    done = merged(base, {"t": cells([1.0, 5.0, 5.0])}, {"t": cells([1.5, 5.0])}, "fail")
    assert column(done.accepted(), "t", "level") == [1.5, 5.0, 5.0]


def test_a_free_slot_taken_by_two_loses_and_doubles_nobody() -> None:
    base: State = {"people": slots({0: (10, 1)}, 3)}
    left: State = {"people": slots({0: (10, 2), 1: (11, 5)}, 3)}
    right: State = {"people": slots({0: (10, 1), 1: (12, 6), 2: (13, 7)}, 3)}
    ours, theirs = (merged(base, left, right, strategy, SCHEME_OF_PEOPLE) for strategy in ("ours", "theirs"))
    assert people(ours.accepted()) == {0: (10, 2), 1: (11, 5), 2: (13, 7), 3: (12, 6)}
    assert people(theirs.accepted()) == {0: (10, 2), 1: (12, 6), 2: (13, 7), 3: (11, 5)}
    assert [(move.object, move.source, move.target, move.from_right) for move in ours.moves] == [("1/12", 1, 3, True)]
    assert told(ours) == []


SCHEME_OF_PEOPLE = Scheme(identities={"people": ("origin", "number")}, row_steps={"people": 4})


def test_slots_grow_by_the_step_they_are_counted_in() -> None:
    base: State = {"people": slots({}, 4)}
    left, right = ({"people": slots({row: (row + first, 1) for row in range(4)}, 4)} for first in (0, 100))
    grown = merged(base, left, right, "ours", SCHEME_OF_PEOPLE).accepted()
    assert len(column(grown, "people", "alive")) == 8
    assert [number for number, _ in people(grown).values()] == [0, 1, 2, 3, 100, 101, 102, 103]


def test_whoever_comes_into_a_slot_that_another_left_is_not_mixed_with_them() -> None:
    base: State = {"people": slots({0: (10, 1), 1: (11, 1)}, 2)}
    left: State = {"people": slots({0: (10, 1), 1: (12, 9)}, 2)}
    right: State = {"people": slots({0: (10, 1), 1: (11, 4)}, 2)}
    ours = merged(base, left, right, "ours", SCHEME_OF_PEOPLE)
    assert people(ours.accepted()) == {0: (10, 1), 1: (12, 9)}
    theirs = merged(base, left, right, "theirs", SCHEME_OF_PEOPLE)
    assert people(theirs.accepted()) == {0: (10, 1), 1: (11, 4), 2: (12, 9)}
    assert told(ours) == ["people[1/11]: 'present' became None on the left and 'present' on the right (left)"]


def test_one_and_the_same_who_came_to_both_is_one() -> None:
    base: State = {"people": slots({}, 3)}
    left, right = {"people": slots({0: (7, 1)}, 3)}, {"people": slots({2: (7, 2)}, 3)}
    done = merged(base, left, right, "theirs", SCHEME_OF_PEOPLE)
    assert people(done.accepted()) == {2: (7, 2)}
    assert [(move.object, move.source, move.target, move.from_right) for move in done.moves] == [("1/7", 0, 2, False)]
    assert told(done) == ["people[1/7].wealth: None became 1 on the left and 2 on the right (right)"]


def test_an_identity_is_all_of_its_columns() -> None:
    base: State = {"people": slots({}, 2)}
    left, right = ({"people": slots({0: (7, 1)}, 2)} for _ in range(2))
    right["people"].columns["origin"][0] = 2
    done = merged(base, left, right, "fail", SCHEME_OF_PEOPLE)
    assert people(done.accepted()) == {0: (7, 1), 1: (7, 1)}
    assert column(done.accepted(), "people", "origin") == [1, 2]


def test_who_moved_on_one_side_only_has_moved() -> None:
    base: State = {"people": slots({0: (7, 1)}, 3)}
    changed, moved = {"people": slots({0: (7, 9)}, 3)}, {"people": slots({2: (7, 1)}, 3)}
    for sides in ((changed, moved), (moved, changed)):
        for strategy in STRATEGIES:
            done = merged(base, *sides, strategy, SCHEME_OF_PEOPLE)  # type: ignore[arg-type]
            assert people(done.accepted()) == {2: (7, 9)}
            assert done.moves == ()


def test_without_a_base_or_an_identity_two_in_one_slot_are_two() -> None:
    left, right = {"people": slots({0: (7, 1), 1: (5, 5)}, 2)}, {"people": slots({0: (8, 1), 1: (5, 5)}, 2)}
    assert people(merged(None, left, right).accepted()) == {0: (7, 1), 1: (5, 5), 2: (8, 1)}


def test_without_a_base_rows_of_one_number_are_one() -> None:
    done = merged(None, {"t": cells([1.0, 2.0])}, {"t": cells([1.0, 3.0, 4.0])}, "theirs")
    assert column(done.accepted(), "t", "level") == [1.0, 3.0, 4.0]
    assert told(done) == ["t[1].level: None became 2.0 on the left and 3.0 on the right (right)"]


def test_keys_are_compared_by_their_bits() -> None:
    def keyed_by(*keys: float) -> State:
        return {"t": Table({"at": np.array(keys), "v": np.ones(len(keys), dtype=np.int8)}, key="at")}

    done = merged(keyed_by(), keyed_by(0.0, NAN), keyed_by(-0.0, NAN, 1.0)).accepted()
    assert sorted(map(str, column(done, "t", "at"))) == ["-0.0", "0.0", "1.0", "nan"]


def test_three_sides_that_add_the_same_add_it_once() -> None:
    base: State = {"t": cells([])}
    sides: list[State] = [{"t": cells([1.0])}, {"t": cells([2.0, 3.0])}, {"t": cells([3.0])}]
    done = folded(sides, [base, base], "ours")
    assert sorted(column(done.accepted(), "t", "level")) == [1.0, 2.0, 3.0]


# ------------------------------------------------------------------------------------------------- what is the first's


def test_time_and_random_positions_come_from_the_first() -> None:
    scheme = Scheme(first=("clock", "r.now", "r.*.drawn", "t.*.level"))
    base: State = {"clock": Records({"now": 1}), **of(now=1, cal={"drawn": 1, "mood": 1}), "t": cells([1.0])}
    left: State = {"clock": Records({"now": 5}), **of(now=5, cal={"drawn": 5, "mood": 1}), "t": cells([5.0])}
    right: State = {"clock": Records({"now": 9}), **of(now=9, cal={"drawn": 9, "mood": 2}), "t": cells([9.0, 4.0])}
    done = merged(base, left, right, "fail", scheme)
    assert objects(done.accepted(), "clock") == {"now": 5}
    assert objects(done.accepted(), "r") == {"now": 5, "cal": {"drawn": 5, "mood": 2}}
    assert column(done.accepted(), "t", "level") == [5.0, 4.0]
    assert bits(merged(base, base, right, "theirs", Scheme(first=("clock",))).accepted()) == bits(
        {**right, "clock": base["clock"]}
    )


# -------------------------------------------------------------------------------------------------------- references


def world(
    rows: dict[int, tuple[int, int]],
    friends: dict[int, int] | None = None,
    bonds: list[int] | None = None,
    notes: dict[str, Any] | None = None,
    goods: dict[int, int] | None = None,
) -> State:
    """People in 4 slots with friends, bonds and notes about them, and goods (id to parent)."""
    named = goods or {1: 0}
    goods_table: Section = Table(
        {"id": np.array(list(named), np.int32), "parent": np.array(list(named.values()), np.int32)}, key="id"
    )
    return {
        "people": slots(rows, 4, friends),
        "bonds": Table({"person": np.array(bonds or [], dtype=np.int8)}),
        "notes": Records(notes or {}),
        "goods": goods_table,
    }


def test_references_follow_whoever_has_moved() -> None:
    base = world({0: (10, 1)})
    left = world({0: (10, 1), 1: (11, 1)}, {1: 0}, [1], {"a": {"about": 1}})
    right = world({0: (10, 1), 1: (12, 1), 2: (13, 1)}, {0: 1, 1: 2, 2: 1}, [1, 2], {"b": {"about": [1, 2, -1]}})
    state = merged(base, left, right, "ours", SCHEME).accepted()
    assert people(state) == {0: (10, 1), 1: (11, 1), 2: (13, 1), 3: (12, 1)}
    assert column(state, "people", "friend") == [3, 0, 3, 2]
    assert column(state, "bonds", "person") == [1, 3, 2]
    assert objects(state, "notes") == {"a": {"about": 1}, "b": {"about": [3, 2, -1]}}
    table = state["bonds"]
    assert isinstance(table, Table)
    assert table.columns["person"].dtype == np.int8


def test_a_reference_to_somebody_removed_elsewhere_is_named_and_refuses_the_merge() -> None:
    base = world({0: (10, 1), 1: (11, 1)}, goods={1: 0, 2: 0})
    left = world({0: (10, 1), 1: (11, 1)}, {0: 1}, [1], {"a": {"about": 1, "goods": [1, 2]}}, {1: 2, 2: 0})
    right = world({0: (10, 1)}, goods={1: 0})
    done = merged(base, left, right, "ours", SCHEME)
    assert list(done.broken) == [
        "people[0].friend refers to people 1/11, who is no more",
        "bonds[0].person refers to people 1/11, who is no more",
        "notes[a].about refers to people 1/11, who is no more",
        "notes[a].goods refers to goods 2, which is not there",
        "goods[1].parent refers to goods 2, which is not there",
    ]
    with pytest.raises(
        MergeRefusedError, match=r"would not hold: people\[0\]\.friend refers to people 1/11, who is no more; "
    ):
        done.accepted()


def test_a_slot_with_somebody_new_in_it_does_not_hide_who_is_no_more() -> None:
    base = world({1: (11, 1)})
    left = world({1: (11, 1)}, bonds=[1])
    right = world({1: (12, 1)})
    assert merged(base, left, right, "ours", SCHEME).broken == (
        "bonds[0].person refers to people 1/11, who is no more",
    )


def test_a_side_that_refers_to_nobody_is_refused_before_anything() -> None:
    fine, astray = world({0: (10, 1)}), world({0: (10, 1)}, bonds=[3])
    with pytest.raises(MergeRefusedError, match=r"on the right side bonds\[0\]\.person refers to row 3 of 'people'"):
        merged(fine, fine, astray, "ours", SCHEME)
    with pytest.raises(MergeRefusedError, match=r"on the left side notes\[x\]\.about refers to row None"):
        merged(fine, world({0: (10, 1)}, notes={"x": {"about": None}}), fine, "ours", SCHEME)
    assert merged(astray, fine, fine, "ours", SCHEME).broken == ()


def test_who_has_no_name_is_known_by_whom_they_refer_to_not_by_their_row() -> None:
    """Bonds stand before people in order of names, and are called after them."""
    scheme = Scheme(references=(Reference("bonds", "person", "people", nobody=-1),))
    base, left, right = world({}), world({0: (11, 1)}, bonds=[0]), world({0: (12, 1)}, bonds=[0])
    state = merged(base, left, right, "fail", scheme).accepted()
    assert people(state) == {0: (11, 1), 1: (12, 1)}
    assert column(state, "bonds", "person") == [0, 1]


def test_rows_without_a_name_that_refer_to_one_another_are_in_conflict_rather_than_lost() -> None:
    def ring(*rows: tuple[int, int]) -> State:
        value, parent = (np.array([row[at] for row in rows], dtype=np.int16) for at in (0, 1))
        return {"tree": Table({"value": value, "parent": parent})}

    scheme = Scheme(references=(Reference("tree", "parent", "tree", nobody=-1),))
    left, right = ring((1, -1), (5, 0), (6, 1)), ring((1, -1), (7, 0), (6, 1), (8, 0))
    done = merged(ring((1, -1)), left, right, "theirs", scheme)
    assert told(done) == ["tree[2].parent: None became 1 on the left and 1 on the right (right)"]
    state = done.accepted()
    assert column(state, "tree", "value") == [1, 7, 6, 8, 5]
    assert column(state, "tree", "parent") == [-1, 0, 1, 0, 0]


def test_what_stands_in_free_slots_of_a_section_that_is_kept_stays() -> None:
    base, right = world({0: (10, 1)}), world({0: (10, 2)}, {0: 0})
    right["people"].columns["friend"][3] = 99  # type: ignore[union-attr]
    left = world({0: (10, 1)}, notes={"a": {}})
    assert bits({"people": merged(base, left, right, "ours", SCHEME).accepted()["people"]}) == bits(
        {"people": right["people"]}
    )


def test_conflicts_of_references_tell_what_each_side_has_itself() -> None:
    base = world({0: (10, 1)}, bonds=[-1], notes={"a": {"about": -1}})
    left = world({0: (10, 1), 1: (11, 1)}, bonds=[1], notes={"a": {"about": 1}})
    right = world({0: (10, 1), 1: (12, 1)}, bonds=[1], notes={"a": {"about": 1}})
    done = merged(base, left, right, "theirs", SCHEME)
    assert told(done) == [
        "bonds[0].person: -1 became 1 on the left and 1 on the right (right)",
        "notes[a].about: -1 became 1 on the left and 1 on the right (right)",
    ]
    assert people(done.accepted())[column(done.accepted(), "bonds", "person")[0]] == (12, 1)


def test_a_row_that_no_longer_fits_its_column_is_refused() -> None:
    scheme = Scheme(references=(Reference("bonds", "person", "t"),))
    base: State = {"t": cells([0.0] * 127), "bonds": Table({"person": np.array([0], dtype=np.int8)})}
    left: State = {**base, "t": cells([0.0] * 127 + [1.0])}
    right: State = {"t": cells([0.0] * 127 + [2.0]), "bonds": Table({"person": np.array([127], dtype=np.int8)})}
    with pytest.raises(MergeRefusedError, match="row 128 does not fit into a column of int8; use a wider one"):
        merged(base, left, right, "ours", scheme)


# -------------------------------------------------------------------------------------------------------- invariants


def test_invariants_are_checked_on_the_merged_state_and_refuse_it() -> None:
    def at_most_one_governor(state: State) -> list[str]:
        named = [name for name, one in objects(state, "r").items() if one == "governor"]
        return [f"{' and '.join(named)} are governors"] if len(named) > 1 else []

    scheme = Scheme(invariants=(at_most_one_governor,))
    done = merged(of(), of(cal="governor"), of(arty="governor"), "ours", scheme)
    assert done.broken == ("arty and cal are governors",)
    assert len(objects(done.proposed, "r")) == 2
    with pytest.raises(MergeRefusedError, match="would not hold: arty and cal are governors"):
        done.accepted()
    assert merged(of(), of(cal="governor"), of(arty="painter"), "ours", scheme).broken == ()


def test_an_invariant_is_asked_of_the_whole_fold_only() -> None:
    scheme = Scheme(invariants=(lambda state: ["too many"] if len(objects(state, "r")) > 1 else [],))
    base = of(a=1)
    done = folded([base, of(a=1, b=1), of()], [base, base], "fail", scheme)
    assert objects(done.accepted(), "r") == {"b": 1}


# -------------------------------------------------------------------------------------------------------- difference


def test_the_difference_is_what_the_merge_made_of_the_first_side() -> None:
    done = merged(of(a=1, b=1), of(a=2, b=1, c=1), of(a=1, b=3, d=1), "fail")
    assert [str(found) for found in done.differences()] == ["r[b]: 1 != 3", "r[d]: None != 1"]


def test_the_merged_state_is_its_own() -> None:
    left: State = {"t": cells([1.0]), **of(a={"deep": [1]})}
    done = merged(left, left, left, "ours").accepted()
    table = done["t"]
    assert isinstance(table, Table)
    table.columns["level"][0] = 9.0  # type: ignore[call-overload]
    objects(done, "r")["a"]["deep"].append(2)
    assert column(left, "t", "level") == [1.0]
    assert objects(left, "r") == {"a": {"deep": [1]}}


# ---------------------------------------------------------------------------------------------------------- refusals

TWICE = {"people": slots({0: (10, 1), 1: (10, 2)}, 2)}
FREE = {"people": slots({}, 2)}


@pytest.mark.parametrize(
    ("left", "right", "scheme", "words"),
    [
        (FREE, TWICE, SCHEME_OF_PEOPLE, "the right side has one object of 'people' twice, in rows 0 and 1 by origin and number"),
        ({"t": keyed({1: (1, 0.0)}, [1, 1])}, {"t": keyed({})}, Scheme(), "the left side has one object of 't' twice, in rows 0 and 1 by id"),
        ({"a.b": Records()}, {}, Scheme(), "side 0 is no state that can be merged: section 'a.b'"),
        ({}, of(a=NAN), Scheme(), "side 1 is no state that can be merged: NaN has many"),
        ({}, {"r": Records([1])}, Scheme(), "side 1 is no state that can be merged: section 'r' has no objects"),
        ({}, {"r": 3}, Scheme(), "side 1 is no state that can be merged"),
        ({}, {"t": Table({"a": np.array(["x"])})}, Scheme(), "use bool, integer or float columns"),
        (FREE, FREE, Scheme(identities={"persons": ("number",)}), "identity of 'persons': there is no such section"),
        (FREE, FREE, Scheme(identities={"people": ("name",)}), "'name' is not one of its columns"),
        (FREE, FREE, Scheme(identities={"people": ()}), "name at least one column"),
        (of(), of(), Scheme(identities={"r": ("name",)}), "no table whose objects are known by row"),
        (FREE, FREE, Scheme(row_steps={"people": 0}), "row_steps of 'people' must be a whole number from 1, not 0"),
        (FREE, FREE, Scheme(references=(Reference("people", "friend", "x"),)), "people.friend → x: there is no section 'x'"),
        (FREE, FREE, Scheme(references=(Reference("people", "foe", "people"),)), "must be a column of whole numbers"),
        ({**FREE, **of()}, FREE, Scheme(references=(Reference("people", "friend", "r"),)), "cannot name records"),
        ({"people": keyed({}), **of()}, FREE, Scheme(references=(Reference("r", "a", "people"),)), "known by row on one side only"),
        (FREE, FREE, Scheme(first=("now",)), "'now' cannot be the first side's"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_refused(left: Any, right: Any, scheme: Scheme, words: str) -> None:
    with pytest.raises(MergeRefusedError) as refusal:
        merged(None, left, right, "ours", scheme)
    assert words in str(refusal.value)


@pytest.mark.parametrize(("sides", "bases"), [([], []), ([{}], []), ([{}, {}], []), ([{}, {}], [None, None])])
def test_every_side_but_the_first_needs_a_base_or_none(sides: Any, bases: Any) -> None:
    with pytest.raises(MergeRefusedError, match="at least two sides and a base"):
        folded(sides, bases)


def test_an_error_names_few_conflicts_and_counts_the_rest() -> None:
    with pytest.raises(MergeRefusedError, match=r"r\[e\]: .*; and 21 more"):
        letters = "abcdefghijklmnopqrstuvwxyz"
        merged(None, of(**dict.fromkeys(letters, 1)), of(**dict.fromkeys(letters, 2))).accepted()


# ----------------------------------------------------------------------------------------------------- documentation


def test_the_rules_are_documented_as_they_are() -> None:
    rows = [
        line.strip("| ").split(" | ") for line in DOC.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
    ]
    documented = {(row[0], row[1]): row[2] for row in rows if row[0].upper() in Fate.__members__}
    words = {Verdict.LEFT: "left", Verdict.RIGHT: "right", Verdict.WITHIN: "within", Verdict.CONFLICT: "conflict"}
    assert documented == {
        (left.name.lower(), right.name.lower()): words[verdict] for (left, right), verdict in RULES.items()
    }
