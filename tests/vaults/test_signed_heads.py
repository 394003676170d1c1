"""Signed heads: who has no key cannot write the audit log anew, and a head kept elsewhere shows what the vault cannot."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from journaling import answers, behind_its_back, connected, row
from test_audit_logs import record

from actors.core.kernel.errors import KeyFileError, SettingsError
from actors.vaults.audit_logs import NO_HASH, TOLD, hash_of
from actors.vaults.copies import back_up
from actors.vaults.key_files import SigningKey, generate, short
from actors.vaults.openings import open_vault
from actors.vaults.signed_heads import (
    INTERVAL_RECORDS,
    INTERVAL_VARIABLE,
    KEY_VARIABLE,
    SignedHead,
    Signing,
    signing_from,
)
from actors.vaults.tables import SCHEMA_VERSION
from actors.vaults.vaults import Vault

NAME = "m"
INTERVAL = 4


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    generate(tmp_path / "key")
    return SigningKey.load(tmp_path / "key")


@pytest.fixture
def signed(url: str, tmp_path: Path, key: SigningKey) -> Iterator[Vault]:
    """Ten records of NAME, of which 1, 5 and 9 are signed; and two of another."""
    with open_vault(url, signing=Signing(str(tmp_path / "key"), INTERVAL)) as vault:
        for name, count in ((NAME, 10), ("n", 2)):
            vault.begin_epoch(name, b"")
            for position in range(1, count + 1):
                vault.append(name, 1, [row(position)], audits=[record(position)])
        yield vault


def numbers(url: str, name: str = NAME) -> list[int]:
    rows = answers(url, "SELECT number FROM vault_audit_heads WHERE multiverse = :name ORDER BY number", name=name)
    return [number for (number,) in rows]


def cut_off(url: str, after: int) -> None:
    """Log, heads and journal end after a record, as if nothing had ever followed."""
    for table, column in (("vault_audit", "number"), ("vault_audit_heads", "number"), ("vault_journal", "position")):
        behind_its_back(
            url,
            f"DELETE FROM {table} WHERE multiverse = '{NAME}' AND {column} > {after}",
            changed=len([one for one in numbers(url) if one > after]) if "heads" in table else 10 - after,
        )


def hashed_anew(url: str, vault: Vault, number: int, **changes: Any) -> None:
    """What an attacker does who knows the code but has no key: a record is changed, and all hashes from there on."""
    before = NO_HASH
    with connected(url) as connection:
        from sqlalchemy import text

        for one in vault.audits(NAME):
            said = msgspec.structs.replace(one, **changes) if one.number == number else one
            sha256 = hash_of(NAME, said, before)
            sets = ", ".join(f"{word} = :{word}" for word in (*TOLD, "before", "sha256"))
            values = {word: getattr(said, word) for word in TOLD} | {"before": before, "sha256": sha256}
            connection.execute(
                text(f"UPDATE vault_audit SET {sets} WHERE multiverse = '{NAME}' AND number = {one.number}"), values
            )
            before = sha256


def test_the_first_record_is_signed_and_then_one_of_so_many(url: str, signed: Vault, key: SigningKey) -> None:
    assert numbers(url) == [1, 5, 9] and numbers(url, "n") == [1]
    assert signed.audit_faults(NAME, trusted=[key.public_key]) == signed.audit_faults(NAME) == signed.faults(NAME) == []


def test_a_round_of_many_commands_is_signed_at_its_end(url: str, tmp_path: Path, key: SigningKey) -> None:
    with open_vault(url, signing=Signing(str(tmp_path / "key"), INTERVAL)) as vault:
        vault.begin_epoch(NAME, b"")
        for first in (1, 8):
            vault.append(
                NAME, 1, [row(n) for n in range(first, first + 7)], audits=[record(n) for n in range(first, first + 7)]
            )
        assert numbers(url) == [7, 14]
        assert vault.audit_faults(NAME, trusted=[key.public_key]) == []


def test_a_successor_goes_on_signing_where_the_one_before_it_stopped(
    url: str, signed: Vault, tmp_path: Path, key: SigningKey
) -> None:
    with open_vault(url, signing=Signing(str(tmp_path / "key"), INTERVAL)) as successor:
        epoch = successor.begin_epoch(NAME, b"").epoch
        for position in (11, 12, 13):
            successor.append(NAME, epoch, [row(position)], audits=[record(position)])
    assert numbers(url) == [1, 5, 9, 13]


def test_without_a_key_nothing_is_signed(url: str, vault: Vault, key: SigningKey) -> None:
    vault.begin_epoch(NAME, b"")
    vault.append(NAME, 1, [row(1)], audits=[record(1)])
    assert numbers(url) == [] and vault.audit_faults(NAME) == []
    assert vault.audit_faults(NAME, trusted=[key.public_key]) == ["no head of the audit log was signed"]
    assert vault.audit_faults(NAME, vault.audit_head(NAME), [key.public_key]) == []  # one was kept elsewhere


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE vault_audit SET principal = 'eve' WHERE number = 3", "audit record 3 is not what was written"),
        ("DELETE FROM vault_audit WHERE number = 5", "audit records 5 to 5 are missing"),
        (
            "DELETE FROM vault_audit WHERE number > 8",
            "the audit log ends at record 8, and a head was signed of record 9",
        ),
        ("DELETE FROM vault_audit WHERE number = 10", "no audit record tells of position 10 of branch 'main'"),
        (
            "UPDATE vault_audit_heads SET number = 6 WHERE number = 5",
            "the head of record 6 does not bear the signature of",
        ),
        (
            "UPDATE vault_audit_heads SET interval_records = 900 WHERE number = 9",
            "the head of record 9 does not bear the signature of",
        ),
        (
            "UPDATE vault_audit_heads SET signature = before.signature FROM vault_audit_heads before "
            "WHERE before.number = 1 AND before.multiverse = 'm' AND vault_audit_heads.number = 5",
            "the head of record 5 does not bear the signature of",
        ),
        (
            "DELETE FROM vault_audit_heads WHERE number > 1",
            "no head was signed of audit records 2 to 10, and one is due every 4",
        ),
        ("DELETE FROM vault_audit_heads WHERE number > 0", "no head of the audit log was signed"),
    ],
)
def test_whatever_is_changed_removed_or_cut_off_is_found(
    url: str, signed: Vault, key: SigningKey, statement: str, says: str
) -> None:
    changed = {"> 8": 2, "> 1": 2, "> 0": 3}.get(statement[-3:], 1)
    own = "vault_audit_heads.multiverse" if "FROM vault_audit_heads before" in statement else "multiverse"
    behind_its_back(url, f"{statement} AND {own} = 'm'", changed=changed)
    assert any(fault.startswith(says) for fault in signed.audit_faults(NAME, trusted=[key.public_key]))
    assert signed.audit_faults("n", trusted=[key.public_key]) == []


def test_a_log_that_was_emptied_with_its_heads_is_found(url: str, signed: Vault, key: SigningKey) -> None:
    emptied = "the audit log is empty, and there were records in it; of 10 commands in the journal nothing tells"
    behind_its_back(url, f"DELETE FROM vault_audit WHERE multiverse = '{NAME}'", changed=10)
    assert signed.audit_faults(NAME, trusted=[key.public_key])[-1] == emptied
    behind_its_back(url, f"DELETE FROM vault_audit_heads WHERE multiverse = '{NAME}'", changed=3)
    assert signed.audit_faults(NAME) == [emptied]
    behind_its_back(url, f"DELETE FROM vault_counters WHERE multiverse = '{NAME}' AND counter = 'audit'")
    assert (
        signed.audit_faults(NAME) == []
    )  # nothing but the journal is left, as of a vault from before there were audit logs
    assert signed.audit_faults(NAME, trusted=[key.public_key]) == ["no head of the audit log was signed"]
    assert signed.audit_faults("n", trusted=[key.public_key]) == []


def test_a_log_that_was_hashed_anew_without_the_key_is_found(url: str, signed: Vault, key: SigningKey) -> None:
    hashed_anew(url, signed, 3, principal="eve")
    assert signed.audit_faults(NAME) == [
        "audit record 5 is another than the one whose hash was signed",
        "audit record 9 is another than the one whose hash was signed",
    ]
    behind_its_back(url, f"DELETE FROM vault_audit_heads WHERE multiverse = '{NAME}' AND number > 1", changed=2)
    assert signed.audit_faults(NAME) == []
    assert signed.audit_faults(NAME, trusted=[key.public_key]) == [
        "no head was signed of audit records 2 to 10, and one is due every 4"
    ]


def test_a_log_that_was_signed_anew_with_another_key_is_found(
    url: str, signed: Vault, key: SigningKey, tmp_path: Path
) -> None:
    generate(tmp_path / "eves")
    eve = SigningKey.load(tmp_path / "eves")
    hashed_anew(url, signed, 3, principal="eve")
    hashes = {one.number: one.sha256 for one in signed.audits(NAME)}
    for number in numbers(url):
        made = SignedHead.made(eve, NAME, (number, hashes[number]), INTERVAL)
        behind_its_back(
            url,
            "UPDATE vault_audit_heads SET sha256 = :sha256, public_key = :public_key, signature = :signature "
            "WHERE multiverse = :multiverse AND number = :number",
            **{name: value for name, value in msgspec.structs.asdict(made).items() if name != "interval_records"},
        )
    assert signed.audit_faults(NAME) == []
    assert signed.audit_faults(NAME, trusted=[key.public_key]) == [
        f"the head of record {number} is signed by {short(eve.public_key)}, not by {short(key.public_key)}"
        for number in (1, 5, 9)
    ]
    assert signed.audit_faults(NAME, trusted=[eve.public_key]) == []


def test_a_log_that_was_cut_exactly_at_a_signed_head_is_found_by_one_kept_elsewhere(
    url: str, signed: Vault, key: SigningKey
) -> None:
    kept = signed.audit_head(NAME)
    cut_off(url, 5)
    assert signed.audit_faults(NAME, trusted=[key.public_key]) == []  # nothing in the vault shows it
    assert signed.audit_faults(NAME, kept, [key.public_key]) == [
        "the audit log ends at record 5, and one of 10 was kept"
    ]
    for position in range(6, 11):
        signed.append(NAME, 1, [row(position)], audits=[record(position, "command_refused")])
    assert signed.audit_faults(NAME, trusted=[key.public_key]) == []
    assert signed.audit_faults(NAME, kept) == ["audit record 10 is another than the one whose hash was kept"]


def test_a_head_of_another_multiverse_is_no_head_of_this_one(url: str, signed: Vault, key: SigningKey) -> None:
    behind_its_back(url, "DELETE FROM vault_audit_heads WHERE multiverse = 'n'")
    behind_its_back(url, f"UPDATE vault_audit_heads SET multiverse = 'n' WHERE multiverse = '{NAME}' AND number = 1")
    assert signed.audit_faults("n", trusted=[key.public_key]) == [
        f"the head of record 1 does not bear the signature of {short(key.public_key)}",
        "audit record 1 is another than the one whose hash was signed",
    ]


def test_a_backup_has_the_signed_heads_too(url: str, signed: Vault, key: SigningKey, tmp_path: Path) -> None:
    assert back_up(url, str(tmp_path / "copy.sqlite"))["vault_audit_heads"] == 4
    with open_vault(tmp_path / "copy.sqlite") as copy:
        assert copy.audit_faults(NAME, signed.audit_head(NAME), [key.public_key]) == []


def test_a_vault_of_version_4_is_given_signed_heads(url: str, vault: Vault, tmp_path: Path, key: SigningKey) -> None:
    vault.begin_epoch(NAME, b"")
    for position in (1, 2):
        vault.append(NAME, 1, [row(position)], audits=[record(position)])
    vault.close()
    behind_its_back(url, "DROP TABLE vault_audit_heads", changed=-1)
    behind_its_back(url, "UPDATE vault_parts SET version = 4 WHERE part = 'journal'")
    for position in (3, 4):
        with open_vault(url, signing=Signing(str(tmp_path / "key"), INTERVAL)) as again:
            epoch = again.begin_epoch(NAME, b"").epoch
            again.append(NAME, epoch, [row(position)], audits=[record(position)])
            assert again.audit_faults(NAME, trusted=[key.public_key]) == []
    assert numbers(url) == [3]
    assert answers(url, "SELECT version FROM vault_parts WHERE part = 'journal'") == [(SCHEMA_VERSION,)]


# --------------------------------------------------------------------------------------------------- the key's name


def test_the_environment_names_the_key_and_only_who_writes_reads_it(
    opening: Callable[[], Vault], url: str, tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "missing"))
    vault = opening()
    assert vault.audit_head(NAME) == (0, NO_HASH)  # a reader has no need of it
    with pytest.raises(KeyFileError, match="missing' cannot be read"):
        vault.begin_epoch(NAME, b"")
    assert vault.multiverses() == []
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key"))
    vault.begin_epoch(NAME, b"")
    vault.append(NAME, 1, [row(1)], audits=[record(1)])
    assert numbers(url) == [1]


def test_how_often_is_a_setting() -> None:
    assert signing_from({}) is None
    assert signing_from({INTERVAL_VARIABLE: "many"}) is None  # nothing is signed
    assert signing_from({KEY_VARIABLE: "k"}) == Signing("k", INTERVAL_RECORDS)
    assert signing_from({KEY_VARIABLE: "k", INTERVAL_VARIABLE: "7"}) == Signing("k", 7)
    for bad in ("0", "-1", "x", "1.5", "²", "1000001", "9" * 5000):
        with pytest.raises(SettingsError, match=r"from 1 to|whole number"):
            signing_from({KEY_VARIABLE: "k", INTERVAL_VARIABLE: bad})


def test_the_secret_is_nowhere_in_the_vault(signed: Vault, url: str, tmp_path: Path) -> None:
    if not url.startswith("sqlite"):
        return
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    secret = load_pem_private_key((tmp_path / "key").read_bytes(), None).private_bytes_raw()  # type: ignore[union-attr]
    pem = (tmp_path / "key").read_bytes().splitlines()[1]
    for file in tmp_path.glob("vault.sqlite*"):
        content = file.read_bytes()
        assert all(piece not in content for piece in (secret, secret.hex().encode(), pem, str(tmp_path).encode()))


# ------------------------------------------------------------------------------------------------------- documents


def test_a_head_is_kept_as_a_document(key: SigningKey) -> None:
    head = SignedHead.made(key, NAME, (7, hashlib.sha256(b"x").digest()))
    text = json.dumps(head.document())
    assert SignedHead.read(text) == head and not head.fault() and not head.fault([key.public_key])
    for field, value in (("multiverse", "n"), ("number", 8), ("sha256", "00" * 32), ("interval_records", 3)):
        changed = SignedHead.read(json.dumps(head.document() | {field: value}))
        assert "does not bear the signature" in changed.fault()
    assert "is signed by" in head.fault([bytes(32)])


def test_what_is_no_document_of_a_head_is_refused(key: SigningKey) -> None:
    document = SignedHead.made(key, NAME, (7, bytes(32))).document()
    text = json.dumps(document)
    bad: list[Any] = [text[:size] for size in range(len(text))]
    bad += [json.dumps(document | change) for change in ({"kind": "x"}, {"version": 2}, {"more": 1}, {"number": -1})]
    bad += [json.dumps(document | change) for change in ({"number": "7"}, {"sha256": "00"}, {"signature": 5})]
    bad += ["[]", "null", b"\xff", "[" * 100_000, json.dumps(document | {"number": 2**70})]
    for one in bad:
        with pytest.raises(SettingsError, match="this is no signed head") as caught:
            SignedHead.read(one)
        assert len(caught.value.message) < 400
