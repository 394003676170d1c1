"""Bodies: what comes with a request, of one media type and bounded, and as the form that is asked for."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from actors.core.kernel.errors import CommandRefusedError
from orchestration.visitors import PACKAGE_BYTES_MAX
from orchestration.wordings import in_words
from serve.schemas import JSON, PACKAGE

Form = TypeVar("Form", bound=BaseModel)

BODY_BYTES_MAX = 1 << 20
"""Of a request in JSON; a command may hold no more than that either."""


def body(media_type: str, bytes_max: int) -> Callable[[Request], Awaitable[bytes]]:
    """Reads the whole body of a request, of one media type and at most so many bytes."""

    async def read(request: Request) -> bytes:
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given != media_type:
            raise HTTPException(415, f"the body must be {media_type}, not {given[:100] or 'of no type'}.")
        found = bytearray()
        async for piece in request.stream():
            found += piece
            if len(found) > bytes_max:
                raise HTTPException(413, f"the body may have {bytes_max:,} bytes; send less.", {"Connection": "close"})
        return bytes(found)

    return read


JsonBody = Annotated[bytes, Depends(body(JSON, BODY_BYTES_MAX))]
PackageBody = Annotated[bytes, Depends(body(PACKAGE, PACKAGE_BYTES_MAX))]


def filled(form: type[Form]) -> Callable[[bytes], Awaitable[Form]]:
    """Reads a body in JSON as a form."""

    async def read(document: JsonBody) -> Form:
        return filled_in(form, document)

    return read


def filled_in(form: type[Form], document: bytes) -> Form:
    """A form, filled in with JSON.

    Raises:
        CommandRefusedError: no JSON, an unknown field, or a value that does not fit; it names what is allowed.
    """
    try:
        return form.model_validate_json(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise CommandRefusedError(in_words(faults, "the body", lambda _: sorted(form.model_fields))) from None
