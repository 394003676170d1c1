from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, served


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Served]:
    """A multiverse of the test's own."""
    with served(name="m", vault=tmp_path / "m.sqlite") as found:
        yield found


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests of a file that leave it as it is, or do not mind."""
    with served(name="m", vault=tmp_path_factory.mktemp("vault") / "m.sqlite") as found:
        yield found
