"""Caravans: one merchant with goods and wealth, out of one city's columns, into an event, into another's.

What an event *carries* is counted, and it is the carried wealth that arrives, whatever the data say. What arrives and has
no place among the people (a malformed record, a purse beyond what one can hold, quantities the City does not know) lies in
the strongroom, counted like everything else.
"""

from collections.abc import Callable, Mapping

from actors.core.kernel.addresses import checked_part
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import AddressError
from actors.core.realms import city_roles as roles

WEALTH, NPCS = "wealth", "npcs"
"""The conserved quantities of a city."""

CARAVAN_WEALTH_MIN = 60
"""Nobody sets out with less."""
CARAVAN_MOOD = 20
"""What the arrival does to a merchant's mood."""

RECORD_BOUNDS: Mapping[str, tuple[int, int]] = {
    "habit": (0, roles.HABITS - 1),
    "thrift": (0, 255),
    "curiosity": (0, 255),
    "temper": (0, 255),
    "hunger": (0, roles.NEED_MAX),
    "fatigue": (0, roles.NEED_MAX),
    "loneliness": (0, roles.NEED_MAX),
    "mood": (-roles.MOOD_MAX, roles.MOOD_MAX),
    "number": (0, 2**53),
}
"""What travels in the record of a person, and what is believed on arrival. Place, home and heard rumours stay behind."""

QUANTITY_MAX = 2**62
"""What the strongroom holds of one quantity, so that totals stay within 64 bits."""
QUANTITIES_MAX = 64
"""Kinds of quantities in the strongroom; names from outside must not grow the state without end."""


def whole_number(value: object, low: int, high: int) -> bool:
    """Whether `value` is a whole number in these bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def packed(values: Mapping[str, int], origin: str, name: str) -> dict[str, Plain]:
    """The data of a caravan: the whole record of the person, and the goods."""
    habit = values["habit"]
    record: dict[str, Plain] = {field: values[field] for field in RECORD_BOUNDS}
    record |= {"origin": origin, "name": name, "role": roles.ROLES[habit // len(roles.SHIFTS_HOURS)]}
    return {"npc": record, "goods": values["stock"]}


def unpacked(data: Mapping[str, Plain]) -> tuple[dict[str, int], str] | None:
    """The columns and the origin of the person a caravan brings; None if its data do not tell of one."""
    record, goods = data.get("npc"), data.get("goods", 0)
    if not isinstance(record, Mapping) or not whole_number(goods, 0, roles.STOCK_MAX):
        return None
    if not all(whole_number(record.get(name), low, high) for name, (low, high) in RECORD_BOUNDS.items()):
        return None
    try:
        origin = checked_part(record.get("origin"), "origin")
    except AddressError:
        return None
    return {name: record[name] for name in RECORD_BOUNDS} | {"stock": goods}, origin


class Strongroom:
    """Quantities that belong to nobody."""

    def __init__(self) -> None:
        self.amounts: dict[str, int] = {}

    def put(self, quantity: str, amount: int, enter_ledger: Callable[[str, int], None]) -> None:
        """Stores an amount; what it cannot hold is destroyed, and the ledger says so."""
        known = quantity in self.amounts or quantity in (WEALTH, NPCS) or len(self.amounts) < QUANTITIES_MAX
        held = self.amounts.get(quantity, 0)
        kept = max(-QUANTITY_MAX, min(QUANTITY_MAX, held + amount)) if known else held
        if kept != held:
            self.amounts[quantity] = kept
        if kept - held != amount:
            enter_ledger(quantity, kept - held - amount)
