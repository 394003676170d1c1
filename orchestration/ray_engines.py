"""The Ray engine: the clock and every member an actor of its own, on a cluster that runs or on one started here."""

import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import msgspec
import ray
from ray._private.ray_logging import stdout_deduplicator
from ray._private.state import state as cluster_state
from ray._raylet import Config  # type: ignore[attr-defined]  # it has no stubs
from ray.exceptions import ActorUnavailableError, ActorUnschedulableError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors import factories
from actors.clock_messages import About, Status
from actors.core.kernel.errors import (
    CommandRefusedError,
    DuplicateMultiverseError,
    EngineError,
    FactoryError,
    SettingsError,
    SoulfraError,
    UnknownMultiverseError,
)
from actors.core.kernel.settings import Settings
from actors.ray_clocks import GROUPS, OPTIONS, Home, RemoteClock
from orchestration.engines import CLOSE_TIMEOUT_S

NAMESPACE = "soulfra"
LOCAL_CPUS = 2
"""Ray starts that many workers ahead; ours ask for no CPU, so the number bounds nothing."""
OBJECT_STORE_BYTES = 150 << 20
"""Grants and outboxes are small and go by; Ray's default would take a third of the machine's memory."""
START_TIMEOUT_S = 120.0
REACH_TIMEOUT_S = 5.0
STATUS_TIMEOUT_S = 0.7
"""A clock that cannot say within this how it stands is itself who is waited for."""
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


ALL_OF_IT = re.compile("")
"""What Ray prints on standard output of its own, whatever it is told about logs: that a process died which we bring back, that
many processes were started. What there is to say of that we say ourselves, and standard output is the program's: with
`--json` it is one document. There is no setting for it; the attribute is what Ray's own setting for lines to leave out is
read into.
"""


class RayTicket:
    """See `Ticket`. If the clock's process dies meanwhile, its successor is asked the same again.

    Every method of the clock may be: commands carry an id, runs name the control tick they go to, and a successor answers
    when it stands where anybody may have seen the one before it.
    """

    def __init__(self, engine: "RayEngine", method: str, arguments: tuple[Any, ...]) -> None:
        self._engine = engine
        self._method = method
        self._arguments = arguments
        self._unreachable_since: float | None = None
        self._asked_again = False
        self._ref = self._ask()

    def _ask(self) -> Any:
        asking = self._engine.clock.ask
        if (group := GROUPS.get(self._method)) is not None:
            asking = asking.options(concurrency_group=group)
        return asking.remote(self._method, *self._arguments)

    def wait(self, timeout_s: float | None) -> bool:
        """See `Ticket`. None waits as long as it takes."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while ray.wait([self._ref], timeout=_remaining(deadline))[0]:
            try:
                ray.get(self._ref, timeout=REACH_TIMEOUT_S)
            except RayActorError as error:
                self._unreachable_since = self._unreachable_since or time.monotonic()
                if time.monotonic() - self._unreachable_since > START_TIMEOUT_S or self._engine.is_over(error):
                    return True  # and the result is that
                time.sleep(REVIVE_INTERVAL_S)
                self._asked_again = True
                self._ref = self._ask()
            except Exception:
                return True  # `result` will say
            else:
                return True
        return False

    def result(self) -> Any:
        """See `Ticket`."""
        self.wait(None)
        try:
            return _get(self._ref)
        except CommandRefusedError:
            if self._method == "begin" and self._asked_again:  # the order had been taken, and its successor runs
                return None
            raise


class RayEngine:
    """See `Engine`.

    Args:
        settings: what this history depends on.
        realm_paths: users' folders for factories; every node must see them.
        address: of a running cluster; "" means the one in `RAY_ADDRESS` (a job sets it), else a new one here.
        hosts: how many members to expect; their hosts start while the rest is prepared.
        lane: how grants travel, "zmq" or "ray".
        home: where history is kept; None means only as long as this process lives.
        placement: Ray's options for where the clock may live. With a vault that is a file it lives on this node.
        detached: whether the clock outlives this process, to be found by its home's name.

    Raises:
        EngineError: Ray could not be started or reached, or the clock could not.
        DuplicateMultiverseError: one of that name is up on this cluster.
        VaultError: its vault cannot be used.
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
        placement: Mapping[str, Any] | None = None,
        detached: bool = False,
    ) -> None:
        self.lane = lane
        self._prepare()
        factories.add_realm_paths(realm_paths)
        CONNECTION.join(address or os.environ.get("RAY_ADDRESS", ""))
        if home is None:
            folder = Path(gettempdir()) / f"soulfra-{secrets.token_hex(8)}"
            home = Home("multiverse", str(folder / "vault.sqlite"), temporary=True)
        self._temporary = Path(home.vault).parent if home.temporary else None
        try:
            options = OPTIONS | _place(home, placement)
            if detached:
                options |= {"name": actor_name(home.name), "namespace": NAMESPACE, "lifetime": "detached"}
            self.clock = RemoteClock.options(**options).remote(settings, realm_paths, hosts, lane, home, placement)
        except ValueError as error:
            CONNECTION.leave()
            if "already" in str(error):
                raise _taken(home.name) from None
            raise FactoryError(f"clock_placement {placement!r} cannot be used: {_reason(error)}") from None
        except BaseException:
            CONNECTION.leave()
            raise
        try:
            self._meet()
        except BaseException:
            self.end()
            raise
        self._ends_with_us = not detached

    def _meet(self) -> None:
        """Waits until the clock stands."""
        ticket = self.begin("about")
        if not ticket.wait(START_TIMEOUT_S):
            why = "; ".join(self._status_now(REACH_TIMEOUT_S).waiting) or "no node of the cluster has room for it"
            raise EngineError(f"the master clock does not stand after {START_TIMEOUT_S:.0f} s: {why}.")
        self.about: About = ticket.result()

    def _prepare(self) -> None:
        self._ends_with_us = True
        self._status: Status | None = None
        self._absent_since: float | None = None

    @classmethod
    def found(cls, name: str, address: str, *, standing: bool = True) -> "RayEngine":
        """The engine of a multiverse that somebody has started to outlive him.

        Args:
            name: of the multiverse.
            address: of the cluster; "" means `RAY_ADDRESS`, else the one on this machine.
            standing: whether to wait until its clock stands.

        Raises:
            EngineError: the cluster cannot be reached.
            UnknownMultiverseError: there is none of that name on it.
        """
        engine = cls.__new__(cls)
        engine._prepare()
        engine._ends_with_us, engine._temporary = False, None
        CONNECTION.join(address or os.environ.get("RAY_ADDRESS", "") or "auto")
        try:
            engine.clock = ray.get_actor(actor_name(name), namespace=NAMESPACE)
        except ValueError:
            CONNECTION.leave()
            raise UnknownMultiverseError(
                f"no multiverse {name!r} is up on this cluster; start it with: soulfra up {name}"
            ) from None
        try:
            if standing:
                engine._meet()
                engine.lane = engine.about.lane
        except BaseException:
            CONNECTION.leave()
            raise
        return engine

    def call(self, method: str, *arguments: Any) -> Any:
        """See `Engine`."""
        if method == "status":
            return self._status_now(STATUS_TIMEOUT_S)
        return self.begin(method, *arguments).result()

    def _status_now(self, timeout_s: float) -> Status:
        """How the clock stands; one whose process has died does so as it did, and who is waited for is the clock."""
        ticket = self.begin("status")
        begun = time.monotonic()
        if ticket.wait(timeout_s if self._status is not None else START_TIMEOUT_S):
            self._status = ticket.result()
            self._absent_since = None
            return self._status
        if self._status is None:
            raise EngineError(f"the master clock has not answered for {time.monotonic() - begun:.0f} s.")
        self._absent_since = self._absent_since or begun
        since_s = time.monotonic() - self._absent_since
        waiting = (
            f"waiting for the master clock since {since_s:.1f} s (its process died, or its node; Ray starts it again)"
        )
        return msgspec.structs.replace(self._status, waiting=(waiting,))

    def begin(self, method: str, *arguments: Any) -> RayTicket:
        """See `Engine`."""
        return RayTicket(self, method, arguments)

    def is_over(self, error: RayActorError) -> bool:
        """Whether the clock cannot come back. Ray says so too early of one whose node is being drained."""
        if isinstance(error, ActorUnavailableError):
            return False
        try:
            return bool(cluster_state.actor_table(self.clock._actor_id.hex())["State"] == "DEAD")
        except Exception:  # the control plane is away; it will tell when it is back
            return False

    def crash(self) -> None:
        """Kills the clock's process, to see it come back; returns when its successor stands."""
        before = self.call("process_id")
        self.clock.crash.remote()
        while self.call("process_id") == before:
            time.sleep(REVIVE_INTERVAL_S)
        self.call("boundary")

    def stopped(self) -> Status:
        """Stops a run at its next boundary, for `end`; gives how it stands, after a while even if a member hangs."""
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        while (found := self.call("status")).running and time.monotonic() < deadline:
            self.begin("stop").wait(REACH_TIMEOUT_S)
            time.sleep(REVIVE_INTERVAL_S / 10)
        return found  # type: ignore[no-any-return]

    def end(self) -> None:
        """Ends a multiverse that would outlive this process; its name is free when this returns."""
        self._ends_with_us = True
        self.close()

    def close(self) -> None:
        """See `Engine`."""
        if self._ends_with_us:
            with contextlib.suppress(EngineError, RayError):
                self.clock.ask.options(concurrency_group=GROUPS["stop"]).remote("stop")
                ray.wait([self.clock.ask.remote("close")], timeout=CLOSE_TIMEOUT_S)
            with contextlib.suppress(RayError):
                ray.kill(self.clock)  # and with it the hosts, which it owns, hung ones too
                self._see_it_end()
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)
        CONNECTION.leave()

    def _see_it_end(self) -> None:
        deadline = time.monotonic() + REACH_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                ray.get(self.clock.process_id.remote(), timeout=REACH_TIMEOUT_S)
            except ActorUnavailableError:
                pass
            except RayError:
                return
            time.sleep(REVIVE_INTERVAL_S / 10)


@contextlib.contextmanager
def cluster(address: str, cpus: int) -> Iterator[None]:
    """A connection to a cluster that runs, or to one that is started here and ends with it.

    Args:
        address: of the cluster; "" means `RAY_ADDRESS`, else one is started.
        cpus: of one that is started: so many tasks run at a time.

    Raises:
        EngineError: it cannot be reached, or not be started.
    """
    CONNECTION.join(address or os.environ.get("RAY_ADDRESS", ""), cpus)
    try:
        yield
    finally:
        CONNECTION.leave()


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to a cluster that runs; none is started here.

    Args:
        address: of the cluster; "" means `RAY_ADDRESS`, else the one on this machine.

    Raises:
        EngineError: it cannot be reached.
    """
    CONNECTION.join(address or os.environ.get("RAY_ADDRESS", "") or "auto")
    try:
        yield
    finally:
        CONNECTION.leave()


def check_free(name: str) -> None:
    """Makes sure that no multiverse of that name is up on the cluster.

    Raises:
        DuplicateMultiverseError: one is.
    """
    with contextlib.suppress(ValueError):
        ray.get_actor(actor_name(name), namespace=NAMESPACE)
        raise _taken(name)


def _taken(name: str) -> DuplicateMultiverseError:
    return DuplicateMultiverseError(f"{name!r} is up already on this cluster; attach to it, or take it down first.")


def _place(home: Home, placement: Mapping[str, Any] | None) -> dict[str, Any]:
    """Where the clock may live: beside its vault if that is a file, for no other node has it."""
    if not home.is_file:
        return dict(placement or {})
    if placement:
        raise SettingsError(
            "clock_placement needs a vault on a PostgreSQL server: a clock whose vault is a file lives beside that file."
        )
    here = ray.get_runtime_context().get_node_id()
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False)}


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


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

    def join(self, address: str, cpus: int = LOCAL_CPUS) -> None:
        """One multiverse more."""
        if not ray.is_initialized():
            self._users = 0
            _start(address, cpus)
            self._ours = True
        self._users += 1

    def leave(self) -> None:
        """One multiverse less."""
        self._users -= 1
        if self._users == 0 and self._ours:
            self._ours = False
            ray.shutdown()


CONNECTION = _Connection()


def _start(address: str, cpus: int) -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    stdout_deduplicator.skip_re = ALL_OF_IT
    local: dict[str, Any] = {}
    if address:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what goes wrong is told in one line of our own
        _check_reachable(address)
        if "RAY_AUTH_MODE" not in os.environ and _has_token():  # Ray itself does so only where it looks the address up
            os.environ["RAY_AUTH_MODE"] = "token"
            Config.initialize("")  # it was read when Ray was imported
    else:
        # Ray closes a new cluster by a token unless RAY_AUTH_MODE says otherwise. Ours lives as long as this process;
        # without it, Ray would write one into the home folder, readable by all.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        local = {
            "num_cpus": cpus,
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
    except ConnectionError as error:
        if address == "auto":
            raise EngineError(
                "no Ray cluster on this machine lets us in; start one with `ray start --head`, or give the address of another. "
                "One that runs may ask for a token: see RAY_AUTH_MODE."
            ) from None
        raise _unreachable(address, error) from None
    except Exception as error:  # Ray raises many unrelated kinds when it cannot start
        raise _unreachable(address, error) from None
    if threading.current_thread() is threading.main_thread() and on_terminate is not None:
        signal.signal(signal.SIGTERM, on_terminate)  # Ray puts a handler of its own there


def _has_token() -> bool:
    """Whether there is a token where Ray looks for one; a cluster that asks for none does not mind it."""
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").is_file()


def _unreachable(address: str, error: BaseException) -> EngineError:
    where = f"the Ray cluster at {address!r} cannot be reached" if address else "Ray could not be started here"
    return EngineError(f"{where}: {_reason(error)} Check the address and RAY_AUTH_MODE, or use the local engine.")


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
            "or give the address of one that runs."
        ) from None


def _get(ref: Any) -> Any:
    try:
        return ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, SoulfraError):
            raise error.cause from None
        raise EngineError(f"the master clock failed: {_reason(error.cause)}") from error
    except ActorUnavailableError:
        raise EngineError(
            f"the master clock's process died and did not come back within {START_TIMEOUT_S:.0f} s."
        ) from None
    except (RayActorError, ActorUnschedulableError) as error:
        if "creation task" in str(error):
            raise EngineError(f"the master clock could not be started on Ray: {_reason(error)}") from None
        if isinstance(error, ActorUnschedulableError) or NODE_WORDS.search(str(error)) is not None:
            raise EngineError(NODE_LOST) from None
        raise EngineError(f"the master clock's process died and cannot come back: {_reason(error)}") from None


NODE_WORDS = re.compile(r"NodeAffinity|node (?:has )?died|node is dead|node was", re.IGNORECASE)
"""How Ray says that an actor cannot be where it has to be."""
NODE_LOST = (
    "the master clock's node was lost, and its vault, a file there, with it; so the clock cannot come back. A vault on "
    "PostgreSQL outlives a node."
)


def _reason(error: BaseException) -> str:
    """The last line of an error's text, which in Ray's is the one that says something, as one sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].rstrip(".") + "."
