"""One realm goes back in time while the others go on: what it becomes, what it is entangled in, what is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.core.kernel.errors import CommandRefusedError, UnknownMemberError, UnknownSnapshotError
from actors.core.kernel.states import differences
from orchestration import Multiverse

pytestmark = pytest.mark.usefixtures("burials")

REALMS = Path(__file__).parents[1] / "realms"
RING = "small:Ring"


def opened(folder: Path, **more: Any) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=folder / "v.sqlite", realm_paths=[REALMS], **more)


@pytest.fixture
def mv(tmp_path: Path) -> Iterator[Multiverse]:
    with opened(tmp_path) as made:
        for number in range(3):
            params = {"next_realm": f"ring_{(number + 1) % 3}", "shouts": number == 1}
            made.register_game(f"ring_{number}", RING, params=params)
        made.command("ring_0", "send", {"target": "ring_1"})
        yield made


def ticks(mv: Multiverse) -> dict[str, int]:
    return {game["realm_id"]: game["local_tick"] for game in mv.get_multiverse_state()["games"]}


def test_it_becomes_what_it_was_and_nobody_else_does(mv: Multiverse, tmp_path: Path) -> None:
    mv.run(3)
    then, chain = mv.state_of("ring_0"), mv.digest_chain()
    mv.run(4)
    others = {realm: mv.state_of(realm) for realm in ("ring_1", "ring_2")}
    told = mv.revert_realm("ring_0", 3)
    assert (told["realm_id"], told["local_tick"]) == ("ring_0", 30)
    assert not list(differences(then, mv.state_of("ring_0")))
    assert all(not list(differences(state, mv.state_of(realm))) for realm, state in others.items())
    assert ticks(mv) == {"ring_0": 30, "ring_1": 70, "ring_2": 70}
    assert mv.boundary().control_tick == 7 and mv.boundary().branch == "main"
    mv.run(2)
    assert ticks(mv) == {"ring_0": 50, "ring_1": 90, "ring_2": 90}
    after = mv.digest_chain()
    with mv.at(3) as past:
        assert past.digest_chain() == chain
    mv.revert(8)
    mv.run(1)
    assert mv.digest_chain() == after, "it is a command of the history"
    for held, due in mv.audit()["conservation"].values():
        assert held == due


def test_it_says_what_it_is_entangled_in(mv: Multiverse) -> None:
    mv.run(2)
    heard: list[str] = []
    for _ in range(6):
        for member in ("ring_0", "ring_1", "ring_2"):
            for event in mv.in_flight_to(member):
                if "ring_0" in (event.source, member) and event.source != member:
                    heard.append(event.event_id)
        mv.run(1)
    under_way = [
        event.event_id
        for member in ("ring_0", "ring_1", "ring_2")
        for event in mv.in_flight_to(member)
        if "ring_0" in (event.source, event.target)
    ]
    letters = len(mv.dead_letters())
    told = mv.revert_realm("ring_0", 2)
    assert sorted(told["entangled"]) == sorted(set(heard)) and len(heard) > 6
    assert sorted(told["dropped"]) == sorted(under_way)
    assert [one["reason"] for one in mv.dead_letters()[letters:]] == ["ring_0 went back in time"] * len(under_way)


def test_players_stay_and_it_learns_who_is_there(mv: Multiverse) -> None:
    mv.run(2)
    alice = mv.players.create_player("Alice", "human", "ring_0")
    mv.run(2)
    mv.revert_realm("ring_0", 1)
    mv.run(1)
    assert mv.query("ring_0", "all")["players"] == 1.0
    assert mv.players.get_warbler_context(alice.player_id)["active_realm"] == "ring_0"


def test_to_a_snapshot_and_after_the_clock_has_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as mv:
        mv.register_game("a", RING)
        mv.run(2)
        mv.command("a", "set_luck", {"luck": 77})
        mv.snapshot("mine")
        mv.run(2)
        mv.revert_realm("a", snapshot="mine")
        assert mv.query("a", "all")["luck"] == 77.0
        mv.run(2)
        digest = mv.digest()
        mv.revert(1, name="other")
        mv.run(6)
        with pytest.raises(CommandRefusedError, match="'mine' is not of the history of branch 'other'"):
            mv.revert_realm("a", snapshot="mine")
        mv.select("main")
    mv = opened(tmp_path)
    assert mv.digest() == digest
    mv.revert_realm("a", 3)
    digest = mv.digest()
    with opened(tmp_path) as successor:  # the one before has died without a word
        assert successor.digest() == digest


def test_the_same_command_is_done_once(mv: Multiverse) -> None:
    mv.run(5)
    first = mv._engine.call("revert_realm", "ring_0", 2, "", "one id")
    assert mv._engine.call("revert_realm", "ring_0", 2, "", "one id") == first
    assert len(mv.journal()) == 5


def test_what_cannot_go_back(mv: Multiverse) -> None:
    mv.register_game("again", "leaks:Replayed")
    mv.register_game("weak", RING, params={"raise_at": 55})
    mv.run(3)
    mv.remove_game("ring_2")
    mv.run(3)
    mv.register_game("ring_2", RING)
    mv.run(1)
    digest = mv.digest()
    for ask, error, says in (
        (lambda: mv.revert_realm("nobody", 2), UnknownMemberError, "realm 'nobody' was not there after control tick 2"),
        (lambda: mv.revert_realm("ring_2", 5), UnknownMemberError, "realm 'ring_2' was not there after control tick 5"),
        (lambda: mv.revert_realm("ring_2", 2), CommandRefusedError, "ring_2 was another realm then"),
        (lambda: mv.revert_realm("again", 2), CommandRefusedError, "again cannot go back: its recovery is 'replayed'"),
        (lambda: mv.revert_realm("weak", 2), CommandRefusedError, "weak is in error"),
        (lambda: mv.revert_realm("weak", 6), CommandRefusedError, "weak was in error after control tick 6"),
        (lambda: mv.revert_realm("@players", 2), UnknownMemberError, "realm '@players' was not there"),
        (lambda: mv.revert_realm("ring_0", 99), CommandRefusedError, "reaches from control tick 0 to 7"),
        (lambda: mv.revert_realm("ring_0"), CommandRefusedError, "needs a control tick, or else a snapshot"),
        (lambda: mv.revert_realm("ring_0", snapshot="no"), UnknownSnapshotError, "no snapshot 'no'"),
        (lambda: mv.command("ring_0", "@become", {}), CommandRefusedError, "has no command '@become'"),
    ):
        with pytest.raises(error, match=says):
            ask()
    assert mv.digest() == digest
    with Multiverse(7, engine="local", realm_paths=[REALMS]) as forgetful:
        forgetful.register_game("a", RING)
        with pytest.raises(CommandRefusedError, match="without a vault"):
            forgetful.revert_realm("a", 0)
