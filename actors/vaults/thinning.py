"""Which of many boundaries may go, so that those which stay lie the further apart, the older they are."""

import heapq
from collections.abc import Sequence

from actors.vaults.records import Instant

STAY_LEAST = 3
"""The newest two and the first."""


def too_many(newest: Instant, before: Sequence[Instant], kept_max: int | None) -> list[Instant]:
    """Those that are too many: so chosen that the gaps between the others grow with their age.

    Args:
        newest: the newest.
        before: all the others, newest first.
        kept_max: how many may be kept; the newest two and the first always are. None for any number.
    """
    last = len(before) - 1
    count = 0 if kept_max is None else last + 2 - max(kept_max, STAY_LEAST)
    if count <= 0:
        return []
    newer, older = [at - 1 for at in range(last + 1)], [at + 1 for at in range(last + 1)]  # of those that are left

    def gap(at: int) -> float:
        """What there would be without it, for its age."""
        return (before[newer[at]][0] - before[older[at]][0]) / (newest[0] - before[at][0] + 1)

    gaps = [(gap(at), at) for at in range(1, last)]
    heapq.heapify(gaps)  # looking through all of them for each one that goes took 13 s for 9,000 of 10,000
    gone: dict[int, None] = {}
    while len(gone) < count:
        size, at = heapq.heappop(gaps)
        if at in gone or size != gap(at):  # a neighbour has gone since, and it is there once more
            continue
        gone[at] = None
        newer[older[at]], older[newer[at]] = newer[at], older[at]
        for neighbour in (newer[at], older[at]):
            if 0 < neighbour < last:
                heapq.heappush(gaps, (gap(neighbour), neighbour))
    return [before[at] for at in gone]
