"""Instances: four platforms behind a wall of their own, from creation to the end, as a driver sees them."""

import pytest

from actors.core.kernel.errors import (
    AddressError,
    CallerError,
    CommandRefusedError,
    DuplicateMemberError,
    FactoryError,
    MemberError,
    UnknownMemberError,
)
from actors.core.kernel.instances import PLATFORM_ROLES
from orchestration import Multiverse
from tests.conftest import REALMS

SMALL = dict.fromkeys(PLATFORM_ROLES, "small_platforms:Platform")


def small(**more):
    return Multiverse(1, engine="local", realm_paths=[REALMS], **more)


@pytest.fixture
def mv():
    with small() as found:
        yield found


@pytest.fixture
def kept(tmp_path):
    with small(name="m", vault=tmp_path / "m.sqlite") as found:
        yield found


def digest_of(mv, who):
    return mv._call("domain_digest", mv.instance(who).fork)


def local_ticks(mv):
    return {game["realm_id"]: game["local_tick"] for game in mv.status().state["games"]}


# ------------------------------------------------------------------------------------------------------------ beginning


def test_an_instance_is_found_by_its_id_and_by_its_name(mv):
    made = mv.create_instance("alpha", factories=SMALL)
    assert (made.instance_id, made.name, made.phase) == ("i1", "alpha", "started")
    assert made.members == {role: f"{role}~1" for role in sorted(PLATFORM_ROLES)}
    assert mv.instance("alpha") == mv.instance("i1") == mv.instance(made) == made == mv.instances()[0]


def test_it_is_created_initialized_and_started_one_after_the_other_and_twice_is_once(mv):
    mv.create_instance("alpha", factories=SMALL, phase="created")
    with pytest.raises(CommandRefusedError, match="not initialized yet"):
        mv.start_instance("alpha")
    mv.run(2)
    assert set(local_ticks(mv).values()) == {0}
    assert mv.initialize_instance("alpha")["changed"]
    assert mv.initialize_instance("alpha")["note"] == "alpha is initialized already; nothing was done"
    assert mv.query("runtime~1", "all") == {"sum": 0, "possessed": 0}
    assert mv.state_of("runtime~1")["all"].objects["it"]["born"]
    assert mv.start_instance("alpha")["changed"]
    assert "already" in mv.start_instance("alpha")["note"]
    mv.run(3)
    assert set(local_ticks(mv).values()) == {30}


def test_two_instances_live_lives_of_their_own(mv):
    for name in ("alpha", "beta"):
        mv.create_instance(name, factories=SMALL)
    mv.run(5)
    sums = {one: mv.query(f"runtime~{one}", "all")["sum"] for one in (1, 2)}
    assert sums[1] != sums[2]
    assert {mv.state_of(f"{role}~1")["all"].objects["it"]["heard"] > 0 for role in PLATFORM_ROLES} == {True}


def test_a_platform_that_cannot_be_made_leaves_nothing(mv):
    before = mv.digest()
    broken = {**SMALL, "mirror": "small_platforms:Nobody"}
    with pytest.raises(FactoryError, match="mirror~1 could not be made, and nothing has changed"):
        mv.create_instance("alpha", factories=broken)
    assert (mv.instances(), mv.digest(), len(mv.members())) == ([], before, 1)


def test_one_that_fails_as_it_is_initialized_is_gone_again(mv):
    with pytest.raises(MemberError, match="protocol~1 failed in 'initialize'"):
        mv.create_instance("alpha", factories=SMALL, params={"protocol": {"refuses": True}})
    assert mv.instances() == []
    assert [one["member_id"] for one in mv.members()] == ["@players"]
    assert mv.create_instance("alpha", factories=SMALL).instance_id == "i2", "no number is given twice"


@pytest.mark.parametrize(
    ("name", "more", "error", "words"),
    [
        ("alpha", {}, DuplicateMemberError, "there is an instance 'alpha' already"),
        ("i7", {}, AddressError, "is an id"),
        ("", {}, AddressError, "non-empty"),
        ("a:b", {}, AddressError, "':'"),
        ("a" * 65, {}, AddressError, "64 characters"),
        ("@a", {}, AddressError, "'@'"),
        (7, {}, CallerError, "name must be of type str"),
        ("b", {"phase": "awake"}, CommandRefusedError, "created, initialized or started"),
        ("b", {"params": {"heart": {}}}, CommandRefusedError, "the platforms are"),
        ("b", {"params": {"mirror": {"x": {1, 2}}}}, CommandRefusedError, "params of mirror"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_changes_nothing(mv, name, more, error, words):
    mv.create_instance("alpha", factories=SMALL)
    before = mv.digest()
    with pytest.raises(error, match=words):
        mv.create_instance(name, factories=SMALL, **more)
    assert mv.digest() == before


def test_there_are_only_so_many(tmp_path):
    with small(instances_max=2) as mv:
        mv.create_instance("alpha", factories=SMALL)
        with pytest.raises(CommandRefusedError, match="at most 2"):
            mv.fork_instance("alpha", count=2)
        mv.fork_instance("alpha")
        with pytest.raises(CommandRefusedError, match="instances_max"):
            mv.create_instance("beta", factories=SMALL)
        mv.destroy_instance("alpha")
        mv.create_instance("beta", factories=SMALL)


def test_destroyed_it_is_gone_with_everybody_in_it(mv):
    mv.create_instance("alpha", factories=SMALL)
    with pytest.raises(CommandRefusedError, match="is the runtime of instance 'alpha'"):
        mv.remove_game("runtime~1")
    assert mv.destroy_instance("alpha") == sorted(f"{role}~1" for role in PLATFORM_ROLES)
    with pytest.raises(CommandRefusedError, match="there is no instance 'alpha'; there are none"):
        mv.instance("alpha")
    assert len(mv.members()) == 1


# ------------------------------------------------------------------------------------------------------------- standing


def test_frozen_it_gets_no_time_and_its_mail_waits(mv):
    mv.create_instance("alpha", factories=SMALL)
    mv.create_instance("beta", factories=SMALL)
    mv.run(3)
    heard = mv.state_of("runtime~1")["all"].objects["it"]["heard"]
    answer = mv.freeze(["alpha"])
    assert answer == {"frozen": sorted(f"{role}~1" for role in PLATFORM_ROLES), "were_frozen": []}
    mv.run(4)
    ticks = local_ticks(mv)
    assert {ticks[f"{role}~1"] for role in PLATFORM_ROLES} == {30}
    assert {ticks[f"{role}~2"] for role in PLATFORM_ROLES} == {70}
    assert len(mv.in_flight_to("runtime~1")) == 1
    assert mv.freeze(["i1"])["were_frozen"] == answer["frozen"], "twice is once"
    assert mv.unfreeze(["alpha"])["still"] == {}
    mv.run(1)
    assert mv.state_of("runtime~1")["all"].objects["it"]["heard"] > heard
    assert mv.dead_letters() == []


def test_it_thaws_by_itself_after_the_local_ticks_it_would_have_had(mv):
    mv.create_instance("alpha", factories=SMALL)
    mv.freeze(["alpha"], local_ticks=25)
    mv.run(3)
    assert set(local_ticks(mv).values()) == {0}
    mv.run(1)
    assert set(local_ticks(mv).values()) == {10}


def test_causes_stack_and_all_must_lift(mv):
    mv.create_instance("alpha", factories=SMALL)
    mv.freeze(["runtime~1"])
    mv.freeze(["runtime~1"], cause="override")
    assert mv.instance("alpha").stills == {"runtime": ["freeze", "override"]}
    assert mv.unfreeze(["runtime~1"])["still"] == {"runtime~1": ["override"]}
    mv.run(1)
    assert local_ticks(mv)["runtime~1"] == 0
    assert mv.unfreeze(["runtime~1"], cause="override") == {"thawed": ["runtime~1"], "still": {}}
    mv.run(1)
    assert local_ticks(mv)["runtime~1"] == 10


def test_everybody_can_be_frozen_and_windows_of_several_ticks_are_none_then():
    def chain(window):
        with small(lookahead_control_ticks=4, window_control_ticks=window) as mv:
            mv.create_instance("alpha", factories=SMALL)
            mv.run(5)
            mv.freeze(local_ticks=30)
            mv.run(9)
            assert set(local_ticks(mv).values()) == {110}
            return mv.digest_chain()

    assert chain(1) == chain(100)


@pytest.mark.parametrize(
    ("scope", "more", "error", "words"),
    [
        (["gamma"], {}, UnknownMemberError, "no realm 'gamma'"),
        (["@players"], {}, UnknownMemberError, "no realm '@players'"),
        ([], {"local_ticks": -1}, CommandRefusedError, "local ticks"),
        ([], {"local_ticks": True}, CommandRefusedError, "local ticks"),
        ([], {"cause": ""}, CommandRefusedError, "a cause must be"),
        ("alpha", {}, CommandRefusedError, "scope must be a list"),
    ],
)  # fmt: skip
def test_a_freeze_that_may_not_be(mv, scope, more, error, words):
    mv.create_instance("alpha", factories=SMALL)
    before = mv.digest()
    with pytest.raises(error, match=words):
        mv.freeze(scope, **more)
    assert mv.digest() == before


# --------------------------------------------------------------------------------------------------------------- change


def test_several_platforms_are_modified_together_or_not_at_all(mv):
    mv.create_instance("alpha", factories=SMALL)
    mv.run(1)
    assert mv.modify_instance("alpha", {"runtime.all.it.sum": 5, "surface.all.it.gold": 6}) == 2
    assert mv.audit()["conservation"]["gold"] == (6, 6)
    before = {role: mv.state_of(f"{role}~1") for role in PLATFORM_ROLES}
    for changes, words in (
        ({"runtime.all.it.sum": 7, "surface.all.it.sum": -1}, "cannot be made from that state"),
        ({"mirror.all.it.sum": 7, "surface.nothing.it.sum": 1}, "no section 'nothing'"),
        ({"mirror.all.it.sum": 7, "heart.all.it.sum": 1}, "does not begin with a member of 'alpha'"),
        ({}, "at least one path"),
    ):
        with pytest.raises(CommandRefusedError, match=words):
            mv.modify_instance("alpha", changes)
        assert {role: mv.state_of(f"{role}~1") for role in PLATFORM_ROLES} == before


def test_a_realm_is_attached_and_closed_in(mv):
    mv.create_instance("alpha", factories=SMALL)
    for realm_id, peer in (("a", "b"), ("b", "a")):
        mv.register_game(realm_id, "small:Scribe", params={"gold": 5, "peers": [peer]})
    mv.run(3)
    taken_in = mv.attach_game("a", "alpha")
    assert taken_in["realm_id"] == "a"
    assert mv.instance("alpha").attached == {"a": "a"}
    mv.run(8)
    assert {letter["reason"] for letter in mv.dead_letters()} <= {"a was attached to alpha", "forked", "no such member"}
    assert all(here == there for here, there in mv.audit()["conservation"].values())
    (copy,) = mv.fork_instance("alpha")
    assert copy["a"] == f"a~{copy.fork}"
    mv.run(5)
    digests = {game["realm_id"]: game["digest"] for game in mv.status().state["games"]}
    assert all(digests[copy[role]] == digests[one] for role, one in mv.instance("alpha").members.items())
    assert mv.destroy_instance("alpha") == ["a", *sorted(f"{role}~1" for role in PLATFORM_ROLES)]
    assert all(here == there for here, there in mv.audit()["conservation"].values())
    mv.register_game("a", "small:Scribe", params={"gold": 5})
    mv.run(2)


def test_a_realm_with_players_is_not_attached_over_their_heads(mv):
    mv.create_instance("alpha", factories=SMALL)
    for realm_id in ("a", "b"):
        mv.register_game(realm_id, "small:Ring", params={"next_realm": "b"})
    player = mv.players.create_player("Ada", "human", "a").player_id
    with pytest.raises(CommandRefusedError, match="players_to"):
        mv.attach_game("a", "alpha")
    assert mv.instance("alpha").attached == {}
    assert mv.attach_game("a", "alpha", players_to="b")["players_moved"] == [player]
    for again, words in (("a", "closed domain already"), ("runtime~1", "closed domain already"), ("c", "no realm 'c'")):
        with pytest.raises(CallerError, match=words):
            mv.attach_game(again, "alpha")


# ---------------------------------------------------------------------------------------------------------------- copies


def test_a_twin_lives_the_same_life_and_remembers_where_it_left(kept):
    kept.create_instance("alpha", factories=SMALL)
    kept.run(4)
    (twin,) = kept.fork_instance("alpha")
    assert twin.name == "alpha~2"
    assert twin.ancestors == [{"fork": 1, "control_tick": 4, "position": 1, "branch": ""}]
    kept.run(6)
    assert digest_of(kept, twin) == digest_of(kept, "alpha")
    (past,) = kept.fork_instance("alpha", control_tick=2, names=["then"])
    assert past.ancestors == [{"fork": 1, "control_tick": 2, "position": 1, "branch": "main"}]
    assert local_ticks(kept)[past["runtime"]] == 20


def test_copies_differ_by_what_is_changed_in_them_and_divergent_ones_draw_for_themselves(mv):
    mv.create_instance("alpha", factories=SMALL)
    mv.run(2)
    rich, poor = mv.fork_instance("alpha", names=["rich", "poor"], modifications=[{"mirror.all.it.gold": 7}, {}])
    (other,) = mv.fork_instance("alpha", divergent=True)
    mv.run(5)
    assert [mv.state_of(one["mirror"])["all"].objects["it"]["gold"] for one in (rich, poor)] == [7, 0]
    sums = [mv.query(one["runtime"], "all")["sum"] for one in (mv.instance("alpha"), poor, other)]
    assert sums[0] == sums[1] != sums[2]


def test_a_fork_that_may_not_be_changes_nothing(mv):
    mv.create_instance("alpha", factories=SMALL)
    before = mv.digest()
    for more, error, words in (
        ({"names": ["alpha"]}, DuplicateMemberError, "already"),
        ({"names": ["b", "b"]}, DuplicateMemberError, "already"),
        ({"names": ["b"], "count": 2}, CommandRefusedError, "1 names are given for 2 copies"),
        ({"modifications": [{"mirror.all.it.sum": -1}]}, CommandRefusedError, "Nothing was forked"),
        ({"modifications": {"mirror.all.it.sum": 1}}, CommandRefusedError, "must be a list"),
    ):
        with pytest.raises(error, match=words):
            mv.fork_instance("alpha", **more)
        assert mv.digest() == before


def test_whoever_is_possessed_is_free_in_a_copy_and_a_twin_of_the_free_hears_nothing(mv):
    mv.create_instance("alpha", factories=SMALL)
    mv.run(1)
    (free,) = mv.fork_instance("alpha")
    mv.run(1)
    assert digest_of(mv, free) == digest_of(mv, "alpha")
    mv.command("runtime~1", "possess")
    (copy,) = mv.fork_instance("alpha")
    mv.run(1)
    possessed = [mv.query(one["runtime"], "all")["possessed"] for one in (mv.instance("alpha"), free, copy)]
    assert possessed == [1, 0, 0]


def test_a_frozen_instance_is_copied_frozen(mv):
    mv.create_instance("alpha", factories=SMALL)
    mv.freeze(["alpha"])
    (copy,) = mv.fork_instance("alpha")
    mv.run(2)
    assert local_ticks(mv)[copy["runtime"]] == 0
    assert digest_of(mv, copy) == digest_of(mv, "alpha")


# ------------------------------------------------------------------------------------------------------------- its past


def test_it_goes_back_alone_and_what_was_under_way_is_dropped(kept):
    kept.create_instance("alpha", factories=SMALL)
    kept.create_instance("beta", factories=SMALL)
    kept.run(4)
    then = {role: kept.state_of(f"{role}~1") for role in PLATFORM_ROLES}
    kept.run(5)
    answer = kept.revert_instance("alpha", 4)
    assert {role: kept.state_of(f"{role}~1") for role in PLATFORM_ROLES} == then
    assert set(answer["local_ticks"].values()) == {40}
    assert len(answer["dropped"]) == 4
    assert answer["entangled"] == []
    ticks = local_ticks(kept)
    assert (ticks["runtime~1"], ticks["runtime~2"], kept.boundary().control_tick) == (40, 90, 9)
    kept.run(3)
    with kept.at(12) as past:
        assert past.digest_chain() == kept.digest_chain()


def test_it_cannot_go_back_behind_its_birth_or_its_members(kept):
    kept.run(2)
    kept.create_instance("alpha", factories=SMALL)
    kept.register_game("a", "small:Scribe", params={"gold": 5})
    kept.run(2)
    kept.attach_game("a", "alpha")
    kept.run(1)
    before = kept.digest()
    for tick, words in ((1, "had other members"), (4, "had other members"), (9, "reaches from control tick 0")):
        with pytest.raises(CommandRefusedError, match=words):
            kept.revert_instance("alpha", tick)
    assert kept.digest() == before


def test_its_past_is_lived_again_alone(kept):
    kept.create_instance("alpha", factories=SMALL, phase="created")
    kept.create_instance("beta", factories=SMALL)
    chains = {}
    for tick in range(1, 15):
        if tick == 3:
            kept.initialize_instance("alpha")
            kept.start_instance("alpha")
        if tick == 5:
            kept.freeze(local_ticks=15)
        if tick == 9:
            kept.modify_instance("alpha", {"runtime.all.it.sum": 1})
            kept.modify_instance("beta", {"runtime.all.it.sum": 2})
        if tick == 11:
            kept.revert_instance("alpha", 8)
        kept.run(1)
        chains[tick] = (digest_of(kept, "alpha"), kept._call("domain_chain", 1))
    for tick, chain in chains.items():
        with kept.at(tick, realm="runtime~1") as past:
            assert (past.digest(), past.digest_chain()) == chain, tick


def test_a_past_in_which_a_realm_was_attached_is_looked_at_whole(kept):
    from actors.core.kernel.errors import EngineError

    kept.create_instance("alpha", factories=SMALL)
    kept.register_game("a", "small:Scribe", params={"gold": 5})
    kept.run(1)
    kept.attach_game("a", "alpha")
    kept.run(2)
    with pytest.raises(EngineError, match="look at the whole past"):
        kept.at(3, realm="runtime~1")
    with kept.at(3) as past:
        assert past.digest_chain() == kept.digest_chain()


def test_all_of_it_is_there_again_when_the_multiverse_is_taken_up(tmp_path):
    with small(name="m", vault=tmp_path / "m.sqlite") as mv:
        mv.create_instance("alpha", factories=SMALL)
        mv.fork_instance("alpha")
        mv.freeze(["alpha"], local_ticks=50)
        mv.run(3)
        stood = mv.digest(), mv.instances()
        mv.run(4)
        ended = mv.digest_chain()
        mv.revert(3)
        assert (mv.digest(), mv.instances()) == stood
        mv.run(4)
        assert mv.digest_chain() == ended
    with small(name="m", vault=tmp_path / "m.sqlite") as mv:
        assert mv.digest_chain() == ended
        assert mv.instances()[1].ancestors == stood[1][1].ancestors
