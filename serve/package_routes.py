"""The routes of packages: instances are taken out and brought in."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response

from actors.core.permissions.roles import HTTP
from orchestration import Multiverse
from serve.bodies import PackageBody
from serve.callers import WhoAsks
from serve.documents import ImportDocument, rendered
from serve.forms import Export, Import
from serve.instance_routes import Name
from serve.schemas import BYTES, PACKAGE, refusals, with_body


def routes_of_packages(mv: Multiverse, principal: WhoAsks) -> APIRouter:
    """What takes a key, and a role of whoever has it, for what goes out and comes in.

    Args:
        mv: the multiverse that is asked.
        principal: finds out who asks.
    """
    router = APIRouter(prefix="/v1")
    who_asks = Depends(principal)

    @router.get(
        "/instances/{instance}/package",
        response_class=Response,
        responses={
            **refusals(404),
            200: {"description": "The package's file", "content": {PACKAGE: {"schema": BYTES}}},
        },
        summary="An instance as a package, with the realms that are attached to it; nothing changes by it",
    )
    def export(who: Annotated[str, who_asks], instance: Name, query: Annotated[Export, Query()]) -> Response:
        name, package = mv.visitor(who, HTTP).export_to_outer_layer(instance, **query.model_dump())
        named = f"attachment; filename*=UTF-8''{quote(name, safe='')}.soulfra"
        return Response(package, media_type=PACKAGE, headers={"Content-Disposition": named})

    @router.post(
        "/packages",
        status_code=201,
        response_model=ImportDocument,
        responses=refusals(409, 413, 415),
        openapi_extra=with_body(PACKAGE, BYTES),
        summary="The instances of a package come to life",
    )
    def import_(who: Annotated[str, who_asks], query: Annotated[Import, Query()], body: PackageBody) -> Response:
        made = mv.visitor(who, HTTP).import_from_outer_layer(body, name=query.name)
        return rendered(ImportDocument.of(made), 201)

    return router
