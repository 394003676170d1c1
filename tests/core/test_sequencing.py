"""The sequencer: who hears what, when and in which order."""

from typing import Any

import pytest
from harness import World
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.kernel.addresses import OUTSIDE, RealmCoordinate
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import Boundary, MemberSpec, QueueEvent, RegisterGame
from actors.core.kernel.errors import (
    AddressError,
    CommandRefusedError,
    DuplicateMemberError,
    EventRefusedError,
    FactoryError,
    UnknownMemberError,
)
from actors.core.kernel.events import Event
from actors.core.kernel.postings import Post


def world_of(*realms: str, **settings: Any) -> World:
    world = World(registry=False, **settings)
    for realm in realms:
        world.register(realm)
    return world


def who_said(world: World, realm: str) -> list[tuple[str, int]]:
    return [(source, sequence) for _, source, sequence, *_ in world.heard(realm)]


# --------------------------------------------------------------------------------------------------------------- timing


def test_what_is_sent_in_one_control_tick_is_heard_in_the_first_local_tick_of_the_next() -> None:
    world = world_of("a", "b")
    world.tick()
    world.queue("a", data={"answer": "b"}, event_id="e")
    assert world.tick().flows == ((OUTSIDE, "a", "note", 1),)
    assert world.heard("a") == [[10, OUTSIDE, 3, "note", "e", ""]]
    assert world.heard("b") == []
    record = world.tick()
    assert (record.control_tick_id, record.flows) == (3, (("a", "b", "note", 1),))
    assert world.heard("b") == [[20, "a", 0, "note", "a#0", "e"]]


def test_deliver_at_is_kept_to_the_tick() -> None:
    world = world_of("a", "b")
    world.ask("a", "say", target="b", deliver_at=3)
    world.ask("a", "say", target="b")
    world.queue("b", deliver_at=2)
    world.tick(4)
    assert [(tick, source) for tick, source, *_ in world.heard("b")] == [(0, "a"), (10, OUTSIDE), (20, "a")]


def test_a_command_round_takes_no_time() -> None:
    world = world_of("a", "b")
    world.tick()
    world.ask("a", "say", target="b")
    assert world.sequencer.members["a"].local_tick == 10
    assert world.sequencer.boundary == Boundary("main", 1, 3)
    world.tick()
    assert world.heard("b")[0][0] == 10


def test_a_member_may_write_to_itself() -> None:
    world = world_of("a")
    world.ask("a", "say", target="a")
    world.tick()
    assert who_said(world, "a") == [("a", 0)]


# ---------------------------------------------------------------------------------------------------------------- order


def test_the_order_at_a_receiver_is_by_source_and_sequence() -> None:
    world = world_of("b", "a", "\u00e9", "z", "Z")
    world.queue("z")
    for realm in ("z", "\u00e9", "b", "a", "b", "Z"):
        world.ask(realm, "say", target="z")
    world.tick()
    assert who_said(world, "z") == [
        *((OUTSIDE, 6), ("Z", 0), ("a", 0), ("b", 0), ("b", 1), ("z", 0), ("\u00e9", 0)),
    ]


def test_events_from_outside_are_ordered_by_journal_position_whatever_they_claim() -> None:
    world = world_of("x", "a")
    first = world.do(QueueEvent("zz", "a", "x", "note", encode({})))
    world.subscribe("a", "note")
    second = world.do(QueueEvent("aa", "@nobody", "x", "note", encode({})))
    assert [first["event_id"], second["event_id"]] == ["zz", "aa"]
    assert world.queue("x")["event_id"] == "@outside#6"
    world.tick()
    assert [(source, sequence, event_id) for _, source, sequence, _, event_id, _ in world.heard("x")] == [
        *((OUTSIDE, 3, "zz"), (OUTSIDE, 5, "aa"), (OUTSIDE, 6, "@outside#6")),
    ]


def chain_of(shuffle: int | None, ticks: int = 12, **more: Any) -> bytes:
    world = busy_world(shuffle=shuffle, **more)
    world.tick(ticks)
    return world.sequencer.chain


def busy_world(**more: Any) -> World:
    world = World(**more)
    names = ["d", "b", "a", "c", "e"]
    for at, name in enumerate(names):
        world.register(name, gold=50, peers=names, period=1 + (at == 3) * 2)
    world.register("box", "small:Letterbox")
    for at, name in enumerate(names):
        world.queue(name, data={"answer": "box"}, deliver_at=1 + at, carries=(("gold", at),))
    world.ask("@players", "create_player", player_name="Alice", character_race="human", starting_realm="a")
    world.ask("a", "shout")
    return world


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_the_order_in_which_outboxes_arrive_leaves_no_trace(shuffle: int) -> None:
    assert chain_of(shuffle) == chain_of(None)


def test_another_seed_is_another_history() -> None:
    assert chain_of(None, seed=7) != chain_of(None, seed=8)


def test_the_order_in_which_members_were_registered_leaves_no_trace_in_what_is_heard() -> None:
    heard = []
    for names in ("abc", "cab"):
        world = world_of(*names)
        for name in "bca":
            world.ask(name, "say", target="a")
        world.tick()
        heard.append(who_said(world, "a"))
    assert heard[0] == heard[1] == [("a", 0), ("b", 0), ("c", 0)]


# ---------------------------------------------------------------------------------------------- subscriptions and members


def test_unicast_needs_no_subscription() -> None:
    world = world_of()
    for name in "ab":
        world.register(name, subscriptions=())
    world.ask("a", "say", target="b", event_type="gossip")
    world.tick()
    assert (who_said(world, "a"), who_said(world, "b")) == ([], [("a", 0)])


def test_a_broadcast_goes_to_subscribers_only_the_source_included() -> None:
    world = world_of("a", "b", "c")
    world.unsubscribe("c", "gossip")
    world.unsubscribe("c", "gossip")
    world.subscribe("b", "gossip")
    world.subscribe("b", "gossip")
    world.ask("a", "shout")
    record = world.tick()
    assert record.events_propagated == 2, "deliveries, not events"
    assert record.flows == (("a", "a", "gossip", 1), ("a", "b", "gossip", 1))
    assert [who_said(world, name) for name in "abc"] == [[("a", 0)], [("a", 0)], []]


def test_the_subscribers_are_those_at_the_time_of_delivery() -> None:
    world = world_of("a", "b")
    world.ask("a", "shout")
    world.unsubscribe("b", "gossip")
    world.register("c")
    world.tick()
    assert [len(world.heard(name)) for name in "abc"] == [1, 0, 1]


def test_a_broadcast_from_outside_goes_to_subscribers() -> None:
    world = world_of("a", "b")
    world.queue(None, "gossip")
    world.tick()
    assert [who_said(world, name) for name in "ab"] == [[(OUTSIDE, 3)]] * 2


def test_a_broadcast_that_nobody_subscribed_to_is_no_dead_letter() -> None:
    world = World(registry=False)
    world.register("a", subscriptions=())
    world.ask("a", "shout")
    assert world.tick().events_propagated == 0
    assert world.reasons() == []


def test_what_nobody_handles_cannot_be_subscribed_to() -> None:
    world = world_of("a")
    with pytest.raises(EventRefusedError, match="no member handles events of type 'opera'; handled: gossip, note"):
        world.subscribe("a", "opera")
    with pytest.raises(CommandRefusedError, match=r"does not handle \['opera'\]"):
        world.register("b", subscriptions=("opera", "note"))
    with pytest.raises(UnknownMemberError):
        world.subscribe("b", "note")


def test_a_member_with_a_period_lives_all_its_time_at_once() -> None:
    world = world_of("a")
    world.register("slow", period=3)
    seen = []
    for tick in range(1, 8):
        world.queue("slow", event_id=f"e{tick}")
        record = world.tick()
        seen.append(
            (
                record.games_synced,
                world.sequencer.members["slow"].local_tick,
                len(world.heard("slow")),
                record.events_propagated,
            )
        )
    assert seen == [
        (1, 0, 0, 0),
        (1, 0, 0, 0),
        (2, 30, 3, 3),
        (1, 30, 3, 0),
        (1, 30, 3, 0),
        (2, 60, 6, 3),
        (1, 60, 6, 0),
    ]
    assert [event_id for *_, event_id, _ in world.heard("slow")] == ["e1", "e2", "e3", "e4", "e5", "e6"]
    assert world.game_state("slow") == "running"
    assert [row[:2] for row in record.rows] == [("a", 70)]


def test_mail_that_waits_through_a_period_is_ordered_as_one() -> None:
    world = world_of("a", "b")
    world.register("slow", period=2)
    world.ask("b", "say", target="slow")
    world.tick()
    world.ask("a", "say", target="slow")
    world.tick()
    assert who_said(world, "slow") == [("a", 0), ("b", 0)]


def test_an_event_driven_member_wakes_for_mail_and_commands() -> None:
    world = world_of("a")
    world.register("box", "small:Letterbox")
    assert world.game_state("box") == "booting"
    record = world.tick(2)
    assert (record.games_synced, world.game_state("box"), world.sequencer.members["box"].number) == (1, "running", 0)
    world.ask("a", "say", target="box")
    record = world.tick()
    assert [tick for tick, *_ in world.heard("box")] == [0]
    assert (world.game_state("box"), world.sequencer.members["box"].local_tick) == ("running", 0)
    assert (record.games_synced, [row[0] for row in record.rows]) == (1, ["a"])
    number = world.sequencer.members["box"].number
    world.tick(2)
    assert world.sequencer.members["box"].number == number


# -------------------------------------------------------------------------------------------------------- dead letters


def test_a_members_bad_sends_are_dead_letters() -> None:
    world = world_of("a")
    world.tick(2)
    world.ask("a", "say", target="nowhere")
    world.ask("a", "say", target="a", deliver_at=2)
    world.ask("a", "say", target="a", event_type="unheard")
    world.tick()
    assert world.reasons() == [
        "no such member",
        "deliver_at 2 is not after control tick 2",
        "it does not handle 'unheard'",
    ]
    assert [(letter.target, letter.control_tick) for letter in world.sequencer.post.dead_letters] == [
        *(("nowhere", 2), ("a", 2), ("a", 3)),
    ]
    assert world.heard("a") == []


def test_a_target_gone_by_delivery_time() -> None:
    world = world_of("a", "b")
    world.ask("a", "say", target="b")
    world.ask("a", "say", target="b", deliver_at=3)
    world.remove("b")
    world.tick(3)
    assert world.reasons() == ["no such member"] * 2


def test_mail_that_waits_in_a_removed_members_box() -> None:
    world = world_of("a")
    world.register("slow", period=5)
    world.ask("a", "say", target="slow")
    world.tick()
    world.remove("slow")
    assert world.reasons() == ["the member was removed"]
    assert world.sequencer.post.pending() == 0


def test_mail_for_a_member_in_error_and_mail_that_broke_it() -> None:
    world = world_of("a", "b")
    world.queue("b", data={"poison": True})
    world.ask("a", "say", target="b")
    world.tick()
    world.ask("a", "shout")
    world.tick()
    assert [letter.event.source for letter in world.sequencer.post.dead_letters] == [OUTSIDE, "a", "a"]
    assert [reason.partition(":")[0] for reason in world.reasons()] == ["it was discarded"] * 2 + ["it is in error"]
    assert who_said(world, "a") == [("a", 1)], "the others hear the broadcast"


def test_a_full_inbox() -> None:
    world = world_of("a", "b", inbox_events_max=2)
    for _ in range(3):
        world.ask("a", "say", target="b")
    world.queue("a")
    assert world.tick().events_propagated == 3
    assert world.reasons() == ["its inbox is full (2 events)"]
    assert [len(world.heard(name)) for name in "ab"] == [1, 2]
    assert world.sequencer.post.dead_letters[0].event.sequence == 2, "those that come last in the order"


def test_dead_letters_beyond_the_limit_are_counted_and_what_they_carried_is_lost() -> None:
    world = world_of("a", "b", dead_letters_max=2)
    world.register("void")
    for at in range(5):
        world.queue("void", carries=(("gold", 10**at),))
    world.remove("void")
    world.tick()
    post = world.sequencer.post
    assert (len(post.dead_letters), post.dead_letters_count, post.lost) == (2, 5, {"gold": 111})
    assert world.sequencer.conservation() == {"gold": (11000, 11000)}


def test_no_dead_letters_may_be_kept_at_all() -> None:
    world = world_of("a", dead_letters_max=0)
    world.ask("a", "say", target="nowhere")
    assert (len(world.sequencer.post.dead_letters), world.sequencer.post.dead_letters_count) == (0, 1)


def test_the_audit_is_what_was_delivered() -> None:
    world = busy_world()
    world.queue("a", data={"poison": True}, deliver_at=4)
    delivered = sum(world.tick().events_propagated for _ in range(10))
    assert (
        delivered == sum(world.sequencer.totals.delivered_by_type.values()) == world.sequencer.totals.events_propagated
    )
    assert delivered > 30


# ---------------------------------------------------------------------------------------------------------- from outside


@pytest.mark.parametrize(
    ("event", "error", "words"),
    [
        ({"target": "nowhere"}, UnknownMemberError, "'nowhere' is not registered; registered: a"),
        ({"event_type": "opera"}, EventRefusedError, "a does not handle 'opera'; it handles gossip, note"),
        ({"target": None, "event_type": "opera"}, EventRefusedError, "no member handles"),
        ({"event_id": "used"}, EventRefusedError, "queued before"),
        ({"event_id": "a#0"}, EventRefusedError, "'#'"),
        ({"deliver_at": 1}, EventRefusedError, "not in the future"),
        ({"deliver_at": 0}, EventRefusedError, "not in the future"),
        ({"deliver_at": -5}, EventRefusedError, "not in the future"),
        ({"deliver_at": True}, EventRefusedError, "not in the future"),
        ({"deliver_at": 2.5}, EventRefusedError, "not in the future"),
        ({"carries": (("gold", -1),)}, EventRefusedError, "whole number"),
        ({"carries": (("gold", 1.5),)}, EventRefusedError, "whole number"),
        (
            {"target": None, "event_type": "gossip", "carries": (("gold", 1),)},
            EventRefusedError,
            "broadcast cannot carry",
        ),
    ],
    ids=str,
)
def test_a_bad_event_from_outside_is_refused_and_nothing_has_changed(
    event: dict[str, Any], error: type[Exception], words: str
) -> None:
    world = world_of("a")
    world.queue("a", event_id="used")
    world.tick()
    before = standing(world)
    with pytest.raises(error, match=words):
        world.queue(**{"target": "a"} | event)
    assert standing(world) == before


def standing(world: World) -> tuple[Any, ...]:
    sequencer = world.sequencer
    return (
        sequencer.boundary,
        sequencer.transit_digest(),
        sequencer.post.pending(),
        len(sequencer.journal),
        world.digest(),
        world.fleet.whereabouts().keys(),
    )


def test_an_id_stays_used_after_its_event_was_heard() -> None:
    world = world_of("a")
    world.queue("a", event_id="e")
    world.tick(3)
    with pytest.raises(EventRefusedError, match="used once"):
        world.queue("a", event_id="e")


SPEC = MemberSpec("small:Scribe", encode({}))


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (RegisterGame("a", "a:b:c:0", "t", SPEC), DuplicateMemberError),
        (RegisterGame("b", "c:b:c:0", "t", SPEC), CommandRefusedError),
        (RegisterGame("b", "b:b:c", "t", SPEC), AddressError),
        (RegisterGame("@b", "@b:b:c:0", "t", SPEC), AddressError),
        (RegisterGame("", ":b:c:0", "t", SPEC), AddressError),
        (RegisterGame("b", "b:b:c:0", "", SPEC), AddressError),
        (RegisterGame("b", "b:b:c:0", "t", SPEC, period=0), CommandRefusedError),
        (RegisterGame("b", "b:b:c:0", "t", SPEC, period=True), CommandRefusedError),
        (RegisterGame("b", "b:b:c:0", "t", SPEC, subscriptions=("opera",)), CommandRefusedError),
        (RegisterGame("b", "b:b:c:0", "t", MemberSpec("small:Nothing", encode({}))), FactoryError),
        (RegisterGame("b", "b:b:c:0", "t", MemberSpec("nowhere:Scribe", encode({}))), FactoryError),
        (RegisterGame("b", "b:b:c:0", "t", MemberSpec("small", encode({}))), FactoryError),
        (RegisterGame("b", "b:b:c:0", "t", MemberSpec("small:raising_factory", encode({}))), FactoryError),
        (RegisterGame("b", "b:b:c:0", "t", MemberSpec("small:Scribe", encode({"x": 1}))), FactoryError),
    ],
    ids=lambda case: getattr(case, "__name__", None) or str(case)[13:70],
)
def test_a_bad_registration_is_refused_and_nothing_has_changed(command: RegisterGame, error: type[Exception]) -> None:
    world = world_of("a")
    world.tick()
    before = standing(world)
    with pytest.raises(error):
        world.do(command)
    assert standing(world) == before
    world.register("b")


def test_a_registered_realm_boots_and_then_runs() -> None:
    world = World(registry=False)
    assert world.register("a") == {"realm_id": "a", "kind": "scribe", "recovery": "captured", "notes": ""}
    assert world.game_state("a") == "booting"
    assert world.sequencer.members["a"].registration.stat7_key == RealmCoordinate("a").key  # type: ignore[union-attr]
    world.tick()
    assert world.game_state("a") == "running"


def test_journal_positions_grow_by_one() -> None:
    world = busy_world()
    world.tick(2)
    with pytest.raises(CommandRefusedError):
        world.ask("a", "refuse")
    with pytest.raises(UnknownMemberError):
        world.ask("nobody", "refuse")
    world.remove("e", "a")
    journal = world.sequencer.journal
    assert [entry.position for entry in journal] == [*range(1, len(journal) + 1)]
    assert world.sequencer.position == len(journal)
    assert [entry.control_tick for entry in journal][-2:] == [2, 2]
    assert sorted(entry.control_tick for entry in journal) == [entry.control_tick for entry in journal]


# ---------------------------------------------------------------------------------------------------- cascades, metrics


def test_a_cascade_is_found_across_realms_from_any_of_its_events() -> None:
    world = World(registry=False)
    world.register("a", "small:Ring", next_realm="b")
    world.register("b", "small:Ring")
    world.queue("a", "token", event_id="first")
    world.tick(2)
    steps = [
        (step.event_id, step.cause, step.where, step.target, step.depth)
        for step in world.sequencer.cascades.of("first")
    ]
    assert steps[0] == ("first", "", OUTSIDE, "a", 0)
    caused = {event_id for event_id, *_ in steps}
    assert all(cause in caused for _, cause, *_ in steps[1:])
    assert [depth for _, _, where, target, depth in steps if where == target == "b"] == [1, 2, 3, 4, 5]
    assert [depth for _, _, where, target, depth in steps if where == target == "a"] == [1, 2, 3, 4, 5]
    assert ("a", "b") in {(where, target) for _, _, where, target, _ in steps}
    assert world.sequencer.totals.cascades_cut == 2
    last = steps[-1][0]
    assert world.sequencer.cascades.of(last) == world.sequencer.cascades.of("first")
    assert world.sequencer.cascades.of("unknown") == []


def test_traces_are_forgotten_oldest_first() -> None:
    world = world_of("a", traces_max=3)
    for at in range(5):
        world.queue("a", event_id=f"e{at}", cause="e0")
    known = [bool(world.sequencer.cascades.of(f"e{at}")) for at in range(5)]
    assert known == [False, False, True, True, True]
    assert world_of("a", traces_max=0).sequencer.cascades.of("e") == []


def test_traces_are_no_part_of_history() -> None:
    assert chain_of(None, traces_max=0) == chain_of(None, traces_max=100_000)


def test_a_record_tells_what_came_of_a_tick() -> None:
    world = world_of("a", "b")
    world.queue("a")
    record = world.tick()
    assert (record.control_tick_id, record.games_synced, record.events_propagated) == (1, 2, 1)
    assert record.rows == (("a", 10, {"heard": 1.0}), ("b", 10, {"heard": 0.0}))
    assert record.members.keys() == {"a", "b"}
    assert record.failures == ()
    assert len(record.digest) == len(record.transit) == 32


def test_an_empty_multiverse_ticks() -> None:
    world = World(registry=False)
    record = world.tick(3)
    assert (record.control_tick_id, record.games_synced, record.events_propagated) == (3, 0, 0)


def test_what_is_under_way_to_a_member_is_told_in_order() -> None:
    world = world_of("a", "b")
    world.ask("b", "say", target="a", deliver_at=3)
    world.ask("a", "shout")
    world.queue("a")
    assert [event.source for event in world.sequencer.in_flight_to("a")] == [OUTSIDE, "a", "b"]
    assert [event.source for event in world.sequencer.in_flight_to("b")] == ["a"]
    assert world.sequencer.post.pending() == 3


@given(st.permutations(range(6)), st.integers(1, 3))
def test_the_post_hears_nothing_of_the_order_in_which_it_was_fed(sequence: list[int], batch: int) -> None:
    events = [
        Event(f"e{at}", "ab"[at % 2], at, ("x", None, "y")[at % 3], "note", b"\x80", 0, 1 + at % 2) for at in range(6)
    ]
    outcomes = []
    for given_order in (range(6), sequence):
        post = Post(2, 10)
        for member_id in "xy":
            post.subscribe(member_id, "note")
        fed = [events[at] for at in given_order]
        for at in range(0, 6, batch):
            post.add(fed[at : at + batch])
        before = post.digest()
        post.deliver(1, lambda member_id, event_type: "")
        post.deliver(2, lambda member_id, event_type: "it is in error" if member_id == "y" else "")
        outcomes.append((before, post.digest(), list(post.dead_letters), post.take("x"), post.take("y")))
    assert outcomes[0] == outcomes[1]
