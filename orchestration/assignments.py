"""`PATH=VALUE`, as a shell gives it: the value is JSON, or else the text as it stands."""

import json
from collections.abc import Sequence
from typing import Any

from actors.core.kernel.errors import SettingsError


def assigned(texts: Sequence[str], option: str, example: str) -> dict[str, Any]:
    """The values by path.

    Args:
        texts: as they were given.
        option: what they were given to.
        example: one that reads as it should.

    Raises:
        SettingsError: one that does not read so, or a path that is given twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise SettingsError(f"{option} must read PATH=VALUE, for example {example}, not {text!r:.200}.")
        if path in found:
            raise SettingsError(f"{option} is given twice for {path!r:.200}; give it once.")
        found[path] = json_or_text(value)
    return found


def json_or_text(text: str) -> Any:
    """A value of a shell: JSON where it reads as such, else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
