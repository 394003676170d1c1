"""A player: one frozen value, replaced whole when anything changes, so that a view can keep the old one for nothing.

Level follows from experience alone: from level n to n+1 takes 100·n, so level n begins at 50·n·(n-1).
"""

from bisect import bisect_right

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.digests import digest_of
from actors.core.players.checks import checked_text
from actors.core.players.inventories import Inventory, quantity_of
from actors.core.players.quests import Quests
from actors.core.players.reputations import NO_REPUTATION, Reputation, standing_of

ENTRY_POINT = "entry_point"
ARRIVAL_POINT = "arrival_point"
DEFAULT_CLASS = "Wanderer"

NAME_CHARACTERS_MAX = 64
"""For a player's name, race and class."""
NARRATIVE_CHARACTERS_MAX = 256
JOURNEY_STAYS_MAX = 64
"""A journey keeps its newest stays; `visited_realms` keeps every realm, each once."""

LEVEL_MAX = 100
LEVEL_FROM = tuple(50 * level * (level - 1) for level in range(2, LEVEL_MAX + 1))
"""The experience at which level 2, 3, … `LEVEL_MAX` begins. The rule is this project's own."""
EXPERIENCE_MAX = 1_000_000_000_000


class Stay(msgspec.Struct, frozen=True):
    """One stay of a journey: where, since which control tick, and how it came about (the player's words, or "")."""

    realm: str
    control_tick: int
    narrative_context: str = ""


class Player(msgspec.Struct, frozen=True):
    """One player, in all realms.

    Attributes:
        player_id: unique, derived from the seed.
        number: how many players were created before; the order in which they are listed.
        name: chosen; need not be unique.
        race: chosen.
        character_class: chosen.
        active_realm: where the player is: the registry decides.
        visited_realms: each realm once, in order of the first visit, the first one included.
        journey: the newest stays, oldest first, the present one last.
        position: `ENTRY_POINT`, or `ARRIVAL_POINT` after travel.
        experience: from 0 upwards; the level follows from it.
        inventory: item id to item, those held in their source realms included.
        reputation: faction to score.
        quests: quest id to quest.
    """

    player_id: str
    number: int
    name: str
    race: str
    character_class: str
    active_realm: str
    visited_realms: tuple[str, ...]
    journey: tuple[Stay, ...]
    position: str = ENTRY_POINT
    experience: int = 0
    inventory: Inventory = {}
    reputation: Reputation = msgspec.field(default_factory=lambda: NO_REPUTATION)
    quests: Quests = {}

    @property
    def level(self) -> int:
        """From 1 to `LEVEL_MAX`."""
        return level_of(self.experience)


def level_of(experience: int) -> int:
    """The level that experience gives."""
    return 1 + bisect_right(LEVEL_FROM, experience)


def player_id_of(seed: int, lineage: str, number: int) -> str:
    """The id of the player number `number` (from 0): 32 hexadecimal digits, the same in every replay."""
    return digest_of(b"player", str(seed).encode(), lineage.encode(), str(number).encode()).hex()[:32]


def born(
    player_id: str, number: int, name: object, race: object, character_class: object, realm: str, control_tick: int
) -> Player:
    """A new player at the entry point of a realm.

    Raises:
        CommandRefusedError: a name, race or class that is blank, too long or unprintable.
    """
    return Player(
        player_id,
        number,
        checked_text(name, "player_name", NAME_CHARACTERS_MAX),
        checked_text(race, "character_race", NAME_CHARACTERS_MAX),
        checked_text(character_class, "character_class", NAME_CHARACTERS_MAX),
        realm,
        (realm,),
        (Stay(realm, control_tick),),
    )


def captured(player: Player) -> Plain:
    """The player as plain data, for the state."""
    return msgspec.to_builtins(player)


def restored(record: Plain) -> Player:
    """The player of `captured`.

    Raises:
        msgspec.ValidationError: it is no such record.
    """
    return msgspec.convert(record, Player)


def listed(player: Player) -> dict[str, Plain]:
    """The player as a row of a table; `record` is all of it."""
    return {
        "number": player.number,
        "name": player.name,
        "race": player.race,
        "character_class": player.character_class,
        "active_realm": player.active_realm,
        "level": player.level,
        "experience": player.experience,
        "items": quantity_of(player.inventory),
        "record": captured(player),
    }


def shown(player: Player) -> dict[str, Plain]:
    """The player as people see one: with level, standings, and what is in hand. Items and quests in order of their ids."""
    record: dict[str, Plain] = captured(player)
    record["level"] = player.level
    record["visited_realms"] = list(player.visited_realms)
    record["journey"] = [msgspec.to_builtins(stay) for stay in player.journey]
    record["inventory"] = [
        {**item.plain(), "in_hand": item.in_hand(player.active_realm)} for _, item in sorted(player.inventory.items())
    ]
    record["reputation"] = {
        faction: {"score": score, "standing": standing_of(score)} for faction, score in player.reputation.items()
    }
    record["quests"] = [msgspec.to_builtins(quest) for _, quest in sorted(player.quests.items())]
    return record
