"""The sequencer: the rules of the master clock, and the only place where order is made.

A control tick: mail that is due goes into the inboxes, every member that is due gets a grant, every outbox is taken in,
what was said is put on its way for the next control tick. Nobody acts in the middle: a command is carried out in a
command round at a boundary, grants of zero local ticks to those it addresses.

The sequencer is pure. Its scripts yield effects (`effects.py`) and are sent what came of them; a script runs to its end
before the next begins. Nothing here depends on the order in which outboxes arrive, on wall time or on the engine.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from actors.core.kernel.addresses import OUTSIDE, PLAYERS, RealmCoordinate, checked_realm_id
from actors.core.kernel.cascades import Cascades
from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.commands import (
    Boundary,
    ClockCommand,
    JournalEntry,
    MemberCommand,
    MemberSpec,
    QueueEvent,
    RegisterGame,
    RemoveGame,
    Reply,
    RestartGame,
    Subscribe,
    Unsubscribe,
)
from actors.core.kernel.digests import NO_DIGEST, digest_of, fold, multiverse_digest
from actors.core.kernel.effects import Dispose, Exchange, Lost, Rebuild, Refused, Script, Spawn, Spawned
from actors.core.kernel.errors import (
    CommandRefusedError,
    DuplicateMemberError,
    EventRefusedError,
    MemberError,
    SoulfraError,
    UnknownMemberError,
    error_from,
)
from actors.core.kernel.events import DELIVER_AT_MAX, Event, Trace, checked_carries, event_digest, order
from actors.core.kernel.games import BOOTING, ERROR, RUNNING, Seated
from actors.core.kernel.members import Birth, Command, Failure, Grant, Outbox
from actors.core.kernel.postings import Post
from actors.core.kernel.settings import Settings

EPOCH = 1
"""The vault will allocate epochs; until there is one, there is one clock."""

BROADCAST = "*"

PERIOD_CONTROL_TICKS_MAX = 1_000_000
SEQUENCES_PER_LIFE = 1 << 40
"""A member that takes a removed one's id begins its numbers above all that the other can have used."""


class TickRecord(msgspec.Struct, frozen=True):
    """What one control tick came to.

    Attributes:
        control_tick_id: the first is 1.
        games_synced: realms that advanced without error.
        events_propagated: deliveries, not events.
        digest: of the multiverse at this boundary, before its commands; empty where none was due.
        members: digest of each member.
        transit: digest of everything else: what is under way, subscriptions, game states, dead letters, ledger.
        rows: (member id, local tick, measures) of the realms that advanced.
        flows: (source, receiver, event type, deliveries).
        failures: (member id, message) of members that went into error in this tick.
    """

    control_tick_id: int
    games_synced: int
    events_propagated: int
    digest: bytes
    members: dict[str, bytes]
    transit: bytes
    rows: tuple[tuple[str, int, dict[str, float]], ...]
    flows: tuple[tuple[str, str, str, int], ...]
    failures: tuple[tuple[str, str], ...]


@dataclass
class Totals:
    """Counts since the beginning. Not part of the digest: they follow from what is."""

    events_propagated: int = 0
    cascades_cut: int = 0
    latency_control_ticks: int = 0
    delivered_by_type: Counter[str] = field(default_factory=Counter)
    ledger: Counter[str] = field(default_factory=Counter)


class Sequencer:
    """The clock's rules and its tables.

    Args:
        settings: what this history depends on.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.control_tick = 0
        self.position = 0
        self.chain = NO_DIGEST
        self.members: dict[str, Seated] = {}
        self.post = Post(settings.inbox_events_max, settings.dead_letters_max)
        self.journal: list[JournalEntry] = []
        self.totals = Totals()
        self.cascades = Cascades(settings.traces_max)
        self._outside_ids: set[str] = set()
        self._outside_chain = NO_DIGEST
        self._removals: Counter[str] = Counter()

    # ------------------------------------------------------------------------------------------------ what stands

    @property
    def boundary(self) -> Boundary:
        """Where history stands."""
        return Boundary(self.settings.branch, self.control_tick, self.position)

    @property
    def games(self) -> dict[str, Seated]:
        """The realms, by id in order; the kernel's own members left out."""
        return {member_id: seated for member_id, seated in sorted(self.members.items()) if seated.is_game}

    def conservation(self) -> dict[str, tuple[int, int]]:
        """For each conserved quantity: what there is (in members, under way, in dead letters) and what there should be."""
        present = self.post.carried()
        for seated in self.members.values():
            present.update(seated.totals)
        expected = Counter(self.totals.ledger)
        expected.update(dict.fromkeys(present, 0))
        for name, amount in self.post.lost.items():
            expected[name] -= amount
        return {name: (present[name], expected[name]) for name in sorted(expected)}

    def in_flight_to(self, member_id: str) -> list[Event]:
        """What a member will hear, in the order in which it will.

        Raises:
            UnknownMemberError: no such member.
        """
        return self.post.in_flight_to(member_id, self.control_tick, self._member(member_id).period)

    def transit_digest(self) -> bytes:
        """The digest of everything that is no member's state."""
        games = [seated.identity() for _, seated in sorted(self.members.items())]
        return digest_of(
            self.post.digest(),
            encode(games),
            self._outside_chain,
            encode(sorted((name, str(amount)) for name, amount in self.totals.ledger.items())),  # sums outgrow 64 bits
            encode(sorted(self._removals.items())),
        )

    # ----------------------------------------------------------------------------------------------- control tick

    def control_tick_script(self) -> Script[TickRecord]:
        """One control tick."""
        tick = self.control_tick + 1
        digest_due = tick % self.settings.digest_interval_control_ticks == 0
        self._deliver(tick)
        grants = self._grants(tick, digest_due)
        outboxes = yield Exchange(grants)
        self.control_tick = tick
        failures, rows, synced = self._take_in(grants, outboxes)
        flows = self._count_deliveries(grants)
        for seated in self.members.values():
            if seated.contract.event_driven and seated.state == BOOTING:
                seated.state = RUNNING  # it has no ticks of its own to begin with
        members, transit, digest = self._boundary_digest() if digest_due else ({}, NO_DIGEST, NO_DIGEST)
        if digest_due:
            self.chain = fold(self.chain, digest)
        return TickRecord(
            tick,
            synced,
            sum(flows.values()),
            digest,
            members,
            transit,
            tuple(rows),
            tuple((*key, count) for key, count in sorted(flows.items())),
            tuple(failures),
        )

    def _count_deliveries(self, grants: Mapping[str, Grant]) -> Counter[tuple[str, str, str]]:
        """Deliveries by (source, receiver, event type): what was lived through; a discarded inbox is no delivery."""
        flows: Counter[tuple[str, str, str]] = Counter()
        for member_id, grant in grants.items():
            if self.members[member_id].error is None:
                flows.update((event.source, member_id, event.event_type) for event in grant.inbox)
        self.totals.events_propagated += sum(flows.values())
        for (_, _, event_type), count in flows.items():
            self.totals.delivered_by_type[event_type] += count
        return flows

    def _deliver(self, tick: int) -> None:
        handled = {member_id: seated.contract.handles for member_id, seated in self.members.items()}
        absent = {
            member_id: f"it is in error: {seated.error.message}"
            for member_id, seated in self.members.items()
            if seated.error is not None
        }
        self.post.deliver(tick, handled, absent)

    def _grants(self, tick: int, digest_due: bool) -> dict[str, Grant]:
        interval = self.settings.control_tick_interval_ticks
        grants = {}
        for member_id, seated in sorted(self.members.items()):
            if seated.error is not None:
                continue
            if seated.contract.event_driven:
                local_ticks, awake = 0, self.post.has_mail(member_id)
            else:
                awake = tick % seated.period == 0
                local_ticks = interval * seated.period if awake else 0
            if awake or (digest_due and seated.digest_stale):
                inbox = self.post.take(member_id) if awake else ()
                grants[member_id] = self._grant(seated, tick, local_ticks, inbox, (), digest_due)
        return grants

    def _grant(
        self,
        seated: Seated,
        tick: int,
        local_ticks: int,
        inbox: tuple[Event, ...],
        commands: tuple[Command, ...],
        digest: bool,
    ) -> Grant:
        seated.number += 1
        return Grant(EPOCH, self.settings.branch, seated.number, tick, local_ticks, inbox, commands, digest)

    def _take_in(
        self, grants: Mapping[str, Grant], outboxes: Mapping[str, Outbox | Lost]
    ) -> tuple[list[tuple[str, str]], list[tuple[str, int, dict[str, float]]], int]:
        failures = []
        rows = []
        synced = 0
        spoken: list[Event] = []
        for member_id in sorted(grants):
            seated, grant = self.members[member_id], grants[member_id]
            if isinstance(outbox := self._settle(member_id, seated, grant, outboxes[member_id]), Failure):
                failures.append((member_id, outbox.message))
                continue
            spoken.extend(outbox.events)
            if seated.is_game and grant.local_ticks:
                synced += 1
                rows.append((member_id, outbox.local_tick, outbox.measures))
        self._send(spoken)
        return failures, rows, synced

    def _settle(self, member_id: str, seated: Seated, grant: Grant, outbox: Outbox | Lost) -> Outbox | Failure:
        """Takes one outbox into the tables; a failure puts this member alone into error."""
        if isinstance(outbox, Lost):
            seated.lost = True
            self._decide(f"{member_id}: {outbox.reason}")
            return self._fail(member_id, seated, grant, Failure(outbox.reason))
        seated.stand(outbox)
        if outbox.failure is not None:
            return self._fail(member_id, seated, grant, outbox.failure)
        if grant.local_ticks:
            seated.state = RUNNING
        self.totals.cascades_cut += outbox.cascades_cut
        self.totals.ledger.update(outbox.ledger)
        self.totals.latency_control_ticks += sum(event.deliver_at - event.control_tick_id for event in grant.inbox)
        for trace in outbox.traces:
            self.cascades.add(trace)
        return outbox

    def _fail(self, member_id: str, seated: Seated, grant: Grant, failure: Failure) -> Failure:
        seated.state, seated.error = ERROR, failure
        for event in grant.inbox:
            self.post.bury(event, member_id, f"it was discarded: {failure.message}", grant.control_tick)
        return failure

    def _send(self, events: Iterable[Event]) -> None:
        """Puts what was said on its way, in the one order; a bad send goes to the dead letters."""
        good = []
        for event in order(events):
            where = BROADCAST if event.target is None else event.target
            self.cascades.add(
                Trace(event.event_id, event.cause, event.event_type, event.source, where, event.control_tick_id, -1, 0)
            )
            if event.deliver_at <= self.control_tick:
                reason = f"deliver_at {event.deliver_at} is not after control tick {self.control_tick}"
                self.post.bury(event, event.target, reason, self.control_tick)
            elif event.target is not None and event.target not in self.members:
                self.post.bury(event, event.target, "no such member", self.control_tick)
            else:
                good.append(event)
        self.post.add(good)

    def _boundary_digest(self) -> tuple[dict[str, bytes], bytes, bytes]:
        members = {member_id: seated.digest for member_id, seated in self.members.items()}
        transit = self.transit_digest()
        return members, transit, multiverse_digest(self.control_tick, members, transit)

    def digest_script(self) -> Script[bytes]:
        """The digest of this very boundary, commands included."""
        stale = {
            member_id: self._grant(seated, self.control_tick, 0, (), (), True)
            for member_id, seated in sorted(self.members.items())
            if seated.digest_stale and seated.error is None
        }
        if stale:
            self._take_in(stale, (yield Exchange(stale)))
        return self._boundary_digest()[2]

    # --------------------------------------------------------------------------------------------------- commands

    def command_script(self, command: ClockCommand) -> Script[Reply]:
        """One command at this boundary. A refusal is a reply, too; then nothing has changed."""
        try:
            value = yield from self._apply(command)
        except SoulfraError as error:
            return Reply(self.boundary, b"", error.code, error.message)
        return Reply(self.boundary, encode(value))

    def _apply(self, command: ClockCommand) -> Script[Plain]:
        match command:
            case RegisterGame():
                return (yield from self._register(command))
            case RemoveGame():
                return (yield from self._remove(command))
            case RestartGame():
                return (yield from self._restart(command))
            case Subscribe():
                handles = self._game(command.realm_id).contract.handles
                self._declared(command.event_type)
                if command.event_type not in handles:
                    raise EventRefusedError(
                        f"{command.realm_id} does not handle {command.event_type!r}; it handles {', '.join(sorted(handles))}."
                    )
                self._journal(command)
                self.post.subscribe(command.realm_id, command.event_type)
            case Unsubscribe():
                self._game(command.realm_id)
                self._journal(command)
                self.post.unsubscribe(command.realm_id, command.event_type)
            case QueueEvent():
                return self._queue(command)
            case MemberCommand():
                seated = self._commandable(command.member_id, command.verb)
                self._check_map(command.payload, f"the arguments of {command.verb!r}", CommandRefusedError)
                self._journal(command)
                return (yield from self._command_round(seated, command.member_id, command.verb, command.payload))
        return None

    def _journal(self, command: ClockCommand) -> int:
        self.position += 1
        self.journal.append(JournalEntry(self.position, self.control_tick, command))
        return self.position

    def _decide(self, decided: str) -> None:
        self.position += 1
        self.journal.append(JournalEntry(self.position, self.control_tick, None, decided))

    def _game(self, realm_id: str) -> Seated:
        seated = self.members.get(realm_id)
        if seated is None or not seated.is_game:
            known = ", ".join(self.games) or "none yet"
            raise UnknownMemberError(f"no realm {realm_id!r} is registered; registered: {known}.")
        return seated

    def _member(self, member_id: str) -> Seated:
        seated = self.members.get(member_id)
        if seated is None:
            raise UnknownMemberError(
                f"no member {member_id!r} is registered; registered: {', '.join(sorted(self.members))}."
            )
        return seated

    def _commandable(self, member_id: str, verb: str) -> Seated:
        seated = self._member(member_id)
        if seated.error is not None:
            raise CommandRefusedError(f"{member_id} is in error ({seated.error.message}); restart or remove it first.")
        if verb not in seated.contract.commands:
            verbs = ", ".join(sorted(seated.contract.commands)) or "none"
            raise CommandRefusedError(f"{member_id} has no command {verb!r}; it has {verbs}.")
        return seated

    def _check_map(self, payload: bytes, what: str, refusal: type[SoulfraError]) -> None:
        try:
            value = decode(payload)
        except ValueError as error:
            raise refusal(f"{what} cannot be read: {error}.") from None
        if not isinstance(value, dict):
            raise refusal(f"{what} must be a map, not {type(value).__name__}.")

    def _declared(self, event_type: str) -> None:
        types = sorted({kind for seated in self.members.values() for kind in seated.contract.handles})
        if event_type not in types:
            raise EventRefusedError(
                f"no member handles events of type {event_type!r}; handled: {', '.join(types) or 'none'}."
            )

    def seat_script(self, member_id: str, spec: MemberSpec) -> Script[Seated]:
        """Makes one of the kernel's own members, the player registry for one."""
        reply = yield Spawn(self._birth(member_id, 1), spec)
        if isinstance(reply, Refused):
            raise error_from(reply.code, reply.message)
        return self._seat(member_id, reply, None)

    def _birth(self, member_id: str, period: int) -> Birth:
        settings = self.settings
        local_ticks = settings.control_tick_interval_ticks * period
        first_sequence = self._removals[member_id] * SEQUENCES_PER_LIFE if member_id in self._removals else 0
        return Birth(member_id, settings.seed, member_id, local_ticks, settings.cascade_depth_max, first_sequence)

    def _seat(self, member_id: str, spawned: Spawned, command: RegisterGame | None) -> Seated:
        seated = Seated(spawned.contract, spawned.status, command)
        self.members[member_id] = seated
        self.totals.ledger.update(seated.totals)
        return seated

    def _register(self, command: RegisterGame) -> Script[Plain]:
        realm_id = checked_realm_id(command.realm_id)
        coordinate = RealmCoordinate.from_key(command.stat7_key, command.realm_type)
        if coordinate.realm_id != realm_id:
            raise CommandRefusedError(
                f"realm id {realm_id!r} and its coordinate's {coordinate.realm_id!r} differ; give the same id in both."
            )
        if realm_id in self.members:
            raise DuplicateMemberError(
                f"realm {realm_id!r} is registered already; remove it first or choose another id."
            )
        if (
            isinstance(command.period, bool)
            or not isinstance(command.period, int)
            or not 1 <= command.period <= PERIOD_CONTROL_TICKS_MAX
        ):
            raise CommandRefusedError(
                f"period must be a whole number from 1 to {PERIOD_CONTROL_TICKS_MAX}, not {command.period!r}."
            )
        spawned = yield Spawn(self._birth(realm_id, command.period), command.spec)
        if isinstance(spawned, Refused):
            raise error_from(spawned.code, f"realm {realm_id!r} was not registered: {spawned.message}")
        contract = spawned.contract
        chosen = contract.subscribes if command.subscriptions is None else command.subscriptions
        unheard = sorted(set(chosen) - contract.handles)
        if unheard:
            yield Dispose(realm_id)
            handles = ", ".join(sorted(contract.handles)) or "none"
            raise CommandRefusedError(f"realm {realm_id!r} does not handle {unheard}; it handles {handles}.")
        self._journal(command)
        self._seat(realm_id, spawned, command)
        for event_type in sorted(chosen):
            self.post.subscribe(realm_id, event_type)
        return {"realm_id": realm_id, "kind": contract.kind, "recovery": contract.recovery, "notes": contract.notes}

    def _remove(self, command: RemoveGame) -> Script[Plain]:
        seated = self._game(command.realm_id)
        if command.players_to:
            if command.players_to == command.realm_id:
                raise CommandRefusedError(f"players_to names {command.realm_id!r} itself; name another realm.")
            self._game(command.players_to)
        registry = self.members.get(PLAYERS)
        if registry is not None and registry.error is not None:
            raise CommandRefusedError(
                f"{PLAYERS} is in error ({registry.error.message}), and players may be in {command.realm_id!r}; "
                f"restart {PLAYERS} first."
            )
        self._journal(command)
        moved = yield from self._ask_players(
            "evacuate", {"realm_id": command.realm_id, "target_realm": command.players_to}
        )
        yield Dispose(command.realm_id)
        del self.members[command.realm_id]
        self._removals[command.realm_id] += 1
        self.post.remove(command.realm_id, self.control_tick)
        self.totals.ledger.subtract(seated.totals)
        return {"realm_id": command.realm_id, "players_moved": moved or []}

    def _restart(self, command: RestartGame) -> Script[Plain]:
        seated = self._member(PLAYERS) if command.realm_id == PLAYERS else self._game(command.realm_id)
        if seated.error is None:
            raise CommandRefusedError(
                f"realm {command.realm_id!r} is {seated.state}, not in error; nothing to restart."
            )
        if seated.lost:
            raise CommandRefusedError(
                f"realm {command.realm_id!r} cannot be restarted: {seated.error.message}, and its state with it; remove it."
            )
        self._journal(command)
        status = yield Rebuild(command.realm_id)
        if isinstance(status, Refused):
            raise error_from(status.code, status.message)
        seated.stand(status)
        seated.state, seated.error = BOOTING, None
        if seated.is_game:
            yield from self._ask_players("resend_roster", {"realm_id": command.realm_id})
        return {"realm_id": command.realm_id, "local_tick": seated.local_tick}

    def _ask_players(self, verb: str, arguments: Mapping[str, Plain]) -> Script[Plain]:
        """Lets the registry follow a change among the realms."""
        seated = self.members.get(PLAYERS)
        if seated is None or seated.error is not None:
            return None
        return (yield from self._command_round(seated, PLAYERS, verb, encode(arguments)))

    def _command_round(self, seated: Seated, member_id: str, verb: str, payload: bytes) -> Script[Plain]:
        if verb in seated.contract.told_realms:
            realms = {realm_id: game.state for realm_id, game in self.games.items()}
            payload = encode({**decode(payload), "realms": realms})
        command = Command(f"@command#{self.position}", verb, payload)
        grant = self._grant(seated, self.control_tick, 0, (), (command,), False)
        outboxes = yield Exchange({member_id: grant})
        if isinstance(outbox := self._settle(member_id, seated, grant, outboxes[member_id]), Failure):
            raise MemberError(f"{member_id} failed in {verb!r} and is in error now: {outbox.message}.")
        self._send(outbox.events)
        result = outbox.results[0]
        if result.error_code:
            raise error_from(result.error_code, result.error_message)
        return decode(result.payload)

    def _queue(self, command: QueueEvent) -> Plain:
        deliver_at = self.control_tick + 1 if command.deliver_at is None else command.deliver_at
        self._check_outside(command, deliver_at)
        position = self.position + 1
        event_id = command.event_id or f"{OUTSIDE}#{position}"
        event = Event(
            event_id,
            OUTSIDE,
            position,
            command.target,
            command.event_type,
            command.payload,
            self.control_tick,
            deliver_at,
            command.cause,
            command.path,
            command.carries,
            command.claimed_source,
        )
        try:
            event_digest(event)
        except (ValueError, TypeError, OverflowError) as error:  # the event as a whole must be writable
            raise EventRefusedError(f"event {event_id!a} cannot be written down: {error}.") from None
        self._journal(command)
        self._outside_ids.add(event_id)
        self._outside_chain = fold(self._outside_chain, event_id.encode())
        self.totals.ledger.update(dict(command.carries))
        self._send([event])
        return {"event_id": event_id, "deliver_at": deliver_at}

    def _check_outside(self, command: QueueEvent, deliver_at: int) -> None:
        if command.event_id in self._outside_ids:
            raise EventRefusedError(f"an event with id {command.event_id!r} was queued before; ids are used once.")
        if "#" in command.event_id:
            raise EventRefusedError(
                f"event id {command.event_id!r} contains '#', which marks ids the clock gives; drop it."
            )
        if checked_carries(dict(command.carries)) != tuple(sorted(command.carries)):
            raise EventRefusedError(f"the event carries a quantity twice: {command.carries!r}; give the sum.")
        self._check_map(command.payload, "the event's data", EventRefusedError)
        if (
            isinstance(deliver_at, bool)
            or not isinstance(deliver_at, int)
            or not self.control_tick < deliver_at <= DELIVER_AT_MAX
        ):
            raise EventRefusedError(
                f"deliver_at {deliver_at!r} is not in the future: the clock stands at {self.control_tick}; "
                f"use {self.control_tick + 1} or later, or leave it out."
            )
        if command.target is None:
            if command.carries:
                raise EventRefusedError("a broadcast cannot carry quantities; name a target.")
            self._declared(command.event_type)
            return
        target = self.members.get(command.target)
        if target is None:
            raise UnknownMemberError(
                f"the event's target {command.target!r} is not registered; registered: {', '.join(sorted(self.members))}."
            )
        if command.event_type not in target.contract.handles:
            handles = ", ".join(sorted(target.contract.handles)) or "none"
            raise EventRefusedError(f"{command.target} does not handle {command.event_type!r}; it handles {handles}.")
