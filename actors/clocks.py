"""The master clock: drives the sequencer's scripts over a lane, keeps the pace, and answers while it runs.

A run holds the clock's turn from its first control tick to its last and lets the queued commands in at every boundary;
while no run holds it, whoever brings a command carries it out at once. See `command_rounds.py`.
"""

import contextlib
import math
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from actors.chronicles import Chronicle, no_chronicle
from actors.clock_messages import (
    AS_FAST_AS_IT_CAN,
    CLOCK,
    FAST,
    FOREVER,
    REALTIME,
    SET_UP,
    STAND,
    About,
    Metrics,
    Pace,
    Status,
)
from actors.command_rounds import WAITING_SAYS_SO_AFTER_S
from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import Boundary, ClockCommand, Reply
from actors.core.kernel.errors import (
    CallerError,
    CommandRefusedError,
    SoulfraError,
    StaleEpochError,
    VaultError,
    told,
)
from actors.core.kernel.fleets import RESTARTED, Fleet
from actors.core.kernel.games import PAUSED, RUNNING, SYNCING
from actors.core.kernel.keeping import Recovery
from actors.core.kernel.lanes import Lane
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.settings import Settings
from actors.core.kernel.tables import tables_of
from actors.core.kernel.ticking import TickRecord
from actors.core.kernel.windows import control_ticks_script
from actors.keyframes import Standing
from actors.laps import Laps
from actors.marks import Marks
from actors.readable_clocks import ReadableClock
from actors.readings import described
from actors.replays import REGISTRY, Replay
from actors.requests import Principal, asked_by, check_command_id
from actors.schedules import Lateness, Schedule
from actors.vaults.records import DONE

LOGGED_MAX = 10_000
"""Rows of members' logs that wait for a keyframe, some 5 MB; when there are more, the clock writes one and waits for it."""
METRICS_KEPT_MAX = 100_000
"""Of one run, for whoever waits for its end."""
DESCRIBE_INTERVAL_S = 0.02
"""How old the description of a clock that runs may be; making one costs microseconds a realm."""
TEND_INTERVAL_S = 0.05
"""How often a clock that stands looks after its hosts."""
LOOK_AFTER_INTERVAL_S = 1.0
"""How often a clock looks after its ground: whether another clock has taken over, whether nodes are to be left."""


class MasterClock(ReadableClock):
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
        nowhere = no_chronicle(settings)
        self._lane = lane
        super().__init__(Sequencer(settings, nowhere.epoch), Fleet(settings, lane), nowhere)
        self._fleet.prepare(hosts)
        self._open_chronicle = chronicle
        self._guard = threading.Lock()
        self._run: threading.Event | None = None  # ends the run that is under way or waits for its turn
        self._ticking = self._paused = False
        self._taking_up = ""
        self._marks = Marks(nowhere, self._insist)
        self._stands = threading.Event()
        self._looked_after_at = time.monotonic()
        self._propagated = 0
        self._reports_at = -math.inf
        self._laps, self._tick_s = Laps(lane.now_s), 0.0
        self._elapsed_total_ms = self._described_at = 0.0
        self._schedule: Schedule | None = None
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
                self._sequencer = self._new_sequencer()
                self._marks = Marks(self._chronicle, self._insist)
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

    def _new_sequencer(self) -> Sequencer:
        sequencer = Sequencer(self._chronicle.settings, self._chronicle.epoch)
        sequencer.keeps_log = self._chronicle.remembers
        return sequencer

    # -------------------------------------------------------------------------------------------------- commands

    def submit(self, command: ClockCommand, command_id: str = "", principal: Principal = "") -> Reply:
        """Carries out a command at the next boundary: at once if the clock stands at one, else when the tick is over.

        Args:
            command: what is asked.
            command_id: the caller's name for it; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.
        """
        return self._at_boundary(lambda: self._carry_out(command, command_id, principal))

    def _carry_out(self, command: ClockCommand, command_id: str, principal: Principal = "") -> Reply:
        self._check_whole()
        is_known, before = command_id in self._sequencer.replies, self._sequencer.position
        asked = asked_by(principal, command, command_id)
        try:
            asked.check(self._sequencer.permissions)
            check_command_id(command_id, self._sequencer.replies)
        except CallerError as error:
            self._chronicle.tell(asked, self._sequencer.boundary, error.code)
            return Reply(self._sequencer.boundary, b"", error.code, error.message)
        reply = self._perform(self._sequencer.command_script(command, command_id))
        if not is_known:
            now = self._sequencer.boundary
            own = min(before + 1, now.position)  # what was decided because of it comes after it
            place = Boundary(now.branch, now.control_tick, own)
            self._chronicle.tell(asked, place, reply.error_code or DONE)
        self._note_ledger()
        self._state = self._describe()
        return reply

    def _note_ledger(self) -> None:
        self._chronicle.balance(self._sequencer.boundary, self._sequencer.totals.ledger)

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
        return Standing(tables_of(self._sequencer), self._fleet.tables(), self._sequencer.take_logged())

    def _resume(self) -> None:
        """Takes up where the clock before this one stood: the last keyframe, then everything since once more."""
        begun = time.monotonic()
        replay = self._replay()
        first = 0

        def say(doing: str) -> None:
            nonlocal first
            self._taking_up, first = doing, self._sequencer.control_tick

        replay.take_up(self._chronicle, say)
        self._marks.reached = self._chronicle.marked()
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

    def digest(self) -> str:
        """The digest of the present boundary, commands included, hexadecimal."""
        return self._at_boundary(self._take_digest)

    def domain_digest(self, domain: int) -> str:
        """The digest of one closed domain by itself, commands included, by roles, hexadecimal."""
        return self._at_boundary(lambda: self._take_digest(domain))

    def _take_digest(self, domain: int | None = None) -> str:
        self._check_whole()
        digest = self._perform(self._sequencer.digest_script(domain))
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
                    self._marks.mark(self._sequencer.control_tick)
                finally:
                    self._run = None  # before the turn is given on, so that whoever has it next may begin a run
                    self._keep_appointments()
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
            now = self._sequencer.control_tick
            until = min([control_tick, *(tick for tick, _ in self._appointments if tick > now)])
            # In real time every window has its own time.
            self._reports_at = self._lane.now_s() + DESCRIBE_INTERVAL_S if schedule is None else -math.inf
            lived = self._tick(self._marks.visible(now, until, pace) - now)
            metrics.extend(lived)
            if schedule is not None:
                schedule.pass_over(len(lived) - 1)
            self._keep_appointments(self._sequencer.control_tick)
            self._drain()
            self._look_after()
        if schedule is not None:
            schedule.rest()

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
        elif len(self._sequencer.logged) >= LOGGED_MAX:
            self._write_keyframe()
        if time.monotonic() - self._described_at >= DESCRIBE_INTERVAL_S:
            self._state = self._describe()
        return metrics

    def _goes_on(self, control_ticks: int) -> bool:
        """Notes that so many control ticks are over; whether the next may begin before the clock has looked up."""
        self._laps.lap(control_ticks)
        return self._is_left_alone()

    def _is_left_alone(self) -> bool:
        """Whether nobody wants anything of the next boundary, the clock itself included."""
        stop = self._run
        waited_for = self._queue or self._appointments or stop is None or stop.is_set()
        return (
            not waited_for
            and not self._chronicle.keyframe_is_due()
            and len(self._sequencer.logged) < LOGGED_MAX
            and self._lane.now_s() + self._tick_s < self._reports_at
        )

    def _live(self, control_ticks_max: int) -> list[Metrics]:
        self._laps, before = Laps(self._lane.now_s), self._sequencer.position
        # Where members live in the clock's own process, nobody works while the books are kept.
        goes_on = self._goes_on if self._lane.hosts_may_die and self._is_left_alone() else None
        records: list[TickRecord] = []
        self._ticking = True
        try:
            self._perform(control_ticks_script(self._sequencer, control_ticks_max, records, goes_on))
        finally:  # what was over before the clock broke off is as it was
            self._ticking = False
            metrics = self._note(records, before)
        return metrics

    def _note(self, records: list[TickRecord], before: int) -> list[Metrics]:
        """Takes in what control ticks came to, which began at a position of the journal."""
        metrics = []
        decided = [entry.control_tick for entry in self._sequencer.journal if entry.position > before]
        for record, took_s in zip(records, self._laps.finish(len(records)), strict=True):
            position = before + sum(tick <= record.control_tick_id for tick in decided)
            self._tick_s, elapsed_ms = took_s, took_s * 1e3
            self._chronicle.note(record, position, took_s)
            if record.ledger:
                boundary = Boundary(self._sequencer.settings.branch, record.control_tick_id, position)
                self._chronicle.balance(boundary, record.ledger)
            self._logbook.note(record)
            self._propagated = record.events_propagated
            self._elapsed_total_ms += elapsed_ms
            metrics.append(Metrics(record.control_tick_id, record.games_synced, record.events_propagated, elapsed_ms))
        return metrics

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
        return described(self._sequencer, self._elapsed_total_ms)

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """Asks a member's published view."""
        self._stands.wait()
        self._check_able()
        return self._lane.query(self._fleet.host_of(member_id), verb, arguments)

    def kill(self, member_id: str) -> None:
        """Kills the process of a member's host at this boundary, for those who want to see it come back.

        Raises:
            UnknownMemberError: no such member.
            EngineError: its process is not its own.
        """
        self._at_boundary(lambda: self._lane.crash(self._fleet.host_of(member_id)))

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
