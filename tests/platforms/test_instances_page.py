"""docs/instances.md says what the code does: its tables are those of the code, and its example runs."""

import re

from instance_tables import PAGE, PLACE, tables, written

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    assert {name for name, *_ in re.findall(r"<!-- (\w+) -->()", TEXT)} - {"end"} == set(tables())
    assert len(PLACE.findall(TEXT)) == len(tables())
    assert written(TEXT) == TEXT, "run `python tests/platforms/instance_tables.py` with the repository on the path"


def test_the_example_gives_what_the_page_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (output,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(code, "docs/instances.md", "exec"), {})
    assert capsys.readouterr().out == output
