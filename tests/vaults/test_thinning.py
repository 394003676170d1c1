"""Which of many may go: as if each that goes were looked for among all that are left."""

import random

import pytest

from actors.vaults.records import Instant
from actors.vaults.thinning import too_many


def looked_for(newest: Instant, before: list[Instant], kept_max: int | None) -> list[Instant]:
    """The same in as few words as possible, however long it takes."""
    left, gone = list(before), []
    while kept_max is not None and len(left) + 1 > kept_max and len(left) > 2:
        gaps = [
            ((left[at - 1][0] - left[at + 1][0]) / (newest[0] - left[at][0] + 1), at) for at in range(1, len(left) - 1)
        ]
        gone.append(left.pop(min(gaps)[1]))
    return gone


@pytest.mark.parametrize("seed", range(100))
def test_it_is_always_the_one_whose_gap_is_the_smallest_for_its_age(seed: int) -> None:
    draw = random.Random(seed)
    ticks = draw.randint(1, 100)
    instants = {(draw.randrange(ticks), draw.randrange(3)) for _ in range(draw.randint(1, 60))}
    newest, *before = sorted(instants, reverse=True)
    for kept_max in (None, 0, 3, 4, 5, 10, 30, 60):
        assert too_many(newest, before, kept_max) == looked_for(newest, before, kept_max), kept_max


def test_many_go_at_once_in_no_time() -> None:
    newest, *before = [(tick, 0) for tick in range(100_000, 0, -1)]
    gone = too_many(newest, before, 10)
    left = [tick for tick, _ in sorted({newest, *before} - set(gone))]
    assert len(left) == 10 and left[0] == 1 and left[-2:] == [99_999, 100_000]
