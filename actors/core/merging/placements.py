"""Where the objects of a merged table stand.

A key names an object wherever it stands, so a table that both sides changed is written in order of its keys. Rows without
free ones among them stay in order: those of the side that wins conflicts, then what the other has added. In a table with
slots everybody keeps the slot they have if they can: those of the side that wins conflicts first, then the others, who take the
lowest free slot if theirs is taken. Nobody is lost and nobody stands twice.
"""

import numpy as np
from numpy.typing import NDArray

from actors.core.merging.reports import NOWHERE, Indices
from actors.core.merging.rolls import Roll

Mask = NDArray[np.bool_]


def placed_by_key(survives: Mask) -> Indices:
    """The row of each object in order of the keys, which is that of a roll; `NOWHERE` for those that do not survive."""
    return np.where(survives, np.cumsum(survives, dtype=np.int64) - 1, NOWHERE)


def placed_in_rows(roll: Roll, survives: Mask, right_first: bool) -> Indices:
    """The row of each object, without gaps; `right_first` says whose additions come first."""
    wished, rather = _wishes(roll, right_first)
    who = np.flatnonzero(survives)
    span = int(wished.max(initial=NOWHERE)) + 1
    who = who[np.argsort((rather[who] == NOWHERE) * span + wished[who], kind="stable")]
    rows = np.full(len(roll), NOWHERE, dtype=np.int64)
    rows[who] = np.arange(len(who))
    return rows


def placed_in_slots(roll: Roll, survives: Mask, right_first: bool, length: int) -> Indices:
    """The slot of each object; `right_first` says who keeps a contested one, `length` how many slots there are."""
    wished, rather = _wishes(roll, right_first)
    who = np.flatnonzero(survives)
    who = who[np.argsort(wished[who] * 2 + (rather[who] != wished[who]), kind="stable")]
    keeps = np.ones(len(who), dtype=np.bool_)
    keeps[1:] = wished[who[1:]] != wished[who[:-1]]
    rows = np.full(len(roll), NOWHERE, dtype=np.int64)
    rows[who[keeps]] = wished[who[keeps]]
    moved = who[np.logical_not(keeps)]
    free = np.ones(length + len(moved), dtype=np.bool_)
    free[rows[who[keeps]]] = False
    rows[moved] = np.flatnonzero(free)[: len(moved)]
    return rows


def _wishes(roll: Roll, right_first: bool) -> tuple[Indices, Indices]:
    """Of each object: where it would stand, and its row on the side that comes first."""
    base, left, right = roll.rows
    rather, other = (right, left) if right_first else (left, right)
    moved_by_other = (rather == NOWHERE) | ((other != NOWHERE) & (rather == base))
    return np.where(moved_by_other, other, rather), rather
