"""What the command line says for people: the summary that a run ends with, and how a multiverse stands that is up."""

import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from orchestration.wordings import visible

REFUSALS_SHOWN_MAX = 3
REALMS_SHOWN_MAX = 40
OUTPUT_WIDTH = 200


class VisibleConsole(Console):
    """A console on which no text from anywhere does more than be read, whatever draws it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is drawn; see `visible`. What steers the terminal is rich's own."""
        for one in super().render(renderable, options):
            yield one if one.control or one.text.isprintable() else Segment(visible(one.text), one.style)


def for_output() -> Console:
    """Standard output; what is not a terminal has room for whole lines."""
    width = None if sys.stdout.isatty() else OUTPUT_WIDTH
    return VisibleConsole(highlight=False, soft_wrap=True, markup=False, emoji=False, width=width)


def in_html(drawn: RenderableType) -> str:
    """What rich would draw, for a notebook."""
    console = Console(
        file=io.StringIO(),
        width=OUTPUT_WIDTH,
        record=True,
        highlight=False,
        color_system="truecolor",
        force_terminal=True,
        force_jupyter=False,
    )
    console.print(drawn)
    form = '<pre style="line-height: 1.3; font-family: monospace">{code}</pre>'
    return console.export_html(inline_styles=True, code_format=form)


def state_table(title: str, games: Sequence[Mapping[str, Any]]) -> Table:
    """Realms with what they show of themselves, for a notebook."""
    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    for heading in ("realm", "kind", "state"):
        table.add_column(heading)
    table.add_column("local tick", justify="right")
    table.add_column("measures")
    for game in games[:REALMS_SHOWN_MAX]:
        measures = ", ".join(f"{name} {value:,.6g}" for name, value in game["measures"].items())
        table.add_row(*map(Text, (game["realm_id"], game["kind"], game["state"], f"{game['local_tick']:,}", measures)))
    if len(games) > REALMS_SHOWN_MAX:
        table.add_row(f"… {len(games) - REALMS_SHOWN_MAX:,} more")
    return table


def print_status(document: Mapping[str, Any]) -> None:
    """Prints how a multiverse that is up stands, on standard output."""
    console = for_output()
    lateness = document["lateness"]
    late = f", {lateness['late']:,} late, worst {lateness['worst_ms']:.1f} ms" if lateness["worst_ms"] else ""
    console.print(
        Text(
            f"{document['name']} is {document['state']} at control tick {document['boundary']['control_tick']:,}"
            f"{late}; {document['events_propagated']:,} events delivered, {document['dead_letters']:,} dead letters"
        )
    )
    for line in (document["trouble"], *document["waiting"], *document["notices"]):
        if line:
            console.print(Text(line, style="bold red" if line == document["trouble"] else "yellow"))
    table = Table(box=None, pad_edge=False)
    for heading in ("realm", "kind", "state"):
        table.add_column(heading)
    table.add_column("local tick", justify="right")
    for realm in document["realms"][:REALMS_SHOWN_MAX]:
        table.add_row(*map(Text, (realm["realm_id"], realm["kind"], realm["state"], f"{realm['local_tick']:,}")))
    if document["realms"]:
        console.print(table)
    if len(document["realms"]) > REALMS_SHOWN_MAX:
        console.print(f"… and {len(document['realms']) - REALMS_SHOWN_MAX:,} more realms")
    _print_errors_and_recoveries(console, document["realms"], document["recoveries"])


def print_past(document: Mapping[str, Any]) -> None:
    """Prints how everything stood at a boundary, on standard output."""
    console = for_output()
    boundary, count = document["boundary"], document["events_propagated"]
    delivered = "" if count is None else f"; {count:,} events delivered until then"
    console.print(
        Text(
            f"{document['name']} at control tick {boundary['control_tick']:,} of {boundary['branch']}, journal position "
            f"{boundary['position']:,}{delivered}"
        )
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("realm", "kind", "state"):
        table.add_column(heading)
    table.add_column("local tick", justify="right")
    for heading in ("digest", "measures"):
        table.add_column(heading)
    for realm in document["realms"]:
        measures = ", ".join(f"{name} {value:,.6g}" for name, value in realm["measures"].items())
        row = (
            realm["realm_id"],
            realm["kind"],
            realm["state"],
            f"{realm['local_tick']:,}",
            realm["digest"][:16],
            measures,
        )
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(f"digest {document['digest']}")
    console.print(f"chain  {document['digest_chain']}")


def _print_errors_and_recoveries(
    console: Console, realms: Sequence[Mapping[str, Any]], recoveries: Sequence[Mapping[str, Any]]
) -> None:
    for realm in realms:
        if realm["error"]:
            console.print(Text(f"{realm['realm_id']} is in error: {realm['error']}", style="bold red"))
    for one in recoveries:
        where = f"{one['member_id']} in control tick {one['control_tick_id']}"
        how = f"{one['elapsed_ms']:.0f} ms, {one['replayed']} grants lived through again"
        console.print(Text(f"brought back: {where} ({one['reason']}), within {how}"))


def print_summary(summary: Mapping[str, Any], refused: Sequence[str], report: Path | None, series: Path | None) -> None:
    """Prints what a run came to, on standard output."""
    console = for_output()
    speed = f"{summary['control_ticks_per_s']:,.1f} control ticks/s"
    console.print(
        f"{summary['control_ticks']} control ticks in {summary['elapsed_s']:.2f} s ({speed}), "
        f"{summary['events_propagated']} events delivered, {summary['dead_letters']} dead letters, "
        f"{summary['players']} players, {summary['transitions']} transitions"
    )
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("realm", "left"), ("state", "left"), ("local tick", "right"), ("npcs", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    table.add_column("digest")
    for game in summary["games"]:
        npcs = "–" if game["npcs"] is None else f"{game['npcs']:,}"
        table.add_row(Text(game["realm_id"]), Text(game["state"]), f"{game['local_tick']:,}", npcs, game["digest"][:16])
    console.print(table)
    _print_errors_and_recoveries(console, summary["games"], summary["recoveries"])
    if summary["paranoia"] is not None:
        _print_paranoia(console, **summary["paranoia"])
    for line in refused[:REFUSALS_SHOWN_MAX]:
        console.print(Text(f"journey refused at {line}"))
    if len(refused) > REFUSALS_SHOWN_MAX:
        console.print(f"… and {len(refused) - REFUSALS_SHOWN_MAX} more journeys refused")
    console.print(f"digest {summary['digest']}")
    console.print(f"chain  {summary['digest_chain']}")
    for what, path in (("report", report), ("series", series)):
        if path is not None:
            console.print(Text(f"{what}: {path}"))


def _print_paranoia(console: Console, checks: int, from_birth: Sequence[str], unchecked: Mapping[str, str]) -> None:
    console.print(f"paranoid: {checks:,} answers were the same in another process")
    if from_birth:
        console.print(
            Text(f"beside a double from their birth on, for they cannot be captured: {', '.join(from_birth)}")
        )
    for member_id, reason in unchecked.items():
        console.print(Text(f"not checked: {member_id} ({reason})", style="bold red"))
