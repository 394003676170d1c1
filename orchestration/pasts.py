"""Any past control tick: a boundary of a history, lived again in this process, to look at."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from actors import factories
from actors.chronicles import founding_of
from actors.clocks import MasterClock
from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.commands import Boundary, JournalEntry
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import Event
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import Difference, State, decode_state, differences
from actors.lanes import LocalLane
from actors.pasts import PastChronicle
from actors.vaults.openings import open_vault
from orchestration.vault_files import existing_vault

EVERYBODYS = ("events_propagated", "cascades_cut", "mean_sync_ms", "mean_event_latency_ms")
"""In the state of a multiverse: what cannot be told of a domain that has lived alone."""


class Past:
    """A history at the boundary after a control tick, by default before its commands: what was, to the same digest.

    It is made from the newest keyframe before that boundary and the journal since, on the local engine; the multiverse
    itself is not asked and not disturbed. Nothing can be commanded here. Of one that is up, `Multiverse.at` is to be asked: a
    vault knows how far a history may be seen, which is a little further than a clock that runs has come.

    Args:
        vault: where the history is kept: a SQLite file, or a PostgreSQL URL.
        name: of the multiverse in it.
        control_tick: which boundary; 0 is the beginning.
        branch: of which history; "" for the one that the multiverse lives on.
        position: of the last journal entry to carry out there; None for the boundary before all commands.
        realm_paths: more folders with users' own realm modules than it was founded with.
        realm: only the closed domain that this realm was in; "" for everything. Without a fork that is everything, too.

    Raises:
        UnknownMultiverseError: the vault does not know it.
        UnknownBranchError: it has no such branch.
        CommandRefusedError: history has not come so far.
        VaultError: the vault cannot be used.
        UnknownMemberError: there was no such realm then.
        EngineError: history cannot be lived again: a member may do something else now, or the rules are others.
    """

    def __init__(
        self,
        vault: str | Path,
        name: str,
        control_tick: int,
        realm_paths: Sequence[str | Path] = (),
        *,
        branch: str = "",
        position: int | None = None,
        realm: str = "",
    ) -> None:
        with ExitStack() as undo:
            opened = undo.enter_context(open_vault(existing_vault(vault)))
            founding = founding_of(opened, name)
            paths = (*(str(path) for path in realm_paths), *(founding.realm_paths if founding is not None else ()))
            factories.add_realm_paths(paths)
            self._clock = MasterClock(
                Settings() if founding is None else founding.settings,
                LocalLane(paths),
                chronicle=lambda: PastChronicle(
                    opened, name, control_tick, branch, position, closes=True, within=realm
                ),
            )
            undo.push(lambda *_: self._clock.close())
            self._domain = self._clock.domain_of(realm) if realm else None
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forgets it."""
        self._clock.close()

    @property
    def boundary(self) -> Boundary:
        """Which boundary this is: branch, control tick, journal position."""
        return self._clock.boundary()

    def digest(self) -> str:
        """Its digest, hexadecimal, as it was recorded then; of a closed domain, that of the domain alone, by roles."""
        return self._clock.digest() if self._domain is None else self._clock.domain_digest(self._domain)

    def digest_chain(self) -> str:
        """The digests of all control ticks up to here, folded; hexadecimal. Of a closed domain, since the first fork."""
        return self._clock.status().chain if self._domain is None else self._clock.domain_chain(self._domain)

    def get_multiverse_state(self) -> dict[str, Any]:
        """What `Multiverse.get_multiverse_state` showed then; of a closed domain, without what counts everybody's doings."""
        state = self._clock.status().state
        if self._domain is None:
            return state
        return {key: value for key, value in state.items() if key not in EVERYBODYS} | {
            "digest_chain": self.digest_chain()
        }

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """What a member's view answered then."""
        answer: Any = self._clock.query(member_id, verb, dict(arguments or {}))
        return answer["value"]

    def state_of(self, member_id: str) -> State:
        """A member's whole state then."""
        return decode_state(self._clock.capture(member_id))

    def in_flight_to(self, member_id: str) -> list[Event]:
        """Events that were under way to a member, in the order in which it heard them."""
        return self._clock.in_flight_to(member_id)

    def audit(self) -> dict[str, Any]:
        """Totals until then; see `Multiverse.audit`.

        Raises:
            CommandRefusedError: only a closed domain was lived again, and the ledger is everybody's.
        """
        if self._domain is not None:
            raise CommandRefusedError("the ledger is everybody's; look at the whole past, without a realm.")
        return self._clock.audit()

    def journal(self) -> list[JournalEntry]:
        """Every outside input until then."""
        return self._clock.journal()

    def _repr_html_(self) -> str:
        from orchestration.summaries import in_html, state_table  # people only need it in notebooks

        where = f"control tick {self.boundary.control_tick:,} on {self.boundary.branch}, as it was"
        return in_html(state_table(where, self.get_multiverse_state()["games"]))

    def __repr__(self) -> str:
        return f"<Past {self.boundary.branch!r}, control tick {self.boundary.control_tick}>"


def differing(left: Past, right: Past) -> dict[str, list[Difference]]:
    """What differs between two boundaries, by member: by section, object and attribute, in order.

    A member that only one of them has is told as one difference of section "".
    """
    members = [
        {game["realm_id"] for game in past.get_multiverse_state()["games"]} | {PLAYERS} for past in (left, right)
    ]
    found: dict[str, list[Difference]] = {}
    for member_id in sorted(members[0] | members[1]):
        there = [member_id in some for some in members]
        if all(there):
            found[member_id] = list(differences(left.state_of(member_id), right.state_of(member_id)))
        else:
            found[member_id] = [Difference("", "", "", *("present" if here else None for here in there))]
    return {member_id: some for member_id, some in found.items() if some}
