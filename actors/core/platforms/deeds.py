"""Deeds: what agents do, by their own choice or by that of whoever possesses them."""

from collections.abc import Mapping
from typing import Final

import msgspec

from actors.core.kernel.errors import CallerError, CommandRefusedError, GovernorDeniedError
from actors.core.kernel.streams import Streams, entity_number
from actors.core.platforms import businesses, governors, ritual_engines
from actors.core.platforms.agents import CURSES_TO_ERROR, TEMPLATES, Agent
from actors.core.platforms.loops import INCLINATION_PERCENT
from actors.core.platforms.personalities import ACTIONS, IDLE, chosen, stirs
from actors.core.platforms.rituals import KINDS
from actors.core.platforms.societies import Society
from actors.core.platforms.whispers import hint_percents

REST_ENERGY = 6
TIRED_BELOW, TIRED_PERCENT = 15, 400
WAKING_ENERGY = 10
"""Who has no energy is suspended, until there is so much again."""

WEATHER_PERCENTS: Final[Mapping[str, Mapping[str, int]]] = {
    "calm-bloom": {"rest": 130, "reflect": 130},
    "echo-storm": {"speak": 180},
    "trust-surge": {"help": 180, "propose": 130},
    "drift-wave": {"reflect": 150, "pursue": 80},
    "chaos-bloom": {"create": 170, "help": 70},
}
"""Phase of the weather to what it multiplies the weight of actions by, in percent."""

OFFICE_PERCENTS: Final[Mapping[str, Mapping[str, int]]] = {
    "governor": {"reflect": 150, "propose": 0},
    "orchestrator": {"propose": 500},
    "business": {"pursue": 300, "propose": 0},
}
"""Template to what its office multiplies the weight of actions by, in percent."""

WEATHER_MOODS: Final[Mapping[str, float]] = {
    "calm-bloom": 0.03,
    "echo-storm": -0.06,
    "trust-surge": 0.06,
    "drift-wave": 0.0,
    "chaos-bloom": -0.12,
}
"""What a phase at full intensity adds to everybody's mood in `AGEING_TICKS`."""

AGEING_TICKS = 10
RELAXING = 0.1
"""How much of the way back to where it rests a mood goes in that time, about."""
MOOD_AT_REST, MOOD_OF_CALM = 0.25, 0.5
"""Where a mood rests at no calm, and how much higher at full."""
CHILD_PERCENT = 25
"""How often what an agent proposes is a child, in percent, if it may have one."""


def live(society: Society, streams: Streams, agent_id: str, now: int) -> None:
    """One local tick of one agent: it stirs or not, and does what it is like."""
    agent = society.agents[agent_id]
    if agent.state == "initializing":
        society.agents.change(agent_id, state="ready")
        return
    if not agent.decides:
        return
    draw = streams.word("life", now, entity_number(agent_id))
    if not stirs(agent.personality, draw & 0xFFFF):
        return
    percents = dict(WEATHER_PERCENTS[society.vitals.weather])
    for action, percent in OFFICE_PERCENTS.get(agent.template, {}).items():
        percents[action] = percents.get(action, 100) * percent // 100
    if agent.energy < TIRED_BELOW:
        percents["rest"] = percents.get("rest", 100) * TIRED_PERCENT // 100
    loop = next((one for one in society.loops.parts.values() if one.state == "running"), None)
    if loop is not None and loop.inclination:
        percents[loop.inclination] = percents.get(loop.inclination, 100) * INCLINATION_PERCENT // 100
    if agent.template != "sovereign":
        for action, percent in hint_percents(society.whispers.parts, agent_id, now).items():
            percents[action] = percents.get(action, 100) * percent // 100
    action = chosen(agent.personality, draw >> 32, percents)
    if ACTIONS[action].costs > agent.energy:
        action = "rest"
    _do(society, agent_id, action, (draw >> 16) & 0xFFFF, now)


def decided(
    society: Society, agent_id: str, action: object, now: int, draw: int, target: object, ritual: object
) -> dict[str, str]:
    """A deed that somebody else decided for an agent; what was done.

    Args:
        society: all there is.
        agent_id: who does it.
        action: one of `ACTIONS`, or "wait".
        now: the local tick.
        draw: 16 random bits.
        target: whom `help` is for, or "".
        ritual: the kind that `propose` is for, or "".

    Raises:
        GovernorDeniedError: a birth that Cal Riven denies.
        CommandRefusedError: no such action, target or ritual, or no energy for it.
    """
    agent = society.agents[agent_id]
    if action == IDLE:
        return {"agent": agent_id, "action": IDLE}
    if not isinstance(action, str) or action not in ACTIONS:
        raise CommandRefusedError(f"there is no action {action!r:.80}; there are {', '.join((*ACTIONS, IDLE))}.")
    if ACTIONS[action].costs > agent.energy:
        raise CommandRefusedError(
            f"{agent_id} has {agent.energy} energy, and to {action} takes {ACTIONS[action].costs}."
        )
    if target and (action != "help" or not _lives(society, target) or target == agent_id):
        raise CommandRefusedError(f"{target!r:.80} is no other living agent to help; a target goes with 'help' only.")
    if ritual and (action != "propose" or not isinstance(ritual, str) or ritual not in KINDS):
        raise CommandRefusedError(f"{ritual!r:.80} is no ritual to propose; there are {', '.join(KINDS)}.")
    if action == "propose":
        proposed = str(ritual) if ritual else "gathering"
        template = ritual_engines.template_of_chance(society, draw) if proposed == "birth" else ""
        ritual_engines.begin(society, proposed, agent_id, agent_id, now, template=template)
        _count(society, agent_id, action)
    else:
        _do(society, agent_id, action, draw, now, str(target))
    return {"agent": agent_id, "action": action}


def age(society: Society, now: int) -> None:
    """What time and weather do to everybody, every `AGEING_TICKS`."""
    vitals = society.vitals
    lift = WEATHER_MOODS[vitals.weather] * vitals.intensity
    for agent_id in society.in_order():
        agent = society.agents[agent_id]
        at_rest = MOOD_AT_REST + MOOD_OF_CALM * agent.personality.calm
        society.touch(
            agent_id, mood=(at_rest - agent.mood) * RELAXING + lift, aura=-2.5, entropy=-0.02, resonance=-0.004
        )
        if agent.state == "suspended" and agent.energy >= WAKING_ENERGY:
            society.agents.change(agent_id, state="ready")
        elif agent.decides and agent.curses >= CURSES_TO_ERROR:
            society.agents.change(agent_id, state="error")
        elif agent.decides and not agent.energy:
            society.agents.change(agent_id, state="suspended")


def _do(society: Society, agent_id: str, action: str, draw: int, now: int, target: str = "") -> None:
    _count(society, agent_id, action)
    agent = society.agents[agent_id]
    if action == "rest":
        society.feed(agent_id, REST_ENERGY)
    elif action == "reflect":
        _reflect(society, agent_id, agent)
    elif action == "speak":
        society.spoken[agent_id] = f"speaks at {now}"
        society.agents.change(agent_id, spoke_at=now)
        society.touch(agent_id, mood=0.01)
    elif action == "create":
        society.touch(agent_id, aura=3.0, entropy=0.04, resonance=0.005)
    elif action == "help":
        _help(society, agent_id, target or _neediest(society, agent_id), now)
    elif action == "propose":
        _propose(society, agent_id, agent, draw, now)
    else:
        businesses.pursue(society, agent_id, draw, now)


def _count(society: Society, agent_id: str, action: str) -> None:
    society.spend(agent_id, ACTIONS[action].costs)
    acts = society.vitals.acts
    society.note(acts=msgspec.structs.replace(acts, **{action: getattr(acts, action) + 1}))


def _reflect(society: Society, agent_id: str, agent: Agent) -> None:
    society.touch(agent_id, aura=2.0, entropy=-0.03)
    if agent.template == "mirror":
        others = [society.agents[other].mood for other in society.in_order() if other != agent_id]
        mean = 0.0
        for mood in others:  # one by one: `sum` of floats differs between versions of Python
            mean += mood / len(others)
        society.touch(agent_id, mood=(mean - agent.mood) * 0.5)


def _neediest(society: Society, agent_id: str) -> str:
    others = [other for other in society.in_order() if other != agent_id]
    return min(others, key=lambda other: (-society.agents[other].curses, society.agents[other].mood, other), default="")


def _help(society: Society, agent_id: str, target: str, now: int) -> None:
    if not target:
        return
    helped = society.agents[target]
    if helped.curses:
        society.agents.change(target, curses=helped.curses - 1)
    society.touch(target, mood=0.05)
    society.remember(target, now, "helped", agent_id)


def _propose(society: Society, agent_id: str, agent: Agent, draw: int, now: int) -> None:
    """Proposes a ritual by itself: a child if it wants one, else a gathering. What may not be is let go."""
    wants_child = TEMPLATES[agent.template].has_children and draw % 100 < CHILD_PERCENT
    kind = "birth" if wants_child else "gathering"
    template = ritual_engines.template_of_chance(society, draw >> 8) if wants_child else ""
    if wants_child and governors.denial_of_birth(agent_id, agent, template):
        society.count("governor_denials")
        society.remember(agent_id, now, "denied", "a child")
        return
    try:
        ritual_engines.begin(society, kind, agent_id, agent_id, now, template=template)
    except GovernorDeniedError:
        raise
    except CallerError:
        society.remember(agent_id, now, "no_room", kind)


def _lives(society: Society, agent_id: object) -> bool:
    return isinstance(agent_id, str) and agent_id in society.agents and society.agents[agent_id].lives
