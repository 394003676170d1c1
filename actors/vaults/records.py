"""What goes into a vault and comes out of it."""

from collections.abc import Iterable, Mapping

import msgspec

from actors.core.kernel.errors import DamagedVaultError, UnknownSnapshotError


class JournalRow(msgspec.Struct, frozen=True):
    """One outside input at its place in the history of a branch. The vault reads none of it but branch and position.

    Attributes:
        branch: the history it belongs to.
        position: 1 for the first of a branch, then growing by one.
        control_tick: the control tick that its boundary follows.
        command_id: by which a repeated command is known.
        kind: what sort of input it is.
        subject: the member it concerns; empty if none.
        payload: the input, encoded.
    """

    branch: str
    position: int
    control_tick: int
    command_id: str
    kind: str
    subject: str
    payload: bytes


DECISION = "decision"
"""The kind of a row that nobody asked for: the clock has decided."""
OWN_MARK = "@"
"""With this, names begin that are nobody's history: what is written under them, nobody has asked for."""


class Opened(msgspec.Struct, frozen=True):
    """A multiverse taken over by a new clock.

    Attributes:
        epoch: the new clock's; every earlier one is stale from now on.
        founding: the document the multiverse was founded with, by whoever was first.
        created: whether this call founded it.
    """

    epoch: int
    founding: bytes
    created: bool


class KnownMultiverse(msgspec.Struct, frozen=True):
    """A multiverse of a vault, its current epoch and its founding document."""

    name: str
    epoch: int
    founding: bytes


class Keyframe(msgspec.Struct, frozen=True):
    """All states at one boundary, so that a new clock need not replay a branch from its birth.

    Attributes:
        branch: the history it belongs to.
        control_tick: the control tick that the boundary follows.
        position: of the last journal row that is in it; 0 if none is.
        documents: encoded states by name.
    """

    branch: str
    control_tick: int
    position: int
    documents: Mapping[str, bytes]

    @property
    def instant(self) -> "Instant":
        """Control tick and position."""
        return self.control_tick, self.position


Instant = tuple[int, int]
"""Control tick and journal position: a boundary, where the branch is known."""

EVERYTHING = -1
"""Instead of the number of a closed domain: all of a multiverse."""
CHAIN_BYTES = 8
"""Of each chain's 32: enough to tell one life from another; at 20 control ticks a second, 14 MB a day."""


def head_of(chain: bytes) -> bytes:
    """What is written down of a chain; of one in which no digest has been folded yet, zeros."""
    return chain[:CHAIN_BYTES].ljust(CHAIN_BYTES, b"\0")


class Chains(msgspec.Struct, frozen=True):
    """The digest chain after each of some control ticks.

    Attributes:
        first_tick: the first of them.
        chains: the head of each, one after another.
    """

    first_tick: int
    chains: bytes

    def after(self, control_tick: int) -> bytes:
        """The chain's head after a control tick; empty if it is not here."""
        at = (control_tick - self.first_tick) * CHAIN_BYTES
        return self.chains[at : at + CHAIN_BYTES] if at >= 0 else b""


class Branch(msgspec.Struct, frozen=True):
    """A history that left another one.

    Attributes:
        branch: its name.
        parent: the history it left.
        control_tick: of the boundary where it left.
        position: of the last journal row of the parent that is in its history, too; its own positions go on from there.
        number: in the order in which they came to be, from 1.
        reason: for people.
        command_id: the caller's name for the command that made it, by which a repeated one is known; "" for none.
        snapshot: the snapshot it was made from, which must stay; "" for none.
    """

    branch: str
    parent: str
    control_tick: int
    position: int
    number: int = 0
    reason: str = ""
    command_id: str = ""
    snapshot: str = ""

    @property
    def instant(self) -> "Instant":
        """Control tick and position."""
        return self.control_tick, self.position


class Stretch(msgspec.Struct, frozen=True):
    """A part of a history: what it has of one branch.

    Attributes:
        branch: whose.
        until: up to this boundary; None for all there is.
    """

    branch: str
    until: Instant | None = None


def path_of(branches: Iterable[Branch], branch: str) -> list[Stretch]:
    """What the history of a branch consists of: of each branch on the way to it, how much, the first one first.

    Args:
        branches: of the multiverse.
        branch: one of them, or the first one.

    Raises:
        DamagedVaultError: a branch that left itself.
    """
    by_name = {one.branch: one for one in branches}
    path = [Stretch(branch)]
    until: Instant | None = None
    while (left := by_name.get(path[0].branch)) is not None:
        there = left.instant
        until = there if until is None else min(there, until)
        path.insert(0, Stretch(left.parent, until))
        if len(path) > len(by_name) + 1:
            raise DamagedVaultError(f"the branch {branch!r} descends from itself; restore a copy of the vault.")
    return path


def owner_of(path: Iterable[Stretch], instant: Instant) -> str:
    """The branch that a boundary of a history is part of."""
    return next(one.branch for one in path if one.until is None or instant <= one.until)


def shared_until(one: Iterable[Stretch], other: Iterable[Stretch]) -> Instant | None:
    """Up to which boundary two histories are one; None if they are the same, (-1, 0) if they share nothing."""
    shared: Instant | None = (-1, 0)
    for a, b in zip(one, other, strict=False):
        if a.branch != b.branch:
            break
        ends = [end for end in (a.until, b.until) if end is not None]
        shared = min(ends) if ends else None
        if a.until != b.until:
            break
    return shared


class Balance(msgspec.Struct, frozen=True):
    """What had been created, less what had been destroyed, of a conserved quantity at a boundary."""

    branch: str
    quantity: str
    control_tick: int
    position: int
    balance: int


class Audit(msgspec.Struct, frozen=True):
    """One record of the audit log.

    Attributes:
        at: when, on the wall clock of whoever carried it out: UTC, ISO 8601.
        principal: who asked.
        verb: for what.
        subject: of whom; "" if of nobody in particular.
        command_id: the caller's name for it; "" for none.
        branch: where history stood when it had been done.
        control_tick: see `branch`.
        position: see `branch`.
        outcome: `DONE`, `LOOKED`, or the code of the error that refused it.
        number: from 1, without a gap; 0 before it is written.
        sha256: of this record and the one before; empty before it is written.
    """

    at: str
    principal: str
    verb: str
    subject: str
    command_id: str
    branch: str
    control_tick: int
    position: int
    outcome: str
    number: int = 0
    sha256: bytes = b""


DONE = "done"
LOOKED = "dry_run"
"""Of what was only to be looked at: nothing came of it."""
"""The outcome of what was carried out."""


class Listing(msgspec.Struct, frozen=True):
    """The rows of a table of members' states, at a boundary.

    Attributes:
        listing: which table, a key of `tables.LISTINGS`.
        control_tick: after which they were so.
        rows: by what the table's key has after the branch; each has the columns that are not of the key.
        since: of a log, by the first of those columns: the `number` from which on these rows are all that there are. What
            comes before stays as it was written, and so does what is of nobody named here. None is for no log: these rows
            are all.
    """

    listing: str
    control_tick: int
    rows: Mapping[tuple[str, ...], Mapping[str, object]]
    since: Mapping[str, int] | None = None


class Unification(msgspec.Struct, frozen=True):
    """That the four platforms of an instance were made into one truth: what there is to say of a unified snapshot without it.

    Attributes:
        snapshot_id: its id.
        number: in the order in which they were made, from 1.
        branch: of the boundary.
        control_tick: of the boundary.
        position: the journal position of the boundary.
        instance_id: whose platforms they were.
        instance: its name then.
        local_tick: its local time.
        conflicts: how many there were.
    """

    snapshot_id: str
    number: int
    branch: str
    control_tick: int
    position: int
    instance_id: str
    instance: str
    local_tick: int
    conflicts: int


HAND, INTERVAL = "hand", "interval"
"""Why a snapshot was taken: somebody asked for it, or it came round."""


class Snapshot(msgspec.Struct, frozen=True):
    """A boundary that has a name.

    Attributes:
        snapshot: its id.
        branch: the history.
        control_tick: the control tick that the boundary follows.
        position: of the last journal row that is in it.
        digest: of the multiverse there, hexadecimal.
        reason: for people.
        origin: `HAND` or `INTERVAL`.
        number: in the order in which they were taken, from 1.
        command_id: the caller's name for the command that took it; "" for none.
    """

    snapshot: str
    branch: str
    control_tick: int
    position: int
    digest: str
    reason: str = ""
    origin: str = HAND
    number: int = 0
    command_id: str = ""

    @property
    def instant(self) -> "Instant":
        """Control tick and position."""
        return self.control_tick, self.position


class LatestKeyframe(msgspec.Struct, frozen=True):
    """The newest keyframe that is whole.

    Attributes:
        keyframe: None if there is none; the branch is then replayed from its birth.
        damaged: of every newer keyframe, what is wrong with it.
    """

    keyframe: Keyframe | None
    damaged: tuple[str, ...] = ()


def unknown_snapshot(name: str, snapshot: str, known: list[str]) -> UnknownSnapshotError:
    """The error that says which snapshots there are."""
    some = ", ".join(known[-20:]) or "none yet"
    return UnknownSnapshotError(
        f"{name!r} has no snapshot {snapshot!r}; it has {some}{' and older ones' if len(known) > 20 else ''}."
    )
