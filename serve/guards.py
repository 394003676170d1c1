"""The guard around every request: it bounds how many there are and how long they take, and no traceback leaves.

What a request asks for is done on a thread, which nothing can interrupt. So whoever has waited too long, or has gone away,
leaves his request behind: it comes to its end by itself, nobody hears what it says, and until then it keeps its place among
those at work.
"""

import asyncio
import logging
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.problems import of_a_fault, of_too_long, of_too_many

LOG = logging.getLogger("soulfra.http")
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
LIMITED = "/v1/"
"""Paths below this are bounded. Health and the documentation are answered also by a server that is busy."""


@dataclass(frozen=True)
class Limits:
    """What a server takes on.

    Attributes:
        requests_max: at work at a time, each on a thread of its own; FastAPI has 40, and the others are for health.
        requests_waiting_max: for one of these.
        timeout_s: from when a request comes until its answer begins. A command on a running clock waits for its boundary; a
            merge of large instances takes minutes.
        retry_after_s: when to ask again after one request too many.
    """

    requests_max: int = 32
    requests_waiting_max: int = 100
    timeout_s: float = 600.0
    retry_after_s: int = 5


class Visit:
    """One request and its answer, of which nothing more is heard once it is over.

    Args:
        scope: what is asked.
        receive: gives what the client sends.
        send: takes what it gets.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.is_at_work = self.has_begun = False
        self._receive, self._send = receive, send
        self._over = asyncio.Event()

    async def receive(self) -> Message:
        """What the client sends; once this is over, that he has gone."""
        receiving = asyncio.ensure_future(self._receive())
        leaving = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((receiving, leaving), return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if self._over.is_set() else receiving.result()
        finally:
            receiving.cancel()
            leaving.cancel()

    async def send(self, message: Message) -> None:
        """To the client, unless this is over."""
        if not self._over.is_set():
            self.has_begun = True
            await self.speak(message)

    async def speak(self, message: Message) -> None:
        """To the client, in any case."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    @property
    def is_over(self) -> bool:
        """Whether nobody listens any more."""
        return self._over.is_set()

    def leave(self) -> None:
        """Nobody listens any more."""
        self._over.set()


class Guard:
    """An ASGI application around another one.

    Args:
        app: what answers.
        limits: what it takes on.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._places = asyncio.Semaphore(limits.requests_max)
        self._visits: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, receive, send)
        if not scope["path"].startswith(LIMITED):
            await self._answer(visit)
        elif len(self._visits) >= self._limits.requests_max + self._limits.requests_waiting_max:
            await self._too_many()(scope, receive, visit.send)
        else:
            await self._within_limits(visit)

    async def _within_limits(self, visit: Visit) -> None:
        task = asyncio.ensure_future(self._in_turn(visit))
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)
        try:
            await asyncio.wait((task,), timeout=self._limits.timeout_s)
            if visit.has_begun:
                await asyncio.wait((task,))  # its answer is on its way
        finally:
            visit.leave()
            if not visit.is_at_work:
                task.cancel()
        if task.done():
            task.result()
        else:
            await self._late(visit)(visit.scope, visit.receive, visit.speak)

    def _late(self, visit: Visit) -> Response:
        if not visit.is_at_work:
            return self._too_many()
        late = of_too_long(self._limits.timeout_s)
        LOG.warning("%s: a request to %s takes too long", late.instance, visit.scope["path"])
        return late.response()

    def _too_many(self) -> Response:
        retry_after_s = self._limits.retry_after_s
        return of_too_many(retry_after_s).response({"Retry-After": str(retry_after_s)})

    async def _in_turn(self, visit: Visit) -> None:
        async with self._places:
            visit.is_at_work = True
            await self._answer(visit)

    async def _answer(self, visit: Visit) -> None:
        """Answers; a fault becomes a problem document, and its traceback a line of the log."""
        try:
            await self._app(visit.scope, visit.receive, visit.send)
        except Exception as error:
            if visit.is_over and isinstance(error, ClientDisconnect):  # it was about to read on
                return
            if visit.has_begun:
                raise
            fault = of_a_fault()
            LOG.exception("%s: a request to %s failed", fault.instance, visit.scope["path"])
            await fault.response()(visit.scope, visit.receive, visit.send)
