"""Interrupts of a run: noted when they come, heeded between two looks at the run.

Python raises `KeyboardInterrupt` between any two steps of the main thread: also where a lock has just been taken and nobody
gives it back, or in a callback whose exceptions nobody hears. A run that is to end at a boundary whatever the moment
cannot be left to that.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted_interrupts() -> Iterator[Callable[[], None]]:
    """Notes the first request to end, SIGINT or SIGTERM; any further one raises `KeyboardInterrupt` where it finds us.

    Yields what raises `KeyboardInterrupt` if a request has been noted: to be called wherever that does no harm. Signals
    reach the main thread alone; in another one this changes nothing.
    """
    noted = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal noted
        if noted:
            raise KeyboardInterrupt
        noted = True

    def heed() -> None:
        if noted:
            raise KeyboardInterrupt

    before = {which: signal.signal(which, note) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield heed
    finally:
        for which, handler in before.items():
            signal.signal(which, signal.SIG_DFL if handler is None else handler)  # None: not set from Python
