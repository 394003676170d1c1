"""The player registry: the one member that knows who is where, and with what.

It has no time of its own: it is granted when it has mail or commands. Drivers and operators speak to it by commands,
realms by events; both meet the same rules, because an event is carried out as the command it stands for. A command that
may not be is refused before anything has changed; an event that may not be is counted, with its reason, and nothing else.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors.core.kernel.addresses import PART_CHARACTERS_MAX, PLAYER_ROSTER, checked_realm_id
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CallerError, CommandRefusedError, UnknownMemberError
from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Turn, View
from actors.core.kernel.states import Records, State
from actors.core.players.checks import checked_realms, checked_text, checked_whole
from actors.core.players.inventories import InventoryItem, added, quantity_of, removed
from actors.core.players.players import (
    DEFAULT_CLASS,
    EXPERIENCE_MAX,
    NARRATIVE_CHARACTERS_MAX,
    Player,
    born,
    captured,
    player_id_of,
    restored,
    shown,
)
from actors.core.players.quests import QUEST_MOVES, Quest, moved_on, offered
from actors.core.players.reputations import changed
from actors.core.players.rosters import PLAYER_ARRIVED, PLAYER_LEFT
from actors.core.players.travels import ERROR, arrival, departure, judged, moved
from actors.core.players.views import RegistryView, found_player
from actors.core.realms.tick_engines import Realm, command, on

ITEMS = "items"
PLAYERS_TOTAL = "players"
"""The conserved quantities, as totals and ledger name them."""

PLAYERS_MAX = 100_000
"""The state is written whole into every digest; more players belong into several multiverses."""

ROSTER_PLAYERS_MAX = 200
"""Players in one `player_roster`: at most 3 KiB each, so it stays under the 1 MiB of an event. The others follow one by one."""

REASON_CHARACTERS_MAX = 300

PLAYER_REPUTATION_CHANGED = "player_reputation_changed"
"""Registry to subscribers: `{player_id, faction, requested, applied, score, standing}`."""

EVENT_COMMANDS: Final = {
    "player_reputation": "modify_reputation",
    "player_experience": "award_experience",
    "player_item": "add_item_to_inventory",
}
"""By which events realms affect players, and the command each stands for. The data are the command's arguments."""

PLAYER_QUEST = "player_quest"
"""Like `EVENT_COMMANDS`, with the verb in the data: `{player_id, quest_id, verb, …}`, verb `offer` or of `QUEST_MOVES`."""

QUEST_VERBS = ("offer", *QUEST_MOVES)


class PlayerRegistry(Realm):
    """All players. Its member id is `@players`.

    Args:
        birth: what every member is told; ids of players are derived from its seed and lineage.
    """

    kind = "players"
    emits = frozenset({PLAYER_ARRIVED, PLAYER_LEFT, PLAYER_ROSTER, PLAYER_REPUTATION_CHANGED})
    event_driven = True

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self._players: dict[str, Player] = {}
        self._records: dict[str, Plain] = {}
        self._items = 0
        self._realms_visited: set[str] = set()
        self._created = 0
        self._transitions = 0
        self._refusals: dict[str, Plain] = {}
        self._view: RegistryView | None = None

    @command
    def create_player(
        self,
        turn: Turn,
        player_name: str,
        character_race: str,
        starting_realm: str,
        character_class: str = DEFAULT_CLASS,
        *,
        realms: Mapping[str, str],
    ) -> Plain:
        """Creates a player in a registered realm; returns the player as `get_player` shows one."""
        target = _enterable(starting_realm, realms)
        if self._created >= PLAYERS_MAX:
            raise CommandRefusedError(f"there are {PLAYERS_MAX} players, the most one registry holds.")
        player_id = player_id_of(self.birth.seed, self.birth.lineage, self._created)
        player = born(player_id, self._created, player_name, character_race, character_class, target, turn.control_tick)
        self._created += 1
        self._put(player)
        turn.enter_ledger(PLAYERS_TOTAL, 1)
        turn.send(target, PLAYER_ARRIVED, arrival(player))
        return shown(player)

    @command
    def transition_player(
        self,
        turn: Turn,
        player_id: str,
        source_realm: str,
        target_realm: str,
        narrative_context: str = "",
        *,
        realms: Mapping[str, str],
    ) -> Plain:
        """Takes a player from one realm to another, if it may be; returns a `TravelResult` as a map."""
        known = checked_realms(realms)
        checked_text(source_realm, "source_realm", PART_CHARACTERS_MAX)
        checked_text(target_realm, "target_realm", PART_CHARACTERS_MAX)
        words = _narrative(narrative_context)
        player = self._players.get(player_id) if isinstance(player_id, str) else None
        result = judged(player, source_realm, target_realm, known)
        if player is not None and result.success:
            self._move(turn, player, target_realm, words, tell_source=source_realm in known)
        return msgspec.to_builtins(result)

    @command
    def evacuate(self, turn: Turn, realm_id: str, target_realm: str, *, realms: Mapping[str, str]) -> Plain:
        """Moves every player of a realm that is being removed; tells the target only. Returns the players' ids.

        A realm without players needs no target.
        """
        checked_realm_id(realm_id)
        leaving = [player for player in self._players.values() if player.active_realm == realm_id]
        if not leaving and not target_realm:
            return []
        if not target_realm:
            raise CommandRefusedError(
                f"{len(leaving)} player(s) are in {realm_id!r}; name a realm that takes them in (players_to)."
            )
        target = _enterable(target_realm, realms)
        if realm_id == target:
            raise CommandRefusedError(f"players cannot be evacuated from {target!r} to {target!r}; name another realm.")
        for player in leaving:
            self._move(turn, player, target, f"evacuated from {realm_id}", tell_source=False)
        return [player.player_id for player in leaving]

    @command
    def resend_roster(self, turn: Turn, realm_id: str) -> Plain:
        """Tells a realm anew who is there; returns how many. What does not fit into one event follows one by one."""
        target = checked_realm_id(realm_id)
        present = [arrival(player) for player in self._players.values() if player.active_realm == target]
        turn.send(target, PLAYER_ROSTER, {"players": present[:ROSTER_PLAYERS_MAX]})
        for player in present[ROSTER_PLAYERS_MAX:]:
            turn.send(target, PLAYER_ARRIVED, player)
        return len(present)

    @command
    def modify_reputation(self, turn: Turn, player_id: str, faction: str, change: int) -> Plain:
        """Changes a faction's opinion of a player; returns a `ReputationChange` as a map."""
        player = self._player(player_id)
        result = changed(player.reputation, faction, change)
        self._replace(player, reputation={**player.reputation, result.faction: result.score})
        told: dict[str, Plain] = msgspec.to_builtins(result)
        turn.broadcast(PLAYER_REPUTATION_CHANGED, {"player_id": player.player_id, **told})
        return told

    @command
    def award_experience(self, turn: Turn, player_id: str, amount: int) -> Plain:
        """Adds to a player's experience; returns `{experience, level, levels_gained}`."""
        player = self._player(player_id)
        gained = checked_whole(amount, "amount of experience", 1, EXPERIENCE_MAX)
        experience = checked_whole(player.experience + gained, "experience after the award", 1, EXPERIENCE_MAX)
        after = self._replace(player, experience=experience)
        return {"experience": experience, "level": after.level, "levels_gained": after.level - player.level}

    @command
    def add_item_to_inventory(self, turn: Turn, player_id: str, item: Mapping[str, Plain]) -> Plain:
        """Gives a player some of an item; returns `{item_id, quantity, in_hand}`, the quantity that of the stack now."""
        player = self._player(player_id)
        new = InventoryItem.from_plain(item)
        after = self._replace(player, inventory=added(player.inventory, new))
        turn.enter_ledger(ITEMS, new.quantity)
        stack = after.inventory[new.item_id]
        return {"item_id": new.item_id, "quantity": stack.quantity, "in_hand": stack.in_hand(after.active_realm)}

    @command
    def remove_item_from_inventory(self, turn: Turn, player_id: str, item_id: str, quantity: int = 1) -> Plain:
        """Takes some of an item in hand from a player; returns `{item_id, quantity}`, the quantity that is left."""
        player = self._player(player_id)
        after = self._replace(player, inventory=removed(player.inventory, item_id, quantity, player.active_realm))
        turn.enter_ledger(ITEMS, -quantity)
        left = after.inventory.get(item_id)
        return {"item_id": item_id, "quantity": left.quantity if left is not None else 0}

    @command
    def offer_quest(self, turn: Turn, player_id: str, quest_id: str, title: str = "", steps: int = 0) -> Plain:
        """Offers a player a quest, by its id if it has no title; returns it as a map, like every verb of quests."""
        player = self._player(player_id)
        return self._put_quest(player, offered(player.quests, quest_id, quest_id if title == "" else title, steps))

    @command
    def accept_quest(self, turn: Turn, player_id: str, quest_id: str) -> Plain:
        """Takes on an offered quest."""
        return self._move_quest(player_id, quest_id, "accept")

    @command
    def progress_quest(self, turn: Turn, player_id: str, quest_id: str, steps: int = 1) -> Plain:
        """Does steps of a quest that is under way."""
        return self._move_quest(player_id, quest_id, "progress", steps)

    @command
    def complete_quest(self, turn: Turn, player_id: str, quest_id: str) -> Plain:
        """Completes a quest whose counted steps are done."""
        return self._move_quest(player_id, quest_id, "complete")

    @command
    def abandon_quest(self, turn: Turn, player_id: str, quest_id: str) -> Plain:
        """Gives up a quest that is under way."""
        return self._move_quest(player_id, quest_id, "abandon")

    @command
    def fail_quest(self, turn: Turn, player_id: str, quest_id: str) -> Plain:
        """Ends a quest that is under way, without success."""
        return self._move_quest(player_id, quest_id, "fail")

    @on(*EVENT_COMMANDS, PLAYER_QUEST)
    def follow(self, turn: Turn, event: Event) -> None:
        """Carries out an event as the command it stands for; one that may not be is counted in the state.

        What the event carries ends here and what the command makes begins here: both stand in the ledger.
        """
        for quantity, amount in event.carries:
            turn.enter_ledger(quantity, -amount)
        try:
            verb, arguments = _command_of(event)
            self.command(turn, verb, arguments)
        except CallerError as error:
            before = self._refusals.get(event.event_type, {"count": 0})
            self._refusals[event.event_type] = {
                "count": before["count"] + 1,
                "last_reason": error.message[:REASON_CHARACTERS_MAX],
                "last_source": event.origin,
            }
            self._view = None

    def capture(self) -> State:
        """See `Member`."""
        counters = {"created": self._created, "transitions": self._transitions, "refusals": dict(self._refusals)}
        return {"players": Records(dict(self._records)), "counters": Records(counters)}

    def restore(self, state: State) -> None:
        """See `Member`."""
        players, counters = state["players"], state["counters"]
        if not isinstance(players, Records) or not isinstance(counters, Records):
            raise TypeError("the sections of the player registry are records, not tables.")
        self._players, self._records, self._items, self._realms_visited = {}, {}, 0, set()
        for player in sorted(map(restored, players.objects.values()), key=lambda found: found.number):
            self._put(player)
            self._realms_visited.update(player.visited_realms)
        self._created = counters.objects["created"]
        self._transitions = counters.objects["transitions"]
        self._refusals = dict(counters.objects["refusals"])
        self._view = None

    def view(self) -> View:
        """See `Member`. It is made anew only when something has changed."""
        if self._view is None:
            self._view = RegistryView(self._players, self._transitions, len(self._realms_visited), self._refusals)
        return self._view

    def measures(self) -> Mapping[str, float]:
        """See `Member`."""
        return {
            "players": len(self._players),
            "transitions": self._transitions,
            "realms_visited": len(self._realms_visited),
        }

    def totals(self) -> Mapping[str, int]:
        """See `Member`."""
        return {ITEMS: self._items, PLAYERS_TOTAL: len(self._players)}

    def _player(self, player_id: object) -> Player:
        return found_player(self._players, player_id)

    def _put(self, player: Player) -> Player:
        """Puts a player in place of the one before; every change of a player comes through here."""
        before = self._players.get(player.player_id)
        self._items += quantity_of(player.inventory) - (quantity_of(before.inventory) if before is not None else 0)
        self._realms_visited.add(player.active_realm)
        self._players[player.player_id] = player
        self._records[player.player_id] = captured(player)
        self._view = None
        return player

    def _replace(self, player: Player, **attributes: Any) -> Player:
        return self._put(msgspec.structs.replace(player, **attributes))

    def _move(self, turn: Turn, player: Player, target: str, words: str, *, tell_source: bool) -> None:
        after = self._put(moved(player, target, turn.control_tick, words))
        self._transitions += 1
        if tell_source:
            turn.send(player.active_realm, PLAYER_LEFT, departure(player, target))
        turn.send(target, PLAYER_ARRIVED, arrival(after))

    def _move_quest(self, player_id: object, quest_id: object, verb: str, steps: object = 0) -> Plain:
        player = self._player(player_id)
        return self._put_quest(player, moved_on(player.quests, quest_id, verb, steps))

    def _put_quest(self, player: Player, quest: Quest) -> Plain:
        self._replace(player, quests={**player.quests, quest.quest_id: quest})
        return msgspec.to_builtins(quest)


def _enterable(realm_id: object, realms: object) -> str:
    """`realm_id`, if it names a realm that is registered and not in error."""
    known, target = checked_realms(realms), checked_realm_id(realm_id)
    if target not in known:
        raise UnknownMemberError(f"realm {target!r} is not registered; there are {sorted(known)}.")
    if known[target] == ERROR:
        raise CommandRefusedError(f"realm {target!r} is in error; restart it, or name another realm.")
    return target


def _narrative(words: object) -> str:
    return checked_text(words, "narrative_context", NARRATIVE_CHARACTERS_MAX, may_be_empty=True)


def _command_of(event: Event) -> tuple[str, dict[str, Plain]]:
    """The command that an event stands for, and its arguments."""
    try:
        data: object = event.data
    except ValueError as error:
        raise CommandRefusedError(f"the data cannot be read: {error}.") from None
    if not isinstance(data, dict):
        raise CommandRefusedError(f"the data must be a map, not {type(data).__name__}.")
    if event.event_type != PLAYER_QUEST:
        return EVENT_COMMANDS[event.event_type], data
    verb = data.pop("verb", None)
    if verb not in QUEST_VERBS:
        raise CommandRefusedError(f"a quest has no verb {verb!r}; use one of {', '.join(QUEST_VERBS)}.")
    return f"{verb}_quest", data
