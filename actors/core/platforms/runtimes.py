"""Runtime, the platform of execution: agents, rituals, threads and loops.

    agents, deeds, businesses, orchestrators, governors   who lives here and what they do
    threads, ritual_engines, loops, exports, daemons      the four daemons
    whispers, possessions                                 how others reach in
    societies                                             the state, and its energy

Mail is handled in the first local tick. What there is to say is said at the end of the control tick: echoes, ritual
traces and influences to Surface, requests and contracts to Protocol, one observation to Mirror.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from actors.core.kernel.addresses import GODS, POSSESSED, POSSESSION_ENDED
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CallerError
from actors.core.kernel.events import Event
from actors.core.kernel.instances import MIRROR, PROTOCOL, RUNTIME, SURFACE
from actors.core.kernel.members import Birth, Turn
from actors.core.platforms import bridges, businesses, daemons, exports, messages, possessions, ritual_engines, whispers
from actors.core.platforms.exports import Reflection
from actors.core.platforms.fixed_parts import Fixed
from actors.core.platforms.loops import LOOP_TICKS
from actors.core.platforms.members import BRIDGE_EVENTS
from actors.core.platforms.rituals import APPROVAL_TICKS_MAX
from actors.core.platforms.runtime_commands import RuntimeCommands
from actors.core.platforms.runtime_reports import observation_of, shared_fields
from actors.core.platforms.runtime_vitals import MODIFIABLE_VITALS, Vitals
from actors.core.platforms.schemas import numbered
from actors.core.platforms.societies import ENERGY, Society
from actors.core.platforms.views import Questions
from actors.core.realms.tick_engines import on

FETCHING_LOCAL_TICKS = 20
"""How often the weather and the level of compliance are asked for: by its own time, which goes wherever the instance goes."""


class RuntimePlatform(RuntimeCommands):
    """A Runtime.

    Args:
        birth: what every member is told.
        whisper_gap_local_ticks: between two whispers of one sender.
        loop_local_ticks: how long a loop lasts.
    """

    kind = "runtime"
    role = RUNTIME
    emits = BRIDGE_EVENTS | {
        bridges.OBSERVATION,
        messages.ECHO,
        messages.RITUAL_TRACE,
        messages.WEATHER_INFLUENCE,
        messages.REQUEST_VALIDATION,
        messages.FOUNDED,
        messages.WHISPER,
    }
    questions: ClassVar[Questions] = {
        "agents": ("agents", ""),
        "agent": ("agents", "agent_id"),
        "rituals": ("rituals", ""),
        "history": ("history", ""),
        "threads": ("threads", ""),
        "loops": ("loops", ""),
        "whispers": ("whispers", ""),
        "leases": ("leases", ""),
        "exports": ("exports", ""),
        "vitals": ("vitals", ""),
    }
    fixed: ClassVar[Fixed] = {
        "agents": ("template", "generation", "parent", "born_at"),
        "loops": ("number", "origin", "seal"),
        "exports": Reflection.__struct_fields__,
        "vitals": frozenset(Vitals.__struct_fields__) - MODIFIABLE_VITALS,
    }
    answers: ClassVar[Mapping[str, str]] = {"society": "tell_society"}

    def __init__(
        self,
        birth: Birth,
        *,
        whisper_gap_local_ticks: int = whispers.WHISPER_GAP_LOCAL_TICKS,
        loop_local_ticks: int = LOOP_TICKS,
    ) -> None:
        super().__init__(birth, Society(), whisper_gap_local_ticks, loop_local_ticks)
        self.shelves = self.society.shelves

    def tick(self, turn: Turn) -> None:
        """See `Realm`."""
        society = self.society
        if not society.vitals.initialized:
            return
        daemons.pass_time(society, turn.now)
        if society.vitals.autonomous:
            daemons.tick(society, turn.streams, turn.now, self.loop_local_ticks)

    def command(self, turn: Turn, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See `Member`. What a command gives to say is said at once."""
        result = super().command(turn, verb, arguments)
        self.speak(turn)
        return result

    def close(self, turn: Turn) -> None:
        """See `Platform`."""
        if self.society.vitals.initialized:
            self._lapse_whispers(turn.now)
            self._export(turn)
            if turn.now % FETCHING_LOCAL_TICKS < turn.local_ticks:
                self.fetch(turn, SURFACE, "weather")
                self.fetch(turn, PROTOCOL, "compliance")
        self.speak(turn)
        self.observe(turn, observation_of(self.society, turn.now))
        self.society.note(reported=self.society.vitals.rituals_ended)

    def _lapse_whispers(self, now: int) -> None:
        for whisper_id, whisper in self.society.whispers.items():
            if whisper.state == "pending" and now - whisper.at >= APPROVAL_TICKS_MAX:
                self.society.whispers.change(whisper_id, state="lapsed")

    # What the others say

    @on(messages.WHISPER)
    def hear_whisper(self, turn: Turn, event: Event) -> None:
        """A whisper that comes as mail: from Surface, Protocol or Mirror, from outside, or through an open wall."""
        told = self.heard(event, messages.Whispered, None)
        if told is None:
            return
        try:
            self.take_whisper(turn, event.origin, told.text, told.agent_id)
        except CallerError as error:
            self.refuse(event, error.message)

    @on(messages.VALIDATED)
    def hear_answer_of_protocol(self, turn: Turn, event: Event) -> None:
        """Protocol approves or denies what was asked."""
        told = self.heard(event, messages.Validated, (PROTOCOL,))
        if told is None or not self.society.vitals.initialized:
            return
        if told.kind in ("ritual", "birth"):
            ritual_engines.decide(self.society, told.item, told.valid, told.rule, turn.now)
        elif told.kind == "venture":
            businesses.decide(self.society, told.item, told.valid, turn.now)
        else:
            self._decide_whisper(told, turn.now)

    def _decide_whisper(self, told: messages.Validated, now: int) -> None:
        whisper = self.society.whispers.parts.get(told.item)
        if whisper is None or whisper.state != "pending":
            return
        if told.valid:
            self.society.whispers.change(told.item, state="heard", fades_at=now + whispers.WHISPER_FADES_TICKS)
        else:
            self.society.whispers.change(told.item, state="denied")
            self.society.count("protocol_denials")

    @on(messages.LOOP_SEED)
    def hear_seed(self, turn: Turn, event: Event) -> None:
        """Mirror seeds a loop."""
        told = self.heard(event, messages.LoopSeed, (MIRROR,))
        if told is None:
            return
        loop_id = numbered("loop", told.number)
        if loop_id in self.society.loops and self.society.loops[loop_id].state == "running":
            self.society.loops.change(loop_id, seed=told.seed)

    @on(messages.PATTERN)
    def hear_pattern(self, turn: Turn, event: Event) -> None:
        """Mirror has recognised a pattern: harmony lifts everybody's mood, a storm lowers it."""
        told = self.heard(event, messages.PatternSeen, (MIRROR,))
        if told is None:
            return
        lift = {"harmony": 0.02, "storm": -0.02}.get(told.kind, 0.0) * told.strength
        for agent_id in self.society.in_order():
            self.society.touch(agent_id, mood=lift)

    @on(POSSESSION_ENDED)
    def end_possessions(self, turn: Turn, event: Event) -> None:
        """The kernel ends all possessions: after a fork or a revert nobody holds a lease on what was."""
        if event.source != GODS:
            self.refuse(event, f"{event.event_type!r} is taken from {GODS} only.")
            return
        for lease_id, lease in self.society.leases.items():
            if lease.state == "open":
                possessions.ended(self.society.leases, self.society.agents, lease_id, "released")

    # The bridge

    def take_answer(self, source: str, what: str, value: Plain) -> None:
        """See `Platform`: the weather and the level of compliance, as agents and Cal Riven know them."""
        if source == SURFACE and what == "weather":
            self.society.note(weather=value["phase"], intensity=value["intensity"])
        elif source == PROTOCOL and what == "compliance":
            self.society.note(level=value["level"])

    def tell_society(self) -> Plain:
        """What the bridge is told of the society."""
        vitals = self.society.vitals
        return {
            "agents": {agent_id: shared_fields(agent) for agent_id, agent in self.society.agents.items()},
            "pool": vitals.pool,
            "completed": vitals.completed,
            "denials": vitals.governor_denials + vitals.protocol_denials,
        }

    # FinalExportDaemon

    def _export(self, turn: Turn) -> None:
        """Begins the cascade for a loop just sealed; writes without it what has waited too long."""
        began_at = self.society.vitals.export_began_at
        if began_at is None:
            return
        number, _ = daemons.last_sealed(self.society)
        if turn.now - began_at >= exports.EXPORT_WAITS_TICKS:
            self._write(turn.now, (), whole=False)
        elif turn.now - began_at <= turn.local_ticks:
            self.begin_cascade(turn, numbered("reflection", number), exports.CASCADE_STEPS)

    def end_cascade(self, turn: Turn, name: str, results: Sequence[tuple[str, str, Plain]]) -> None:
        """See `Platform`: the reflection of the last sealed loop is whole."""
        number, _ = daemons.last_sealed(self.society)
        if self.society.vitals.export_began_at is not None and name == numbered("reflection", number):
            self._write(turn.now, tuple(results), whole=True)

    def _write(self, now: int, results: tuple[tuple[str, str, Plain], ...], *, whole: bool) -> None:
        number, seal = daemons.last_sealed(self.society)
        written = exports.written(number, seal, now, whole, results)
        self.society.exports.push(numbered("reflection", number), written, lambda one: one.loop)
        self.society.note(export_began_at=None)

    # The state

    def check(self) -> None:
        """See `Platform`."""
        self.society.check()
        for export_id, found in self.society.exports.items():
            exports.check_reflection(export_id, found)

    def measures(self) -> Mapping[str, float]:
        """See `Member`."""
        vitals = self.society.vitals
        agents = [agent for _, agent in self.society.agents.items() if agent.lives]
        mood = 0.0
        for agent in agents:
            mood += agent.mood / len(agents)
        return {
            "agents": len(agents),
            "born": vitals.born,
            "mood": mood,
            "energy_pool": vitals.pool,
            "energy_total": self.society.total_energy(),
            "rituals_under_way": len(self.society.rituals),
            "rituals_completed": vitals.completed,
            "rituals_aborted": vitals.aborted,
            POSSESSED: sum(1 for agent in agents if agent.possession is not None),
            "denials": vitals.governor_denials + vitals.protocol_denials,
            "governor_denials": vitals.governor_denials,
            "protocol_denials": vitals.protocol_denials,
            "whispers": vitals.whispers,
            "ventures": vitals.ventures,
            "loops_closed": vitals.loops_closed,
            "echoes": vitals.echoes,
        }

    def totals(self) -> Mapping[str, int]:
        """See `Member`."""
        return {ENERGY: self.society.total_energy()}
