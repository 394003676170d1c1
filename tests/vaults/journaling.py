"""Rows to write, and what a child process does with a vault until it is killed or overtaken."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.vaults.openings import KEYFRAMES_SUFFIX
from actors.vaults.records import JournalRow

WAIT_S_MAX = 30
CHILD_S_MAX = 120
"""Several processes that fetch SQLAlchemy, on a busy machine with two cores and one disk."""

ROOT = Path(__file__).parent.parent.parent


def row(position: int, branch: str = "main", payload: bytes = b"payload") -> JournalRow:
    return JournalRow(branch, position, position // 10, f"command-{position}", "MemberCommand", "sol_1", payload)


def rows(first: int, last: int, branch: str = "main", payload: bytes = b"payload") -> list[JournalRow]:
    return [row(position, branch, payload) for position in range(first, last + 1)]


APPENDING = """
import random, sys
from actors.core.kernel.errors import StaleEpochError
from actors.vaults.openings import open_vault
from journaling import rows

url, seed = sys.argv[1:]
draw = random.Random(int(seed))
with open_vault(url) as vault:
    epoch = vault.begin_epoch("m", b"child").epoch
    head = max((found.position for found in vault.rows("m", "main")), default=0)
    print("epoch", epoch, flush=True)
    while True:
        first, head = head + 1, head + draw.randint(1, 8)
        try:
            # Every row says which rows are one transaction.
            vault.append("m", epoch, rows(first, head, payload=b"%d %d" % (first, head) + bytes(draw.randint(0, 6000))))
        except StaleEpochError as error:
            sys.exit(f"overtaken: {error}")
        print(head, flush=True)
"""

TAKING = """
import sys
from actors.vaults.openings import open_vault

with open_vault(sys.argv[1]) as vault:
    sys.stdin.readline()
    for _ in range(30):
        print(vault.begin_epoch("m", b"child").epoch, flush=True)
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A process of its own that runs `code`."""
    prelude = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", prelude + code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Held:
    """Stops every write of a store between its last statement and its commit, until told to go on."""

    def __init__(self, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there, self.go_on = threading.Event(), threading.Event()
        transact = store._transact

        def held(connection: Any, work: Callable[[Any], Any]) -> Any:
            return transact(connection, lambda cursor: (work(cursor), self._stop())[0])

        monkeypatch.setattr(store, "_transact", held)

    def _stop(self) -> None:
        self.there.set()
        assert self.go_on.wait(WAIT_S_MAX)


def keyframes_url(url: str) -> str:
    """Where the tables of keyframes are."""
    return url + KEYFRAMES_SUFFIX if url.startswith("sqlite") else url


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A connection of its own to a vault's tables."""
    from sqlalchemy import create_engine, make_url

    engine = create_engine(make_url(url.replace("postgresql:", "postgresql+psycopg:")))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def behind_its_back(url: str, statement: str, changed: int = 1, **parameters: object) -> None:
    """Does to a vault's tables what nobody should; so many rows are changed by it, -1 if it is not about rows."""
    from sqlalchemy import text

    with connected(url) as connection:
        assert connection.execute(text(statement), parameters).rowcount == changed


def answers(url: str, question: str, beside: str = "", **parameters: object) -> list[tuple[Any, ...]]:
    """What plain SQL says; of a file, with the one beside it attached."""
    from sqlalchemy import text

    with connected(url) as connection:
        if beside.startswith("sqlite"):
            connection.execute(text("ATTACH :there AS beside"), {"there": beside.removeprefix("sqlite:///")})
        return [tuple(row) for row in connection.execute(text(question), parameters)]
