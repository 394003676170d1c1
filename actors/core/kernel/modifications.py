"""Modifications: a member's state changed from outside, by dotted paths, checked against what is there.

    section.object.attribute        one object of a table, or of records
    section.*.attribute             all objects
    section.object.attribute.key    deeper into plain data

All of a modification is done or none of it: a path that leads nowhere, or a value that does not fit what is there, refuses
the whole.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.errors import CommandRefusedError, SoulfraError
from actors.core.kernel.states import Records, Section, State, Table, checked_state

MODIFY = "@modify"
"""The verb that every member has whose state can be captured, whatever its contract says."""
TRY = "@try"
"""The verb that finds out whether a modification would be refused."""
BECOME = "@become"
"""The verb with which the clock alone lets a member be what it was."""
TRY_TO_BECOME = "@try_to_become"
"""The verb that finds out whether it could."""
ALL = "*"
NAMES_SHOWN = 12
PLACE_DIGITS_MAX = 12
"""Of a place in a list; Python itself refuses to read numbers of thousands of digits."""


def modified(state: State, changes: Mapping[str, Plain]) -> tuple[State, int]:
    """A state with changes, and how many values were set; the given one is not touched.

    Args:
        state: what is there.
        changes: dotted path to value, applied in the order of the paths.

    Raises:
        CommandRefusedError: a path that leads nowhere, or a value that does not fit.
    """
    if not changes:
        raise CommandRefusedError("a modification needs at least one path, for example npcs.3.mood.")
    sections: dict[str, Section] = dict(state)
    count = 0
    for path in sorted(changes):
        value = changes[path]
        name, rest = parted(path)
        if name not in sections:
            raise CommandRefusedError(f"{path!r}: there is no section {name!r}; there are {_some(sections)}.")
        section = sections[name]
        if isinstance(section, Table):
            sections[name], changed = _in_table(section, path, rest, value)
        else:
            sections[name], changed = _in_records(section, path, rest, value)
        count += changed
    try:
        checked_state(sections)
    except ValueError as error:
        raise CommandRefusedError(f"the state would not be one any more: {error}.") from None
    return sections, count


def by_member(
    changes: Mapping[str, Plain], member_ids: Collection[str], refusal: Callable[[str, str], SoulfraError]
) -> dict[str, dict[str, Plain]]:
    """Changes of several members, told apart: those of each, by what follows its id in their paths.

    Args:
        changes: dotted path, beginning with the member's id, to value.
        member_ids: with which a path may begin.
        refusal: what to raise where one does not, from the path and what it begins with.

    Raises:
        SoulfraError: the refusal.
    """
    found: dict[str, dict[str, Plain]] = {}
    for path, value in changes.items():
        member_id, rest = parted(str(path))  # whoever asks may have given anything
        if member_id not in member_ids:
            raise refusal(path, member_id)
        found.setdefault(member_id, {})[rest] = value
    return found


def parted(path: str) -> tuple[str, str]:
    """What stands before the first dot, and what after it."""
    first, *rest = path.split(".", 1)
    return first, rest[0] if rest else ""


def _in_table(table: Table, path: str, rest: str, value: Plain) -> tuple[Table, int]:
    object_id, _, attribute = rest.rpartition(".")
    if not object_id:
        raise CommandRefusedError(f"{path!r} must read section.object.attribute, or section.*.attribute.")
    if attribute not in table.columns:
        raise CommandRefusedError(f"{path!r}: there is no attribute {attribute!r}; there are {_some(table.columns)}.")
    if attribute == table.key:
        raise CommandRefusedError(f"{path!r}: {attribute!r} names the objects and stays as it is.")
    if attribute == table.present:
        raise CommandRefusedError(f"{path!r}: {attribute!r} says which objects there are and stays as it is.")
    column = table.columns[attribute].copy()
    rows = _rows(table, path, object_id)
    column[rows] = _fitting(path, column[rows[0]], column.dtype, value)
    return Table({**table.columns, attribute: column}, table.key, table.present), len(rows)


def _rows(table: Table, path: str, object_id: str) -> list[int]:
    length = len(next(iter(table.columns.values())))
    there = np.flatnonzero(table.columns[table.present]).tolist() if table.present else range(length)
    if object_id == ALL:
        if not there:
            raise CommandRefusedError(f"{path!r}: there are no objects.")
        return list(there)
    names = table.columns[table.key] if table.key else range(length)
    found = [row for row in there if str(names[row]) == object_id]
    if not found:
        raise CommandRefusedError(f"{path!r}: there is no object {object_id!r} among {len(there):,}.")
    return found[:1]


def _fitting(path: str, present: Any, dtype: np.dtype[Any], value: Plain) -> Any:
    """`value` as the column has it; `present` is one of its values, which may be an array itself."""
    shape = np.shape(present)
    if _shape_of(value) != shape:
        form = f"a list of shape {list(shape)}" if shape else "one value"
        raise CommandRefusedError(f"{path!r}: {form} is needed, not {value!r:.80}.")
    for one in _flat(value):
        if not _fits(dtype, one):
            raise CommandRefusedError(f"{path!r}: {one!r:.80} is no {_kind(dtype)}.")
    return np.array(value, dtype=dtype)


def _flat(value: Plain) -> list[Plain]:
    if not isinstance(value, list | tuple):
        return [value]
    return [found for one in value for found in _flat(one)]


def _shape_of(value: Plain) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        return ()
    inner = {_shape_of(one) for one in value}
    return (len(value), *inner.pop()) if len(inner) == 1 else (-1,)


def _fits(dtype: np.dtype[Any], value: Plain) -> bool:
    if dtype.kind == "b":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if dtype.kind == "f":
        return isinstance(value, int | float) and abs(value) <= float(np.finfo(dtype).max)  # which NaN is not
    limits = np.iinfo(dtype)
    return isinstance(value, int) and limits.min <= value <= limits.max


def _kind(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "truth value"
    if dtype.kind == "f":
        return f"finite number of {dtype.itemsize * 8} bits"
    limits = np.iinfo(dtype)
    return f"whole number from {limits.min} to {limits.max}"


def _in_records(records: Records, path: str, rest: str, value: Plain) -> tuple[Records, int]:
    object_id, inner = parted(rest)
    if not object_id:
        raise CommandRefusedError(f"{path!r} must read section.object, or deeper.")
    if object_id == ALL and ALL not in records.objects:
        if not records.objects:
            raise CommandRefusedError(f"{path!r}: there are no objects.")
        named = list(records.objects)
    else:
        while object_id not in records.objects and inner:  # an id may have dots in it
            more, inner = parted(inner)
            object_id = f"{object_id}.{more}"
        if object_id not in records.objects:
            raise CommandRefusedError(
                f"{path!r}: there is no object {object_id!r}; there are {_some(records.objects)}."
            )
        named = [object_id]
    changed = {one: _within(path, records.objects[one], inner.split(".") if inner else [], value) for one in named}
    return Records({**records.objects, **changed}), len(named)


def _within(path: str, present: Plain, keys: list[str], value: Plain) -> Plain:
    """`present` with what the keys lead to set to `value`."""
    if not keys:
        if not _alike(present, value):
            raise CommandRefusedError(f"{path!r}: {value!r:.80} is no {type(present).__name__}, as {present!r:.80} is.")
        try:
            encode(value)
        except ValueError as error:
            raise CommandRefusedError(f"{path!r}: {error}.") from None
        return float(value) if isinstance(present, float) else value
    if isinstance(present, list | tuple):
        if not keys[0].isdecimal() or len(keys[0]) > PLACE_DIGITS_MAX or int(keys[0]) >= len(present):
            raise CommandRefusedError(f"{path!r:.200}: {keys[0]!r:.80} is no place in a list of {len(present)}.")
        at = int(keys[0])
        return [*present[:at], _within(path, present[at], keys[1:], value), *present[at + 1 :]]
    if not isinstance(present, Mapping) or keys[0] not in present:
        there = f"there are {_some(present)}" if isinstance(present, Mapping) else f"{present!r:.80} has no parts"
        raise CommandRefusedError(f"{path!r}: there is no {keys[0]!r}; {there}.")
    return {**present, keys[0]: _within(path, present[keys[0]], keys[1:], value)}


def _alike(present: Plain, value: Plain) -> bool:
    """Whether a value can stand where another one does: of the same kind, and a map with the same keys, alike within."""
    if present is None:
        return True
    if isinstance(present, Mapping):
        return (
            isinstance(value, Mapping)
            and present.keys() == value.keys()
            and all(_alike(present[key], value[key]) for key in present)
        )
    if isinstance(present, bool) or isinstance(value, bool):
        return isinstance(present, bool) and isinstance(value, bool)
    kinds: tuple[tuple[Any, Any], ...] = (
        (int, int),
        (float, int | float),
        (str, str),
        (bytes, bytes),
        (list | tuple, list | tuple),
    )
    return any(isinstance(present, one) and isinstance(value, other) for one, other in kinds)


def _some(names: Any) -> str:
    known = sorted(map(str, names))
    more = f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
    return (", ".join(known[:NAMES_SHOWN]) or "none") + more
