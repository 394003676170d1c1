"""What a vault takes. Both stores must refuse alike, so it is checked before either sees it."""

from actors.core.kernel.errors import VaultError

NUMBER_MAX = 2**63 - 1
"""What an integer column holds."""
NAME_CHARACTERS_MAX = 128
"""As for the parts of an address: names stand in every row and every message."""
NOTE_CHARACTERS_MAX = 1_000
"""Ids and kinds within a row; longer ones are a mistake or an attack."""
PAYLOAD_BYTES_MAX = 16 << 20
"""One row's payload or one founding document: sixteen times what a command may carry, so that only a mistake is refused."""
DOCUMENT_BYTES_MAX = 512 << 20
"""One document of a keyframe. SQLite and PostgreSQL both end at 1 GB, and a document is in memory as a whole."""


def checked_name(value: object, what: str) -> str:
    """`value`, if it can name something.

    Raises:
        VaultError: not text, empty, too long, or with an unprintable character.
    """
    if not isinstance(value, str) or not value or len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
        raise VaultError(
            f"{what} must be 1 to {NAME_CHARACTERS_MAX} printable characters, not {repr(value)[:NAME_CHARACTERS_MAX]}."
        )
    return value


def checked_note(value: object, what: str) -> str:
    """`value`, if it is text that every store can keep; it may be empty.

    Raises:
        VaultError: not text, too long, or with a NUL or a lone surrogate.
    """
    if not isinstance(value, str) or len(value) > NOTE_CHARACTERS_MAX:
        raise VaultError(
            f"{what} must be text of at most {NOTE_CHARACTERS_MAX} characters, not {repr(value)[:NAME_CHARACTERS_MAX]}."
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise VaultError(f"{what} {value!a} has a lone surrogate, which no encoding has.") from None
    if "\0" in value:
        raise VaultError(f"{what} {value!r} has a NUL character, which PostgreSQL cannot keep.")
    return value


def checked_number(value: object, what: str, least: int = 0) -> int:
    """`value`, if it is a whole number from `least` to `NUMBER_MAX`.

    Raises:
        VaultError: it is not.
    """
    if type(value) is not int or not least <= value <= NUMBER_MAX:
        raise VaultError(f"{what} must be a whole number from {least} to {NUMBER_MAX}, not {value!r}.")
    return value


def checked_bytes(value: object, what: str, bytes_max: int = PAYLOAD_BYTES_MAX) -> bytes:
    """`value`, if it is bytes and not too many.

    Raises:
        VaultError: it is not.
    """
    if not isinstance(value, bytes):
        raise VaultError(f"{what} must be bytes, not {type(value).__name__}.")
    if len(value) > bytes_max:
        raise VaultError(f"{what} has {len(value)} bytes; at most {bytes_max} are allowed.")
    return value
