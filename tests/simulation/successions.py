"""One world lived by real clocks that die, one after another, and by their real vault.

Whoever asks (the driver) holds on to what it was told: when a clock is gone it makes another one on the same vault, which
must stand no earlier than what was seen, and asks again under the same name what was not answered. A clock that is
overtaken lives on in the midst of what it was doing, on the same thread: its successor is made inside of it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import actors.clocks
import actors.command_rounds
import actors.keyframes
from actors.core.kernel.commands import ClockCommand, RegisterGame, Reply, RestartGame
from actors.core.kernel.effects import T
from actors.core.kernel.errors import EngineError, SoulfraError, StaleEpochError
from actors.core.kernel.settings import Settings
from actors.core.kernel.ticking import TickRecord
from actors.vaults.vaults import Vault

from .courses import Succession, in_error
from .faults import ClockPlan, Point
from .ledgers import NAME, balances_in, damage_keyframes, vault_in_memory
from .runs import TRIES_MAX, shortened
from .transports import LOG_LINES_MAX, MEMBER_TIMEOUT_S, MisdeedError
from .watched_clocks import AT_WORK, ClockKilled, ClockLane, ClockProcess, Ear, LateThread, WatchedClock

SUCCESSORS_MAX = 60


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
        # A message of the simulation takes longer than most clocks live in windows before they look up.
        self._describe_interval_s = rng.choice([0.02, 60.0])
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
        """Clocks and what writes keyframes go by the lane's time, on the one thread there is."""
        time = SimpleNamespace(monotonic=self._now_s, perf_counter=self._now_s, sleep=self._sleep)
        changed: list[tuple[Any, str, Any]] = [
            (actors.clocks, "time", time),
            (actors.command_rounds, "time", time),
            (actors.clocks, "DESCRIBE_INTERVAL_S", self._describe_interval_s),
            (actors.keyframes, "time", time),
            (actors.keyframes, "threading", SimpleNamespace(Thread=LateThread)),
            (actors.keyframes, "KEYFRAME_AFTER_WORK_S", self.plan.keyframe_interval_s),
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
        return self.ask(in_error)

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
        chronicle, writer = clock._chronicle, clock._chronicle._writer
        self._vault.append(NAME, chronicle.epoch, [], writer._owed.balances + writer.balances)

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
        if faults := self._vault.audit_faults(NAME):
            raise MisdeedError(f"the audit log is not whole: {faults[0]}")
        due = {quantity: should for quantity, (_, should) in self.conservation.items() if should}
        if balances_in(self._vault) != due:
            raise MisdeedError(f"the ledger that is written down says {balances_in(self._vault)}, not {due}")


def _is_to_be_repeated(reply: Reply) -> bool:
    """A registration whose host dies is refused and changes nothing."""
    return reply.error_code == EngineError.code


def _carrying_out(clock: WatchedClock, command: ClockCommand, name: str) -> Callable[[], Reply]:
    return lambda: clock._carry_out(command, name)
