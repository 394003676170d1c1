"""Replay: history is lived again from a boundary that was written down, by the same rules, to the same digests.

Whoever takes over a clock does it, and whoever looks at the past. Nothing is told to anybody meanwhile, and nothing is
journaled: what comes out must be what the journal says, or the replay ends there.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from actors.chronicles import Chronicle
from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import Decision, JournalEntry, MemberSpec
from actors.core.kernel.confinement import concerns, confine
from actors.core.kernel.digests import NO_DIGEST
from actors.core.kernel.effects import Dispose, Script
from actors.core.kernel.errors import EngineError
from actors.core.kernel.fleets import DEATHS_MAX, Fleet
from actors.core.kernel.members import NONE
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.tables import restore_tables
from actors.core.kernel.ticking import occasion_of
from actors.vaults.records import EVERYTHING, head_of

REGISTRY = MemberSpec("actors.core.players.registry:PlayerRegistry", encode({}))

DEATHS_LIVING_AGAIN_MAX = 10
"""Of a member's hosts within one grant that it is known to have survived: so the grant is not to blame."""


class Replay:
    """Lives again what a journal says.

    Args:
        sequencer: the rules, standing at a boundary.
        fleet: the members, standing there too.
        perform: carries out a script.
        live: lives so many control ticks.
        tell: is told the control tick, before each step, and the last one.
        recorded: the head of the digest chain after a control tick, of everything or of a closed domain; empty where it is not
            written down.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        fleet: Fleet,
        perform: Callable[[Script[Any]], Any],
        live: Callable[[int], object],
        tell: Callable[[int, int], None] = lambda control_tick, last: None,
        recorded: Callable[[int, int], bytes] = lambda control_tick, domain: b"",
    ) -> None:
        self._sequencer = sequencer
        self._fleet = fleet
        self._perform = perform
        self._live = live
        self._tell = tell
        self._recorded = recorded
        self._known: dict[int, Decision | None] = {}
        self._last = 0
        self._chronicle: Chronicle | None = None
        self._within = ""
        self._domain = EVERYTHING

    def take_up(self, chronicle: Chronicle, say: Callable[[str], None] = lambda doing: None) -> None:
        """Comes to where a history stands: from its newest boundary that is written down whole, or from its birth.

        Args:
            chronicle: the history.
            say: is told what is being done, for people.

        Raises:
            SoulfraError: it cannot be read, or lived again.
        """
        say("reading its history")
        self._within, self._chronicle = chronicle.within, chronicle
        standing = chronicle.latest_standing()
        if standing is None:
            self._perform(self._sequencer.seat_script(PLAYERS, REGISTRY))
        else:
            restore_tables(self._sequencer, standing.tables)
            chronicle.begin_ledger(self._sequencer.totals.ledger)
            say(f"bringing back its members at control tick {self._sequencer.control_tick}")
            gone = set(self._confine())
            self._fleet.restore({key: kept for key, kept in standing.members.items() if key not in gone})
        entries = chronicle.entries_since(self._sequencer.position)
        position = entries[-1].position if entries else self._sequencer.position
        chronicle.resume_after(position)
        control_tick = max([chronicle.marked(), *(entry.control_tick for entry in entries[-1:])])
        here, there = self._sequencer.boundary.instant, (control_tick, position)
        if here != there or (standing is not None and any(kept.since for kept in standing.members.values())):
            chronicle.check_rules(here, there)
        self.run(entries, chronicle.marked())

    def run(self, entries: Sequence[JournalEntry], control_tick: int) -> None:
        """Lives up to the last entry, carries it out, and lives on to a control tick.

        Args:
            entries: the journal from here on, in order and without a gap.
            control_tick: to live to; what somebody may have seen.

        Raises:
            EngineError: something came out otherwise, or a member may do something else when asked again.
        """
        sequencer, fleet = self._sequencer, self._fleet
        self._last = max([control_tick, *(entry.control_tick for entry in entries[-1:])])
        self._known = {entry.position: entry.decision for entry in entries}
        fleet.decided = {
            (entry.decision.member_id, entry.decision.occasion): entry.decision.reason
            for entry in entries
            if entry.decision is not None
        }
        fleet.deaths_max = DEATHS_LIVING_AGAIN_MAX
        try:
            for entry in entries:
                self.check_repeatable()
                self._live_to(entry.control_tick)
                if entry.position <= sequencer.position:
                    continue
                if self._domain != EVERYTHING and self._is_passed_over(entry):
                    sequencer.position = entry.position
                    continue
                self._carry_out(entry)
                if self._chronicle is not None:
                    self._chronicle.balance(sequencer.boundary, sequencer.totals.ledger)
                for member_id in self._confine():
                    fleet.perform(Dispose(member_id))
            self._live_to(control_tick)
        finally:
            fleet.decided, fleet.deaths_max = {}, DEATHS_MAX
        sequencer.journal.clear()

    def _live_to(self, control_tick: int) -> None:
        while self._sequencer.control_tick < control_tick:
            self.check_repeatable()
            self._tell(self._sequencer.control_tick, self._last)
            self._live(1)  # one by one: what was decided in the midst of a window must come out there
            self._check_lived_again()
            self._check_recorded()

    def _confine(self) -> list[str]:
        """As soon as a wall is around those who are asked for, forgets all others; gives their ids."""
        sequencer = self._sequencer
        seated = sequencer.members.get(self._within) if self._within else None
        if seated is None or not sequencer.forks or self._domain != EVERYTHING:
            return []
        self._domain = seated.domain
        return confine(sequencer, seated.domain)

    def _is_passed_over(self, entry: JournalEntry) -> bool:
        """Whether an entry is nothing to those who live alone, or was decided in a control tick, which has been lived."""
        decided = entry.decision is not None and entry.decision.occasion == occasion_of(entry.control_tick)
        return decided or not concerns(self._sequencer, self._domain, entry)

    def _check_recorded(self) -> None:
        """What is written down of this boundary must have come out again."""
        sequencer = self._sequencer
        recorded = self._recorded(sequencer.control_tick, self._domain)
        alone = self._domain != EVERYTHING
        chain = sequencer.domain_chains.get(self._domain, NO_DIGEST) if alone else sequencer.chain
        if recorded and (head := head_of(chain)) != recorded:
            raise EngineError(
                f"history cannot be lived again: control tick {sequencer.control_tick} came out otherwise than it was "
                f"recorded (digest chain {head.hex()}…, recorded {recorded.hex()}…). The rules, a realm's own code, or a "
                "library they use are not what they were."
            )

    def _carry_out(self, entry: JournalEntry) -> None:
        sequencer = self._sequencer
        self._tell(sequencer.control_tick, self._last)
        said = ""
        if entry.command is not None:
            said = self._perform(sequencer.command_script(entry.command, entry.command_id)).error_message
        else:  # decided while somebody asked for a digest
            self._perform(sequencer.digest_script())
        if sequencer.position < entry.position:
            raise EngineError(
                f"the journal cannot be lived again: entry {entry.position} (control tick {entry.control_tick}) came out "
                f"otherwise. The rules, or a library they use, are not what they were. {said}".rstrip()
            )
        self._check_lived_again()

    def check_repeatable(self) -> None:
        """Makes sure that history from here on is lived by those who do the same again, or whose loss is on record.

        Raises:
            EngineError: by somebody else, too.
        """
        lost = {member_id for member_id, _ in self._fleet.decided}
        names = [
            member_id
            for member_id, seated in self._sequencer.members.items()
            if seated.contract.recovery == NONE and seated.error is None and member_id not in lost
        ]
        if names:
            raise EngineError(
                f"what came after control tick {self._sequencer.control_tick} cannot be lived again: {', '.join(names)} may do "
                f"something else then (recovery {NONE!r}), and ended with the clock. Begin a new vault, without realms of that "
                "kind if it is to outlive its clock."
            )

    def _known_at(self, position: int) -> Collection[Decision | None]:
        """What may have been decided there; of those who live alone, nobody knows which number it had."""
        return [self._known.get(position)] if self._domain == EVERYTHING else self._known.values()

    def _check_lived_again(self) -> None:
        """Whoever was lost must have been lost then, too: else what follows would be another history."""
        for entry in self._sequencer.journal:
            if entry.decision is not None and entry.decision not in self._known_at(entry.position):
                raise EngineError(
                    f"history cannot be lived again: in control tick {entry.control_tick} {entry.decided}, which is not what "
                    "happened then. Start the clock once more."
                )
        self._sequencer.journal.clear()
