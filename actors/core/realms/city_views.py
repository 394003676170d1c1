"""What a City shows of a boundary: its people, its rumours, and each player's own conversations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError
from actors.core.realms import city_roles as roles
from actors.core.realms.city_names import npc_name
from actors.core.realms.city_people import Column, role_of

FOUND_MAX = 1_000
"""People one query gives at most."""
BLOCK_SLOTS = 1 << 16
"""People looked through at a time, so that an early find ends the search."""


@dataclass(frozen=True, slots=True)
class CityView:
    """One boundary of a City. Its arrays and maps are never written again; making it copies nothing.

    Queries:
        summary: the city as a whole.
        find_npcs(role, origin, limit): people by role and realm of birth, lowest slot first.
        npc(id): one of them, by slot.
        conversations(player_id): what was said to this player, and to nobody else.
    """

    realm_id: str
    columns: Mapping[str, Column]
    origins: tuple[str, ...]
    chronicle: Mapping[str, Plain]
    rumours: tuple[Mapping[str, Plain], ...]
    players: Mapping[str, Plain]
    said: Mapping[str, Plain]

    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See the class.

        Raises:
            CommandRefusedError: another verb, arguments that do not fit, or nobody of that id.
        """
        answers: Mapping[str, tuple[Callable[..., Plain], frozenset[str], frozenset[str]]] = {
            "summary": (self.summary, frozenset(), frozenset()),
            "find_npcs": (self.find_npcs, frozenset(), frozenset({"role", "origin", "limit"})),
            "npc": (self.npc, frozenset({"id"}), frozenset()),
            "conversations": (self.conversations, frozenset({"player_id"}), frozenset()),
        }
        if verb not in answers:
            raise CommandRefusedError(f"a city has no view {verb!r}; ask one of {sorted(answers)}.")
        answer, needed, possible = answers[verb]
        given = set(arguments)
        if not needed <= given <= needed | possible:
            raise CommandRefusedError(f"{verb!r} takes {sorted(needed | possible)}, not {sorted(given)}.")
        return answer(**{("slot" if name == "id" else name): value for name, value in arguments.items()})

    def find_npcs(self, role: Plain = None, origin: Plain = None, limit: Plain = 20) -> list[Plain]:
        """People of a role (or any) born in a realm (or any), at most `limit`, lowest slot first."""
        if role is not None and role not in roles.ROLES:
            raise CommandRefusedError(f"nobody has the role {role!r}; use one of {list(roles.ROLES)}.")
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= FOUND_MAX:
            raise CommandRefusedError(f"limit must be a whole number from 1 to {FOUND_MAX}, not {limit!r}.")
        if origin is not None and origin not in self.origins:
            return []
        slots = find(
            self.columns,
            None if role is None else roles.ROLES.index(role),
            None if origin is None else self.origins.index(origin),
            limit,
        )
        return [described(self.columns, slot, self.origins) for slot in slots]

    def npc(self, slot: Plain) -> Plain:
        """One person."""
        alive = self.columns["alive"]
        if isinstance(slot, bool) or not isinstance(slot, int) or not (0 <= slot < len(alive) and alive[slot]):
            raise CommandRefusedError(f"nobody in {self.realm_id} has the id {slot!r}; find_npcs gives ids.")
        return described(self.columns, slot, self.origins)

    def conversations(self, player_id: Plain) -> Plain:
        """The last lines said to one player, oldest first."""
        if not isinstance(player_id, str):
            raise CommandRefusedError(f"player_id must be text, not {player_id!r}.")
        return [dict(line) for line in self.said.get(player_id, {"lines": []})["lines"]]

    def summary(self) -> Plain:
        """The city as a whole."""
        alive = self.columns["alive"]
        habits, activities = self.columns["habit"][alive], self.columns["activity"][alive]
        by_role = np.bincount(role_of(habits), minlength=len(roles.ROLES)).tolist()
        by_activity = np.bincount(activities, minlength=len(roles.ACTIVITIES)).tolist()
        npcs = len(habits)
        now = self.chronicle["now"]
        return {
            "realm_id": self.realm_id,
            "day": now // roles.TICKS_PER_DAY,
            "hour": roles.hour_of(now),
            "npcs": npcs,
            "wealth": int(self.columns["wealth"].sum(dtype=np.int64)),
            "mood": int(self.columns["mood"].sum(dtype=np.int64)) // max(npcs, 1),
            "roles": dict(zip(roles.ROLES, by_role, strict=True)),
            "activities": dict(zip(roles.ACTIVITIES, by_activity, strict=True)),
            "rumours": [dict(rumour) for rumour in self.rumours],
            "players": sorted(self.players),
            "chronicle": {name: value for name, value in self.chronicle.items() if name not in ("origins", "now")},
        }


def find(columns: Mapping[str, Column], role: int | None, origin: int | None, limit: int) -> list[int]:
    """The lowest slots, at most `limit`, of people of this role and this origin (None means any)."""
    found: list[int] = []
    for at in range(0, len(columns["alive"]), BLOCK_SLOTS):
        block = slice(at, at + BLOCK_SLOTS)
        fits = columns["alive"][block].copy()
        if role is not None:
            fits &= role_of(columns["habit"][block]) == role
        if origin is not None:
            fits &= columns["origin"][block] == origin
        found += (np.flatnonzero(fits)[: limit - len(found)] + at).tolist()
        if len(found) >= limit:
            break
    return found


def described(columns: Mapping[str, Column], slot: int, origins: tuple[str, ...] | list[str]) -> dict[str, Plain]:
    """One person for people to read."""
    values = {name: int(column[slot]) for name, column in columns.items()}
    role = values["habit"] // len(roles.SHIFTS_HOURS)
    origin = origins[values["origin"]]
    return {
        "id": slot,
        "name": npc_name(origin, values["number"]),
        "role": roles.ROLES[role],
        "faction": roles.FACTIONS[role],
        "origin": origin,
        "x": values["x"],
        "y": values["y"],
        "place": roles.PLACES[values["place"]],
        "activity": roles.ACTIVITIES[values["activity"]],
        "traits": {name: values[name] for name in roles.TRAITS},
        "needs": {name: values[name] for name in ("hunger", "fatigue", "loneliness")},
        "stock": values["stock"],
        "wealth": values["wealth"],
        "mood": values["mood"],
        "rumours_heard": values["heard"].bit_count(),
    }
