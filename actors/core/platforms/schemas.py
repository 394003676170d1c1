"""What a platform's state is made of: frozen parts of a checked shape, kept in shelves, one for each section.

Every part is a struct without defaults, so a state that comes from outside (a modification, an import, a merge) is right
in every attribute or refused as a whole. A part is never changed: it is replaced, so that a view may keep the old one.
Sections are written in order of their ids, so nothing may depend on the order in which parts came.
"""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.states import Records, State

WHOLE_MAX = 2**53
LINE_CHARACTERS_MAX = 500
ID_CHARACTERS_MAX = 64

Unit = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
"""A share or a strength, 0 to 1."""
Whole = Annotated[int, msgspec.Meta(ge=0, le=WHOLE_MAX)]
"""A count, or a local tick."""
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Line = Annotated[str, msgspec.Meta(max_length=LINE_CHARACTERS_MAX)]
Seal = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]
"""A SHA-256 in hexadecimal digits, or "" where there is none yet."""

NOW = "now"
"""The id of the one object of a section that has only one."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object of a section, or a part of one."""


P = TypeVar("P", bound=Part)


class Shelf(Generic[P]):
    """The objects of one section of the state, by id.

    Args:
        section: its name.
        kind: what the objects are.
        objects_max: how many there may be.
        least: how many there must be.
    """

    def __init__(self, section: str, kind: type[P], objects_max: int, least: int = 0) -> None:
        self.section, self.kind, self.objects_max, self.least = section, kind, objects_max, least
        self.parts: dict[str, P] = {}
        self._written: dict[str, tuple[P, Plain]] = {}

    def __getitem__(self, object_id: str) -> P:
        return self.parts[object_id]

    def __setitem__(self, object_id: str, part: P) -> None:
        self.parts[object_id] = part

    def __contains__(self, object_id: object) -> bool:
        return object_id in self.parts

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another."""
        return len(self.parts) >= self.objects_max

    def change(self, object_id: str, **attributes: Any) -> P:
        """Puts an object in place of the one of that id, with other attributes."""
        changed = self.parts[object_id] = msgspec.structs.replace(self.parts[object_id], **attributes)
        return changed

    def items(self) -> list[tuple[str, P]]:
        """The objects in order of their ids."""
        return sorted(self.parts.items(), key=lambda item: item[0])

    def push(self, object_id: str, part: P, order: Callable[[P], int]) -> None:
        """Puts an object in; where there is no room, the oldest goes."""
        if object_id not in self.parts and self.is_full:
            oldest = min(self.parts, key=lambda one: (order(self.parts[one]), one))
            del self.parts[oldest]
        self.parts[object_id] = part

    def records(self) -> Records:
        """The section as it stands in the state; what has not changed is not written again."""
        written = {}
        for object_id, part in self.parts.items():
            known = self._written.get(object_id)
            written[object_id] = known if known is not None and known[0] is part else (part, msgspec.to_builtins(part))
        self._written = written
        return Records({object_id: plain for object_id, (_, plain) in written.items()})

    def taken(self, state: State) -> dict[str, P]:
        """The section's objects as a state has them.

        Raises:
            ValueError: they are not what they must be.
        """
        found = state.get(self.section)
        if not isinstance(found, Records):
            raise ValueError(f"section {self.section!r} must be there, as records")
        if not self.least <= len(found.objects) <= self.objects_max:
            raise ValueError(
                f"section {self.section!r} has {len(found.objects)} objects; it must have {self.least} to {self.objects_max}"
            )
        taken = {}
        for object_id in sorted(found.objects):
            if not object_id or len(object_id) > ID_CHARACTERS_MAX * 2 or not object_id.isprintable():
                raise ValueError(f"{self.section}: {object_id!r:.80} can be no id; use a short printable one")
            try:
                taken[object_id] = msgspec.convert(found.objects[object_id], self.kind)
            except msgspec.ValidationError as error:
                raise ValueError(f"{self.section}.{object_id} does not fit: {error}") from None
        return taken


def numbered(word: str, number: int) -> str:
    """The id of the object number `number` of its kind."""
    return f"{word}_{number:06d}"
