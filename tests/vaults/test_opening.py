"""Opening a vault: what it promises, and everything that can be wrong, each in one line that says what to do."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import servers
import zstandard
from journaling import CHILD_S_MAX, ROOT, WAIT_S_MAX, Held, answers, behind_its_back, child, keyframes_url, row, rows

from actors.core.kernel.errors import (
    DamagedVaultError,
    UncertainWriteError,
    UnreachableVaultError,
    VaultError,
    error_from,
)
from actors.vaults import postgres_servers
from actors.vaults.openings import KEYFRAMES_SUFFIX, open_vault
from actors.vaults.records import EVERYTHING, Chains, Keyframe, LatestKeyframe, Listing, Snapshot
from actors.vaults.vaults import Vault


def refused(url: str | Path, kind: type[VaultError] = VaultError) -> str:
    """The one line with which a vault is refused, the same after crossing a process."""
    with pytest.raises(VaultError) as caught:
        open_vault(url)
    error = caught.value
    assert type(error) is kind
    assert error.message
    assert "\n" not in error.message
    assert error.message.endswith(".")
    assert type(error_from(error.code, error.message)) is kind
    return error.message


def test_a_vault_says_what_it_promises(url: str, vault: Vault) -> None:
    if url.startswith("sqlite"):
        assert vault.durability.startswith("What has been answered survives the death of any process, and a power cut;")
        assert not vault.shared
    else:
        assert "survives the death of any process here and losing this node;" in vault.durability
        assert vault.shared


def test_a_temporary_vault_says_that_a_power_cut_may_cost_something(tmp_path: Path) -> None:
    with open_vault(tmp_path / "vault.sqlite", power_safe=False) as vault:
        assert "a power cut may undo the last of it" in vault.durability
        vault.append("m", vault.begin_epoch("m", b"").epoch, rows(1, 3))
    with open_vault(tmp_path / "vault.sqlite") as vault:
        assert list(vault.rows("m", "main")) == rows(1, 3)


def test_a_closed_vault_says_so(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    reading = vault.rows("m", "main")
    vault.close()
    vault.close()
    for action in (
        lambda: vault.begin_epoch("m", b""),
        lambda: vault.check("m", 1),
        lambda: vault.append("m", 1, [row(1)]),
        lambda: next(reading),
        lambda: vault.latest_keyframe("m", "main"),
    ):
        with pytest.raises(VaultError, match="is closed; open the vault again"):
            action()


# --------------------------------------------------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root:hush@host/db",
        "sqlite://vault.sqlite",
        "sqlite:/vault.sqlite",
        "postgresql+psycopg2://u:hush@h/d",
        "://",
    ],
)
def test_other_schemes_are_refused(url: str) -> None:
    message = refused(url)
    assert "it must be sqlite:///path, a bare path, or postgresql://user@host/database" in message
    assert "hush" not in message


@pytest.mark.parametrize("url", ["", "sqlite:///", ":memory:", "sqlite:///:memory:", "a\0b"])
def test_a_vault_is_a_file(url: str) -> None:
    assert "needs the path of a file" in refused(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://user:hush@host",
        "postgresql://user:hu:sh@host:port/db",
    ],
)
def test_a_servers_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    message = refused(url)
    assert "must be postgresql://user@host:port/database" in message
    assert "hu" not in message


@pytest.mark.parametrize("spelling", ["{path}", "sqlite:///{path}"])
def test_paths_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plain.sqlite", "no suffix", "50%?x=1#y.sqlite", "file:x", "ü.db"):
        with open_vault(spelling.format(path=name)) as vault:
            vault.append("m", vault.begin_epoch("m", b"").epoch, [row(1)])
        assert {name, name + KEYFRAMES_SUFFIX} == {path.name for path in tmp_path.iterdir()}
        with open_vault(spelling.format(path=tmp_path / name)) as vault:
            assert list(vault.rows("m", "main")) == [row(1)]
        for path in tmp_path.iterdir():
            path.unlink()


# -------------------------------------------------------------------------------------------------------- files


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    message = refused(tmp_path / "nowhere" / "vault.sqlite")
    assert f"there is no folder '{tmp_path / 'nowhere'}'; make it, or name another" in message
    assert "is a folder; name a file in it" in refused(tmp_path)


def test_a_folder_must_be_writable(tmp_path: Path) -> None:
    if os.getuid() == 0:  # whom permissions do not stop
        assert "cannot be opened; check that its folder may be written" in refused("/proc/vault.sqlite")
        return
    tmp_path.chmod(0o500)
    assert "may not be written by this user; change that, or name another" in refused(tmp_path / "vault.sqlite")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("which", ["", KEYFRAMES_SUFFIX])
def test_a_file_that_is_not_sqlite_is_left_alone(tmp_path: Path, which: str) -> None:
    path = tmp_path / f"vault.sqlite{which}"
    path.write_text("a letter to somebody " * 100)
    assert "is not a SQLite file; name another file, or restore a copy" in refused(
        tmp_path / "vault.sqlite", DamagedVaultError
    )
    assert path.read_text() == "a letter to somebody " * 100


def test_a_sqlite_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bookmarks.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    assert "is a SQLite file with other tables, not a vault; name another file" in refused(path)


def test_the_keyframes_file_is_not_the_vault(tmp_path: Path) -> None:
    open_vault(tmp_path / "vault.sqlite").close()
    message = refused(tmp_path / f"vault.sqlite{KEYFRAMES_SUFFIX}")
    assert "holds a vault's keyframes, not its journal; name the vault's own file" in message


def test_keyframes_of_a_vault_that_is_gone_are_not_taken_for_those_of_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    open_vault(path).close()
    path.unlink()
    assert "holds the keyframes of another vault; move it away, and new ones will be made" in refused(path)
    Path(f"{path}{KEYFRAMES_SUFFIX}").unlink()
    open_vault(path).close()


def test_a_vault_without_its_keyframes_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    with open_vault(path) as vault:
        vault.append("m", vault.begin_epoch("m", b"").epoch, rows(1, 3))
    Path(f"{path}{KEYFRAMES_SUFFIX}").unlink()
    with open_vault(path) as vault:
        assert vault.begin_epoch("m", b"").epoch == 2
        assert list(vault.rows("m", "main")) == rows(1, 3)
        assert vault.latest_keyframe("m", "main") == LatestKeyframe(None)


def test_a_newer_vault_is_refused(url: str, vault: Vault) -> None:
    vault.close()
    behind_its_back(url, "UPDATE vault_parts SET version = 7 WHERE part = 'journal'")
    assert "has version 7 of the journal tables, and this program knows none above 6; use the newer program" in refused(
        url
    )


def test_a_vault_of_an_earlier_version_is_brought_up_to_date(url: str, vault: Vault) -> None:
    vault.begin_epoch("m", b"founding")
    vault.append("m", 1, rows(1, 3))
    vault.close()
    behind_its_back(url, "DROP TABLE vault_marks", changed=-1)
    behind_its_back(url, "UPDATE vault_parts SET version = 1 WHERE part = 'journal'")
    for _ in range(2):
        with open_vault(url) as again:
            assert list(again.rows("m", "main")) == rows(1, 3)
            again.mark("m", 1, "main", 7)
            assert again.marked("m", "main") == 7


def test_keyframes_of_version_2_are_cut_into_chunks(url: str, vault: Vault) -> None:
    state = random.Random(4).randbytes(200_000)
    saved = Keyframe("main", 3, 2, {"sol_1": state, "sol_2": b"", "sol_3": b"state"})
    vault.begin_epoch("m", b"founding")
    vault.save_keyframe("m", 1, saved)
    vault.close()
    there = keyframes_url(url)
    whole, blob = ("INTEGER", "BLOB") if url.startswith("sqlite") else ("BIGINT", "BYTEA")
    key = f"multiverse TEXT, branch TEXT, control_tick {whole}, position {whole}, name TEXT"
    names = "multiverse, branch, control_tick, position, name"
    for statement in (
        "ALTER TABLE vault_documents RENAME TO newer",
        f"CREATE TABLE vault_documents ({key}, sha256 {blob}, size_bytes {whole}, compressed {blob}, PRIMARY KEY ({names}))",
    ):
        behind_its_back(there, statement, changed=-1)
    for name, content in saved.documents.items():
        behind_its_back(
            there,
            f"INSERT INTO vault_documents SELECT {names}, sha256, size_bytes, :new FROM newer WHERE name = :name",
            name=name,
            new=zstandard.compress(content),
        )
    for table in ("newer", "vault_chunks", "vault_chains"):
        behind_its_back(there, f"DROP TABLE {table}", changed=-1)
    behind_its_back(there, "UPDATE vault_parts SET version = 2", changed=1 if url.startswith("sqlite") else 2)
    for _ in range(2):
        with open_vault(url) as again:
            assert again.latest_keyframe("m", "main") == LatestKeyframe(saved)


def test_keyframes_of_version_3_are_read_and_written(url: str, vault: Vault) -> None:
    saved = [Keyframe("main", tick, 2, {"sol_1": bytes([tick]) * 200_000}) for tick in (3, 4)]
    vault.begin_epoch("m", b"founding")
    vault.save_keyframe("m", 1, saved[0], lived={EVERYTHING: Chains(1, bytes(24))})
    vault.close()
    there = keyframes_url(url)
    behind_its_back(there, "ALTER TABLE vault_chunks DROP COLUMN stride", changed=-1)
    behind_its_back(there, "ALTER TABLE vault_chains RENAME TO newer", changed=-1)
    whole, blob = ("INTEGER", "BLOB") if url.startswith("sqlite") else ("BIGINT", "BYTEA")
    behind_its_back(
        there,
        f"CREATE TABLE vault_chains (multiverse TEXT, branch TEXT, first_tick {whole}, chains {blob}, "
        "PRIMARY KEY (multiverse, branch, first_tick))",
        changed=-1,
    )
    behind_its_back(there, "INSERT INTO vault_chains SELECT multiverse, branch, first_tick, chains FROM newer")
    for table in ("newer", "vault_players", "vault_listed"):
        behind_its_back(there, f"DROP TABLE {table}", changed=-1)
    behind_its_back(there, "UPDATE vault_parts SET version = 3", changed=1 if url.startswith("sqlite") else 2)
    for _ in range(2):
        with open_vault(url) as again:
            assert again.latest_keyframe("m", "main", (3, 2)) == LatestKeyframe(saved[0])
            assert again.chains("m", "main", 2) == Chains(1, bytes(24))
            assert again.chains("m", "main", 2, 0) is None
            again.save_keyframe("m", 1, saved[1], listings=[Listing("players", 4, {})])
            assert again.latest_keyframe("m", "main") == LatestKeyframe(saved[1])


def test_a_vault_of_version_4_is_given_an_index(url: str, vault: Vault) -> None:
    vault.begin_epoch("m", b"founding")
    vault.take_snapshots("m", 1, [Snapshot("mine", "main", 1, 0, "")])
    vault.close()
    behind_its_back(url, "DROP INDEX vault_snapshots_of_branch", changed=-1)
    behind_its_back(url, "UPDATE vault_parts SET version = 3 WHERE part = 'journal'")
    for _ in range(2):
        with open_vault(url) as again:
            assert [one.snapshot for one in again.snapshots("m")] == ["mine"]
    behind_its_back(url, "DROP INDEX vault_snapshots_of_branch", changed=-1)  # it was there


def test_a_log_of_version_5_is_kept_and_goes_on(url: str, vault: Vault) -> None:
    def log(tick: int, *numbers: int) -> Listing:
        row = {"instance": "", "kind": "a", "agent_id": "", "outcome": "", "began_at": 0, "ended_at": 0, "record": "{}"}
        rows = {("i1", f"ritual_{number}"): {**row, "number": number} for number in numbers}
        return Listing("rituals", tick, rows, {"i1": min(numbers)})

    vault.begin_epoch("m", b"founding")
    vault.save_keyframe("m", 1, Keyframe("main", 1, 0, {}), listings=[log(1, 0, 1)])
    vault.close()
    there, version = keyframes_url(url), "UPDATE vault_parts SET version = 5"
    behind_its_back(there, "DROP TABLE vault_rituals_taken_back", changed=-1)
    behind_its_back(there, version, changed=1 if url.startswith("sqlite") else 2)
    for _ in range(2):
        with open_vault(url) as again:
            again.save_keyframe("m", 1, Keyframe("main", 2, 0, {}), listings=[log(2, 1, 2)])
            again.save_keyframe("m", 1, Keyframe("main", 3, 0, {}), listings=[log(3, 1)])
    numbers = "SELECT number FROM vault_ritual_logs ORDER BY number"
    assert answers(there, numbers) == [(0,), (1,)]
    assert answers(there, "SELECT number, control_tick FROM vault_rituals_taken_back") == [(2, 3)]


def test_processes_may_make_a_vault_at_the_same_time(url: str) -> None:
    makers = [
        child("import sys; from actors.vaults.openings import open_vault; open_vault(sys.argv[1]).close()", url)
        for _ in range(4)
    ]
    for maker in makers:
        _, err = maker.communicate(timeout=CHILD_S_MAX)
        assert maker.returncode == 0, err
    open_vault(url).close()


def test_a_lock_that_is_not_given_back_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.vaults.sqlite_files.LOCK_WAIT_S_MAX", 0.05)
    path = tmp_path / "vault.sqlite"
    with open_vault(path) as vault:
        epoch = vault.begin_epoch("m", b"").epoch
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            VaultError, match=r"another process has held its write lock for 30 s; nothing was written. End it"
        ):
            vault.append("m", epoch, [row(1)])
        vault.check("m", epoch)  # readers do not wait
        holder.close()
        vault.append("m", epoch, [row(1)])


# --------------------------------------------------------------------------------------------------- a full disk

FILLING = """
import sys
import threading
from actors.core.kernel.errors import VaultError
from actors.vaults.openings import open_vault
from journaling import row

with open_vault(sys.argv[1]) as vault:
    epoch = vault.begin_epoch("m", b"").epoch
    try:
        for position in range(1, 200):
            vault.append("m", epoch, [row(position, payload=bytes(50_000))])
    except VaultError as error:
        print(position, error.code, error)
"""


def check_filled(path: Path, told: str) -> str:
    """All but the row that failed is there, and the vault goes on once there is room. Returns what was said."""
    position, code, message = told.split(maxsplit=2)
    failed = int(position)
    with open_vault(path) as vault:
        head = len(list(vault.rows("m", "main")))
        assert head == failed - 1 or (code == "uncertain_write" and head == failed)
        vault.append("m", vault.begin_epoch("m", b"").epoch, [row(head + 1)])
    return message


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    small = tmp_path / "small"
    small.mkdir()
    script = f'mount -t tmpfs -o size=2m small "{small}" && "$0" -W error -c "$1" "{small}/vault.sqlite" && cp "{small}"/vault.sqlite* "{tmp_path}"'
    prelude = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
    try:
        subprocess.run([*mount, f'mount -t tmpfs small "{small}"'], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not run: a small file system cannot be mounted here ({error})")
    done = subprocess.run(
        [*mount, script, sys.executable, prelude + FILLING], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    message = check_filled(tmp_path / "vault.sqlite", done.stdout)
    assert "the disk is full; nothing of this was written. Make room, then try again" in message


def test_a_disk_that_fails_is_said(tmp_path: Path) -> None:
    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    prelude = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
    path = tmp_path / "vault.sqlite"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", prelude + FILLING, str(path)],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the disk reports an input/output error" in check_filled(path, done.stdout)


# ------------------------------------------------------------------------------------------------------ servers


def test_a_server_that_is_not_there_is_said_without_the_password(postgres: servers.Server) -> None:
    for url in (
        "postgresql://soulfra:hu%2Fsh@127.0.0.1:1/db",
        "postgres://soulfra@127.0.0.1:1/db?password=hu%2Fsh",
        "postgresql://soulfra:hu%2Fsh@/db?host=/nowhere",
    ):
        message = refused(url, UnreachableVaultError)
        assert (
            "there is no connection; check that the server runs, and host, port, database, user and password" in message
        )
        assert "hu/sh" not in message
        assert "hu%2Fsh" not in message


def test_a_password_that_an_option_error_would_repeat_is_not_told(postgres: servers.Server) -> None:
    message = refused("postgresql://soulfra:hush@127.0.0.1:1/db?hush=1")
    assert "***" in message
    assert "hush" not in message


def test_a_database_that_is_not_there_is_said(postgres: servers.Server) -> None:
    assert 'database "nowhere" does not exist' in refused(postgres.url(database="nowhere"), UnreachableVaultError)


def test_a_user_without_rights_is_told(postgres: servers.Server) -> None:
    postgres.execute("CREATE ROLE guest LOGIN")
    postgres.execute("CREATE SCHEMA locked")
    postgres.execute("GRANT USAGE ON SCHEMA locked TO guest")
    url = postgres.url("-csearch_path=locked").replace("soulfra@", "guest:hush@")
    message = refused(url)
    assert "this user may not do that; grant the user CREATE on the schema" in message
    assert "hush" not in message


def test_neither_text_nor_repr_of_a_vault_shows_the_password(postgres: servers.Server) -> None:
    with open_vault(postgres.fresh_url().replace("soulfra@", "soulfra:hush@")) as vault:
        assert repr(vault) == "<PostgreSQL vault 'postgresql://soulfra@/postgres'>"
        for text in (str(vault), vault.where, vault.durability, repr(vars(vault)), repr(vars(vault._journal._store))):
            assert "hush" not in text
        with pytest.raises(VaultError) as caught:
            vault.check("m", 1)
        assert "hush" not in repr(caught.value)


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "needs psycopg, which is not installed; pip install 'soulfra-multiverse[postgres]'" in refused(
        "postgresql://u@h/d"
    )


@pytest.mark.parametrize("power_safe", [True, False])
def test_a_server_that_confirms_too_early_is_told_not_to(postgres: servers.Server, power_safe: bool) -> None:
    url = postgres.fresh_url() + "%20-csynchronous_commit%3Doff"
    with open_vault(url, power_safe=power_safe) as vault:
        assert ("synchronous_commit is off" in vault.durability) is not power_safe


def test_a_server_that_was_restarted_is_found_again(postgres: servers.Server) -> None:
    with open_vault(postgres.fresh_url()) as vault:
        epoch = vault.begin_epoch("m", b"").epoch
        vault.append("m", epoch, rows(1, 5))
        postgres.die()
        try:
            for action in (lambda: vault.append("m", epoch, [row(6)]), lambda: vault.check("m", epoch)):
                with pytest.raises(UnreachableVaultError, match="there is no connection; check"):
                    action()
        finally:
            postgres.start()
        vault.append("m", epoch, [row(6)])
        postgres.die()
        postgres.start()
        vault.append("m", epoch, [row(7)])  # the connection was lost since, and nobody need know
        assert list(vault.rows("m", "main")) == rows(1, 7)


def cut_off(postgres: servers.Server, held: Held) -> None:
    """Ends the connection that is held in the middle of its transaction."""
    assert held.there.wait(WAIT_S_MAX)
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
    held.go_on.set()


def test_a_server_lost_in_the_middle_of_a_commit_leaves_it_open(
    postgres: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_vault(postgres.fresh_url()) as vault:
        epoch = vault.begin_epoch("m", b"").epoch
        held = Held(vault._journal._store, monkeypatch)
        cutting = threading.Thread(target=cut_off, args=(postgres, held))
        cutting.start()
        with pytest.raises(
            UncertainWriteError, match=r"lost in the middle of a commit .* open the vault again and read"
        ):
            vault.append("m", epoch, [row(1)])
        cutting.join()
        monkeypatch.undo()
        vault.append("m", epoch, [row(1)])
        assert list(vault.rows("m", "main")) == [row(1)]


def test_a_clock_that_is_stopped_in_mid_transaction_does_not_stop_its_successor(
    postgres: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_servers, "SESSION", postgres_servers.SESSION.replace("'15s'", "'300ms'"))
    url = postgres.fresh_url()
    ended: list[BaseException] = []
    with open_vault(url) as old, open_vault(url) as new:
        epoch = old.begin_epoch("m", b"").epoch
        held = Held(old._journal._store, monkeypatch)

        def write() -> None:
            try:
                old.append("m", epoch, [row(1)])
            except VaultError as error:
                ended.append(error)

        stopped = threading.Thread(target=write)
        stopped.start()
        assert held.there.wait(WAIT_S_MAX)
        assert new.begin_epoch("m", b"").epoch == epoch + 1  # comes back at all
        held.go_on.set()
        stopped.join()
        assert len(ended) == 1
        assert list(new.rows("m", "main")) == []


def test_a_lock_on_a_server_that_is_not_given_back_is_said(
    postgres: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setattr(postgres_servers, "SESSION", postgres_servers.SESSION.replace("'30s'", "'50ms'"))
    url = postgres.fresh_url()
    with open_vault(url) as vault:
        epoch = vault.begin_epoch("m", b"").epoch
        with psycopg.connect(postgres.conninfo) as holder:
            holder.execute(f"SELECT * FROM {url.rpartition('%3D')[2]}.vault_multiverses FOR UPDATE")
            with pytest.raises(
                VaultError, match=r"another clock has held the lock for 30 s; nothing was written\. End it"
            ):
                vault.append("m", epoch, [row(1)])
            vault.check("m", epoch)  # readers do not wait
        vault.append("m", epoch, [row(1)])
