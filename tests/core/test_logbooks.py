"""The logbook: what it keeps, and how much room it takes."""

import math
import tracemalloc

from actors.core.kernel.ticking import TickRecord
from actors.logbooks import Logbook


def record(tick: int, rows: int = 2, value: float = 1.5) -> TickRecord:
    members = {f"sol_{at}": bytes([tick % 256, at]) * 16 for at in range(rows)}
    series = tuple((member, tick * 10, {"npcs": value}) for member in members)
    return TickRecord(tick, rows, 3, b"d" * 32, members, b"t" * 32, series, (("a", "b", "c", 1),), (("a", "why"),))


def test_what_is_noted_comes_back_as_it_was() -> None:
    book = Logbook(1 << 20)
    noted = [record(tick) for tick in (1, 2, 3)]
    for one in noted:
        book.note(one)
    assert book.records() == noted
    assert list(book.rows())[:3] == [
        (1, "sol_0", 10, {"npcs": 1.5}),
        (1, "sol_1", 10, {"npcs": 1.5}),
        (2, "sol_0", 20, {"npcs": 1.5}),
    ]
    assert book.rows_dropped == 0


def test_a_measure_that_is_no_number_comes_back_too() -> None:
    book = Logbook(1 << 20)
    book.note(record(1, 1, math.nan))
    ((_, _, _, measures),) = book.rows()
    assert math.isnan(measures["npcs"])


def test_the_oldest_are_let_go_when_there_is_no_room() -> None:
    book = Logbook(2_000)
    for tick in range(1, 101):
        book.note(record(tick))
    kept = book.records()
    assert 1 < len(kept) < 20
    assert [one.control_tick_id for one in kept] == list(range(101 - len(kept), 101))
    assert book.rows_dropped == 2 * (100 - len(kept))


def test_the_newest_stays_however_large_it_is() -> None:
    book = Logbook(10)
    book.note(record(1))
    book.note(record(2, 50))
    assert [one.control_tick_id for one in book.records()] == [2]


def test_a_full_logbook_takes_no_more_room() -> None:
    room = 1_000_000
    book = Logbook(room)
    tracemalloc.start()
    try:
        for tick in range(1, 4_001):
            book.note(record(tick))
        assert book.rows_dropped
        full, _ = tracemalloc.get_traced_memory()
        for tick in range(4_001, 8_001):
            book.note(record(tick))
        now, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert full <= 1.2 * room
    assert now <= 1.02 * full
