"""Engines: where a multiverse lives. The seam between the driver and the clock is one method call by name.

Both engines reach the same `MasterClock`: the local one in this process, the Ray one as an actor (`ray_engines.py`).
"""

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Protocol

from actors import factories
from actors.chronicles import Chronicle, Founding
from actors.clock_messages import About
from actors.core.kernel.errors import EngineError
from actors.core.kernel.settings import Settings
from actors.instance_clocks import InstanceClock
from actors.lanes import LocalLane
from actors.vaults.openings import open_vault

READS = frozenset(
    {"query", "status", "stop", "series", "records", "recoveries", "boundary", "about", "check_permission"}
)
"""Methods of the clock that never wait and run no turn."""
CLOSE_TIMEOUT_S = 10.0
"""For the tick under way to end; a member that hangs must not hold up the end."""


class Ticket(Protocol):
    """A call under way."""

    def wait(self, timeout_s: float) -> bool:
        """Whether it is over; waits at most so long."""
        ...

    def result(self) -> Any:
        """What it came to; waits for it.

        Raises:
            SoulfraError: what it raised.
        """
        ...


class Engine(Protocol):
    """Reaches the clock."""

    name: str
    lane: str
    about: About

    def call(self, method: str, *arguments: Any) -> Any:
        """Calls a method of the `MasterClock` and waits for its result.

        Raises:
            SoulfraError: what it raised, or `EngineError` if the clock cannot be reached.
        """
        ...

    def begin(self, method: str, *arguments: Any) -> Ticket:
        """Calls a method of the `MasterClock` without waiting."""
        ...

    def crash(self) -> None:
        """Kills the clock's process, to see it come back.

        Raises:
            EngineError: it has none of its own.
        """
        ...

    def end(self) -> None:
        """Ends the multiverse, also one that would outlive this process."""
        ...

    def close(self) -> None:
        """Ends the multiverse, unless it is to outlive this process; what the engine started itself goes with it."""
        ...


class LocalTicket:
    """See `Ticket`."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def wait(self, timeout_s: float) -> bool:
        """See `Ticket`."""
        try:
            self._future.exception(timeout_s)
        except FutureTimeoutError:
            return False
        return True

    def result(self) -> Any:
        """See `Ticket`."""
        return self._future.result()


class LocalEngine:
    """Everything in this process.

    Calls that may run a member's code have a thread of their own each, which an interrupt from the keyboard does not
    reach: it ends the waiting, never a turn half-way. The threads are daemons, so a realm that hangs cannot hold up the
    end of the program.
    """

    name = "local"
    lane = ""

    def __init__(
        self,
        settings: Settings,
        realm_paths: tuple[str, ...] = (),
        lane: LocalLane | None = None,
        home: tuple[str, str] | None = None,
    ) -> None:
        factories.add_realm_paths(realm_paths)

        def opened() -> Chronicle:
            name, vault = home or ("", "")
            return Chronicle(open_vault(vault), name, Founding(settings, realm_paths))

        lane = LocalLane(realm_paths) if lane is None else lane
        self._clock = InstanceClock(settings, lane, chronicle=None if home is None else opened)
        self.about = self._clock.about()

    def call(self, method: str, *arguments: Any) -> Any:
        """See `Engine`."""
        if method in READS:
            return getattr(self._clock, method)(*arguments)
        return self.begin(method, *arguments).result()

    def begin(self, method: str, *arguments: Any) -> Ticket:
        """See `Engine`."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(getattr(self._clock, method)(*arguments))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name=f"soulfra-{method}", daemon=True).start()
        return LocalTicket(future)

    def crash(self) -> None:
        """See `Engine`."""
        raise EngineError("on the local engine the clock has no process of its own to kill; use engine='ray'.")

    def end(self) -> None:
        """See `Engine`."""
        self.close()

    def close(self) -> None:
        """See `Engine`."""
        self.call("stop")
        self.begin("close").wait(CLOSE_TIMEOUT_S)
