"""The report: one HTML file of a run that needs no network and keeps its promise by policy.

plotly.js and the page's own script stand in the file; a Content-Security-Policy names both by hash and forbids everything
else, so neither a name in the run nor a later edit of the data can make the page load or run anything. Names are escaped
three times over, once per reader: by the template for HTML, by `tojson` for the data inside a script element, and by
`report_figures` for plotly's labels.
"""

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from orchestration.histories import RunHistory
from orchestration.report_figures import (
    COLOURS,
    DASHES,
    MEASURES_DRAWN_MAX,
    Figure,
    deliveries_figure,
    journey_figure,
    matrix_figure,
    measure_figures,
    measure_names,
    realms_in_order,
    rows_of_realms,
)
from orchestration.series import checked_target, replacing

DIGEST_SHOWN_CHARACTERS = 12
STEPS_IN_TABLE_MAX = 500
GAMES_IN_TABLE_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Card:
    """One key figure of the run: its name, its value, a word on it, and the whole value where the shown one is cut."""

    title: str
    value: str
    note: str = ""
    whole: str = ""


def write_report(path: str | os.PathLike[str], history: RunHistory) -> None:
    """Writes the report of a run as one HTML file of about 5 MB, nearly all of it plotly.js.

    A file of that name is replaced at once when the new one is whole, and is untouched by a failure.

    Raises:
        SettingsError: see `checked_target`.
    """
    checked_target(path)
    page = rendered(history).encode()
    with replacing(path) as file:
        file.write(page)


def rendered(history: RunHistory) -> str:
    """The report of a run as one HTML page."""
    summary = history.summary
    realms = realms_in_order(history)
    rows = rows_of_realms(history)
    measures = measure_figures(rows, realms)
    journeys = journey_figure(history.journeys, realms, int(summary.get("control_ticks", 0)))
    traffic = [figure for figure in (matrix_figure(history.flows, realms), deliveries_figure(history.flows)) if figure]
    games = list(summary.get("games", ()))
    recoveries = summary.get("recoveries", 0)
    figures = [*measures, *([journeys] if journeys else []), *traffic]
    return (
        _environment()
        .from_string(files("orchestration").joinpath("report.html").read_text("utf-8"))
        .render(
            summary=summary,
            headline=headline(summary),
            cards=cards(summary),
            realms=realms,
            colours=COLOURS,
            dashes=DASHES,
            measures=measures,
            measures_left_out=measure_names(rows)[MEASURES_DRAWN_MAX:],
            series_dropped=history.series_dropped,
            journeys=journeys,
            steps=sorted(history.journeys, key=lambda step: step.control_tick)[:STEPS_IN_TABLE_MAX],
            steps_total=len(history.journeys),
            traffic=traffic,
            games=games[:GAMES_IN_TABLE_MAX],
            games_total=len(games),
            failed=[game for game in games if game.get("state") == "error" or game.get("error")],
            recoveries=recoveries if isinstance(recoveries, Sequence) and not isinstance(recoveries, str) else (),
            drawings=[_drawing(figure) for figure in figures],
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - plotly's own file, named by its hash in the page's policy
            plotly_version=get_plotlyjs_version(),
        )
    )


def headline(summary: Mapping[str, Any]) -> str:
    """The run in a line."""
    games, ticks = len(summary.get("games", ())), int(summary.get("control_ticks", 0))
    return f"{_counted(games, 'world')}, {_counted(ticks, 'control tick')}"


def cards(summary: Mapping[str, Any]) -> list[Card]:
    """The key figures of a run; what the summary does not tell is left out."""
    found = []
    for key, title, note in (
        ("control_ticks", "Control ticks", "rounds of the master clock"),
        ("events_propagated", "Deliveries", "events carried between realms"),
        ("dead_letters", "Dead letters", "events that reached nobody"),
        ("players", "Players", "known to the registry"),
        ("transitions", "Transitions", "moves between realms"),
    ):
        if key in summary:
            found.append(Card(title, f"{summary[key]:,}", note))
    recoveries = summary.get("recoveries", 0)
    count = recoveries if isinstance(recoveries, int) else len(recoveries)
    if count:
        found.append(Card("Recoveries", f"{count:,}", "processes that died and came back"))
    if "control_ticks_per_s" in summary:
        note = f"control ticks per second; {summary['elapsed_s']:,.2f} s in all" if "elapsed_s" in summary else ""
        found.append(Card("Speed", f"{summary['control_ticks_per_s']:,.1f}/s", note))
    for key, title, note in (
        ("digest", "Digest", "of everything at the end"),
        ("digest_chain", "Digest chain", "of every control tick, folded"),
    ):
        if summary.get(key):
            found.append(Card(title, shortened(summary[key]), note, str(summary[key])))
    return found


def shortened(digest: object) -> str:
    """The first characters of a digest, enough to tell two apart by eye."""
    text = str(digest)
    return text if len(text) <= DIGEST_SHOWN_CHARACTERS else f"{text[:DIGEST_SHOWN_CHARACTERS]}…"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _drawing(figure: Figure) -> dict[str, Any]:
    return {"id": figure.figure_id, "traces": figure.traces, "layout": figure.layout}


def _policy_hash(script: str) -> Markup:
    """A script's name in a Content-Security-Policy."""
    return Markup(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'")  # noqa: S704 - base64


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"policy_hash": _policy_hash, "shortened": shortened, "counted": _counted}
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False, "ensure_ascii": True}
    return environment
