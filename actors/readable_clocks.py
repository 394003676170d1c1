"""What is read of a clock: of its newest control ticks, of its tables at a boundary, of how its members stand."""

from typing import Any

import msgspec

from actors.chronicles import Chronicle
from actors.command_rounds import CommandRounds
from actors.core.kernel.cascades import Cascades
from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import JournalEntry
from actors.core.kernel.digests import NO_DIGEST
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import Trace
from actors.core.kernel.fleets import Fleet
from actors.core.kernel.games import HOME
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.ticking import TickRecord
from actors.logbooks import Logbook, Row
from actors.readings import audit_of, dead_letters_of, members_of


class ReadableClock(CommandRounds):
    """A clock that can be asked. Nothing here changes history; what is asked of a boundary waits for the next one.

    Args:
        sequencer: the rules.
        fleet: the members.
        chronicle: what its history is written to.
    """

    def __init__(self, sequencer: Sequencer, fleet: Fleet, chronicle: Chronicle) -> None:
        super().__init__(sequencer, fleet, chronicle)
        self._logbook = Logbook(sequencer.settings.logbook_bytes_max)

    def records(self) -> list[TickRecord]:
        """Records of the newest control ticks."""
        return self._logbook.records()

    def series(self) -> tuple[list[Row], int]:
        """Rows of the newest control ticks, and how many older ones were dropped."""
        return list(self._logbook.rows()), self._logbook.rows_dropped

    def journal(self) -> list[JournalEntry]:
        """Every outside input so far."""
        return self._at_boundary(lambda: [*self._chronicle.entries(), *self._sequencer.journal])

    def dead_letters(self) -> list[dict[str, Plain]]:
        """Dead letters that are kept whole."""
        return self._at_boundary(lambda: dead_letters_of(self._sequencer))

    def cascade(self, event_id: str, fork: int = HOME) -> list[Trace]:
        """The cascade an event belongs to, within a fork or outside of all."""
        return self._at_boundary(lambda: self._cascades_of(fork).of(event_id))

    def _cascades_of(self, fork: int) -> Cascades:
        if fork != HOME and fork not in self._sequencer.domains:
            raise CommandRefusedError(f"there is no fork {fork!r}.")
        return self._sequencer.cascades_of(fork)

    def audit(self) -> dict[str, Any]:
        """Totals since the beginning: deliveries by type, and for each conserved quantity what is and what should be."""
        return self._at_boundary(lambda: audit_of(self._sequencer))

    def in_flight_to(self, member_id: str) -> list[Any]:
        """Events under way to a member, in the order in which it will hear them."""
        return self._at_boundary(lambda: self._sequencer.in_flight_to(member_id))

    def capture(self, member_id: str) -> bytes:
        """A member's state at the present boundary."""
        return self._at_boundary(lambda: self._fleet.capture(member_id))

    def recoveries(self) -> list[dict[str, Plain]]:
        """Members that were brought back, oldest first; see `Recovery`."""
        return [msgspec.to_builtins(recovery) for recovery in list(self._fleet.recoveries)]

    def members(self) -> list[dict[str, Plain]]:
        """Every member: id, kind, state, local tick, process id, node."""
        return self._at_boundary(lambda: members_of(self._sequencer, self._fleet.whereabouts()))

    def domain_of(self, realm_id: str) -> int | None:
        """The number of the closed domain that a realm is in; None where there never was a fork: all is one then.

        Raises:
            UnknownMemberError: there is no such realm.
        """
        return self._at_boundary(lambda: self._sequencer.domain_of(realm_id))

    def domain_chain(self, domain: int) -> str:
        """The digests of one closed domain in all control ticks since the first fork, folded, hexadecimal."""
        return self._at_boundary(lambda: self._sequencer.domain_chains.get(domain, NO_DIGEST).hex())
