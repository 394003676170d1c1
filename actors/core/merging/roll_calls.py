"""The rolls of all tables of a state, and the state's sides with references that mean the same on all of them.

Who is new and without a name is known by all of their attributes, references among them. So a table is called after those
that it refers to. Where tables without names refer to one another in a ring, one of them has to be called by rows: two who are
alike but for whom they refer to are then one, in conflict, and the report says so.
"""

from collections.abc import Sequence

from actors.core.kernel.states import Section, State, Table
from actors.core.merging.references import shared
from actors.core.merging.rolls import Roll, roll_of
from actors.core.merging.schemes import Scheme, is_by_row
from actors.core.merging.tables import form_of

Three = tuple[State | None, State, State]


def rolls_of(sides: Three, scheme: Scheme) -> tuple[dict[str, Roll], Three]:
    """The roll of each table that is of one form wherever it is, and the sides with shared references.

    Raises:
        MergeRefusedError: a side has two objects of one name, or refers to nobody.
    """
    _, left, right = sides
    names = [name for name in sorted(left.keys() & right.keys()) if _of_one_form(sections_of(sides, name))]
    rolls: dict[str, Roll] = {}
    for name in names:
        if not is_by_row(left[name]) or name in scheme.identities:
            rolls[name] = roll_of(name, sections_of(sides, name), scheme.identities.get(name, ()))  # type: ignore[arg-type]
    waiting = [name for name in names if name not in rolls]
    compared = shared(sides, _by_row(rolls, left), scheme)
    while waiting:
        name = next((one for one in waiting if not _targets(one, scheme).intersection(waiting)), waiting[0])
        waiting.remove(name)
        rolls[name] = roll_of(name, sections_of(compared, name))  # type: ignore[arg-type]
        compared = shared(compared, {name: rolls[name]}, scheme)
    return rolls, compared


def sections_of(sides: Three, name: str) -> tuple[Section | None, Section | None, Section | None]:
    """One section on base, left and right; None where it is not."""
    base, left, right = sides
    return base.get(name) if base is not None else None, left.get(name), right.get(name)


def _by_row(rolls: dict[str, Roll], side: State) -> dict[str, Roll]:
    return {name: roll for name, roll in rolls.items() if is_by_row(side[name])}


def _targets(name: str, scheme: Scheme) -> frozenset[str]:
    return frozenset(reference.target for reference in scheme.references if reference.section == name)


def _of_one_form(tables: Sequence[Section | None]) -> bool:
    there = [table for table in tables if table is not None]
    forms = [form_of(table) for table in there if isinstance(table, Table)]
    return len(forms) == len(there) and all(form == forms[0] for form in forms)
