"""The Warbler context: what whoever writes dialogue may know of one player, and of nobody else.

The narrative texts have no subject, so that a narrator may say "Alice is …" and an NPC "you are …": the journey
continues a sentence in the past ("set out from …"), the three others continue "is" or "are".
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from actors.core.kernel.codec import Plain
from actors.core.players.inventories import LEGENDARY, quantity_of
from actors.core.players.players import Player
from actors.core.players.quests import ABANDONED, AVAILABLE, COMPLETED, FAILED, UNDER_WAY, Quest
from actors.core.players.reputations import NEUTRAL, Reputation, ReputationFaction, standing_of

LISTED_MAX = 3
"""A text names so many things of a kind; of the others it tells the number."""

NO_QUEST = "without a quest"

FACTION_NAMES = {
    ReputationFaction.THE_WANDERERS: "the Wanderers",
    ReputationFaction.REALM_KEEPERS: "the Realm Keepers",
    ReputationFaction.CHAOTIC_FORCES: "the Chaotic Forces",
    ReputationFaction.NEUTRAL: "the common people",
}

QUEST_COUNTS = (
    (AVAILABLE, "with {} on offer"),
    (COMPLETED, "with {} completed"),
    (ABANDONED, "with {} abandoned"),
    (FAILED, "with {} failed"),
)


def warbler_context(player: Player) -> dict[str, Plain]:
    """What is known of a player, as plain data. Legendary items count when they are in hand.

    `player_traveled_realms` and `player_realm_count` are the same number, under the two names that the seed's readers use.
    """
    in_hand = [item for item in player.inventory.values() if item.in_hand(player.active_realm)]
    realms = len(player.visited_realms)
    return {
        "player_id": player.player_id,
        "player_name": player.name,
        "character_race": player.race,
        "character_class": player.character_class,
        "active_realm": player.active_realm,
        "visited_realms": list(player.visited_realms),
        "world_state": {
            "player_traveled_realms": realms,
            "player_reputation_standing": {
                faction.value: standing_of(player.reputation[faction]) for faction in ReputationFaction
            },
            "player_level": player.level,
            "player_experience": player.experience,
            "player_has_legendary_items": any(item.rarity == LEGENDARY for item in in_hand),
            "player_realm_count": realms,
        },
        "narrative_context": {
            "character_journey": character_journey(player),
            "reputation_arc": reputation_arc(player.reputation),
            "inventory_summary": inventory_summary(player),
            "quest_status": quest_status(player.quests),
        },
    }


def character_journey(player: Player) -> str:
    """Where the player began, where the way led, and the words of the last step."""
    start, *others = player.visited_realms
    here = player.active_realm
    between = [realm for realm in others if realm != here]
    if not others:
        text = f"began in {start} and saw no other realm yet"
    elif here == start:
        text = f"set out from {start}, saw {listed(between)} and came back"
    else:
        way = f" by way of {listed(between)}" if between else ""
        text = f"set out from {start} and came to {here}{way}"
    words = player.journey[-1].narrative_context
    return f"{text} ({words})" if words else text


def reputation_arc(reputation: Reputation) -> str:
    """Who loves or hates the player, in the order of the factions."""
    opinions = [
        f"{standing_of(reputation[faction])} by {name} ({reputation[faction]:+d})"
        for faction, name in FACTION_NAMES.items()
        if standing_of(reputation[faction]) != NEUTRAL
    ]
    return ", ".join(opinions) or "neither loved nor hated by anybody"


def inventory_summary(player: Player) -> str:
    """What the player has in hand, the legendary things by name, and how much is held elsewhere."""
    items = [item for _, item in sorted(player.inventory.items())]
    in_hand = {item.item_id: item for item in items if item.in_hand(player.active_realm)}
    carried = quantity_of(in_hand)
    legendary = [item.name for item in in_hand.values() if item.rarity == LEGENDARY]
    text = f"carrying {counted(carried, 'thing')}" if carried else "carrying nothing"
    if legendary:
        text += f", among them the legendary {listed(legendary)}"
    held: Counter[str] = Counter()
    for item in items:
        if item.item_id not in in_hand:
            held[item.source_realm] += item.quantity
    if held:
        text += ", with " + listed([f"{count} more held in {realm}" for realm, count in sorted(held.items())])
    return text


def quest_status(quests: Mapping[str, Quest]) -> str:
    """What the player pursues, with the steps, and how many quests stand otherwise."""
    in_order = [quest for _, quest in sorted(quests.items())]
    pursued = [
        f"“{quest.title}”" + (f" ({quest.steps_done} of {counted(quest.steps, 'step')})" if quest.steps else "")
        for quest in in_order
        if quest.status in UNDER_WAY
    ]
    counts = Counter(quest.status for quest in in_order)
    texts = [f"pursuing {listed(pursued)}"] if pursued else []
    texts += [text.format(counted(counts[status], "quest")) for status, text in QUEST_COUNTS if counts[status]]
    return ", ".join(texts) or NO_QUEST


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `a`, `a and b`, `a, b and c`, `a, b, c and 2 more`."""
    if len(names) > LISTED_MAX:
        return f"{', '.join(names[:LISTED_MAX])} and {len(names) - LISTED_MAX} more"
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 step`, `3 steps`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
