"""Agent Zero: pursues goals by ventures, alone up to the risk that its tier allows, and asks Protocol above it."""

import msgspec

from actors.core.kernel.errors import CommandRefusedError
from actors.core.platforms import ritual_engines
from actors.core.platforms.agents import TIERS
from actors.core.platforms.messages import Founded, ValidationRequest
from actors.core.platforms.rituals import APPROVAL_TICKS_MAX
from actors.core.platforms.schemas import WHOLE_MAX, numbered
from actors.core.platforms.societies import Society

PROGRESS, PROGRESS_OF_RISK = 0.02, 0.06
"""What a venture brings towards the goal, and how much more at full risk."""


def pursue(society: Society, agent_id: str, draw: int, now: int) -> None:
    """An agent goes after a goal of its own: Agent Zero by a venture of some risk, by 16 random bits; others just shine."""
    business = society.agents[agent_id].business
    if business is None:
        society.touch(agent_id, aura=1.0, entropy=0.01)
        return
    if business.venture and now - business.asked_at < APPROVAL_TICKS_MAX:
        return
    risk = draw / 65_536
    if risk <= TIERS[business.tier]:
        _gain(society, agent_id, risk, now)
        return
    venture = numbered("venture", society.count("ventures"))
    society.count("asked")
    society.requests.append(
        ValidationRequest(venture, "venture", {"risk": risk, "curses": float(_curses(society, agent_id))})
    )
    society.agents.change(
        agent_id, business=msgspec.structs.replace(business, venture=venture, asked_at=now, risk=risk)
    )


def decide(society: Society, venture: str, valid: bool, now: int) -> None:
    """Takes Protocol's answer on a venture, if it is still waited for."""
    for agent_id, agent in society.agents.items():
        business = agent.business
        if business is None or business.venture != venture:
            continue
        society.agents.change(agent_id, business=msgspec.structs.replace(business, venture="", asked_at=now, risk=0.0))
        if valid:
            _gain(society, agent_id, business.risk, now)
        else:
            society.count("protocol_denials")
            society.touch(agent_id, mood=-0.05)
            society.remember(agent_id, now, "denied", venture)


def _gain(society: Society, agent_id: str, risk: float, now: int) -> None:
    business = society.agents[agent_id].business
    if business is None:
        return
    progress = business.progress + PROGRESS + PROGRESS_OF_RISK * risk
    if progress < 1.0:
        society.agents.change(agent_id, business=msgspec.structs.replace(business, progress=progress))
        return
    further = msgspec.structs.replace(business, progress=0.0, goals=min(business.goals + 1, WHOLE_MAX))
    society.agents.change(agent_id, business=further)
    society.remember(agent_id, now, "goal", f"goal {business.goals + 1}")
    society.contracts.append(Founded("binding", (agent_id,), f"goal {business.goals + 1} is reached"))
    try:
        ritual_engines.begin(society, "enterprise", agent_id, agent_id, now)
    except CommandRefusedError:
        society.remember(agent_id, now, "no_room", "enterprise")


def _curses(society: Society, agent_id: str) -> int:
    return society.agents[agent_id].curses
