"""Windows: control ticks granted at once are the same history as one after another, at fewer messages."""

from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from typing import Any

import pytest
from harness import REALMS, World
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.clock_messages import Metrics, Pace
from actors.clocks import MasterClock
from actors.core.kernel.addresses import PLAYERS, RealmCoordinate
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import ForkGames, MemberSpec, RegisterGame, SetDelay
from actors.core.kernel.effects import Ahead, Effect, Exchange
from actors.core.kernel.errors import CommandRefusedError, EngineError, SettingsError, UnknownMemberError
from actors.core.kernel.games import HOME
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.settings import Settings
from actors.core.kernel.ticking import TickRecord
from actors.core.kernel.windows import Outlook, control_ticks_script
from actors.lanes import LocalLane


class Windows(World):
    """A world that lives in windows, and counts the exchanges.

    Args:
        goes_on: whether the next window may begin before the books of the one before are kept.
        more: see `World`.
    """

    exchanges = begun_ahead = 0

    def __init__(self, goes_on: Callable[[int], bool] | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.goes_on = goes_on
        perform = self.fleet.perform

        def counted(effect: Effect) -> Any:
            self.begun_ahead += isinstance(effect, Ahead)
            return perform(effect)

        self.fleet.perform = counted  # type: ignore[method-assign]

    def live(self, control_ticks: int) -> list:
        records: list[TickRecord] = []
        while len(records) < control_ticks:
            left = control_ticks - len(records)
            self.perform(control_ticks_script(self.sequencer, left, records, self.goes_on))
            self.exchanges += 1
        return records


def apart() -> LocalLane:
    """A lane as where members have processes of their own: while they work, the clock may keep its books."""
    lane = LocalLane((REALMS,))
    lane.hosts_may_die = True
    return lane


def story(world: Windows, random: Random, control_ticks: int) -> list:
    """A run of commands, events, failures and travel at boundaries that the seed chooses."""
    world.register("a", "small:Ring", next_realm="b", shouts=True)
    world.register("b", "small:Ring", next_realm="c")
    world.register("c", "small:Ring", next_realm="a", raise_at=10 * random.randrange(1, control_ticks) + 3)
    world.ask(PLAYERS, "create_player", player_name="Alice", character_race="elf", starting_realm="a")
    records, left = [], control_ticks
    while left:
        for _ in range(random.randrange(3)):
            world.queue(
                "ab"[random.randrange(2)], "token", {}, deliver_at=world.sequencer.control_tick + random.randrange(1, 9)
            )
        if random.random() < 0.3:
            world.ask("a", "set_luck", luck=random.randrange(100))
        if world.sequencer.members["c"].error is not None and random.random() < 0.5:
            world.restart("c")
        step = min(left, random.randrange(1, 12))
        records += world.live(step)
        left -= step
    return records


@pytest.mark.parametrize("interval", [1, 3])
@pytest.mark.parametrize("lookahead", [1, 2, 5, 10])
def test_a_window_is_so_many_single_ticks(lookahead: int, interval: int) -> None:
    common = {"lookahead_control_ticks": lookahead, "digest_interval_control_ticks": interval}
    single = Windows(window_control_ticks=1, **common)
    windows = Windows(window_control_ticks=1_000, shuffle=5, **common)
    one, many = (story(world, Random(lookahead), 40) for world in (single, windows))
    assert [record.digest for record in one] == [record.digest for record in many]
    assert one == many
    assert single.digest() == windows.digest()
    assert windows.conserved()
    if lookahead > 1:
        assert windows.exchanges < single.exchanges


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 12), st.integers(1, 12))
def test_however_it_is_cut(seed: int, lookahead: int, window: int) -> None:
    single = Windows(window_control_ticks=1, lookahead_control_ticks=lookahead)
    windows = Windows(window_control_ticks=window, lookahead_control_ticks=lookahead)
    one, many = (story(world, Random(seed), 15) for world in (single, windows))
    assert one == many


def society(world: Windows, random: Random, control_ticks: int) -> list:
    """Members that send to each other, to several at once, to nobody, too much and over walls; that sleep, and that fail."""
    everybody = ["a", "b", "c", "d", "nobody", "a~1"]
    world.register("a", "small:Scribe", peers=everybody, gold=50)
    world.register("b", "small:Scribe", peers=everybody, gold=50, period=2)
    world.register("c", "small:Letterbox", peers=everybody, gold=50)
    world.register("d", "small:Scribe", peers=["c", "d"], gold=50, period=random.randrange(1, 4))
    records, left = [], control_ticks
    while left:
        for _ in range(random.randrange(3)):
            data: dict[str, Any] = {"poison": True} if random.random() < 0.1 else {"answer": random.choice(everybody)}
            deliver_at = world.sequencer.control_tick + random.randrange(1, 12)
            world.queue(random.choice("abcd"), "note", data, deliver_at=deliver_at)
        awake = [one for one in "abd" if world.sequencer.members[one].error is None]
        if awake and random.random() < 0.3:
            world.ask(random.choice(awake), "shout")
        for one in "abcd":
            if world.sequencer.members[one].error is not None and random.random() < 0.5:
                world.restart(one)
        if random.random() < 0.15 and len(awake) == 3 and world.sequencer.members["c"].error is None:
            world.do(ForkGames(("a", "b"), divergent=True))
        step = min(left, random.randrange(1, 25))
        records += world.live(step)
        left -= step
    return records


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.sampled_from([1, 2, 1_000]))
def test_books_may_be_kept_while_the_next_window_is_lived(
    seed: int, lookahead: int, window: int, interval: int, inbox: int
) -> None:
    common = {
        "lookahead_control_ticks": lookahead,
        "digest_interval_control_ticks": interval,
        "inbox_events_max": inbox,
        "traces_max": 0,
    }
    lucky = Random(seed + 1)
    worlds = (
        Windows(window_control_ticks=1, **common),
        Windows(window_control_ticks=window, **common),
        Windows(lambda _: True, window_control_ticks=window, shuffle=3, **common),
        Windows(lambda _: lucky.random() < 0.7, window_control_ticks=window, **common),
    )
    single, *others = [(society(world, Random(seed), 40), world.digest(), world.reasons()) for world in worlds]
    for other in others:
        assert other == single
    assert all(world.conserved() for world in worlds)


@pytest.mark.parametrize(("window", "begun_ahead"), [(5, 4), (1, 22)])
def test_windows_do_begin_before_the_books_are_kept(window: int, begun_ahead: int) -> None:
    """Else the test above would be of nothing."""
    world = Windows(lambda _: True, lookahead_control_ticks=window, window_control_ticks=5)
    for realm_id, following in ("ab", "bc", "ca"):
        world.register(realm_id, "small:Ring", next_realm=following)
    world.queue("a", "token", {})
    assert [record.control_tick_id for record in world.live(23)] == list(range(1, 24))
    assert (world.exchanges, world.begun_ahead) == (1, begun_ahead)


def test_nothing_is_begun_on_a_failure() -> None:
    """Who fails in a window is not asked for the next one; what it has done is in the books first."""
    world = Windows(lambda _: True, lookahead_control_ticks=5, window_control_ticks=5)
    world.register("a", "small:Ring", next_realm="b", raise_at=72)
    world.register("b", "small:Ring", next_realm="a")
    assert [record.control_tick_id for record in world.live(20)] == list(range(1, 21))
    assert world.sequencer.members["a"].error is not None
    assert (world.exchanges, world.begun_ahead) == (2, 2)


def test_nothing_is_begun_on_a_loss() -> None:
    """It is no history before it is written down, and whoever is asked for more would have to take it back."""
    lost = {("b", "tick 6"): "its process died, and once more in the same grant"}
    single, windows = (
        Windows(goes_on, lookahead_control_ticks=5, window_control_ticks=window)
        for goes_on, window in ((None, 1), (lambda _: True, 5))
    )
    lives = []
    for world in (single, windows):
        world.register("a", "small:Ring", next_realm="b")
        world.register("b", "small:Ring", next_realm="a")
        world.queue("a", "token", {})
        world.fleet.decided = lost
        lives.append((world.live(20), world.digest(), world.reasons()))
    assert lives[0] == lives[1]
    assert (windows.exchanges, windows.begun_ahead) == (2, 2)


def test_a_clock_goes_on_by_itself_and_stops_for_who_wants_something() -> None:
    lane = apart()
    clock = MasterClock(Settings(seed=7, lookahead_control_ticks=5, window_control_ticks=5), lane)
    effects: list[Effect] = []
    perform = clock._fleet.perform

    def watched(effect: Effect) -> Any:
        effects.append(effect)
        if len(effects) == 4:  # somebody asks while the third window is lived
            clock._queue.append((lambda: places.append(clock._sequencer.control_tick), Future()))
        return perform(effect)

    places: list[int] = []
    clock._fleet.perform = watched  # type: ignore[method-assign]
    lane.now_s = lambda: 0.0  # type: ignore[method-assign]  # else a slow machine ends a row of windows by time
    assert len(clock.advance_to(40)) == 40
    assert [type(effect).__name__ for effect in effects[:5]] == ["Exchange", "Ahead", "Exchange", "Ahead", "Exchange"]
    assert places == [15], "at the end of the window that had begun, not of the run"
    clock.close()


@pytest.mark.parametrize(("window", "took"), [(1, [1, 2, 3, 4, 5, 6]), (2, [1, 1, 2, 2, 3, 3])])
def test_every_control_tick_has_its_own_time_though_nobody_looked_between(window: int, took: list[int]) -> None:
    lane = apart()
    clock = MasterClock(Settings(seed=7, lookahead_control_ticks=window, window_control_ticks=window), lane)
    perform, now_us, exchanges, begun_ahead = clock._fleet.perform, 0, 0, 0

    def slower_and_slower(effect: Effect) -> Any:
        nonlocal now_us, exchanges, begun_ahead
        begun_ahead += isinstance(effect, Ahead)
        if isinstance(effect, Exchange):
            exchanges += 1
            now_us += exchanges * window
        return perform(effect)

    clock._fleet.perform = slower_and_slower  # type: ignore[method-assign]
    lane.now_s = lambda: now_us / 1e6  # type: ignore[method-assign]
    assert [round(one.elapsed_ms * 1e3) for one in clock.advance_to(6)] == took
    assert begun_ahead == 6 // window - 1
    clock.close()


def test_in_real_time_every_window_has_its_own_time() -> None:
    """Where lookahead is less than a window may be, too: nobody is to wait for the time of a whole row of them."""
    settings = Settings(seed=7, lookahead_control_ticks=2, local_tick_interval_ms=1)
    clock = MasterClock(settings, apart())
    for realm_id, following in ("ab", "ba"):
        spec = MemberSpec("small:Ring", encode({"next_realm": following}))
        clock.submit(RegisterGame(realm_id, RealmCoordinate(realm_id).key, "sol_system", spec, 1, None)).value()
    batches = []
    live = clock._live

    def watched(control_ticks_max: int) -> list[Metrics]:
        batches.append(live(control_ticks_max))
        return batches[-1]

    clock._live = watched  # type: ignore[method-assign]
    clock.advance_to(10, Pace(realtime=True))
    assert [len(batch) for batch in batches] == [2] * 5
    clock.close()


def test_an_appointment_made_meanwhile_is_kept() -> None:
    lane = apart()
    clock = MasterClock(Settings(seed=7, lookahead_control_ticks=5, window_control_ticks=5), lane)
    lane.now_s = lambda: 0.0  # type: ignore[method-assign]
    perform, places, asked = clock._fleet.perform, [], 0

    def watched(effect: Effect) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            here = (lambda: places.append(clock._sequencer.control_tick), Future())
            clock._appointments.append((12, here))
        return perform(effect)

    clock._fleet.perform = watched  # type: ignore[method-assign]
    clock.advance_to(40)
    assert places == [12]
    clock.close()


def test_what_was_over_before_a_clock_broke_off_is_told() -> None:
    lane = apart()
    clock = MasterClock(Settings(seed=7, window_control_ticks=1), lane)
    lane.now_s = lambda: 0.0  # type: ignore[method-assign]
    perform, exchanges = clock._fleet.perform, 0

    def breaking(effect: Effect) -> Any:
        nonlocal exchanges
        exchanges += isinstance(effect, Exchange)
        if exchanges == 6:
            raise EngineError("no more.")
        return perform(effect)

    clock._fleet.perform = breaking  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=r"no more\."):
        clock.advance_to(40)
    assert [record.control_tick_id for record in clock.records()] == [1, 2, 3, 4, 5]
    assert clock.status().boundary.control_tick == 5
    clock.close()


def test_slow_control_ticks_are_not_planned_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends with a look around, so that whatever was planned would be thrown away."""
    lane = apart()
    clock = MasterClock(Settings(seed=7, window_control_ticks=1), lane)
    perform, now_s, effects, looks = clock._fleet.perform, 0.0, [], []

    def looked(sequencer: Sequencer) -> Outlook:
        looks.append(sequencer.control_tick)
        return Outlook(sequencer)

    monkeypatch.setattr("actors.core.kernel.windows.Outlook", looked)

    def slow(effect: Effect) -> Any:
        nonlocal now_s
        effects.append(type(effect))
        now_s += 0.001 if 4 <= clock._sequencer.control_tick < 7 else 0.5
        return perform(effect)

    clock._fleet.perform = slow  # type: ignore[method-assign]
    lane.now_s = lambda: now_s  # type: ignore[method-assign]
    clock.advance_to(10)
    assert [record.control_tick_id for record in clock.records()] == list(range(1, 11))
    assert effects.count(Exchange) == 10
    assert effects.count(Ahead) == 2
    assert looks == [0, 5], "the first, of which nobody knew how long it takes, and after the first that was quick"
    clock.close()


def test_waiting_mail_is_not_copied_to_look_ahead() -> None:
    world = Windows()
    world.register("a", "small:Scribe", period=200)
    for _ in range(3):
        world.queue("a", "note", {})
    world.live(1)
    post = world.sequencer.posts[HOME]
    ahead = post.ahead()
    assert ahead._mailboxes["a"] is post._mailboxes["a"]
    ahead.put("a", post._mailboxes["a"][:1])
    assert (len(ahead._mailboxes["a"]), len(post._mailboxes["a"])) == (4, 3)


def test_mail_that_waits_for_a_sleeper_is_not_kept_for_every_control_tick() -> None:
    world = Windows(lookahead_control_ticks=50, window_control_ticks=50)
    world.register("a", "small:Scribe", period=200)
    world.register("b", "small:Scribe")
    for _ in range(100):
        world.queue("a", "note", {})
    plan = Outlook(world.sequencer).plan(50)
    assert sum(len(events) for planned in plan for events in planned.foreseen[HOME].arrived.values()) == 100
    world.live(200)
    assert len(world.heard("a")) == 100


def test_a_script_that_breaks_leaves_nobody_waited_for() -> None:
    world = Windows(lambda _: True, lookahead_control_ticks=5, window_control_ticks=5)
    world.register("a", "small:Ring")
    world.sequencer.end_control_tick = lambda *_: 1 // 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        world.fleet.carry_out(control_ticks_script(world.sequencer, 20, [], lambda _: True))
    assert world.begun_ahead == 1
    assert not world.fleet.waiting()
    assert not world.fleet._awaited


def test_an_event_takes_its_time() -> None:
    world = Windows(lookahead_control_ticks=4)
    world.register("a", "small:Ring", next_realm="b")
    world.register("b", "small:Ring")
    world.queue("a", "token", {})
    assert world.sequencer.in_flight_to("a")[0].deliver_at == 1, "what comes from outside has no way to go"
    world.live(1)
    assert [event.deliver_at for event in world.sequencer.in_flight_to("b")] == [5]


def test_every_way_counts() -> None:
    world = Windows(lookahead_control_ticks=8)
    world.register("a", "small:Ring", next_realm="b")
    world.register("b", "small:Ring")
    assert world.sequencer.lookahead() == 8
    world.do(SetDelay("a", "b", 3))
    assert world.sequencer.lookahead() == 3
    world.do(SetDelay("a", "b", 20))
    assert world.sequencer.lookahead() == 8, "the other ways are no longer than before"
    world.do(SetDelay("a", "b", 0))
    assert world.sequencer.post.delays == {}
    world.do(SetDelay(PLAYERS, "b", 2))
    assert world.sequencer.lookahead() == 2, "the registry speaks, too"
    world.remove("b")
    assert world.sequencer.post.delays == {}


def test_members_that_cannot_meet_hold_nobody_up() -> None:
    world = Windows(registry=False)
    world.register("a", "small:Silent")
    world.register("b", "small:Silent")
    assert world.sequencer.lookahead() == 1_000
    world.live(50)
    assert world.exchanges == 1


def test_a_delay_that_cannot_be() -> None:
    world = Windows()
    world.register("a", "small:Ring")
    before = world.digest()
    for delay in (-1, 1_001, True, "3"):
        with pytest.raises(CommandRefusedError, match="whole number"):
            world.do(SetDelay("a", "a", delay))
    with pytest.raises(UnknownMemberError):
        world.do(SetDelay("a", "nobody", 3))
    assert world.digest() == before
    for wrong in (0, 1_001):
        with pytest.raises(SettingsError):
            Settings(lookahead_control_ticks=wrong)


def test_the_clock_grants_in_windows_and_stops_where_it_is_told() -> None:
    clocks = [
        MasterClock(Settings(seed=7, lookahead_control_ticks=10, window_control_ticks=window), LocalLane((REALMS,)))
        for window in (1, 1_000)
    ]
    for clock in clocks:
        assert [tick.control_tick_id for tick in clock.advance_to(25)] == list(range(1, 26))
        assert len(clock.records()) == 25
    assert clocks[0].digest() == clocks[1].digest()
    assert clocks[0].status().chain == clocks[1].status().chain
