"""Laps: how long each control tick took, where several were lived without anybody's looking at the boundaries between."""

from collections.abc import Callable


class Laps:
    """Begins when it is made.

    Args:
        now_s: tells the time, in seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._began = now_s()
        self._each: list[float] = []

    def lap(self, control_ticks: int) -> None:
        """So many control ticks, granted at once, are over; they share evenly what they took."""
        now = self._now_s()
        self._each += [(now - self._began) / control_ticks] * control_ticks
        self._began = now

    def finish(self, control_ticks: int) -> list[float]:
        """What each of so many control ticks took in s, of which the last end now, whether a lap was told of them or not."""
        if control_ticks > len(self._each):
            self.lap(control_ticks - len(self._each))
        elif control_ticks:
            self._each[control_ticks - 1] += self._now_s() - self._began
        return self._each[:control_ticks]
