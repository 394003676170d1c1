"""What of a society is fixed for ever, whatever a modification says: descent, what was sealed, and the count of mirrors.

Without this, two modifications could do one after the other what Cal Riven denies: an agent past generation 3 could be
called of generation 0 before it has a child, and a mirror agent could be called basic before it is ended.
"""

from collections.abc import Mapping
from typing import Final

from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.errors import CommandRefusedError, GovernorDeniedError
from actors.core.platforms.societies import Society

FIXED: Final[Mapping[str, tuple[str, ...]]] = {
    "agents": ("template", "generation", "parent", "born_at"),
    "vitals": ("initialized", "mirrors"),
    "loops": ("seal", "origin"),
}
"""Section to the attributes that stay as they are."""
READ_ONLY: Final = ("exports",)


def check_fixed(changes: Mapping[str, Plain], society: Society) -> None:
    """Refuses changes of what is fixed.

    Args:
        changes: dotted path to value, as in `kernel/modifications`.
        society: as it is.

    Raises:
        GovernorDeniedError: a generation past what Cal Riven allows, or the end of a mirror agent, is written directly.
        CommandRefusedError: another path leads to what is fixed.
    """
    shelves = {shelf.section: shelf for shelf in society.shelves}
    for path in sorted(changes):
        section, _, rest = path.partition(".")
        object_id, _, inner = rest.partition(".")
        if section in READ_ONLY:
            raise CommandRefusedError(f"{path!r}: {section} are read-only; a reflection stays as it was written.")
        for attribute in FIXED.get(section, ()):
            if inner.split(".")[0] == attribute:
                _refuse(path, section, attribute)
            named = shelves[section].parts if object_id == "*" else {object_id: None}
            value = changes[path]
            for one in named:
                present = shelves[section].parts.get(one)
                if inner or present is None or not isinstance(value, Mapping) or attribute not in value:
                    continue
                if encode(value[attribute]) != encode(getattr(present, attribute)):
                    _refuse(path, section, attribute)


def _refuse(path: str, section: str, attribute: str) -> None:
    reason = f"{path!r}: {attribute} of {section} is fixed for ever; it says where something comes from"
    if section == "agents" or attribute == "mirrors":
        raise GovernorDeniedError(f"Cal Riven denies it, for his denials rest on it: {reason}.")
    raise CommandRefusedError(f"{reason}.")
