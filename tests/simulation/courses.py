"""A course: what clocks are asked at which boundary; and how it is lived by one that nothing happens to."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from random import Random
from typing import Any, NamedTuple

from actors.clocks import MasterClock
from actors.core.kernel.commands import (
    ClockCommand,
    Decision,
    JournalEntry,
    RegisterGame,
    RemoveGame,
    Reply,
    RestartGame,
)
from actors.core.kernel.settings import Settings
from actors.core.kernel.ticking import TickRecord
from actors.lanes import LocalLane

from .runs import REALMS, RESTARTED_AFTER_CONTROL_TICKS
from .worlds import CONTROL_TICKS, SEEDS_PER_WORLD, World, world_of

ROUND_COMMANDS_MAX = 4
COURSES_KEPT_MAX = 4


class Course(NamedTuple):
    """A world, and at which boundaries somebody asks.

    Attributes:
        world: what is asked; of every boundary left out, at the next one.
        boundaries: from 0 to the last control tick.
        digested: boundaries at which somebody asks for the digest.
    """

    world: World
    boundaries: tuple[int, ...]
    digested: frozenset[int]


@lru_cache(maxsize=COURSES_KEPT_MAX)
def course_of(first_seed: int) -> Course:
    """The course of a world."""
    world = world_of(first_seed)
    rng = Random(f"course {world.number}")
    settings = {**world.settings, "lookahead_control_ticks": rng.choice([1, 2, 3, 7])}
    boundaries = [0]
    while boundaries[-1] < CONTROL_TICKS:
        boundaries.append(min(CONTROL_TICKS, boundaries[-1] + rng.choice([1, 2, 3, 7])))
    digested = frozenset(rng.sample(boundaries, 3))
    return Course(World(world.number, settings, world.agenda), tuple(boundaries), digested)


class Succession(ABC):
    """A course lived by whatever clocks there are.

    Attributes:
        records: of every control tick, as it was lived last.
        replies: what every command came to.
        digests: those that somebody has asked for.
        journal: all of it, at the end.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.course = course_of(seed - seed % SEEDS_PER_WORLD)
        self.records: dict[int, TickRecord] = {}
        self.replies: list[Reply] = []
        self.digests: list[str] = []
        self.journal: list[JournalEntry] = []
        self.chain = ""
        self.conservation: dict[str, Any] = {}
        self._in_error_since: dict[str, int] = {}

    def live(self) -> None:
        """Lives all of it."""
        before = -1
        for at in self.course.boundaries:
            if at:
                self.advance(at)
            due = [one for tick in range(before + 1, at + 1) for one in self.course.world.agenda.get(tick, ())]
            for commands in _rounds(due):
                self.replies += self.ask_round(commands)
            self._restart_those_in_error(at)
            if at in self.course.digested:
                self.digests.append(self.digest())
            self.rest()
            before = at
        self.digests.append(self.digest())
        self.end()

    def _restart_those_in_error(self, at: int) -> None:
        failed = self.those_in_error()
        for gone in self._in_error_since.keys() - set(failed):
            del self._in_error_since[gone]
        for member_id in failed:
            if at - self._in_error_since.setdefault(member_id, at) >= RESTARTED_AFTER_CONTROL_TICKS:
                self.replies += self.ask_round([RestartGame(member_id)])

    @abstractmethod
    def advance(self, control_tick: int) -> None:
        """Asks for control ticks up to this one."""

    @abstractmethod
    def ask_round(self, commands: list[ClockCommand]) -> list[Reply]:
        """Asks for commands that wait for one boundary together."""

    @abstractmethod
    def digest(self) -> str:
        """Asks for the digest of this boundary."""

    @abstractmethod
    def those_in_error(self) -> list[str]:
        """Asks who is in error."""

    @abstractmethod
    def rest(self) -> None:
        """What happens while nobody asks."""

    @abstractmethod
    def end(self) -> None:
        """Looks at what is left."""

    def take_stock(self, clock: MasterClock) -> None:
        """Notes where a clock stands."""
        self.journal, self.chain = clock.journal(), clock.status().chain
        self.conservation = clock.audit()["conservation"]


def _rounds(commands: list[ClockCommand]) -> Iterator[list[ClockCommand]]:
    """What is refused before it is history may be asked again, so nobody comes or goes in the same round."""
    for moves, group in groupby(commands, lambda one: isinstance(one, RegisterGame | RemoveGame)):
        found = list(group)
        size = 1 if moves else ROUND_COMMANDS_MAX
        yield from (found[at : at + size] for at in range(0, len(found), size))


def in_error(clock: MasterClock) -> list[str]:
    """Which members of a clock are in error."""
    members = clock._sequencer.members
    return clock._at_boundary(lambda: sorted(one for one, seated in members.items() if seated.error is not None))


class CalmSuccession(Succession):
    """A course lived by one clock, in which nothing goes wrong but what was decided elsewhere."""

    def __init__(self, seed: int, decided: tuple[tuple[int, Decision], ...]) -> None:
        super().__init__(seed)
        self._decided = decided
        self._clock = MasterClock(Settings(**self.course.world.settings), LocalLane(REALMS))

    def _foresee(self, first: int, last: int) -> None:
        """What is decided in some control ticks is known beforehand."""
        self._clock._fleet.decided = {
            (one.member_id, one.occasion): one.reason for tick, one in self._decided if first <= tick <= last
        }

    def advance(self, control_tick: int) -> None:
        """See `Succession`."""
        now = self._clock._sequencer.control_tick
        self._foresee(now + 1, control_tick)
        for tick, _ in self._decided:  # within a window, it comes out where its own control tick begins: see `Replay`
            if now < tick <= control_tick:
                self._clock.advance_to(tick - 1)
        self._clock.advance_to(control_tick)
        self._foresee(control_tick, control_tick)

    def ask_round(self, commands: list[ClockCommand]) -> list[Reply]:
        """See `Succession`."""
        return [self._clock.submit(command) for command in commands]

    def digest(self) -> str:
        """See `Succession`."""
        return self._clock.digest()

    def those_in_error(self) -> list[str]:
        """See `Succession`."""
        return in_error(self._clock)

    def rest(self) -> None:
        """See `Succession`: nothing does."""

    def end(self) -> None:
        """See `Succession`."""
        self.records = {record.control_tick_id: record for record in self._clock.records()}
        self.take_stock(self._clock)
        self._clock.close()
