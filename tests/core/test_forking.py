"""Forks: copies of realms that live on beside their origins behind a wall."""

from random import Random

import msgspec
import pytest

from actors.core.kernel.codec import encode
from actors.core.kernel.commands import DropFork, ForkGames, RemoveGame, RevertGame, SetDelay
from actors.core.kernel.domains import FORKED, decoded_cut, encoded_cut
from actors.core.kernel.errors import (
    CommandRefusedError,
    FactoryError,
    MemberError,
    ProtocolError,
    SoulfraError,
    UnknownMemberError,
)
from actors.core.kernel.tables import restore_tables, tables_of
from actors.core.kernel.ticking import TickRecord
from actors.core.kernel.windows import control_ticks_script
from actors.core.players.rosters import PLAYER_ROSTER
from tests.core.harness import World

TRIO = ("a", "b", "c")


def trio(**settings):
    """Three scribes that send each other parcels by chance, some of which are always under way."""
    world = World(**settings)
    for realm_id in TRIO:
        peers = [other for other in TRIO if other != realm_id]
        world.register(realm_id, gold=100, peers=peers, period=2 if realm_id == "c" else 1)
    return world


def fork(world, *realm_ids, **more):
    return world.do(ForkGames(tuple(realm_ids), **more))


def digests(world, number=0):
    """Every realm's digest, by role."""
    members = world.sequencer.members.values()
    return {one.role: one.digest for one in members if one.domain == number and one.is_game}


def test_a_twin_lives_the_life_of_its_origins():
    world = trio()
    world.tick(7)
    [made] = fork(world, *TRIO)
    assert made == {"fork": 1, "realms": {"a": "a~1", "b": "b~1", "c": "c~1"}}
    for _ in range(20):
        world.tick()
        assert digests(world, 1) == digests(world)
        assert world.conserved()
    assert world.heard("a~1") == world.heard("a"), "to the letter: sources, ids and causes"
    assert world.sequencer.posts[1].pending() == world.sequencer.post.pending() > 0


def test_the_parent_does_not_notice():
    alone, watched = trio(), trio()
    for world in (alone, watched):
        world.tick(5)
    fork(watched, *TRIO, count=3, divergent=True)
    for _ in range(10):
        alone.tick()
        watched.tick()
        assert digests(watched) == digests(alone)


def test_divergent_copies_draw_by_lineages_of_their_own():
    world = trio()
    world.tick(5)
    fork(world, *TRIO, count=2, divergent=True)
    world.tick(10)
    lives = [tuple(sorted(digests(world, number).items())) for number in (0, 1, 2)]
    assert len(set(lives)) == 3
    assert world.conserved()


def test_a_copy_of_a_copy():
    world = trio()
    world.tick(3)
    fork(world, *TRIO)
    world.tick(3)
    [again] = fork(world, "a~1", "b~1", "c~1")
    assert again == {"fork": 2, "realms": {"a": "a~2", "b": "b~2", "c": "c~2"}}
    world.tick(5)
    assert digests(world, 2) == digests(world, 1) == digests(world)


def test_what_crosses_the_wall_is_a_dead_letter():
    world = trio()
    world.tick(6)
    world.ask("a", "say", target="b", deliver_at=9)
    world.ask("b", "say", target="a", deliver_at=9)
    fork(world, "a")
    letters = world.sequencer.posts[1].dead_letters
    assert {FORKED} == {letter.reason for letter in letters}
    assert {letter.event.source for letter in letters} >= {"a", "b"}, "what comes in, and what goes out"
    count = world.sequencer.posts[1].dead_letters_count
    world.ask("a~1", "say", target="b")
    assert world.sequencer.posts[1].dead_letters_count == count + 1
    world.ask("b", "say", target="a~1")
    assert world.reasons()[-1] == "no such member", "nobody outside can say anything to it"
    world.tick(5)
    assert world.conserved()


def test_broadcasts_stay_within():
    world = World()
    for realm_id in TRIO:
        world.register(realm_id)
    fork(world, "a", "b")
    world.ask("a", "shout")
    world.tick()
    assert [len(world.heard(one)) for one in (*TRIO, "a~1", "b~1")] == [1, 1, 1, 0, 0]
    world.ask("a~1", "shout")
    world.tick()
    assert [len(world.heard(one)) for one in (*TRIO, "a~1", "b~1")] == [1, 1, 1, 1, 1]


def test_the_driver_reaches_a_copy_by_its_id():
    world = World()
    world.register("a")
    fork(world, "a")
    world.queue("a~1", data={"minted": 5})
    world.tick()
    assert (len(world.heard("a")), len(world.heard("a~1"))) == (0, 1)
    assert world.conserved()
    world.unsubscribe("a~1", "gossip")
    assert world.sequencer.post.subscriptions("a") == ["gossip"]
    assert world.sequencer.posts[1].subscriptions("a") == []


def test_modifications_are_each_copy_s_own():
    world = trio()
    world.tick(4)
    changes = ({"a": encode({"book.gold": 500})}, {})
    made = fork(world, *TRIO, count=3, modifications=changes)
    assert [one["fork"] for one in made] == [1, 2, 3]
    gold = {realm_id: world.sequencer.members[realm_id].totals["gold"] for realm_id in ("a", "a~1", "a~2", "a~3")}
    assert gold["a~1"] == 500
    assert gold["a"] == gold["a~2"] == gold["a~3"]
    assert world.conserved(), "what the modification made is in the ledger"
    world.tick(5)
    assert digests(world, 2) == digests(world, 3) == digests(world) != digests(world, 1)
    assert world.conserved()


@pytest.mark.parametrize(
    ("realm_ids", "more", "error", "says"),
    [
        ((), {}, CommandRefusedError, "name at least one realm"),
        (("a", "a"), {}, CommandRefusedError, "named twice"),
        (("nobody",), {}, UnknownMemberError, "no realm 'nobody'"),
        (("@players",), {}, UnknownMemberError, "no realm '@players'"),
        (("a", "b~1"), {}, CommandRefusedError, "realms of several forks"),
        (("a",), {"count": 0}, CommandRefusedError, "from 1 to 1000"),
        (("a",), {"count": 1_001}, CommandRefusedError, "from 1 to 1000"),
        (("a",), {"count": True}, CommandRefusedError, "from 1 to 1000"),
        (("a",), {"modifications": ({}, {})}, CommandRefusedError, "2 modifications are given for 1 copies"),
        (("a",), {"modifications": ({"b": encode({})},)}, CommandRefusedError, "'b' is not among the realms"),
        (("a",), {"modifications": ({"a": encode({"book.gold": "much"})},)}, CommandRefusedError, "Nothing was forked"),
        (("a",), {"modifications": ({"a": encode({"book.nothing": 1})},)}, SoulfraError, "Nothing was forked"),
        (("a", "broken"), {}, CommandRefusedError, "broken is in error"),
        (("lasting",), {}, CommandRefusedError, "its recovery is 'replayed'"),
        (("a",), {"past": b"\xc1"}, ProtocolError, "cannot be read"),
    ],
)
def test_what_cannot_be_forked_leaves_everything_as_it_was(realm_ids, more, error, says):
    world = trio()
    world.register("broken", "small:Ring", raise_at=1)
    world.register("lasting", "small:Diary")
    world.tick(3)
    fork(world, *TRIO)
    before, hosts = tables_of(world.sequencer), len(world.lane._hosts)
    with pytest.raises(error, match=says):
        fork(world, *realm_ids, **more)
    assert (tables_of(world.sequencer), len(world.lane._hosts)) == (before, hosts)
    world.tick(2)
    assert digests(world, 1)["a"] == digests(world)["a"]


def test_a_copy_that_cannot_be_made_leaves_nothing():
    world = trio()
    world.tick(3)
    cut = world.perform(world.sequencer.cut_script(TRIO))
    origin = msgspec.structs.replace(
        cut.origins[2], checkpoint=msgspec.structs.replace(cut.origins[2].checkpoint, digest=b"x" * 32)
    )
    bad = msgspec.structs.replace(cut, origins=[*cut.origins[:2], origin])
    before, hosts = tables_of(world.sequencer), len(world.lane._hosts)
    with pytest.raises((FactoryError, MemberError), match="nothing has changed"):
        fork(world, *TRIO, past=encoded_cut(bad))
    assert (tables_of(world.sequencer), len(world.lane._hosts)) == (before, hosts)


def test_from_the_past():
    """What they were is part of the command; what was under way then is under way again, as much later."""
    then, now = trio(), trio()
    then.tick(5)
    cut = then.perform(then.sequencer.cut_script(TRIO))
    assert decoded_cut(encoded_cut(cut)) == cut
    now.tick(9)
    fork(now, *TRIO, past=encoded_cut(cut))
    assert digests(now, 1) == digests(then)
    assert now.sequencer.posts[1].pending() >= then.sequencer.post.pending()
    local_ticks = {one.role: one.local_tick for one in now.sequencer.members.values() if one.domain == 1}
    assert local_ticks == {"a": 50, "b": 50, "c": 40}
    now.tick(10)
    assert now.conserved()


def test_a_fork_ends():
    world = trio()
    world.tick(4)
    fork(world, *TRIO, count=2)
    world.ask("a~2", "say", target="nobody")
    world.tick(2)
    assert world.do(DropFork(2)) == {"removed": ["a~2", "b~2", "c~2"]}
    assert world.conserved()
    assert list(world.sequencer.domains) == [1]
    assert [one for one in world.sequencer.members if one.endswith("~2")] == []
    with pytest.raises(CommandRefusedError, match="there is no fork 2; there are 1"):
        world.do(DropFork(2))
    for realm_id in ("a~1", "b~1", "c~1"):
        world.do(RemoveGame(realm_id))
        assert world.conserved()
    assert (world.sequencer.domains, list(world.sequencer.posts)) == ({}, [0])
    [made] = fork(world, "a")
    assert made["fork"] == 3, "a number is never used twice"


def test_ids_of_copies_are_for_copies():
    world = World()
    for realm_id in ("a", "a~", "~b", "a~x", "a~1x"):
        world.register(realm_id)
    for realm_id in ("a~1", "a~2", "a~x~3", "~7"):
        with pytest.raises(CommandRefusedError, match="is a copy's"):
            world.register(realm_id)
    assert fork(world, "a", count=2)[1]["realms"] == {"a": "a~2"}
    world.remove("a~2")
    with pytest.raises(CommandRefusedError, match="is a copy's"):
        world.register("a~2")
    assert fork(world, "a~1")[0]["realms"] == {"a": "a~3"}


def test_players_stay_behind():
    world = World()
    for realm_id in ("a", "b"):
        world.register(realm_id, "small:Ring")
    world.ask(
        "@players",
        "create_player",
        player_name="Ada",
        character_race="human",
        starting_realm="a",
        character_class="bard",
    )
    world.tick()
    fork(world, "a", "b")
    world.tick(2)
    assert [world.sequencer.members[one].measures["players"] for one in ("a", "a~1")] == [1, 0]
    [player] = world.state("@players")["players"].objects
    refused = world.ask("@players", "transition_player", player_id=player, source_realm="a", target_realm="a~1")
    assert not refused["success"] and "a~1" in refused["message"]
    assert PLAYER_ROSTER in world.sequencer.members["a~1"].contract.handles


def test_a_copy_that_goes_back():
    world = trio()
    world.tick(3)
    fork(world, *TRIO)
    document, local_tick = world.seat("a~1").capture(), world.sequencer.members["a~1"].local_tick
    world.tick(3)
    came = world.do(RevertGame("a~1", 3, local_tick, document))
    assert came["local_tick"] == local_tick
    assert world.sequencer.members["a"].local_tick == local_tick + 30
    assert world.conserved()


def test_no_delay_goes_through_the_wall():
    world = trio()
    fork(world, *TRIO)
    world.do(SetDelay("a~1", "b~1", 5))
    assert (world.sequencer.post.delays, world.sequencer.posts[1].delays) == ({}, {("a", "b"): 5})
    with pytest.raises(CommandRefusedError, match="a fork's wall is between"):
        world.do(SetDelay("a", "b~1", 5))


def test_windows_go_through_forks():
    fast, slow = trio(lookahead_control_ticks=5), trio(lookahead_control_ticks=5)
    for world in (fast, slow):
        world.tick(5)
        fork(world, *TRIO, count=2, divergent=True)
    lived: list[TickRecord] = []
    while len(lived) < 20:
        fast.perform(control_ticks_script(fast.sequencer, 20 - len(lived), lived))
    slow.tick(20)
    assert fast.sequencer.chain == slow.sequencer.chain


def test_the_tables_hold_forks():
    world, other = trio(), World(registry=False)
    world.tick(4)
    fork(world, *TRIO, count=2, divergent=True)
    world.tick(3)
    world.fleet.checkpoint()
    restore_tables(other.sequencer, tables_of(world.sequencer))
    other.fleet.restore(world.fleet.tables())
    assert other.sequencer.transit_digest() == world.sequencer.transit_digest()
    world.tick(5)
    other.tick(5)
    assert other.sequencer.chain == world.sequencer.chain
    assert other.conserved()


def test_everything_of_a_domain_is_in_the_digest():
    def ends():
        for change in (
            lambda world: None,
            lambda world: fork(world, "a"),
            lambda world: fork(world, "a", divergent=True),
            lambda world: fork(world, "a", "b"),
            lambda world: (fork(world, "a"), world.do(DropFork(1))),
            lambda world: (fork(world, "a"), world.sequencer.posts[1].subscribe("a", "note")),
            lambda world: (fork(world, "a"), world.sequencer.posts[1].bury(one_event(world), "a", "x", 1)),
        ):
            world = trio()
            world.tick(3)
            change(world)
            yield world.digest()

    found = list(ends())
    assert len(set(found)) == len(found)


def one_event(world):
    return next(world.sequencer.post.in_flight())


def test_forks_of_forks_to_depth_fifty():
    world = trio()
    world.tick(2)
    ids = TRIO
    for depth in range(1, 51):
        [made] = fork(world, *ids)
        ids = tuple(made["realms"].values())
        assert made["fork"] == depth
    world.tick(3)
    assert digests(world, 50) == digests(world, 17) == digests(world)
    seed = 20261121
    print("seed", seed)
    numbers = list(world.sequencer.domains)
    Random(seed).shuffle(numbers)
    for number in numbers:  # in any order: nobody else notices
        before = digests(world)
        world.do(DropFork(number))
        assert world.conserved()
        assert digests(world) == before
    assert list(world.sequencer.members) == ["@players", *TRIO]


def test_a_thousand_changes_in_a_fork_never_reach_its_parent():
    seed = 7_2026
    print("seed", seed)
    chance, alone, watched = Random(seed), trio(), trio()
    for world in (alone, watched):
        world.tick(3)
    fork(watched, *TRIO)
    ids = ("a~1", "b~1", "c~1")
    for number in range(1_000):
        match chance.randrange(5):
            case 0:
                watched.queue(chance.choice(ids), data={"minted": 1})
            case 1:
                watched.ask(chance.choice(ids), "@modify", **{"book.gold": chance.randrange(1_000)})
            case 2:
                watched.ask(chance.choice(ids), "say", target=chance.choice([*TRIO, *ids, "nobody"]))
            case 3:
                watched.ask(chance.choice(ids), "shout")
            case _:
                watched.unsubscribe(chance.choice(ids), "gossip")
        if number % 50 == 0:
            alone.tick()
            watched.tick()
            assert digests(watched) == digests(alone)
            assert watched.conserved()
    assert watched.heard("a") == alone.heard("a")


@pytest.mark.parametrize(
    "command",
    [
        ForkGames(("a",), divergent=1),
        ForkGames(("a",), divergent=object()),
        ForkGames(["a"], 1, None),
        DropFork(True),
        RemoveGame("a", None),
        ForkGames(("a",), modifications=({"a": "text"},)),
        ForkGames(("a",), 10**30),
    ],
)
def test_what_the_journal_could_not_give_back_is_refused(command):
    world = trio()
    world.tick(2)
    fork(world, "a")
    position, before = world.sequencer.position, world.digest()
    with pytest.raises(CommandRefusedError, match=r"cannot be written down|from 1 to"):
        world.do(command)
    assert (world.sequencer.position, world.digest()) == (position, before)
    world.tick()


def test_what_a_fork_has_no_room_for_is_in_the_books():
    """Mail from beyond the wall is let go of at once where no dead letters are kept; what it carried was copied, and is lost."""
    world = World(registry=False, dead_letters_max=0)
    world.register("a", "small:Scribe", gold=5)
    world.register("b", "small:Scribe", gold=50, peers=["a"])
    world.tick(3)
    fork(world, "a")
    assert world.sequencer.posts[1].lost["gold"] > 0
    assert world.conserved()
    world.tick(3)
    world.do(DropFork(1))
    assert world.conserved()
