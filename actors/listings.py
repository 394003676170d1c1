"""What members' states are as rows of tables, for people who ask in SQL."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from actors.core.kernel.addresses import PLAYERS
from actors.core.kernel.digests import digest_of
from actors.core.kernel.instances import RUNTIME, Instance, instance_id
from actors.core.kernel.keeping import KeptTable
from actors.core.kernel.logs import RITUALS, Logged
from actors.core.kernel.messages import Checkpoint
from actors.core.kernel.states import Records, decode_state
from actors.core.kernel.tables import forks_in, instances_in
from actors.core.platforms.society_rows import agent_rows, ritual_rows, rituals_ended
from actors.core.players.players import listed, restored
from actors.ritual_logs import NOTHING_LOGGED, RitualLog, Rows, in_json
from actors.vaults.checks import NUMBER_MAX
from actors.vaults.records import Listing


class Society(msgspec.Struct, frozen=True):
    """The rows of one instance.

    Attributes:
        made_of: digest, local tick and name, by which it is known to be as it was.
        agents: rows of `vault_agents`.
        rituals: rows of `vault_ritual_logs`, of the rituals that it remembers.
        ended: how many have ended.
    """

    made_of: tuple[bytes, int, str]
    agents: Rows
    rituals: Rows
    ended: int


class Lister:
    """Makes listings; what has not changed since it was last asked is not made again.

    An instance remembers its newest rituals only, and logs each one when it ends. What was logged is kept here until it is
    written down and the checkpoint beside it knows of it, too.
    """

    def __init__(self) -> None:
        self._digest = b""
        self._players: Rows = {}
        self._societies: dict[str, Society] = {}
        self._logs: dict[str, RitualLog] = {}
        self._lived: dict[str, int] = {}

    def take(self, logged: Iterable[Logged]) -> None:
        """Takes in what members have logged, in order."""
        for one in logged:
            if one.role == RUNTIME and one.row.log == RITUALS:
                name = instance_id(one.fork)
                self._logs.setdefault(name, RitualLog(name)).take(one)

    def written(self) -> None:
        """What was listed last is durable."""
        for name, log in list(self._logs.items()):
            log.forget(self._lived.get(name))
            if not log.said:
                del self._logs[name]

    def forget(self) -> None:
        """The history that members have logged is left."""
        self._logs, self._lived = {}, {}

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

    def log_at(self, control_tick: int, tables: bytes, members: Mapping[str, KeptTable]) -> Listing:
        """The log of rituals as far as it is remembered at a boundary; of instances that are no more, all of it is before.

        Raises:
            ProtocolError: the clock's tables cannot be read.
        """
        (log,) = (one for one in self._of_instances(control_tick, tables, members) if one.since is not None)
        ended = {instance_id(number): NUMBER_MAX for number in range(1, forks_in(tables) + 1)}
        return msgspec.structs.replace(log, since=ended | dict(log.since or {}))

    def _of_players(self, control_tick: int, members: Mapping[str, KeptTable]) -> list[Listing]:
        kept = members.get(PLAYERS)
        if kept is None or kept.checkpoint is None:
            return []
        if (digest := digest_of(kept.checkpoint.document)) != self._digest:
            players = decode_state(kept.checkpoint.document)["players"]
            objects = players.objects if isinstance(players, Records) else {}
            self._players = {(player_id,): in_json(listed(restored(record))) for player_id, record in objects.items()}
            self._digest = digest
        return [Listing("players", _listed_at(control_tick, kept, kept.checkpoint), self._players)]

    def _of_instances(self, control_tick: int, tables: bytes, members: Mapping[str, KeptTable]) -> list[Listing]:
        societies: dict[str, Society] = {}
        rituals: Rows = {}
        since: dict[str, int] = {}
        self._lived = {}
        for number, instance, roles in instances_in(tables):
            kept = members.get(roles.get(RUNTIME, ""))
            if kept is None or kept.checkpoint is None:
                continue
            name = instance_id(number)
            society = societies[name] = self._society(name, instance, kept.checkpoint)
            self._lived[name] = kept.checkpoint.number
            log = self._logs.get(name, NOTHING_LOGGED)
            of_it, since[name] = log.with_remembered(society.rituals, society.ended, kept.checkpoint.number)
            rituals.update(of_it)
            control_tick = min(control_tick, _listed_at(control_tick, kept, kept.checkpoint))
        self._societies = societies
        for name in self._logs.keys() - societies.keys():  # those that have ended meanwhile
            rituals.update(self._logs[name].rows())
            since[name] = self._logs[name].said[0].number
        agents = {key: row for one in societies.values() for key, row in one.agents.items()}
        return [Listing("agents", control_tick, agents), Listing("rituals", control_tick, rituals, since)]

    def _society(self, name: str, instance: Instance, checkpoint: Checkpoint) -> Society:
        made_of = digest_of(checkpoint.document), checkpoint.local_tick, instance.name
        known = self._societies.get(name)
        if known is not None and known.made_of == made_of:
            return known
        state = decode_state(checkpoint.document)
        of: dict[str, Any] = {"instance": instance.name}
        aged = {**of, "local_tick": checkpoint.local_tick}
        agents: Rows = {(name, one): in_json({**aged, **row}) for one, row in agent_rows(state).items()}
        rituals: Rows = {(name, one): in_json({**of, **row}) for one, row in ritual_rows(state).items()}
        return Society(made_of, agents, rituals, rituals_ended(state))


def _listed_at(control_tick: int, kept: KeptTable, checkpoint: Checkpoint) -> int:
    """The control tick after which a member was what its checkpoint says."""
    return int(checkpoint.boundary["control_tick"]) if kept.since else control_tick
