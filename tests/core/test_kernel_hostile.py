"""What a member, a driver or a file may do to the kernel, and what it must not come to."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from harness import CHECKPOINT_INTERVAL_GRANTS, Bench, World, asked, mail

from actors.core.kernel.addresses import PLAYERS, RealmCoordinate
from actors.core.kernel.codec import DEPTH_MAX, decode, encode
from actors.core.kernel.commands import MemberCommand, MemberSpec, QueueEvent, RegisterGame
from actors.core.kernel.digests import member_digest
from actors.core.kernel.errors import AddressError, CommandRefusedError, MemberError, SoulfraError
from actors.core.kernel.events import Event, Trace
from actors.core.kernel.members import NONE, Birth, Turn
from actors.core.kernel.states import Records, State, Table, checked_state
from actors.core.kernel.streams import scaled
from actors.core.realms.tick_engines import Realm, command, on

BAD_AT = 25
"""The local tick in which a hostile realm turns bad: in its third control tick."""


class Hostile(Realm):
    """Behaves, until it does not."""

    emits = frozenset({"note"})

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.count = 0
        self.bad = False

    def tick(self, turn: Turn) -> None:
        self.count += 1
        if turn.now == BAD_AT:
            self.bad = True
            self.turn_bad(turn)

    def turn_bad(self, turn: Turn) -> None:
        """What makes it hostile."""

    @command
    def touch(self, turn: Turn) -> None:
        self.count += 1

    def capture(self) -> State:
        return {"hostile": Records({"count": self.count})}

    def restore(self, state: State) -> None:
        self.count = state["hostile"].objects["count"]  # type: ignore[union-attr]


class RestoresNot(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        raise RuntimeError("bad")

    def restore(self, state: State) -> None:
        raise KeyError("never tried before")


class CapturesASet(Hostile):
    def capture(self) -> State:
        return {"hostile": Records({"count": {1} if self.bad else self.count})}


class CapturesTooDeep(Hostile):
    def capture(self) -> State:
        deep: Any = self.count
        for _ in range(DEPTH_MAX - 1 if self.bad else 1):
            deep = [deep]
        return {"hostile": Records({"count": deep})}


class RaisesTheUnprintable(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        class UnprintableError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no words")

        raise UnprintableError


class RaisesASurrogate(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        raise FileNotFoundError("caf\udce9.txt")


class RaisesAFlood(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        raise ValueError("x" * 5_000_000)


class Exits(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        sys.exit(3)


class CountsInNumpy(Hostile):
    def totals(self) -> Any:
        return {"gold": np.int64(3)}


class OwesTooMuch(Hostile):
    def totals(self) -> Any:
        return {"gold": 2**63 if not self.bad else 2**64}


class EntersNumpy(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.enter_ledger("gold", np.int64(3))  # type: ignore[arg-type]


class EntersHalves(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.enter_ledger("gold", 0.5)  # type: ignore[arg-type]


class EntersTooMuch(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.enter_ledger("gold", 2**64)


class SendsToTheEndOfTime(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.send("good", "note", deliver_at=2**64)


class SendsAtHalfPast(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.send("good", "note", deliver_at=7.5)  # type: ignore[arg-type]


class SendsSomeday(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.send("good", "note", deliver_at="someday")  # type: ignore[arg-type]


class CarriesTooMuch(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.send("good", "note", carries={"gold": 2**64})


class CarriesNumbers(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.send("good", "note", carries={7: 2})  # type: ignore[dict-item]


class GivesAnObjectAsCause(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.send("good", "note", cause=object())  # type: ignore[arg-type]


class GivesASurrogateAsCause(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        turn.send("good", "note", cause="\udce9")


class MeasuresNothing(Hostile):
    def measures(self) -> Any:
        return {"mean": float("nan") if self.bad else 1.0}


HOSTILE = [
    *(RestoresNot, CapturesASet, CapturesTooDeep, RaisesTheUnprintable, RaisesASurrogate, RaisesAFlood, Exits),
    *(CountsInNumpy, OwesTooMuch, EntersNumpy, EntersHalves, EntersTooMuch),
    *(SendsToTheEndOfTime, SendsAtHalfPast, SendsSomeday, CarriesTooMuch, CarriesNumbers),
    *(GivesAnObjectAsCause, GivesASurrogateAsCause, MeasuresNothing),
]


@pytest.mark.parametrize("interval", [1, 100])
@pytest.mark.parametrize("kind", HOSTILE, ids=lambda kind: kind.__name__)
def test_one_bad_member_is_its_own_misfortune(kind: type[Hostile], interval: int) -> None:
    world = World(digest_interval_control_ticks=interval)
    world.register("good", gold=5)
    world.register("bad", f"{__name__}:{kind.__name__}")
    world.tick(2)
    world.ask("bad", "touch")
    for _ in range(CHECKPOINT_INTERVAL_GRANTS + 6):
        world.tick()
    good, bad = world.sequencer.members["good"], world.sequencer.members["bad"]
    assert (good.state, good.local_tick) == ("running", 10 * (CHECKPOINT_INTERVAL_GRANTS + 8))
    assert len(world.digest()) == 32
    assert bad.error is None or len(bad.error.message) < 10_000
    assert world.sequencer.post.pending() == 0, "what was sent arrives or is a dead letter"
    world.remove("bad")
    world.tick()


def test_a_missing_mean_is_no_misfortune() -> None:
    bench = Bench(MeasuresNothing)
    for _ in range(3):
        assert bench.grant().failure is None


def test_a_member_that_cannot_be_restarted_says_so() -> None:
    world = World()
    world.register("bad", f"{__name__}:RestoresNot")
    world.tick(3)
    with pytest.raises(SoulfraError, match="never tried before"):
        world.restart("bad")
    assert world.game_state("bad") == "error"
    world.remove("bad")


# ------------------------------------------------------------------------------------------------------- from outside

OUTSIDE: dict[str, dict[str, Any]] = {
    "id": {"event_id": "\udce9"},
    "cause": {"cause": "\udce9"},
    "claim": {"claimed_source": "\udce9"},
    "far": {"deliver_at": 2**64},
    "much": {"carries": (("gold", 2**64),)},
    "twice": {"carries": (("gold", 1), ("gold", 2))},
    "surrogate": {"carries": (("\udce9", 1),)},
    "payload": {"payload": b"\xc1"},
    "list": {"payload": encode([1])},
}


@pytest.mark.parametrize("bad", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_an_event_from_outside_that_cannot_be_written_down_is_refused(bad: dict[str, Any]) -> None:
    event: dict[str, Any] = {
        "event_id": "e",
        "claimed_source": "",
        "target": "good",
        "event_type": "note",
        "payload": encode({}),
    } | bad
    world = World()
    world.register("good")
    untouched(world, lambda: world.do(QueueEvent(**event)))


@pytest.mark.parametrize("payload", [b"", b"\xc1", encode([1]), encode(None), encode("x")], ids=repr)
@pytest.mark.parametrize(("member_id", "verb"), [("good", "say"), (PLAYERS, "create_player")])
def test_a_command_that_is_no_map_is_refused(member_id: str, verb: str, payload: bytes) -> None:
    world = World()
    world.register("good")
    world.tick()
    untouched(world, lambda: world.do(MemberCommand(member_id, verb, payload)), position=False)


@pytest.mark.parametrize("period", [2**64, 1.5, "1"])
def test_a_period_that_cannot_be_written_down_is_refused(period: Any) -> None:
    world = World()
    world.register("good")
    spec = MemberSpec("small:Scribe", encode({}))
    untouched(world, lambda: world.do(RegisterGame("b", RealmCoordinate("b").key, "t", spec, period)))


def untouched(world: World, refused: Callable[[], object], *, position: bool = True) -> None:
    """Whether something is refused as one of our errors, and leaves a clock that still ticks."""
    before = (world.digest(), world.sequencer.position if position else 0)
    with pytest.raises(SoulfraError):
        refused()
    assert (world.digest(), world.sequencer.position if position else 0) == before
    assert world.tick(2).failures == ()


def test_what_no_realm_handles_it_is_not_subscribed_to() -> None:
    world = World()
    world.register("good")
    world.register("ring", "small:Ring")
    with pytest.raises(SoulfraError, match="does not handle"):
        world.subscribe("good", "shout")


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "causes", [{"e0": "e0"}, {"e0": "e1", "e1": "e0"}, {"e0": "e2", "e1": "e0", "e2": "e1"}], ids=str
)
def test_a_circle_of_causes_ends(causes: dict[str, str]) -> None:
    world = World()
    world.register("good")
    for event_id, cause in causes.items():
        world.queue("good", event_id=event_id, cause=cause)
    assert {step.event_id for step in world.sequencer.cascades.of("e0")} == causes.keys()


# ---------------------------------------------------------------------------------------------------------- the seat


class Quarreller(Realm):
    """Does something and then refuses."""

    emits = frozenset({"note"})

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.fired: list[str] = []

    @command
    def enter_and_refuse(self, turn: Turn) -> None:
        turn.enter_ledger("gold", 5)
        raise CommandRefusedError("after all, no.")

    @command
    def emit_and_refuse(self, turn: Turn) -> None:
        self.engine.emit(turn, "within", {})
        raise CommandRefusedError("after all, no.")

    @command
    def emit_what_refuses(self, turn: Turn) -> None:
        self.engine.emit(turn, "two", {})

    @command
    def speak(self, turn: Turn) -> str:
        return turn.broadcast("note")

    @on("within")
    def note(self, turn: Turn, event: Event) -> None: ...

    @on("two")
    def set_off(self, turn: Turn, event: Event) -> None:
        self.engine.emit(turn, "late", {})
        raise CommandRefusedError("not now.")

    @on("late")
    def be_late(self, turn: Turn, event: Event) -> None:
        self.fired.append(event.event_id)

    def capture(self) -> State:
        return {"fired": Records({"fired": list(self.fired)})}

    def restore(self, state: State) -> None:
        self.fired = list(state["fired"].objects["fired"])  # type: ignore[union-attr]


@pytest.mark.parametrize("verb", ["enter_and_refuse", "emit_and_refuse", "emit_what_refuses"])
def test_a_command_that_acts_before_it_refuses_has_not_acted(verb: str) -> None:
    bench = Bench(Quarreller)
    bench.grant()
    before = bench.standing()
    outbox = bench.grant(commands=(asked(verb),), local_ticks=0)
    assert (outbox.ledger, outbox.traces, outbox.events) == ({}, (), ())
    assert bench.standing() == before


def test_what_a_refusing_rule_left_behind_does_not_fire_later() -> None:
    bench = Bench(Quarreller)
    outbox = bench.grant(commands=(asked("emit_what_refuses", "c1"), asked("speak", "c2")), local_ticks=0)
    assert [event.cause for event in outbox.events] in ([], ["c2"])
    bench.grant(mail("within"))
    assert bench.state()["fired"].objects["fired"] == []  # type: ignore[union-attr]


def test_a_member_that_fails_in_its_first_turn_keeps_its_figures() -> None:
    class Measured(Hostile):
        def measures(self) -> dict[str, float]:
            return {"count": self.count}

    bench = Bench(Measured)
    bench.seat._member.advance = None  # type: ignore[assignment, method-assign]
    outbox = bench.grant()
    assert outbox.failure is not None
    assert outbox.measures == {"count": 0.0}


def test_figures_are_python_numbers_from_the_first() -> None:
    class Counted(Hostile):
        def measures(self) -> Any:
            return {"count": np.float32(0.5)}

        def view(self) -> Any:
            return None

    status = Bench(Counted).seat.status()
    assert {type(value) for value in status.measures.values()} == {float}
    assert {type(value) for value in Bench(CountsInNumpy).seat.status().totals.values()} == {int}


def test_a_view_never_goes_back_while_a_member_is_rebuilt() -> None:
    seen: list[int] = []

    class Watched(Hostile):
        def tick(self, turn: Turn) -> None:
            if seen:
                seen.append(bench.seat.query("all", {})["boundary"]["number"])

        @on("stone")
        def trip(self, turn: Turn, event: Event) -> None:
            raise RuntimeError("tripped")

    bench = Bench(Watched)
    for _ in range(5):
        bench.grant()
    bench.grant(mail("stone"))
    seen.append(5)
    bench.seat.status()
    assert len(seen) > 40
    assert seen == sorted(seen)


def test_a_member_without_recovery_is_not_rebuilt() -> None:
    class Fickle(Hostile):
        recovery = NONE

        def turn_bad(self, turn: Turn) -> None:
            raise RuntimeError("bad")

    bench = Bench(Fickle)
    for _ in range(3):
        outbox = bench.grant()
    assert outbox.failure is not None
    with pytest.raises(MemberError, match="cannot be"):
        bench.seat.status()


@pytest.mark.parametrize("exit_kind", [KeyboardInterrupt, GeneratorExit, SystemExit])
def test_whatever_a_member_raises_is_its_own_misfortune(exit_kind: type[BaseException]) -> None:
    """Interrupts from the keyboard never reach a member: the engines run it where they do not."""

    class Leaves(Hostile):
        def turn_bad(self, turn: Turn) -> None:
            if exits:
                raise exits.pop()

    exits = [exit_kind()]
    bench = Bench(Leaves)
    bench.grant()
    before = bench.grant()
    failed = bench.grant()
    assert failed.failure is not None and failed.failure.message == exit_kind.__name__
    assert (failed.digest, failed.local_tick) == (before.digest, before.local_tick)
    again = bench.grant()
    assert again.digest == member_digest("m", "realm", 30, 0, {"hostile": Records({"count": 30})})


def test_a_turn_s_books_cannot_be_forged() -> None:
    forged = Event("b#0", "b", 0, None, "note", b"\x80", 1, 2)
    for forge in (
        lambda turn: turn.events.append(forged),
        lambda turn: turn.trace("junk"),
        lambda turn: turn.trace(Trace("x", "", "note", "m", object(), 1, 2, 0)),
        lambda turn: turn.ledger.update(gold="much"),
        lambda turn: turn.enter_ledger("gold", "much"),
        lambda turn: [turn.enter_ledger("gold", 2**62) for _ in range(2)],
        lambda turn: setattr(turn, "cascades_cut", "many"),
        lambda turn: setattr(turn, "sequence", "next"),
    ):

        class Forger(Hostile):
            def turn_bad(self, turn: Turn, forge: Any = forge) -> None:
                forge(turn)

        bench = Bench(Forger)
        bench.grant(), bench.grant()
        assert bench.grant().failure is not None


def test_a_contract_of_another_shape_is_refused() -> None:
    class Bogus(Hostile):
        recovery = "bogus"

    with pytest.raises(MemberError, match="captured, replayed, none"):
        Bench(Bogus)


def test_a_rule_that_a_subclass_takes_away_is_gone() -> None:
    class Quieter(Quarreller):
        be_late = None  # type: ignore[assignment]

    assert "late" not in Bench(Quieter).seat.contract.handles


# ------------------------------------------------------------------------------------------------------ what history is


class NamesItself(Hostile):
    def turn_bad(self, turn: Turn) -> None:
        raise ValueError(self)


def test_the_words_of_an_error_are_no_part_of_history() -> None:
    kept, chains = [], set()
    for _ in range(2):
        world = World()
        world.register("bad", f"{__name__}:NamesItself")
        world.tick(4)
        assert "object at 0x" in str(world.sequencer.members["bad"].error)
        chains.add(world.sequencer.chain)
        kept.append(world)
    assert len(chains) == 1


def test_a_command_refused_to_a_member_that_boots_leaves_it_booting() -> None:
    world = World()
    before = world.sequencer.transit_digest()
    with pytest.raises(CommandRefusedError):
        world.ask(PLAYERS, "create_player")
    assert world.sequencer.transit_digest() == before


def test_no_event_id_is_given_twice() -> None:
    world = World()
    world.register("good")
    ids = []
    for _ in range(2):
        world.register("r")
        ids.append(world.ask("r", "say", target="good", deliver_at=9))
        world.remove("r")
    assert len(set(ids)) == 2


def test_players_are_not_left_behind_in_a_realm_that_is_removed() -> None:
    world = World()
    world.register("r", "small:Ring")
    world.tick()
    world.ask(PLAYERS, "create_player", player_name="Alice", character_race="elf", starting_realm="r")
    world.seat(PLAYERS)._member.advance = None  # type: ignore[assignment, method-assign]
    world.queue(PLAYERS, "player_experience", {"player_id": "x", "amount": 1})
    world.tick()
    assert world.game_state(PLAYERS) == "error"
    with pytest.raises(SoulfraError, match=PLAYERS):
        world.remove("r")
    world.restart(PLAYERS)
    assert world.sequencer.members[PLAYERS].error is None


# --------------------------------------------------------------------------------------------------- keys, codec, states


@pytest.mark.parametrize("density", ["007", "\u0663", "9" * 5000, "+1", "1_0"], ids=lambda text: text[:6])
def test_a_key_has_one_form(density: str) -> None:
    with pytest.raises(AddressError):
        RealmCoordinate.from_key(f"a:b:c:{density}")


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x91" * 100_000 + b"\xc0",
        b"\x81\x01\x02",
        b"\xd6\xff\0\0\0\1",
        b"\xd4\x05\x00",
        encode(1.0)[:1] + b"\x7f\xf8" + bytes(6),
    ],
    ids=["deep", "number as key", "timestamp", "extension", "NaN"],
)
def test_what_could_not_have_been_written_is_not_read(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"damaged"):
        decode(damaged)


@pytest.mark.parametrize(
    "state",
    [
        {"t": Table({"a": np.array(1)})},
        {"t": Table({"a": np.zeros(2, dtype=np.longdouble)})},
        {"t": Table({"a": [1, 2]})},  # type: ignore[dict-item]
        {"t": Table({"a.b": np.zeros(1)})},
        {"t.a": Records({})},
        {"t": Table({"id": np.zeros((2, 2))}, "id")},
    ],
    ids=["no dimension", "padding", "list", "dot in attribute", "dot in section", "key of two dimensions"],
)
def test_a_state_that_cannot_be_told_apart_is_refused(state: State) -> None:
    with pytest.raises(ValueError, match=r"section|column"):
        checked_state(state)


@pytest.mark.parametrize("bound", [0, -1, 2**32 + 1, 2**64])
def test_a_bound_that_cannot_be_kept_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="bound"):
        scaled(np.array([2**64 - 1], dtype=np.uint64), bound)
