"""A member's state: named sections, each a table of columns or a set of records.

A section holds objects and an object has attributes, so that every tool (digest, diff, snapshot, modification by path)
can say *which object* without knowing the member. `Table` is structure of arrays for many objects alike; `Records` is a
map from object id to plain data for few objects of any shape.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.codec import Plain, decode, encode

Array = NDArray[np.generic]

COLUMN_ITEM_BYTES_MAX = 8
"""A long double has padding, whose bytes are whatever memory held."""
COLUMN_KINDS = "biuf"
"""numpy kinds a column may have: bool, signed, unsigned, float. Objects and text have no fixed bytes."""


@dataclass(frozen=True, slots=True)
class Table:
    """Objects in rows.

    Attributes:
        columns: attribute name to array; the first dimension is the row, the same for all.
        key: the column whose values name the objects; without it, the row number does.
        present: the column of truth values that says in which rows there is an object; without it, in all.
    """

    columns: Mapping[str, Array]
    key: str = ""
    present: str = ""


@dataclass(frozen=True, slots=True)
class Records:
    """Objects by id, each plain data."""

    objects: Mapping[str, Plain] = field(default_factory=dict)


BORDER_BYTES_MIN = 1 << 10
"""Keeping a piece apart costs some 100 bytes."""

Section = Table | Records
State = Mapping[str, Section]
Touched = Mapping[str, Sequence[tuple[int, int]]]
"""Leaf name (`section.column`) to the rows that may have changed, as (first, end)."""


def checked_state(state: State) -> State:
    """`state`, if every section can be digested and stored.

    Raises:
        ValueError: a column of a kind without fixed bytes, columns of unequal length, or a key that is no column.
    """
    for name, section in state.items():
        if type(name) is not str or "." in name:
            _checked_name(name, "section")
        if isinstance(section, Records):
            continue
        for attribute, column in section.columns.items():
            _checked_name(attribute, f"column of section {name!r},")
            if not isinstance(column, np.ndarray) or not column.ndim:
                raise ValueError(f"column {name}.{attribute} must be an array of at least one dimension")
        if len({len(column) for column in section.columns.values()}) > 1:
            raise ValueError(f"the columns of section {name!r} differ in length")
        for attribute, column in section.columns.items():
            if column.dtype.kind not in COLUMN_KINDS or column.dtype.itemsize > COLUMN_ITEM_BYTES_MAX:
                raise ValueError(f"column {name}.{attribute} is {column.dtype}; use bool, integer or float columns")
        if section.key and (section.key not in section.columns or section.columns[section.key].ndim != 1):
            raise ValueError(
                f"section {name!r} names its objects by {section.key!r}, which is not one of its columns of one dimension"
            )
        if section.present and (
            section.present not in section.columns or section.columns[section.present].dtype.kind != "b"
        ):
            raise ValueError(f"section {name!r} has no column of truth values {section.present!r}, as it says")
    return state


def _checked_name(name: object, what: str) -> None:
    if not isinstance(name, str) or "." in name:
        raise ValueError(f"{what} {name!r}: a name is text without '.', which joins section and attribute")


def contiguous(column: Array) -> Array:
    """The column in C order and little-endian, the one form in which it is hashed and stored."""
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<"))


def encode_state(state: State) -> bytes:
    """The whole state as one self-describing document, for checkpoints and for comparing."""
    document: dict[str, Plain] = {}
    for name, section in checked_state(state).items():
        if isinstance(section, Records):
            document[name] = ["records", encode(section.objects)]
        else:
            columns = {
                attribute: [column.dtype.newbyteorder("<").str, list(column.shape), contiguous(column).tobytes()]
                for attribute, column in section.columns.items()
            }
            document[name] = ["table", section.key, columns, *([section.present] if section.present else [])]
    return encode(document)


def decode_state(document: bytes) -> State:
    """The state of `encode_state`, its arrays writable and its own."""
    state: dict[str, Section] = {}
    for name, (form, *rest) in decode(document).items():
        if form == "records":
            state[name] = Records(decode(rest[0]))
        else:
            key, columns, *present = rest
            state[name] = Table(
                {
                    attribute: np.frombuffer(body, dtype=np.dtype(dtype)).reshape(shape).copy()
                    for attribute, (dtype, shape, body) in columns.items()
                },
                key,
                *present,
            )
    return state


def borders_of(document: bytes) -> list[int]:
    """Where columns and sections begin and end in the document of `encode_state`: what often stays as it was.

    Columns of less than `BORDER_BYTES_MIN` are not worth a border.
    """
    borders: list[int] = []
    at = 0
    for form, *rest in decode(document).values():
        bodies = [rest[0]] if form == "records" else [body for _, _, body in rest[1].values()]
        for body in bodies:
            if len(body) >= BORDER_BYTES_MIN:
                at = document.index(body, at)  # the document has them in this order, so it is near
                borders += [at, at + len(body)] if borders[-1:] != [at] else [at + len(body)]
                at += len(body)
    return borders


class Difference(msgspec.Struct, frozen=True):
    """One attribute of one object that differs; `left` or `right` is None where the object is missing."""

    section: str
    object: str
    attribute: str
    left: Plain
    right: Plain

    def __str__(self) -> str:
        where = f"{self.section}[{self.object}]" if self.object else self.section or "all of it"
        return f"{where}{f'.{self.attribute}' if self.attribute else ''}: {self.left!r} != {self.right!r}"


def differences(left: State, right: State) -> Iterator[Difference]:
    """What differs, by section, object and attribute, in order; nothing if the states are equal."""
    for name in sorted(left.keys() | right.keys()):
        one, other = left.get(name), right.get(name)
        if isinstance(one, Table) and isinstance(other, Table):
            yield from _table_differences(name, one, other)
        elif isinstance(one, Records) and isinstance(other, Records):
            yield from _record_differences(name, one, other)
        else:
            yield Difference(name, "", "", type(one).__name__, type(other).__name__)


def _table_differences(name: str, one: Table, other: Table) -> Iterator[Difference]:
    if one.columns.keys() != other.columns.keys():
        yield Difference(name, "", "columns", sorted(one.columns), sorted(other.columns))
        return
    if one.key != other.key:
        yield Difference(name, "", "key", one.key, other.key)
        return
    rows_one = _rows_by_object(one)
    rows_other = _rows_by_object(other)
    for row_id in sorted(rows_one.keys() ^ rows_other.keys()):
        there = row_id in rows_one
        yield Difference(name, str(row_id), "", "present" if there else None, None if there else "present")
    shared = sorted(rows_one.keys() & rows_other.keys())
    take_one = np.array([rows_one[row_id] for row_id in shared], dtype=np.int64)
    take_other = np.array([rows_other[row_id] for row_id in shared], dtype=np.int64)
    for attribute in sorted(one.columns):
        a = contiguous(one.columns[attribute][take_one])
        b = contiguous(other.columns[attribute][take_other])
        if a.shape != b.shape or a.dtype != b.dtype:
            yield Difference(name, "", attribute, f"{a.dtype}{a.shape}", f"{b.dtype}{b.shape}")
            continue
        if not a.size:
            continue
        bits_a, bits_b = (column.reshape(len(shared), -1).view(np.uint8) for column in (a, b))
        unequal = (bits_a != bits_b).any(axis=1)  # by bits, like the digest: NaN is itself, -0.0 is not 0.0
        for index in np.flatnonzero(unequal):
            yield Difference(name, str(shared[index]), attribute, a[index].tolist(), b[index].tolist())


def _rows_by_object(table: Table) -> dict[int, int]:
    length = len(next(iter(table.columns.values()), ()))
    names = table.columns[table.key].tolist() if table.key else range(length)
    return {object_id: row for row, object_id in enumerate(names)}


def _record_differences(name: str, one: Records, other: Records) -> Iterator[Difference]:
    for object_id in sorted(one.objects.keys() | other.objects.keys()):
        if (object_id in one.objects) != (object_id in other.objects):
            yield Difference(name, object_id, "", *_shown(one.objects, other.objects, object_id))
            continue
        a, b = one.objects[object_id], other.objects[object_id]
        if not (isinstance(a, Mapping) and isinstance(b, Mapping)):
            if encode(a) != encode(b):
                yield Difference(name, object_id, "", a, b)
            continue
        for attribute in sorted(a.keys() | b.keys()):
            if (attribute in a) != (attribute in b):
                yield Difference(name, object_id, attribute, *_shown(a, b, attribute))
            elif encode(a[attribute]) != encode(b[attribute]):
                yield Difference(name, object_id, attribute, a[attribute], b[attribute])


def _shown(one: Mapping[str, Plain], other: Mapping[str, Plain], name: str) -> tuple[Plain, Plain]:
    """What one side has and the other has not; a value that is None itself is told as "None"."""
    return tuple(("None" if side[name] is None else side[name]) if name in side else None for side in (one, other))  # type: ignore[return-value]
