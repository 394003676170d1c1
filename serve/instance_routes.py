"""The routes of instances: they are made, looked at, merged and ended."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.permissions.roles import HTTP
from orchestration import Multiverse
from serve.bodies import filled
from serve.callers import WhoAsks
from serve.documents import (
    DigestDocument,
    InstanceDocument,
    RemovedDocument,
    UnifiedDocument,
    rendered,
)
from serve.forms import Creation, PlatformMerge
from serve.schemas import refusals, with_json

Name = Annotated[str, Path(max_length=PART_CHARACTERS_MAX)]


def routes_of_instances(mv: Multiverse, principal: WhoAsks) -> APIRouter:
    """What takes a key, and a role of whoever has it, for an instance.

    Args:
        mv: the multiverse that is asked.
        principal: finds out who asks.
    """
    router = APIRouter(prefix="/v1")
    who_asks = Depends(principal)

    @router.post(
        "/instances",
        status_code=201,
        response_model=InstanceDocument,
        responses=refusals(409, 413, 415),
        openapi_extra=with_json(Creation.__name__),
        summary="A new instance",
    )
    def create(who: Annotated[str, who_asks], form: Annotated[Creation, Depends(filled(Creation))]) -> Response:
        made = InstanceDocument.of(mv.visitor(who, HTTP).create_instance(form.name, form.phase))
        return rendered(made, 201, {"Location": f"/v1/instances/{made.instance_id}"})

    @router.get(
        "/instances/{instance}",
        response_model=InstanceDocument,
        responses=refusals(404),
        summary="An instance, by its id or name",
    )
    def show(who: Annotated[str, who_asks], instance: Name) -> Response:
        return rendered(InstanceDocument.of(mv.visitor(who, HTTP).instance(instance)))

    @router.delete(
        "/instances/{instance}",
        response_model=RemovedDocument,
        responses=refusals(404),
        summary="The end of an instance, and of the realms that are attached to it",
    )
    def destroy(who: Annotated[str, who_asks], instance: Name) -> Response:
        return rendered(RemovedDocument(removed=mv.visitor(who, HTTP).destroy_instance(instance)))

    @router.get(
        "/instances/{instance}/digest",
        response_model=DigestDocument,
        responses=refusals(404),
        summary="The digest of an instance by roles, at the next boundary",
    )
    def digest(who: Annotated[str, who_asks], instance: Name) -> Response:
        return rendered(DigestDocument.of(mv.visitor(who, HTTP).instance_digest(instance)))

    @router.post(
        "/instances/{instance}/merge",
        response_model=UnifiedDocument,
        responses=refusals(404, 409, 413, 415),
        openapi_extra=with_json(PlatformMerge.__name__),
        summary="The four platforms of an instance as one truth; nothing changes by it",
    )
    def merge(
        who: Annotated[str, who_asks],
        instance: Name,
        form: Annotated[PlatformMerge, Depends(filled(PlatformMerge))],
    ) -> Response:
        found = mv.visitor(who, HTTP).merge_all_active_platforms(instance, sync_delay_ticks=form.sync_delay_ticks)
        return rendered(UnifiedDocument.of(found))

    return router
