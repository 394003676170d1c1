"""What of a platform is fixed for ever, whatever a modification says: descent, what was sealed, and what was counted.

Without this, two modifications could do one after the other what Cal Riven denies: an agent past generation 3 could be
called of generation 0 before it has a child, and a mirror agent could be called basic before it is ended. And a counter set
to its bound could not count on.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.errors import CommandRefusedError, GovernorDeniedError
from actors.core.kernel.modifications import ALL, parted
from actors.core.platforms.schemas import Shelf

Fixed = Mapping[str, Collection[str]]
"""Section to the attributes that stay as they are."""


def check_fixed(changes: Mapping[str, Plain], shelves: Sequence[Shelf[Any]], fixed: Fixed) -> None:
    """Refuses changes of what is fixed.

    Args:
        changes: dotted path to value, as in `kernel/modifications`.
        shelves: the sections as they are.
        fixed: what of them may not change.

    Raises:
        GovernorDeniedError: it is something that Cal Riven's denials rest on.
        CommandRefusedError: a path leads to anything else that is fixed.
    """
    parts_of = {shelf.section: shelf.parts for shelf in shelves}
    for path in sorted(changes):
        section, rest = parted(path)
        object_id, inner = parted(rest)
        if section not in fixed or section not in parts_of:
            continue
        if inner and parted(inner)[0] in fixed[section]:
            _refuse(path, section, parted(inner)[0])
        if inner or not isinstance(changes[path], Mapping):
            continue
        value = changes[path]
        for one, present in parts_of[section].items():
            if object_id not in (ALL, one):
                continue
            for attribute in sorted(fixed[section]):
                if attribute in value and encode(value[attribute]) != encode(_plain(present, attribute)):
                    _refuse(path, section, attribute)


def _plain(part: Any, attribute: str) -> Plain:
    return msgspec.to_builtins(getattr(part, attribute))


def _refuse(path: str, section: str, attribute: str) -> None:
    reason = f"{path!r}: {attribute} of {section} is fixed for ever; it says what something is, or what has happened"
    if section == "agents" or attribute == "mirrors":
        raise GovernorDeniedError(f"Cal Riven denies it, for his denials rest on it: {reason}.")
    raise CommandRefusedError(f"{reason}.")
