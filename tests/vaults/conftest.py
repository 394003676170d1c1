"""Every test of a vault runs on a file and on a real server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import servers

from actors.vaults.openings import open_vault
from actors.vaults.vaults import Vault


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """The one server of the session."""
    pytest.importorskip("psycopg", reason="not run: psycopg is not installed (extra postgres)", exc_type=ImportError)
    found = servers.programs()
    if found is None:
        pytest.skip("not run: no PostgreSQL server here; install the dev extra, or Debian's package postgresql")
    server = servers.Server(found)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a vault may be that nobody has opened yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vault.sqlite'}"
    server: servers.Server = request.getfixturevalue("postgres")
    return server.fresh_url()


@pytest.fixture
def opening(url: str) -> Iterator[Callable[[], Vault]]:
    """Opens the test's vault, as often as it likes; all are closed at the end."""
    opened: list[Vault] = []

    def one_more() -> Vault:
        opened.append(open_vault(url))
        return opened[-1]

    yield one_more
    for vault in opened:
        vault.close()


@pytest.fixture
def vault(opening: Callable[[], Vault]) -> Vault:
    """One open vault."""
    return opening()
