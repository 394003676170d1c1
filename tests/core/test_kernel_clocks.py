"""The master clock over the local lane: one thread at a time has its turn, and nobody waits for ever."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from harness import REALMS

from actors.clock_messages import FAST, Pace
from actors.clocks import MasterClock
from actors.core.kernel.addresses import RealmCoordinate
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import (
    Boundary,
    MemberCommand,
    MemberSpec,
    QueueEvent,
    RegisterGame,
    Reply,
    RestartGame,
)
from actors.core.kernel.errors import CommandRefusedError, EngineError, SoulfraError, UnknownMemberError
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import decode_state
from actors.lanes import LocalLane

FOREVER = 10**9
PATIENCE_S = 10.0
"""Longer than anything here takes; what is not done by then hangs."""

pytestmark = pytest.mark.timeout(60)


def clock_of(
    *realms: str, lane: LocalLane | None = None, settings: Settings | None = None, **params: Any
) -> MasterClock:
    clock = MasterClock(settings or Settings(seed=7), lane or LocalLane((REALMS,)))
    for realm in realms:
        register(clock, realm, **params).value()
    return clock


def register(clock: MasterClock, realm: str, factory: str = "small:Ring", **params: Any) -> Reply:
    spec = MemberSpec(factory, encode(params))
    return clock.submit(RegisterGame(realm, RealmCoordinate(realm).key, "sol_system", spec))


def ask(clock: MasterClock, realm: str, verb: str, **arguments: Any) -> Reply:
    return clock.submit(MemberCommand(realm, verb, encode(arguments)))


def in_thread(action: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Runs in a thread that does not keep the tests from ending if it hangs."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(action(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.001)


# ----------------------------------------------------------------------------------------------------------------- idle


def test_an_idle_clock_answers_at_once() -> None:
    clock = clock_of("a")
    reply = ask(clock, "a", "set_luck", luck=3)
    assert (reply.value(), reply.boundary) == (3, Boundary("main", 0, 2))
    refused = ask(clock, "a", "fly")
    assert (refused.error_code, refused.boundary) == ("command_refused", Boundary("main", 0, 2))
    with pytest.raises(CommandRefusedError):
        refused.value()


def test_advance_to_is_idempotent() -> None:
    clock = clock_of("a")
    assert [tick.control_tick_id for tick in clock.advance_to(3)] == [1, 2, 3]
    assert clock.advance_to(3) == clock.advance_to(2) == clock.advance_to(0) == []
    assert clock.status().boundary.control_tick == 3
    assert [tick.control_tick_id for tick in clock.advance_to(4)] == [4]


def test_metrics_and_state_have_their_keys() -> None:
    clock = clock_of("a", shouts=True)
    tick = clock.advance_to(1)[0]
    assert tick.__struct_fields__ == ("control_tick_id", "games_synced", "events_propagated", "elapsed_ms")
    assert (tick.games_synced, tick.events_propagated) == (1, 0)
    assert tick.elapsed_ms > 0
    assert clock.advance_to(2)[0].events_propagated == 1
    status = clock.status()
    assert status.state.keys() >= {
        *("control_tick_id", "games", "pending_events", "events_propagated", "dead_letters", "cascades_cut"),
        *("mean_sync_ms", "mean_event_latency_ms", "digest_chain"),
    }
    game = status.state["games"][0]
    assert game.keys() >= {"realm_id", "state", "stat7_key", "local_tick", "measures", "digest", "error", "traceback"}
    assert (game["realm_id"], game["state"], game["local_tick"]) == ("a", "running", 20)
    assert status.recent_events_propagated == 1
    assert status.state["mean_event_latency_ms"] == 1000.0, "one control tick of 10 local ticks of 100 ms"
    assert not status.running
    assert status.waiting == ()


def test_pausing_is_shown_until_the_next_run() -> None:
    clock = clock_of("a")
    clock.advance_to(1)
    assert clock.pause() == Boundary("main", 1, 1)
    assert clock.status().state["games"][0]["state"] == "paused"
    ask(clock, "a", "set_luck", luck=3).value()
    assert clock.status().state["games"][0]["state"] == "paused"
    clock.advance_to(2)
    assert clock.status().state["games"][0]["state"] == "running"


def test_the_same_commands_at_the_same_boundaries_are_the_same_history() -> None:
    chains = set()
    for _ in range(2):
        clock = clock_of("a", "b", shouts=True)
        for tick in range(1, 6):
            ask(clock, "a", "send", target="b").value()
            clock.advance_to(tick)
        chains.add((clock.status().chain, clock.digest()))
    assert len(chains) == 1


def test_reads_tell_of_the_present_boundary() -> None:
    clock = clock_of("a", "b")
    clock.submit(QueueEvent("e", "b", "a", "token", encode({}))).value()
    assert [event.event_id for event in clock.in_flight_to("a")] == ["e"]
    clock.advance_to(2)
    assert clock.query("a", "get", {"key": "luck"})["boundary"]["control_tick"] == 2
    with pytest.raises(UnknownMemberError):
        clock.query("z", "all", {})
    assert [record.control_tick_id for record in clock.records()] == [1, 2]
    assert [row[:3] for row in clock.series()[0]] == [(1, "a", 10), (1, "b", 10), (2, "a", 20), (2, "b", 20)]
    assert [entry.position for entry in clock.journal()] == [1, 2, 3]
    assert [step.depth for step in clock.cascade("e")][:2] == [0, 1]
    assert clock.audit() == {"delivered_by_type": {"token": 1}, "conservation": clock.audit()["conservation"]}
    assert [member["member_id"] for member in clock.members()] == ["@players", "a", "b"]
    assert clock.dead_letters() == []
    assert clock.capture("a") == clock.capture("a")


def test_what_waits_for_a_slow_realm_is_told_in_the_order_in_which_it_will_hear_it() -> None:
    clock = clock_of("a", "b")
    spec = MemberSpec("small:Scribe", encode({}))
    clock.submit(RegisterGame("slow", RealmCoordinate("slow").key, "sol_system", spec, 3)).value()
    ask(clock, "b", "send", target="slow", event_type="odd", deliver_at=1).value()
    for realm, deliver_at in (("b", 4), ("a", 2), ("b", 1), ("a", 6)):
        clock.submit(QueueEvent("", realm, "slow", "note", encode({}), deliver_at)).value()
    told = [[event.event_id for event in clock.in_flight_to("slow") if event.event_type == "note"]]
    clock.advance_to(1)
    told.append([event.event_id for event in clock.in_flight_to("slow") if event.event_type == "note"])
    clock.advance_to(6)
    book = decode_state(clock.capture("slow"))["book"].objects["heard"]  # type: ignore[union-attr]
    assert [[event_id for *_, event_id, _ in book]] * 2 == told


def test_a_failed_game_is_shown_with_its_error() -> None:
    clock = clock_of("a", raise_at=15)
    clock.advance_to(3)
    game = clock.status().state["games"][0]
    assert (game["state"], game["error"]) == ("error", "ZeroDivisionError: the hobbit fell off")
    assert "in tick" in game["traceback"]
    assert clock.submit(RestartGame("a")).value() == {"realm_id": "a", "local_tick": 10}


# -------------------------------------------------------------------------------------------------------------- running


def test_a_command_during_a_run_is_answered_at_a_boundary() -> None:
    clock = clock_of("a", sleep_s=0.001)
    run = in_thread(clock.advance_to, FOREVER)
    until(lambda: clock.status().boundary.control_tick > 2)
    assert clock.status().running
    ticks = [ask(clock, "a", "set_luck", luck=at).boundary.control_tick for at in range(5)]
    assert ticks == sorted(ticks)
    assert ticks[-1] > 2
    with pytest.raises(CommandRefusedError, match="running already"):
        clock.advance_to(FOREVER)
    boundary = clock.pause()
    assert [tick.control_tick_id for tick in run.result(PATIENCE_S)] == [*range(1, boundary.control_tick + 1)]
    assert clock.status().boundary == boundary
    time.sleep(0.02)
    assert clock.status().boundary == boundary
    assert [entry.control_tick for entry in clock.journal()] == [0, *ticks]


def test_stop_ends_a_run_at_a_boundary() -> None:
    clock = clock_of("a", sleep_s=0.001)
    run = in_thread(clock.advance_to, FOREVER)
    until(lambda: clock.status().running)
    clock.stop()
    assert len(run.result(PATIENCE_S)) == clock.status().boundary.control_tick
    assert clock.status().state["games"][0]["state"] != "paused"


def test_a_status_during_a_tick_says_whom_the_clock_waits_for() -> None:
    clock = clock_of("a", "b")
    register(clock, "sleeper", sleep_s=0.07).value()
    clock.advance_to(1)
    run = in_thread(clock.advance_to, 2)
    until(lambda: clock.status().waiting)
    status = clock.status()
    assert status.waiting[0].startswith("waiting for sleeper since ")
    assert "in local tick 1" in status.waiting[0]
    assert status.boundary.control_tick == 1
    assert {game["state"] for game in status.state["games"]} == {"syncing"}
    assert clock.query("sleeper", "get", {"key": "luck"})["boundary"]["control_tick"] == 1, "reads do not wait"
    run.result(PATIENCE_S)
    assert clock.status().waiting == ()


def test_real_time_skips_no_tick_and_counts_the_late_ones() -> None:
    settings = Settings(seed=7, control_tick_interval_ticks=2, local_tick_interval_ms=1)
    clock = clock_of("a", settings=settings)
    begun = time.monotonic()
    ticks = clock.advance_to(50, Pace(realtime=True))
    assert time.monotonic() - begun >= 0.1, "50 control ticks of 2 ms"
    assert [tick.control_tick_id for tick in ticks] == [*range(1, 51)]
    lateness = clock.status().lateness
    assert 0 <= lateness.late <= 50
    assert lateness.worst_ms >= lateness.mean_ms >= 0


def test_a_late_clock_catches_up_and_says_so() -> None:
    settings = Settings(seed=7, control_tick_interval_ticks=1, local_tick_interval_ms=1)
    clock = clock_of("a", settings=settings, sleep_s=0.005)
    assert len(clock.advance_to(10, Pace(realtime=True))) == 10
    lateness = clock.status().lateness
    assert lateness.late >= 8
    assert lateness.worst_ms >= 8 * 4


def test_a_run_in_real_time_is_the_same_history() -> None:
    settings = Settings(seed=7, control_tick_interval_ticks=1, local_tick_interval_ms=1)
    chains = set()
    for pace in (FAST, Pace(realtime=True)):
        clock = clock_of("a", "b", settings=settings, shouts=True)
        clock.advance_to(10, pace)
        chains.add(clock.status().chain)
    assert len(chains) == 1


def test_a_pause_does_not_wait_for_the_next_tick_in_real_time() -> None:
    settings = Settings(seed=7, local_tick_interval_ms=60_000)
    clock = clock_of("a", settings=settings)
    run = in_thread(clock.advance_to, FOREVER, Pace(realtime=True))
    until(lambda: clock.status().running)
    assert in_thread(clock.pause).result(PATIENCE_S).control_tick == 0
    assert run.result(PATIENCE_S) == []


@pytest.mark.parametrize("running", [False, True])
def test_many_threads_may_bring_commands(running: bool) -> None:
    clock = clock_of("a", "b")
    run = in_thread(clock.advance_to, FOREVER) if running else None
    threads, each = 4, 40

    def bring(thread: int) -> list[int]:
        positions = []
        for at in range(each):
            realm = "ab"[(thread + at) % 2]
            reply = ask(clock, realm, "set_luck", luck=thread * each + at)
            assert reply.value() == thread * each + at
            positions.append(reply.boundary.position)
            clock.status(), clock.digest() if at % 10 == 0 else None
        return positions

    with ThreadPoolExecutor(threads) as pool:
        positions = [future.result(PATIENCE_S) for future in [pool.submit(bring, thread) for thread in range(threads)]]
    clock.pause()
    if run is not None:
        run.result(PATIENCE_S)
    assert all(found == sorted(found) for found in positions), "a thread's commands keep their order"
    assert sorted(position for found in positions for position in found) == [*range(3, 3 + threads * each)]
    assert [entry.position for entry in clock.journal()] == [*range(1, 3 + threads * each)]


def test_two_runs_to_the_same_tick_run_it_once() -> None:
    clock = clock_of("a", sleep_s=0.0005)
    runs = [in_thread(clock.advance_to, 5) for _ in range(2)]
    ticks = []
    for run in runs:
        try:
            ticks += [tick.control_tick_id for tick in run.result(PATIENCE_S)]
        except CommandRefusedError:
            continue
    assert ticks == [1, 2, 3, 4, 5]


# --------------------------------------------------------------------------------------------------------------- hostile


class HeldLane(LocalLane):
    """Stands still at its gates: in the next exchange."""

    def __init__(self) -> None:
        super().__init__((REALMS,))
        self.at_gate, self.gate = threading.Event(), threading.Event()
        self.holds = False
        self.breaks = False

    def receive(self, timeout_s: float) -> Any:
        if self.holds:
            self.holds = False
            self.at_gate.set()
            assert self.gate.wait(PATIENCE_S)
            if self.breaks:
                raise OSError("the lane broke")
        return super().receive(timeout_s)


def test_a_command_that_comes_during_a_pause_is_answered() -> None:
    clock = clock_of("a")
    describe = clock._describe
    entered, leave = threading.Event(), threading.Event()

    def held() -> Any:
        entered.set()
        assert leave.wait(PATIENCE_S)
        return describe()

    clock._describe = held  # type: ignore[method-assign]
    pause = in_thread(clock.pause)
    assert entered.wait(PATIENCE_S)
    clock._describe = describe  # type: ignore[method-assign]
    reply = in_thread(ask, clock, "a", "send")
    until(lambda: clock._queue)
    leave.set()
    pause.result(PATIENCE_S)
    assert reply.result(2.0).error_code == "command_refused"


def test_a_command_that_waits_when_a_run_breaks_is_answered() -> None:
    lane = HeldLane()
    clock = clock_of("a", lane=lane)
    lane.holds, lane.breaks = True, True
    run = in_thread(clock.advance_to, FOREVER)
    assert lane.at_gate.wait(PATIENCE_S)
    journal = in_thread(clock.journal)
    until(lambda: clock._queue)
    lane.gate.set()
    with pytest.raises(OSError, match="the lane broke"):
        run.result(PATIENCE_S)
    assert len(journal.result(2.0)) == 1
    assert not clock.status().running


def test_a_clock_that_broke_off_in_the_middle_does_not_go_on_as_if_nothing_had_been_lost() -> None:
    lane = HeldLane()
    clock = clock_of("a", lane=lane)
    lane.holds, lane.breaks = True, True
    lane.gate.set()
    with pytest.raises(OSError, match="the lane broke"):
        clock.advance_to(1)
    lane.holds = False
    for go_on in (lambda: clock.advance_to(1), clock.digest, lambda: ask(clock, "a", "set_luck", luck=1)):
        with pytest.raises(EngineError, match="broke off after control tick 0: OSError: the lane broke"):
            go_on()
    assert len(clock.journal()) == 1, "what is known can still be read"


def test_lateness_adds_up_over_runs_that_follow_each_other() -> None:
    settings = Settings(seed=7, control_tick_interval_ticks=4, local_tick_interval_ms=1)
    clock = clock_of("a", settings=settings, sleep_s=0.004)
    for control_tick in (3, 6, 9):
        clock.advance_to(control_tick, Pace(realtime=True))
    assert clock.status().lateness.late >= 7
    time.sleep(0.05)
    clock.advance_to(10, Pace(realtime=True))
    assert clock.status().lateness.late <= 1, "after a pause it begins anew"


def test_a_command_that_waits_when_the_clock_closes_is_answered() -> None:
    lane = HeldLane()
    clock = clock_of("a", lane=lane)
    entered, leave = threading.Event(), threading.Event()

    def held() -> None:
        entered.set()
        assert leave.wait(PATIENCE_S)

    lane.close = held  # type: ignore[method-assign]
    closing = in_thread(clock.close)
    assert entered.wait(PATIENCE_S)
    journal = in_thread(clock.journal)
    until(lambda: clock._queue)
    leave.set()
    closing.result(PATIENCE_S)
    assert journal.exception(2.0) is None or isinstance(journal.exception(2.0), SoulfraError)


def test_a_run_that_waits_for_its_turn_hears_a_pause() -> None:
    lane = HeldLane()
    clock = clock_of("a", lane=lane)
    lane.holds = True
    command = in_thread(lambda: ask(clock, "a", "set_luck", luck=1))
    assert lane.at_gate.wait(PATIENCE_S)
    run = in_thread(clock.advance_to, FOREVER)
    time.sleep(0.05)  # now it waits for its turn, which the command has
    pause = in_thread(clock.pause)
    time.sleep(0.05)
    lane.gate.set()
    try:
        boundary = pause.result(2.0)
        assert run.result(2.0) == []
        assert clock.status().boundary == boundary == command.result(2.0).boundary
    finally:
        clock.stop()


def test_a_clock_that_is_closed_says_so() -> None:
    clock = clock_of("a")
    clock.close()
    with pytest.raises(SoulfraError):
        clock.advance_to(1)
    with pytest.raises(SoulfraError):
        register(clock, "b").value()


def test_a_repeated_advance_to_leaves_a_paused_clock_paused() -> None:
    clock = clock_of("a")
    clock.advance_to(1)
    clock.pause()
    clock.advance_to(1)
    assert clock.status().state["games"][0]["state"] == "paused"


def test_the_state_shows_the_digests_that_were_asked_for() -> None:
    clock = clock_of("a")
    clock.advance_to(1)
    before = clock.status().state["games"][0]["digest"]
    ask(clock, "a", "set_luck", luck=-5).value()
    clock.digest()
    assert clock.status().state["games"][0]["digest"] != before


def test_pausing_and_asking_at_once_never_hangs() -> None:
    clock = clock_of("a")
    over = threading.Event()

    def pausing() -> None:
        while not over.is_set():
            clock.pause()

    def running() -> None:
        while not over.is_set():
            clock.advance_to(clock.status().boundary.control_tick + 3)

    loops = [in_thread(pausing), in_thread(running)]
    asking = in_thread(lambda: [ask(clock, "a", "set_luck", luck=at).value() for at in range(300)])
    try:
        assert asking.result(PATIENCE_S) == [*range(300)]
    finally:
        over.set()
    for loop in loops:
        loop.result(PATIENCE_S)
