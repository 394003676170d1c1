"""A realm that makes and destroys gold in its own time."""

from actors.core.kernel.members import Turn
from actors.core.kernel.states import Records
from actors.core.realms.tick_engines import Realm


class Mint(Realm):
    """One gold in the first local tick of every control tick up to `until`; all of it is burnt one control tick later."""

    kind = "mint"

    def __init__(self, birth, *, until):
        super().__init__(birth)
        self.until, self.gold = until, 0

    def tick(self, turn: Turn) -> None:
        if turn.now % self.birth.local_ticks == 0 and turn.control_tick <= self.until + 1:
            change = 1 if turn.control_tick <= self.until else -self.gold
            self.gold += change
            turn.enter_ledger("gold", change)

    def capture(self):
        return {"mint": Records({"gold": self.gold})}

    def restore(self, state):
        self.gold = state["mint"].objects["gold"]

    def totals(self):
        return {"gold": self.gold}
