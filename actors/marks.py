"""Marks: how far a history may be seen. Whoever takes over lives as far, so nobody sees what would not come again."""

import contextlib
import math
import threading
from collections.abc import Callable

from actors.chronicles import Chronicle
from actors.clock_messages import Pace
from actors.core.kernel.errors import SoulfraError

MARK_AHEAD_S, MARK_AHEAD_CONTROL_TICKS = 2.0, 1_000
"""How far ahead of a run it is written down that history may be seen, in real time and without."""


class Marks:
    """The mark of the history that a clock lives on, raised ahead of its runs.

    Args:
        chronicle: where it is made durable; without a vault there is none, and none is needed.
        insist: writes to the vault, if need be when it can be had again; gives what went wrong, which is the clock's end.

    Attributes:
        reached: the control tick up to which history may be seen.
    """

    def __init__(self, chronicle: Chronicle, insist: Callable[[Callable[[], None]], SoulfraError | None]) -> None:
        self._chronicle, self._insist = chronicle, insist
        self._ahead_in_realtime = math.ceil(MARK_AHEAD_S / (chronicle.settings.control_tick_ms / 1e3))
        self._marker: threading.Thread | None = None
        self.reached = 0

    def visible(self, now: int, control_tick: int, pace: Pace) -> int:
        """How far towards a control tick a run may live now: nobody may see what a successor would not live to.

        Args:
            now: where the clock stands.
            control_tick: where the run goes.
            pace: how fast it goes.

        Raises:
            SoulfraError: the mark could not be raised; the clock has broken off.
        """
        if not self._chronicle.remembers:
            return control_tick
        ahead = self._ahead_in_realtime if pace.realtime else MARK_AHEAD_CONTROL_TICKS
        limit = min(control_tick, now + ahead)
        if self.reached <= now:
            self.mark(limit)
        elif 2 * (limit - self.reached) >= ahead and self._marker is None:
            self._marker = threading.Thread(target=self._mark_ahead, args=(limit,), name="soulfra-mark", daemon=True)
            self._marker.start()
        return min(control_tick, self.reached)

    def _mark_ahead(self, control_tick: int) -> None:
        """Raises the mark while the clock ticks on; what goes wrong, the next one that is waited for will say."""
        with contextlib.suppress(SoulfraError):
            self._chronicle.mark(control_tick)
            self.reached = control_tick
        self._marker = None

    def mark(self, control_tick: int) -> None:
        """Makes durable how far this history may be seen.

        Raises:
            SoulfraError: it could not be; the clock has broken off.
        """
        if (marker := self._marker) is not None:
            marker.join()
        if self._chronicle.remembers and control_tick != self.reached:
            if (lost := self._insist(lambda: self._chronicle.mark(control_tick))) is not None:
                raise lost
            self.reached = control_tick
