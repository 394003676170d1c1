"""One world lived by real clocks that die, one after another, and by their real vault.

Whoever asks (the driver) holds on to what it was told: when a clock is gone it makes another one on the same vault, which
must stand no earlier than what was seen, and asks again under the same name what was not answered. A clock that is
overtaken lives on in the midst of what it was doing, on the same thread: its successor is made inside of it.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec

import actors.chronicles
import actors.clocks
from actors.chronicles import Chronicle, Founding
from actors.clocks import MasterClock, Metrics
from actors.core.kernel.commands import (
    ClockCommand,
    Decision,
    JournalEntry,
    RegisterGame,
    RemoveGame,
    Reply,
    RestartGame,
)
from actors.core.kernel.effects import Script, T
from actors.core.kernel.errors import ERRORS_BY_CODE, CallerError, EngineError, SoulfraError, StaleEpochError
from actors.core.kernel.keeping import Kept
from actors.core.kernel.lanes import Signal
from actors.core.kernel.messages import Advance, pack
from actors.core.kernel.settings import Settings
from actors.core.kernel.ticking import TickRecord
from actors.lanes import LocalLane
from actors.replays import Replay
from actors.vaults.vaults import Vault

from .comparisons import PartedError
from .faults import CLOCK_POINTS, ClockPlan, Point
from .ledgers import NAME, WatchedVault, balances_in, damage_keyframes, vault_in_memory
from .runs import REALMS, RESTARTED_AFTER_CONTROL_TICKS, TRIES_MAX, shortened
from .transports import GHOST_REQUEST, LOG_LINES_MAX, MEMBER_TIMEOUT_S, MisdeedError, SimulatedLane, SimulatedProcess
from .worlds import CONTROL_TICKS, SEEDS_PER_WORLD, World, world_of

SUCCESSORS_MAX = 60
ROUND_COMMANDS_MAX = 4
CALM_RUNS_KEPT_MAX = 4
CALLER_CODES = {code for code, kind in ERRORS_BY_CODE.items() if issubclass(kind, CallerError)}
TAKING_OVER, AT_WORK = "taking over", "at work"


class ClockKilled(BaseException):
    """The clock's process ends here."""


class Course(NamedTuple):
    """A world, and at which boundaries somebody asks.

    Attributes:
        world: what is asked; of every boundary left out, at the next one.
        boundaries: from 0 to the last control tick.
        digested: boundaries at which somebody asks for the digest.
    """

    world: World
    boundaries: tuple[int, ...]
    digested: frozenset[int]


@lru_cache(maxsize=CALM_RUNS_KEPT_MAX)
def course_of(first_seed: int) -> Course:
    """The course of a world."""
    world = world_of(first_seed)
    rng = Random(f"course {world.number}")
    settings = {**world.settings, "lookahead_control_ticks": rng.choice([1, 1, 2, 3])}
    boundaries = [0]
    while boundaries[-1] < CONTROL_TICKS:
        boundaries.append(min(CONTROL_TICKS, boundaries[-1] + rng.choice([1, 1, 2, 3])))
    digested = frozenset(rng.sample(boundaries, 3))
    return Course(World(world.number, settings, world.agenda), tuple(boundaries), digested)


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

    def __init__(self, run: "StormySuccession") -> None:
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

    def _carry_out(self, command: ClockCommand, command_id: str) -> Reply:
        process = self.process
        process.passes(Point.BETWEEN_COMMANDS if process.carried_out else Point.COMMAND_UNHEARD)
        reply = super()._carry_out(command, command_id)
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


class Succession(ABC):
    """A course lived by whatever clocks there are.

    Attributes:
        records: of every control tick, as it was lived last.
        replies: what every command came to.
        digests: those that somebody has asked for.
        journal: all of it, at the end.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.course = course_of(seed - seed % SEEDS_PER_WORLD)
        self.records: dict[int, TickRecord] = {}
        self.replies: list[Reply] = []
        self.digests: list[str] = []
        self.journal: list[JournalEntry] = []
        self.chain = ""
        self.conservation: dict[str, Any] = {}
        self._in_error_since: dict[str, int] = {}

    def live(self) -> None:
        """Lives all of it."""
        before = -1
        for at in self.course.boundaries:
            if at:
                self.advance(at)
            due = [one for tick in range(before + 1, at + 1) for one in self.course.world.agenda.get(tick, ())]
            for commands in _rounds(due):
                self.replies += self.ask_round(commands)
            self._restart_those_in_error(at)
            if at in self.course.digested:
                self.digests.append(self.digest())
            self.rest()
            before = at
        self.digests.append(self.digest())
        self.end()

    def _restart_those_in_error(self, at: int) -> None:
        failed = self.those_in_error()
        for gone in self._in_error_since.keys() - set(failed):
            del self._in_error_since[gone]
        for member_id in failed:
            if at - self._in_error_since.setdefault(member_id, at) >= RESTARTED_AFTER_CONTROL_TICKS:
                self.replies += self.ask_round([RestartGame(member_id)])

    @abstractmethod
    def advance(self, control_tick: int) -> None:
        """Asks for control ticks up to this one."""

    @abstractmethod
    def ask_round(self, commands: list[ClockCommand]) -> list[Reply]:
        """Asks for commands that wait for one boundary together."""

    @abstractmethod
    def digest(self) -> str:
        """Asks for the digest of this boundary."""

    @abstractmethod
    def those_in_error(self) -> list[str]:
        """Asks who is in error."""

    @abstractmethod
    def rest(self) -> None:
        """What happens while nobody asks."""

    @abstractmethod
    def end(self) -> None:
        """Looks at what is left."""

    def take_stock(self, clock: MasterClock) -> None:
        """Notes where a clock stands."""
        self.journal, self.chain = clock.journal(), clock.status().chain
        self.conservation = clock.audit()["conservation"]


def _rounds(commands: list[ClockCommand]) -> Iterator[list[ClockCommand]]:
    """What is refused before it is history may be asked again, so nobody comes or goes in the same round."""
    for moves, group in groupby(commands, lambda one: isinstance(one, RegisterGame | RemoveGame)):
        found = list(group)
        size = 1 if moves else ROUND_COMMANDS_MAX
        yield from (found[at : at + size] for at in range(0, len(found), size))


def _in_error(clock: MasterClock) -> list[str]:
    members = clock._sequencer.members
    return clock._at_boundary(lambda: sorted(one for one, seated in members.items() if seated.error is not None))


class CalmSuccession(Succession):
    """A course lived by one clock, in which nothing goes wrong but what was decided elsewhere."""

    def __init__(self, seed: int, decided: tuple[tuple[int, Decision], ...]) -> None:
        super().__init__(seed)
        self._decided = decided
        self._clock = MasterClock(Settings(**self.course.world.settings), LocalLane(REALMS))

    def _foresee(self, first: int, last: int) -> None:
        """What is decided in some control ticks is known beforehand."""
        self._clock._fleet.decided = {
            (one.member_id, one.occasion): one.reason for tick, one in self._decided if first <= tick <= last
        }

    def advance(self, control_tick: int) -> None:
        """See `Succession`."""
        self._foresee(self._clock._sequencer.control_tick + 1, control_tick)
        self._clock.advance_to(control_tick)
        self._foresee(control_tick, control_tick)

    def ask_round(self, commands: list[ClockCommand]) -> list[Reply]:
        """See `Succession`."""
        return [self._clock.submit(command) for command in commands]

    def digest(self) -> str:
        """See `Succession`."""
        return self._clock.digest()

    def those_in_error(self) -> list[str]:
        """See `Succession`."""
        return _in_error(self._clock)

    def rest(self) -> None:
        """See `Succession`: nothing does."""

    def end(self) -> None:
        """See `Succession`."""
        self.records = {record.control_tick_id: record for record in self._clock.records()}
        self.take_stock(self._clock)
        self._clock.close()


class StormySuccession(Succession):
    """A course in which clocks and their vault fail wherever a seed says."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.plan = ClockPlan(seed)
        rng = self.plan.rng
        self.settings = Settings(
            **self.course.world.settings,
            member_timeout_s=MEMBER_TIMEOUT_S,
            kept_bytes_max=rng.choice([1 << 10, 1 << 12, 1 << 26]),
            spare_hosts=rng.randrange(3),
            window_control_ticks=rng.choice([1, 2, 1_000]),
        )
        self.lines: deque[str] = deque(maxlen=LOG_LINES_MAX)
        self.dies_again = False
        self.seen = self._named = 0
        self._first: tuple[ClockCommand, str, Reply] | None = None
        self._processes: list[ClockProcess] = []
        self.clock: WatchedClock
        self._lane: ClockLane | None = None
        self._vault: Vault

    def log(self, line: str) -> None:
        """Notes a line for people."""
        if self._lane is not None:
            self._lane.log(line)

    def live(self) -> None:
        """See `Succession`."""
        with shortened(), vault_in_memory() as self._vault, self._virtual_time():
            self.take_over()
            super().live()

    @contextmanager
    def _virtual_time(self) -> Iterator[None]:
        """Clocks and chronicles go by the lane's time, and write keyframes on the one thread there is."""
        time = SimpleNamespace(monotonic=self._now_s, perf_counter=self._now_s, sleep=self._sleep)
        changed: list[tuple[Any, str, Any]] = [
            (actors.clocks, "time", time),
            (actors.chronicles, "time", time),
            (actors.chronicles, "threading", SimpleNamespace(Thread=LateThread)),
            (actors.chronicles, "KEYFRAME_AFTER_WORK_S", self.plan.keyframe_interval_s),
        ]
        before = [(module, name, getattr(module, name)) for module, name, _ in changed]
        for module, name, value in changed:
            setattr(module, name, value)
        try:
            yield
        finally:
            for module, name, value in before:
                setattr(module, name, value)

    def _now_s(self) -> float:
        return 0.0 if self._lane is None else self._lane.now_s()

    def _sleep(self, seconds: float) -> None:
        if self._lane is not None:
            self._lane.let_pass(seconds)

    # ---------------------------------------------------------------------------------------------------- succession

    def take_over(self) -> None:
        """Makes a clock that stands where the one before it stood, and knows what was seen."""
        if self._processes:
            self._processes[-1].overtaken = True
        for _ in range(SUCCESSORS_MAX):
            process = ClockProcess(self)
            self._processes.append(process)
            try:
                clock = self._new_clock(process)
                clock.process.phase = AT_WORK
                if clock.boundary().control_tick < self.seen:
                    raise MisdeedError(f"clock {self.clocks} stands before control tick {self.seen}, which was seen")
            except ClockKilled:
                continue
            except SoulfraError as error:
                if not (process.harm or isinstance(error, StaleEpochError)):
                    raise MisdeedError(f"clock {self.clocks} cannot stand: {error}") from error
                continue
            self.clock = clock
            return
        raise MisdeedError(f"{SUCCESSORS_MAX} clocks in a row could not take over")

    @property
    def clocks(self) -> int:
        """How many there have been."""
        return len(self._processes)

    def _new_clock(self, process: ClockProcess) -> WatchedClock:
        if self.clocks > SUCCESSORS_MAX:
            raise MisdeedError(f"there have been {SUCCESSORS_MAX} clocks")
        lane = ClockLane(self.plan, process, self._now_s())
        self._lane = lane
        self.log(f"clock {self.clocks} begins")
        return WatchedClock(process, self.settings, lane, self._vault)

    def ask(self, question: Callable[[WatchedClock], T]) -> T:
        """Asks until a clock answers that is not replaced meanwhile."""
        for _ in range(SUCCESSORS_MAX):
            clock = self.clock
            try:
                answer = question(clock)
            except ClockKilled:
                pass
            except SoulfraError as error:
                if not (clock.process.harm or clock.process.overtaken or clock is not self.clock) and not (
                    isinstance(error, StaleEpochError) and self._is_stale(clock)
                ):
                    raise MisdeedError(f"the clock broke off, and nothing was done to it: {error}") from error
            else:
                if self._is_stale(clock) and not clock.process.may_answer:
                    raise MisdeedError("a clock has answered that another one has taken over from")
                return answer
            if clock is self.clock:
                self.take_over()
        raise MisdeedError(f"{SUCCESSORS_MAX} clocks in a row could not answer")

    def _is_stale(self, clock: WatchedClock) -> bool:
        (found,) = self._vault.multiverses()
        return found.epoch != clock._chronicle.epoch

    def note(self, clock: WatchedClock, records: list[TickRecord]) -> None:
        """A clock has lived control ticks, for the first time or again."""
        for record in records:
            tick = record.control_tick_id
            if clock.process.overtaken:
                continue
            if tick <= self.seen and self.records[tick] != record:
                raise MisdeedError(
                    f"control tick {tick} was seen as {self.records[tick]}, and has come out as {record} when it was lived again"
                )
            self.records[tick] = record

    # ------------------------------------------------------------------------------------------------------ asking

    def advance(self, control_tick: int) -> None:
        """See `Succession`."""
        self.ask(lambda clock: clock.advance_to(control_tick))
        self.seen = control_tick

    def ask_round(self, commands: list[ClockCommand]) -> list[Reply]:
        """See `Succession`."""
        names = [f"command {self._named + at}" for at in range(len(commands))]
        self._named += len(commands)
        answered: dict[str, Reply] = {}

        def question(clock: WatchedClock) -> None:
            asked = [(name, command) for name, command in zip(names, commands, strict=True) if name not in answered]
            ears = {name: Ear(clock.process, first=at == 0) for at, (name, _) in enumerate(asked)}
            for name, command in asked:
                clock._queue.append((_carrying_out(clock, command, name), ears[name]))
            try:
                clock._drain_if_idle()
            finally:
                for name, ear in ears.items():
                    if ear.done() and ear.exception() is None:
                        self._hear(clock, name, ear.result(), answered)
            for ear in ears.values():
                ear.result()

        for _ in range(TRIES_MAX):
            self.ask(question)
            missing = [name for name, reply in answered.items() if _is_to_be_repeated(reply)]
            if not (missing and isinstance(commands[0], RegisterGame)):
                break
            del answered[missing[0]]
        if self.plan.strikes(Point.REPLY_LOST):
            again = self.ask(lambda clock: clock.submit(commands[0], names[0]))
            if again != answered[names[0]] and not answered[names[0]].error_code:
                raise MisdeedError(f"{names[0]} asked again gives {again}, not {answered[names[0]]}")
        if self._first is None and not answered[names[0]].error_code:
            self._first = (commands[0], names[0], answered[names[0]])
        return [answered[name] for name in names]

    def _ask_first_again(self) -> None:
        """Whoever lost the very first answer asks again, long after: clocks and keyframes have come since."""
        if self._first is not None:
            command, name, reply = self._first
            if (again := self.ask(lambda clock: clock.submit(command, name))) != reply:
                raise MisdeedError(f"{name} asked again at the end gives {again}, not {reply}")

    def _hear(self, clock: WatchedClock, name: str, reply: Reply, answered: dict[str, Reply]) -> None:
        answered[name] = reply
        position = reply.boundary.position
        heads = [row.position for row in self._vault.rows(NAME, self.settings.branch, max(0, position - 1))]
        if position and not heads:
            raise MisdeedError(f"{name} was answered as of position {position}, which is not in the vault")
        if clock.process.overtaken and not clock.process.may_answer:
            raise MisdeedError(f"{name} was answered by a clock that another one has taken over from")

    def digest(self) -> str:
        """See `Succession`."""
        self._ask_first_again()
        return self.ask(lambda clock: clock.digest())

    def those_in_error(self) -> list[str]:
        """See `Succession`."""
        return self.ask(_in_error)

    def rest(self) -> None:
        """See `Succession`."""
        plan = self.plan
        process = self.clock.process
        try:
            process.passes(Point.CLOCK_IDLE)
            for point, newest_only in ((Point.KEYFRAME_DAMAGED, True), (Point.KEYFRAMES_DAMAGED, False)):
                if self._has_keyframe() and process.is_struck(point):
                    damage_keyframes(self._vault, newest_only=newest_only)
                    process.die(point)
        except ClockKilled:
            self.take_over()
        if plan.strikes(Point.OLD_CLOCK_WRITES):
            old = self.clock
            self.take_over()
            self._let_old_one_try(old)
        lane, fleet = self._lane, self.clock._fleet
        assert lane is not None
        if (idle := lane.carriers()) and plan.strikes(Point.IDLE):
            plan.rng.choice(idle).die(Point.IDLE.name)
        for _ in range(plan.rng.randrange(3)):
            lane.let_pass(plan.rng.choice([0.01, 0.3, 2.0]) * plan.rng.random())
            lane.begin()
            try:
                fleet.tend()
            except ClockKilled:
                self.take_over()
                return

    def _has_keyframe(self) -> bool:
        return self._vault.latest_keyframe(NAME, self.settings.branch).keyframe is not None

    def _let_old_one_try(self, old: WatchedClock) -> None:
        """It may do what it likes, but nothing of it is written or answered."""
        before = len(list(self._vault.rows(NAME, self.settings.branch)))
        late = old.process.waiting_keyframe
        tries: list[Callable[[], Any]] = [
            lambda: old.advance_to(self.seen + 1),
            lambda: old.submit(RestartGame("nobody"), "of the old clock"),
            lambda: old.submit(RegisterGame("ghost", "", "", self.course_spec()), "of the old clock"),
            old.digest,
            old.journal,
        ]
        for attempt in tries:
            try:
                attempt()
            except SoulfraError:
                continue
            raise MisdeedError("an old clock has answered")
        if late is not None:
            late.join()
        if len(list(self._vault.rows(NAME, self.settings.branch))) != before:
            raise MisdeedError("an old clock has written")

    def _write_ledger(self, clock: WatchedClock) -> None:
        """What the next keyframe would bring, without one."""
        chronicle = clock._chronicle
        self._vault.append(NAME, chronicle.epoch, [], chronicle._owed.balances + chronicle._balances)

    def course_spec(self) -> Any:
        """How some realm of this world is made."""
        found = (one for group in self.course.world.agenda.values() for one in group if isinstance(one, RegisterGame))
        return next(found).spec

    def end(self) -> None:
        """See `Succession`; then once more, as a last clock finds it."""
        self.ask(self.take_stock)
        calm = self.journal, self.chain, self.conservation
        for entry, position in zip(self.journal, range(1, len(self.journal) + 1), strict=True):
            if entry.position != position:
                raise MisdeedError(f"position {entry.position} stands in the journal at {position}")
        self.take_over()
        self.ask(self.take_stock)
        if calm != (self.journal, self.chain, self.conservation) or self.digest() != self.digests[-1]:
            raise MisdeedError("the last clock's successor stands elsewhere")
        self.ask(self._write_ledger)
        due = {quantity: should for quantity, (_, should) in self.conservation.items() if should}
        if balances_in(self._vault) != due:
            raise MisdeedError(f"the ledger that is written down says {balances_in(self._vault)}, not {due}")


def _is_to_be_repeated(reply: Reply) -> bool:
    """A registration whose host dies is refused and changes nothing."""
    return reply.error_code == EngineError.code


def _carrying_out(clock: WatchedClock, command: ClockCommand, name: str) -> Callable[[], Reply]:
    return lambda: clock._carry_out(command, name)


@lru_cache(maxsize=CALM_RUNS_KEPT_MAX)
def _calm(first_seed: int, decided: tuple[tuple[int, Decision], ...]) -> CalmSuccession:
    run = CalmSuccession(first_seed, decided)
    run.live()
    return run


def check_succession(seed: int) -> StormySuccession:
    """Lives a seed and compares it with the calm run.

    Raises:
        PartedError: it is another life, or a clock broke, hung or did what it never must.
    """
    run = StormySuccession(seed)
    broken: Exception | None = None
    try:
        run.live()
    except Exception as error:
        broken = error
    decided = tuple((one.control_tick, one.decision) for one in run.journal if one.decision is not None)
    try:
        what = _first_difference(run, _calm(seed - seed % SEEDS_PER_WORLD, decided), whole=broken is None)
    except Exception as error:
        what = f"the calm run breaks: {error}"
    if broken is not None:
        what = f"{type(broken).__name__}: {broken}" + (f"; before that, {what}" if what else "")
    if what:
        struck = ", ".join(point.name for point in Point if run.plan.hit[point]) or "nothing"
        raise PartedError(
            f"seed {seed}, after control tick {run.seen}: {what}\n"
            f"  it was struck by: {struck}\n"
            f"  to see it alone: python -m tests.simulation --clocks {seed}"
        ) from broken
    return run


def _first_difference(run: StormySuccession, calm: CalmSuccession, *, whole: bool) -> str:
    for tick, expected in sorted(calm.records.items()):
        record = run.records.get(tick)
        if record != expected and (whole or record is not None):
            if record is None:
                return f"control tick {tick} is missing"
            differs = [one for one in sorted(expected.members) if expected.members[one] != record.members.get(one)]
            return f"control tick {tick}, member {differs[0] if differs else '(under way)'}: {record}, not {expected}"
    if not whole:
        return ""
    for number, (reply, answer) in enumerate(zip(run.replies, calm.replies, strict=False)):
        if reply != answer and _unplaced(reply) != _unplaced(answer):
            return f"reply {number} is {reply}, not {answer}"
    if len(run.replies) != len(calm.replies):
        return f"there are {len(run.replies)} replies, not {len(calm.replies)}"
    if [_unnamed(one) for one in run.journal] != calm.journal:
        return "the journals differ"
    if (run.chain, run.digests) != (calm.chain, calm.digests):
        return "the digests differ"
    for quantity, (present, due) in run.conservation.items():
        if present != due:
            return f"there is {present} of {quantity}, and there should be {due}"
    return ""


def _unplaced(reply: Reply) -> Reply:
    """A refusal that is no history may be given again, after what came with it in the same round."""
    boundary = msgspec.structs.replace(reply.boundary, position=0)
    return msgspec.structs.replace(reply, boundary=boundary) if reply.error_code in CALLER_CODES else reply


def _unnamed(entry: JournalEntry) -> JournalEntry:
    """As it was asked in the calm run, where nobody needs a name."""
    return msgspec.structs.replace(entry, command_id="")


def unpassed(runs: list[StormySuccession]) -> list[Point]:
    """Points of clocks and vault that none of these runs was struck by."""
    return [point for point in CLOCK_POINTS if not any(run.plan.hit[point] for run in runs)]
