"""Plain data merged three ways: objects of records, their attributes, and maps within them key by key."""

from collections.abc import Iterable, Mapping

from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.states import Records
from actors.core.merging.reports import Conflict
from actors.core.merging.rules import RULES, Strategy, Verdict, fate, winner
from actors.core.merging.schemes import ALL


class _Missing:
    """What is not there; None is a value."""


MISSING = _Missing()
_NOTHING: Mapping[str, Plain] = {}


def merged_records(
    section: str,
    sides: tuple[Records | None, Records, Records],
    strategy: Strategy,
    firsts: frozenset[tuple[str, str]] = frozenset(),
    step: int = 1,
    told: tuple[Records | None, Records, Records] | None = None,
) -> tuple[Records, list[Conflict]]:
    """Records merged by object, by attribute, and by key within maps; lists are single values.

    Args:
        section: its name, for the report.
        sides: base, left and right.
        strategy: who wins.
        firsts: (object, attribute) of what is taken from the left side; see `Scheme.firsts_within`.
        step: number of the side merged in, for the report.
        told: the sides as the report is to tell them, if not as they are.

    Raises:
        ValueError: something is not plain data.
    """
    base, left, right = (_NOTHING if side is None else side.objects for side in sides)
    merge = _Merge(section, strategy, firsts, step, told or sides)
    return Records(merge.maps((), base, left, right)), merge.conflicts


class _Merge:
    """One merge of records under way; `conflicts` grows."""

    def __init__(
        self,
        section: str,
        strategy: Strategy,
        firsts: frozenset[tuple[str, str]],
        step: int,
        told: tuple[Records | None, Records, Records],
    ) -> None:
        self.section, self.strategy, self.firsts, self.step, self.told = section, strategy, firsts, step, told
        self.conflicts: list[Conflict] = []

    def maps(
        self,
        path: tuple[str, ...],
        base: Mapping[str, Plain],
        left: Mapping[str, Plain],
        right: Mapping[str, Plain],
    ) -> dict[str, Plain]:
        found: dict[str, Plain] = {}
        for key in sorted(left.keys() | right.keys()):
            value = self._one((*path, key), base.get(key, MISSING), left.get(key, MISSING), right.get(key, MISSING))
            if value is not MISSING:
                found[key] = value
        return found

    def _one(self, path: tuple[str, ...], base: Plain, left: Plain, right: Plain) -> Plain:
        if self._is_firsts(path):
            return left if left is not MISSING or base is not MISSING else right
        in_base, in_left, in_right = base is not MISSING, left is not MISSING, right is not MISSING
        b, ours, theirs = (encode(side) if side is not MISSING else b"" for side in (base, left, right))
        verdict = RULES[fate(in_base, in_left, ours == b), fate(in_base, in_right, theirs == b)]
        if verdict is Verdict.LEFT or ours == theirs:
            return left
        if verdict is Verdict.RIGHT:
            return right
        if verdict is Verdict.WITHIN and isinstance(left, Mapping) and isinstance(right, Mapping):
            if not in_base:
                return self.maps(path, _NOTHING, left, right)
            if isinstance(base, Mapping):
                return self.maps(path, base, left, right)
        won = winner(self.strategy)
        was, ours_told, theirs_told = (at(side, path) for side in self.told)
        name = ".".join(path[1:])
        self.conflicts.append(Conflict(self.section, path[0], name, was, ours_told, theirs_told, won, self.step))
        return right if won == "right" else left

    def _is_firsts(self, path: tuple[str, ...]) -> bool:
        if not self.firsts:
            return False
        attribute = ".".join(path[1:])
        return (path[0], attribute) in self.firsts or (ALL, attribute) in self.firsts


def at(side: Records | None, path: Iterable[str]) -> Plain:
    """What stands at a path in a side; None if nothing does."""
    found: Plain = _NOTHING if side is None else side.objects
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found
