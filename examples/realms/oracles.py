"""A realm of one's own, in a folder of one's own: it collects rumours and answers with prophecies.

docs/how_to_write_a_realm.md explains it line by line.
"""

from collections.abc import Mapping

from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import Records, State
from actors.core.players.rosters import ROSTER_EVENTS, Roster
from actors.core.realms.tick_engines import Realm, command, on

OMENS = ("a good harvest", "a long winter", "a guest from afar", "an old debt repaid")


class Oracle(Realm):
    """Speaks after every so many rumours."""

    kind = "oracle"
    emits = frozenset({"rumour"})
    subscribes = frozenset({"rumour"})

    def __init__(self, birth: Birth, *, patience: int = 3) -> None:
        super().__init__(birth)
        self.patience = patience
        self.heard = 0
        self.spoken = 0
        self.roster = Roster()

    @on("rumour")
    def listen(self, turn: Turn, event: Event) -> None:
        if event.source == self.birth.member_id:
            return
        self.heard += 1
        if self.heard % self.patience == 0:
            self.engine.emit(turn, "vision", {"after": event.data["topic"]})

    @on("vision", internal=True)
    def prophesy(self, turn: Turn, event: Event) -> None:
        omen = OMENS[turn.streams.below("omen", turn.now, self.spoken, len(OMENS))]
        self.spoken += 1
        turn.broadcast("rumour", {"topic": f"the oracle foretells {omen}", "hops": 0, "hops_max": 2, "tone": 20})

    @on(*ROSTER_EVENTS)
    def follow(self, turn: Turn, event: Event) -> None:
        self.roster.apply(event)

    @command
    def set_patience(self, turn: Turn, patience: int) -> int:
        self.patience = max(1, patience)
        return self.patience

    def capture(self) -> State:
        oracle = {"patience": self.patience, "heard": self.heard, "spoken": self.spoken}
        return {"oracle": Records(oracle), "roster": self.roster.capture()}

    def restore(self, state: State) -> None:
        oracle, roster = state["oracle"], state["roster"]
        assert isinstance(oracle, Records) and isinstance(roster, Records)
        self.patience, self.heard, self.spoken = (oracle.objects[name] for name in ("patience", "heard", "spoken"))
        self.roster.restore(roster)

    def measures(self) -> Mapping[str, float]:
        return {"rumours": self.heard, "prophecies": self.spoken, "players": len(self.roster.players)}
