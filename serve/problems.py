"""Problems: every error over HTTP is one document of the same shape, `application/problem+json`.

Source: RFC 9457.
"""

from collections.abc import Mapping
from http import HTTPStatus
from uuid import uuid4

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from actors.core.kernel.errors import (
    CallerError,
    DuplicateMemberError,
    DuplicateMultiverseError,
    EngineError,
    MergeRefusedError,
    PermissionRefusedError,
    SoulfraError,
    StaleEpochError,
    UncertainWriteError,
    UnknownBranchError,
    UnknownInstanceError,
    UnknownMemberError,
    UnknownMultiverseError,
    UnknownPlayerError,
    UnknownSnapshotError,
    UnreachableVaultError,
    writable,
)
from orchestration.wordings import in_words

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:soulfra:problem:"
"""Followed by the code: a name that stays, and leads nowhere."""
DETAIL_CHARACTERS_MAX = 4_000

STATUSES: Mapping[type[SoulfraError], int] = {
    PermissionRefusedError: 403,
    UnknownMemberError: 404,
    UnknownInstanceError: 404,
    UnknownPlayerError: 404,
    UnknownMultiverseError: 404,
    UnknownBranchError: 404,
    UnknownSnapshotError: 404,
    DuplicateMemberError: 409,
    DuplicateMultiverseError: 409,
    MergeRefusedError: 409,
    CallerError: 422,
    EngineError: 503,
    StaleEpochError: 503,
    UnreachableVaultError: 503,
    UncertainWriteError: 503,
    SoulfraError: 500,
}
"""By class of error; one that does not stand here has the status of the class above it."""

CODES: Mapping[int, str] = {401: "unknown_key", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large",
                            415: "media_type", 422: "request"}  # fmt: skip
"""Of what HTTP itself refuses, by status."""
DETAILS: Mapping[int, str] = {
    404: "there is nothing at this path; see /docs for what there is.",
    405: "this path does not take that method; see /docs for those that it takes.",
}
"""What to say where HTTP itself says no more than its phrase."""
INTERNAL, BUSY, TIMEOUT = "internal", "busy", "timeout"
"""Of what the guard around every request says."""


class Problem(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    type: str = Field(description="Names the kind of problem, and stays the same.")
    title: str = Field(description="The kind in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What was wrong, what was expected, what to do.")
    instance: str = Field(description="Names this occurrence, also in the server's log.")
    code: str = Field(description="The kind as the Python API calls it.")

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """As an answer."""
        return Response(self.model_dump_json(), self.status, dict(headers or {}), MEDIA_TYPE)


def problem(status: int, code: str, title: str, detail: str) -> Problem:
    """A problem that has occurred now."""
    said = writable(detail)
    if len(said) > DETAIL_CHARACTERS_MAX:
        said = said[: DETAIL_CHARACTERS_MAX - 1] + "…"
    return Problem(type=TYPE + code, title=title, status=status, detail=said, instance=uuid4().urn, code=code)


def status_of(error: SoulfraError) -> int:
    """The status of an error."""
    return next(STATUSES[one] for one in type(error).__mro__ if one in STATUSES)


def of_error(_: Request, error: Exception) -> Response:
    """The answer to an error of ours."""
    assert isinstance(error, SoulfraError)  # noqa: S101 (for the type)
    return as_problem(error).response()


def as_problem(error: SoulfraError) -> Problem:
    """An error of ours; its sentence is for the caller."""
    title = (type(error).__doc__ or error.code).splitlines()[0]
    return problem(status_of(error), error.code, title, error.message)


def of_refusal(_: Request, error: Exception) -> Response:
    """The answer to what HTTP itself refuses: a path, a method, a key, a body."""
    assert isinstance(error, HTTPException)  # noqa: S101 (for the type)
    return of_http(error.status_code, str(error.detail)).response(error.headers)


def of_http(status: int, detail: str) -> Problem:
    """What HTTP itself refuses."""
    phrase = HTTPStatus(status).phrase
    said = DETAILS.get(status, phrase) if detail == phrase else detail
    return problem(status, CODES.get(status, "http"), f"{phrase}.", said)


def of_parameters(request: Request, error: Exception) -> Response:
    """The answer to a part of the address that does not fit."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (for the type)
    models = [field.field_info.annotation for field in request.scope["route"].dependant.query_params]
    known = sorted(name for model in models for name in getattr(model, "model_fields", ()))
    said = in_words(error.errors(), "the address", lambda _: known, ("query", "path"))
    return problem(422, CODES[422], "A part of the request does not fit.", said).response()


def of_too_many(retry_after_s: int) -> Problem:
    """The answer to one request too many; nothing was done."""
    detail = (
        f"as many requests as there may be are at work or waiting; nothing was done. Ask again in {retry_after_s} s."
    )
    return problem(503, BUSY, "Too many requests at once.", detail)


def of_too_long(timeout_s: float) -> Problem:
    """The answer to a request that has taken too long."""
    detail = (
        f"it has not come to an end in {timeout_s:g} s; what was asked for may still come about. Look at the state before "
        "you ask again, or use an idempotency key."
    )
    return problem(504, TIMEOUT, "It took too long.", detail)


def of_a_fault() -> Problem:
    """The answer to a fault of our own, which says nothing of what is inside."""
    detail = "the server has made a mistake, which is in its log under this instance; report it, and try another way."
    return problem(500, INTERNAL, "A fault of the server.", detail)
