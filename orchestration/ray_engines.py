"""The Ray engine: the clock and every member an actor of its own, on a cluster that runs or on one started here."""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError, RayError, RayTaskError

from actors import factories
from actors.core.kernel.errors import EngineError, SoulfraError
from actors.core.kernel.settings import Settings
from actors.ray_clocks import OPTIONS, Home, RemoteClock
from orchestration.engines import CLOSE_TIMEOUT_S

NAMESPACE = "soulfra"
LOCAL_CPUS = 2
"""Ray starts that many workers ahead; ours ask for no CPU, so the number bounds nothing."""
OBJECT_STORE_BYTES = 150 << 20
"""Grants and outboxes are small and go by; Ray's default would take a third of the machine's memory."""
START_TIMEOUT_S = 120.0
REACH_TIMEOUT_S = 5.0
REVIVE_INTERVAL_S = 0.1
"""How often the driver looks whether the clock's successor stands."""
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
    """See `Ticket`. If the clock's process dies meanwhile, its successor is asked the same again.

    Every method of the clock may be: commands carry an id, runs name the control tick they go to.
    """

    def __init__(self, engine: "RayEngine", method: str, arguments: tuple[Any, ...]) -> None:
        self._engine = engine
        self._method = method
        self._arguments = arguments
        self._ref = self._ask()

    def _ask(self) -> Any:
        return getattr(self._engine.clock, self._method).remote(*self._arguments)

    def wait(self, timeout_s: float) -> bool:
        """See `Ticket`."""
        if not ray.wait([self._ref], timeout=timeout_s)[0]:
            return False
        try:
            ray.get(self._ref, timeout=REACH_TIMEOUT_S)
        except ActorUnavailableError:
            self._again()
            return False
        except Exception:  # `result` will say
            return True
        return True

    def result(self) -> Any:
        """See `Ticket`."""
        while True:
            try:
                return self._engine.noted(_get(self._ref))
            except ActorUnavailableError:
                self._again()

    def _again(self) -> None:
        self._engine.revive()
        self._ref = self._ask()


class RayEngine:
    """See `Engine`.

    Args:
        settings: what this history depends on.
        realm_paths: users' folders for factories; every node must see them.
        address: of a running cluster; "" means the one in `RAY_ADDRESS` (a job sets it), else a new one here.
        hosts: how many members to expect; their hosts start while the rest is prepared.
        lane: how grants travel, "zmq" or "ray".
        home: where history is kept; None means only as long as this process lives.
        detached: whether the clock outlives this process, to be found by its home's name.

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
        home: Home | None = None,
        *,
        detached: bool = False,
    ) -> None:
        self.lane = lane
        self._prepare()
        factories.add_realm_paths(realm_paths)
        _CONNECTION.join(address or os.environ.get("RAY_ADDRESS", ""))
        if home is None:
            folder = Path(gettempdir()) / f"soulfra-{secrets.token_hex(8)}"
            home = Home("multiverse", str(folder / "vault.sqlite"), temporary=True)
        self._temporary = Path(home.vault).parent if home.temporary else None
        options = OPTIONS | ({"name": actor_name(home.name), "lifetime": "detached"} if detached else {})
        try:
            self.clock = RemoteClock.options(**options).remote(settings, realm_paths, hosts, lane, home)
            ray.get(self.clock.__ray_ready__.remote(), timeout=START_TIMEOUT_S)
        except ValueError as error:  # the name is taken
            _CONNECTION.leave()
            raise EngineError(f"{home.name!r} is up already; attach to it, or take it down first.") from error
        except (RayError, GetTimeoutError) as error:
            _CONNECTION.leave()
            raise EngineError(f"the master clock could not be started on Ray: {_reason(error)}") from None

    def _prepare(self) -> None:
        self._ends_with_us = True
        self._reviving = threading.Lock()
        self._seen = 0

    @classmethod
    def found(cls, name: str, address: str) -> "RayEngine":
        """The engine of a multiverse that somebody has started to outlive him.

        Raises:
            EngineError: the cluster cannot be reached, or there is none of that name on it.
        """
        engine = cls.__new__(cls)
        engine._prepare()
        engine._ends_with_us, engine._temporary = False, None
        _CONNECTION.join(address or os.environ.get("RAY_ADDRESS", "") or "auto")
        try:
            engine.clock = ray.get_actor(actor_name(name), namespace=NAMESPACE)
        except ValueError:
            _CONNECTION.leave()
            raise EngineError(
                f"no multiverse {name!r} is up on this cluster; start it with: soulfra up {name}"
            ) from None
        engine.settings, engine.home, engine.lane = engine.call("about")
        return engine

    settings: Settings
    home: Home

    def call(self, method: str, *arguments: Any) -> Any:
        """See `Engine`."""
        return self.begin(method, *arguments).result()

    def begin(self, method: str, *arguments: Any) -> RayTicket:
        """See `Engine`."""
        return RayTicket(self, method, arguments)

    def noted(self, result: Any) -> Any:
        """The result, after noting which control tick it shows; the clock's successor must have lived that far."""
        newest = result[-1] if isinstance(result, list) and result else result
        boundary = getattr(newest, "boundary", newest)
        seen = getattr(boundary, "control_tick", None) or getattr(newest, "control_tick_id", 0)
        if isinstance(seen, int):
            self._seen = max(self._seen, seen)
        return result

    def revive(self) -> None:
        """Waits until the clock's successor stands, and lets it live as far as this driver has seen.

        Raises:
            EngineError: there is none.
        """
        with self._reviving:
            deadline = time.monotonic() + START_TIMEOUT_S
            while True:
                try:
                    _get(self.clock.catch_up.remote(self._seen))
                    return
                except ActorUnavailableError:
                    if time.monotonic() > deadline:
                        raise EngineError("the master clock's process died and did not come back.") from None
                    time.sleep(REVIVE_INTERVAL_S)

    def crash(self) -> None:
        """Kills the clock's process, to see it come back; returns when its successor stands."""
        before = self.call("process_id")
        self.clock.crash.remote()
        while self.call("process_id") == before:
            time.sleep(REVIVE_INTERVAL_S)

    def end(self) -> None:
        """Ends a multiverse that would outlive this process."""
        self._ends_with_us = True
        self.close()

    def close(self) -> None:
        """See `Engine`."""
        if self._ends_with_us:
            with contextlib.suppress(EngineError, RayError):
                self.clock.stop.remote()
                ray.wait([self.clock.close.remote()], timeout=CLOSE_TIMEOUT_S)
            with contextlib.suppress(RayError):
                ray.kill(self.clock)  # and with it the hosts, which it owns, hung ones too
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)
        _CONNECTION.leave()


def actor_name(name: str) -> str:
    """What the clock of a multiverse is called on the cluster."""
    return f"clock of {name}"


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
    except ActorUnavailableError:
        raise
    except RayActorError as error:
        raise EngineError(f"the master clock's process died and cannot come back: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """The last line of an error's text, which in Ray's is the one that says something, as one sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].rstrip(".") + "."
