"""What a merge has to be told about the states of our own members, by their factories.

Of a society, agents are merged one by one, trait by trait. What goes on among them (rituals, threads, loops and the record of
them) is one thing: who wins a conflict there has all of it, for half of a ritual is none.
"""

from collections.abc import Iterable, Mapping

from actors.core.kernel.states import Records, State
from actors.core.merging.schemes import Scheme
from actors.core.platforms.agents import AGENTS_MAX

OWN_TIME = ("vitals.now.now",)
"""Of a platform: how late it is."""


def counted(society: State) -> State:
    """A merged society that counts its mirror agents, and in which nobody is possessed: no lease holds in a new instance."""
    agents, vitals, leases = (_objects(society, name) for name in ("agents", "vitals", "leases"))
    freed = {
        agent_id: {**one, "possession": None, "state": "ready"} if one.get("possession") is not None else one
        for agent_id, one in agents.items()
    }
    if len(freed) > AGENTS_MAX:  # who has ended is only remembered
        freed = {agent_id: one for agent_id, one in freed.items() if one.get("state") != "terminated"}
    mirrors = sum(one.get("template") == "mirror" for one in freed.values())
    return {
        **society,
        "agents": Records(freed),
        "vitals": Records({name: {**one, "mirrors": mirrors} for name, one in vitals.items()}),
        "leases": Records(
            {name: {**one, "state": "released"} if one.get("state") == "open" else one for name, one in leases.items()}
        ),
    }


def not_too_many(society: State) -> Iterable[str]:
    """Whether all agents have a place."""
    living = len(_objects(society, "agents"))
    if living > AGENTS_MAX:
        yield f"{living} agents would live there, and at most {AGENTS_MAX} can; end some of them first"


def _objects(state: State, name: str) -> Mapping[str, dict[str, object]]:
    found = state.get(name)
    return {key: dict(one) for key, one in found.objects.items()} if isinstance(found, Records) else {}


SCHEMES: Mapping[str, Scheme] = {
    "actors.core.platforms.surfaces:SurfacePlatform": Scheme(
        first=OWN_TIME, together=(("echoes", "traces", "weather", "vitals"),)
    ),
    "actors.core.platforms.runtimes:RuntimePlatform": Scheme(
        first=OWN_TIME,
        together=(("rituals", "history", "threads", "loops", "whispers", "leases", "exports", "vitals"),),
        settles=(counted,),
        invariants=(not_too_many,),
    ),
    "actors.core.platforms.protocols:ProtocolPlatform": Scheme(
        first=OWN_TIME, together=(("validations", "contracts", "compliance", "vitals"),)
    ),
    "actors.core.platforms.mirrors:MirrorPlatform": Scheme(
        first=OWN_TIME,
        together=(("observations", "timeline", "vibes", "legal", "patterns", "loops", "vitals"),),
    ),
    "actors.core.realms.city:City": Scheme(
        identities={"npcs": ("origin", "number")}, row_steps={"npcs": 64}, first=("chronicle", "rumours")
    ),
}
"""A factory that is not among them has nothing to be told: its objects are known by key, by row or by id."""
