"""Other rules: what they may not live again, and what outlives them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import chronicles, fingerprints
from actors.core.kernel.errors import CommandRefusedError, EngineError, UnknownSnapshotError
from actors.vaults.openings import open_vault
from orchestration import Multiverse, time_trees
from orchestration.main import run
from orchestration.pasts import Past

pytestmark = pytest.mark.usefixtures("burials")

REALMS = Path(__file__).parents[1] / "realms"
OTHER = json.dumps({"rules": "f" * 32, "python": "3.9", "numpy": "1.0"})


def opened(folder: Path, **more: Any) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=folder / "v.sqlite", realm_paths=[REALMS], **more)


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets this program be another one."""
    return lambda: monkeypatch.setattr(chronicles, "fingerprint", lambda: OTHER)


def lived(folder: Path) -> list[str]:
    """A life of two branches, taken down well; its digest chains."""
    chains = []
    with opened(folder, snapshot_interval_control_ticks=2) as mv:
        for number in range(2):
            mv.register_game(
                f"ring_{number}", "small:Ring", params={"next_realm": f"ring_{1 - number}", "shouts": True}
            )
        for tick in range(6):
            mv.run(1)
            chains.append(mv.digest_chain())
            mv.command("ring_0", "set_luck", {"luck": tick})
        mv.snapshot("mine")
    return chains


def test_a_fingerprint_names_the_rules_and_what_they_stand_on() -> None:
    own = json.loads(fingerprints.fingerprint())
    assert list(own) == ["msgspec", "numpy", "python", "rules"]
    assert fingerprints.changes(fingerprints.fingerprint(), fingerprints.fingerprint()) == ""
    assert fingerprints.changes(OTHER, fingerprints.fingerprint()).split(", ") == [
        f"msgspec none (now {own['msgspec']})",
        f"numpy 1.0 (now {own['numpy']})",
        f"python 3.9 (now {own['python']})",
        f"rules {'f' * 12} (now {own['rules'][:12]})",
    ]


def test_what_was_taken_down_well_goes_on_under_other_rules(tmp_path: Path, upgrade: Callable[[], None]) -> None:
    chains = lived(tmp_path)
    upgrade()
    with opened(tmp_path) as mv:
        assert mv.digest_chain() == chains[-1]
        mv.run(2)
        with pytest.raises(EngineError, match=r"was lived by other rules.*rules [0-9a-f]{12} \(now f{12}\)"):
            mv.at(3)
        with pytest.raises(EngineError, match="was lived by other rules"):
            mv.revert(3)
        assert mv.boundary().branch == "main"
        mv.revert(7)  # which these rules have lived
        mv.run(1)
    with opened(tmp_path) as mv:
        assert mv.boundary().control_tick == 8


def test_what_was_not_is_refused_by_name(tmp_path: Path, upgrade: Callable[[], None]) -> None:
    lived(tmp_path)
    mv = opened(tmp_path)
    mv.command("ring_0", "set_luck", {"luck": 99})
    mv.run(1)  # and its process dies
    upgrade()
    with pytest.raises(
        EngineError, match="after control tick 6 was lived by other rules, and cannot be lived again by these"
    ):
        opened(tmp_path)
    with open_vault(tmp_path / "v.sqlite") as vault:
        assert vault.faults("home") == []


def test_a_sealed_snapshot_outlives_an_upgrade(tmp_path: Path, upgrade: Callable[[], None], capsys: Any) -> None:
    chains = lived(tmp_path)
    vault = str(tmp_path / "v.sqlite")
    for _ in range(2):  # a second time is no change
        assert run(["vault", "seal", vault, "home", "main@4"]) == 0
    assert capsys.readouterr().out == "main@4 of home is sealed\n" * 2
    with pytest.raises(UnknownSnapshotError, match="no snapshot 'none'; it has main@2, main@4, main@6, mine"):
        time_trees.seal(vault, "home", "none")
    sealed = {one["snapshot"]: one["sealed"] for one in time_trees.tree_of(vault, "home")["snapshots"]}
    assert sealed == {"main@2": False, "main@4": True, "main@6": False, "mine": False}
    assert run(["vault", "prune", vault, "--keyframes", "3"]) == 0
    upgrade()
    with opened(tmp_path) as mv:
        with pytest.raises(EngineError, match="was lived by other rules"):
            mv.at(snapshot="main@2")
        with mv.at(snapshot="main@4") as past:
            assert past.digest_chain() == chains[3]
        mv.revert(snapshot="main@4")
        assert mv.digest_chain() == chains[3]
        mv.run(2)
        with pytest.raises(CommandRefusedError, match="main-2 left history there"):
            mv.delete_snapshot("main@4")
    with open_vault(vault) as opened_vault:
        assert opened_vault.faults("home") == []


def test_a_snapshot_that_is_deleted_is_no_longer_kept_whole(tmp_path: Path) -> None:
    lived(tmp_path)
    vault = str(tmp_path / "v.sqlite")
    time_trees.seal(vault, "home", "main@4")
    with opened(tmp_path) as mv:
        mv.run(1)
        same = mv.snapshot("again")
        mv.delete_snapshot("again")
        assert same.control_tick == 7
        mv.delete_snapshot("main@4")
    with open_vault(vault) as opened_vault:
        assert opened_vault.seals("home") == [] and opened_vault.faults("home") == []
    with Past(vault, "home", 4) as past:
        assert past.boundary.control_tick == 4


def test_a_member_that_cannot_be_captured_cannot_be_sealed(tmp_path: Path) -> None:
    with opened(tmp_path) as mv:
        mv.register_game("again", "leaks:Replayed")
        mv.run(3)
        mv.snapshot("mine")
    with pytest.raises(CommandRefusedError, match="'mine' cannot be sealed: again cannot be captured"):
        time_trees.seal(str(tmp_path / "v.sqlite"), "home", "mine")


def test_a_branch_that_is_begun_by_other_rules_is_theirs(tmp_path: Path, upgrade: Callable[[], None]) -> None:
    lived(tmp_path)
    time_trees.seal(str(tmp_path / "v.sqlite"), "home", "main@4")
    upgrade()
    first = opened(tmp_path)
    first.revert(snapshot="main@4", name="new")
    first.run(5)  # and its process dies
    chain = first.digest_chain()
    with opened(tmp_path) as successor:
        assert successor.digest_chain() == chain
        with successor.at(7) as past:
            assert past.boundary.control_tick == 7
        successor.select("main")
        successor.run(3)
        chain = successor.digest_chain()
        successor.revert(8)
        successor.run(1)
        assert successor.digest_chain() == chain
        with pytest.raises(EngineError, match="was lived by other rules"):
            successor.at(5, branch="main")


def test_a_seal_stays_as_long_as_any_snapshot_of_its_boundary_does(tmp_path: Path) -> None:
    lived(tmp_path)
    vault = str(tmp_path / "v.sqlite")
    with opened(tmp_path) as mv:
        mv.revert(snapshot="mine", name="child")
        mv.snapshot("same")  # the boundary of its parent where it begins
        time_trees.seal(vault, "home", "mine")
        mv.delete_snapshot("same")
        sealed = {one["snapshot"]: one["sealed"] for one in time_trees.tree_of(vault, "home")["snapshots"]}
        assert sealed["mine"]
