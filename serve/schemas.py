"""The OpenAPI document: the routes as FastAPI knows them, and the union of god commands as the union itself says it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from actors.core.kernel.errors import (
    CommandRefusedError,
    DuplicateMemberError,
    PermissionRefusedError,
    UnknownInstanceError,
)
from orchestration.god_commands import GOD_COMMANDS
from serve.forms import FORMS
from serve.guards import Limits
from serve.problems import MEDIA_TYPE, Problem, as_problem, of_a_fault, of_http, of_too_long, of_too_many

REF = "#/components/schemas/{model}"
COMMAND = "GodCommand"
JSON, PACKAGE = "application/json", "application/octet-stream"
BYTES: dict[str, Any] = {"type": "string", "format": "binary"}

EXAMPLES: Mapping[int, Problem] = {
    401: of_http(401, "a key is needed; send it as: Authorization: Bearer KEY."),
    403: as_problem(
        PermissionRefusedError(
            "'bob' may not ask for 'DropFork' for 'i2': that takes the role operator or god there, and 'bob' has observer; ask "
            "a god to grant it."
        )
    ),
    404: as_problem(UnknownInstanceError("there is no instance 'gamma'; there are i1 (alpha).")),
    409: as_problem(DuplicateMemberError("there is an instance 'alpha' already; choose another name.")),
    413: of_http(413, "the body may have 1,048,576 bytes; send less."),
    415: of_http(415, "the body must be application/json, not text/plain."),
    422: as_problem(CommandRefusedError("ticks: there is no such field; there are control_ticks.")),
    500: of_a_fault(),
    503: of_too_many(Limits().retry_after_s),
    504: of_too_long(Limits().timeout_s),
}
"""Of each status one problem."""
OCCURRENCE = "urn:uuid:00000000-0000-4000-8000-000000000000"
"""Of an example: the document is the same every time."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with, for its documentation."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": REF.format(model=Problem.__name__)},
                    "example": EXAMPLES[status].model_copy(update={"instance": OCCURRENCE}).model_dump(),
                }
            },
        }
        for status in statuses
    }


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route which takes a key may answer with: those that every one may, and more."""
    return problems(*sorted((401, 403, 422, 500, 503, 504, *more)))


def with_body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What a route says of the body that it takes, which it reads itself."""
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def with_json(name: str) -> dict[str, Any]:
    """The same of a body in JSON, the schema of which has this name."""
    return with_body(JSON, {"$ref": REF.format(model=name)})


def documented(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application."""
    document = app.openapi()
    commands = GOD_COMMANDS.json_schema(ref_template=REF)
    schemas = document["components"]["schemas"]
    schemas |= {**commands.pop("$defs"), COMMAND: commands, Problem.__name__: Problem.model_json_schema()}
    schemas |= {form.__name__: form.model_json_schema() for form in FORMS}
    for unused in ("HTTPValidationError", "ValidationError"):  # ours are problems
        schemas.pop(unused, None)
    return document
