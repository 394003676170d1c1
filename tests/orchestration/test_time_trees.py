"""Time is a tree: boundaries with names, going back, going on elsewhere. Nothing is overwritten."""

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import actors.keyframes
from actors import pasts
from actors.core.kernel.errors import (
    CommandRefusedError,
    EngineError,
    SettingsError,
    SoulfraError,
    UnknownBranchError,
    UnknownSnapshotError,
    VaultError,
)
from actors.vaults.openings import open_vault
from actors.vaults.vaults import Vault
from orchestration import Multiverse, openings, time_trees
from orchestration.main import run
from orchestration.pasts import Past

pytestmark = pytest.mark.usefixtures("burials")

REALMS = Path(__file__).parents[1] / "realms"
RING = "small:Ring"


@pytest.fixture(autouse=True, params=[False, True], ids=["from birth", "from keyframes"])
def keyframes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0 if request.param else 1e9)
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_SHARE", 0)


def opened(folder: Path, **more: Any) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=folder / "v.sqlite", realm_paths=[REALMS], **more)


def peopled(mv: Multiverse) -> Multiverse:
    for number in range(3):
        after = f"ring_{(number + 1) % 3}"
        mv.register_game(f"ring_{number}", RING, params={"next_realm": after, "shouts": True})
    return mv


@pytest.fixture
def mv(tmp_path: Path) -> Iterator[Multiverse]:
    with opened(tmp_path) as made:
        yield peopled(made)


def lived(mv: Multiverse, ticks: int, luck: int | None = None) -> list[str]:
    """The digest chain after each of some control ticks; luck is changed before the first."""
    if luck is not None:
        mv.command("ring_1", "set_luck", {"luck": luck})
    chains = []
    for _ in range(ticks):
        mv.run(1)
        chains.append(mv.digest_chain())
    return chains


# ------------------------------------------------------------------------------------------------------- reverts


def test_the_same_life_from_every_control_tick_of_a_short_one(mv: Multiverse) -> None:
    chains = [mv.digest_chain(), *lived(mv, 4), *lived(mv, 4, luck=3)]
    for tick in range(9):
        left = mv.revert(tick, branch="main")
        assert (left.parent, left.control_tick) == ("main", tick)
        assert mv.boundary().branch == left.branch != "main"
        assert mv.digest_chain() == chains[tick]
        if tick in (1, 2, 3):  # what was done later is not done
            assert lived(mv, 4 - tick) == chains[tick + 1 : 5]
        if tick >= 1:
            assert lived(mv, 9 - mv.boundary().control_tick)[-1] != chains[-1] or tick > 4
        if tick > 4:
            mv.revert(tick, branch="main")
            assert lived(mv, 8 - tick) == chains[tick + 1 :]


def test_what_was_left_is_as_it_was_and_one_can_go_on_there(mv: Multiverse) -> None:
    first = lived(mv, 6)
    left = mv.revert(3, name="what if", reason="luck", branch="")
    assert (left.branch, left.reason, left.number) == ("what if", "luck", 1)
    second = lived(mv, 5, luck=9)
    assert second[2] != first[5]
    assert [(one.branch, one.parent, one.control_tick) for one in mv.branches()] == [
        ("main", "", 0),
        ("what if", "main", 3),
    ]
    assert mv.select("main").control_tick == 6
    assert mv.digest_chain() == first[-1]
    third = lived(mv, 2)
    assert mv.select("what if").control_tick == 8
    assert mv.digest_chain() == second[-1]
    assert mv.select("what if") == mv.boundary()
    for tick, branch, chain in [
        (6, "main", first[5]),
        (8, "main", third[1]),
        (2, "what if", first[1]),
        (7, "what if", second[3]),
    ]:
        with mv.at(tick, branch=branch) as past:
            assert past.digest_chain() == chain, (tick, branch)
    assert [entry.position for entry in mv.journal()] == [1, 2, 3, 4]


def test_it_goes_on_there_after_its_end(tmp_path: Path) -> None:
    with opened(tmp_path) as mv:
        first = lived(peopled(mv), 8)
        mv.revert(5)
        second = lived(mv, 2, luck=4)
    with opened(tmp_path) as mv:
        assert (mv.boundary().branch, mv.boundary().control_tick) == ("main-2", 7)
        assert mv.digest_chain() == second[-1]
        mv.revert(6)
        third = lived(mv, 2)
        assert third[0] == second[1]
        assert mv.branches()[-1].parent == "main-2"
        assert mv.revert(2).parent == "main", "a boundary is of the branch that it is part of"
        assert lived(mv, 6) == first[2:]
    with opened(tmp_path) as mv:
        assert mv.boundary().branch == "main-4"
        mv.select("main-3")
    with opened(tmp_path) as mv:
        assert mv.digest_chain() == third[-1]
        with Past(tmp_path / "v.sqlite", "home", 7, branch="main-2") as past:
            assert past.digest_chain() == second[-1]


def test_realms_come_and_go_with_history(mv: Multiverse) -> None:
    mv.run(3)
    mv.remove_game("ring_2")
    mv.register_game("late", RING, params={"shouts": True})
    mv.run(3)
    mv.revert(3)
    assert {game["realm_id"] for game in mv.get_multiverse_state()["games"]} == {"ring_0", "ring_1", "ring_2"}
    mv.register_game("late", RING, params={"shouts": True})
    mv.run(1)
    mv.select("main")
    assert {game["realm_id"] for game in mv.get_multiverse_state()["games"]} == {"ring_0", "ring_1", "late"}
    mv.command("late", "set_luck", {"luck": 2})
    mv.run(1)


def test_a_run_goes_on_from_where_everything_went_back_to(mv: Multiverse) -> None:
    mv.run(40)
    chain = mv.digest_chain()
    failed: list[Exception] = []

    def run() -> None:
        try:
            mv.advance_to(400)
        except Exception as error:
            failed.append(error)

    running = threading.Thread(target=run)
    running.start()
    left = mv.revert(20, branch="main")
    running.join()
    assert not failed and mv.boundary().control_tick == 400
    with mv.at(40, branch=left.branch) as past:
        assert past.digest_chain() == chain


def test_forks_of_forks_change_nothing_that_was(mv: Multiverse) -> None:
    seed = 20261121
    draw = random.Random(seed)
    seen: dict[str, tuple[int, str]] = {}
    for depth in range(12):
        lived(mv, 2, luck=draw.randrange(1_000))
        seen[mv.boundary().branch] = (mv.boundary().control_tick, mv.digest_chain())
        mv.revert(mv.boundary().control_tick - draw.randrange(2), name=f"depth {depth}")
    branches = sorted(seen)
    draw.shuffle(branches)
    for branch in branches:
        mv.select(branch)
        assert (mv.boundary().control_tick, mv.digest_chain()) == seen[branch], (seed, branch)


def test_conservation_holds_on_every_branch(tmp_path: Path) -> None:
    with opened(tmp_path) as mv:
        for number in range(2):
            mv.register_game(
                f"city_{number}",
                "actors.core.realms.city:City",
                params={"npcs": 30, "neighbours": [f"city_{1 - number}"]},
            )
        mv.run(30)
        before = mv.audit()["conservation"]
        mv.revert(11)
        mv.run(25)
        for held, due in mv.audit()["conservation"].values():
            assert held == due
        mv.select("main")
        assert mv.audit()["conservation"] == before


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"control_tick": 7}, "reaches from control tick 0 to 6"),
        ({"control_tick": -1}, "reaches from control tick 0 to 6"),
        ({"control_tick": True}, "no True in it"),
        ({}, "needs a control tick, or else a snapshot"),
        ({"control_tick": 2, "snapshot": "s1"}, "to control tick 2 or to snapshot 's1'; only one of them may be given"),
        ({"snapshot": "s1", "branch": "main"}, "a snapshot is of a branch of its own; leave the branch out"),
        ({"control_tick": 2, "name": "main"}, "there is a branch 'main' already"),
        ({"control_tick": 2, "name": "@orders"}, "not beginning with '@'"),
        ({"control_tick": 2, "name": "a\nb"}, "printable characters"),
        ({"control_tick": 2, "name": "x" * 129}, "printable characters"),
        ({"control_tick": 2, "reason": "x" * 1_001}, "a reason must be"),
        ({"control_tick": 2, "reason": 3}, "reason must be of type str"),
    ],
)
def test_what_cannot_be_gone_back_to_changes_nothing(mv: Multiverse, how: dict[str, Any], says: str) -> None:
    chains = lived(mv, 6)
    with pytest.raises(CommandRefusedError, match=says):
        mv.revert(**how)
    assert (mv.boundary().branch, mv.digest_chain(), len(mv.branches())) == ("main", chains[-1], 1)
    mv.run(1)


def test_branches_and_snapshots_that_are_not_there(mv: Multiverse) -> None:
    mv.run(2)
    for look in (lambda: mv.revert(1, branch="none"), lambda: mv.select("none"), lambda: mv.at(1, branch="none")):
        with pytest.raises(UnknownBranchError, match="no branch 'none'; it has main"):
            look()
    for look in (
        lambda: mv.revert(snapshot="none"),
        lambda: mv.at(snapshot="none"),
        lambda: mv.diff("none", "none"),
        lambda: mv.delete_snapshot("none"),
    ):
        with pytest.raises(UnknownSnapshotError, match="no snapshot 'none'; it has none yet"):
            look()
    mv.run(1)


def test_without_a_vault_there_is_no_going_back() -> None:
    with Multiverse(7, engine="local", realm_paths=[REALMS]) as mv:
        mv.run(3)
        for ask in (lambda: mv.revert(1), lambda: mv.select("main"), mv.snapshot, lambda: mv.delete_snapshot("s1")):
            with pytest.raises(CommandRefusedError, match="without a vault there is no history to go back to"):
                ask()
        assert mv.snapshots() == [] and [one.branch for one in mv.branches()] == ["main"]
        mv.run(1)


def test_a_past_that_comes_out_otherwise_is_not_gone_back_to(tmp_path: Path) -> None:
    with opened(tmp_path) as mv:
        mv.register_game("leaks", "leaks:ModuleState")
        mv.run(6)
        chain = mv.digest_chain()
        with pytest.raises(SoulfraError, match=r"otherwise than it was recorded|another history"):
            mv.revert(4)
        assert (mv.boundary().branch, mv.digest_chain(), len(mv.branches())) == ("main", chain, 1)


# ----------------------------------------------------------------------------------------------------- snapshots


def test_a_snapshot_is_the_boundary_with_the_commands_before_it(mv: Multiverse) -> None:
    mv.run(4)
    before = mv.snapshot(reason="before")
    mv.command("ring_0", "set_luck", {"luck": 7})
    mine = mv.snapshot("mine")
    mv.command("ring_0", "set_luck", {"luck": 8})
    mv.run(3)
    assert [(one.snapshot, one.control_tick, one.position) for one in mv.snapshots()] == [("s1", 4, 3), ("mine", 4, 4)]
    for taken in (before, mine):
        with mv.at(snapshot=taken.snapshot) as past:
            assert past.digest() == taken.digest
            assert (past.boundary.control_tick, past.boundary.position) == (4, taken.position)
    changed = mv.diff("s1", "mine")
    assert {member: [str(one) for one in some] for member, some in changed.items()} == {
        "ring_0": ["luck[0].luck: 0 != 7"] if "luck[0]" in str(changed) else [str(one) for one in changed["ring_0"]]
    }
    assert any(one.left != 7 and one.right == 7 for one in changed["ring_0"])
    left = mv.revert(snapshot="mine")
    assert (left.snapshot, left.position, mv.digest()) == ("mine", 4, mine.digest)
    with pytest.raises(CommandRefusedError, match="'mine' cannot be deleted: main-2 left history there"):
        mv.delete_snapshot("mine")
    mv.delete_snapshot("s1")
    assert [one.snapshot for one in mv.snapshots()] == ["mine"]
    with pytest.raises(CommandRefusedError, match="there is a snapshot 'mine' already, of control tick 4 on main"):
        mv.snapshot("mine")
    with pytest.raises(CommandRefusedError, match="a snapshot is a boundary already"):
        mv.at(3, snapshot="mine")


def test_snapshots_come_round(tmp_path: Path) -> None:
    with opened(tmp_path, snapshot_interval_control_ticks=4) as mv:
        peopled(mv)
        digests = {}
        for _ in range(10):
            mv.run(1)
            digests[mv.boundary().control_tick] = mv.records()[-1].digest.hex()
            mv.command("ring_0", "set_luck", {"luck": mv.boundary().control_tick})
        taken = mv.snapshots()
        assert [(one.snapshot, one.origin, one.digest) for one in taken] == [
            (f"main@{tick}", "interval", digests[tick]) for tick in (4, 8)
        ]
        assert [one.position for one in taken] == [6, 10]
        with mv.at(snapshot="main@8") as past:
            assert past.digest() == digests[8] and past.boundary.position == 10
        mv.revert(snapshot="main@4")
        mv.run(5)
    with opened(tmp_path, snapshot_interval_control_ticks=3) as mv:
        assert [one.snapshot for one in mv.snapshots()] == ["main@4", "main@8", "main-2@8"]
        mv.run(3)
        assert [one.snapshot for one in mv.snapshots()][3:] == ["main-2@12"]


def test_what_differs_names_realms_that_only_one_has(mv: Multiverse) -> None:
    mv.run(2)
    mv.snapshot("three")
    mv.remove_game("ring_2")
    mv.snapshot("two")
    assert [(one.section, one.left, one.right) for one in mv.diff("three", "two")["ring_2"]] == [("", "present", None)]
    assert mv.diff("two", "two") == {}


def test_names_that_are_given_are_free_and_never_given_twice(mv: Multiverse) -> None:
    mv.run(1)
    mv.snapshot("s2")
    assert [mv.snapshot().snapshot for _ in range(2)] == ["s3", "s4"]
    mv.delete_snapshot("s4")
    assert mv.snapshot().snapshot == "s5"
    with pytest.raises(CommandRefusedError, match="for snapshots that come round"):
        mv.snapshot("main@5")
    with pytest.raises(CommandRefusedError, match="a command's id must be"):
        mv._engine.call("take_snapshot", "", "", "x" * 2_000)
    for name in (" ", " a", "a "):
        with pytest.raises(CommandRefusedError, match="with no space at either end"):
            mv.revert(0, name=name)
    for name in ("../x", "a/b", "a\\b", ".", ".."):
        for give in (lambda name=name: mv.revert(0, name=name), lambda name=name: mv.snapshot(name)):
            with pytest.raises(CommandRefusedError, match=r"no '/' or"):
                give()
    mv.run(1)


def test_a_first_branch_whose_name_could_be_a_path_is_refused_and_one_that_is_there_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"branch must be a name without '/'"):
        opened(tmp_path, branch="../x")
    with monkeypatch.context() as before:
        before.setattr(openings, "is_branch_name", lambda name: True)
        with opened(tmp_path, branch="../x") as mv:
            mv.run(2)
    with opened(tmp_path) as mv:
        assert (mv.boundary().branch, mv.boundary().control_tick) == ("../x", 2)
        mv.run(1)


def test_long_names(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="branch must be 1 to 100"):
        opened(tmp_path, branch="@orders")
    with opened(tmp_path, branch="b" * 100, snapshot_interval_control_ticks=2) as mv:
        peopled(mv).run(4)
        left = mv.revert(2)
        assert left.branch == "b" * 80 + "-2"
        mv.run(2)
        assert [one.snapshot for one in mv.snapshots()][-1] == f"{left.branch}@4"


def test_a_deleted_snapshot_does_not_come_back(tmp_path: Path) -> None:
    first = opened(tmp_path, snapshot_interval_control_ticks=5)
    peopled(first).run(12)
    first.delete_snapshot("main@5")
    first.run(2)  # and its process dies
    with opened(tmp_path, snapshot_interval_control_ticks=5) as mv:
        assert [one.snapshot for one in mv.snapshots()] == ["main@10"]


def test_of_those_that_come_round_some_go_and_none_comes_back(tmp_path: Path) -> None:
    every_tick = {"snapshot_interval_control_ticks": 1}
    first = opened(tmp_path, **every_tick, interval_snapshots_max=5)
    peopled(first)
    for _ in range(6):
        first.run(4)
        first.snapshots()  # they are written down, so that some go each time
    first.snapshot("mine")
    kept = first.snapshots()
    assert [one.snapshot for one in kept[-3:]] == ["main@23", "main@24", "mine"] and len(kept) == 6
    chain = first.digest_chain()
    with opened(tmp_path, **every_tick) as mv:  # for its process dies, and another lives all of it again
        assert mv.digest_chain() == chain
        assert mv.snapshots() == kept
        pinned, sealed = kept[1].snapshot, kept[2].snapshot
        mv.revert(snapshot=pinned, name="other")
        mv.select("main")
        time_trees.seal(str(tmp_path / "v.sqlite"), "home", sealed)
        mv.run(20)
        assert len(mv.snapshots()) == 6 + 20
    with opened(tmp_path, **every_tick, interval_snapshots_max=3) as mv:
        mv.run(1)
        assert [one.snapshot for one in mv.snapshots()] == [
            *("main@1", pinned, sealed, "mine", "main@44", "main@45"),
        ]
        with mv.at(snapshot=sealed) as past:
            assert past.digest() == kept[2].digest


def test_one_that_goes_while_it_is_being_sealed_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault, living = str(tmp_path / "v.sqlite"), pasts.seal
    with opened(tmp_path, snapshot_interval_control_ticks=1) as mv:
        peopled(mv).run(6)
        mv.snapshots()

        def meanwhile(opened_vault: Vault, *arguments: Any) -> None:
            assert opened_vault.prune_snapshots("home", 3) == 3
            living(opened_vault, *arguments)

        monkeypatch.setattr(pasts, "seal", meanwhile)
        with pytest.raises(UnknownSnapshotError, match="no snapshot 'main@3'; it has main@1, main@5, main@6"):
            time_trees.seal(vault, "home", "main@3")
    with open_vault(vault) as opened_vault:
        assert opened_vault.seals("home") == [] and opened_vault.faults("home") == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE vault_heads SET branch = 'gone'", "lives on branch 'gone', which it does not have"),
        ("UPDATE vault_branches SET parent = branch", "descends from itself"),
        ("UPDATE vault_branches SET control_tick = 9999", "at control tick 9999, to which that has not come"),
        ("UPDATE vault_branches SET position = 9999", "at position 9999, which that does not have"),
        ("UPDATE vault_marks SET control_tick = 0 WHERE branch = 'other'", "ends before it begins"),
        ("UPDATE vault_snapshots SET control_tick = 900", "'mine' is of a boundary that has not been"),
        ("UPDATE vault_journal SET payload = x'c1' WHERE position = 2", "position 2 of branch 'main' cannot be read"),
        ("UPDATE vault_fingerprints SET fingerprint = '{' WHERE branch = 'main'", "cannot be read"),
    ],
)
def test_what_does_not_fit_together_is_found(tmp_path: Path, statement: str, says: str, capsys: Any) -> None:
    with opened(tmp_path) as mv:
        peopled(mv).run(4)
        mv.snapshot("mine")
        mv.revert(2, name="other")
        mv.run(1)
    vault = tmp_path / "v.sqlite"
    with closing(sqlite3.connect(vault)) as connection:
        connection.execute(statement)
        connection.commit()
    assert run(["vault", "verify", str(vault)]) == 1
    assert says in capsys.readouterr().out
    if "gone" in statement or "parent" in statement:
        with pytest.raises(SoulfraError, match="restore a copy"):
            opened(tmp_path)


def test_a_branch_that_cannot_be_written_down_is_not_left(mv: Multiverse, monkeypatch: pytest.MonkeyPatch) -> None:
    chains = lived(mv, 4)
    with monkeypatch.context() as patch:

        def full(*arguments: Any) -> None:
            raise VaultError("the disk is full.")

        patch.setattr("actors.vaults.keyframes.Keyframes.save", full)
        with pytest.raises(EngineError, match=r"cannot be written down whole \(the disk is full\), so it is not left"):
            mv.revert(2)
        assert (mv.boundary().branch, mv.digest_chain()) == ("main", chains[-1])
    mv.revert(2)
    mv.run(2)
    assert mv.digest_chain() == chains[-1]
