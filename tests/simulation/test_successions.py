"""Clocks and their vault fail wherever a seed says, and the life is that of one clock in which nothing does."""

from functools import lru_cache

import pytest

from .comparisons import PartedError
from .courses import course_of
from .faults import CLOCK_POINTS, Point
from .mutations import DEFAULT_CLOCK_SEEDS, MUTATIONS, hunt
from .succession_comparisons import check_succession
from .successions import StormySuccession
from .worlds import CONTROL_TICKS, SEEDS_PER_WORLD

pytestmark = pytest.mark.xdist_group("successions")  # in one process, where a seed that was lived is known


@lru_cache(maxsize=DEFAULT_CLOCK_SEEDS)
def struck(seed: int) -> frozenset[Point]:
    """The points that a seed was struck by; it must have lived the calm life."""
    hit = check_succession(seed).plan.hit
    return frozenset(point for point in CLOCK_POINTS if hit[point])


@pytest.mark.parametrize("first", range(0, DEFAULT_CLOCK_SEEDS, SEEDS_PER_WORLD))
def test_whatever_goes_wrong_the_life_is_the_calm_one(first: int) -> None:
    faults = []
    for seed in range(first, first + SEEDS_PER_WORLD):
        try:
            struck(seed)
        except PartedError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


def test_the_default_seeds_strike_every_point() -> None:
    hit = frozenset[Point]().union(*(struck(seed) for seed in range(DEFAULT_CLOCK_SEEDS)))
    assert [point.name for point in CLOCK_POINTS if point not in hit] == []


def test_there_are_points_enough() -> None:
    assert len(CLOCK_POINTS) >= 30


def test_a_seed_is_the_same_twice() -> None:
    """Else a failure could not be looked into."""
    logs = []
    for _ in range(2):
        run = StormySuccession(8)
        run.live()
        logs.append((list(run.lines), run.clocks, run.journal))
    assert logs[0] == logs[1]


def test_windows_are_among_the_worlds() -> None:
    courses = [course_of(first) for first in range(0, DEFAULT_CLOCK_SEEDS, SEEDS_PER_WORLD)]
    assert {course.world.settings["lookahead_control_ticks"] for course in courses} == {1, 2, 3, 7}
    assert all(course.boundaries[-1] == CONTROL_TICKS for course in courses)


@pytest.mark.parametrize("name", ["answers leave before they are written", "a decision is forgotten by the successor"])
def test_a_fault_in_the_code_is_noticed(name: str) -> None:
    """Two of many; `make mutations` tries all."""
    outcome = hunt(next(mutation for mutation in MUTATIONS if mutation.name == name))
    assert outcome.seed is not None
