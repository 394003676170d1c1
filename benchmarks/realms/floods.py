"""A speaker that says very much at once, and a listener that counts."""

from typing import cast

from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import Records, State
from actors.core.realms.tick_engines import Realm, on


class Speaker(Realm):
    """Says so many events in the first local tick of its second control tick."""

    kind = "speaker"
    emits = frozenset({"drop"})

    def __init__(self, birth: Birth, *, listener: str, events: int) -> None:
        super().__init__(birth)
        self._listener, self._events = listener, events

    def tick(self, turn: Turn) -> None:
        """See the class."""
        if turn.control_tick == 2 and turn.now % self.birth.local_ticks == 0:
            for _ in range(self._events):
                turn.send(self._listener, "drop")


class Listener(Realm):
    """Counts what it hears."""

    kind = "listener"

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self._heard = 0

    @on("drop")
    def hear(self, turn: Turn, event: Event) -> None:
        """One more."""
        self._heard += 1

    def capture(self) -> State:
        """See `Member`."""
        return {"heard": Records({"heard": self._heard})}

    def restore(self, state: State) -> None:
        """See `Member`."""
        self._heard = cast(Records, state["heard"]).objects["heard"]

    def measures(self) -> dict[str, float]:
        """See `Member`."""
        return {"heard": self._heard}
