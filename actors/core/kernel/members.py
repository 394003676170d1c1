"""The contract of a member: what the clock says to it, what it answers, and what everybody may ask of it.

A member is a deterministic state machine. It is given a `Turn` (its local ticks, its inbox, its commands, a way to speak
and to draw) and changes its own state; it sees no wall clock, no global random generator and no other member. The clock
speaks `Grant` and hears `Outbox`; the `Seat` (see `seats.py`) stands between the two and the member.

    clock ── Grant ──▶ Seat ── Turn ──▶ Member
    clock ◀─ Outbox ── Seat ◀─ events, results, measures, digest

Anything the clock advances fulfils this contract: realms, the player registry, and later platforms and modules.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from actors.core.kernel.addresses import checked_part
from actors.core.kernel.codec import PAYLOAD_BYTES_MAX, Plain, encode
from actors.core.kernel.errors import CallerError, MemberError
from actors.core.kernel.events import DELIVER_AT_MAX, PATH_MEMBERS_MAX, Event, Trace, checked_carries
from actors.core.kernel.logs import LogRow, check_room
from actors.core.kernel.states import State
from actors.core.kernel.streams import Streams

CAPTURED = "captured"
"""Recovery level: the member restores from its captured state."""
REPLAYED = "replayed"
"""Recovery level: the member restores from birth, by its inboxes."""
NONE = "none"
"""Recovery level: the member cannot be brought back, because the same inputs may give other results."""
RECOVERY_LEVELS = (CAPTURED, REPLAYED, NONE)

LEDGER_CHANGE_MAX = 2**63 - 1

TRACES_PER_GRANT_MAX = 1_000
"""Traces are for people; a million of them a tick would cost more than the tick."""


class Birth(msgspec.Struct, frozen=True):
    """What a member is told when it is made. A factory is called as `factory(birth, **params)`.

    Attributes:
        member_id: its address among members.
        seed: the multiverse's seed.
        lineage: what its random draws go by; its id, until forks bring twins.
        local_ticks: local ticks it gets in one grant.
        cascade_depth_max: how deep its reaction rules may cascade within one local tick.
        first_sequence: where its numbers begin; not 0 if a member of that id was removed before, so that event ids stay
            unique.
    """

    member_id: str
    seed: int
    lineage: str
    local_ticks: int = 10
    cascade_depth_max: int = 5
    first_sequence: int = 0

    def streams(self) -> Streams:
        """Its random draws."""
        return Streams(self.seed, self.lineage)


class Contract(msgspec.Struct, frozen=True):
    """What a member promises.

    Attributes:
        kind: what it is, for people: "city", "mesa", "players".
        emits: event types it may send; sending another is its own mistake and discards the turn.
        handles: event types it takes in.
        subscribes: broadcast types it is subscribed to when registered, unless the registration says otherwise.
        commands: verbs that may be addressed to it from outside.
        told_realms: those of them to which the clock adds `realms`, a map of realm id to game state.
        recovery: how it comes back: captured, replayed or none.
        event_driven: it has no time of its own and is granted only when it has mail or commands.
        schema_version: of its state; grows when the sections change their meaning.
        notes: what its users should know, for example why its recovery is "none".
    """

    kind: str
    emits: frozenset[str] = frozenset()
    handles: frozenset[str] = frozenset()
    subscribes: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    told_realms: frozenset[str] = frozenset()
    recovery: str = CAPTURED
    event_driven: bool = False
    schema_version: int = 1
    notes: str = ""


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What comes from outside, for one member, with everything decided in it.

    Attributes:
        command_id: unique; what it causes names it as cause.
        verb: one of the contract's `commands`.
        payload: the arguments, encoded plain data.
    """

    command_id: str
    verb: str
    payload: bytes


class CommandResult(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a command came to: a value, or the code and the sentence of the error that refused it."""

    command_id: str
    payload: bytes = b""
    error_code: str = ""
    error_message: str = ""


class Grant(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The clock's permission to advance.

    Attributes:
        epoch: which clock gives it; a lower one than seen before is refused.
        branch: which history it belongs to.
        number: grows by one per member over ticks and command rounds; a repeated one returns the kept outbox.
        control_tick: the control tick it belongs to; in a command round, the one that the boundary follows.
        local_ticks: how many local ticks to advance; 0 in a command round.
        inbox: events, in order.
        commands: commands, in order.
        digest: whether the outbox shall carry the member's digest.
    """

    epoch: int
    branch: str
    number: int
    control_tick: int
    local_ticks: int
    inbox: tuple[Event, ...] = ()
    commands: tuple[Command, ...] = ()
    digest: bool = True


class Failure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A member's own exception: one line for people, the traceback for its author."""

    message: str
    traceback: str = ""


class Outbox(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a member answers to a grant.

    Attributes:
        number: the grant's.
        local_tick: its local time now.
        events: what it said, in order of sequence.
        results: one for each command, in order.
        digest: of its state now, 32 bytes; empty if the grant did not ask.
        measures: figures for people and series, by name.
        totals: conserved quantities in its state, by name.
        ledger: what it created (or, negative, destroyed) of them in this grant.
        traces: steps of cascades within its ticks.
        cascades_cut: emissions beyond the cascade depth, cut off and counted.
        failure: its own exception; then the state is that of the previous boundary and the rest is as it was there.
        log_rows: what it tells of its past; see `logs.py`.
    """

    number: int
    local_tick: int
    events: tuple[Event, ...] = ()
    results: tuple[CommandResult, ...] = ()
    digest: bytes = b""
    measures: dict[str, float] = {}
    totals: dict[str, int] = {}
    ledger: dict[str, int] = {}
    traces: tuple[Trace, ...] = ()
    cascades_cut: int = 0
    failure: Failure | None = None
    log_rows: tuple[LogRow, ...] = ()


class Turn:
    """One grant as the member sees it: what time it is, what it was told, and how to speak.

    Attributes:
        member_id: the member's own id.
        control_tick: the control tick of this grant.
        now: the member's local tick; a realm's tick loop moves it on.
        local_ticks: local ticks of this grant; 0 in a command round.
        inbox: events, in order.
        streams: the member's random draws.
        handling: the event that a reaction rule is handling.
        command_id: of the command being carried out, or "".

    What was said and entered is changed by the methods only.
    """

    __slots__ = (
        "_cascades_cut",
        "_emits",
        "_events",
        "_ledger",
        "_log",
        "_log_bytes",
        "_sequence",
        "_traces",
        "cascade_depth_max",
        "command_id",
        "control_tick",
        "handling",
        "inbox",
        "local_ticks",
        "member_id",
        "now",
        "streams",
    )

    def __init__(
        self, birth: Birth, contract: Contract, streams: Streams, grant: Grant, now: int, sequence: int
    ) -> None:
        self.member_id = birth.member_id
        self.cascade_depth_max = birth.cascade_depth_max
        self.control_tick = grant.control_tick
        self.local_ticks = grant.local_ticks
        self.inbox = grant.inbox
        self.streams = streams
        self.now = now
        self.handling: Event | None = None
        self.command_id = ""
        self._sequence = sequence
        self._events: list[Event] = []
        self._ledger: dict[str, int] = {}
        self._traces: list[Trace] = []
        self._cascades_cut = 0
        self._log: tuple[()] | list[LogRow] = ()  # few turns have one, and no other is to pay for it
        self._emits = contract.emits

    @property
    def sequence(self) -> int:
        """The number of the next event."""
        return self._sequence

    @property
    def cascades_cut(self) -> int:
        """Emissions beyond the cascade depth so far."""
        return self._cascades_cut

    def books(self) -> tuple[int, dict[str, int], int, int, int]:
        """Differs from what it was if anything was said or entered since."""
        return self._sequence, dict(self._ledger), len(self._traces), self._cascades_cut, len(self._log)

    def outbox(
        self,
        number: int,
        local_tick: int,
        results: tuple[CommandResult, ...],
        digest: bytes,
        measures: dict[str, float],
        totals: dict[str, int],
    ) -> Outbox:
        """What was said and entered, with what the seat adds to it."""
        return Outbox(
            number,
            local_tick,
            tuple(self._events),
            results,
            digest,
            measures,
            totals,
            self._ledger,
            tuple(self._traces),
            self._cascades_cut,
            None,
            tuple(self._log) if self._log else (),
        )

    def send(
        self,
        target: str,
        event_type: str,
        data: Mapping[str, Any] | None = None,
        *,
        deliver_at: int | None = None,
        carries: Mapping[str, int] | None = None,
        cause: str | None = None,
    ) -> str:
        """Says something to one member; it arrives at the start of the next control tick or of `deliver_at`.

        The cause is the event being handled or the command being carried out, unless given.
        What cannot be delivered (a target that is gone, a type that the target does not handle, a `deliver_at` that has
        passed) goes to the dead letters with its reason.

        Returns:
            The event's id.

        Raises:
            MemberError: an event type that the member does not declare, a malformed target or quantity, or data that is
                not plain.
        """
        if target is None:
            raise MemberError(f"{self.member_id}: send needs a target; to tell all subscribers, broadcast.")
        return self._say(target, event_type, data, deliver_at, carries, cause)

    def broadcast(
        self,
        event_type: str,
        data: Mapping[str, Any] | None = None,
        *,
        deliver_at: int | None = None,
        cause: str | None = None,
    ) -> str:
        """Says something to all subscribers of its type; like `send` in everything else. It cannot carry quantities."""
        return self._say(None, event_type, data, deliver_at, None, cause)

    def _say(
        self,
        target: str | None,
        event_type: str,
        data: Mapping[str, Any] | None,
        deliver_at: int | None,
        carries: Mapping[str, int] | None,
        cause: str | None,
    ) -> str:
        if event_type not in self._emits:
            raise MemberError(f"{self.member_id} does not declare to emit {event_type!r}; add it to its `emits`.")
        handling = self.handling
        path = handling.path if handling is not None else ()
        if not path or path[-1] != self.member_id:
            path = (*path, self.member_id)[-PATH_MEMBERS_MAX:]
        due = self.control_tick + 1 if deliver_at is None else deliver_at
        if type(due) is not int or abs(due) > DELIVER_AT_MAX:
            raise MemberError(f"{self.member_id}: deliver_at {deliver_at!r} is no control tick; use a whole number.")
        if cause is not None and not (isinstance(cause, str) and cause.isprintable()):
            raise MemberError(f"{self.member_id}: cause {cause!r} is no id of an event or command.")
        try:  # not a refusal of the command being carried out: the member may have changed already
            checked_target = None if target is None else checked_part(target, "target")
            carried = checked_carries(carries) if carries is not None else ()
        except CallerError as error:
            raise MemberError(f"{self.member_id}: {event_type!r} cannot be sent: {error.message}") from None
        event = Event(
            self.new_event_id(),
            self.member_id,
            self._sequence - 1,
            checked_target,
            event_type,
            payload(data, event_type),
            self.control_tick,
            due,
            self.present_cause if cause is None else cause,
            path,
            carried,
        )
        self._events.append(event)
        return event.event_id

    @property
    def present_cause(self) -> str:
        """The id of the event being handled or the command being carried out, or ""."""
        return self.handling.event_id if self.handling is not None else self.command_id

    def new_event_id(self) -> str:
        """The next event id of this member; takes a sequence number."""
        sequence = self._sequence
        self._sequence = sequence + 1
        return f"{self.member_id}#{sequence}"

    def enter_ledger(self, quantity: str, change: int) -> None:
        """States that this turn created (or, negative, destroyed) some of a conserved quantity on purpose.

        Raises:
            MemberError: not a whole number, or a sum that 64 bits cannot hold.
        """
        checked_part(quantity, "quantity")
        entered = self._ledger.get(quantity, 0) + change if type(change) is int else None
        if entered is None or abs(entered) > LEDGER_CHANGE_MAX:
            raise MemberError(
                f"{self.member_id}: a turn's ledger sums whole numbers up to {LEDGER_CHANGE_MAX}, not of {change!r} "
                f"after {self._ledger.get(quantity, 0)}."
            )
        self._ledger[quantity] = entered

    def trace(self, record: Trace) -> None:
        """Notes a step of a cascade; beyond `TRACES_PER_GRANT_MAX` no more are kept.

        Raises:
            MemberError: not a `Trace`.
        """
        if type(record) is not Trace:
            raise MemberError(f"{self.member_id}: a step of a cascade is a Trace, not {record!r:.80}.")
        if len(self._traces) < TRACES_PER_GRANT_MAX:
            self._traces.append(record)

    def enter_log(self, log: str, entry_id: str, record: Mapping[str, Plain]) -> None:
        """Tells of something that has happened, for people to look up after the member has forgotten it.

        Args:
            log: which log; see `logs.py`.
            entry_id: of what it is about.
            record: what there is to say of it.

        Raises:
            MemberError: not a map of plain data, or more than an outbox has room for.
        """
        row = LogRow(log, entry_id, payload(record, f"log {log}"))
        if not self._log:
            self._log, self._log_bytes = [], 0
        self._log_bytes = check_room(self.member_id, self._log_bytes, row)
        self._log.append(row)

    def cut_cascade(self) -> None:
        """Counts an emission beyond the cascade depth, which is not made."""
        self._cascades_cut += 1


def payload(data: Mapping[str, Any] | None, event_type: str) -> bytes:
    """An event's data, encoded.

    Raises:
        MemberError: not a map of plain data, or too large.
    """
    if data is not None and not isinstance(data, Mapping):
        raise MemberError(f"data of {event_type!r} must be a map, not {type(data).__name__}.")
    try:
        encoded = encode({} if data is None else data)
    except ValueError as error:
        raise MemberError(f"data of {event_type!r} cannot be sent: {error}.") from None
    if len(encoded) > PAYLOAD_BYTES_MAX:
        raise MemberError(
            f"data of {event_type!r} cannot be sent: it takes {len(encoded)} bytes; at most {PAYLOAD_BYTES_MAX} are allowed."
        )
    return encoded


class View(Protocol):
    """What a member shows of one boundary. It never changes once it is published; many may ask it at once."""

    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """The answer to one question, as plain data.

        Raises:
            CommandRefusedError: an unknown verb, or arguments that do not fit.
        """
        ...


class Member(Protocol):
    """What the clock advances. All of it is called by the member's `Seat` only, never at the same time."""

    @property
    def contract(self) -> Contract:
        """What it promises; the same for its whole life."""
        ...

    def advance(self, turn: Turn) -> None:
        """Lives through `turn.local_ticks` local ticks with `turn.inbox`. An exception discards the whole turn."""
        ...

    def command(self, turn: Turn, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """Carries out one command at a boundary.

        Raises:
            CallerError: it may not be; then the state must be as it was.
        """
        ...

    def capture(self) -> State:
        """Its whole state. The arrays may be its own: whoever keeps them copies them.

        A member whose whole state costs much to tell may also offer `digested() -> State`: the part of it that the digest
        covers, from which everything else must follow. And `check_changes(changes)`, which refuses what must not be modified.
        """
        ...

    def restore(self, state: State) -> None:
        """Takes up a captured state, the arrays being its own from now on."""
        ...

    def view(self) -> View | None:
        """What it shows of this boundary; None shows its measures. It must not change when the member advances."""
        ...

    def measures(self) -> Mapping[str, float]:
        """Figures for people and series, by name. Not part of the state."""
        ...

    def totals(self) -> Mapping[str, int]:
        """Conserved quantities in its state, by name: the sum over members and events under way only changes by ledger."""
        ...
