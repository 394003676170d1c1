"""A vault file that was to be made: what failed leaves nothing of it, and nothing of anybody else's goes."""

import contextlib
from pathlib import Path

import pytest

from actors.vaults.openings import KEYFRAMES_SUFFIX, open_vault
from orchestration.vault_files import NewVault


class FailedError(Exception):
    pass


def fail_after(path: Path, *foundings: str, ours: tuple[str, ...] = (), epochs: int = 1) -> None:
    with contextlib.suppress(FailedError), NewVault(str(path)) as new:
        for name in foundings:
            for _ in range(epochs):
                with open_vault(path) as vault:
                    vault.begin_epoch(name, b"founding")
        new.founded |= {(name, 1) for name in ours}
        raise FailedError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home.sqlite"


def test_a_new_file_goes_with_all_that_was_made_beside_it(path: Path) -> None:
    fail_after(path, "home", ours=("home",))
    assert not list(path.parent.iterdir())


def test_a_file_without_anything_in_it_goes(path: Path) -> None:
    with contextlib.suppress(FailedError), NewVault(str(path)):
        open_vault(path).close()
        raise FailedError
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("foundings", [("home",), ("home", "other")])
def test_what_somebody_else_has_founded_meanwhile_stays(path: Path, foundings: tuple[str, ...]) -> None:
    fail_after(path, *foundings, ours=foundings[1:])
    with open_vault(path) as vault:
        assert [one.name for one in vault.multiverses()] == sorted(foundings)


def test_what_somebody_else_has_taken_over_stays(path: Path) -> None:
    fail_after(path, "home", ours=("home",), epochs=2)
    assert path.exists()


def test_a_file_that_was_there_stays(path: Path) -> None:
    open_vault(path).close()
    fail_after(path, "home", ours=("home",))
    assert path.exists()


def test_keyframes_that_were_there_stay_when_the_journal_is_missing(path: Path) -> None:
    open_vault(path).close()
    path.unlink()
    beside = path.with_name(path.name + KEYFRAMES_SUFFIX)
    before = beside.read_bytes()
    with pytest.raises(Exception, match="another vault"), NewVault(str(path)):
        open_vault(path)
    assert beside.read_bytes() == before and not path.exists()


def test_success_leaves_everything(path: Path) -> None:
    with NewVault(str(path)):
        open_vault(path).close()
    assert path.exists()


def test_a_server_is_left_alone() -> None:
    with contextlib.suppress(FailedError), NewVault("postgresql://nobody@localhost/none"):
        raise FailedError
