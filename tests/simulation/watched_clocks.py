"""A real clock that says when it passes a point; and its process, which may die there or be overtaken.

A clock that dies leaves nothing behind but what its vault has. So a death is an exception, which unwinds what the clock was
doing; and whatever the clock still tries as it unwinds throws the same.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from actors.chronicles import Chronicle, Founding
from actors.clock_messages import Metrics
from actors.clocks import MasterClock
from actors.core.kernel.commands import ClockCommand, JournalEntry, Reply
from actors.core.kernel.effects import Script, T
from actors.core.kernel.errors import SoulfraError
from actors.core.kernel.keeping import Kept
from actors.core.kernel.lanes import Signal
from actors.core.kernel.messages import Advance, pack
from actors.core.kernel.settings import Settings
from actors.core.kernel.ticking import TickRecord
from actors.replays import Replay
from actors.vaults.vaults import Vault

from .faults import ClockPlan, Point
from .ledgers import NAME, WatchedVault
from .runs import REALMS
from .transports import GHOST_REQUEST, SimulatedLane, SimulatedProcess

TAKING_OVER, AT_WORK = "taking over", "at work"


class ClockKilled(BaseException):
    """The clock's process ends here."""


class Driver(Protocol):
    """Whoever asks the clocks, as the process of one of them sees it.

    Attributes:
        plan: what goes wrong.
        lines: what has happened, for people.
        dies_again: whether the next clock dies as it resumes, as the one before it did.
    """

    plan: ClockPlan
    lines: deque[str]
    dies_again: bool

    def log(self, line: str) -> None:
        """Notes a line for people."""
        ...

    def take_over(self) -> None:
        """Makes another clock on the same vault."""
        ...

    def note(self, clock: "WatchedClock", records: list[TickRecord]) -> None:
        """A clock has lived control ticks, for the first time or again."""
        ...


class ClockProcess:
    """The process of one clock.

    Attributes:
        alive: whether it still computes.
        overtaken: whether another one has taken over from it.
        may_answer: whether it was overtaken when what it says was written already.
        harm: what was done to it; "" if it has no reason to break off.
        phase: what it is at.
        carried_out: commands so far of the present round; -1 outside of one.
    """

    def __init__(self, run: Driver) -> None:
        self.run, self.plan = run, run.plan
        self.alive, self.overtaken, self.may_answer = True, False, False
        self.harm, self.phase, self.carried_out = "", TAKING_OVER, -1
        self.clock: WatchedClock
        self.waiting_keyframe: LateThread | None = None

    def passes(self, *points: Point) -> None:
        """See `Writer`."""
        if not self.alive:
            raise ClockKilled
        for point in () if self.overtaken else points:
            if self.plan.strikes(point):
                self.die(point)

    def die(self, point: Point) -> None:
        """Ends the process."""
        self.run.log(f"the clock dies: {point.name}")
        self.alive = False
        raise ClockKilled

    def is_struck(self, point: Point) -> bool:
        """See `Writer`."""
        if self.alive and not self.overtaken and self.plan.strikes(point):
            self.run.log(f"struck: {point.name}")
            return True
        return False

    def may_be_overtaken(self, point: Point) -> None:
        """See `Writer`."""
        if self.is_struck(point):
            self.run.take_over()


class LateThread:
    """A thread that does its work at once, or when the world has gone on: a keyframe's writer."""

    def __init__(self, *, target: Callable[..., None], args: tuple[Any, ...], name: str, daemon: bool) -> None:
        self._work: Callable[[], None] | None = lambda: target(*args)
        self._ticks = 0

    def start(self) -> None:
        """See `threading.Thread`."""
        process = _Present.process
        assert process is not None
        plan = process.plan
        if plan.strikes(Point.KEYFRAME_LATE) or plan.chance(plan.late):
            self._ticks = plan.rng.randint(1, 3)
            process.waiting_keyframe = self
        else:
            self.join()

    def is_alive(self) -> bool:
        """See `threading.Thread`."""
        return self._work is not None

    def join(self) -> None:
        """See `threading.Thread`."""
        work, self._work = self._work, None
        if work is not None:
            work()

    def let_tick_pass(self, process: ClockProcess) -> None:
        """The world has gone on for a control tick, or several."""
        self._ticks -= 1
        if self._ticks <= 0 and self._work is not None:
            process.plan.note(Point.KEYFRAME_LATE)
            self.join()


class _Present:
    """Whose keyframe is being offered."""

    process: ClockProcess | None = None


class Ear(Future[Any]):
    """Whoever waits for an answer: the clock may die between telling two of them."""

    def __init__(self, process: ClockProcess, *, first: bool) -> None:
        super().__init__()
        self._process, self._first = process, first

    def set_result(self, result: Any) -> None:
        """See `Future`."""
        self._process.passes(*() if self._first else (Point.SOME_ANSWERED,))
        super().set_result(result)


class ClockLane(SimulatedLane):
    """The lane of one clock: it ends with it."""

    def __init__(self, plan: ClockPlan, process: ClockProcess, now_s: float) -> None:
        super().__init__(plan, REALMS)
        self.process = process
        self._now_s = now_s
        self.lines = process.run.lines
        self.name_of = lambda host_id: process.clock._fleet._carried[host_id].member_id

    def receive(self, timeout_s: float) -> Any:
        """See `Lane`."""
        process = self.process
        process.passes()
        signals: list[Signal] = list(super().receive(timeout_s))
        fleet = process.clock._fleet
        if fleet._awaited and fleet._outcomes:
            self._pass_midst(process, list(fleet._awaited.values()))
        elif process.phase == AT_WORK and any(_is_returning(one) for one in fleet._awaited.values()):
            process.passes(Point.IN_A_RETURN)
        return signals

    def _pass_midst(self, process: ClockProcess, awaited: list[Kept]) -> None:
        """Some have answered, and others have not."""
        if process.phase == TAKING_OVER:
            process.passes(Point.IN_RESTORE)
        elif process.phase == AT_WORK and process.clock._ticking:
            process.passes(Point.IN_EXCHANGE)
            if self.carriers() and process.is_struck(Point.HOST_AND_CLOCK):
                self.plan.rng.choice(self.carriers()).die(Point.HOST_AND_CLOCK.name)
                process.die(Point.HOST_AND_CLOCK)
            process.may_be_overtaken(Point.OVERTAKEN_IN_TICK)

    def send(self, host_id: str, parcel: bytes) -> None:
        """See `Lane`."""
        process = self.process
        process.passes()
        if process.phase == AT_WORK and process.carried_out >= 0:
            process.passes(Point.IN_COMMAND_ROUND)
        super().send(host_id, parcel)

    def _send_ghosts(self, process: SimulatedProcess, advance: Advance) -> float:
        grant = advance.grants[0]
        if grant.epoch < 2 or not self.plan.strikes(Point.OLD_CLOCK_GRANTS):
            return super()._send_ghosts(process, advance)
        forged = msgspec.structs.replace(grant, epoch=grant.epoch - 1, local_ticks=grant.local_ticks + 1)
        parcel = pack(Advance(GHOST_REQUEST + advance.request, (forged,)))
        self.later(0.0, lambda: self._deliver(process, parcel))
        return 0.1


def _is_returning(kept: Kept) -> bool:
    return bool(kept.embodying) and not kept.newborn


class WatchedClock(MasterClock):
    """A clock whose process may die, and that writes down what every control tick came to."""

    def __init__(self, process: ClockProcess, settings: Settings, lane: ClockLane, vault: Vault) -> None:
        self.process = process
        process.clock = self

        def chronicle() -> Chronicle:
            opened = Chronicle(WatchedVault(vault, process), NAME, Founding(settings))
            process.passes(*(Point.EPOCH_UNHEARD,) if opened.resumes else ())
            return opened

        super().__init__(settings, lane, process.plan.rng.randrange(3), chronicle)

    def _tend(self) -> None:
        """Nobody but the one thread; see `StormySuccession.rest`."""

    def _resume(self) -> None:
        super()._resume()
        process, run = self.process, self.process.run
        process.may_be_overtaken(Point.OVERTAKEN_RESUMING)
        if run.dies_again:
            run.dies_again = False
            process.plan.note(Point.RESUMES_TWICE)
            process.die(Point.RESUMES_TWICE)
        if process.plan.arms(Point.RESUMES_TWICE):
            run.dies_again = True
            process.die(Point.RESUMES_TWICE)

    def _replay(self) -> Replay:
        replay = super()._replay()
        carry_out = replay._carry_out

        def watched(entry: JournalEntry) -> None:
            carry_out(entry)
            self.process.passes(Point.IN_REPLAY)

        replay._carry_out = watched  # type: ignore[method-assign]
        return replay

    def _perform(self, script: Script[T]) -> T:
        self.process.passes()
        self._lane.begin()  # type: ignore[attr-defined]
        return super()._perform(script)

    def _live(self, control_ticks_max: int) -> list[Metrics]:
        lived = super()._live(control_ticks_max)
        process = self.process
        process.run.note(self, [record for record in self.records() if record.control_tick_id in _ids(lived)])
        if process.phase == TAKING_OVER:
            process.passes(Point.LIVING_ON)
        elif process.phase == AT_WORK:
            decided = bool(self._sequencer.journal)
            process.passes(*(Point.DECISION_UNSEALED,) if decided else (), Point.TICK_LIVED)
        if process.waiting_keyframe is not None:
            process.waiting_keyframe.let_tick_pass(process)
        return lived

    def _tick(self, control_ticks_max: int) -> list[Metrics]:
        _Present.process = self.process
        return super()._tick(control_ticks_max)

    def _drain(self) -> None:
        self.process.carried_out = 0
        super()._drain()
        self.process.carried_out = -1

    def _carry_out(self, command: ClockCommand, command_id: str, principal: str = "") -> Reply:
        process = self.process
        process.passes(Point.BETWEEN_COMMANDS if process.carried_out else Point.COMMAND_UNHEARD)
        reply = super()._carry_out(command, command_id, principal)
        process.carried_out += 1
        process.passes(Point.COMMAND_APPLIED)
        process.may_be_overtaken(Point.OVERTAKEN_IN_ROUND)
        return reply

    def _seal(self) -> SoulfraError | None:
        process = self.process
        process.passes()
        wrote = bool(self._sequencer.journal)
        lost = super()._seal()
        if process.carried_out > 0 and lost is None:
            process.passes(Point.ANSWERS_UNSENT)
            if wrote and process.is_struck(Point.OVERTAKEN_ANSWERS):
                process.may_answer = True  # it was written before the other one came, so it is true
                process.run.take_over()
        elif process.carried_out < 0 and wrote:
            process.passes(Point.DECISION_SEALED)
        return lost


def _ids(metrics: list[Metrics]) -> set[int]:
    return {one.control_tick_id for one in metrics}
