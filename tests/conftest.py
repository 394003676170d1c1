"""What all tests share: one Ray cluster for those that need one, closed by a token, and small enough for two cores."""

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before anything imports Ray: it reads these when it is imported.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_worker_maximum_startup_concurrency", "16")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.pop("RAY_ADDRESS", None)

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
REALMS = ROOT / "tests" / "realms"

sys.path.append(str(REALMS))

settings.register_profile(
    "patient", deadline=None
)  # how long an example takes says more of the machine than of the code
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that share a cluster run in one process, those with a Ray of their own in another, and both begin first."""
    for item in items:
        if item.get_closest_marker("ray") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("ray"))
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One cluster for all tests on Ray; every multiverse in it brings its own actors and takes them along."""
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        log_to_driver=False,
        logging_level="ERROR",
        namespace="soulfra-tests",
    )
    yield
    ray.shutdown()


@pytest.fixture
def burials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests in which clocks die in this process: closes the files of the dead, of which Python 3.13 complains."""
    from actors.vaults.stores import Store

    begun: list[Store] = []
    genuine = Store.__init__

    def counted(store: Store, *arguments: Any) -> None:
        genuine(store, *arguments)
        begun.append(store)

    monkeypatch.setattr(Store, "__init__", counted)
    yield
    for store in begun:
        store.close()


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def engine(request: pytest.FixtureRequest) -> str:
    """Either engine; on Ray with the tests' cluster up."""
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return str(request.param)
