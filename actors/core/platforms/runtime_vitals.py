"""The vitals of a Runtime: how the society stands, and what it has counted since it began."""

from typing import Annotated, Any, Final

import msgspec

from actors.core.platforms.members import NO_REFUSALS, Refusals
from actors.core.platforms.messages import LevelName, PhaseOfWeather
from actors.core.platforms.personalities import ACTIONS
from actors.core.platforms.schemas import Part, Unit, Whole

POOL_MAX = 100_000


class Acts(Part, frozen=True):
    """How often agents did what, by themselves or possessed."""

    rest: Whole
    reflect: Whole
    speak: Whole
    create: Whole
    help: Whole
    propose: Whole
    pursue: Whole


class Vitals(Part, frozen=True):
    """How the society stands, and what it has counted since it began.

    Attributes:
        now: local tick at the last end of a control tick.
        refused: mail that may not be.
        initialized: whether the built-in agents have been born.
        autonomous: whether the society acts by itself.
        pool: energy that nobody holds.
        mirrors: mirror agents born; none of them ever ends.
        governor_denials: what Cal Riven denied.
        protocol_denials: what Protocol denied.
        reported: endings of rituals that Mirror has been told of.
        weather, intensity: as Surface last told them.
        level: of compliance, as Protocol last told it.
        export_began_at: when the present reflection was asked for; None when there is none.
    """

    now: Whole
    refused: Refusals
    initialized: bool
    autonomous: bool
    pool: Annotated[int, msgspec.Meta(ge=0, le=POOL_MAX)]
    mirrors: Whole
    born: Whole
    ended: Whole
    rituals_begun: Whole
    rituals_ended: Whole
    completed: Whole
    aborted: Whole
    asked: Whole
    governor_denials: Whole
    protocol_denials: Whole
    whispers: Whole
    ventures: Whole
    leases: Whole
    threads: Whole
    echoes: Whole
    acts: Acts
    reported: Whole
    loops_closed: Whole
    weather: PhaseOfWeather
    intensity: Unit
    level: LevelName
    export_began_at: Whole | None


MODIFIABLE_VITALS: Final = frozenset({"autonomous", "pool", "weather", "intensity", "level"})
"""The others say what has happened."""


def at_birth() -> Vitals:
    """The vitals of a Runtime that has not begun."""
    values: dict[str, Any] = dict.fromkeys(Vitals.__struct_fields__, 0)
    values |= {"refused": NO_REFUSALS, "initialized": False, "autonomous": False, "acts": Acts(*[0] * len(ACTIONS))}
    return Vitals(**values | {"weather": "calm-bloom", "intensity": 0.3, "level": "excellent", "export_began_at": None})
