"""What god commands come to, each as its type; `boundary` is where history stood when it had taken effect."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class GodResult(BaseModel):
    """What every result has. An idempotency key that comes again brings the first result back, its boundary, too."""

    model_config = ConfigDict(frozen=True)

    boundary: dict[str, Any]


class TimeFrozen(GodResult):
    """Who stands still since now, and who did already."""

    type: Literal["FREEZE_TIME"] = "FREEZE_TIME"
    frozen: list[str]
    were_frozen: list[str]


class TimeUnfrozen(GodResult):
    """Who goes on, and who stands still for other causes."""

    type: Literal["UNFREEZE_TIME"] = "UNFREEZE_TIME"
    thawed: list[str]
    still: dict[str, list[str]]


class MadeInstance(BaseModel):
    """A new instance."""

    instance_id: str
    name: str
    members: dict[str, str]


class InstanceCloned(GodResult):
    """The clone."""

    type: Literal["CLONE_INSTANCE"] = "CLONE_INSTANCE"
    instance: MadeInstance


class RealityForked(GodResult):
    """The new instances."""

    type: Literal["REALITY_FORK"] = "REALITY_FORK"
    source: str
    instances: list[MadeInstance]


class InstancesMerged(GodResult):
    """The report of a merge, and the new instance; none of a dry run."""

    type: Literal["MERGE_INSTANCES"] = "MERGE_INSTANCES"
    instance_id: str
    name: str
    report: dict[str, Any]


class Possessed(GodResult):
    """What a step of a possession came to."""

    type: Literal["AGENT_POSSESSION"] = "AGENT_POSSESSION"
    instance: str
    step: str
    lease_id: str
    outcome: Any


class TimelineReverted(GodResult):
    """The new branch; or whose own time went back, and what that entangles."""

    type: Literal["TIMELINE_REVERT"] = "TIMELINE_REVERT"
    branch: dict[str, Any] | None = None
    scope: dict[str, Any] | None = None


class CommunicationSet(GodResult):
    """Which pairs of instances may now speak to each other, or no longer."""

    type: Literal["CROSS_INSTANCE_COMMUNICATION"] = "CROSS_INSTANCE_COMMUNICATION"
    enabled: bool
    pairs: list[list[str]]


class Intervened(GodResult):
    """What an intervention came to."""

    type: Literal["PUPPET_MASTER_INTERVENTION"] = "PUPPET_MASTER_INTERVENTION"
    instance: str
    intervention: str
    outcome: Any
