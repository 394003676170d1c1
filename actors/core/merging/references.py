"""References between objects of a state, through a merge.

Where objects are known by row, a row may mean somebody else on another side, or after the merge. So before a merge such
references are written as numbers of the roll (`shared`), which mean the same on all sides; afterwards as rows again
(`as_rows`). What then names nobody who is there is dangling, whatever it is a reference to.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.states import Array, Records, Section, State, Table
from actors.core.merging.reports import NOWHERE, Indices
from actors.core.merging.rolls import SIDES, Roll, present_rows
from actors.core.merging.schemes import Reference, Scheme

NOBODY = -1
UNKNOWN = -2
"""A reference of the base to somebody who is not there: equal to no reference of the sides."""


def shared(
    sides: tuple[State | None, State, State], rolls: Mapping[str, Roll], scheme: Scheme
) -> tuple[State | None, State, State]:
    """The sides with every reference to a row written as the number of the object in its roll.

    Args:
        sides: base, left and right.
        rolls: by section known by row.
        scheme: which attributes are references.

    Raises:
        MergeRefusedError: a side refers to a row with nobody in it.
    """
    found: list[dict[str, Section] | None] = [dict(side) if side is not None else None for side in sides]
    for reference in scheme.references:
        roll = rolls.get(reference.target)
        for place, side in enumerate(found):
            section = side.get(reference.section) if side is not None else None
            if roll is None or side is None or section is None:
                continue
            objects = roll.objects[place]
            if isinstance(section, Table):
                side[reference.section] = _shared_column(section, reference, objects, place)
            else:
                side[reference.section] = Records(
                    {
                        object_id: changed_at(value, reference.attribute, _number(reference, objects, place, object_id))
                        for object_id, value in section.objects.items()
                    }
                )
    return (*found,)  # type: ignore[return-value]


def _shared_column(section: Table, reference: Reference, objects: Indices, place: int) -> Table:
    column = section.columns[reference.attribute]
    rows = present_rows(section)
    values: NDArray[Any] = column[rows]
    nobody = values == reference.nobody if reference.nobody is not None else np.zeros(values.shape, dtype=np.bool_)
    inside = (values >= 0) & (values < len(objects))
    numbers = np.full(values.shape, UNKNOWN, dtype=np.int64)
    numbers[inside] = objects[values[inside].astype(np.int64)]
    numbers[inside & (numbers == NOWHERE)] = UNKNOWN
    numbers[nobody] = NOBODY
    astray = np.argwhere(numbers == UNKNOWN)
    if len(astray) and place:
        where = tuple(astray[0].tolist())
        raise _astray(reference, place, str(int(rows[where[0]])), int(values[where]))
    whole = column.astype(np.int64)
    whole[rows] = numbers
    return Table({**section.columns, reference.attribute: whole}, section.key, section.present)


def _number(reference: Reference, objects: Indices, place: int, object_id: str) -> Callable[[Plain], int]:
    def number(value: Plain) -> int:
        if value == reference.nobody and type(value) is type(reference.nobody):
            return NOBODY
        if type(value) is int and 0 <= value < len(objects) and objects[value] != NOWHERE:
            return int(objects[value])
        if place:
            raise _astray(reference, place, object_id, value)
        return UNKNOWN

    return number


def _astray(reference: Reference, place: int, object_id: str, value: Plain) -> MergeRefusedError:
    where = f"{reference.section}[{object_id}]" + (f".{reference.attribute}" if reference.attribute else "")
    return MergeRefusedError(
        f"on {SIDES[place]} {where} refers to row {value!r:.80} of {reference.target!r}, where there is nobody; "
        "mend it before merging."
    )


def changed_at(value: Plain, attribute: str, change: Callable[[Plain], Plain]) -> Plain:
    """`value` with what stands at a dotted path changed, each one of a list; as it is where there is no such path."""
    if not attribute:
        return [change(one) for one in value] if isinstance(value, list) else change(value)
    key, *rest = attribute.split(".", 1)
    if not isinstance(value, Mapping) or key not in value:
        return value
    return {**value, key: changed_at(value[key], rest[0] if rest else "", change)}


def as_rows(
    merged: Mapping[str, Section], rows: Mapping[str, Indices], rolls: Mapping[str, Roll], forms: State, scheme: Scheme
) -> tuple[dict[str, Section], list[str]]:
    """A merged state with its references as rows again, and a sentence for each that leads to somebody who is no more.

    Args:
        merged: the state, references as numbers.
        rows: by target, the row of each object of its roll.
        rolls: by target, who is who.
        forms: by section, the side's own that it was taken from, for the types of its columns.
        scheme: which attributes are references.
    """
    found, lost = dict(merged), list[str]()
    for reference in scheme.references:
        section = found.get(reference.section)
        if reference.target not in rows or section is None:
            continue
        target, roll = rows[reference.target], rolls[reference.target]
        if isinstance(section, Table):
            own = forms[reference.section]
            dtype = own.columns[reference.attribute].dtype if isinstance(own, Table) else np.dtype(np.int64)
            found[reference.section], astray = _rows_of_column(section, reference, target, dtype)
            lost += [_sentence(reference, name, f"{roll.name(which)}, who is no more") for name, which in astray]
        else:
            objects = {}
            for object_id, value in section.objects.items():
                astray_here: list[int] = []
                objects[object_id] = changed_at(value, reference.attribute, _row_of(reference, target, astray_here))
                lost += [
                    _sentence(reference, object_id, f"{roll.name(which)}, who is no more") for which in astray_here
                ]
            found[reference.section] = Records(objects)
    return found, lost


def _rows_of_column(
    section: Table, reference: Reference, target: Indices, dtype: np.dtype[np.generic]
) -> tuple[Table, list[tuple[str, int]]]:
    column = section.columns[reference.attribute]
    rows = present_rows(section)
    numbers: NDArray[Any] = column[rows]
    known = numbers >= 0
    values = np.full(numbers.shape, NOBODY if reference.nobody is None else reference.nobody, dtype=np.int64)
    values[known] = target[numbers[known]]
    astray = known & (values == NOWHERE)
    if values.size and int(values.max()) > int(np.iinfo(dtype).max):  # type: ignore[type-var]
        raise MergeRefusedError(
            f"reference {reference}: row {int(values.max())} does not fit into a column of {dtype}; use a wider one."
        )
    whole: Array = column.astype(dtype)
    whole[rows] = values.astype(dtype)
    names = [(_own_name(section, int(rows[where[0]])), int(numbers[tuple(where)])) for where in np.argwhere(astray)]
    return Table({**section.columns, reference.attribute: whole}, section.key, section.present), names


def _row_of(reference: Reference, target: Indices, astray: list[int]) -> Callable[[Plain], Plain]:
    def row(number: Plain) -> Plain:
        if number < 0:
            return reference.nobody
        if target[number] == NOWHERE:
            astray.append(number)
            return reference.nobody
        return int(target[number])

    return row


def dangling(state: State, scheme: Scheme) -> Iterator[str]:
    """A sentence for each reference of a state to somebody who is not there."""
    for reference in scheme.references:
        section, target = state.get(reference.section), state.get(reference.target)
        if isinstance(section, Table):
            yield from _dangling_in_table(section, reference, target)
        elif section is not None:
            names = _names(target)
            for object_id in sorted(section.objects):
                named: list[Plain] = []
                changed_at(section.objects[object_id], reference.attribute, named.append)
                for one in named:
                    if one != reference.nobody and (type(one) not in (int, str) or one not in names):
                        yield _sentence(reference, object_id, f"{one!r:.80}, which is not there")


def _dangling_in_table(section: Table, reference: Reference, target: Section | None) -> Iterator[str]:
    rows = present_rows(section)
    values = section.columns[reference.attribute][rows]
    astray = np.logical_not(np.isin(values, np.array(sorted(_names(target)), dtype=np.int64)))
    if reference.nobody is not None:
        astray &= values != reference.nobody
    for where in np.argwhere(astray):
        name = _own_name(section, int(rows[where[0]]))
        yield _sentence(reference, name, f"{int(values[tuple(where)])}, which is not there")


def _names(target: Section | None) -> Mapping[Plain, None]:
    if isinstance(target, Records):
        return dict.fromkeys(target.objects)
    rows = present_rows(target)
    return dict.fromkeys((target.columns[target.key][rows] if target is not None and target.key else rows).tolist())


def _own_name(section: Table, row: int) -> str:
    return str(section.columns[section.key][row].item()) if section.key else str(row)


def _sentence(reference: Reference, object_id: str, what: str) -> str:
    where = f"{reference.section}[{object_id}]" + (f".{reference.attribute}" if reference.attribute else "")
    return f"{where} refers to {reference.target} {what}"
