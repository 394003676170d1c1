"""Closed domains: instances, and copies of realms that live on beside their origins, each behind a wall.

Within a domain every member is known by its role, the id of what it is a copy of; so a copy hears, says and draws what its
origin would, and equals it to the bit as long as nobody changes it. Addresses outside name it by an id of its own,
`role~number`. Nothing is delivered across the wall: what would cross it goes to the dead letters as `forked`.
"""

from collections.abc import Container

import msgspec

from actors.core.kernel.cascades import Cascades
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.commands import MemberSpec, RegisterGame
from actors.core.kernel.digests import digest_of
from actors.core.kernel.errors import ProtocolError
from actors.core.kernel.events import Event, order
from actors.core.kernel.instances import FORK_MARK, Ancestor, Instance
from actors.core.kernel.members import Birth
from actors.core.kernel.messages import Checkpoint
from actors.core.kernel.standstills import Stills

FORKED = "forked"
"""Why an event that would cross the wall of a domain is a dead letter."""


def copy_id(role: str, number: int) -> str:
    """The id of a copy."""
    return f"{role}{FORK_MARK}{number}"


def is_copy_id(realm_id: str) -> bool:
    """Whether an id is one that copies have."""
    _, mark, number = realm_id.rpartition(FORK_MARK)
    return bool(mark) and number.isascii() and number.isdecimal()


class Domain:
    """One closed domain.

    Args:
        number: of the domain; no other of this history ever has it.
        members: the id of every member, by role.
        lineages: by what the draws of every member go, by role.
        traces_max: how many steps of cascades are kept.
        instance: the instance that lives in it, if one does.
    """

    def __init__(
        self,
        number: int,
        members: dict[str, str],
        lineages: dict[str, str],
        traces_max: int,
        instance: Instance | None = None,
    ) -> None:
        self.number, self.members, self.lineages, self.instance = number, members, lineages, instance
        self.cascades = Cascades(traces_max)

    def identity(self) -> Plain:
        """What the digest covers of it besides states and what is under way."""
        instance = [] if self.instance is None else [self.instance.identity()]
        return [self.number, sorted(self.members.items()), sorted(self.lineages.items()), *instance]


class Origin(msgspec.Struct, frozen=True):
    """What a realm is copied from: how it was registered and made, and its state at a boundary."""

    role: str
    registration: RegisterGame
    birth: Birth
    spec: MemberSpec
    checkpoint: Checkpoint
    subscriptions: list[str]
    stills: Stills = ()


class Cut(msgspec.Struct, frozen=True):
    """Some realms of one domain at a boundary, with what concerns them alone or among others.

    Attributes:
        control_tick: the boundary's.
        origins: by role, in order.
        delays: (source, target, control ticks) of pairs among them.
        calendar: what they have sent and what is sent to them, under way.
        mailboxes: what has arrived and waits for them, by role.
        instance: the instance that they are, if they are one.
        ancestors: the boundaries at which copies leave whom they are made from.
    """

    control_tick: int
    origins: list[Origin]
    delays: list[tuple[str, str, int]]
    calendar: list[Event]
    mailboxes: dict[str, list[Event]]
    instance: Instance | None = None
    ancestors: tuple[Ancestor, ...] = ()


def is_within(event: Event, roles: Container[str]) -> bool:
    """Whether an event under way concerns nobody else, in a domain of these roles."""
    return event.source in roles and (event.target is None or event.target in roles)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Cut).decode


def encoded_cut(cut: Cut) -> bytes:
    """The cut as it stands in a command."""
    return _encode(cut)


def decoded_cut(document: bytes) -> Cut:
    """The cut that was encoded.

    Raises:
        ProtocolError: the document is not one of ours.
    """
    try:
        return _decode(document)
    except ValueError as error:
        raise ProtocolError(f"what realms were cannot be read: {error}.") from None


def cut_digest(cut: Cut) -> bytes:
    """What members of a domain are, by role: the same wherever and whenever they live on, in whatever multiverse.

    Their states, local times and next numbers are in it, why they stand still, how they were made, what they draw by, and
    what is under way among them, counted from the cut. Ids, names, and what was said across the wall are not.
    """
    now, roles = cut.control_tick, {origin.role for origin in cut.origins}

    def heard(event: Event) -> Plain:
        late, due = event.control_tick_id - now, event.deliver_at - now
        return [event.event_id, event.source, event.target, event.event_type, event.payload, late, due, event.carries]

    return digest_of(
        encode(
            [
                [
                    origin.role,
                    [origin.birth.seed, origin.birth.lineage, origin.birth.local_ticks],
                    [origin.spec.factory, origin.spec.params],
                    digest_of(origin.checkpoint.document),
                    [origin.checkpoint.local_tick, origin.checkpoint.sequence],
                    [list(still) for still in origin.stills],
                    sorted(origin.subscriptions),
                ]
                for origin in cut.origins
            ]
        ),
        encode([list(one) for one in cut.delays]),
        encode([heard(event) for event in order(cut.calendar) if is_within(event, roles)]),
        encode([[role, [heard(event) for event in waiting]] for role, waiting in sorted(cut.mailboxes.items())]),
    )
