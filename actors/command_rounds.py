"""Command rounds: what callers ask of a clock is done at its boundaries, made durable, and only then answered.

One thread at a time has the clock's turn. Whoever brings a command queues it; it is carried out at once if nobody has the
turn, and by whoever has it at the next boundary otherwise.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from actors.chronicles import Chronicle
from actors.core.kernel.effects import Script, T
from actors.core.kernel.errors import (
    CallerError,
    EngineError,
    SoulfraError,
    StaleEpochError,
    UnreachableVaultError,
    error_from,
)
from actors.core.kernel.fleets import Fleet
from actors.core.kernel.sequencing import Sequencer

COMMANDS_PER_ROUND_MAX = 1_000
"""Commands that share one transaction; more wait for the next one."""
VAULT_PATIENCE_S = 60.0
"""How long a clock waits for a vault's server that has gone away before it breaks off; a restart takes seconds."""
VAULT_RETRY_S = 0.25
WAITING_SAYS_SO_AFTER_S = 0.5
"""A clock that waits explains itself within a second; half of it is for asking."""


Request = tuple[Callable[[], Any], Future[Any]]
"""What is to be done at a boundary, and where the answer goes."""


class CommandRounds:
    """A clock at its boundaries: its turn, the commands that wait for it, and what ends it.

    A clock breaks off when nobody knows what is half done, or when what it decided cannot be written: it then carries out
    and answers nothing any more. Who derives from this and has the turn asks for a round (`_drain`) at every boundary, and
    gives the turn back before it looks after those who came meanwhile (`_drain_if_idle`).

    Args:
        sequencer: the rules.
        fleet: the members.
        chronicle: what its history is written to.
    """

    def __init__(self, sequencer: Sequencer, fleet: Fleet, chronicle: Chronicle) -> None:
        self._sequencer, self._fleet, self._chronicle = sequencer, fleet, chronicle
        self._turn = threading.Lock()
        self._queue: deque[Request] = deque()
        self._appointments: list[tuple[int, Request]] = []
        self._closed = False
        self._keeps = True
        self._broken = self._unable = self._vault_says = ""
        self._unable_code = EngineError.code
        self._writing_since = 0.0

    def _at_boundary(self, action: Callable[[], T]) -> T:
        """Does something at a boundary: at once if the clock stands, else when the tick under way is over."""
        future: Future[T] = Future()
        self._queue.append((action, future))
        self._drain_if_idle()
        return future.result()

    def _at_appointment(self, control_tick: int, action: Callable[[], T]) -> T:
        """Does something when a clock that runs has come to a control tick; at once if it stands or comes to stand."""
        future: Future[T] = Future()
        self._appointments.append((control_tick, (action, future)))
        if self._turn.acquire(blocking=False):
            try:
                self._keep_appointments()
            finally:
                self._turn.release()
        self._drain_if_idle()
        return future.result()

    def _keep_appointments(self, control_tick: int | None = None) -> None:
        """Lets what was to be done at a control tick, or before, be done at this boundary; without one, all of it."""
        for appointment in list(self._appointments):
            if control_tick is None or appointment[0] <= control_tick:
                self._appointments.remove(appointment)
                self._queue.append(appointment[1])

    def _drain_if_idle(self) -> None:
        while self._queue and self._turn.acquire(blocking=False):
            try:
                self._drain()
            finally:
                self._turn.release()

    def _drain(self) -> None:
        """One command round: what waits is done, what it wrote is made durable, and only then the answers leave."""
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        whole = not self._broken  # what has broken off before carries nothing out, and can be looked at
        while self._queue and len(done) < COMMANDS_PER_ROUND_MAX:
            action, future = self._queue.popleft()
            try:
                self._check_open()
                done.append((future, action(), None))
            except BaseException as error:
                done.append((future, None, error))
                if not isinstance(error, Exception):
                    break
        broke = whole and bool(self._broken)
        lost = (self._seal() if whole else self._overtaken()) if done else None
        for future, result, failure in done:
            if failure is None and lost is None:
                future.set_result(result)
            else:
                future.set_exception(failure if broke and failure is not None else lost or failure)
        for _, _, failure in done:
            if failure is not None and not isinstance(failure, Exception):
                raise failure

    def _seal(self) -> SoulfraError | None:
        """Makes durable what was decided. What goes wrong there is the end of this clock: it may not answer any more."""
        return None if self._unable else self._insist(lambda: self._chronicle.seal(self._sequencer.journal))

    def _overtaken(self) -> SoulfraError | None:
        try:
            self._chronicle.check()
        except SoulfraError as error:
            return error
        return None

    def _insist(self, write: Callable[[], None]) -> SoulfraError | None:
        """Writes to the vault, if need be when it can be had again. What goes wrong is the end of this clock."""
        if self._broken:
            return self._broken_off()
        self._writing_since = time.monotonic()
        try:
            while True:
                try:
                    write()
                except UnreachableVaultError as error:  # nothing was written; it may come back
                    if self._closed or time.monotonic() - self._writing_since > VAULT_PATIENCE_S:
                        return self._break_off(error)
                    self._vault_says = error.message
                    time.sleep(VAULT_RETRY_S)
                except CallerError as error:  # nothing was written, and nobody is lost
                    return error
                except SoulfraError as error:
                    return self._break_off(error)
                else:
                    return None
        finally:
            self._writing_since, self._vault_says = 0.0, ""

    def _waiting_for_vault(self) -> str:
        """That the vault is waited for, in plain words; "" if it is not."""
        since = self._writing_since
        since_s = time.monotonic() - since if since else 0.0
        if since_s < WAITING_SAYS_SO_AFTER_S:
            return ""
        says = f" ({self._vault_says.rstrip('.')})" if self._vault_says else ""
        return f"waiting for the vault since {since_s:.1f} s, and nothing is answered meanwhile{says}"

    def _break_off(self, error: SoulfraError) -> SoulfraError:
        self._broken = error.message.rstrip(".")
        if isinstance(error, StaleEpochError):
            self._fleet.close()  # its hosts are of no use to anybody any more
        return error

    def _perform(self, script: Script[T]) -> T:
        try:
            return self._fleet.carry_out(script)
        except BaseException as error:  # half of it is done, and nobody knows which half: no boundary to go on from
            self._broken = f"{type(error).__name__}: {error}".rstrip(": .")
            raise

    def _check_able(self) -> None:
        if self._unable:
            raise error_from(self._unable_code, self._unable)

    def _check_open(self) -> None:
        self._check_able()
        if self._closed:
            raise EngineError("the clock is closed; make a new multiverse.")

    def _check_whole(self) -> None:
        if self._broken:
            raise self._broken_off()

    def _broken_off(self) -> EngineError:
        what = (
            "Take it down and bring it up again: it goes on where its vault ends."
            if self._chronicle.remembers and self._keeps
            else "What was under way then is lost, so it cannot go on. Make a new multiverse."
        )
        return EngineError(
            f"the clock broke off after control tick {self._sequencer.control_tick}: {self._broken}. {what}"
        )
