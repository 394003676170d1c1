"""What a driver may ask of the clock, what it answers, and the record that is kept of it.

Every command is one frozen type with everything in it that the clock needs to decide. Those that passed the checks of
shape are journaled with a position; one that a member then refuses for its state is history all the same.
"""

import msgspec

from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.errors import CommandRefusedError, error_from

STATE_BYTES_MAX = 12 << 20
"""Of what a command may hold of members' states: it is part of the journal, whose rows have 16 MiB."""
COMMAND_BYTES_MAX = 14 << 20
"""Of a command as it is written down."""


class MemberSpec(msgspec.Struct, frozen=True):
    """How to make a member.

    Attributes:
        factory: `module:name` of what is called as `factory(birth, **params)`.
        params: its arguments, encoded plain data.
        placement: Ray's own placement options for the actor (`resources`, `label_selector`, `runtime_env`), encoded.
        checked_params: what the factory's own check made of the params when it was first asked, encoded; a member that
            is brought back is made with these.
    """

    factory: str
    params: bytes
    placement: bytes = encode({})
    checked_params: bytes = b""

    @property
    def is_placed(self) -> bool:
        """Whether its actor needs a place of its own."""
        return bool(decode(self.placement))


class RegisterGame(msgspec.Struct, frozen=True, tag=True):
    """Adds a realm. `subscriptions` None means those of its contract."""

    realm_id: str
    stat7_key: str
    realm_type: str
    spec: MemberSpec
    period: int = 1
    subscriptions: tuple[str, ...] | None = None


class RemoveGame(msgspec.Struct, frozen=True, tag=True):
    """Takes a realm away, its players moving to `players_to`."""

    realm_id: str
    players_to: str = ""


class RestartGame(msgspec.Struct, frozen=True, tag=True):
    """Lets a realm in error go on from the boundary before the tick that failed."""

    realm_id: str


class Subscribe(msgspec.Struct, frozen=True, tag=True):
    """Subscribes a realm to a broadcast type; a second time is no change."""

    realm_id: str
    event_type: str


class Unsubscribe(msgspec.Struct, frozen=True, tag=True):
    """Ends a subscription; without one it is no change."""

    realm_id: str
    event_type: str


class QueueEvent(msgspec.Struct, frozen=True, tag=True):
    """An event from outside; the fields are those of `CrossGameEvent`, its data encoded."""

    event_id: str
    claimed_source: str
    target: str | None
    event_type: str
    payload: bytes
    deliver_at: int | None = None
    cause: str = ""
    path: tuple[str, ...] = ()
    carries: tuple[tuple[str, int], ...] = ()


class MemberCommand(msgspec.Struct, frozen=True, tag=True):
    """A command for one member."""

    member_id: str
    verb: str
    payload: bytes


class SetDelay(msgspec.Struct, frozen=True, tag=True):
    """Sets how many control ticks an event needs at least from one member to another; 0 takes the pair's own delay back."""

    source: str
    target: str
    control_ticks: int


class RevertGame(msgspec.Struct, frozen=True, tag=True):
    """Lets a realm's own time go back. What it was then is part of the command, so that nobody has to look for it again.

    Attributes:
        realm_id: the realm.
        boundary_tick: the control tick after which it was so.
        local_tick: its local time then.
        document: its encoded state then.
        entangled: ids of the events that it has exchanged with others since, in order.
    """

    realm_id: str
    boundary_tick: int
    local_tick: int
    document: bytes
    entangled: tuple[str, ...] = ()


class ForkGames(msgspec.Struct, frozen=True, tag=True):
    """Copies realms into closed domains of their own; see `domains.py`.

    Attributes:
        realm_ids: whom; of one domain.
        count: how many copies of all of them.
        divergent: whether the copies draw by lineages of their own; else they draw as their origins do.
        modifications: for each copy, encoded changes by realm id; see `modifications.py`.
        past: the encoded `Cut` of what they were; empty copies what they are now, which every replay finds again.
        names: of the instances that are made, if the realms are one; without, each is named after its origin.
        report: what the reply shall bring back to whoever asks again.
    """

    realm_ids: tuple[str, ...]
    count: int = 1
    divergent: bool = False
    modifications: tuple[dict[str, bytes], ...] = ()
    past: bytes = b""
    names: tuple[str, ...] = ()
    report: bytes = b""


class ImportInstances(msgspec.Struct, frozen=True, tag=True):
    """Brings instances to life that come from outside, each in a closed domain of its own; all of them or none.

    Attributes:
        cuts: the encoded `Cut` of each.
        names: of each; no other that lives has one of them.
    """

    cuts: tuple[bytes, ...]
    names: tuple[str, ...]


class DropFork(msgspec.Struct, frozen=True, tag=True):
    """Ends a closed domain: all of its members are gone."""

    fork: int


class CreateInstance(msgspec.Struct, frozen=True, tag=True):
    """Makes a four-platform instance, in a closed domain of its own; see `instances.py`.

    Attributes:
        name: of the instance; no other that lives has it.
        platforms: by role, how each is made.
        phase: how far it is brought at once: "created", "initialized" or "started".
    """

    name: str
    platforms: dict[str, MemberSpec]
    phase: str


class BeginInstance(msgspec.Struct, frozen=True, tag=True):
    """Brings an instance to a phase: "initialized" or "started"; one that is there already is left as it is."""

    fork: int
    phase: str


class AttachGame(msgspec.Struct, frozen=True, tag=True):
    """Takes a realm into an instance's closed domain, its players moving to `players_to`."""

    realm_id: str
    fork: int
    players_to: str = ""


class Freeze(msgspec.Struct, frozen=True, tag=True):
    """Lets members stand still: they get no local time, and their mail waits.

    Attributes:
        scope: ids of realms and of instances; empty is everybody.
        cause: why they stand still; causes stack, and all must lift.
        local_ticks: that each of them would have had, after which it thaws; 0 is until it is lifted.
        reason: for people.
    """

    scope: tuple[str, ...]
    cause: str
    local_ticks: int = 0
    reason: str = ""


class Unfreeze(msgspec.Struct, frozen=True, tag=True):
    """Lifts one cause; who stands still for another one, too, stands still."""

    scope: tuple[str, ...]
    cause: str


class ModifyMembers(msgspec.Struct, frozen=True, tag=True):
    """Changes the states of several members from outside, all of it or nothing; encoded changes by member id."""

    changes: dict[str, bytes]


class RevertedMember(msgspec.Struct, frozen=True):
    """What a member was at a boundary: its local time and its encoded state."""

    local_tick: int
    document: bytes


class RevertDomain(msgspec.Struct, frozen=True, tag=True):
    """Lets a closed domain's own time go back; what its members were is part of the command.

    Attributes:
        fork: the number of the domain.
        boundary_tick: the control tick after which they were so.
        members: what each was, by id: all that are in it.
        entangled: ids of the events that have crossed its wall since, in order.
        keeps_mail: whether what is under way in it stays under way.
    """

    fork: int
    boundary_tick: int
    members: dict[str, RevertedMember]
    entangled: tuple[str, ...] = ()
    keeps_mail: bool = False


class LinkInstances(msgspec.Struct, frozen=True, tag=True):
    """Lets the members of instances speak to each other across their walls, or no longer; each pair of them."""

    forks: tuple[int, ...]
    enable: bool


class ChangeRole(msgspec.Struct, frozen=True, tag=True):
    """Gives a principal a role in a scope, or takes it back; "" takes all of them back, everywhere."""

    principal: str
    role: str
    scope: str
    granted: bool


ClockCommand = (
    CreateInstance
    | BeginInstance
    | AttachGame
    | Freeze
    | Unfreeze
    | ModifyMembers
    | RevertDomain
    | LinkInstances
    | ChangeRole
    | SetDelay
    | RevertGame
    | ForkGames
    | ImportInstances
    | DropFork
    | RegisterGame
    | RemoveGame
    | RestartGame
    | Subscribe
    | Unsubscribe
    | QueueEvent
    | MemberCommand
)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ClockCommand).decode


def checked_command(command: ClockCommand) -> ClockCommand:
    """`command`, if the journal can hold it and give it back: a value of a like type would end the history there.

    Raises:
        CommandRefusedError: it cannot.
    """
    try:
        encoded = _encode(command)
        _decode(encoded)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise CommandRefusedError(f"{type(command).__name__} cannot be written down: {str(error)[:200]}.") from None
    if len(encoded) > COMMAND_BYTES_MAX:
        raise CommandRefusedError(
            f"{type(command).__name__} takes {len(encoded):,} bytes, and at most {COMMAND_BYTES_MAX:,} fit into the journal; "
            "ask for less at once."
        )
    return command


class Boundary(msgspec.Struct, frozen=True, order=True):
    """An instant at which everything stands still: (branch, control tick, journal position)."""

    branch: str
    control_tick: int
    position: int

    @property
    def instant(self) -> tuple[int, int]:
        """Control tick and position: the boundary, where the branch is known."""
        return self.control_tick, self.position


class Reply(msgspec.Struct, frozen=True):
    """What a command came to, and the boundary at which it had.

    Attributes:
        boundary: where.
        payload: the result, encoded.
        error_code: of the error that refused it; "" if none did.
        error_message: of that error.
        instance: the id of the instance it was asked of; "" if of none, or of several.
    """

    boundary: Boundary
    payload: bytes = b"\xc0"
    error_code: str = ""
    error_message: str = ""
    instance: str = ""

    def value(self) -> Plain:
        """The result.

        Raises:
            SoulfraError: the error that refused the command.
        """
        if self.error_code:
            raise error_from(self.error_code, self.error_message)
        return decode(self.payload)


class Decision(msgspec.Struct, frozen=True):
    """What the clock decided because of something outside: a member is lost, for its process died for good.

    Attributes:
        member_id: the member.
        occasion: the exchange in which it was, see `Exchange`; in a replay the member is lost there again.
        reason: why, for people.
    """

    member_id: str
    occasion: str
    reason: str


class JournalEntry(msgspec.Struct, frozen=True):
    """One outside input at its place in history.

    Attributes:
        position: grows by one.
        control_tick: the control tick that the boundary follows.
        command: what was asked; None for what the clock decided.
        decision: what the clock decided; None for what was asked.
        command_id: the caller's name for the command, by which a repeated one is known.
    """

    position: int
    control_tick: int
    command: ClockCommand | None = None
    decision: Decision | None = None
    command_id: str = ""

    @property
    def decided(self) -> str:
        """The decision in words; "" for a command."""
        return "" if self.decision is None else f"{self.decision.member_id}: {self.decision.reason}"
