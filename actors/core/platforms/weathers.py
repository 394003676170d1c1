"""The vibe weather: five phases that take turns.

Every phase but the present one gathers pressure, a little with every local tick and more by what the society does. When
the present phase has lasted its time, the one under the highest pressure follows, ties in the order of the table, and
starts anew from no pressure. So what the society does decides which phase comes when, and none stays away for ever.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from actors.core.platforms.messages import PhaseOfWeather
from actors.core.platforms.schemas import Part, Unit, Whole

FREQUENCIES: Final[Mapping[str, int]] = {
    "calm-bloom": 432,
    "echo-storm": 528,
    "trust-surge": 639,
    "drift-wave": 741,
    "chaos-bloom": 852,
}
"""Phase to its frequency in Hz. The seeds name both lists; which belongs to which is this project's own."""
WEATHER_PHASES: Final = tuple(FREQUENCIES)

INTENSITY_MIN, INTENSITY_MAX = 0.1, 1.0
PRESSURE_PER_TICK = 3
PRESSURE_MAX = 5_000
PHASE_TICKS_LEAST, PHASE_TICKS_SPREAD = 30, 40
"""A phase lasts the first number of local ticks, and up to the second more by chance."""
APPROACH = 0.06
"""How much of the way to where it tends the intensity goes in one local tick."""
STEADY_WITHIN = 0.02
CONFIDENT_ECHOES = 25
"""So many echoes make the weather certain."""


class Pressures(Part, frozen=True):
    """What is gathering for each phase."""

    calm_bloom: Annotated[int, msgspec.Meta(ge=0, le=PRESSURE_MAX)]
    echo_storm: Annotated[int, msgspec.Meta(ge=0, le=PRESSURE_MAX)]
    trust_surge: Annotated[int, msgspec.Meta(ge=0, le=PRESSURE_MAX)]
    drift_wave: Annotated[int, msgspec.Meta(ge=0, le=PRESSURE_MAX)]
    chaos_bloom: Annotated[int, msgspec.Meta(ge=0, le=PRESSURE_MAX)]


class Weather(Part, frozen=True):
    """The weather of a moment.

    Attributes:
        phase: one of `WEATHER_PHASES`.
        intensity: 0.1 to 1.0.
        frequency: in Hz; follows from the phase.
        trajectory: rising, steady or falling.
        confidence: how sure this is, by the number of echoes.
        since: local tick in which the phase began.
        until: local tick in which it ends.
        peak: the intensity that it rises to in its first half; in its second it falls.
        pressures: see the module.
    """

    phase: PhaseOfWeather
    intensity: Annotated[float, msgspec.Meta(ge=INTENSITY_MIN, le=INTENSITY_MAX)]
    frequency: Whole
    trajectory: Annotated[str, msgspec.Meta(pattern="^(rising|steady|falling)$")]
    confidence: Unit
    since: Whole
    until: Whole
    peak: Annotated[float, msgspec.Meta(ge=INTENSITY_MIN, le=INTENSITY_MAX)]
    pressures: Pressures


def at_beginning() -> Weather:
    """The weather of a Surface that nothing has touched."""
    return Weather(
        "calm-bloom", 0.3, FREQUENCIES["calm-bloom"], "steady", 0.0, 0, PHASE_TICKS_LEAST, 0.5, Pressures(0, 0, 0, 0, 0)
    )


def certain(echoes: int) -> float:
    """The confidence that so many echoes give."""
    return min(echoes, CONFIDENT_ECHOES) / CONFIDENT_ECHOES


def after_tick(before: Weather, pushes: Mapping[str, int], echoes: int, now: int, draw: int) -> Weather:
    """The weather one local tick later.

    Args:
        before: the weather.
        pushes: phase to the pressure that the society adds to it.
        echoes: how many there are.
        now: the local tick.
        draw: 64 random bits.
    """
    gathered = [
        0 if phase == before.phase else min(value + PRESSURE_PER_TICK + pushes.get(phase, 0), PRESSURE_MAX)
        for phase, value in zip(WEATHER_PHASES, msgspec.structs.astuple(before.pressures), strict=True)
    ]
    if now >= before.until:
        return _turned(before, gathered, echoes, now, draw)
    half = (before.since + before.until) // 2
    tends = before.peak if now < half else INTENSITY_MIN
    step = (tends - before.intensity) * APPROACH + ((draw & 0xFFFF) / 65_536 - 0.5) * 0.02
    intensity = min(max(before.intensity + step, INTENSITY_MIN), INTENSITY_MAX)
    away = tends - before.intensity
    trajectory = "steady" if abs(away) < STEADY_WITHIN else "rising" if away > 0.0 else "falling"
    return msgspec.structs.replace(
        before,
        intensity=intensity,
        trajectory=trajectory,
        confidence=certain(echoes),
        pressures=Pressures(*gathered),
    )


def _turned(before: Weather, gathered: list[int], echoes: int, now: int, draw: int) -> Weather:
    """The phase under the highest pressure follows; the higher it was, the higher it will rise."""
    place = max(range(len(gathered)), key=lambda one: (gathered[one], -one))
    peak = min(0.4 + gathered[place] / 2_000, INTENSITY_MAX)
    lasts = PHASE_TICKS_LEAST + ((draw >> 16) & 0xFFFF) * PHASE_TICKS_SPREAD // 65_536
    phase = WEATHER_PHASES[place]
    pressures = Pressures(*(0 if one == place else value for one, value in enumerate(gathered)))
    return Weather(
        phase,  # type: ignore[arg-type]
        before.intensity,
        FREQUENCIES[phase],
        "rising",
        certain(echoes),
        now,
        now + lasts,
        peak,
        pressures,
    )


def altered(before: Weather, phase: str, intensity: float, now: int) -> Weather:
    """The weather that somebody has made."""
    return msgspec.structs.replace(
        before,
        phase=phase,
        frequency=FREQUENCIES[phase],
        intensity=intensity,
        peak=intensity,
        since=now,
        until=now + PHASE_TICKS_LEAST + PHASE_TICKS_SPREAD,
        trajectory="steady",
    )


def check_weather(weather: Weather) -> None:
    """Whether the weather of a state from outside fits together.

    Raises:
        ValueError: it does not.
    """
    if weather.frequency != FREQUENCIES[weather.phase]:
        raise ValueError(
            f"weather: {weather.phase} has the frequency {FREQUENCIES[weather.phase]}, not {weather.frequency}; set both"
        )
    if weather.until < weather.since:
        raise ValueError(f"weather: a phase that began at {weather.since} cannot end at {weather.until}")
