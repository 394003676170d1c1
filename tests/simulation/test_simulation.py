"""Every seed ends with the digest chain of the calm run. A seed that fails says how to see it alone."""

import re
from functools import lru_cache

import pytest
from small import Ring

from actors.core.kernel.messages import Advance

from .comparisons import PartedError, check
from .faults import HOST_POINTS, Point
from .mutations import DEFAULT_SEEDS, MUTATIONS, edited, hunt
from .runs import CalmRun, StormyRun
from .watching import WatchedSeat
from .worlds import CONTROL_TICKS, SEEDS_PER_WORLD, world_of

pytestmark = pytest.mark.xdist_group("storms")  # in one process, where a seed that was lived is known

BATCH_SEEDS = SEEDS_PER_WORLD
"""A batch shares its world, and so the calm run."""


@lru_cache(maxsize=DEFAULT_SEEDS)
def struck(seed: int) -> frozenset[Point]:
    """The points that a seed was struck by; it must have lived the calm life."""
    hit = check(seed).plan.hit
    return frozenset(point for point in HOST_POINTS if hit[point])


@pytest.mark.parametrize("first", range(0, DEFAULT_SEEDS, BATCH_SEEDS))
def test_whatever_goes_wrong_the_life_is_the_calm_one(first: int) -> None:
    faults = []
    for seed in range(first, first + BATCH_SEEDS):
        try:
            struck(seed)
        except PartedError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


def test_the_default_seeds_strike_every_point() -> None:
    hit = frozenset[Point]().union(*(struck(seed) for seed in range(DEFAULT_SEEDS)))
    assert [point.name for point in HOST_POINTS if point not in hit] == []


def test_there_are_points_enough() -> None:
    assert len(HOST_POINTS) >= 60


def test_a_seed_is_the_same_twice() -> None:
    """Else a failure could not be looked into."""
    logs = []
    for _ in range(2):
        run = StormyRun(3)
        run.live()
        logs.append((list(run.storm.lines), run.decisions, run.storm.now_s()))
    assert logs[0] == logs[1]


def test_the_worlds_are_rich() -> None:
    """What the storms are compared with has everything in it that they could spoil."""
    kinds, flows, errors, removed, failed, forks = set(), 0, 0, 0, 0, 0
    for first in range(0, DEFAULT_SEEDS, SEEDS_PER_WORLD):
        run = CalmRun(world_of(first), {})
        run.live()
        assert run.sequencer.control_tick == CONTROL_TICKS
        assert all(present == expected for present, expected in run.sequencer.conservation().values())
        kinds |= {seated.contract.kind for seated in run.sequencer.members.values()}
        flows += sum(record.events_propagated for record in run.records)
        failed += sum(len(record.failures) for record in run.records)
        errors += sum(1 for reply in run.replies if reply.error_code)
        removed += sum(run.sequencer.removals.values())
        forks += run.sequencer.forks
    assert kinds == {"players", "city", "ring", "scribe", "letterbox", "diary", "small platform"}
    assert flows > 3_000
    assert min(failed, errors, removed, forks) > 10


def test_a_broken_life_is_told_to_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that comes back luckier than it was, where no digest is taken in its replay and so nobody can know."""
    replay = WatchedSeat.replay

    def lucky(self: WatchedSeat, advance: Advance) -> bytes:
        digest = replay(self, advance)
        if not advance.grants[-1].digest and isinstance(self._member, Ring):
            self._member.state["luck"] += 1
        return digest

    monkeypatch.setattr(WatchedSeat, "replay", lucky)
    pattern = r"(?s)^seed (\d+), after .* control tick \d+, member ring_\d: ring\[luck\].* != .* python -m tests.simulation \1$"
    for seed in range(DEFAULT_SEEDS):
        try:
            check(seed)
        except PartedError as error:  # others are refused at once, because a later digest is compared
            if re.search(pattern, str(error)):
                return
    pytest.fail("no seed has told which object differs")


def test_every_mutation_fits_the_code() -> None:
    """Who changes the code that one of them is of changes the mutation, too."""
    assert len(MUTATIONS) >= 20
    for mutation in MUTATIONS:
        for file, text in edited(mutation).items():
            compile(text, file, "exec")


@pytest.mark.parametrize(
    "name", ["the last inbox is lost", "a checkpoint counts one grant too few", "a member may die once"]
)
def test_a_fault_in_the_code_is_noticed(name: str) -> None:
    """Three of many; `make mutations` tries all."""
    outcome = hunt(next(mutation for mutation in MUTATIONS if mutation.name == name))
    assert outcome.seed is not None
