"""ThreadWeaver: finds the agents in need, and weaves a thread from each to the ritual that answers it.

A pure rule on local ticks: every `WEAVING_TICKS` it looks at all agents, most urgent need first, ties by id.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from actors.core.platforms.agents import Agent
from actors.core.platforms.schemas import ID_CHARACTERS_MAX, Id, Part, Unit, Whole

WEAVING_TICKS = 10
THREADS_MAX = 32
SILENT_TICKS = 80
AURA_LOW, ENTROPY_LOW = 30.0, 0.3

NeedName = Literal["cursed", "silent", "dim", "still"]


class Need(msgspec.Struct, frozen=True):
    """A row of the table of needs."""

    sign: str
    urgency: float
    ritual: str


NEEDS: Final[Mapping[str, Need]] = {
    "cursed": Need("curse markers", 0.95, "cleansing"),
    "silent": Need(f"no echo for {SILENT_TICKS} local ticks", 0.9, "calling"),
    "dim": Need(f"aura below {AURA_LOW:g}", 0.7, "aura_weaving"),
    "still": Need(f"entropy below {ENTROPY_LOW:g}", 0.6, "stirring"),
}
"""Most urgent first."""


class Thread(Part, frozen=True):
    """A thread: from an agent's need to the ritual that answers it.

    Attributes:
        agent: who is in need.
        need: one of `NEEDS`.
        urgency: the need's.
        ritual: the ritual's id.
        woven_at: local tick.
        state: open while the ritual is under way.
        order: how many were woven before.
    """

    agent: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_CHARACTERS_MAX)]
    need: NeedName
    urgency: Unit
    ritual: Id
    woven_at: Whole
    state: Literal["open", "tied", "cut"]
    order: Whole


def need_of(agent: Agent, now: int) -> str:
    """An agent's most urgent need, or ""."""
    if not agent.lives or agent.state == "possessed":
        return ""
    if agent.curses:
        return "cursed"
    if now - agent.spoke_at >= SILENT_TICKS:
        return "silent"
    if agent.aura < AURA_LOW:
        return "dim"
    return "still" if agent.entropy < ENTROPY_LOW else ""


def in_need(agents: Mapping[str, Agent], now: int) -> list[tuple[str, str]]:
    """(agent id, need) of all who are in need, most urgent first, ties by id."""
    found = [(agent_id, need_of(agents[agent_id], now)) for agent_id in agents]
    return sorted(
        [(agent_id, need) for agent_id, need in found if need], key=lambda one: (-NEEDS[one[1]].urgency, one[0])
    )
