"""The audit log: in order, chained, and whatever is changed, removed or cut off is found."""

from collections.abc import Callable

import msgspec
import pytest
from journaling import behind_its_back, row, rows

from actors.core.kernel.errors import StaleEpochError, VaultError
from actors.vaults.audit_logs import NO_HASH, hash_of
from actors.vaults.records import DONE, Audit, Branch
from actors.vaults.vaults import Vault

Opening = Callable[[], Vault]


def record(position: int, outcome: str = DONE, **more: object) -> Audit:
    told = {
        "at": "2026-01-01T00:00:00+00:00",
        "principal": "ada",
        "verb": "grant_wealth",
        "subject": "sol",
        "command_id": "",
    }
    return Audit(**told, branch="main", control_tick=position // 10, position=position, outcome=outcome, **more)  # type: ignore[arg-type]


def written(vault: Vault, count: int = 6) -> list[Audit]:
    vault.begin_epoch("m", b"")
    vault.begin_epoch("n", b"")
    for position in range(1, count + 1):
        vault.append("m", 1, [row(position)], audits=[record(position), record(position, "command_refused")])
        vault.append("n", 1, [row(position)], audits=[record(position)])
    return list(vault.audits("m"))


def test_records_come_back_in_order(opening: Opening) -> None:
    written(opening())
    found = list(opening().audits("m"))
    assert [one.number for one in found] == list(range(1, 13))
    assert [msgspec.structs.replace(one, number=0, sha256=b"") for one in found[2:4]] == [
        record(2),
        record(2, "command_refused"),
    ]
    assert [one.number for one in opening().audits("m", after=10)] == [11, 12]
    assert found[0].sha256 == hash_of("m", found[0], NO_HASH)
    assert opening().faults("m") == opening().faults("n") == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE vault_audit SET principal = 'eve' WHERE number = 3", "audit record 3 is not what was written"),
        ("UPDATE vault_audit SET outcome = 'done' WHERE number = 4", "audit record 4 is not what was written"),
        ("UPDATE vault_audit SET at = '' WHERE number = 12", "audit record 12 is not what was written"),
        ("DELETE FROM vault_audit WHERE number = 5", "audit records 5 to 5 are missing"),
        ("DELETE FROM vault_audit WHERE number = 1", "audit records 1 to 1 are missing"),
        ("DELETE FROM vault_audit WHERE number > 10", "no audit record tells of position 6 of branch 'main'"),
        ("UPDATE vault_audit SET before = sha256 WHERE number = 6", "audit record 6 does not follow the one before it"),
    ],
)
def test_whatever_is_changed_removed_or_cut_off_is_found(url: str, vault: Vault, statement: str, says: str) -> None:
    written(vault)
    behind_its_back(url, f"{statement} AND multiverse = 'm'", changed=2 if "> 10" in statement else 1)
    assert says in vault.faults("m")
    assert vault.faults("n") == []


def test_a_log_that_was_emptied_is_found(url: str, vault: Vault) -> None:
    written(vault)
    behind_its_back(url, "DELETE FROM vault_audit WHERE multiverse = 'm'", changed=12)
    says = ["the audit log is empty, and there were records in it; of 6 commands in the journal nothing tells"]
    assert vault.audit_faults("m") == vault.faults("m") == says
    assert vault.faults("n") == []
    vault.append("m", 1, [row(7)], audits=[record(7)])  # a clock goes on, and begins it anew
    assert vault.audit_faults("m") == [f"no audit record tells of position {n} of branch 'main'" for n in range(1, 7)]


def test_a_log_of_refusals_alone_that_was_emptied_is_found(url: str, vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.append("m", 1, [row(1, "@orders")])  # nobody has asked for it
    assert vault.audit_faults("m") == []
    vault.append("m", 1, [], audits=[record(0, "permission_refused")])
    behind_its_back(url, "DELETE FROM vault_audit WHERE multiverse = 'm'")
    assert vault.audit_faults("m") == ["the audit log is empty, and there were records in it"]


def test_a_log_without_any_record_of_a_branch_is_found(url: str, vault: Vault) -> None:
    written(vault)
    vault.leave("m", 1, Branch("other", "main", 0, 4), audits=[record(4)])
    told = msgspec.structs.replace(record(5), branch="other")
    vault.append("m", 1, [row(5, "other")], audits=[told])
    assert vault.faults("m") == []
    behind_its_back(url, "DELETE FROM vault_audit WHERE multiverse = 'm' AND branch = 'other'")
    assert vault.audit_faults("m") == ["no audit record tells of position 5 of branch 'other'"]


def test_a_multiverse_that_is_older_than_its_log_need_not_be_told_of_from_the_first(url: str, vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.append("m", 1, rows(1, 3))
    assert vault.faults("m") == []
    for position in (4, 5):
        vault.append("m", 1, [row(position)], audits=[record(position)])
    assert vault.faults("m") == []
    behind_its_back(url, "DELETE FROM vault_audit WHERE number = 1")
    assert vault.audit_faults("m") == ["audit records 1 to 1 are missing"]
    behind_its_back(url, "DELETE FROM vault_audit WHERE number = 2")
    assert vault.audit_faults("m") == [
        "the audit log is empty, and there were records in it; of 5 commands in the journal nothing tells"
    ]


def test_a_log_that_was_written_anew_is_found_by_a_head_that_was_kept(url: str, vault: Vault) -> None:
    found = written(vault)
    kept = vault.audit_head("m")
    assert kept == (12, found[-1].sha256)
    behind_its_back(url, "DELETE FROM vault_audit WHERE number = 12 AND multiverse = 'm'")
    assert vault.faults("m") == []  # exactly at the end of what was commanded
    assert vault.audit_faults("m", kept) == ["the audit log ends at record 11, and one of 12 was kept"]
    vault.append("m", 1, [], audits=[record(6, "stale_epoch")])
    assert vault.faults("m") == []
    assert vault.audit_faults("m", kept) == ["audit record 12 is another than the one whose hash was kept"]


def test_a_stale_clock_tells_nothing(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    vault.begin_epoch("m", b"")
    with pytest.raises(StaleEpochError):
        vault.append("m", 1, [], audits=[record(1)])
    assert list(vault.audits("m")) == []


@pytest.mark.parametrize("bad", ["x" * 1_001, "\0", "\ud800"])
def test_what_no_store_can_keep_is_refused_whole(vault: Vault, bad: str) -> None:
    vault.begin_epoch("m", b"")
    with pytest.raises(VaultError, match="audit record's principal"):
        vault.append("m", 1, [row(1)], audits=[record(1), msgspec.structs.replace(record(1), principal=bad)])
    assert list(vault.audits("m")) == [] and list(vault.rows("m", "main")) == []
