"""A history lived in this process by nobody's clock: to find out how things stood, or what would come of them.

Nothing is written and nothing is kept; the same rules, the same digests.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from actors.chronicles import Chronicle
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.commands import Boundary, ClockCommand, MemberCommand
from actors.core.kernel.domains import Cut
from actors.core.kernel.effects import Script, T
from actors.core.kernel.errors import CommandRefusedError, UnknownMemberError
from actors.core.kernel.fleets import Fleet
from actors.core.kernel.modifications import MODIFY
from actors.core.kernel.sequencing import Sequencer
from actors.core.kernel.settings import Settings
from actors.core.kernel.tables import restore_tables, tables_of
from actors.core.kernel.ticking import ACROSS
from actors.core.kernel.windows import control_ticks_script
from actors.keyframes import Standing
from actors.lanes import LocalLane
from actors.replays import Replay


class Headless:
    """Everything of one multiverse, in this process.

    Args:
        settings: what its history depends on.
        epoch: no member may have heard of a higher one.
        realm_paths: users' folders for factories.
    """

    def __init__(self, settings: Settings, epoch: int, realm_paths: tuple[str, ...]) -> None:
        self._sequencer = Sequencer(settings, epoch)
        self._fleet = Fleet(settings, LocalLane(realm_paths))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._fleet.close()

    def live_again(self, chronicle: Chronicle) -> None:
        """Comes to where a history stands.

        Raises:
            SoulfraError: it cannot be lived again, or not on from there.
        """
        replay = Replay(self._sequencer, self._fleet, self._perform, self._live, recorded=chronicle.recorded_chain)
        replay.take_up(chronicle)
        replay.check_repeatable()

    def become(self, standing: Standing) -> None:
        """Stands as something stood.

        Raises:
            EngineError: a member cannot be brought back.
        """
        restore_tables(self._sequencer, standing.tables)
        self._fleet.restore(standing.members)

    def modify(self, member_id: str, changes: Mapping[str, Plain]) -> None:
        """Changes a member's state from outside; see `Multiverse.modify`.

        Raises:
            SoulfraError: what refused it.
        """
        command = MemberCommand(member_id, MODIFY, encode(changes))
        self._perform(self._sequencer.command_script(command)).value()

    def refusal_of(self, command: ClockCommand) -> str:
        """Carries a command out; why it was refused, "" if it was not."""
        return self._perform(self._sequencer.command_script(command)).error_message

    def run(self, control_ticks: int) -> None:
        """Lives so many control ticks."""
        end = self._sequencer.control_tick + control_ticks
        while self._sequencer.control_tick < end:
            self._live(end - self._sequencer.control_tick)

    def measures(self) -> dict[str, dict[str, float]]:
        """What every member shows of itself, by member."""
        return {member_id: dict(seated.measures) for member_id, seated in self._sequencer.members.items()}

    def capture(self, realm_id: str) -> tuple[int, bytes]:
        """A realm's local time and encoded state.

        Raises:
            UnknownMemberError: it is not there.
            CommandRefusedError: it is in error.
        """
        seated = self._sequencer.games.get(realm_id)
        if seated is None:
            raise UnknownMemberError(
                f"realm {realm_id!r} was not there after control tick {self._sequencer.control_tick}; there were "
                f"{', '.join(self._sequencer.games) or 'none'}."
            )
        if seated.error is not None:
            raise CommandRefusedError(
                f"{realm_id} was in error after control tick {self._sequencer.control_tick} ({seated.error.message})."
            )
        return seated.local_tick, self._fleet.capture(realm_id)

    def members_of(self, number: int) -> list[str]:
        """The ids of the members of a closed domain, in order; none if there is none of that number."""
        return self._sequencer.members_of(number)

    def phase_of(self, number: int) -> str:
        """How far the instance in a closed domain has been brought; "" if none lives in it."""
        return self._sequencer.phase_of(number)

    def cut(self, realm_ids: tuple[str, ...]) -> Cut:
        """What some realms are, for others to be made from; see `domains.py`.

        Raises:
            SoulfraError: one of them is not there or cannot be copied.
        """
        return self._perform(self._sequencer.cut_script(realm_ids))

    def life_of(self, realm_id: str) -> int:
        """How many realms of that id were removed before it: which of them this is."""
        return self._sequencer.removals[realm_id]

    def exchanged(self, chronicle: Chronicle, realm_id: str) -> tuple[str, ...]:
        """Lives on to where a history stands; gives the events that a realm has exchanged with others meanwhile, in order.

        Raises:
            SoulfraError: it cannot be lived again.
        """
        sequencer = self._sequencer
        found: dict[str, None] = {}

        def live(control_ticks: int) -> None:
            for member_id, seated in sequencer.members.items():
                for event in sequencer.in_flight_to(member_id):
                    parties = {sequencer.member_id_of(event.source, seated.domain), member_id}
                    if realm_id in parties and len(parties) == 2 and event.deliver_at == sequencer.control_tick + 1:
                        found[event.event_id] = None
            self._live(control_ticks)

        replay = Replay(sequencer, self._fleet, self._perform, live, recorded=chronicle.recorded_chain)
        replay.run(chronicle.entries_since(sequencer.position), chronicle.marked())
        return tuple(found)

    def crossed(self, chronicle: Chronicle, fork: int) -> tuple[str, ...]:
        """Lives on to where a history stands; gives the events that have crossed a domain's wall meanwhile, in order.

        Raises:
            SoulfraError: it cannot be lived again.
        """
        sequencer = self._sequencer
        found: dict[str, None] = {}

        def live(control_ticks: int) -> None:
            own = sequencer.name_of(fork) + ACROSS
            for member_id, seated in sequencer.members.items():
                for event in sequencer.in_flight_to(member_id):
                    if ACROSS in event.source and (seated.domain == fork or event.source.startswith(own)):
                        found[event.event_id] = None
            self._live(control_ticks)

        replay = Replay(sequencer, self._fleet, self._perform, live, recorded=chronicle.recorded_chain)
        replay.run(chronicle.entries_since(sequencer.position), chronicle.marked())
        return tuple(found)

    def errors(self) -> dict[str, str]:
        """Members in error, with the reason."""
        members = self._sequencer.members.items()
        return {member_id: seated.error.message for member_id, seated in members if seated.error is not None}

    @property
    def boundary(self) -> Boundary:
        """Where it stands."""
        return self._sequencer.boundary

    @property
    def chain(self) -> str:
        """The digests of all control ticks so far, folded; hexadecimal."""
        return self._sequencer.chain.hex()

    def standing(self) -> Standing:
        """How everything stands; what can be captured has been, so that nothing is lived again to stand there."""
        self._fleet.checkpoint()
        return Standing(tables_of(self._sequencer), self._fleet.tables())

    def _live(self, control_ticks: int) -> None:
        self._perform(control_ticks_script(self._sequencer, control_ticks, []))

    def _perform(self, script: Script[T]) -> T:
        return self._fleet.carry_out(script)
