"""What pages show: their blocks of code, run, and held against what the page says comes of them."""

import contextlib
import io
import re

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    """What stands in a page's blocks of one language."""
    return [body for found, body in BLOCK.findall(text) if found == language]


def run_python(source: str, name: str) -> str:
    """What Python prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, name, "exec"), {"__name__": name})
    return out.getvalue()


def shown_as(shown: str, real: str) -> bool:
    """Whether a text is as shown, `...` standing for anything, spaces at the end of a line for nothing."""
    pattern = re.escape("\n".join(line.rstrip() for line in shown.strip().splitlines())).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in real.strip().splitlines()), re.DOTALL) is not None


def steps(session: str) -> list[tuple[str, str]]:
    """The commands of a block of console, each with what is shown to come of it."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
