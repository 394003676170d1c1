"""Tables of the same form merged three ways, whole columns at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.states import Array, Table
from actors.core.merging.placements import Mask, placed_by_key, placed_in_rows, placed_in_slots
from actors.core.merging.reports import NOWHERE, ColumnConflicts, Indices, Move
from actors.core.merging.rolls import Roll, Tables, bits_of, rows_of
from actors.core.merging.rules import VERDICTS, Strategy, Verdict, fates, winner
from actors.core.merging.schemes import ALL

Form = tuple[str, str, tuple[tuple[str, str, tuple[int, ...]], ...]]
Columns = Mapping[str, Array]
Selves = tuple[Columns | None, Columns, Columns]
"""Base, left and right column by column as they are compared: references as numbers that all sides share."""


def form_of(table: Table) -> Form:
    """What must be the same for two tables to be merged by object: key, presence, and each column's type and shape."""
    return (
        table.key,
        table.present,
        tuple(
            (name, column.dtype.newbyteorder("<").str, column.shape[1:])
            for name, column in sorted(table.columns.items())
        ),
    )


@dataclass(frozen=True, slots=True)
class MergedTable:
    """A merged table, its references still as numbers that all sides share.

    Attributes:
        columns: by name.
        rows: of each object of the roll; `NOWHERE` for those that are no more.
        conflicts: see `ColumnConflicts`.
        moves: who has another row than before.
    """

    columns: Columns
    rows: Indices
    conflicts: list[ColumnConflicts]
    moves: list[Move]


def merged_table(
    section: str,
    tables: Tables,
    compared: Selves,
    roll: Roll,
    strategy: Strategy,
    *,
    firsts: frozenset[tuple[str, str]] = frozenset(),
    row_step: int = 1,
    step: int = 1,
) -> MergedTable:
    """A table merged by object and attribute.

    Args:
        section: its name, for the report.
        tables: base, left and right, of one form, as they are told in the report.
        compared: the same, as they are compared and merged.
        roll: who is in them.
        strategy: who wins.
        firsts: (object, column) of what is taken from the left side.
        row_step: number of rows of which the length is a multiple when it grows.
        step: number of the side merged in, for the report.
    """
    merge = _Merge(section, tables, compared, roll, strategy, step)
    survives, source = merge.objects()
    left, right_first = tables[1], strategy == "theirs"
    length = int(np.count_nonzero(survives))
    if left.key:
        rows = placed_by_key(survives)
    elif not left.present:
        rows = placed_in_rows(roll, survives, right_first)
    else:
        slots = max(rows_of(table) for table in tables[1:])
        rows = placed_in_slots(roll, survives, right_first, slots)
        needed = int(rows.max(initial=NOWHERE)) + 1
        length = slots if needed <= slots else -(-needed // row_step) * row_step
    columns = {}
    for name in sorted(left.columns):
        taken = merge.attribute(name, source, _owned(firsts, name, roll))
        column = np.zeros((length, *compared[1][name].shape[1:]), dtype=compared[1][name].dtype)
        for side in (1, 2):
            who = np.flatnonzero(survives & (taken == side))
            column[rows[who]] = compared[side][name][roll.rows[side][who]]  # type: ignore[index]
        columns[name] = column
    moves = [] if left.key else _moves(section, roll, rows, source, step)
    return MergedTable(columns, rows, [block for block in merge.conflicts if len(block)], moves)


class _Merge:
    """One merge of a table under way; `conflicts` grows."""

    def __init__(
        self, section: str, tables: Tables, compared: Selves, roll: Roll, strategy: Strategy, step: int
    ) -> None:
        self.section, self.tables, self.compared, self.roll, self.step = section, tables, compared, roll, step
        self.winner = winner(strategy)
        self.conflicts: list[ColumnConflicts] = []
        self.there = tuple(rows != NOWHERE for rows in roll.rows)
        self._bits = [
            {name: bits_of(column) for name, column in columns.items()} if columns is not None else {}
            for columns in compared
        ]

    def objects(self) -> tuple[Mask, NDArray[np.uint8]]:
        """Who is in the merged table, and the side they come from: 1, 2, or 0 where their attributes decide."""
        in_base, in_left, in_right = self.there
        verdicts = VERDICTS[fates(in_base, in_left, self._alike(1, 0)), fates(in_base, in_right, self._alike(2, 0))]
        conflicts = verdicts == Verdict.CONFLICT
        self._tell("", conflicts)
        source = np.where(verdicts == Verdict.RIGHT, 2, np.where(verdicts == Verdict.WITHIN, 0, 1)).astype(np.uint8)
        source[conflicts] = 2 if self.winner == "right" else 1
        survives = np.where(source == 2, in_right, in_left)
        return survives, source

    def attribute(self, name: str, source: NDArray[np.uint8], owned: Mask) -> NDArray[np.uint8]:
        """The side, 1 or 2, that each object's attribute comes from."""
        taken = source.copy()
        in_base, in_left, in_right = self.there
        taken[owned & in_left & in_right] = 1
        within = np.flatnonzero(taken == 0)
        known = in_base[within]
        of_left, of_right = (
            fates(known, np.ones(len(within), np.bool_), self._same(name, side, 0, within)) for side in (1, 2)
        )
        verdicts = VERDICTS[of_left, of_right]
        apart = (verdicts == Verdict.WITHIN) & np.logical_not(self._same(name, 1, 2, within))
        taken[within] = np.where(verdicts == Verdict.RIGHT, 2, 1)
        conflicts = np.zeros(len(taken), dtype=np.bool_)
        conflicts[within[apart]] = True
        taken[conflicts] = 2 if self.winner == "right" else 1
        self._tell(name, conflicts)
        return taken

    def _alike(self, side: int, other: int) -> Mask:
        """Which objects are the same to the bit on two sides; false for those that are not on both."""
        alike: Mask = self.there[side] & self.there[other]
        who = np.flatnonzero(alike)
        for name in self._bits[side]:
            alike[who] &= self._same(name, side, other, who)
        return alike

    def _same(self, name: str, side: int, other: int, who: Indices) -> Mask:
        """For some objects, whether they have the attribute the same to the bit; false for those not on both sides."""
        same = self.there[side][who] & self.there[other][who]
        both = who[same]
        if len(both):
            one, two = (self._bits[at][name][self.roll.rows[at][both]] for at in (side, other))
            same[same] = (one == two).all(axis=1)
        return np.asarray(same, dtype=np.bool_)

    def _tell(self, attribute: str, conflicts: Mask) -> None:
        who = np.flatnonzero(conflicts)
        values = tuple(table.columns[attribute] if attribute and table is not None else None for table in self.tables)
        block = ColumnConflicts(
            self.section,
            attribute,
            who,
            self.roll.name,
            values,  # type: ignore[arg-type]
            self.roll.rows,
            self.winner,
            self.step,
        )
        self.conflicts.append(block)


def _owned(firsts: frozenset[tuple[str, str]], name: str, roll: Roll) -> Mask:
    """For which objects an attribute is the first side's."""
    objects = {object_id for object_id, attribute in firsts if attribute in (name, "")}
    if not objects or ALL in objects:
        return np.full(len(roll), bool(objects))
    return np.array([name in objects for name in roll.names(np.arange(len(roll)))], dtype=np.bool_)


def _moves(section: str, roll: Roll, rows: Indices, source: NDArray[np.uint8], step: int) -> list[Move]:
    """Who stands where neither side has them, or where only one has them though the other has moved them, too."""
    base, left, right = roll.rows
    there = rows != NOWHERE
    elsewhere = there & (rows != left) & (rows != right)
    apart = there & (left != NOWHERE) & (right != NOWHERE) & (left != right) & (left != base) & (right != base)
    found = []
    for which in np.flatnonzero(elsewhere | apart).tolist():
        from_right = bool(left[which] == NOWHERE or rows[which] == left[which] or source[which] == 2)
        row = int(right[which] if from_right else left[which])
        found.append(Move(section, roll.name(which), row, int(rows[which]), from_right, step))
    return found
