"""A Runtime's society as rows of tables: its agents, and the rituals that have ended.

Read from the state as it is written down. What a foreign platform keeps there in another shape is left out.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from actors.core.kernel.codec import Plain, decode
from actors.core.kernel.states import Records, State
from actors.core.platforms.agents import Agent
from actors.core.platforms.rituals import Ended
from actors.core.platforms.schemas import NOW, Part

Row = dict[str, Plain]
P = TypeVar("P", bound=Part)


def agent_rows(state: State) -> dict[str, Row]:
    """Every agent by its id; `record` is all of one."""
    return {
        agent_id: {
            "template": agent.template,
            "state": agent.state,
            "generation": agent.generation,
            "mood": agent.mood,
            "energy": agent.energy,
            "born_at": agent.born_at,
            "personality": msgspec.to_builtins(agent.personality),
            "record": msgspec.to_builtins(agent),
        }
        for agent_id, agent in _parts(state, "agents", Agent)
    }


def ritual_rows(state: State) -> dict[str, Row]:
    """Every ended ritual that is remembered, by its id; `record` is all of one, `number` how many had ended before it."""
    return {ritual_id: _ritual_row(ended) for ritual_id, ended in _parts(state, "history", Ended)}


def rituals_ended(state: State) -> int:
    """How many rituals have ended; 0 where that is not counted as our Runtime does."""
    vitals = state.get("vitals")
    now = vitals.objects.get(NOW) if isinstance(vitals, Records) else None
    ended = now.get("rituals_ended") if isinstance(now, Mapping) else None
    return ended if isinstance(ended, int) else 0


def ritual_row(ritual_id: str, record: bytes) -> tuple[str, Row] | None:
    """The same of a ritual that was logged; None if that is in another shape."""
    try:
        return _without_nul(ritual_id), _ritual_row(msgspec.convert(decode(record), Ended))
    except ValueError:
        return None


def _ritual_row(ended: Ended) -> Row:
    return {
        "number": ended.order,
        "kind": ended.kind,
        "agent_id": _without_nul(ended.agent),
        "outcome": ended.outcome,
        "began_at": ended.began_at,
        "ended_at": ended.ended_at,
        "record": msgspec.to_builtins(ended),
    }


def _parts(state: State, section: str, kind: type[P]) -> list[tuple[str, P]]:
    found = state.get(section)
    parts: list[tuple[str, P]] = []
    for object_id, plain in sorted(found.objects.items()) if isinstance(found, Records) else ():
        try:
            parts.append((_without_nul(object_id), msgspec.convert(plain, kind)))
        except msgspec.ValidationError:
            continue
    return parts


def _without_nul(text: str) -> str:
    """A history may be modified, and no text of PostgreSQL has a NUL."""
    return text.replace("\0", "\ufffd")
