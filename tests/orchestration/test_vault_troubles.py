"""A vault in trouble, as whoever runs a multiverse meets it: a clear error, nothing lost, the last good state still there."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import actors.keyframes
from actors.core.kernel.errors import EngineError, StaleEpochError, VaultError
from actors.listings import Lister
from actors.vaults.openings import KEYFRAMES_SUFFIX, open_vault
from orchestration import Multiverse
from orchestration.main import run

ROOT = Path(__file__).parents[2]
REALMS = ROOT / "tests" / "realms"
RING = "small:Ring"
FILE_BYTES_MAX = 250_000

UNTIL_FULL = f"""
import sys
import actors.keyframes
from orchestration import Multiverse
from actors.core.kernel.errors import SoulfraError

actors.keyframes.KEYFRAME_AFTER_WORK_S, actors.keyframes.KEYFRAME_SHARE = 0.0, 0
mv = Multiverse(7, name="home", engine="local", vault=sys.argv[1], realm_paths=[{str(REALMS)!r}])
mv.register_game("ring", {RING!r})
try:
    for number in range(20_000):
        mv.run(1)
        mv.command("ring", "set_luck", {{"luck": number}})
        print(*mv.boundary().instant, mv.digest(), flush=True)
except SoulfraError as error:
    print(error.code, error.message, flush=True)
"""


def lived(vault: Path) -> Multiverse:
    mv = Multiverse(7, name="home", engine="local", vault=vault, realm_paths=[REALMS])
    if not mv.get_multiverse_state()["games"]:
        mv.register_game("ring", RING)
    return mv


def test_a_disk_that_is_full_ends_the_clock_and_nothing_that_was_answered(tmp_path: Path) -> None:
    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))

    vault = tmp_path / "v.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", UNTIL_FULL, str(vault)], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=limited, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    *answered, error = done.stdout.splitlines()
    assert len(answered) > 10, done.stderr
    assert "input/output error" in error and str(vault) in error, error
    assert "Traceback" not in done.stderr
    tick, position, digest = answered[-1].split()
    with lived(vault) as mv:  # there is room again
        there = mv.boundary()
        assert (int(tick), int(position)) <= there.instant <= (int(tick) + 1, int(position) + 1)
        if there.instant == (int(tick), int(position)):
            assert mv.digest() == digest
        mv.run(3)
    assert run(["vault", "verify", str(vault)]) == 0


def test_a_damaged_chunk_costs_time_and_no_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.keyframes.KEYFRAME_AFTER_WORK_S", 0.0)
    monkeypatch.setattr("actors.keyframes.KEYFRAME_SHARE", 0)
    vault = tmp_path / "v.sqlite"
    with lived(vault) as mv:
        chains = [mv.digest_chain() for _ in range(12) if mv.run(1)]
    with closing(sqlite3.connect(f"{vault}{KEYFRAMES_SUFFIX}")) as file, file:
        chunks = [key for (key,) in file.execute("SELECT sha256 FROM vault_chunks ORDER BY ROWID")]
        for key in chunks[len(chunks) // 2 :]:
            file.execute("UPDATE vault_chunks SET compressed = zeroblob(7) WHERE sha256 = ?", (key,))
    with lived(vault) as mv:
        assert mv.digest_chain() == chains[-1]
        (notice,) = {line.partition(": ")[2] for line in mv.status().notices[:1]}
        assert "is not what was written. Its history was lived again since" in notice
        for tick in (1, 6, 11):
            with mv.at(tick) as past:
                assert past.digest_chain() == chains[tick - 1]
        mv.revert(9)
        mv.run(3)
        assert mv.digest_chain() == chains[-1]


def test_a_vault_of_a_newer_program_is_refused_in_one_line(tmp_path: Path, capsys: Any) -> None:
    vault = tmp_path / "v.sqlite"
    with lived(vault) as mv:
        mv.run(2)
        chain = mv.digest_chain()
    for part, path in (("journal", str(vault)), ("keyframes", f"{vault}{KEYFRAMES_SUFFIX}")):
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE vault_parts SET version = version + 1 WHERE part = ?", (part,))
        with pytest.raises(VaultError, match=f"of the {part} tables, and this program knows none above"):
            lived(vault)
        for words in (["snapshot", "list", "home"], ["history", "show", "home"], ["history", "at", "home", "1"]):
            assert run([*words, "--vault", str(vault)]) != 0
            said = capsys.readouterr().err
            assert "use the newer program that made it" in said and "Traceback" not in said, said
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE vault_parts SET version = version - 1 WHERE part = ?", (part,))
    with lived(vault) as mv:
        assert mv.digest_chain() == chain


def test_of_two_programs_on_one_vault_the_later_one_goes_on(tmp_path: Path) -> None:
    vault = tmp_path / "v.sqlite"
    first = lived(vault)
    first.run(3)
    first.command("ring", "set_luck", {"luck": 5})
    digest, journal = first.digest(), len(first.journal())
    with lived(vault) as second:
        assert (second.digest(), len(second.journal())) == (digest, journal)
        for attempt in (
            lambda: first.command("ring", "set_luck", {"luck": 6}),
            lambda: first.run(1),
            lambda: first.snapshot("mine"),
            lambda: first.revert(1),
            lambda: first.fork(["ring"]),
        ):
            with pytest.raises((StaleEpochError, EngineError), match="another clock has taken over"):
                attempt()
        first.close()
        assert (second.digest(), len(second.journal())) == (digest, journal)
        second.command("ring", "set_luck", {"luck": 7})
        second.run(1)
        assert [one.branch for one in second.branches()] == ["main"] and second.snapshots() == []
    assert run(["vault", "verify", str(vault)]) == 0


def test_a_fault_while_a_keyframe_is_written_is_told_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0)
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_SHARE", 0)
    genuine = Lister.listings

    def faulty(*_: Any) -> Any:
        raise KeyError("a table")

    with Multiverse(1, engine="local", name="home", vault=tmp_path / "v.sqlite") as mv:
        mv.create_instance("alpha")
        monkeypatch.setattr(Lister, "listings", faulty)
        mv.run(4)
        assert any("a fault, to be reported: KeyError: 'a table'" in one for one in mv.status().notices)
        with pytest.raises(EngineError, match="cannot be written down whole"):
            mv.revert(2)
        monkeypatch.setattr(Lister, "listings", genuine)
        mv.snapshot("whole again")
        chain = mv.digest_chain()
        with mv.at(snapshot="whole again") as past:  # which writes down what was owed
            assert past.digest_chain() == chain
        mv.revert(2)
        assert mv.status().notices == ()
    with open_vault(tmp_path / "v.sqlite") as vault:
        assert vault.faults("home") == []
