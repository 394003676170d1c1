"""docs/god_mode.md says what the code does: its tables are those of the code, its example runs, its commands are there."""

import re
import shlex

import pytest
from god_tables import PAGE, PLACE, tables, written

from orchestration.main import run

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    assert set(re.findall(r"<!-- (\w+) -->", TEXT)) - {"end"} == set(tables())
    assert len(PLACE.findall(TEXT)) == len(tables())
    assert written(TEXT) == TEXT, "run `python tests/orchestration/god_tables.py` with the repository on the path"


def test_the_example_gives_what_the_page_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (output,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(code, "docs/god_mode.md", "exec"), {})
    assert capsys.readouterr().out == output


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`soulfra ((?:instance|package|god) [a-z-]+)", TEXT))))
def test_the_commands_of_the_page_are_there(command, capsys):
    assert run([*shlex.split(command), "--help"]) == 0
    assert f"soulfra {command} [OPTIONS]" in capsys.readouterr().out
