"""Rosters: which players a realm believes to be there.

Where a player is, the registry decides; a realm's own roster follows by events. So at every boundary: the roster, with
the arrivals and departures in flight applied to it in order, is what the registry says. `effective_roster` is that law's
left side.
"""

from collections.abc import Iterable, Mapping

from actors.core.kernel.addresses import PLAYER_ROSTER, PLAYERS
from actors.core.kernel.codec import Plain
from actors.core.kernel.events import Event
from actors.core.kernel.states import Records

PLAYER_ARRIVED = "player_arrived"
"""Registry to realm: `{player_id, name, race, class, level, from_realm or None, narrative_context}`."""
PLAYER_LEFT = "player_left"
"""Registry to realm: `{player_id, name, to_realm}`."""
ROSTER_EVENTS = (PLAYER_ARRIVED, PLAYER_LEFT, PLAYER_ROSTER)


class Roster:
    """The players in one realm, by id, each with what the registry told of them."""

    def __init__(self) -> None:
        self.players: dict[str, Plain] = {}

    def apply(self, event: Event) -> None:
        """Follows one event of the registry's. Events that others send under these names are not believed."""
        self.players = effective_roster(self.players, (event,))

    def capture(self) -> Records:
        """The roster as a section of its realm's state."""
        return Records(dict(self.players))

    def restore(self, section: Records) -> None:
        """Takes up a captured roster."""
        self.players = dict(section.objects)


def effective_roster(players: Mapping[str, Plain], events: Iterable[Event]) -> dict[str, Plain]:
    """The roster after these events, in order. Only events whose source is the registry count."""
    roster = dict(players)
    for event in events:
        if event.source != PLAYERS:
            continue
        if event.event_type == PLAYER_ARRIVED:
            roster[event.data["player_id"]] = event.data
        elif event.event_type == PLAYER_LEFT:
            roster.pop(event.data["player_id"], None)
        elif event.event_type == PLAYER_ROSTER:
            roster = {player["player_id"]: player for player in event.data["players"]}
    return roster
