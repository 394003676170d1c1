"""The story that `docs/puppet_master_from_a_shell.md` tells, told again: what it shows comes of it, digests included."""

from pathlib import Path

import pytest
from stories import tell_again

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def test_the_story_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tell_again("puppet_master_from_a_shell.md", capsys)
