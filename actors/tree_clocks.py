"""A clock whose time is a tree: boundaries get names, history goes back to one of them and on from there.

Nothing is ever overwritten. Going back is leaving: the past is lived again beside the world that stands still, in the
clock's own process; only when that has come out as it was recorded is the new branch written down, in one transaction,
and only then do the members become what they were. Who dies before the commit has changed nothing; who dies after it is
succeeded by a clock on the new branch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from actors.clocks import MasterClock
from actors.core.kernel.commands import (
    STATE_BYTES_MAX,
    Boundary,
    ForkGames,
    Reply,
    RevertGame,
)
from actors.core.kernel.domains import encoded_cut
from actors.core.kernel.errors import CallerError, CommandRefusedError, SoulfraError, told
from actors.core.kernel.settings import BRANCH_CHARACTERS_MAX, is_branch_name
from actors.core.kernel.tables import restore_tables
from actors.headless import Headless
from actors.keyframes import Standing
from actors.pasts import PastChronicle, checked_branch, standing_at
from actors.requests import Asked, Principal, asked_by, check_command_id
from actors.vaults.checks import NOTE_CHARACTERS_MAX
from actors.vaults.records import (
    Branch,
    Snapshot,
    Stretch,
    shared_until,
    unknown_snapshot,
)
from actors.vaults.vaults import Vault

T = TypeVar("T")

NUMBER_CHARACTERS_MAX = 20
ID_OVERHEAD_BYTES = 5
"""Of an id in a document, whatever its length."""


class TreeClock(MasterClock):
    """See `MasterClock`."""

    # --------------------------------------------------------------------------------------------------- snapshots

    def take_snapshot(
        self, name: str = "", reason: str = "", command_id: str = "", principal: Principal = ""
    ) -> Snapshot:
        """Gives the present boundary a name.

        Args:
            name: unique; "" lets one be given.
            reason: for people.
            command_id: the caller's name for this; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.

        Raises:
            CommandRefusedError: the name is taken or cannot be one, or there is no vault.
        """
        _check_texts(name, reason, command_id)
        if "@" in name:
            raise CommandRefusedError(
                f"a name with '@' is for snapshots that come round; choose another than {name!r}."
            )
        asked = Asked(principal, "snapshot", name, command_id)
        return self._audited(asked, lambda: self._take_snapshot(name, reason, command_id, asked))

    def _take_snapshot(self, name: str, reason: str, command_id: str, asked: Asked) -> Snapshot:
        self._check_whole()
        self._vault()
        known = self._chronicle.snapshots()
        for one in known:
            if command_id and one.command_id == command_id:
                return one
            if name and one.snapshot == name:
                raise CommandRefusedError(
                    f"there is a snapshot {name!r} already, of control tick {one.control_tick} on {one.branch}; choose "
                    "another name, or delete that one first."
                )
        digest, boundary = self._take_digest(), self._sequencer.boundary
        self._written(self._seal())
        self._mark_present()
        taken = Snapshot(
            name,
            boundary.branch,
            boundary.control_tick,
            boundary.position,
            digest,
            reason,
            command_id=command_id,
        )
        return self._insisted(lambda: self._chronicle.take_snapshot(taken, asked))

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot of every branch, in the order in which they were taken."""
        return self._at_boundary(self._chronicle.snapshots)

    def delete_snapshot(self, snapshot: str, principal: Principal = "") -> None:
        """Forgets a snapshot. History is not touched.

        Args:
            snapshot: its name.
            principal: who asks, for the audit log.

        Raises:
            UnknownSnapshotError: there is none of that name.
            CommandRefusedError: branches were made from it.
        """
        asked = Asked(principal, "delete_snapshot", snapshot)
        self._audited(asked, lambda: self._delete_snapshot(snapshot, asked))

    def _delete_snapshot(self, snapshot: str, asked: Asked) -> None:
        self._check_whole()
        vault, chronicle = self._vault(), self._chronicle
        self._end_here()  # so that nobody who takes over lives again through where one came round, and takes it again
        chronicle.delete_snapshot(snapshot, self._sequencer.boundary, asked)
        vault.release(chronicle.name)

    # ---------------------------------------------------------------------------------------------------- branches

    def branches(self) -> list[Branch]:
        """Every branch: the first one, then those that left another one, in the order in which they did."""
        chronicle = self._chronicle
        first = Branch(chronicle.founding.settings.branch, "", 0, 0)
        return [first, *chronicle.branches()]

    def revert(
        self,
        control_tick: int,
        branch: str = "",
        snapshot: str = "",
        name: str = "",
        reason: str = "",
        command_id: str = "",
        principal: Principal = "",
    ) -> Branch:
        """Goes back to a boundary and on from there, on a new branch. Whatever is now stays, on the branch it is on.

        A run that is under way goes on from there, too.

        Args:
            control_tick: the boundary after this control tick, before its commands.
            branch: of which history; "" for the present one.
            snapshot: go back to this one instead; its boundary is exactly where it was taken.
            name: of the new branch; "" lets one be given.
            reason: for people.
            command_id: the caller's name for this; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.

        Returns:
            The new branch.

        Raises:
            CommandRefusedError: it has not been yet, the name is taken or cannot be one, or there is no vault.
            UnknownBranchError: there is no such branch.
            UnknownSnapshotError: there is no such snapshot.
            EngineError: history cannot be lived again; nothing has changed.
        """
        _check_texts(name, reason, command_id)
        asked = Asked(principal, "revert", name, command_id)
        return self._audited(asked, lambda: self._revert(control_tick, branch, snapshot, name, reason, asked))

    def _revert(self, control_tick: int, branch: str, snapshot: str, name: str, reason: str, asked: Asked) -> Branch:
        self._check_whole()
        vault, chronicle = self._vault(), self._chronicle
        branches = self.branches()
        for one in branches:
            if asked.command_id and one.command_id == asked.command_id:
                return one
        names = [one.branch for one in branches]
        if name in names:
            raise CommandRefusedError(f"there is a branch {name!r} already; choose another name.")
        control_tick, branch, position = self._meant(control_tick, branch, snapshot)
        self._end_here()
        with self._busy(f"going back to control tick {control_tick}"):
            past = PastChronicle(vault, chronicle.name, control_tick, branch, position)
            boundary, standing = standing_at(past, chronicle.realm_paths)
        left = Branch(
            name or _new_name(names),
            past.owner_of(boundary.instant),
            boundary.control_tick,
            boundary.position,
            reason=reason,
            command_id=asked.command_id,
            snapshot=snapshot,
        )
        before = chronicle.path
        made = self._insisted(lambda: chronicle.leave(left, standing, asked))
        self._become(standing, before)
        self._note_ledger()
        return made

    def revert_realm(
        self, realm_id: str, control_tick: int, snapshot: str = "", command_id: str = "", principal: Principal = ""
    ) -> Reply:
        """Lets one realm's own time go back, on the same branch: control time goes on, and so does everybody else.

        What it has under way, and what is under way to it alone, goes to the dead letters.

        Args:
            realm_id: the realm.
            control_tick: it becomes what it was after this control tick of the present history, before its commands.
            snapshot: or what it was there instead; the snapshot must be of the present history.
            command_id: the caller's name for this; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.

        Returns:
            The reply: realm_id, local_tick, dropped (ids of events), entangled (ids of events that it has exchanged with
            others since then).

        Raises:
            UnknownMemberError: there is no such realm, or was none.
            CommandRefusedError: it was another realm of that id, its state cannot be captured, or is too large.
            EngineError: history cannot be lived again; nothing has changed.
        """
        asked = Asked(principal, RevertGame.__name__, realm_id, command_id)
        return self._audited(asked, lambda: self._revert_realm(realm_id, control_tick, snapshot, asked))

    def _revert_realm(self, realm_id: str, control_tick: int, snapshot: str, asked: Asked) -> Reply:
        self._check_whole()
        if (known := self._sequencer.replies.get(asked.command_id)) is not None:
            return known
        now = self._sequencer.boundary
        with self._as_it_was(realm_id, control_tick, snapshot) as (control_tick, lived):
            if lived.life_of(realm_id) != self._sequencer.removals[realm_id]:
                raise CommandRefusedError(f"{realm_id} was another realm then: that one has been removed since.")
            local_tick, document = lived.capture(realm_id)
            chronicle = self._chronicle
            until = PastChronicle(self._vault(), chronicle.name, now.control_tick, chronicle.branch, now.position)
            entangled = lived.exchanged(until, realm_id)
        size = len(document) + sum(len(one.encode()) + ID_OVERHEAD_BYTES for one in entangled)
        if size > STATE_BYTES_MAX:
            raise CommandRefusedError(
                f"what {realm_id} was, and what it is entangled in, takes {size:,} bytes, and at most {STATE_BYTES_MAX:,} "
                "fit into a command; revert everything instead."
            )
        command = RevertGame(realm_id, control_tick, local_tick, document, entangled)
        return self._carry_out(command, asked.command_id, asked.principal)

    @contextmanager
    def _as_it_was(self, whom: str, control_tick: int, snapshot: str) -> Iterator[tuple[int, Headless]]:
        """Everything at a boundary of the present history, lived again in this process, and its control tick."""
        vault, chronicle = self._vault(), self._chronicle
        control_tick, branch, position = self._meant(control_tick, chronicle.branch, snapshot)
        self._end_here()
        with self._busy(f"finding out what {whom} was at control tick {control_tick}"):
            then = PastChronicle(vault, chronicle.name, control_tick, branch, position)
            boundary, standing = standing_at(then, chronicle.realm_paths)
            instant = boundary.instant
            owner = then.owner_of(instant)
            if not any(one.branch == owner and (one.until is None or instant <= one.until) for one in chronicle.path):
                raise CommandRefusedError(
                    f"snapshot {snapshot!r} is not of the history of branch {chronicle.branch!r}."
                )
            with Headless(chronicle.settings, then.epoch, chronicle.realm_paths) as lived:
                lived.become(standing)
                yield control_tick, lived

    def fork_past(
        self,
        wanted: ForkGames,
        control_tick: int,
        branch: str = "",
        snapshot: str = "",
        command_id: str = "",
        principal: Principal = "",
    ) -> Reply:
        """Copies realms as they were at a boundary that has been; see `forking.py`.

        Args:
            wanted: what is asked; what the realms were is added to it.
            control_tick: after this control tick, before its commands.
            branch: of which history; "" for the present one.
            snapshot: or at this snapshot.
            command_id: the caller's name for this; asked again under the same name, it is not done again.
            principal: who asks, for the audit log.

        Raises:
            UnknownBranchError: there is no such branch.
            UnknownSnapshotError: there is no such snapshot.
            SoulfraError: one of them was not there then, cannot be captured, or all of it is too large.
            EngineError: history cannot be lived again; nothing has changed.
        """
        asked = asked_by(principal, wanted, command_id)
        return self._audited(asked, lambda: self._fork_past(wanted, control_tick, branch, snapshot, asked))

    def _fork_past(self, wanted: ForkGames, control_tick: int, branch: str, snapshot: str, asked: Asked) -> Reply:
        self._check_whole()
        if (known := self._sequencer.replies.get(asked.command_id)) is not None:
            return known
        vault, chronicle = self._vault(), self._chronicle
        control_tick, branch, position = self._meant(control_tick, branch or chronicle.branch, snapshot)
        self._end_here()
        with self._busy(f"finding out what {', '.join(wanted.realm_ids)} were at control tick {control_tick}"):
            then = PastChronicle(vault, chronicle.name, control_tick, branch, position)
            _, standing = standing_at(then, chronicle.realm_paths)
            with Headless(chronicle.settings, then.epoch, chronicle.realm_paths) as lived:
                lived.become(standing)
                cut = lived.cut(wanted.realm_ids)
        left = tuple(
            one if one.branch else msgspec.structs.replace(one, branch=then.owner_of((one.control_tick, one.position)))
            for one in cut.ancestors
        )
        command = msgspec.structs.replace(wanted, past=encoded_cut(msgspec.structs.replace(cut, ancestors=left)))
        return self._carry_out(command, asked.command_id, asked.principal)

    def select(self, branch: str, principal: Principal = "") -> Boundary:
        """Goes on where a branch ends. Whatever is now stays, on the branch it is on.

        Args:
            branch: which.
            principal: who asks, for the audit log.

        Returns:
            The boundary there.

        Raises:
            UnknownBranchError: there is no such branch.
            EngineError: history cannot be lived again; nothing has changed.
        """
        asked = Asked(principal, "select", branch)
        return self._audited(asked, lambda: self._select(branch, asked))

    def _select(self, branch: str, asked: Asked) -> Boundary:
        self._check_whole()
        vault, chronicle = self._vault(), self._chronicle
        checked_branch(chronicle.name, chronicle.branches(), branch, chronicle.founding.settings.branch)
        if branch == chronicle.branch:
            return self._sequencer.boundary
        self._end_here()
        with self._busy(f"going over to branch {branch}"):
            end = PastChronicle.end_of(vault, chronicle.name, branch)
            boundary, standing = standing_at(end, chronicle.realm_paths)
        before = chronicle.path
        self._insisted(lambda: chronicle.select(msgspec.structs.replace(boundary, branch=branch), asked))
        self._become(standing, before)
        chronicle.begin_ledger(self._sequencer.totals.ledger)
        return self._sequencer.boundary

    def _meant(self, control_tick: int, branch: str, snapshot: str) -> tuple[int, str, int | None]:
        """Control tick, branch and position of a snapshot, or else of the boundary that is named before its commands."""
        return self._boundary_of(snapshot) if snapshot else (control_tick, branch, None)

    def _boundary_of(self, snapshot: str) -> tuple[int, str, int | None]:
        known = {one.snapshot: one for one in self._chronicle.snapshots()}
        if (found := known.get(snapshot)) is None:
            raise unknown_snapshot(self._chronicle.name, snapshot, list(known))
        return found.control_tick, found.branch, found.position

    # ------------------------------------------------------------------------------------------------------- parts

    def _audited(self, asked: Asked, action: Callable[[], T]) -> T:
        """Does something at a boundary that tells of itself; of a refusal, this tells."""
        return self._at_boundary(lambda: self._heeded(asked, action))

    def _heeded(self, asked: Asked, action: Callable[[], T]) -> T:
        """Does something, at this boundary, if whoever asks may ask for it; tells of a refusal."""
        try:
            asked.check(self._sequencer.permissions)
            check_command_id(asked.command_id, self._sequencer.replies)
            return action()
        except CallerError as error:
            self._chronicle.tell(asked, self._sequencer.boundary, error.code)
            raise

    def _told(self, asked: Asked, action: Callable[[], T]) -> T:
        """Like `_heeded`, of what does not tell of itself: tells that it was done, too."""

        def told() -> T:
            found = action()
            self._chronicle.tell(asked, self._sequencer.boundary)
            return found

        return self._heeded(asked, told)

    def _vault(self) -> Vault:
        vault = self._chronicle.vault
        if vault is None:
            raise CommandRefusedError("without a vault there is no history to go back to; give the multiverse one.")
        return vault

    def _mark_present(self) -> None:
        """Nobody has seen this branch further than here, so that its end is where it is left."""
        self._marks.mark(self._sequencer.control_tick)

    def _end_here(self) -> None:
        """Writes the present branch down whole, to its end: what it came to must be known to whoever lives it again.

        Raises:
            SoulfraError: it cannot be.
        """
        self._written(self._seal())
        self._mark_present()
        self._write_keyframe()
        self._chronicle.check_written()

    def _insisted(self, write: Callable[[], T]) -> T:
        written: list[T] = []
        self._written(self._insist(lambda: written.append(write())))
        return written[0]

    @staticmethod
    def _written(lost: SoulfraError | None) -> None:
        if lost is not None:
            raise lost

    def _become(self, standing: Standing, path: Sequence[Stretch]) -> None:
        """Lets everything stand as it stood: it is decided and durable, so whatever fails is the end of this clock."""
        before = self._sequencer
        try:
            self._sequencer = self._new_sequencer()
            restore_tables(self._sequencer, standing.tables)
            with self._busy(f"becoming what it was at control tick {self._sequencer.control_tick}"):
                self._fleet.adopt(standing.members)
        except BaseException as error:
            self._broken = told(error)
            if isinstance(error, SoulfraError):
                raise self._broken_off() from None
            raise
        now = self._sequencer.control_tick
        self._marks.reached = now
        self._elapsed_total_ms *= now / max(1, before.control_tick)
        self._propagated = 0
        shared = shared_until(path, self._chronicle.path)
        self._logbook.rewind(now if shared is None else min(now, shared[0]))
        self._state = self._describe()


def _check_texts(name: str, reason: str, command_id: str) -> None:
    """Finds out what the vault would not take before anything is begun."""
    if not isinstance(name, str) or (name and not is_branch_name(name)):
        raise CommandRefusedError(
            f"a name must be at most {BRANCH_CHARACTERS_MAX} printable characters, with no space at either end, no '/' or "
            f"'\\', not beginning with '@', and not '.' or '..'; {name!r:.80} is none."
        )
    for text, what in ((reason, "a reason"), (command_id, "a command's id")):
        if not isinstance(text, str) or len(text) > NOTE_CHARACTERS_MAX or not text.isprintable():
            raise CommandRefusedError(
                f"{what} must be at most {NOTE_CHARACTERS_MAX} printable characters, not {text!r:.80}."
            )


def _new_name(names: list[str]) -> str:
    stem, number = names[0][: BRANCH_CHARACTERS_MAX - NUMBER_CHARACTERS_MAX], len(names) + 1
    while f"{stem}-{number}" in names:
        number += 1
    return f"{stem}-{number}"
