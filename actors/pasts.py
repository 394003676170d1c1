"""The past: a history that was, up to some control tick, for whoever wants to look. Nothing is written."""

from collections.abc import Iterator

from actors.chronicles import Chronicle, Standing, entries_in, founding_of
from actors.core.kernel.commands import JournalEntry
from actors.core.kernel.errors import CommandRefusedError, UnknownMultiverseError
from actors.vaults.vaults import Vault


class PastChronicle(Chronicle):
    """What a vault holds of a history before its commands at a control tick. Whoever lives in the present is not disturbed.

    Args:
        vault: where; closed with this.
        name: of the multiverse.
        control_tick: the boundary to come to: after this control tick, before its commands.

    Raises:
        UnknownMultiverseError: the vault does not know it.
        CommandRefusedError: history has not come so far.
    """

    def __init__(self, vault: Vault, name: str, control_tick: int) -> None:
        founding = founding_of(vault, name)
        if founding is None:
            known = ", ".join(one.name for one in vault.multiverses()) or "none"
            raise UnknownMultiverseError(f"{vault.where} has no multiverse {name!r}; it has {known}.")
        super().__init__(None, name, founding)
        branch = founding.settings.branch
        reached = vault.marked(name, branch)
        if isinstance(control_tick, bool) or not isinstance(control_tick, int) or not 0 <= control_tick <= reached:
            raise CommandRefusedError(
                f"the history of {name!r} reaches from control tick 0 to {reached}, so there is no {control_tick!r} in it."
            )
        self.resumes = True
        self._past, self._branch, self._control_tick = vault, branch, control_tick

    def latest_standing(self) -> Standing | None:
        """See `Chronicle`: the newest before the control tick."""
        return self._standing_in(self._past.latest_keyframe(self.name, self._branch, self._control_tick))

    def entries(self, after: int = 0) -> Iterator[JournalEntry]:
        """See `Chronicle`: those before the control tick's own."""
        for entry in entries_in(self._past, self.name, self._branch, after):
            if entry.control_tick >= self._control_tick:
                return
            yield entry

    def marked(self) -> int:
        """See `Chronicle`: where to come to."""
        return self._control_tick

    def close(self) -> None:
        """Closes the vault."""
        self._past.close()
