"""A shell on a multiverse of this process: `soulfra` finds it as it would find one that is up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from orchestration import Multiverse, detached
from orchestration.main import run

Shell = Callable[..., tuple[int, str, str]]


def shell_on(mv: Multiverse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a command line on it; gives code, output, complaints."""

    @contextmanager
    def attached(name: str, address: str) -> Iterator[Multiverse]:
        assert name == mv.name
        yield mv

    monkeypatch.setattr(detached, "attached", attached)

    def soulfra(*arguments: object) -> tuple[int, str, str]:
        code = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return soulfra
