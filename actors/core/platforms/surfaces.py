"""Surface, the platform of reflection: echoes of the agents, traces of rituals, and the vibe weather.

It is read-only: all it takes in is echoes, ritual traces and influences on the weather.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import Event
from actors.core.kernel.instances import MIRROR, SURFACE
from actors.core.kernel.members import Birth, Turn
from actors.core.platforms import bridges, messages, weathers
from actors.core.platforms.agents import AGENTS_MAX
from actors.core.platforms.fixed_parts import Fixed
from actors.core.platforms.members import BRIDGE_EVENTS, NO_REFUSALS, Platform, Refusals
from actors.core.platforms.messages import SharedFields, SurfaceObservation
from actors.core.platforms.rituals import Outcome, RitualKind
from actors.core.platforms.schemas import ID_CHARACTERS_MAX, NOW, Id, Part, Shelf, Unit, Whole
from actors.core.platforms.views import Questions
from actors.core.players.checks import checked_text
from actors.core.realms.tick_engines import command, on

ECHOES_MAX = 5
ECHO_FADES = 0.95
"""What is left of an echo's strength after one local tick."""
ECHOING_AGENTS_MAX = 2 * AGENTS_MAX
TRACES_MAX = 20
FAINTEST = 1e-6
"""An echo weaker than that has no strength any more."""

ECHO_STORM_MOOD, ECHO_STORM_PUSH = 0.45, 8
CALM_PUSH = 4
TRACE_PUSHES: Mapping[str, tuple[str, int]] = {
    "completed": ("trust-surge", 25),
    "aborted": ("chaos-bloom", 60),
    "denied": ("echo-storm", 40),
    "lapsed": ("drift-wave", 40),
}
"""How a ritual ended to the phase of the weather it favours, and by how much."""


class FadingEcho(Part, frozen=True):
    """An echo as it is kept: when it came, how strong it still is, and the mood in it."""

    at: Whole
    strength: Unit
    mood: Unit


class AgentEchoes(Part, frozen=True):
    """An agent's echoes: the fields of the latest, and the last five, oldest first."""

    latest: SharedFields
    recent: Annotated[tuple[FadingEcho, ...], msgspec.Meta(max_length=ECHOES_MAX)]


class Trace(Part, frozen=True):
    """That a ritual ended."""

    kind: RitualKind
    agent: Id
    outcome: Outcome
    at: Whole
    order: Whole


class Vitals(Part, frozen=True):
    """How Surface stands.

    Attributes:
        now: local tick at the last end of a control tick.
        refused: mail that may not be.
        echoes: heard so far.
        traces: of rituals, so far.
        turns: of the weather, so far.
    """

    now: Whole
    refused: Refusals
    echoes: Whole
    traces: Whole
    turns: Whole


class SurfacePlatform(Platform):
    """A Surface."""

    kind = "surface"
    role = SURFACE
    emits = BRIDGE_EVENTS | {bridges.OBSERVATION}
    fixed: ClassVar[Fixed] = {"vitals": Vitals.__struct_fields__}
    questions: ClassVar[Questions] = {
        "weather": ("weather", ""),
        "echoes": ("echoes", ""),
        "echo": ("echoes", "agent_id"),
        "traces": ("traces", ""),
        "vitals": ("vitals", ""),
    }
    answers: ClassVar[Mapping[str, str]] = {"weather": "tell_weather"}

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.echoes: Shelf[AgentEchoes] = Shelf("echoes", AgentEchoes, ECHOING_AGENTS_MAX)
        self.traces: Shelf[Trace] = Shelf("traces", Trace, TRACES_MAX)
        self.weather: Shelf[weathers.Weather] = Shelf("weather", weathers.Weather, 1, 1)
        self.weather[NOW] = weathers.at_beginning()
        self.vitals: Shelf[Vitals] = Shelf("vitals", Vitals, 1, 1)
        self.vitals[NOW] = Vitals(0, NO_REFUSALS, 0, 0, 0)
        self.shelves: tuple[Shelf[Any], ...] = (self.echoes, self.traces, self.weather, self.vitals)

    def tick(self, turn: Turn) -> None:
        """See `Realm`. Echoes fade, and the weather goes on."""
        for agent_id, echoes in self.echoes.items():
            self.echoes[agent_id] = AgentEchoes(echoes.latest, tuple(_faded(echo) for echo in echoes.recent))
        before = self.weather[NOW]
        pushes = {} if self._sounding() else {"calm-bloom": CALM_PUSH}
        draw = turn.streams.word("weather", turn.now, 0)
        after = self.weather[NOW] = weathers.after_tick(before, pushes, self._count(), turn.now, draw)
        if after.phase != before.phase:
            self.vitals.change(NOW, turns=self.vitals[NOW].turns + 1)

    def close(self, turn: Turn) -> None:
        """See `Platform`."""
        weather = self.weather[NOW]
        seen = SurfaceObservation(
            turn.now, weather.phase, weather.intensity, weather.frequency, weather.confidence, self.vitals[NOW].echoes
        )
        self.observe(turn, seen)

    # What it takes in

    @on(messages.ECHO)
    def hear_echoes(self, turn: Turn, event: Event) -> None:
        """Echoes of agents: low moods gather to a storm."""
        told = self.heard(event, messages.Echoes, None)
        for echo in told.echoes if told is not None else ():
            self._keep(echo.agent, echo.shared, turn.now)

    @on(messages.RITUAL_TRACE)
    def hear_trace(self, turn: Turn, event: Event) -> None:
        """The trace of a ritual that has ended favours a phase by how it ended."""
        told = self.heard(event, messages.RitualTrace, None)
        if told is None:
            return
        order = self.vitals[NOW].traces
        self.vitals.change(NOW, traces=order + 1)
        self.traces.push(
            told.ritual, Trace(told.kind, told.agent, told.outcome, turn.now, order), lambda one: one.order
        )
        self._push(*TRACE_PUSHES[told.outcome])

    @on(messages.WEATHER_INFLUENCE)
    def hear_influence(self, turn: Turn, event: Event) -> None:
        """Something that favours a phase."""
        told = self.heard(event, messages.WeatherInfluence, None)
        if told is not None:
            self._push(told.phase, told.push)

    @on(messages.PATTERN)
    def hear_pattern(self, turn: Turn, event: Event) -> None:
        """A pattern that Mirror recognised is an influence on the weather."""
        told = self.heard(event, messages.PatternSeen, (MIRROR,))
        favours = {
            "harmony": "calm-bloom",
            "storm": "echo-storm",
            "emergence": "drift-wave",
            "convergence": "trust-surge",
        }
        if told is not None:
            self._push(favours[told.kind], int(30 * told.strength))

    @command
    def emit_echo(
        self, turn: Turn, agent_id: Plain, mood: Plain, energy: Plain = 50, state: Plain = "ready", aura: Plain = 50.0
    ) -> Plain:
        """Puts an echo of an agent on Surface; Runtime's agent stays as it is. Returns the agent's echoes.

        Raises:
            CommandRefusedError: values that do not fit.
        """
        name = checked_text(agent_id, "agent_id", ID_CHARACTERS_MAX)
        try:
            shared = msgspec.convert({"mood": mood, "energy": energy, "state": state, "aura": aura}, SharedFields)
        except msgspec.ValidationError as error:
            raise CommandRefusedError(f"the echo does not fit: {error}.") from None
        if name == NOW:
            raise CommandRefusedError(f"no agent is called {NOW!r}.")
        self._keep(name, shared, turn.now)
        return msgspec.to_builtins(self.echoes[name])

    @command
    def alter_weather(self, turn: Turn, phase: Plain, intensity: Plain = 0.5) -> Plain:
        """Lets it be another weather; from here on it takes its course. Returns the weather.

        Raises:
            CommandRefusedError: no such phase, or an intensity outside 0.1 … 1.0.
        """
        if not isinstance(phase, str) or phase not in weathers.FREQUENCIES:
            raise CommandRefusedError(f"there is no phase {phase!r:.80}; there are {', '.join(weathers.FREQUENCIES)}.")
        low, high = weathers.INTENSITY_MIN, weathers.INTENSITY_MAX
        if isinstance(intensity, bool) or not isinstance(intensity, int | float) or not low <= intensity <= high:
            raise CommandRefusedError(f"intensity must be a number from {low} to {high}, not {intensity!r:.80}.")
        if phase != self.weather[NOW].phase:
            self.vitals.change(NOW, turns=self.vitals[NOW].turns + 1)
        self.weather[NOW] = weathers.altered(self.weather[NOW], phase, float(intensity), turn.now)
        return self.tell_weather()

    def _keep(self, agent_id: str, shared: SharedFields, now: int) -> None:
        before = self.echoes.parts.get(agent_id)
        recent = before.recent if before is not None else ()
        kept = (*recent[-(ECHOES_MAX - 1) :], FadingEcho(now, 1.0, shared.mood))
        self.echoes.push(agent_id, AgentEchoes(shared, kept), lambda one: one.recent[-1].at if one.recent else 0)
        self.vitals.change(NOW, echoes=self.vitals[NOW].echoes + 1)
        if shared.mood < ECHO_STORM_MOOD:
            self._push("echo-storm", ECHO_STORM_PUSH)

    def _push(self, phase: str, push: int) -> None:
        name = phase.replace("-", "_")
        before = self.weather[NOW]
        gathered = min(getattr(before.pressures, name) + push, weathers.PRESSURE_MAX)
        self.weather.change(NOW, pressures=msgspec.structs.replace(before.pressures, **{name: gathered}))

    def _count(self) -> int:
        return sum(len(echoes.recent) for echoes in self.echoes.parts.values())

    def _sounding(self) -> bool:
        """Whether any echo is still to be heard well."""
        return any(echoes.recent and echoes.recent[-1].strength > 0.5 for echoes in self.echoes.parts.values())

    # The bridge and the state

    def tell_weather(self) -> Plain:
        """What the bridge is told of the weather."""
        weather = self.weather[NOW]
        return {
            name: getattr(weather, name) for name in ("phase", "intensity", "frequency", "trajectory", "confidence")
        }

    def check(self) -> None:
        """See `Platform`."""
        if set(self.weather.parts) != {NOW}:
            raise ValueError(f"section 'weather' has the one object {NOW!r}, not {sorted(self.weather.parts)}")
        weathers.check_weather(self.weather[NOW])

    def measures(self) -> Mapping[str, float]:
        """See `Member`. The phase is its place in the table of phases."""
        weather, vitals = self.weather[NOW], self.vitals[NOW]
        return {
            "phase": weathers.WEATHER_PHASES.index(weather.phase),
            "intensity": weather.intensity,
            "frequency": weather.frequency,
            "confidence": weather.confidence,
            "echoes": vitals.echoes,
            "turns": vitals.turns,
        }


def _faded(echo: FadingEcho) -> FadingEcho:
    strength = echo.strength * ECHO_FADES
    return FadingEcho(echo.at, strength if strength > FAINTEST else 0.0, echo.mood)
