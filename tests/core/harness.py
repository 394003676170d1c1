"""Members, seats and a whole multiverse in one process, driven by hand, for the tests of the kernel."""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from actors.core.kernel.addresses import PLAYERS, RealmCoordinate
from actors.core.kernel.codec import decode, encode
from actors.core.kernel.commands import (
    ClockCommand,
    MemberCommand,
    MemberSpec,
    QueueEvent,
    RegisterGame,
    RemoveGame,
    RestartGame,
    Subscribe,
    Unsubscribe,
)
from actors.core.kernel.effects import Script, T
from actors.core.kernel.events import Event
from actors.core.kernel.fleets import Fleet
from actors.core.kernel.members import Birth, Command, Grant, Member, Outbox
from actors.core.kernel.messages import Advance
from actors.core.kernel.seats import Seat
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import State, decode_state
from actors.core.kernel.ticking import TickRecord
from actors.lanes import LocalLane

CHECKPOINT_INTERVAL_GRANTS = 64
"""How often a `Bench` asks for a checkpoint."""
REALMS = str(Path(__file__).parent.parent / "realms")
REGISTRY = MemberSpec("actors.core.players.registry:PlayerRegistry", encode({}))


def mail(
    event_type: str, data: Mapping[str, Any] | None = None, *, number: int = 0, source: str = "@outside", **more: Any
) -> Event:
    """An event as it lies in an inbox."""
    return Event(f"e{number}", source, number, "m", event_type, encode(dict(data or {})), 0, 1, **more)


def asked(verb: str, name: str = "c", /, **arguments: Any) -> Command:
    return Command(name, verb, encode(arguments))


class Bench:
    """One member in its seat, with a clock that only counts.

    Args:
        make: makes the member.
    """

    def __init__(self, make: Callable[[Birth], Member], **birth: Any) -> None:
        told: dict[str, Any] = {"member_id": "m", "seed": 7, "lineage": "m"} | birth
        self.birth = Birth(**told)
        self.seat = Seat(self.birth, make)
        self.number = 0
        self.control_tick = 0

    def grant(
        self, *inbox: Event, commands: tuple[Command, ...] = (), local_ticks: int = 10, digest: bool = True
    ) -> Outbox:
        """The next grant, carried out; one with commands and no local ticks is a command round."""
        self.number += 1
        self.control_tick += bool(local_ticks)
        grant = Grant(1, "main", self.number, self.control_tick, local_ticks, inbox, commands, digest)
        checkpoint = self.number % CHECKPOINT_INTERVAL_GRANTS == 0
        return self.seat.answer(Advance(self.number, (grant,), checkpoint)).outboxes[0]

    def ask(self, verb: str, /, **arguments: Any) -> Any:
        """The value of one command in a round of its own."""
        outbox = self.grant(commands=(asked(verb, **arguments),), local_ticks=0)
        assert outbox.failure is None, outbox.failure
        assert not outbox.results[0].error_code, outbox.results[0].error_message
        return decode(outbox.results[0].payload)

    def state(self) -> State:
        return decode_state(self.seat.capture())

    def standing(self) -> tuple[Any, ...]:
        """All of the member that a refused or failed grant must leave as it was."""
        status = self.seat.status()
        return status.digest, status.local_tick, self.seat.capture(), status.totals


class World:
    """A sequencer over real seats.

    Args:
        shuffle: seed of the order in which members are advanced and their outboxes arrive; None keeps it sorted.
        registry: whether the player registry is there.
        settings: of the multiverse.
    """

    def __init__(
        self, *, shuffle: int | None = None, registry: bool = True, lane: LocalLane | None = None, **settings: Any
    ) -> None:
        order = Random(shuffle)
        self.lane = lane or LocalLane(
            (REALMS,), (lambda ids: ids) if shuffle is None else lambda ids: order.sample(ids, len(ids))
        )
        self.sequencer = Sequencer(Settings(**{"seed": 7} | settings))
        self.fleet = Fleet(self.sequencer.settings, self.lane)
        if registry:
            self.perform(self.sequencer.seat_script(PLAYERS, REGISTRY))

    def perform(self, script: Script[T]) -> T:
        try:
            effect = next(script)
            while True:
                effect = script.send(self.fleet.perform(effect))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def seat(self, member_id: str) -> Seat:
        """A member's seat, to look into it or to spoil it."""
        return self.lane._hosts[self.fleet.host_of(member_id)].seat

    def tick(self, control_ticks: int = 1) -> TickRecord:
        """So many control ticks; the record of the last."""
        for _ in range(control_ticks):
            record = self.perform(self.sequencer.control_tick_script())
        return record

    def do(self, command: ClockCommand) -> Any:
        return self.perform(self.sequencer.command_script(command)).value()

    def register(
        self,
        realm_id: str,
        factory: str = "small:Scribe",
        *,
        period: int = 1,
        subscriptions: tuple[str, ...] | None = None,
        **params: Any,
    ) -> Any:
        spec = MemberSpec(factory, encode(params))
        key = RealmCoordinate(realm_id).key
        return self.do(RegisterGame(realm_id, key, "sol_system", spec, period, subscriptions))

    def remove(self, realm_id: str, players_to: str = "") -> Any:
        return self.do(RemoveGame(realm_id, players_to))

    def restart(self, realm_id: str) -> Any:
        return self.do(RestartGame(realm_id))

    def subscribe(self, realm_id: str, event_type: str) -> None:
        self.do(Subscribe(realm_id, event_type))

    def unsubscribe(self, realm_id: str, event_type: str) -> None:
        self.do(Unsubscribe(realm_id, event_type))

    def ask(self, member_id: str, verb: str, /, **arguments: Any) -> Any:
        return self.do(MemberCommand(member_id, verb, encode(arguments)))

    def queue(
        self,
        target: str | None,
        event_type: str = "note",
        data: Mapping[str, Any] | None = None,
        event_id: str = "",
        **more: Any,
    ) -> Any:
        return self.do(QueueEvent(event_id, "", target, event_type, encode(dict(data or {})), **more))

    def state(self, member_id: str) -> State:
        return decode_state(self.seat(member_id).capture())

    def heard(self, realm_id: str) -> list[list[Any]]:
        """What a scribe has written down: [local tick, source, sequence, event type, event id, cause]."""
        return self.state(realm_id)["book"].objects["heard"]  # type: ignore[union-attr, no-any-return]

    def game_state(self, realm_id: str) -> str:
        return self.sequencer.members[realm_id].state

    def digest(self) -> bytes:
        """The digest of this boundary, commands included."""
        return self.perform(self.sequencer.digest_script())

    def reasons(self) -> list[str]:
        """Why each dead letter is one."""
        return [letter.reason for letter in self.sequencer.post.dead_letters]

    def conserved(self) -> bool:
        return all(present == expected for present, expected in self.sequencer.conservation().values())
