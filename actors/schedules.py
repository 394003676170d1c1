"""Real time: when control ticks are due, and how late they were."""

import math
import threading
import time

import msgspec

LATE_AFTER_S = 0.001
"""Waking a sleeping thread takes some tenths of a millisecond; beyond one millisecond a control tick counts as late."""
BINS_PER_DOUBLING = 8
"""Lateness is counted in bins that grow by 9 %, so that an hour of it takes no more memory than a second."""
LEAST_S = 1e-5
BINS = 32 * BINS_PER_DOUBLING


class Lateness(msgspec.Struct, frozen=True):
    """How well real time was kept: control ticks that were late; worst, mean and quantiles over all, in ms.

    The quantiles are those of bins that grow by 9 %, each told by its upper end.
    """

    late: int = 0
    worst_ms: float = 0.0
    mean_ms: float = 0.0
    p99_ms: float = 0.0
    p999_ms: float = 0.0
    waits: int = 0


class Schedule:
    """Due times of control ticks in real time, and how late they were.

    Args:
        interval_s: from one control tick to the next.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._begun = time.monotonic()
        self._count = 0
        self._waits = 0
        self._late = 0
        self._worst_s = 0.0
        self._sum_s = 0.0
        self._rested = self._begun
        self._bins = [0] * (BINS + 1)

    def rest(self) -> None:
        """Notes that a run has ended."""
        self._rested = time.monotonic()

    def goes_on(self) -> bool:
        """Whether the run before ended within the last interval, however late it was; else somebody has made a pause."""
        return time.monotonic() - self._rested < self._interval_s

    def wait(self, stop: threading.Event) -> None:
        """Waits until the next control tick is due. A tick that is late starts at once, and none is skipped."""
        self._count += 1
        due = self._begun + self._count * self._interval_s
        remaining_s = due - time.monotonic()
        if remaining_s > 0:
            stop.wait(remaining_s)
        late_s = max(0.0, time.monotonic() - due)
        self._waits += 1
        self._late += late_s > LATE_AFTER_S
        self._worst_s = max(self._worst_s, late_s)
        self._sum_s += late_s
        at = 0 if late_s <= LEAST_S else 1 + int(math.log2(late_s / LEAST_S) * BINS_PER_DOUBLING)
        self._bins[min(at, BINS)] += 1

    def pass_over(self, control_ticks: int) -> None:
        """Notes control ticks that were granted together with the last one, before they were due."""
        self._count += control_ticks

    def lateness(self) -> Lateness:
        """How late they have been so far; from any thread."""
        waits = max(1, self._waits)
        return Lateness(
            self._late,
            self._worst_s * 1e3,
            self._sum_s / waits * 1e3,
            self._quantile_ms(0.99),
            self._quantile_ms(0.999),
            self._waits,
        )

    def _quantile_ms(self, share: float) -> float:
        bins = list(self._bins)
        left = math.ceil(share * sum(bins))
        for at, count in enumerate(bins):
            left -= count
            if left <= 0:
                return min(self._worst_s, LEAST_S * 2 ** (at / BINS_PER_DOUBLING)) * 1e3
        return self._worst_s * 1e3
