"""Stories that pages tell in sessions of a shell, told again on the real thing and held against the page."""

import shlex
from pathlib import Path

import pytest
from shown import BLOCK, run_python, shown_as, steps

from orchestration.main import run

DOCS = Path(__file__).parents[2] / "docs"


def tell_again(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs every command of a page in the current folder; what comes of each must be as shown, and in the end nothing is up."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert {language for language, _ in BLOCK.findall(text)} == {"console"}
    is_up = False
    try:
        for _, session in BLOCK.findall(text):
            for command, shown in steps(session):
                real = _told(command, capsys)
                assert shown_as(shown, real), f"{command}\n{real}"
                is_up = command.startswith("soulfra up") or (is_up and not command.startswith("soulfra down"))
        assert not is_up
    finally:
        if is_up:
            run(["down", "home"])


def _told(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command of the page says; of the shell's own, it knows those that the pages have."""
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
