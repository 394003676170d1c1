"""Serving: a multiverse with realms and an instance, and a gateway to it, until the program is told to end."""

import contextlib
import errno
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from actors.core.kernel.errors import SettingsError
from actors.core.permissions.roles import ROLES
from actors.core.permissions.validators import EVERYWHERE
from orchestration import Multiverse
from orchestration.agendas import set_up
from orchestration.detached import checked_name
from orchestration.scenarios import Scenario
from orchestration.vault_files import NewVault
from serve.keys import Keys, keys_in

INSTANCE = "alpha"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
PORT_MAX = 65_535
KEYS_SUFFIX = ".keys"


@dataclass(frozen=True)
class Order:
    """What to serve.

    Attributes:
        name: of the multiverse.
        vault: path or URL.
        keys: the file of hashed keys; None is beside the vault's file.
        principal: whose key is shown.
        role: that he has from then on.
        scope: what it is for; "" is everything.
        has_new_key: whether a key is made although there is one.
        scenario: what a new multiverse begins with.
        platforms: factories of an instance's platforms that are not ours, by role.
        realm_paths: users' folders.
        host: the address to listen on.
        port: the port.
        is_paused: whether the clock is to stand.
    """

    name: str
    vault: str
    keys: Path | None
    principal: str
    role: str
    scope: str
    has_new_key: bool
    scenario: Scenario
    platforms: Mapping[str, str]
    realm_paths: tuple[str, ...]
    host: str
    port: int
    is_paused: bool

    @property
    def key_file(self) -> Path:
        """Where the hashed keys are.

        Raises:
            SettingsError: nobody has said it, and the vault is no file.
        """
        if self.keys is not None:
            return self.keys
        if "://" in self.vault:
            raise SettingsError("a vault on a server has no folder for keys beside it; name a file with --keys.")
        return Path(f"{self.vault}{KEYS_SUFFIX}")


def serve(order: Order) -> None:
    """Serves until it is interrupted; then everything that it started ends, and the vault and the keys stay.

    Raises:
        SoulfraError: it could not be; nothing is left running, and of a new vault file nothing is left.
    """
    checked_name(order.name)
    if order.role not in ROLES:
        raise SettingsError(f"--role must be one of {', '.join(ROLES)}, not {order.role!r:.100}.")
    _check_free(order.host, order.port)
    if os.environ.get("RAY_ADDRESS"):
        raise SettingsError("this starts a Ray of its own, and RAY_ADDRESS names another; unset it.")
    before = keys_in(order.key_file)
    with contextlib.ExitStack() as stack:
        mv, is_new = stack.enter_context(_multiverse(order))
        keys, key = _with_key(mv, order, before)
        from serve.gateways import gateway  # Ray Serve takes a second to import

        stack.enter_context(gateway(order.name, keys, order.host, order.port))
        if key:
            keys.save(order.key_file)
        _say(mv, order, key, is_new=is_new)
        threading.Event().wait()


@contextlib.contextmanager
def _multiverse(order: Order) -> Iterator[tuple[Multiverse, bool]]:
    """The multiverse, set up and running; and whether it is new."""
    scenario, new = order.scenario, NewVault(order.vault)
    with new:
        mv = Multiverse(
            scenario.seed,
            name=order.name,
            control_tick_interval_ticks=scenario.control_tick_interval_ticks,
            local_tick_interval_ms=scenario.local_tick_interval_ms,
            realm_paths=(*scenario.realm_paths, *order.realm_paths),
            realms_expected=len(scenario.realms) + 4,
            vault=order.vault,
            detached=True,
        )
        try:
            if not mv.about.resumed:
                new.founded.add((order.name, 1))
            if is_new := mv.is_new:
                with mv.setting_up():
                    set_up(mv, scenario)
                    mv.create_instance(INSTANCE, factories=order.platforms)
            if order.is_paused:
                mv.pause()
            else:
                mv.start("realtime")
        except BaseException:
            mv.end()
            raise
    try:
        yield mv, is_new
    finally:
        mv.end()


def _with_key(mv: Multiverse, order: Order, keys: Keys) -> tuple[Keys, str]:
    """The keys that hold, and a new one if it is wanted, whose owner has a role from now on."""
    if keys.has(order.principal) and not order.has_new_key:
        return keys, ""
    made, key = keys.with_new(order.principal)
    mv.grant_role(order.principal, order.role, order.scope or EVERYWHERE)
    return made, key


def _check_free(host: str, port: int) -> None:
    """Finds out what Ray Serve takes long to say.

    Raises:
        SettingsError: nobody can listen there.
    """
    if not 1 <= port <= PORT_MAX:
        raise SettingsError(f"--port must be from 1 to {PORT_MAX}, not {port}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} of {host} is taken; choose another with --port.") from None
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise SettingsError(f"nobody can listen on {host!r:.100}, port {port}: {why}.") from None


def _say(mv: Multiverse, order: Order, key: str, *, is_new: bool) -> None:
    state, where = mv.get_multiverse_state(), f"http://{order.host}:{order.port}"
    begun = "new" if is_new else f"resumed at control tick {mv.boundary().control_tick}"
    instances = ", ".join(one["name"] for one in state["instances"]) or "none"
    print(f"{order.name} is {begun}: {len(order.scenario.realms)} realms, instances: {instances}.")
    print(f"{mv.about.vault}: {mv.about.durability}")
    print(f"{where}/v1/state, what else there is: {where}/docs")
    if key:
        print(f"the key of {order.principal}, shown this once: {key}")
    else:
        print(f"the key of {order.principal} is the one shown before; --new-key makes another in its place.")
    print("serving until Ctrl-C.", flush=True)
    if order.host not in LOOPBACK:
        print(f"{order.host} is not this machine alone, and HTTP is not encrypted: put TLS before it.", file=sys.stderr)
