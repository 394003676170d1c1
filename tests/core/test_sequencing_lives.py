"""The sequencer: games that fail, come back and go, what is conserved, and what the digest covers."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from harness import REALMS, World
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import RestartGame
from actors.core.kernel.digests import NO_DIGEST, fold
from actors.core.kernel.errors import CommandRefusedError, MemberError, SoulfraError, UnknownMemberError
from actors.core.kernel.events import Event
from actors.core.kernel.games import Seated
from actors.core.kernel.lanes import Died, Signal
from actors.core.kernel.members import Failure, Grant
from actors.core.kernel.messages import Advance
from actors.core.kernel.states import differences
from actors.lanes import LocalLane


def world_of(*realms: str, registry: bool = True, **settings: Any) -> World:
    world = World(registry=registry, **settings)
    for realm in realms:
        world.register(realm, gold=10)
    return world


def create(world: World, realm: str, name: str = "Alice") -> str:
    player = world.ask(PLAYERS, "create_player", player_name=name, character_race="human", starting_realm=realm)
    return str(player["player_id"])


# ------------------------------------------------------------------------------------------------------ error and restart


def test_an_exception_puts_that_game_alone_in_error() -> None:
    world = world_of("a", "c")
    world.register("b", raise_at=15)
    assert world.tick().games_synced == 3
    before = world.state("b")
    record = world.tick()
    assert record.games_synced == 2
    assert record.failures == (("b", "RuntimeError: the quill broke"),)
    assert [row[0] for row in record.rows] == ["a", "c"]
    seated = world.sequencer.members["b"]
    assert (seated.state, seated.local_tick) == ("error", 10)
    assert seated.error is not None
    assert seated.error.message == "RuntimeError: the quill broke"
    assert "the quill broke" in seated.error.traceback
    assert [world.game_state(name) for name in "ac"] == ["running"] * 2
    assert world.state("b") == before
    assert [world.sequencer.members[name].local_tick for name in "abc"] == [20, 10, 20]
    record = world.tick(2)
    assert (record.games_synced, record.failures) == (2, ())


def test_a_failing_command_puts_that_game_in_error_and_says_so() -> None:
    world = world_of("a", "b")
    world.queue("a", event_id="e")
    world.tick()
    before = world.state("a")
    with pytest.raises(MemberError, match="a failed in 'tear' and is in error now: RuntimeError: torn by command"):
        world.ask("a", "tear")
    assert (world.game_state("a"), world.state("a")) == ("error", before)
    with pytest.raises(CommandRefusedError, match="restart or remove it first"):
        world.ask("a", "shout")
    assert world.tick().games_synced == 1


def test_a_restarted_game_goes_on_from_the_boundary_before_the_tick_that_failed() -> None:
    world = world_of("a", "b")
    world.tick()
    world.queue("a", data={"poison": True})
    world.tick()
    assert world.restart("a") == {"realm_id": "a", "local_tick": 10}
    assert world.game_state("a") == "booting"
    world.queue("a", event_id="again")
    assert world.tick().games_synced == 2
    assert world.game_state("a") == "running"
    assert world.sequencer.members["a"].local_tick == 20
    assert [(tick, event_id) for tick, *_, event_id, _ in world.heard("a") if event_id != "@players#0"] == [
        (10, "again")
    ]


def test_a_game_restarted_from_a_tick_that_must_fail_fails_again() -> None:
    world = World()
    world.register("a", raise_at=15)
    world.tick(2)
    for _ in range(2):
        world.restart("a")
        assert world.tick().failures == (("a", "RuntimeError: the quill broke"),)


def test_only_a_game_in_error_is_restarted() -> None:
    world = world_of("a")
    for state in ("booting", "running"):
        with pytest.raises(CommandRefusedError, match=f"is {state}, not in error"):
            world.restart("a")
        world.tick()
    with pytest.raises(UnknownMemberError):
        world.restart("b")


def test_a_restarted_realm_is_told_its_roster_anew() -> None:
    world = World()
    world.register("r", "small:Ring", raise_at=-1)
    world.tick()
    player = create(world, "r")
    world.tick()
    with pytest.raises(MemberError):
        world.ask("r", "break_down")
    world.tick()
    world.restart("r")
    assert [event.event_type for event in world.sequencer.in_flight_to("r")] == ["player_roster"]
    world.tick()
    assert world.state("r")["roster"].objects.keys() == {player}  # type: ignore[union-attr]


class FatalLane(LocalLane):
    """A lane on which the process of one member dies whenever it is asked to advance."""

    def __init__(self) -> None:
        super().__init__((REALMS,))
        self.doomed = ""

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        for host_id, message in self._sent.items():
            seat = self._hosts[host_id]._seat
            if isinstance(message, Advance) and seat is not None and seat._birth.member_id == self.doomed:
                return [Died(host_id, "its process died")]
        return super().receive(timeout_s)


def test_a_member_that_dies_twice_in_one_grant_is_alone_in_error_and_can_be_restarted() -> None:
    world, calm = World(lane=FatalLane()), World()
    for one in (world, calm):
        one.register("a", gold=10)
        one.register("b", gold=10)
        one.tick()
    position, before = world.sequencer.position, world.state("a")
    world.queue("a", carries=(("gold", 5),))
    world.lane.doomed = "a"  # type: ignore[attr-defined]
    record = world.tick()
    reason = "its process died, and once more in the same grant"
    assert record.failures == (("a", reason),)
    assert record.games_synced == 1
    assert world.sequencer.position == position + 2
    entry = world.sequencer.journal[-1]
    assert (entry.command, entry.decided, entry.control_tick) == (None, f"a: {reason}", 2)
    assert world.conserved()
    assert world.tick().games_synced == 1, "the others go on"
    world.lane.doomed = ""  # type: ignore[attr-defined]
    world.restart("a")
    assert not list(differences(world.state("a"), before)), "it stands at the boundary before the grant it died in"
    assert world.tick().games_synced == 2
    assert world.conserved()
    world.remove("a", "b")
    assert world.conserved()


# --------------------------------------------------------------------------------------------------------------- removal


def test_removing_a_game_removes_its_subscriptions_and_all_of_it() -> None:
    world = world_of("a", "b")
    world.tick()
    world.remove("a", "b")
    assert (list(world.sequencer.games), world.sequencer.post.subscriptions("a")) == (["b"], [])
    assert "a" not in world.fleet.whereabouts()
    assert world.conserved()
    for gone in (lambda: world.remove("a"), lambda: world.ask("a", "shout"), lambda: world.subscribe("a", "gossip")):
        with pytest.raises(UnknownMemberError):
            gone()
    world.register("a")
    assert world.game_state("a") == "booting"
    assert world.tick().games_synced == 2


def test_players_move_on_when_their_realm_is_removed() -> None:
    world = World()
    world.register("r", "small:Ring")
    world.register("s", "small:Ring")
    world.tick()
    player = create(world, "r")
    world.tick()
    assert world.remove("r", "s") == {"realm_id": "r", "players_moved": [player]}
    world.tick()
    assert world.state("s")["roster"].objects.keys() == {player}  # type: ignore[union-attr]
    assert world.conserved()
    assert world.reasons() == []


def test_a_realm_with_players_needs_somewhere_for_them_to_go() -> None:
    world = world_of("a", "b")
    world.tick()
    create(world, "a")
    before = (world.sequencer.transit_digest(), world.digest())
    for target in ("", "a", "nowhere"):
        with pytest.raises(SoulfraError):
            world.remove("a", target)
    assert (world.sequencer.transit_digest(), world.digest()) == before
    assert "a" in world.sequencer.games


def test_a_realm_without_players_is_removed_without_more_ado() -> None:
    world = world_of("a", "b")
    assert world.remove("a") == {"realm_id": "a", "players_moved": []}


def test_a_removed_game_may_have_been_in_error() -> None:
    world = world_of("a", "b")
    world.queue("a", data={"poison": True}, carries=(("gold", 3),))
    world.tick()
    assert world.conserved()
    world.remove("a", "b")
    assert world.conserved()
    assert world.tick().games_synced == 1


# ---------------------------------------------------------------------------------------------------------- conservation


def test_what_is_carried_is_conserved_and_what_comes_from_outside_is_in_the_ledger() -> None:
    world = world_of("a", "b", registry=False)
    assert world.sequencer.conservation() == {"gold": (20, 20)}
    world.queue("a", carries=(("gold", 5), ("wood", 1)))
    assert world.sequencer.conservation() == {"gold": (25, 25), "wood": (1, 1)}
    world.queue("b", data={"minted": 7})
    world.tick()
    assert world.sequencer.conservation() == {"gold": (32, 32), "wood": (0, 1)}, (
        "a scribe has no shed: the wood is gone"
    )
    assert world.sequencer.members["a"].totals == {"gold": 15}


def test_a_member_that_loses_gold_is_found_out() -> None:
    world = world_of("a", registry=False)
    world.seat("a")._member.gold = 3  # type: ignore[attr-defined]
    world.tick()
    assert world.sequencer.conservation() == {"gold": (3, 10)}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_gold_is_conserved_at_every_boundary_whatever_happens(seed: int) -> None:
    random = Random(seed)
    world = World(shuffle=seed, seed=seed, inbox_events_max=3, dead_letters_max=5)
    names = [f"r{at}" for at in range(5)]
    for at, name in enumerate(names):
        world.register(name, gold=random.randrange(100), peers=names, period=1 + (at == 2))
    for _ in range(25):
        step, name = (
            random.choice(["queue", "poison", "mint", "tear", "restart", "remove", "register", "shout"]),
            random.choice(names),
        )
        with_gold = (("gold", random.randrange(9)),)
        try:
            match step:
                case "queue":
                    world.queue(
                        name, carries=with_gold, deliver_at=world.sequencer.control_tick + random.randrange(1, 4)
                    )
                case "poison":
                    world.queue(name, data={"poison": True}, carries=with_gold)
                case "mint":
                    world.queue(name, data={"minted": 5})
                case "remove":
                    world.remove(name, random.choice(names))
                case "restart":
                    world.restart(name)
                case "register":
                    world.register(name, gold=7, peers=names)
                case verb:
                    world.ask(name, verb)
        except SoulfraError:
            pass
        assert world.conserved(), world.sequencer.conservation()
        world.tick()
        assert world.conserved(), world.sequencer.conservation()


# --------------------------------------------------------------------------------------------------------------- digests


def busy(interval: int = 1, *, fail: bool = True) -> World:
    world = World(digest_interval_control_ticks=interval)
    names = ["a", "b", "c"]
    for at, name in enumerate(names):
        world.register(name, gold=30, peers=names, period=1 + at, raise_at=55 if fail and at == 1 else -1)
    world.register("box", "small:Letterbox")
    for at in range(8):
        world.queue("abc"[at % 3], data={"answer": "box"}, deliver_at=1 + 2 * at)
    return world


@pytest.mark.parametrize("interval", [2, 3, 5, 7])
def test_digests_at_an_interval_are_those_of_every_tick(interval: int) -> None:
    every, some = busy(), busy(interval)
    chain = NO_DIGEST
    for tick in range(1, 22):
        if tick % 4 == 2:
            every.ask("a", "shout"), some.ask("a", "shout")
        one, other = every.tick(), some.tick()
        if tick % interval:
            assert other.digest == NO_DIGEST
            continue
        assert (one.digest, one.members, one.transit) == (other.digest, other.members, other.transit)
        chain = fold(chain, one.digest)
        assert some.sequencer.chain == chain
    assert some.game_state("b") == "error"


@pytest.mark.parametrize("interval", [1, 4])
def test_asking_for_the_digest_changes_nothing(interval: int) -> None:
    asked, silent = busy(interval), busy(interval)
    for tick in range(1, 10):
        if tick == 3:
            for world in (asked, silent):
                world.ask("a", "shout")
        before = asked.sequencer.transit_digest()
        assert asked.digest() == asked.digest()
        assert asked.sequencer.transit_digest() == before
        asked.tick(), silent.tick()
        assert asked.sequencer.chain == silent.sequencer.chain


def test_a_realm_that_takes_the_place_of_a_removed_one_shows_in_the_digest() -> None:
    """Also where it stands at the same address in memory, which one in a hundred does."""
    world = World(registry=False)
    world.register("a")
    for period in range(2, 302):
        world.register("b", period=period)
        world.digest()
        world.remove("b")
        world.register("b", period=period + 1)
        found = world.digest()
        world.sequencer._identities_of = ()
        assert world.digest() == found
        world.remove("b")


def test_a_digest_covers_the_commands_since_the_tick() -> None:
    world = world_of("a")
    record = world.tick()
    assert world.digest() == record.digest
    world.ask("a", "shout")
    first = world.digest()
    assert first != record.digest
    world.ask("a", "say", target="a")
    assert world.digest() not in (first, record.digest)


def test_a_refused_command_leaves_every_digest_as_it_was() -> None:
    world = busy()
    create(world, "a")
    world.tick(3)
    before = (world.sequencer.transit_digest(), world.digest(), world.sequencer._boundary_digest()[0])
    refusals: list[Callable[[], object]] = [
        lambda: world.ask("a", "refuse"),
        lambda: world.ask("a", "fly"),
        lambda: world.ask("a", "say"),
        lambda: world.ask("nobody", "say"),
        lambda: world.ask(PLAYERS, "create_player", player_name="Bob", character_race="elf", starting_realm="nowhere"),
        lambda: world.ask(PLAYERS, "modify_reputation", player_id="x", faction="y", change=1),
        lambda: world.register("a"),
        lambda: world.restart("a"),
        lambda: world.remove("nobody"),
        lambda: world.queue("nobody"),
    ]
    for refused in refusals:
        with pytest.raises(SoulfraError):
            refused()
        assert (world.sequencer.transit_digest(), world.digest(), world.sequencer._boundary_digest()[0]) == before


TABLES: dict[str, Callable[[World], object]] = {
    "calendar": lambda world: world.sequencer.post.add([event()]),
    "calendar tick": lambda world: world.sequencer.post.add([event(deliver_at=9)]),
    "mailbox": lambda world: world.sequencer.post._mailboxes.setdefault("a", []).append(event()),
    "other mailbox": lambda world: world.sequencer.post._mailboxes.setdefault("b", []).append(event()),
    "subscription": lambda world: world.sequencer.post.subscribe("a", "note"),
    "end of a subscription": lambda world: world.sequencer.post.unsubscribe("a", "gossip"),
    "dead letter": lambda world: world.sequencer.post.bury(event(), "a", "reason", 1),
    "dead letter's target": lambda world: world.sequencer.post.bury(event(), "b", "reason", 1),
    "dead letter's tick": lambda world: world.sequencer.post.bury(event(), "a", "reason", 2),
    "lost": lambda world: world.sequencer.post.lost.update({"gold": 1}),
    "ledger": lambda world: world.sequencer.totals.ledger.update({"gold": 1}),
    "ledger's name": lambda world: world.sequencer.totals.ledger.update({"wood": 1}),
    "state": lambda world: setattr(world.sequencer.members["a"], "state", "error"),
    "error": lambda world: world.sequencer._fail("a", *seated_and_grant(world)),
    "period": lambda world: setattr(world.sequencer.members["a"], "period", 2),
    "member's digest": lambda world: setattr(world.sequencer.members["a"], "digest", b"x" * 32),
    "member": lambda world: world.sequencer.members.pop("b"),
    "queued and used id": lambda world: world.queue("a", event_id="e"),
    "control tick": lambda world: setattr(world.sequencer, "control_tick", 5),
}


def event(deliver_at: int = 8) -> Event:
    return Event("e", "a", 7, "b", "note", encode({}), 1, deliver_at)


def seated_and_grant(world: World) -> tuple[Seated, Grant, Failure]:
    seated = world.sequencer.members["a"]
    return seated, world.sequencer._grant(seated, 1, 0, (), (), False), Failure("x")


def test_every_table_shows_in_the_digest() -> None:
    seen = {"as it was": world_of("a", "b").digest()}
    for name, change in TABLES.items():
        world = world_of("a", "b")
        change(world)
        seen[name] = world.sequencer._boundary_digest()[2]
    alike = [
        names
        for digest, count in Counter(seen.values()).items()
        if count > 1
        for names in [[name for name, found in seen.items() if found == digest]]
    ]
    assert alike == []


def test_what_waits_long_is_digested_anew_when_something_joins_it() -> None:
    digests = set()
    for first_digest in (False, True):
        world = World(registry=False)
        world.register("r", "small:Ring")
        world.queue("r", "shout", deliver_at=5)
        if first_digest:
            world.digest()
        world.queue("r", "shout", deliver_at=5)
        digests.add(world.digest())
        world.tick(4)
    assert len(digests) == 1


def test_an_id_that_was_used_shows_in_the_digest_after_its_event_is_gone() -> None:
    digests = set()
    for name in ("e", "f"):
        world = World(registry=False)
        world.register("r", "small:Ring")
        world.queue("r", "shout", event_id=name)
        world.tick(2)
        digests.add(world.digest())
    assert len(digests) == 2


def test_metrics_and_names_of_the_process_are_no_part_of_the_digest() -> None:
    world = world_of("a", "b")
    before = world.digest()
    world.sequencer.members["a"].number += 1
    world.sequencer.members["a"].measures = {"heard": 9.0}
    world.sequencer.totals.cascades_cut += 1
    world.sequencer.totals.events_propagated += 1
    assert world.sequencer._boundary_digest()[2] == before


def test_the_same_history_has_the_same_chain() -> None:
    chains = set()
    for _ in range(2):
        world = busy()
        world.tick(6)
        world.do(RestartGame("b")) if world.game_state("b") == "error" else None
        world.remove("c", "a")
        world.tick(6)
        chains.add((world.sequencer.chain, world.digest()))
    assert len(chains) == 1


def test_who_asks_for_a_digest_changes_none_that_comes_later() -> None:
    """Nothing writes down that somebody asked, and a member may be lost before its next digest."""
    chains = []
    for asks in (False, True):
        world = World(digest_interval_control_ticks=4)
        world.register("a", "small:Ring", next_realm="b")
        world.register("b", "small:Ring", next_realm="a")
        world.queue("a", "token", {})
        world.fleet.decided = {("b", "tick 7"): "its process died, and once more in the same grant"}
        world.tick(6)
        if asks:
            assert world.digest() == world.digest()
        world.tick(6)
        assert world.sequencer.members["b"].error is not None
        chains.append(world.sequencer.chain)
    assert chains[0] == chains[1]
