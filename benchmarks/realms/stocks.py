"""A realm with a large state of which little changes: a million bytes of stock, one part in a hundred a control tick."""

from hashlib import sha256
from typing import cast

import numpy as np

from actors.core.kernel.codec import Plain
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import State, Table, Touched
from actors.core.realms.tick_engines import Realm, command

ROWS = 125_000


class Stock(Realm):
    """Amounts in rows, some of which change in every local tick; it neither hears nor says anything.

    Args:
        birth: see `Realm`.
        tells: whether it says which rows it has touched, so that only those are hashed anew.
        rows: how many; each has eight bytes.
        noisy: whether the amounts are at random, so that nothing can make them smaller.
    """

    kind = "stock"

    def __init__(self, birth: Birth, *, tells: bool = True, rows: int = ROWS, noisy: bool = False) -> None:
        super().__init__(birth)
        self._tells = tells
        self._changed = rows // 100
        self._amounts = np.arange(rows, dtype=np.int64)
        if noisy:
            key = int.from_bytes(sha256(birth.lineage.encode()).digest()[:8], "little")
            self._amounts = np.random.Generator(np.random.Philox(key=key)).integers(0, 1 << 62, rows, np.int64)
        self._touched: list[tuple[int, int]] = []

    def tick(self, turn: Turn) -> None:
        """Changes a hundredth of the rows, another in every local tick."""
        first = turn.now * self._changed % (len(self._amounts) - self._changed)
        self._add(first, self._changed, turn.now)

    @command
    def add(self, turn: Turn, amount: int) -> Plain:
        """Adds to the first row; says what it has then."""
        self._add(0, 1, amount)
        return int(self._amounts[0])

    def _add(self, first: int, rows: int, amount: int) -> None:
        self._amounts[first : first + rows] += amount
        self._touched.append((first, first + rows))

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
