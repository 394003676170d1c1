"""What happens in a Runtime in one local tick, in its order: agents by priority, then the daemons one after another.

ThreadWeaver looks for those in need (`threads`), RitualEngine runs the rituals (`ritual_engines`), LoopReseedDaemon closes
and begins loops (`loops`). FinalExportDaemon needs the bridge, so the Runtime itself sends what it asks (`exports`).
"""

from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.streams import Streams
from actors.core.platforms import deeds, loops, orchestrators, possessions, ritual_engines, threads
from actors.core.platforms.messages import WeatherInfluence
from actors.core.platforms.rituals import RITUALS_MAX
from actors.core.platforms.schemas import numbered
from actors.core.platforms.societies import Society

WOVEN_RITUALS_MAX = RITUALS_MAX - 1
"""ThreadWeaver leaves one place to what agents propose."""


def pass_time(society: Society, now: int) -> None:
    """What happens whether the society acts by itself or not: leases expire, and those whose time has come go."""
    possessions.expire(society.leases, society.agents, now)
    for agent_id, agent in society.agents.items():
        if agent.ends_at is None or agent.ends_at > now:
            continue
        if agent.lives:
            end_agent(society, agent_id, now)
        else:
            del society.agents.parts[agent_id]


def end_agent(society: Society, agent_id: str, now: int) -> None:
    """Ends an agent, and the rituals that are for it."""
    for ritual_id, ritual in society.rituals.items():
        if ritual.agent == agent_id:
            ritual_engines.end(society, ritual_id, "lapsed", f"{agent_id} has ended", now)
    society.end(agent_id, now)


def tick(society: Society, streams: Streams, now: int, loop_ticks: int) -> None:
    """One local tick of a society that acts by itself."""
    for agent_id in society.in_order():
        deeds.live(society, streams, agent_id, now)
    if now % deeds.AGEING_TICKS == 0:
        deeds.age(society, now)
    if now % orchestrators.ALLOTTING_TICKS == 0:
        orchestrators.allot(society)
    if now % threads.WEAVING_TICKS == 0:
        weave(society, now)
    ritual_engines.run(society, streams, now)
    reseed(society, now, loop_ticks)


def weave(society: Society, now: int) -> None:
    """ThreadWeaver: begins rituals for those in need who have no thread yet, while there is room."""
    threaded = {thread.agent for thread in society.threads.parts.values() if thread.state == "open"}
    for agent_id, need in threads.in_need(society.agents.parts, now):
        if len(society.rituals) >= WOVEN_RITUALS_MAX:
            return
        if agent_id in threaded:
            continue
        row = threads.NEEDS[need]
        try:
            ritual_id = ritual_engines.begin(society, row.ritual, agent_id, "thread_weaver", now)
        except CommandRefusedError:
            return
        order = society.count("threads")
        thread = threads.Thread(agent_id, need, row.urgency, ritual_id, now, "open", order)  # type: ignore[arg-type]
        society.threads.push(numbered("thread", order), thread, lambda one: one.order)


def begin_loop(society: Society, now: int, loop_ticks: int) -> None:
    """Begins the next loop from the last seal, unless one runs."""
    known = society.loops.parts.values()
    if any(loop.state == "running" for loop in known):
        return
    number = max((loop.number for loop in known), default=0) + 1
    sealed = max((loop for loop in known if loop.state == "sealed"), key=lambda loop: loop.number, default=None)
    begun = loops.begun(number, sealed.seal if sealed is not None else "", now, loop_ticks)
    society.loops.push(numbered("loop", number), begun, lambda loop: loop.number)


def reseed(society: Society, now: int, loop_ticks: int) -> None:
    """LoopReseedDaemon: closes the running loop when it is finished, and begins the next one from its seal."""
    for loop_id, loop in society.loops.items():
        if loop.state != "running" or (now < loop.closes_at and len(loop.trace) < loops.TRACE_MAX):
            continue
        after = society.loops[loop_id] = loops.closed(loop, now, loop_ticks)
        if after.state == "sealed":
            society.count("loops_closed")
            society.note(export_began_at=now)
            society.influences.append(WeatherInfluence("drift-wave", 60, f"{loop_id} is sealed"))
            begin_loop(society, now, loop_ticks)
        elif after.state == "stopped":
            society.influences.append(WeatherInfluence("calm-bloom", 100, after.said))


def last_sealed(society: Society) -> tuple[int, str]:
    """Number and seal of the last sealed loop; (0, "") before there is one."""
    sealed = [(loop.number, loop.seal) for loop in society.loops.parts.values() if loop.state == "sealed"]
    return max(sealed, default=(0, ""))
