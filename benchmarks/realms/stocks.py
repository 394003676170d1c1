"""A realm with a large state of which little changes: a million bytes of stock, one part in a hundred a control tick."""

from typing import cast

import numpy as np

from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import State, Table, Touched
from actors.core.realms.tick_engines import Realm

ROWS = 125_000
CHANGED = ROWS // 100


class Stock(Realm):
    """Amounts in rows, some of which change in every local tick; it neither hears nor says anything.

    Args:
        birth: see `Realm`.
        tells: whether it says which rows it has touched, so that only those are hashed anew.
    """

    kind = "stock"

    def __init__(self, birth: Birth, *, tells: bool = True) -> None:
        super().__init__(birth)
        self._tells = tells
        self._amounts = np.arange(ROWS, dtype=np.int64)
        self._touched: list[tuple[int, int]] = []

    def tick(self, turn: Turn) -> None:
        """Changes a hundredth of the rows, another in every local tick."""
        first = turn.now * CHANGED % (ROWS - CHANGED)
        self._amounts[first : first + CHANGED] += turn.now
        self._touched.append((first, first + CHANGED))

    def touched(self) -> Touched | None:
        """See `kernel/digests`: what has changed since this was last asked."""
        touched, self._touched = self._touched, []
        return {"stock.amounts": touched} if self._tells else None

    def capture(self) -> State:
        """See `Member`."""
        return {"stock": Table({"amounts": self._amounts})}

    def restore(self, state: State) -> None:
        """See `Member`."""
        self._amounts = cast(Table, state["stock"]).columns["amounts"].astype(np.int64)
        self._touched = []
