"""Players, as a driver sees them: every change is a command to the registry, every read comes from its view."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from actors.core.kernel.addresses import PLAYERS
from actors.core.players.inventories import InventoryItem

Submit = Callable[[str, str, Mapping[str, Any]], Any]
"""(member id, verb, arguments) to the command's value."""


class Player(SimpleNamespace):
    """A player as the registry showed him at one boundary; `player_id`, `name`, `active_realm` and the rest as attributes."""


class TravelResult(NamedTuple):
    """Whether a player travelled, and if not, why.

    Attributes:
        success: whether.
        message: one sentence.
        reason: "" or unknown_player, not_in_realm, same_realm, realm_not_registered, realm_not_running.
    """

    success: bool
    message: str
    reason: str = ""


class Players:
    """The driver's side of the player registry. Source: seed 002, `UniversalPlayerRouter`."""

    def __init__(self, submit: Submit, query: Submit) -> None:
        self._submit = submit
        self._query = query

    def create_player(
        self, player_name: str, character_race: str, starting_realm: str, character_class: str = "Wanderer"
    ) -> Player:
        """Makes a player in a realm.

        Raises:
            UnknownMemberError: no such realm.
        """
        return Player(
            **self._command(
                "create_player",
                player_name=player_name,
                character_race=character_race,
                starting_realm=starting_realm,
                character_class=character_class,
            )
        )

    def transition_player(
        self, player_id: str, source_realm: str, target_realm: str, narrative_context: str = ""
    ) -> TravelResult:
        """Lets a player travel, or says why not; `success, message, _ = …` is one way to read it."""
        answer = self._command(
            "transition_player",
            player_id=player_id,
            source_realm=source_realm,
            target_realm=target_realm,
            narrative_context=narrative_context,
        )
        return TravelResult(answer["success"], answer["message"], answer["reason"])

    def modify_reputation(self, player_id: str, faction: str, change: int) -> dict[str, Any]:
        """Changes a player's standing with a faction, clamped; returns the requested and the applied change."""
        return self._command("modify_reputation", player_id=player_id, faction=str(faction), change=change)

    def award_experience(self, player_id: str, amount: int) -> dict[str, Any]:
        """Gives experience; the level follows."""
        return self._command("award_experience", player_id=player_id, amount=amount)

    def add_item_to_inventory(self, player_id: str, item: InventoryItem) -> dict[str, Any]:
        """Gives an item; the same id stacks."""
        return self._command("add_item_to_inventory", player_id=player_id, item=item.plain())

    def remove_item_from_inventory(self, player_id: str, item_id: str, quantity: int = 1) -> dict[str, Any]:
        """Takes some of an item away."""
        return self._command("remove_item_from_inventory", player_id=player_id, item_id=item_id, quantity=quantity)

    def quest(self, verb: str, player_id: str, quest_id: str, **arguments: Any) -> dict[str, Any]:
        """Moves a player's quest on: `offer`, `accept`, `progress`, `complete`, `abandon` or `fail`."""
        return self._command(f"{verb}_quest", player_id=player_id, quest_id=quest_id, **arguments)

    def get_player(self, player_id: str) -> Player:
        """A player.

        Raises:
            UnknownPlayerError: no such player.
        """
        return Player(**self._ask("get_player", player_id=player_id))

    def list_players(self) -> list[Player]:
        """All players, in the order in which they were created."""
        return [Player(**player) for player in self._ask("list_players")]

    def get_warbler_context(self, player_id: str) -> dict[str, Any]:
        """What an NPC may know of a player before it speaks.

        Raises:
            UnknownPlayerError: no such player.
        """
        return self._ask("get_warbler_context", player_id=player_id)  # type: ignore[no-any-return]

    def get_realm_roster(self, realm_id: str) -> list[Player]:
        """The players in a realm, as the registry has it."""
        return [Player(**player) for player in self._ask("get_realm_roster", realm_id=realm_id)]

    def get_multiverse_stats(self) -> dict[str, Any]:
        """Players, realms visited, distribution, transitions, mean realms per player."""
        return self._ask("get_multiverse_stats")  # type: ignore[no-any-return]

    def journeys(self) -> list[dict[str, Any]]:
        """Every arrival of every player: player id, name, realm, control tick."""
        return self._ask("journeys")  # type: ignore[no-any-return]

    def _command(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return self._submit(PLAYERS, verb, arguments)  # type: ignore[no-any-return]

    def _ask(self, verb: str, **arguments: Any) -> Any:
        return self._query(PLAYERS, verb, arguments)
