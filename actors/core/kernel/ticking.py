"""The tick: the clock's tables, and what one control tick does to them.

Mail that is due goes into the inboxes, every member that is due gets a grant, every outbox is taken in, what was said is
put on its way for the next control tick. Commands are the other half of the sequencer; see `sequencing.py`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec

from actors.core.kernel.cascades import Cascades
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.commands import Boundary, ClockCommand, Decision, JournalEntry, Reply
from actors.core.kernel.digests import NO_DIGEST, Remembered, digest_of, digest_with, fold, headed, multiverse_digest
from actors.core.kernel.domains import FORKED, Domain
from actors.core.kernel.effects import Exchange, Lost, Script
from actors.core.kernel.errors import UnknownMemberError
from actors.core.kernel.events import Event, order
from actors.core.kernel.games import BOOTING, ERROR, HOME, RUNNING, Seated
from actors.core.kernel.logs import Logged
from actors.core.kernel.members import Command, Failure, Grant, Outbox
from actors.core.kernel.postings import Foreseen, Post, PostAhead
from actors.core.kernel.settings import LOOKAHEAD_MAX, Settings
from actors.core.kernel.standstills import Stills, is_timed, passed
from actors.core.permissions.validators import PermissionValidator

BROADCAST = "*"
ACROSS = "/"
"""Stands between an instance's name and a role: the address of a member across a wall."""


def occasion_of(control_tick: int) -> str:
    """What the exchange of a control tick is called; see `Exchange`."""
    return f"tick {control_tick}"


class TickRecord(msgspec.Struct, frozen=True, gc=False):
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
        chain: the digests of all control ticks so far, folded.
        domains: the same of every closed domain by itself, by number; empty where there never was a fork.
        ledger: balance by conserved quantity, if this control tick has changed it; else empty.
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
    chain: bytes = NO_DIGEST
    domains: dict[int, bytes] = {}
    ledger: dict[str, int] = {}


@dataclass
class Totals:
    """Counts since the beginning. Not part of the digest: they follow from what is."""

    events_propagated: int = 0
    cascades_cut: int = 0
    latency_control_ticks: int = 0
    delivered_by_type: Counter[str] = field(default_factory=Counter)
    ledger: Counter[str] = field(default_factory=Counter)


def _seldom(
    identities: bytes, outside: bytes, ledger: tuple[tuple[str, int], ...], removals: tuple[tuple[str, int], ...]
) -> tuple[bytes, ...]:
    """What the digest covers besides states and mail."""
    amounts = sorted((name, str(amount)) for name, amount in ledger)  # sums outgrow 64 bits
    return identities, outside, encode(amounts), encode(sorted(removals))


class Ticking:
    """The clock's tables, and the rules of a control tick.

    Args:
        settings: what this history depends on.
        epoch: which of the clocks that may drive this history this is; the vault allocates them.
    """

    def __init__(self, settings: Settings, epoch: int = 1) -> None:
        self.settings = settings
        self.epoch = epoch
        self.control_tick = 0
        self.position = 0
        self.chain = NO_DIGEST
        self.members: dict[str, Seated] = {}
        self.post = self.new_post()
        self.posts = {HOME: self.post}
        self.domains: dict[int, Domain] = {}
        self.forks = 0  # the highest number that a domain has had
        self.is_alone = False  # a domain that lives without all others; see `confinement.py`
        self.links: set[tuple[int, int]] = set()  # instances that may speak to each other, the lower number first
        self.permissions = PermissionValidator()
        self.domain_chains: dict[int, bytes] = {}  # since the first fork was made
        self.journal: list[JournalEntry] = []
        self.totals = Totals()
        self.cascades = Cascades(settings.traces_max)
        self.outside_ids: dict[str, None] = {}  # names that drivers gave events, the newest; in order
        self.outside_chain = NO_DIGEST
        self.removals: Counter[str] = Counter()
        self._occasion = self._command_id = ""
        self._is_entered = False
        self._identities_of: tuple[tuple[Seated, str, bool, Stills], ...] = ()
        self._identities_encoded = encode([])
        self._seldom = Remembered()
        self.replies: dict[str, Reply] = {}
        self._lookahead_of, self._lookahead = (-1, -1), 1
        self.keeps_log = False  # whether somebody comes for what members log
        self.logged: list[Logged] = []

    # ------------------------------------------------------------------------------------------------ what stands

    @property
    def boundary(self) -> Boundary:
        """Where history stands."""
        return Boundary(self.settings.branch, self.control_tick, self.position)

    @property
    def games(self) -> dict[str, Seated]:
        """The realms, by id in order; the kernel's own members left out."""
        return {member_id: seated for member_id, seated in sorted(self.members.items()) if seated.is_game}

    def members_of(self, number: int) -> list[str]:
        """The ids of the members of a closed domain, in order; none if there is none of that number."""
        return sorted(self.domains[number].members.values()) if number in self.domains else []

    def phase_of(self, number: int) -> str:
        """How far the instance in a closed domain has been brought; "" if none lives in it."""
        instance = self.domains[number].instance if number in self.domains else None
        return "" if instance is None else instance.phase

    def new_post(self) -> Post:
        """A post for a domain: nothing is under way."""
        settings = self.settings
        return Post(settings.inbox_events_max, settings.dead_letters_max, settings.lookahead_control_ticks)

    def posts_ahead(self) -> dict[int, PostAhead]:
        """Copies of all posts, in which one can look at what will be delivered in the coming control ticks."""
        return {domain: post.ahead() for domain, post in self.posts.items()}

    def conservation(self) -> dict[str, tuple[int, int]]:
        """For each conserved quantity: what there is (in members, under way, in dead letters) and what there should be."""
        present: Counter[str] = Counter()
        for post in self.posts.values():
            present.update(post.carried())
        for seated in self.members.values():
            present.update(seated.totals)
        expected = Counter(self.totals.ledger)
        expected.update(dict.fromkeys(present, 0))
        for post in self.posts.values():
            for name, amount in post.lost.items():
                expected[name] -= amount
        return {name: (present[name], expected[name]) for name in sorted(expected)}

    def in_flight_to(self, member_id: str) -> list[Event]:
        """What a member will hear, in the order in which it will.

        Raises:
            UnknownMemberError: no such member.
        """
        seated = self._member(member_id)
        return self.posts[seated.domain].in_flight_to(seated.role, self.control_tick, seated.period)

    def transit_digest(self) -> bytes:
        """The digest of everything that is no member's state."""
        more = self._domains_digested()
        if granted := self.permissions.plain():
            more.append(encode(granted))
        ledger, removals = tuple(self.totals.ledger.items()), tuple(self.removals.items())
        seldom = self._seldom.get((self._identities(), self.outside_chain, ledger, removals), _seldom)
        return digest_with((self.post.digest(),), seldom + headed(*more))

    def _domains_digested(self) -> list[bytes]:
        """What the digest covers of closed domains; nothing where there never was one."""
        found = [
            digest_of(encode(domain.identity()), self.posts[number].digest())
            for number, domain in sorted(self.domains.items())
        ]
        links = [encode([list(pair) for pair in sorted(self.links)])] if self.links else []
        return [encode(self.forks), *found, *links] if self.forks else []

    def domain_digest(self, number: int) -> bytes:
        """The digest of one closed domain at this boundary, or of all that is in none: of it alone, and by roles, not ids.

        Two forks that live the same life have the same.
        """
        return self._domain_digests()[number]

    def _domain_digests(self) -> dict[int, bytes]:
        """That of each of them, and of all that is in none, by number in order."""
        seats: dict[int, list[Plain]] = {number: [] for number in sorted(self.posts)}
        for seated in sorted(self.members.values(), key=lambda one: one.role):
            lineages = self.domains[seated.domain].lineages if seated.domain else {}
            lineage = lineages.get(seated.role, seated.role)
            seats[seated.domain].append([seated.role, lineage, seated.role_identity(), seated.digest])
        return {
            number: digest_of(encode([self.control_tick, found]), self.posts[number].digest())
            for number, found in seats.items()
        }

    def _fold_domains(self) -> None:
        chains = self.domain_chains
        self.domain_chains = {
            number: fold(chains.get(number, NO_DIGEST), digest) for number, digest in self._domain_digests().items()
        }

    def _identities(self) -> bytes:
        """What the digest covers of the members besides their states, encoded; seldom another than at the last boundary."""
        # The members' own entries, not their addresses: a member that follows a removed one may have its address.
        key = tuple((seated, seated.state, seated.error is None, seated.stills) for seated in self.members.values())
        if key != self._identities_of:
            self._identities_of = key
            self._identities_encoded = encode([seated.identity() for _, seated in sorted(self.members.items())])
        return self._identities_encoded

    def lookahead(self) -> int:
        """How many control ticks may be granted at once: what a member says in the first must not arrive before the last.

        Every way counts that there can be: from whoever emits a type to whoever handles it, and to its subscribers.
        """
        stage = (self.position, len(self.members))  # the ways change by commands only, and those are journaled
        if stage != self._lookahead_of:
            self._lookahead_of, self._lookahead = stage, self._least_delay()
        return self._lookahead

    def _least_delay(self) -> int:
        least = self.settings.lookahead_control_ticks if self.links else LOOKAHEAD_MAX
        for source in self.members.values():
            emits = source.contract.emits
            if not emits:
                continue
            post = self.posts[source.domain]
            if post.has_subscribers(emits):
                least = min(least, post.delay(source.role, None))
            for target in self.members.values():
                if target.domain == source.domain and not emits.isdisjoint(target.contract.handles):
                    least = min(least, post.delay(source.role, target.role))
        return least

    # ----------------------------------------------------------------------------------------------- control tick

    def control_tick_script(self) -> Script[TickRecord]:
        """One control tick."""
        grants = self.begin_control_tick()
        return self.end_control_tick(grants, (yield from self._exchange(grants)))

    def begin_control_tick(self) -> dict[str, Grant]:
        """What is granted in the next control tick. Nothing but its end may follow."""
        tick = self.control_tick + 1
        self._occasion = occasion_of(tick)
        self.deliver(tick, self.posts)
        digest_due = self.is_digest_due(tick)
        return {
            member_id: self._grant(self.members[member_id], tick, local_ticks, inbox, (), digest_due)
            for member_id, local_ticks, inbox in self.due(
                tick, self.posts, lambda member_id: digest_due and self.members[member_id].owes_digest
            )
        }

    def follow(self, grants: Mapping[str, Grant], foreseen: Mapping[int, Foreseen]) -> None:
        """Begins the next control tick with what was granted ahead, and with what it was foreseen to make of the mail."""
        tick = self.control_tick + 1
        self._occasion = occasion_of(tick)
        for domain, post in self.posts.items():
            post.follow(tick, foreseen[domain])
        for member_id, grant in grants.items():
            self.members[member_id].number = grant.number

    def is_digest_due(self, tick: int) -> bool:
        """Whether a control tick ends with a digest."""
        return tick % self.settings.digest_interval_control_ticks == 0

    def end_control_tick(self, grants: Mapping[str, Grant], outboxes: Mapping[str, Outbox | Lost]) -> TickRecord:
        """What the control tick that was begun comes to."""
        tick = self.control_tick = self.control_tick + 1
        digest_due = self.is_digest_due(tick)
        self._is_entered = False
        failures, rows, synced = self._take_in(grants, outboxes)
        self._thaw(tick)
        flows = self._count_deliveries(grants)
        for seated in self.members.values():
            if seated.contract.event_driven and seated.state == BOOTING:
                seated.state = RUNNING  # it has no ticks of its own to begin with
        members, transit, digest = self._boundary_digest() if digest_due else ({}, NO_DIGEST, NO_DIGEST)
        if digest_due:
            self.chain = fold(self.chain, digest)
            if self.forks:
                self._fold_domains()
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
            self.chain,
            self.domain_chains,
            dict(self.totals.ledger) if self._is_entered else {},
        )

    def _thaw(self, tick: int) -> None:
        """Time goes by for those who stand still, too: causes with a duration come to their end."""
        for seated in self.members.values():
            if seated.stills and tick % seated.period == 0:
                left = passed(seated.stills, self.settings.control_tick_interval_ticks * seated.period)
                if left != seated.stills:
                    seated.freeze(left)

    @property
    def somebody_thaws(self) -> bool:
        """Whether anybody stands still for a while only."""
        return any(is_timed(seated.stills) for seated in self.members.values())

    def _count_deliveries(self, grants: Mapping[str, Grant]) -> dict[tuple[str, str, str], int]:
        """Deliveries by (source, receiver, event type): what was lived through; a discarded inbox is no delivery."""
        flows: dict[tuple[str, str, str], int] = {}
        totals = self.totals
        for member_id, grant in grants.items():
            seated = self.members[member_id]
            if grant.inbox and seated.error is None:
                for event in grant.inbox:
                    flow = (self.member_id_of(event.source, seated.domain), member_id, event.event_type)
                    flows[flow] = flows.get(flow, 0) + 1
                    totals.latency_control_ticks += event.deliver_at - event.control_tick_id
        for (_, _, event_type), count in flows.items():
            totals.events_propagated += count
            totals.delivered_by_type[event_type] += count
        return flows

    def member_id_of(self, role: str, domain: int) -> str:
        """The id of whoever is called so in a domain; the role itself if nobody is."""
        return self.domains[domain].members.get(role, role) if domain else role

    def deliver(self, tick: int, posts: Mapping[int, Post]) -> None:
        """Puts what is due in a control tick into the mailboxes of every domain's post."""
        for domain, post in posts.items():
            post.deliver(tick, partial(self._refusal, domain))

    def _refusal(self, domain: int, role: str, event_type: str) -> str:
        """Why a member of a domain takes no event of a type now; "" if it does."""
        seated = self.members.get(self.member_id_of(role, domain))
        if seated is None or seated.domain != domain:
            return "no such member"
        if seated.error is not None:
            return f"it is in error: {seated.error.message}"
        return "" if event_type in seated.contract.handles else f"it does not handle {event_type!r}"

    def due(
        self, tick: int, posts: Mapping[int, Post], owes_digest: Callable[[str], bool]
    ) -> Iterator[tuple[str, int, tuple[Event, ...]]]:
        """Who is granted in a control tick: member id, local ticks, inbox; by id in order."""
        interval = self.settings.control_tick_interval_ticks
        for member_id, seated in sorted(self.members.items()):
            if seated.error is not None:
                continue
            post, role = posts[seated.domain], seated.role
            if seated.stills:
                local_ticks, awake = 0, False
            elif seated.contract.event_driven:
                local_ticks, awake = 0, post.has_mail(role)
            else:
                awake = tick % seated.period == 0
                local_ticks = interval * seated.period if awake else 0
            if awake or owes_digest(member_id):
                yield member_id, local_ticks, post.take(role) if awake else ()

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
        return Grant(self.epoch, self.settings.branch, seated.number, tick, local_ticks, inbox, commands, digest)

    def _exchange(self, grants: Mapping[str, Grant]) -> Script[dict[str, Outbox | Lost]]:
        """One grant for each member, and its outbox."""
        answers = yield Exchange({member_id: (grant,) for member_id, grant in grants.items()}, self._occasion)
        return {member_id: answer[0] if isinstance(answer, tuple) else answer for member_id, answer in answers.items()}

    def _take_in(
        self, grants: Mapping[str, Grant], outboxes: Mapping[str, Outbox | Lost]
    ) -> tuple[list[tuple[str, str]], list[tuple[str, int, dict[str, float]]], int]:
        failures = []
        rows = []
        synced = 0
        spoken: dict[int, list[Event]] = {}
        for member_id, grant in grants.items():  # by id in order
            seated = self.members[member_id]
            if isinstance(outbox := self._settle(member_id, seated, grant, outboxes[member_id]), Failure):
                failures.append((member_id, outbox.message))
                continue
            if outbox.events:
                spoken.setdefault(seated.domain, []).extend(outbox.events)
            if seated.is_game and grant.local_ticks:
                synced += 1
                rows.append((member_id, outbox.local_tick, outbox.measures))
        for domain, events in spoken.items():
            self._send(events, domain)
        return failures, rows, synced

    def _settle(self, member_id: str, seated: Seated, grant: Grant, outbox: Outbox | Lost) -> Outbox | Failure:
        """Takes one outbox into the tables; a failure puts this member alone into error."""
        if isinstance(outbox, Lost):
            self._note(None, Decision(member_id, self._occasion, outbox.reason))
            seated.digest, seated.unasked = seated.recorded_digest, None
            return self._fail(member_id, seated, grant, Failure(outbox.reason))
        seated.stand(outbox)
        if outbox.failure is not None:
            return self._fail(member_id, seated, grant, outbox.failure)
        if grant.local_ticks:
            seated.state = RUNNING
        self.totals.cascades_cut += outbox.cascades_cut
        if outbox.ledger:
            self._is_entered = True
            self.totals.ledger.update(outbox.ledger)
        for trace in outbox.traces:
            self.cascades_of(seated.domain).add(trace)
        if outbox.log_rows and self.keeps_log:
            self._log(seated, outbox)
        return outbox

    def _log(self, seated: Seated, outbox: Outbox) -> None:
        """Keeps what a member of an instance logs, until somebody comes for it; others have no tables."""
        instance = self.domains[seated.domain].instance if seated.domain else None
        if instance is not None:
            self.logged += [
                Logged(seated.domain, instance.name, seated.role, outbox.number, row) for row in outbox.log_rows
            ]

    def take_logged(self) -> list[Logged]:
        """What members have logged since somebody came for it last, in order."""
        taken, self.logged = self.logged, []
        return taken

    def _fail(self, member_id: str, seated: Seated, grant: Grant, failure: Failure) -> Failure:
        seated.state, seated.error = ERROR, failure
        for event in grant.inbox:
            self.posts[seated.domain].bury(
                event, seated.role, f"it was discarded: {failure.message}", grant.control_tick
            )
        return failure

    def cascades_of(self, domain: int) -> Cascades:
        """Who caused what in a domain."""
        return self.domains[domain].cascades if domain else self.cascades

    def _send(self, events: Iterable[Event], domain: int) -> None:
        """Puts what was said in a domain on its way, in the one order; a bad send goes to the dead letters."""
        good, post, cascades = [], self.posts[domain], self.cascades_of(domain)
        for event in order(events):
            cascades.sent(event, BROADCAST if event.target is None else event.target)
            if event.deliver_at <= self.control_tick:
                reason = f"deliver_at {event.deliver_at} is not after control tick {self.control_tick}"
                post.bury(event, event.target, reason, self.control_tick)
            elif self.stays_in(event, domain):
                good.append(post.due(event))
            elif ACROSS in str(event.target) and self.name_of(domain):
                self._send_across(event, domain)
            else:
                reason = FORKED if self._is_in(str(event.target), HOME) else "no such member"
                post.bury(event, event.target, reason, self.control_tick)
        post.add(good)

    def stays_in(self, event: Event, domain: int) -> bool:
        """Whether what was said in a domain is for somebody there, or for its subscribers."""
        target = event.target
        return target is None or (
            self._is_in(target, domain) and not (domain and ACROSS in target and self.name_of(domain))
        )

    def name_of(self, domain: int) -> str:
        """The name of the instance that lives in a domain; "" if none does."""
        instance = self.domains[domain].instance if domain else None
        return "" if instance is None else instance.name

    def _send_across(self, event: Event, domain: int) -> None:
        """Puts what an instance says to a member of another one on its way, if the two are linked; else it is a dead letter."""
        name, role = str(event.target).split(ACROSS, 1)
        there = next((number for number in self.domains if self.name_of(number) == name), None)
        if there is None:
            reason = f"there is no instance {name!r}"
        elif (min(domain, there), max(domain, there)) not in self.links:
            reason = "cross-instance communication is off"
        elif role not in self.domains[there].members:
            reason = "no such member"
        else:
            own = self.name_of(domain) + ACROSS
            said = msgspec.structs.replace(event, event_id=own + event.event_id, source=own + event.source, target=role)
            self.posts[there].add([self.posts[there].due(said)])
            return
        self.posts[domain].bury(event, event.target, reason, self.control_tick)

    def _is_in(self, role: str, domain: int) -> bool:
        """Whether there is somebody of that name in a domain."""
        seated = self.members.get(self.member_id_of(role, domain))
        return seated is not None and seated.domain == domain

    def _boundary_digest(self) -> tuple[dict[str, bytes], bytes, bytes]:
        members = {member_id: seated.digest for member_id, seated in self.members.items()}
        transit = self.transit_digest()
        return members, transit, multiverse_digest(self.control_tick, members, transit)

    def digest_script(self, domain: int | None = None) -> Script[bytes]:
        """The digest of this very boundary, commands included: of everything, or of one closed domain by itself.

        Nobody writes down that somebody asked, so it changes no later digest.
        """
        stale = {
            member_id: self._grant(seated, self.control_tick, 0, (), (), True)
            for member_id, seated in sorted(self.members.items())
            if seated.digest_stale and seated.error is None
        }
        if stale:
            recorded = {member_id: self.members[member_id].recorded_digest for member_id in stale}
            self._occasion = f"digest {self.position}"
            self._take_in(stale, (yield from self._exchange(stale)))
            for member_id, digest in recorded.items():
                if self.members[member_id].error is None:
                    self.members[member_id].unasked = digest
        return self._boundary_digest()[2] if domain is None else self.domain_digest(domain)

    def _member(self, member_id: str) -> Seated:
        seated = self.members.get(member_id)
        if seated is None:
            raise UnknownMemberError(
                f"no member {member_id!r} is registered; registered: {', '.join(sorted(self.members))}."
            )
        return seated

    def _note(self, command: ClockCommand | None, decision: Decision | None = None, command_id: str = "") -> None:
        """Enters what came from outside, or was decided because of it, into the journal."""
        self.position += 1
        self.journal.append(JournalEntry(self.position, self.control_tick, command, decision, command_id))
