"""What the platforms of an instance say to each other besides the bridge's own requests, and what its data are."""

from typing import Annotated, Literal

import msgspec

from actors.core.platforms.agents import AGENTS_MAX, AURA_MAX, StateName
from actors.core.platforms.rituals import Ended, Outcome, RitualKind
from actors.core.platforms.schemas import Id, Line, Part, Seal, Unit, Whole

ECHO = "echo"
RITUAL_TRACE = "ritual_trace"
WEATHER_INFLUENCE = "weather_influence"
REQUEST_VALIDATION = "request_validation"
VALIDATED = "validated"
SIGNATURE = "signature"
FOUNDED = "founded"
WHISPER = "whisper"
LOOP_SEED = "loop_seed"
PATTERN = "pattern"

PhaseOfWeather = Literal["calm-bloom", "echo-storm", "trust-surge", "drift-wave", "chaos-bloom"]
ItemKind = Literal["ritual", "birth", "whisper", "venture"]
PatternKind = Literal["harmony", "storm", "emergence", "convergence"]
LevelName = Literal["critical", "warning", "standard", "excellent"]

FACTS_MAX = 16
Fact = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]


class SharedFields(Part, frozen=True):
    """What Surface's echo of an agent and Runtime's agent have in common."""

    mood: Unit
    energy: Whole
    state: StateName
    aura: Annotated[float, msgspec.Meta(ge=0.0, le=AURA_MAX)]


SHARED_FIELDS = SharedFields.__struct_fields__


class Echo(Part, frozen=True):
    """One agent's echo, as it is sent."""

    agent: Id
    shared: SharedFields
    text: Line


class Echoes(Part, frozen=True):
    """Runtime to Surface, once per control tick: the echoes of those who spoke."""

    echoes: Annotated[tuple[Echo, ...], msgspec.Meta(max_length=AGENTS_MAX)]


class RitualTrace(Part, frozen=True):
    """Runtime to Surface: a ritual has ended."""

    ritual: Id
    kind: RitualKind
    agent: Id
    outcome: Outcome


class WeatherInfluence(Part, frozen=True):
    """To Surface: something that favours a phase of the weather."""

    phase: PhaseOfWeather
    push: Annotated[int, msgspec.Meta(ge=0, le=1_000)]
    because: Line


class ValidationRequest(Part, frozen=True):
    """To Protocol: whether something may be. The facts are what its rules look at."""

    item: Id
    kind: ItemKind
    facts: Annotated[dict[str, Fact], msgspec.Meta(max_length=FACTS_MAX)]


class Validated(Part, frozen=True):
    """Protocol to Runtime: the answer; `rule` is the one that was broken, or ""."""

    item: Id
    kind: ItemKind
    valid: bool
    rule: Line


class Signature(Part, frozen=True):
    """To Protocol: a party signs a contract."""

    contract: Id
    party: Id


class Founded(Part, frozen=True):
    """Runtime to Protocol: the society has begun, or somebody was born; who the parties are."""

    kind: Literal["eternal", "consciousness", "deployment", "binding"]
    parties: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=8)]
    terms: Line


class Whispered(Part, frozen=True):
    """To Runtime, from anybody: a whisper. The data are checked as those of the command are."""

    text: str
    agent_id: str = ""


class LoopSeed(Part, frozen=True):
    """Mirror to Runtime: what the loop of that number shall be inclined to."""

    number: Whole
    seed: Seal


class PatternSeen(Part, frozen=True):
    """Mirror to all whom it may talk to: what it recognised, and how strong it is."""

    kind: PatternKind
    strength: Unit


class AgentSeen(Part, frozen=True):
    """An agent as Mirror is told of it."""

    mood: Unit
    energy: Whole
    state: StateName
    resonance: Unit
    generation: Whole


class RuntimeObservation(Part, frozen=True):
    """Runtime to Mirror."""

    at: Whole
    agents: dict[str, AgentSeen]
    ended: dict[str, Ended]
    under_way: Whole
    born: Whole
    pool: Whole
    loop: Whole
    sealed: Whole
    seal: Seal


class SurfaceObservation(Part, frozen=True):
    """Surface to Mirror."""

    at: Whole
    phase: PhaseOfWeather
    intensity: Unit
    frequency: Whole
    confidence: Unit
    echoes: Whole


class ValidationSeen(Part, frozen=True):
    """A validation as Mirror is told of it."""

    kind: ItemKind
    valid: bool


class ProtocolObservation(Part, frozen=True):
    """Protocol to Mirror: the validations of this control tick, and how things stand."""

    at: Whole
    score: Unit
    level: LevelName
    validated: dict[str, ValidationSeen]
    denied: Whole
