"""Agents: who lives in Runtime. Templates, the three who are built in, and how one is born.

An agent is one frozen value, replaced whole when anything changes.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from actors.core.platforms.personalities import Personality
from actors.core.platforms.schemas import Id, Line, Part, Unit, Whole

CAL_RIVEN = "cal_riven"
ARTY = "arty"
AGENT_ZERO = "agent_zero"

GENERATION_MAX = 3
AGENTS_MAX = 16
MEMORIES_MAX = 12
AGENT_ENERGY_MAX = 100
BIRTH_ENERGY = 30
"""What a newborn is given from the pool."""
AURA_MAX = 100.0
AURA_AT_BIRTH = 60.0
CURSES_MAX = 9
CURSES_TO_ERROR = 3
"""So many curse markers put an agent into error, until a cleansing."""

EPHEMERAL_TICKS = 600
"""Local ticks that an ephemeral agent lives."""
FADING_TICKS = 50
"""Local ticks that an agent who has ended is still to be seen."""

TemplateName = Literal["governor", "orchestrator", "business", "basic", "mirror", "sovereign", "ephemeral"]
StateName = Literal["initializing", "ready", "executing", "suspended", "possessed", "error", "terminated"]

TierName = Literal["guest", "consumer", "power", "enterprise"]
TIERS: Final[Mapping[str, float]] = {"guest": 0.1, "consumer": 0.4, "power": 0.7, "enterprise": 0.9}
"""Agent Zero's autonomy: the highest risk of a venture that it takes on without asking."""


class Template(msgspec.Struct, frozen=True):
    """A row of the table of templates.

    Attributes:
        for_people: what is special about such an agent.
        priority: who acts first within a local tick; ties go by id.
        built_in: it is there from the beginning and cannot be born.
        has_children: whether it may be a parent.
        lives_ticks: local ticks until it ends by itself; None is for ever.
        born_at_most: how many of them the society itself brings to life; a god may add more.
        personality: with which one begins that nothing else is said of.
    """

    for_people: str
    priority: int
    built_in: bool
    has_children: bool
    lives_ticks: int | None
    born_at_most: int
    personality: Personality


TEMPLATES: Final[Mapping[str, Template]] = {
    "governor": Template(
        "decides what must be approved; cannot be ended",
        5, True, False, None, 0, Personality(0.2, 0.5, 0.8, 0.3, 0.5, 0.7),
    ),
    "orchestrator": Template(
        "proposes rituals, allots energy",
        4, True, True, None, 0, Personality(0.8, 0.6, 0.6, 0.6, 0.7, 0.4),
    ),
    "business": Template(
        "pursues goals with autonomy by tier",
        3, True, False, None, 0, Personality(0.4, 0.2, 0.5, 0.9, 0.5, 0.3),
    ),
    "basic": Template(
        "nothing special",
        1, False, True, None, 3, Personality(0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
    ),
    "mirror": Template(
        "takes on the mood of the others; cannot be ended",
        2, False, True, None, 1, Personality(0.3, 0.9, 0.4, 0.1, 0.6, 0.6),
    ),
    "sovereign": Template(
        "hears no whisper, has no children",
        2, False, False, None, 1, Personality(0.6, 0.3, 0.7, 0.7, 0.5, 0.6),
    ),
    "ephemeral": Template(
        f"ends after {EPHEMERAL_TICKS} local ticks",
        0, False, True, EPHEMERAL_TICKS, AGENTS_MAX, Personality(0.7, 0.5, 0.2, 0.5, 0.8, 0.3),
    ),
}  # fmt: skip

BUILT_IN: Final[Mapping[str, str]] = {CAL_RIVEN: "governor", ARTY: "orchestrator", AGENT_ZERO: "business"}
"""Who is there from the beginning, by template."""


class Memory(Part, frozen=True):
    """Something an agent remembers: when, what kind of thing, and about whom or what."""

    at: Whole
    kind: Id
    about: Line


class Possession(Part, frozen=True):
    """That somebody else decides for an agent."""

    lease_id: Id
    principal: Id


class Business(Part, frozen=True):
    """What Agent Zero is after.

    Attributes:
        tier: says how much it may do without asking.
        progress: towards the present goal.
        goals: reached so far.
        venture: the id of the one it waits for an answer to, or "".
        asked_at: the local tick in which it asked.
        risk: that venture's.
    """

    tier: TierName
    progress: Unit
    goals: Whole
    venture: Annotated[str, msgspec.Meta(max_length=64)]
    asked_at: Whole
    risk: Unit


class Agent(Part, frozen=True):
    """One agent.

    Attributes:
        template: what it was made from.
        personality: its traits.
        memory: the newest things, oldest first.
        mood: 0 is despair, 1 is bliss.
        energy: its own share of what the pool gave out.
        generation: 0 for those without a parent.
        state: see `StateName`.
        aura: how much it shines, 0 to 100.
        entropy: how unsettled it is.
        resonance: how well it chimes with its line.
        curses: markers that failed rituals leave.
        parent: its id, or None.
        born_at: local tick.
        ends_at: local tick in which it ends by itself, or is seen no longer; None is never.
        spoke_at: local tick of its last echo.
        possession: who decides for it, or None.
        business: Agent Zero's; None for all others.
    """

    template: TemplateName
    personality: Personality
    memory: Annotated[tuple[Memory, ...], msgspec.Meta(max_length=MEMORIES_MAX)]
    mood: Unit
    energy: Annotated[int, msgspec.Meta(ge=0, le=AGENT_ENERGY_MAX)]
    generation: Whole
    state: StateName
    aura: Annotated[float, msgspec.Meta(ge=0.0, le=AURA_MAX)]
    entropy: Unit
    resonance: Unit
    curses: Annotated[int, msgspec.Meta(ge=0, le=CURSES_MAX)]
    parent: Id | None
    born_at: Whole
    ends_at: Whole | None
    spoke_at: Whole
    possession: Possession | None
    business: Business | None

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.state != "terminated"

    @property
    def decides(self) -> bool:
        """Whether it acts by itself."""
        return self.state in ("ready", "executing") and self.possession is None


def born(
    template: str, personality: Personality, now: int, energy: int, resonance: float, parent: tuple[str, Agent] | None
) -> Agent:
    """A new agent; it is ready in the next local tick.

    Args:
        template: one of `TEMPLATES`.
        personality: its own.
        now: the local tick.
        energy: what it is given.
        resonance: its own, 0 to 1.
        parent: id and agent, or None.
    """
    lives_ticks = TEMPLATES[template].lives_ticks
    return Agent(
        template=template,  # type: ignore[arg-type]
        personality=personality,
        memory=(Memory(now, "born", parent[0] if parent else "nobody"),),
        mood=0.5,
        energy=energy,
        generation=parent[1].generation + 1 if parent else 0,
        state="initializing",
        aura=AURA_AT_BIRTH,
        entropy=0.5,
        resonance=resonance,
        curses=0,
        parent=parent[0] if parent else None,
        born_at=now,
        ends_at=None if lives_ticks is None else now + lives_ticks,
        spoke_at=now,
        possession=None,
        business=Business("consumer", 0.0, 0, "", 0, 0.0) if template == "business" else None,
    )


def inherited(resonance: float, draw: int) -> float:
    """A child's resonance: 0.8 of its parent's and 0.2 of chance, from 16 random bits."""
    return 0.8 * resonance + 0.2 * (draw / 65_536)


def remembering(agent: Agent, now: int, kind: str, about: str) -> tuple[Memory, ...]:
    """The agent's memory with one thing more; the oldest goes where there is no room."""
    return (*agent.memory[1 - MEMORIES_MAX :], Memory(now, kind, about))


def moved(value: float, by: float, most: float = 1.0) -> float:
    """A value within 0 … `most`, moved up by a share of what it lacks, or down by a share of what it has.

    So many small pushes never drive it to the bound for good.
    """
    share = by / most
    after = value + share * ((most - value) if share > 0.0 else value)
    return min(max(after, 0.0), most)
