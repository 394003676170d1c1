"""Processes, looked at from outside; and waiting for what comes of itself."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
"""A busy machine takes long to start a process; what is not there by then does not come."""


def until(what: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """What comes, once it does."""
    deadline = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
    return found


def alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def family(process_id: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(place.parent.name)] = int(place.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has just ended
    found = [process_id]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found
