"""How the people of a City live through a local tick: whole columns at a time, in integers only.

    plan      once an hour: what to do and where, by the schedule; hunger and fatigue overrule it
    live      every tick, everybody by themselves: walk a step, needs, work, mood
    pairs     every tick: who meets whom
    trade     every tick, the two of a pair: goods one way, wealth the other
    gossip    every tick, the two of a pair: rumours both ways

Who meets whom is an involution: in one tick, slot *s* can meet slot *s* xor *m* only, with *m* drawn for the tick alone. So
no third person has a say in it, and what changes in one person reaches others only through those they meet. There is no
pool that all share.

`plan` and `live` go through the columns in blocks that stay in the processor's cache, and work in small integers, so that
one instruction handles 32 to 64 people.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from actors.core.kernel.streams import Streams
from actors.core.realms import city_roles as roles
from actors.core.realms.city_people import Column, Indices, role_of

BLOCK_SLOTS = 1 << 15
"""Two dozen byte columns of this length fit into a second-level cache of 1 to 2 MiB."""

DRAWS_PER_WORD = 4
"""Everybody draws 16 bits a tick: bits 0-2 for work, 4-7 for haggling, 8 for who sells, 9-15 for mood; gossip takes the
upper byte."""
WORK_BITS = np.uint16(0b111)

MEAL = 8
"""Hunger that a tick in a tavern takes."""
SLEEPS_OFF = 6
"""Fatigue that a tick of sleep takes."""
COMPANY = 40
"""Loneliness that meeting somebody takes."""
HUNGRY, EXHAUSTED = 200, 225
"""From here on needs overrule the schedule."""
CONTENT = 550
"""The mood somebody of middling temper without needs tends to."""
TRADE_JOY = 12
TRADE_SHIFT = 5
"""A buyer of no thrift spends 1/32 of what they have, and up to 15 more."""
RUMOUR_JOY = 25

Bits = NDArray[np.uint16]


def draws(streams: Streams, local_tick: int, slots: int) -> Bits:
    """16 drawn bits for everybody in this tick; those of a slot never depend on how many slots there are."""
    words = streams.words("life", local_tick, -(-slots // DRAWS_PER_WORD))
    return words.astype("<u8", copy=False).view("<u2").astype(np.uint16, copy=False)[:slots]


def blocks(slots: int) -> Iterator[slice]:
    """The columns in pieces of `BLOCK_SLOTS`."""
    return (slice(at, min(at + BLOCK_SLOTS, slots)) for at in range(0, slots, BLOCK_SLOTS))


def plan(columns: Mapping[str, Column], hour: int, grid: int) -> None:
    """Decides for everybody what to do in this hour and where to go for it. Writes the `PLANNED` columns."""
    scheduled = roles.ACTIVITY_BY_HOUR[hour]
    points_x, points_y = roles.place_points(grid)
    for block in blocks(len(columns["alive"])):
        part = {name: column[block] for name, column in columns.items()}
        activity = scheduled[part["habit"]]
        np.copyto(activity, roles.TAVERN, where=(part["hunger"] > HUNGRY) & (activity != roles.SLEEP))
        np.copyto(activity, roles.SLEEP, where=part["fatigue"] > EXHAUSTED)
        place = _PLACE_OF_ACTIVITY[activity]
        place += (place == roles.WEST_TAVERN) & (part["home_x"] >= grid // 2)
        alive = part["alive"].view(np.uint8)
        np.multiply(activity, alive, out=part["activity"])
        np.multiply(place, alive, out=part["place"])
        private, at_work = place == roles.PRIVATE, activity == roles.WORK
        for axis, points in (("x", points_x), ("y", points_y)):
            goal = points[place]
            np.copyto(goal, part[f"home_{axis}"], where=private)
            np.copyto(goal, part[f"work_{axis}"], where=at_work)
            np.multiply(goal, alive, out=part[f"goal_{axis}"])


_PLACE_OF_ACTIVITY = np.array(
    [roles.PRIVATE, roles.PRIVATE, roles.PRIVATE, roles.MARKET_SQUARE, roles.WEST_TAVERN, roles.TEMPLE], dtype=np.uint8
)
"""Those who live in the eastern half go to the eastern tavern instead, the next number."""


def live(columns: Mapping[str, Column], bits: Bits) -> NDArray[np.bool_]:
    """Everybody walks a step, gets hungrier or eats, works, feels. Writes the `LIVING` columns but wealth and rumours.

    Returns:
        Who stands where others may meet them.
    """
    slots = len(columns["alive"])
    meeting = np.empty(slots, dtype=np.bool_)
    for block in blocks(slots):
        part = {name: column[block] for name, column in columns.items()}
        _walk(part["x"], part["goal_x"])
        _walk(part["y"], part["goal_y"])
        there = part["x"] == part["goal_x"]
        there &= part["y"] == part["goal_y"]
        there &= part["alive"]
        _needs(part, there)
        _work(part, there, bits[block])
        _feel(part, bits[block])
        np.not_equal(part["place"], roles.PRIVATE, out=meeting[block])
        meeting[block] &= there
    return meeting


def _walk(position: Column, goal: Column) -> None:
    position += (position < goal).view(np.uint8)
    position -= (position > goal).view(np.uint8)


def _needs(part: Mapping[str, Column], there: NDArray[np.bool_]) -> None:
    alive = part["alive"]
    for need, activity, relief in (
        ("hunger", roles.TAVERN, MEAL),
        ("fatigue", roles.SLEEP, SLEEPS_OFF),
        ("loneliness", -1, 0),
    ):
        column = part[need]
        grows = column < roles.NEED_MAX
        grows &= alive
        column += grows.view(np.uint8)
        if relief:
            relieved = part["activity"] == activity
            relieved &= there
            taken = relieved.view(np.uint8) * np.uint8(relief)
            np.maximum(column, taken, out=column)
            column -= taken


def _work(part: Mapping[str, Column], there: NDArray[np.bool_], bits: Bits) -> None:
    made = (bits & WORK_BITS) == 0
    made &= there
    made &= part["activity"] == roles.WORK
    made &= part["stock"] < roles.STOCK_MAX
    part["stock"] += made.view(np.uint8)


def _feel(part: Mapping[str, Column], bits: Bits) -> None:
    """Mood goes 1/32 of the way to what temper and needs make of it, with a drawn tremor; it stays in its bounds."""
    strain = part["hunger"] >> 1
    strain += part["fatigue"] >> 2
    strain += part["loneliness"] >> 2
    aim = part["temper"].astype(np.int16)
    aim -= 128
    aim <<= 1
    needs = strain.astype(np.int16)
    needs <<= 2
    aim -= needs
    aim += CONTENT - 64
    aim += (bits >> np.uint16(9)).view(np.int16)
    mood = part["mood"]
    aim -= mood
    aim >>= 5
    aim *= part["alive"].view(np.int8)
    mood += aim


def pairs(columns: Mapping[str, Column], meeting: NDArray[np.bool_], mask: int) -> tuple[Indices, Indices]:
    """Who meets whom in this tick: the lower and the higher slot of each pair, both at the same place.

    Args:
        columns: the people.
        meeting: who may be met.
        mask: in this tick, slot *s* can meet slot *s* xor mask only; not 0.
    """
    top = 1 << (mask.bit_length() - 1)
    first = np.flatnonzero(meeting)
    first = first[(first & top) == 0]
    second = first ^ mask
    there = second < len(meeting)
    first, second = first[there], second[there]
    together = meeting[second] & (columns["place"][first] == columns["place"][second])
    return first[together], second[together]


def meet(columns: Mapping[str, Column], first: Indices, second: Indices, bits: Bits, moods: tuple[int, int]) -> None:
    """What the two of each pair do to each other: company, gossip, and on the market square trade.

    Args:
        columns: the people.
        first: the lower slot of each pair.
        second: the higher one; nobody is in two pairs.
        bits: everybody's draws.
        moods: the bits of the good and of the bad rumours.
    """
    both = np.stack((first, second))
    lonely = columns["loneliness"][both]
    columns["loneliness"][both] = np.maximum(lonely, COMPANY) - np.uint8(COMPANY)
    _gossip(columns, both, bits, moods)
    at_market = columns["place"][first] == roles.MARKET_SQUARE
    if at_market.any():
        _trade(columns, both[:, at_market], bits)


def _gossip(columns: Mapping[str, Column], both: Indices, bits: Bits, moods: tuple[int, int]) -> None:
    """Each takes up what the other has heard, if curious enough for the upper byte of their draw."""
    known = columns["heard"][both]
    news = known[::-1] & ~known
    if not news.any():
        return
    news *= columns["curiosity"][both] >= (bits[both] >> np.uint16(8))
    columns["heard"][both] = known | news
    good, bad = np.uint64(moods[0]), np.uint64(moods[1])
    joy = ((news & good) != 0).astype(np.int16) - ((news & bad) != 0)
    cheer(columns, both, joy * np.int16(RUMOUR_JOY))


def _trade(columns: Mapping[str, Column], both: Indices, bits: Bits) -> None:
    """One unit of goods one way, wealth the other. Merchants sell; between equals the draw says who does."""
    merchants = role_of(columns["habit"][both]) == roles.MERCHANT
    drawn = bits[both[0]]
    second_sells = (drawn >> np.uint16(8)) & np.uint16(1) == 0
    np.copyto(second_sells, merchants[1], where=merchants[0] != merchants[1])
    seller, buyer = np.where(second_sells, both[::-1], both)
    offered = columns["stock"][seller] > 0
    haggled = (drawn >> np.uint16(4)) & np.uint16(15)
    settle_sales(columns, seller[offered], buyer[offered], haggled[offered])


def settle_sales(columns: Mapping[str, Column], seller: Indices, buyer: Indices, haggled: Column) -> None:
    """Moves one unit of goods and its price for each pair; what one pays, the other gets, to the last coin.

    Args:
        columns: the people.
        seller: slots that have stock, each once.
        buyer: slots, each once and none of them a seller.
        haggled: how much is drawn on top of the buyer's share, before thrift.
    """
    wealth = columns["wealth"]
    purse, till = wealth[buyer].astype(np.int64), wealth[seller].astype(np.int64)
    spends = (purse >> TRADE_SHIFT) + haggled + 1
    price = spends - (spends * columns["thrift"][buyer] >> 9)
    price = np.minimum(np.minimum(price, purse), roles.WEALTH_MAX - till)
    wealth[buyer] = purse - price
    wealth[seller] = till + price
    sold = price > 0
    columns["stock"][seller] -= sold.view(np.uint8)
    cheer(columns, np.stack((seller, buyer)), sold * np.int16(TRADE_JOY))


def cheer(columns: Mapping[str, Column], slots: Indices | slice, change: Column | int) -> None:
    """Changes the mood of these slots, each at most once, within its bounds; empty slots have none.

    Args:
        columns: the people.
        slots: whose mood.
        change: by how much, at most `MOOD_MAX` either way.
    """
    moods = columns["mood"][slots] + change
    np.minimum(moods, roles.MOOD_MAX, out=moods)
    np.maximum(moods, -roles.MOOD_MAX, out=moods)
    columns["mood"][slots] = moods * columns["alive"][slots]
