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
from actors.core.permissions.validators import EVERYWHERE
from actors.requests import KEYED, Caller
from orchestration import god_commands as asked
from orchestration import god_results as came
from orchestration.arguments import encoded
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
        """What it comes to."""
        carry: Callable[[Any], came.GodResult] = getattr(self, "_" + self._command.type.lower())
        return carry(self._command)

    def _caller(self, scope: str = "") -> Caller:
        return Caller(self._principal, self._command.type, scope or EVERYWHERE, self._origin)

    def _submit(self, command: ClockCommand, scope: str = "") -> tuple[Any, dict[str, Any]]:
        reply: Reply = self._mv._call("submit", command, self._command_id, self._caller(scope))
        return _settled(reply)

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
        value, boundary = self._submit(Freeze(whom, FREEZE, command.duration_ticks or 0), scope)
        return came.TimeFrozen(boundary=boundary, **value)

    def _unfreeze_time(self, command: asked.UnfreezeTime) -> came.GodResult:
        whom, scope = self._whom(command.scope)
        value, boundary = self._submit(Unfreeze(whom, FREEZE), scope)
        return came.TimeUnfrozen(boundary=boundary, **value)

    def _timeline_revert(self, command: asked.TimelineRevert) -> came.GodResult:
        if (command.control_tick is None) != bool(command.snapshot):
            raise CommandRefusedError("a revert needs a control tick, or else a snapshot.")
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
        caller = self._caller(command.scope)
        known = {one.instance_id: one for one in mv.instances()} | {one.name: one for one in mv.instances()}
        if command.scope in known:
            number = known[command.scope].fork
            reply = mv._call("revert_domain", number, tick, then, self._command_id, caller)
        else:
            reply = mv._call("revert_realm", command.scope, tick, then, self._command_id, caller)
        value, boundary = _settled(reply)
        return came.TimelineReverted(boundary=boundary, scope=value)

    # ---------------------------------------------------------------------------------------------------- instances

    def _clone_instance(self, command: asked.CloneInstance) -> came.GodResult:
        origin = self._instance(command.source)
        changes = (changes_of(origin, command.modifications),) if command.modifications else ()
        names = (command.name,) if command.name else ()
        wanted = ForkGames(tuple(origin.members.values()), 1, divergent=False, modifications=changes, names=names)
        value, boundary = self._submit(wanted, origin.instance_id)
        return came.InstanceCloned(boundary=boundary, instance=_made(value[0]))

    def _reality_fork(self, command: asked.RealityFork) -> came.GodResult:
        origin = self._instance(command.source)
        changes = tuple(changes_of(origin, one) for one in command.modifications)
        count = command.count if command.count is not None else max(1, len(changes), len(command.names))
        wanted = ForkGames(tuple(origin.members.values()), count, command.divergent, changes, names=command.names)
        tick, then = command.control_tick, command.snapshot
        if (tick is not None and then) or (command.branch and tick is None):
            raise CommandRefusedError("a fork begins now, or at a control tick (of a branch), or else at a snapshot.")
        if tick is None and not then:
            value, boundary = self._submit(wanted, origin.instance_id)
        else:
            caller = self._caller(origin.instance_id)
            where = (tick or 0, command.branch, then)
            value, boundary = _settled(self._mv._call("fork_past", wanted, *where, self._command_id, caller))
        made = [_made(one) for one in value]
        return came.RealityForked(boundary=boundary, source=origin.instance_id, instances=made)

    def _merge_instances(self, command: asked.MergeInstances) -> came.GodResult:
        forks = tuple(self._instance(one).fork for one in command.ids)
        how = (forks, command.strategy, command.name, self._command_id, self._caller(), command.dry_run)
        boundary, report = self._mv._call("merge_instances", *how)
        return came.InstancesMerged(
            boundary=msgspec.structs.asdict(boundary),
            instance_id=report.instance_id,
            name=report.name,
            report=msgspec.to_builtins(report),
        )

    def _cross_instance_communication(self, command: asked.CrossInstanceCommunication) -> came.GodResult:
        forks = tuple(self._instance(one).fork for one in command.ids)
        value, boundary = self._submit(LinkInstances(forks, command.enable))
        return came.CommunicationSet(boundary=boundary, enabled=command.enable, pairs=value["pairs"])

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
        instance = self._instance(command.instance)
        value, boundary = self._ask(instance, RUNTIME, verb, arguments)
        if command.step == "possess":
            lease_id = value["lease_id"]
        return came.Possessed(
            boundary=boundary, instance=instance.instance_id, step=command.step, lease_id=lease_id, outcome=value
        )

    def _ask(
        self, instance: FourPlatformInstance, role: str, verb: str, arguments: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        payload = encoded(arguments, "arguments")
        return self._submit(MemberCommand(instance[role], verb, payload), instance.instance_id)

    def _puppet_master_intervention(self, command: asked.PuppetMasterIntervention) -> came.GodResult:
        instance, how = self._instance(command.instance), command.intervention
        value: Any
        match how:
            case asked.InjectRitual():
                value, boundary = self._ask(
                    instance,
                    RUNTIME,
                    "inject_ritual",
                    {"kind": how.ritual, "agent_id": how.agent, "template": how.template},
                )
            case asked.AlterWeather():
                value, boundary = self._ask(
                    instance, SURFACE, "alter_weather", {"phase": how.phase, "intensity": how.intensity}
                )
            case asked.ModifyPersonality():
                value, boundary = self._ask(
                    instance,
                    RUNTIME,
                    "modify_personality",
                    {"agent_id": how.agent, "personality": dict(how.personality)},
                )
            case asked.SpawnAgent():
                wanted = {"template": how.template, "agent_id": how.agent, "parent": how.parent}
                value, boundary = self._ask(
                    instance, RUNTIME, "spawn_agent", {**wanted, "personality": how.personality}
                )
            case asked.TerminateAgent():
                value, boundary = self._ask(instance, RUNTIME, "terminate_agent", {"agent_id": how.agent})
            case asked.EmergencyOverride() | asked.Resume():
                scope = tuple(instance[role] for role in asked.PLATFORMS_OF[how.platform])
                still: ClockCommand = (
                    Freeze(scope, OVERRIDE, reason=how.reason)
                    if isinstance(how, asked.EmergencyOverride)
                    else Unfreeze(scope, OVERRIDE)
                )
                value, boundary = self._submit(still, instance.instance_id)
        return came.Intervened(boundary=boundary, instance=instance.instance_id, intervention=how.kind, outcome=value)


def _id_of(principal: str, command: GodCommand) -> str:
    """The name of a command that is to be carried out once: by whose key it is known, and what it asks for."""
    known_by = blake2b(encode([principal, command.type, command.idempotency_key])).hexdigest()[:DIGITS]
    asks_for = blake2b(command.model_dump_json().encode()).hexdigest()[:DIGITS]
    return f"{KEYED}{known_by} {asks_for}"


def _settled(reply: Reply) -> tuple[Any, dict[str, Any]]:
    value = reply.value()
    return value, msgspec.structs.asdict(reply.boundary)


def _made(one: Mapping[str, Any]) -> came.MadeInstance:
    return came.MadeInstance(instance_id=one["instance_id"], name=one["name"], members=dict(one["realms"]))


def _named(text: str) -> str:
    """A text as a name within an instance, of at most so many characters."""
    return text.replace(" ", "_")[:64]
