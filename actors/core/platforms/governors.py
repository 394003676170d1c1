"""Cal Riven, the governor: what Protocol must approve, and what is denied whoever asks.

His denials are conditions of the society, so they are asked here on every path: a command, a ritual that ends in a
birth, an approval, a possession, and any state that comes from outside. They hold also while he himself is possessed.
"""

from collections.abc import Mapping

from actors.core.platforms.agents import BUILT_IN, CAL_RIVEN, GENERATION_MAX, TEMPLATES, Agent

APPROVAL_ENERGY_FROM, APPROVAL_ENERGY_DISCIPLINE = 36, 20
"""Rituals of so much energy need Protocol's approval: the first number at no discipline, less by the second at full."""
STRICT_LEVELS = ("critical", "warning")
"""At these levels of compliance every ritual needs approval."""


def denial_of_birth(parent_id: str, parent: Agent | None, template: str) -> str:
    """Why such a birth may not be, or ""."""
    if TEMPLATES[template].built_in:
        return f"Cal Riven denies a second {template}: {', '.join(BUILT_IN)} are there from the beginning"
    if parent is None:
        return ""
    if parent.generation >= GENERATION_MAX:
        return f"Cal Riven denies births past generation {GENERATION_MAX}: {parent_id} is of generation {parent.generation}"
    if not TEMPLATES[parent.template].has_children:
        return f"Cal Riven denies {parent_id} a child: a {parent.template} has none"
    return ""


def denial_of_ending(agent_id: str, agent: Agent) -> str:
    """Why an agent may not be ended, or ""."""
    if agent.template == "mirror":
        return f"Cal Riven denies ending {agent_id}: it is a mirror agent"
    if agent_id == CAL_RIVEN:
        return "Cal Riven denies ending himself: without him no denial would hold"
    return ""


def needs_approval(governor: Agent, energy: int, level: str) -> bool:
    """Whether a ritual of so much energy must be approved by Protocol, at a level of compliance.

    Births, whispers and ventures above the tier's autonomy always must.
    """
    limit = APPROVAL_ENERGY_FROM - int(APPROVAL_ENERGY_DISCIPLINE * governor.personality.discipline)
    return energy >= limit or level in STRICT_LEVELS


def check_society(agents: Mapping[str, Agent], mirrors: int, initialized: bool) -> None:
    """Whether a society from outside is one that Cal Riven's denials allow.

    Args:
        agents: all of them, by id.
        mirrors: how many mirror agents have been born.
        initialized: whether it has begun.

    Raises:
        ValueError: it is not.
    """
    if not initialized:
        if agents:
            raise ValueError(
                f"vitals.now.initialized: a society that has not begun has no agents, not {sorted(agents)}"
            )
        return
    if CAL_RIVEN not in agents:
        raise ValueError("cal_riven is missing: a society that has begun has its governor")
    for agent_id in sorted(agents):
        agent = agents[agent_id]
        if agent.generation > GENERATION_MAX:
            generation = f"agents.{agent_id} is of generation {agent.generation}"
            raise ValueError(f"{generation}: Cal Riven denies births past generation {GENERATION_MAX}")
        if not agent.lives and (denial := denial_of_ending(agent_id, agent)):
            raise ValueError(f"agents.{agent_id} is terminated: {denial}")
        if BUILT_IN.get(agent_id, "") != (agent.template if TEMPLATES[agent.template].built_in else ""):
            raise ValueError(f"agents.{agent_id} is a {agent.template}: the built-in agents are {dict(BUILT_IN)}")
        _check_line(agent_id, agent, agents)
    found = sum(agent.template == "mirror" for agent in agents.values())
    if found != mirrors:
        raise ValueError(
            f"vitals.now.mirrors: there are {found} mirror agents of {mirrors} born; Cal Riven denies ending one"
        )


def _check_line(agent_id: str, agent: Agent, agents: Mapping[str, Agent]) -> None:
    if (agent.parent is None) != (agent.generation == 0):
        raise ValueError(f"agents.{agent_id} is of generation {agent.generation} with the parent {agent.parent!r}")
    parent = agents.get(agent.parent or "")
    if parent is None:
        return
    if denial := denial_of_birth(str(agent.parent), parent, agent.template):
        raise ValueError(f"agents.{agent_id}: {denial}")
    if agent.generation != parent.generation + 1:
        raise ValueError(f"agents.{agent_id} is of generation {agent.generation}, its parent of {parent.generation}")
