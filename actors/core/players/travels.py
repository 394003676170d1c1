"""Travel between realms: who may, what becomes of the traveller, and what both realms are told.

Travel is one replacement of one value in the registry, so at no boundary is a player in two realms or in none; items
need no move, see `inventories.py`.
"""

from collections.abc import Mapping

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.players.players import ARRIVAL_POINT, JOURNEY_STAYS_MAX, Player, Stay

RUNNING = "running"
ERROR = "error"
"""The game states that decide here, as the clock names them."""

UNKNOWN_PLAYER = "unknown_player"
NOT_IN_REALM = "not_in_realm"
SAME_REALM = "same_realm"
REALM_NOT_REGISTERED = "realm_not_registered"
REALM_NOT_RUNNING = "realm_not_running"


class TravelResult(msgspec.Struct, frozen=True):
    """What an attempt to travel came to: a value, for a player who cannot go has made no error.

    Attributes:
        success: whether the player went.
        reason: "" or why not, for programs.
        message: one sentence, for people.
    """

    success: bool
    reason: str
    message: str


def judged(player: Player | None, source: str, target: str, realms: Mapping[str, str]) -> TravelResult:
    """Whether a player may travel; of several reasons against it, the first in the order of the specification."""
    if player is None:
        return TravelResult(False, UNKNOWN_PLAYER, "There is no player of that id.")
    if player.active_realm != source:
        return TravelResult(False, NOT_IN_REALM, f"{player.name} is in {player.active_realm}, not in {source}.")
    if target == source:
        return TravelResult(False, SAME_REALM, f"{player.name} is in {target} already.")
    if target not in realms:
        return TravelResult(False, REALM_NOT_REGISTERED, f"Realm {target} is not registered.")
    if realms[target] != RUNNING:
        return TravelResult(False, REALM_NOT_RUNNING, f"Realm {target} is {realms[target]}, not {RUNNING}.")
    return TravelResult(True, "", f"{player.name} travelled from {source} to {target}.")


def moved(player: Player, target: str, control_tick: int, narrative_context: str) -> Player:
    """The player after arriving in another realm."""
    stays = (*player.journey, Stay(target, control_tick, narrative_context))[-JOURNEY_STAYS_MAX:]
    visited = player.visited_realms if target in player.visited_realms else (*player.visited_realms, target)
    return msgspec.structs.replace(
        player, active_realm=target, position=ARRIVAL_POINT, visited_realms=visited, journey=stays
    )


def arrival(player: Player) -> dict[str, Plain]:
    """What `player_arrived` and `player_roster` say of a player; the shape is in `rosters.py`."""
    return {
        "player_id": player.player_id,
        "name": player.name,
        "race": player.race,
        "class": player.character_class,
        "level": player.level,
        "from_realm": player.journey[-2].realm if len(player.journey) > 1 else None,
        "narrative_context": player.journey[-1].narrative_context,
    }


def departure(player: Player, target: str) -> dict[str, Plain]:
    """What `player_left` says of a player; the shape is in `rosters.py`."""
    return {"player_id": player.player_id, "name": player.name, "to_realm": target}
