"""Arty, the orchestrator: allots energy among the agents. His proposals are deeds of his own, see `deeds`."""

from actors.core.platforms.agents import ARTY
from actors.core.platforms.societies import Society

ALLOTTING_TICKS = 20
NEEDY_BELOW = 60
"""Agents with less energy than this are given some."""
ALLOTMENT, ALLOTMENT_OF_EMPATHY = 6, 10
"""Energy that one agent is given at a time, and how much more where Arty's empathy is full."""
RESERVE = 120
"""Energy that he leaves in the pool, for rituals."""


def allot(society: Society) -> None:
    """Gives energy to those in need, the neediest first, ties by id; nothing while he does not decide for himself."""
    arty = society.agents.parts.get(ARTY)
    if arty is None or not arty.decides:
        return
    share = ALLOTMENT + int(ALLOTMENT_OF_EMPATHY * arty.personality.empathy)
    needy = sorted((society.agents[one].energy, one) for one in society.in_order())
    for energy, agent_id in needy:
        if energy < NEEDY_BELOW and society.vitals.pool - share >= RESERVE:
            society.feed(agent_id, share)
