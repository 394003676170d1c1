"""The ring of the benchmark as a realm: it hears one event, checks and counts it, and says one; nothing else."""

from typing import cast

from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import Records, State
from actors.core.realms.tick_engines import Realm, command, on


class Ring(Realm):
    """A member of the ring.

    Args:
        birth: see `Realm`.
        successor: whom it speaks to.
        predecessor: whom it should hear.
        delay: control ticks that an event takes: in control tick k it should hear what was said in k - delay.
    """

    kind = "ring"
    emits = frozenset({"said"})

    def __init__(self, birth: Birth, *, successor: str, predecessor: str, delay: int = 1) -> None:
        super().__init__(birth)
        self._delay = delay
        self._successor, self._predecessor = successor, predecessor
        self.heard = self.faults = 0

    @on("said")
    def hear(self, turn: Turn, event: Event) -> None:
        """Exactly one event a control tick, and what it says is what its speaker knew when it spoke."""
        said_in = turn.control_tick - self._delay
        expected = {"tick": said_in, "heard": max(0, said_in - self._delay)}
        self.heard += 1
        self.faults += event.source != self._predecessor or event.data != expected or self.heard != said_in

    @command
    def note(self, turn: Turn) -> None:
        """A command that changes nothing and is journaled all the same."""

    def tick(self, turn: Turn) -> None:
        """Says one event to the successor."""
        turn.send(self._successor, "said", {"tick": turn.control_tick, "heard": self.heard})

    def capture(self) -> State:
        """See `Member`."""
        return {"ring": Records({"heard": self.heard, "faults": self.faults})}

    def restore(self, state: State) -> None:
        """See `Member`."""
        found = cast(Records, state["ring"]).objects
        self.heard, self.faults = found["heard"], found["faults"]

    def measures(self) -> dict[str, float]:
        """See `Member`."""
        return {"heard": self.heard, "faults": self.faults}
