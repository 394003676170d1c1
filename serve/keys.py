"""Bearer keys: who over HTTP is whom. What is kept of a key is its hash; the key itself is shown once, when it is made.

A key is 256 random bits, so nobody finds it by trying, and a slow hash, which is for words that people choose, would only slow
down every request. Each hash has a salt of its own, so that equal keys in two files do not show. Keys are compared in constant
time, all of them, so that how long an answer takes says nothing.
"""

import contextlib
import hmac
import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from actors.core.kernel.errors import KeyFileError

PREFIX = "soulfra_"
"""By which people, and programs that look for lost secrets, know what they have found."""
KEY_BYTES = 32
KEY_CHARACTERS_MAX = 100
SALT_BYTES = 16
PERSON = b"soulfra http key"
"""No hash of something else is one of a key."""
KEYS_MAX = 100
FILE_BYTES_MAX = 1 << 20
FORMAT = "soulfra http keys 1"
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class HashedKey:
    """What is kept of a key.

    Attributes:
        principal: whose it is.
        salt: of its hash.
        digest: its hash.
    """

    principal: str
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key that is known, hashed."""

    hashed: tuple[HashedKey, ...] = ()

    def principal_of(self, key: str) -> str | None:
        """Whose a key is; None if it is nobody's."""
        if len(key) > KEY_CHARACTERS_MAX:
            return None
        found = None
        for one in self.hashed:
            if hmac.compare_digest(_digest(key, one.salt), one.digest):
                found = one.principal
        return found

    def with_new(self, principal: str) -> tuple["Keys", str]:
        """A new key for a principal, in place of those he had; the key itself is kept nowhere.

        Raises:
            KeyFileError: there are as many keys as there may be.
        """
        others = tuple(one for one in self.hashed if one.principal != principal)
        if len(others) >= KEYS_MAX:
            raise KeyFileError(f"there are {KEYS_MAX} keys, the most there may be; remove one from the file.")
        key, salt = PREFIX + secrets.token_urlsafe(KEY_BYTES), secrets.token_bytes(SALT_BYTES)
        return Keys((*others, HashedKey(principal, salt, _digest(key, salt)))), key

    def has(self, principal: str) -> bool:
        """Whether a principal has a key."""
        return any(one.principal == principal for one in self.hashed)

    def save(self, path: Path) -> None:
        """Writes the hashes to a file that only its owner may read; all of it or nothing.

        Raises:
            KeyFileError: it cannot be written.
        """
        listed = [{"principal": one.principal, "salt": one.salt.hex(), "hash": one.digest.hex()} for one in self.hashed]
        content = json.dumps({"format": FORMAT, "keys": listed}, indent=1) + "\n"
        beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                beside.unlink()
            raise KeyFileError(f"key file {str(path)!r} cannot be written: {_told(error)}.") from None


def keys_in(path: Path) -> Keys:
    """The keys of a file; none if there is no such file.

    Raises:
        KeyFileError: others than its owner may use it, or it is damaged or holds something else.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return Keys()
    except (OSError, ValueError) as error:
        raise KeyFileError(f"key file {str(path)!r} cannot be read: {_told(error)}.") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(
            f"key file {str(path)!r} may be used by others than its owner (mode {stat.S_IMODE(mode):o}); run chmod 600 on it, "
            "and look whether keys were added to it."
        )
    try:
        if len(content) > FILE_BYTES_MAX:
            raise ValueError("too large")
        return Keys(tuple(_hashed_key(one) for one in _listed(json.loads(content))))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise KeyFileError(
            f"key file {str(path)!r} holds no keys of this program; name another, or remove it to have a new key made."
        ) from None


def _listed(document: dict[str, object]) -> list[dict[str, str]]:
    keys = document["keys"]
    if document["format"] != FORMAT or not isinstance(keys, list) or len(keys) > KEYS_MAX:
        raise ValueError("another format")
    return keys


def _hashed_key(listed: dict[str, str]) -> HashedKey:
    principal, salt, digest = listed["principal"], bytes.fromhex(listed["salt"]), bytes.fromhex(listed["hash"])
    if not isinstance(principal, str) or len(salt) != SALT_BYTES or len(digest) != KEY_BYTES:
        raise ValueError("no key")
    return HashedKey(principal, salt, digest)


def _digest(key: str, salt: bytes) -> bytes:
    return blake2b(key.encode("utf-8", "replace"), digest_size=KEY_BYTES, salt=salt, person=PERSON).digest()


def _told(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
