"""Signed heads from a shell: a key is made, a head is kept elsewhere, and what was done to the log is found with it."""

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.vaults.signed_heads import INTERVAL_VARIABLE, KEY_VARIABLE
from orchestration import Multiverse
from orchestration.main import run

REALMS = Path(__file__).parents[1] / "realms"
Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def soulfra(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    def asked(*arguments: str) -> tuple[int, str, str]:
        vault = [] if arguments[1] == "keygen" else ["--vault", str(tmp_path / "home.sqlite")]
        code = run([*arguments, *vault])
        return (code, *capsys.readouterr())

    return asked


def lived(tmp_path: Path, commands: int, name: str = "home") -> None:
    with Multiverse(
        7, name=name, engine="local", vault=tmp_path / "home.sqlite", realm_paths=[REALMS], principal="ada"
    ) as mv:
        mv.register_game("ring", "small:Ring")
        for luck in range(commands - 1):
            mv.command("ring", "set_luck", {"luck": luck})


def forged(tmp_path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(tmp_path / "home.sqlite")) as file, file:
        for statement in statements:
            assert file.execute(statement).rowcount


def test_a_log_cut_exactly_at_a_signed_head_is_found_by_one_kept_elsewhere(
    tmp_path: Path, soulfra: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, public = str(tmp_path / "key"), str(tmp_path / "key.pub")
    code, out, err = soulfra("audit", "keygen", key)
    assert (code, err) == (0, "") and out.startswith(f"{public} is the public half of {key}: ")
    assert stat.S_IMODE(Path(key).stat().st_mode) == 0o600
    secret = "".join(Path(key).read_text().splitlines()[1:-1])
    monkeypatch.setenv(KEY_VARIABLE, key)
    monkeypatch.setenv(INTERVAL_VARIABLE, "3")
    lived(tmp_path, 7)  # records 1, 4 and 7 are signed
    code, document, _ = soulfra("audit", "head", "home", "--sign", key)
    kept = tmp_path / "kept.json"
    kept.write_text(document)
    assert json.loads(document)["number"] == 7 and secret not in out + document
    assert soulfra("audit", "head", "home", "--sign", key, "--json")[1] == document
    well = (0, "home: 7 records, all is well\n", "")
    assert soulfra("audit", "verify", "home", "--head", str(kept), "--key", public) == well
    assert soulfra("audit", "verify", "home", "--key", public) == well
    forged(
        tmp_path,
        "DELETE FROM vault_audit WHERE number > 4",
        "DELETE FROM vault_audit_heads WHERE number > 4",
        "DELETE FROM vault_journal WHERE position > 4",
    )
    assert soulfra("audit", "verify", "home", "--key", public)[0] == 0  # nothing in the vault shows it
    code, out, _ = soulfra("audit", "verify", "home", "--head", str(kept), "--key", public)
    assert (code, out) == (1, "the audit log ends at record 4, and one of 7 was kept\n")


def test_a_kept_head_that_is_another_ones_or_was_changed_is_not_believed(tmp_path: Path, soulfra: Shell) -> None:
    for name in ("key", "eves"):
        soulfra("audit", "keygen", str(tmp_path / name))
    lived(tmp_path, 3)
    lived(tmp_path, 2, "away")
    kept = tmp_path / "kept.json"
    kept.write_text(soulfra("audit", "head", "home", "--sign", str(tmp_path / "eves"))[1])
    verify = ("audit", "verify", "home", "--head", str(kept))
    assert soulfra(*verify)[0] == 0  # it is signed by the key that it carries
    code, out, _ = soulfra(*verify, "--key", str(tmp_path / "key.pub"))
    assert code == 1 and out.startswith("what was kept: the head of record 3 is signed by ")
    two = ("--key", str(tmp_path / "key.pub"), "--key", str(tmp_path / "eves.pub"))
    assert soulfra(*verify, *two)[0] == 0
    document = json.loads(kept.read_text())
    kept.write_text(json.dumps(document | {"number": 2}))
    code, out, _ = soulfra(*verify, "--json")
    assert code == 1 and json.loads(out)["faults"][-1].startswith(
        "what was kept: the head of record 2 does not bear the signature of"
    )
    kept.write_text(soulfra("audit", "head", "away", "--sign", str(tmp_path / "key"))[1])
    code, out, err = soulfra(*verify)
    assert (code, out) == (2, "") and "is a head of 'away', not of 'home'" in err


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path, soulfra: Shell) -> None:
    lived(tmp_path, 1)
    key = tmp_path / "key"
    soulfra("audit", "keygen", str(key))
    (tmp_path / "open").write_bytes(key.read_bytes())
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "short").touch(0o600)
    (tmp_path / "short").write_bytes(key.read_bytes()[:60])
    (tmp_path / "bad.json").write_text("{}")
    cases: list[tuple[list[str], str]] = [
        (["keygen", str(key)], "already; name another"),
        (["head", "home", "--sign", str(tmp_path / "none")], "cannot be read"),
        (["head", "home", "--sign", str(tmp_path / "open")], "run chmod 600"),
        (["head", "home", "--sign", str(tmp_path / "short")], "no whole private key"),
        (["verify", "home", "--key", str(key)], "no whole public key"),
        (["verify", "home", "--head", str(tmp_path / "bad.json")], "this is no signed head"),
        (["verify", "home", "--head", str(tmp_path / "none")], "--head must read NUMBER:HASH"),
        (["verify", "home", "--head", "x" * 5_000], "--head must read NUMBER:HASH"),
        (["verify", "home", "--head", str(tmp_path)], "--head must read NUMBER:HASH"),
    ]
    for arguments, says in cases:
        code, out, err = soulfra("audit", *arguments)
        assert (code, out) == (2, "") and says in err and len(err.splitlines()) == 1, arguments


def test_a_clock_whose_key_cannot_be_read_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(Exception, match=r"private key file .* cannot be read: No such file or directory"):
        lived(tmp_path, 1)
    monkeypatch.delenv(KEY_VARIABLE)
    lived(tmp_path, 1)


def test_signing_leaves_history_as_it_is(tmp_path: Path, soulfra: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def chain(vault: str) -> Any:
        with Multiverse(7, name="home", engine="local", vault=tmp_path / vault, realm_paths=[REALMS]) as mv:
            mv.register_game("ring", "small:Ring")
            mv.run(3)
            return mv.digest_chain()

    without = chain("one.sqlite")
    soulfra("audit", "keygen", str(tmp_path / "key"))
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key"))
    assert chain("other.sqlite") == without
