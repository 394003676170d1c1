"""STAT7 addresses: where a realm stands among the others.

A key is `realm_id:adjacency:resonance:density`. The separator may not occur inside a part, so a key splits one way only.
"""

from dataclasses import dataclass
from typing import Self

from actors.core.kernel.errors import AddressError

SEPARATOR = ":"
PART_CHARACTERS_MAX = 128
"""Ids stand in every event and every row of a report; longer ones are a mistake or an attack."""

OUTSIDE = "@outside"
"""The source under which events from outside are ordered."""

PLAYERS = "@players"
"""The id of the player registry."""
PLAYER_ROSTER = "player_roster"
"""The event by which the registry tells a realm who is there: `{players: [as in player_arrived]}`; replaces the roster."""

GODS = "@gods"
"""The source of what the clock itself tells a member because a god asked for something."""
POSSESSION_ENDED = "possession_ended"
"""The event by which the clock tells a member that nobody possesses anything in it any more: it has been copied, or taken
back in time."""
POSSESSED = "possessed"
"""The measure by which a member says how many of its agents are possessed."""


def checked_part(value: object, what: str) -> str:
    """`value`, if it can be a part of an address.

    Raises:
        AddressError: not text, empty, too long, or it has a separator, a space or a control character.
    """
    if type(value) is str and value in _known:
        return value
    if not isinstance(value, str) or not value:
        raise AddressError(f"{what} must be non-empty text, not {value!r}.")
    if len(value) > PART_CHARACTERS_MAX:
        raise AddressError(f"{what} has {len(value)} characters; at most {PART_CHARACTERS_MAX} are allowed.")
    if SEPARATOR in value:
        raise AddressError(
            f"{what} {value!r} contains {SEPARATOR!r}, which separates the parts of an address; use '_'."
        )
    if not value.isprintable() or " " in value:
        raise AddressError(
            f"{what} {value!r} contains a space or an unprintable character; use letters, digits, '_', '-'."
        )
    if len(_known) >= KNOWN_PARTS_MAX:
        _known.clear()
    _known.add(value)
    return value


KNOWN_PARTS_MAX = 10_000
_known: set[str] = set()  # parts that were found good; the same few are checked in every tick, and none is ever listed


def checked_realm_id(value: object) -> str:
    """`value`, if it can name a realm: a part of an address that does not start with `@`, the mark of the kernel's own."""
    realm_id = checked_part(value, "realm id")
    if realm_id.startswith("@"):
        raise AddressError(f"realm id {realm_id!r} starts with '@', which marks the kernel's own members; drop it.")
    return realm_id


@dataclass(frozen=True, slots=True)
class RealmCoordinate:
    """A realm's place: which cluster it is near, which story it belongs to, which copy it is.

    Attributes:
        realm_id: unique in the multiverse.
        realm_type: what kind of world it is; free text for people, not part of the key.
        adjacency: name of the cluster of realms near by.
        resonance: name of the narrative.
        density: instance number; 0 is the main one, 1 and above are alternates.

    Source: seed 002, "STAT7 Integration".
    """

    realm_id: str
    realm_type: str = "sol_system"
    adjacency: str = "cluster_0"
    resonance: str = "narrative_prime"
    density: int = 0

    def __post_init__(self) -> None:
        checked_realm_id(self.realm_id)
        checked_part(self.realm_type, "realm type")
        checked_part(self.adjacency, "adjacency")
        checked_part(self.resonance, "resonance")
        if isinstance(self.density, bool) or not isinstance(self.density, int) or self.density < 0:
            raise AddressError(f"density must be a whole number from 0 (main) upwards, not {self.density!r}.")

    @property
    def key(self) -> str:
        """The STAT7 key, `realm_id:adjacency:resonance:density`."""
        return SEPARATOR.join((self.realm_id, self.adjacency, self.resonance, str(self.density)))

    @classmethod
    def from_key(cls, key: str, realm_type: str = "sol_system") -> Self:
        """The coordinate that a key was made from.

        Raises:
            AddressError: the key has not four parts, or one of them is malformed.
        """
        parts = key.split(SEPARATOR)
        density = parts[-1] if parts[-1].isdecimal() and len(parts[-1]) <= PART_CHARACTERS_MAX else "0"
        if len(parts) != 4 or str(int(density)) != parts[3]:
            raise AddressError(
                f"STAT7 key {key!r} must read realm_id:adjacency:resonance:density, density a whole number."
            )
        return cls(parts[0], realm_type, parts[1], parts[2], int(density))
