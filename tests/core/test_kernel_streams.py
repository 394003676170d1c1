"""Chance as a pure function, and events in their one order."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.kernel.addresses import OUTSIDE, RealmCoordinate
from actors.core.kernel.codec import PAYLOAD_BYTES_MAX, decode
from actors.core.kernel.errors import EventRefusedError
from actors.core.kernel.events import (
    CrossGameEvent,
    Event,
    checked_carries,
    event_digest,
    order,
    realm_id_of,
)
from actors.core.kernel.streams import Streams, entity_number, scaled

KNOWN_WORDS = [
    *(8299846695389286270, 8929134821196235865, 3854619829609482748),
    *(1627442456993286659, 18387809574797814447, 10853194707464483644),
]
"""`Streams(7, "sol_1").words("luck", 3, 6)`. numpy promises raw words of a bit generator for ever; if this fails, it lied."""


def test_known_words() -> None:
    assert Streams(7, "sol_1").words("luck", 3, 6).tolist() == KNOWN_WORDS
    assert Streams(7, "sol_1").below("luck", 3, 0, 100) == (KNOWN_WORDS[0] >> 32) * 100 >> 32
    assert entity_number("alice") == 15941996304427


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**40), st.integers(1, 21))
def test_one_word_is_that_of_the_whole_column(seed: int, tick: int, count: int) -> None:
    streams = Streams(seed, "sol_1")
    words = streams.words("luck", tick, count)
    assert (words.dtype, words.shape) == (np.dtype(np.uint64), (count,))
    assert [streams.word("luck", tick, entity) for entity in range(count)] == words.tolist()
    assert streams.words("luck", tick, count + 5)[:count].tolist() == words.tolist(), "an entity depends on another"


def test_what_was_drawn_before_changes_nothing() -> None:
    fresh = Streams(7, "sol_1").words("luck", 5, 9).tolist()
    used = Streams(7, "sol_1")
    used.words("luck", 9, 3), used.word("luck", 5, 100), used.words("else", 5, 1), used.below("luck", 1, 2, 3)
    assert used.words("luck", 5, 9).tolist() == fresh == used.words("luck", 5, 9).tolist()


def test_whatever_keys_a_draw_changes_it() -> None:
    drawn = [
        Streams(seed, lineage).word(stream, tick, entity)
        for seed in (0, 7, 8, 2**63 - 1)
        for lineage in ("sol_1", "sol_2", "")
        for stream in ("luck", "luck2", "")
        for tick in (0, 1, 2**32)
        for entity in (0, 1, 4, 2**40)
    ]
    assert len(set(drawn)) == len(drawn)


def test_names_cannot_be_shifted_into_one_another() -> None:
    assert Streams(1, "2a").word("b", 0, 0) != Streams(12, "a").word("b", 0, 0)
    assert Streams(1, "a").word("bc", 0, 0) != Streams(1, "ab").word("c", 0, 0)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=8), st.integers(1, 2**32))
def test_scaled_words_stay_below_their_bound(words: list[int], bound: int) -> None:
    found = scaled(np.array(words, dtype=np.uint64), bound)
    assert found.dtype == np.int64
    assert found.tolist() == [(word >> 32) * bound >> 32 for word in words]
    assert all(0 <= number < bound for number in found.tolist())


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 2**31, 2**32 - 1, 2**32])
def test_both_ends_of_a_bound_are_reached(bound: int) -> None:
    ends = scaled(np.array([0, 2**64 - 1], dtype=np.uint64), bound)
    assert ends.tolist() == [0, bound - 1]


def test_draws_are_spread_evenly() -> None:
    counts = np.bincount(scaled(Streams(7, "sol_1").words("luck", 0, 100_000), 10), minlength=10)
    assert counts.sum() == 100_000
    assert abs(counts - 10_000).max() < 500


@given(st.text(max_size=9))
def test_a_named_entity_has_a_number_that_fits_a_counter(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    number = entity_number(name)
    assert 0 <= number < 2**56
    assert Streams(7, "sol_1").word("luck", 0, number) == Streams(7, "sol_1").word("luck", 0, entity_number(name))


# ----------------------------------------------------------------------------------------------------------- events


def said(source: str, sequence: int, **more: Any) -> Event:
    return Event(f"{source}#{sequence}", source, sequence, None, "note", b"\x80", 0, 1, **more)


sources = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


@given(st.sets(st.tuples(sources, st.integers(0, 99)), max_size=12), st.randoms(use_true_random=False))
def test_the_order_is_by_source_as_utf8_and_sequence_whatever_came_first(found: set[Any], random: Any) -> None:
    expected = sorted(found, key=lambda key: (key[0].encode(), key[1]))
    shuffled = list(expected)
    random.shuffle(shuffled)
    assert [(event.source, event.sequence) for event in order(said(*key) for key in shuffled)] == expected


def test_sequence_numbers_are_ordered_as_numbers() -> None:
    assert [event.sequence for event in order([said("a", 10), said("a", 9)])] == [9, 10]


def test_every_field_of_an_event_shows_in_its_digest() -> None:
    base = Event("e", "a", 1, "b", "note", b"\x80", 1, 2, "c", ("a",), (("gold", 1),), "x")
    other = Event("f", "b", 2, None, "gossip", b"\x81\xa1a\x01", 2, 3, "d", ("a", "b"), (("gold", 2),), "y")
    fields = base.__struct_fields__
    changed = [Event(*(getattr(other if name == field else base, name) for name in fields)) for field in fields]
    assert len({event_digest(event) for event in [base, *changed]}) == 1 + len(fields)


def test_the_data_of_an_event_is_decoded_anew() -> None:
    event = Event("e", "a", 1, "b", "note", CrossGameEvent("e", "a", "b", "note", {"n": [1]}).sealed(), 1, 2)
    event.data["n"].append(2)
    assert event.data == {"n": [1]}


def test_an_origin_is_the_source_or_the_claim() -> None:
    assert said("a", 1).origin == "a"
    assert said(OUTSIDE, 1, claimed_source="b").origin == "b"


def test_what_an_event_carries() -> None:
    carries = checked_carries({"wood": 2, "gold": 0})
    assert carries == (("gold", 0), ("wood", 2))
    event = said("a", 1, carries=carries)
    assert [event.carried(name) for name in ("wood", "gold", "iron")] == [2, 0, 0]
    assert checked_carries(None) == ()


@pytest.mark.parametrize("amount", [-1, 1.0, True, None, "1", np.int64(1)], ids=repr)
def test_an_event_carries_whole_numbers_only(amount: Any) -> None:
    with pytest.raises(EventRefusedError, match="whole number"):
        checked_carries({"gold": amount})


@pytest.mark.parametrize(
    "bad",
    [
        {"event_id": 1},
        {"event_type": None},
        {"event_type": ""},
        {"cause": 3},
        {"data": [1]},
        {"data": None},
        {"data": {"a": {1}}},
        {"data": {1: 2}},
        {"data": {"a": float("nan")}},
        {"data": {"a": b"x" * PAYLOAD_BYTES_MAX}},
    ],
    ids=lambda bad: str(bad)[:40],
)
def test_a_malformed_event_is_refused(bad: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"event_id": "e", "source_realm": "a", "target_realm": "b", "event_type": "note"} | bad
    with pytest.raises(EventRefusedError):
        CrossGameEvent(**fields).sealed()


def test_a_sealed_event_is_its_data() -> None:
    assert decode(CrossGameEvent("e", "a", "b", "note", {"b": 1, "a": (2,)}).sealed()) == {"a": [2], "b": 1}


def test_a_realm_is_named_by_its_id_or_its_coordinate() -> None:
    assert realm_id_of(RealmCoordinate("sol_1")) == realm_id_of("sol_1") == "sol_1"
