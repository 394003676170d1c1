"""Small Mesa models of a user's own: one that is deterministic, and one for each way of not being so."""

import os
import random
import time

import numpy as np
from mesa import Agent, DataCollector, Model

TOWNS = ("amsterdam", "berlin", "copenhagen", "dublin", "edinburgh", "florence", "geneva", "hamburg")


class Walker(Agent):
    def __init__(self, model):
        super().__init__(model)
        self.place = 0.0
        self.town = TOWNS[0]

    def step(self):
        self.place += self.model.rng.normal()
        self.town = self.random.choice(TOWNS)


class Walkers(Model):
    """Deterministic; draws from both generators; stops when `days` are over."""

    def __init__(self, n=6, days=1_000, seed=None):
        super().__init__(seed=seed)
        self.days = days
        self.tax = 0
        self.datacollector = self.collector()
        Walker.create_agents(self, n)
        self.datacollector.collect(self)

    def collector(self):
        return DataCollector(
            {"mean": lambda m: np.mean([agent.place for agent in m.agents]), "tax": "tax"},
            {"place": "place", "town": "town"},
            {Walker: {"half": lambda agent: agent.place / 2}},
            {"milestones": ["step", "place"]},
        )

    def step(self):
        self.agents.shuffle_do("step")
        if self.steps % 3 == 0 and self.datacollector.tables:
            self.datacollector.add_table_row("milestones", {"step": self.steps, "place": self.agents[0].place})
        self.datacollector.collect(self)
        self.running = self.steps < self.days


class OddCells(Walkers):
    """Deterministic; reports what plain data has not."""

    def collector(self):
        return DataCollector(
            {
                "nan": lambda m: float("nan"),
                "none": lambda m: None,
                "array": lambda m: np.arange(3, dtype=np.int16),
                "small": lambda m: np.float32(0.5),
                "flag": lambda m: np.bool_(True),
                "infinite": lambda m: float("inf"),
            }
        )


class ReportsObject(Walkers):
    def collector(self):
        return DataCollector({"fine": "tax", "first_agent": lambda m: object()})


class Bare(Model):
    """Deterministic; collects nothing."""

    def __init__(self, rng=None):
        super().__init__(rng=rng)
        Walker.create_agents(self, 4)

    def step(self):
        self.agents.do("step")


class BareByHash(Bare):
    """Collects nothing, and yet two processes differ: by an agent's attribute."""

    def step(self):
        self.agents[0].town = max(TOWNS, key=hash)


class ByHash(Walkers):
    def step(self):
        self.tax = hash(TOWNS[self.steps % len(TOWNS)]) % 1_000_003
        super().step()


class BySetOrder(Walkers):
    def step(self):
        super().step()
        if self.steps == 3:
            self.tax = TOWNS.index(next(iter(set(TOWNS))))


class ByEntropy(Walkers):
    def step(self):
        self.tax = int.from_bytes(os.urandom(4), "little")
        super().step()


class ByTime(Walkers):
    def step(self):
        self.tax = time.perf_counter_ns()
        super().step()


class ByUnseededGenerator(Walkers):
    """Takes a seed and does not pass it on."""

    def __init__(self, seed=None):
        super().__init__(seed=None)


class BySharedGenerator(Walkers):
    """The rows are equal, for it seeds what it shares; beside another model in one process they would not be."""

    def __init__(self, seed=None):
        random.seed(seed)
        super().__init__(seed=seed)

    def step(self):
        self.tax = random.randrange(1_000)
        super().step()


class Raises(Walkers):
    def step(self):
        raise ZeroDivisionError("no such day")


class NeverReady(Walkers):
    def step(self):
        time.sleep(60)


class Chatty(Walkers):
    def step(self):
        print("a line that is no result")
        os.write(1, b"{}")
        super().step()


class ByScenario(Model):
    def __init__(self, scenario=None):
        super().__init__()


class NoModel:
    pass


def publish_means(model, now):
    yield "mean", {"now": now, "mean": model.datacollector.model_vars["mean"][-1]}
    if now == 1:
        yield "mean", {"only": "for berlin"}, "berlin"


def publish_by_hash(model, now):
    return [("mean", {"town": max(TOWNS, key=hash)})]


def publish_object(model, now):
    return [("mean", {"model": model})]


def publish_badly(model, now):
    return ["mean"]


def publish_undeclared(model, now):
    return [("secret", {})]


def tax(model, event):
    model.tax += event.data["by"]


def tax_or_fall(model, event):
    """The event for the third control tick is one that it cannot take."""
    model.tax += 1
    model.agents[0].place += event.data["by"]
    if event.data["by"] == 13:
        raise ValueError("thirteen")


NOT_A_FUNCTION = 3


class Dreamer(Walkers):
    """Deterministic; holds a running generator, which nobody can write down."""

    def __init__(self, seed=None):
        super().__init__(seed=seed)
        self.dream = (step for step in range(1_000))

    def step(self):
        self.tax = next(self.dream)
        super().step()


class Clique(Walkers):
    """Deterministic, for nobody asks in which order; but objects that only a set holds have none."""

    def __init__(self, seed=None):
        super().__init__(seed=seed)
        self.secrets = {object.__new__(Secret), object.__new__(Secret)}


class Secret:
    pass


class Amnesiac(Walkers):
    """Deterministic, as long as it lives in one process: what it goes by stands in its module."""

    steps_made = 0

    def __init__(self, seed=None):
        super().__init__(seed=seed)
        type(self).steps_made = 0

    def step(self):
        type(self).steps_made += 1
        self.tax = type(self).steps_made
        super().step()
