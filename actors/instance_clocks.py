"""A clock with instances: they go back, are looked at as one, taken out whole, and merged."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from actors.clock_messages import FAST, DomainDigest, Status
from actors.core.kernel.commands import Boundary, ForkGames, Reply, RevertDomain, RevertedMember
from actors.core.kernel.domains import Cut, cut_digest, encoded_cut
from actors.core.kernel.errors import CallerError, CommandRefusedError, PackageError
from actors.core.kernel.instances import PLATFORM_ROLES, instance_id
from actors.core.kernel.standstills import MERGE_OPERATION
from actors.core.kernel.states import decode_state
from actors.core.merging.cuts import merged_cuts, nearest_common
from actors.core.merging.known_schemes import SCHEMES
from actors.core.merging.merge_reports import MergeReport, kept, report_of, report_on, taken_effect
from actors.core.merging.rules import Strategy
from actors.core.merging.unified_snapshots import UnifiedSnapshot, unified_snapshot
from actors.headless import Headless
from actors.pasts import PastChronicle, standing_at
from actors.requests import SEND_BACK_DOWN, Asked, Caller, Principal
from actors.tree_clocks import TreeClock
from actors.vaults.records import DONE, LOOKED, Unification

T = TypeVar("T")


class InstanceClock(TreeClock):
    """See `MasterClock`."""

    def check_permission(self, caller: Caller) -> None:
        """Finds out whether somebody may ask for something, as of the last boundary; waits for nothing.

        Raises:
            PermissionRefusedError: no role allows it.
            SettingsError: the principal, the verb or the scope is no name, or the origin is unknown.
        """
        Asked(caller, caller.verb, "").check(self._sequencer.permissions)

    def admit(self, caller: Caller, subject: str = "") -> None:
        """Like `check_permission`, at a boundary, and the audit log tells of a refusal.

        Args:
            caller: who asks, and for what.
            subject: of whom, for the audit log.
        """
        self._audited(Asked(caller, caller.verb, subject), lambda: None)

    def first_reply(self, command_id: str, caller: Caller, of_instance: bool) -> Reply | None:
        """What a command came to that was carried out under this name, also if whoever it was asked of is gone.

        Args:
            command_id: the caller's name for it.
            caller: who asks again, and for what.
            of_instance: whether it took a role for the instance that it was asked of, if it was asked of one.

        Returns:
            The reply; None if nothing was carried out under this name.

        Raises:
            PermissionRefusedError: no role allows it.
        """

        def reply() -> Reply | None:
            known = self._sequencer.replies.get(command_id)
            if known is None:
                return None
            who = caller._replace(scope=(known.instance if of_instance else "") or caller.scope)
            return self._heeded(Asked(who, who.verb, known.instance, command_id), lambda: known)

        return self._at_boundary(reply)

    def run_for(self, control_tick: int, caller: Caller, command_id: str) -> Status:
        """`advance_to`, as fast as it can, for somebody who needs permission; the audit log tells where he let time go on.

        Asked again under the same name, because the clock that was asked has died, it is told once.

        Returns:
            How the clock stands then.

        Raises:
            PermissionRefusedError: no role allows it.
            CommandRefusedError: another run holds the clock.
            EngineError: the clock is closed, or broke off.
        """
        asked, claimed = Asked(caller, caller.verb, "", command_id), deque[threading.Event]()

        def claim() -> None:
            claimed.append(self._claim())

        known = self._chronicle.has_told(command_id)
        try:
            self._at_boundary(claim if known else lambda: self._told(asked, claim))
        except BaseException:
            if claimed:  # what was told could not be written
                self._run = None
            raise
        self._carry_on(claimed.pop(), control_tick, FAST)
        return self.status()

    def revert_domain(
        self, fork: int, control_tick: int, snapshot: str = "", command_id: str = "", principal: Principal = ""
    ) -> Reply:
        """Lets a closed domain's own time go back, on the same branch: an instance with its attached realms, or a fork.

        What is under way in it goes to the dead letters.

        Args:
            fork: the number of the domain.
            control_tick: it becomes what it was after this control tick of the present history, before its commands.
            snapshot: or what it was there instead; the snapshot must be of the present history.
            command_id: the caller's name for this; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.

        Returns:
            The reply: fork, local_ticks (by member id), dropped (ids of events), entangled (ids of events that have
            crossed its wall since then).

        Raises:
            CommandRefusedError: it was not there then or had other members, one of them cannot be captured, or all of it
                is too large.
            EngineError: history cannot be lived again; nothing has changed.
        """
        asked = Asked(principal, RevertDomain.__name__, str(fork), command_id)
        return self._audited(asked, lambda: self._revert_domain(fork, control_tick, snapshot, asked))

    def _revert_domain(self, fork: int, control_tick: int, snapshot: str, asked: Asked) -> Reply:
        self._check_whole()
        if (known := self._sequencer.replies.get(asked.command_id)) is not None:
            return known
        members = self._sequencer.members_of(fork)
        with self._as_it_was(f"fork {fork}", control_tick, snapshot) as (control_tick, lived):
            if lived.members_of(fork) != members:
                raise CommandRefusedError(
                    f"fork {fork} had other members after control tick {control_tick}; it can go back as far as it has the "
                    "present ones."
                )
            if lived.phase_of(fork) != self._sequencer.phase_of(fork):
                raise CommandRefusedError(
                    f"after control tick {control_tick} it was {lived.phase_of(fork)}, and is more now; "
                    "fork it from there instead."
                )
            then = {member_id: RevertedMember(*lived.capture(member_id)) for member_id in members}
            now, chronicle = self._sequencer.boundary, self._chronicle
            until = PastChronicle(self._vault(), chronicle.name, now.control_tick, chronicle.branch, now.position)
            entangled = lived.crossed(until, fork)
        return self._go_back(RevertDomain(fork, control_tick, then, entangled), asked)

    def _go_back(self, command: RevertDomain, asked: Asked) -> Reply:
        """Lets members become what they were, and writes that down at once: what they take back was there until now."""
        reply = self._carry_out(command, asked.command_id, asked.principal)
        if not reply.error_code and self._chronicle.remembers:
            self._written(self._seal())
            self._write_keyframe()
        return reply

    # ----------------------------------------------------------------------------------------------------- as one

    def cut_of(
        self,
        fork: int,
        control_tick: int = -1,
        snapshot: str = "",
        past: bool = False,
        caller: Caller | None = None,
        is_all: bool = True,
    ) -> Cut:
        """What the members of a closed domain are at this boundary, or were at one that has been, for others to be made from.

        Args:
            fork: the number of the domain.
            control_tick: as they were after this control tick of the present history, before its commands.
            snapshot: or as they were there.
            past: whether one of these is meant.
            caller: whose permission it takes, and of whom the audit log tells; None for what nobody takes out.
            is_all: whether nothing can refuse it any more; else the caller says what came of it, see `tell`.

        Raises:
            PermissionRefusedError: the caller has no role that allows it.
            CommandRefusedError: there is, or was, no such domain, or somebody in it cannot be copied.
        """

        def cut() -> Cut:
            return self._past_cut(fork, control_tick, snapshot) if past else self._cut(fork)

        if caller is None or is_all:
            return self._at_boundary(lambda: self._for(caller, (fork,), cut))
        return self._audited(Asked(caller, caller.verb, instance_id(fork)), cut)

    def _for(self, caller: Caller | None, forks: Sequence[int], action: Callable[[], T]) -> T:
        """Does what leaves no trace in the journal, of closed domains; for a caller, the audit log tells, whoever it is."""
        if caller is None:
            return action()
        return self._told(Asked(caller, caller.verb, " ".join(map(instance_id, forks))), action)

    def tell(self, caller: Caller, subject: str, outcome: str = DONE) -> None:
        """Lets the audit log tell of what was done, or refused, where the clock does not see it; durable when it returns.

        Args:
            caller: who asked, and for what.
            subject: of whom.
            outcome: `DONE`, or the code of the error that refused it.
        """
        asked = Asked(caller, caller.verb, subject)
        self._at_boundary(lambda: self._chronicle.tell(asked, self._sequencer.boundary, outcome))

    def cuts_of(self, forks: Sequence[int], caller: Caller | None = None) -> list[Cut]:
        """What the members of several closed domains are, all at this boundary.

        Args:
            forks: the numbers of the domains.
            caller: see `cut_of`.

        Raises:
            PermissionRefusedError: the caller has no role that allows it.
            CommandRefusedError: there is no such domain, or somebody in it cannot be copied.
        """
        return self._at_boundary(lambda: self._for(caller, forks, lambda: [self._cut(fork) for fork in forks]))

    def _past_cut(self, fork: int, control_tick: int, snapshot: str) -> Cut:
        self._check_whole()
        with self._as_it_was(f"fork {fork}", control_tick, snapshot) as (tick, lived):
            if not (members := lived.members_of(fork)):
                raise CommandRefusedError(f"there was no fork {fork!r} after control tick {tick}.")
            return lived.cut(tuple(members))

    def factories(self) -> list[str]:
        """By what the realms are made that live here, in order."""

        def made_by() -> list[str]:
            games = self._sequencer.games.values()
            return sorted({one.registration.spec.factory for one in games if one.registration is not None})

        return self._at_boundary(made_by)

    def send_down(
        self,
        fork: int,
        states: Mapping[str, tuple[int, bytes]],
        digest: str,
        control_tick: int,
        command_id: str = "",
        principal: Principal = "",
    ) -> Reply:
        """Lets the members of a closed domain be what an outer layer says.

        Args:
            fork: the number of the domain.
            states: local time and encoded state, by member.
            digest: what its digest by roles must be now; "" if it may have moved on, and what is under way is then dropped.
            control_tick: of this clock, after which it was taken out or sent back last; the error says it.
            command_id: the caller's name for this; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.

        Raises:
            PackageError: it has moved on.
        """
        if not isinstance(principal, Caller):
            principal = Caller(principal, SEND_BACK_DOWN, instance_id(fork))
        asked = Asked(principal, SEND_BACK_DOWN, str(fork), command_id)
        return self._audited(asked, lambda: self._send_down(fork, states, digest, control_tick, asked))

    def _send_down(
        self, fork: int, states: Mapping[str, tuple[int, bytes]], digest: str, control_tick: int, asked: Asked
    ) -> Reply:
        self._check_whole()
        if (known := self._sequencer.replies.get(asked.command_id)) is not None:
            return known
        cut = self._cut(fork)
        if digest and cut_digest(cut).hex() != digest:
            raise PackageError(_moved_on(instance_id(fork), control_tick, cut))
        if self._chronicle.remembers:
            self._end_here()  # what is taken back stood until now, and somebody has to know
        members = {member_id: RevertedMember(*one) for member_id, one in states.items()}
        return self._go_back(RevertDomain(fork, control_tick, members, keeps_mail=bool(digest)), asked)

    def _cut(self, fork: int) -> Cut:
        self._check_whole()
        members = self._sequencer.members_of(fork)
        if not members:
            raise CommandRefusedError(f"there is no fork {fork!r}.")
        return self._perform(self._sequencer.cut_script(tuple(members)))

    def cut_digest(self, fork: int) -> DomainDigest:
        """The digest of a closed domain by roles, whenever and wherever it lives; see `domains.cut_digest`."""
        return self._at_boundary(lambda: DomainDigest(cut_digest(self._cut(fork)).hex(), self._sequencer.boundary))

    def unify(self, fork: int, sync_delay_control_ticks: int, caller: Caller | None = None) -> UnifiedSnapshot:
        """Merges the four platforms of an instance into one truth; nothing changes by it, and no tick is lost.

        With a vault it is kept there, for `unified_snapshot`.

        Args:
            fork: the number of its domain.
            sync_delay_control_ticks: how far ahead the boundary is at which they are looked at; on a clock that stands it
                is the present one.
            caller: whose permission it takes then, and of whom the audit log tells; None for nobody.

        Raises:
            PermissionRefusedError: the caller has no role that allows it.
            CommandRefusedError: there is no such instance any more, or one of its platforms cannot be captured.
        """

        def merged() -> UnifiedSnapshot:
            with self._busy(f"making one truth of the platforms of {instance_id(fork)} ({MERGE_OPERATION})"):
                return self._for(caller, (fork,), lambda: self._kept(self._unified(fork), fork))

        return self._at_appointment(self._sequencer.control_tick + sync_delay_control_ticks, merged)

    def _kept(self, snapshot: UnifiedSnapshot, fork: int) -> UnifiedSnapshot:
        chronicle = self._chronicle
        if (vault := chronicle.vault) is not None:
            self._written(self._seal())
            self._mark_present()  # whoever takes over comes to the boundary that it is of
            instance = self._sequencer.domains[fork].instance
            name = snapshot.instance if instance is None else instance.name
            self._insisted(lambda: vault.unified_snapshots.keep(chronicle.name, chronicle.epoch, snapshot, name))
        return snapshot

    def unifications(self) -> list[Unification]:
        """Every unified snapshot that is kept, of every branch, in the order in which they were made."""
        chronicle = self._chronicle
        vault = chronicle.vault
        return self._at_boundary(lambda: [] if vault is None else vault.unified_snapshots.known(chronicle.name))

    def unified_snapshot(self, snapshot_id: str) -> UnifiedSnapshot:
        """A unified snapshot that is kept.

        Raises:
            UnknownSnapshotError: there is none of that id.
            CommandRefusedError: there is no vault.
            DamagedVaultError: it is not what was written.
        """
        name = self._chronicle.name
        return self._at_boundary(lambda: self._vault().unified_snapshots.read(name, snapshot_id))

    def _unified(self, fork: int) -> UnifiedSnapshot:
        cut = self._cut(fork)
        states = {
            origin.role: decode_state(origin.checkpoint.document)
            for origin in cut.origins
            if origin.role in PLATFORM_ROLES
        }
        boundary = self._sequencer.boundary
        local_tick = max(origin.checkpoint.local_tick for origin in cut.origins if origin.role in PLATFORM_ROLES)
        return unified_snapshot(
            states,
            instance=instance_id(fork),
            branch=boundary.branch,
            control_tick=boundary.control_tick,
            position=boundary.position,
            local_tick=local_tick,
        )

    # --------------------------------------------------------------------------------------------------- merging

    def merge_instances(
        self,
        forks: tuple[int, ...],
        strategy: Strategy,
        name: str = "",
        command_id: str = "",
        principal: Principal = "",
        dry_run: bool = False,
    ) -> tuple[Boundary, MergeReport]:
        """Makes one instance of several, as they are at this boundary; they live on beside it.

        Each is merged into those before it, against their nearest common ancestor by lineage; where there is none that can
        be lived again, two ways.

        Args:
            forks: the numbers of their domains, at least two.
            strategy: who wins a conflict: "ours" (whoever comes before), "theirs", or "fail" (nobody, and nothing is made).
            name: of the new instance; "" lets one be given.
            command_id: the caller's name for this; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.
            dry_run: only says what would come of it.

        Returns:
            The boundary at which it took effect, or was looked at, and the report.

        Raises:
            MergeRefusedError: conflicts that nobody wins, or a state that would not hold. Nothing has changed.
            CommandRefusedError: no such instance, or one of its members cannot be captured.
        """
        asked = Asked(principal, "MERGE_INSTANCES", " ".join(map(instance_id, forks)), command_id)
        return self._audited(asked, lambda: self._merge(forks, strategy, name, asked, dry_run=dry_run))

    def _merge(
        self, forks: tuple[int, ...], strategy: Strategy, name: str, asked: Asked, *, dry_run: bool
    ) -> tuple[Boundary, MergeReport]:
        self._check_whole()
        if (known := self._sequencer.replies.get(asked.command_id)) is not None:
            return known.boundary, report_of(known.value())
        if len(forks) < 2 or len(set(forks)) != len(forks):
            raise CommandRefusedError("name at least two instances, each once.")
        cuts = [self._cut(fork) for fork in forks]
        bases: list[Cut | None] = []
        told: list[str] = []
        for number in range(1, len(cuts)):
            base, words = self._common(cuts[:number], cuts[number])
            bases.append(base)
            told.append(words)
        found = merged_cuts(cuts, bases, strategy, SCHEMES)
        report = report_on(found, forks, tuple(told))
        cut = found.accepted() if not dry_run else found.cut
        members = tuple(origin.registration.realm_id for origin in cut.origins)
        command = ForkGames(members, past=encoded_cut(cut), names=(name,) if name else (), report=kept(report))
        if dry_run:
            broken = report.broken or self._would_break(command)
            self._chronicle.tell(asked, self._sequencer.boundary, LOOKED)
            return self._sequencer.boundary, msgspec.structs.replace(report, broken=broken)
        reply = self._carry_out(command, asked.command_id, asked.principal)
        (made,) = reply.value()
        return reply.boundary, taken_effect(report, made)

    def _would_break(self, command: ForkGames) -> tuple[str, ...]:
        """Why a merged instance could not be made, found out in this process."""
        chronicle = self._chronicle
        try:
            self._sequencer.check_room(command.names, 1)
        except CallerError as error:
            return (error.message,)
        with Headless(chronicle.settings, chronicle.epoch, chronicle.realm_paths) as tried:
            refusal = tried.refusal_of(msgspec.structs.replace(command, names=()))
        return (refusal,) if refusal else ()

    def _common(self, before: list[Cut], cut: Cut) -> tuple[Cut | None, str]:
        """What the nearest common ancestor of one and those before it was, if it can be lived again; and in words."""
        branch = self._chronicle.branch
        nearest = [line for one in before if (line := nearest_common(one.ancestors, cut.ancestors, branch)) is not None]
        base = max(nearest, key=lambda line: (line.control_tick, line.position), default=None)
        if base is None:
            return None, "none"
        where = f"{instance_id(base.fork)} at control tick {base.control_tick}"
        vault, chronicle = self._chronicle.vault, self._chronicle
        if vault is None:
            return None, f"none: there is no vault in which {where} could be found"
        self._end_here()
        then = PastChronicle(vault, chronicle.name, base.control_tick, base.branch or branch, base.position)
        _, standing = standing_at(then, chronicle.realm_paths)
        with Headless(chronicle.settings, then.epoch, chronicle.realm_paths) as lived:
            lived.become(standing)
            return lived.cut(tuple(lived.members_of(base.fork))), where


def _moved_on(instance: str, control_tick: int, cut: Cut) -> str:
    """Why an instance is not what an outer layer knows, in words."""
    ticks = ", ".join(f"{one.role} at local tick {one.checkpoint.local_tick}" for one in cut.origins)
    now = (
        f"commands have changed it since, at the same control tick, {ticks}"
        if cut.control_tick == control_tick
        else f"it is at control tick {cut.control_tick} now, {ticks}"
    )
    return (
        f"{instance} has moved on since it was taken out, or sent back last, after control tick {control_tick}: {now}. "
        "Use force to let it go back nevertheless."
    )
