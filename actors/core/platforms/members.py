"""A platform as a member: its sections as shelves, its side of the bridge, and what it refuses.

Mail may come from anybody, so every rule says from whom it takes what, and the data are checked before they are believed.
What may not be is counted in the vitals, with its reason, and changes nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import BridgeDeniedError, CallerError, CommandRefusedError
from actors.core.kernel.events import Event
from actors.core.kernel.instances import MIRROR, PLATFORM_ROLES
from actors.core.kernel.members import Birth, Turn, View
from actors.core.kernel.states import State
from actors.core.platforms import bridges
from actors.core.platforms.fixed_parts import Fixed, check_fixed
from actors.core.platforms.schemas import NOW, Id, Line, Part, Shelf, Whole
from actors.core.platforms.views import PlatformView, Questions
from actors.core.realms.tick_engines import Realm, on


class Refusals(Part, frozen=True):
    """What was asked of a platform by mail and may not be: how often, and the last one."""

    count: Whole
    last_reason: Line
    last_source: Line


NO_REFUSALS = Refusals(0, "", "")


class Fetch(Part, frozen=True):
    """A request for what a platform shows: the `fetch_from_…` of the bridge within a tick."""

    what: Id


class Fetched(Part, frozen=True):
    """The answer to a request; `refusal` says why there is none."""

    what: Id
    value: Any
    refusal: Line


class Cascade(Part, frozen=True):
    """A request that goes from one platform to the next.

    Attributes:
        name: of whoever began it, to know it again.
        steps: [platform, what] still to come, the first one being the receiver's.
        results: [platform, what, value] so far.
    """

    name: Id
    steps: tuple[tuple[str, str], ...]
    results: tuple[tuple[str, str, Any], ...]


M = TypeVar("M", bound=Part)

BRIDGE_EVENTS = frozenset({bridges.FETCH, bridges.FETCHED, bridges.CASCADE})


class Platform(Realm):
    """What the four platforms have in common.

    Class attributes:
        role: its id within its instance.
        questions: what its view answers.
        fixed: section to the attributes that no modification may change.
        answers: what it tells over the bridge, each the name of a method without arguments.

    A subclass sets `shelves` and has a shelf `vitals` with one object, whose attributes include `now` and `refused`.
    """

    role: ClassVar[str]
    questions: ClassVar[Questions]
    fixed: ClassVar[Fixed]
    answers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.shelves: tuple[Shelf[Any], ...] = ()

    @property
    def vitals_shelf(self) -> Shelf[Any]:
        """The section `vitals`."""
        return next(shelf for shelf in self.shelves if shelf.section == "vitals")

    def advance(self, turn: Turn) -> None:
        """See `Member`. What there is to tell the others is told after the last local tick."""
        super().advance(turn)
        if turn.local_ticks:
            self.vitals_shelf.change(NOW, now=turn.now)
            self.close(turn)

    def close(self, turn: Turn) -> None:
        """The end of a control tick, at `turn.now`."""

    # The bridge

    def say(self, turn: Turn, target: str, event_type: str, data: Part | Mapping[str, Plain]) -> None:
        """A whisper in the bridge's sense: says something to one platform.

        Raises:
            BridgeDeniedError: it may not talk to that one.
        """
        bridges.check_route(self.role, target)
        turn.send(target, event_type, msgspec.to_builtins(data))

    def say_to_all(self, turn: Turn, event_type: str, data: Part | Mapping[str, Plain]) -> None:
        """Says something to every platform that it may talk to."""
        for target in bridges.routes_from(self.role):
            self.say(turn, target, event_type, data)

    def observe(self, turn: Turn, seen: Part) -> None:
        """Gives Mirror this control tick's observation; see the exception in `bridges`."""
        turn.send(MIRROR, bridges.OBSERVATION, msgspec.to_builtins(seen))

    def fetch(self, turn: Turn, target: str, what: str) -> None:
        """Asks a platform; the answer comes to `take_answer` two control ticks later."""
        self.say(turn, target, bridges.FETCH, Fetch(what))

    def begin_cascade(self, turn: Turn, name: str, steps: Sequence[tuple[str, str]]) -> None:
        """Sends a request from platform to platform; the last step should be one's own, to hear what came of it.

        Raises:
            BridgeDeniedError: one of the steps may not talk to the next.
        """
        for source, target in zip((self.role, *(one for one, _ in steps)), (one for one, _ in steps), strict=False):
            bridges.check_route(source, target)
        self.say(turn, steps[0][0], bridges.CASCADE, Cascade(name, tuple(steps), ()))

    def answer(self, what: str) -> Plain:
        """What the platform tells over the bridge.

        Raises:
            CommandRefusedError: it tells nothing of that name.
        """
        method = self.answers.get(what)
        if method is None:
            raise CommandRefusedError(f"{self.role} tells no {what!r}; it tells {', '.join(sorted(self.answers))}.")
        return getattr(self, method)()

    @on(bridges.FETCH)
    def take_request(self, turn: Turn, event: Event) -> None:
        """Answers a request over the bridge, with what it is refused for if it is."""
        asked = self.heard(event, Fetch, PLATFORM_ROLES)
        if asked is None or not self.may_answer(event):
            return
        try:
            answer = Fetched(asked.what, self.answer(asked.what), "")
        except CallerError as error:
            answer = Fetched(asked.what, None, error.message)
        self.say(turn, event.source, bridges.FETCHED, answer)

    @on(bridges.FETCHED)
    def hear_answer(self, turn: Turn, event: Event) -> None:
        """Takes the answer to a request of its own."""
        told = self.heard(event, Fetched, PLATFORM_ROLES)
        if told is not None and not told.refusal:
            self.take_answer(event.source, told.what, told.value)

    def take_answer(self, source: str, what: str, value: Plain) -> None:
        """Makes use of what another platform told."""

    @on(bridges.CASCADE)
    def take_cascade(self, turn: Turn, event: Event) -> None:
        """Adds its answer to those before, and hands all on to the next; the last one keeps them."""
        told = self.heard(event, Cascade, PLATFORM_ROLES)
        if told is None:
            return
        if not told.steps or told.steps[0][0] != self.role or len(told.steps) > bridges.CASCADE_STEPS_MAX:
            self.refuse(event, f"the cascade {told.name!r} is not for {self.role}, or has no step left.")
            return
        what = told.steps[0][1]
        try:
            value = self.answer(what)
            if len(told.steps) > 1:
                bridges.check_route(self.role, told.steps[1][0])
        except CallerError as error:
            self.refuse(event, error.message)
            return
        results = (*told.results, (self.role, what, value))
        if len(told.steps) > 1:
            self.say(turn, told.steps[1][0], bridges.CASCADE, Cascade(told.name, told.steps[1:], results))
        else:
            self.end_cascade(turn, told.name, results)

    def end_cascade(self, turn: Turn, name: str, results: Sequence[tuple[str, str, Plain]]) -> None:
        """Makes use of a cascade that ends here."""

    # What it refuses

    def heard(self, event: Event, kind: type[M], sources: Sequence[str] | None) -> M | None:
        """The data of an event, or None if it is refused.

        Args:
            event: as it came.
            kind: what its data must be.
            sources: who may say it; None means anybody.
        """
        if sources is not None and event.source not in sources:
            self.refuse(event, f"{event.event_type!r} is taken from {', '.join(sources)} only.")
            return None
        if event.source in PLATFORM_ROLES and not bridges.may_talk(event.source, self.role):
            self.refuse(event, f"{event.source} may not talk to {self.role}.")
            return None
        try:
            return msgspec.convert(event.data, kind)
        except ValueError as error:
            self.refuse(event, f"the data of {event.event_type!r} do not fit: {error}.")
            return None

    def may_answer(self, event: Event) -> bool:
        """Whether the bridge has a way back; else the request is refused."""
        try:
            bridges.check_route(self.role, event.source)
        except BridgeDeniedError as error:
            self.refuse(event, error.message)
            return False
        return True

    def refuse(self, event: Event, reason: str) -> None:
        """Counts a piece of mail that may not be."""
        before: Refusals = self.vitals_shelf[NOW].refused
        self.vitals_shelf.change(NOW, refused=Refusals(before.count + 1, reason[:300], event.origin[:128]))

    # The state

    def capture(self) -> State:
        """See `Member`."""
        return {shelf.section: shelf.records() for shelf in self.shelves}

    def restore(self, state: State) -> None:
        """See `Member`. The platform is as it was if the state is refused.

        Raises:
            ValueError: the state is not one that this platform can be in.
        """
        known = {shelf.section for shelf in self.shelves}
        if state.keys() != known:
            raise ValueError(f"a {self.role} has the sections {sorted(known)}, not {sorted(state)}")
        before = [shelf.parts for shelf in self.shelves]
        try:
            for shelf in self.shelves:
                shelf.parts = shelf.taken(state)
            if set(self.vitals_shelf.parts) != {NOW}:
                raise ValueError(f"section 'vitals' has the one object {NOW!r}, not {sorted(self.vitals_shelf.parts)}")
            self.check()
        except ValueError:
            for shelf, parts in zip(self.shelves, before, strict=True):
                shelf.parts = parts
            raise

    def check_changes(self, changes: Mapping[str, Plain]) -> None:
        """Refuses modifications of what is fixed for ever.

        Raises:
            CommandRefusedError: one of the paths leads there.
        """
        check_fixed(changes, self.shelves, self.fixed)

    def check(self) -> None:
        """Whether what stands in the shelves fits together.

        Raises:
            ValueError: it does not.
        """

    def view(self) -> View:
        """See `Member`."""
        return PlatformView(self.role, self.questions, {shelf.section: dict(shelf.parts) for shelf in self.shelves})
