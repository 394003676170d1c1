"""The vault: what must outlive the processes of a multiverse, in a file or on a server.

Theory of operation. A clock that starts takes the next *epoch* of its multiverse; from then on no earlier clock can
write, however alive it is, because every transaction reads the epoch under the lock that giving one out takes. What came
from outside is in the *journal* before it is answered. A *keyframe* only shortens the way back: history is whole without
any. In SQLite the keyframes have a file of their own, for one being written must not hold up the journal (sharing a
write lock stalled a commit by 234 ms); two files share no transaction, so that file has its own copy of the epoch, raised
before `begin_epoch` returns. A new clock therefore never meets a keyframe written after it began by an old one; what an
old one wrote before is of boundaries that the journal has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from actors.vaults.checks import checked_number
from actors.vaults.records import (
    EVERYTHING,
    Audit,
    Balance,
    Branch,
    Chains,
    Instant,
    JournalRow,
    Keyframe,
    KnownMultiverse,
    LatestKeyframe,
    Listing,
    Opened,
    Snapshot,
)

if TYPE_CHECKING:  # SQLAlchemy takes a third of a second to import; who names a vault's type need not pay for that
    from actors.vaults.branches import Branches
    from actors.vaults.journals import Journal
    from actors.vaults.keyframes import Keyframes
    from actors.vaults.snapshots import Snapshots
    from actors.vaults.stores import Store
    from actors.vaults.unified_snapshots import UnifiedSnapshots

NO_BORDERS: Mapping[str, Sequence[int]] = {}
NOTHING_LIVED: Mapping[int, Chains] = {}


class Vault:
    """An open vault. Threads may share it; `open_vault` makes it.

    Attributes:
        unified_snapshots: what merges of the platforms of an instance came to.
        where: what it is called in messages, without secrets.
        durability: in plain words, what survives what.
        shared: whether it survives losing the node of whoever has it open.
    """

    def __init__(
        self,
        journal: "Journal",
        branches: "Branches",
        snapshots: "Snapshots",
        keyframes: "Keyframes",
        unified_snapshots: "UnifiedSnapshots",
        where: str,
        durability: str,
        shared: bool,
    ) -> None:
        self._journal = journal
        self._branches = branches
        self._snapshots = snapshots
        self._keyframes = keyframes
        self.unified_snapshots = unified_snapshots
        self.where = where
        self.durability = durability
        self.shared = shared

    def begin_epoch(self, name: str, founding: bytes) -> Opened:
        """Takes a multiverse over: gives out its next epoch and makes all earlier ones stale.

        Args:
            name: of the multiverse; an unknown one is founded, with epoch 1.
            founding: the founding document of a new multiverse; where there is one already, that is returned.

        Raises:
            CallerError: a key is named with which heads of the audit log are to be signed, and it cannot be used.
            VaultError: bad input, or the vault cannot be written.
        """
        opened = self._journal.begin_epoch(name, founding)
        self._keyframes.raise_fence(name, opened.epoch)
        return opened

    def append(
        self,
        name: str,
        epoch: int,
        rows: Sequence[JournalRow],
        balances: Sequence[Balance] = (),
        audits: Sequence[Audit] = (),
    ) -> None:
        """Writes rows in one transaction; they are durable when this returns.

        Args:
            name: the multiverse.
            epoch: the writer's.
            rows: in order; each branch's positions continue its journal without a gap.
            balances: what the ledger came to, with them or since the last time.
            audits: who asked for them, and for what was refused.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            UncertainWriteError: the store was lost in the middle of the commit: all is written, or nothing.
            VaultError: a gap, a repeat, bad input, or the vault cannot be written; nothing was.
        """
        self._journal.append(name, epoch, rows, balances, audits)

    def check(self, name: str, epoch: int) -> None:
        """Makes sure that nobody has taken over; for an answer that writes nothing.

        Raises:
            StaleEpochError: another epoch is current.
            VaultError: there is no such multiverse, or the vault cannot be read.
        """
        self._journal.check(name, epoch)

    def mark(self, name: str, epoch: int, branch: str, control_tick: int) -> None:
        """Writes down how far somebody may see a branch before its next mark; durable when this returns.

        Args:
            name: the multiverse.
            epoch: the writer's.
            branch: the history.
            control_tick: whoever takes over lives as far before anything new is done. May be less than before.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: bad input, or the vault cannot be written; nothing was.
        """
        self._journal.mark(name, epoch, branch, control_tick)

    def marked(self, name: str, branch: str) -> int:
        """How far somebody may have seen a branch; 0 if nothing is written down.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._journal.marked(name, branch)

    def rows(self, name: str, branch: str, after_position: int = 0) -> Iterator[JournalRow]:
        """The journal of a branch in order, from the row after `after_position`; nothing of an unknown branch.

        Rows are fetched as they are asked for, without holding the vault; what is appended meanwhile is read too.

        Raises:
            DamagedVaultError: rows are missing.
            VaultError: the vault cannot be read.
        """
        return self._journal.rows(name, branch, after_position)

    def audits(self, name: str, after: int = 0) -> Iterator[Audit]:
        """The audit log in order, from the record after number `after`.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._journal.audits.records(name, after)

    def audit_head(self, name: str) -> tuple[int, bytes]:
        """Number and hash of the last record of the audit log; 0 and zeros where there is none.

        Kept elsewhere, it shows whether the log has been cut off or written anew since.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._journal.audits.head(name)

    def audit_faults(
        self, name: str, kept: tuple[int, bytes] | None = None, trusted: Sequence[bytes] = ()
    ) -> list[str]:
        """What is wrong with the audit log, one line each; nothing if all is well.

        Args:
            name: the multiverse.
            kept: a head of it that was kept elsewhere.
            trusted: public keys; given any, each signed head must be signed by one of them, and there must be one,
                unless a head was kept. Without, a head is held against the key that it carries itself.

        Raises:
            VaultError: the vault cannot be read.
        """
        from actors.vaults.verifications import audit_faults_in  # with SQLAlchemy; see above

        return audit_faults_in(name, self._journal, kept, trusted)

    def multiverses(self) -> list[KnownMultiverse]:
        """Every multiverse, by name.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._journal.multiverses()

    def save_keyframe(
        self,
        name: str,
        epoch: int,
        keyframe: Keyframe,
        borders: Mapping[str, Sequence[int]] = NO_BORDERS,
        lived: Mapping[int, Chains] = NOTHING_LIVED,
        kept_max: int | None = None,
        listings: Sequence[Listing] = (),
    ) -> None:
        """Writes a keyframe, all of it or nothing.

        Keyframes of the branch at or after the same boundary are dropped: this clock has not been there. So are some of
        those before, when they are too many: the further back, the fewer stay.

        Args:
            name: the multiverse.
            epoch: the writer's.
            keyframe: what is written.
            borders: by name of document, offsets where to cut it; a piece that stays as it was is stored once.
            lived: the digest chain after each control tick since the keyframe before, of `EVERYTHING` and of closed domains
                by their numbers; takes the place of what there was of these control ticks and later ones.
            kept_max: how many keyframes a branch may have; None for any number.
            listings: members' states in tables of their own, which become so.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: bad input, or the vault cannot be written; nothing was.
        """
        self._keyframes.save(name, epoch, keyframe, borders, lived, kept_max, listings)

    def begin_log(self, name: str, epoch: int, branch: Branch, listing: Listing) -> None:
        """Lets a log of a branch that is to be left for begin with all that its parent's has of what they share.

        The branch need not be there yet; what was there of another one of its name goes.

        Args:
            name: the multiverse.
            epoch: the writer's.
            branch: the new branch.
            listing: the log as it is remembered where the branch begins; whoever is not named in its `since` has nothing.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: the vault cannot be written; nothing was.
        """
        self._keyframes.begin_log(name, epoch, branch, listing)

    def seal(self, name: str, epoch: int, keyframe: Keyframe, borders: Mapping[str, Sequence[int]]) -> None:
        """Writes a keyframe that stays, beside the others; a second time is no change.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: bad input, or the vault cannot be written; nothing was.
        """
        self._keyframes.seal(name, epoch, keyframe, borders)

    def unseal(self, name: str, branch: str, instant: Instant) -> None:
        """Lets a keyframe go that was written to stay; where there is none it is no change.

        Raises:
            VaultError: the vault cannot be written; nothing was.
        """
        self._keyframes.unseal(name, branch, instant)

    def seals(self, name: str) -> list[tuple[str, Instant]]:
        """Branch and boundary of every keyframe that stays.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._keyframes.seals(name)

    def latest_keyframe(self, name: str, branch: str, until: Instant | None = None) -> LatestKeyframe:
        """The newest keyframe of a branch whose every document is what was written, and what is wrong with newer ones.

        Args:
            name: the multiverse.
            branch: the history.
            until: only boundaries up to this one; None means all.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._keyframes.latest(name, branch, until)

    def chains(self, name: str, branch: str, control_tick: int, domain: int = EVERYTHING) -> Chains | None:
        """The digest chains written down last from this control tick or an earlier one on; None if there are none.

        Args:
            name: the multiverse.
            branch: the history.
            control_tick: of which a chain is looked for.
            domain: those of this closed domain by itself.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._keyframes.chains(name, branch, control_tick, domain)

    # ---------------------------------------------------------------------------------------------------- branches

    def leave(
        self, name: str, epoch: int, branch: Branch, fingerprint: str = "", audits: Sequence[Audit] = ()
    ) -> Branch:
        """Lets the multiverse leave its history for a new one, which begins at a boundary of an old one.

        One transaction: the branch is there, the multiverse lives on it, and it may be seen as far as where it began.

        Args:
            name: the multiverse.
            epoch: the writer's.
            branch: without its number, which is given here.
            fingerprint: of the rules by which it is lived; "" for those of its parent.
            audits: who asked for it.

        Returns:
            The branch with its number.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: the name is taken, bad input, or the vault cannot be written; nothing was.
        """
        return self._branches.leave(name, epoch, branch, fingerprint, audits)

    def select(
        self,
        name: str,
        epoch: int,
        branch: str,
        end: Instant = (0, 0),
        fingerprint: str = "",
        audits: Sequence[Audit] = (),
    ) -> None:
        """Lets the multiverse live on a branch that is there; nothing of any branch changes.

        Args:
            name: the multiverse.
            epoch: the writer's.
            branch: which one.
            end: where it ends now.
            fingerprint: of the rules by which it is lived from there on; "" for the same as before.
            audits: who asked for it.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: the vault cannot be written; nothing was.
        """
        self._branches.select(name, epoch, branch, end, fingerprint, audits)

    def head(self, name: str) -> str:
        """The branch that a multiverse lives on; "" if it has never left its first one.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._branches.head(name)

    def branches(self, name: str) -> list[Branch]:
        """Every branch of a multiverse but its first one, in the order in which they came to be.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._branches.known(name)

    def note_rules(self, name: str, epoch: int, branch: str, instant: Instant, fingerprint: str) -> None:
        """Writes down by which rules a branch is lived from a boundary on.

        Raises:
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: the vault cannot be written; nothing was.
        """
        self._branches.note_rules(name, epoch, branch, instant, fingerprint)

    def rules(self, name: str) -> list[tuple[str, Instant, str]]:
        """Branch, boundary and fingerprint, wherever a multiverse began to be lived by other rules.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._branches.rules(name)

    # --------------------------------------------------------------------------------------------------- snapshots

    def take_snapshots(
        self,
        name: str,
        epoch: int,
        taken: list[Snapshot],
        kept_max: int | None = None,
        audits: Sequence[Audit] = (),
    ) -> list[Snapshot]:
        """Writes snapshots down, all of them or none; one without an id is given one.

        Of a branch where some come round, some of those that did go when they are too many: the further back, the fewer
        stay. One from which a branch was made stays, and one that is sealed. What has come round once does not again,
        even if it has gone.

        Args:
            name: the multiverse.
            epoch: the writer's.
            taken: of each branch in the order of its control ticks.
            kept_max: how many that came round a branch may have, beside those that stay; None for any number.
            audits: who asked for them.

        Returns:
            Those that were written, some of which may have gone at once.

        Raises:
            CommandRefusedError: an id is taken; nothing was written.
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: bad input, or the vault cannot be written; nothing was.
        """
        return self._snapshots.take(name, epoch, taken, kept_max, lambda: self._keyframes.seals(name), audits)

    def delete_snapshot(self, name: str, epoch: int, snapshot: str, audits: Sequence[Audit] = ()) -> None:
        """Forgets a snapshot. History is not touched.

        Raises:
            UnknownSnapshotError: there is none.
            CommandRefusedError: branches were made from it.
            StaleEpochError: another epoch is current; nothing was written.
            VaultError: the vault cannot be written; nothing was.
        """
        self._snapshots.delete(name, epoch, snapshot, audits)

    def snapshots(self, name: str) -> list[Snapshot]:
        """Every snapshot of a multiverse, in the order in which they were taken.

        Raises:
            VaultError: the vault cannot be read.
        """
        return self._snapshots.known(name)

    # ------------------------------------------------------------------------------------------------- maintenance

    @property
    def stores(self) -> "tuple[Store, Store]":
        """Where the journal is, and where the keyframes are."""
        return self._journal.store, self._keyframes.store

    def prune(self, name: str, kept_max: int) -> int:
        """Lets keyframes of each branch go until no more than so many are left; the further back, the fewer stay.

        Those that were sealed stay, as long as there is a snapshot of their boundary. History stays whole: what was between
        them takes longer to be lived again.

        Returns:
            How many went.

        Raises:
            VaultError: the vault cannot be written.
        """
        checked_number(kept_max, "the number of keyframes to keep", 3)
        return self.release(name) + self._keyframes.prune(name, kept_max)

    def prune_snapshots(self, name: str, kept_max: int) -> int:
        """Lets snapshots that came round go, as `take_snapshots` does, of every branch. History is not touched.

        Returns:
            How many went.

        Raises:
            VaultError: the vault cannot be written; nothing was.
        """
        checked_number(kept_max, "the number of snapshots to keep", 3)
        return self._snapshots.prune(name, kept_max, lambda: self._keyframes.seals(name))

    def release(self, name: str) -> int:
        """Lets sealed keyframes go whose boundary no snapshot has any more.

        Returns:
            How many went.

        Raises:
            VaultError: the vault cannot be written.
        """
        from actors.vaults.verifications import unnamed_seals  # with SQLAlchemy; see above

        forgotten = unnamed_seals(self.branches(name), self.snapshots(name), self.seals(name))
        for branch, instant in forgotten:
            self.unseal(name, branch, instant)
        return len(forgotten)

    def compact(self) -> None:
        """Gives the room of what was let go back to the disk; on a server that is the server's business.

        Raises:
            VaultError: the vault cannot be written.
        """
        for store in self.stores:
            store.compact()

    def faults(
        self,
        name: str,
        is_readable: Callable[[JournalRow], bool] = lambda row: True,
    ) -> list[str]:
        """Reads everything there is of a multiverse, and says what is wrong with it, one line each; nothing if all is well.

        What a clock writes meanwhile may look wrong in passing, so only what is still wrong at a second look is told.

        Args:
            name: the multiverse.
            is_readable: whether a row of the journal can be read by those who write it; the vault does not know.

        Raises:
            VaultError: the vault cannot be read at all.
        """
        from actors.vaults.verifications import Found, faults_in  # with SQLAlchemy; see above

        if name not in {one.name for one in self.multiverses()}:
            return [f"there is no multiverse {name!r}"]

        def look() -> list[str]:
            branches = self.branches(name)
            marks = {branch: self.marked(name, branch) for one in branches for branch in (one.branch, one.parent)} | {
                one.branch: self.marked(name, one.branch) for one in self.snapshots(name)
            }
            found = Found(
                name, self.head(name), branches, marks, self.snapshots(name), self.seals(name), self.rules(name)
            )
            faults = faults_in(found, self._journal, self._keyframes, is_readable)
            return faults + self.unified_snapshots.faults(name)

        seen = look()
        again = set(look()) if seen else set()
        return [fault for fault in seen if fault in again]

    def close(self) -> None:
        """Waits for writes under way. A second time is no change."""
        self._keyframes.close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.where}>"
