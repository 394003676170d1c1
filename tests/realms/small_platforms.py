"""Small platforms for the kernel's own tests of instances: they count, talk in a ring, and can be initialized."""

from collections.abc import Mapping
from typing import ClassVar

from actors.core.kernel.addresses import POSSESSION_ENDED
from actors.core.kernel.codec import Plain
from actors.core.kernel.events import Event
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import Records, State
from actors.core.realms.tick_engines import Realm, command, on

NEXT = dict(zip(PLATFORM_ROLES, (*PLATFORM_ROLES[1:], PLATFORM_ROLES[0]), strict=True))


class Platform(Realm):
    """Draws, tells the next one in the ring, and remembers what it heard."""

    kind = "small platform"
    emits: ClassVar[frozenset[str]] = frozenset({"word"})

    def __init__(self, birth: Birth, *, refuses: bool = False) -> None:
        super().__init__(birth)
        self.refuses = refuses
        self.state: dict[str, Plain] = {"now": 0, "sum": 0, "heard": 0, "possessed": 0, "born": False, "gold": 0}

    def tick(self, turn: Turn) -> None:
        self.state["now"] += 1
        self.state["sum"] += turn.streams.below("sum", turn.now, 0, 1000)
        if turn.now % 10 == 9 and self.birth.member_id in NEXT:
            turn.send(NEXT[self.birth.member_id], "word", {"sum": self.state["sum"]})

    @on("word")
    def hear(self, turn: Turn, event: Event) -> None:
        self.state["heard"] += int(event.data["sum"]) % 97

    @on(POSSESSION_ENDED)
    def freed(self, turn: Turn, event: Event) -> None:
        self.state["possessed"] = 0

    @command
    def initialize(self, turn: Turn) -> Plain:
        if self.refuses:
            raise RuntimeError("no")
        self.state["born"] = True
        return True

    @command
    def possess(self, turn: Turn) -> Plain:
        self.state["possessed"] = 1
        return True

    @command
    def mint(self, turn: Turn, gold: int) -> Plain:
        self.state["gold"] += gold
        turn.enter_ledger("gold", gold)
        return self.state["gold"]

    def totals(self) -> Mapping[str, int]:
        return {"gold": self.state["gold"]}

    def measures(self) -> Mapping[str, float]:
        return {"sum": self.state["sum"], "possessed": self.state["possessed"]}

    def capture(self) -> State:
        return {"all": Records({"it": dict(self.state)})}

    def restore(self, state: State) -> None:
        found = state["all"].objects["it"]
        if not isinstance(found["sum"], int) or found["sum"] < 0:
            raise ValueError(f"sum is {found['sum']!r}")
        self.state = dict(found)
