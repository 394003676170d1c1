"""The seat of a member: everything that is the same for every member, whoever hosts it.

It answers a repeated grant with the kept outbox (a call that failed may still have run), refuses a gap or an old clock,
numbers what the member says, takes its digest, publishes its view, and undoes a turn in which the member raised.

Undoing is re-execution: the seat keeps a checkpoint and the grants since. The member is rebuilt from them when somebody
needs it again, not before. A member that cannot be captured is rebuilt from birth. The clock says when a checkpoint is
due and gets a copy, so that it can bring the member back elsewhere.
"""

import contextlib
import traceback
from collections.abc import Callable, Mapping

import msgspec

from actors.core.kernel.addresses import checked_part
from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.digests import NO_DIGEST, MemberDigests
from actors.core.kernel.errors import CallerError, CommandRefusedError, MemberError, ProtocolError, told, writable
from actors.core.kernel.members import (
    CAPTURED,
    NONE,
    RECOVERY_LEVELS,
    Birth,
    Command,
    CommandResult,
    Contract,
    Failure,
    Grant,
    Member,
    Outbox,
    Turn,
    View,
)
from actors.core.kernel.messages import Advance, Answer, Checkpoint, Stand, answered_as
from actors.core.kernel.modifications import BECOME, MODIFY, TRY, TRY_TO_BECOME, modified
from actors.core.kernel.states import State, Touched, checked_state, decode_state, encode_state
from actors.core.kernel.views import measures_view

LOCAL_TICK_MAX = 2**62
"""What follows must fit into 64 bits, too."""
TRACEBACK_CHARACTERS_MAX = 8_000
"""Enough for the innermost frames, which are at the end."""


Place = tuple[Plain, ...]
"""A boundary, as its view says it: the values of these."""
PLACE = ("branch", "control_tick", "number", "epoch")
BEGUN: Place = ("", 0, 0, 0)

_encoder = msgspec.msgpack.Encoder()


def _check_written(member_id: str, said: object) -> None:
    """Finds out in the member's turn, on every engine, what could not leave its process.

    Raises:
        MemberError: a whole number beyond 64 bits, or text that no encoding has.
    """
    try:
        _encoder.encode(said)
    except (ValueError, OverflowError, TypeError) as error:
        raise MemberError(f"what {member_id} answers cannot be written down: {error}.") from None


def _frames(error: BaseException) -> str:
    """Where an exception was raised, innermost last, without the source lines: reading those would be I/O."""
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    lines = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in frames]
    return writable("\n".join([*lines, told(error)]))[-TRACEBACK_CHARACTERS_MAX:]


def _told(place: Place) -> dict[str, Plain]:
    return dict(zip(PLACE, place, strict=True))


class Seat:
    """One member and what surrounds it.

    Args:
        birth: what the member is told when it is made.
        make: makes the member; called again when it has to be rebuilt.
        checkpoint: where it goes on from; None is its birth.

    Raises:
        MemberError: the member's state cannot be digested, or is not that of the checkpoint.
    """

    def __init__(self, birth: Birth, make: Callable[[Birth], Member], checkpoint: Checkpoint | None = None) -> None:
        self._birth = birth
        self._make = make
        self._streams = birth.streams()
        self._member = make(birth)
        self.contract: Contract = self._checked_contract()
        self._take_member()
        self._epoch = 0
        self._number = 0
        self._local_tick = 0
        self._sequence = birth.first_sequence
        self._answer: Answer | None = None
        self._published: tuple[View | None, dict[str, float], Place]
        self._turn: Turn | None = None
        self._failed = False
        self._since: list[Grant] = []
        self._checkpoint = checkpoint
        if checkpoint is not None:
            self._number = checkpoint.number
            self._restore(checkpoint)
        self._publish()
        self._digest, self._digest_current = self._take_digest(), True
        if checkpoint is None:
            self.checkpoint()
        elif checkpoint.digest and checkpoint.digest != self._digest:
            raise MemberError(
                f"{birth.member_id} was restored from a checkpoint and is not what it was: its capture leaves out some of "
                "its state."
            )

    def answer(self, advance: Advance) -> Answer:
        """Carries out grants, once; up to the first in which the member fails.

        Raises:
            ProtocolError: the grants come from an old clock, or one was left out. Nothing has changed.
        """
        first = advance.grants[0]
        if first.epoch < self._epoch:
            raise ProtocolError(f"{self._birth.member_id}: grant of epoch {first.epoch}, but {self._epoch} has spoken.")
        if self._answer is not None and first.number == self._answer.outboxes[0].number:
            return Answer(advance.request, self._answer.outboxes, self._answer.checkpoint)
        if first.number != self._number + 1:
            raise ProtocolError(f"{self._birth.member_id}: grant {first.number} after {self._number}.")
        self._epoch = first.epoch
        outboxes = []
        for grant in advance.grants:
            outboxes.append(outbox := self._advance(grant))
            if outbox.failure is not None:
                break
        checkpoint = self._kept() if advance.checkpoint else None
        self._answer = Answer(advance.request, tuple(outboxes), checkpoint)
        return self._answer

    def stand(self, asked: Stand) -> Answer:
        """Says how the member stands, with a checkpoint if that is asked for and can be had."""
        checkpoint = self._kept() if asked.checkpoint else None
        return Answer(asked.request, (self.status(),), checkpoint)

    def _kept(self) -> Checkpoint | None:
        if not self._failed:
            with contextlib.suppress(ValueError, MemberError):  # its next digest will say what cannot be captured
                return self.checkpoint()
        return None

    def advance(self, grant: Grant) -> Outbox:
        """Carries out one grant, once; see `answer`."""
        return self.answer(Advance(0, (grant,))).outboxes[0]

    def replay(self, advance: Advance) -> bytes:
        """Lives through grants that were answered before; returns what they came to, see `answered_as`.

        Raises:
            ProtocolError: see `answer`.
        """
        return answered_as(self.answer(Advance(0, advance.grants)))

    def checkpoint(self) -> Checkpoint | None:
        """Takes a checkpoint, which the grants so far are then no longer kept for; None if it cannot be captured."""
        if self.contract.recovery != CAPTURED:
            return None
        self._checkpoint = self._captured()
        self._since.clear()
        return self._checkpoint

    def copy(self) -> Checkpoint:
        """A checkpoint of this boundary for somebody who looks on: nothing here changes by it.

        Raises:
            MemberError: the member cannot be rebuilt, or its state cannot be digested.
            ValueError: its state cannot be written down.
        """
        self._stand()
        return self._captured()

    def _captured(self) -> Checkpoint:
        document = encode_state(self._member.capture())
        digest = self._digest if self._digest_current else self._take_digest()
        return Checkpoint(document, self._number, self._local_tick, self._sequence, digest, _told(self._published[2]))

    @property
    def kept_checkpoint(self) -> Checkpoint | None:
        """The last checkpoint; None if the member cannot be captured."""
        return self._checkpoint

    def _restore(self, checkpoint: Checkpoint) -> None:
        self._member.restore(decode_state(checkpoint.document))
        self._digests.forget()
        self._local_tick, self._sequence = checkpoint.local_tick, checkpoint.sequence

    def _advance(self, grant: Grant) -> Outbox:
        self._number, local_tick = grant.number, self._local_tick
        try:
            if self._failed:
                self._stand()
            outbox, sequence = self._live(grant)
            view = self._member.view()
        except BaseException as error:  # a member's own mistake, an exit too, must not reach the others
            self._local_tick = local_tick
            return self._discard(grant, error)
        # Nothing of the seat has changed so far, and nothing below can fail.
        self._local_tick, self._sequence, self._turn = outbox.local_tick, sequence, None
        if outbox.digest:
            self._digest, self._digest_current = outbox.digest, True
        else:
            self._digest_current = False
        self._figures = (outbox.measures, outbox.totals)
        self._published = (view, outbox.measures, (grant.branch, grant.control_tick, grant.number, grant.epoch))
        self._since.append(grant)
        return outbox

    def _checked_contract(self) -> Contract:
        try:
            contract = msgspec.convert(msgspec.to_builtins(self._member.contract), Contract)
        except (msgspec.ValidationError, TypeError) as error:
            raise MemberError(f"{self._birth.member_id} has a contract that cannot be used: {error}.") from None
        if contract.recovery not in RECOVERY_LEVELS:
            raise MemberError(f"recovery must be one of {', '.join(RECOVERY_LEVELS)}, not {contract.recovery!r}.")
        return contract

    def status(self) -> Outbox:
        """How the member stands, as an outbox that says nothing: what the clock learns at registration and restart."""
        self._stand()
        self._digest, self._digest_current = self._take_digest(), True
        measures, totals = self._figures
        return Outbox(self._number, self._local_tick, digest=self._digest, measures=measures, totals=totals)

    @property
    def says_touched(self) -> bool:
        """Whether the member says what it has changed, so that its digest may rest on older hashes."""
        return self._touched is not None

    @property
    def progress(self) -> int:
        """The local tick it is in right now; read from another thread to tell computing from hung."""
        turn = self._turn
        return self._local_tick if turn is None else turn.now

    def capture(self) -> bytes:
        """The member's state at this boundary, encoded."""
        self._stand()
        return encode_state(self._member.capture())

    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """An answer from the published view. May be called from another thread while a grant is carried out.

        Raises:
            CommandRefusedError: an unknown verb, or arguments that do not fit.
        """
        view, measures, place = self._published
        if view is None:
            view = measures_view(measures)
        return {"value": view.query(verb, arguments), "boundary": _told(place)}

    def _live(self, grant: Grant) -> tuple[Outbox, int]:
        """Lets the member live through a grant; its outbox and its next sequence number."""
        turn = Turn(self._birth, self.contract, self._streams, grant, self._local_tick, self._sequence)
        self._turn = turn
        results = tuple([self._command(turn, command) for command in grant.commands]) if grant.commands else ()
        if grant.local_ticks or grant.inbox:
            self._member.advance(turn)
        local_tick = self._local_tick + grant.local_ticks
        digest = self._digest_of(local_tick, turn.sequence) if grant.digest else NO_DIGEST
        outbox = turn.outbox(grant.number, local_tick, results, digest, *self._take_figures())
        if outbox.traces:
            _check_written(self._birth.member_id, outbox.traces)
        return outbox, turn.sequence

    def _take_figures(self) -> tuple[dict[str, float], dict[str, int]]:
        # Loops, because a comprehension is one more function to make and to call, in every grant.
        measures, totals = {}, {}
        for name, value in self._member.measures().items():
            measures[name] = float(value)
        for name, value in self._member.totals().items():
            totals[checked_part(name, "quantity")] = int(value)
        _check_written(self._birth.member_id, (measures, totals))
        return measures, totals

    def _command(self, turn: Turn, command: Command) -> CommandResult:
        turn.command_id = command.command_id
        before = turn.books()
        try:
            if command.verb in (MODIFY, TRY):
                tries = command.verb == TRY
                value = encode(self._modify(turn, decode(command.payload), tries=tries))
            elif command.verb in (BECOME, TRY_TO_BECOME):
                tries = command.verb == TRY_TO_BECOME
                value = encode(self._become(turn, decode(command.payload), tries=tries))
            elif command.verb not in self.contract.commands:
                raise CommandRefusedError(
                    f"{self._birth.member_id} has no command {command.verb!r}; it has {sorted(self.contract.commands)}."
                )
            else:
                value = encode(self._member.command(turn, command.verb, decode(command.payload)))
        except CallerError as error:
            if turn.books() != before:
                raise MemberError(f"{command.verb!r} spoke or kept books before it refused; refuse first.") from error
            return CommandResult(command.command_id, b"", error.code, error.message)
        finally:
            turn.command_id = ""
        return CommandResult(command.command_id, value)

    def _modify(self, turn: Turn, changes: Mapping[str, Plain], *, tries: bool) -> Plain:
        """Changes the member's state from outside: another one is made from it, and takes its place if that can be.

        One that only tries leaves the member as it is.
        """
        if self.contract.recovery != CAPTURED:
            raise CommandRefusedError(
                f"the state of {self._birth.member_id} cannot be modified: its recovery is {self.contract.recovery!r}."
            )
        check = getattr(self._member, "check_changes", None)
        if check is not None:
            check(changes)
        try:
            present = self._member.capture()
        except MemberError as error:
            raise CommandRefusedError(f"{error.message.rstrip('.')}, so it cannot be modified now.") from None
        state, count = modified(present, changes)
        self._replace(turn, decode_state(encode_state(state)), tries=tries)
        return {"changed": count}

    def _become(self, turn: Turn, past: Mapping[str, Plain], *, tries: bool) -> Plain:
        """Lets the member be what it was: its state, and its own time. One that only tries leaves it as it is."""
        local_tick = past["local_tick"]
        if type(local_tick) is not int or not 0 <= local_tick <= LOCAL_TICK_MAX:
            raise CommandRefusedError(f"a local time must be from 0 to {LOCAL_TICK_MAX}, not {local_tick!r:.40}.")
        try:
            state = decode_state(past["document"])
        except (ValueError, TypeError, AttributeError) as error:
            raise CommandRefusedError(f"what {self._birth.member_id} was cannot be read: {told(error)}.") from None
        self._replace(turn, state, tries=tries)
        if tries:
            return {"local_tick": self._local_tick}
        self._local_tick = past["local_tick"]
        return {"local_tick": self._local_tick}

    def _replace(self, turn: Turn, state: State, *, tries: bool = False) -> None:
        """Another member is made from a state, and takes its place if that can be; the difference goes to the ledger."""
        before, member, present = self._member.totals(), self._make(self._birth), self._member
        self._member = member
        try:
            member.restore(state)
            _, after = self._take_figures()
            checked_state(member.capture())
            checked_state(getattr(member, "digested", member.capture)())
            member.view()
        except Exception as error:  # it knows better what fits than its columns say
            self._member = present
            raise CommandRefusedError(
                f"{self._birth.member_id} cannot be made from that state: {told(error)}; it is as it was."
            ) from None
        if tries:
            self._member = present
            return
        for quantity in sorted(before.keys() | after.keys()):
            if change := after.get(quantity, 0) - int(before.get(quantity, 0)):
                turn.enter_ledger(quantity, change)
        self._take_member()

    def _discard(self, grant: Grant, error: BaseException) -> Outbox:
        self._failed, self._turn = True, None
        text = _frames(error)
        message = told(error)
        if not self._digest_current:  # commands came since the last one was taken
            try:
                self._stand()
                self._digest, self._digest_current = self._take_digest(), True
            except MemberError as second:  # the digest stays that of the last boundary that had one
                message = f"{message} (and {second.message})"
        measures, totals = self._figures
        return Outbox(
            grant.number,
            self._local_tick,
            digest=self._digest,
            measures=measures,
            totals=totals,
            failure=Failure(message, text),
        )

    def _stand(self) -> None:
        """Rebuilds the member if its last turn was discarded, so that it stands at the boundary before it.

        Raises:
            MemberError: it cannot be rebuilt.
        """
        if not self._failed:
            return
        if self.contract.recovery == NONE:
            raise MemberError(f"{self._birth.member_id} cannot be rebuilt: its recovery is {NONE!r}; remove it.")
        local_tick, sequence = self._local_tick, self._sequence
        try:
            self._rebuild()
        except BaseException as error:
            raise MemberError(f"{self._birth.member_id} cannot be rebuilt: {told(error)}.") from error
        finally:
            self._local_tick, self._sequence, self._turn = local_tick, sequence, None
        if self._digest_current and self._take_digest() != self._digest:
            raise MemberError(
                f"{self._birth.member_id} was rebuilt and is not what it was: its replay gave another state; remove it."
            )
        self._failed = False

    def _take_member(self) -> None:
        """A member just made: nothing of it has been hashed."""
        self._digests = MemberDigests(self._birth.member_id, self.contract.kind)
        self._touched: Callable[[], Touched | None] | None = getattr(self._member, "touched", None)
        self._digested: Callable[[], State] = getattr(self._member, "digested", self._member.capture)

    def _rebuild(self) -> None:
        self._member = self._make(self._birth)
        self._take_member()
        self._local_tick, self._sequence = 0, self._birth.first_sequence
        if self._checkpoint is not None:
            self._restore(self._checkpoint)
        for grant in self._since:
            outbox, self._sequence = self._live(grant)
            self._local_tick = outbox.local_tick

    def _publish(self) -> None:
        self._figures = self._take_figures()
        place = BEGUN if self._checkpoint is None else tuple(self._checkpoint.boundary.get(word) for word in PLACE)
        self._published = (self._member.view(), self._figures[0], place)

    def _take_digest(self) -> bytes:
        try:
            return self._digest_of(self._local_tick, self._sequence)
        except MemberError:
            raise
        except Exception as error:  # what it tells of itself is its own code
            why = str(error) if isinstance(error, ValueError) else told(error)
            raise MemberError(f"{self._birth.member_id} cannot be digested: {why}.") from None

    def _digest_of(self, local_tick: int, sequence: int) -> bytes:
        state = checked_state(self._digested())
        touched = self._touched() if self._touched is not None else None
        return self._digests.take(local_tick, sequence, state, touched)
