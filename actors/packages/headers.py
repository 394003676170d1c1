"""The header of a package file: a label for each package in it, and the sizes and hashes of what follows.

A header is believed only as far as it is checked here: the file around it may have been made by anybody.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from actors.core.kernel.errors import PackageError
from actors.packages.contents import (
    CUT_BYTES_MAX,
    DESCRIPTION_BYTES_MAX,
    DESCRIPTIONS_BYTES_MAX,
    KINDS,
    LEVELS_MAX,
    PACKAGES_MAX,
    Description,
    Metadata,
    OuterLayerPackage,
    checked_metadata,
    checked_name,
    converted,
    encoded,
)
from actors.vaults.key_files import PUBLIC_KEY_BYTES

HEADER_BYTES_MAX = 8 << 20
"""Some 800 bytes for each of the most packages that there may be. It is in memory as a whole before anything else."""
CONTENT_BYTES_MAX = 4 << 30
"""Of everything in a file before it was compressed, where nothing else is said."""
SHA256_BYTES = 32
NOBODY = -1
"""Instead of the place of the package that one is in: it is in none."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of the content: how many bytes, and their SHA-256."""

    size_bytes: int
    sha256: bytes

    @classmethod
    def of(cls, content: bytes) -> "Part":
        """That of some bytes."""
        return cls(len(content), hashlib.sha256(content).digest())


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says of one package before its content.

    Attributes:
        parent: the place in the list of the package that it is in; `NOBODY` for the first.
        system_id: see `OuterLayerPackage`.
        name: see there.
        kind: see there.
        metadata: see there.
        description: of game state, configurations and interface.
        cut: of the cut.
    """

    parent: int
    system_id: str
    name: str
    kind: str
    metadata: Metadata
    description: Part
    cut: Part


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a file says before its content.

    Attributes:
        signer: the public key of whoever has signed; empty if nobody has.
        labels: of every package, each after the one that it is in. The content is their descriptions in this order, and then
            their cuts.
    """

    signer: bytes
    labels: list[Label]

    @property
    def content_bytes(self) -> int:
        """Of everything, before it was compressed."""
        return sum(label.description.size_bytes + label.cut.size_bytes for label in self.labels)

    @property
    def levels(self) -> list[int]:
        """How deep each package is in the others; 0 for the first."""
        found: list[int] = []
        for label in self.labels:
            found.append(0 if label.parent == NOBODY else found[label.parent] + 1)
        return found

    def encoded(self) -> bytes:
        """As canonical plain data.

        Raises:
            PackageError: it is too large.
        """
        plain = {"signer": self.signer, "labels": [_plain(label) for label in self.labels]}
        document = encoded(plain, "a package's header")
        if len(document) > HEADER_BYTES_MAX:
            raise PackageError(
                f"the packages' metadata take {len(document)} bytes; at most {HEADER_BYTES_MAX} are allowed in one file."
            )
        return document

    @classmethod
    def decoded(cls, document: bytes, content_bytes_max: int) -> "Header":
        """The header that was encoded, if all that it says may be.

        Raises:
            PackageError: it cannot be read, or something in it may not be.
        """
        header = converted(document, cls, "the header of a package file")
        header.check(content_bytes_max)
        return header

    def check(self, content_bytes_max: int) -> None:
        """Raises `PackageError` unless all of it may be."""
        if len(self.signer) not in (0, PUBLIC_KEY_BYTES):
            raise PackageError(f"a signer's key must have {PUBLIC_KEY_BYTES} bytes, not {len(self.signer)}.")
        if not 1 <= len(self.labels) <= PACKAGES_MAX:
            raise PackageError(f"a file must hold 1 to {PACKAGES_MAX} packages, not {len(self.labels)}.")
        for place, label in enumerate(self.labels):
            if not (0 <= label.parent < place or (label.parent == NOBODY and place == 0)):
                raise PackageError(
                    f"package {place} says that it is in package {label.parent}, which is not before it."
                )
            _check(label)
        if (deepest := max(self.levels)) >= LEVELS_MAX:
            raise PackageError(f"packages are nested {deepest + 1} levels deep; at most {LEVELS_MAX} are allowed.")
        described = sum(label.description.size_bytes for label in self.labels)
        if described > DESCRIPTIONS_BYTES_MAX:
            raise PackageError(
                f"game states, configurations and interfaces take {described} bytes; at most {DESCRIPTIONS_BYTES_MAX} are "
                "allowed in one file."
            )
        if self.content_bytes > content_bytes_max:
            raise PackageError(
                f"the file declares {self.content_bytes} bytes of content; at most {content_bytes_max} are allowed here."
            )


def _plain(label: Label) -> dict[str, object]:
    parts = {"description": label.description, "cut": label.cut, "metadata": label.metadata}
    return msgspec.structs.asdict(label) | {name: msgspec.structs.asdict(part) for name, part in parts.items()}


def _check(label: Label) -> None:
    checked_name(label.system_id, "system id")
    checked_name(label.name, "name")
    if label.kind not in KINDS:
        raise PackageError(f"a package's kind must be {' or '.join(KINDS)}, not {label.kind!r:.100}.")
    checked_metadata(label.metadata)
    for part, what, most in (
        (label.description, "game state, configurations and interface", DESCRIPTION_BYTES_MAX),
        (label.cut, "cut", CUT_BYTES_MAX),
    ):
        if not 0 <= part.size_bytes <= most:
            raise PackageError(f"a package's {what} must have 0 to {most} bytes, not {part.size_bytes}.")
        if len(part.sha256) != SHA256_BYTES:
            raise PackageError(
                f"the hash of a package's {what} must have {SHA256_BYTES} bytes, not {len(part.sha256)}."
            )


def in_order(package: OuterLayerPackage) -> Iterator[tuple[OuterLayerPackage, int]]:
    """A package and all in it, each with the place of the one that it is in; each after that one.

    Raises:
        PackageError: they are too many, or nested too deep.
    """
    waiting = [(package, NOBODY, 0)]
    place = 0
    while waiting:
        one, parent, level = waiting.pop()
        if level >= LEVELS_MAX:
            raise PackageError(f"packages are nested more than {LEVELS_MAX} levels deep, or one holds itself.")
        if place + len(waiting) + len(one.inner) >= PACKAGES_MAX:
            raise PackageError(
                f"there are more than {PACKAGES_MAX} packages in one another; that is the most of one file."
            )
        yield one, parent
        waiting += [(inner, place, level + 1) for inner in reversed(one.inner)]
        place += 1


def put_together(header: Header, descriptions: list[Description], cuts: list[bytes]) -> OuterLayerPackage:
    """The package that a header's labels, their descriptions and their cuts make."""
    inner: list[list[OuterLayerPackage]] = [[] for _ in header.labels]
    for place in range(len(header.labels) - 1, 0, -1):
        inner[header.labels[place].parent].insert(0, _made(header, place, descriptions, cuts, inner))
    return _made(header, 0, descriptions, cuts, inner)


def _made(
    header: Header, place: int, descriptions: list[Description], cuts: list[bytes], inner: list[list[OuterLayerPackage]]
) -> OuterLayerPackage:
    label, described = header.labels[place], descriptions[place]
    return OuterLayerPackage(
        label.system_id,
        label.name,
        label.kind,
        described.game_state,
        described.platform_configs,
        described.control_interface,
        label.metadata,
        cuts[place],
        inner[place],
    )
