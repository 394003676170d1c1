"""A player registry in its seat, for the tests of players."""

from inspect import signature
from typing import Any

from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.codec import decode, encode
from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Command, Grant, Outbox
from actors.core.kernel.seats import Seat
from actors.core.players.registry import PlayerRegistry

REALMS = {"sol_1": "running", "sol_2": "running", "sol_3": "paused", "sol_4": "error", "sol_5": "booting"}
SWORD = {"item_id": "sword", "name": "Dawn", "item_type": "weapon", "rarity": "legendary", "source_realm": "sol_1"}
NOBODY = "0" * 32


class Desk:
    """A registry in its seat, with a clock that only counts."""

    def __init__(self, seed: int = 7) -> None:
        self.seat = Seat(Birth(PLAYERS, seed, PLAYERS), PlayerRegistry)
        self.number = self.control_tick = 0
        self.last: Outbox = self.seat.status()

    def grant(self, commands: tuple[Command, ...] = (), inbox: tuple[Event, ...] = ()) -> Outbox:
        self.number += 1
        self.last = self.seat.advance(Grant(1, "main", self.number, self.control_tick, 0, inbox, commands))
        assert self.last.failure is None, self.last.failure
        return self.last

    def command(self, verb: str, arguments: dict[str, Any]) -> Command:
        return Command(f"c{self.number}", verb, encode(arguments))

    def value_of(self, outbox: Outbox) -> Any:
        """What the one command came to; None if it was refused."""
        (result,) = outbox.results
        return None if result.error_code else decode(result.payload)

    def parameters(self) -> dict[str, list[str]]:
        """The registry's commands and the names of their arguments."""
        return {
            verb: list(signature(getattr(PlayerRegistry, verb)).parameters)[2:] for verb in self.seat.contract.commands
        }

    def do(self, verb: str, **arguments: Any) -> Any:
        outbox = self.grant((self.command(verb, arguments),))
        assert not outbox.results[0].error_code, outbox.results[0].error_message
        return self.value_of(outbox)

    def refused(self, verb: str, **arguments: Any) -> str:
        """The refusal's code, after checking that nothing has changed and nothing was said."""
        before = self.last
        outbox = self.grant((self.command(verb, arguments),))
        assert (outbox.digest, outbox.totals, outbox.events, outbox.ledger) == (before.digest, before.totals, (), {})
        assert outbox.results[0].error_message.count("\n") == 0
        return outbox.results[0].error_code

    def tell(self, event_type: str, data: Any, carries: tuple[tuple[str, int], ...] = ()) -> Outbox:
        payload = data if isinstance(data, bytes) else encode(data)
        event = Event(f"e{self.number}", "sol_1", self.number, PLAYERS, event_type, payload, 0, 1, carries=carries)
        return self.grant(inbox=(event,))

    def ask(self, verb: str, **arguments: Any) -> Any:
        return self.seat.query(verb, arguments)["value"]

    def create(self, name: str = "Alice", realm: str = "sol_1", **more: Any) -> str:
        """The id of a new player."""
        player = self.do(
            "create_player", player_name=name, character_race="human", starting_realm=realm, realms=REALMS, **more
        )
        return str(player["player_id"])

    def travel(self, player_id: str, source: str, target: str, context: str = "") -> Any:
        return self.do(
            "transition_player",
            player_id=player_id,
            source_realm=source,
            target_realm=target,
            narrative_context=context,
            realms=REALMS,
        )
