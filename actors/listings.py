"""What members' states are as rows of tables, for people who ask in SQL."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.digests import digest_of
from actors.core.kernel.instances import RUNTIME, Instance, instance_id
from actors.core.kernel.keeping import KeptTable
from actors.core.kernel.messages import Checkpoint
from actors.core.kernel.states import Records, decode_state
from actors.core.kernel.tables import instances_in
from actors.core.platforms.society_rows import agent_rows, ritual_rows
from actors.core.players.players import listed, restored
from actors.vaults.records import Listing

Rows = dict[tuple[str, ...], dict[str, object]]
IN_JSON = ("personality", "record")
"""Columns of any shape."""


class Society(msgspec.Struct, frozen=True):
    """The rows of one instance.

    Attributes:
        made_of: digest, local tick and name, by which it is known to be as it was.
        agents: rows of `vault_agents`.
        rituals: rows of `vault_ritual_logs`.
        since: the number of the first ritual that it remembers.
    """

    made_of: tuple[bytes, int, str]
    agents: Rows
    rituals: Rows
    since: int


class Lister:
    """Makes listings; what has not changed since it was last asked is not made again."""

    def __init__(self) -> None:
        self._digest = b""
        self._players: Rows = {}
        self._societies: dict[str, Society] = {}

    def listings(self, control_tick: int, tables: bytes, members: Mapping[str, KeptTable]) -> list[Listing]:
        """How members stood after a control tick, or after an earlier one if a checkpoint is as old.

        Args:
            control_tick: of the boundary.
            tables: the clock's, as they are written down.
            members: what is kept of each.

        Raises:
            ProtocolError: the clock's tables cannot be read.
        """
        return [*self._of_players(control_tick, members), *self._of_instances(control_tick, tables, members)]

    def _of_players(self, control_tick: int, members: Mapping[str, KeptTable]) -> list[Listing]:
        kept = members.get(PLAYERS)
        if kept is None or kept.checkpoint is None:
            return []
        if (digest := digest_of(kept.checkpoint.document)) != self._digest:
            players = decode_state(kept.checkpoint.document)["players"]
            objects = players.objects if isinstance(players, Records) else {}
            self._players = {(player_id,): _in_json(listed(restored(record))) for player_id, record in objects.items()}
            self._digest = digest
        return [Listing("players", _listed_at(control_tick, kept, kept.checkpoint), self._players)]

    def _of_instances(self, control_tick: int, tables: bytes, members: Mapping[str, KeptTable]) -> list[Listing]:
        societies: dict[str, Society] = {}
        for number, instance, roles in instances_in(tables):
            kept = members.get(roles.get(RUNTIME, ""))
            if kept is None or kept.checkpoint is None:
                continue
            name = instance_id(number)
            societies[name] = self._society(name, instance, kept.checkpoint)
            control_tick = min(control_tick, _listed_at(control_tick, kept, kept.checkpoint))
        self._societies = societies
        agents = {key: row for one in societies.values() for key, row in one.agents.items()}
        rituals = {key: row for one in societies.values() for key, row in one.rituals.items()}
        since = {name: one.since for name, one in societies.items()}
        return [Listing("agents", control_tick, agents), Listing("rituals", control_tick, rituals, since)]

    def _society(self, name: str, instance: Instance, checkpoint: Checkpoint) -> Society:
        made_of = digest_of(checkpoint.document), checkpoint.local_tick, instance.name
        known = self._societies.get(name)
        if known is not None and known.made_of == made_of:
            return known
        state = decode_state(checkpoint.document)
        of: dict[str, Any] = {"instance": instance.name}
        aged = {**of, "local_tick": checkpoint.local_tick}
        agents: Rows = {(name, one): _in_json({**aged, **row}) for one, row in agent_rows(state).items()}
        rituals: Rows = {(name, one): _in_json({**of, **row}) for one, row in ritual_rows(state).items()}
        numbers: list[Any] = [row["number"] for row in rituals.values()]
        return Society(made_of, agents, rituals, min(numbers, default=0))


def _listed_at(control_tick: int, kept: KeptTable, checkpoint: Checkpoint) -> int:
    """The control tick after which a member was what its checkpoint says."""
    return int(checkpoint.boundary["control_tick"]) if kept.since else control_tick


def _in_json(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: json.dumps(value, sort_keys=True) if name in IN_JSON else value for name, value in row.items()}
