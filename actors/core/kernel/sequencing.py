"""The sequencer: the rules of the master clock, and the only place where order is made.

A control tick: mail that is due goes into the inboxes, every member that is due gets a grant, every outbox is taken in,
what was said is put on its way for the next control tick. Nobody acts in the middle: a command is carried out in a
command round at a boundary, grants of zero local ticks to those it addresses.

The sequencer is pure. Its scripts yield effects (`effects.py`) and are sent what came of them; a script runs to its end
before the next begins. Nothing here depends on the order in which outboxes arrive, on wall time or on the engine.
"""

import msgspec

from actors.core.kernel.addresses import OUTSIDE, PLAYERS, RealmCoordinate, checked_realm_id
from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.commands import (
    AttachGame,
    BeginInstance,
    ChangeRole,
    ClockCommand,
    CreateInstance,
    Decision,
    DropFork,
    ForkGames,
    Freeze,
    ImportInstances,
    LinkInstances,
    MemberCommand,
    MemberSpec,
    ModifyMembers,
    QueueEvent,
    RegisterGame,
    RemoveGame,
    Reply,
    RestartGame,
    RevertDomain,
    RevertGame,
    SetDelay,
    Subscribe,
    Unfreeze,
    Unsubscribe,
    checked_command,
)
from actors.core.kernel.cut_checks import PERIOD_CONTROL_TICKS_MAX
from actors.core.kernel.digests import fold
from actors.core.kernel.domains import is_copy_id
from actors.core.kernel.effects import Dispose, Lost, Rebuild, Refused, Script, Spawn
from actors.core.kernel.errors import (
    CommandRefusedError,
    DuplicateMemberError,
    EngineError,
    EventRefusedError,
    SoulfraError,
    UnknownMemberError,
    error_from,
)
from actors.core.kernel.events import DELIVER_AT_MAX, Event, checked_carries, event_digest
from actors.core.kernel.freezing import Freezing
from actors.core.kernel.games import BOOTING, FROZEN, HOME, Seated
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.kernel.members import CAPTURED, NONE, Birth
from actors.core.kernel.messages import Embodied
from actors.core.kernel.modifications import BECOME
from actors.core.kernel.settings import LOOKAHEAD_MAX
from actors.core.kernel.subjects import instance_asked
from actors.core.permissions.validators import PermissionValidator

REPLIES_KEPT_MAX = 10_000
"""Replies kept for callers who ask again because they lost the first one; nobody asks that late."""
OUTSIDE_IDS_MAX = 100_000
"""Names that drivers gave events, remembered so that none is used twice: the newest of them, for keyframes hold them all."""
SEQUENCES_PER_LIFE = 1 << 40
"""A member that takes a removed one's id begins its numbers above all that the other can have used."""


class Sequencer(Freezing):
    """All rules of the clock: control ticks, and commands at the boundaries between them."""

    def command_script(self, command: ClockCommand, command_id: str = "") -> Script[Reply]:
        """One command at this boundary. A refusal is a reply, too; then nothing has changed.

        A command that comes again under the same id is not carried out again; its reply is that of the first time.
        """
        if (known := self.replies.get(command_id)) is not None:
            return known
        before, instance = self.position, instance_asked(self, command)
        self._command_id = command_id
        try:
            value = yield from self._apply(command)
        except SoulfraError as error:
            reply = Reply(self.boundary, b"", error.code, error.message, instance)
        else:
            reply = Reply(self.boundary, encode(value), instance=instance)
        if command_id and self.position != before:  # what was refused before it became history may be asked again
            self.replies[command_id] = reply
            while len(self.replies) > REPLIES_KEPT_MAX:
                del self.replies[next(iter(self.replies))]
        return reply

    def _apply(self, command: ClockCommand) -> Script[Plain]:
        match command:
            case RegisterGame():
                return (yield from self._register(command))
            case RemoveGame():
                return (yield from self._remove(command))
            case RestartGame():
                return (yield from self._restart(command))
            case RevertGame():
                return (yield from self._revert(command))
            case ForkGames():
                return (yield from self._fork(command))
            case ImportInstances():
                return (yield from self._import(command))
            case DropFork():
                return (yield from self._drop(command))
            case Subscribe():
                seated = self._game(command.realm_id)
                handles = seated.contract.handles
                self._declared(command.event_type, seated.domain)
                if command.event_type not in handles:
                    raise EventRefusedError(
                        f"{command.realm_id} does not handle {command.event_type!r}; it handles {', '.join(sorted(handles))}."
                    )
                self._journal(command)
                self.posts[seated.domain].subscribe(seated.role, command.event_type)
            case Unsubscribe():
                seated = self._game(command.realm_id)
                self._journal(command)
                self.posts[seated.domain].unsubscribe(seated.role, command.event_type)
            case SetDelay():
                self._set_delay(command)
            case QueueEvent():
                return self._queue(command)
            case MemberCommand():
                self._commandable(command.member_id, command.verb)
                self._check_map(command.payload, f"the arguments of {command.verb!r}", CommandRefusedError)
                self._journal(command)
                return (yield from self._command_round(command.member_id, command.verb, command.payload))
            case CreateInstance():
                return (yield from self._create(command))
            case BeginInstance():
                return (yield from self._begin_instance(command))
            case AttachGame():
                return (yield from self._attach(command))
            case Freeze():
                return self._freeze(command)
            case Unfreeze():
                return self._unfreeze(command)
            case ModifyMembers():
                for changes in command.changes.values():
                    self._check_map(changes, "a modification", CommandRefusedError)
                return (yield from self._modify_members(command))
            case LinkInstances():
                return self._link(command)
            case ChangeRole():
                return self._change_role(command)
            case RevertDomain():
                return (yield from self._revert_domain(command))
        return None

    def _set_delay(self, command: SetDelay) -> None:
        source, target = self._member(command.source), self._member(command.target)
        if source.domain != target.domain:
            raise CommandRefusedError(
                f"nothing goes from {command.source} to {command.target}: a fork's wall is between."
            )
        delay = command.control_ticks
        if isinstance(delay, bool) or not isinstance(delay, int) or not 0 <= delay <= LOOKAHEAD_MAX:
            raise CommandRefusedError(
                f"a delay must be a whole number of control ticks from 1 to {LOOKAHEAD_MAX}, or 0 for none of the pair's "
                f"own, not {delay!r}."
            )
        self._journal(command)
        delays = self.posts[source.domain].delays
        delays.pop((source.role, target.role), None)
        if delay:
            delays[source.role, target.role] = delay

    def _change_role(self, command: ChangeRole) -> Plain:
        changed = PermissionValidator.from_plain(self.permissions.plain())  # so that a refusal changes nothing
        if command.granted:
            changed.grant(command.principal, command.role, command.scope)
        elif command.role:
            changed.revoke(command.principal, command.role, command.scope)
        else:
            changed.revoke_all(command.principal)
        self._journal(command)
        self.permissions = changed
        return {"principal": command.principal, "roles": changed.plain()[command.principal]}

    def _check_map(self, payload: bytes, what: str, refusal: type[SoulfraError]) -> None:
        try:
            value = decode(payload)
        except ValueError as error:
            raise refusal(f"{what} cannot be read: {error}.") from None
        if not isinstance(value, dict):
            raise refusal(f"{what} must be a map, not {type(value).__name__}.")

    def _declared(self, event_type: str, domain: int) -> None:
        here = [seated for seated in self.members.values() if seated.domain == domain]
        types = sorted({kind for seated in here for kind in seated.contract.handles})
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
        first_sequence = self.removals[member_id] * SEQUENCES_PER_LIFE if member_id in self.removals else 0
        return Birth(member_id, settings.seed, member_id, local_ticks, settings.cascade_depth_max, first_sequence)

    def _seat(self, member_id: str, spawned: Embodied, command: RegisterGame | None) -> Seated:
        seated = Seated(spawned.contract, spawned.status, command, member_id)
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
        if is_copy_id(realm_id):
            raise CommandRefusedError(
                f"realm id {realm_id!r} is a copy's: '~' and a number at the end are given to copies only; choose another."
            )
        if any(self.name_of(number) == realm_id for number in self.domains):
            raise DuplicateMemberError(f"there is an instance {realm_id!r}; a realm needs an id of its own.")
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
        checked_command(command)  # before anything is made for it
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
        self._journal(msgspec.structs.replace(command, spec=spawned.spec))  # with what its factory's check decided
        self._seat(realm_id, spawned, command)
        for event_type in sorted(chosen):
            self.post.subscribe(realm_id, event_type)
        return {"realm_id": realm_id, "kind": contract.kind, "recovery": contract.recovery, "notes": contract.notes}

    def _remove(self, command: RemoveGame) -> Script[Plain]:
        seated = self._game(command.realm_id)
        instance = self.domains[seated.domain].instance if seated.domain else None
        if instance is not None and seated.role in PLATFORM_ROLES:
            raise CommandRefusedError(
                f"{command.realm_id} is the {seated.role} of instance {instance.name!r}; destroy the instance instead."
            )
        if command.players_to:
            if command.players_to == command.realm_id:
                raise CommandRefusedError(f"players_to names {command.realm_id!r} itself; name another realm.")
            if self._game(command.players_to).domain != HOME:
                raise CommandRefusedError(
                    f"players_to names {command.players_to!r}, which is in a fork, where no player can be; name another realm."
                )
        registry = self.members.get(PLAYERS)
        if registry is not None and registry.error is not None:
            raise CommandRefusedError(
                f"{PLAYERS} is in error ({registry.error.message}), and players may be in {command.realm_id!r}; "
                f"restart {PLAYERS} first."
            )
        self._journal(command)
        moved: Plain = []
        if seated.domain == HOME:  # nobody is in a copy
            evacuated = {"realm_id": command.realm_id, "target_realm": command.players_to}
            moved = yield from self._ask_players("evacuate", evacuated)
        yield Dispose(command.realm_id)
        self._leave(command.realm_id)
        return {"realm_id": command.realm_id, "players_moved": moved or []}

    def _restart(self, command: RestartGame) -> Script[Plain]:
        seated = self._member(PLAYERS) if command.realm_id == PLAYERS else self._game(command.realm_id)
        if seated.error is None:
            raise CommandRefusedError(
                f"realm {command.realm_id!r} is {seated.state}, not in error; nothing to restart."
            )
        if seated.contract.recovery == NONE:
            raise CommandRefusedError(
                f"realm {command.realm_id!r} cannot be restarted: {seated.error.message}, and it cannot be brought back "
                f"(its recovery is {NONE!r}); remove it."
            )
        self._journal(command)
        self._occasion = f"command {self.position}"
        status = yield Rebuild(command.realm_id, self._occasion)
        if isinstance(status, Lost):  # its process died again: decided outside, so history must remember it
            self._note(None, Decision(command.realm_id, self._occasion, status.reason))
            raise EngineError(f"{command.realm_id}: {status.reason}.")
        if isinstance(status, Refused):
            raise error_from(status.code, status.message)
        seated.stand(status)
        seated.number = status.number  # of a grant in which its host died for good it knows nothing
        seated.error = None
        seated.state = FROZEN if seated.stills else BOOTING
        if seated.is_game and seated.domain == HOME:
            yield from self._ask_players("resend_roster", {"realm_id": command.realm_id})
        return {"realm_id": command.realm_id, "local_tick": seated.local_tick}

    def _revert(self, command: RevertGame) -> Script[Plain]:
        realm_id = command.realm_id
        seated = self._game(realm_id)
        if seated.error is not None:
            raise CommandRefusedError(f"{realm_id} is in error ({seated.error.message}); restart or remove it first.")
        if seated.contract.recovery != CAPTURED:
            raise CommandRefusedError(
                f"{realm_id} cannot go back: its recovery is {seated.contract.recovery!r}, so nobody knows what it was."
            )
        self._journal(command)
        payload = encode({"document": command.document, "local_tick": command.local_tick})
        became = yield from self._command_round(realm_id, BECOME, payload)
        post, why = self.posts[seated.domain], f"{realm_id} went back in time"
        dropped = post.withdraw(seated.role, why, self.control_tick)
        self._release(realm_id)
        if seated.domain == HOME:
            yield from self._ask_players("resend_roster", {"realm_id": realm_id})
        return {"realm_id": realm_id, **became, "dropped": dropped, "entangled": list(command.entangled)}

    def _queue(self, command: QueueEvent) -> Plain:
        deliver_at = self.control_tick + 1 if command.deliver_at is None else command.deliver_at
        addressed = self._check_outside(command, deliver_at)
        position = self.position + 1
        event_id = command.event_id or f"{OUTSIDE}#{position}"
        event = Event(
            event_id,
            OUTSIDE,
            position,
            None if addressed is None else addressed.role,
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
        if command.event_id:  # those that the clock gives are new every time
            self.outside_ids[event_id] = None
            if len(self.outside_ids) > OUTSIDE_IDS_MAX:
                del self.outside_ids[next(iter(self.outside_ids))]
        self.outside_chain = fold(self.outside_chain, event_id.encode())
        self.totals.ledger.update(dict(command.carries))
        self._send([event], HOME if addressed is None else addressed.domain)
        return {"event_id": event_id, "deliver_at": deliver_at}

    def _check_outside(self, command: QueueEvent, deliver_at: int) -> Seated | None:
        """Whom it is for; None is for all subscribers."""
        if command.event_id in self.outside_ids:
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
            self._declared(command.event_type, HOME)
            return None
        target = self.members.get(command.target)
        if target is None:
            raise UnknownMemberError(
                f"the event's target {command.target!r} is not registered; registered: {', '.join(sorted(self.members))}."
            )
        if command.event_type not in target.contract.handles:
            handles = ", ".join(sorted(target.contract.handles)) or "none"
            raise EventRefusedError(f"{command.target} does not handle {command.event_type!r}; it handles {handles}.")
        return target
