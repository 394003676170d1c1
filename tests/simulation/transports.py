"""A lane on which everything goes wrong that a seed says, in virtual time and on one thread.

Hosts are real (`watching.py`) and messages travel as real bytes. Processes, time and the line are not: a heap of what
is to happen when, and one seeded generator. A message has a delay of its own, so messages overtake each other, to one
host too. What was said to or by a host that was given up still arrives.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import EngineError, ProtocolError
from actors.core.kernel.lanes import Beat, Died, Heard, Rejoined, Signal, Whereabouts
from actors.core.kernel.messages import (
    Advance,
    Answer,
    Embodied,
    Embodiment,
    Message,
    Refusal,
    Stand,
    pack,
    unpack,
)

from .faults import Plan, Point
from .watching import Killed, WatchedHost, computing

MEMBER_TIMEOUT_S = 20.0
"""Longer than any message takes that is lost once, cut once and delayed on each of its ways."""
HANGS_S = 45.0
HANGS_IN_RETURN_S = 700.0
SPIKE_SHARE = 0.05
"""The part of messages that takes ten times as long as the longest of the others."""
WAKEFUL_S = 5_000.0
RECEIVES_MAX = 40_000
"""In one effect of the sequencer; more, or more virtual time, is a clock that hangs."""
GHOST_REQUEST = 10**9
"""Questions of other clocks have numbers beyond all of the present one."""
LOG_LINES_MAX = 4_000

_LOST_AND_DOUBLED: dict[type[Message], tuple[Point, Point, Point | None]] = {
    Advance: (Point.GRANT_LOST, Point.GRANT_DOUBLED, Point.GRANT_GARBLED),
    Embodiment: (Point.EMBODIMENT_LOST, Point.EMBODIMENT_DOUBLED, Point.EMBODIMENT_GARBLED),
    Stand: (Point.STAND_LOST, Point.STAND_DOUBLED, Point.GRANT_GARBLED),
    Answer: (Point.ANSWER_LOST, Point.ANSWER_DOUBLED, Point.ANSWER_GARBLED),
    Embodied: (Point.EMBODIED_LOST, Point.EMBODIED_DOUBLED, Point.ANSWER_GARBLED),
    Refusal: (Point.ANSWER_LOST, Point.ANSWER_DOUBLED, Point.ANSWER_GARBLED),
}

_IN_ANY_LATER_ONE = (Point.IN_TWO_TICKS, Point.IDLE_THEN_IN_TICK)
"""Pairs of deaths of which the second is in a question of its own."""


class MisdeedError(AssertionError):
    """The clock did what it must never do, whatever the lane does."""


class HungError(MisdeedError):
    """The clock waits for what will never come."""


class SimulatedProcess:
    """One host's process.

    Attributes:
        member_id: whom it was told to make; "" for a spare.
        alive: whether it still computes.
        given_up: whether the clock has ended it; it may not know.
        told_dead: whether the clock has heard that it is dead.
        harm: what was done to it; "" if nothing was, and then the clock has no reason to give it up.
        doing: the message it is at.
    """

    def __init__(self, lane: "SimulatedLane", host_id: str) -> None:
        self.lane, self.host_id = lane, host_id
        self.host = WatchedHost(lane.realm_paths)
        self.member_id = self.harm = ""
        self.alive, self.given_up, self.told_dead, self.heard_epoch = True, False, False, False
        self.busy_until_s = self.cut_until_s = 0.0
        self.doing: Message | None = None

    def passes(self, *points: Point) -> None:
        """See `Process`."""
        if not self.alive:
            raise Killed
        for point in () if self.given_up else points:
            if self.lane.plan.strikes(point):
                self.die(point.name)
                raise Killed

    def is_struck(self, point: Point) -> bool:
        """See `Process`."""
        if self.alive and not self.given_up and self.lane.plan.strikes(point):
            self.harm = point.name
            self.lane.fickle.add(self.host_id)
            return True
        return False

    def reads(self, message: Message) -> None:
        """See `Process`."""
        match message:
            case Advance(request, grants):
                commands = grants[0].commands
                self._dies_again(request)
                self.passes(Point.COMMAND_READ if commands else Point.GRANT_READ)
                self._dies_in_company(request, Point.TWICE_IN_ONE_COMMAND if commands else Point.TWICE_IN_ONE_TICK)
            case Stand(request):
                self._dies_again(request)
                self.passes(Point.STAND_READ)
                self._dies_in_company(request, Point.TWICE_IN_ONE_STAND)

    def _dies_in_company(self, request: int, twice: Point) -> None:
        """Deaths that another one follows."""
        plan, lane = self.lane.plan, self.lane
        if plan.arms(twice):
            lane.armed[self.member_id] = (request, twice)
        elif plan.arms(Point.IN_TWO_TICKS):
            lane.armed[self.member_id] = (request + 1, Point.IN_TWO_TICKS)
        elif (others := lane.carriers(but=self.member_id)) and plan.strikes(Point.TWO_AT_ONCE):
            plan.rng.choice(others).die(Point.TWO_AT_ONCE.name)
        elif plan.strikes(Point.DEATH_UNTOLD):
            self.alive, self.harm = False, Point.DEATH_UNTOLD.name
            lane.log(f"{self.host_id} ({self.member_id}) dies and nobody tells")
            raise Killed
        else:
            return
        self.die("the first of two deaths")
        raise Killed

    def _dies_again(self, request: int) -> None:
        first_request, point = self.lane.armed.get(self.member_id, (0, Point.IN_TWO_TICKS))
        again = request == first_request or (point in _IN_ANY_LATER_ONE and 0 < first_request < request)
        if again and not self.given_up:
            del self.lane.armed[self.member_id]
            self.lane.plan.note(point)
            if point not in _IN_ANY_LATER_ONE:
                self.lane.died_twice.append((self.member_id, point))
            self.die(point.name)
            raise Killed

    def die(self, harm: str, *, after_s: float | None = None) -> None:
        """Ends the process; the clock hears of it some time later."""
        if not self.alive:
            return
        lane = self.lane
        self.alive, self.harm = False, harm
        lane.log(f"{self.host_id} ({self.member_id or 'spare'}) dies: {harm}")
        for _ in range(2 if lane.plan.strikes(Point.DEATH_TOLD_TWICE) else 1):
            wait_s = lane.plan.rng.choice([0.0, 0.01, 1.0]) * lane.plan.rng.random() if after_s is None else after_s
            lane.later(wait_s, lambda: lane.tell(Died(self.host_id, "its process died")))


class SimulatedLane:
    """See `Lane`.

    Args:
        plan: what goes wrong.
        realm_paths: users' folders for factories.

    Attributes:
        given_up: hosts that the clock has ended, in order.
        fickle: hosts on which a member was made another.
        died_twice: members whose host was killed twice in one question, and at which point.
        armed: members that a second death awaits: the question it comes in.
    """

    name = "simulated"
    hosts_may_die = True

    def __init__(self, plan: Plan, realm_paths: tuple[str, ...] = ()) -> None:
        self.plan, self.realm_paths = plan, realm_paths
        self.processes: dict[str, SimulatedProcess] = {}
        self.given_up: list[SimulatedProcess] = []
        self.name_of: Callable[[str], str] = str  # of the member that a host carries, as the clock calls it
        self.fickle: set[str] = set()
        self.died_twice: list[tuple[str, Point]] = []
        self.armed: dict[str, tuple[int, Point]] = {}
        self.lines: deque[str] = deque(maxlen=LOG_LINES_MAX)
        self._now_s = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._counted = 0
        self._signals: list[Signal] = []
        self._telling: list[str] = []
        self._lost: set[tuple[str, int]] = set()
        self._since_s = 0.0
        self._receives = 0

    # ------------------------------------------------------------------------------------------------------- time

    def now_s(self) -> float:
        """See `Lane`."""
        return self._now_s

    def later(self, wait_s: float, action: Callable[[], None]) -> None:
        """Lets something happen some time from now."""
        self._counted += 1
        heappush(self._heap, (self._now_s + wait_s, self._counted, action))

    def let_pass(self, seconds: float) -> None:
        """Lets time pass in which nobody listens."""
        self._now_s += seconds

    def begin(self) -> None:
        """The clock begins with something: from here on its patience is measured."""
        self._since_s, self._receives = self._now_s, 0

    def log(self, line: str) -> None:
        """Notes a line for people."""
        self.lines.append(f"{self._now_s:10.3f} s  {line}")

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        """See `Lane`."""
        for host_id in self._telling:
            self.processes[host_id].told_dead = True
        self._watch()
        until = self._now_s + timeout_s
        while self._heap and self._heap[0][0] <= until:
            at_s, _, action = heappop(self._heap)
            self._now_s = max(self._now_s, at_s)
            action()
            if self._signals:
                until = min(until, self._now_s + self.plan.rng.choice([0.0, 0.0, 0.01]))
        if not self._signals:
            self._now_s = max(self._now_s, until)
        signals, self._signals = self._signals, []
        self._telling = [signal.host_id for signal in signals if isinstance(signal, Died)]
        return signals

    def _watch(self) -> None:
        self._receives += 1
        if self._receives > RECEIVES_MAX or self._now_s - self._since_s > WAKEFUL_S:
            raise HungError(f"the clock has waited for {self._now_s - self._since_s:.0f} s of virtual time")

    # ------------------------------------------------------------------------------------------------------ hosts

    def start(self, host_id: str, placement: bytes) -> None:
        """See `Lane`."""
        process = self.processes[host_id] = SimulatedProcess(self, host_id)
        process.busy_until_s = self._now_s + self.plan.rng.random()
        if self.plan.strikes(Point.CANNOT_START):
            process.die(Point.CANNOT_START.name)

    def carriers(self, but: str = "") -> list[SimulatedProcess]:
        """Processes that carry a member, by the member's id."""
        found = [one for one in self.processes.values() if one.member_id and one.alive and not one.given_up]
        return sorted((one for one in found if one.member_id != but), key=lambda one: one.member_id)

    def spares(self) -> list[SimulatedProcess]:
        """Processes that wait to be told what they carry."""
        return [one for one in self.processes.values() if not one.member_id and one.alive and not one.given_up]

    def kill(self, host_id: str) -> None:
        """See `Lane`. The process may not hear of it."""
        process = self.processes[host_id]
        process.given_up = True
        self.given_up.append(process)
        self.log(f"{host_id} ({process.member_id}) is given up")
        if not process.alive:
            return
        if self.plan.strikes(Point.REMOVED_DIES):
            process.die(Point.REMOVED_DIES.name)
        elif process.harm or self.plan.strikes(Point.GIVEN_UP_LIVES) or self.plan.chance(0.3):
            self.plan.note(Point.GIVEN_UP_LIVES)
            if self.plan.strikes(Point.GIVEN_UP_REJOINS) or self.plan.chance(0.5):
                self.plan.note(Point.GIVEN_UP_REJOINS)
                self.later(self._delay_s(), lambda: self.tell(Rejoined(host_id)))
                self.later(self._delay_s(), lambda: self.tell(Beat(host_id, 1)))
        else:
            process.alive = False

    def crash(self, host_id: str) -> None:
        """See `Lane`."""
        self.processes[host_id].die("crashed")

    def tell(self, signal: Signal) -> None:
        """Lets the clock hear something with the next `receive`."""
        self._signals.append(signal)

    def beat(self, host_id: str) -> None:
        """See `Lane`."""
        process = self.processes[host_id]
        if not process.alive or process.cut_until_s > self._now_s or self.plan.strikes(Point.BEAT_LOST):
            return
        beat = Beat(host_id, process.host.heartbeat()[1])
        self.later(self._delay_s(), lambda: self.tell(beat))

    # --------------------------------------------------------------------------------------------------- messages

    def pack(self, message: Message) -> bytes:
        """See `Lane`."""
        return pack(message)

    def send(self, host_id: str, parcel: bytes) -> None:
        """See `Lane`.

        Raises:
            MisdeedError: to a host that the clock has given up, or knows to be dead.
        """
        process = self.processes[host_id]
        if process.given_up or process.told_dead:
            raise MisdeedError(f"the clock sends to {host_id} ({process.member_id}), which it knows to be gone")
        message = unpack(parcel)
        if isinstance(message, Embodiment):
            process.member_id = self.name_of(host_id)
            if not message.again and (message.since or message.checkpoint is not None):
                raise MisdeedError(f"{process.member_id} has lived, and is made as if it were new")
            if self.plan.strikes(Point.SPARE_DIES_UNSEEN):
                process.die(Point.SPARE_DIES_UNSEEN.name, after_s=0.5)
        delay_s = 0.0
        if isinstance(message, Advance) and process.heard_epoch:
            delay_s = self._send_ghosts(process, message)
        self._carry(process, message, parcel, lambda arrived: self._deliver(process, arrived), delay_s)

    def _send_ghosts(self, process: SimulatedProcess, advance: Advance) -> float:
        """What this clock never said; it comes first. How long what it said takes longer than that."""
        grant = advance.grants[0]
        forged = []
        if self.plan.strikes(Point.OLD_CLOCK_SPEAKS):
            forged.append(msgspec.structs.replace(grant, epoch=grant.epoch - 1, local_ticks=grant.local_ticks + 1))
        if self.plan.strikes(Point.GRANT_OUT_OF_ORDER):
            forged.append(msgspec.structs.replace(grant, number=grant.number + 2))  # this one may be lived already
        for one in forged:
            parcel = pack(Advance(GHOST_REQUEST + advance.request, (one,)))
            self.later(0.0, lambda parcel=parcel: self._deliver(process, parcel))  # type: ignore[misc]
        return 0.1 if forged else 0.0

    def _carry(
        self,
        process: SimulatedProcess,
        message: Message,
        parcel: bytes,
        arrive: Callable[[bytes], None],
        delay_s: float = 0.0,
    ) -> None:
        """Carries a message, or not, or twice, or what is left of it."""
        plan = self.plan
        lost, doubled, garbled = _LOST_AND_DOUBLED[type(message)]
        if isinstance(message, Answer) and message.checkpoint is not None and plan.strikes(Point.CHECKPOINT_LOST):
            return
        if plan.strikes(Point.LINE_CUT):
            self._cut(process)
        if self._is_lost(process, message, lost):
            self.log(f"lost: {type(message).__name__} {message.request} of {process.member_id}")
            return
        twice = plan.strikes(doubled)
        if not twice and plan.chance(plan.doubled):
            plan.note(doubled)
            twice = True
        if garbled is not None and plan.strikes(garbled):
            parcel = self._garbled(parcel)
            self.log(f"garbled: {type(message).__name__} {message.request} of {process.member_id}")
        for _ in range(2 if twice else 1):
            self.later(delay_s + self._delay_s(), lambda: self._arrive(process, parcel, arrive))

    def _is_lost(self, process: SimulatedProcess, message: Message, point: Point) -> bool:
        question = (process.host_id, message.request)
        if question in self._lost:
            return False
        lost = self.plan.strikes(point)
        if not lost and self.plan.chance(self.plan.lost):
            self.plan.note(point)
            lost = True
        if lost:
            self._lost.add(question)
        return lost

    def _garbled(self, parcel: bytes) -> bytes:
        """What nobody can read: cut off, another version, or a kind that there is not."""
        cut = parcel[: self.plan.rng.randrange(len(parcel))]
        return self.plan.rng.choice([cut, b"\x07" + parcel[1:], parcel[:1] + b"\xee" + parcel[2:]])

    def _cut(self, process: SimulatedProcess) -> None:
        seconds = self.plan.rng.uniform(0.1, 3.0)
        process.cut_until_s = self._now_s + seconds
        self.log(f"{process.host_id} ({process.member_id}) is cut off for {seconds:.1f} s")
        self.later(seconds, lambda: self.tell(Rejoined(process.host_id)) if process.alive else None)

    def _arrive(self, process: SimulatedProcess, parcel: bytes, arrive: Callable[[bytes], None]) -> None:
        if process.cut_until_s <= self._now_s:
            arrive(parcel)

    def _delay_s(self) -> float:
        longest_s = self.plan.delay_s * (10 if self.plan.chance(SPIKE_SHARE) else 1)
        return self.plan.rng.random() * longest_s

    def _deliver(self, process: SimulatedProcess, parcel: bytes) -> None:
        """A message reaches a process: it answers, or dies over it."""
        if not process.alive:
            return
        if process.busy_until_s > self._now_s:
            self.later(process.busy_until_s - self._now_s, lambda: self._deliver(process, parcel))
            return
        reply = self._compute(process, parcel)
        if reply is None:
            return
        work_s = self.plan.rng.random() * 0.005 + self._hanging_s(process, parcel)
        process.busy_until_s = self._now_s + work_s
        self.later(work_s, lambda: self._leave(process, parcel, reply))

    def _compute(self, process: SimulatedProcess, parcel: bytes) -> bytes | None:
        try:
            with computing(process, None):
                process.passes(*self._unread(parcel))
                reply = process.host.answer_packed(parcel)
        except Killed:
            return None
        return reply if process.alive else None

    def _unread(self, parcel: bytes) -> tuple[Point, ...]:
        match _peek(parcel):
            case Advance():
                return (Point.GRANT_UNREAD,)
            case Embodiment(again=again):
                return (Point.RETURN_UNREAD if again else Point.BIRTH_UNREAD,)
        return ()

    def _hanging_s(self, process: SimulatedProcess, parcel: bytes) -> float:
        """How long a process keeps its answer back."""
        message = _peek(parcel)
        process.heard_epoch |= isinstance(message, Advance) and message.request < GHOST_REQUEST
        for kind, point, seconds in (
            (Advance, Point.HANGS, HANGS_S),
            (Embodiment, Point.HANGS_IN_RETURN, HANGS_IN_RETURN_S),
        ):
            if isinstance(message, kind) and getattr(message, "again", True) and self.plan.strikes(point):
                process.harm = point.name
                self.log(f"{process.host_id} ({process.member_id}) hangs for {seconds:g} s")
                return seconds
        return 0.0

    def _leave(self, process: SimulatedProcess, parcel: bytes, packed_reply: bytes) -> None:
        """An answer leaves, and perhaps its process dies after that."""
        if not process.alive:
            return
        reply = unpack(packed_reply)
        self._carry(process, reply, packed_reply, lambda arrived: self._hear(process, arrived))
        if self.plan.strikes(Point.DEATH_OVERTAKES_ANSWER):
            process.die(Point.DEATH_OVERTAKES_ANSWER.name, after_s=0.0)
        for point in _left(_peek(parcel), reply):
            if self.plan.strikes(point):
                process.die(point.name)

    def _hear(self, process: SimulatedProcess, packed_reply: bytes) -> None:
        try:
            heard: Signal = Heard(process.host_id, unpack(packed_reply, Answer, Embodied, Refusal))
        except ProtocolError as error:  # as the other lanes do
            process.harm = "it answered what cannot be read"
            heard = Died(process.host_id, f"{process.harm}: {error.message}")
        self.tell(heard)
        if not process.alive and self.plan.chance(0.5):  # the word of its death comes with its last words
            self.tell(Died(process.host_id, "its process died"))

    # ------------------------------------------------------------------------------------------------------ reads

    def query(self, host_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See `Lane`."""
        return self._reachable(host_id).seat.query(verb, arguments)

    def capture(self, host_id: str) -> bytes:
        """See `Lane`."""
        return self._reachable(host_id).seat.capture()

    def _reachable(self, host_id: str) -> WatchedHost:
        if not self.processes[host_id].alive:
            raise EngineError("its process died.")
        return self.processes[host_id].host

    def whereabouts(self, host_ids: Sequence[str]) -> dict[str, Whereabouts]:
        """See `Lane`."""
        return {host_id: Whereabouts(0, "") for host_id in host_ids if self.processes[host_id].alive}

    def obstacle(self, host_id: str) -> str:
        """See `Lane`."""
        return ""

    def computing(self) -> None:
        """See `Lane`."""

    def close(self) -> None:
        """See `Lane`."""
        self._heap.clear()


def _peek(parcel: bytes) -> Any:
    try:
        return unpack(parcel)
    except ProtocolError:
        return None


def _left(message: Message | None, reply: Message) -> tuple[Point, ...]:
    """The points just after an answer has left."""
    match message, reply:
        case Advance(), Answer(_, _, checkpoint):
            if message.grants[0].commands:
                return (Point.RESULT_LEFT,)
            return (Point.ANSWER_LEFT,) if checkpoint is None else (Point.CHECKPOINT_LEFT,)
        case Embodiment(), Embodied():
            return (Point.STANDS_AGAIN if message.again else Point.BIRTH_ANSWERED,)
    return ()
