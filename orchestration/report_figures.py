"""The report's figures as plain data: what plotly.js draws, without colours.

Colours depend on whether the reader's screen is dark, which only the page knows. So a trace names a colour slot in `meta`,
and the page paints: `realm-N` is the realm's own colour everywhere, `event-N` an event type's, `other` what has none.

Every text that plotly shows is escaped here, because plotly reads a small part of HTML in labels. Axes that show names
count positions and carry the names as tick texts, so a realm called `1` or `2024-01-01` is not taken for a number or a date.

What is drawn is bounded, whatever the run's size; a figure that leaves something out says so in its notes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, isfinite
from typing import Any

from orchestration.histories import Flow, Journey, RunHistory, SeriesRow

POINTS_PER_FIGURE_MAX = 12_000
"""Of all lines of one figure together. More is slow to draw and finer than a screen."""
POINTS_PER_LINE_MAX = 1_200
MEASURES_DRAWN_MAX = 12
PLAYERS_DRAWN_MAX = 100
STEPS_PER_PLAYER_MAX = 500
"""The latest are drawn; finer ones are thinner than a pixel."""
NAMES_IN_MATRIX_MAX = 60
EVENT_TYPES_DRAWN_MAX = 7
BARS_MAX = 240
BARS_WITH_GAPS_MAX = 100
"""More bars stand side by side: gaps of less than a pixel shimmer."""
CELLS_WITH_NUMBERS_MAX = 144
LABEL_CHARACTERS_MAX = 24
COLOURS = 8
DASHES = ("solid", "dash", "dot", "dashdot")
"""Realms beyond the eighth repeat the colours with another dash; beyond the thirty-second, both repeat."""
OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Measure:
    """How a measure is shown: its title, what it is in a few words, and whether its axis starts at 0."""

    title: str
    note: str = ""
    from_zero: bool = False


MEASURES: Mapping[str, Measure] = {
    "npcs": Measure("Population", "NPCs in the realm", from_zero=True),
    "mood": Measure("Mood", "mean over the NPCs, from −1000 to 1000"),
    "wealth": Measure("Wealth", "coins held in the realm"),
    "players": Measure("Players", "in the realm at the boundary", from_zero=True),
    "rumours": Measure("Rumours", "going round in the realm", from_zero=True),
    "travellers": Measure("Travellers", "NPCs born in another realm", from_zero=True),
    "wealth_hoover": Measure(
        "Inequality", "Hoover index: the part of all wealth that equality would move", from_zero=True
    ),
}
"""Measures known by name, in the order in which they are shown. Others follow by name."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        figure_id: id of its element on the page.
        title: plain text.
        note: what is shown, plain text.
        description: the figure in words, for those who do not see it.
        height_px: of the drawing.
        traces: of plotly.js; see the module on `meta`.
        layout: of plotly.js.
        limits: what was left out, as sentences.
        wide: whether it needs the page's whole width.
    """

    figure_id: str
    title: str
    note: str
    description: str
    height_px: int
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    limits: Sequence[str] = ()
    wide: bool = False


def realms_in_order(history: RunHistory) -> list[str]:
    """Every realm of the run, those of the summary first and in its order. The place decides the colour."""
    named = [str(game["realm_id"]) for game in history.summary.get("games", ())]
    seen = {row.realm_id for row in rows_of_realms(history)} | {step.realm_id for step in history.journeys}
    return list(dict.fromkeys([*named, *sorted(seen)]))


def rows_of_realms(history: RunHistory) -> list[SeriesRow]:
    """The rows of the series that are of realms; the kernel's own members, `@players` first, have measures too."""
    return [row for row in history.series if not row.realm_id.startswith("@")]


def measure_names(rows: Sequence[SeriesRow]) -> list[str]:
    """Every measure in the rows: the known ones in their order, then the others by name."""
    found = {name for row in rows for name in row.measures}
    return [name for name in MEASURES if name in found] + sorted(found - MEASURES.keys())


def measure_figures(rows: Sequence[SeriesRow], realms: Sequence[str]) -> list[Figure]:
    """One figure per measure over control ticks, one line per realm; at most `MEASURES_DRAWN_MAX` figures."""
    names = measure_names(rows)[:MEASURES_DRAWN_MAX]
    lines: dict[str, dict[str, list[tuple[int, float | None]]]] = {name: {} for name in names}
    for row in sorted(rows, key=lambda row: row.control_tick):
        for name in names:
            if name in row.measures:
                value = float(row.measures[name])
                point = (row.control_tick, value if isfinite(value) else None)
                lines[name].setdefault(row.realm_id, []).append(point)
    return [_measure_figure(place, name, lines[name], realms) for place, name in enumerate(names)]


def _measure_figure(
    place: int, name: str, lines: Mapping[str, list[tuple[int, float | None]]], realms: Sequence[str]
) -> Figure:
    shown = MEASURES.get(name) or Measure(name.replace("_", " ").capitalize(), "as the realm tells it")
    points_max = max(4, min(POINTS_PER_LINE_MAX, POINTS_PER_FIGURE_MAX // len(lines)))
    many = len(lines) > COLOURS
    traces, drawn = [], 0
    for slot, realm in enumerate(realms):
        if realm not in lines:
            continue
        points = thinned(lines[realm], points_max)
        drawn += len(points)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(points) <= 20 and not many else "lines",
                "name": _label(realm),
                "x": [control_tick for control_tick, _ in points],
                "y": [None if value is None else float(f"{value:.7g}") for _, value in points],
                "line": {"width": 1.3 if many else 2, "dash": DASHES[slot // COLOURS % len(DASHES)]},
                "marker": {"size": 5},
                "hovertemplate": "<b>%{fullData.name}</b><br>control tick %{x}: %{y:,.7~g}<extra></extra>",
                "meta": {"colour": f"realm-{slot % COLOURS}", "realm": slot},
            }
        )
    total = sum(map(len, lines.values()))
    limits = []
    if drawn < total:
        limits.append(f"Drawn from {drawn:,} of {total:,} points: the lowest and the highest of every stretch.")
    return Figure(
        f"measure-{place}",
        shown.title,
        shown.note,
        _measure_in_words(shown.title, lines, realms),
        260,
        traces,
        {
            "xaxis": _tick_axis([point[0] for line in lines.values() for point in (line[0], line[-1])]),
            "yaxis": {"rangemode": "tozero" if shown.from_zero else "normal"},
            "hovermode": "closest",
        },
        limits,
    )


def _measure_in_words(title: str, lines: Mapping[str, list[tuple[int, float | None]]], realms: Sequence[str]) -> str:
    ends = [(realm, lines[realm][0][1], lines[realm][-1][1]) for realm in realms if realm in lines]
    told = "; ".join(f"{realm} from {_figure(first)} to {_figure(last)}" for realm, first, last in ends[:COLOURS])
    more = f"; and {len(ends) - COLOURS} more realms" if len(ends) > COLOURS else ""
    return f"Line chart of {title.lower()} per realm over control ticks: {told}{more}."


def _figure(value: float | None) -> str:
    return "no figure" if value is None else f"{value:,.7g}"


def thinned(points: Sequence[tuple[int, float | None]], points_max: int) -> list[tuple[int, float | None]]:
    """At most `points_max` of the points, in order: both ends, and of every stretch between its lowest and its highest.

    Every point returned is one of the given, so no peak is smoothed away. `points_max` is at least 4.
    """
    if len(points) <= points_max:
        return list(points)
    stretches = (points_max - 2) // 2
    kept = {0, len(points) - 1}
    inner = len(points) - 2
    for stretch in range(stretches):
        places = range(1 + stretch * inner // stretches, 1 + (stretch + 1) * inner // stretches)
        valued = [(value, place) for place in places if (value := points[place][1]) is not None]
        kept.update({min(valued)[1], max(valued)[1]} if valued else {places[0]})
    return [points[place] for place in sorted(kept)]


def journey_figure(journeys: Sequence[Journey], realms: Sequence[str], control_ticks: int) -> Figure | None:
    """Who was where when: one row per player, coloured by realm. None if there are no players."""
    ways: dict[str, list[Journey]] = {}
    for step in sorted(journeys, key=lambda step: step.control_tick):
        ways.setdefault(step.player_id, []).append(step)
    if not ways:
        return None
    busiest = sorted(ways, key=lambda player: -len(ways[player]))[:PLAYERS_DRAWN_MAX]
    players = [player for player in ways if player in set(busiest)]
    end = max(control_ticks, *(way[-1].control_tick for way in ways.values()))
    stays: dict[str, list[tuple[int, Journey, int]]] = {}
    for row, player in enumerate(players):
        way = ways[player][-STEPS_PER_PLAYER_MAX:]
        for step, until in zip(way, [*(step.control_tick for step in way[1:]), end + 1], strict=True):
            if until > step.control_tick:
                stays.setdefault(step.realm_id, []).append((row, step, until))
    slots = {realm: slot for slot, realm in enumerate(realms)}
    limits = []
    if len(players) < len(ways):
        limits.append(f"The {len(players)} players with most steps, of {len(ways):,}.")
    if any(len(ways[player]) > STEPS_PER_PLAYER_MAX for player in players):
        limits.append(f"Of each player, the latest {STEPS_PER_PLAYER_MAX} steps.")
    moves = sum(len(way) - 1 for way in ways.values())
    return Figure(
        "journeys",
        "Where the players were",
        "one row per player, coloured by the realm the player is in",
        f"Timeline of {len(ways)} players over {end} control ticks, with {moves} moves between realms.",
        90 + 26 * len(players) if len(players) <= 40 else 90 + 17 * len(players),
        [_stays(realm, slots[realm], found) for realm, found in sorted(stays.items(), key=lambda item: slots[item[0]])],
        {
            "barmode": "overlay",
            "bargap": 0.28,
            "hovermode": "closest",
            "uniformtext": {"mode": "hide", "minsize": 9},
            "xaxis": _tick_axis([0, end]) | {"range": [-0.5, end + 0.5]},
            "yaxis": _name_axis([ways[player][-1].name for player in players])
            | {"range": [len(players) - 0.4, -0.6], "showgrid": False},
        },
        limits,
    )


def _stays(realm: str, slot: int, stays: Sequence[tuple[int, Journey, int]]) -> Mapping[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": _label(realm),
        "y": [row for row, _, _ in stays],
        "base": [step.control_tick - 0.5 for _, step, _ in stays],
        "x": [until - step.control_tick for _, step, until in stays],
        "text": [_label(realm)] * len(stays),
        "textposition": "inside",
        "insidetextanchor": "start",
        "textangle": 0,
        "customdata": [
            [_label(step.name), _label(step.player_id), step.control_tick, until - 1] for _, step, until in stays
        ],
        "hovertemplate": "<b>%{customdata[0]}</b> in %{fullData.name}<br>control ticks %{customdata[2]} to "
        "%{customdata[3]}<br>%{customdata[1]}<extra></extra>",
        "meta": {"colour": f"realm-{slot % COLOURS}", "realm": slot},
    }


def matrix_figure(flows: Sequence[Flow], realms: Sequence[str]) -> Figure | None:
    """Deliveries by source and target as a heat map. None if nothing was delivered."""
    traffic: Counter[str] = Counter()
    for flow in flows:
        traffic[flow.source] += flow.deliveries
        traffic[flow.target] += flow.deliveries
    total = sum(flow.deliveries for flow in flows)
    if not total:
        return None
    rank = {realm: place for place, realm in enumerate(realms)}
    names = sorted(traffic, key=lambda name: (rank.get(name, len(rank)), name))
    limits = []
    if len(names) > NAMES_IN_MATRIX_MAX:
        kept = {name for name, _ in traffic.most_common(NAMES_IN_MATRIX_MAX - 1)}
        limits.append(f"The {len(kept)} members with most deliveries, of {len(names):,}; the rest is {OTHERS}.")
        names = [name for name in names if name in kept]
    place = {name: at for at, name in enumerate(names)}
    shown = [*names, OTHERS] if limits else names
    cells = [[0] * len(shown) for _ in shown]
    pairs: Counter[tuple[str, str]] = Counter()
    for flow in flows:
        cells[place.get(flow.source, len(names))][place.get(flow.target, len(names))] += flow.deliveries
        pairs[flow.source, flow.target] += flow.deliveries
    (source, target), most = pairs.most_common(1)[0]
    sources = [at for at, name in enumerate(shown) if name in rank or any(cells[at])]
    targets = [at for at, name in enumerate(shown) if name in rank or any(row[at] for row in cells)]
    labels = [_label(name) for name in shown]
    gap_px = 2 if len(shown) <= 30 else 1
    numbered = len(sources) * len(targets) <= CELLS_WITH_NUMBERS_MAX
    return Figure(
        "matrix",
        "Who spoke to whom",
        "deliveries, from the row to the column",
        f"Heat map of {total:,} deliveries between {len(traffic)} members; most, {most:,}, went from {source} to {target}.",
        max(400, 150 + 15 * len(sources)),
        [
            {
                "type": "heatmap",
                "x": list(range(len(targets))),
                "y": list(range(len(sources))),
                "z": [[cells[source][target] or None for target in targets] for source in sources],
                "zmin": 0,
                "zmax": max((count for row in cells[: len(names)] for count in row[: len(names)]), default=0) or total,
                "xgap": gap_px,
                "ygap": gap_px,
                "texttemplate": "%{z:,d}" if numbered else "",
                "customdata": [[[labels[source], labels[target]] for target in targets] for source in sources],
                "hovertemplate": "%{customdata[0]} → %{customdata[1]}<br><b>%{z:,d}</b> deliveries<extra></extra>",
                "hoverongaps": False,
                "meta": {"colour": "scale"},
            }
        ],
        {
            "xaxis": _name_axis([shown[at] for at in targets])
            | {"side": "top", "showgrid": False, "range": [-0.5, len(targets) - 0.5]},
            "yaxis": _name_axis([shown[at] for at in sources])
            | {"showgrid": False, "range": [len(sources) - 0.5, -0.5]},
        },
        limits,
        wide=len(targets) > 20,
    )


def deliveries_figure(flows: Sequence[Flow]) -> Figure | None:
    """Deliveries over control ticks, stacked by event type. None if nothing was delivered."""
    totals: Counter[str] = Counter()
    for flow in flows:
        totals[flow.event_type] += flow.deliveries
    if not sum(totals.values()):
        return None
    first = min(flow.control_tick for flow in flows)
    last = max(flow.control_tick for flow in flows)
    width = ceil((last - first + 1) / BARS_MAX)
    common = [event_type for event_type, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
    common, rest = common[:EVENT_TYPES_DRAWN_MAX], common[EVENT_TYPES_DRAWN_MAX:]
    bars: dict[str, Counter[int]] = {event_type: Counter() for event_type in [*common, *([OTHERS] if rest else [])]}
    for flow in flows:
        kind = flow.event_type if flow.event_type in common else OTHERS
        bars[kind][(flow.control_tick - first) // width] += flow.deliveries
    limits = []
    if width > 1:
        limits.append(f"Each bar is {width} control ticks.")
    if rest:
        limits.append(f"The {len(common)} most frequent of {len(totals)} event types; the rest is {OTHERS}.")
    told = ", ".join(f"{event_type} {totals[event_type]:,}" for event_type in common)
    return Figure(
        "deliveries",
        "When, and about what",
        "deliveries per control tick by event type" if width == 1 else "deliveries over control ticks by event type",
        f"Stacked bars of deliveries by event type over control ticks {first} to {last}: {told}.",
        400,
        [
            {
                "type": "bar",
                "name": _label(kind),
                "x": [first + at * width + (width - 1) / 2 for at in sorted(counts)],
                "y": [counts[at] for at in sorted(counts)],
                "width": width * (0.82 if last - first < BARS_WITH_GAPS_MAX * width else 1),
                "customdata": [[first + at * width, min(last, first + (at + 1) * width - 1)] for at in sorted(counts)],
                "hovertemplate": "<b>%{fullData.name}</b><br>%{y:,d} deliveries, control ticks "
                "%{customdata[0]} to %{customdata[1]}<extra></extra>",
                "meta": {"colour": "other" if kind == OTHERS and rest else f"event-{slot}"},
            }
            for slot, (kind, counts) in enumerate(bars.items())
        ],
        {
            "barmode": "stack",
            "hovermode": "closest",
            "showlegend": True,
            "legend": {"orientation": "h", "y": -0.16, "x": 0, "traceorder": "normal"},
            "xaxis": _tick_axis([first, last]),
            "yaxis": {"rangemode": "tozero", "tickformat": ",d"},
        },
        limits,
    )


def _tick_axis(control_ticks: Sequence[int]) -> dict[str, Any]:
    few = max(control_ticks) - min(control_ticks) <= 10
    return {"title": {"text": "control tick"}, "tickformat": ",d"} | ({"dtick": 1} if few else {})


def _name_axis(names: Sequence[str]) -> dict[str, Any]:
    return {"tickvals": list(range(len(names))), "ticktext": [_label(name) for name in names], "zeroline": False}


def _label(name: str) -> str:
    """A name as plotly may show it: short, and with nothing in it that plotly would read as markup."""
    return escape(name if len(name) <= LABEL_CHARACTERS_MAX else f"{name[: LABEL_CHARACTERS_MAX - 1]}…")
