"""Wordings: what does not fit in what was given, in one sentence that is safe to print."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

Where = tuple[int | str, ...]

FAULTS_TOLD_MAX = 5
WORDS_CHARACTERS_MAX = 2_000


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


def in_a_line(said: str) -> str:
    """What was given may hold anything; a lone surrogate has no encoding."""
    line = "".join(letter if letter.isprintable() else " " for letter in said[: WORDS_CHARACTERS_MAX + 1])
    return line if len(line) <= WORDS_CHARACTERS_MAX else f"{line[: WORDS_CHARACTERS_MAX - 1]}…"
