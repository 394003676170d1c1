"""God commands: everything a god may ask for, as one typed union, discriminated by `type`. Unknown types and fields are errors.

Source: seed 000, "God Mode Interface".
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.merging.rules import Strategy

KEY_CHARACTERS_MAX = 100
COPIES_MAX = 1_000
REASON_CHARACTERS_MAX = 300

Text = Annotated[str, Field(max_length=PART_CHARACTERS_MAX, strict=True)]
Id = Annotated[str, Field(min_length=1, max_length=PART_CHARACTERS_MAX, strict=True)]
Ticks = Annotated[int, Field(ge=0, le=2**53, strict=True)]
Changes = dict[str, Any]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    idempotency_key: Annotated[str, Field(max_length=KEY_CHARACTERS_MAX, strict=True)] = ""


class _Boundary(_Command):
    """Where something begins: now, at a snapshot, or at a control tick (of a branch)."""

    snapshot: Text = ""
    control_tick: Ticks | None = None


class FreezeTime(_Command):
    """Lets members stand still. An empty scope is everybody; without a duration until UNFREEZE_TIME."""

    type: Literal["FREEZE_TIME"] = "FREEZE_TIME"
    scope: tuple[Id, ...] = ()
    duration_ticks: Annotated[int, Field(ge=1, le=2**53, strict=True)] | None = None


class UnfreezeTime(_Command):
    """Lifts what FREEZE_TIME did."""

    type: Literal["UNFREEZE_TIME"] = "UNFREEZE_TIME"
    scope: tuple[Id, ...] = ()


class CloneInstance(_Command):
    """Makes one more instance with the source's state."""

    type: Literal["CLONE_INSTANCE"] = "CLONE_INSTANCE"
    source: Id
    name: Text = ""
    modifications: Changes = {}


class MergeInstances(_Command):
    """Makes one instance of several; the sources live on."""

    type: Literal["MERGE_INSTANCES"] = "MERGE_INSTANCES"
    ids: Annotated[tuple[Id, ...], Field(min_length=2, max_length=100)]
    strategy: Strategy = "fail"
    name: Text = ""
    dry_run: bool = False


class RealityFork(_Boundary):
    """Copies an instance so many times, each with its own modifications."""

    type: Literal["REALITY_FORK"] = "REALITY_FORK"
    source: Id
    count: Annotated[int, Field(ge=1, le=COPIES_MAX, strict=True)] | None = None
    names: tuple[Id, ...] = ()
    modifications: tuple[Changes, ...] = ()
    divergent: bool = False
    branch: Text = ""


class AgentPossession(_Command):
    """Takes, uses, gives back or breaks a lease on an agent, or on all agents of an instance (`agent` left out)."""

    type: Literal["AGENT_POSSESSION"] = "AGENT_POSSESSION"
    instance: Id
    agent: Text = ""
    step: Literal["possess", "act", "release", "break"] = "possess"
    lease_ticks: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1_000
    lease_id: Text = ""
    action: Text = ""
    target: Text = ""
    ritual: Text = ""


class TimelineRevert(_Boundary):
    """Lets everything go back, on a new branch; or, with a scope, one instance or one realm, on the same."""

    type: Literal["TIMELINE_REVERT"] = "TIMELINE_REVERT"
    scope: Text = ""
    branch: Text = ""
    name: Text = ""
    reason: Annotated[str, Field(max_length=REASON_CHARACTERS_MAX, strict=True)] = ""


class CrossInstanceCommunication(_Command):
    """Lets agents of these instances exchange whispers and events, or no longer."""

    type: Literal["CROSS_INSTANCE_COMMUNICATION"] = "CROSS_INSTANCE_COMMUNICATION"
    ids: Annotated[tuple[Id, ...], Field(min_length=2, max_length=100)]
    enable: bool = True


class _Intervention(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InjectRitual(_Intervention):
    """A ritual begins for an agent, without Protocol being asked."""

    kind: Literal["inject_ritual"] = "inject_ritual"
    ritual: Id
    agent: Id
    template: Text = ""


class AlterWeather(_Intervention):
    """The vibe weather is what a god says, from where it takes its course."""

    kind: Literal["alter_weather"] = "alter_weather"
    phase: Id
    intensity: Annotated[float, Field(ge=0.1, le=1.0)] = 0.5


class ModifyPersonality(_Intervention):
    """Traits of an agent, each 0 … 1."""

    kind: Literal["modify_personality"] = "modify_personality"
    agent: Id
    personality: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]]


class SpawnAgent(_Intervention):
    """An agent is born, if Cal Riven lets it."""

    kind: Literal["spawn_agent"] = "spawn_agent"
    template: Id = "basic"
    agent: Text = ""
    parent: Text = ""
    personality: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] | None = None


class TerminateAgent(_Intervention):
    """An agent ends, if Cal Riven lets it."""

    kind: Literal["terminate_agent"] = "terminate_agent"
    agent: Id


class EmergencyOverride(_Intervention):
    """A platform, or all of them, stops until it is resumed."""

    kind: Literal["emergency_override"] = "emergency_override"
    platform: Literal["surface", "runtime", "protocol", "mirror", "all"] = "all"
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARACTERS_MAX, strict=True)]


class Resume(_Intervention):
    """What an emergency override stopped goes on."""

    kind: Literal["resume"] = "resume"
    platform: Literal["surface", "runtime", "protocol", "mirror", "all"] = "all"


Intervention = Annotated[
    InjectRitual | AlterWeather | ModifyPersonality | SpawnAgent | TerminateAgent | EmergencyOverride | Resume,
    Field(discriminator="kind"),
]


class PuppetMasterIntervention(_Command):
    """A direct change within an instance."""

    type: Literal["PUPPET_MASTER_INTERVENTION"] = "PUPPET_MASTER_INTERVENTION"
    instance: Id
    intervention: Intervention


GodCommand = Annotated[
    FreezeTime
    | UnfreezeTime
    | CloneInstance
    | MergeInstances
    | RealityFork
    | AgentPossession
    | TimelineRevert
    | CrossInstanceCommunication
    | PuppetMasterIntervention,
    Field(discriminator="type"),
]
"""Whatever a god may ask for."""

GOD_COMMANDS: TypeAdapter[GodCommand] = TypeAdapter(GodCommand)
BY_TYPE: Mapping[str, type[_Command]] = {
    one.model_fields["type"].default: one
    for one in (
        FreezeTime,
        UnfreezeTime,
        CloneInstance,
        MergeInstances,
        RealityFork,
        AgentPossession,
        TimelineRevert,
        CrossInstanceCommunication,
        PuppetMasterIntervention,
    )
}
"""Every type of command, in the order of the table in `docs/god_mode.md`."""
PLATFORMS_OF = {**{role: (role,) for role in PLATFORM_ROLES}, "all": PLATFORM_ROLES}
FAULTS_TOLD_MAX = 5
WORDS_CHARACTERS_MAX = 2_000


def god_command(given: object) -> GodCommand:
    """A command as its type, from a map, JSON text or a command.

    Raises:
        CommandRefusedError: an unknown type or field, or a value that does not fit; it names what is allowed.
    """
    try:
        if isinstance(given, str | bytes):
            return GOD_COMMANDS.validate_json(given)
        return GOD_COMMANDS.validate_python(given)
    except ValidationError as error:
        raise CommandRefusedError(_in_words(given, error)) from None
    except (RecursionError, UnicodeError) as error:
        raise CommandRefusedError(f"a god command cannot be read: {type(error).__name__}.") from None


def _in_words(given: object, error: ValidationError) -> str:
    found = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False)[:FAULTS_TOLD_MAX]:
        where = ".".join(str(part) for part in fault["loc"] if part not in BY_TYPE)
        said = fault["msg"]
        if fault["type"] in ("union_tag_invalid", "union_tag_not_found") and not where:
            return _in_a_line(f"a god command needs a type, one of {', '.join(BY_TYPE)}; {said}.")
        if fault["type"] == "extra_forbidden":
            said = f"there is no such field; there are {', '.join(_fields(given, fault['loc']))}"
        found.append(f"{where or 'the command'}: {said[0].lower()}{said[1:]}")
    more = error.error_count() - len(found)
    said = "; ".join(found) + (f"; and {more} more" if more > 0 else "") + "."
    return _in_a_line(said)


def _in_a_line(said: str) -> str:
    """What was given may hold anything; a lone surrogate has no encoding."""
    return "".join(letter if letter.isprintable() else " " for letter in said)[:WORDS_CHARACTERS_MAX]


def _fields(given: object, where: tuple[int | str, ...]) -> list[str]:
    """The fields that there are where one is that is not."""
    known = BY_TYPE.get(str(where[0])) if where else None
    if known is None:
        return []
    if len(where) > 2:  # within an intervention
        kinds = {one.model_fields["kind"].default: one for one in _Intervention.__subclasses__()}
        inner = kinds.get(str(where[2]))
        return sorted(inner.model_fields) if inner is not None else []
    return sorted(known.model_fields)
