"""What a merge tells: conflicts, and who has moved to another row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.codec import Plain
from actors.core.kernel.states import Array

Indices = NDArray[np.int64]
NOWHERE = -1
"""The row of an object that a side has not."""


class Conflict(msgspec.Struct, frozen=True):
    """One thing that both sides changed, each in its own way.

    Attributes:
        section: where it is.
        object: its id; "" if the whole section is in conflict.
        attribute: its name, dotted within plain data; "" if the whole object is in conflict.
        base: what it was; None if it was not.
        left: what the left side made of it, in a fold all sides so far; None if removed.
        right: what the right side made of it; None if removed.
        winner: `left` or `right`; "" if the strategy decides no conflict.
        side: number of the side that was merged in, from 1.
    """

    section: str
    object: str
    attribute: str
    base: Plain
    left: Plain
    right: Plain
    winner: str
    side: int = 1

    def __str__(self) -> str:
        where = f"{self.section}[{self.object}]" if self.object else self.section
        name = f"{where}.{self.attribute}" if self.attribute else where
        return f"{name}: {self.base!r:.80} became {self.left!r:.80} on the left and {self.right!r:.80} on the right"


class Move(msgspec.Struct, frozen=True):
    """One object that has another row now than on a side: somebody else has that row, or the sides disagree.

    Attributes:
        section: the table.
        object: its name.
        source: row on the side it comes from.
        target: row in the merged table.
        from_right: whether it comes from the right side.
        side: number of the side that was merged in, from 1.
    """

    section: str
    object: str
    source: int
    target: int
    from_right: bool
    side: int = 1


@dataclass(frozen=True, slots=True)
class ColumnConflicts:
    """Conflicts of one column, kept as columns: a world of a million people may have millions of them.

    Attributes:
        section: the table.
        attribute: the column; "" for rows as a whole, whose values are told as "present".
        who: numbers of the objects.
        name: what to call each.
        values: base, left and right; None where `attribute` is "" or the side has no such table.
        rows: of all objects in each of them; `NOWHERE` where there is none.
        winner: see `Conflict`.
        side: see `Conflict`.
    """

    section: str
    attribute: str
    who: Indices
    name: Callable[[int], str]
    values: tuple[Array | None, Array | None, Array | None]
    rows: tuple[Indices, Indices, Indices]
    winner: str
    side: int

    def __len__(self) -> int:
        return len(self.who)

    def __iter__(self) -> Iterator[Conflict]:
        for which in self.who.tolist():
            base, left, right = (
                self._told(values, int(rows[which])) for values, rows in zip(self.values, self.rows, strict=True)
            )
            yield Conflict(self.section, self.name(which), self.attribute, base, left, right, self.winner, self.side)

    def _told(self, values: Array | None, row: int) -> Any:
        if row == NOWHERE:
            return None
        return "present" if values is None else _plain(values[row].tolist())


def _plain(value: Any) -> Any:
    """A value as plain data, which has no NaN."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if value == value else "NaN"


class Conflicts:
    """All conflicts of a merge, in the order of sides and sections; made one by one when they are walked over."""

    def __init__(self) -> None:
        self._blocks: list[ColumnConflicts | list[Conflict]] = []

    def add(self, block: ColumnConflicts | list[Conflict]) -> None:
        """Puts some more at the end."""
        if len(block):
            self._blocks.append(block)

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def __iter__(self) -> Iterator[Conflict]:
        for block in self._blocks:
            yield from block
