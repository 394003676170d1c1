"""Branches and snapshots: what a vault knows of the tree of histories."""

import msgspec
import pytest
from journaling import row, rows

from actors.core.kernel.errors import (
    CommandRefusedError,
    DamagedVaultError,
    StaleEpochError,
    UnknownSnapshotError,
    VaultError,
)
from actors.vaults.records import Branch, Snapshot, Stretch, path_of
from actors.vaults.vaults import Vault

LEFT = Branch("second", "main", 7, 3, reason="what if", command_id="c1")


def test_a_branch_goes_on_from_where_it_left(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.append("m", 1, rows(1, 5))
    assert (vault.head("m"), vault.branches("m")) == ("", [])
    left = vault.leave("m", 1, LEFT)
    assert left == msgspec.structs.replace(LEFT, number=1)
    assert (vault.head("m"), vault.branches("m"), vault.marked("m", "second")) == ("second", [left], 7)
    with pytest.raises(VaultError, match="cannot follow position 3"):
        vault.append("m", 1, [row(6, "second")])
    vault.append("m", 1, rows(4, 6, "second"))
    assert list(vault.rows("m", "second", 3)) == rows(4, 6, "second")
    assert list(vault.rows("m", "main")) == rows(1, 5)
    third = vault.leave("m", 1, Branch("third", "second", 9, 5))
    assert third.number == 2 and vault.head("m") == "third"
    vault.select("m", 1, "main")
    assert vault.head("m") == "main"
    assert vault.branches("n") == [] and vault.head("n") == ""


def test_an_old_clock_leaves_nothing(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.begin_epoch("m", b"")
    for write in (
        lambda: vault.leave("m", 1, LEFT),
        lambda: vault.select("m", 1, "main"),
        lambda: vault.take_snapshots("m", 1, [Snapshot("", "main", 1, 0, "")]),
        lambda: vault.delete_snapshot("m", 1, "s1"),
    ):
        with pytest.raises(StaleEpochError):
            write()
    assert (vault.head("m"), vault.branches("m"), vault.marked("m", "second")) == ("", [], 0)
    assert vault.snapshots("m") == []


def test_names_are_given_once(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.leave("m", 1, LEFT)
    for name in ("second", "main"):
        with pytest.raises(VaultError, match=f"has a branch {name!r} already"):
            vault.leave("m", 1, msgspec.structs.replace(LEFT, branch=name))
    vault.take_snapshots("m", 1, [Snapshot("mine", "main", 1, 0, "")])
    with pytest.raises(CommandRefusedError, match="has a snapshot 'mine' already"):
        vault.take_snapshots("m", 1, [Snapshot("", "main", 2, 0, ""), Snapshot("mine", "main", 2, 0, "")])
    assert [one.snapshot for one in vault.snapshots("m")] == ["mine"]


@pytest.mark.parametrize(
    "change", [{"branch": ""}, {"parent": "a\nb"}, {"control_tick": -1}, {"position": True}, {"reason": 3}]
)
def test_bad_branches_are_refused(vault: Vault, change: dict[str, object]) -> None:
    vault.begin_epoch("m", b"")
    with pytest.raises(VaultError, match="must be"):
        vault.leave("m", 1, msgspec.structs.replace(LEFT, **change))
    assert vault.branches("m") == []


def test_snapshots_are_numbered_and_those_that_branches_were_made_from_stay(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    taken = [Snapshot("", "main", tick, tick // 2, "ab" * 32, f"tick {tick}", "interval") for tick in (10, 20)]
    written = vault.take_snapshots("m", 1, taken)
    assert [(one.snapshot, one.number, one.control_tick) for one in written] == [("s1", 1, 10), ("s2", 2, 20)]
    assert vault.snapshots("m") == written
    vault.leave("m", 1, msgspec.structs.replace(LEFT, snapshot="s1"))
    with pytest.raises(CommandRefusedError, match="'s1' cannot be deleted: second left history there"):
        vault.delete_snapshot("m", 1, "s1")
    vault.delete_snapshot("m", 1, "s2")
    with pytest.raises(UnknownSnapshotError, match="no snapshot 's2'; it has s1"):
        vault.delete_snapshot("m", 1, "s2")
    assert vault.snapshots("m") == written[:1]


def test_the_way_to_a_branch() -> None:
    tree = [Branch("b", "main", 7, 3), Branch("c", "b", 9, 5), Branch("d", "c", 4, 2), Branch("e", "main", 1, 1)]
    assert path_of(tree, "main") == [Stretch("main")]
    assert path_of(tree, "c") == [Stretch("main", (7, 3)), Stretch("b", (9, 5)), Stretch("c")]
    # It left at a boundary that its parent has from its own parent.
    assert path_of(tree, "d") == [Stretch("main", (4, 2)), Stretch("b", (4, 2)), Stretch("c", (4, 2)), Stretch("d")]
    with pytest.raises(DamagedVaultError, match="descends from itself"):
        path_of([Branch("x", "y", 1, 1), Branch("y", "x", 1, 1)], "x")


def test_a_branch_is_not_made_from_a_snapshot_that_has_gone_meanwhile(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.append("m", 1, rows(1, 3))
    vault.take_snapshots("m", 1, [Snapshot("mine", "main", 0, 3, "")])
    vault.delete_snapshot("m", 1, "mine")
    with pytest.raises(CommandRefusedError, match="snapshot 'mine' has been deleted meanwhile; nothing has changed"):
        vault.leave("m", 1, Branch("other", "main", 0, 3, snapshot="mine"))
    assert vault.branches("m") == [] and vault.head("m") == ""
