"""God commands: everything a god may ask for, as one typed union, discriminated by `type`. Unknown types and fields are errors.

Source: seed 000, "God Mode Interface".
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.merging.rules import Strategy
from orchestration.wordings import Where, in_a_line, in_words

KEY_CHARACTERS_MAX = 100
KEY_PATTERN = r"^[!-~]*$"
"""Of an idempotency key: it is part of the journal, and every vault must be able to hold it."""
COPIES_MAX = 1_000
REASON_CHARACTERS_MAX = 300


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it must be printable characters, on one line")
    return text


Text = Annotated[str, Field(max_length=PART_CHARACTERS_MAX, strict=True)]
Id = Annotated[str, Field(min_length=1, max_length=PART_CHARACTERS_MAX, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Share = Annotated[float, Field(ge=0.0, le=1.0, strict=True)]
Reason = Annotated[str, Field(max_length=REASON_CHARACTERS_MAX, strict=True), AfterValidator(_printable)]
Ticks = Annotated[int, Field(ge=0, le=2**53, strict=True)]
Changes = dict[str, Any]
FORM = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
"""What is said of a field stands in the schemas, and in the help of a shell."""


class _Command(BaseModel):
    model_config = FORM

    idempotency_key: Annotated[str, Field(max_length=KEY_CHARACTERS_MAX, strict=True, pattern=KEY_PATTERN)] = ""
    """The same command with the same key is carried out once; a repeat brings the first result back."""


class _Boundary(_Command):
    """Where something begins: now, at a snapshot, or at a control tick (of a branch)."""

    snapshot: Text = ""
    """As it was at this snapshot."""
    control_tick: Ticks | None = None
    """As it was after this control tick, before its commands."""


class FreezeTime(_Command):
    """Lets members stand still. An empty scope is everybody; without a duration until UNFREEZE_TIME."""

    type: Literal["FREEZE_TIME"] = "FREEZE_TIME"
    scope: tuple[Id, ...] = ()
    """Instances by id or name, realms by id; all without."""
    duration_ticks: Annotated[int, Field(ge=1, le=2**53, strict=True)] | None = None
    """Local ticks that each would have had, after which it thaws by itself."""


class UnfreezeTime(_Command):
    """Lifts what FREEZE_TIME did."""

    type: Literal["UNFREEZE_TIME"] = "UNFREEZE_TIME"
    scope: tuple[Id, ...] = ()
    """Instances by id or name, realms by id; all without."""


class CloneInstance(_Command):
    """Makes one more instance with the source's state."""

    type: Literal["CLONE_INSTANCE"] = "CLONE_INSTANCE"
    source: Id
    """The instance, by id or name."""
    name: Text = ""
    """Of the clone; it is named after its source otherwise."""
    modifications: Changes = {}
    """Dotted path, beginning with a role, to value: `runtime.agents.arty.personality.calm`."""


class MergeInstances(_Command):
    """Makes one instance of several; the sources live on."""

    type: Literal["MERGE_INSTANCES"] = "MERGE_INSTANCES"
    ids: Annotated[tuple[Id, ...], Field(min_length=2, max_length=100)]
    """The instances, by id or name, folded from left to right."""
    strategy: Strategy = "fail"
    """Who wins conflicts: those further left, those further right, or nobody."""
    name: Text = ""
    """Of the new instance; one is given otherwise."""
    dry_run: Flag = False
    """Only report."""


class RealityFork(_Boundary):
    """Copies an instance so many times, each with its own modifications."""

    type: Literal["REALITY_FORK"] = "REALITY_FORK"
    source: Id
    """The instance, by id or name."""
    count: Annotated[int, Field(ge=1, le=COPIES_MAX, strict=True)] | None = None
    """How many; as many as there are modifications or names otherwise."""
    names: tuple[Id, ...] = ()
    """Of the copies; each is named after its source otherwise."""
    modifications: tuple[Changes, ...] = ()
    """Of each copy: dotted path, beginning with a role, to value."""
    divergent: Flag = False
    """Copies draw by lineages of their own; twins draw as their source does."""
    branch: Text = ""
    """Of which history the control tick is; the present one otherwise."""


class AgentPossession(_Command):
    """Takes, uses, gives back or breaks a lease on an agent, or on all agents of an instance (`agent` left out)."""

    type: Literal["AGENT_POSSESSION"] = "AGENT_POSSESSION"
    instance: Id
    """The instance, by id or name."""
    agent: Text = ""
    """The agent; all of them without."""
    step: Literal["possess", "act", "release", "break"] = "possess"
    """What is done with the lease."""
    lease_ticks: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1_000
    """How long it lasts, in local ticks; to possess."""
    lease_id: Text = ""
    """As `possess` gave it; to act, and to release."""
    action: Text = ""
    """What the agent does; to act."""
    target: Text = ""
    """Whom it does it to; to act."""
    ritual: Text = ""
    """Which one it proposes; to act."""


class TimelineRevert(_Boundary):
    """Lets everything go back, on a new branch; or, with a scope, one instance or one realm, on the same."""

    type: Literal["TIMELINE_REVERT"] = "TIMELINE_REVERT"
    scope: Text = ""
    """An instance by id or name, or a realm by id; all without."""
    branch: Text = ""
    """Of which history the control tick is; the present one otherwise."""
    name: Text = ""
    """Of the new branch; one is given otherwise."""
    reason: Reason = ""
    """Why, for people."""


class CrossInstanceCommunication(_Command):
    """Lets agents of these instances exchange whispers and events, or no longer."""

    type: Literal["CROSS_INSTANCE_COMMUNICATION"] = "CROSS_INSTANCE_COMMUNICATION"
    ids: Annotated[tuple[Id, ...], Field(min_length=2, max_length=100)]
    """The instances, by id or name, each with each."""
    enable: Flag = True
    """Whether they may, or no longer."""


class _Intervention(BaseModel):
    model_config = FORM


class InjectRitual(_Intervention):
    """A ritual begins for an agent, without Protocol being asked."""

    kind: Literal["inject_ritual"] = "inject_ritual"
    ritual: Id
    """Its kind."""
    agent: Id
    """Whom it is about."""
    template: Text = ""
    """Of a birth: the child's template."""


class AlterWeather(_Intervention):
    """The vibe weather is what a god says, from where it takes its course."""

    kind: Literal["alter_weather"] = "alter_weather"
    phase: Id
    """Of the weather."""
    intensity: Annotated[float, Field(ge=0.1, le=1.0, strict=True)] = 0.5
    """0.1 to 1."""


class ModifyPersonality(_Intervention):
    """Traits of an agent, each 0 … 1."""

    kind: Literal["modify_personality"] = "modify_personality"
    agent: Id
    """Whom it is about."""
    personality: dict[str, Share]
    """Trait to value, 0 to 1; the others stay."""


class SpawnAgent(_Intervention):
    """An agent is born, if Cal Riven lets it."""

    kind: Literal["spawn_agent"] = "spawn_agent"
    template: Id = "basic"
    """What it is made by."""
    agent: Text = ""
    """Its id; one is given otherwise."""
    parent: Text = ""
    """Whose child it is; nobody's otherwise."""
    personality: dict[str, Share] | None = None
    """Trait to value, 0 to 1; those of the template otherwise."""


class TerminateAgent(_Intervention):
    """An agent ends, if Cal Riven lets it."""

    kind: Literal["terminate_agent"] = "terminate_agent"
    agent: Id
    """Whom it is about."""


class EmergencyOverride(_Intervention):
    """A platform, or all of them, stops until it is resumed."""

    kind: Literal["emergency_override"] = "emergency_override"
    platform: Literal["surface", "runtime", "protocol", "mirror", "all"] = "all"
    """Which one."""
    reason: Annotated[Reason, Field(min_length=1)]
    """Why."""


class Resume(_Intervention):
    """What an emergency override stopped goes on."""

    kind: Literal["resume"] = "resume"
    platform: Literal["surface", "runtime", "protocol", "mirror", "all"] = "all"
    """Which one."""


Intervention = Annotated[
    InjectRitual | AlterWeather | ModifyPersonality | SpawnAgent | TerminateAgent | EmergencyOverride | Resume,
    Field(discriminator="kind"),
]


class PuppetMasterIntervention(_Command):
    """A direct change within an instance."""

    type: Literal["PUPPET_MASTER_INTERVENTION"] = "PUPPET_MASTER_INTERVENTION"
    instance: Id
    """The instance, by id or name."""
    intervention: Intervention
    """What is changed, by its `kind`."""


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
        raise CommandRefusedError(_told(error)) from None
    except (RecursionError, UnicodeError) as error:
        raise CommandRefusedError(f"a god command cannot be read: {type(error).__name__}.") from None


def _told(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] in ("union_tag_invalid", "union_tag_not_found") and not faults[0]["loc"]:
        return in_a_line(f"a god command needs a type, one of {', '.join(BY_TYPE)}; {faults[0]['msg']}.")
    return in_words(faults, "the command", _fields, BY_TYPE)


def _fields(where: Where) -> list[str]:
    """The fields that there are where one is that is not."""
    known = BY_TYPE.get(str(where[0])) if where else None
    if known is None:
        return []
    if len(where) > 2:  # within an intervention
        kinds = {one.model_fields["kind"].default: one for one in _Intervention.__subclasses__()}
        inner = kinds.get(str(where[2]))
        return sorted(inner.model_fields) if inner is not None else []
    return sorted(known.model_fields)
