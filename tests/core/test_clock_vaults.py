"""A clock and its vault: no answer leaves that is not durable, nothing is seen that a successor would not live."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from test_clock_recovery import Story, opened

import actors.keyframes
from actors.clock_messages import FOREVER, Pace
from actors.clocks import MasterClock
from actors.core.kernel import sequencing
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import QueueEvent
from actors.core.kernel.errors import EngineError, EventRefusedError, SoulfraError, UnreachableVaultError, VaultError
from actors.marks import MARK_AHEAD_CONTROL_TICKS

pytestmark = pytest.mark.usefixtures("burials")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.sqlite"


def holding(
    clock: MasterClock, monkeypatch: pytest.MonkeyPatch, method: str
) -> tuple[threading.Event, threading.Event]:
    """Lets the next call of a method of the chronicle wait; when it is there, and what lets it go on."""
    there, go_on = threading.Event(), threading.Event()
    original = getattr(clock._chronicle, method)

    def held(*arguments: Any) -> Any:
        there.set()
        assert go_on.wait(10)
        return original(*arguments)

    monkeypatch.setattr(clock._chronicle, method, held)
    return there, go_on


def test_what_was_under_way_when_the_clock_was_closed_is_durable_and_answered(path, monkeypatch) -> None:
    clock = opened(path)
    there, go_on = threading.Event(), threading.Event()
    perform = clock._fleet.perform

    def slow(effect: Any) -> Any:
        there.set()
        assert go_on.wait(10)
        return perform(effect)

    monkeypatch.setattr(clock._fleet, "perform", slow)
    answers: list[Any] = []
    commanding = threading.Thread(target=lambda: answers.append(Story(clock).register("a")))
    commanding.start()
    assert there.wait(10)
    closing_ = threading.Thread(target=clock.close)
    closing_.start()
    while not clock._closed:
        time.sleep(0.001)
    go_on.set()
    commanding.join(), closing_.join()
    assert answers[0]["realm_id"] == "a"
    again = opened(path)
    assert [entry.command.realm_id for entry in again.journal()] == ["a"]  # type: ignore[union-attr]
    again.advance_to(2)


def test_a_keyframe_of_what_is_not_durable_is_refused(path) -> None:
    clock = opened(path)
    Story(clock).register("a")
    clock._sequencer.position += 1
    with pytest.raises(EngineError, match="position 2 cannot be written: 1 is durable"):
        clock._write_keyframe()


def test_what_could_not_be_written_is_never_written_and_the_run_ends(path, monkeypatch) -> None:
    clock = opened(path)
    Story(clock).register("a")
    seal, tries = clock._chronicle.seal, []

    def fails_once(journal: Any) -> None:
        if journal:
            tries.append(len(journal))
        if journal and len(tries) == 1:
            raise VaultError("another process has held its write lock; nothing was written.")
        seal(journal)

    monkeypatch.setattr(clock._chronicle, "seal", fails_once)
    clock.begin(Pace())
    with pytest.raises(VaultError, match="nothing was written"):
        Story(clock).submit(QueueEvent("mine", "", "a", "token", encode({}), None))
    while clock.status().running:
        time.sleep(0.001)
    stands = clock._sequencer.control_tick
    assert "nothing was written" in clock.status().trouble
    with pytest.raises(EngineError, match="bring it up again: it goes on where its vault ends"):
        clock.advance_to(stands + 1)
    clock.close()
    assert clock._sequencer.control_tick == stands
    assert tries == [1]
    assert [entry.position for entry in opened(path).journal()] == [1]


def test_while_the_vault_is_waited_for_the_status_says_so(path, monkeypatch) -> None:
    monkeypatch.setattr("actors.command_rounds.WAITING_SAYS_SO_AFTER_S", 0.05)
    clock = opened(path)
    there, go_on = holding(clock, monkeypatch, "seal")
    commanding = threading.Thread(target=lambda: Story(clock).register("a"))
    commanding.start()
    assert there.wait(10)
    time.sleep(0.1)
    (waiting,) = clock.status().waiting
    go_on.set()
    commanding.join()
    assert waiting.startswith("waiting for the vault since 0.") and "nothing is answered" in waiting
    assert not clock.status().waiting


def test_a_clock_that_is_closed_does_not_wait_for_a_vault_that_is_away(path, monkeypatch) -> None:
    clock = opened(path)

    def away(journal: Any) -> None:
        clock._closed = True
        raise UnreachableVaultError("nobody is there.")

    monkeypatch.setattr(clock._chronicle, "seal", away)
    with pytest.raises(SoulfraError, match="nobody is there"):
        Story(clock).register("a")


# --------------------------------------------------------------------------------------------------------- what was seen


def test_a_successor_lives_to_where_anybody_may_have_seen(path, monkeypatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 1e9)
    first = opened(path)
    Story(first).register("a", shouts=True)
    first.advance_to(21)
    records = {record.control_tick_id: record.digest for record in first.records()}
    second = opened(path)  # the first has died; nobody has told the second what he saw
    assert second.status().boundary.control_tick == 21
    Story(second).submit(QueueEvent("", "", "a", "token", encode({}), None))
    assert {record.control_tick_id: record.digest for record in second.records()} == records


@pytest.mark.parametrize("realtime", [False, True])
def test_nobody_sees_further_than_a_successor_lives(path, realtime) -> None:
    first = opened(path, local_tick_interval_ms=1)
    Story(first).register("a", shouts=True)
    first.begin(Pace(realtime=realtime))
    while (seen := first.status().boundary.control_tick) < 8:
        time.sleep(0.001)
    second = opened(path)
    took_over = second.status().boundary.control_tick
    while first.status().running:
        time.sleep(0.01)
    assert seen <= first._sequencer.control_tick <= took_over
    assert took_over <= seen + MARK_AHEAD_CONTROL_TICKS * 2
    digests = {record.control_tick_id: record.digest for record in second.records()}
    assert all(digests[record.control_tick_id] == record.digest for record in first.records())


def test_a_run_that_was_stopped_is_not_lived_on(path) -> None:
    clock = opened(path)
    Story(clock).register("a")
    running = threading.Thread(target=lambda: clock.advance_to(FOREVER))
    running.start()
    while clock._sequencer.control_tick < 5:
        time.sleep(0.001)
    stood = clock.pause().control_tick
    running.join()
    assert opened(path).status().boundary.control_tick == stood


# ------------------------------------------------------------------------------------------------------------- notices


def test_damaged_keyframes_are_told_of(path) -> None:
    clock = opened(path)
    Story(clock).register("a")
    clock.advance_to(7)
    clock.close()
    with closing(sqlite3.connect(f"{path}.keyframes")) as connection:
        connection.execute("UPDATE vault_chunks SET compressed = zeroblob(9)")
        connection.commit()
    again = opened(path)
    (notice,) = again.status().notices
    assert notice.startswith("keyframe of control tick 7: ") and notice.endswith("lived again since its birth.")
    assert again.status().boundary.control_tick == 7


def test_keyframes_that_cannot_be_written_are_told_of(path, monkeypatch) -> None:
    clock = opened(path)
    Story(clock).register("a")

    def full(*arguments: Any) -> None:
        raise VaultError("the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(clock._chronicle._vault, "save_keyframe", full)
        clock._write_keyframe()
    assert clock.status().notices == ("keyframes cannot be written: the disk is full.",)
    clock._write_keyframe()
    assert clock.status().notices == ()


# -------------------------------------------------------------------------------------------------- names of events


def test_of_names_that_drivers_gave_events_the_newest_are_remembered(path, monkeypatch) -> None:
    monkeypatch.setattr(sequencing, "OUTSIDE_IDS_MAX", 3)
    clock = opened(path)
    story = Story(clock)
    story.register("a")

    def queue(name: str) -> Any:
        return story.submit(QueueEvent(name, "", "a", "token", encode({}), None))

    for name in ("one", "", "two", "three", "four"):
        queue(name)
    clock.close()
    clock = opened(path)
    story = Story(clock)
    assert list(clock._sequencer.outside_ids) == ["two", "three", "four"]
    with pytest.raises(EventRefusedError, match="used once"):
        queue("two")
    queue("one")
    assert list(clock._sequencer.outside_ids) == ["three", "four", "one"]
