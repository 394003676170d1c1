"""What factions think of a player: scores, standings, and the clamp."""

from bisect import bisect_right
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from actors.core.kernel.errors import CommandRefusedError
from actors.core.players.checks import checked_whole

SCORE_MIN = -1_000
SCORE_MAX = 1_000

CHANGE_MAX = 1_000_000_000
"""Largest change in either direction; the score is clamped long before."""


class ReputationFaction(StrEnum):
    """Who may think well or ill of a player. Source: seed 002."""

    THE_WANDERERS = "the_wanderers"
    REALM_KEEPERS = "realm_keepers"
    CHAOTIC_FORCES = "chaotic_forces"
    NEUTRAL = "neutral"


DESPISED, DISLIKED, NEUTRAL, LIKED, REVERED = STANDINGS = ("despised", "disliked", "neutral", "liked", "revered")
"""From worst to best."""

STANDING_FROM = (-500, -200, 200, 500)
"""The lowest score of every standing but the worst, in order. Source: the specification of the multiverse."""

Reputation = Mapping[str, int]
"""Faction to score, every faction present. Never changed in place."""

NO_REPUTATION: Reputation = {faction.value: 0 for faction in ReputationFaction}


def standing_of(score: int) -> str:
    """The standing that a score gives."""
    return STANDINGS[bisect_right(STANDING_FROM, score)]


class ReputationChange(msgspec.Struct, frozen=True):
    """What a change came to.

    Attributes:
        faction: whose opinion.
        requested: the change that was asked for.
        applied: the change after the clamp to `SCORE_MIN` … `SCORE_MAX`.
        score: the score now.
        standing: the standing now.
    """

    faction: str
    requested: int
    applied: int
    score: int
    standing: str


def changed(reputation: Reputation, faction: object, change: object) -> ReputationChange:
    """What a change of a faction's opinion comes to.

    Raises:
        CommandRefusedError: an unknown faction, or a change that is no whole number within ±`CHANGE_MAX`.
    """
    if not isinstance(faction, str) or faction not in NO_REPUTATION:
        raise CommandRefusedError(f"faction {faction!r} is not known; use one of {', '.join(NO_REPUTATION)}.")
    requested = checked_whole(change, f"the change of {str(faction)!r}", -CHANGE_MAX, CHANGE_MAX)
    before = reputation[faction]
    score = min(SCORE_MAX, max(SCORE_MIN, before + requested))
    return ReputationChange(str(faction), requested, score - before, score, standing_of(score))
