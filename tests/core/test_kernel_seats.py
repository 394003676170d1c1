"""The seat: a grant is carried out once or not at all."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from harness import CHECKPOINT_INTERVAL_GRANTS, Bench, asked, mail
from hypothesis import given
from hypothesis import strategies as st

from actors.core.kernel.codec import decode, encode
from actors.core.kernel.digests import NO_DIGEST, fold, member_digest
from actors.core.kernel.errors import CommandRefusedError, MemberError, ProtocolError
from actors.core.kernel.events import Event
from actors.core.kernel.members import REPLAYED, Birth, Command, Grant, Outbox, Turn
from actors.core.kernel.messages import Answer, answered_as
from actors.core.kernel.seats import TRACEBACK_CHARACTERS_MAX, Seat
from actors.core.kernel.states import Records, State, Table, decode_state
from actors.core.realms.tick_engines import Realm, command, on


class Mill(Realm):
    """Grinds corn in columns, in place; breaks when it is told to."""

    kind = "mill"
    emits = frozenset({"flour"})
    made: ClassVar[int] = 0

    def __init__(self, birth: Birth, *, rows: int = 4) -> None:
        super().__init__(birth)
        Mill.made += 1
        self.corn = np.arange(rows)
        self.said = 0
        self.break_at = -1

    @on("corn")
    def take(self, turn: Turn, event: Event) -> None:
        self.corn += event.data["corn"]
        turn.send("baker", "flour", {"of": event.event_id})

    @on("stone")
    def jam(self, turn: Turn, event: Event) -> None:
        self.corn[:] = -1
        self.said = -1
        turn.broadcast("flour", {})
        turn.enter_ledger("corn", 99)
        raise ZeroDivisionError("a stone in the mill")

    def tick(self, turn: Turn) -> None:
        self.corn *= 3
        self.corn += turn.streams.words("grain", turn.now, len(self.corn)).astype(np.int64) % 10
        self.corn %= 1_000_003
        if turn.now == self.break_at:
            raise ZeroDivisionError("worn out")

    @command
    def add(self, turn: Turn, corn: int) -> int:
        if corn < 0:
            raise CommandRefusedError("corn grows, it does not shrink.")
        self.corn += corn
        self.said += 1
        turn.enter_ledger("corn", corn * len(self.corn))
        return int(self.corn.sum())

    @command
    def see(self, turn: Turn) -> int:
        return int(self.corn.sum())

    @command
    def speak_and_refuse(self, turn: Turn) -> None:
        turn.broadcast("flour")
        raise CommandRefusedError("no more.")

    @command
    def explode(self, turn: Turn) -> None:
        self.corn[:] = -2
        raise RuntimeError("boom")

    @command
    def answer_an_object(self, turn: Turn) -> object:
        return object()

    def capture(self) -> State:
        return {"corn": Table({"corn": self.corn}), "mill": Records({"said": self.said})}

    def restore(self, state: State) -> None:
        corn, mill = state["corn"], state["mill"]
        assert isinstance(corn, Table)
        assert isinstance(mill, Records)
        self.corn, self.said = corn.columns["corn"].astype(np.int64, copy=False), mill.objects["said"]

    def measures(self) -> dict[str, Any]:
        return {"mean": float(self.corn.mean()), "rows": len(self.corn)}

    def totals(self) -> dict[str, int]:
        return {"corn": int(self.corn.sum())}


class ReplayedMill(Mill):
    recovery = REPLAYED

    def restore(self, state: State) -> None:
        raise AssertionError("a replayed member is not restored from a state")


@pytest.fixture(params=[Mill, ReplayedMill])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(request.param)


CORN, STONE = mail("corn", {"corn": 5}), mail("stone")


def test_a_new_member_stands_at_0(bench: Bench) -> None:
    status = bench.seat.status()
    assert (status.number, status.local_tick, status.events, status.failure) == (0, 0, (), None)
    assert status.totals == {"corn": 6}
    assert status.measures == {"mean": 1.5, "rows": 4.0}
    assert status.digest == member_digest("m", "mill", 0, 0, bench.state())


def test_an_outbox_tells_all_that_the_clock_needs(bench: Bench) -> None:
    outbox = bench.grant(CORN)
    assert (outbox.number, outbox.local_tick, outbox.failure) == (1, 10, None)
    assert [(event.event_id, event.sequence, event.cause, event.path) for event in outbox.events] == [
        ("m#0", 0, "e0", ("m",))
    ]
    assert outbox.digest == member_digest("m", "mill", 10, 1, bench.state())
    assert {type(value) for value in outbox.measures.values()} == {float}
    assert {type(value) for value in outbox.totals.values()} == {int}


def test_without_being_asked_no_digest_is_taken_and_nothing_else_changes(bench: Bench) -> None:
    other = Bench(Mill)
    one, two = bench.grant(CORN), other.grant(CORN, digest=False)
    assert two.digest == NO_DIGEST
    assert (one.events, one.totals, one.local_tick) == (two.events, two.totals, two.local_tick)
    assert bench.standing() == other.standing()


# ------------------------------------------------------------------------------------------- grants come once, in order


def test_a_repeated_grant_returns_the_kept_outbox_and_changes_nothing(bench: Bench) -> None:
    bench.grant()
    grant = Grant(1, "main", 2, 2, 10, (CORN,), (asked("add", corn=1),))
    kept = bench.seat.advance(grant)
    before = bench.standing()
    assert bench.seat.advance(grant) is kept
    assert bench.seat.advance(Grant(2, "main", 2, 2, 10)) is kept, "a new clock may ask again, too"
    assert bench.standing() == before


def test_a_repeated_grant_that_failed_fails_alike(bench: Bench) -> None:
    bench.grant()
    failed = bench.grant(STONE)
    assert failed.failure is not None
    assert bench.seat.advance(Grant(1, "main", bench.number, 2, 10, (STONE,))) is failed


@pytest.mark.parametrize(("epoch", "number"), [(1, 4), (1, 1), (1, 0), (1, -1), (0, 3), (0, 2), (2, 4)])
def test_a_gap_and_an_old_clock_are_refused_and_nothing_has_changed(bench: Bench, epoch: int, number: int) -> None:
    bench.grant()
    kept = bench.grant(CORN)
    before = bench.standing()
    with pytest.raises(ProtocolError):
        bench.seat.advance(Grant(epoch, "main", number, 3, 10, (CORN,)))
    assert bench.standing() == before
    assert bench.seat.advance(Grant(1, "main", 2, 2, 10)) is kept
    assert bench.grant().number == 3


def test_the_first_grant_is_number_1(bench: Bench) -> None:
    for number in (0, 2):
        with pytest.raises(ProtocolError):
            bench.seat.advance(Grant(1, "main", number, 1, 10))
    assert bench.grant().number == 1


def test_once_a_new_clock_has_spoken_the_old_one_is_refused(bench: Bench) -> None:
    bench.seat.advance(Grant(5, "main", 1, 1, 10))
    with pytest.raises(ProtocolError, match="epoch 4"):
        bench.seat.advance(Grant(4, "main", 2, 2, 10))


# ------------------------------------------------------------------------------------------------- a turn that is undone


def test_an_exception_discards_the_turn(bench: Bench) -> None:
    bench.grant(CORN)
    before = bench.standing()
    outbox = bench.grant(STONE)
    assert outbox.failure is not None
    assert outbox.failure.message == "ZeroDivisionError: a stone in the mill"
    assert "in jam" in outbox.failure.traceback
    assert len(outbox.failure.traceback) <= TRACEBACK_CHARACTERS_MAX
    assert (outbox.events, outbox.results, outbox.ledger, outbox.traces) == ((), (), {}, ())
    assert (outbox.digest, outbox.local_tick, outbox.totals) == (before[0], before[1], before[3])
    assert bench.standing() == before


def test_a_run_goes_on_as_if_the_failing_tick_had_been_left_out(bench: Bench) -> None:
    other = Bench(Mill)
    chains = [NO_DIGEST, NO_DIGEST]
    for at in range(3 * CHECKPOINT_INTERVAL_GRANTS // 2):
        inbox = (mail("corn", {"corn": at}, number=at),) if at % 3 else ()
        if at % 7 == 6:
            before = bench.seat.status().digest
            failed = bench.grant(*inbox, STONE)
            assert failed.failure is not None
            assert failed.digest == before
            bench.control_tick -= 1
        one, two = bench.grant(*inbox), other.grant(*inbox)
        assert (one.events, one.local_tick, one.totals) == (two.events, two.local_tick, two.totals)
        chains = [fold(chain, outbox.digest) for chain, outbox in zip(chains, (one, two), strict=True)]
        assert chains[0] == chains[1]
    assert bench.seat.capture() == other.seat.capture()


@pytest.mark.parametrize("grants", [n + CHECKPOINT_INTERVAL_GRANTS for n in (-1, 0, 1, CHECKPOINT_INTERVAL_GRANTS)])
def test_undoing_works_on_either_side_of_a_checkpoint(bench: Bench, grants: int) -> None:
    for at in range(grants):
        bench.grant(mail("corn", {"corn": at}), digest=at % 2 == 0)
    before = bench.standing()
    assert bench.grant(STONE, digest=False).failure is not None
    assert bench.standing() == before


def test_the_checkpoint_keeps_the_replay_short() -> None:
    bench = Bench(Mill)
    for _ in range(CHECKPOINT_INTERVAL_GRANTS + 3):
        bench.grant()
    bench.grant(STONE)
    ticked: list[int] = []
    bench.seat._make = lambda birth: watched(Mill(birth), ticked)
    bench.seat.status()
    assert ticked == [*range(10 * CHECKPOINT_INTERVAL_GRANTS, 10 * (CHECKPOINT_INTERVAL_GRANTS + 3))]


def watched(mill: Mill, ticked: list[int]) -> Mill:
    tick: Callable[[Turn], None] = mill.tick

    def note(turn: Turn) -> None:
        ticked.append(turn.now)
        tick(turn)

    mill.tick = note  # type: ignore[method-assign]
    return mill


def test_a_member_is_rebuilt_only_when_it_is_needed(bench: Bench) -> None:
    bench.grant()
    made = Mill.made
    bench.grant(STONE)
    bench.seat.query("all", {})
    assert Mill.made == made
    bench.seat.status()
    assert Mill.made == made + 1
    bench.seat.status(), bench.seat.capture()
    assert Mill.made == made + 1


def test_it_can_fail_again_and_again(bench: Bench) -> None:
    bench.grant(CORN)
    before = bench.standing()
    for _ in range(3):
        assert bench.grant(STONE).failure is not None
    assert bench.standing() == before


def test_it_can_fail_in_its_first_turn(bench: Bench) -> None:
    before = bench.standing()
    outbox = bench.grant(STONE)
    assert outbox.failure is not None
    assert (outbox.digest, outbox.local_tick, outbox.totals) == (before[0], 0, before[3])
    assert bench.standing() == before


def test_a_turn_that_cannot_be_digested_is_undone(bench: Bench) -> None:
    class Changeling(Mill):
        def tick(self, turn: Turn) -> None:
            self.corn = self.corn.astype(complex) if turn.now == 25 else self.corn

    bench = Bench(Changeling)
    bench.grant(), bench.grant()
    before = bench.standing()
    assert "complex128" in str(bench.grant().failure)
    assert bench.standing() == before


@given(st.lists(st.sampled_from(["tick", "corn", "stone", "add", "refuse", "explode"]), max_size=12))
def test_whatever_happens_only_what_succeeded_has_happened(steps: list[str]) -> None:
    bench, other = Bench(Mill), Bench(Mill)
    for step in steps:
        match step:
            case "tick":
                bench.grant(), other.grant()
            case "corn":
                bench.grant(CORN, digest=False), other.grant(CORN)
            case "add":
                bench.ask("add", corn=3), other.ask("add", corn=3)
            case "stone":
                assert bench.grant(CORN, STONE).failure is not None
            case "refuse":
                bench.grant(commands=(asked("add", corn=-1),), local_ticks=0)
            case "explode":
                bench.grant(commands=(asked("add", corn=1), asked("explode")), local_ticks=0, digest=False)
    assert bench.standing() == other.standing()


# ------------------------------------------------------------------------------------------------------------- commands


def test_two_commands_in_one_grant_see_each_other(bench: Bench) -> None:
    outbox = bench.grant(
        commands=(
            asked("add", "c1", corn=1),
            asked("add", "c2", corn=-1),
            asked("see", "c3"),
            asked("add", "c4", corn=2),
        ),
        local_ticks=0,
    )
    assert [result.command_id for result in outbox.results] == ["c1", "c2", "c3", "c4"]
    assert [result.error_code for result in outbox.results] == ["", "command_refused", "", ""]
    assert [decode(result.payload) for result in outbox.results if result.payload] == [10, 10, 18]
    assert outbox.ledger == {"corn": 12}
    assert outbox.local_tick == 0


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (asked("add", corn=-1), "does not shrink"),
        (asked("add"), "missing a required argument: 'corn'"),
        (asked("add", corn=1, oats=2), "unexpected keyword argument 'oats'"),
        (asked("add", corn=1, self=2), "'self'"),
        (asked("add", corn=1, turn=2), "'turn'"),
        (Command("c", "add", encode([1])), "mapping"),
        (Command("c", "add", encode(None)), "mapping"),
        (asked("fly"), "no command 'fly'"),
        (asked("take"), "no command 'take'"),
        (asked("__init__"), "no command '__init__'"),
    ],
    ids=str,
)
def test_a_refused_command_changes_nothing(bench: Bench, refused: Command, words: str) -> None:
    bench.grant(CORN)
    before = bench.standing()
    outbox = bench.grant(commands=(refused,), local_ticks=0)
    assert outbox.failure is None
    assert outbox.results[0].error_code == "command_refused"
    assert words in outbox.results[0].error_message
    assert (outbox.digest, outbox.ledger, outbox.events) == (before[0], {}, ())
    assert bench.standing() == before


@pytest.mark.parametrize("verb", ["explode", "speak_and_refuse", "answer_an_object"])
def test_a_command_that_fails_undoes_the_whole_round(bench: Bench, verb: str) -> None:
    bench.grant(CORN)
    before = bench.standing()
    outbox = bench.grant(commands=(asked("add", "c1", corn=1), asked(verb, "c2")), local_ticks=0, digest=False)
    assert outbox.failure is not None
    assert outbox.results == ()
    assert outbox.digest == before[0]
    assert bench.standing() == before


def test_a_failure_after_undigested_commands_tells_the_present_digest(bench: Bench) -> None:
    bench.grant(CORN)
    bench.grant(commands=(asked("add", corn=1),), local_ticks=0, digest=False)
    outbox = bench.grant(STONE, digest=False)
    assert outbox.digest == bench.standing()[0]


def test_what_a_command_says_names_it_as_cause() -> None:
    class Speaker(Realm):
        emits = frozenset({"word"})

        @command
        def speak(self, turn: Turn) -> str:
            return turn.broadcast("word")

    bench = Bench(Speaker)
    outbox = bench.grant(commands=(asked("speak", "c1"), asked("speak", "c2")), local_ticks=0)
    assert [(event.event_id, event.cause) for event in outbox.events] == [("m#0", "c1"), ("m#1", "c2")]
    assert [event.deliver_at for event in outbox.events] == [1, 1]
    assert [decode(result.payload) for result in outbox.results] == ["m#0", "m#1"]
    assert [event.event_id for event in bench.grant(commands=(asked("speak"),)).events] == ["m#2"]


# ---------------------------------------------------------------------------------------------------------------- views


def test_a_failed_member_still_answers_from_its_last_boundary(bench: Bench) -> None:
    bench.grant(CORN)
    answer = bench.seat.query("all", {})
    bench.grant(STONE)
    assert bench.seat.query("all", {}) == answer
    assert answer["boundary"] == {"branch": "main", "control_tick": 1, "number": 1, "epoch": 1}
    bench.grant()
    assert bench.seat.query("all", {})["boundary"]["number"] == 3


def test_a_view_shows_the_boundary_it_is_of(bench: Bench) -> None:
    first = bench.seat.query("get", {"key": "mean"})
    assert first == {"value": 1.5, "boundary": {"branch": "", "control_tick": 0, "number": 0, "epoch": 0}}
    bench.grant()
    assert bench.seat.query("get", {"key": "mean"})["value"] == bench.seat.status().measures["mean"]


@pytest.mark.parametrize(("verb", "arguments"), [("fly", {}), ("get", {}), ("get", {"key": "x"}), ("all", {"key": 1})])
def test_what_a_view_does_not_answer_is_refused(bench: Bench, verb: str, arguments: Mapping[str, Any]) -> None:
    with pytest.raises(CommandRefusedError):
        bench.seat.query(verb, arguments)


# ------------------------------------------------------------------------------------------------------------ beginnings


def test_a_member_that_cannot_be_digested_is_refused_when_it_is_made() -> None:
    class Wordy(Realm):
        def capture(self) -> State:
            return {"t": Table({"words": np.array(["a"])})}

    with pytest.raises(MemberError, match=r"m cannot be digested: column t\.words"):
        Seat(Birth("m", 7, "m"), Wordy)


def test_undeclared_emits_are_the_members_own_mistake() -> None:
    class Chatter(Realm):
        def tick(self, turn: Turn) -> None:
            turn.broadcast("secret")

    failure = Bench(Chatter).grant().failure
    assert failure is not None
    assert "does not declare to emit 'secret'" in failure.message


@pytest.mark.parametrize("data", [{"a": {1}}, {1: 2}, {"a": float("nan")}, {"a": np.int64(1)}], ids=str)
def test_data_that_is_not_plain_is_the_members_own_mistake(data: Any) -> None:
    class Chatter(Realm):
        emits = frozenset({"word"})

        def tick(self, turn: Turn) -> None:
            turn.broadcast("word", data)

    failure = Bench(Chatter).grant().failure
    assert failure is not None
    assert "cannot be sent" in failure.message


def test_figures_come_as_python_numbers() -> None:
    class Counter(Realm):
        def measures(self) -> Any:
            return {"a": np.float32(0.5), "b": np.int64(2), "c": True}

        def totals(self) -> Any:
            return {"gold": np.int64(3)}

        def view(self) -> Any:
            return None

    outbox = Bench(Counter).grant()
    assert outbox.measures == {"a": 0.5, "b": 2.0, "c": 1.0}
    assert {type(value) for value in outbox.measures.values()} == {float}
    assert outbox.totals == {"gold": 3}
    assert type(outbox.totals["gold"]) is int


def test_progress_is_the_local_tick_it_is_in() -> None:
    seen = []

    class Slow(Realm):
        def tick(self, turn: Turn) -> None:
            seen.append(slow.seat.progress)

    slow = Bench(Slow)
    assert slow.seat.progress == 0
    slow.grant()
    assert seen == [*range(10)]
    assert slow.seat.progress == 10


def test_twins_draw_alike_and_others_do_not() -> None:
    one, twin, other = Bench(Mill), Bench(Mill, member_id="n"), Bench(Mill, lineage="n")
    for bench in (one, twin, other):
        bench.grant()
    columns = [decode_state(bench.seat.capture())["corn"].columns["corn"].tolist() for bench in (one, twin, other)]  # type: ignore[union-attr]
    assert columns[0] == columns[1] != columns[2]


class Mint(Realm):
    """Answers what no other process could read, or says what cannot be sent, after it has changed."""

    kind = "mint"
    emits = frozenset({"coin"})
    worth: ClassVar[int] = 1
    """Stands outside of the state, as no member's memory may."""

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.coins = 0

    @on("debt")
    def owe(self, turn: Turn, event: Event) -> None:
        self.coins += 1
        for _ in range(3):
            turn.enter_ledger("coins", -(2**63 - 1))

    @on("riddle")
    def whisper(self, turn: Turn, event: Event) -> None:
        self.coins += 1
        self.engine.emit(turn, "\ud800")

    @on("forget")
    def raise_(self, turn: Turn, event: Event) -> None:
        raise ZeroDivisionError

    @command
    def pay(self, turn: Turn, target: str, amount: int) -> None:
        self.coins += 1
        turn.send(target, "coin", carries={"coins": amount})

    def tick(self, turn: Turn) -> None:
        self.coins += Mint.worth

    def capture(self) -> State:
        return {"mint": Records({"coins": self.coins})}

    def restore(self, state: State) -> None:
        self.coins = state["mint"].objects["coins"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("event_type", "why"), [("debt", "sums whole numbers up to"), ("riddle", "cannot be written down")]
)
def test_what_could_not_leave_the_process_discards_the_turn_on_every_engine(event_type: str, why: str) -> None:
    bench = Bench(Mint)
    bench.grant()
    before = bench.standing()
    failed = bench.grant(mail(event_type))
    assert failed.failure is not None and why in failed.failure.message
    assert bench.standing() == before


@pytest.mark.parametrize(("target", "amount"), [("x y", 1), ("baker", -1)])
def test_a_command_that_changes_and_then_says_what_cannot_be_sent_is_no_refusal(target: str, amount: int) -> None:
    bench = Bench(Mint)
    outbox = bench.grant(commands=(asked("pay", target=target, amount=amount),), local_ticks=0)
    assert outbox.failure is not None and "cannot be sent" in outbox.failure.message
    assert bench.state()["mint"] == Records({"coins": 0})


def test_a_member_that_is_rebuilt_into_something_else_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Mint)
    bench.grant()
    assert bench.grant(mail("forget")).failure is not None
    monkeypatch.setattr(Mint, "worth", 2)
    with pytest.raises(MemberError, match="not what it was"):
        bench.seat.status()
    assert bench.grant().failure is not None


def test_a_repetition_is_compared_where_no_digest_was_taken() -> None:
    event = mail("note")
    said = Outbox(3, 10, events=(event,))
    same = [Answer(9, (said,)), Answer(1, (msgspec.structs.replace(said, measures={"luck": 2.0}),))]
    assert {answered_as(one) for one in same} == {answered_as(Answer(1, (said,)))}
    others = [
        msgspec.structs.replace(said, events=()),
        msgspec.structs.replace(said, events=(msgspec.structs.replace(event, payload=b"\x90"),)),
        msgspec.structs.replace(said, ledger={"gold": 1}),
        msgspec.structs.replace(said, digest=bytes(32)),
    ]
    assert len({answered_as(Answer(1, (one,))) for one in [said, *others]}) == 5
    assert answered_as(Answer(1, (said, others[-1]))) == bytes(32)
