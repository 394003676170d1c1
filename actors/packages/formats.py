"""The format of a package file, and how one is read: only if every byte is as it was written.

    magic (8) | version (2) | signed (1) | header's length (4) | header | content | SHA-256 (32) | signature (64) | end (8)

Numbers have their highest byte first. The content is one zstd frame. The SHA-256 is of everything before it; the signature,
which is there if `signed` is 1, is Ed25519 over that. A file is hashed before anything in it is believed, and its content is
decompressed by and by, never past what the header declares: what would take more memory is refused before it has any.
"""

import contextlib
import hashlib
import io
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import zstandard

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import PackageError
from actors.packages.headers import HEADER_BYTES_MAX, SHA256_BYTES, Header, Part
from actors.vaults.key_files import SIGNATURE_BYTES, is_signed, short

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGIC = b"SOULFRA\x1a"
END = b"\x1aARFLUOS"
VERSION = 1
PRELUDE = struct.Struct(">8sHBI")
SIGNED_AS = "soulfra package"
"""What a signature is for, so that one of something else never passes for it."""
WINDOW_BYTES_MAX = 8 << 20
"""Memory that decompressing takes besides the content; what is written here needs a quarter of it."""
CHUNK_BYTES = 1 << 20


def signed_message(digest: bytes) -> bytes:
    """What is signed of a file with this SHA-256."""
    return encode([SIGNED_AS, VERSION, digest])


class OpenPackage(msgspec.Struct, frozen=True):
    """A package file whose bytes are what was written, and whose content has not been looked at.

    Attributes:
        file: it.
        header: what it says.
        begins: where its content begins, in bytes.
        ends: where that ends.
        file_bytes: its size.
        sha256: of everything that the hash covers.
    """

    file: BinaryIO
    header: Header
    begins: int
    ends: int
    file_bytes: int
    sha256: bytes


@contextlib.contextmanager
def opened_package(
    path: str | os.PathLike[str], trusted: Sequence[bytes], content_bytes_max: int
) -> Iterator[OpenPackage]:
    """Opens a package file and makes sure of it.

    Args:
        path: the file.
        trusted: public keys, of which one has to have signed; without any, a signature only has to be the signer's.
        content_bytes_max: how much it may declare to have.

    Raises:
        PackageError: it cannot be read, or is not what was written, with the reason.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PackageError("it is not a file; name the package's file")
            yield checked_package(file, trusted, content_bytes_max)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or f"{error}"
        raise PackageError(f"package {os.fspath(path)!r:.200} cannot be read: {told.rstrip('.')}.") from None
    except PackageError as error:
        raise PackageError(f"package {os.fspath(path)!r:.200} is refused: {error.message.rstrip('.')}.") from None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe must not hold us up


def checked_package(file: BinaryIO, trusted: Sequence[bytes], content_bytes_max: int) -> OpenPackage:
    """Makes sure of a package that is a file or in memory; see `opened_package`.

    Raises:
        PackageError: it is not what was written, with the reason.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    prelude = file.read(PRELUDE.size)
    if prelude[: len(MAGIC)] != MAGIC[: len(prelude)] or not prelude:
        raise PackageError("it does not begin as a package file does; name another")
    if len(prelude) < PRELUDE.size:
        raise PackageError("it is cut off; fetch it again")
    _, version, signed, header_bytes = PRELUDE.unpack(prelude)
    if version > VERSION:
        raise PackageError(
            f"it has version {version} of the format, and this program knows none above {VERSION}; use a newer program"
        )
    trailer_bytes = SHA256_BYTES + (SIGNATURE_BYTES if signed else 0) + len(END)
    if version < 1 or signed > 1 or header_bytes > HEADER_BYTES_MAX:
        raise PackageError("its first bytes are damaged; fetch it again")
    begins, ends = PRELUDE.size + header_bytes, size - trailer_bytes
    if ends < begins:
        raise PackageError("it is cut off; fetch it again")
    file.seek(ends)
    trailer = file.read(trailer_bytes)
    if trailer[-len(END) :] != END:
        raise PackageError(
            "it does not end as a package file does: it is cut off, or something was appended; fetch it again"
        )
    document, digest = _hashed(file, header_bytes, ends)
    if digest != trailer[:SHA256_BYTES]:
        raise PackageError("its content is not what was written: its hash is another; fetch it again")
    header = Header.decoded(document, content_bytes_max)
    if bool(header.signer) != bool(signed):
        raise PackageError("its header does not say the same of a signature as its first bytes do; fetch it again")
    _check_signature(header.signer, digest, trailer[SHA256_BYTES : -len(END)], trusted)
    return OpenPackage(file, header, begins, ends, size, digest)


def _hashed(file: BinaryIO, header_bytes: int, ends: int) -> tuple[bytes, bytes]:
    """The header, and the hash of everything up to `ends`."""
    file.seek(0)
    digest, left = hashlib.sha256(), ends
    prelude, document = file.read(PRELUDE.size), file.read(header_bytes)
    digest.update(prelude + document)
    left -= len(prelude) + len(document)
    while left > 0 and (some := file.read(min(CHUNK_BYTES, left))):
        digest.update(some)
        left -= len(some)
    return document, digest.digest()


def _check_signature(signer: bytes, digest: bytes, signature: bytes, trusted: Sequence[bytes]) -> None:
    wanted = " or ".join(map(short, trusted))
    if trusted and not signer:
        raise PackageError(f"it is not signed, and must be by {wanted}")
    if trusted and signer not in trusted:
        raise PackageError(f"it is signed by {short(signer)}, not by {wanted}")
    if signer and not is_signed(signer, signed_message(digest), signature):
        raise PackageError(f"it does not bear the signature of {short(signer)}, as it says")


class Content:
    """The content of an open package, decompressed part by part in its order."""

    def __init__(self, opened: OpenPackage) -> None:
        opened.file.seek(opened.begins)
        within = _Stretch(opened.file, opened.ends - opened.begins)
        decompressing = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        self._reader = decompressing.stream_reader(io.BufferedReader(within), read_across_frames=True, closefd=False)

    def read(self, part: Part) -> bytes:
        """The next part.

        Raises:
            PackageError: it is not as long as declared, or not what was written.
        """
        found, digest = io.BytesIO(), hashlib.sha256()
        while found.tell() < part.size_bytes:
            some = self._some(min(CHUNK_BYTES, part.size_bytes - found.tell()))
            if not some:
                raise PackageError("its content is shorter than it declares; nothing of it is used")
            found.write(some)
            digest.update(some)
        if digest.digest() != part.sha256:
            raise PackageError("a part of its content is not what it declares; nothing of it is used")
        return found.getvalue()

    def check_end(self) -> None:
        """Raises `PackageError` if there is more than was declared."""
        if self._some(1):
            raise PackageError("its content is longer than it declares; nothing of it is used")

    def _some(self, size: int) -> bytes:
        try:
            return self._reader.read(size)
        except zstandard.ZstdError as error:
            raise PackageError(f"its content cannot be decompressed ({error}); nothing of it is used") from None


class _Stretch(io.RawIOBase):
    """Some bytes of a file from where it stands, as a file of their own."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file, self._left = file, size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        into = memoryview(buffer)
        some = self._file.read(min(len(into), self._left))
        into[: len(some)] = some
        self._left -= len(some)
        return len(some)
