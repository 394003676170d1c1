"""The ring of the benchmark as a realm: it hears one event, checks and counts it, and says one; nothing else."""

from typing import cast

from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import Records, State
from actors.core.realms.tick_engines import Realm, on


class Ring(Realm):
    """A member of the ring.

    Args:
        birth: see `Realm`.
        successor: whom it speaks to.
        predecessor: whom it should hear: in control tick k what was said in k-1.
    """

    kind = "ring"
    emits = frozenset({"said"})

    def __init__(self, birth: Birth, *, successor: str, predecessor: str) -> None:
        super().__init__(birth)
        self._successor, self._predecessor = successor, predecessor
        self.heard = self.faults = 0

    @on("said")
    def hear(self, turn: Turn, event: Event) -> None:
        """Exactly one event a control tick, said in the one before it by a member that had heard all but that one."""
        expected = {"tick": turn.control_tick - 1, "heard": self.heard}
        self.faults += event.source != self._predecessor or event.data != expected
        self.heard += 1

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
