"""The past: a history that was, up to some boundary, for whoever wants to look or to go back. Nothing is written."""

from collections.abc import Iterator, Sequence
from typing import Self

import msgspec

from actors.chronicles import Chronicle, founding_of
from actors.core.kernel.commands import Boundary, JournalEntry
from actors.core.kernel.errors import CommandRefusedError, UnknownBranchError, UnknownMultiverseError
from actors.core.kernel.ticking import occasion_of
from actors.headless import Headless
from actors.journal_rows import entries_in
from actors.keyframes import Standing, keyframe_of
from actors.vaults.checks import NUMBER_MAX
from actors.vaults.records import Branch, Instant, Snapshot, Stretch, owner_of
from actors.vaults.vaults import Vault


class PastChronicle(Chronicle):
    """What a vault holds of a history up to some boundary. Whoever lives in the present is not disturbed.

    Args:
        vault: where.
        name: of the multiverse.
        control_tick: the boundary to come to is that after this control tick.
        branch: of which history; "" for the one that the multiverse lives on.
        position: of the last journal entry to carry out there; None for the boundary before all commands.
        closes: whether the vault is closed with this.
        within: see `Chronicle`.

    Raises:
        UnknownMultiverseError: the vault does not know it.
        UnknownBranchError: it has no such branch.
        CommandRefusedError: history has not come so far.
    """

    def __init__(
        self,
        vault: Vault,
        name: str,
        control_tick: int,
        branch: str = "",
        position: int | None = None,
        *,
        closes: bool = False,
        within: str = "",
    ) -> None:
        founding = founding_of(vault, name)
        if founding is None:
            known = ", ".join(one.name for one in vault.multiverses()) or "none"
            raise UnknownMultiverseError(f"{vault.where} has no multiverse {name!r}; it has {known}.")
        self._position, self._closes, self.within = position, closes, within
        super().__init__(None, name, founding)
        self._past = self._reads = vault
        branches = vault.branches(name)
        self._follow(checked_branch(name, branches, branch or vault.head(name) or self.branch, self.branch), branches)
        reached = vault.marked(name, self.branch)
        if isinstance(control_tick, bool) or not isinstance(control_tick, int) or not 0 <= control_tick <= reached:
            raise CommandRefusedError(
                f"the history of {name!r} on branch {self.branch!r} reaches from control tick 0 to {reached}, so there is no "
                f"{control_tick!r} in it."
            )
        self.resumes = True
        self.epoch = next(one.epoch for one in vault.multiverses() if one.name == name)  # seats obey none before theirs
        self._control_tick = control_tick
        self._whole_path = self.path
        until = (control_tick, -1 if position is None else position)
        self.path = [
            one if one.until is not None and one.until <= until else Stretch(one.branch, until) for one in self.path
        ]

    @classmethod
    def end_of(cls, vault: Vault, name: str, branch: str) -> Self:
        """The end of a branch that the multiverse does not live on."""
        return cls(vault, name, vault.marked(name, branch), branch, NUMBER_MAX)

    def owner_of(self, instant: Instant) -> str:
        """The branch that a boundary of this history is part of."""
        return owner_of(self._whole_path, instant)

    def entries(self, after: int = 0) -> Iterator[JournalEntry]:
        """See `Chronicle`: those up to the boundary."""
        for entry in entries_in(self._past, self.name, self._whole_path, after):
            if entry.control_tick > self._control_tick or self._is_later(entry):
                return
            yield entry

    def _is_later(self, entry: JournalEntry) -> bool:
        if self._position is None:  # what was decided in the control tick itself is part of it
            decided = entry.decision is not None and entry.decision.occasion == occasion_of(self._control_tick)
            return entry.control_tick == self._control_tick and not decided
        return entry.position > self._position

    def marked(self) -> int:
        """See `Chronicle`: where to come to."""
        return self._control_tick

    def close(self) -> None:
        """See `Chronicle`."""
        if self._closes:
            self._past.close()


def checked_branch(name: str, branches: Sequence[Branch], branch: str, first: str) -> str:
    """`branch`, if the multiverse has one of that name.

    Raises:
        UnknownBranchError: it has not.
    """
    known = [first, *(one.branch for one in branches)]
    if branch not in known:
        raise UnknownBranchError(f"{name!r} has no branch {branch!r}; it has {', '.join(known)}.")
    return branch


def standing_at(chronicle: PastChronicle, realm_paths: tuple[str, ...]) -> tuple[Boundary, Standing]:
    """How everything stood at a boundary: lived again in this process.

    Raises:
        SoulfraError: it cannot be.
    """
    with Headless(chronicle.settings, chronicle.epoch, realm_paths) as lived:
        lived.live_again(chronicle)
        return lived.boundary, lived.standing()


def seal(vault: Vault, name: str, snapshot: Snapshot, realm_paths: tuple[str, ...]) -> None:
    """Writes a snapshot down whole, so that nothing has to be lived again to stand there.

    Raises:
        CommandRefusedError: a member cannot be captured, so that it has to be lived again.
        SoulfraError: its history cannot be lived again, or the vault cannot be written; nothing has changed.
    """
    past = PastChronicle(vault, name, snapshot.control_tick, snapshot.branch, snapshot.position)
    boundary, standing = standing_at(past, tuple(dict.fromkeys((*realm_paths, *past.realm_paths))))
    if lived := sorted(member_id for member_id, kept in standing.members.items() if kept.since):
        raise CommandRefusedError(
            f"snapshot {snapshot.snapshot!r} cannot be sealed: {', '.join(lived)} cannot be captured, and would have to be "
            "lived again."
        )
    owner = past.owner_of(boundary.instant)
    vault.seal(name, past.epoch, *keyframe_of(msgspec.structs.replace(boundary, branch=owner), standing))
