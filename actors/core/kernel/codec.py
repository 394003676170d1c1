"""One value, one encoding: plain data as canonical MessagePack.

Plain data is None, bool, int (64 bits), float (no NaN), str, bytes, lists and maps with text keys. Maps are written in
the order of their keys, so equal values have equal bytes in every process. Whatever could differ between processes or
would not come back as it was (sets, objects, NaN) is refused when it is written, not found out when it is read.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

Plain = Any
"""Plain data, see above. (mypy has no useful recursive form of it for values read back from a file.)"""

PAYLOAD_BYTES_MAX = 1 << 20
"""Largest encoding of one event's or one command's data; larger things belong in a member's state."""

DEPTH_MAX = 64
"""Deepest nesting of plain data; deeper is a cycle or an attack."""

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder()


_ATOMS = frozenset({type(None), bool, int, str, bytes})
"""Looked up by exact type first: nearly every value is one of them, and this runs for each of them in every tick."""


def _check(value: object, depth: int) -> None:
    kind = type(value)
    if kind in _ATOMS:
        return
    if kind is dict:
        if depth >= DEPTH_MAX:
            raise ValueError(f"nested more than {DEPTH_MAX} deep")
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str and not isinstance(key, str):
                raise ValueError(f"map key {key!r} is not text")
            if type(item) not in _ATOMS:
                _check(item, depth + 1)
    elif kind is list or kind is tuple:
        if depth >= DEPTH_MAX:
            raise ValueError(f"nested more than {DEPTH_MAX} deep")
        for item in value:  # type: ignore[attr-defined]
            if type(item) not in _ATOMS:
                _check(item, depth + 1)
    elif isinstance(value, float):
        if value != value:
            raise ValueError("NaN has many bit patterns; use None")
    elif isinstance(value, Mapping):
        _check(dict(value), depth)
    elif isinstance(value, list | tuple):
        _check(list(value), depth)
    elif not isinstance(value, int | str | bytes):
        raise ValueError(f"{kind.__name__} is not plain data; use None, bool, int, float, str, bytes, list or dict")


def encode(value: Plain) -> bytes:
    """The canonical encoding.

    Raises:
        ValueError: the value is not plain data, or an integer does not fit into 64 bits.
    """
    _check(value, 0)
    try:
        return _encoder.encode(value)
    except (OverflowError, TypeError) as error:
        raise ValueError(str(error)) from None


def decode(encoded: bytes) -> Plain:
    """The value of a canonical encoding. Tuples come back as lists.

    Raises:
        ValueError: not MessagePack, cut off, or not plain data.
    """
    try:
        value = _decoder.decode(encoded)
        _check(value, 0)
    except (
        ValueError,
        RecursionError,
    ) as error:  # msgspec's DecodeError and Python's UnicodeDecodeError are ValueErrors
        raise ValueError(f"damaged encoding: {error}") from None
    return value


def bounded(value: Plain, what: str) -> bytes:
    """The encoding of one event's or command's data.

    Raises:
        ValueError: not plain data, or larger than `PAYLOAD_BYTES_MAX`.
    """
    encoded = encode(value)
    if len(encoded) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"{what} takes {len(encoded)} bytes; at most {PAYLOAD_BYTES_MAX} are allowed")
    return encoded
