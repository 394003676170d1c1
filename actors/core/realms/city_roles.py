"""What people of the City do and when, as tables: roles, activities, the daily schedule, places, traits.

A day has 24 hours of `TICKS_PER_HOUR` local ticks. What somebody does in an hour follows from the role and from how
early a riser they are (`SHIFTS_HOURS`); hunger and fatigue may overrule it, see `city_rules`.
"""

import numpy as np
from numpy.typing import NDArray

ROLES = ("merchant", "guard", "scholar", "mystic", "townsfolk")
MERCHANT, GUARD, SCHOLAR, MYSTIC, TOWNSFOLK = range(len(ROLES))

FACTIONS = ("the_wanderers", "realm_keepers", "realm_keepers", "chaotic_forces", "neutral")
"""The faction of each role, in the order of `ROLES`."""

ACTIVITIES = ("sleep", "rest", "work", "market", "tavern", "prayer")
SLEEP, REST, WORK, MARKET, TAVERN, PRAYER = range(len(ACTIVITIES))

PLACES = ("private", "market", "west_tavern", "east_tavern", "temple")
PRIVATE, MARKET_SQUARE, WEST_TAVERN, EAST_TAVERN, TEMPLE = range(len(PLACES))
"""Where people meet. At home and at work (private) nobody trades or gossips."""

TICKS_PER_HOUR = 10
HOURS_PER_DAY = 24
TICKS_PER_DAY = TICKS_PER_HOUR * HOURS_PER_DAY

SCHEDULE = (
    # 0     6     12    18     one letter an hour: Sleep, Rest, Work, Market, Tavern, Prayer
    "SSSSSRMMMMMTMMMMMMWTTTRS",  # merchant
    "WWWWWTSSSSSSSRMMMTPWWWWW",  # guard: keeps the night watch
    "SSSSSSRWWWWTMMWWWPPTTRRS",  # scholar
    "TTSSSSSSSPPPMMMTPPPMMTTT",  # mystic: sleeps into the day
    "SSSSSRWWWWWTMMWWWMMTTTRS",  # townsfolk
)
_LETTERS = "SRWMTP"

SHIFTS_HOURS = (-2, -1, 0, 1, 2)
"""How much later than the schedule somebody rises."""

TRAITS = ("thrift", "curiosity", "temper")
"""What somebody is like, each 0 … 255: how little they pay, how readily they listen and tell on, how good their humour."""

WEALTH_MAX = 2**31 - 1
"""Wealth is an int32 column."""
MOOD_MAX = 1000
"""Mood lies in -1000 … 1000."""
NEED_MAX = 240
"""Hunger, fatigue and loneliness lie in 0 … 240: a day's worth at one a local tick."""
STOCK_MAX = 200
"""Units of goods somebody can keep."""


def habit_of(role: int, shift: int) -> int:
    """The habit number of a role and of an index into `SHIFTS_HOURS`."""
    return role * len(SHIFTS_HOURS) + shift


HABITS = len(ROLES) * len(SHIFTS_HOURS)
"""A habit is a role and a shift; `habit // len(SHIFTS_HOURS)` is the role."""


def _activity_table() -> NDArray[np.uint8]:
    rows = [
        [
            _LETTERS.index(SCHEDULE[role][(hour - shift) % HOURS_PER_DAY])
            for role in range(len(ROLES))
            for shift in SHIFTS_HOURS
        ]
        for hour in range(HOURS_PER_DAY)
    ]
    return np.array(rows, dtype=np.uint8)


ACTIVITY_BY_HOUR = _activity_table()
"""Activity by hour and habit: uint8, shape (24, HABITS)."""


def hour_of(local_tick: int) -> int:
    """The hour of the day at a local tick, 0 … 23."""
    return local_tick // TICKS_PER_HOUR % HOURS_PER_DAY


def place_points(grid: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Where the places are on a grid of that many fields a side: x and y by place; private ones are not anywhere."""
    quarter, half = grid // 4, grid // 2
    return (
        np.array([0, half, quarter, grid - 1 - quarter, half], dtype=np.uint8),
        np.array([0, half, half, half, quarter], dtype=np.uint8),
    )
