"""Backing up, verifying and pruning: on a file and on a server, and from one to the other."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from journaling import row, rows

from actors.core.kernel.errors import VaultError
from actors.vaults import copies
from actors.vaults.copies import back_up
from actors.vaults.openings import open_vault
from actors.vaults.records import EVERYTHING, Branch, Chains, Keyframe, LatestKeyframe, Snapshot
from actors.vaults.vaults import Vault

NOISE = random.Random(9).randbytes(150_000)
SAVED = Keyframe("main", 7, 3, {"sol_1": NOISE, "sol_2": b""})


def filled(vault: Vault) -> None:
    for name in ("m", "n"):
        vault.begin_epoch(name, b"founding")
        vault.append(name, 1, rows(1, 300))
        vault.mark(name, 1, "main", 40)
        vault.save_keyframe(name, 1, SAVED, lived={EVERYTHING: Chains(1, bytes(8 * 7))})
    vault.take_snapshots("m", 1, [Snapshot("mine", "main", 7, 3, "")])
    vault.leave("m", 1, Branch("second", "main", 7, 3, snapshot="mine"))


def check_filled(vault: Vault) -> None:
    assert [one.name for one in vault.multiverses()] == ["m", "n"]
    assert vault.faults("m") == vault.faults("n") == []
    assert list(vault.rows("n", "main")) == rows(1, 300)
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(SAVED)
    assert vault.chains("m", "main", 7) == Chains(1, bytes(8 * 7))
    assert (vault.head("m"), vault.marked("m", "main"), [one.snapshot for one in vault.snapshots("m")]) == (
        "second",
        40,
        ["mine"],
    )
    assert vault.begin_epoch("m", b"").epoch == 2
    vault.append("m", 2, [row(4, "second")])


@pytest.mark.parametrize("to", ["file", "server"])
def test_a_copy_is_the_whole_vault(
    url: str, vault: Vault, tmp_path: Path, to: str, request: pytest.FixtureRequest
) -> None:
    filled(vault)
    target = str(tmp_path / "copy.sqlite") if to == "file" else request.getfixturevalue("postgres").fresh_url()
    told: list[tuple[str, int]] = []
    copied = back_up(url, target, lambda table, count: told.append((table, count)))
    assert (copied["vault_journal"], copied["vault_chunks"]) == (600, 6) and ("vault_journal", 600) in told
    with open_vault(target) as copy:
        check_filled(copy)
    with pytest.raises(VaultError, match="already"):
        back_up(url, target)
    assert vault.head("m") == "second" and vault.faults("m") == []


def test_a_copy_is_taken_while_a_clock_writes(url: str, opening: Callable[[], Vault], tmp_path: Path) -> None:
    vault = opening()
    vault.begin_epoch("m", b"")
    done = threading.Event()

    def live() -> None:
        at = 0
        while not done.is_set():
            at += 1
            vault.append("m", 1, [row(at)])
            vault.save_keyframe("m", 1, Keyframe("main", at, at, {"sol_1": b"%d" % at}))

    living = threading.Thread(target=live)
    living.start()
    try:
        for number in range(3):
            back_up(url, str(tmp_path / f"{number}.sqlite"))
    finally:
        done.set()
        living.join()
    for number in range(3):
        with open_vault(tmp_path / f"{number}.sqlite") as copy:
            assert copy.faults("m") == []
            keyframe = copy.latest_keyframe("m", "main").keyframe
            last = [one.position for one in copy.rows("m", "main")][-1:]
            assert keyframe is None or keyframe.position <= last[0]


def test_a_copy_that_fails_leaves_nothing(
    url: str, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(vault)

    def fail(table: str, count: int) -> None:
        if table == "vault_journal":
            raise OSError("the disk is gone")

    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    debris = tmp_path / f"copy.sqlite.partial-{child.pid}.keyframes-wal"
    debris.touch()  # of a copy whose process has died
    living = tmp_path / f"copy.sqlite.partial-{os.getppid()}"
    living.touch()
    before = sorted(path for path in tmp_path.iterdir() if path != debris)
    with pytest.raises(OSError, match="the disk is gone"):
        back_up(url, str(tmp_path / "copy.sqlite"), fail)
    assert sorted(tmp_path.iterdir()) == before
    monkeypatch.setattr(copies, "ROWS_AT_ONCE", 1)
    back_up(url, str(tmp_path / "copy.sqlite"))
    with open_vault(tmp_path / "copy.sqlite") as copy:
        check_filled(copy)


def test_pruning_takes_keyframes_and_nothing_else(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.append("m", 1, rows(1, 3))
    for branch in ("main", "second"):
        for tick in range(120):
            vault.save_keyframe("m", 1, Keyframe(branch, tick, 0, {"sol_1": b"%d" % (tick // 2)}))
    assert vault.prune("m", 10) == 220
    assert vault.prune("m", 10) == 0
    vault.compact()
    assert vault.faults("m") == [] and list(vault.rows("m", "main")) == rows(1, 3)
    for branch in ("main", "second"):
        newest = vault.latest_keyframe("m", branch).keyframe
        first = vault.latest_keyframe("m", branch, (0, 0)).keyframe
        assert newest is not None and newest.control_tick == 119 and first is not None
    with pytest.raises(VaultError, match="must be a whole number from 3"):
        vault.prune("m", 2)


def test_a_seal_that_no_snapshot_needs_goes_with_the_pruning(vault: Vault) -> None:
    filled(vault)
    for tick in (7, 8):
        vault.seal("m", 1, Keyframe("main", tick, 3, {"sol_1": NOISE}), {})
    assert vault.prune("m", 3) == 1
    assert vault.seals("m") == [("main", (7, 3))] and vault.faults("m") == []
