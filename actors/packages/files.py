"""Package files, written whole or not at all, and read only if every byte is as it was written; `formats.py` tells how."""

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from actors.core.kernel.errors import PackageError
from actors.packages.contents import Description, Metadata, OuterLayerPackage
from actors.packages.formats import (
    CHUNK_BYTES,
    END,
    MAGIC,
    PRELUDE,
    VERSION,
    Content,
    OpenPackage,
    checked_package,
    opened_package,
    signed_message,
)
from actors.packages.headers import CONTENT_BYTES_MAX, Header, Label, Part, in_order, put_together
from actors.vaults.key_files import SigningKey

COMPRESSION_LEVEL = 3
PARTIAL = ".partial-"
"""Before a part of the name's hash and a random number: the file that becomes the package when it is whole."""


class Listed(msgspec.Struct, frozen=True):
    """One package of a file, as far as it is told without its content.

    Attributes:
        level: how deep it is in the others; 0 for the first.
        parent: the place of the package that it is in; -1 for the first.
        system_id: see `OuterLayerPackage`.
        name: see there.
        kind: see there.
        metadata: see there.
        description_bytes: of game state, configurations and interface, encoded.
        cut_bytes: of the cut.
    """

    level: int
    parent: int
    system_id: str
    name: str
    kind: str
    metadata: Metadata
    description_bytes: int
    cut_bytes: int


class Inspection(msgspec.Struct, frozen=True):
    """What a file says of itself, when it is whole.

    Attributes:
        version: of the format.
        file_bytes: its size.
        content_bytes: of everything, before it was compressed.
        sha256: of everything that the hash covers, hexadecimal.
        signer: the public key of whoever has signed, hexadecimal; "" if nobody has.
        packages: each after the one that it is in.
    """

    version: int
    file_bytes: int
    content_bytes: int
    sha256: str
    signer: str
    packages: list[Listed]


def write_package(
    path: str | os.PathLike[str], package: OuterLayerPackage, key: SigningKey | None = None, *, replace: bool = False
) -> None:
    """Writes a package to a file, which is there whole when this returns, or not at all. The same package has the same bytes.

    Args:
        path: where; a link there is replaced, not followed.
        package: what.
        key: who signs it; None for nobody.
        replace: whether a file that is there may be replaced.

    Raises:
        PackageError: the package may not be one, there is a file already, or it cannot be written. Nothing has changed.
    """
    pieces = _pieces(package, key)
    with _partial(Path(path), replace=replace) as file:
        for piece in pieces:
            file.write(piece)


def packed(package: OuterLayerPackage, key: SigningKey | None = None) -> bytes:
    """The bytes that `write_package` writes.

    Raises:
        PackageError: the package may not be one.
    """
    return b"".join(_pieces(package, key))


def _pieces(package: OuterLayerPackage, key: SigningKey | None) -> Iterator[bytes]:
    """What a package's file is made of, one after another; that it may be one is found out at once."""
    packages = list(in_order(package))
    descriptions = [Description.of(one).encoded() for one, _ in packages]
    labels = [
        Label(parent, one.system_id, one.name, one.kind, one.metadata, Part.of(document), Part.of(one.cut))
        for (one, parent), document in zip(packages, descriptions, strict=True)
    ]
    header = Header(b"" if key is None else key.public_key, labels)
    head = header.encoded()
    Header.decoded(head, CONTENT_BYTES_MAX)  # what is written can be read
    contents = [*descriptions, *(one.cut for one, _ in packages)]

    def pieces() -> Iterator[bytes]:
        digest = hashlib.sha256()
        for piece in chain((PRELUDE.pack(MAGIC, VERSION, key is not None, len(head)), head), _compressed(contents)):
            digest.update(piece)
            yield piece
        yield digest.digest()
        if key is not None:
            yield key.sign(signed_message(digest.digest()))
        yield END

    return pieces()


def _compressed(contents: list[bytes]) -> Iterator[bytes]:
    """One zstd frame of all of them, piece by piece."""
    compressing = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compressobj()
    for content in contents:
        whole = memoryview(content)
        for start in range(0, len(whole), CHUNK_BYTES):
            yield compressing.compress(whole[start : start + CHUNK_BYTES])
    yield compressing.flush()


def inspect_package(path: str | os.PathLike[str], *, trusted: Sequence[bytes] = ()) -> Inspection:
    """What a file holds, without decompressing any of it; the file is hashed, and its signature checked.

    Args:
        path: the file.
        trusted: public keys, of which one has to have signed; without any, whoever has signed is told, and may be anybody.

    Raises:
        PackageError: the file cannot be read, or is not what was written, with the reason.
    """
    with opened_package(path, trusted, CONTENT_BYTES_MAX) as opened:
        return _told(opened)


def _told(opened: OpenPackage) -> Inspection:
    header = opened.header
    listed = [
        Listed(
            level,
            label.parent,
            label.system_id,
            label.name,
            label.kind,
            label.metadata,
            label.description.size_bytes,
            label.cut.size_bytes,
        )
        for level, label in zip(header.levels, header.labels, strict=True)
    ]
    return Inspection(
        VERSION, opened.file_bytes, header.content_bytes, opened.sha256.hex(), header.signer.hex(), listed
    )


def read_package(
    path: str | os.PathLike[str], *, trusted: Sequence[bytes] = (), content_bytes_max: int = CONTENT_BYTES_MAX
) -> OuterLayerPackage:
    """Reads a package, all of it.

    Args:
        path: the file.
        trusted: see `inspect_package`.
        content_bytes_max: of everything, decompressed; a file that declares more, or has more, is refused.

    Raises:
        PackageError: the file cannot be read, or is not what was written, with the reason.
    """
    with opened_package(path, trusted, content_bytes_max) as opened:
        return _whole(opened)


def unpacked(
    document: bytes, *, trusted: Sequence[bytes] = (), content_bytes_max: int = CONTENT_BYTES_MAX
) -> OuterLayerPackage:
    """The package that `packed` has made these bytes of; refused as `read_package` refuses a file.

    Raises:
        PackageError: they are not what was written, with the reason.
    """
    try:
        return _whole(checked_package(BytesIO(document), trusted, content_bytes_max))
    except PackageError as error:
        raise PackageError(f"the package is refused: {error.message.rstrip('.')}.") from None


def _whole(opened: OpenPackage) -> OuterLayerPackage:
    content = Content(opened)
    descriptions = [Description.decoded(content.read(label.description)) for label in opened.header.labels]
    cuts = [content.read(label.cut) for label in opened.header.labels]
    content.check_end()
    return put_together(opened.header, descriptions, cuts)


# ------------------------------------------------------------------------------------------------- whole or not at all


@contextlib.contextmanager
def _partial(target: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """A file beside the target that takes its place when all is written and durable; otherwise it goes."""
    try:
        mark = f"{PARTIAL}{hashlib.sha256(target.name.encode()).hexdigest()[:16]}-"
        _sweep(target.parent, mark)
        if not replace and os.path.lexists(target):
            raise PackageError(f"there is a file {os.fspath(target)!r} already; name another, or move it away.")
        partial = target.with_name(f"{mark}{secrets.token_hex(8)}")
        with partial.open("xb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
                file.flush()
                os.fsync(file.fileno())
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or f"{error}".rstrip(".")
        raise PackageError(f"package {os.fspath(target)!r:.200} cannot be written: {told}.") from None


def _sweep(folder: Path, mark: str) -> None:
    """Takes away what writers of the same file have left that have died: nobody holds it any more."""
    for left in folder.glob(f"{mark}*"):
        with contextlib.suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
