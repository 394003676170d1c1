"""Any past control tick: the boundary that was, to the digest that was recorded then."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import actors.keyframes
from actors.core.kernel.errors import (
    CommandRefusedError,
    SoulfraError,
    UnknownMultiverseError,
    VaultError,
)
from orchestration import Multiverse
from orchestration.pasts import Past

REALMS = Path(__file__).parents[1] / "realms"
TICKS = 24


@pytest.fixture(scope="module", params=[False, True], ids=["from birth", "from keyframes"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A history with commands at many boundaries; what was seen after each control tick, before its commands."""
    vault = tmp_path_factory.mktemp("past") / "v.sqlite"
    seen: dict[int, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0 if request.param else 1e9)
        patch.setattr(actors.keyframes, "KEYFRAME_SHARE", 0)
        with Multiverse(7, name="home", engine="local", vault=vault, realm_paths=[REALMS]) as mv:
            for number in range(3):
                after = f"ring_{(number + 1) % 3}"
                mv.register_game(f"ring_{number}", "small:Ring", params={"next_realm": after, "shouts": True})
            for tick in range(1, TICKS + 1):
                mv.run(1)
                seen[tick] = (mv.records()[-1].digest.hex(), mv.digest_chain(), mv.query("ring_0", "all"))
                if tick % 3 == 0:
                    mv.command("ring_0", "set_luck", {"luck": tick})
                if tick == 10:
                    mv.remove_game("ring_2")
    return vault, seen


def test_every_control_tick_of_a_history_can_be_had(lived: Any) -> None:
    vault, seen = lived
    for tick, what in seen.items():
        with Past(vault, "home", tick) as past:
            assert (past.digest(), past.digest_chain(), past.query("ring_0", "all")) == what
            assert past.boundary.control_tick == tick
            assert ("ring_2" in {game["realm_id"] for game in past.get_multiverse_state()["games"]}) == (tick <= 10)


def test_the_beginning_is_before_all_commands(lived: Any) -> None:
    with Past(lived[0], "home", 0) as past:
        assert past.boundary.position == 0 and not past.get_multiverse_state()["games"] and not past.journal()


def test_looking_writes_nothing_and_supersedes_nobody(tmp_path: Path) -> None:
    vault = tmp_path / "v.sqlite"
    with Multiverse(7, name="home", engine="local", vault=vault, realm_paths=[REALMS]) as mv:
        mv.register_game("a", "small:Ring", params={"shouts": True})
        mv.run(6)
        with mv.at(4) as past:
            assert past.digest() == mv.records()[3].digest.hex()
            assert [entry.position for entry in past.journal()] == [1]
            assert past.state_of("a").keys() == mv.state_of("a").keys()
        mv.run(2)
        mv.command("a", "set_luck", {"luck": 1})
        assert mv.boundary().position == 2


def test_the_past_is_looked_at_while_the_present_goes_on(tmp_path: Path) -> None:
    with Multiverse(7, name="home", engine="local", vault=tmp_path / "v.sqlite", realm_paths=[REALMS]) as mv:
        mv.register_game("a", "small:Ring", params={"shouts": True})
        mv.run(30)
        digests = [record.digest.hex() for record in mv.records()]
        running = threading.Thread(target=lambda: mv.run(300))
        running.start()
        try:
            for tick in (3, 17, 30):
                with mv.at(tick) as past:
                    assert past.digest() == digests[tick - 1]
        finally:
            running.join()


@pytest.mark.parametrize("tick", [-1, 25, 10**30, True, None, "3", 2.0])
def test_what_has_not_been_cannot_be_had(lived: Any, tick: Any) -> None:
    with pytest.raises(CommandRefusedError, match="reaches from control tick 0 to 24"):
        Past(lived[0], "home", tick)


def test_the_present_bounds_the_past_of_what_is_up(tmp_path: Path) -> None:
    with Multiverse(7, name="home", engine="local", vault=tmp_path / "v.sqlite") as mv:
        mv.run(2)
        with pytest.raises(CommandRefusedError, match="3 has not been yet: the clock stands at 2"):
            mv.at(3)
    with Multiverse(7, engine="local") as mv, pytest.raises(CommandRefusedError, match="vault"):
        mv.at(0)


def test_a_name_or_a_vault_that_is_not_there(lived: Any, tmp_path: Path) -> None:
    with pytest.raises(UnknownMultiverseError, match="has no multiverse 'away'; it has home"):
        Past(lived[0], "away", 1)
    with pytest.raises(VaultError):
        Past("mysql://somewhere", "home", 1)
    with pytest.raises(VaultError, match="no vault file"):
        Past(tmp_path / "none.sqlite", "home", 1)
    assert not list(tmp_path.iterdir())


def test_a_realm_whose_code_is_gone(tmp_path: Path) -> None:
    folder, vault = tmp_path / "realms", tmp_path / "v.sqlite"
    folder.mkdir()
    (folder / "shortlived.py").write_text("from actors.core.realms.tick_engines import Realm\nclass Gone(Realm): ...\n")
    with Multiverse(7, name="home", engine="local", vault=vault, realm_paths=[folder]) as mv:
        mv.register_game("a", "shortlived:Gone")
        mv.run(2)
    (folder / "shortlived.py").write_text("")
    del sys.modules["shortlived"]
    with pytest.raises(SoulfraError) as caught:
        Past(vault, "home", 1)
    assert "Gone" in caught.value.message
