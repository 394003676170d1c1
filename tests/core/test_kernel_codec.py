"""One value, one encoding; what could differ or not come back is refused when it is written."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.kernel.codec import DEPTH_MAX, PAYLOAD_BYTES_MAX, bounded, decode, encode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=8)
)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_what_is_written_is_read(value: Any) -> None:
    encoded = encode(value)
    assert decode(encoded) == value
    assert encode(decode(encoded)) == encoded


@given(st.dictionaries(texts, plain, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_a_map_leaves_no_trace(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert encode({"deep": [{key: value[key] for key in keys}]}) == encode({"deep": [value]})


def test_maps_are_written_in_the_order_of_their_keys() -> None:
    assert encode({"b": 1, "a": 2}) == b"\x82\xa1a\x02\xa1b\x01"


def test_kinds_that_python_takes_for_equal_stay_apart() -> None:
    values: list[Any] = [0, 0.0, -0.0, False, None, "", b"", []]
    assert len(set(map(encode, values))) == len(values)


def test_tuples_come_back_as_lists() -> None:
    assert decode(encode((1, (2, 3)))) == [1, [2, 3]]


@pytest.mark.parametrize(
    "bad",
    [
        {1, 2},
        frozenset(),
        float("nan"),
        object(),
        Ellipsis,
        1j,
        bytearray(b"x"),
        memoryview(b"x"),
        np.int64(1),
        np.float64(1.0),
        np.bool_(True),
        np.str_("x"),
        np.zeros(2),
        range(3),
        2**64,
        -(2**63) - 1,
        "\ud800",
        {1: "x"},
        {None: "x"},
        {b"x": "x"},
        {("a",): "x"},
    ],
    ids=lambda bad: repr(bad).partition(" at 0x")[0],
)
def test_what_is_not_plain_is_refused_at_any_depth(bad: object) -> None:
    for value in (bad, [bad], {"a": {"b": (bad,)}}):
        with pytest.raises(ValueError, match=r"."):
            encode(value)


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


def test_depth_is_limited() -> None:
    assert decode(encode(nested(DEPTH_MAX))) == nested(DEPTH_MAX)
    with pytest.raises(ValueError, match=f"{DEPTH_MAX} deep"):
        encode(nested(DEPTH_MAX + 1))
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="deep"):
        encode(circle)


def test_the_size_of_what_travels_is_limited() -> None:
    assert len(bounded(b"x" * (PAYLOAD_BYTES_MAX - 5), "data")) == PAYLOAD_BYTES_MAX
    with pytest.raises(ValueError, match=rf"data takes {PAYLOAD_BYTES_MAX + 1} bytes"):
        bounded(b"x" * (PAYLOAD_BYTES_MAX - 4), "data")


@given(plain.map(encode), st.integers(1, 8))
def test_a_cut_encoding_is_refused(encoded: bytes, cut: int) -> None:
    with pytest.raises(ValueError, match=r"damaged|utf-8"):
        decode(encoded[:-cut])


def test_a_longer_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        decode(encode([1]) + b"\xc0")
