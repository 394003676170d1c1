"""State as sections: there and back, what differs, and the digest that misses nothing."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from actors.core.kernel.codec import encode
from actors.core.kernel.digests import (
    CHUNK_BYTES,
    NO_DIGEST,
    digest_of,
    fold,
    member_digest,
    multiverse_digest,
)
from actors.core.kernel.states import (
    Records,
    Section,
    State,
    Table,
    checked_state,
    decode_state,
    differences,
    encode_state,
)

DTYPES = ["<i8", ">i8", "<i4", ">u2", "u1", "?", "<f8", ">f4"]
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="."), min_size=1, max_size=5)
records = st.dictionaries(
    names, st.integers(-9, 9) | st.dictionaries(names, st.integers(-9, 9), min_size=1, max_size=2), max_size=3
).map(Records)


@st.composite
def tables(draw: Any) -> Table:
    rows = draw(st.integers(0, 4))
    columns = {}
    for name in draw(st.sets(names, max_size=3)):
        shape = (rows, *draw(st.sampled_from([(), (1,), (2, 3)])))
        dtype = np.dtype(draw(st.sampled_from(DTYPES)))
        elements = st.integers(0, 9) if dtype.kind in "iu" else None
        if dtype.kind == "f":
            elements = st.sampled_from([0.0, 1.5, -2.0])
        columns[name] = draw(arrays(dtype, shape, elements=elements))
    return Table(columns)


states = st.dictionaries(names, records | tables(), max_size=3)


def table(**columns: Any) -> dict[str, Section]:
    return {"t": Table({name: np.asarray(column) for name, column in columns.items()})}


def digest(state: State, member_id: str = "m", kind: str = "k", local_tick: int = 1, sequence: int = 2) -> bytes:
    return member_digest(member_id, kind, local_tick, sequence, state)


def same_bits(one: State, other: State) -> bool:
    return encode_state(one) == encode_state(other)


@given(states)
def test_a_state_comes_back_as_it_was(state: State) -> None:
    document = encode_state(state)
    back = decode_state(document)
    assert digest(back) == digest(state)
    assert encode_state(back) == document
    assert back.keys() == state.keys()
    for name, section in back.items():
        if isinstance(section, Table):
            original = state[name]
            assert isinstance(original, Table)
            assert section.key == original.key
            for attribute, column in section.columns.items():
                assert column.shape == original.columns[attribute].shape
                assert column.dtype == original.columns[attribute].dtype.newbyteorder("<")
                assert column.flags.writeable
                assert np.array_equal(column, original.columns[attribute])


def test_a_restored_array_is_its_own() -> None:
    array = np.arange(3)
    document = encode_state(table(a=array))
    one, other = decode_state(document)["t"], decode_state(document)["t"]
    assert isinstance(one, Table)
    assert isinstance(other, Table)
    one.columns["a"][:] = 9
    assert other.columns["a"].tolist() == array.tolist() == [0, 1, 2]


def test_layout_and_byte_order_leave_no_trace() -> None:
    straight = np.arange(12, dtype="<i8").reshape(4, 3)
    for other in (
        straight.astype(">i8"),
        np.asfortranarray(straight),
        np.repeat(straight, 2, axis=0)[::2],
        np.ascontiguousarray(straight[::-1])[::-1],
    ):
        assert digest(table(a=other)) == digest(table(a=straight))
        assert encode_state(table(a=other)) == encode_state(table(a=straight))


@pytest.mark.parametrize("bad", [np.array(["x"]), np.array([object()]), np.array([1j]), np.array([0], "M8[s]")])
def test_a_column_without_fixed_bytes_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"t\.a is .*; use bool, integer or float"):
        checked_state(table(a=bad))


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        checked_state(table(a=[1, 2], b=[1]))


def test_a_key_must_be_a_column() -> None:
    with pytest.raises(ValueError, match="'id'"):
        checked_state({"t": Table({"a": np.zeros(1)}, "id")})


def test_differences_say_which_object_and_which_attribute() -> None:
    left: State = {
        "npcs": Table({"id": np.array([10, 11, 12]), "gold": np.array([1, 2, 3])}, "id"),
        "players": Records({"alice": {"level": 1, "name": "Alice"}, "bob": 3}),
    }
    right: State = {
        "npcs": Table({"id": np.array([12, 13, 10]), "gold": np.array([3, 4, 9])}, "id"),
        "players": Records({"alice": {"level": 2, "name": "Alice"}, "eve": 3}),
    }
    assert [str(found) for found in differences(left, right)] == [
        "npcs[11]: 'present' != None",
        "npcs[13]: None != 'present'",
        "npcs[10].gold: 1 != 9",
        "players[alice].level: 1 != 2",
        "players[bob]: 3 != None",
        "players[eve]: None != 3",
    ]


def test_differences_of_form() -> None:
    assert [str(found) for found in differences(table(a=[1]), {"t": Records({})})] == ["t: 'Table' != 'Records'"]
    assert [str(found) for found in differences(table(a=[1]), {})] == ["t: 'Table' != 'NoneType'"]
    assert [found.attribute for found in differences(table(a=[1]), table(b=[1]))] == ["columns"]
    assert [found.attribute for found in differences(table(a=[1]), table(a=[1.0]))] == ["a"]
    assert [found.object for found in differences(table(a=[1, 2]), table(a=[1]))] == ["1"]


@given(states, states)
def test_states_differ_where_their_digests_do(one: State, other: State) -> None:
    assert (list(differences(one, other)) == []) == same_bits(one, other)
    assert list(differences(one, one)) == []


NAN, ZERO = float("nan"), 0.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (table(a=np.zeros(0)), table(a=np.zeros(0))),
        (table(a=np.zeros((0, 2))), table(a=np.zeros((0, 2)))),
        (table(a=[NAN, 1.0]), table(a=[NAN, 1.0])),
        (table(a=[ZERO]), table(a=[-ZERO])),
        (table(a=np.array([1], "<i4")), table(a=np.array([1], ">i4"))),
        ({"t": Table({"a": np.array([1])}, "a")}, {"t": Table({"a": np.array([1])})}),
        ({"r": Records({"x": None})}, {"r": Records({})}),
        ({"r": Records({"x": {"y": None}})}, {"r": Records({"x": {}})}),
        ({"r": Records({"x": {}})}, {"r": Records({})}),
    ],
    ids=["empty", "empty 2d", "NaN", "-0.0", "byte order", "key", "None object", "None attribute", "bare object"],
)
def test_states_differ_where_their_digests_do_at_the_edges(one: State, other: State) -> None:
    assert (list(differences(one, other)) == []) == same_bits(one, other)


# ---------------------------------------------------------------------------------------------------------- digests


def test_parts_cannot_be_shifted_into_one_another() -> None:
    alike = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b""), (b"", b"abc"), (), (b"",), (b"", b"")]
    assert len({digest_of(*parts) for parts in alike}) == len(alike)
    assert digest_of(b"a") == sha256(b"\1\0\0\0\0\0\0\0a").digest()


def of_column(body: bytes, form: Any) -> bytes:
    document = ["m", "k", 1, 2, "t", ["", ["a", "|u1", [len(body)], form]]]
    return sha256(encode(document)).digest()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES])
def test_a_small_column_is_hashed_whole(size: int) -> None:
    body = bytes(size)
    assert digest(table(a=np.frombuffer(body, dtype=np.uint8))) == of_column(body, body)


@pytest.mark.parametrize("size", [CHUNK_BYTES + 1, 2 * CHUNK_BYTES - 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1])
def test_a_large_column_is_hashed_by_its_chunks(size: int) -> None:
    body = bytes(at % 251 for at in range(size))
    chunks = [sha256(body[at : at + CHUNK_BYTES]).digest() for at in range(0, size, CHUNK_BYTES)]
    expected = of_column(body, [sha256(b"".join(chunks)).digest()])
    assert digest(table(a=np.frombuffer(body, dtype=np.uint8))) == expected


def test_records_are_hashed_as_they_are() -> None:
    state: State = {"r": Records({"x": {"y": 1}})}
    assert digest(state) == sha256(encode(["m", "k", 1, 2, "r", {"x": {"y": 1}}])).digest()


@pytest.mark.parametrize(
    "rows", [1, CHUNK_BYTES // 8 - 1, CHUNK_BYTES // 8, CHUNK_BYTES // 8 + 1, CHUNK_BYTES // 4 + 3]
)
def test_any_one_change_in_a_column_shows(rows: int) -> None:
    column = np.arange(rows)
    seen = {digest(table(a=column))}
    for row in {0, rows // 2, rows - 1}:
        changed = column.copy()
        changed[row] ^= 1
        seen.add(digest(table(a=changed)))
    assert len(seen) == 1 + len({0, rows // 2, rows - 1})


def test_any_one_change_of_a_member_shows() -> None:
    state: dict[str, Section] = {
        "t": Table({"a": np.array([1, 2]), "b": np.array([3.0, 4.0])}, "a"),
        "r": Records({"x": {"y": 1}}),
    }
    base = state["t"]
    assert isinstance(base, Table)
    changed: list[Mapping[str, Section]] = [
        {**state, "t": Table(base.columns, "b")},
        {**state, "t": Table(base.columns)},
        {**state, "t": Table({"a": base.columns["a"]}, "a")},
        {**state, "t": Table({**base.columns, "a": base.columns["a"].astype("i4")}, "a")},
        {**state, "t": Table({**base.columns, "a": base.columns["a"].reshape(2, 1)}, "a")},
        {**state, "t": Table({"a": base.columns["a"], "c": base.columns["b"]}, "a")},
        {**state, "r": Records({"x": {"y": 2}})},
        {**state, "r": Records({"x": {"z": 1}})},
        {**state, "r": Records({})},
        {**state, "r": Table({})},
        {**state, "s": Records({})},
        {"t": state["t"], "q": state["r"]},
        {"t": state["t"]},
    ]
    seen = [digest(one) for one in [state, *changed]]
    seen += [digest(state, "n"), digest(state, kind="l"), digest(state, local_tick=3), digest(state, sequence=3)]
    assert len(set(seen)) == len(seen)


@given(states, states)
def test_different_states_have_different_digests(one: State, other: State) -> None:
    assert (digest(one) == digest(other)) == same_bits(one, other)


def test_the_order_in_which_sections_are_given_leaves_no_trace() -> None:
    state: State = {"a": Records({"x": 1}), "b": Table({"p": np.zeros(1), "q": np.ones(1)})}
    other: State = {"b": Table({"q": np.ones(1), "p": np.zeros(1)}), "a": Records({"x": 1})}
    assert digest(state) == digest(other)


def test_every_part_of_the_multiverse_shows() -> None:
    members = {"a": b"1" * 32, "b": b"2" * 32}
    seen = {
        multiverse_digest(1, members, b"t"),
        multiverse_digest(2, members, b"t"),
        multiverse_digest(1, {"a": b"2" * 32, "b": b"1" * 32}, b"t"),
        multiverse_digest(1, {"a": b"1" * 32}, b"t"),
        multiverse_digest(1, {"a": b"1" * 32, "c": b"2" * 32}, b"t"),
        multiverse_digest(1, members, b"u"),
    }
    assert len(seen) == 6
    assert multiverse_digest(1, dict(reversed(members.items())), b"t") in seen


def test_a_chain_depends_on_every_digest_and_on_their_order() -> None:
    one, other = b"1" * 32, b"2" * 32
    chains = {fold(NO_DIGEST, one), fold(fold(NO_DIGEST, one), other), fold(fold(NO_DIGEST, other), one)}
    assert len(chains) == 3
    assert fold(NO_DIGEST, one) != one


def test_a_known_digest() -> None:
    """A change here is a change of every history; snapshots and recorded chains would no longer match."""
    state: State = {"t": Table({"a": np.array([1, 2])}, "a"), "r": Records({"x": {"y": 1}})}
    assert encode({"y": 1}) == b"\x81\xa1y\x01"
    assert digest(state).hex() == "df71f395ae2173b09ca0b3e4b90e20fcbfcac9df69fec91ad50986ba5e77244b"
