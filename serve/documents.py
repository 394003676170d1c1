"""Documents: what the multiverse tells over HTTP, each as a model, so that what is documented is what is sent."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from actors.clock_messages import DomainDigest, Ran, Status
from actors.core.kernel.commands import Boundary
from actors.core.merging.unified_snapshots import UnifiedSnapshot
from actors.vaults.records import Branch, Snapshot
from orchestration import god_results as came
from orchestration import unified_documents
from orchestration.instances import FourPlatformInstance
from serve.schemas import JSON

T = TypeVar("T")

LIMIT, LIMIT_MAX = 100, 1_000
"""How many things one answer lists: if nothing is said, and at most."""
OFFSET_MAX = 2**53

GodOutcome = Annotated[
    came.TimeFrozen
    | came.TimeUnfrozen
    | came.InstanceCloned
    | came.InstancesMerged
    | came.RealityForked
    | came.Possessed
    | came.TimelineReverted
    | came.CommunicationSet
    | came.Intervened,
    Field(discriminator="type"),
]
"""What a god command comes to."""


class Window(BaseModel):
    """Which part of a list is asked for."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(LIMIT, ge=1, le=LIMIT_MAX, description="At most so many of each list.")
    offset: int = Field(0, ge=0, le=OFFSET_MAX, description="After so many of each list.")

    def of(self, listed: Sequence[T]) -> list[T]:
        """That part."""
        return list(listed[self.offset : self.offset + self.limit])


def rendered(found: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON: what is no number there is null, and bytes are base64."""
    document = to_json(found.model_dump(), inf_nan_mode="null", bytes_mode="base64")
    return Response(document, status, dict(headers or {}), JSON)


class Health(BaseModel):
    """The gateway answers, and its multiverse can go on."""

    status: Literal["ok"] = "ok"


class BoundaryDocument(BaseModel):
    """An instant at which everything stands still."""

    branch: str
    control_tick: int
    position: int

    @classmethod
    def of(cls, boundary: Boundary) -> Self:
        """In JSON."""
        return cls(branch=boundary.branch, control_tick=boundary.control_tick, position=boundary.position)


class GameDocument(BaseModel):
    """A realm or a platform."""

    realm_id: str
    stat7_key: str
    kind: str
    state: str
    recovery: str
    local_tick: int
    period: int
    role: str
    fork: int
    measures: dict[str, float | None]
    digest: str
    error: str


class Games(BaseModel):
    """Realms and platforms, so many of all."""

    total: int
    offset: int
    items: list[GameDocument]


class InstanceName(BaseModel):
    """An instance among others."""

    instance_id: str
    name: str
    phase: str


class Instances(BaseModel):
    """Instances, so many of all."""

    total: int
    offset: int
    items: list[InstanceName]


class StateDocument(BaseModel):
    """How the multiverse stands."""

    name: str
    boundary: BoundaryDocument
    running: bool
    epoch: int
    trouble: str
    waiting: list[str]
    notices: list[str]
    pending_events: int
    events_propagated: int
    dead_letters: int
    digest_chain: str
    games: Games
    instances: Instances

    @classmethod
    def of(cls, name: str, status: Status, window: Window) -> Self:
        """In JSON, without tracebacks."""
        state = status.state
        games, instances = state["games"], state["instances"]
        shown = [GameDocument.model_validate(one) for one in window.of(games)]
        named = [InstanceName.model_validate(one) for one in window.of(instances)]
        return cls(
            name=name,
            boundary=BoundaryDocument.of(status.boundary),
            running=status.running,
            epoch=status.epoch,
            trouble=status.trouble,
            waiting=list(status.waiting),
            notices=list(status.notices),
            pending_events=state["pending_events"],
            events_propagated=state["events_propagated"],
            dead_letters=state["dead_letters"],
            digest_chain=status.chain,
            games=Games(total=len(games), offset=window.offset, items=shown),
            instances=Instances(total=len(instances), offset=window.offset, items=named),
        )


class InstanceDocument(BaseModel):
    """A four-platform instance: who is in it, who of them stands still and why, and whom it was made from."""

    instance_id: str
    name: str
    fork: int
    phase: str
    members: dict[str, str]
    stills: dict[str, list[str]]
    ancestors: list[dict[str, Any]]

    @classmethod
    def of(cls, instance: FourPlatformInstance) -> Self:
        """In JSON."""
        return cls.model_validate(instance, from_attributes=True)


class ImportDocument(BaseModel):
    """The instances that a package has brought."""

    instances: list[InstanceDocument]

    @classmethod
    def of(cls, instances: Sequence[FourPlatformInstance]) -> Self:
        """In JSON."""
        return cls(instances=[InstanceDocument.of(one) for one in instances])


class RemovedDocument(BaseModel):
    """The members that went with an instance, those of attached realms, too."""

    removed: list[str]


class DigestDocument(BaseModel):
    """The digest of an instance by roles, the same wherever it lives on, and the boundary that it is of."""

    digest: str
    boundary: BoundaryDocument

    @classmethod
    def of(cls, taken: DomainDigest) -> Self:
        """In JSON."""
        return cls(digest=taken.digest, boundary=BoundaryDocument.of(taken.boundary))


class RanDocument(BaseModel):
    """Where history stands after a run, and what came about in it."""

    boundary: BoundaryDocument
    digest_chain: str
    control_ticks: int
    events_propagated: int

    @classmethod
    def of(cls, ran: Ran) -> Self:
        """In JSON."""
        return cls(
            boundary=BoundaryDocument.of(ran.boundary),
            digest_chain=ran.chain,
            control_ticks=ran.control_ticks,
            events_propagated=ran.events_propagated,
        )


class ConflictDocument(BaseModel):
    """Two platforms that do not say the same, and who is believed."""

    type: str
    where: str
    values: dict[str, Any]
    winner: str
    resolution: Any


class UnifiedMetadata(BaseModel):
    """How a unified snapshot came about."""

    strategy: str
    conflicts: list[ConflictDocument]
    ticks_paused: int


class UnifiedDocument(BaseModel):
    """One truth of an instance at a boundary: what it is made of, and where its platforms disagreed."""

    snapshot_id: str
    instance: str
    branch: str
    control_tick: int
    position: int
    local_tick: int
    metadata: UnifiedMetadata
    merged: dict[str, Any]

    @classmethod
    def of(cls, found: UnifiedSnapshot) -> Self:
        """In JSON, without each platform's own state, which is in the instance's package, too."""
        return cls.model_validate({**unified_documents.summary(found), "merged": found.state})


class BranchDocument(BaseModel):
    """A history, and where it left which other one; the first one left none."""

    branch: str
    parent: str
    control_tick: int
    position: int
    reason: str
    snapshot: str


class SnapshotDocument(BaseModel):
    """A boundary that has a name."""

    snapshot: str
    branch: str
    control_tick: int
    position: int
    digest: str
    reason: str
    origin: str


class Branches(BaseModel):
    """Branches in the order in which they came to be, so many of all."""

    total: int
    offset: int
    items: list[BranchDocument]


class Snapshots(BaseModel):
    """Snapshots in the order in which they were taken, so many of all."""

    total: int
    offset: int
    items: list[SnapshotDocument]


class HistoryDocument(BaseModel):
    """The tree of histories, and the boundaries in it that have names."""

    branches: Branches
    snapshots: Snapshots

    @classmethod
    def of(cls, branches: Sequence[Branch], snapshots: Sequence[Snapshot], window: Window) -> Self:
        """In JSON."""
        left = [BranchDocument.model_validate(one, from_attributes=True) for one in window.of(branches)]
        taken = [SnapshotDocument.model_validate(one, from_attributes=True) for one in window.of(snapshots)]
        return cls(
            branches=Branches(total=len(branches), offset=window.offset, items=left),
            snapshots=Snapshots(total=len(snapshots), offset=window.offset, items=taken),
        )
