"""Quests: what a player has been offered, has taken on, and how far they are. Progress belongs to the player.

    (none) ──offer──▶ available ──accept──▶ accepted ──progress──▶ in_progress
                          ▲                    │                       │
                          │                    └────┬──────────────────┘
                          │                         ├─complete─▶ completed
                          ├──────────offer──────────┼─abandon──▶ abandoned
                          └──────────offer──────────┴─fail─────▶ failed

A quest of `steps` counted steps is complete when all are done. One without counted steps (0) is complete when its giver
says so.
"""

from collections.abc import Mapping

import msgspec

from actors.core.kernel.addresses import checked_part
from actors.core.kernel.errors import CommandRefusedError
from actors.core.players.checks import checked_text, checked_whole

AVAILABLE = "available"
ACCEPTED = "accepted"
IN_PROGRESS = "in_progress"
COMPLETED = "completed"
ABANDONED = "abandoned"
FAILED = "failed"
STATUSES = (AVAILABLE, ACCEPTED, IN_PROGRESS, COMPLETED, ABANDONED, FAILED)

UNDER_WAY = (ACCEPTED, IN_PROGRESS)

QUEST_MOVES: dict[str, tuple[tuple[str, ...], str]] = {
    "accept": ((AVAILABLE,), ACCEPTED),
    "progress": (UNDER_WAY, IN_PROGRESS),
    "complete": (UNDER_WAY, COMPLETED),
    "abandon": (UNDER_WAY, ABANDONED),
    "fail": (UNDER_WAY, FAILED),
}
"""Verb to (statuses it may start from, status it leads to). `offer` makes a quest, or renews one of `OFFERED_AGAIN`."""

OFFERED_AGAIN = (ABANDONED, FAILED)

QUEST_TITLE_CHARACTERS_MAX = 128
"""As long as an id may be, since an id can stand for the title."""
QUEST_STEPS_MAX = 1_000_000
QUESTS_MAX = 256
"""Quests of one player; a player is written whole into digests and snapshots."""


class Quest(msgspec.Struct, frozen=True):
    """One player's part in one quest.

    Attributes:
        quest_id: names the quest; many players may have it.
        title: for people.
        steps: counted steps; 0 if they are not counted.
        steps_done: how many this player has done, at most `steps` where they are counted.
        status: one of `STATUSES`.
    """

    quest_id: str
    title: str
    steps: int = 0
    steps_done: int = 0
    status: str = AVAILABLE


Quests = Mapping[str, Quest]
"""Quest id to quest. Never changed in place."""


def offered(quests: Quests, quest_id: object, title: object, steps: object) -> Quest:
    """A quest newly offered, or offered again after it was abandoned or failed, with no step done.

    Raises:
        CommandRefusedError: it is offered, under way or completed; the player has too many; or a malformed value.
        AddressError: a malformed quest id.
    """
    checked_id = checked_part(quest_id, "quest id")
    checked_title = checked_text(title, f"title of quest {checked_id!r}", QUEST_TITLE_CHARACTERS_MAX)
    counted = checked_whole(steps, f"steps of quest {checked_id!r}", 0, QUEST_STEPS_MAX)
    there = quests.get(checked_id)
    if there is not None and there.status not in OFFERED_AGAIN:
        raise CommandRefusedError(
            f"quest {checked_id!r} is {there.status}; it can be offered again only when {' or '.join(OFFERED_AGAIN)}."
        )
    if there is None and len(quests) >= QUESTS_MAX:
        raise CommandRefusedError(f"the player has {QUESTS_MAX} quests, the most one may have.")
    return Quest(checked_id, checked_title, counted)


def moved_on(quests: Quests, quest_id: object, verb: str, steps: object = 0) -> Quest:
    """The quest after a verb of `QUEST_MOVES`; `steps` counts for `progress` only and stops at the quest's own count.

    Raises:
        CommandRefusedError: no such quest, a status the verb cannot start from, steps left, or a malformed value.
    """
    quest = quests.get(quest_id) if isinstance(quest_id, str) else None
    if quest is None:
        raise CommandRefusedError(f"the player has no quest {quest_id!r}; offer it first.")
    starts, status = QUEST_MOVES[verb]
    if quest.status not in starts:
        raise CommandRefusedError(
            f"quest {quest.quest_id!r} is {quest.status}; {verb!r} needs it {' or '.join(starts)}."
        )
    done = quest.steps_done
    if verb == "progress":
        done += checked_whole(steps, f"steps done of quest {quest.quest_id!r}", 1, QUEST_STEPS_MAX)
        done = min(done, quest.steps or QUEST_STEPS_MAX)
    if verb == "complete" and done < quest.steps:
        raise CommandRefusedError(
            f"quest {quest.quest_id!r} has {done} of {quest.steps} steps done; do the others first."
        )
    return msgspec.structs.replace(quest, steps_done=done, status=status)
