"""Presiding: four-platform instances come to be, are changed, stand still, go back and are copied."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from actors.clock_messages import DomainDigest
from actors.core.kernel.commands import (
    AttachGame,
    BeginInstance,
    CreateInstance,
    DropFork,
    ForkGames,
    Freeze,
    ModifyMembers,
    Reply,
    Unfreeze,
)
from actors.core.kernel.errors import CommandRefusedError, PermissionRefusedError, UnknownInstanceError
from actors.core.kernel.instances import INITIALIZED, STARTED, is_instance_id
from actors.core.kernel.standstills import FREEZE, UNTIL_LIFTED
from actors.core.merging.unified_snapshots import UnifiedSnapshot
from actors.core.permissions.roles import LOCAL
from actors.requests import Caller
from actors.vaults.records import Unification
from orchestration.arguments import check_target, checked, checked_texts
from orchestration.engines import Ticket
from orchestration.instances import FourPlatformInstance, changes_of, found, instance_of, specs_of
from orchestration.permitting import Permitting

Who = str | FourPlatformInstance
SYNC_DELAY_TICKS = 50
SYNC_DELAY_TICKS_MAX = 1_000_000


class Presiding(Permitting):
    """Instances, and who stands still. An instance is named by its id, its name, or what `instance` gives."""

    # -------------------------------------------------------------------------------------------------------- instances

    def create_instance(
        self,
        name: str,
        *,
        phase: str = STARTED,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        factories: Mapping[str, str] | None = None,
    ) -> FourPlatformInstance:
        """Makes an instance: Surface, Runtime, Protocol and Mirror, each an actor, in a closed domain of their own.

        Args:
            name: no other that lives has it.
            phase: how far it is brought at once: "created", "initialized" (its agents are born) or "started".
            params: of platforms, by role.
            factories: `module:name` of platforms that are not ours, by role.

        Raises:
            DuplicateMemberError: the name is taken.
            CommandRefusedError: too many instances, or a platform that could not be made; nothing has changed.
        """
        specs = specs_of(factories or {}, params or {})
        return instance_of(
            self._submit(CreateInstance(checked(str, name, "name"), specs, checked(str, phase, "phase")))
        )

    def initialize_instance(self, who: Who) -> dict[str, Any]:
        """Lets the agents of an instance be born; one that has been initialized stays as it is, and the answer says so."""
        return self._begin_phase(who, INITIALIZED)

    def start_instance(self, who: Who) -> dict[str, Any]:
        """Lets the platforms of an instance live; of one that does already, the answer says so.

        Raises:
            CommandRefusedError: it has not been initialized.
        """
        return self._begin_phase(who, STARTED)

    def _begin_phase(self, who: Who, phase: str) -> dict[str, Any]:
        return self._submit(BeginInstance(self.instance(who).fork, phase))  # type: ignore[no-any-return]

    def instances(self) -> list[FourPlatformInstance]:
        """Every instance that lives."""
        return [instance_of(shown) for shown in self.status().state["instances"]]

    def instance(self, who: Who) -> FourPlatformInstance:
        """The instance of an id or a name, as it is now.

        Raises:
            UnknownInstanceError: there is none.
        """
        return found(self.instances(), who)

    def instance_asked_for(
        self, who: Who, verb: str, principal: str, origin: str = LOCAL, *, scope: str = ""
    ) -> FourPlatformInstance:
        """The instance of an id or a name, for somebody who may ask for something of it.

        Args:
            who: the instance.
            verb: for what, as the audit log spells it.
            principal: who asks.
            origin: where the request comes from: "local", or "http".
            scope: of what a role is needed; "" is of this instance.

        Raises:
            PermissionRefusedError: no role allows it.
            UnknownInstanceError: there is none; it names those that there are, which only those are told who may.
        """
        try:
            found = self.instance(who)
        except UnknownInstanceError:
            self._admit(Caller(principal, verb, origin=origin))
            raise
        try:
            self._admit(Caller(principal, verb, scope or found.instance_id, origin), found.instance_id)
        except PermissionRefusedError:
            if not self._sees(principal, found.instance_id, origin):  # who is there is not everybody's to know:
                self._call("check_permission", Caller(principal, verb, origin=origin))  # in words for who is not there
            raise
        return found

    def _sees(self, principal: str, instance_id: str, origin: str) -> bool:
        try:
            self._call("check_permission", Caller(principal, "query", instance_id, origin))
        except PermissionRefusedError:
            return False
        return True

    def destroy_instance(self, who: Who) -> list[str]:
        """Ends an instance; the ids of its members, which are gone, those of attached realms, too."""
        return self._submit(DropFork(self.instance(who).fork))["removed"]  # type: ignore[no-any-return]

    def attach_game(self, realm_id: str, who: Who, players_to: str = "") -> dict[str, Any]:
        """Takes a realm into an instance's closed domain; what it has under way goes to the dead letters.

        Args:
            realm_id: a realm that is in no closed domain.
            who: the instance.
            players_to: where its players go: nobody can be in a closed domain.

        Returns:
            realm_id, instance_id, players_moved, dropped (ids of events).

        Raises:
            CommandRefusedError: the realm is in a closed domain already, or players are there.
        """
        return self._submit(  # type: ignore[no-any-return]
            AttachGame(
                checked(str, realm_id, "realm id"), self.instance(who).fork, checked(str, players_to, "players_to")
            )
        )

    def modify_instance(self, who: Who, changes: Mapping[str, Any]) -> int:
        """Changes the state of an instance from outside, at the next boundary; all of it or nothing.

        Args:
            who: the instance.
            changes: dotted path, beginning with a role, to value: `runtime.agents.cal_riven.personality.creativity`.

        Returns:
            How many values were set.

        Raises:
            CommandRefusedError: a path that leads nowhere, or a value that does not fit; nothing has changed.
        """
        return self._submit(ModifyMembers(changes_of(self.instance(who), changes)))["changed"]  # type: ignore[no-any-return]

    def revert_instance(self, who: Who, control_tick: int | None = None, *, snapshot: str = "") -> dict[str, Any]:
        """Lets an instance's own time go back, with its attached realms; control time goes on, and so does all else.

        Args:
            who: the instance.
            control_tick: it becomes what it was after this control tick of the present history, before its commands.
            snapshot: or what it was there; the snapshot must be of the present history.

        Returns:
            fork, local_ticks (by member id), dropped (ids of events that were under way), entangled (ids of events that
            have crossed its wall since then).

        Raises:
            CommandRefusedError: it was not there then or had other members, it is too large, or there is no vault.
            EngineError: history cannot be lived again; nothing has changed.
        """
        check_target(control_tick, snapshot)
        tick = 0 if control_tick is None else control_tick
        number = self.instance(who).fork
        then = checked(str, snapshot, "snapshot")
        reply: Reply = self._call("revert_domain", number, tick, then, uuid4().hex, self._principal)
        return reply.value()  # type: ignore[no-any-return]

    def fork_instance(
        self,
        who: Who,
        *,
        count: int | None = None,
        names: Sequence[str] = (),
        modifications: Sequence[Mapping[str, Any]] = (),
        divergent: bool = False,
        control_tick: int | None = None,
        branch: str = "",
        snapshot: str = "",
    ) -> list[FourPlatformInstance]:
        """Copies an instance with its attached realms, all copies or none.

        Args:
            who: the instance.
            count: how many; as many as there are modifications or names if not given, or one.
            names: of the copies; each is named after its origin otherwise.
            modifications: for each copy: dotted path, beginning with a role, to value.
            divergent: whether copies draw by lineages of their own; twins draw as their origin does.
            control_tick: they become what it was after this control tick, before its commands.
            branch: of which history; "" for the one it lives on.
            snapshot: or what it was there. Without any of these, what it is now.

        Raises:
            DuplicateMemberError: a name is taken.
            CommandRefusedError: a modification does not fit, there would be too many instances, or all of it is too large.
            EngineError: history cannot be lived again. Nothing has changed in either case.
        """
        origin = self.instance(who)
        if not isinstance(modifications, list | tuple):
            raise CommandRefusedError(f"modifications must be a list, a map for each copy, not {modifications!r:.80}.")
        changes = tuple(changes_of(origin, one) for one in modifications)
        given = checked_texts(names, "names")
        wanted = ForkGames(
            tuple(origin.members.values()),
            max(1, len(changes), len(given)) if count is None else count,
            divergent,
            changes,
            names=given,
        )
        numbers = [fork.number for fork in self._fork(wanted, control_tick, branch, snapshot)]
        return [one for one in self.instances() if one.fork in numbers]

    def instance_digest(self, who: Who) -> str:
        """The digest of an instance by roles: the same wherever and whenever it lives on; hexadecimal."""
        return self.instance_digest_with_boundary(who).digest

    def instance_digest_with_boundary(self, who: Who) -> DomainDigest:
        """Like `instance_digest`, with the boundary that it is of."""
        return self._call("cut_digest", self.instance(who).fork)  # type: ignore[no-any-return]

    def merge_all_active_platforms(self, who: Who, *, sync_delay_ticks: int = SYNC_DELAY_TICKS) -> UnifiedSnapshot:
        """Merges the four platforms of an instance into one truth. Nothing changes by it, and no tick is lost.

        With a vault it stays there, see `unified_snapshots`.

        Args:
            who: the instance.
            sync_delay_ticks: local ticks ahead at which they are looked at, all at one boundary; of a clock that stands, at
                the present one.

        Raises:
            CommandRefusedError: there is no such instance, or one of its platforms cannot be captured.
            MergeRefusedError: a platform's state is none that can be merged.
        """
        return self.begin_merge(who, sync_delay_ticks=sync_delay_ticks).result()  # type: ignore[no-any-return]

    def begin_merge(self, who: Who, *, sync_delay_ticks: int = SYNC_DELAY_TICKS) -> Ticket:
        """Begins `merge_all_active_platforms`, to be waited for: `wait` says whether it is over, `result` gives it."""
        delay, instance = self._sync_delay_control_ticks(sync_delay_ticks), self.instance(who)
        caller = Caller(self._principal, "merge_all_active_platforms", instance.instance_id)
        self._may(caller.verb, caller.scope)  # now, not only when it is looked at
        return self._begin("unify", instance.fork, delay, caller)

    def _sync_delay_control_ticks(self, sync_delay_ticks: int) -> int:
        delay = checked(int, sync_delay_ticks, "sync_delay_ticks")
        if not 0 <= delay <= SYNC_DELAY_TICKS_MAX:
            raise CommandRefusedError(
                f"sync_delay_ticks must be local ticks from 0 to {SYNC_DELAY_TICKS_MAX:,}, not {delay}."
            )
        return -(-delay // self.settings.control_tick_interval_ticks)

    def unified_snapshots(self, who: Who | None = None) -> list[Unification]:
        """What there is to say of the unified snapshots in the vault, of every branch, in the order in which they were made.

        Args:
            who: only those of this instance; by its id, also one that lives no more. None for all.

        Raises:
            CommandRefusedError: there is no instance of that name.
        """
        made: list[Unification] = self._call("unifications")
        if who is None:
            return made
        is_id = isinstance(who, str) and is_instance_id(who)
        wanted = who if is_id else self.instance(who).instance_id
        return [one for one in made if one.instance_id == wanted]

    def unified_snapshot(self, snapshot_id: str) -> UnifiedSnapshot:
        """A unified snapshot as `merge_all_active_platforms` gave it.

        Raises:
            UnknownSnapshotError: there is none of that id in the vault.
            CommandRefusedError: there is no vault.
            DamagedVaultError: it is not what was written.
        """
        return self._call("unified_snapshot", checked(str, snapshot_id, "snapshot id"))  # type: ignore[no-any-return]

    # --------------------------------------------------------------------------------------------------- standing still

    def freeze(
        self, scope: Sequence[str] = (), *, local_ticks: int = UNTIL_LIFTED, cause: str = FREEZE
    ) -> dict[str, Any]:
        """Lets members stand still, from this boundary on: they get no local time, and their mail waits.

        Args:
            scope: ids of realms, ids or names of instances; empty is everybody.
            local_ticks: that each would have had, after which it thaws by itself; 0 is until it is lifted.
            cause: why; causes stack, and all must lift.

        Returns:
            frozen (ids of members), were_frozen (those that stood still for that cause already; nothing was done to them).

        Raises:
            UnknownMemberError: nobody of that id.
        """
        return self._submit(  # type: ignore[no-any-return]
            Freeze(
                self._ids_of(checked_texts(scope, "scope")),
                checked(str, cause, "cause"),
                checked(int, local_ticks, "local_ticks"),
            )
        )

    def unfreeze(self, scope: Sequence[str] = (), *, cause: str = FREEZE) -> dict[str, Any]:
        """Lifts a cause.

        Returns:
            thawed (ids of members from which it was lifted), still (those of the scope that stand still for others).
        """
        return self._submit(Unfreeze(self._ids_of(checked_texts(scope, "scope")), checked(str, cause, "cause")))  # type: ignore[no-any-return]
