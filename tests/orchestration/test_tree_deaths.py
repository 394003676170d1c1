"""Whoever dies while history is left, gone over or named, at whatever statement: all of it happened, or nothing."""

import contextlib
import itertools
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

import actors.keyframes
from actors.vaults.copies import back_up
from actors.vaults.openings import KEYFRAMES_SUFFIX, open_vault
from orchestration import Multiverse
from tests.orchestration.traps import KilledError, Trap

pytestmark = pytest.mark.usefixtures("burials")

REALMS = Path(__file__).parents[1] / "realms"
TICKS = 6


def opened(folder: Path) -> Multiverse:
    where = {"name": "home", "vault": folder / "v.sqlite", "engine": "local", "realm_paths": [REALMS]}
    return Multiverse(7, snapshot_interval_control_ticks=4, **where)  # type: ignore[arg-type]


def faults(folder: Path) -> list[str]:
    with open_vault(folder / "v.sqlite") as vault:
        return vault.faults("home")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A vault: a short life with a second branch, left on its first one; its digest chains, and that of the second's end."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch, opened(folder) as mv:
        patch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0)
        patch.setattr(actors.keyframes, "KEYFRAME_SHARE", 0)
        for number in range(2):
            mv.register_game(
                f"ring_{number}", "small:Ring", params={"next_realm": f"ring_{1 - number}", "shouts": True}
            )
        chains = [mv.digest_chain()]
        for _ in range(TICKS):
            mv.run(1)
            chains.append(mv.digest_chain())
        mv.revert(2, name="second")
        mv.command("ring_0", "set_luck", {"luck": 4})
        mv.run(1)
        second = mv.digest_chain()
        mv.select("main")
    return folder, chains, second


DEEDS: dict[str, Callable[[Multiverse], object]] = {
    "revert": lambda mv: mv.revert(3, name="new"),
    "select": lambda mv: mv.select("second"),
    "snapshot": lambda mv: mv.snapshot("mine"),
    "delete": lambda mv: mv.delete_snapshot("main@4"),
    "fork": lambda mv: mv.fork(["ring_0", "ring_1"], modifications=[{}, {"ring_0.ring.luck": 5}]),
    "fork of the past": lambda mv: mv.fork(["ring_0", "ring_1"], control_tick=3),
}


def after(mv: Multiverse) -> tuple[str, int, str, list[str], list[str], list[int]]:
    """Where it stands, and what there is."""
    boundary = mv.boundary()
    branches = [one.branch for one in mv.branches()]
    snapshots = [one.snapshot for one in mv.snapshots()]
    forks = [one.number for one in mv.forks()]
    return boundary.branch, boundary.control_tick, mv.digest_chain(), branches, snapshots, forks


@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.soak), 6])
@pytest.mark.parametrize("deed", DEEDS)
def test_at_every_point_all_or_nothing(tmp_path: Path, prepared: Any, trap: Trap, deed: str, stride: int) -> None:
    """At every point in the soak; here at every sixth, from anywhere on."""
    origin, chains, second = prepared
    done, undone = 0, 0
    first = random.randrange(stride)
    print(f"from point {first}")
    for point in itertools.count(first, stride):
        folder = tmp_path / str(point)
        shutil.copytree(origin, folder)
        mv = opened(folder)
        before = after(mv)
        trap.left = point
        with contextlib.suppress(KilledError):
            DEEDS[deed](mv)
        struck, trap.left = trap.has_struck, None
        if not struck:
            expected = after(mv)
            mv.close()
            assert done or stride > 1, "there is no point at which it has happened and nobody knows yet"
            assert undone
            break
        with opened(folder) as successor:
            found = after(successor)
            if point == 0:
                assert found == before
            whole = outcome(deed, before, chains, second)
            assert found in (before, whole), f"point {point}"
            done, undone = done + (found == whole), undone + (found == before)
            successor.run(2)
            if found[0] == "new":
                assert successor.digest_chain() == chains[5]
            successor.revert(1, branch="main")
            assert successor.digest_chain() == chains[1]
        assert faults(folder) == [], f"point {point}"
    assert expected == outcome(deed, before, chains, second)
    print(f"{deed}: {point} points; {undone} times nothing had happened, {done} times all")


def outcome(deed: str, before: Any, chains: list[str], second: str) -> Any:
    """What is to be found when it has happened."""
    branch, tick, chain, branches, snapshots, _ = before
    match deed:
        case "revert":
            return "new", 3, chains[3], [*branches, "new"], snapshots, []
        case "select":
            return "second", 3, second, branches, snapshots, []
        case "snapshot":
            return branch, tick, chain, branches, [*snapshots, "mine"], []
        case "delete":
            return branch, tick, chain, branches, [one for one in snapshots if one != "main@4"], []
        case _:
            return branch, tick, chain, branches, snapshots, [1, 2] if deed == "fork" else [1]


def test_a_backup_is_there_whole_or_not_at_all(tmp_path: Path, prepared: Any, trap: Trap) -> None:
    origin, chains, _ = prepared
    for point in itertools.count():
        target = tmp_path / str(point) / "copy.sqlite"
        target.parent.mkdir()
        trap.left = point
        with contextlib.suppress(KilledError):
            back_up(str(origin / "v.sqlite"), str(target))
        struck, trap.left = trap.has_struck, None
        if struck:
            assert list(target.parent.iterdir()) == [], f"point {point}"
            back_up(str(origin / "v.sqlite"), str(target))
        with open_vault(target) as vault:
            assert vault.faults("home") == []
        if not struck:
            break
    assert point > 10
    with Multiverse(7, name="home", vault=target, engine="local", realm_paths=[REALMS]) as mv:
        assert mv.digest_chain() == chains[-1]


def test_a_backup_whose_maker_has_died_between_its_two_names_is_no_obstacle(tmp_path: Path, prepared: Any) -> None:
    maker = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    target = tmp_path / "copy.sqlite"
    (tmp_path / f"copy.sqlite.partial-{int(maker.stdout)}").write_bytes(b"the journal, still without its name")
    Path(f"{target}{KEYFRAMES_SUFFIX}").write_bytes(b"the keyframes")
    back_up(str(prepared[0] / "v.sqlite"), str(target))
    assert len(list(tmp_path.iterdir())) == 2


def of_version_2(keyframes: Path) -> None:
    """Writes the keyframes as programs did that had tables of version 2: each document whole, in its row."""
    names = "multiverse, branch, control_tick, position, name"
    with open_vault(str(keyframes).removesuffix(KEYFRAMES_SUFFIX)) as vault:
        latest = vault.latest_keyframe("home", "main").keyframe
        assert latest is not None
    with contextlib.closing(sqlite3.connect(keyframes)) as file, file:
        file.execute("ALTER TABLE vault_documents RENAME TO newer")
        file.execute(
            "CREATE TABLE vault_documents (multiverse TEXT, branch TEXT, control_tick INTEGER, position INTEGER, name TEXT, "
            f"sha256 BLOB, size_bytes INTEGER, compressed BLOB, PRIMARY KEY ({names}))"
        )
        for name, content in latest.documents.items():
            file.execute(
                f"INSERT INTO vault_documents SELECT {names}, sha256, size_bytes, ? FROM newer "
                "WHERE name = ? AND branch = ? AND control_tick = ? AND position = ?",
                (zstandard.compress(content), name, latest.branch, latest.control_tick, latest.position),
            )
        for table in ("newer", "vault_chunks", "vault_chains"):
            file.execute(f"DROP TABLE {table}")
        file.execute("UPDATE vault_parts SET version = 2")


def test_an_older_vault_is_brought_up_to_date_whole_or_not_at_all(tmp_path: Path, prepared: Any, trap: Trap) -> None:
    origin, chains, _ = prepared
    older = tmp_path / "older"
    shutil.copytree(origin, older)
    of_version_2(older / f"v.sqlite{KEYFRAMES_SUFFIX}")
    for point in itertools.count():
        folder = tmp_path / str(point)
        shutil.copytree(older, folder)
        trap.left = point
        with contextlib.suppress(KilledError):
            open_vault(folder / "v.sqlite").close()
        struck, trap.left = trap.has_struck, None
        with contextlib.closing(sqlite3.connect(folder / f"v.sqlite{KEYFRAMES_SUFFIX}")) as file:
            tables = {row[0] for row in file.execute("SELECT name FROM sqlite_master")}
            (version,) = file.execute("SELECT version FROM vault_parts WHERE part = 'keyframes'").fetchone()
        assert ("vault_chunks" in tables, "vault_documents_whole" in tables) == (version > 2, False), f"point {point}"
        with opened(folder) as mv:
            assert mv.digest_chain() == chains[-1]
        if not struck:
            break
    assert point > 5
