"""Snapshots that come round: some go again, none comes back, and what somebody needs stays."""

import itertools

import pytest
from journaling import answers, behind_its_back

from actors.core.kernel.errors import CommandRefusedError, VaultError
from actors.vaults.records import INTERVAL, Branch, Keyframe, Snapshot
from actors.vaults.vaults import Vault


def come_round(tick: int, branch: str = "main") -> Snapshot:
    return Snapshot(f"{branch}@{tick}", branch, tick, tick // 2, "ab" * 32, "every control tick", INTERVAL)


def named(vault: Vault, name: str = "m") -> list[str]:
    return [one.snapshot for one in vault.snapshots(name)]


def test_when_they_are_too_many_the_old_ones_lie_further_apart(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    for tick in range(100):
        assert vault.take_snapshots("m", 1, [come_round(tick + 1)], 12) != []
    kept = [one.control_tick for one in vault.snapshots("m")]
    assert len(kept) == 12 and kept[0] == 1 and kept[-2:] == [99, 100]
    gaps = [later - earlier for earlier, later in itertools.pairwise(kept)]
    assert sum(gaps[:4]) > sum(gaps[4:8]) > sum(gaps[8:]) and max(gaps) < 50


def test_what_others_need_stays(vault: Vault) -> None:
    for name in ("m", "n"):
        vault.begin_epoch(name, b"")
    vault.take_snapshots("m", 1, [come_round(tick) for tick in range(1, 11)], 100)
    vault.take_snapshots("m", 1, [come_round(tick, "second") for tick in range(1, 11)], 100)
    vault.take_snapshots("n", 1, [come_round(tick) for tick in range(1, 11)], 100)
    vault.take_snapshots("m", 1, [Snapshot(f"mine {tick}", "main", tick, 0, "") for tick in range(1, 11)])
    vault.leave("m", 1, Branch("new", "main", 4, 2, snapshot="main@4"))
    vault.leave("n", 1, Branch("new", "main", 5, 2, snapshot="main@5"))
    vault.seal("m", 1, Keyframe("main", 7, 3, {"sol_1": b""}), {})
    vault.seal("m", 1, Keyframe("second", 8, 4, {"sol_1": b""}), {})
    vault.take_snapshots("m", 1, [come_round(11)], 3)
    on_main = [one.snapshot for one in vault.snapshots("m") if (one.branch, one.origin) == ("main", INTERVAL)]
    assert on_main == ["main@1", "main@4", "main@7", "main@10", "main@11"]
    assert len(named(vault)) == len(on_main) + 20 and len(named(vault, "n")) == 10
    assert vault.prune_snapshots("m", 3) == 6
    assert [one for one in named(vault) if "second" in one] == ["second@1", "second@8", "second@9", "second@10"]
    assert vault.prune_snapshots("m", 3) == 0 and len(named(vault, "n")) == 10


def test_what_has_come_round_does_not_again(vault: Vault) -> None:
    taken = [come_round(tick) for tick in range(1, 41)]
    vault.begin_epoch("m", b"")
    for at in range(0, 40, 5):
        vault.take_snapshots("m", 1, taken[at : at + 5], 6)
    kept = vault.snapshots("m")
    assert len(kept) == 6
    vault.begin_epoch("m", b"")  # it knows less, and lives all of it again
    assert vault.take_snapshots("m", 2, taken, 100) == []
    assert vault.snapshots("m") == kept
    vault.delete_snapshot("m", 2, "main@40")
    again = [*taken, come_round(41), come_round(1, "second")]
    assert [one.snapshot for one in vault.take_snapshots("m", 2, again, 100)] == ["main@41", "second@1"]
    assert named(vault) == [*(one.snapshot for one in kept[:-1]), "main@41", "second@1"]


def test_what_is_there_is_not_written_again_though_nobody_has_counted(url: str, vault: Vault) -> None:
    """As in a vault of an earlier build."""
    taken = [come_round(tick) for tick in range(1, 4)]
    vault.begin_epoch("m", b"")
    written = vault.take_snapshots("m", 1, taken[:2], 10)
    behind_its_back(url, "DELETE FROM vault_counters WHERE counter = 'main@'")
    assert [one.snapshot for one in vault.take_snapshots("m", 1, taken, 10)] == ["main@3"]
    assert vault.snapshots("m")[:2] == written
    assert answers(url, "SELECT value FROM vault_counters WHERE counter = 'main@'") == [(3,)]


def test_where_the_newer_ones_cannot_be_written_none_goes(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.take_snapshots("m", 1, [come_round(tick) for tick in range(1, 11)], 100)
    before = vault.snapshots("m")
    with pytest.raises(CommandRefusedError, match="has a snapshot 'main@3' already"):
        vault.take_snapshots("m", 1, [come_round(11), Snapshot("main@3", "main", 11, 0, "")], 3)
    assert vault.snapshots("m") == before
    assert len(vault.take_snapshots("m", 1, [come_round(11)], 3)) == 1 and len(named(vault)) == 3


def test_so_many_at_once_that_some_never_stay(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    assert len(vault.take_snapshots("m", 1, [come_round(tick) for tick in range(1, 101)], 4)) == 100
    kept = [one.control_tick for one in vault.snapshots("m")]
    assert len(kept) == 4 and kept[0] == 1 and kept[2:] == [99, 100]


def test_fewer_than_three_cannot_be_asked_for(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    with pytest.raises(VaultError, match="the number of snapshots to keep must be a whole number from 3"):
        vault.prune_snapshots("m", 2)
