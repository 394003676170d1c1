"""The tick engine: rules in order of registration, and cascades as deep as they really are."""

from typing import Any

import pytest
from harness import Bench, asked, mail

from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import PATH_MEMBERS_MAX, Event
from actors.core.kernel.members import TRACES_PER_GRANT_MAX, Birth, Turn
from actors.core.kernel.states import Records, State
from actors.core.kernel.views import PlainView
from actors.core.realms.tick_engines import Realm, TickEngine, command, on


class Bells(Realm):
    """Notes every rule that fires, with the depth of what it fired on."""

    kind = "bells"
    emits = frozenset({"peal"})

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.fired: list[Any] = []

    @on("ring")
    def second_by_name(self, turn: Turn, event: Event) -> None:
        self.fired.append(["second_by_name", turn.now, event.event_id])

    @on("ring", "strike")
    def first_by_name(self, turn: Turn, event: Event) -> None:
        self.fired.append(["first_by_name", turn.now, event.event_id])

    @on("echo")
    def resound(self, turn: Turn, event: Event) -> None:
        self.fired.append(event.data["round"])
        self.engine.emit(turn, "echo", {"round": event.data["round"] + 1})

    @on("fork")
    def double(self, turn: Turn, event: Event) -> None:
        self.fired.append(event.data["name"])
        if len(event.data["name"]) < 3:
            for side in "lr":
                self.engine.emit(turn, "fork", {"name": event.data["name"] + side})

    @on("call")
    def call_on(self, turn: Turn, event: Event) -> None:
        turn.send("tower", "peal", {})
        self.engine.emit(turn, "within")

    @on("within")
    def call_out(self, turn: Turn, event: Event) -> None:
        turn.broadcast("peal", {})

    @on("choir")
    def many(self, turn: Turn, event: Event) -> None:
        for _ in range(TRACES_PER_GRANT_MAX + 5):
            self.engine.emit(turn, "nothing")

    def tick(self, turn: Turn) -> None:
        self.fired.append(["tick", turn.now])

    @command
    def pull(self, turn: Turn, rope: int, *, hard: bool = False) -> Any:
        self.engine.emit(turn, "ring")
        turn.broadcast("peal")
        return [rope, hard]

    def capture(self) -> State:
        return {"bells": Records({"fired": list(self.fired)})}

    def restore(self, state: State) -> None:
        section = state["bells"]
        assert isinstance(section, Records)
        self.fired = list(section.objects["fired"])


def fired(bench: Bench) -> list[Any]:
    return bench.state()["bells"].objects["fired"]  # type: ignore[union-attr, no-any-return]


def test_mail_is_handled_in_the_first_local_tick_before_the_tick_itself() -> None:
    bench = Bench(Bells)
    bench.grant(local_ticks=2)
    bench.grant(mail("strike"), local_ticks=2)
    assert fired(bench) == [["tick", 0], ["tick", 1], ["first_by_name", 2, "e0"], ["tick", 2], ["tick", 3]]


def test_rules_fire_in_order_of_registration_each_event_before_the_next() -> None:
    bench = Bench(Bells)
    bench.grant(mail("ring", number=1), mail("ring", number=2), local_ticks=0)
    assert fired(bench) == [
        ["second_by_name", 0, "e1"],
        ["first_by_name", 0, "e1"],
        ["second_by_name", 0, "e2"],
        ["first_by_name", 0, "e2"],
    ]


def test_an_event_that_no_rule_matches_is_let_pass() -> None:
    bench = Bench(Bells)
    assert bench.grant(mail("silence"), local_ticks=0).failure is None
    assert fired(bench) == []


@pytest.mark.parametrize("depth_max", [0, 1, 5, 12])
def test_a_cascade_goes_exactly_as_deep_as_it_may(depth_max: int) -> None:
    bench = Bench(Bells, cascade_depth_max=depth_max)
    outbox = bench.grant(mail("echo", {"round": 0}), local_ticks=0)
    assert fired(bench) == [*range(depth_max + 1)], "the event itself, and so many rounds of what rules emit"
    assert outbox.cascades_cut == 1
    assert [trace.depth for trace in outbox.traces] == [*range(1, depth_max + 1)]


def test_a_cascade_tells_the_depth_really_reached_and_who_caused_what() -> None:
    outbox = Bench(Bells).grant(mail("fork", {"name": ""}), local_ticks=0)
    assert outbox.cascades_cut == 0
    assert [(trace.depth, trace.event_id, trace.cause) for trace in outbox.traces] == [
        *((1, "m#0", "e0"), (1, "m#1", "e0")),
        *((2, "m#2", "m#0"), (2, "m#3", "m#0"), (2, "m#4", "m#1"), (2, "m#5", "m#1")),
        *((3, f"m#{6 + at}", f"m#{2 + at // 2}") for at in range(8)),
    ]
    assert {(trace.where, trace.target, trace.event_type) for trace in outbox.traces} == {("m", "m", "fork")}


def test_a_cascade_goes_round_by_round() -> None:
    bench = Bench(Bells)
    bench.grant(mail("fork", {"name": ""}), mail("strike", number=9), local_ticks=0)
    names = fired(bench)
    assert names[:-1] == ["", *"lr", "ll", "lr", "rl", "rr", "lll", "llr", "lrl", "lrr", "rll", "rlr", "rrl", "rrr"]
    assert names[-1][0] == "first_by_name", "an event is handled with all it sets off before the next"


def test_what_is_cut_is_counted_each() -> None:
    bench = Bench(Bells, cascade_depth_max=1)
    assert bench.grant(mail("fork", {"name": ""}), local_ticks=0).cascades_cut == 4
    assert fired(bench) == ["", "l", "r"]


def test_every_event_begins_a_cascade_of_its_own() -> None:
    outbox = Bench(Bells).grant(*(mail("echo", {"round": 0}, number=number) for number in range(3)), local_ticks=0)
    assert outbox.cascades_cut == 3
    assert [trace.depth for trace in outbox.traces] == [1, 2, 3, 4, 5] * 3


def test_what_the_tick_itself_emits_has_depth_0() -> None:
    class Clockwork(Bells):
        def tick(self, turn: Turn) -> None:
            self.engine.emit(turn, "echo", {"round": 0})

    bench = Bench(Clockwork, cascade_depth_max=2)
    outbox = bench.grant(local_ticks=2)
    assert fired(bench) == [0, 1, 2] * 2
    assert [(trace.depth, trace.cause, trace.local_tick) for trace in outbox.traces] == [
        *((0, "", 0), (1, "m#0", 0), (2, "m#1", 0)),
        *((0, "", 1), (1, "m#3", 1), (2, "m#4", 1)),
    ]


def test_cause_and_path_lead_from_event_to_event() -> None:
    bench = Bench(Bells)
    unicast, broadcast = bench.grant(mail("call", path=("a", "b")), local_ticks=0).events
    assert (unicast.cause, unicast.path, unicast.target) == ("e0", ("a", "b", "m"), "tower")
    assert (broadcast.cause, broadcast.path, broadcast.target) == ("m#1", ("a", "b", "m"), None)
    again = bench.grant(mail("call", path=("a", "m")), local_ticks=0).events[0]
    assert again.path == ("a", "m"), "a member stands once for one visit"
    long = bench.grant(mail("call", path=tuple(map(str, range(PATH_MEMBERS_MAX)))), local_ticks=0).events[0]
    assert long.path == (*map(str, range(1, PATH_MEMBERS_MAX)), "m")
    assert len(long.path) == PATH_MEMBERS_MAX


def test_traces_are_limited_and_what_they_tell_of_is_not() -> None:
    outbox = Bench(Bells).grant(mail("choir"), mail("call", number=1), local_ticks=0)
    assert len(outbox.traces) == TRACES_PER_GRANT_MAX
    assert outbox.events[-1].sequence == TRACES_PER_GRANT_MAX + 5 + 2


def test_a_command_may_emit_and_say() -> None:
    bench = Bench(Bells)
    outbox = bench.grant(commands=(asked("pull", "c1", rope=3, hard=True), asked("pull", "c2", rope=4)), local_ticks=0)
    assert fired(bench) == [
        *(["second_by_name", 0, "m#0"], ["first_by_name", 0, "m#0"]),
        *(["second_by_name", 0, "m#2"], ["first_by_name", 0, "m#2"]),
    ]
    assert [(trace.cause, trace.depth) for trace in outbox.traces] == [("c1", 0), ("c2", 0)]
    assert [event.cause for event in outbox.events] == ["c1", "c2"]


def test_arguments_are_refused_by_name() -> None:
    bench = Bench(Bells)
    for arguments, words in [
        ({}, "missing a required argument: 'rope'"),
        ({"rope": 1, "bell": 2}, "unexpected keyword argument 'bell'"),
        ({"rope": 1, "turn": 2}, "multiple values for argument 'turn'"),
    ]:
        result = bench.grant(commands=(asked("pull", **arguments),), local_ticks=0).results[0]
        assert result.error_code == "command_refused"
        assert words in result.error_message
        assert "['rope', 'hard']" in result.error_message
    assert fired(bench) == []


def test_the_contract_follows_from_rules_and_commands() -> None:
    class Told(Bells):
        subscribes = frozenset({"ring"})

        @command
        def travel(self, turn: Turn, *, realms: Any) -> None: ...

    contract = Bench(Told).seat.contract
    assert contract.handles == {"ring", "strike", "echo", "fork", "call", "within", "choir"}
    assert contract.commands == {"pull", "travel"}
    assert contract.told_realms == {"travel"}
    assert (contract.kind, contract.emits, contract.subscribes) == ("bells", frozenset({"peal"}), frozenset({"ring"}))


def test_inherited_rules_come_first_and_an_overridden_one_keeps_its_place() -> None:
    class Base(Realm):
        def __init__(self, birth: Birth) -> None:
            super().__init__(birth)
            self.seen: list[str] = []

        @on("x")
        def zeta(self, turn: Turn, event: Event) -> None:
            self.seen.append("base zeta")

        @on("x")
        def beta(self, turn: Turn, event: Event) -> None:
            self.seen.append("base beta")

        def capture(self) -> State:
            return {"seen": Records({"seen": list(self.seen)})}

        def restore(self, state: State) -> None: ...

    class Derived(Base):
        @on("x")
        def alpha(self, turn: Turn, event: Event) -> None:
            self.seen.append("derived alpha")

        @on("x")
        def zeta(self, turn: Turn, event: Event) -> None:
            self.seen.append("derived zeta")

    bench = Bench(Derived)
    bench.grant(mail("x"), local_ticks=0)
    assert bench.state()["seen"].objects["seen"] == [  # type: ignore[union-attr]
        "derived zeta",
        "base beta",
        "derived alpha",
    ]


def test_a_name_is_given_once() -> None:
    engine = TickEngine()
    engine.add_rule("a", ["x"], lambda turn, event: None)
    with pytest.raises(CommandRefusedError, match="'a' is there already"):
        engine.add_rule("a", ["y"], lambda turn, event: None)
    assert engine.event_types == {"x"}


def test_a_plain_view_never_changes() -> None:
    shown = {"a": [1]}
    view = PlainView(shown)
    shown["a"].append(2)
    view.query("all", {})["a"].append(3)
    assert view.query("get", {"key": "a"}) == [1]


def test_a_bare_realm_is_a_member() -> None:
    bench = Bench(Realm)
    bench.grant()
    assert bench.seat.query("all", {})["value"] == {}
    assert bench.standing()[1:] == (10, b"\x80", {})
