"""Ed25519 keys in files: a private one that signs, which only its owner may read, and its public half, which checks.

Both are PEM, as other programs write and read them (`openssl genpkey -algorithm ed25519`). A private key leaves its file for
nothing but signing: it stands in no error, no `repr`, no vault and no package. The library is fetched when it is needed, for
that takes 60 ms.
"""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from actors.core.kernel.errors import KeyFileError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC_SUFFIX = ".pub"
"""Added to the whole name of the private key's file."""
FILE_BYTES_MAX = 4 << 10
"""A PEM of either half has some 120 bytes; what is much longer is another file."""
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
SHOWN_CHARACTERS = 16
"""Of a public key's digits, where it is only to be told apart from others."""
OWNER_ONLY = 0o600
READABLE = 0o644


class SigningKey:
    """A private key. Made by `load`."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self._private = private
        self.public_key: bytes = private.public_key().public_bytes_raw()
        """Its public half, by which signatures are checked."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, `SIGNATURE_BYTES` long; the same message has the same one."""
        return self._private.sign(message)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "SigningKey":
        """Reads a private key.

        Raises:
            KeyFileError: there is none, others may read it, or the file is damaged or holds something else.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        content, mode = _read(path, "private key")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileError(
                f"private key file {os.fspath(path)!r} may be used by others than its owner (mode {stat.S_IMODE(mode):o}); "
                "run chmod 600 on it, and make a new key if somebody may have read it."
            )
        try:
            found = load_pem_private_key(content, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # what it says may quote the file
            raise KeyFileError(
                f"private key file {os.fspath(path)!r} holds no whole private key without a password; "
                "name one that `soulfra audit keygen` has made."
            ) from None
        if not isinstance(found, Ed25519PrivateKey):
            raise KeyFileError(f"private key file {os.fspath(path)!r} holds a key of another kind; Ed25519 is needed.")
        return cls(found)

    def __repr__(self) -> str:
        return f"<the private half of {short(self.public_key)}>"


def short(public_key: bytes) -> str:
    """A public key as it is told apart from others."""
    return public_key.hex()[:SHOWN_CHARACTERS]


def generate(path: str | os.PathLike[str]) -> bytes:
    """Makes a key: the private half in a file that only its owner may read, the public half beside it in `….pub`.

    Returns:
        The public half.

    Raises:
        KeyFileError: one of the files is there already, or cannot be made; nothing is left behind.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    made = Ed25519PrivateKey.generate()
    halves = (
        (made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), OWNER_ONLY, Path(path)),
        (
            made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            READABLE,
            Path(f"{os.fspath(path)}{PUBLIC_SUFFIX}"),
        ),
    )
    written: list[Path] = []
    try:
        for content, mode, where in halves:
            with os.fdopen(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                written.append(where)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
    except (OSError, ValueError) as error:
        for one in written:
            one.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise KeyFileError(f"there is a file {os.fspath(where)!r} already; name another, for keys stay.") from None
        raise KeyFileError(f"key file {os.fspath(where)!r} cannot be made: {_told(error)}.") from None
    return made.public_key().public_bytes_raw()


def public_key_in(path: str | os.PathLike[str]) -> bytes:
    """Reads the public half of a key.

    Raises:
        KeyFileError: there is none, or the file is damaged or holds something else.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content, _ = _read(path, "public key")
    try:
        found = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise KeyFileError(
            f"public key file {os.fspath(path)!r} holds no whole public key of Ed25519; name the file that ends with "
            f"{PUBLIC_SUFFIX!r}."
        )
    return found.public_bytes_raw()


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the private half of a key has signed a message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _read(path: str | os.PathLike[str], what: str) -> tuple[bytes, int]:
    """What a file holds, and its mode; both of one open file, so that nobody exchanges it between the two."""
    name = os.fspath(path)
    try:
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not hold us up
        try:
            mode = os.fstat(file).st_mode
            content = os.read(file, FILE_BYTES_MAX + 1) if stat.S_ISREG(mode) else None
        finally:
            os.close(file)
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{what} file {name!r} cannot be read: {_told(error)}.") from None
    if content is None or len(content) > FILE_BYTES_MAX:
        raise KeyFileError(f"{what} file {name!r} is not a file of at most {FILE_BYTES_MAX} bytes; name another.")
    return content, mode


def _told(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error).rstrip(".")
