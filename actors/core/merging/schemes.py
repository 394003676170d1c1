"""What a merge has to be told about a state: who is who, what refers to whom, what belongs to the first side."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.states import Records, State, Table

ALL = "*"


@dataclass(frozen=True, slots=True)
class Reference:
    """One attribute whose values name objects of a section.

    Attributes:
        section: where the attribute is.
        attribute: a column of a table, or a dotted path into each object of records; "" is the object itself. The value
            is one name, or a list of them.
        target: the section whose objects are named: by id (records), by key, or by row.
        nobody: the value that names nobody.
    """

    section: str
    attribute: str
    target: str
    nobody: Plain = None

    def __str__(self) -> str:
        return f"{self.section}.{self.attribute} → {self.target}"


Invariant = Callable[[State], Iterable[str]]
"""Of a merged state, a sentence for everything that must not be so; none if all is well."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a merge has to be told; without it, objects are known by key, by row or by id, and nothing refers to anything.

    Attributes:
        identities: section to the columns that together say who is in a row, for tables whose rows are slots that one
            leaves and another takes. Without them, whoever is in a row of the base is in the same row of both sides.
        references: which attributes name objects of which section.
        first: what the first side has is taken, without conflict: `section`, `section.object`, `section.*.attribute` or
            `section.object.attribute`. For positions in time and in random streams, of which there is one each.
        row_steps: section to the number of rows of which its length is a multiple when it grows; 1 without.
        together: sections that are one single value: who wins a conflict in one of them has all of them as they were there.
        settles: functions that let the merged state keep its own counts, before anything is checked.
        invariants: checked after the merge.
    """

    identities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    first: tuple[str, ...] = ()
    row_steps: Mapping[str, int] = field(default_factory=dict)
    together: tuple[tuple[str, ...], ...] = ()
    settles: tuple[Callable[[State], State], ...] = ()
    invariants: tuple[Invariant, ...] = ()

    def group_of(self, section: str) -> tuple[str, ...]:
        """The sections that are one single value with a section; none if it is merged by itself."""
        return next((group for group in self.together if section in group), ())

    def section_is_firsts(self, section: str) -> bool:
        """Whether all of a section belongs to the first side."""
        return section in self.first

    def firsts_within(self, section: str) -> frozenset[tuple[str, str]]:
        """(object, attribute) of what belongs to the first side in a section; "*" is every object, "" the whole object."""
        found = []
        for path in self.first:
            name, *rest = path.split(".", 2)
            if name == section and rest:
                found.append((rest[0], rest[1] if len(rest) > 1 else ""))
        return frozenset(found)


def is_by_row(section: object) -> bool:
    """Whether the objects of a section are known by their rows, which a merge may have to change."""
    return isinstance(section, Table) and not section.key


def check_scheme(scheme: Scheme, sides: Mapping[str, State]) -> None:
    """Refuses a scheme that speaks of columns or sections which are in no side, or are not what it says they are.

    Args:
        scheme: what is said.
        sides: the states by the side's name.

    Raises:
        MergeRefusedError: the first thing that is not so.
    """
    for section, columns in sorted(scheme.identities.items()):
        _check_identity(section, columns, sides)
    for section, rows in sorted(scheme.row_steps.items()):
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise MergeRefusedError(f"row_steps of {section!r} must be a whole number from 1, not {rows!r}.")
    for reference in scheme.references:
        for name in (reference.section, reference.target):
            if not any(name in side for side in sides.values()):
                raise MergeRefusedError(f"reference {reference}: there is no section {name!r} on any side.")
        _check_reference(reference, sides)
    for path in scheme.first:
        if not any(path.split(".", 1)[0] in side for side in sides.values()):
            raise MergeRefusedError(f"{path!r} cannot be the first side's: there is no such section on any side.")


def _check_identity(section: str, columns: tuple[str, ...], sides: Mapping[str, State]) -> None:
    found = [side[section] for side in sides.values() if section in side]
    if not found:
        raise MergeRefusedError(f"identity of {section!r}: there is no such section on any side.")
    for table in found:
        if not isinstance(table, Table) or table.key:
            raise MergeRefusedError(f"identity of {section!r}: it is no table whose objects are known by row.")
        for name in columns:
            if name not in table.columns or table.columns[name].ndim != 1:
                raise MergeRefusedError(
                    f"identity of {section!r}: {name!r} is not one of its columns of one dimension."
                )
    if not columns:
        raise MergeRefusedError(f"identity of {section!r}: name at least one column, or leave the section out.")


def _check_reference(reference: Reference, sides: Mapping[str, State]) -> None:
    forms = {is_by_row(side[reference.target]) for side in sides.values() if reference.target in side}
    if len(forms) > 1:
        raise MergeRefusedError(f"reference {reference}: {reference.target!r} is known by row on one side only.")
    for side in sides.values():
        section, target = side.get(reference.section), side.get(reference.target)
        if not isinstance(section, Table):
            continue
        column = section.columns.get(reference.attribute)
        if column is None or column.dtype.kind not in "iu":
            raise MergeRefusedError(f"reference {reference}: the attribute must be a column of whole numbers.")
        if isinstance(target, Records):
            raise MergeRefusedError(
                f"reference {reference}: a column of numbers cannot name records, whose ids are text."
            )
