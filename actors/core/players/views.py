"""What the player registry shows of one boundary: players, rosters, contexts and statistics."""

from collections.abc import Iterable, Mapping

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError, UnknownPlayerError
from actors.core.players.contexts import warbler_context
from actors.core.players.players import Player, shown

QUERIES: dict[str, tuple[str, ...]] = {
    "get_player": ("player_id",),
    "list_players": (),
    "get_realm_roster": ("realm_id",),
    "get_warbler_context": ("player_id",),
    "get_multiverse_stats": (),
    "journeys": (),
    "refusals": (),
}
"""Question to the names of its arguments."""


class RegistryView:
    """What the registry shows of one boundary.

    It answers `QUERIES`. Players are listed in the order in which they were created.
    """

    def __init__(
        self, players: Mapping[str, Player], transitions: int, realms_visited: int, refusals: Mapping[str, Plain]
    ) -> None:
        self._players = dict(players)
        self._transitions = transitions
        self._realms_visited = realms_visited
        self._refusals = dict(refusals)

    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """The answer to one question.

        Raises:
            CommandRefusedError: an unknown verb, or arguments that do not fit.
            UnknownPlayerError: no player of that id.
        """
        takes = QUERIES.get(verb)
        if takes is None or set(arguments) != set(takes):
            known = ", ".join(f"{name}({', '.join(names)})" for name, names in QUERIES.items())
            raise CommandRefusedError(f"the players answer no {verb!r} with {sorted(arguments)}; they answer {known}.")
        return getattr(self, f"_answer_{verb}")(**arguments)

    def _answer_get_player(self, player_id: object) -> Plain:
        return shown(found_player(self._players, player_id))

    def _answer_list_players(self) -> Plain:
        return [shown(player) for player in self._players.values()]

    def _answer_get_realm_roster(self, realm_id: object) -> Plain:
        return [shown(player) for player in self._players.values() if player.active_realm == realm_id]

    def _answer_get_warbler_context(self, player_id: object) -> Plain:
        return warbler_context(found_player(self._players, player_id))

    def _answer_get_multiverse_stats(self) -> Plain:
        players = self._players.values()
        visits = sum(len(player.visited_realms) for player in players)
        return {
            "total_players": len(players),
            "total_realms_visited": self._realms_visited,
            "realm_distribution": _counts(player.active_realm for player in players),
            "total_transitions": self._transitions,
            "avg_realms_per_player": visits / len(players) if players else 0.0,
        }

    def _answer_journeys(self) -> Plain:
        return [
            {"player_id": player.player_id, "name": player.name, "realm": stay.realm, "control_tick": stay.control_tick}
            for player in self._players.values()
            for stay in player.journey
        ]

    def _answer_refusals(self) -> Plain:
        return dict(self._refusals)


def found_player(players: Mapping[str, Player], player_id: object) -> Player:
    """The player of that id.

    Raises:
        UnknownPlayerError: there is none.
    """
    player = players.get(player_id) if isinstance(player_id, str) else None
    if player is None:
        raise UnknownPlayerError(f"there is no player {player_id!r}; ask the registry for its players' ids.")
    return player


def _counts(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
