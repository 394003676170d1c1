"""Callers: whose request it is, found out by the key that comes with it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from serve.keys import Keys

BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="The key that `make serve` shows once.")

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
WhoAsks = Callable[[Bearer], Awaitable[str]]


def principals(keys: Keys) -> WhoAsks:
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
