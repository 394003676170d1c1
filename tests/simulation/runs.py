"""One world lived by the real sequencer and the real fleet: calmly, or on a lane where a seed's faults happen."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.core.kernel import fleets, keeping
from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import (
    ClockCommand,
    CreateInstance,
    ForkGames,
    ImportInstances,
    MemberSpec,
    RegisterGame,
    Reply,
    RestartGame,
)
from actors.core.kernel.effects import Capture, Dispose, Effect, Exchange, Lost, Rebuild, Refused, Script, T
from actors.core.kernel.errors import EngineError, FactoryError
from actors.core.kernel.fleets import Fleet
from actors.core.kernel.lanes import Lane
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import State, decode_state
from actors.core.kernel.ticking import TickRecord
from actors.lanes import LocalLane

from .faults import Plan, Point
from .transports import MEMBER_TIMEOUT_S, MisdeedError, SimulatedLane
from .watching import watched_seats
from .worlds import CONTROL_TICKS, World, world_of

REALMS = (str(Path(__file__).parent.parent / "realms"),)
REGISTRY = MemberSpec("actors.core.players.registry:PlayerRegistry", encode({}))
EPOCH = 5
"""Not the first, so that an older clock can speak."""
RESTARTED_AFTER_CONTROL_TICKS = 2
TRIES_MAX = 20
"""A registration whose host dies is refused and changes nothing; whoever asked asks again."""

Key = tuple[str, str, int, int]
"""Which effect: what, of which member, its grant's number (0 if it is none), at which position of the journal."""
Decisions = dict[Key, Lost | Refused]
"""What the clock decided by wall time, and so is told to the calm run."""


@contextmanager
def shortened() -> Iterator[None]:
    """Checkpoints are due after few grants, so that a short run passes every path; and seats are watched."""
    lowered: list[tuple[Any, str, Any]] = [
        (keeping, "CHECKPOINT_AFTER_GRANTS", 4),
        (keeping, "CHECKPOINT_SHARE", 1),
        (fleets, "SPARES_AFTER_S", 0.1),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in lowered]
    for module, name, value in lowered:
        setattr(module, name, value)
    try:
        with watched_seats():
            yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


class Run:
    """A world lived on a lane.

    Args:
        world: the world.
        lane: how hosts are reached.
        decisions: what was decided elsewhere and holds here, too.
        settings: of the fleet; not part of history.

    Attributes:
        records: of every control tick.
        replies: what every command came to.
        decisions: what was decided.
    """

    def __init__(self, world: World, lane: Lane, decisions: Decisions, **settings: Any) -> None:
        self.world, self.lane, self.decisions = world, lane, decisions
        self.sequencer = Sequencer(Settings(**world.settings, **settings), EPOCH)
        self.fleet = Fleet(self.sequencer.settings, lane)
        self.records: list[TickRecord] = []
        self.replies: list[Reply] = []
        self.last_digest = b""
        self._in_error_since: dict[str, int] = {}

    def live(self, control_ticks: int = CONTROL_TICKS) -> None:
        """Lives from the beginning to the end of a control tick; to the very end, if that is the last."""
        with shortened():
            self._seat_registry()
            while True:
                at = self.sequencer.control_tick
                if at and at == control_ticks < CONTROL_TICKS:
                    return
                for command in self.world.agenda.get(at, ()):
                    self._do(command)
                self._restart_those_in_error()
                self.rest()
                if at == CONTROL_TICKS:
                    break
                self.records.append(self._perform(self.sequencer.control_tick_script()))
            self.last_digest = self._perform(self.sequencer.digest_script())

    def rest(self) -> None:
        """What happens between two ticks."""

    def before_restart(self, member_id: str) -> None:
        """What happens just before a member in error is restarted."""

    def _seat_registry(self) -> None:
        for _ in range(TRIES_MAX):
            try:
                self._perform(self.sequencer.seat_script(PLAYERS, REGISTRY))
            except EngineError:
                continue
            return
        raise MisdeedError(f"the registry could not be made in {TRIES_MAX} tries")

    def _do(self, command: ClockCommand) -> None:
        for _ in range(TRIES_MAX):
            before = self.sequencer.boundary
            reply = self._perform(self.sequencer.command_script(command))
            if not _may_be_asked_again(command, reply):
                break
            if self.sequencer.boundary != before:
                raise MisdeedError(f"a refused {type(command).__name__} has changed the boundary {before}")
        self.replies.append(reply)

    def _restart_those_in_error(self) -> None:
        """The one rule of all runs: who is in error is restarted two control ticks later."""
        now = self.sequencer.control_tick
        for member_id, seated in sorted(self.sequencer.members.items()):
            if seated.error is None:
                self._in_error_since.pop(member_id, None)
            elif now - self._in_error_since.setdefault(member_id, now) >= RESTARTED_AFTER_CONTROL_TICKS:
                self.before_restart(member_id)
                self._do(RestartGame(member_id))

    def _perform(self, script: Script[T]) -> T:
        try:
            effect = next(script)
            while True:
                effect = script.send(self.carry_out(effect))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def key(self, effect: Effect, member_id: str) -> Key:
        """Names an effect, the same in every run of a world."""
        number = effect.grants[member_id][0].number if isinstance(effect, Exchange) else 0
        return type(effect).__name__, member_id, number, self.sequencer.position

    def carry_out(self, effect: Effect) -> Any:
        """Carries out an effect, but for what was decided elsewhere."""
        if isinstance(effect, Rebuild) and (known := self.decisions.get(self.key(effect, effect.member_id))):
            return known
        if isinstance(effect, Capture):
            known = {one: self.decisions.get(self.key(effect, one)) for one in effect.member_ids}
            return {**self.fleet.perform(effect), **{one: found for one, found in known.items() if found is not None}}
        if not isinstance(effect, Exchange):
            return self.fleet.perform(effect)
        told = {member_id: self.decisions.get(self.key(effect, member_id)) for member_id in effect.grants}
        decided = {member_id: outcome for member_id, outcome in told.items() if outcome is not None}
        asked = {member_id: batch for member_id, batch in effect.grants.items() if member_id not in decided}
        return {**(self.fleet.perform(Exchange(asked, effect.occasion)) if asked else {}), **decided}

    def state(self, member_id: str) -> State | None:
        """A member's state at the present boundary; None if nobody has it."""
        try:
            return decode_state(self.lane.capture(self.fleet.host_of(member_id)))
        except EngineError:
            return None


def _may_be_asked_again(command: ClockCommand, reply: Reply) -> bool:
    """Whether something outside of history refused it: a host that died, or that restored a copy as another."""
    if isinstance(command, ForkGames | CreateInstance | ImportInstances):
        return reply.error_code in (EngineError.code, FactoryError.code)
    return isinstance(command, RegisterGame) and reply.error_code == EngineError.code


class CalmRun(Run):
    """A world in which nothing goes wrong but what its members do themselves, and what was decided elsewhere."""

    def __init__(self, world: World, decisions: Decisions) -> None:
        super().__init__(world, LocalLane(REALMS), decisions)


class StormyRun(Run):
    """A world in which everything goes wrong that a seed says.

    Every effect is checked: the clock gives up nobody to whom nothing was done, and puts a member into error only after
    two deaths in one question, or because it came back as another.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.plan = Plan(seed)
        self.storm = SimulatedLane(self.plan, REALMS)
        rng = self.plan.rng
        kept, spares = rng.choice([1 << 10, 1 << 12, 1 << 26]), rng.randrange(3)
        more = {"member_timeout_s": MEMBER_TIMEOUT_S, "kept_bytes_max": kept, "spare_hosts": spares}
        super().__init__(world_of(seed), self.storm, {}, **more)
        self.storm.name_of = lambda host_id: self.fleet._carried[host_id].member_id
        self._lost_while_captured: set[str] = set()

    def live(self, control_ticks: int = CONTROL_TICKS) -> None:
        """See `Run`."""
        self.fleet.prepare(self.plan.rng.randrange(3))
        super().live(control_ticks)

    def rest(self) -> None:
        """Time passes between two ticks; hosts die in it, and the clock looks after them."""
        plan, lane = self.plan, self.storm
        idle = lane.carriers()
        if idle and plan.strikes(Point.IDLE):
            plan.rng.choice(idle).die(Point.IDLE.name)
        if (alive := lane.carriers()) and plan.arms(Point.IDLE_THEN_IN_TICK):
            lane.armed[(dying := plan.rng.choice(alive)).member_id] = (1, Point.IDLE_THEN_IN_TICK)
            dying.die("the first of two deaths", after_s=0.0)
            self._tend()
        failed = [one for one in idle if self._is_in_error(one.member_id)]
        if failed and plan.strikes(Point.IDLE_IN_ERROR):
            plan.rng.choice(failed).die(Point.IDLE_IN_ERROR.name)
        if (spares := lane.spares()) and plan.strikes(Point.SPARE_DIES):
            plan.rng.choice(spares).die(Point.SPARE_DIES.name)
        for _ in range(plan.rng.randrange(4)):
            lane.let_pass(plan.rng.choice([0.01, 0.3]) * plan.rng.random())
            self._tend()

    def before_restart(self, member_id: str) -> None:
        """See `Run`."""
        carrier = [one for one in self.storm.carriers() if one.member_id == member_id]
        if carrier and self.plan.strikes(Point.BEFORE_RESTART):
            carrier[0].die(Point.BEFORE_RESTART.name, after_s=0.0)
            self._tend()

    def _tend(self) -> None:
        self.storm.begin()
        before = len(self.storm.given_up)
        self.fleet.tend()
        self._check_given_up(before, None)

    def _is_in_error(self, member_id: str) -> bool:
        seated = self.sequencer.members.get(member_id)
        return seated is not None and seated.error is not None

    def carry_out(self, effect: Effect) -> Any:
        """See `Run`; notes what is decided, and checks that there was a reason."""
        keys = self._keys(effect)
        self.storm.begin()
        before = len(self.storm.given_up)
        twice = len(self.storm.died_twice)
        outcome = self.fleet.perform(effect)
        self._check_given_up(before, effect)
        outcomes = outcome if isinstance(effect, Exchange | Capture) else {key[1]: outcome for key in keys.values()}
        for member_id, key in keys.items():
            if isinstance(outcomes[member_id], Lost | Refused):
                self._check_decided(member_id, before, outcomes[member_id])
                self.decisions[key] = outcomes[member_id]
                if member_id not in self.sequencer.members:  # a copy that is not there yet is not lost, but refused
                    self.decisions[key] = Refused(EngineError.code, "lost")
                if isinstance(effect, Capture):
                    self._lost_while_captured.add(member_id)
        for member_id, point in self.storm.died_twice[twice:]:
            if not isinstance(outcomes.get(member_id), Lost | Refused):
                raise MisdeedError(f"{member_id} goes on after {point.name}")
        return outcome

    def _keys(self, effect: Effect) -> dict[str, Key]:
        match effect:
            case Exchange(grants):
                return {member_id: self.key(effect, member_id) for member_id in grants}
            case Capture(member_ids):
                return {member_id: self.key(effect, member_id) for member_id in member_ids}
            case Rebuild(member_id):
                return {member_id: self.key(effect, member_id)}
        return {}

    def _check_given_up(self, before: int, effect: Effect | None) -> None:
        for process in self.storm.given_up[before:]:
            disposed = isinstance(effect, Dispose) and process.member_id == effect.member_id
            if not process.harm and not disposed:
                raise MisdeedError(f"{process.host_id} ({process.member_id}) was given up, and nothing was done to it")

    def _check_decided(self, member_id: str, before: int, outcome: Lost | Refused) -> None:
        """Two deaths in one question, or another member than before, are the only reasons."""
        hosts = [one for one in self.storm.given_up if one.member_id == member_id]
        lately = [one for one in self.storm.given_up[before:] if one.member_id == member_id]
        if member_id in self._lost_while_captured:
            return
        if len(lately) < 2 and not any(one.host_id in self.storm.fickle for one in hosts):
            raise MisdeedError(f"{member_id} was put into error without a reason: {outcome}")

    def check_end(self) -> None:
        """Nobody is forgotten, nobody is kept by mistake, nothing is made of nothing, and decisions are journaled."""
        lane, members = self.storm, self.sequencer.members
        carried = {one.host_id for one in lane.processes.values() if one.member_id and not one.given_up}
        standing = {self.fleet._kept[member_id].host_id for member_id in members} - {""}
        if carried != standing or self.fleet._kept.keys() != members.keys():
            raise MisdeedError(f"hosts {sorted(carried)} are kept for members on {sorted(standing)}")
        if len(self.fleet.recoveries) > len(lane.given_up):
            raise MisdeedError(f"{len(self.fleet.recoveries)} recoveries from {len(lane.given_up)} dead hosts")
        decided = sum(1 for entry in self.sequencer.journal if entry.command is None)
        lost = sum(1 for outcome in self.decisions.values() if isinstance(outcome, Lost))
        if decided != lost:
            raise MisdeedError(f"{lost} members were lost and {decided} losses are in the journal")
        for quantity, (present, expected) in self.sequencer.conservation().items():
            if present != expected:
                raise MisdeedError(f"there is {present} of {quantity}, and there should be {expected}")
