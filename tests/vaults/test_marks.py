"""Marks: how far somebody may have seen a branch."""

import pytest

from actors.core.kernel.errors import StaleEpochError, VaultError
from actors.vaults.openings import open_vault
from actors.vaults.vaults import Vault


def test_a_mark_is_the_last_one_written_of_its_branch(url: str, vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.begin_epoch("n", b"")
    assert vault.marked("m", "main") == 0
    for name, branch, tick in [("m", "main", 9), ("m", "other", 3), ("n", "main", 5), ("m", "main", 4)]:
        vault.mark(name, 1, branch, tick)
    with open_vault(url) as other:
        seen = [other.marked(*key) for key in [("m", "main"), ("m", "other"), ("n", "main"), ("n", "other")]]
    assert seen == [4, 3, 5, 0]


def test_an_old_clock_lets_nothing_be_seen(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.mark("m", 1, "main", 9)
    vault.begin_epoch("m", b"")
    with pytest.raises(StaleEpochError):
        vault.mark("m", 1, "main", 10)
    assert vault.marked("m", "main") == 9


@pytest.mark.parametrize("tick", [-1, 1.5, None, 2**63, True])
def test_what_is_no_control_tick_is_no_mark(vault: Vault, tick: object) -> None:
    vault.begin_epoch("m", b"")
    with pytest.raises(VaultError, match="control tick"):
        vault.mark("m", 1, "main", tick)  # type: ignore[arg-type]
    assert vault.marked("m", "main") == 0


def test_a_multiverse_that_nobody_has_founded_has_no_marks(vault: Vault) -> None:
    with pytest.raises(VaultError, match="no multiverse"):
        vault.mark("m", 1, "main", 1)
