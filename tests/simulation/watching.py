"""A real host and a real seat that say when they pass a point.

A process that dies leaves nothing behind but messages. So a death is an exception thrown at the point, which unwinds
what was being computed; what some `except` in between makes of it is thrown away by the lane, as the process is dead.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import actors.hosts
from actors.core.kernel.members import Birth, Member, Turn
from actors.core.kernel.messages import Advance, Answer, Checkpoint, Embodied, Embodiment, Message, Stand
from actors.core.kernel.seats import Seat
from actors.core.players.rosters import PLAYER_ARRIVED
from actors.hosts import Host

from .faults import Point


class Killed(BaseException):
    """The process ends here."""


class Process(Protocol):
    """What the lane knows of the process that computes right now."""

    doing: Message | None

    def passes(self, *points: Point) -> None:
        """Passes points one after another; does not come back if the process dies at one, or is dead already."""
        ...

    def is_struck(self, point: Point) -> bool:
        """Whether a point is struck that is not a death."""
        ...

    def reads(self, message: Message) -> None:
        """Passes what lies between reading a message and beginning with it."""
        ...


class _Present:
    """Whose code runs right now; nobody's in a calm run."""

    process: Process | None = None


@contextmanager
def computing(process: Process, message: Message | None) -> Iterator[None]:
    """Says whose code runs within."""
    _Present.process, process.doing = process, message
    try:
        yield
    finally:
        _Present.process, process.doing = None, None


def _pass(kind: type[Message], *points: Point) -> None:
    process = _Present.process
    if process is not None and isinstance(process.doing, kind):
        process.passes(*points)


class WatchedHost(Host):
    """A host whose process may die between reading, doing and answering."""

    def answer(self, message: Message) -> Message:
        process = _Present.process
        assert process is not None
        process.doing = message
        process.reads(message)
        reply = super().answer(message)
        process.passes(*_done(message, reply))
        return reply


def _done(message: Message, reply: Message) -> tuple[Point, ...]:
    """The points between having done something and the answer leaving."""
    match message, reply:
        case Advance(), Answer(_, outboxes, checkpoint):
            if outboxes[-1].failure is not None:
                return (Point.TURN_FAILED,)
            done = Point.COMMAND_DONE if message.grants[0].commands else Point.SEAT_ADVANCED
            return (done, Point.CHECKPOINT_IN_ANSWER) if checkpoint is not None else (done,)
        case Embodiment(), Embodied():
            return (Point.RETURNED if message.again else Point.MADE,)
        case Stand(), Answer():
            return (Point.STANDING_BEFORE,)
    return ()


class WatchedSeat(Seat):
    """A seat that passes points while it makes, restores, replays, advances and captures its member."""

    def __init__(self, birth: Birth, make: Callable[[Birth], Member], checkpoint: Checkpoint | None = None) -> None:
        if (message := _doing()) is not None and not getattr(message, "again", True):
            _pass(Embodiment, Point.MAKING)
        super().__init__(birth, _watched(make), checkpoint)

    def _restore(self, checkpoint: Checkpoint) -> None:
        _pass(Embodiment, Point.RESTORING)
        super()._restore(checkpoint)
        compared = checkpoint.digest  # else nobody can know; a divergent copy becomes another as it is restored
        if compared and isinstance(_doing(), Embodiment) and _Present.process.is_struck(Point.RESTORE_DIFFERS):  # type: ignore[union-attr]
            self._sequence += 1

    def replay(self, advance: Advance) -> bytes:
        compared = advance.grants[-1].digest  # else nobody can know; a command round alone takes none
        if compared and _Present.process is not None and _Present.process.is_struck(Point.REPLAY_DIFFERS):
            self._sequence += 1
        digest = super().replay(advance)
        _pass(Embodiment, Point.MID_REPLAY)
        return digest

    def checkpoint(self) -> Checkpoint | None:
        _pass(Advance, Point.TAKING_CHECKPOINT)
        return super().checkpoint()


def _doing() -> Message | None:
    return None if _Present.process is None else _Present.process.doing


def _watched(make: Callable[[Birth], Member]) -> Callable[[Birth], Member]:
    """Makes members that pass points in their turns."""

    def made(birth: Birth) -> Member:
        member: Any = make(birth)
        advance, command = member.advance, member.command
        tick: Any = getattr(member, "tick", None)

        def watched_advance(turn: Turn) -> None:
            _pass(Advance, Point.TURN_BEGUN)
            if any(event.event_type == PLAYER_ARRIVED for event in turn.inbox):
                _pass(Advance, Point.ARRIVAL)
            advance(turn)
            _pass(Advance, Point.TURN_LIVED)

        def watched_command(turn: Turn, verb: str, arguments: Any) -> Any:
            _pass(Advance, Point.IN_COMMAND)
            if verb in _REGISTRY_POINTS:
                _pass(Advance, _REGISTRY_POINTS[verb])
            return command(turn, verb, arguments)

        def watched_tick(turn: Turn) -> None:
            _pass(Advance, Point.MID_TICK)
            tick(turn)

        member.advance, member.command = watched_advance, watched_command
        if tick is not None:
            member.tick = watched_tick
        return member  # type: ignore[no-any-return]

    return made


_REGISTRY_POINTS = {
    "transition_player": Point.REGISTRY_IN_TRAVEL,
    "evacuate": Point.REGISTRY_IN_EVACUATION,
}


@contextmanager
def watched_seats() -> Iterator[None]:
    """Hosts make watched seats within."""
    vars(actors.hosts)["Seat"] = WatchedSeat
    try:
        yield
    finally:
        vars(actors.hosts)["Seat"] = Seat
