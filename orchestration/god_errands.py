"""Errands: how each god command is carried out, as one command of the clock, and what it comes to."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import msgspec

from actors.core.kernel.codec import encode
from actors.core.kernel.commands import (
    ClockCommand,
    ForkGames,
    Freeze,
    LinkInstances,
    MemberCommand,
    Reply,
    Unfreeze,
)
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.instances import RUNTIME, SURFACE
from actors.core.kernel.standstills import FREEZE, OVERRIDE
from actors.core.merging.merge_reports import MergeReport, report_of
from actors.core.permissions.validators import EVERYWHERE
from actors.requests import KEYED, Caller
from orchestration import god_commands as asked
from orchestration import god_results as came
from orchestration.arguments import check_target, encoded
from orchestration.god_commands import GodCommand
from orchestration.instances import FourPlatformInstance, changes_of
from orchestration.presiding import Presiding

DIGITS = 32
"""Of a hash, where it names something."""


class Errand:
    """One command on its way.

    Args:
        mv: the multiverse.
        command: what is asked.
        principal: who asks.
        origin: where the request comes from.
    """

    def __init__(self, mv: Presiding, command: GodCommand, principal: str, origin: str) -> None:
        self._mv, self._command, self._principal, self._origin = mv, command, principal, origin
        self._command_id = _id_of(principal, command) if command.idempotency_key else uuid4().hex

    def result(self) -> came.GodResult:
        """What it comes to; of one that was given before under the same key, what it came to then."""
        if self._command.idempotency_key and (known := self._first_reply()) is not None:
            return self._told(known)
        carry: Callable[[Any], came.GodResult] = getattr(self, "_" + self._command.type.lower())
        return carry(self._command)

    def _first_reply(self) -> Reply | None:
        """Nobody is looked for who may be gone meanwhile."""
        scope = ""
        if isinstance(self._command, asked.FreezeTime | asked.UnfreezeTime):
            scope = self._whom(self._command.scope)[1]
        elif isinstance(self._command, asked.TimelineRevert):
            scope = self._command.scope
        of_instance = not hasattr(self._command, "ids")
        known: Reply | None = self._mv._call("first_reply", self._command_id, self._caller(scope), of_instance)
        told_of_one = hasattr(self._command, "instance") or hasattr(self._command, "source")
        if known is not None and told_of_one and not known.instance:
            return None  # of a keyframe from before replies said of whom they are
        return known

    def _told(self, reply: Reply) -> came.GodResult:
        """A reply of the clock as the result of the command."""
        tell: Callable[[Any, Any, Reply, dict[str, Any]], came.GodResult] = TELLING[self._command.type]
        return tell(self._command, reply.value(), reply, msgspec.structs.asdict(reply.boundary))

    def _caller(self, scope: str = "") -> Caller:
        return Caller(self._principal, self._command.type, scope or EVERYWHERE, self._origin)

    def _submit(self, command: ClockCommand, scope: str = "") -> came.GodResult:
        return self._told(self._mv._call("submit", command, self._command_id, self._caller(scope)))

    def _instance(self, who: str) -> FourPlatformInstance:
        scope = EVERYWHERE if hasattr(self._command, "ids") else ""
        return self._mv.instance_asked_for(who, self._command.type, self._principal, self._origin, scope=scope)

    # ------------------------------------------------------------------------------------------------------- time

    def _whom(self, scope: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Ids, and what it takes a role for."""
        ids = self._mv._ids_of(scope)
        return ids, ids[0] if len(ids) == 1 else EVERYWHERE

    def _freeze_time(self, command: asked.FreezeTime) -> came.GodResult:
        whom, scope = self._whom(command.scope)
        return self._submit(Freeze(whom, FREEZE, command.duration_ticks or 0), scope)

    def _unfreeze_time(self, command: asked.UnfreezeTime) -> came.GodResult:
        whom, scope = self._whom(command.scope)
        return self._submit(Unfreeze(whom, FREEZE), scope)

    def _timeline_revert(self, command: asked.TimelineRevert) -> came.GodResult:
        check_target(command.control_tick, command.snapshot)
        tick, then = command.control_tick or 0, command.snapshot
        mv = self._mv
        if not command.scope:
            where = (tick, command.branch, then, command.name, command.reason)
            branch = mv._call("revert", *where, self._command_id, self._caller())
            left = {"branch": branch.branch, "control_tick": branch.control_tick, "position": branch.position}
            return came.TimelineReverted(boundary=left, branch=msgspec.to_builtins(branch))
        if command.branch or command.name:
            raise CommandRefusedError(
                "an instance or a realm goes back on the present branch; leave branch and name out."
            )
        known = {one.instance_id: one for one in mv.instances()} | {one.name: one for one in mv.instances()}
        if (found := known.get(command.scope)) is not None:
            caller = self._caller(found.instance_id)
            return self._told(mv._call("revert_domain", found.fork, tick, then, self._command_id, caller))
        caller = self._caller(command.scope)
        return self._told(mv._call("revert_realm", command.scope, tick, then, self._command_id, caller))

    # ---------------------------------------------------------------------------------------------------- instances

    def _clone_instance(self, command: asked.CloneInstance) -> came.GodResult:
        origin = self._instance(command.source)
        changes = (changes_of(origin, command.modifications),) if command.modifications else ()
        names = (command.name,) if command.name else ()
        wanted = ForkGames(tuple(origin.members.values()), 1, divergent=False, modifications=changes, names=names)
        return self._submit(wanted, origin.instance_id)

    def _reality_fork(self, command: asked.RealityFork) -> came.GodResult:
        origin = self._instance(command.source)
        changes = tuple(changes_of(origin, one) for one in command.modifications)
        count = command.count if command.count is not None else max(1, len(changes), len(command.names))
        wanted = ForkGames(tuple(origin.members.values()), count, command.divergent, changes, names=command.names)
        tick, then = command.control_tick, command.snapshot
        if (tick is not None and then) or (command.branch and tick is None):
            raise CommandRefusedError("a fork begins now, or at a control tick (of a branch), or else at a snapshot.")
        if tick is None and not then:
            return self._submit(wanted, origin.instance_id)
        caller = self._caller(origin.instance_id)
        where = (tick or 0, command.branch, then)
        return self._told(self._mv._call("fork_past", wanted, *where, self._command_id, caller))

    def _merge_instances(self, command: asked.MergeInstances) -> came.GodResult:
        forks = tuple(self._instance(one).fork for one in command.ids)
        how = (forks, command.strategy, command.name, self._command_id, self._caller(), command.dry_run)
        boundary, report = self._mv._call("merge_instances", *how)
        return _merged(report, msgspec.structs.asdict(boundary))

    def _cross_instance_communication(self, command: asked.CrossInstanceCommunication) -> came.GodResult:
        forks = tuple(self._instance(one).fork for one in command.ids)
        return self._submit(LinkInstances(forks, command.enable))

    # ------------------------------------------------------------------------------------------------------- agents

    def _agent_possession(self, command: asked.AgentPossession) -> came.GodResult:
        lease_id = command.lease_id
        if command.step == "possess":
            if lease_id and not command.idempotency_key:
                raise CommandRefusedError("the id of a lease is given, not asked for; leave lease_id out.")
            lease_id = blake2b(self._command_id.encode()).hexdigest()[:DIGITS]
            verb, arguments = "possess", {"agent_id": command.agent, "lease_ticks": command.lease_ticks}
            arguments |= {"lease_id": lease_id, "principal": _named(self._principal)}
        elif command.step == "act":
            verb, arguments = "act", {"lease_id": lease_id, "agent_id": command.agent, "action": command.action}
            arguments |= {"target": command.target, "ritual": command.ritual}
        elif command.step == "release":
            verb, arguments = "release", {"lease_id": lease_id}
        else:
            verb, arguments = "break_possession", {"agent_id": command.agent}
        return self._ask(self._instance(command.instance), RUNTIME, verb, arguments)

    def _ask(
        self, instance: FourPlatformInstance, role: str, verb: str, arguments: Mapping[str, Any]
    ) -> came.GodResult:
        payload = encoded(arguments, "arguments")
        return self._submit(MemberCommand(instance[role], verb, payload), instance.instance_id)

    def _puppet_master_intervention(self, command: asked.PuppetMasterIntervention) -> came.GodResult:
        instance, how = self._instance(command.instance), command.intervention
        match how:
            case asked.InjectRitual():
                wanted = {"kind": how.ritual, "agent_id": how.agent, "template": how.template}
                return self._ask(instance, RUNTIME, "inject_ritual", wanted)
            case asked.AlterWeather():
                return self._ask(instance, SURFACE, "alter_weather", {"phase": how.phase, "intensity": how.intensity})
            case asked.ModifyPersonality():
                changed = {"agent_id": how.agent, "personality": dict(how.personality)}
                return self._ask(instance, RUNTIME, "modify_personality", changed)
            case asked.SpawnAgent():
                born = {"template": how.template, "agent_id": how.agent, "parent": how.parent}
                return self._ask(instance, RUNTIME, "spawn_agent", {**born, "personality": how.personality})
            case asked.TerminateAgent():
                return self._ask(instance, RUNTIME, "terminate_agent", {"agent_id": how.agent})
            case asked.EmergencyOverride() | asked.Resume():
                scope = tuple(instance[role] for role in asked.PLATFORMS_OF[how.platform])
                still: ClockCommand = (
                    Freeze(scope, OVERRIDE, reason=how.reason)
                    if isinstance(how, asked.EmergencyOverride)
                    else Unfreeze(scope, OVERRIDE)
                )
                return self._submit(still, instance.instance_id)


def _merged(report: MergeReport, boundary: dict[str, Any]) -> came.GodResult:
    return came.InstancesMerged(
        boundary=boundary,
        instance_id=report.instance_id,
        name=report.name,
        report=msgspec.to_builtins(report),
    )


def _possessed(command: asked.AgentPossession, value: Any, reply: Reply, boundary: dict[str, Any]) -> came.GodResult:
    lease_id = value["lease_id"] if command.step == "possess" else command.lease_id
    return came.Possessed(
        boundary=boundary, instance=reply.instance, step=command.step, lease_id=lease_id, outcome=value
    )


TELLING: Mapping[str, Callable[[Any, Any, Reply, dict[str, Any]], came.GodResult]] = {
    "FREEZE_TIME": lambda _, value, __, boundary: came.TimeFrozen(boundary=boundary, **value),
    "UNFREEZE_TIME": lambda _, value, __, boundary: came.TimeUnfrozen(boundary=boundary, **value),
    "TIMELINE_REVERT": lambda _, value, __, boundary: came.TimelineReverted(boundary=boundary, scope=value),
    "CLONE_INSTANCE": lambda _, value, __, boundary: came.InstanceCloned(boundary=boundary, instance=_made(value[0])),
    "REALITY_FORK": lambda _, value, reply, boundary: came.RealityForked(
        boundary=boundary, source=reply.instance, instances=[_made(one) for one in value]
    ),
    "MERGE_INSTANCES": lambda _, value, __, boundary: _merged(report_of(value), boundary),
    "CROSS_INSTANCE_COMMUNICATION": lambda command, value, _, boundary: came.CommunicationSet(
        boundary=boundary, enabled=command.enable, pairs=value["pairs"]
    ),
    "AGENT_POSSESSION": _possessed,
    "PUPPET_MASTER_INTERVENTION": lambda command, value, reply, boundary: came.Intervened(
        boundary=boundary, instance=reply.instance, intervention=command.intervention.kind, outcome=value
    ),
}
"""How a reply of the clock reads as the result of a command, by its type: from the two alone, for nobody else need live."""


def _id_of(principal: str, command: GodCommand) -> str:
    """The name of a command that is to be carried out once: by whose key it is known, and what it asks for."""
    known_by = blake2b(encode([principal, command.type, command.idempotency_key])).hexdigest()[:DIGITS]
    asks_for = blake2b(command.model_dump_json().encode()).hexdigest()[:DIGITS]
    return f"{KEYED}{known_by} {asks_for}"


def _made(one: Mapping[str, Any]) -> came.MadeInstance:
    return came.MadeInstance(instance_id=one["instance_id"], name=one["name"], members=dict(one["realms"]))


def _named(text: str) -> str:
    """A text as a name within an instance, of at most so many characters."""
    return text.replace(" ", "_")[:64]
