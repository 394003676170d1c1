"""A row of the comparison, and the figures in it."""

import math
import statistics
from collections.abc import Sequence
from typing import Self

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one peer.

    Attributes:
        peer: whose.
        configuration: which of its ways.
        members: how many processes were in the ring.
        control_ticks: how many were measured, after the warm-up.
        p50_us, p99_us, p999_us, mean_us: wall time of a control tick in µs; None if there is no figure to trust.
        checked: whether every member heard exactly what it should have, in order.
        apart_ticks: how many control ticks the first member was ever ahead of the last one; 1 is strict lockstep, more
            means that a member waits for its neighbours only. The mean is the only figure that compares then.
        note: what else there is to say; for a row without figures the reason.
    """

    peer: str
    configuration: str
    members: int
    control_ticks: int
    p50_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    mean_us: float | None = None
    checked: bool = False
    apart_ticks: int | None = None
    note: str = ""

    @classmethod
    def measured(
        cls,
        peer: str,
        configuration: str,
        members: int,
        durations_ns: Sequence[int],
        apart_ticks: int,
        note: str = "",
    ) -> Self:
        """A row of a run that was checked, from the wall time of each of its control ticks in ns."""
        return cls(
            peer=peer,
            configuration=configuration,
            members=members,
            control_ticks=len(durations_ns),
            p50_us=percentile(durations_ns, 50) / 1e3,
            p99_us=percentile(durations_ns, 99) / 1e3,
            p999_us=percentile(durations_ns, 99.9) / 1e3,
            mean_us=statistics.fmean(durations_ns) / 1e3,
            checked=True,
            apart_ticks=apart_ticks,
            note=note,
        )


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the least value that so many per cent of all do not exceed. Never interpolated.

    Raises:
        ValueError: no values, or a percentage that is not above 0 and at most 100.
    """
    if not values:
        raise ValueError("there is no percentile of nothing.")
    if not 0 < percent <= 100:
        raise ValueError(f"a percentile is above 0 and at most 100, not {percent!r}.")
    rank = math.ceil(round(len(values) * percent / 100, 9))  # 2000 * 99.9 / 100 is 1998.0000000000002
    return sorted(values)[rank - 1]
