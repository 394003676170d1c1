"""What a member logs goes out with its outbox once, is no part of its digest, and is kept by a clock that somebody asks."""

from collections.abc import Mapping
from typing import Any

import pytest

from actors.core.kernel import logs
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.logs import LogRow
from actors.core.kernel.members import Birth, Command, Grant, Outbox, Turn
from actors.core.kernel.messages import Answer, answered_as, pack, unpack
from actors.core.kernel.seats import Seat
from actors.core.kernel.states import State
from actors.core.realms.tick_engines import Realm, command


class Diarist(Realm):
    """Logs each local tick whose number is in its diary."""

    kind = "diarist"

    def __init__(self, birth: Birth, diary: tuple[int, ...] = (), fails_at: int = -1) -> None:
        super().__init__(birth)
        self.diary, self.fails_at = diary, fails_at

    def tick(self, turn: Turn) -> None:
        if turn.now in self.diary:
            turn.enter_log("days", f"day_{turn.now}", {"now": turn.now})
        if turn.now == self.fails_at:
            raise RuntimeError("it fails")

    @command
    def grumble(self, turn: Turn) -> Plain:
        """Logs and refuses, which it must not."""
        turn.enter_log("days", "grumbling", {})
        raise CommandRefusedError("no.")

    def capture(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        assert not state

    def measures(self) -> Mapping[str, float]:
        return {}


def seat(**params: Any) -> Seat:
    return Seat(Birth("d", 1, "d"), lambda birth: Diarist(birth, **params))


def grant(number: int, *commands: Command) -> Grant:
    return Grant(1, "main", number, number, 0 if commands else 10, (), commands)


def test_rows_leave_once_and_a_repeated_grant_brings_them_again() -> None:
    writing = seat(diary=(3, 12, 13))
    first, second, third = (writing.advance(grant(number)) for number in (1, 2, 3))
    assert first.log_rows == (LogRow("days", "day_3", encode({"now": 3})),)
    assert [row.entry_id for row in second.log_rows] == ["day_12", "day_13"]
    assert third.log_rows == ()
    assert writing.advance(grant(3)) == third


def test_they_are_no_part_of_a_digest_or_of_what_a_repetition_must_come_to() -> None:
    writing, silent = seat(diary=(3,)).advance(grant(1)), seat().advance(grant(1))
    assert writing.log_rows and not silent.log_rows
    assert writing.digest == silent.digest
    assert answered_as(Answer(1, (Outbox(1, 1, log_rows=writing.log_rows),))) == answered_as(Answer(1, (Outbox(1, 1),)))


def test_they_travel() -> None:
    answer = Answer(7, (seat(diary=(3,)).advance(grant(1)),))
    assert unpack(pack(answer), Answer) == answer


def test_a_discarded_turn_has_logged_nothing() -> None:
    outbox = seat(diary=(3,), fails_at=5).advance(grant(1))
    assert outbox.failure is not None and outbox.log_rows == ()


def test_who_refuses_a_command_has_logged_nothing() -> None:
    outbox = seat().advance(grant(1, Command("c", "grumble", encode({}))))
    assert outbox.failure is not None and "refuse first" in outbox.failure.message


def test_more_than_an_outbox_has_room_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES_PER_GRANT_MAX", 3 * logs.ROW_OVERHEAD_BYTES)
    assert len(seat(diary=(3, 4)).advance(grant(1)).log_rows) == 2
    outbox = seat(diary=(3, 4, 5)).advance(grant(1))
    assert outbox.failure is not None and "give it fewer local ticks" in outbox.failure.message
