"""Unified snapshots in a vault: kept, read back, never a part of history, and as safe as all else there."""

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from journaling import answers, behind_its_back, keyframes_url

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import (
    CommandRefusedError,
    DamagedVaultError,
    StaleEpochError,
    UnknownSnapshotError,
    VaultError,
)
from actors.core.kernel.states import Records, State
from actors.core.merging.platforms import SECTIONS
from actors.core.merging.unified_snapshots import UnifiedSnapshot, unified_snapshot
from actors.vaults import unified_snapshots
from actors.vaults.copies import back_up
from actors.vaults.openings import open_vault
from actors.vaults.records import Unification
from actors.vaults.vaults import Vault
from orchestration import Multiverse

ROWS = "SELECT snapshot_id, number FROM vault_unified_snapshots WHERE multiverse = :name ORDER BY number"


def opened(url: str) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=url)


def snapshot(control_tick: int, agents: dict[str, Any] | None = None) -> UnifiedSnapshot:
    states: dict[str, State] = {role: {name: Records() for name in names} for role, names in SECTIONS.items()}
    states["runtime"] = {**states["runtime"], "agents": Records(agents or {})}
    return unified_snapshot(states, instance="i1", branch="main", control_tick=control_tick, position=2, local_tick=10)


def kept(vault: Vault, *control_ticks: int, name: str = "m") -> list[UnifiedSnapshot]:
    made = [snapshot(tick) for tick in control_ticks]
    for one in made:
        vault.unified_snapshots.keep(name, 1, one, "alpha")
    return made


@pytest.fixture
def begun(vault: Vault) -> Vault:
    for name in ("m", "n"):
        vault.begin_epoch(name, b"")
    return vault


# ------------------------------------------------------------------------------------------------------- in a multiverse


def test_what_a_merge_came_to_can_be_read_again(url: str) -> None:
    with opened(url) as mv:
        for name in ("alpha", "beta"):
            mv.create_instance(name)
        made = []
        for who in ("alpha", "beta", "alpha"):
            mv.run(2)
            made.append(mv.merge_all_active_platforms(who))
        assert mv.merge_all_active_platforms("alpha") == made[2]  # at the same boundary it is the same
        known = mv.unified_snapshots()
        conflicts = [len(one.metadata.conflicts) for one in made]
        assert known == [
            Unification(made[0].snapshot_id, 1, "main", 2, 2, "i1", "alpha", 20, conflicts[0]),
            Unification(made[1].snapshot_id, 2, "main", 4, 2, "i2", "beta", 40, conflicts[1]),
            Unification(made[2].snapshot_id, 3, "main", 6, 2, "i1", "alpha", 60, conflicts[2]),
        ]
        assert [one.number for one in mv.unified_snapshots("alpha")] == [1, 3]
        assert [one.number for one in mv.unified_snapshots(mv.instance("beta"))] == [2]
        mv.destroy_instance("alpha")
        assert [one.number for one in mv.unified_snapshots("i1")] == [1, 3]
        with pytest.raises(CommandRefusedError, match="there is no instance 'alpha'"):
            mv.unified_snapshots("alpha")
        with pytest.raises(UnknownSnapshotError, match=f"no unified snapshot 'x'; it has {made[0].snapshot_id}, "):
            mv.unified_snapshot("x")
    with opened(url) as mv:
        assert mv.unified_snapshots() == known
        assert [mv.unified_snapshot(one.snapshot_id) for one in known] == made
    record = json.loads(answers(url, "SELECT record FROM vault_unified_snapshots WHERE number = 3")[0][0])
    assert record["state"] == made[2].state
    assert [one["where"] for one in record["conflicts"]] == [one.where for one in made[2].metadata.conflicts]


def test_history_is_the_same_with_merges_and_without(url: str, tmp_path: Path) -> None:
    chains = []
    for where, merges in ((url, True), (str(tmp_path / "without.sqlite"), False)):
        with opened(where) as mv:
            mv.create_instance("alpha")
            for _ in range(4):
                mv.run(3)
                if merges:
                    mv.merge_all_active_platforms("alpha")
            chains.append((mv.digest_chain(), mv.boundary()))
            assert len(mv.unified_snapshots()) == 4 * merges
    assert chains[0] == chains[1]
    with opened(url) as mv:
        assert (mv.digest_chain(), mv.boundary()) == chains[0]
    with open_vault(url) as vault:
        assert vault.faults("home") == []


def test_without_a_vault_a_merge_is_kept_nowhere() -> None:
    with Multiverse(7, engine="local") as mv:
        mv.create_instance("alpha")
        made = mv.merge_all_active_platforms("alpha")
        assert mv.unified_snapshots() == []
        with pytest.raises(CommandRefusedError, match="without a vault"):
            mv.unified_snapshot(made.snapshot_id)


def test_what_a_vault_does_not_take_is_refused_and_the_clock_goes_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unified_snapshots, "DOCUMENT_BYTES_MAX", 1_000)
    with opened(url) as mv:
        mv.create_instance("alpha")
        with pytest.raises(CommandRefusedError, match="at most 1000 are kept in a vault"):
            mv.merge_all_active_platforms("alpha")
        mv.run(1)
        assert mv.unified_snapshots() == []


# ------------------------------------------------------------------------------------------------------------ in a vault


def test_a_stale_clock_keeps_nothing(begun: Vault, url: str) -> None:
    begun.begin_epoch("m", b"")
    with pytest.raises(StaleEpochError):
        begun.unified_snapshots.keep("m", 1, snapshot(1), "alpha")
    assert answers(url, ROWS, name="m") == []


def test_what_no_column_takes_is_refused(begun: Vault, url: str) -> None:
    for bad, word in ((snapshot(-1), "control_tick"), (snapshot(2**63), "control_tick")):
        with pytest.raises(VaultError, match=word):
            begun.unified_snapshots.keep("m", 1, bad, "alpha")
    with pytest.raises(VaultError, match="the instance's name"):
        begun.unified_snapshots.keep("m", 1, snapshot(1), "")
    assert answers(url, ROWS, name="m") == []


def test_bytes_in_a_state_are_hexadecimal_in_the_record(begun: Vault, url: str) -> None:
    one = snapshot(1, {"a": {"mark": b"\x01\xff"}})
    begun.unified_snapshots.keep("m", 1, one, "alpha")
    assert begun.unified_snapshots.read("m", one.snapshot_id) == one and begun.faults("m") == []
    ((record,),) = answers(url, "SELECT record FROM vault_unified_snapshots")
    assert json.loads(record)["state"]["agents"] == {"a": {"mark": "01ff"}}


def test_the_oldest_go_when_they_are_too_many(begun: Vault, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unified_snapshots, "UNIFIED_SNAPSHOTS_MAX", 5)
    kept(begun, *range(8))
    kept(begun, *range(4), name="n")
    assert [number for _, number in answers(url, ROWS, name="m")] == [4, 5, 6, 7, 8]
    assert begun.unified_snapshots.prune("m", 3) == 2 and begun.unified_snapshots.prune("m", 3) == 0
    assert [one.number for one in begun.unified_snapshots.known("m")] == [6, 7, 8]
    assert len(begun.unified_snapshots.known("n")) == 4
    with pytest.raises(VaultError, match="from 3 to"):
        begun.unified_snapshots.prune("m", 2)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("conflicts = conflicts + 1", "is not what its row says"),
        ("record = '{}'", "is not what its row says"),
        ("document = :other", "is not what its row says"),
        ("document = :cut", "cannot be read: its document is not what was written"),
        ("document = :foreign", "cannot be read: this is 'else', not 'soulfra.unified_snapshot.1'"),
    ],
)
def test_what_was_changed_is_found(begun: Vault, url: str, damage: str, fault: str) -> None:
    one, _ = kept(begun, 1, 2)
    ((other,),) = answers(url, "SELECT document FROM vault_unified_snapshots WHERE number = 2")
    documents = {"other": other, "cut": other[:-4], "foreign": zstandard.compress(encode(["else", {}]))}
    given = {name: document for name, document in documents.items() if f":{name}" in damage}
    behind_its_back(url, f"UPDATE vault_unified_snapshots SET {damage} WHERE number = 1", **given)
    (found,) = begun.faults("m")
    assert found.startswith(f"unified snapshot {one.snapshot_id} {fault}")
    assert begun.faults("n") == []


def test_what_is_damaged_is_not_given_out(begun: Vault, url: str) -> None:
    (one,) = kept(begun, 1)
    behind_its_back(url, "UPDATE vault_unified_snapshots SET document = :none", none=b"")
    with pytest.raises(DamagedVaultError, match="not what was written"):
        begun.unified_snapshots.read("m", one.snapshot_id)


def test_a_backup_has_them_too(begun: Vault, url: str, tmp_path: Path) -> None:
    made = kept(begun, 1, 2)
    assert back_up(url, str(tmp_path / "copy.sqlite"))["vault_unified_snapshots"] == 2
    with open_vault(tmp_path / "copy.sqlite") as copy:
        assert [copy.unified_snapshots.read("m", one.snapshot_id) for one in made] == made
        assert copy.faults("m") == []


def test_a_vault_of_version_4_is_given_the_tables(vault: Vault, url: str) -> None:
    vault.begin_epoch("m", b"")
    vault.close()
    behind_its_back(url, "DROP TABLE vault_unified_snapshots", changed=-1)
    for table in ("vault_agents", "vault_ritual_logs"):
        behind_its_back(keyframes_url(url), f"DROP TABLE {table}", changed=-1)
    for part in ("journal", "keyframes"):
        there = url if part == "journal" else keyframes_url(url)
        behind_its_back(there, f"UPDATE vault_parts SET version = 4 WHERE part = '{part}'")
    with open_vault(url) as again:
        made = kept(again, 1)
        assert [one.snapshot_id for one in again.unified_snapshots.known("m")] == [made[0].snapshot_id]
    for table in ("vault_agents", "vault_ritual_logs"):
        assert answers(keyframes_url(url), f"SELECT COUNT(*) FROM {table}") == [(0,)]
