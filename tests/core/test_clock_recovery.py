"""A clock that died is replaced: its successor stands where it stood, and an old one can neither write nor answer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness import REALMS

import actors.keyframes
from actors.chronicles import Chronicle, Founding
from actors.clocks import MasterClock
from actors.core.kernel.addresses import PLAYERS, RealmCoordinate
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import MemberCommand, MemberSpec, QueueEvent, RegisterGame, RestartGame
from actors.core.kernel.errors import EngineError, SoulfraError, StaleEpochError
from actors.core.kernel.settings import Settings
from actors.lanes import LocalLane
from actors.vaults.openings import open_vault

pytestmark = pytest.mark.usefixtures("burials")

TICKS = 30


class Story:
    """The same commands at the same boundaries, carried out on whatever clock there is."""

    def __init__(self, clock: MasterClock) -> None:
        self.clock = clock

    def register(self, realm_id: str, **params: Any) -> Any:
        spec = MemberSpec("small:Ring", encode(params))
        key = RealmCoordinate(realm_id).key
        return self.submit(RegisterGame(realm_id, key, RealmCoordinate(realm_id).realm_type, spec))

    def submit(self, command: Any, command_id: str = "") -> Any:
        return self.clock.submit(command, command_id).value()

    def at(self, control_tick: int) -> None:
        """What happens at a boundary."""
        if control_tick == 0:
            self.register("a", next_realm="b", shouts=True)
            self.register("b", next_realm="a", raise_at=120)
            self.submit(QueueEvent("", "", "a", "token", encode({}), 7, carries=(("gold", 5),)))
        elif control_tick == 3:
            self.command(PLAYERS, "create_player", player_name="Alice", character_race="elf", starting_realm="a")
        elif control_tick == 14:
            self.submit(RestartGame("b"))
        elif control_tick == 20:
            self.submit(QueueEvent("", "", "b", "token", encode({}), 24))

    def command(self, member_id: str, verb: str, **arguments: Any) -> Any:
        return self.submit(MemberCommand(member_id, verb, encode(arguments)))

    def go(self, begin: int, end: int) -> None:
        for control_tick in range(begin, end):
            self.clock.advance_to(control_tick + 1)
            self.at(control_tick + 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.sqlite"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    clock = opened(tmp_path_factory.mktemp("calm") / "vault.sqlite")
    Story(clock).at(0)
    Story(clock).go(0, TICKS)
    yield clock.status().chain, clock.digest()
    clock.close()


def opened(path: Path, **settings: Any) -> MasterClock:
    founding = Founding(Settings(seed=3, **settings))
    return MasterClock(
        founding.settings,
        LocalLane((REALMS,)),
        chronicle=lambda: Chronicle(open_vault(path, power_safe=False), "home", founding),
    )


@pytest.mark.parametrize("keyframes", [False, True])
@pytest.mark.parametrize("dies_at", [0, 1, 6, 12, 13, 14, 15, 21, 29])
def test_a_successor_goes_on_as_if_nothing_had_happened(path, calm, dies_at, keyframes, monkeypatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0 if keyframes else 1e9)
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_SHARE", 0)
    first = opened(path)
    Story(first).at(0)
    Story(first).go(0, dies_at)
    seen, chain = first.status().boundary, first.status().chain
    first._chronicle.finish()
    second = opened(path)  # the first is not closed: it dies with its words on its lips
    assert second.digest() and (second.status().boundary, second.status().chain) == (seen, chain)
    assert [one["member_id"] for one in second.recoveries()] == ["@clock"]
    Story(second).go(dies_at, TICKS)
    assert (second.status().chain, second.digest()) == calm
    assert [entry.position for entry in second.journal()] == list(range(1, len(second.journal()) + 1))


def test_many_deaths_in_one_life(path, calm) -> None:
    clock = opened(path)
    Story(clock).at(0)
    for control_tick in range(TICKS):
        clock.advance_to(control_tick + 1)
        clock = opened(path)
        Story(clock).at(control_tick + 1)
    assert (clock.status().chain, clock.digest()) == calm
    assert clock._sequencer.epoch == TICKS + 1


def test_an_old_clock_can_neither_write_nor_answer(path) -> None:
    old = opened(path)
    story = Story(old)
    story.register("a")
    old.advance_to(3)
    new = opened(path)
    with pytest.raises(StaleEpochError):
        story.register("b")
    with pytest.raises(SoulfraError):
        old.advance_to(4)
    with pytest.raises(SoulfraError):
        story.command("a", "no_such_verb")
    assert [entry.position for entry in new.journal()] == [1]
    Story(new).register("b")
    assert len(new.journal()) == 2


def test_an_old_clock_does_not_answer_what_writes_nothing(path) -> None:
    old = opened(path)
    opened(path)
    with pytest.raises(StaleEpochError):
        old.digest()


def with_one_that_promises_nothing(path: Path) -> MasterClock:
    clock = opened(path)
    story = Story(clock)
    story.register("a", shouts=True)
    spec = MemberSpec("leaks:Anyhow", encode({}))
    story.submit(RegisterGame("b", RealmCoordinate("b").key, RealmCoordinate("b").realm_type, spec))
    return clock


def test_what_nobody_would_do_again_is_not_lived_again(path) -> None:
    with_one_that_promises_nothing(path).advance_to(3)
    with pytest.raises(EngineError, match="after control tick 0 cannot be lived again: b may do something else"):
        opened(path)


def test_what_was_seen_after_a_keyframe_is_not_lived_again_either(path, monkeypatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 1e9)
    first = with_one_that_promises_nothing(path)
    first._write_keyframe()
    first.advance_to(4)
    with pytest.raises(EngineError, match="after control tick 0 cannot be lived again: b may"):
        opened(path)


def test_who_promises_nothing_is_lost_with_its_clock_alone(path) -> None:
    first = with_one_that_promises_nothing(path)
    first.advance_to(3)
    first.close()
    second = opened(path)
    second.advance_to(5)
    games = {game["realm_id"]: game for game in second.status().state["games"]}
    assert (games["a"]["state"], games["a"]["local_tick"]) == ("running", 50)
    assert games["b"]["state"] == "error" and "recovery is 'none'" in games["b"]["error"]
    third = opened(path)  # the second is not closed: that it has lost one is history
    assert third.boundary().control_tick == 5
    assert third.status().chain == second.status().chain


def test_a_command_asked_again_is_not_done_again(path) -> None:
    clock = opened(path)
    story = Story(clock)
    story.register("a")
    event = QueueEvent("", "", "a", "token", encode({}), 5)
    first = story.submit(event, "mine")
    assert story.submit(event, "mine") == first
    clock = opened(path)
    assert Story(clock).submit(event, "mine") == first
    assert len(clock.journal()) == 2
    refused = MemberCommand("nobody", "fly", encode({}))
    for _ in range(2):
        assert clock.submit(refused, "other").error_code == "unknown_member"


def test_settings_are_those_of_the_founding(path) -> None:
    opened(path, control_tick_interval_ticks=4).advance_to(1)
    assert opened(path)._sequencer.settings.control_tick_interval_ticks == 4


def test_a_journal_older_than_its_keyframe_is_refused(path, monkeypatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0)
    clock = opened(path)
    Story(clock).register("a")
    clock.advance_to(2)
    clock.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM vault_journal")
        connection.commit()
    with pytest.raises(EngineError, match="keyframe"):
        opened(path)


def test_rules_that_have_changed_are_found_out(path) -> None:
    clock = opened(path)
    Story(clock).register("a")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE vault_journal SET payload = CAST(replace(CAST(payload AS TEXT), 'small:Ring', 'small:Gone') AS BLOB)"
        )
        connection.commit()
    with pytest.raises(SoulfraError):
        opened(path)
