"""The clock's tables written down at a boundary, and taken up again: the sequencer's half of a keyframe.

The other half is what the fleet keeps of the members (`keeping.py`). What is for people only (cascades, series) is not
in it.
"""

from collections import Counter

import msgspec

from actors.core.kernel.codec import decode, encode
from actors.core.kernel.commands import RegisterGame, Reply
from actors.core.kernel.domains import Domain
from actors.core.kernel.errors import ProtocolError
from actors.core.kernel.games import HOME, Seated
from actors.core.kernel.instances import Instance
from actors.core.kernel.members import Contract, Failure, Outbox
from actors.core.kernel.postings import PostTable
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.standstills import Stills
from actors.core.permissions.validators import PermissionValidator


class SeatedTable(msgspec.Struct, frozen=True):
    """One `Seated`."""

    contract: Contract
    status: Outbox
    digest: bytes
    registration: RegisterGame | None
    state: str
    error: Failure | None
    number: int
    role: str = ""
    domain: int = HOME
    stills: Stills = ()


class DomainTable(msgspec.Struct, frozen=True):
    """One `Domain`, and what is under way in it."""

    members: dict[str, str]
    lineages: dict[str, str]
    post: PostTable
    instance: Instance | None = None


class Tables(msgspec.Struct, frozen=True):
    """All of a `Sequencer`, at a boundary. Amounts are text: sums outgrow 64 bits."""

    control_tick: int
    position: int
    chain: bytes
    members: dict[str, SeatedTable]
    post: PostTable
    ledger: dict[str, str]
    delivered_by_type: dict[str, int]
    events_propagated: int
    cascades_cut: int
    latency_control_ticks: int
    outside_ids: list[str]
    outside_chain: bytes
    removals: dict[str, int]
    replies: dict[str, Reply]
    forks: int = 0
    domains: dict[int, DomainTable] = {}
    domain_chains: dict[int, bytes] = {}
    links: list[tuple[int, int]] = []
    permissions: bytes = b""


class _InstanceTable(msgspec.Struct, frozen=True):
    """Of a `DomainTable`, who lives there."""

    members: dict[str, str]
    instance: Instance | None = None


class _InstanceTables(msgspec.Struct, frozen=True):
    """Of `Tables`, the instances; whatever else there is is passed over."""

    forks: int = 0
    domains: dict[int, _InstanceTable] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Tables).decode
_decode_instances = msgspec.msgpack.Decoder(_InstanceTables).decode


def tables_of(sequencer: Sequencer) -> bytes:
    """The sequencer's tables at the present boundary, encoded."""
    totals = sequencer.totals
    return _encode(
        Tables(
            sequencer.control_tick,
            sequencer.position,
            sequencer.chain,
            {member_id: _table(seated) for member_id, seated in sequencer.members.items()},
            sequencer.post.table(),
            {quantity: str(amount) for quantity, amount in totals.ledger.items()},
            dict(totals.delivered_by_type),
            totals.events_propagated,
            totals.cascades_cut,
            totals.latency_control_ticks,
            list(sequencer.outside_ids),
            sequencer.outside_chain,
            dict(sequencer.removals),
            sequencer.replies,
            sequencer.forks,
            {
                number: DomainTable(domain.members, domain.lineages, sequencer.posts[number].table(), domain.instance)
                for number, domain in sequencer.domains.items()
            },
            sequencer.domain_chains,
            sorted(sequencer.links),
            encode(sequencer.permissions.plain()),
        )
    )


def instances_in(document: bytes) -> list[tuple[int, Instance, dict[str, str]]]:
    """Number, instance, and members by role, of every instance in the document of `tables_of`, by number.

    Raises:
        ProtocolError: the document is not one of ours.
    """
    return [
        (number, domain.instance, domain.members)
        for number, domain in sorted(_instances(document).domains.items())
        if domain.instance is not None
    ]


def forks_in(document: bytes) -> int:
    """The highest number that a domain has had by then.

    Raises:
        ProtocolError: the document is not one of ours.
    """
    return _instances(document).forks


def _instances(document: bytes) -> _InstanceTables:
    try:
        return _decode_instances(document)
    except ValueError as error:
        raise ProtocolError(f"the clock's tables cannot be read: {error}.") from None


def restore_tables(sequencer: Sequencer, document: bytes) -> None:
    """Lets a new sequencer stand where the tables were written down.

    Raises:
        ProtocolError: the document is not one of ours.
    """
    try:
        tables = _decode(document)
    except ValueError as error:
        raise ProtocolError(f"the clock's tables cannot be read: {error}.") from None
    sequencer.control_tick, sequencer.position, sequencer.chain = tables.control_tick, tables.position, tables.chain
    sequencer.members = {member_id: _seated(member_id, table) for member_id, table in tables.members.items()}
    sequencer.post.restore(tables.post)
    totals = sequencer.totals
    totals.ledger = Counter({quantity: int(amount) for quantity, amount in tables.ledger.items()})
    totals.delivered_by_type = Counter(tables.delivered_by_type)
    totals.events_propagated, totals.cascades_cut = tables.events_propagated, tables.cascades_cut
    totals.latency_control_ticks = tables.latency_control_ticks
    sequencer.outside_ids, sequencer.outside_chain = dict.fromkeys(tables.outside_ids), tables.outside_chain
    sequencer.removals = Counter(tables.removals)
    sequencer.replies = tables.replies
    sequencer.forks, sequencer.domain_chains = tables.forks, tables.domain_chains
    sequencer.links = set(tables.links)
    if tables.permissions:
        sequencer.permissions = PermissionValidator.from_plain(decode(tables.permissions))
    for number, domain in tables.domains.items():
        traces_max = sequencer.settings.traces_max
        sequencer.domains[number] = Domain(number, domain.members, domain.lineages, traces_max, domain.instance)
        sequencer.posts[number] = sequencer.new_post()
        sequencer.posts[number].restore(domain.post)


def _table(seated: Seated) -> SeatedTable:
    status = Outbox(
        seated.number,
        seated.local_tick,
        digest=b"" if seated.owes_digest else seated.digest,
        measures=dict(seated.measures),
        totals=dict(seated.totals),
    )
    return SeatedTable(
        seated.contract,
        status,
        seated.recorded_digest,
        seated.registration,
        seated.state,
        seated.error,
        seated.number,
        seated.role,
        seated.domain,
        seated.stills,
    )


def _seated(member_id: str, table: SeatedTable) -> Seated:
    seated = Seated(table.contract, table.status, table.registration, table.role or member_id, table.domain)
    seated.digest = table.digest
    seated.state, seated.error, seated.number = table.state, table.error, table.number
    seated.stills = table.stills
    return seated
