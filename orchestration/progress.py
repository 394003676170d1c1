"""A progress bar for a run: on a terminal and in a notebook, on standard error, and nowhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actors.clock_messages import Status


def _is_seen(console: Console) -> bool:
    """Whether a bar would be: on a terminal, or in a notebook that can show one."""
    return find_spec("ipywidgets") is not None if console.is_jupyter else sys.stderr.isatty()


@contextmanager
def bar(begun: int, end: int) -> Iterator[Callable[[Status], None] | None]:
    """A bar from one control tick to another; gives the function that moves it, or None where nobody could see it."""
    console = Console(stderr=True)
    if not _is_seen(console):
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
    if not _is_seen(console):
        yield lambda done, of: None
        return
    columns = (TextColumn("branches"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=branches)
        yield lambda done, of: progress.update(task, completed=done, total=of)
