"""Patterns: what Mirror recognises in what it was told. A table of rules, each a figure and where it begins to count."""

from collections.abc import Mapping
from typing import Final

import msgspec

from actors.core.platforms.messages import PatternKind, PhaseOfWeather
from actors.core.platforms.schemas import Part, Unit, Whole

PATTERNS_MAX = 32
PATTERN_GAP_TICKS = 100
"""Local ticks until the same pattern is told again."""
VIBE_OLD = 0.8
"""Of the aggregated vibes, what stays of the old ones in a control tick."""


class Vibes(Part, frozen=True):
    """What Mirror makes of all it was told.

    Attributes:
        intensity: of the weather, as a moving average.
        phase: of the weather, as last told.
        mood: mean of all living agents.
        spread: how far apart the happiest and the saddest are.
        compliance: Protocol's score, as last told.
        harmony: mood and compliance, as a moving average.
    """

    intensity: Unit
    phase: PhaseOfWeather
    mood: Unit
    spread: Unit
    compliance: Unit
    harmony: Unit


class Pattern(Part, frozen=True):
    """A pattern that was recognised."""

    kind: PatternKind
    strength: Unit
    at: Whole
    order: Whole


class Threshold(msgspec.Struct, frozen=True):
    """A row of the table of patterns: for people, and from which strength it counts."""

    sign: str
    counts_from: float


PATTERNS: Final[Mapping[PatternKind, Threshold]] = {
    "harmony": Threshold("mood and compliance are high", 0.7),
    "storm": Threshold("echo-storm or chaos-bloom at high intensity", 0.5),
    "emergence": Threshold("grandchildren are many", 0.5),
    "convergence": Threshold("all moods are near each other", 0.75),
}


def mixed(old: float, new: float) -> float:
    """A moving average, brought into 0 … 1."""
    return min(max(VIBE_OLD * old + (1.0 - VIBE_OLD) * new, 0.0), 1.0)


def strengths(vibes: Vibes, generations: list[int]) -> dict[PatternKind, float]:
    """How strong every pattern is now, 0 to 1.

    Args:
        vibes: as aggregated.
        generations: of all living agents.
    """
    stormy = vibes.phase in ("echo-storm", "chaos-bloom")
    later = sum(generation > 1 for generation in generations)
    return {
        "harmony": vibes.harmony,
        "storm": vibes.intensity if stormy else 0.0,
        "emergence": later / len(generations) if generations else 0.0,
        "convergence": 1.0 - vibes.spread if len(generations) > 1 else 0.0,
    }


def recognised(
    vibes: Vibes, generations: list[int], patterns: Mapping[str, Pattern], now: int
) -> list[tuple[PatternKind, float]]:
    """(kind, strength) of the patterns that count and were not told lately, in the order of the table."""
    found: list[tuple[PatternKind, float]] = []
    for kind, strength in strengths(vibes, generations).items():
        last = max((pattern.at for pattern in patterns.values() if pattern.kind == kind), default=None)
        if strength >= PATTERNS[kind].counts_from and (last is None or now - last >= PATTERN_GAP_TICKS):
            found.append((kind, strength))
    return found
