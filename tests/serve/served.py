"""What the tests of HTTP share: a multiverse in this process, its application, and clients of whoever it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep
from typing import Any

from starlette.testclient import TestClient

from actors.core.kernel.errors import EngineError
from actors.core.kernel.instances import PLATFORM_ROLES
from orchestration import Multiverse
from serve.apps import app_of
from serve.guards import Limits
from serve.keys import Keys
from tests.conftest import REALMS

SMALL = dict.fromkeys(PLATFORM_ROLES, "small_platforms:Platform")
JSON = {"Content-Type": "application/json"}
BYTES = {"Content-Type": "application/octet-stream"}

TIMEOUT_S = 0.05


@dataclass
class Served:
    """A multiverse over HTTP.

    Attributes:
        mv: the multiverse, driven from here.
        app: its application.
        god: a client with the key of a god.
        watcher: one with an observer's.
        stranger: one with the key of somebody without a role.
        nobody: one without a key.
        keys: every key as its owner sends it.
    """

    mv: Multiverse
    app: Any
    god: TestClient
    watcher: TestClient
    stranger: TestClient
    nobody: TestClient
    keys: dict[str, str]


@contextmanager
def served(**more: Any) -> Iterator[Served]:
    """Two cities that trade, and an instance of small platforms, over HTTP."""
    with Multiverse(1, engine="local", realm_paths=[REALMS], **more) as mv:
        for realm, other in (("sol_1", "sol_2"), ("sol_2", "sol_1")):
            mv.register_game(realm, "actors.core.realms.city:City", params={"npcs": 5, "neighbours": [other]})
        mv.create_instance("alpha", factories=SMALL)
        mv.grant_role("ada", "god")
        mv.grant_role("bob", "observer")
        mv.run(2)
        keys, shown = Keys(), {}
        for principal in ("ada", "bob", "eve"):
            keys, shown[principal] = keys.with_new(principal)
        app = app_of(mv, keys)
        clients = [client(app, shown[principal]) for principal in ("ada", "bob", "eve")]
        yield Served(mv, app, *clients, client(app), shown)


def client(app: Any, key: str = "") -> TestClient:
    """Whoever has a key; what goes wrong in the server is an answer here, too."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return TestClient(app, headers=headers, raise_server_exceptions=False)


class Broken:
    """A multiverse that raises an error, whatever it is asked."""

    name = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, _: str) -> Any:
        raise self.error


def refusing(error: Exception) -> TestClient:
    """Somebody who asks a multiverse that raises."""
    keys, key = Keys().with_new("ada")
    return client(app_of(Broken(error), keys), key)  # type: ignore[arg-type]


class Slow:
    """A multiverse that takes its time, whatever it is asked."""

    name = "slow"

    def __getattr__(self, _: str) -> Any:
        sleep(5 * TIMEOUT_S)
        raise EngineError("x.")


def slow() -> TestClient:
    """Somebody who asks one, of a server that has less."""
    keys, key = Keys().with_new("ada")
    return client(app_of(Slow(), keys, Limits(timeout_s=TIMEOUT_S)), key)  # type: ignore[arg-type]


def ask(who: TestClient, command: object) -> Any:
    """A god command over HTTP."""
    return who.post("/v1/god", json=command)


def problem_of(response: Any, status: int, code: str) -> str:
    """The detail of a problem document, which must be one of that kind."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert sorted(found) == ["code", "detail", "instance", "status", "title", "type"]
    assert (found["status"], found["code"]) == (status, code)
    assert found["type"] == f"urn:soulfra:problem:{code}" and found["instance"].startswith("urn:uuid:")
    assert "Traceback" not in response.text and found["detail"].endswith((".", "…"))
    return found["detail"]
