"""RitualEngine: takes at most five rituals through their phases, on energy from the pool.

A ritual lies dormant until it may begin: its agent is there, Protocol has approved it where that is needed, and the pool
has the energy. A failed critical phase aborts it; another one leaves a flaw, and it goes on. What it holds goes back to
the pool at its end, but for the gift its agent keeps when it was completed.
"""

from actors.core.kernel.errors import CommandRefusedError, GovernorDeniedError
from actors.core.kernel.streams import Streams
from actors.core.platforms import governors
from actors.core.platforms.agents import BIRTH_ENERGY, CAL_RIVEN, CURSES_MAX, CURSES_TO_ERROR, TEMPLATES
from actors.core.platforms.loops import COMPLETED
from actors.core.platforms.messages import ValidationRequest, WeatherInfluence
from actors.core.platforms.rituals import (
    APPROVAL_TICKS_MAX,
    KINDS,
    PHASES,
    RITUAL,
    RITUALS_MAX,
    Ended,
    Ritual,
    fails,
)
from actors.core.platforms.schemas import numbered
from actors.core.platforms.societies import Society

BORN_BY_CHANCE = ("ephemeral", "ephemeral", "basic", "ephemeral", "sovereign", "basic", "ephemeral", "mirror")
"""What a birth that nobody has decided the template of brings, by three random bits."""


def begin(
    society: Society, kind: str, agent_id: str, proposer: str, now: int, *, template: str = "", asked: bool = True
) -> str:
    """Lets a ritual lie dormant until it may begin; its id.

    Args:
        society: all there is.
        kind: one of `KINDS`.
        agent_id: whom it is for.
        proposer: who wants it.
        now: the local tick.
        template: of the child, for a birth.
        asked: whether Protocol is asked where Cal Riven decides so; a god's ritual is not.

    Raises:
        GovernorDeniedError: a birth that Cal Riven denies.
        CommandRefusedError: five rituals are under way, or there is no room for another agent.
    """
    if len(society.rituals) >= RITUALS_MAX:
        raise CommandRefusedError(f"{RITUALS_MAX} rituals are under way, the most there may be; wait for one to end.")
    agent = society.agents[agent_id]
    if kind == "birth":
        if denial := governors.denial_of_birth(agent_id, agent, template):
            raise GovernorDeniedError(f"{denial}.")
        if society.agents.is_full:
            raise CommandRefusedError(f"there are {society.agents.objects_max} agents, the most there may be.")
    needs = kind == "birth" or governors.needs_approval(
        society.agents[CAL_RIVEN], KINDS[kind].energy, society.vitals.level
    )
    pending = asked and needs
    order = society.count("rituals_begun")
    ritual_id = numbered(RITUAL, order)
    society.rituals[ritual_id] = Ritual(
        kind,  # type: ignore[arg-type]
        agent_id,
        proposer,
        "dormant",
        now + PHASES["dormant"].ticks,
        0,
        "pending" if pending else "not_needed",
        0,
        now,
        order,
        template,  # type: ignore[arg-type]
    )
    if pending:
        facts = {
            "energy": float(KINDS[kind].energy),
            "strain": agent.entropy,
            "curses": float(agent.curses),
            "population": float(len(society.agents)),
            "generation": float(agent.generation + 1),
        }
        society.count("asked")
        society.requests.append(ValidationRequest(ritual_id, "birth" if kind == "birth" else "ritual", facts))
    return ritual_id


def template_of_chance(society: Society, draw: int) -> str:
    """What kind of child a birth brings that nobody has decided, by three random bits.

    A kind that there is enough of gives way to an ephemeral one.
    """
    template = BORN_BY_CHANCE[draw % len(BORN_BY_CHANCE)]
    living = sum(agent.template == template for agent in society.agents.parts.values())
    return template if living < TEMPLATES[template].born_at_most else "ephemeral"


def run(society: Society, streams: Streams, now: int) -> None:
    """One local tick of all rituals, in order of their ids."""
    for ritual_id, ritual in society.rituals.items():
        if now < ritual.phase_until:
            continue
        if ritual.approval == "pending":
            if now - ritual.began_at >= APPROVAL_TICKS_MAX:
                end(society, ritual_id, "lapsed", "Protocol did not answer", now)
        elif ritual.phase == "dormant":
            _awaken(society, ritual_id, now)
        else:
            _pass(society, streams, ritual_id, now)


def decide(society: Society, ritual_id: str, valid: bool, rule: str, now: int) -> None:
    """Takes Protocol's answer, if it is still waited for."""
    ritual = society.rituals.parts.get(ritual_id)
    if ritual is None or ritual.approval != "pending":
        return
    if valid:
        society.rituals.change(ritual_id, approval="given")
    else:
        end(society, ritual_id, "denied", f"Protocol denies it by the rule {rule}", now)


def _awaken(society: Society, ritual_id: str, now: int) -> None:
    ritual = society.rituals[ritual_id]
    wanted = KINDS[ritual.kind].energy
    if society.vitals.pool < wanted:  # it waits for the pool
        if now - ritual.began_at >= APPROVAL_TICKS_MAX:
            end(society, ritual_id, "lapsed", "the pool had no energy for it", now)
        return
    society.rituals.change(
        ritual_id, phase="awakening", phase_until=now + PHASES["awakening"].ticks, energy=society.draw(wanted)
    )
    if society.agents[ritual.agent].state == "ready":
        society.agents.change(ritual.agent, state="executing")


def _pass(society: Society, streams: Streams, ritual_id: str, now: int) -> None:
    """The end of a phase: it has failed or not, and another one follows or none."""
    ritual = society.rituals[ritual_id]
    phase = PHASES[ritual.phase]
    if fails(phase, society.vitals.weather, streams.word("ritual", now, ritual.order) >> 32):
        if phase.critical:
            end(society, ritual_id, "aborted", f"its phase {ritual.phase} failed", now)
            return
        ritual = society.rituals.change(ritual_id, flaws=min(ritual.flaws + 1, len(PHASES)))
    if phase.after:
        society.rituals.change(ritual_id, phase=phase.after, phase_until=now + PHASES[phase.after].ticks)
        return
    reason = _complete(society, streams, ritual, now)
    end(society, ritual_id, "aborted" if reason else "completed", reason, now)


def end(society: Society, ritual_id: str, outcome: str, reason: str, now: int) -> None:
    """Ends a ritual: its energy goes back, its thread is tied or cut, and it is history."""
    ritual = society.rituals.parts.pop(ritual_id)
    society.put_back(ritual.energy)
    if outcome == "completed":
        society.feed(ritual.agent, KINDS[ritual.kind].gift)
        society.count("completed")
        society.chronicle(now, COMPLETED, ritual_id)
    else:
        society.chronicle(now, outcome, ritual_id)
    if outcome == "aborted":
        society.count("aborted")
        _curse(society, ritual.agent)
    elif outcome == "denied":
        society.count("protocol_denials")
    order = society.count("rituals_ended")
    record = Ended(
        ritual.kind, ritual.agent, ritual.proposer, outcome, ritual.flaws, ritual.began_at, now, reason, order  # type: ignore[arg-type]
    )  # fmt: skip
    society.history.push(ritual_id, record, lambda one: one.order)
    society.traces.append((ritual_id, record))
    society.remember(ritual.agent, now, outcome, ritual.kind)
    for thread_id, thread in society.threads.items():
        if thread.ritual == ritual_id:
            society.threads.change(thread_id, state="tied" if outcome == "completed" else "cut")
    agent = society.agents.parts.get(ritual.agent)
    busy = any(other.agent == ritual.agent and other.phase != "dormant" for other in society.rituals.parts.values())
    if agent is not None and agent.state == "executing" and not busy:
        society.agents.change(ritual.agent, state="ready")


def _curse(society: Society, agent_id: str) -> None:
    agent = society.agents[agent_id]
    curses = min(agent.curses + 1, CURSES_MAX)
    state = "error" if curses >= CURSES_TO_ERROR and agent.decides else agent.state
    society.agents.change(agent_id, curses=curses, state=state)
    society.influences.append(WeatherInfluence("chaos-bloom", 20, f"a curse on {agent_id}"))


def _complete(society: Society, streams: Streams, ritual: Ritual, now: int) -> str:
    """What a completed ritual does; a birth may turn out to be impossible by now, and then the reason is returned."""
    agent = society.agents[ritual.agent]
    if ritual.kind == "cleansing":
        society.agents.change(ritual.agent, curses=0, state="ready" if agent.state == "error" else agent.state)
        society.touch(ritual.agent, aura=5.0)
    elif ritual.kind == "calling":
        society.spoken[ritual.agent] = "called by a ritual"
        society.agents.change(ritual.agent, spoke_at=now)
        society.touch(ritual.agent, mood=0.1)
    elif ritual.kind == "aura_weaving":
        society.touch(ritual.agent, aura=40.0)
    elif ritual.kind == "stirring":
        society.touch(ritual.agent, entropy=0.3)
    elif ritual.kind == "gathering":
        for other in society.in_order():
            society.touch(other, mood=0.05, resonance=0.02)
    elif ritual.kind == "enterprise":
        society.touch(ritual.agent, aura=15.0, mood=0.1)
    else:
        return _bear(society, streams, ritual, now)
    return ""


def _bear(society: Society, streams: Streams, ritual: Ritual, now: int) -> str:
    parent = society.agents[ritual.agent]
    if denial := governors.denial_of_birth(ritual.agent, parent, ritual.template):
        society.count("governor_denials")
        return denial
    if society.agents.is_full or society.vitals.pool < BIRTH_ENERGY:
        return "there was no room or no energy for a child"
    chance = streams.word("birth", now, ritual.order)
    child = society.free_id(ritual.template)
    society.bear(child, ritual.template, parent.personality, now, ritual.agent, chance & 0xFFFF)
    society.touch(ritual.agent, entropy=-0.1)
    return ""
