"""Due times of control ticks in real time, and how late they were."""

import threading
import time

import msgspec

LATE_AFTER_S = 0.001
"""Waking a sleeping thread takes some tenths of a millisecond; beyond one millisecond a control tick counts as late."""


class Lateness(msgspec.Struct, frozen=True):
    """How well real time was kept: control ticks that were late, the worst and the mean over all, in ms."""

    late: int = 0
    worst_ms: float = 0.0
    mean_ms: float = 0.0


class Schedule:
    """When the control ticks of one run are due.

    Args:
        interval_s: of one control tick.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._begun = time.monotonic()
        self._count = 0
        self._late = 0
        self._worst_s = 0.0
        self._sum_s = 0.0
        self._rested = self._begun

    def rest(self) -> None:
        """Notes that a run has ended."""
        self._rested = time.monotonic()

    def goes_on(self) -> bool:
        """Whether the run before ended within the last interval, however late it was; else somebody has made a pause."""
        return time.monotonic() - self._rested < self._interval_s

    def wait(self, stop: threading.Event) -> Lateness:
        """Waits until the next control tick is due; returns how late they have been so far.

        A tick that is late starts at once, and none is skipped.
        """
        self._count += 1
        due = self._begun + self._count * self._interval_s
        remaining_s = due - time.monotonic()
        if remaining_s > 0:
            stop.wait(remaining_s)
        late_s = max(0.0, time.monotonic() - due)
        self._late += late_s > LATE_AFTER_S
        self._worst_s = max(self._worst_s, late_s)
        self._sum_s += late_s
        return Lateness(self._late, self._worst_s * 1e3, self._sum_s / self._count * 1e3)
