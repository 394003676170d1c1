"""Conversations: what the people of a City said to each player, kept apart by player.

A player hears and is shown only their own. The number of players and of lines kept is bounded; who spoke longest ago is
forgotten first.
"""

from collections.abc import Mapping

from actors.core.kernel.codec import Plain
from actors.core.kernel.states import Records

LINES_MAX = 8
PLAYERS_MAX = 256


class Conversations:
    """The last lines said to each player."""

    def __init__(self) -> None:
        self._by_player: dict[str, Plain] = {}
        self.spoken = 0

    def keep(self, player_id: str, line: Mapping[str, Plain]) -> None:
        """Notes one line said to a player."""
        self.spoken += 1
        earlier = self._by_player.get(player_id, {"lines": []})["lines"]
        self._by_player = self._by_player | {
            player_id: {"latest": self.spoken, "lines": [*earlier, dict(line)][-LINES_MAX:]}
        }
        if len(self._by_player) > PLAYERS_MAX:
            del self._by_player[min(self._by_player, key=lambda known: self._by_player[known]["latest"])]

    def shown(self) -> Mapping[str, Plain]:
        """All conversations by player, as they stand; never changed afterwards."""
        return self._by_player

    def capture(self) -> Records:
        """The conversations as a section of the city's state; an object a player."""
        return Records(dict(self._by_player))

    def restore(self, section: Records, spoken: int) -> None:
        """Takes up captured conversations; `spoken` is how many lines were ever said."""
        self._by_player, self.spoken = dict(section.objects), spoken
