"""The HTTP application of a multiverse. It holds no rule: each handler parses, calls one function, and renders."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from actors.core.kernel.errors import EngineError, SoulfraError
from actors.core.permissions.roles import HTTP
from orchestration import Multiverse
from serve.bodies import JsonBody, filled
from serve.callers import WhoAsks, principals
from serve.documents import GodOutcome, Health, HistoryDocument, RanDocument, StateDocument, Window, rendered
from serve.forms import Run
from serve.guards import Guard, Limits
from serve.instance_routes import routes_of_instances
from serve.keys import Keys
from serve.package_routes import routes_of_packages
from serve.pages import page_of
from serve.problems import of_error, of_parameters, of_refusal
from serve.schemas import COMMAND, documented, problems, refusals, with_json

Asked = Annotated[Window, Query()]


def app_of(mv: Multiverse, keys: Keys, limits: Limits | None = None) -> FastAPI:
    """The application.

    Args:
        mv: the multiverse that is asked; it is not closed with the application.
        keys: who may come in.
        limits: how many requests it takes on, and how long each may take; see `Limits`.
    """
    app = FastAPI(title="Soulfra", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Guard, limits=limits or Limits())
    app.add_exception_handler(SoulfraError, of_error)
    app.add_exception_handler(HTTPException, of_refusal)
    app.add_exception_handler(RequestValidationError, of_parameters)
    who_asks = principals(keys)
    app.include_router(_open(mv))
    app.include_router(_closed(mv, who_asks))
    app.include_router(routes_of_instances(mv, who_asks))
    app.include_router(routes_of_packages(mv, who_asks))
    document = documented(app)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return document

    page = page_of(document)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page

    return app


def _open(mv: Multiverse) -> APIRouter:
    """What anybody may ask."""
    router = APIRouter()

    @router.get("/healthz", response_model=Health, responses=problems(503), summary="Whether it can go on")
    def health() -> Response:
        if mv.status().trouble:
            raise EngineError("the multiverse has broken off; its state says why.")
        return rendered(Health())

    return router


def _closed(mv: Multiverse, principal: WhoAsks) -> APIRouter:
    """What takes a key, and a role of whoever has it, and is about the whole multiverse."""
    router = APIRouter(prefix="/v1")
    who_asks = Depends(principal)

    @router.post(
        "/god",
        response_model=GodOutcome,
        responses=refusals(404, 409, 413, 415),
        openapi_extra=with_json(COMMAND),
        summary="A god command",
    )
    def god(who: Annotated[str, who_asks], body: JsonBody) -> Response:
        return rendered(mv.god_mode_command(body, principal=who, origin=HTTP))

    @router.post(
        "/clock/run",
        response_model=RanDocument,
        responses=refusals(413, 415),
        openapi_extra=with_json(Run.__name__),
        summary="So many control ticks, waited for; of a clock that stands",
    )
    def run(who: Annotated[str, who_asks], form: Annotated[Run, Depends(filled(Run))]) -> Response:
        return rendered(RanDocument.of(mv.visitor(who, HTTP).run(form.control_ticks)))

    @router.get("/state", response_model=StateDocument, responses=refusals(), summary="How it stands")
    def state(who: Annotated[str, who_asks], window: Asked) -> Response:
        mv.check_permission(who, "query", origin=HTTP)
        return rendered(StateDocument.of(mv.name, mv.status(), window))

    @router.get(
        "/history",
        response_model=HistoryDocument,
        responses=refusals(),
        summary="Branches and snapshots",
    )
    def history(who: Annotated[str, who_asks], window: Asked) -> Response:
        mv.check_permission(who, "history", origin=HTTP)
        return rendered(HistoryDocument.of(mv.branches(), mv.snapshots(), window))

    return router
