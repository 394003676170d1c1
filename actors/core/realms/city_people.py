"""The people of a City as columns: who lives in which slot, who comes, who goes.

A slot is a row. Whoever goes leaves it empty, all zero; whoever comes takes the lowest empty one, and the columns grow when
there is none. The slot is the number under which somebody's draws are made. Who somebody *is*, wherever they live, is
`(origin, number)`: the realm of birth, by its index in the table of origins, and the number there.

Columns are copied when they are written for the first time after they were shown (`show`, `own`): a view keeps what it
was given, and publishing costs nothing.
"""

from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.states import Table
from actors.core.kernel.streams import Streams, scaled
from actors.core.realms.city_roles import ACTIVITIES, MERCHANT, PLACES, ROLES, SHIFTS_HOURS, WEALTH_MAX

Column = NDArray[Any]
Indices = NDArray[np.int64]

PEOPLE_MAX = 5_000_000
"""People one city takes in, at about 40 bytes each."""
SLOTS_STEP = 64
"""The number of slots is a multiple of it, so that draws of 16 bits fill whole words and blocks."""
SLOT_GROWTH = 4
"""A full city grows by a quarter, so that a stream of arrivals is linear work."""

COLUMNS: Mapping[str, type[np.generic]] = {
    "alive": np.bool_,
    "habit": np.uint8,  # role and shift, see city_roles
    "thrift": np.uint8,
    "curiosity": np.uint8,
    "temper": np.uint8,
    "home_x": np.uint8,
    "home_y": np.uint8,
    "work_x": np.uint8,
    "work_y": np.uint8,
    "x": np.uint8,
    "y": np.uint8,
    "goal_x": np.uint8,
    "goal_y": np.uint8,
    "activity": np.uint8,
    "place": np.uint8,  # where the activity takes place
    "hunger": np.uint8,
    "fatigue": np.uint8,
    "loneliness": np.uint8,
    "stock": np.uint8,  # units of goods to sell
    "mood": np.int16,
    "wealth": np.int32,
    "heard": np.uint64,  # one bit for each live rumour
    "origin": np.int16,  # index into the origins
    "number": np.int64,  # at the realm of birth
}

LIVING = ("x", "y", "hunger", "fatigue", "loneliness", "stock", "mood", "wealth", "heard")
"""Columns that change in every local tick."""
CHOICES = {"habit": len(ROLES) * len(SHIFTS_HOURS), "activity": len(ACTIVITIES), "place": len(PLACES)}
"""How many there are to choose from."""
PLANNED = ("activity", "place", "goal_x", "goal_y")
"""Columns that change once an hour."""


class People:
    """All people of one city.

    Attributes:
        columns: by name, all of the same length; read them, and call `own` before writing into one.
    """

    def __init__(self, slots: int = 0) -> None:
        self.columns: dict[str, Column] = {name: np.zeros(slots, dtype=dtype) for name, dtype in COLUMNS.items()}
        self._shown: set[str] = set()
        self._empty_from = 0

    @property
    def slots(self) -> int:
        """How many slots there are, empty ones included."""
        return len(self.columns["alive"])

    @property
    def count(self) -> int:
        """How many people there are."""
        return int(np.count_nonzero(self.columns["alive"]))

    def total(self, column: str) -> int:
        """The sum of one column; empty slots are zero."""
        return int(self.columns[column].sum(dtype=np.int64))

    @property
    def has_room(self) -> bool:
        """Whether one more can settle."""
        return self.slots < PEOPLE_MAX or not bool(self.columns["alive"][self._empty_from :].all())

    def lives_at(self, slot: object) -> TypeGuard[int]:
        """Whether `slot` is a slot with somebody in it. Takes anything."""
        return (
            isinstance(slot, int)
            and not isinstance(slot, bool)
            and 0 <= slot < self.slots
            and bool(self.columns["alive"][slot])
        )

    def show(self) -> Mapping[str, Column]:
        """The columns as they stand, for a view: they will not be written again."""
        self._shown = set(self.columns)
        return dict(self.columns)

    def own(self, *names: str) -> None:
        """Makes these columns writable without anybody seeing it who was shown them."""
        for name in names:
            if name in self._shown:
                self.columns[name] = self.columns[name].copy()
                self._shown.discard(name)

    def settle(self, values: Mapping[str, int]) -> int:
        """Gives somebody the lowest empty slot, growing the columns if there is none; returns the slot."""
        slot = self._lowest_empty()
        self.own(*COLUMNS)
        for name, value in values.items():
            self.columns[name][slot] = value
        self.columns["alive"][slot] = True
        self._empty_from = slot + 1
        return slot

    def leave(self, slot: int) -> dict[str, int]:
        """Takes somebody out; returns what stood in the slot, which is zero afterwards."""
        self.own(*COLUMNS)
        values = {name: int(column[slot]) for name, column in self.columns.items()}
        for column in self.columns.values():
            column[slot] = 0
        self._empty_from = min(self._empty_from, slot)
        return values

    def _lowest_empty(self) -> int:
        rest = self.columns["alive"][self._empty_from :]
        if len(rest):
            offset = int(rest.argmin())
            if not rest[offset]:
                return self._empty_from + offset
        slots = self.slots
        more = rounded_slots(slots + max(SLOTS_STEP, slots // SLOT_GROWTH)) - slots
        for name, column in self.columns.items():
            self.columns[name] = np.concatenate([column, np.zeros(more, dtype=column.dtype)])
        self._shown.clear()
        return slots

    def capture(self) -> Table:
        """The columns as a section of the city's state; the row is the slot."""
        return Table(dict(self.columns), present="alive")

    def restore(self, section: Table) -> None:
        """Takes up captured columns.

        Raises:
            ValueError: somebody has a habit, an activity or a place that there is not, or nobody has anything.
        """
        columns = section.columns
        for name, count in CHOICES.items():
            if len(columns[name]) and int(columns[name].max()) >= count:
                raise ValueError(f"{name} must be below {count}, not {int(columns[name].max())}")
        wealth = columns["wealth"]
        if len(wealth) and not 0 <= int(wealth.min()) <= int(wealth.max()) <= WEALTH_MAX:
            raise ValueError(f"wealth must be from 0 to {WEALTH_MAX}, for everybody")
        nobody = np.logical_not(columns["alive"])
        for name, column in columns.items():
            if column[nobody].any():
                raise ValueError(f"an empty slot has some {name}")
        self.columns = dict(columns)
        self._shown.clear()
        self._empty_from = 0


def rounded_slots(slots: int) -> int:
    """The next multiple of `SLOTS_STEP`."""
    return -(-slots // SLOTS_STEP) * SLOTS_STEP


def born(streams: Streams, count: int, grid: int) -> People:
    """`count` people born in a city, at home at midnight, roles in turn; what else they are is drawn by slot."""
    people = People(rounded_slots(count))
    columns = people.columns
    slot = np.arange(count)
    traits = streams.words("birth", 0, count)
    fortune = streams.words("fortune", 0, count)
    role = slot % len(ROLES)
    columns["alive"][:count] = True
    columns["number"][:count] = slot
    columns["habit"][:count] = role * len(SHIFTS_HOURS) + byte_of(traits, 0) % len(SHIFTS_HOURS)
    for place, name in enumerate(("thrift", "curiosity", "temper"), 1):
        columns[name][:count] = byte_of(traits, place)
    columns["wealth"][:count] = 40 + scaled(fortune, 120) + (role == MERCHANT) * 150
    columns["stock"][:count] = 5 + (byte_of(fortune, 0) & 15)
    columns["hunger"][:count] = byte_of(fortune, 1) >> 2
    columns["loneliness"][:count] = byte_of(fortune, 2) >> 1
    for name, values in houses(streams, "house", 0, count, grid).items():
        columns[name][:count] = values
    for axis in ("x", "y"):
        columns[axis][:count] = columns[f"goal_{axis}"][:count] = columns[f"home_{axis}"][:count]
    return people


def houses(streams: Streams, stream: str, local_tick: int, count: int, grid: int) -> dict[str, Indices]:
    """Home and workplace of the slots 0 … count-1, drawn by slot."""
    words = streams.words(stream, local_tick, count)
    return houses_of(words, grid)


def houses_of(words: NDArray[np.uint64], grid: int) -> dict[str, Indices]:
    """Home and workplace drawn from one word each: four times 16 bits as a field 0 … grid-1."""
    return {
        name: ((words >> np.uint64(16 * place)) & np.uint64(0xFFFF)).astype(np.int64) * grid >> 16
        for place, name in enumerate(("home_x", "home_y", "work_x", "work_y"))
    }


def byte_of(words: NDArray[np.uint64], place: int) -> Indices:
    """The `place`-th lowest byte of each word."""
    return ((words >> np.uint64(8 * place)) & np.uint64(0xFF)).astype(np.int64)


def role_of(habit: Column) -> Column:
    """The role of each habit."""
    return habit // np.uint8(len(SHIFTS_HOURS))
