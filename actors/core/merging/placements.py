"""Where the objects of a merged table stand.

A key names an object wherever it stands, so its row only has to be the same on every machine. Where the row is the name,
everybody keeps the row they have if they can: those of the base first, then those of the side that wins conflicts, then
the others, who take the lowest free row if theirs is taken. Nobody is lost and nobody stands twice.
"""

import numpy as np
from numpy.typing import NDArray

from actors.core.merging.reports import NOWHERE, Indices
from actors.core.merging.rolls import Roll

Mask = NDArray[np.bool_]


def placed_by_key(roll: Roll, survives: Mask) -> Indices:
    """The row of each object, `NOWHERE` for those that do not survive.

    The order is that of the side that changed it; where both did, what they have in common in the order both have, or
    that of the side that changed it, or by key; whoever is only on one of them follows, by key.
    """
    base, left, right = (roll.objects[side][roll.objects[side] != NOWHERE] for side in range(3))
    leading = _changed_one(base, left, right)
    if leading is None:
        common = survives & (roll.rows[1] != NOWHERE) & (roll.rows[2] != NOWHERE)
        leading = _changed_one(*(side[common[side]] for side in (base, left, right)))
        if leading is None:
            leading = np.flatnonzero(common)
    leading = leading[survives[leading]]
    rest = survives.copy()
    rest[leading] = False
    order = np.concatenate([leading, np.flatnonzero(rest)])
    rows = np.full(len(roll), NOWHERE, dtype=np.int64)
    rows[order] = np.arange(len(order))
    return rows


def _changed_one(base: Indices, left: Indices, right: Indices) -> Indices | None:
    """Of two sequences, the one that is not the base's; None if neither is, and they differ."""
    if np.array_equal(left, right) or np.array_equal(right, base):
        return left
    return right if np.array_equal(left, base) else None


def placed_by_row(roll: Roll, survives: Mask, right_first: bool, length: int, slots: bool) -> Indices:
    """The row of each object, `NOWHERE` for those that do not survive.

    Args:
        roll: who is where on each side.
        survives: who is in the merged table.
        right_first: whether the right side's objects keep contested rows.
        length: rows that there are before anybody is moved.
        slots: whether rows may be free; otherwise those who are moved are appended and gaps are closed.
    """
    base, left, right = roll.rows
    rather, other = (right, left) if right_first else (left, right)
    wished = np.where(rather == NOWHERE, other, rather)
    both = (left != NOWHERE) & (right != NOWHERE)
    wished = np.where(both & (rather == base), other, wished)
    rank = np.where(wished == base, 0, np.where(rather == wished, 1, 2))
    who = np.flatnonzero(survives)
    who = who[np.argsort(wished[who] * 3 + rank[who], kind="stable")]
    keeps = np.ones(len(who), dtype=np.bool_)
    keeps[1:] = wished[who[1:]] != wished[who[:-1]]
    rows = np.full(len(roll), NOWHERE, dtype=np.int64)
    rows[who[keeps]] = wished[who[keeps]]
    moved = who[np.logical_not(keeps)]
    free = np.ones(length + len(moved), dtype=np.bool_)
    free[rows[who[keeps]]] = False
    if not slots:
        free[:length] = False
    rows[moved] = np.flatnonzero(free)[: len(moved)]
    if not slots:
        rows[who] = np.cumsum(np.bincount(rows[who], minlength=length), dtype=np.int64)[rows[who]] - 1
    return rows
