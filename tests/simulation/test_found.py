"""What the simulation has found, each as the shortest story that shows it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.chronicles import Chronicle, Founding
from actors.clocks import MasterClock
from actors.core.kernel.addresses import RealmCoordinate
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import ClockCommand, MemberSpec, QueueEvent, RegisterGame, RestartGame
from actors.core.kernel.effects import Script, T
from actors.core.kernel.errors import EngineError, MemberError
from actors.core.kernel.fleets import Fleet
from actors.core.kernel.lanes import Died, Heard, Rejoined, Signal
from actors.core.kernel.members import Birth, Grant
from actors.core.kernel.messages import Advance, Answer, Embodied, Embodiment, Message, Refusal, pack, unpack
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.settings import Settings
from actors.hosts import Host
from actors.lanes import LocalLane
from actors.vaults.openings import open_vault

REALMS = (str(Path(__file__).parent.parent / "realms"),)
Sent = tuple[str, Message]


class LaneByHand(LocalLane):
    """Real hosts; the test may change what reaches them and what comes back, and time is its own.

    Attributes:
        carry: what becomes of messages to hosts.
        bring: what becomes of signals to the clock.
    """

    hosts_may_die = True

    def __init__(self) -> None:
        super().__init__(REALMS)
        self.carry: Callable[[list[Sent]], Iterable[Sent]] = lambda sent: sent
        self.bring: Callable[[list[Signal]], list[Signal]] = lambda signals: signals
        self.started = 0
        self._now_s = 0.0
        self._messages: list[Sent] = []
        self._told: list[Signal] = []

    def tell(self, signal: Signal) -> None:
        """Lets the clock hear something once."""
        self._told.append(signal)

    def start(self, host_id: str, placement: bytes) -> None:
        self.started += 1
        super().start(host_id, placement)

    def send(self, host_id: str, parcel: Message) -> None:
        self._messages.append((host_id, parcel))

    def now_s(self) -> float:
        return self._now_s

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        sent, self._messages = self._messages, []
        arrived = [(host_id, message) for host_id, message in self.carry(sent) if host_id in self._hosts]
        signals = self.bring([Heard(host_id, self._hosts[host_id].answer(message)) for host_id, message in arrived])
        signals, self._told = [*self._told, *signals], []
        if not signals:
            self._now_s += timeout_s
            assert self._now_s < 1_000, "the clock hangs"
        return signals


class Clock:
    """A sequencer and a fleet on such a lane, with one scribe."""

    def __init__(self, **settings: Any) -> None:
        self.lane = LaneByHand()
        self.sequencer = Sequencer(Settings(spare_hosts=0, **settings))
        self.fleet = Fleet(self.sequencer.settings, self.lane)

    def perform(self, script: Script[T]) -> T:
        try:
            effect = next(script)
            while True:
                effect = script.send(self.fleet.perform(effect))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def do(self, command: ClockCommand) -> Any:
        return self.perform(self.sequencer.command_script(command)).value()

    def register(self, realm_id: str = "a") -> None:
        spec = MemberSpec("small:Scribe", encode({}))
        self.do(RegisterGame(realm_id, RealmCoordinate(realm_id).key, "sol_system", spec))

    def tick(self) -> None:
        self.perform(self.sequencer.control_tick_script())

    def errors(self) -> dict[str, str]:
        return {name: one.error.message for name, one in self.sequencer.members.items() if one.error is not None}


@pytest.fixture
def clock() -> Clock:
    return Clock()


# ------------------------------------------------------------------------------------------------- messages that come twice


def test_a_question_that_is_answered_twice_is_settled_once(clock: Clock) -> None:
    """What is asked again after five seconds may have been under way all the time."""
    clock.lane.bring = lambda signals: [*signals, *signals]
    clock.register("a")
    clock.register("b")
    for _ in range(3):
        clock.tick()
    assert clock.errors() == {}
    assert len(clock.fleet._kept["a"].since) == 3


def test_a_refusal_that_comes_twice_is_settled_once(clock: Clock) -> None:
    clock.register()
    clock.do(QueueEvent("", "", "a", "note", encode({"poison": True})))
    clock.tick()
    clock.lane._hosts["host-1"].seat._stand = lambda: _refuse()  # type: ignore[method-assign]
    clock.lane.bring = lambda signals: [*signals, *signals]
    with pytest.raises(MemberError):
        clock.do(RestartGame("a"))
    clock.tick()


def _refuse() -> None:
    raise MemberError("it will not.")


# --------------------------------------------------------------------------------------------- messages that cannot be read


def test_what_a_host_could_not_read_is_refused_without_harm(clock: Clock) -> None:
    clock.register()
    host = Host(REALMS)

    def garble(sent: list[Sent]) -> list[Sent]:
        clock.lane.carry = lambda again: again
        clock.lane.tell(Heard("host-1", unpack(host.answer_packed(pack(sent[0][1])[:9]))))
        return []

    clock.lane.carry = garble
    clock.tick()
    clock.tick()
    assert clock.errors() == {}
    assert not clock.fleet.recoveries


# -------------------------------------------------------------------------------------------- words to make a member, lost


def lose_embodiments(clock: Clock, of: int) -> list[Message]:
    """Loses the next so many words to make a member; returns what was lost so far."""
    lost: list[Message] = []

    def carry(sent: list[Sent]) -> list[Sent]:
        arrived = []
        for one in sent:
            if isinstance(one[1], Embodiment) and len(lost) < of:
                lost.append(one[1])
            else:
                arrived.append(one)
        return arrived

    clock.lane.carry = carry
    return lost


def test_the_word_to_make_a_member_is_said_again(clock: Clock) -> None:
    lost = lose_embodiments(clock, 1)
    clock.register()
    assert len(lost) == 1
    assert clock.lane.started == 1
    assert clock.lane.now_s() < 10
    clock.tick()


def test_the_word_to_make_a_member_is_said_again_when_the_line_is_back(clock: Clock) -> None:
    """On Ray's own lane a call that failed shows as a line that was cut."""
    lose_embodiments(clock, 1)
    clock.lane.tell(Rejoined("host-1"))
    clock.register()
    assert clock.lane.now_s() == 0
    assert clock.lane.started == 1


# ------------------------------------------------------------------------------------------- words to make a member, doubled


def test_the_word_to_make_a_member_that_comes_late_once_more_does_not_undo_its_life() -> None:
    host = Host(REALMS)
    word = Embodiment(1, Birth("a", 7, "a"), MemberSpec("small:Scribe", encode({})))
    embodied = host.answer(word)
    assert isinstance(embodied, Embodied)
    seat = host.seat
    assert host.answer(word) == embodied
    assert host.seat is seat
    lived = host.answer(Advance(2, (Grant(1, "main", 1, 1, 10),)))
    assert isinstance(lived, Answer)
    refusal = host.answer(word)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "protocol"
    assert host.seat is seat
    assert isinstance(host.answer(Advance(3, (Grant(1, "main", 2, 2, 10),))), Answer)


# ------------------------------------------------------------------------------------------------------------ patience


def test_a_host_that_takes_over_has_as_much_time_as_the_one_before() -> None:
    """Else the second host of a member whose first one hung would be given up at the first look, and the member with it."""
    clock = Clock(member_timeout_s=20.0)
    clock.register()
    slow: list[Sent] = []

    def carry(sent: list[Sent]) -> list[Sent]:
        """The first host never answers a grant; the second one takes ten seconds for it."""
        held = [one for one in sent if isinstance(one[1], Advance)]
        slow.extend(one for one in held if one[0] != "host-1")
        begun.extend([clock.lane.now_s()] if slow and not begun else [])
        arrived = [one for one in sent if one not in held]
        if begun and clock.lane.now_s() > begun[0] + 10:
            arrived, slow[:] = arrived + slow, []
        return arrived

    begun: list[float] = []
    clock.lane.carry = carry
    clock.tick()
    assert clock.errors() == {}
    assert len(clock.fleet.recoveries) == 1


# ------------------------------------------------------------------------------------------------------------ restarts


def test_a_restart_waits_for_a_host_that_is_on_its_way() -> None:
    clock = Clock()
    clock.register()
    clock.do(QueueEvent("", "", "a", "note", encode({"poison": True})))
    clock.tick()
    clock.lane.tell(Died("host-1", "its process died"))
    clock.fleet.tend()  # host-2 is told to bring it back, and has not answered yet
    clock.do(RestartGame("a"))
    clock.tick()
    assert clock.lane.started == 2
    assert clock.lane._hosts.keys() == {"host-2"}


# -------------------------------------------------------------------------------------------------------------- births


def test_a_host_that_dies_as_soon_as_its_member_stands_is_replaced(clock: Clock) -> None:
    """The word that it stands and the word of its death may come at once."""
    clock.lane.bring = lambda signals: [*signals, Died("host-1", "its process died")] if signals else []
    clock.register()
    clock.lane.bring = lambda signals: signals
    clock.tick()
    assert clock.errors() == {}
    assert clock.lane.started == 2


# ------------------------------------------------------------------------------------------------- clocks that take over


class LoneClock(MasterClock):
    """A clock that nobody looks after: the test has its only thread."""

    def _tend(self) -> None:
        """Nothing."""


def opened(path: Path, lane: LaneByHand) -> MasterClock:
    founding = Founding(Settings(spare_hosts=0))
    return LoneClock(
        founding.settings,
        lane,
        chronicle=lambda: Chronicle(open_vault(path, power_safe=False), "home", founding),
    )


def kill_in_tick(lane: LaneByHand, control_tick: int, deaths: int) -> None:
    """So many hosts die, one after another, when they are granted this control tick."""

    def carry(sent: list[Sent]) -> list[Sent]:
        arrived = []
        for host_id, message in sent:
            grants = message.grants if isinstance(message, Advance) else ()
            if grants and grants[0].local_ticks and grants[0].control_tick == control_tick and len(died) < deaths:
                died.append(host_id)
                lane.tell(Died(host_id, "its process died"))
            else:
                arrived.append((host_id, message))
        return arrived

    died: list[str] = []
    lane.carry = carry


@pytest.mark.parametrize("commanded", [False, True])
def test_a_member_that_dies_twice_while_history_is_lived_again_is_not_given_up(tmp_path, commanded) -> None:
    """It would be in error where it was not, and the next command of the journal would be left out for the loss."""
    path = tmp_path / "vault.sqlite"
    spec = MemberSpec("small:Scribe", encode({}))
    old = opened(path, LaneByHand())
    old.submit(RegisterGame("a", RealmCoordinate("a").key, "sol_system", spec)).value()
    old.advance_to(3)
    if commanded:  # the journal leads beyond the tick; else only somebody who has seen it does
        old.submit(QueueEvent("", "", "a", "note", encode({}))).value()
    seen = old.digest()
    lane = LaneByHand()
    kill_in_tick(lane, 2, deaths=2)
    new = opened(path, lane)
    assert new.boundary().control_tick == 3
    assert new.digest() == seen
    assert len(new.journal()) == 1 + commanded
    assert lane.started == 4  # one is the registry's


def test_a_member_that_cannot_live_its_history_again_is_not_given_up_in_silence(tmp_path) -> None:
    path = tmp_path / "vault.sqlite"
    old = opened(path, LaneByHand())
    spec = MemberSpec("small:Scribe", encode({}))
    old.submit(RegisterGame("a", RealmCoordinate("a").key, "sol_system", spec)).value()
    old.advance_to(3)
    old.submit(QueueEvent("", "", "a", "note", encode({}))).value()
    lane = LaneByHand()
    kill_in_tick(lane, 2, deaths=100)
    with pytest.raises(EngineError, match=r"in control tick 2 a: its process died.* not what happened then"):
        opened(path, lane)
