"""What one clock writes into its vault, and how it finds its place when it takes over from another.

The journal is written before an answer leaves, one transaction for all commands of a boundary; keyframes are written
meanwhile, see `keyframes.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import msgspec

from actors.core.kernel.commands import Boundary, JournalEntry
from actors.core.kernel.errors import DamagedVaultError, EngineError
from actors.core.kernel.settings import Settings
from actors.core.kernel.ticking import TickRecord
from actors.fingerprints import changes, fingerprint
from actors.journal_rows import ORDERS, entries_in, row_of
from actors.keyframes import KeyframeWriter, Standing, standing_of
from actors.listings import Lister
from actors.requests import Asked
from actors.vaults.openings import open_vault
from actors.vaults.records import (
    DONE,
    EVERYTHING,
    Audit,
    Balance,
    Branch,
    Chains,
    Instant,
    JournalRow,
    Keyframe,
    Snapshot,
    path_of,
)
from actors.vaults.vaults import Vault

NO_CHAINS = Chains(0, b"")
TOLD_LATELY_MAX = 100
"""Whoever asks a clock's successor again does so within seconds."""

_encode = msgspec.msgpack.Encoder().encode


class Founding(msgspec.Struct, frozen=True):
    """What a multiverse was founded with; whoever takes over goes by it."""

    settings: Settings
    realm_paths: tuple[str, ...] = ()


class Chronicle:
    """The history of one multiverse in a vault, as one clock writes it. Without a vault, it forgets.

    Args:
        vault: where; None remembers nothing. It is closed with the chronicle, and if there can be none.
        name: of the multiverse.
        founding: what it is founded with, if it is new.
        temporary: whether the vault is only there for the clock to survive its own process.

    Attributes:
        name: of the multiverse.
        epoch: this clock's; every clock before it is stale.
        founding: what the multiverse was founded with.
        resumes: whether there is history to go on from.
        branch: which of its histories this is.
        within: whoever lives it again need only live the closed domain that this realm is in; "" for everything.
    """

    within = ""

    def __init__(self, vault: Vault | None, name: str, founding: Founding, *, temporary: bool = False) -> None:
        self._vault = self._reads = vault
        self.name = self._name = name
        self.epoch, self.founding, self.resumes = 1, founding, False
        self._written = self._orders = 0
        self._ledger: dict[str, int] = {}
        self._audits: list[Audit] = []
        self._recorded: tuple[str, int, Chains] = ("", EVERYTHING, NO_CHAINS)
        self._limits, self._paths = founding.settings, founding.realm_paths
        self._damage: tuple[str, ...] = ()
        with ExitStack() as undo:
            if vault is not None:
                undo.callback(vault.close)  # nobody else has it
                opened = vault.begin_epoch(name, _encode(founding))
                self.epoch, self.resumes = opened.epoch, not opened.created
                self.founding = _read_founding(opened.founding, vault.where)
            self._writer = KeyframeWriter(vault, name, self.epoch, self._limits, temporary=temporary)
            self._follow((vault.head(name) if vault is not None else "") or self.founding.settings.branch)
            undo.pop_all()

    def _follow(self, branch: str, known: Sequence[Branch] | None = None) -> None:
        """This is the history of a branch from here on."""
        tree = self.branches() if known is None else known
        if branch not in {self.founding.settings.branch, *(one.branch for one in tree)}:
            raise DamagedVaultError(
                f"the vault says that {self._name!r} lives on branch {branch!r}, which it does not have; restore a copy."
            )
        self.branch = branch
        self.path = path_of(tree, branch)
        self._recorded = ("", EVERYTHING, NO_CHAINS)
        self._ledger = {}
        self._writer.forget()

    @property
    def settings(self) -> Settings:
        """What this history depends on, and the limits that its clock was given."""
        return msgspec.structs.replace(self.founding.settings.with_limits_of(self._limits), branch=self.branch)

    @property
    def left_at(self) -> int:
        """The control tick at which this branch left another one; 0 for the first one."""
        return 0 if len(self.path) < 2 or self.path[-2].until is None else self.path[-2].until[0]

    @property
    def vault(self) -> Vault | None:
        """Where it is written, to be read."""
        return self._vault

    @property
    def realm_paths(self) -> tuple[str, ...]:
        """Users' folders for factories."""
        return tuple(dict.fromkeys((*self._paths, *self.founding.realm_paths)))

    @property
    def remembers(self) -> bool:
        """Whether there is a vault."""
        return self._vault is not None

    @property
    def where(self) -> str:
        """What the vault is called in messages, without secrets; "" without one."""
        return "" if self._vault is None else self._vault.where

    @property
    def durability(self) -> str:
        """In plain words, what survives what."""
        return "Without a vault, history ends with the clock." if self._vault is None else self._vault.durability

    @property
    def shared(self) -> bool:
        """Whether history survives losing the clock's node."""
        return self._vault is not None and self._vault.shared

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of the vault while the clock goes on."""
        error = self._writer.error
        return (*self._damage, *((f"keyframes cannot be written: {error}",) if error else ()))

    def check_written(self) -> None:
        """Makes sure that the last keyframe could be written.

        Raises:
            EngineError: it could not.
        """
        if error := self._writer.error:
            raise EngineError(
                f"branch {self.branch!r} cannot be written down whole ({error.rstrip('.')}), so it is not left; "
                "nothing has changed."
            )

    def check(self) -> None:
        """Makes sure that nobody has taken over.

        Raises:
            StaleEpochError: somebody has.
            VaultError: the vault cannot be read.
        """
        if self._vault is not None:
            self._vault.check(self._name, self.epoch)

    # ----------------------------------------------------------------------------------------------------- orders

    def standing_order(self) -> str:
        """The last order, which holds for a clock that takes over; "" if nobody has ordered anything yet."""
        if self._vault is None:
            return ""
        orders = [row.kind for row in self._vault.rows(self._name, ORDERS)]
        self._orders = len(orders)
        return orders[-1] if orders else ""

    def order(self, order: str, control_tick: int) -> None:
        """Writes down what the clock is to do from here on.

        Raises:
            VaultError: it could not be written.
        """
        if self._vault is not None:
            row = JournalRow(ORDERS, self._orders + 1, control_tick, "", order, "", b"")
            self._vault.append(self._name, self.epoch, [row])
            self._orders += 1

    # -------------------------------------------------------------------------------------------------- the tree

    def branches(self) -> list[Branch]:
        """Every history that left another one, in the order in which they did."""
        return [] if self._vault is None else self._vault.branches(self._name)

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot, in the order in which they were taken; those that came round are written down first.

        Raises:
            VaultError: the vault cannot be read or written.
        """
        if self._vault is None:
            return []
        self._writer.write_snapshots()
        return self._vault.snapshots(self._name)

    def leave(self, branch: Branch, standing: Standing, asked: Asked | None = None) -> Branch:
        """Lets this be the history of a new branch from here on; durable when it returns.

        Args:
            branch: the new branch, without its number.
            standing: how everything stood where it begins.
            asked: who asked for it.

        Raises:
            StaleEpochError: another clock has taken over; nothing was written.
            VaultError: it could not be written.
        """
        if self._vault is None:
            raise EngineError("what is written nowhere has no branches.")
        self.finish()
        audits = _told(asked, Boundary(branch.branch, *branch.instant))
        log = Lister().log_at(branch.control_tick, standing.tables, standing.members)
        self._vault.begin_log(self._name, self.epoch, branch, log)  # first: without its branch it is nobody's
        left = self._vault.leave(self._name, self.epoch, branch, fingerprint(), audits)
        self._follow(left.branch)
        self._written = left.position
        return left

    def select(self, end: Boundary, asked: Asked | None = None) -> None:
        """Lets this be the history of a branch that is there, from where it ends."""
        if self._vault is not None:
            self.finish()
            self._vault.select(self._name, self.epoch, end.branch, end.instant, fingerprint(), _told(asked, end))
            self._follow(end.branch)
            self._written = end.position

    def take_snapshot(self, snapshot: Snapshot, asked: Asked | None = None) -> Snapshot:
        """Writes a snapshot down; durable when it returns.

        Raises:
            CommandRefusedError: its name is taken.
            VaultError: it could not be written.
        """
        if self._vault is None:
            raise EngineError("what is written nowhere has no snapshots.")
        audits = _told(asked, Boundary(snapshot.branch, *snapshot.instant))
        return self._vault.take_snapshots(self._name, self.epoch, [snapshot], audits=audits)[0]

    def delete_snapshot(self, snapshot: str, boundary: Boundary, asked: Asked | None = None) -> None:
        """Forgets a snapshot; see `Vault.delete_snapshot`."""
        if self._vault is not None:
            self._vault.delete_snapshot(self._name, self.epoch, snapshot, _told(asked, boundary))

    # ------------------------------------------------------------------------------------------------------ rules

    def note_rules(self, boundary: Boundary) -> None:
        """Writes down that this history is lived by this program's rules from here on, if it was not before.

        Raises:
            StaleEpochError: another clock has taken over.
            VaultError: it could not be written.
        """
        if self._vault is not None:
            known = self._rules_in(self._vault)
            if not known or known[-1][1] != fingerprint():
                self._vault.note_rules(self._name, self.epoch, self.branch, boundary.instant, fingerprint())

    def check_rules(self, since: Instant, until: Instant) -> None:
        """Makes sure that what is to be lived again was lived by these rules.

        Args:
            since: from which boundary on.
            until: up to which one.

        Raises:
            EngineError: it was lived by others.
        """
        known = [] if self._reads is None else self._rules_in(self._reads)
        before = [found for instant, found in known if instant <= since][-1:]
        for found in (*before, *(found for instant, found in known if since < instant < until)):
            if changed := changes(found, fingerprint()):
                raise EngineError(
                    f"the history of {self._name!r} after control tick {since[0]} was lived by other rules, and cannot be "
                    f"lived again by these: {changed}. Open it with the program that lived it, and take it down there, which "
                    "writes it down whole; or go back to a sealed snapshot."
                )

    def _rules_in(self, vault: Vault) -> list[tuple[Instant, str]]:
        """By which rules this history was lived, from which boundary on."""
        places = {one.branch: (place, one.until) for place, one in enumerate(self.path)}
        known = [
            (instant, places[branch][0], found)
            for branch, instant, found in vault.rules(self._name)
            if branch in places and ((end := places[branch][1]) is None or instant <= end)
        ]
        return [(instant, found) for instant, _, found in sorted(known)]

    # ------------------------------------------------------------------------------------------------------ marks

    def marked(self) -> int:
        """How far somebody may have seen this history; whoever takes over lives as far before anything new is done."""
        return 0 if self._vault is None else self._vault.marked(self._name, self.branch)

    def mark(self, control_tick: int) -> None:
        """Lets history be seen so far, and no further.

        Raises:
            StaleEpochError: another clock has taken over.
            VaultError: it could not be written.
        """
        if self._vault is not None:
            self._vault.mark(self._name, self.epoch, self.branch, control_tick)

    # --------------------------------------------------------------------------------------------------- writing

    def seal(self, journal: list[JournalEntry]) -> None:
        """Makes durable what is new in the journal, and forgets it there; or makes sure that nobody has taken over.

        Raises:
            StaleEpochError: another clock has taken over; nothing was written, and no answer may leave.
            VaultError: it could not be written.
        """
        if self._vault is None:
            return
        fresh = [entry for entry in journal if entry.position > self._written]
        if not fresh and not self._audits:
            self.check()
            return
        rows = [row_of(self.branch, entry) for entry in fresh]
        self._vault.append(self._name, self.epoch, rows, self._writer.balances, self._audits)
        self._written = fresh[-1].position if fresh else self._written
        self._writer.balances, self._audits = [], []
        journal.clear()

    def tell(self, asked: Asked, boundary: Boundary, outcome: str = DONE) -> None:
        """Takes in what was asked and what came of it; it is written with what it tells of, before anybody is answered."""
        if self._vault is not None:
            self._audits.append(asked.told(boundary, outcome))

    def has_told(self, command_id: str) -> bool:
        """Whether the audit log tells of what was asked under this name, among its newest `TOLD_LATELY_MAX` records.

        Raises:
            VaultError: it cannot be read.
        """
        if self._vault is None or not self.resumes:
            return False
        last, _ = self._vault.audit_head(self._name)
        lately = self._vault.audits(self._name, max(0, last - TOLD_LATELY_MAX))
        return any(one.command_id == command_id for one in lately)

    def begin_ledger(self, ledger: Mapping[str, int]) -> None:
        """Takes in what the ledger had come to at a boundary up to which it is written down."""
        self._ledger = dict(ledger)

    def balance(self, boundary: Boundary, ledger: Mapping[str, int]) -> None:
        """Takes in what the ledger came to; what has changed is written with the journal's next rows, or the next keyframe.

        Args:
            boundary: where.
            ledger: balance by conserved quantity.
        """
        if self._vault is None or ledger == self._ledger or boundary.control_tick < self.left_at:
            return
        tick, position = boundary.instant
        for quantity in sorted(ledger.keys() | self._ledger.keys()):
            if (now := ledger.get(quantity, 0)) != self._ledger.get(quantity, 0):
                self._writer.balances.append(Balance(self.branch, quantity, tick, position, now))
        self._ledger = dict(ledger)

    def note(self, record: TickRecord, position: int, worked_s: float) -> None:
        """Takes in what a control tick came to; it is written down with the next keyframe.

        Args:
            record: of the control tick.
            position: of the journal, at its boundary before its commands.
            worked_s: how long it took.
        """
        if self._vault is None:
            return
        self._writer.worked_s += worked_s
        if record.control_tick_id > self.left_at:  # else it was lived again on the way to where it left
            self._writer.note(record, self.branch, position)

    def keyframe_is_due(self) -> bool:
        """Whether somebody should offer a keyframe now."""
        return self._writer.is_due()

    def write_keyframe(self, boundary: Boundary, stand: Callable[[], Standing]) -> None:
        """Writes a boundary down, in the background.

        Args:
            boundary: where the clock stands.
            stand: says how it stands there; asked at once.

        Raises:
            EngineError: the journal up to it has not been sealed.
        """
        if boundary.position != self._written:
            raise EngineError(
                f"a keyframe of journal position {boundary.position} cannot be written: {self._written} is durable."
            )
        self._writer.write(boundary, stand)

    # --------------------------------------------------------------------------------------------------- reading

    def latest_standing(self) -> Standing | None:
        """The newest boundary that was written down whole; None if history has to be lived again from its birth."""
        if self._reads is None:
            return None
        keyframe: Keyframe | None = None
        damaged: list[str] = []
        for stretch in reversed(self.path):
            latest = self._reads.latest_keyframe(self._name, stretch.branch, stretch.until)
            damaged += latest.damaged
            if (keyframe := latest.keyframe) is not None:
                break
        since = "its birth" if keyframe is None else f"control tick {keyframe.control_tick}"
        self._damage = tuple(f"{what} Its history was lived again since {since}." for what in damaged)
        return None if keyframe is None else standing_of(keyframe)

    def recorded_chain(self, control_tick: int, domain: int = EVERYTHING) -> bytes:
        """The head of the digest chain after a control tick of this history; empty if it is not written down.

        Args:
            control_tick: which.
            domain: that of a closed domain by itself.

        Raises:
            VaultError: the vault cannot be read.
        """
        if self._reads is None:
            return b""
        branch = next(one.branch for one in self.path if one.until is None or control_tick <= one.until[0])
        *of, chains = self._recorded
        if of != [branch, domain] or not chains.after(control_tick):
            chains = self._reads.chains(self._name, branch, control_tick, domain) or NO_CHAINS
            self._recorded = branch, domain, chains
        return chains.after(control_tick)

    def entries(self, after: int = 0) -> Iterator[JournalEntry]:
        """The journal after a position, as far as it is in the vault.

        Raises:
            VaultError: it cannot be read.
        """
        if self._vault is not None:
            yield from entries_in(self._vault, self._name, self.path, after)

    def entries_since(self, position: int) -> list[JournalEntry]:
        """The journal after the boundary of a keyframe.

        Raises:
            EngineError: the journal does not reach that boundary: it is older than the keyframe beside it.
        """
        if position == 0:
            return list(self.entries())
        found = list(self.entries(position - 1))
        if not found:
            raise EngineError(
                f"the vault's keyframe is of journal position {position}, which its journal does not have: the two are not "
                "of one history. Put back the journal that belongs to it, or take the keyframes' file away."
            )
        return found[1:]

    def resume_after(self, position: int) -> None:
        """Notes that the journal up to here has been read, not written anew."""
        self._written = position

    def finish(self) -> None:
        """Waits for the keyframe that is being written."""
        self._writer.finish()

    def close(self) -> None:
        """Waits for what is being written."""
        self.finish()
        if self._vault is not None:
            self._vault.close()


def _told(asked: Asked | None, boundary: Boundary) -> list[Audit]:
    return [] if asked is None else [asked.told(boundary)]


def founding_in(vault: str, name: str) -> Founding | None:
    """What a multiverse in a vault was founded with; None if the vault does not know it. A file is made if there is none.

    Raises:
        VaultError: the vault cannot be opened, read or written.
        EngineError: it is of another version of this project.
    """
    with open_vault(vault) as opened:
        return founding_of(opened, name)


def founding_of(vault: Vault, name: str) -> Founding | None:
    """The same of a vault that is open."""
    found = next((one for one in vault.multiverses() if one.name == name), None)
    return None if found is None else _read_founding(found.founding, vault.where)


def _read_founding(document: bytes, where: str) -> Founding:
    try:
        return msgspec.msgpack.decode(document, type=Founding)
    except (ValueError, TypeError) as error:
        raise EngineError(f"{where} holds a multiverse of another version of this project: {error}.") from None


def no_chronicle(settings: Settings) -> Chronicle:
    """Remembers nothing: its clock ends with its process."""
    return Chronicle(None, "", Founding(settings))
