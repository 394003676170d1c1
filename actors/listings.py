"""What members' states are as rows of tables, for people who ask in SQL."""

import json
from collections.abc import Mapping
from typing import Any

from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.digests import digest_of
from actors.core.kernel.keeping import KeptTable
from actors.core.kernel.states import Records, decode_state
from actors.core.players.players import listed, restored
from actors.vaults.records import Listing


class Lister:
    """Makes listings; what has not changed since it was last asked is not made again."""

    def __init__(self) -> None:
        self._digest = b""
        self._rows: dict[str, dict[str, object]] = {}

    def listings(self, control_tick: int, members: Mapping[str, KeptTable]) -> list[Listing]:
        """How members stood after a control tick, or after an earlier one if a checkpoint is as old."""
        kept = members.get(PLAYERS)
        if kept is None or kept.checkpoint is None:
            return []
        if kept.since:
            control_tick = kept.checkpoint.boundary["control_tick"]
        if (digest := digest_of(kept.checkpoint.document)) != self._digest:
            players = decode_state(kept.checkpoint.document)["players"]
            objects = players.objects if isinstance(players, Records) else {}
            self._rows = {player_id: _in_json(listed(restored(record))) for player_id, record in objects.items()}
            self._digest = digest
        return [Listing("players", control_tick, self._rows)]


def _in_json(row: dict[str, Any]) -> dict[str, object]:
    return {**row, "record": json.dumps(row["record"], sort_keys=True)}
