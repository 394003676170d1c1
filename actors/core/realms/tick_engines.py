"""The tick engine: a realm's local ticks and its reaction rules, with real cascades.

A grant is lived tick by tick. Mail is handled in the first local tick. A rule may `emit` an event within its realm; it
re-enters the queue in the same local tick and may fire further rules, round by round, up to `cascade_depth_max`; what
goes beyond is cut off and counted. What a rule sends to other realms leaves with the outbox.

To write a realm, subclass `Realm`:

    class Tavern(Realm):
        kind = "tavern"
        emits = frozenset({"song"})

        @on("rumour")
        def sing_of_it(self, turn: Turn, event: Event) -> None:
            turn.broadcast("song", {"of": event.data["topic"]})

        def tick(self, turn: Turn) -> None: ...
        def capture(self) -> State: ...
        def restore(self, state: State) -> None: ...
"""

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import Event, Trace
from actors.core.kernel.members import CAPTURED, Birth, Contract, Turn, View, payload
from actors.core.kernel.states import State

Rule = Callable[[Turn, Event], None]


class TickEngine:
    """Reaction rules, fired in order of registration, matched on event type."""

    def __init__(self) -> None:
        self._rules: dict[str, list[tuple[str, Rule]]] = {}
        self._names: set[str] = set()
        self._internal: set[str] = set()
        self._queue: deque[tuple[Event, int]] = deque()
        self._depth = 0

    @property
    def event_types(self) -> frozenset[str]:
        """The event types that may come from others: all that any rule matches, but the internal ones."""
        return frozenset(self._rules) - self._internal

    def add_rule(self, name: str, event_types: Iterable[str], rule: Rule, *, internal: bool = False) -> None:
        """Registers a rule under a name; the types of an internal one are heard from within the realm only.

        Raises:
            CommandRefusedError: the name is taken.
        """
        if name in self._names:
            raise CommandRefusedError(f"a reaction rule named {name!r} is there already; names are unique.")
        self._names.add(name)
        event_types = tuple(event_types)
        if internal:
            self._internal.update(event_types)
        for event_type in event_types:
            self._rules.setdefault(event_type, []).append((name, rule))

    def emit(self, turn: Turn, event_type: str, data: Mapping[str, Any] | None = None) -> None:
        """Says something within the realm, to be handled in this local tick.

        From inside a rule it goes one round deeper than the event being handled; beyond `cascade_depth_max` it is cut
        off and counted in `turn.cascades_cut`.
        """
        depth = self._depth + 1 if turn.handling is not None else 0
        if depth > turn.cascade_depth_max:
            turn.cut_cascade()
            return
        handling = turn.handling
        event = Event(
            turn.new_event_id(),
            turn.member_id,
            turn.sequence - 1,
            turn.member_id,
            event_type,
            payload(data, event_type),
            turn.control_tick,
            turn.control_tick,
            turn.present_cause,
            handling.path if handling is not None else (turn.member_id,),
        )
        turn.trace(
            Trace(
                event.event_id,
                event.cause,
                event_type,
                turn.member_id,
                turn.member_id,
                turn.control_tick,
                turn.now,
                depth,
            )
        )
        self._queue.append((event, depth))
        if handling is None:
            self.drain(turn)

    def react(self, turn: Turn, events: Iterable[Event]) -> None:
        """Handles events in order, each with everything it sets off before the next."""
        for event in events:
            self._queue.append((event, 0))
            self.drain(turn)

    def drain(self, turn: Turn) -> None:
        """Fires rules until the queue is empty."""
        try:
            while self._queue:
                event, self._depth = self._queue.popleft()
                turn.handling = event
                for _name, rule in self._rules.get(event.event_type, ()):
                    rule(turn, event)
        finally:  # what a rule that raises leaves behind must not fire in another turn
            self._queue.clear()
            turn.handling, self._depth = None, 0


def on(*event_types: str, internal: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a method `(self, turn, event)` a reaction rule for these event types.

    Types of an internal rule are emitted within the realm; nobody else may send them.
    """

    def mark(method: Callable[..., None]) -> Callable[..., None]:
        method.__dict__["event_types"] = event_types
        method.__dict__["is_internal"] = internal
        return method

    return mark


def command(method: Callable[..., Plain]) -> Callable[..., Plain]:
    """Makes a method `(self, turn, **arguments)` a command that may come from outside."""
    method.__dict__["is_command"] = True
    return method


class Realm:
    """A native realm: the contract of a member, with what a realm's author need not write.

    Class attributes:
        kind: what it is, for people.
        emits: event types it sends to others. Types emitted within the realm need no declaration.
        subscribes: broadcast types it hears unless its registration says otherwise.
        recovery: how it comes back; see `kernel/members`.
        schema_version: of its state.

    `handles` follows from the rules, `commands` from the methods marked with `@command`.
    """

    kind: ClassVar[str] = "realm"
    emits: ClassVar[frozenset[str]] = frozenset()
    subscribes: ClassVar[frozenset[str]] = frozenset()
    recovery: ClassVar[str] = CAPTURED
    event_driven: ClassVar[bool] = False
    schema_version: ClassVar[int] = 1

    def __init__(self, birth: Birth) -> None:
        self.birth = birth
        self.engine = TickEngine()
        self._commands: dict[str, Callable[..., Plain]] = {}
        for name, method in _methods_in_order(type(self)):
            bound = getattr(self, name)
            if "event_types" in method.__dict__:
                marks = method.__dict__
                self.engine.add_rule(name, marks["event_types"], bound, internal=marks["is_internal"])
            if "is_command" in method.__dict__:
                self._commands[name] = bound

    @property
    def contract(self) -> Contract:
        """See `Member`."""
        return Contract(
            kind=self.kind,
            emits=self.emits,
            handles=self.engine.event_types,
            subscribes=self.subscribes,
            commands=frozenset(self._commands),
            told_realms=frozenset(
                verb for verb, method in self._commands.items() if "realms" in inspect.signature(method).parameters
            ),
            recovery=self.recovery,
            event_driven=self.event_driven,
            schema_version=self.schema_version,
        )

    def advance(self, turn: Turn) -> None:
        """Lives the turn tick by tick; mail is handled in the first one, before `tick`."""
        self.engine.react(turn, turn.inbox)
        for _ in range(turn.local_ticks):
            self.tick(turn)
            turn.now += 1

    def tick(self, turn: Turn) -> None:
        """One local tick, at `turn.now`. Nothing, unless the realm says otherwise."""

    def command(self, turn: Turn, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See `Member`. Arguments that do not fit the method are refused by name."""
        method = self._commands[verb]
        try:
            inspect.signature(method).bind(turn, **arguments)
        except TypeError as error:
            takes = list(inspect.signature(method).parameters)[1:]
            raise CommandRefusedError(f"{verb!r} takes {takes}, and {error}.") from None
        return method(turn, **arguments)

    def capture(self) -> State:
        """See `Member`. A realm without state of its own has none to give."""
        return {}

    def restore(self, state: State) -> None:
        """See `Member`."""

    def view(self) -> View | None:
        """See `Member`. By default the measures; one that is NaN is shown as None."""
        return None

    def measures(self) -> Mapping[str, float]:
        """See `Member`."""
        return {}

    def totals(self) -> Mapping[str, int]:
        """See `Member`."""
        return {}


def _methods_in_order(kind: type) -> list[tuple[str, Callable[..., Any]]]:
    """Methods in order of definition, base classes first: the order of registration of their rules."""
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            if callable(value) and hasattr(value, "__dict__"):
                found[name] = value
            else:
                found.pop(name, None)  # `rule = None` in a subclass takes a rule away
    return list(found.items())
