"""The logbook: what the newest control ticks came to, for comparing, for reports and for export.

It is bounded in bytes, and packed: a clock runs for months, and a record as objects takes five times the room. What is
older lives on in the digest chain, and in whatever the driver has written down.
"""

from collections import deque
from collections.abc import Iterator

import msgspec

from actors.core.kernel.ticking import TickRecord

PAGE_OVERHEAD_BYTES = 41
"""What Python adds to a record: the head of a bytes object, and a place in the queue."""

Row = tuple[int, str, int, dict[str, float]]
"""Control tick, realm id, local tick, measures."""


class Logbook:
    """Packed records of the newest control ticks.

    Args:
        bytes_max: how much room they may take; the newest record stays, however large.

    Attributes:
        rows_dropped: rows of series in the records that were let go.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._sheet = bytearray()
        self._pages: deque[bytes] = deque()
        self._rows: deque[int] = deque()
        self.rows_dropped = 0

    def note(self, record: TickRecord) -> None:
        """Takes a record in, and lets the oldest go for which there is no room."""
        _encode_into(record, self._sheet)
        page = bytes(self._sheet)  # what the encoder itself returns takes more room than it has bytes
        self._pages.append(page)
        self._rows.append(len(record.rows))
        self._bytes += len(page) + PAGE_OVERHEAD_BYTES
        while self._bytes > self._bytes_max and len(self._pages) > 1:
            self._bytes -= len(self._pages.popleft()) + PAGE_OVERHEAD_BYTES
            self.rows_dropped += self._rows.popleft()

    def rewind(self, control_tick: int) -> None:
        """Lets the records of all later control ticks go: they are of another history from here on."""
        while self._pages and _decode(self._pages[-1]).control_tick_id > control_tick:
            self._bytes -= len(self._pages.pop()) + PAGE_OVERHEAD_BYTES
            self._rows.pop()

    def records(self) -> list[TickRecord]:
        """The records, oldest first. May be asked from another thread."""
        return [_decode(page) for page in self._pages.copy()]

    def rows(self) -> Iterator[Row]:
        """The rows of series in them, oldest first."""
        for record in self.records():
            for member_id, local_tick, measures in record.rows:
                yield record.control_tick_id, member_id, local_tick, measures


_encode_into = msgspec.msgpack.Encoder().encode_into
_decode = msgspec.msgpack.Decoder(TickRecord).decode
