"""How two of Mesa's own models talk with Cities: small functions, the models themselves stay as Mesa ships them.

A Mesa realm names them in a scenario:

    factory = "actors.adapters.mesa_realms:MesaRealm"
    params.model = "mesa.examples.basic.boltzmann_wealth_model.model:BoltzmannWealth"
    params.publish = "examples.realms.mesa_bridges:gossip_of_wealth"
    params.emits = ["rumour"]
    params.absorb = "examples.realms.mesa_bridges:count_news"
    params.handles = ["world_event"]
    params.subscribes = ["world_event"]

Both directions leave the models' rows as they are: publishing only reads, and absorbing only counts, on an attribute
of its own that no reporter shows. So the rows of the hosted models equal those of the models run alone with the same
seed. An absorbing function may change the model; then the rows tell another story, the same at each replay.

Rumours have the form that Cities give theirs: topic, origin, hops, hops_max, tone (-100 gloomy to 100 glad).
"""

from collections.abc import Iterator
from typing import Any

from actors.core.kernel.events import Event

GINI_PERCENTS = (40, 50, 60, 70)
"""Inequality that people talk about when it is first passed, upwards, from one step to the next."""

Said = tuple[str, dict[str, Any]]


def gossip_of_wealth(model: Any, now: int) -> Iterator[Said]:
    """Boltzmann wealth: a gloomy rumour whenever the Gini coefficient rises over one of `GINI_PERCENTS`."""
    gini = model.datacollector.model_vars["Gini"]
    for percent in GINI_PERCENTS:
        if gini[-2] * 100 < percent <= gini[-1] * 100:
            yield "rumour", _rumour(f"the rich hold more: Gini over {percent} %", "boltzmann", -percent)


def gossip_of_neighbours(model: Any, now: int) -> Iterator[Said]:
    """Schelling: a glad rumour in the step after which everybody is happy with the neighbours, which is its last."""
    if not model.running:
        yield "rumour", _rumour(f"after {now + 1} days everybody likes the neighbours", "schelling", 80)


def count_news(model: Any, event: Event) -> None:
    """Counts the events taken in, by type, on `model.news_heard`."""
    heard = vars(model).setdefault("news_heard", {})
    heard[event.event_type] = heard.get(event.event_type, 0) + 1


def _rumour(topic: str, origin: str, tone: int) -> dict[str, Any]:
    return {"topic": topic, "origin": origin, "hops": 0, "hops_max": 3, "tone": tone}
