"""What a merge of instances tells: from what, against what, every conflict with its winner, and what would not hold."""

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.instances import instance_id
from actors.core.merging.cuts import MergedCut
from actors.core.merging.reports import Conflict
from actors.core.merging.rules import Strategy

CONFLICTS_KEPT_MAX = 1_000
"""In the reply that history remembers; whoever asks first gets all of them."""


class MergeReport(msgspec.Struct, frozen=True):
    """A merge of instances.

    Attributes:
        sources: ids of the instances, in order.
        strategy: who won conflicts.
        bases: for each source from the second on, the common ancestor it was merged against, or why there was none.
        conflicts_count: how many there are.
        conflicts: all of them; of a merge that is asked for again, the first.
        moves_count: objects that stand in another row than before.
        broken: what would not hold in the merged state, a sentence each.
        changed_count: attributes in which the result differs from the first source.
        instance_id: of the new instance; "" of a dry run.
        name: of the new instance; "" of a dry run.
        fork: the number of its domain; 0 of a dry run.
    """

    sources: tuple[str, ...]
    strategy: Strategy
    bases: tuple[str, ...]
    conflicts_count: int
    conflicts: tuple[Conflict, ...]
    moves_count: int
    broken: tuple[str, ...]
    changed_count: int
    instance_id: str = ""
    name: str = ""
    fork: int = 0


def report_on(found: MergedCut, sources: tuple[int, ...], bases: tuple[str, ...]) -> MergeReport:
    """The report of a merge that has not taken effect.

    Args:
        found: what it came to.
        sources: the numbers of the instances' domains.
        bases: see `MergeReport`.
    """
    conflicts = tuple(found.conflicts())
    merged = found.merged
    changed = sum(1 for _ in merged.differences())
    ids = tuple(map(instance_id, sources))
    return MergeReport(
        ids, merged.strategy, bases, len(conflicts), conflicts, len(merged.moves), merged.broken, changed
    )


def kept(report: MergeReport) -> bytes:
    """As much of a report as history remembers, encoded."""
    return msgspec.msgpack.encode(msgspec.structs.replace(report, conflicts=report.conflicts[:CONFLICTS_KEPT_MAX]))


def report_of(reply: Plain) -> MergeReport:
    """The report in the reply of the clock."""
    (made,) = reply
    found = msgspec.msgpack.decode(made["report"], type=MergeReport)
    return taken_effect(found, made)


def taken_effect(report: MergeReport, made: Plain) -> MergeReport:
    """The report of a merge of which an instance was made."""
    return msgspec.structs.replace(report, instance_id=made["instance_id"], name=made["name"], fork=made["fork"])
