"""Remembering: a multiverse's past, looked at and gone back to, and what would have come of it otherwise.

Time is a tree: nothing is ever overwritten. Whoever goes back goes on from there on a new branch.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from actors.core.kernel.commands import Boundary, DropFork, ForkGames, Reply
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.states import Difference
from actors.vaults.records import Branch, Snapshot, unknown_snapshot
from orchestration.arguments import check_target, checked, checked_texts
from orchestration.commanding import Commanding
from orchestration.engines import Engine
from orchestration.forks import Fork, forked_from, modifications_of
from orchestration.pasts import Past, differing
from orchestration.progress import branch_bar

if TYPE_CHECKING:
    from orchestration.time_trees import HistoryTree


class Remembering(Commanding):
    """Any boundary can be looked at again, named, gone back to, and branched and forked from.

    Args:
        engine: where the multiverse lives.
        name: see `Reading`.
        home: its name in its vault, and the vault; None if this driver has not named the vault.
        realm_paths: users' folders for factories.
        principal: see `Commanding`.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        home: tuple[str, str] | None,
        realm_paths: tuple[str, ...],
        principal: str,
    ) -> None:
        super().__init__(engine, name, principal)
        self._home, self._realm_paths = home, realm_paths

    # ----------------------------------------------------------------------------------------------------- looking back

    def at(self, control_tick: int | None = None, *, branch: str = "", snapshot: str = "", realm: str = "") -> Past:
        """A boundary that has been, lived again in this process to look at: the multiverse itself is not disturbed.

        Args:
            control_tick: the boundary after this one, before its commands.
            branch: of which history; "" for the one it lives on.
            snapshot: instead of both, the boundary at which this was taken.
            realm: only the smallest closed domain around this realm is lived again: its fork, or all that is in no fork.

        Raises:
            UnknownMemberError: there was no such realm then.
            CommandRefusedError: it has not been yet, or this driver has not named the vault itself; see `Past` then.
            UnknownBranchError: there is no such branch.
            UnknownSnapshotError: there is no such snapshot.
            EngineError: history cannot be lived again.
        """
        if self._home is None:
            raise CommandRefusedError("the past is read from a vault that the driver names; see orchestration.pasts.")
        name, vault = self._home
        if snapshot:
            if control_tick is not None or branch:
                raise CommandRefusedError(
                    "a snapshot is a boundary already; leave the control tick and the branch out."
                )
            taken = self._snapshot_of(snapshot)
            control_tick, branch, position = taken.control_tick, taken.branch, taken.position
        else:
            present, position = self.boundary(), None
            if isinstance(control_tick, int) and control_tick > present.control_tick and branch in ("", present.branch):
                raise CommandRefusedError(
                    f"control tick {control_tick} has not been yet: the clock stands at {present.control_tick}."
                )
        where = {"branch": branch, "position": position, "realm": checked(str, realm, "realm")}
        return Past(vault, name, control_tick, self._realm_paths, **where)  # type: ignore[arg-type]

    def snapshot(self, name: str = "", reason: str = "") -> Snapshot:
        """Gives the present boundary a name; the world does not stop for more than that.

        Args:
            name: unique; "" lets one be given.
            reason: for people.

        Raises:
            CommandRefusedError: the name is taken or cannot be one, or there is no vault.
        """
        return self._call("take_snapshot", name, reason, uuid4().hex, self._principal)  # type: ignore[no-any-return]

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot of every branch, in the order in which they were taken."""
        return self._call("snapshots")  # type: ignore[no-any-return]

    def delete_snapshot(self, name: str) -> None:
        """Forgets a snapshot. History is not touched.

        Raises:
            UnknownSnapshotError: there is none of that name.
            CommandRefusedError: branches were made from it.
        """
        self._call("delete_snapshot", checked(str, name, "snapshot"), self._principal)

    def _snapshot_of(self, name: str) -> Snapshot:
        known = {one.snapshot: one for one in self.snapshots()}
        if checked(str, name, "snapshot") not in known:
            raise unknown_snapshot(self.name, name, list(known))
        return known[name]

    def diff(self, one: str, other: str) -> dict[str, list[Difference]]:
        """What differs between two snapshots: by member, then by section, object and attribute.

        A member that only one of them has is told as one difference of section "".

        Raises:
            UnknownSnapshotError: there is no such snapshot.
            EngineError: history cannot be lived again.
        """
        with self.at(snapshot=one) as left, self.at(snapshot=other) as right:
            return differing(left, right)

    def history(self) -> "HistoryTree":
        """The tree of histories with the snapshots on it, to be looked at.

        Raises:
            CommandRefusedError: this driver has not named the vault itself; see `soulfra history show`.
        """
        from orchestration.time_trees import HistoryTree, tree_of

        if self._home is None:
            raise CommandRefusedError("the tree is read from a vault that the driver names; see soulfra history show.")
        self.snapshots()  # those that came round are written down
        return HistoryTree(tree_of(self._home[1], self._home[0]))

    def branches(self) -> list[Branch]:
        """Every branch: the first one, then those that left another one, in the order in which they did."""
        return self._call("branches")  # type: ignore[no-any-return]

    # ------------------------------------------------------------------------------------------------------- going back

    def revert(
        self,
        control_tick: int | None = None,
        *,
        branch: str = "",
        snapshot: str = "",
        name: str = "",
        reason: str = "",
    ) -> Branch:
        """Lets everything go back to a boundary and on from there, on a new branch; whatever is now stays on its own.

        Args:
            control_tick: the boundary after this one, before its commands.
            branch: of which history; "" for the one it lives on.
            snapshot: instead of both, the boundary at which this was taken.
            name: of the new branch; "" lets one be given.
            reason: for people.

        Returns:
            The new branch: its name, and where it left which other one.

        Raises:
            CommandRefusedError: it has not been yet, the name is taken or cannot be one, or there is no vault.
            UnknownBranchError: there is no such branch.
            UnknownSnapshotError: there is no such snapshot.
            EngineError: history cannot be lived again; nothing has changed.
        """
        check_target(control_tick, snapshot)
        if snapshot and branch:
            raise CommandRefusedError("a snapshot is of a branch of its own; leave the branch out.")
        for text, what in ((branch, "branch"), (snapshot, "snapshot"), (name, "name"), (reason, "reason")):
            checked(str, text, what)
        tick = 0 if control_tick is None else control_tick
        where = (tick, branch, snapshot)
        return self._call("revert", *where, name, reason, uuid4().hex, self._principal)  # type: ignore[no-any-return]

    def revert_realm(self, realm_id: str, control_tick: int | None = None, *, snapshot: str = "") -> dict[str, Any]:
        """Lets one realm's own time go back, on the same branch; control time goes on, and so does everybody else.

        Args:
            realm_id: the realm.
            control_tick: it becomes what it was after this control tick of the present history, before its commands.
            snapshot: or what it was there; the snapshot must be of the present history.

        Returns:
            realm_id, local_tick, dropped (ids of events that were under way from it, or to it alone, and went to the dead
            letters), entangled (ids of events that it has exchanged with others since then: they remember, it does not).

        Raises:
            UnknownMemberError: there is no such realm, or was none then.
            CommandRefusedError: it was another realm of that id, its state cannot be captured or is too large, or there
                is no vault.
            EngineError: history cannot be lived again; nothing has changed.
        """
        check_target(control_tick, snapshot)
        checked(str, realm_id, "realm id")
        tick = 0 if control_tick is None else control_tick
        then = checked(str, snapshot, "snapshot")
        reply: Reply = self._call("revert_realm", realm_id, tick, then, uuid4().hex, self._principal)
        return reply.value()  # type: ignore[no-any-return]

    def select(self, branch: str) -> Boundary:
        """Goes on where a branch ends; whatever is now stays on its own.

        Raises:
            UnknownBranchError: there is no such branch.
            EngineError: history cannot be lived again; nothing has changed.
        """
        return self._call("select", checked(str, branch, "branch"), self._principal)  # type: ignore[no-any-return]

    # ---------------------------------------------------------------------------------------------------------- what if

    def fork(
        self,
        realm_ids: Sequence[str],
        *,
        count: int | None = None,
        modifications: Sequence[Mapping[str, Any]] = (),
        divergent: bool = False,
        control_tick: int | None = None,
        branch: str = "",
        snapshot: str = "",
    ) -> list[Fork]:
        """Copies realms into closed domains that live on beside them, all of them or none.

        A copy is known by `realm~number`; within its fork it is what its origin is, so an unmodified twin lives the same
        life. Nothing is delivered between a fork and anybody else; players stay behind.

        Args:
            realm_ids: whom; of one fork, if they are copies themselves.
            count: how many copies of all of them; as many as there are modifications if not given, or one.
            modifications: for each copy: dotted path, beginning with the realm's id, to value; see `modify`.
            divergent: whether copies draw by lineages of their own; twins draw as their origins do.
            control_tick: they become what the realms were after this control tick, before its commands.
            branch: of which history; "" for the one it lives on.
            snapshot: or what they were there. Without any of these, what they are now.

        Raises:
            UnknownMemberError: there is no such realm, or was none then.
            CommandRefusedError: one cannot be captured or is in error, a modification does not fit, or all of it is too
                large for a command.
            EngineError: history cannot be lived again. Nothing has changed in either case.
        """
        ids = checked_texts(realm_ids, "realm ids")
        changes = modifications_of(ids, modifications)
        wanted = ForkGames(ids, max(1, len(changes)) if count is None else count, divergent, changes)
        return self._fork(wanted, control_tick, branch, snapshot)

    def _fork(self, wanted: ForkGames, control_tick: int | None, branch: str, snapshot: str) -> list[Fork]:
        if (control_tick is not None and snapshot) or (branch and control_tick is None):
            raise CommandRefusedError("a fork begins now, or at a control tick (of a branch), or else at a snapshot.")
        if control_tick is None and not snapshot:
            return forked_from(self._submit(wanted))
        for text, what in ((branch, "branch"), (snapshot, "snapshot")):
            checked(str, text, what)
        where = (control_tick or 0, branch, snapshot)
        reply: Reply = self._call("fork_past", wanted, *where, uuid4().hex, self._principal)
        return forked_from(reply.value())

    def forks(self) -> list[Fork]:
        """Every fork that lives."""
        found: dict[int, dict[str, str]] = {}
        for game in self.status().state["games"]:
            if game["fork"]:
                found.setdefault(game["fork"], {})[game["role"]] = game["realm_id"]
        return [Fork(number, realms) for number, realms in sorted(found.items())]

    def drop_fork(self, fork: Fork | int) -> list[str]:
        """Ends a fork; the ids of its realms, which are gone.

        Raises:
            CommandRefusedError: there is no such fork.
        """
        number = fork.number if isinstance(fork, Fork) else checked(int, fork, "fork")
        return self._submit(DropFork(number))["removed"]  # type: ignore[no-any-return]

    def sweep(
        self,
        table: Sequence[Mapping[str, Any]],
        control_ticks: int,
        *,
        snapshot: str = "",
        control_tick: int | None = None,
        branch: str = "",
        measures: Sequence[str] = (),
        every: int = 0,
    ) -> list[dict[str, Any]]:
        """What would come of it if: from one boundary a branch for each modification of a table, into one tidy table.

        The multiverse itself is not disturbed: the branches live headless, on Ray as tasks. See
        `orchestration.sweeps.sweep`.

        Args:
            table: for each branch its modifications: dotted path, beginning with the member's id, to value.
            control_ticks: how long each lives.
            snapshot: where they begin.
            control_tick: or else: the boundary after this control tick, before its commands.
            branch: of which history; "" for the one it lives on.
            measures: `member.measure` each; none means all that there are.
            every: collect them every so many control ticks, not only at the end.

        Raises:
            CommandRefusedError: a path that leads nowhere, a value that does not fit, or this driver has not named the
                vault itself; nothing was run.
            SoulfraError: the boundary cannot be had.
        """
        from orchestration.sweeps import sweep  # it stands on everything else

        if self._home is None:
            raise CommandRefusedError("a sweep reads the vault that the driver names; see orchestration.sweeps.")
        name, vault = self._home
        self.boundary()  # whoever is taking its place has taken it
        with branch_bar(len(table)) as show:
            return sweep(
                vault,
                name,
                table,
                control_ticks,
                snapshot=snapshot,
                control_tick=control_tick,
                branch=branch,
                measures=measures,
                every=every,
                engine=self.engine,
                realm_paths=self._realm_paths,
                progress=show,
            )
