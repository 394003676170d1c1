"""The story that `docs/history_from_a_shell.md` tells, told again: what it shows comes of it, digests included."""

import shlex
from pathlib import Path

import pytest
from shown import BLOCK, run_python, shown_as, steps

from orchestration.main import run

PAGE = (Path(__file__).parents[2] / "docs" / "history_from_a_shell.md").read_text(encoding="utf-8")

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def told(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command of the page says; of the shell's own, it knows those that the page has."""
    program, *arguments = shlex.split(command)
    match program, arguments:
        case "soulfra", _:
            code = run(arguments)
            out, err = capsys.readouterr()
            assert code == 0, f"{command}\n{err}"
            return out
        case "python", ["-c", source]:
            return run_python(source, "docs")
        case "cat", [name]:
            return Path(name).read_text(encoding="utf-8")
    raise AssertionError(f"what is this? {command}")


def test_the_story_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {language for language, _ in BLOCK.findall(PAGE)} == {"console"}
    is_up = False
    try:
        for _, session in BLOCK.findall(PAGE):
            for command, shown in steps(session):
                real = told(command, capsys)
                assert shown_as(shown, real), f"{command}\n{real}"
                is_up = command.startswith("soulfra up") or (is_up and not command.startswith("soulfra down"))
        assert not is_up
    finally:
        if is_up:
            run(["down", "home"])
