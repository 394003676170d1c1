"""The HTTP application of a multiverse. It holds no rule: each handler parses, calls one function, and renders."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.kernel.errors import EngineError, SoulfraError
from actors.core.permissions.roles import HTTP
from orchestration import Multiverse
from serve.documents import GodOutcome, Health, HistoryDocument, InstanceDocument, StateDocument, Window
from serve.guards import Guard
from serve.keys import Keys
from serve.pages import page_of
from serve.problems import of_error, of_parameters, of_refusal
from serve.schemas import GOD_BODY, documented, problems

BODY_BYTES_MAX = 1 << 20
"""Of a request; a command may hold no more than that either."""
BODY_MEDIA_TYPE = "application/json"
BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="The key that `make serve` shows once.")

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
Asked = Annotated[Window, Query()]


async def body_of(request: Request) -> bytes:
    """The whole body of a request that holds JSON, at most `BODY_BYTES_MAX` long."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != BODY_MEDIA_TYPE:
        raise HTTPException(415, f"the body must be {BODY_MEDIA_TYPE}, not {given[:100] or 'of no type'}.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise HTTPException(413, f"the body may have {BODY_BYTES_MAX:,} bytes; send less.", {"Connection": "close"})
    return bytes(body)


def principals(keys: Keys) -> Callable[[Bearer], Awaitable[str]]:
    """Finds out whose request it is."""

    async def principal(bearer: Bearer) -> str:
        if bearer is None:
            says = "a key is needed; send it as: Authorization: Bearer KEY."
            raise HTTPException(401, says, {"WWW-Authenticate": 'Bearer realm="soulfra"'})
        if (found := keys.principal_of(bearer.credentials)) is None:
            says = "nobody has this key; send the one that was shown when the server was first started."
            raise HTTPException(401, says, {"WWW-Authenticate": 'Bearer realm="soulfra", error="invalid_token"'})
        return found

    return principal


def rendered(found: BaseModel) -> Response:
    """An answer in JSON: what is no number there is null, and bytes are base64."""
    return Response(to_json(found.model_dump(), inf_nan_mode="null", bytes_mode="base64"), media_type=BODY_MEDIA_TYPE)


def app_of(mv: Multiverse, keys: Keys) -> FastAPI:
    """The application.

    Args:
        mv: the multiverse that is asked; it is not closed with the application.
        keys: who may come in.
    """
    app = FastAPI(title="Soulfra", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Guard)
    app.add_exception_handler(SoulfraError, of_error)
    app.add_exception_handler(HTTPException, of_refusal)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.include_router(_open(mv))
    app.include_router(_closed(mv, principals(keys)))
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


def _closed(mv: Multiverse, principal: Callable[[Bearer], Awaitable[str]]) -> APIRouter:
    """What takes a key, and a role of whoever has it."""
    router = APIRouter(prefix="/v1")
    who_asks = Depends(principal)

    @router.post(
        "/god",
        response_model=GodOutcome,
        responses=problems(401, 403, 404, 409, 413, 415, 422, 500, 503),
        openapi_extra=GOD_BODY,
        summary="A god command",
    )
    def god(who: Annotated[str, who_asks], body: Annotated[bytes, Depends(body_of)]) -> Response:
        return rendered(mv.god_mode_command(body, principal=who, origin=HTTP))

    @router.get("/state", response_model=StateDocument, responses=problems(401, 403, 422, 503), summary="How it stands")
    def state(who: Annotated[str, who_asks], window: Asked) -> Response:
        mv.check_permission(who, "query", origin=HTTP)
        return rendered(StateDocument.of(mv.name, mv.status(), window))

    @router.get(
        "/instances/{instance}",
        response_model=InstanceDocument,
        responses=problems(401, 403, 404, 422, 503),
        summary="An instance, by its id or name",
    )
    def instance(
        who: Annotated[str, who_asks], instance: Annotated[str, Path(max_length=PART_CHARACTERS_MAX)]
    ) -> Response:
        mv.check_permission(who, "query", instance, HTTP)
        return rendered(InstanceDocument.of(mv.instance(instance)))

    @router.get(
        "/history",
        response_model=HistoryDocument,
        responses=problems(401, 403, 422, 500, 503),
        summary="Branches and snapshots",
    )
    def history(who: Annotated[str, who_asks], window: Asked) -> Response:
        mv.check_permission(who, "history", origin=HTTP)
        return rendered(HistoryDocument.of(mv.branches(), mv.snapshots(), window))

    return router
