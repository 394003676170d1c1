"""Logs: what members tell of their past so that people can look it up after they have forgotten it.

A row goes out with the outbox of the grant in which something happened. It is no part of a state or a digest, for it follows
from what is; nobody acts on it, and whoever lives the grant again says it again.
"""

import msgspec

from actors.core.kernel.errors import MemberError

RITUALS = "rituals"
"""The log of rituals that have ended."""
LOG_BYTES_PER_GRANT_MAX = 256 << 20
"""An outbox must fit through a lane; a million local ticks in one grant end some 100,000 rituals, which are 20 MB."""
ROW_OVERHEAD_BYTES = 64
"""What a row is counted with beside its record."""


class LogRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row.

    Attributes:
        log: which log, for example `RITUALS`.
        entry_id: of what it is about.
        record: what there is to say of it, encoded plain data.
    """

    log: str
    entry_id: str
    record: bytes


class Logged(msgspec.Struct, frozen=True):
    """A row as the clock has it.

    Attributes:
        fork: the number of the closed domain of the instance whose member said it.
        instance: the name of the instance.
        role: of the member within it.
        number: of the grant in which it was said.
        row: what was said.
    """

    fork: int
    instance: str
    role: str
    number: int
    row: LogRow


def size_bytes(row: LogRow) -> int:
    """What a row counts for."""
    return len(row.record) + ROW_OVERHEAD_BYTES


def check_room(member_id: str, used_bytes: int, row: LogRow) -> int:
    """How much of a grant's room for its log is used with one row more.

    Raises:
        MemberError: more than there is.
    """
    used_bytes += size_bytes(row)
    if used_bytes > LOG_BYTES_PER_GRANT_MAX:
        raise MemberError(
            f"{member_id}: the log of one grant takes more than {LOG_BYTES_PER_GRANT_MAX:,} bytes; give it fewer local ticks "
            "at once."
        )
    return used_bytes
