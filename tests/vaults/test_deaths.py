"""Processes that are killed, and processes that race: what was reported is there, and one clock writes at a time."""

import os
import random
import threading
import time
from collections.abc import Callable

import pytest
from journaling import APPENDING, CHILD_S_MAX, TAKING, WAIT_S_MAX, Held, child, row

from actors.vaults.openings import open_vault
from actors.vaults.records import Keyframe
from actors.vaults.vaults import Vault

SEED = int(os.environ.get("SOULFRA_TEST_SEED", time.time_ns() % 1_000_000))
LIVES = 5


def check_transactions(url: str, reported: int) -> None:
    """Every row that was reported is there, and of no transaction a part."""
    with open_vault(url) as vault:
        found = list(vault.rows("m", "main"))
    assert len(found) >= reported
    for one in found:
        first, last = map(int, one.payload.partition(b"\0")[0].split())
        assert first <= one.position <= last <= len(found), f"half a transaction at position {one.position}"


def test_what_append_has_returned_survives_kill_9(url: str) -> None:
    print(f"SOULFRA_TEST_SEED={SEED}")
    draw = random.Random(SEED)
    for life in range(1, LIVES + 1):
        with child(APPENDING, url, str(draw.randrange(1 << 30))) as writer:
            assert writer.stdout is not None
            epoch = writer.stdout.readline()
            assert epoch == f"epoch {life}\n", writer.communicate()[1]
            lines = [writer.stdout.readline() for _ in range(draw.randint(1, 60))]
            time.sleep(draw.random() * 0.003)  # anywhere within an append
            writer.kill()
            lines += writer.stdout.readlines()
        check_transactions(url, int(lines[-1]))


def test_processes_that_race_for_an_epoch_get_different_ones(url: str) -> None:
    racers = [child(TAKING, url) for _ in range(3)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    taken: list[list[int]] = []
    for racer in racers:
        out, err = racer.communicate(timeout=CHILD_S_MAX)
        assert racer.returncode == 0, err
        taken.append([int(line) for line in out.split()])
    assert all(mine == sorted(set(mine)) for mine in taken)
    assert sorted(epoch for mine in taken for epoch in mine) == list(range(1, 91))


@pytest.mark.parametrize("part", ["journal", "keyframes"])
def test_a_takeover_waits_for_the_write_under_way(
    opening: Callable[[], Vault], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    old, new = opening(), opening()
    epoch = old.begin_epoch("m", b"").epoch
    frame = Keyframe("main", 1, 0, {"sol_1": b"state"})
    happened: list[str] = []
    held = Held(getattr(old, f"_{part}")._store, monkeypatch)

    def write() -> None:
        if part == "journal":
            old.append("m", epoch, [row(1)])
        else:
            old.save_keyframe("m", epoch, frame)
        happened.append("written")

    def take_over() -> None:
        new.begin_epoch("m", b"")
        seen = list(new.rows("m", "main")) or new.latest_keyframe("m", "main").keyframe
        happened.append("taken over" if seen in ([row(1)], frame) else "taken over too early")

    threads = [threading.Thread(target=action) for action in (write, take_over)]
    threads[0].start()
    assert held.there.wait(WAIT_S_MAX)
    threads[1].start()
    threads[1].join(0.2)  # long enough for a takeover that waits for nobody
    held.go_on.set()
    for thread in threads:
        thread.join()
    assert sorted(happened) == ["taken over", "written"]


@pytest.mark.parametrize("life", range(3))
def test_nothing_of_an_old_clock_comes_after_a_takeover(url: str, life: int) -> None:
    print(f"SOULFRA_TEST_SEED={SEED}")
    draw = random.Random(SEED + life)
    with open_vault(url) as vault, child(APPENDING, url, str(life)) as old:
        assert old.stdout is not None
        assert old.stdout.readline() == "epoch 1\n"
        for _ in range(draw.randint(1, 20)):
            old.stdout.readline()
        time.sleep(draw.random() * 0.003)
        assert vault.begin_epoch("m", b"").epoch == 2
        at_takeover = sum(1 for _ in vault.rows("m", "main"))
        out, err = old.communicate(timeout=CHILD_S_MAX)
        assert "overtaken: epoch 1 of multiverse 'm' is over: epoch 2 is current" in err
        assert sum(1 for _ in vault.rows("m", "main")) == at_takeover
        assert not out or int(out.split()[-1]) == at_takeover
    check_transactions(url, at_takeover)
