"""A progress bar for a run: on a terminal and in a notebook, on standard error, and nowhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actors.clocks import Status


@contextmanager
def bar(begun: int, end: int) -> Iterator[Callable[[Status], None] | None]:
    """A bar from one control tick to another; gives the function that moves it, or None where nobody could see it."""
    console = Console(stderr=True)
    if not (console.is_jupyter or sys.stderr.isatty()):
        yield None
        return
    columns = (
        TextColumn("control ticks"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=end - begun, note="")

        def show(status: Status) -> None:
            note = "; ".join(status.waiting) or f"{status.recent_events_propagated} events"
            progress.update(task, completed=status.boundary.control_tick - begun, note=note)

        yield show


@contextmanager
def branch_bar(branches: int) -> Iterator[Callable[[int, int], None]]:
    """A bar over the branches of a sweep; gives the function that moves it."""
    console = Console(stderr=True)
    if not (console.is_jupyter or sys.stderr.isatty()):
        yield lambda done, of: None
        return
    columns = (TextColumn("branches"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=branches)
        yield lambda done, of: progress.update(task, completed=done, total=of)
