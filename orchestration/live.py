"""The live picture of a run on a terminal: progress, every realm's local time and figures, events flowing, lateness."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.status import Status as RichStatus
from rich.table import Table
from rich.text import Text

from actors.clock_messages import Status

BAR_WIDTH = 60
REALMS_SHOWN_MAX = 20
"""More rows than a terminal has would scroll away the rest."""
PLAIN_INTERVAL_S = 5.0
"""Without a terminal, a line of status this often."""
STATE_STYLES = {"running": "green", "syncing": "green", "booting": "yellow", "paused": "yellow", "error": "bold red"}


@contextmanager
def starting(engine: str) -> Iterator[RichStatus]:
    """Says that something is on its way until it is stopped: Ray and its actors take seconds to start."""
    console = Console(stderr=True)
    said = "starting Ray and an actor for each realm" if engine == "ray" else "making the realms"
    with console.status(said) as status:
        yield status


class LiveStatus:
    """Shows how a run goes, on standard error.

    Args:
        title: what runs.
        end: the control tick it goes to, or None without a bound.
        local_tick_ms: simulated milliseconds in a local tick.
        realtime: whether lateness means anything.
    """

    def __init__(self, title: str, end: int | None, local_tick_ms: int, realtime: bool) -> None:
        self._title, self._end, self._local_tick_ms, self._realtime = title, end, local_tick_ms, realtime
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=10) if sys.stderr.isatty() else None
        self._begun = self._said = time.monotonic()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, status: Status) -> None:
        """Shows one status."""
        if self._live is not None:
            self._live.update(self._picture(status))
        elif time.monotonic() - self._said >= PLAIN_INTERVAL_S:
            self._said = time.monotonic()
            self._console.print(self._headline(status), highlight=False, soft_wrap=True)

    def _headline(self, status: Status) -> str:
        end = "" if self._end is None else f"/{self._end}"
        return " · ".join(
            [
                f"control tick {status.boundary.control_tick}{end}",
                f"{status.recent_events_propagated} events in the last tick, {status.state['events_propagated']} so far",
                *([self._lateness(status)] if self._realtime else []),
                f"{time.monotonic() - self._begun:.1f} s",
                *status.waiting,
            ]
        )

    @staticmethod
    def _lateness(status: Status) -> str:
        lateness = status.lateness
        return f"late {lateness.late}, worst {lateness.worst_ms:.1f} ms, mean {lateness.mean_ms:.2f} ms"

    def _picture(self, status: Status) -> RenderableType:
        parts: list[RenderableType] = [Text(self._title, style="bold")]
        if self._end is not None:
            bar = Table.grid()  # a bar alone would not end its line
            bar.add_row(ProgressBar(total=max(self._end, 1), completed=status.boundary.control_tick, width=BAR_WIDTH))
            parts.append(bar)
        parts += [self._realms(status), Text(self._headline(status), style="dim")]
        return Group(*parts)

    def _realms(self, status: Status) -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("realm")
        table.add_column("state")
        for heading in ("local time", "npcs", "mood", "wealth", "players"):
            table.add_column(heading, justify="right")
        for game in status.state["games"][:REALMS_SHOWN_MAX]:
            measures = game["measures"]
            table.add_row(
                Text(game["realm_id"]),
                Text(game["state"], style=STATE_STYLES.get(game["state"], "")),
                f"{game['local_tick'] * self._local_tick_ms / 1e3:,.1f} s",
                *(
                    f"{measures[name]:,.0f}" if name in measures else "–"
                    for name in ("npcs", "mood", "wealth", "players")
                ),
            )
        hidden = len(status.state["games"]) - REALMS_SHOWN_MAX
        if hidden > 0:
            table.add_row(f"… {hidden} more")
        return table
