"""A few cities in their seats, with events carried by hand: what the tests of the City share."""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.core.kernel.codec import encode
from actors.core.kernel.events import Event, order
from actors.core.kernel.members import Birth, Command, CommandResult, Grant, Outbox
from actors.core.kernel.seats import Seat
from actors.core.realms.city import City


class Cities:
    """Cities that all are each other's neighbours; `tick` is one control tick."""

    def __init__(self, npcs: Mapping[str, int], seed: int = 7, kind: type[City] = City, **params: Any) -> None:
        self.ids = sorted(npcs)
        self.cities: dict[str, City] = {}
        self.seats = {realm_id: self._seat(realm_id, npcs[realm_id], seed, kind, params) for realm_id in self.ids}
        self.inboxes: dict[str, list[Event]] = {realm_id: [] for realm_id in self.ids}
        self.ledger: dict[str, int] = {}
        self.digests: list[bytes] = []
        self.outboxes: dict[str, Outbox] = {}
        self.numbers = dict.fromkeys(self.ids, 0)
        self.control_tick = 0

    def _seat(self, realm_id: str, npcs: int, seed: int, kind: type[City], params: Mapping[str, Any]) -> Seat:
        def make(birth: Birth) -> City:
            neighbours = [other for other in self.ids if other != realm_id]
            city = kind(birth, npcs=npcs, neighbours=neighbours, **params)
            self.cities[realm_id] = city
            return city

        return Seat(Birth(realm_id, seed, realm_id), make)

    def tick(self, local_ticks: int = 10) -> None:
        self.control_tick += 1
        inboxes, self.inboxes = self.inboxes, {realm_id: [] for realm_id in self.ids}
        for realm_id in self.ids:
            outbox = self._advance(realm_id, local_ticks, order(inboxes[realm_id]), ())
            self.digests.append(outbox.digest)

    def run(self, control_ticks: int) -> "Cities":
        for _ in range(control_ticks):
            self.tick()
        return self

    def command(self, realm_id: str, verb: str, **arguments: Any) -> CommandResult:
        outbox = self._advance(realm_id, 0, (), (Command(f"c{self.numbers[realm_id]}", verb, encode(arguments)),))
        return outbox.results[0]

    def _advance(self, realm_id: str, local_ticks: int, inbox: Sequence[Event], commands: Sequence[Command]) -> Outbox:
        self.numbers[realm_id] += 1
        number = self.numbers[realm_id]
        outbox = self.seats[realm_id].advance(
            Grant(1, "main", number, self.control_tick, local_ticks, tuple(inbox), tuple(commands))
        )
        assert outbox.failure is None, outbox.failure.traceback
        for quantity, change in outbox.ledger.items():
            self.ledger[quantity] = self.ledger.get(quantity, 0) + change
        for event in outbox.events:
            for target in [event.target] if event.target else self.ids:
                self.inboxes.setdefault(target, []).append(event)
        self.outboxes[realm_id] = outbox
        return outbox

    def query(self, realm_id: str, verb: str, **arguments: Any) -> Any:
        return self.seats[realm_id].query(verb, arguments)["value"]

    def totals(self) -> dict[str, int]:
        """Everything there is: in the cities and under way, without what the ledger says was made."""
        whole: dict[str, int] = {"wealth": 0, "npcs": 0}
        for realm_id in self.ids:
            for quantity, amount in self.cities[realm_id].totals().items():
                whole[quantity] = whole.get(quantity, 0) + amount
        for inbox in self.inboxes.values():
            for event in inbox:
                for quantity, amount in event.carries:
                    whole[quantity] = whole.get(quantity, 0) + amount
        for quantity, change in self.ledger.items():
            whole[quantity] = whole.get(quantity, 0) - change
        return whole

    def put(self, realm_id: str, event_type: str, data: Any = None, **fields: Any) -> Event:
        """Queues an event from outside for the next control tick."""
        sequence = len(self.inboxes[realm_id])
        payload = data if isinstance(data, bytes) else encode({} if data is None else data)
        values = {
            "source": "@outside",
            "claimed_source": "sol_9",
            "event_id": f"out-{self.control_tick}-{sequence}",
        } | fields
        event = Event(
            values["event_id"],
            values["source"],
            sequence,
            realm_id,
            event_type,
            payload,
            self.control_tick,
            self.control_tick + 1,
            carries=tuple(values.get("carries", ())),
            claimed_source=values["claimed_source"],
        )
        self.inboxes[realm_id].append(event)
        return event


def registry_event(data: Mapping[str, Any], event_type: str = "player_arrived") -> dict[str, Any]:
    """What `Cities.put` takes to let the registry speak."""
    return {"event_type": event_type, "data": data, "source": "@players", "claimed_source": ""}


def context_of(player_id: str, **standings: str) -> dict[str, Any]:
    """A Warbler context with these standings."""
    return {
        "player_id": player_id,
        "player_name": player_id.title(),
        "character_race": "human",
        "character_class": "Wanderer",
        "active_realm": "sol_1",
        "visited_realms": ["sol_1"],
        "world_state": {
            "player_traveled_realms": 1,
            "player_reputation_standing": standings,
            "player_level": 1,
            "player_experience": 0,
            "player_has_legendary_items": False,
            "player_realm_count": 1,
        },
        "narrative_context": {
            "character_journey": "began here",
            "reputation_arc": "unknown",
            "inventory_summary": "empty-handed",
            "quest_status": "no quests",
        },
    }
