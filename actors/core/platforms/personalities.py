"""Personalities: what an agent is like, and how that weighs upon what it does.

An agent that stirs in a local tick chooses among `ACTIONS`. Each has a weight: its base and a share of every trait that it
draws on, in thousandths; how things stand (tiredness, the weather, a hint, the loop's inclination) multiplies it by whole
percents. So a changed trait changes this agent's choices and no other draw.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

import msgspec

from actors.core.kernel.errors import CommandRefusedError
from actors.core.platforms.schemas import Part, Unit


class Personality(Part, frozen=True):
    """Named traits, 0 to 1."""

    creativity: Unit
    empathy: Unit
    discipline: Unit
    ambition: Unit
    curiosity: Unit
    calm: Unit


TRAITS: Final = Personality.__struct_fields__

ActionName = Literal["rest", "reflect", "speak", "create", "help", "propose", "pursue"]


class Action(msgspec.Struct, frozen=True):
    """A row of the table of actions.

    Attributes:
        effect: for people.
        costs: energy that it gives back to the pool.
        base: weight whatever the personality.
        draws: trait to the weight that it adds when it is 1.
    """

    effect: str
    costs: int
    base: int
    draws: Mapping[str, int]


ACTIONS: Final[Mapping[str, Action]] = {
    "rest": Action("takes energy from the pool", 0, 3, {"calm": 4}),
    "reflect": Action("gains aura, loses entropy", 0, 3, {"curiosity": 6}),
    "speak": Action("sends an echo to Surface", 1, 2, {"empathy": 6}),
    "create": Action("gains aura, entropy and resonance", 3, 1, {"creativity": 8}),
    "help": Action("lifts a curse or the mood of another", 2, 1, {"empathy": 4, "discipline": 2}),
    "propose": Action("proposes a ritual", 2, 0, {"ambition": 1, "creativity": 1}),
    "pursue": Action("goes after a goal of its own", 2, 0, {"ambition": 6, "discipline": 2}),
}
IDLE: Final = "wait"
"""What an agent does that does not stir; it may also be decided for a possessed one."""

HINTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("rest", "sleep", "peace", "slow"), "rest"),
    **dict.fromkeys(("think", "wonder", "remember", "reflect", "listen"), "reflect"),
    **dict.fromkeys(("speak", "sing", "tell", "echo", "call"), "speak"),
    **dict.fromkeys(("create", "build", "make", "dream", "paint"), "create"),
    **dict.fromkeys(("help", "heal", "care", "forgive", "share"), "help"),
    **dict.fromkeys(("ritual", "gather", "birth", "bless", "begin"), "propose"),
    **dict.fromkeys(("trade", "win", "grow", "pursue", "goal"), "pursue"),
}
"""Which action a word in a whisper hints at."""

STIR_BASE, STIR_AMBITION = 9_000, 12_000
"""Of 65,536: how often an agent stirs in a local tick, at no ambition, and how much more at full."""


@lru_cache(maxsize=4_096)
def weights(personality: Personality) -> tuple[int, ...]:
    """The weights of `ACTIONS` in their order, in thousandths."""
    return tuple(
        1_000 * action.base
        + sum(int(1_000 * share * getattr(personality, trait)) for trait, share in action.draws.items())
        for action in ACTIONS.values()
    )


def stirs(personality: Personality, draw: int) -> bool:
    """Whether an agent does anything in this local tick.

    Args:
        personality: its own.
        draw: 16 random bits.
    """
    return draw < STIR_BASE + int(STIR_AMBITION * personality.ambition)


def chosen(personality: Personality, draw: int, percents: Mapping[str, int]) -> str:
    """What an agent does that stirs.

    Args:
        personality: its own.
        draw: 32 random bits.
        percents: action to what its weight is multiplied by; 100 where it is not named.
    """
    biased = [weight * percents.get(action, 100) for action, weight in zip(ACTIONS, weights(personality), strict=True)]
    left = (draw * sum(biased)) >> 32
    for action, weight in zip(ACTIONS, biased, strict=True):
        left -= weight
        if left < 0:
            return action
    return "rest"


def hinted(text: str) -> str:
    """The action a whisper hints at: by the first word that `HINTS` knows; without one it moves to reflect."""
    words = "".join(letter if letter.isalpha() else " " for letter in text.lower()).split()
    return next((HINTS[word] for word in words if word in HINTS), "reflect")


def changed(personality: Personality, traits: object) -> Personality:
    """A personality with other traits.

    Raises:
        CommandRefusedError: not a map of known traits to numbers from 0 to 1.
    """
    if not isinstance(traits, Mapping):
        raise CommandRefusedError(f"a personality is a map of trait to number, not {type(traits).__name__}.")
    values = {}
    for trait, value in traits.items():
        if trait not in TRAITS:
            raise CommandRefusedError(f"there is no trait {trait!r:.80}; there are {', '.join(TRAITS)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise CommandRefusedError(f"{trait} must be a number from 0 to 1, not {value!r:.80}.")
        values[trait] = float(value)
    return msgspec.structs.replace(personality, **values)
