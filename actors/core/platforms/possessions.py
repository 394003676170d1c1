"""Possessions: leases under which somebody else decides for an agent, or for all of them."""

from typing import Annotated, Literal

import msgspec

from actors.core.kernel.errors import CommandRefusedError
from actors.core.platforms.agents import Agent, Possession
from actors.core.platforms.schemas import ID_CHARACTERS_MAX, Id, Part, Shelf, Whole
from actors.core.players.checks import checked_text, checked_whole

LEASES_MAX = 64
LEASE_TICKS_MAX = 1_000_000


class Lease(Part, frozen=True):
    """A lease.

    Attributes:
        agent: the agent it is on; "" is the whole instance.
        principal: who holds it.
        state: only an open one may be used.
        began_at: local tick.
        expires_at: local tick from which it is expired.
        order: how many were given before.
    """

    agent: Annotated[str, msgspec.Meta(max_length=ID_CHARACTERS_MAX)]
    principal: Id
    state: Literal["open", "released", "expired", "broken"]
    began_at: Whole
    expires_at: Whole
    order: Whole


def opened(
    leases: Shelf[Lease],
    agents: Shelf[Agent],
    agent_id: str,
    ticks: object,
    lease_id: object,
    principal: object,
    now: int,
    order: int,
) -> Lease:
    """A new lease, entered, and the agents it is on.

    Raises:
        CommandRefusedError: values that do not fit, an id that was used before, or an agent that is possessed already.
    """
    name = checked_text(lease_id, "lease_id", ID_CHARACTERS_MAX)
    holder = checked_text(principal, "principal", ID_CHARACTERS_MAX)
    length = checked_whole(ticks, "lease_ticks", 1, LEASE_TICKS_MAX)
    if name in leases:
        raise CommandRefusedError(f"there was a lease {name!r} before; every lease has an id of its own.")
    for other_id, other in leases.items():
        if other.state == "open" and (not agent_id or other.agent in ("", agent_id)):
            held = f"agent {other.agent}" if other.agent else "the whole instance"
            raise CommandRefusedError(
                f"{held} is possessed by {other.principal} under the lease {other_id!r} until local tick "
                f"{other.expires_at}; only one at a time."
            )
    if leases.is_full and all(lease.state == "open" for lease in leases.parts.values()):
        raise CommandRefusedError(f"{LEASES_MAX} leases are open, the most there may be.")
    lease = Lease(agent_id, holder, "open", now, now + length, order)
    leases.push(name, lease, lambda one: one.order if one.state != "open" else one.order + 2**60)
    for one in [agent_id] if agent_id else [found for found, agent in agents.items() if agent.lives]:
        taken(agents, one, name, holder)
    return lease


def taken(agents: Shelf[Agent], agent_id: str, lease_id: str, principal: str) -> None:
    """Lets an agent be possessed."""
    agents.change(agent_id, state="possessed", possession=Possession(lease_id, principal))


def held(leases: Shelf[Lease], lease_id: object) -> Lease:
    """The open lease of that id.

    Raises:
        CommandRefusedError: there is none, or it is released, expired or broken.
    """
    lease = leases.parts.get(lease_id) if isinstance(lease_id, str) else None
    if lease is None:
        raise CommandRefusedError(f"there is no lease {lease_id!r:.80}; possess an agent to have one.")
    if lease.state != "open":
        raise CommandRefusedError(f"the lease {lease_id!r} is {lease.state}; possess the agent anew.")
    return lease


def ended(leases: Shelf[Lease], agents: Shelf[Agent], lease_id: str, how: str) -> list[str]:
    """Ends an open lease; the agents that decide for themselves again."""
    leases.change(lease_id, state=how)
    given_back = [
        agent_id
        for agent_id, agent in agents.items()
        if agent.possession is not None and agent.possession.lease_id == lease_id
    ]
    for agent_id in given_back:
        agents.change(agent_id, state="ready", possession=None)
    return given_back


def expire(leases: Shelf[Lease], agents: Shelf[Agent], now: int) -> None:
    """Ends the leases whose time is over."""
    for lease_id, lease in leases.items():
        if lease.state == "open" and lease.expires_at <= now:
            ended(leases, agents, lease_id, "expired")


def check_leases(leases: Shelf[Lease], agents: Shelf[Agent]) -> None:
    """Whether leases and possessed agents of a state from outside fit together.

    Raises:
        ValueError: they do not.
    """
    for agent_id, agent in agents.items():
        if (agent.state == "possessed") != (agent.possession is not None):
            raise ValueError(f"agents.{agent_id} is {agent.state} with the possession {agent.possession}")
        if agent.possession is None:
            continue
        lease = leases.parts.get(agent.possession.lease_id)
        if lease is None or lease.state != "open" or lease.agent not in ("", agent_id):
            raise ValueError(
                f"agents.{agent_id} is possessed under {agent.possession.lease_id!r}, which is no lease on it"
            )
    open_on = [lease.agent for lease in leases.parts.values() if lease.state == "open"]
    if len(open_on) != len(set(open_on)) or ("" in open_on and len(open_on) > 1):
        raise ValueError("only one lease at a time may be open on an agent")
