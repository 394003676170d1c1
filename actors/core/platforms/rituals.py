"""Rituals: their kinds, their phases, and what is kept of one that has ended."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from actors.core.platforms.schemas import Id, Line, Part, Whole, numbered

RITUALS_MAX = 5
"""Rituals under way at once."""
HISTORY_MAX = 64
"""Ended rituals that Runtime and Mirror remember."""
APPROVAL_TICKS_MAX = 150
"""Local ticks that something waits for an answer; then it lapses."""
RITUAL_ENERGY_MAX = 100
NUMBER_DIGITS_MAX = 16
"""Of the number in a ritual's id; no count goes further."""

RitualKind = Literal["cleansing", "calling", "aura_weaving", "stirring", "gathering", "enterprise", "birth"]
PhaseName = Literal["dormant", "awakening", "active", "peak", "waning"]
Outcome = Literal["completed", "aborted", "denied", "lapsed"]
Approval = Literal["not_needed", "pending", "given"]


class Kind(msgspec.Struct, frozen=True):
    """A row of the table of rituals.

    Attributes:
        effect: what it does for its agent when it is completed.
        energy: what it draws from the pool while it goes on.
        gift: how much of that its agent keeps, as far as it has room.
    """

    effect: str
    energy: int
    gift: int


KINDS: Final[Mapping[str, Kind]] = {
    "cleansing": Kind("lifts all curses, ends an error", 20, 4),
    "calling": Kind("breaks a silence, lifts the mood", 8, 2),
    "aura_weaving": Kind("40 more aura", 16, 4),
    "stirring": Kind("0.3 more entropy", 12, 2),
    "gathering": Kind("lifts everybody's mood and resonance", 30, 4),
    "enterprise": Kind("crowns a goal: aura and energy", 24, 12),
    "birth": Kind("a child", 10, 0),
}


class Phase(msgspec.Struct, frozen=True):
    """A row of the table of phases.

    Attributes:
        ticks: local ticks that it lasts; a dormant one lasts longer while an answer is awaited.
        critical: whether a failure aborts the ritual; in another phase it is a flaw, and the ritual goes on.
        fails_per_mille: how often it fails in calm weather.
        after: the phase that follows, or "" at the end.
    """

    ticks: int
    critical: bool
    fails_per_mille: int
    after: str


PHASES: Final[Mapping[str, Phase]] = {
    "dormant": Phase(3, False, 0, "awakening"),
    "awakening": Phase(6, True, 40, "active"),
    "active": Phase(12, False, 120, "peak"),
    "peak": Phase(6, True, 60, "waning"),
    "waning": Phase(8, False, 80, ""),
}

FAIL_PERCENTS: Final[Mapping[str, int]] = {"chaos-bloom": 200, "echo-storm": 150, "trust-surge": 50}
"""Weather phase to what the chance of failing is multiplied by, in percent."""


class Ritual(Part, frozen=True):
    """A ritual under way.

    Attributes:
        kind: one of `KINDS`.
        agent: whom it is for; of a birth, the parent.
        proposer: the agent that proposed it, or "thread_weaver", or "god".
        phase: where it stands.
        phase_until: local tick in which the phase ends.
        energy: what it holds of the pool; nothing while it is dormant.
        approval: whether Protocol has to be, or has been, asked.
        flaws: phases that failed without aborting it.
        began_at: local tick.
        order: how many rituals were begun before it.
        template: of the child, for a birth; else "".
    """

    kind: RitualKind
    agent: Id
    proposer: Id
    phase: PhaseName
    phase_until: Whole
    energy: Annotated[int, msgspec.Meta(ge=0, le=RITUAL_ENERGY_MAX)]
    approval: Approval
    flaws: Annotated[int, msgspec.Meta(ge=0, le=len(PHASES))]
    began_at: Whole
    order: Whole
    template: Literal["", "basic", "mirror", "sovereign", "ephemeral"]


class Ended(Part, frozen=True):
    """A ritual that has ended; `order` counts endings, so it is the order of the timeline."""

    kind: RitualKind
    agent: Id
    proposer: Id
    outcome: Outcome
    flaws: Whole
    began_at: Whole
    ended_at: Whole
    reason: Line
    order: Whole


RITUAL: Final = "ritual"
"""What Runtime calls its rituals; the id of one says how many were begun before it."""


def ritual_number(ritual_id: str) -> int | None:
    """How many rituals were begun before one of that id, if Runtime gives such ids; None of any other id."""
    digits = ritual_id.removeprefix(f"{RITUAL}_")
    if digits == ritual_id or not (digits.isascii() and digits.isdecimal()) or len(digits) > NUMBER_DIGITS_MAX:
        return None
    number = int(digits)
    return number if numbered(RITUAL, number) == ritual_id else None


def fails(phase: Phase, weather: str, draw: int) -> bool:
    """Whether a phase fails, by 32 random bits."""
    per_mille = phase.fails_per_mille * FAIL_PERCENTS.get(weather, 100) // 100
    return ((draw * 1_000) >> 32) < per_mille
