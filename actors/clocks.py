"""The master clock: drives the sequencer's scripts over a lane, keeps the pace, and answers while it runs.

One thread at a time has the clock's turn. A run holds it from its first control tick to its last and lets the queued
commands in at every boundary; while no run holds it, whoever brings a command carries it out at once.
"""

import contextlib
import math
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec

from actors.chronicles import Chronicle, no_chronicle
from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.cascades import Cascades
from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import Boundary, ClockCommand, JournalEntry, Reply
from actors.core.kernel.digests import NO_DIGEST
from actors.core.kernel.effects import Script, T
from actors.core.kernel.errors import (
    CallerError,
    CommandRefusedError,
    EngineError,
    SoulfraError,
    StaleEpochError,
    UnreachableVaultError,
    VaultError,
    error_from,
    told,
)
from actors.core.kernel.events import Trace
from actors.core.kernel.fleets import RESTARTED, Fleet
from actors.core.kernel.games import HOME, PAUSED, RUNNING, SYNCING
from actors.core.kernel.keeping import Recovery
from actors.core.kernel.lanes import Lane
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.settings import SEED_MAX, Settings
from actors.core.kernel.tables import tables_of
from actors.core.kernel.ticking import TickRecord
from actors.core.kernel.windows import control_ticks_script
from actors.keyframes import Standing
from actors.logbooks import Logbook, Row
from actors.replays import REGISTRY, Replay
from actors.schedules import Lateness, Schedule

METRICS_KEPT_MAX = 100_000
"""Of one run, for whoever waits for its end."""
FOREVER = SEED_MAX
"""The control tick that a run without a bound goes to."""
STAND, SET_UP, REALTIME, AS_FAST_AS_IT_CAN = "stand", "set up", "realtime", "fast"
"""Orders to a clock. They hold for its successors, too."""
CLOCK = "@clock"
"""What the clock itself is called among those that were brought back."""
COMMANDS_PER_ROUND_MAX = 1_000
"""Commands that share one transaction; more wait for the next one."""
DESCRIBE_INTERVAL_S = 0.02
"""How old the description of a clock that runs may be; making one costs microseconds a realm."""
TEND_INTERVAL_S = 0.05
"""How often a clock that stands looks after its hosts."""
LOOK_AFTER_INTERVAL_S = 1.0
"""How often a clock looks after its ground: whether another clock has taken over, whether nodes are to be left."""
VAULT_PATIENCE_S = 60.0
"""How long a clock waits for a vault's server that has gone away before it breaks off; a restart takes seconds."""
VAULT_RETRY_S = 0.25
MARK_AHEAD_S, MARK_AHEAD_CONTROL_TICKS = 2.0, 1_000
"""How far ahead of a run it is written down that history may be seen, in real time and without."""
WAITING_SAYS_SO_AFTER_S = 0.5
"""A clock that waits explains itself within a second; half of it is for asking."""


class Pace(msgspec.Struct, frozen=True):
    """How fast a run goes.

    Attributes:
        realtime: one control tick takes its simulated time on the wall; otherwise as fast as it can.
    """

    realtime: bool = False


FAST = Pace()


class Metrics(msgspec.Struct, frozen=True):
    """Metrics of one control tick. Source: seed 002, `execute_control_tick`."""

    control_tick_id: int
    games_synced: int
    events_propagated: int
    elapsed_ms: float


class Status(msgspec.Struct, frozen=True):
    """How the clock stands; asked at any time, never waits.

    Attributes:
        boundary: the last boundary.
        running: whether a run holds the clock.
        state: what `get_multiverse_state` shows.
        recent_events_propagated: deliveries in the last control tick.
        lateness: of the present or the last run in real time.
        waiting: who or what the clock waits for, in plain words; empty if it does not.
        chain: the digest chain so far, hexadecimal.
        epoch: which clock of this multiverse this is, counted from 1.
        trouble: why the clock cannot go on; "" if it can.
        notices: what people should know while it goes on.
    """

    boundary: Boundary
    running: bool
    state: dict[str, Any]
    recent_events_propagated: int
    lateness: Lateness
    waiting: tuple[str, ...]
    chain: str
    epoch: int = 1
    trouble: str = ""
    notices: tuple[str, ...] = ()


class About(msgspec.Struct, frozen=True):
    """What does not change while a clock lives.

    Attributes:
        name: of the multiverse.
        settings: what it was founded with.
        lane: how its members are reached.
        vault: what the vault is called, without secrets; "" without one.
        durability: in plain words, what survives what.
        resumed: whether it went on from history that was there.
        order: what it was last told to do: one of the paces, `STAND`, `SET_UP`; "" if nothing yet.
        process_id: of the clock.
        node: where it lives.
    """

    name: str
    settings: Settings
    lane: str
    vault: str
    durability: str
    resumed: bool
    order: str
    process_id: int
    node: str


class MasterClock:
    """The clock, on whatever lane.

    Args:
        settings: what this history depends on.
        lane: how members are reached.
        hosts: how many hosts to make ready ahead of need, the registry's included.
        chronicle: opens what its history is written to, where it finds its place if there is history already; by
            default nowhere, so that it ends with this process. Opened while the hosts start.

    Raises:
        SoulfraError: the player registry could not be made, or history could not be lived again.
    """

    def __init__(
        self, settings: Settings, lane: Lane, hosts: int = 0, chronicle: Callable[[], Chronicle] | None = None
    ) -> None:
        self._lane = lane
        self._fleet = Fleet(settings, lane)
        self._fleet.prepare(hosts)
        self._open_chronicle = chronicle
        self._chronicle = no_chronicle(settings)
        self._sequencer = Sequencer(settings, self._chronicle.epoch)
        self._turn = threading.Lock()
        self._queue: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._guard = threading.Lock()
        self._run: threading.Event | None = None  # ends the run that is under way or waits for its turn
        self._closed = self._ticking = self._paused = False
        self._broken = self._unable = self._taking_up = self._vault_says = ""
        self._writing_since = 0.0
        self._marked = 0
        self._marker: threading.Thread | None = None
        self._unable_code = EngineError.code
        self._stands = threading.Event()
        self._looked_after_at = time.monotonic()
        self._logbook = Logbook(settings.logbook_bytes_max)
        self._propagated = 0
        self._elapsed_total_ms = self._described_at = 0.0
        self._schedule: Schedule | None = None
        self._keeps = True
        self._ordered = ""
        self._state = self._describe()
        self._turn.acquire()  # given back when it stands
        self._take_place()

    def _take_place(self) -> None:
        """Takes the clock's place before anything else; a clock with a process of its own answers meanwhile."""
        self._stand_up()
        self._check_able()

    def _stand_up(self) -> None:
        """Opens the history and takes it up, or begins one; holds the clock's turn meanwhile."""
        try:
            if self._open_chronicle is not None:
                self._taking_up = "opening its vault"
                self._chronicle = self._open_chronicle()
                self._sequencer = Sequencer(self._chronicle.settings, self._chronicle.epoch)
            self._ordered = self._chronicle.standing_order()
            if self._chronicle.resumes:
                self._resume()
            else:
                self._perform(self._sequencer.seat_script(PLAYERS, REGISTRY))
            self._chronicle.note_rules(self._sequencer.boundary)
            self._note_ledger()
        except SoulfraError as error:
            self._unable, self._unable_code = error.message, error.code
        except BaseException as error:
            self._unable = f"the clock cannot take its place: {told(error)}."
            if not isinstance(error, Exception):
                raise
        finally:
            self._taking_up = ""
            self._state = self._describe()
            self._turn.release()
            self._stands.set()
        self._drain_if_idle()
        if self._unable:
            self._fleet.close()
        elif self._lane.hosts_may_die:
            threading.Thread(target=self._tend, name="soulfra-tend", daemon=True).start()

    def _check_able(self) -> None:
        if self._unable:
            raise error_from(self._unable_code, self._unable)

    # -------------------------------------------------------------------------------------------------- commands

    def submit(self, command: ClockCommand, command_id: str = "") -> Reply:
        """Carries out a command at the next boundary: at once if the clock stands at one, else when the tick is over.

        Args:
            command: what is asked.
            command_id: the caller's name for it; asked again under the same name, it is not done again.
        """
        return self._at_boundary(lambda: self._carry_out(command, command_id))

    def _carry_out(self, command: ClockCommand, command_id: str) -> Reply:
        self._check_whole()
        reply = self._perform(self._sequencer.command_script(command, command_id))
        self._note_ledger()
        self._state = self._describe()
        return reply

    def _note_ledger(self) -> None:
        self._chronicle.balance(self._sequencer.boundary, self._sequencer.totals.ledger)

    def _at_boundary(self, action: Callable[[], T]) -> T:
        """Does something at a boundary: at once if the clock stands, else when the tick under way is over."""
        future: Future[T] = Future()
        self._queue.append((action, future))
        self._drain_if_idle()
        return future.result()

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

    def _break_off(self, error: SoulfraError) -> SoulfraError:
        self._broken = error.message.rstrip(".")
        if isinstance(error, StaleEpochError):
            self._fleet.close()  # its hosts are of no use to anybody any more
        return error

    def _look_after(self) -> None:
        """Now and then, at a boundary: has another clock taken over, and does the ground hold?

        Raises:
            StaleEpochError: another has; this one has broken off.
        """
        now = time.monotonic()
        if now - self._looked_after_at < LOOK_AFTER_INTERVAL_S or self._broken or self._closed:
            return
        self._looked_after_at = now
        self._fleet.tend()
        try:
            self._chronicle.check()
        except StaleEpochError as error:
            raise self._break_off(error) from None
        except VaultError:  # it cannot be read, which says nothing about another clock; writing will tell
            pass
        self._look_after_nodes()

    def _look_after_nodes(self) -> None:
        """At a boundary; where there are nodes, some may have to be left."""

    def _tend(self) -> None:
        """Looks after the hosts while the clock stands; while it runs, it does so itself."""
        while not self._closed:
            time.sleep(TEND_INTERVAL_S)
            if self._turn.acquire(blocking=False):
                try:
                    if not self._closed and not self._broken:
                        self._fleet.tend()
                        self._look_after()
                except StaleEpochError:
                    continue  # it has broken off
                except BaseException as error:  # as in a script: nobody knows what is half done
                    self._broken = f"{type(error).__name__}: {error}".rstrip(": .")
                finally:
                    self._turn.release()
                self._drain_if_idle()

    # --------------------------------------------------------------------------------------------------- taking over

    @contextlib.contextmanager
    def _busy(self, doing: str) -> Iterator[None]:
        """Says what the clock does meanwhile."""
        self._taking_up = doing
        try:
            yield
        finally:
            self._taking_up = ""

    def _write_keyframe(self) -> None:
        """Writes this boundary down and waits for it: whoever takes over has nothing to live again."""
        if self._chronicle.remembers:
            if not self._broken:
                self._fleet.checkpoint()
            self._chronicle.finish()
            self._chronicle.write_keyframe(self._sequencer.boundary, self._standing)
            self._chronicle.finish()

    def _standing(self) -> Standing:
        return Standing(tables_of(self._sequencer), self._fleet.tables())

    def _resume(self) -> None:
        """Takes up where the clock before this one stood: the last keyframe, then everything since once more."""
        begun = time.monotonic()
        replay = self._replay()
        first = 0

        def say(doing: str) -> None:
            nonlocal first
            self._taking_up, first = doing, self._sequencer.control_tick

        replay.take_up(self._chronicle, say)
        self._marked = self._chronicle.marked()
        elapsed_ms = (time.monotonic() - begun) * 1e3
        lived = self._sequencer.control_tick - first
        self._fleet.recoveries.append(Recovery(CLOCK, self._sequencer.control_tick, RESTARTED, elapsed_ms, lived))

    def _replay(self) -> Replay:
        sequencer, fleet, recorded = self._sequencer, self._fleet, self._chronicle.recorded_chain
        return Replay(sequencer, fleet, self._perform, self._live, self._tell_progress, recorded)

    def _tell_progress(self, control_tick: int, last: int) -> None:
        self._taking_up = f"living its history again: control tick {control_tick} of {last}"
        if time.monotonic() - self._described_at >= DESCRIBE_INTERVAL_S:
            self._state = self._describe()

    def boundary(self) -> Boundary:
        """The last boundary; waits until the clock stands."""
        self._stands.wait()
        self._check_able()
        return self._sequencer.boundary

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

    def digest(self) -> str:
        """The digest of the present boundary, commands included, hexadecimal."""
        return self._at_boundary(self._take_digest)

    def domain_of(self, realm_id: str) -> int | None:
        """The number of the closed domain that a realm is in; None where there never was a fork: all is one then.

        Raises:
            UnknownMemberError: there is no such realm.
        """
        return self._at_boundary(lambda: self._sequencer.domain_of(realm_id))

    def domain_digest(self, domain: int) -> str:
        """The digest of one closed domain by itself, commands included, by roles, hexadecimal."""

        def digest() -> str:
            self._take_digest()  # so that nobody's is stale
            return self._sequencer.domain_digest(domain).hex()

        return self._at_boundary(digest)

    def domain_chain(self, domain: int) -> str:
        """The digests of one closed domain in all control ticks since the first fork, folded, hexadecimal."""
        return self._at_boundary(lambda: self._sequencer.domain_chains.get(domain, NO_DIGEST).hex())

    def _take_digest(self) -> str:
        self._check_whole()
        digest = self._perform(self._sequencer.digest_script())
        self._state = self._describe()
        return digest.hex()

    # ------------------------------------------------------------------------------------------------------- runs

    def advance_to(self, control_tick: int, pace: Pace = FAST) -> list[Metrics]:
        """Runs until the clock has reached a control tick, or until `pause`.

        Naming the tick to reach, not a number of steps, makes a repeated call harmless.

        Returns:
            Metrics of the control ticks that this call ran, the newest `METRICS_KEPT_MAX` of them.

        Raises:
            CommandRefusedError: another run holds the clock.
            EngineError: the clock is closed, or broke off in the middle of something.
        """
        return self._carry_on(self._claim(), control_tick, pace)

    def _claim(self) -> threading.Event:
        """Makes the next run the caller's, or says why not."""
        stop = threading.Event()
        with self._guard:
            self._check_open()
            self._check_whole()
            if self._run is not None:
                raise CommandRefusedError("the clock is running already; pause it first.")
            self._run = stop
        return stop

    def _carry_on(self, stop: threading.Event, control_tick: int, pace: Pace) -> list[Metrics]:
        metrics: deque[Metrics] = deque(maxlen=METRICS_KEPT_MAX)
        try:
            with self._turn:
                try:
                    self._run_to(control_tick, pace, stop, metrics)
                    if (lost := self._seal()) is not None:
                        raise lost
                    self._mark(self._sequencer.control_tick)
                finally:
                    self._run = None  # before the turn is given on, so that whoever has it next may begin a run
                    self._state = self._describe()
        finally:
            if self._run is stop:  # interrupted before it had the turn
                self._run = None
            self._drain_if_idle()
        return list(metrics)

    def begin(self, pace: Pace) -> None:
        """Lets the clock run by itself, without a bound and without anybody waiting for it.

        What breaks it, `status` and the next command say. The order to run is written down: a clock that takes over runs.

        Raises:
            CommandRefusedError: it runs already.
            EngineError: the clock is closed, or broke off.
        """
        stop = self._claim()
        try:
            self._at_boundary(lambda: self._order(REALTIME if pace.realtime else AS_FAST_AS_IT_CAN))
        except BaseException:
            self._run = None
            raise

        def run() -> None:
            with contextlib.suppress(SoulfraError):
                self._carry_on(stop, FOREVER, pace)

        threading.Thread(target=run, name="soulfra-run", daemon=True).start()

    def set_up(self) -> None:
        """Writes down that somebody has begun to set this multiverse up; the next order says that it is."""
        self._at_boundary(lambda: self._order(SET_UP))

    def _order(self, order: str) -> None:
        """Writes an order down for a clock that takes over; the caller has the turn."""
        if self._ordered != order and self._chronicle.remembers and not self._broken:
            if (lost := self._insist(lambda: self._chronicle.order(order, self._sequencer.control_tick))) is not None:
                raise lost
            self._ordered = order

    def _run_to(self, control_tick: int, pace: Pace, stop: threading.Event, metrics: deque[Metrics]) -> None:
        schedule = self._schedule = self._due_times(pace)
        while self._sequencer.control_tick < control_tick and not stop.is_set():
            self._paused = False
            if schedule is not None:
                schedule.wait(stop)
                if stop.is_set():
                    break
            lived = self._tick(self._visible(control_tick, pace) - self._sequencer.control_tick)
            metrics.extend(lived)
            if schedule is not None:
                schedule.pass_over(len(lived) - 1)
            self._drain()
            self._look_after()
        if schedule is not None:
            schedule.rest()

    # ------------------------------------------------------------------------------------------------------ marks

    def _visible(self, control_tick: int, pace: Pace) -> int:
        """How far towards a control tick this run may live now: nobody may see what a successor would not live to."""
        now = self._sequencer.control_tick
        if not self._chronicle.remembers:
            return control_tick
        tick_s = self._sequencer.settings.control_tick_ms / 1e3
        ahead = math.ceil(MARK_AHEAD_S / tick_s) if pace.realtime else MARK_AHEAD_CONTROL_TICKS
        limit = min(control_tick, now + ahead)
        if self._marked <= now:
            self._mark(limit)
        elif 2 * (limit - self._marked) >= ahead and self._marker is None:
            self._marker = threading.Thread(target=self._mark_ahead, args=(limit,), name="soulfra-mark", daemon=True)
            self._marker.start()
        return min(control_tick, self._marked)

    def _mark_ahead(self, control_tick: int) -> None:
        """Raises the mark while the clock ticks on; what goes wrong, the next one that is waited for will say."""
        with contextlib.suppress(SoulfraError):
            self._chronicle.mark(control_tick)
            self._marked = control_tick
        self._marker = None

    def _mark(self, control_tick: int) -> None:
        """Makes durable how far this history may be seen.

        Raises:
            SoulfraError: it could not be; the clock has broken off.
        """
        if (marker := self._marker) is not None:
            marker.join()
        if self._chronicle.remembers and control_tick != self._marked:
            if (lost := self._insist(lambda: self._chronicle.mark(control_tick))) is not None:
                raise lost
            self._marked = control_tick

    def _due_times(self, pace: Pace) -> Schedule | None:
        """Due times for a run: those of the run before it if that ended just now, so that commands cost no drift."""
        if not pace.realtime:
            return None
        if self._schedule is not None and self._schedule.goes_on():
            return self._schedule
        return Schedule(self._sequencer.settings.control_tick_ms / 1e3)

    def stop(self) -> None:
        """Lets a run end at the next boundary; without one it is no change. Does not wait."""
        with self._guard:
            if self._run is not None:
                self._run.set()

    def pause(self) -> Boundary:
        """Stops at a boundary and stays there until the next run. Waits for the tick under way.

        The order to stand is written down: a clock that takes over stands.

        Raises:
            EngineError: the clock broke off.
        """
        self.stop()
        with self._turn:
            self._check_able()
            self._paused = True
            self._state = self._describe()
            boundary = self._sequencer.boundary
            self._order(STAND)
        self._drain_if_idle()
        self._check_whole()
        return boundary

    def _tick(self, control_ticks_max: int) -> list[Metrics]:
        """As many control ticks as are granted at once, and what they decided made durable."""
        self._check_whole()
        if keyframe := self._chronicle.keyframe_is_due():
            self._fleet.refresh()
        metrics = self._live(control_ticks_max)
        if self._sequencer.journal and (lost := self._seal()) is not None:
            raise lost
        if keyframe and self._fleet.is_refreshed():
            self._chronicle.write_keyframe(self._sequencer.boundary, self._standing)
        if time.monotonic() - self._described_at >= DESCRIBE_INTERVAL_S:
            self._state = self._describe()
        return metrics

    def _live(self, control_ticks_max: int) -> list[Metrics]:
        begun, before = time.perf_counter(), self._sequencer.position
        self._ticking = True
        try:
            records = self._perform(control_ticks_script(self._sequencer, control_ticks_max))
        finally:
            self._ticking = False
        self._note_ledger()
        elapsed_ms = (time.perf_counter() - begun) * 1e3 / len(records)
        metrics = []
        decided = [entry.control_tick for entry in self._sequencer.journal if entry.position > before]
        for record in records:
            position = before + sum(tick <= record.control_tick_id for tick in decided)
            self._chronicle.note(record, position, elapsed_ms / 1e3)
            self._logbook.note(record)
            self._propagated = record.events_propagated
            self._elapsed_total_ms += elapsed_ms
            metrics.append(Metrics(record.control_tick_id, record.games_synced, record.events_propagated, elapsed_ms))
        return metrics

    def _perform(self, script: Script[T]) -> T:
        try:
            return self._fleet.carry_out(script)
        except BaseException as error:  # half of it is done, and nobody knows which half: no boundary to go on from
            self._broken = f"{type(error).__name__}: {error}".rstrip(": .")
            raise

    # ------------------------------------------------------------------------------------------------------ reads

    def status(self) -> Status:
        """How the clock stands. Never waits for the tick under way."""
        state = self._state
        boundary = state["boundary"]
        games = state["games"]
        if self._ticking or self._paused:
            mood = SYNCING if self._ticking else PAUSED
            games = [{**game, "state": mood if game["state"] == RUNNING else game["state"]} for game in games]
        return Status(
            boundary,
            self._run is not None,
            {**{name: value for name, value in state.items() if name != "boundary"}, "games": games},
            self._propagated,
            Lateness() if self._schedule is None else self._schedule.lateness(),
            self._waiting(),
            state["digest_chain"],
            self._chronicle.epoch,
            self._unable
            or (
                f"the clock broke off after control tick {boundary.control_tick}: {self._broken}."
                if self._broken
                else ""
            ),
            self._notices(),
        )

    def _waiting(self) -> tuple[str, ...]:
        whom = (str(one) for one in self._fleet.waiting() if one.since_s >= WAITING_SAYS_SO_AFTER_S)
        what = (f"the clock is {self._taking_up}" if self._taking_up else "", self._waiting_for_vault())
        return (*(one for one in what if one), *whom)

    def _waiting_for_vault(self) -> str:
        since = self._writing_since
        since_s = time.monotonic() - since if since else 0.0
        if since_s < WAITING_SAYS_SO_AFTER_S:
            return ""
        says = f" ({self._vault_says.rstrip('.')})" if self._vault_says else ""
        return f"waiting for the vault since {since_s:.1f} s, and nothing is answered meanwhile{says}"

    def _notices(self) -> tuple[str, ...]:
        """What people should know of the ground that the clock stands on."""
        return self._chronicle.notices

    def about(self) -> About:
        """What does not change while this clock lives; waits until it stands.

        Raises:
            SoulfraError: it cannot take its place.
        """
        self._stands.wait()
        self._check_able()
        chronicle = self._chronicle
        return About(
            chronicle.name,
            self._sequencer.settings,
            self._lane.name,
            chronicle.where,
            chronicle.durability,
            chronicle.resumes,
            self._ordered,
            os.getpid(),
            socket.gethostname(),
        )

    def _describe(self) -> dict[str, Any]:
        """What readers see of this boundary. Made at the boundary, so that reading never waits and never sees half."""
        self._described_at = time.monotonic()
        sequencer = self._sequencer
        totals, settings = sequencer.totals, sequencer.settings
        synced = sequencer.control_tick
        delivered = totals.events_propagated
        return {
            "boundary": sequencer.boundary,
            "control_tick_id": sequencer.control_tick,
            "games": [
                {
                    "realm_id": realm_id,
                    "state": seated.state,
                    "stat7_key": seated.registration.stat7_key if seated.registration is not None else "",
                    "kind": seated.contract.kind,
                    "recovery": seated.contract.recovery,
                    "notes": seated.contract.notes,
                    "local_tick": seated.local_tick,
                    "period": seated.period,
                    "role": seated.role,
                    "fork": seated.domain,
                    "measures": seated.measures,
                    "digest": seated.digest.hex(),
                    "error": "" if seated.error is None else seated.error.message,
                    "traceback": "" if seated.error is None else seated.error.traceback,
                }
                for realm_id, seated in sequencer.games.items()
            ],
            "pending_events": sum(post.pending() for post in sequencer.posts.values()),
            "events_propagated": delivered,
            "dead_letters": sum(post.dead_letters_count for post in sequencer.posts.values()),
            "cascades_cut": totals.cascades_cut,
            "mean_sync_ms": self._elapsed_total_ms / synced if synced else 0.0,
            "mean_event_latency_ms": (
                totals.latency_control_ticks / delivered * settings.control_tick_ms if delivered else 0.0
            ),
            "digest_chain": sequencer.chain.hex(),
        }

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """Asks a member's published view."""
        self._stands.wait()
        self._check_able()
        return self._lane.query(self._fleet.host_of(member_id), verb, arguments)

    def records(self) -> list[TickRecord]:
        """Records of the newest control ticks."""
        return self._logbook.records()

    def series(self) -> tuple[list[Row], int]:
        """Rows of the newest control ticks, and how many older ones were dropped."""
        return list(self._logbook.rows()), self._logbook.rows_dropped

    def journal(self) -> list[JournalEntry]:
        """Every outside input so far."""
        return self._at_boundary(lambda: [*self._chronicle.entries(), *self._sequencer.journal])

    def dead_letters(self) -> list[dict[str, Plain]]:
        """Dead letters that are kept whole."""
        return self._at_boundary(
            lambda: [
                {
                    "event_id": letter.event.event_id,
                    "source": letter.event.source,
                    "target": letter.target,
                    "event_type": letter.event.event_type,
                    "control_tick_id": letter.control_tick,
                    "reason": letter.reason,
                    "fork": domain,
                }
                for domain, post in self._sequencer.posts.items()
                for letter in post.dead_letters
            ]
        )

    def cascade(self, event_id: str, fork: int = HOME) -> list[Trace]:
        """The cascade an event belongs to, within a fork or outside of all."""
        return self._at_boundary(lambda: self._cascades_of(fork).of(event_id))

    def _cascades_of(self, fork: int) -> Cascades:
        if fork != HOME and fork not in self._sequencer.domains:
            raise CommandRefusedError(f"there is no fork {fork!r}.")
        return self._sequencer.cascades_of(fork)

    def audit(self) -> dict[str, Any]:
        """Totals since the beginning: deliveries by type, and for each conserved quantity what is and what should be."""
        return self._at_boundary(
            lambda: {
                "delivered_by_type": dict(sorted(self._sequencer.totals.delivered_by_type.items())),
                "conservation": self._sequencer.conservation(),
            }
        )

    def in_flight_to(self, member_id: str) -> list[Any]:
        """Events under way to a member, in the order in which it will hear them."""
        return self._at_boundary(lambda: self._sequencer.in_flight_to(member_id))

    def capture(self, member_id: str) -> bytes:
        """A member's state at the present boundary."""
        return self._at_boundary(lambda: self._fleet.capture(member_id))

    def kill(self, member_id: str) -> None:
        """Kills the process of a member's host at this boundary, for those who want to see it come back.

        Raises:
            UnknownMemberError: no such member.
            EngineError: its process is not its own.
        """
        self._at_boundary(lambda: self._lane.crash(self._fleet.host_of(member_id)))

    def recoveries(self) -> list[dict[str, Plain]]:
        """Members that were brought back, oldest first; see `Recovery`."""
        return [msgspec.to_builtins(recovery) for recovery in list(self._fleet.recoveries)]

    def members(self) -> list[dict[str, Plain]]:
        """Every member: id, kind, state, local tick, process id, node."""
        return self._at_boundary(self._describe_members)

    def _describe_members(self) -> list[dict[str, Plain]]:
        whereabouts = self._fleet.whereabouts()
        return [
            {
                "member_id": member_id,
                "kind": seated.contract.kind,
                "state": seated.state,
                "local_tick": seated.local_tick,
                "recovery": seated.contract.recovery,
                "process_id": whereabouts[member_id].process_id if member_id in whereabouts else 0,
                "node": whereabouts[member_id].node if member_id in whereabouts else "",
            }
            for member_id, seated in sorted(self._sequencer.members.items())
        ]

    def close(self) -> None:
        """Ends any run and gives every host back."""
        with self._guard:
            self._closed = True
        self.stop()
        with self._turn:
            if self._keeps and not self._unable and self._seal() is None:
                self._write_keyframe()
            self._fleet.close()
            self._chronicle.close()
        self._drain_if_idle()
