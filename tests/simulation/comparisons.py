"""Whether a run came to what the calm run of its world came to; and if not, the first tick, member and object."""

from functools import lru_cache
from itertools import islice

from actors.core.kernel.states import differences

from .faults import HOST_POINTS
from .runs import CalmRun, Decisions, StormyRun
from .transports import MisdeedError
from .worlds import SEEDS_PER_WORLD, world_of

DIFFERENCES_SHOWN_MAX = 5
UNDER_WAY = "(under way)"
"""Stands for what no member holds."""
CALM_RUNS_KEPT_MAX = 4


class PartedError(AssertionError):
    """A seed whose run is not the calm one."""


@lru_cache(maxsize=CALM_RUNS_KEPT_MAX)
def _calm(first_seed: int) -> CalmRun:
    run = CalmRun(world_of(first_seed), {})
    run.live()
    return run


def calm_run(seed: int, decisions: Decisions) -> CalmRun:
    """The calm run of a seed's world; shared, where nothing was decided by wall time."""
    if not decisions:
        return _calm(seed - seed % SEEDS_PER_WORLD)
    run = CalmRun(world_of(seed), decisions)
    try:
        run.live()
    except Exception as error:
        at = run.sequencer.control_tick
        raise PartedError(f"seed {seed}, after control tick {at}: the calm run breaks: {error}") from error
    return run


def check(seed: int) -> StormyRun:
    """Lives a seed and compares it with the calm run.

    Raises:
        PartedError: it is another life, or the clock broke, hung or did what it never must; with everything to find out why.
    """
    run = StormyRun(seed)
    broken: Exception | None = None
    try:
        run.live()
    except Exception as error:
        broken = error
    what = _first_difference(run, calm_run(seed, run.decisions), whole=broken is None)
    if not what and broken is None:
        try:
            run.check_end()
        except MisdeedError as error:
            broken = error
    if broken is not None:
        what = f"{type(broken).__name__}: {broken}" + (f"; before that, {what}" if what else "")
    if what:
        raise PartedError(_told(seed, run, what)) from broken
    return run


def _told(seed: int, run: StormyRun, what: str) -> str:
    struck = ", ".join(point.name for point in HOST_POINTS if run.plan.hit[point]) or "nothing"
    waiting = "; ".join(map(str, run.fleet.waiting()))
    return (
        f"seed {seed}, after control tick {run.sequencer.control_tick}: {what}\n"
        f"  it was struck by: {struck}\n"
        + (f"  the clock was {waiting}\n" if waiting else "")
        + f"  to see it alone: python -m tests.simulation {seed}"
    )


def _first_difference(run: StormyRun, calm: CalmRun, *, whole: bool) -> str:
    """Where a run has parted from the calm one, in words; "" if it has not, as far as it came."""
    for one, other in zip(run.records, calm.records, strict=whole):
        if one != other:
            differs = [key for key in sorted(one.members) if one.members[key] != other.members.get(key)]
            member_id = differs[0] if differs else UNDER_WAY
            return f"control tick {one.control_tick_id}, member {member_id}: {_objects(run, calm, one.control_tick_id, member_id)}"
    if not whole:
        return ""
    for number, (reply, expected) in enumerate(zip(run.replies, calm.replies, strict=True)):
        if reply != expected:
            return f"reply {number} is {reply}, not {expected}"
    if run.sequencer.journal != [*calm.sequencer.journal]:
        return "the journals differ"
    if (run.sequencer.chain, run.last_digest) != (calm.sequencer.chain, calm.last_digest):
        return "the digest at the end differs"
    return ""


def _objects(run: StormyRun, calm: CalmRun, control_tick: int, member_id: str) -> str:
    """What differs in a member, from both runs lived once more up to there."""
    if member_id == UNDER_WAY:
        one, other = run.records[control_tick - 1], calm.records[control_tick - 1]
        return f"{one.flows} {one.failures}, not {other.flows} {other.failures}"
    again, calm_again = StormyRun(run.seed), CalmRun(run.world, run.decisions)
    again.live(control_tick)
    calm_again.live(control_tick)
    left, right = again.state(member_id), calm_again.state(member_id)
    if left is None or right is None:
        return "nobody has its state"
    found = "; ".join(map(str, islice(differences(left, right), DIFFERENCES_SHOWN_MAX)))
    return found or "no object of its state; its local tick or its next number"
