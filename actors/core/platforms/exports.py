"""FinalExportDaemon: writes a reflection of every sealed loop, a document that nobody can change any more.

What goes into it is gathered by a cascade over the bridge: Protocol's compliance, then Surface's weather, each handed on.
Where a platform stands still, the reflection is written without it after a while, and says so.
"""

from hashlib import sha256
from typing import Any

from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.instances import PROTOCOL, RUNTIME, SURFACE
from actors.core.platforms.schemas import Part, Seal, Whole

EXPORTS_MAX = 8
EXPORT_WAITS_TICKS = 100
CASCADE_STEPS = (
    (PROTOCOL, "compliance"),
    (RUNTIME, "society"),
    (SURFACE, "weather"),
    (RUNTIME, "society"),
)


class Reflection(Part, frozen=True):
    """A read-only reflection of a loop.

    Attributes:
        loop: its number.
        loop_seal: its seal.
        written_at: local tick.
        whole: whether all platforms had their say.
        document: [platform, what, value] in the order of the cascade.
        seal: SHA-256 of all the others, in the canonical encoding.
    """

    loop: Whole
    loop_seal: Seal
    written_at: Whole
    whole: bool
    document: tuple[tuple[str, str, Any], ...]
    seal: Seal


def written(
    loop: int, loop_seal: str, now: int, whole: bool, results: tuple[tuple[str, str, Plain], ...]
) -> Reflection:
    """A reflection, sealed."""
    return Reflection(loop, loop_seal, now, whole, results, _seal(loop, loop_seal, now, whole, results))


def check_reflection(export_id: str, found: Reflection) -> None:
    """Whether a reflection is as it was written.

    Raises:
        ValueError: it is not.
    """
    if found.seal != _seal(found.loop, found.loop_seal, found.written_at, found.whole, found.document):
        raise ValueError(f"exports.{export_id} is not what was sealed: a reflection is read-only")


def _seal(loop: int, loop_seal: str, now: int, whole: bool, results: Plain) -> str:
    return sha256(encode([loop, loop_seal, now, whole, results])).hexdigest()
