"""Reading: what a multiverse tells of itself, asked of its clock by one method call; nothing changes by it."""

from collections.abc import Mapping
from typing import Any

from actors.clock_messages import About, Status
from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import Boundary, JournalEntry
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import Event, Trace
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import State, decode_state
from actors.core.kernel.ticking import TickRecord
from orchestration.arguments import checked, checked_map
from orchestration.engines import Engine, Ticket

CLOSED = "this multiverse is closed; make a new one."


class Reading:
    """How a multiverse and its members stand, and what has come about in it.

    Args:
        engine: where it lives.
        name: for people, and in its vault.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine
        self._closed = False
        self._recoveries: list[dict[str, Any]] = []

    def _call(self, method: str, *arguments: Any) -> Any:
        if self._closed:
            raise CommandRefusedError(CLOSED)
        return self._engine.call(method, *arguments)

    def _begin(self, method: str, *arguments: Any) -> Ticket:
        if self._closed:
            raise CommandRefusedError(CLOSED)
        return self._engine.begin(method, *arguments)

    # ---------------------------------------------------------------------------------------------------- how it stands

    def status(self) -> Status:
        """How the clock stands; never waits for the tick under way."""
        return self._call("status")  # type: ignore[no-any-return]

    def boundary(self) -> Boundary:
        """The last boundary; if its clock is taking its place again, that of the successor when it stands."""
        return self._call("boundary")  # type: ignore[no-any-return]

    def get_multiverse_state(self) -> dict[str, Any]:
        """Control tick id, games, pending events, dead letters, mean sync time and event latency."""
        return self.status().state

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Asks a member's view of its last boundary; never waits for the clock."""
        return self.query_with_boundary(member_id, verb, arguments)[0]

    def query_with_boundary(
        self, member_id: str, verb: str, arguments: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Plain]]:
        """Like `query`, with the boundary that the answer is of."""
        answer = self._call("query", member_id, verb, checked_map(arguments, "arguments"))
        return answer["value"], answer["boundary"]

    def digest(self) -> str:
        """The digest of the present boundary, hexadecimal."""
        return self._call("digest")  # type: ignore[no-any-return]

    def digest_chain(self) -> str:
        """The digests of all control ticks so far, folded; hexadecimal."""
        return self.status().chain

    def records(self) -> list[TickRecord]:
        """Records of the newest control ticks, with the digests of every member."""
        return self._call("records")  # type: ignore[no-any-return]

    def state_of(self, member_id: str) -> State:
        """A member's whole state at the present boundary."""
        return decode_state(self._call("capture", member_id))

    def members(self) -> list[dict[str, Any]]:
        """Every member: id, kind, state, local tick, recovery level, process id, node."""
        return self._call("members")  # type: ignore[no-any-return]

    def recoveries(self) -> list[dict[str, Any]]:
        """Members that were brought back after their process died: which, in which control tick, why, how long it took.

        When the clock itself was brought back ("@clock"), those before it are known as far as they were asked for.
        """
        self._recoveries += [one for one in self._call("recoveries") if one not in self._recoveries]
        return list(self._recoveries)

    def journal(self) -> list[JournalEntry]:
        """Every outside input so far, in order."""
        return self._call("journal")  # type: ignore[no-any-return]

    def dead_letters(self) -> list[dict[str, Any]]:
        """Mail that could not be delivered, with the reasons."""
        return self._call("dead_letters")  # type: ignore[no-any-return]

    def cascade(self, event_id: str, fork: int = 0) -> list[Trace]:
        """Who caused what, where and when, around an event; empty if it is unknown or long ago.

        Args:
            event_id: the event.
            fork: the number of the fork in which it happened; 0 is outside of all.
        """
        return self._call("cascade", checked(str, event_id, "event id"), checked(int, fork, "fork"))  # type: ignore[no-any-return]

    def audit(self) -> dict[str, Any]:
        """Deliveries by type since the beginning, and for each conserved quantity (what is, what should be)."""
        return self._call("audit")  # type: ignore[no-any-return]

    def in_flight_to(self, member_id: str) -> list[Event]:
        """Events under way to a member, in the order in which it will hear them."""
        return self._call("in_flight_to", member_id)  # type: ignore[no-any-return]

    def series(self) -> tuple[list[tuple[int, str, int, dict[str, float]]], int]:
        """Rows (control tick, realm id, local tick, measures), and how many older ones are no longer kept."""
        return self._call("series")  # type: ignore[no-any-return]

    # --------------------------------------------------------------------------------------------- what does not change

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self._engine.name

    @property
    def settings(self) -> Settings:
        """What it was founded with; with history in its vault, that is not what it was opened with."""
        return self._engine.about.settings

    @property
    def about(self) -> About:
        """What does not change while its clock lives: vault, lane, process, node, whether it resumed."""
        return self._engine.about

    @property
    def durability(self) -> str:
        """In plain words, what its history survives."""
        return self._engine.about.durability

    @property
    def lane(self) -> str:
        """The lane's name; "" on the local engine."""
        return self._engine.lane
