"""Three-way merge of states, by section, object and attribute; several sides fold from left to right.

Pure: nothing is applied, so a dry run is the same call, and the result shares nothing with what went in. What may not take
effect (undecided conflicts, dangling references, broken invariants) is in the report all the same; only `accepted` refuses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.states import (
    Difference,
    Records,
    Section,
    State,
    Table,
    decode_state,
    differences,
    encode_state,
)
from actors.core.merging.records import merged_records
from actors.core.merging.references import as_rows, dangling
from actors.core.merging.reports import Conflict, Conflicts, Indices, Move
from actors.core.merging.roll_calls import Three, rolls_of, sections_of
from actors.core.merging.rolls import SIDES, rows_of
from actors.core.merging.rules import RULES, Strategy, Verdict, checked_strategy, fate, winner
from actors.core.merging.schemes import Scheme, check_scheme, is_by_row
from actors.core.merging.tables import merged_table

NAMED_MAX = 5
"""Conflicts and broken rules that an error names; the report has them all."""
NO_SCHEME = Scheme()


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge comes to.

    Attributes:
        proposed: the merged state. Where the strategy decides no conflict, the left side stands in it.
        strategy: who won conflicts.
        conflicts: every one, with its values on base, left and right, and its winner.
        moves: whoever stands in another row than before.
        broken: a sentence for each dangling reference and each broken invariant.
        first: the first side, from which `differences` tells.
    """

    proposed: State
    strategy: Strategy
    conflicts: Conflicts
    moves: tuple[Move, ...]
    broken: tuple[str, ...]
    first: State

    def differences(self) -> Iterator[Difference]:
        """What the merge made of the first side: left as it was there, right as it is now."""
        return differences(self.first, self.proposed)

    def accepted(self) -> State:
        """The merged state, if it may take effect.

        Raises:
            MergeRefusedError: the strategy is `fail` and there are conflicts, a reference dangles, or an invariant is broken.
        """
        if self.broken:
            raise MergeRefusedError(f"the merged state would not hold: {_some(self.broken)}.")
        if self.strategy == "fail" and len(self.conflicts):
            raise MergeRefusedError(
                f"the sides are in conflict, and the strategy is to fail: {_some(self.conflicts)}. Use ours or theirs, or "
                "make them agree."
            )
        return self.proposed


def merged(
    base: State | None, ours: State, theirs: State, strategy: Strategy = "fail", scheme: Scheme = NO_SCHEME
) -> Merged:
    """Two states merged against their common ancestor, or two ways without one.

    Raises:
        MergeRefusedError: a state or the scheme is malformed, or a side refers to nobody.
    """
    return folded((ours, theirs), (base,), strategy, scheme)


def folded(
    sides: Sequence[State], bases: Sequence[State | None], strategy: Strategy = "fail", scheme: Scheme = NO_SCHEME
) -> Merged:
    """Several states merged from left to right.

    Args:
        sides: at least two.
        bases: for each side from the second on, its common ancestor with those before it; None where there is none.
        strategy: who wins a conflict.
        scheme: what there is to know about the states.

    Raises:
        MergeRefusedError: too few sides or bases, a state or the scheme is malformed, or a side refers to nobody.
    """
    checked_strategy(strategy)
    if len(sides) < 2 or len(bases) != len(sides) - 1:
        raise MergeRefusedError(
            f"a merge needs at least two sides and a base (or None) for each but the first, not {len(sides)} and {len(bases)}."
        )
    owned = [_owned(side, f"side {number}") for number, side in enumerate(sides)]
    grounds = [_owned(base, f"base {number}") if base is not None else None for number, base in enumerate(bases, 1)]
    conflicts, moves, lost = Conflicts(), list[Move](), list[str]()
    result = owned[0]
    for number, (side, base) in enumerate(zip(owned[1:], grounds, strict=True), 1):
        step = _Step((base, result, side), strategy, scheme, number, conflicts)
        result = step.result()
        moves += step.moves
        lost += step.lost
    for settle in scheme.settles:
        result = settle(result)
    result = _owned(result, "the merged state")
    broken = (*lost, *dangling(result, scheme), *(told for rule in scheme.invariants for told in rule(result)))
    return Merged(result, strategy, conflicts, tuple(moves), broken, owned[0])


class _Step:
    """The merge of one more side; `conflicts`, `moves` and `lost` grow."""

    def __init__(self, sides: Three, strategy: Strategy, scheme: Scheme, number: int, conflicts: Conflicts) -> None:
        check_scheme(scheme, {who: side for who, side in zip(SIDES, sides, strict=True) if side is not None})
        self.sides, self.strategy, self.scheme, self.number, self.conflicts = sides, strategy, scheme, number, conflicts
        self.rolls, self.compared = rolls_of(sides, scheme)
        self.rows: dict[str, Indices] = {}
        self.taken: dict[str, int] = {}
        self.moves: list[Move] = []
        self.lost: list[str] = []

    def result(self) -> State:
        _, left, right = self.compared
        found: dict[str, Section] = {}
        for name in sorted(left.keys() | right.keys()):
            section = self._section(name)
            if section is not None:
                found[name] = section
        forms = {name: (self.sides[self.taken.get(name, 1)] or {})[name] for name in found}
        rows = {name: rows for name, rows in self.rows.items() if is_by_row(self.sides[1][name])}
        state, self.lost = as_rows(found, rows, self.rolls, forms, self.scheme)
        return state

    def _section(self, name: str) -> Section | None:
        base, left, right = sections_of(self.compared, name)
        if self.scheme.section_is_firsts(name):
            return self._kept(name, 1) if left is not None or base is not None else self._kept(name, 2)
        if group := self.scheme.group_of(name):
            return self._together(name, group)
        as_base, as_left, as_right = (_bits(section) for section in (base, left, right))
        in_base = base is not None
        verdict = RULES[
            fate(in_base, left is not None, as_left == as_base), fate(in_base, right is not None, as_right == as_base)
        ]
        if verdict is Verdict.LEFT or as_left == as_right:
            return self._kept(name, 1)
        if verdict is Verdict.RIGHT:
            return self._kept(name, 2)
        if verdict is Verdict.WITHIN:
            if name in self.rolls:
                return self._table(name)
            if isinstance(left, Records) and isinstance(right, Records) and not isinstance(base, Table):
                return self._records(name, (base, left, right))
        won = winner(self.strategy)
        was, ours, theirs = (_told(section) for section in sections_of(self.sides, name))
        self.conflicts.add([Conflict(name, "", "", was, ours, theirs, won, self.number)])
        return self._kept(name, 2 if won == "right" else 1)

    def _together(self, name: str, group: tuple[str, ...]) -> Section | None:
        """A section of a group: all of it is as one side has it."""
        as_base, as_left, as_right = (
            tuple(_bits(section) for section in found)
            for found in zip(*(sections_of(self.compared, one) for one in group), strict=True)
        )
        if as_left in (as_base, as_right) or as_right == as_base:
            return self._kept(name, 2 if as_left == as_base else 1)
        won = winner(self.strategy)
        was, ours, theirs = (_told(section) for section in sections_of(self.sides, name))
        _, left, right = sections_of(self.compared, name)
        if _bits(left) != _bits(right):
            self.conflicts.add([Conflict(name, "", "", was, ours, theirs, won, self.number)])
        return self._kept(name, 2 if won == "right" else 1)

    def _kept(self, name: str, place: int) -> Section | None:
        """The section as one side has it, whose rows then are those of the merged state."""
        if name in self.rolls:
            self.rows[name] = self.rolls[name].rows[place]
        self.taken[name] = place
        return sections_of(self.compared, name)[place]

    def _table(self, name: str) -> Table:
        told = sections_of(self.sides, name)
        compared = tuple(
            section.columns if isinstance(section, Table) else None for section in sections_of(self.compared, name)
        )
        done = merged_table(
            name,
            told,  # type: ignore[arg-type]
            compared,  # type: ignore[arg-type]
            self.rolls[name],
            self.strategy,
            firsts=self.scheme.firsts_within(name),
            row_step=self.scheme.row_steps.get(name, 1),
            step=self.number,
        )
        for block in done.conflicts:
            self.conflicts.add(block)
        self.moves += done.moves
        self.rows[name] = done.rows
        left = self.sides[1][name]
        return Table(done.columns, left.key, left.present) if isinstance(left, Table) else Table(done.columns)

    def _records(self, name: str, sides: tuple[Records | None, Records, Records]) -> Records:
        told = sections_of(self.sides, name)
        firsts = self.scheme.firsts_within(name)
        section, conflicts = merged_records(name, sides, self.strategy, firsts, self.number, told)  # type: ignore[arg-type]
        self.conflicts.add(conflicts)
        return section


def _owned(state: State, who: str) -> State:
    """A copy of a state, checked, in the one form in which states are compared."""
    try:
        for name, section in state.items():
            if not isinstance(section, Table) and not isinstance(section.objects, Mapping):
                raise ValueError(f"section {name!r} has no objects by id")
        return decode_state(encode_state(state))
    except (ValueError, AttributeError, TypeError) as error:
        raise MergeRefusedError(f"{who} is no state that can be merged: {error}.") from None


def _bits(section: Section | None) -> bytes:
    return encode_state({"": section}) if section is not None else b""


def _told(section: Section | None) -> Plain:
    if section is None:
        return None
    if isinstance(section, Records):
        return f"records of {len(section.objects)} objects"
    return f"table of {rows_of(section)} rows"


def _some(found: Sequence[str] | Conflicts) -> str:
    named = [str(one) for one, _ in zip(found, range(NAMED_MAX), strict=False)]
    more = len(found) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")
