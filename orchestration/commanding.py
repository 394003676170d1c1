"""Commanding: what is asked of a multiverse from outside; it is done at a boundary, journaled, and then answered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import uuid4

import msgspec

from actors.clock_messages import CLOCK, SET_UP
from actors.core.kernel.addresses import RealmCoordinate
from actors.core.kernel.commands import (
    ClockCommand,
    MemberCommand,
    MemberSpec,
    QueueEvent,
    RegisterGame,
    RemoveGame,
    Reply,
    RestartGame,
    SetDelay,
    Subscribe,
    Unsubscribe,
)
from actors.core.kernel.events import CrossGameEvent, checked_carries, realm_id_of
from actors.core.kernel.modifications import MODIFY
from actors.requests import Principal
from orchestration.arguments import checked, checked_texts, encoded
from orchestration.engines import Engine
from orchestration.openings import checked_placement
from orchestration.players import Players
from orchestration.reading import Reading


class Commanding(Reading):
    """Realms come and go, events come from outside, members are commanded and changed.

    Args:
        engine: where the multiverse lives.
        name: see `Reading`.
        principal: who commands, for the audit log.

    Attributes:
        players: the player registry, commanded and read.
    """

    def __init__(self, engine: Engine, name: str, principal: str) -> None:
        super().__init__(engine, name)
        self._principal = principal
        self._command_id: Callable[[ClockCommand], str] = lambda command: uuid4().hex
        self.players = Players(self.command, self.query)

    # ----------------------------------------------------------------------------------------------------------- realms

    def register_game(
        self,
        realm_id: str,
        factory: str,
        coordinate: RealmCoordinate | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        period: int = 1,
        subscriptions: Sequence[str] | None = None,
        placement: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Adds a realm; it begins to run with the next control tick.

        Args:
            realm_id: its id.
            factory: `module:name`, called as `factory(birth, **params)` where the realm will live.
            coordinate: its STAT7 address; by default a main instance in cluster_0.
            params: plain data.
            period: it is advanced every so many control ticks, by as many times the local ticks.
            subscriptions: broadcast types it hears; None means those of its contract.
            placement: Ray's placement options for its actor.

        Returns:
            Its id, kind, recovery level and notes.

        Raises:
            DuplicateMemberError: the id is taken.
            FactoryError: there is no such factory, or it raises.
            CommandRefusedError: ids that differ, a period below 1, a type it does not handle.
        """
        place = RealmCoordinate(realm_id) if coordinate is None else checked(RealmCoordinate, coordinate, "coordinate")
        checked(str, factory, "factory")
        where = checked_placement(placement, "placement")
        spec = MemberSpec(factory, encoded(params, "params"), encoded(where, "placement"))
        chosen = None if subscriptions is None else checked_texts(subscriptions, "subscriptions")
        return self._submit(  # type: ignore[no-any-return]
            RegisterGame(realm_id, place.key, place.realm_type, spec, period, chosen)
        )

    def remove_game(self, realm_id: str, players_to: str = "") -> dict[str, Any]:
        """Takes a realm away.

        Raises:
            UnknownMemberError: no such realm.
            CommandRefusedError: players are there and `players_to` names no realm for them.
        """
        return self._submit(RemoveGame(realm_id, players_to))  # type: ignore[no-any-return]

    def restart_game(self, realm_id: str) -> dict[str, Any]:
        """Lets a realm in error go on from the boundary before the tick that failed."""
        return self._submit(RestartGame(realm_id))  # type: ignore[no-any-return]

    def subscribe(self, realm_id: str, event_type: str) -> None:
        """Subscribes a realm to a broadcast type; twice is once."""
        self._submit(Subscribe(realm_id, event_type))

    def unsubscribe(self, realm_id: str, event_type: str) -> None:
        """Ends a subscription."""
        self._submit(Unsubscribe(realm_id, event_type))

    def set_delay(self, source: str, target: str, control_ticks: int) -> None:
        """Sets how many control ticks an event from one member to another needs at least; 0 takes that back.

        With `lookahead_control_ticks` for the whole multiverse, that is what lets the clock grant several at once.

        Raises:
            UnknownMemberError: one of them is not registered.
            CommandRefusedError: not a whole number from 0 to 1,000.
        """
        self._submit(SetDelay(source, target, control_ticks))

    # ------------------------------------------------------------------------------------------------- events, commands

    def queue_cross_game_event(self, event: CrossGameEvent) -> dict[str, Any]:
        """Sends an event from outside; it arrives at the start of the next control tick or of its `deliver_at`.

        Raises:
            UnknownMemberError: its target is not registered.
            EventRefusedError: an undeclared type, a moment that has passed, an id used before, data that is not plain.
        """
        payload = checked(CrossGameEvent, event, "event").sealed()
        return self._submit(  # type: ignore[no-any-return]
            QueueEvent(
                event.event_id,
                realm_id_of(event.source_realm),
                None if event.target_realm is None else realm_id_of(event.target_realm),
                event.event_type,
                payload,
                event.deliver_at,
                event.cause,
                event.claimed_path(),
                checked_carries(event.carries),
            )
        )

    def command(self, member_id: str, verb: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """A command for one member, at the next boundary; returns its value.

        Raises:
            SoulfraError: what refused it.
        """
        checked(str, member_id, "member id")
        checked(str, verb, "verb")
        return self._submit(MemberCommand(member_id, verb, encoded(arguments, "arguments")))

    def modify(self, member_id: str, changes: Mapping[str, Any]) -> int:
        """Changes a member's state from outside, at the next boundary; all of it or nothing.

        What that creates or destroys of conserved quantities is entered in the ledger.

        Args:
            member_id: the member; its state must be one that can be captured.
            changes: dotted path (`npcs.3.mood`, `npcs.*.thrift`) to value; see `actors.core.kernel.modifications`.

        Returns:
            How many values were set.

        Raises:
            CommandRefusedError: a path that leads nowhere, or a value that does not fit; nothing has changed.
        """
        return self.command(member_id, MODIFY, changes)["changed"]  # type: ignore[no-any-return]

    def speak(self, player_id: str, npc: int, question: str = "", dialogue: Any = None) -> dict[str, Any]:
        """Lets an NPC of the player's realm speak to him.

        Args:
            player_id: the player.
            npc: the NPC's number in the realm.
            question: what the player says.
            dialogue: a generator with `line(context, npc, question)`; by default the template grammar. Its answer goes
                into the command, so a replay asks nobody.

        Raises:
            UnknownPlayerError: no such player.
            CommandRefusedError: no such NPC there.
        """
        context = self.players.get_warbler_context(player_id)
        realm_id = context["active_realm"]
        arguments: dict[str, Any] = {"player_id": player_id, "npc": npc, "context": context, "question": question}
        if dialogue is not None:
            arguments["line"] = dialogue.line(context, self.query(realm_id, "npc", {"id": npc}), question)
        return self.command(realm_id, "speak", arguments)  # type: ignore[no-any-return]

    def kill(self, member_id: str) -> None:
        """Kills a member's process at this boundary, or that of "@clock", to see it come back.

        Raises:
            UnknownMemberError: no such member.
            EngineError: on the local engine, where no member has a process of its own.
        """
        if checked(str, member_id, "member id") == CLOCK:
            self.recoveries()  # the clock's successor will not know of those before
            self._engine.crash()
        else:
            self._call("kill", member_id)

    def _submit(self, command: ClockCommand, principal: Principal = "") -> Any:
        reply: Reply = self._call("submit", command, self._command_id(command), principal or self._principal)
        return reply.value()

    # ------------------------------------------------------------------------------------------------------- setting up

    @property
    def is_new(self) -> bool:
        """Whether nobody has set it up: it was founded just now, or whoever was about to set it up did not come to an end."""
        boundary = self.boundary()
        untouched = (boundary.control_tick, boundary.position) == (0, 0)
        return self.about.order == SET_UP or (not self.about.order and untouched)

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """For setting a new multiverse up; who is interrupted in it may begin it again, and nothing is done twice."""
        self._call("set_up")
        with self._repeatable(SET_UP):
            yield

    @contextmanager
    def _repeatable(self, occasion: str) -> Iterator[None]:
        """Commands given within are carried out once, however often the same block is run again on this history.

        One thread only; the same commands in the same order.

        Args:
            occasion: names the block.
        """
        numbers, before = count(1), self._command_id

        def repeated(command: ClockCommand) -> str:
            content = sha256(msgspec.msgpack.encode(command)).hexdigest()
            return f"{occasion} {next(numbers)} {content[:16]}"

        self._command_id = repeated
        try:
            yield
        finally:
            self._command_id = before
