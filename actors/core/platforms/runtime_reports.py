"""What a Runtime tells the others of its society."""

from actors.core.kernel.codec import Plain
from actors.core.platforms.agents import Agent
from actors.core.platforms.daemons import last_sealed
from actors.core.platforms.messages import SHARED_FIELDS, AgentSeen, Echo, Echoes, RuntimeObservation, SharedFields
from actors.core.platforms.societies import Society


def shared_fields(agent: Agent) -> dict[str, Plain]:
    """What Surface's echo of an agent has in common with it."""
    return {name: getattr(agent, name) for name in SHARED_FIELDS}


def echoes_of(society: Society) -> Echoes:
    """The echoes of those who spoke and are still there, in order of their ids."""
    return Echoes(
        tuple(
            Echo(agent_id, SharedFields(**shared_fields(society.agents[agent_id])), text)
            for agent_id, text in sorted(society.spoken.items())
            if agent_id in society.agents
        )
    )


def observation_of(society: Society, now: int) -> RuntimeObservation:
    """What Mirror is told: all agents, and the endings of rituals that it has not been told of yet."""
    vitals = society.vitals
    agents = {
        agent_id: AgentSeen(agent.mood, agent.energy, agent.state, agent.resonance, agent.generation)
        for agent_id, agent in society.agents.items()
    }
    ended = {one: record for one, record in society.history.items() if record.order >= vitals.reported}
    sealed, seal = last_sealed(society)
    running = max((loop.number for loop in society.loops.parts.values() if loop.state == "running"), default=0)
    return RuntimeObservation(now, agents, ended, len(society.rituals), vitals.born, vitals.pool, running, sealed, seal)
