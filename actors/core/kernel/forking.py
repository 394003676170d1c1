"""Forks: realms copied at a boundary into closed domains that live on beside them, and the end of such a domain.

Copies are made before anything is decided: as long as the command is not in the journal, a copy that cannot be made, or a
modification that is refused, leaves everything as it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from actors.core.kernel.addresses import (
    GODS,
    PLAYER_ROSTER,
    PLAYERS,
    POSSESSED,
    POSSESSION_ENDED,
    RealmCoordinate,
    checked_realm_id,
)
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.commands import (
    STATE_BYTES_MAX,
    ClockCommand,
    DropFork,
    ForkGames,
    RegisterGame,
    checked_command,
)
from actors.core.kernel.cut_checks import checked_cut
from actors.core.kernel.domains import (
    FORKED,
    Cut,
    Domain,
    Origin,
    copy_id,
    decoded_cut,
    is_copy_id,
    is_within,
)
from actors.core.kernel.effects import Capture, Captured, Dispose, Exchange, Populate, Refused, Script
from actors.core.kernel.errors import (
    CommandRefusedError,
    DuplicateMemberError,
    SoulfraError,
    error_from,
)
from actors.core.kernel.events import Event, order
from actors.core.kernel.games import HOME, Seated
from actors.core.kernel.instances import (
    FORK_MARK,
    NAME_CHARACTERS_MAX,
    PLATFORM_ROLES,
    Ancestor,
    Instance,
    checked_instance_name,
    instance_id,
    usable_name,
)
from actors.core.kernel.members import CAPTURED, Command, Grant, Outbox
from actors.core.kernel.messages import Embodied
from actors.core.kernel.modifications import MODIFY
from actors.core.kernel.rounds import Rounds

COPIES_MAX = 1_000
"""In one fork; each is a process for every realm."""
AFTER_ALL_OTHERS = 1 << 62
"""The number of an event that is to be heard after all that its source has said."""


@dataclass(frozen=True)
class Copy:
    """What a new closed domain is made from.

    Attributes:
        cut: whom.
        instance: what it becomes; None if it is no instance.
        divergent: whether it draws by lineages of its own.
    """

    cut: Cut
    instance: Instance | None
    divergent: bool = False


class Forking(Rounds):
    """The rules of closed domains."""

    def domain_of(self, realm_id: str) -> int | None:
        """The number of the closed domain that a realm is in; None where there never was a fork: all is one then.

        Raises:
            UnknownMemberError: there is no such realm.
        """
        domain = self._game(realm_id).domain
        return domain if self.forks else None

    # ------------------------------------------------------------------------------------------------------- cuts

    def cut_script(self, realm_ids: tuple[str, ...]) -> Script[Cut]:
        """What some realms are at this boundary.

        Raises:
            SoulfraError: one of them is not there, is in error or cannot be captured, or they live in several domains.
        """
        seats = self._forkable(realm_ids)
        found = yield Capture(tuple(realm_ids))
        origins = []
        for realm_id in realm_ids:
            seated, captured = seats[realm_id], found[realm_id]
            if not isinstance(captured, Captured) or captured.checkpoint is None or seated.registration is None:
                raise CommandRefusedError(f"{realm_id} cannot be copied: its state cannot be captured now.")
            subscriptions = self.posts[seated.domain].subscriptions(seated.role)
            origins.append(
                Origin(
                    seated.role,
                    seated.registration,
                    captured.birth,
                    captured.spec,
                    captured.checkpoint,
                    subscriptions,
                    seated.stills,
                )
            )
        origins = sorted(origins, key=lambda origin: origin.role)
        number = seats[realm_ids[0]].domain
        post = self.posts[number]
        roles = {origin.role for origin in origins}
        instance = self.domains[number].instance if number and roles.issuperset(PLATFORM_ROLES) else None
        left = Ancestor(number, self.control_tick, self.position)
        ancestors = (*(instance.ancestors if instance is not None else ()), left)
        delays = [
            (*pair, delay) for pair, delay in sorted(post.delays.items()) if pair[0] in roles and pair[1] in roles
        ]
        return Cut(self.control_tick, origins, delays, *post.cut(roles), instance, ancestors)

    def _forkable(self, realm_ids: tuple[str, ...]) -> dict[str, Seated]:
        if not realm_ids:
            raise CommandRefusedError("name at least one realm to fork.")
        seats: dict[str, Seated] = {}
        for realm_id in realm_ids:
            seated = self._game(realm_id)
            if realm_id in seats:
                raise CommandRefusedError(f"{realm_id} is named twice; a fork has one copy of each realm.")
            if seated.error is not None:
                raise CommandRefusedError(
                    f"{realm_id} is in error ({seated.error.message}); restart it or leave it out."
                )
            if seated.contract.recovery != CAPTURED:
                raise CommandRefusedError(
                    f"{realm_id} cannot be forked: its recovery is {seated.contract.recovery!r}, so nobody can copy it."
                )
            seats[realm_id] = seated
        if len({seated.domain for seated in seats.values()}) > 1:
            raise CommandRefusedError("realms of several forks cannot be forked together; name realms of one of them.")
        return seats

    # ------------------------------------------------------------------------------------------------------- fork

    def _fork(self, command: ForkGames) -> Script[Plain]:
        count = command.count
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= COPIES_MAX:
            raise CommandRefusedError(f"count must be a whole number from 1 to {COPIES_MAX}, not {command.count!r}.")
        if len(command.modifications) > command.count:
            raise CommandRefusedError(
                f"{len(command.modifications)} modifications are given for {command.count} copies; give one for each."
            )
        checked_command(command)  # before anything is made for it
        size = len(command.past) + sum(len(one) for changes in command.modifications for one in changes.values())
        if size > STATE_BYTES_MAX:
            raise CommandRefusedError(
                f"what these realms were, and their modifications, takes {size:,} bytes, and at most {STATE_BYTES_MAX:,} "
                "fit into a command; fork fewer of them at once, or as they are now."
            )
        if command.past:
            cut = checked_cut(decoded_cut(command.past))
        else:
            cut = yield from self.cut_script(command.realm_ids)
        numbers = self._numbers([cut] * command.count)
        instances = self._instances(cut, numbers, command.names)
        copies = {number: Copy(cut, instances[number], command.divergent) for number in numbers}
        made = yield from self._copy(command, copies, dict(self._modifying(command, cut, numbers)))
        return [one | ({"report": command.report} if command.report else {}) for one in made]

    def _copy(
        self, command: ClockCommand, copies: Mapping[int, Copy], grants: Mapping[str, tuple[Grant, ...]]
    ) -> Script[list[dict[str, Plain]]]:
        """Makes copies, lets them change, and writes the command down: all of it or nothing."""
        newcomers = {
            copy_id(origin.role, number): _newcomer(origin, number, copy.divergent)
            for number, copy in copies.items()
            for origin in copy.cut.origins
        }
        made = yield Populate(newcomers)
        changed: Mapping[str, Outbox] = {}
        try:
            embodied = all_made(made)
            if grants:
                changed = _all_changed((yield Exchange(grants, f"command {self.position + 1}")))
        except SoulfraError:
            for member_id in newcomers:
                yield Dispose(member_id)
            raise
        self._journal(command)
        for number, copy in copies.items():
            self._begin_domain(number, copy.instance, copy.cut, newcomers, embodied, changed)
        return [
            {"fork": number, "realms": {one.role: copy_id(one.role, number) for one in copy.cut.origins}}
            | ({"instance_id": instance_id(number), "name": copy.instance.name} if copy.instance else {})
            for number, copy in copies.items()
        ]

    def _instances(self, cut: Cut, numbers: list[int], names: tuple[str, ...]) -> dict[int, Instance | None]:
        """What the copies of an instance are called; nothing where none is copied."""
        origin = cut.instance
        if origin is None:
            if names:
                raise CommandRefusedError("only copies of an instance have names; leave them out.")
            return dict.fromkeys(numbers)
        if names and len(names) != len(numbers):
            raise CommandRefusedError(f"{len(names)} names are given for {len(numbers)} copies; give one for each.")
        given = names or tuple(_name_of_copy(origin.name, number) for number in numbers)
        self.check_room(given)
        return {
            number: Instance(name, origin.phase, cut.ancestors) for number, name in zip(numbers, given, strict=True)
        }

    def check_room(self, names: tuple[str, ...], count: int = 0) -> None:
        """Whether so many instances more, or as many as these names, may be.

        Raises:
            SoulfraError: a name that cannot be used or is taken, or too many instances.
        """
        known = [domain.instance.name for domain in self.domains.values() if domain.instance is not None]
        for at, name in enumerate(names):
            if checked_instance_name(name) in (*known, *names[:at]):
                raise DuplicateMemberError(f"there is an instance {name!r} already; choose another name.")
            if name in self.members:
                raise DuplicateMemberError(f"there is a realm {name!r}; an instance needs a name of its own.")
        if len(known) + max(count, len(names)) > self.settings.instances_max:
            raise CommandRefusedError(
                f"there are {len(known)} instances, and at most {self.settings.instances_max} may live (instances_max); "
                "destroy one first."
            )

    def _numbers(self, cuts: Sequence[Cut]) -> list[int]:
        """Numbers that no domain has had, and with them no id: one for a copy of each."""
        numbers = [self.forks + 1 + number for number in range(len(cuts))]
        for cut in cuts:
            for origin in cut.origins:
                checked_realm_id(copy_id(origin.role, numbers[-1]))
        return numbers

    def _modifying(self, command: ForkGames, cut: Cut, numbers: list[int]) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """The grants that bring modifications, by member id."""
        origins = {origin.registration.realm_id: origin for origin in cut.origins}
        for number, changes in zip(numbers, command.modifications, strict=False):
            for realm_id, payload in sorted(changes.items()):
                if realm_id not in origins:
                    raise CommandRefusedError(
                        f"{realm_id!r} is not among the realms that are forked; they are {', '.join(origins)}."
                    )
                change = Command(f"@command#{self.position + 1}", MODIFY, payload)
                origin = origins[realm_id]
                after = origin.checkpoint.number + 1
                grant = Grant(self.epoch, self.settings.branch, after, self.control_tick, 0, (), (change,), True)
                yield copy_id(origin.role, number), (grant,)

    def _begin_domain(
        self,
        number: int,
        instance: Instance | None,
        cut: Cut,
        newcomers: Mapping[str, Captured],
        embodied: Mapping[str, Embodied],
        changed: Mapping[str, Outbox],
    ) -> None:
        self.forks = number
        members = {origin.role: copy_id(origin.role, number) for origin in cut.origins}
        lineages = {role: newcomers[member_id].birth.lineage for role, member_id in members.items()}
        self.domains[number] = Domain(number, members, lineages, self.settings.traces_max, instance)
        post = self.posts[number] = self.new_post()
        for origin in cut.origins:
            member_id = members[origin.role]
            spawned = embodied[member_id]
            seated = Seated(
                spawned.contract, spawned.status, _registration(origin, member_id, number), origin.role, number
            )
            seated.number = spawned.status.number
            self.members[member_id] = seated
            if (outbox := changed.get(member_id)) is not None:
                seated.stand(outbox)
                seated.number = outbox.number
            if origin.stills:
                seated.freeze(origin.stills)
            self.totals.ledger.update(seated.totals)
            for event_type in origin.subscriptions:
                post.subscribe(origin.role, event_type)
        post.delays = {(source, target): delay for source, target, delay in cut.delays}
        self._take_along(cut, number)

    def _take_along(self, cut: Cut, number: int) -> None:
        """What was under way among the origins is under way among the copies; what crosses the wall ends there."""
        post, members, later = self.posts[number], self.domains[number].members, self.control_tick - cut.control_tick
        for role, waiting in cut.mailboxes.items():
            post.put(role, [_later(event, later) for event in waiting])
        for event in order(_later(one, later) for one in cut.calendar):
            if is_within(event, members):
                post.add([event])
            else:
                post.bury(event, event.target, FORKED, self.control_tick)
        self.totals.ledger.update(post.carried())
        self.totals.ledger.update(post.lost)  # what there was no room for even as a dead letter
        for role, member_id in members.items():
            if PLAYER_ROSTER in self.members[member_id].contract.handles:  # players stay behind
                post.add([self._notice(PLAYERS, role, PLAYER_ROSTER, {"players": []})])
            self._release(member_id)

    def _release(self, member_id: str) -> None:
        """Whoever was possessed in what this member was is not any more."""
        seated = self.members[member_id]
        if POSSESSION_ENDED in seated.contract.handles and seated.measures.get(POSSESSED):
            self.posts[seated.domain].add([self._notice(GODS, seated.role, POSSESSION_ENDED, {})])

    def _notice(self, source: str, role: str, event_type: str, data: Plain) -> Event:
        """What one of the kernel's own tells a member because of the present command, heard after all else."""
        now, cause, event_id = self.control_tick, f"@command#{self.position}", f"{source}#fork{self.position}"
        return Event(event_id, source, AFTER_ALL_OTHERS, role, event_type, encode(data), now, now + 1, cause, (source,))

    # -------------------------------------------------------------------------------------------------------- end

    def _drop(self, command: DropFork) -> Script[Plain]:
        domain = self.domains.get(command.fork)
        if domain is None:
            known = ", ".join(map(str, self.domains)) or "none"
            raise CommandRefusedError(f"there is no fork {command.fork!r}; there are {known}.")
        self._journal(command)
        removed = sorted(domain.members.values())
        for member_id in removed:
            yield Dispose(member_id)
            self._leave(member_id)
        return {"removed": removed}

    def _leave(self, member_id: str) -> None:
        """Takes a member out of the tables; the last one of a domain takes the domain along."""
        seated = self.members.pop(member_id)
        self.totals.ledger.subtract(seated.totals)
        post = self.posts[seated.domain]
        post.remove(seated.role, self.control_tick)
        if not is_copy_id(member_id):
            self.removals[member_id] += 1
        if seated.domain == HOME:
            return
        domain = self.domains[seated.domain]
        del domain.members[seated.role], domain.lineages[seated.role]
        if not domain.members:
            self.totals.ledger.subtract(post.carried())
            self.totals.ledger.subtract(post.lost)
            del self.domains[seated.domain], self.posts[seated.domain]
            self.links = {pair for pair in self.links if seated.domain not in pair}


def _name_of_copy(name: str, number: int) -> str:
    """What a copy is called that nobody has named; its origin may be called as no instance may be any more."""
    room = NAME_CHARACTERS_MAX - len(copy_id("", number))
    return copy_id(usable_name(name, room).split(FORK_MARK, 1)[0], number)


def _newcomer(origin: Origin, number: int, divergent: bool) -> Captured:
    if not divergent:
        return Captured(origin.birth, origin.spec, origin.checkpoint)
    birth = msgspec.structs.replace(origin.birth, lineage=copy_id(origin.birth.lineage, number))
    return Captured(birth, origin.spec, msgspec.structs.replace(origin.checkpoint, digest=b""))


def _registration(origin: Origin, member_id: str, number: int) -> RegisterGame:
    found = origin.registration
    there = RealmCoordinate.from_key(found.stat7_key, found.realm_type)
    coordinate = RealmCoordinate(member_id, there.realm_type, there.adjacency, there.resonance, number)
    return msgspec.structs.replace(found, realm_id=member_id, stat7_key=coordinate.key)


def _later(event: Event, control_ticks: int) -> Event:
    if not control_ticks:
        return event
    return msgspec.structs.replace(
        event, control_tick_id=event.control_tick_id + control_ticks, deliver_at=event.deliver_at + control_ticks
    )


def all_made(made: Mapping[str, Embodied | Refused]) -> dict[str, Embodied]:
    """What came of making members, if all of them are made.

    Raises:
        SoulfraError: why one is not.
    """
    found: dict[str, Embodied] = {}
    for member_id, one in sorted(made.items()):
        if isinstance(one, Refused):
            raise error_from(one.code, f"{member_id} could not be made, and nothing has changed: {one.message}")
        found[member_id] = one
    return found


def _all_changed(answers: Mapping[str, object]) -> dict[str, Outbox]:
    found: dict[str, Outbox] = {}
    for member_id, answer in sorted(answers.items()):
        outbox = answer[0] if isinstance(answer, tuple) else None
        if outbox is None or outbox.failure is not None:
            why = "its process was lost" if outbox is None else outbox.failure.message
            raise CommandRefusedError(f"{member_id} could not be modified, and nothing was forked: {why}.")
        if (result := outbox.results[0]).error_code:
            raise error_from(result.error_code, f"{member_id}: {result.error_message} Nothing was forked.")
        found[member_id] = outbox
    return found
