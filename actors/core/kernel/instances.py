"""Instances: four platforms that belong together, with whatever realms are attached to them, in a closed domain.

Within its domain a platform is known by its role, so every instance is built alike and a copy equals its origin. Outside
it is `role~number`; the instance itself is `i` and the number of its domain, or its name.
"""

import msgspec

from actors.core.kernel.addresses import checked_part
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import AddressError

SURFACE, RUNTIME, PROTOCOL, MIRROR = PLATFORM_ROLES = ("surface", "runtime", "protocol", "mirror")
"""Source: seed 000, "The Game Within Game Architecture"."""
CREATED, INITIALIZED, STARTED = PHASES = ("created", "initialized", "started")
"""What an instance is brought to, one after the other."""
INSTANCE_MARK = "i"
FORK_MARK = "~"
"""Between what a copy was made from and its number."""
UNUSABLE = "/\\: "
"""What no name of an instance has: with it, a name could be a path, or several words, or parts of an address."""
NAMELESS = "instance"
NAME_CHARACTERS_MAX = 64
"""A fork's name has its number behind that of its origin."""


class Ancestor(msgspec.Struct, frozen=True):
    """The boundary at which an instance left whom it is a copy of.

    Attributes:
        fork: the number of the domain it left.
        control_tick: after which.
        position: of the last journal entry before it left.
        branch: of which history; "" for the one that its multiverse lives on.
    """

    fork: int
    control_tick: int
    position: int
    branch: str = ""


class Instance(msgspec.Struct, frozen=True):
    """What the clock knows of an instance beside its members.

    Attributes:
        name: no other that lives has it.
        phase: one of `PHASES`.
        ancestors: where it left whom it was made from; none if it was created.
    """

    name: str
    phase: str = CREATED
    ancestors: tuple[Ancestor, ...] = ()

    def identity(self) -> Plain:
        """What the digest covers of it."""
        left = [[one.fork, one.control_tick, one.position, one.branch] for one in self.ancestors]
        return [self.name, self.phase, left]


def instance_id(number: int) -> str:
    """The id of the instance in a domain."""
    return f"{INSTANCE_MARK}{number}"


def is_instance_id(text: str) -> bool:
    """Whether a text has the form of an instance's id."""
    number = text.removeprefix(INSTANCE_MARK)
    return number != text and number.isascii() and number.isdecimal()


def checked_instance_name(name: object) -> str:
    """`name`, if it may be given to an instance: one that a package takes, and that is no path wherever it comes to stand.

    Raises:
        AddressError: it can be no part of an address, could be a path, has the form of an id, or is too long.
    """
    found = checked_part(name, "instance name")
    if found != usable_name(found):
        raise AddressError(
            f"instance name {found!r:.100} cannot be used: it must have at most {NAME_CHARACTERS_MAX} characters, no '/' or "
            f"'\\', not begin with '@' or '{FORK_MARK}', not be dots alone, and not be {INSTANCE_MARK!r} and a number, which "
            "is an id; choose another."
        )
    return found


def usable_name(name: str, characters_max: int = NAME_CHARACTERS_MAX) -> str:
    """A name that may be given to an instance, derived from any text; one that may be given stays as it is."""
    plain = "".join(one if one.isprintable() and one not in UNUSABLE else "_" for one in name)
    found = plain.lstrip(f"@{FORK_MARK}")[:characters_max]
    if is_instance_id(found) or not found.strip("."):
        return f"{NAMELESS}-{found}"[:characters_max] if found.strip(".") else NAMELESS
    return found
