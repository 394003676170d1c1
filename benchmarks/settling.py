"""Waiting until nothing else goes on: what replaces the spare hosts that were just taken would be measured, too."""

import time

from actors.core.kernel.fleets import SPARES_AFTER_S

SPARE_STARTS_WITHIN_S = 1.5
"""Two processes that import at the same time on two cores."""


def settle() -> None:
    """Sleeps until a clock that has just been given members has its spares again, and they have started."""
    time.sleep(SPARES_AFTER_S + SPARE_STARTS_WITHIN_S)
