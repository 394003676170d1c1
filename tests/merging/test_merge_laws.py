"""Laws of the merge of states, whatever the states."""

from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from merging_worlds import IDENTITIES, bits, column, friends, people, records, states

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.states import Records, State, checked_state
from actors.core.merging.merges import folded, merged
from actors.core.merging.records import MISSING, at, merged_records
from actors.core.merging.rules import STRATEGIES, Strategy

strategies = st.sampled_from(get_args(Strategy))
some = settings(max_examples=60)


@some
@given(states(), states(), strategies)
def test_what_both_sides_have_alike_is_the_merge(base: State, x: State, strategy: Strategy) -> None:
    done = merged(base, x, x, strategy, IDENTITIES)
    assert bits(done.accepted()) == bits(x)
    assert len(done.conflicts) == 0
    assert list(done.differences()) == []
    assert bits(merged(None, x, x, strategy, IDENTITIES).accepted()) == bits(x)


@some
@given(states(), states(), strategies)
def test_what_only_one_side_changed_is_the_merge(base: State, x: State, strategy: Strategy) -> None:
    for done in (merged(base, base, x, strategy, IDENTITIES), merged(base, x, base, strategy, IDENTITIES)):
        assert bits(done.accepted()) == bits(x)
        assert len(done.conflicts) == 0
        assert done.moves == ()


@some
@given(st.none() | states(), states(), states())
def test_sides_change_places_with_the_strategy(base: State | None, one: State, other: State) -> None:
    ours, theirs = merged(base, one, other, "ours", IDENTITIES), merged(base, other, one, "theirs", IDENTITIES)
    assert bits(ours.proposed) == bits(theirs.proposed)
    assert ours.broken == theirs.broken
    told = [(c.section, c.object, c.attribute, encode(c.base), str(c.left), str(c.right)) for c in ours.conflicts]
    back = [(c.section, c.object, c.attribute, encode(c.base), str(c.right), str(c.left)) for c in theirs.conflicts]
    assert sorted(told) == sorted(back)


@some
@given(st.none() | states(), states(), states(), strategies)
def test_a_merge_is_a_state_touches_nothing_and_is_the_same_again(
    base: State | None, one: State, other: State, strategy: Strategy
) -> None:
    before = [bits(side) for side in (base or {}, one, other)]
    done, again = (merged(base, one, other, strategy, IDENTITIES) for _ in range(2))
    checked_state(done.proposed)
    assert [bits(side) for side in (base or {}, one, other)] == before
    assert bits(done.proposed) == bits(again.proposed)
    assert list(map(str, done.conflicts)) == list(map(str, again.conflicts))
    assert len(list(done.conflicts)) == len(done.conflicts)


@some
@given(st.none() | states(), states(), states(), st.sampled_from(["ours", "theirs"]))
def test_merging_the_same_side_once_more_changes_nothing(
    base: State | None, one: State, other: State, strategy: Strategy
) -> None:
    """Unless rows without a name were cut off, and those behind them have other numbers now."""
    rows = [len(column(side, "cells", "level")) if side and "cells" in side else 0 for side in (base, one, other)]
    assume(rows[0] <= min(rows[1:]))
    once = merged(base, one, other, strategy, IDENTITIES)
    assume(not once.broken)
    again = merged(base, once.proposed, other, strategy, IDENTITIES)
    assert bits(again.accepted()) == bits(once.proposed)


@some
@given(st.none() | states(), states(), states(), strategies)
def test_nobody_is_lost_doubled_or_resurrected(
    base: State | None, one: State, other: State, strategy: Strategy
) -> None:
    done = merged(base, one, other, strategy, IDENTITIES)
    was, left, right = ({who for who, _ in people(side).values()} if side else set() for side in (base, one, other))
    now = [who for who, _ in people(done.proposed).values()]
    assert len(now) == len(set(now))
    assert set(now) <= left | right
    assert (left & right) | (left - was) | (right - was) <= set(now)
    contested = {c.object.partition("/")[2] for c in done.conflicts if c.section == "people" and not c.attribute}
    for who in was - (left & right):
        assert who not in now or str(who) in contested


@some
@given(st.none() | states(), states(), states(), strategies)
def test_everybodys_friend_is_whom_a_side_says_wherever_they_live_now(
    base: State | None, one: State, other: State, strategy: Strategy
) -> None:
    done = merged(base, one, other, strategy, IDENTITIES)
    assume(not done.broken)
    for who, friend in friends(done.proposed).items():
        assert friend in {side[who] for side in (friends(one), friends(other)) if who in side}


@some
@given(st.none() | states(), states(), states())
def test_the_strategy_decides_conflicts_and_nothing_else(base: State | None, one: State, other: State) -> None:
    ours, theirs, fail = (merged(base, one, other, strategy, IDENTITIES) for strategy in STRATEGIES)  # type: ignore[arg-type]
    assert list(map(str, ours.conflicts)) == list(map(str, theirs.conflicts)) == list(map(str, fail.conflicts))
    assert {c.winner for c in ours.conflicts} <= {"left"}
    assert {c.winner for c in theirs.conflicts} <= {"right"}
    assert {c.winner for c in fail.conflicts} <= {""}
    if not len(ours.conflicts) and not ours.moves and not theirs.moves:
        assert bits(ours.proposed) == bits(theirs.proposed) == bits(fail.proposed)


@given(st.none() | records, records, records, strategies)
def test_records_are_merged_key_by_key_as_the_rules_say(
    base: Records | None, one: Records, other: Records, strategy: Strategy
) -> None:
    """Every leaf, against the rules said once more in the simplest words."""
    done, conflicts = merged_records("r", (base, one, other), strategy)
    expected, contested = simply_merged(base.objects if base else {}, one.objects, other.objects, strategy == "theirs")
    assert encode(done.objects) == encode(expected)
    assert sorted((c.object, c.attribute) for c in conflicts) == sorted(contested)
    for conflict in conflicts:
        path = [conflict.object, *conflict.attribute.split(".")] if conflict.attribute else [conflict.object]
        assert [conflict.base, conflict.left, conflict.right] == [at(side, path) for side in (base, one, other)]


def simply_merged(base, left, right, prefer_right, path=()):
    found, contested = {}, []
    for key in sorted({*left, *right}):
        b, ours, theirs = (side.get(key, MISSING) for side in (base, left, right))
        if same(ours, theirs):
            value = ours
        elif same(ours, b):
            value = theirs
        elif same(theirs, b):
            value = ours
        elif isinstance(ours, dict) and isinstance(theirs, dict) and (b is MISSING or isinstance(b, dict)):
            value, more = simply_merged({} if b is MISSING else b, ours, theirs, prefer_right, (*path, key))
            contested += more
        else:
            value = theirs if prefer_right else ours
            contested.append(((*path, key)[0], ".".join((*path, key)[1:])))
        if value is not MISSING:
            found[key] = value
    return found, contested


def same(one, other):
    return one is other or (one is not MISSING and other is not MISSING and encode(one) == encode(other))


@settings(max_examples=30)
@given(states(), st.lists(states(), min_size=2, max_size=4), st.sampled_from(["ours", "theirs"]))
def test_several_sides_fold_from_left_to_right(base: State, sides: list[State], strategy: Strategy) -> None:
    whole = folded(sides, [base] * (len(sides) - 1), strategy, IDENTITIES)
    assume(not whole.broken)
    state = sides[0]
    for side in sides[1:]:
        step = merged(base, state, side, strategy, IDENTITIES)
        assume(not step.broken)
        state = step.accepted()
    assert bits(whole.accepted()) == bits(state)
    assert {c.side for c in whole.conflicts} <= set(range(1, len(sides)))


@settings(max_examples=30)
@given(states(), states())
def test_no_ancestor_is_an_empty_one(one: State, other: State) -> None:
    without = {name: section for name, section in one.items() if name != "cells"}
    none, empty = merged(None, without, other, "ours", IDENTITIES), merged({}, without, other, "ours", IDENTITIES)
    assert bits(none.proposed) == bits(empty.proposed)


def test_there_are_three_strategies() -> None:
    assert STRATEGIES == ("ours", "theirs", "fail")
    with pytest.raises(MergeRefusedError, match="'mine' is no strategy of a merge; use ours, theirs, fail"):
        merged(None, {}, {}, "mine")  # type: ignore[arg-type]
