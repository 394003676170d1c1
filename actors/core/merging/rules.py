"""The rules of a three-way merge, as one table: what became of a thing on either side, and what becomes of it.

A thing is a section, an object, an attribute, or a key within plain data. Without a common ancestor the same table
holds: nothing was there before, so everything on a side is added.
"""

from enum import IntEnum
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.errors import MergeRefusedError

Strategy = Literal["ours", "theirs", "fail"]
"""Who wins a conflict: the left side, the right one, or nobody, and the merge is refused."""
STRATEGIES: tuple[str, ...] = get_args(Strategy)


class Fate(IntEnum):
    """What became of a thing on one side, seen from the base."""

    ABSENT = 0
    ADDED = 1
    KEPT = 2
    CHANGED = 3
    REMOVED = 4


class Verdict(IntEnum):
    """What becomes of a thing: as the left side has it, as the right one, decided within it, or by the strategy."""

    LEFT = 0
    RIGHT = 1
    WITHIN = 2
    CONFLICT = 3


RULES: dict[tuple[Fate, Fate], Verdict] = {
    (Fate.ABSENT, Fate.ADDED): Verdict.RIGHT,
    (Fate.ADDED, Fate.ABSENT): Verdict.LEFT,
    (Fate.ADDED, Fate.ADDED): Verdict.WITHIN,
    (Fate.KEPT, Fate.KEPT): Verdict.LEFT,
    (Fate.KEPT, Fate.CHANGED): Verdict.RIGHT,
    (Fate.KEPT, Fate.REMOVED): Verdict.RIGHT,
    (Fate.CHANGED, Fate.KEPT): Verdict.LEFT,
    (Fate.CHANGED, Fate.CHANGED): Verdict.WITHIN,
    (Fate.CHANGED, Fate.REMOVED): Verdict.CONFLICT,
    (Fate.REMOVED, Fate.KEPT): Verdict.LEFT,
    (Fate.REMOVED, Fate.CHANGED): Verdict.CONFLICT,
    (Fate.REMOVED, Fate.REMOVED): Verdict.LEFT,
}
"""(left, right) to verdict. What has no parts and is to be decided within is taken once if alike, else a conflict."""

VERDICTS: NDArray[np.uint8] = np.zeros((len(Fate), len(Fate)), dtype=np.uint8)
"""`RULES` for whole columns at once."""
for (_left, _right), _verdict in RULES.items():
    VERDICTS[_left, _right] = _verdict
VERDICTS.setflags(write=False)


def fate(in_base: bool, there: bool, alike: bool) -> Fate:
    """What became of a thing on a side; `alike` says whether it is as in the base, if it is in both."""
    if not in_base:
        return Fate.ADDED if there else Fate.ABSENT
    if not there:
        return Fate.REMOVED
    return Fate.KEPT if alike else Fate.CHANGED


def fates(in_base: NDArray[np.bool_], there: NDArray[np.bool_], alike: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """`fate` for many at once."""
    before = np.where(there, np.where(alike, Fate.KEPT, Fate.CHANGED), Fate.REMOVED)
    return np.where(in_base, before, np.where(there, Fate.ADDED, Fate.ABSENT)).astype(np.uint8)


def checked_strategy(strategy: object) -> Strategy:
    """`strategy`, if it is one.

    Raises:
        MergeRefusedError: it is none; the message names those there are.
    """
    if strategy not in STRATEGIES:
        raise MergeRefusedError(f"{strategy!r:.80} is no strategy of a merge; use {', '.join(STRATEGIES)}.")
    return strategy  # type: ignore[return-value]


def winner(strategy: Strategy) -> Literal["left", "right", ""]:
    """The side that wins a conflict; "" where it decides none."""
    return "left" if strategy == "ours" else "right" if strategy == "theirs" else ""
