"""Windows: control ticks granted at once are the same history as one after another, at fewer messages."""

from random import Random

import pytest
from harness import REALMS, World
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.clocks import MasterClock
from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.commands import SetDelay
from actors.core.kernel.errors import CommandRefusedError, SettingsError, UnknownMemberError
from actors.core.kernel.settings import Settings
from actors.core.kernel.windows import control_ticks_script
from actors.lanes import LocalLane


class Windows(World):
    """A world that lives in windows, and counts the exchanges."""

    exchanges = 0

    def live(self, control_ticks: int) -> list:
        records = []
        while len(records) < control_ticks:
            records += self.perform(control_ticks_script(self.sequencer, control_ticks - len(records)))
            self.exchanges += 1
        return records


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
