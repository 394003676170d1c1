from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import Multiverse
from tests.orchestration.traps import Trap, set_trap


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    yield from set_trap(monkeypatch)


@pytest.fixture
def god_of_alpha(tmp_path: Path) -> Iterator[Multiverse]:
    """A multiverse with one instance, alpha, that has lived for twelve control ticks; its principal is zeus."""
    with Multiverse(1, engine="local", name="m", vault=tmp_path / "m.sqlite", principal="zeus") as found:
        found.create_instance("alpha")
        found.run(12)
        yield found
