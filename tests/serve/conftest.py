import pytest
from served import Served, served


@pytest.fixture
def here(tmp_path) -> Served:
    with served(name="m", vault=tmp_path / "m.sqlite") as found:
        yield found
