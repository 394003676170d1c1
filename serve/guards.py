"""The guard around every request: no traceback leaves, and no answer is kept where it should not be."""

import logging

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.problems import of_a_fault

LOG = logging.getLogger("soulfra.http")
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Guard:
    """An ASGI application around another one.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers; a fault becomes a problem document, and its traceback a line of the log."""
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            if scope["type"] != "http" or has_begun:
                raise
            fault = of_a_fault()
            LOG.exception("%s: a request to %s failed", fault.instance, scope["path"])
            await fault.response()(scope, receive, sending)
