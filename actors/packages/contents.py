"""What a package holds: what an outer layer may look at and change, and the opaque cut from which members come to life again.

A package may hold others, as deep as `LEVELS_MAX`. In a file they stand in one list, each naming the one it is in, so that no
depth costs a deeper stack and nothing is packed twice.
"""

from collections.abc import Iterable
from typing import Any, Self, TypeVar

import msgspec

from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.errors import PackageError

T = TypeVar("T")

INSTANCE, MULTIVERSE = "instance", "multiverse"
KINDS = (INSTANCE, MULTIVERSE)

PACKAGES_MAX = 10_000
"""In one file, all levels together."""
LEVELS_MAX = 64
"""A package in a package in …: three times what is asked for; deeper is a cycle or an attack."""
NAME_CHARACTERS_MAX = 128
NAMES_MAX = 10_000
"""Of platforms, commands or steps in one package."""
TEXT_CHARACTERS_MAX = 10_000
"""Of a reason, a fingerprint or one step of the instructions."""
METADATA_BYTES_MAX = 64 << 10
"""It is read whole before anything else, of every package."""
DESCRIPTION_BYTES_MAX = 16 << 20
"""Game state, configurations and interface of one package, encoded. What a byte says may take 64 in memory."""
DESCRIPTIONS_BYTES_MAX = 64 << 20
"""Of all packages in a file."""
CUT_BYTES_MAX = 1 << 30
"""A city of a million has some 100 MB."""
LEVEL_MAX = 1_000_000

FORBIDDEN = frozenset("/\\:")
"""With any of these a name could lead out of a folder, here or on another system."""


class GameState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an outer layer sees of the game: plain data by id.

    Attributes:
        agents: agent id to what it is.
        rituals: ritual id to its record.
        vibes: what the weather is, and was.
        autonomous_state: what the daemons are about to do.
    """

    agents: dict[str, Any] = {}
    rituals: dict[str, Any] = {}
    vibes: dict[str, Any] = {}
    autonomous_state: dict[str, Any] = {}


class ControlInterface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be done with a package.

    Attributes:
        god_mode_commands: name to the schema of its parameters.
        manipulation_methods: the same of the manipulations that an outer layer can do by itself.
        reconstruction_instructions: for people, one step after another.
    """

    god_mode_commands: dict[str, Any] = {}
    manipulation_methods: dict[str, Any] = {}
    reconstruction_instructions: list[str] = []


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a package comes from.

    Attributes:
        reason: why it was made, for people.
        session: of whoever made it.
        recursion_level: how many layers lie below the innermost world.
        return_path: names of the layers on the way back down, the nearest first.
        fingerprint: by which rules it was lived; see `actors/fingerprints.py`.
        branch: the history it was taken from.
        control_tick: of the boundary it was taken at.
        position: of the journal, at that boundary.
        digest: of what it holds, hexadecimal; whoever brings it to life compares.
        more: whatever else the maker says.
    """

    reason: str = ""
    session: str = ""
    recursion_level: int = 0
    return_path: list[str] = []
    fingerprint: str = ""
    branch: str = ""
    control_tick: int = 0
    position: int = 0
    digest: str = ""
    more: dict[str, Any] = {}


class OuterLayerPackage(msgspec.Struct, frozen=True):
    """An instance or a multiverse, as an outer layer holds it.

    Attributes:
        system_id: of the system it comes from.
        name: of what it holds.
        kind: one of `KINDS`.
        game_state: what can be seen and changed.
        platform_configs: platform role to its configuration, plain data.
        control_interface: what can be done with it.
        metadata: where it comes from.
        cut: the encoded closed domain (`encoded_cut`), from which its members come to life; nobody here reads it.
        inner: packages that it holds.
    """

    system_id: str
    name: str
    kind: str = INSTANCE
    game_state: GameState = GameState()
    platform_configs: dict[str, Any] = {}
    control_interface: ControlInterface = ControlInterface()
    metadata: Metadata = Metadata()
    cut: bytes = b""
    inner: "list[OuterLayerPackage]" = []


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of one package that is plain data but what its label says."""

    game_state: GameState
    platform_configs: dict[str, Any]
    control_interface: ControlInterface

    @classmethod
    def of(cls, package: OuterLayerPackage) -> Self:
        """That of a package."""
        return cls(package.game_state, package.platform_configs, package.control_interface)

    def encoded(self) -> bytes:
        """As canonical plain data.

        Raises:
            PackageError: something in it is not plain data, or a name could lead out of a folder.
        """
        self.check()
        plain = {
            "game_state": msgspec.structs.asdict(self.game_state),
            "platform_configs": self.platform_configs,
            "control_interface": msgspec.structs.asdict(self.control_interface),
        }
        document = encoded(plain, "a package's game state, configurations and interface")
        self.decoded(document)  # what is written can be read
        return document

    @classmethod
    def decoded(cls, document: bytes) -> Self:
        """The description that was encoded.

        Raises:
            PackageError: it is not one.
        """
        found = converted(document, cls, "the description of a package")
        found.check()
        return found

    def check(self) -> None:
        """Raises `PackageError` unless every name is one, and there are not too many."""
        interface = self.control_interface
        checked_names(self.platform_configs, "platform role")
        checked_names(interface.god_mode_commands, "command")
        checked_names(interface.manipulation_methods, "manipulation")
        checked_count(interface.reconstruction_instructions, "reconstruction steps")
        for step in interface.reconstruction_instructions:
            checked_text(step, "reconstruction step")


def checked_metadata(metadata: Metadata) -> bytes:
    """The encoding of a package's metadata, if it may be one's.

    Raises:
        PackageError: it may not.
    """
    for word in ("reason", "session", "fingerprint", "branch", "digest"):
        checked_text(getattr(metadata, word), f"package's {word}")
    for word in ("recursion_level", "control_tick", "position"):
        most = LEVEL_MAX if word == "recursion_level" else 2**63 - 1
        value = getattr(metadata, word)
        if type(value) is not int or not 0 <= value <= most:
            raise PackageError(f"a package's {word} must be a whole number from 0 to {most}, not {value!r:.50}.")
    checked_names(metadata.return_path, "layer on the return path")
    document = encoded(msgspec.structs.asdict(metadata), "a package's metadata")
    if len(document) > METADATA_BYTES_MAX:
        raise PackageError(
            f"a package's metadata takes {len(document)} bytes; at most {METADATA_BYTES_MAX} are allowed."
        )
    return document


def checked_names(values: Iterable[object], what: str) -> None:
    """Raises `PackageError` unless all are names, and not too many."""
    for value in checked_count(list(values), f"of the kind {what}"):
        checked_name(value, what)


def checked_count(values: list[Any], what: str) -> list[Any]:
    """`values`, if they are not too many."""
    if len(values) > NAMES_MAX:
        raise PackageError(f"a package has {len(values)} {what}; at most {NAMES_MAX} are allowed.")
    return values


def checked_name(value: object, what: str) -> str:
    """`value`, if it is a name that leads nowhere: wherever it comes to stand, it is no path.

    Raises:
        PackageError: it is none.
    """
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= NAME_CHARACTERS_MAX
        or not value.isprintable()
        or value.strip() != value
        or value in (".", "..")
        or not FORBIDDEN.isdisjoint(value)
    ):
        raise PackageError(
            f"a {what} in a package must be 1 to {NAME_CHARACTERS_MAX} printable characters that are no path "
            f"(without '/', '\\' and ':'), not {value!r:.100}."
        )
    return value


def checked_text(value: object, what: str) -> str:
    """`value`, if it is text that is not too long.

    Raises:
        PackageError: it is not.
    """
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
        raise PackageError(f"a {what} must be text of at most {TEXT_CHARACTERS_MAX} characters, not {value!r:.100}.")
    return value


def encoded(plain: Plain, what: str) -> bytes:
    """Canonical plain data.

    Raises:
        PackageError: it is not plain.
    """
    try:
        return encode(plain)
    except ValueError as error:
        raise PackageError(f"{what} cannot be written down: {str(error)[:200]}.") from None


def converted(document: bytes, kind: type[T], what: str) -> T:
    """The struct that plain data were made of.

    Raises:
        PackageError: they are not plain, nested too deep, or not of that form.
    """
    try:
        return msgspec.convert(decode(document), kind, builtin_types=(bytes,))
    except ValueError as error:
        raise PackageError(f"{what} cannot be read: {str(error)[:200].rstrip('.')}.") from None
