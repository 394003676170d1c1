"""Who is in a table, on all three sides at once: each object with its row on every side.

Objects are the same on two sides if they have the same key; or, in a table known by row, the same columns of identity;
or, where nobody said what those are, the row that they had in the base. Who was not in the base is then known by all
that it is: added alike on both sides is one object, whatever the row, and added differently is two.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.states import Array, Table, contiguous
from actors.core.merging.reports import NOWHERE, Indices

SIDES = ("the base", "the left side", "the right side")
Tables = tuple[Table | None, Table, Table]


@dataclass(frozen=True, slots=True)
class Roll:
    """The objects of a table on base, left and right.

    Attributes:
        rows: of each object on each side, `NOWHERE` where it is not.
        objects: for each side, the object in each row, `NOWHERE` where there is none.
        identities: for each side, the columns that name its objects; none if the row in the base does.
    """

    rows: tuple[Indices, Indices, Indices]
    objects: tuple[Indices, Indices, Indices]
    identities: tuple[Sequence[Array], Sequence[Array], Sequence[Array]]

    def __len__(self) -> int:
        return len(self.rows[0])

    def name(self, which: int) -> str:
        """What to call an object: its key, its columns of identity joined by "/", or its row."""
        for identities, rows in zip(self.identities, self.rows, strict=True):
            if rows[which] != NOWHERE:
                named = [str(column[rows[which]].item()) for column in identities]
                return "/".join(named) if named else str(int(rows[which]))
        raise IndexError(which)

    def names(self, which: Indices) -> list[str]:
        """What to call each of several objects."""
        return [self.name(one) for one in which.tolist()]


def rows_of(table: Table | None) -> int:
    """The number of rows; 0 if there is no table or no column."""
    return len(next(iter(table.columns.values()), ())) if table is not None else 0


def present_rows(table: Table | None) -> Indices:
    """The rows in which there is an object, ascending."""
    if table is not None and table.present:
        return np.flatnonzero(table.columns[table.present].reshape(rows_of(table), -1).any(axis=1)).astype(np.int64)
    return np.arange(rows_of(table), dtype=np.int64)


def roll_of(section: str, tables: Tables, identity: tuple[str, ...] = ()) -> Roll:
    """Who is in a table of the same form on all sides.

    Args:
        section: its name, for errors.
        tables: base, left and right.
        identity: columns that say who is in a row; not for a table with a key.

    Raises:
        MergeRefusedError: a side has two objects of one name.
    """
    there = [present_rows(table) for table in tables]
    left = tables[1]
    named = (left.key,) if left.key else identity
    identities = tuple([table.columns[name] for name in named] if table is not None else [] for table in tables)
    if named:
        codes = _codes([[column[rows] for column in side] for side, rows in zip(identities, there, strict=True)], named)
    else:
        codes = _codes_by_row(tables, there)
    count = 1 + max((int(side.max()) for side in codes if len(side)), default=NOWHERE)
    rows_by_side, objects_by_side = [], []
    for table, rows, side, who in zip(tables, there, codes, SIDES, strict=True):
        held = np.bincount(side, minlength=count)
        if len(side) and int(held.max()) > 1:
            double = rows[side == int(held.argmax())]
            raise MergeRefusedError(
                f"{who} has one object of {section!r} twice, in rows {int(double[0])} and {int(double[1])} "
                f"by {' and '.join(named)}; give each a name of its own before merging."
            )
        by_object = np.full(count, NOWHERE, dtype=np.int64)
        by_object[side] = rows
        by_row = np.full(rows_of(table), NOWHERE, dtype=np.int64)
        by_row[rows] = side
        rows_by_side.append(by_object)
        objects_by_side.append(by_row)
    return Roll((*rows_by_side,), (*objects_by_side,), (*identities,))  # type: ignore[arg-type]


def bits_of(column: Array) -> NDArray[np.uint8]:
    """The bytes of a column, a row each: how values are compared, so that NaN is itself and -0.0 is not 0.0."""
    straight = contiguous(column)
    row_bytes = straight.dtype.itemsize * int(np.prod(straight.shape[1:], dtype=np.int64))
    return straight.reshape(-1).view(np.uint8).reshape(len(straight), row_bytes)


def _codes(sides: Sequence[Sequence[Array]], named: tuple[str, ...]) -> list[Indices]:
    """A number for each object, the same wherever its columns are the same to the bit; in order of the columns."""
    lengths = [len(side[0]) if side else 0 for side in sides]
    code = np.zeros(sum(lengths), dtype=np.int64)
    for place in range(len(named)):
        column = np.concatenate([contiguous(side[place]) for side in sides if side])
        if column.dtype.kind == "f":
            column = column.view(f"i{column.dtype.itemsize}")
        known, inverse = np.unique(column, return_inverse=True)
        code = np.unique(code * len(known) + inverse, return_inverse=True)[1].astype(np.int64)
    return np.split(code, np.cumsum(lengths)[:-1])


def _codes_by_row(tables: Tables, there: Sequence[Indices]) -> list[Indices]:
    base, left, right = tables
    if base is not None:
        common = np.zeros(max(map(rows_of, tables)), dtype=np.bool_)
        common[there[0]] = True
    else:
        common = np.zeros(max(rows_of(left), rows_of(right)), dtype=np.bool_)
        if not left.present:
            common[: min(rows_of(left), rows_of(right))] = True
    numbers = np.cumsum(common, dtype=np.int64) - 1
    known: dict[tuple[bytes, int], int] = {}
    codes = []
    for table, rows in zip(tables, there, strict=True):
        code = numbers[rows]
        newcomers = np.flatnonzero(np.logical_not(common[rows]))
        code[newcomers] = _newcomers(table, rows[newcomers], known, int(common.sum(dtype=np.int64)))
        codes.append(code)
    return codes


def _newcomers(table: Table | None, rows: Indices, known: dict[tuple[bytes, int], int], first: int) -> list[int]:
    """Numbers for who is new on a side, by content; the second of two alike is another one than the first."""
    if table is None or not len(rows):
        return []
    columns: Mapping[str, Array] = table.columns
    contents = np.concatenate([bits_of(columns[name][rows]) for name in sorted(columns)], axis=1)
    nth: Counter[bytes] = Counter()
    found = []
    for content in map(bytes, contents):
        nth[content] += 1
        found.append(known.setdefault((content, nth[content]), first + len(known)))
    return found
