"""The past of one closed domain: lived again alone, it is what it was among all others, to the digest that was recorded."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import actors.keyframes
from actors.core.kernel.errors import CommandRefusedError, EngineError, EventRefusedError, UnknownMemberError
from actors.vaults.openings import KEYFRAMES_SUFFIX
from orchestration import CrossGameEvent, Multiverse
from orchestration.main import run
from orchestration.pasts import Past

REALMS = Path(__file__).parents[1] / "realms"
RING = "small:Ring"
CITY = "actors.core.realms.city:City"


@pytest.fixture(autouse=True, params=[False, True], ids=["from birth", "from keyframes"])
def keyframes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0 if request.param else 1e9)
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_SHARE", 0)


def opened(vault: Path, **more: Any) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=vault, realm_paths=[REALMS], **more)


def chains_of(past: Past) -> dict[int, str]:
    """The chain of every closed domain, where all of them have been lived."""
    return {number: chain.hex() for number, chain in past._clock._sequencer.domain_chains.items()}


def eventful(mv: Multiverse, seed: int) -> dict[int, dict[int, str]]:
    """A life in which much happens within forks and outside; the chain of every domain after each control tick."""
    draw = random.Random(seed)
    seen: dict[int, dict[int, str]] = {}
    for number in range(3):
        params = {"next_realm": f"ring_{(number + 1) % 3}", "shouts": True}
        mv.register_game(f"ring_{number}", RING, params=params)
    player = mv.players.create_player("Ada", "elf", "ring_0").player_id
    late = 0
    for tick in range(1, 31):
        games = [game["realm_id"] for game in mv.get_multiverse_state()["games"]]
        one = draw.choice(games)
        home = [realm_id for realm_id in games if "~" not in realm_id]
        match draw.randrange(12):
            case 0 | 1 | 2 if tick > 4:
                family = [game for game in games if game.partition("~")[2] == one.partition("~")[2]]
                mv.fork(draw.sample(family, draw.randint(1, len(family))), count=draw.randint(1, 2))
            case 3:
                mv.modify(one, {"ring.luck": draw.randrange(1_000)})
            case 4:
                mv.command(one, "send", {"target": draw.choice(["ring_0", "ring_2"])})
            case 5:
                mv.queue_cross_game_event(CrossGameEvent("", "x", one, "token"))
            case 6:
                mv.queue_cross_game_event(CrossGameEvent("", "x", None, "shout"))
            case 7 if tick > 8:
                late += 1
                mv.register_game(f"late_{late}", RING, params={"shouts": True})
            case 8 if len(home) > 3:
                mv.remove_game(home[0], players_to=home[1])
            case 9 if mv.forks():
                mv.drop_fork(draw.choice(mv.forks()))
            case 10:
                mv.players.transition_player(player, mv.players.get_player(player).active_realm, draw.choice(home))
            case 11 if tick > 4:
                with pytest.raises(Exception, match="broken by command"):
                    mv.command(one, "break_down")
                mv.restart_game(one)
            case _:
                mv.players.award_experience(player, 5)
        mv.run(1)
        seen[tick] = {
            number: chain.hex() for number, chain in mv._engine._clock._sequencer.domain_chains.items()
        }  # of the clock in this process
    return seen


@pytest.mark.parametrize("seed", range(6))
def test_a_domain_alone_is_what_it_was_among_all(tmp_path: Path, seed: int) -> None:
    vault = tmp_path / "v.sqlite"
    with opened(vault) as mv:
        seen = eventful(mv, seed)
    draw = random.Random(seed)
    looked = 0
    for tick in draw.sample(range(6, 31), 8):
        with Past(vault, "home", tick, [REALMS]) as whole:
            games = {game["realm_id"]: game for game in whole.get_multiverse_state()["games"]}
            assert chains_of(whole) == seen[tick]
            realm_id = draw.choice(sorted(games))
            with Past(vault, "home", tick, [REALMS], realm=realm_id) as past:
                found = {game["realm_id"]: game for game in past.get_multiverse_state()["games"]}
                assert past.boundary == whole.boundary
                if not seen[tick]:
                    assert found == games
                    continue
                looked += 1
                fork = games[realm_id]["fork"]
                assert past.digest_chain() == seen[tick][fork]
                assert past.digest() == whole._clock.domain_digest(fork)
                assert found == {one: game for one, game in games.items() if game["fork"] == fork}
                for one in found:
                    assert past.in_flight_to(one) == whole.in_flight_to(one)
    assert looked > 2


def twins(vault: Path) -> Multiverse:
    mv = opened(vault)
    for number in range(2):
        mv.register_game(f"ring_{number}", RING, params={"next_realm": f"ring_{1 - number}", "shouts": True})
    mv.run(3)
    mv.fork(["ring_0", "ring_1"], count=3)
    mv.run(3)
    mv.modify("ring_0~2", {"ring.luck": 9})
    mv.snapshot("changed")
    mv.run(3)
    return mv


def test_forks_that_live_the_same_life_have_the_same_digest(tmp_path: Path) -> None:
    with twins(tmp_path / "v.sqlite") as mv:
        digests = []
        for number in (1, 2, 3):
            with mv.at(8, realm=f"ring_1~{number}") as past:
                digests.append((past.digest(), past.digest_chain()))
        assert digests[0] == digests[2] != digests[1]
        with mv.at(6, realm="ring_1~1") as one, mv.at(6, realm="ring_0~2") as other:
            unchanged = other.digest()
            assert one.digest() == unchanged
        with mv.at(snapshot="changed", realm="ring_0~2") as past:
            assert past.digest() != unchanged
            assert past.state_of("ring_0~2")["ring"].objects["luck"] == 9  # type: ignore[union-attr]


def test_what_was_recorded_of_a_domain_is_held_against_it(tmp_path: Path) -> None:
    vault = tmp_path / "v.sqlite"
    twins(vault).close()
    with closing(sqlite3.connect(f"{vault}{KEYFRAMES_SUFFIX}")) as file, file:
        for first, chains in file.execute("SELECT first_tick, chains FROM vault_chains WHERE domain = 2").fetchall():
            wrong = bytes(chains[:-8]) + bytes(8) if first + len(chains) // 8 > 9 else chains
            file.execute("UPDATE vault_chains SET chains = ? WHERE domain = 2 AND first_tick = ?", (wrong, first))
    for realm, ends in (("ring_0~1", True), ("ring_0~2", False)):
        if ends:
            Past(vault, "home", 9, [REALMS], realm=realm).close()
        else:
            with pytest.raises(EngineError, match="control tick 9 came out otherwise than it was recorded"):
                Past(vault, "home", 9, [REALMS], realm=realm)


def test_only_its_members_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = tmp_path / "v.sqlite"
    twins(vault).close()
    with Past(vault, "home", 9, [REALMS], realm="ring_0~3") as past:
        assert sorted(past._clock._fleet.tables()) == ["ring_0~3", "ring_1~3"]
        with pytest.raises(CommandRefusedError, match="the ledger is everybody's"):
            past.audit()


def test_a_realm_that_was_not_there(tmp_path: Path) -> None:
    with twins(tmp_path / "v.sqlite") as mv:
        for tick, realm in ((2, "ring_0~1"), (8, "ring_7"), (8, "ring_0~9")):
            with pytest.raises(UnknownMemberError, match=f"no realm '{realm}' is registered"):
                mv.at(tick, realm=realm)
        with pytest.raises(CommandRefusedError, match="realm id 'ring_0~9' is a copy's"):
            mv.register_game("ring_0~9", RING)


def test_from_a_shell(tmp_path: Path, capsys: Any) -> None:
    vault = tmp_path / "home.sqlite"
    twins(vault).close()
    where = ["--vault", str(vault), "--realm-path", str(REALMS), "--json"]
    assert run(["history", "at", "home", "8", "--realm", "ring_1~2", *where]) == 0
    said = capsys.readouterr().out
    assert '"ring_0~2"' in said and '"ring_0~1"' not in said


def test_what_only_a_copy_handles_is_nothing_to_those_at_home(tmp_path: Path) -> None:
    vault = tmp_path / "v.sqlite"
    with opened(vault) as mv:
        for realm_id, factory in (("ring", RING), ("still", "small:Silent"), ("b", RING)):
            mv.register_game(realm_id, factory)
        mv.players.create_player("Ada", "elf", "b")
        mv.run(2)
        mv.fork(["ring"])
        with pytest.raises(CommandRefusedError, match="which is in a fork, where no player can be"):
            mv.remove_game("b", players_to="ring~1")
        mv.remove_game("ring")
        mv.remove_game("b", players_to="still")
        with pytest.raises(EventRefusedError, match="no member handles events of type 'token'"):
            mv.queue_cross_game_event(CrossGameEvent("", "x", None, "token"))
        mv.run(2)
        state = mv.get_multiverse_state()
    with Past(vault, "home", 4, [REALMS], realm="still") as past:
        found = past.get_multiverse_state()
        assert (
            "events_propagated" not in found and found["digest_chain"] == past.digest_chain() != state["digest_chain"]
        )
