"""The gateway: the HTTP application as a deployment of Ray Serve, beside the multiverse that it asks."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any, cast

from fastapi import FastAPI
from ray import serve as ray_serve

from actors.core.kernel.errors import EngineError, told
from orchestration import Multiverse
from serve.apps import app_of
from serve.guards import Limits
from serve.keys import Keys

LIMITS = Limits()
"""Those that a client meets. Ray Serve's own lie beyond: it says no in its own words."""
RAY_REQUESTS_MAX = 10 * (LIMITS.requests_max + LIMITS.requests_waiting_max)
"""With the guard at a time; it needs a moment to turn one away."""
RAY_REQUESTS_QUEUED_MAX = RAY_REQUESTS_MAX
RAY_TIMEOUT_S = LIMITS.timeout_s + 60.0
"""An answer of 16 MiB takes its time to a slow client."""
SHUTDOWN_TIMEOUT_S = 5.0
SHUTDOWN_INTERVAL_S = 0.1
QUIET_LOGS = {"log_level": "WARNING", "enable_access_log": False}
"""An access log of every request would be the largest file of all; commands are in the journal."""


@ray_serve.deployment(
    name="gateway",
    num_replicas=1,
    max_ongoing_requests=RAY_REQUESTS_MAX,
    max_queued_requests=RAY_REQUESTS_QUEUED_MAX,
    ray_actor_options={"num_cpus": 0},
    graceful_shutdown_timeout_s=SHUTDOWN_TIMEOUT_S,
    graceful_shutdown_wait_loop_s=SHUTDOWN_INTERVAL_S,
    logging_config=QUIET_LOGS,
)
@ray_serve.ingress()
class Gateway:
    """Answers requests with a driver that it attaches to a multiverse that is up.

    Args:
        name: of the multiverse.
        keys: who may come in.
    """

    async def __init__(self, name: str, keys: Keys) -> None:  # type: ignore[misc]  # Ray Serve awaits it
        self._keys = keys
        self._mv = await asyncio.to_thread(Multiverse.attach, name)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The application; Ray Serve asks for it."""
        return app_of(self._mv, self._keys, LIMITS)


@contextlib.contextmanager
def gateway(name: str, keys: Keys, host: str, port: int) -> Iterator[None]:
    """A gateway on the Ray cluster that this process has started, from when it answers until the end.

    Args:
        name: of a multiverse that is up there.
        keys: who may come in.
        host: the address to listen on.
        port: the port.

    Raises:
        EngineError: Ray Serve could not be started.
    """
    http: dict[str, Any] = {"host": host, "port": port, "request_timeout_s": RAY_TIMEOUT_S}
    title, application = f"gateway to {name}", cast(Any, Gateway)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    try:
        ray_serve.start(proxy_location="HeadOnly", http_options=http, logging_config=QUIET_LOGS)
        ray_serve.run(application.bind(name, keys), name=title, route_prefix="/")
    except Exception as error:  # Ray Serve raises many unrelated kinds when it cannot start
        raise EngineError(f"the gateway could not be started on Ray Serve: {told(error)}.") from None
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # the cluster is about to end, and it with it
            ray_serve.delete(title)  # what is at work comes to its end
