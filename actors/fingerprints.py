"""Fingerprints: by what a history was lived. The same journal under other rules would be another life.

A fingerprint names the rules (a hash of the sources that a life depends on) and the versions of what they stand on.
"""

import hashlib
import json
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "msgspec")
"""What rules compute with, and what states and events are written down with."""
SOURCES = ("core", "adapters")
SHOWN = 12


@cache
def fingerprint() -> str:
    """This program's, as a JSON document with its keys in order."""
    here = Path(__file__).parent
    rules = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((here / folder).rglob("*.py")):
            rules.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    parts = {"rules": rules.hexdigest()[:32], "python": ".".join(platform.python_version_tuple()[:2])}
    return json.dumps(parts | {name: version(name) for name in LIBRARIES}, sort_keys=True)


def changes(lived_by: str, present: str) -> str:
    """What differs between two fingerprints, in words; "" if nothing does."""
    before, now = _read(lived_by), _read(present)
    return ", ".join(
        f"{name} {str(before.get(name, 'none'))[:SHOWN]} (now {str(now.get(name, 'none'))[:SHOWN]})"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def _read(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"rules": "that cannot be read"}
