"""The City's daily life as an idiomatic Mesa 3 model: what `benchmarks.city` measures the City against.

The rules are those of `actors.core.realms.city_rules`: schedule, walking, needs, work, pair trade, gossip, mood. One agent
is one person, one `step()` of the model one local tick. People walk on one of Mesa's own grids, as a Mesa user would have
it; with `space=False` coordinates are plain attributes instead, which is as fast as Mesa's manner allows. Meeting places are
lists, and no data are collected unless asked for. Who meets whom is drawn from those present, where the City pairs slots;
the work for one meeting is the same.
"""

from functools import partial
from typing import Any

import mesa
from mesa.discrete_space import CellAgent, OrthogonalMooreGrid

from actors.core.realms import city_roles as roles
from actors.core.realms import city_rules as rules

SHIFTS = len(roles.SHIFTS_HOURS)
MEETING_CHANCE = 0.25
"""With it, people here meet about as often as in the City (about five times a day among 10,000)."""


class Person(CellAgent):  # type: ignore[misc]
    """One inhabitant."""

    def __init__(self, model: "MesaCity", number: int) -> None:
        super().__init__(model)
        draw = model.random.randrange
        self.role = number % len(roles.ROLES)
        self.habit = self.role * SHIFTS + draw(SHIFTS)
        self.thrift, self.curiosity, self.temper = draw(256), draw(256), draw(256)
        self.home, self.workplace = (draw(model.grid), draw(model.grid)), (draw(model.grid), draw(model.grid))
        self.x, self.y = self.goal = self.home
        if model.space is not None:
            self.cell = model.space[self.home]
        self.activity, self.place = roles.SLEEP, roles.PRIVATE
        self.hunger, self.fatigue, self.loneliness = draw(64), 0, draw(128)
        self.stock, self.wealth, self.mood = 5 + draw(16), 40 + draw(120) + 150 * (self.role == roles.MERCHANT), 0
        self.heard: set[int] = set()

    def plan(self) -> None:
        """Once an hour: what to do, and where."""
        model = self.model
        activity = model.schedule[self.habit]
        if self.hunger > rules.HUNGRY and activity != roles.SLEEP:
            activity = roles.TAVERN
        if self.fatigue > rules.EXHAUSTED:
            activity = roles.SLEEP
        self.activity = activity
        if activity == roles.WORK:
            self.place, self.goal = roles.PRIVATE, self.workplace
        elif activity in (roles.SLEEP, roles.REST):
            self.place, self.goal = roles.PRIVATE, self.home
        else:
            east = activity == roles.TAVERN and self.home[0] >= model.grid // 2
            self.place = {roles.MARKET: roles.MARKET_SQUARE, roles.PRAYER: roles.TEMPLE}.get(
                activity, roles.EAST_TAVERN if east else roles.WEST_TAVERN
            )
            self.goal = model.points[self.place]

    def step(self) -> None:
        """One local tick."""
        goal_x, goal_y = self.goal
        there = self.x == goal_x and self.y == goal_y
        if not there:
            self.x += (self.x < goal_x) - (self.x > goal_x)
            self.y += (self.y < goal_y) - (self.y > goal_y)
            there = self.x == goal_x and self.y == goal_y
            if self.model.space is not None:
                self.cell = self.model.space[self.x, self.y]
        draw = self.model.random.getrandbits(16)
        self._live(there, draw)
        if there and self.place != roles.PRIVATE:
            present = self.model.present[self.place]
            if present and (draw >> 3) / 8192 < MEETING_CHANCE:
                self.meet(present[draw % len(present)], draw)
            present.append(self)

    def _live(self, there: bool, draw: int) -> None:
        self.hunger = min(self.hunger + 1, roles.NEED_MAX)
        self.fatigue = min(self.fatigue + 1, roles.NEED_MAX)
        self.loneliness = min(self.loneliness + 1, roles.NEED_MAX)
        if there:
            if self.activity == roles.TAVERN:
                self.hunger = max(self.hunger - rules.MEAL, 0)
            elif self.activity == roles.SLEEP:
                self.fatigue = max(self.fatigue - rules.SLEEPS_OFF, 0)
            elif self.activity == roles.WORK and not draw & 7 and self.stock < roles.STOCK_MAX:
                self.stock += 1
        strain = (self.hunger >> 1) + (self.fatigue >> 2) + (self.loneliness >> 2)
        aim = 2 * (self.temper - 128) - 4 * strain + rules.CONTENT - 64 + (draw >> 9)
        self.mood += (aim - self.mood) >> 5

    def meet(self, other: "Person", draw: int) -> None:
        """Company, gossip both ways, and trade on the market square."""
        for person in (self, other):
            person.loneliness = max(person.loneliness - rules.COMPANY, 0)
        if self.heard != other.heard:
            known = set(self.heard), set(other.heard)
            for listener, told in ((self, known[1]), (other, known[0])):
                if listener.curiosity >= draw >> 8 and told - listener.heard:
                    listener.heard |= told
                    listener.cheer(rules.RUMOUR_JOY)
        if self.place == roles.MARKET_SQUARE:
            mine, yours = self.role == roles.MERCHANT, other.role == roles.MERCHANT
            sells = bool(draw >> 8 & 1) if mine == yours else mine
            trade(self if sells else other, other if sells else self, draw >> 4 & 15)

    def cheer(self, change: int) -> None:
        """Changes the mood within its bounds."""
        self.mood = max(-roles.MOOD_MAX, min(roles.MOOD_MAX, self.mood + change))


def trade(seller: Person, buyer: Person, haggled: int) -> None:
    """One unit of goods one way, its price the other."""
    if not seller.stock:
        return
    spends = (buyer.wealth >> rules.TRADE_SHIFT) + haggled + 1
    price = min(spends - (spends * buyer.thrift >> 9), buyer.wealth, roles.WEALTH_MAX - seller.wealth)
    if price > 0:
        buyer.wealth -= price
        seller.wealth += price
        seller.stock -= 1
        seller.cheer(rules.TRADE_JOY)
        buyer.cheer(rules.TRADE_JOY)


class MesaCity(mesa.Model):  # type: ignore[misc]
    """A city of people, with or without a grid of Mesa's.

    `collect` adds a data collector that sums wealth and mood after every step.
    """

    def __init__(
        self, npcs: int = 1_000, grid: int = 64, space: bool = True, collect: bool = False, seed: int | None = None
    ) -> None:
        super().__init__(seed=seed)
        self.space = OrthogonalMooreGrid((grid, grid), random=self.random) if space else None
        self.grid = grid
        self.now = 0
        points = roles.place_points(grid)
        self.points = list(zip(points[0].tolist(), points[1].tolist(), strict=True))
        self.present: list[list[Person]] = []
        self.schedule: list[int] = []
        for number in range(npcs):
            person = Person(self, number)
            if number < 8:
                person.heard.add(number)
        sums = {name: partial(_sum_of, name) for name in ("wealth", "mood")}
        self.datacollector: Any = mesa.DataCollector(model_reporters=sums) if collect else None
        self._collect()

    def _collect(self) -> None:
        if self.datacollector is not None:
            self.datacollector.collect(self)

    def step(self) -> None:
        """One local tick of all people, in drawn order."""
        if self.now % roles.TICKS_PER_HOUR == 0:
            self.schedule = roles.ACTIVITY_BY_HOUR[roles.hour_of(self.now)].tolist()
            self.agents.do("plan")
        self.present = [[] for _ in roles.PLACES]
        self.agents.shuffle_do("step")
        self.now += 1
        self._collect()


def _sum_of(attribute: str, model: MesaCity) -> int:
    return sum(getattr(person, attribute) for person in model.agents)
