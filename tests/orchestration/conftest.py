from collections.abc import Iterator

import pytest

from tests.orchestration.traps import Trap, set_trap


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    yield from set_trap(monkeypatch)
