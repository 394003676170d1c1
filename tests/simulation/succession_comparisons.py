"""Whether a life under clocks that die was the calm one of its course; and if not, where they part."""

from functools import lru_cache

import msgspec

from actors.core.kernel.commands import Decision, JournalEntry, Reply
from actors.core.kernel.errors import ERRORS_BY_CODE, CallerError

from .comparisons import CALM_RUNS_KEPT_MAX, PartedError
from .courses import CalmSuccession
from .faults import Point
from .successions import StormySuccession
from .worlds import SEEDS_PER_WORLD

CALLER_CODES = {code for code, kind in ERRORS_BY_CODE.items() if issubclass(kind, CallerError)}


@lru_cache(maxsize=CALM_RUNS_KEPT_MAX)
def _calm(first_seed: int, decided: tuple[tuple[int, Decision], ...]) -> CalmSuccession:
    run = CalmSuccession(first_seed, decided)
    run.live()
    return run


def check_succession(seed: int) -> StormySuccession:
    """Lives a seed and compares it with the calm run.

    Raises:
        PartedError: it is another life, or a clock broke, hung or did what it never must.
    """
    run = StormySuccession(seed)
    broken: Exception | None = None
    try:
        run.live()
    except Exception as error:
        broken = error
    decided = tuple((one.control_tick, one.decision) for one in run.journal if one.decision is not None)
    try:
        what = _first_difference(run, _calm(seed - seed % SEEDS_PER_WORLD, decided), whole=broken is None)
    except Exception as error:
        what = f"the calm run breaks: {error}"
    if broken is not None:
        what = f"{type(broken).__name__}: {broken}" + (f"; before that, {what}" if what else "")
    if what:
        struck = ", ".join(point.name for point in Point if run.plan.hit[point]) or "nothing"
        raise PartedError(
            f"seed {seed}, after control tick {run.seen}: {what}\n"
            f"  it was struck by: {struck}\n"
            f"  to see it alone: python -m tests.simulation --clocks {seed}"
        ) from broken
    return run


def _first_difference(run: StormySuccession, calm: CalmSuccession, *, whole: bool) -> str:
    for tick, expected in sorted(calm.records.items()):
        record = run.records.get(tick)
        if record != expected and (whole or record is not None):
            if record is None:
                return f"control tick {tick} is missing"
            differs = [one for one in sorted(expected.members) if expected.members[one] != record.members.get(one)]
            return f"control tick {tick}, member {differs[0] if differs else '(under way)'}: {record}, not {expected}"
    if not whole:
        return ""
    for number, (reply, answer) in enumerate(zip(run.replies, calm.replies, strict=False)):
        if reply != answer and not _was_refused_later(reply, answer):
            return f"reply {number} is {reply}, not {answer}"
    if len(run.replies) != len(calm.replies):
        return f"there are {len(run.replies)} replies, not {len(calm.replies)}"
    if [_unnamed(one) for one in run.journal] != calm.journal:
        return "the journals differ"
    if (run.chain, run.digests) != (calm.chain, calm.digests):
        return "the digests differ"
    for quantity, (present, due) in run.conservation.items():
        if present != due:
            return f"there is {present} of {quantity}, and there should be {due}"
    return ""


def _was_refused_later(reply: Reply, answer: Reply) -> bool:
    """A refusal that is no history may be given again, after what came with it in the same round; it tells who is there then."""
    same_tick = reply.boundary.control_tick == answer.boundary.control_tick
    later = same_tick and reply.boundary.position > answer.boundary.position
    return later and reply.error_code == answer.error_code and reply.error_code in CALLER_CODES


def _unnamed(entry: JournalEntry) -> JournalEntry:
    """As it was asked in the calm run, where nobody needs a name."""
    return msgspec.structs.replace(entry, command_id="")
