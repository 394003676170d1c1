"""The OpenAPI document: the routes as FastAPI knows them, and the union of god commands as the union itself says it."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from orchestration.god_commands import GOD_COMMANDS
from serve.problems import MEDIA_TYPE, Problem

REF = "#/components/schemas/{model}"
COMMAND = "GodCommand"

GOD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": REF.format(model=COMMAND)}}},
    }
}
"""The body of a god command."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with, for its documentation."""
    content = {MEDIA_TYPE: {"schema": {"$ref": REF.format(model=Problem.__name__)}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def documented(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application."""
    document = app.openapi()
    commands = GOD_COMMANDS.json_schema(ref_template=REF)
    schemas = document["components"]["schemas"]
    schemas |= {**commands.pop("$defs"), COMMAND: commands, Problem.__name__: Problem.model_json_schema()}
    for unused in ("HTTPValidationError", "ValidationError"):  # ours are problems
        schemas.pop(unused, None)
    return document
