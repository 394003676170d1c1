"""The Ray engine: the clock and every member an actor of its own, on a cluster that runs or on one started here."""

import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from actors import factories
from actors.core.kernel.errors import EngineError, SoulfraError
from actors.core.kernel.settings import Settings
from actors.ray_clocks import RemoteClock
from orchestration.engines import CLOSE_TIMEOUT_S, Ticket

NAMESPACE = "soulfra"
LOCAL_CPUS = 2
"""Ray starts that many workers ahead; ours ask for no CPU, so the number bounds nothing."""
OBJECT_STORE_BYTES = 150 << 20
"""Grants and outboxes are small and go by; Ray's default would take a third of the machine's memory."""
START_TIMEOUT_S = 120.0
REACH_TIMEOUT_S = 5.0
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_maximum_startup_concurrency": "16",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",
}
"""Environment of a cluster started here: no report to anybody, no warnings about what is meant."""


class RayTicket:
    """See `Ticket`."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    def wait(self, timeout_s: float) -> bool:
        """See `Ticket`."""
        return bool(ray.wait([self._ref], timeout=timeout_s)[0])

    def result(self) -> Any:
        """See `Ticket`."""
        return _get(self._ref)


class RayEngine:
    """See `Engine`.

    Args:
        settings: what this history depends on.
        realm_paths: users' folders for factories; every node must see them.
        address: of a running cluster; "" means the one in `RAY_ADDRESS` (a job sets it), else a new one here.
        hosts: how many members to expect; their hosts start while the rest is prepared.
        lane: how grants travel, "zmq" or "ray".

    Raises:
        EngineError: Ray could not be started or reached, or the clock could not.
    """

    name = "ray"

    def __init__(
        self,
        settings: Settings,
        realm_paths: tuple[str, ...] = (),
        address: str = "",
        hosts: int = 1,
        lane: str = "zmq",
    ) -> None:
        self.lane = lane
        factories.add_realm_paths(realm_paths)
        _CONNECTION.join(address or os.environ.get("RAY_ADDRESS", ""))
        try:
            self._clock = RemoteClock.remote(settings, realm_paths, hosts, lane)
            ray.get(self._clock.__ray_ready__.remote(), timeout=START_TIMEOUT_S)
        except (RayError, GetTimeoutError) as error:
            _CONNECTION.leave()
            raise EngineError(f"the master clock could not be started on Ray: {_reason(error)}") from None

    def call(self, method: str, *arguments: Any) -> Any:
        """See `Engine`."""
        return _get(getattr(self._clock, method).remote(*arguments))

    def begin(self, method: str, *arguments: Any) -> Ticket:
        """See `Engine`."""
        return RayTicket(getattr(self._clock, method).remote(*arguments))

    def close(self) -> None:
        """See `Engine`."""
        with contextlib.suppress(EngineError):
            self.begin("stop")
            self.begin("close").wait(CLOSE_TIMEOUT_S)
        with contextlib.suppress(RayError):
            ray.kill(self._clock)  # and with it the hosts, which it owns, hung ones too
        _CONNECTION.leave()


class _Connection:
    """This process's connection to Ray, which all its multiverses share: the first opens it, the last closes it.

    A connection that somebody else has opened is used and left as it is.
    """

    def __init__(self) -> None:
        self._users = 0
        self._ours = False

    def join(self, address: str) -> None:
        """One multiverse more."""
        if not ray.is_initialized():
            self._users = 0
            _start(address)
            self._ours = True
        self._users += 1

    def leave(self) -> None:
        """One multiverse less."""
        self._users -= 1
        if self._users == 0 and self._ours:
            self._ours = False
            ray.shutdown()


_CONNECTION = _Connection()


def _start(address: str) -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    local: dict[str, Any] = {}
    if address:
        _check_reachable(address)
    else:
        # Ray closes a new cluster by a token unless RAY_AUTH_MODE says otherwise. Ours lives as long as this process;
        # without it, Ray would write one into the home folder, readable by all.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        local = {
            "num_cpus": LOCAL_CPUS,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address or "local",
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **local,
        )
    except Exception as error:  # Ray raises many unrelated kinds when it cannot start
        where = f"the Ray cluster at {address!r} cannot be reached" if address else "Ray could not be started here"
        raise EngineError(
            f"{where}: {_reason(error)} Check the address and RAY_AUTH_MODE, or use the local engine."
        ) from None
    if threading.current_thread() is threading.main_thread() and on_terminate is not None:
        signal.signal(signal.SIGTERM, on_terminate)  # Ray puts a handler of its own there


def _check_reachable(address: str) -> None:
    """Finds out in seconds what Ray takes many minutes to say."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return  # "auto" and the like, which Ray looks up itself
    try:
        with socket.create_connection((host, int(port)), timeout=REACH_TIMEOUT_S):
            return
    except OSError as error:
        raise EngineError(
            f"no Ray cluster answers at {address!r} ({error.strerror or error}); start one with `ray start --head`, "
            "give its address, or leave the address out to start one here."
        ) from None


def _get(ref: Any) -> Any:
    try:
        return ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, SoulfraError):
            raise error.cause from None
        raise EngineError(f"the master clock failed: {_reason(error.cause)}") from error
    except RayActorError:
        raise EngineError("the master clock's process died; what it had not handed out is lost with it.") from None


def _reason(error: BaseException) -> str:
    """The last line of an error's text, which in Ray's is the one that says something, as one sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].rstrip(".") + "."
