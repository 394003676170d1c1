"""Whispers: a few words to an agent, or to all, that shift what they do for a while. Never a command."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from actors.core.kernel.errors import CommandRefusedError
from actors.core.platforms.personalities import hinted
from actors.core.platforms.schemas import Id, Part, Shelf, Whole, numbered
from actors.core.players.checks import checked_text

WHISPER_CHARACTERS_MAX = 500
WHISPER_GAP_LOCAL_TICKS = 300
"""Between two whispers of one sender: 30 s, where a local tick is 100 ms."""
WHISPER_FADES_TICKS = 200
"""Local ticks that a whisper has an effect, from when it is approved."""
WHISPERS_MAX = 64
SENDER_CHARACTERS_MAX = 128
HINT_PERCENT, HINT_PERCENT_MAX = 200, 400
"""What one whisper, and what many together, multiply the weight of the action by that they hint at."""

FORBIDDEN_WORDS: Final = frozenset({"kill", "destroy", "curse", "obey"})
"""Words that Protocol's rule on whispers counts."""


class Whisper(Part, frozen=True):
    """A whisper.

    Attributes:
        sender: who it came from.
        text: what was said.
        agent: whom it is for; "" is everybody.
        hint: the action it hints at.
        state: pending until Protocol has answered.
        at: local tick in which it came.
        fades_at: local tick from which it has no effect.
        order: how many came before.
    """

    sender: Annotated[str, msgspec.Meta(min_length=1, max_length=SENDER_CHARACTERS_MAX)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=WHISPER_CHARACTERS_MAX)]
    agent: Annotated[str, msgspec.Meta(max_length=64)]
    hint: Id
    state: Literal["pending", "heard", "denied", "lapsed"]
    at: Whole
    fades_at: Whole
    order: Whole


def taken_whisper(
    whispers: Shelf[Whisper], sender: object, text: object, agent_id: str, now: int, gap: int, order: int
) -> tuple[str, Whisper]:
    """A whisper that has come, put among the others; its id and itself.

    Raises:
        CommandRefusedError: too long, too soon after the sender's last one, or too many senders at once.
    """
    said_by = checked_text(sender, "sender", SENDER_CHARACTERS_MAX)
    words = checked_text(text, "text of a whisper", WHISPER_CHARACTERS_MAX)
    last = max((one.at for one in whispers.parts.values() if one.sender == said_by), default=None)
    if last is not None and now - last < gap:
        raise CommandRefusedError(
            f"{said_by} whispered at local tick {last}; the next whisper may come at {last + gap}, {gap} local ticks later."
        )
    oldest = min((one.at for one in whispers.parts.values()), default=0)
    if whispers.is_full and now - oldest < gap:
        raise CommandRefusedError(f"{WHISPERS_MAX} whispers came within {gap} local ticks, the most there may be.")
    whisper = Whisper(said_by, words, agent_id, hinted(words), "pending", now, now, order)
    whisper_id = numbered("whisper", order)
    whispers.push(whisper_id, whisper, lambda one: one.order)
    return whisper_id, whisper


def hint_percents(whispers: Mapping[str, Whisper], agent_id: str, now: int) -> dict[str, int]:
    """Action to what the whispers that an agent hears multiply its weight by."""
    percents: dict[str, int] = {}
    for whisper in whispers.values():
        if whisper.state == "heard" and now < whisper.fades_at and whisper.agent in ("", agent_id):
            percents[whisper.hint] = min(percents.get(whisper.hint, 100) + HINT_PERCENT - 100, HINT_PERCENT_MAX)
    return percents


def forbidden_words(text: str) -> int:
    """How many words of a whisper Protocol counts against it."""
    return sum(word in FORBIDDEN_WORDS for word in text.lower().split())
