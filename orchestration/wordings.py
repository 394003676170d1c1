"""Wordings: what does not fit in what was given, in one sentence that is safe to print."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

Where = tuple[int | str, ...]

FAULTS_TOLD_MAX = 5
WORDS_CHARACTERS_MAX = 2_000
LINES_KEPT = "\n\N{NO-BREAK SPACE}"
"""What is not printable and yet harmless, where text may have several lines."""


def in_words(
    faults: Sequence[Mapping[str, Any]],
    whole: str,
    fields_at: Callable[[Where], Sequence[str]],
    unsaid: Collection[str] = (),
) -> str:
    """What pydantic has found, the first of it; of a field that there is not, which there are.

    Args:
        faults: as `ValidationError.errors` gives them.
        whole: what it is called that was given.
        fields_at: the fields that there are beside a place.
        unsaid: parts of places that nobody has written.
    """
    found = []
    for fault in faults[:FAULTS_TOLD_MAX]:
        where = ".".join(str(part) for part in fault["loc"] if part not in unsaid)
        said = fault["msg"]
        if fault["type"] == "extra_forbidden":
            said = f"there is no such field; there are {', '.join(fields_at(fault['loc'])) or 'none'}"
        found.append(f"{where or whole}: {said[0].lower()}{said[1:]}")
    more = len(faults) - len(found)
    return in_a_line("; ".join(found) + (f"; and {more} more" if more > 0 else "") + ".")


def visible(said: str, characters_max: int | None = None) -> str:
    """Text from anywhere, for a terminal: what is not printable as Python would write it, so that nothing steers the terminal.

    Args:
        said: the text; once more, it stays as it is.
        characters_max: what is longer is cut there; None keeps all of it, and lines.
    """
    kept = LINES_KEPT if characters_max is None else ""
    some = said if characters_max is None else said[: characters_max + 1]
    if not some.isprintable():
        some = "".join(one if one.isprintable() or one in kept else _escaped(one) for one in some)
    return some if characters_max is None or len(some) <= characters_max else f"{some[: characters_max - 1]}…"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def in_a_line(said: str) -> str:
    """What was given may hold anything; a lone surrogate has no encoding."""
    line = "".join(letter if letter.isprintable() else " " for letter in said[: WORDS_CHARACTERS_MAX + 1])
    return line if len(line) <= WORDS_CHARACTERS_MAX else f"{line[: WORDS_CHARACTERS_MAX - 1]}…"
