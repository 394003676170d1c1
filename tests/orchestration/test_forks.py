"""Forks from the driver: now, from the past, from another branch; through reopening, reverts and looks at the past."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.core.kernel.commands import ForkGames
from actors.core.kernel.errors import CommandRefusedError, SoulfraError, UnknownMemberError, UnknownSnapshotError
from actors.core.kernel.states import differences
from orchestration import Multiverse
from orchestration.forks import Fork

REALMS = Path(__file__).parents[1] / "realms"
SCRIBES = ("a", "b", "c")


def opened(folder: Path, **more: Any) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=folder / "v.sqlite", realm_paths=[REALMS], **more)


def peopled(mv: Multiverse) -> Multiverse:
    for realm_id in SCRIBES:
        peers = [other for other in SCRIBES if other != realm_id]
        mv.register_game(realm_id, "small:Scribe", params={"gold": 100, "peers": peers})
    return mv


@pytest.fixture
def mv(tmp_path: Path) -> Iterator[Multiverse]:
    with opened(tmp_path) as made:
        yield peopled(made)


def digests(mv: Any, fork: int = 0) -> dict[str, str]:
    """Every realm's digest, by role."""
    return {game["role"]: game["digest"] for game in mv.get_multiverse_state()["games"] if game["fork"] == fork}


def conserved(mv: Multiverse) -> bool:
    return all(held == due for held, due in mv.audit()["conservation"].values())


def test_a_fork_is_there_until_it_is_dropped(mv: Multiverse) -> None:
    mv.run(5)
    one, two = mv.fork(SCRIBES, modifications=[{}, {"a.book.gold": 0}])
    assert (one, two["b"]) == (Fork(1, {"a": "a~1", "b": "b~1", "c": "c~1"}), "b~2")
    assert mv.forks() == [one, two]
    mv.run(5)
    assert digests(mv, 1) == digests(mv) != digests(mv, 2)
    keys = [game["stat7_key"] for game in mv.get_multiverse_state()["games"] if game["role"] == "a"]
    assert [key.rsplit(":", 1)[1] for key in keys] == ["0", "1", "2"], "the density tells the copy"
    assert mv.drop_fork(two) == ["a~2", "b~2", "c~2"]
    assert mv.drop_fork(1) == ["a~1", "b~1", "c~1"]
    assert mv.forks() == []
    assert conserved(mv)


def test_it_goes_on_where_its_vault_ends(mv: Multiverse, tmp_path: Path) -> None:
    mv.run(3)
    mv.fork(SCRIBES, count=2, divergent=True, modifications=[{"b.book.gold": 7}])
    mv.run(3)
    mv.command("c~2", "say", {"target": "a"})
    mv.run(1)
    mv.drop_fork(1)
    mv.run(2)
    digest, chain = mv.digest(), mv.digest_chain()
    mv.close()
    with opened(tmp_path) as again:
        assert (again.digest(), again.digest_chain(), again.forks()[0].number) == (digest, chain, 2)
        again.run(2)
        assert conserved(again)


def test_every_past_tick_is_there_with_the_forks_of_then(mv: Multiverse) -> None:
    mv.run(2)
    mv.fork(SCRIBES)
    chains = {}
    for _ in range(4):
        mv.run(1)
        chains[mv.boundary().control_tick] = (mv.digest_chain(), mv.get_multiverse_state()["games"])
    mv.drop_fork(1)
    mv.run(1)
    for control_tick, (chain, games) in chains.items():
        with mv.at(control_tick) as past:
            assert (past.digest_chain(), digests(past, 1)) == (chain, digests(past))
            assert [game["realm_id"] for game in past.get_multiverse_state()["games"]] == [g["realm_id"] for g in games]


def test_from_the_past(mv: Multiverse) -> None:
    mv.run(4)
    then = digests(mv)
    mv.snapshot("then")
    mv.run(6)
    [fork] = mv.fork(SCRIBES, control_tick=4)
    [named] = mv.fork(["a", "b"], snapshot="then", modifications=[{"a.book.gold": 1}])
    assert digests(mv, fork.number) == then
    assert digests(mv, named.number)["b"] == then["b"] and digests(mv, named.number)["a"] != then["a"]
    ticks = {game["realm_id"]: game["local_tick"] for game in mv.get_multiverse_state()["games"]}
    assert (ticks["a"], ticks[fork["a"]], ticks[named["b"]]) == (100, 40, 40)
    mv.run(5)
    assert conserved(mv)
    chain = mv.digest_chain()
    with mv.at(15) as past:
        assert past.digest_chain() == chain


def test_realms_that_are_no_more_live_on_in_a_fork(mv: Multiverse) -> None:
    mv.run(4)
    then = digests(mv)["c"]
    mv.remove_game("c")
    mv.run(2)
    [fork] = mv.fork(["c"], control_tick=4)
    assert digests(mv, fork.number) == {"c": then}
    mv.run(2)
    assert conserved(mv)


def test_from_another_branch(mv: Multiverse) -> None:
    mv.run(6)
    there = digests(mv)
    mv.revert(2)
    mv.run(1)
    [fork] = mv.fork(SCRIBES, control_tick=6, branch="main")
    assert digests(mv, fork.number) == there != digests(mv)


def test_a_revert_goes_back_to_before_a_fork_and_forward_again(mv: Multiverse) -> None:
    mv.run(2)
    mv.fork(SCRIBES)
    mv.run(2)
    chain = mv.digest_chain()
    mv.revert(2)
    assert mv.forks() == []
    mv.run(1)
    [again] = mv.fork(["a"])
    assert again.number == 1, "another history"
    mv.select("main")
    assert (mv.digest_chain(), len(mv.forks()[0].realms)) == (chain, 3)


def test_a_copy_goes_back_by_itself(mv: Multiverse) -> None:
    mv.run(2)
    mv.fork(SCRIBES)
    mv.run(2)
    then = mv.state_of("a~1")
    mv.run(2)
    told = mv.revert_realm("a~1", 4)
    assert told["local_tick"] == 40 and told["entangled"]
    assert not list(differences(then, mv.state_of("a~1")))
    assert list(differences(then, mv.state_of("a")))
    mv.run(2)
    assert conserved(mv)


def test_asked_again_it_is_not_done_again(mv: Multiverse) -> None:
    mv.run(3)
    wanted = ForkGames(("a",))
    first = mv._engine.call("fork_past", wanted, 2, "", "", "one id")
    assert mv._engine.call("fork_past", wanted, 2, "", "", "one id") == first
    assert len(mv.forks()) == 1


@pytest.mark.parametrize(
    ("arguments", "more", "error", "says"),
    [
        ("a", {}, CommandRefusedError, "realm ids must be a list"),
        ([1], {}, CommandRefusedError, "realm ids must be a list"),
        ([], {}, CommandRefusedError, "name at least one realm"),
        (["a"], {"modifications": {"a.gold": 1}}, CommandRefusedError, "a map for each copy"),
        (["a"], {"modifications": [3]}, CommandRefusedError, "must be a map"),
        (["a"], {"modifications": [{"b.book.gold": 1}]}, CommandRefusedError, "'b.book.gold' does not begin with"),
        (["a"], {"modifications": [{"a.book.gold": {1, 2}}]}, CommandRefusedError, "modifications cannot be used"),
        (["a"], {"modifications": [{"a": 1}]}, CommandRefusedError, "Nothing was forked"),
        (["a"], {"modifications": [{}, {}], "count": 1}, CommandRefusedError, "2 modifications are given for 1"),
        (["a"], {"count": 10**9}, CommandRefusedError, "from 1 to 1000"),
        (["a"], {"count": "many"}, CommandRefusedError, "from 1 to 1000"),
        (["a"], {"branch": "main"}, CommandRefusedError, "a fork begins now"),
        (["a"], {"control_tick": 1, "snapshot": "x"}, CommandRefusedError, "a fork begins now"),
        (["a"], {"control_tick": 99}, CommandRefusedError, "reaches from control tick 0 to 3"),
        (["a"], {"control_tick": 0}, UnknownMemberError, "no realm 'a' is registered"),
        (["a"], {"snapshot": "x"}, UnknownSnapshotError, "no snapshot 'x'"),
        (["a"], {"control_tick": 1, "branch": "x"}, SoulfraError, "no branch 'x'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    tmp_path: Path, arguments: Any, more: Any, error: type[Exception], says: str
) -> None:
    with opened(tmp_path) as mv:
        mv.run(1)
        peopled(mv)
        mv.run(2)
        before = mv.digest()
        with pytest.raises(error, match=says):
            mv.fork(arguments, **more)
        with pytest.raises(CommandRefusedError, match="there is no fork 9; there are none"):
            mv.drop_fork(9)
        assert (mv.digest(), mv.forks()) == (before, [])
        mv.run(1)


def test_without_a_vault_there_is_no_past_to_fork_from() -> None:
    with peopled(Multiverse(7, engine="local", realm_paths=[REALMS])) as mv:
        mv.run(2)
        assert mv.fork(["a"])[0].number == 1
        with pytest.raises(CommandRefusedError, match="vault"):
            mv.fork(["a"], control_tick=1)


def test_dead_letters_and_cascades_say_in_which_fork(mv: Multiverse) -> None:
    mv.run(2)
    mv.fork(["a"])
    mv.run(3)
    forked = [letter for letter in mv.dead_letters() if letter["fork"] == 1]
    assert {letter["reason"] for letter in forked} == {"forked"}
    event_id = mv.command("a~1", "shout")
    assert [trace.event_id for trace in mv.cascade(event_id, fork=1)] == [event_id]
    with pytest.raises(CommandRefusedError, match="there is no fork 4"):
        mv.cascade(event_id, fork=4)
