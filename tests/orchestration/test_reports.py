import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from actors.core.kernel.errors import SettingsError
from orchestration import reports
from orchestration.histories import Flow, Journey, RunHistory, SeriesRow
from orchestration.report_figures import (
    MEASURES_DRAWN_MAX,
    NAMES_IN_MATRIX_MAX,
    PLAYERS_DRAWN_MAX,
    POINTS_PER_FIGURE_MAX,
    deliveries_figure,
    journey_figure,
    matrix_figure,
    measure_figures,
    thinned,
)
from orchestration.reports import rendered, write_report

ATTACKS = (
    "<script>document.documentElement.dataset.hit=1</script>",
    "</script><script>document.documentElement.dataset.hit=1</script>",
    '"><img/src=x/onerror=document.documentElement.dataset.hit=1>',
    "<!--<script>",
    "{{7*7}}%{x}${1}",
    "<a href='https://example.org'>x</a>",
    "1",
    "2024-01-01",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOADING_ATTRIBUTES = {"src", "srcset", "action", "formaction", "poster", "data", "background", "ping", "manifest"}


def run_of(
    realms: Sequence[str] = ("sol_1", "sol_2", "sol_3"), control_ticks: int = 20, players: int = 4
) -> RunHistory:
    """A run in which every player walks round the realms and every realm tells the next a rumour."""
    games = [
        {"realm_id": realm, "stat7_key": f"{realm}:c:n:0", "state": "running", "local_tick": 10 * control_ticks}
        | {"npcs": 40, "digest": sha256(realm.encode()).hexdigest()}
        for realm in realms
    ]
    ticks = range(1, control_ticks + 1)
    return RunHistory(
        {
            "seed": 7, "engine": "local", "lane": "none", "control_ticks": control_ticks, "events_propagated": 60,
            "dead_letters": 0, "players": players, "transitions": 3, "games": games, "recoveries": 0,
            "digest": "ab" * 32, "digest_chain": "cd" * 32, "elapsed_s": 1.5, "control_ticks_per_s": 13.3,
            "command": "soulfra simulate --seed 7",
        },
        [
            SeriesRow(tick, realm, 10 * tick, {"npcs": 40.0, "mood": float((tick * 37 + at * 101) % 400 - 200), "wealth": 9e3})
            for tick in ticks
            for at, realm in enumerate(realms)
        ],
        [
            Flow(tick, realm, realms[(at + 1) % len(realms)], "rumour", 1 + at % 3)
            for tick in ticks
            for at, realm in enumerate(realms)
        ],
        [
            Journey(f"p{player}", f"Player {player}", tick, realms[(player + tick) % len(realms)])
            for player in range(players)
            for tick in range(0, control_ticks, 5)
        ],
    )  # fmt: skip


def hostile_run() -> RunHistory:
    run = run_of(ATTACKS, players=len(ATTACKS))
    games = [
        dict(game) | dict.fromkeys(("state", "error", "stat7_key"), game["realm_id"]) for game in run.summary["games"]
    ]
    told = {"engine": ATTACKS[0], "command": ATTACKS[1], "digest": ATTACKS[2], "recoveries": [{ATTACKS[0]: ATTACKS[1]}]}
    names = {f"p{player}": attack for player, attack in enumerate(ATTACKS)}
    return RunHistory(
        {**run.summary, **told, "games": games},
        [replace(row, measures={**row.measures, ATTACKS[1]: 1.0, ATTACKS[4]: 2.0}) for row in run.series],
        [replace(flow, event_type=ATTACKS[flow.control_tick % len(ATTACKS)]) for flow in run.flows],
        [replace(step, player_id=names[step.player_id], name=names[step.player_id]) for step in run.journeys],
    )


class Page(HTMLParser):
    """What a browser would act on in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, Mapping[str, str | None]]] = []
        self.scripts: list[tuple[Mapping[str, str | None], str]] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self.cdata_elem == "style":
            self.styles.append(data)

    @property
    def policy(self) -> dict[str, list[str]]:
        (content,) = [
            attributes["content"] or ""
            for tag, attributes in self.tags
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        return {words[0]: words[1:] for words in (rule.split() for rule in content.split(";"))}

    @property
    def drawings(self) -> list[dict[str, Any]]:
        (text,) = [text for attributes, text in self.scripts if attributes.get("type") == "application/json"]
        assert "<" not in text  # so no name could end the script element, whatever the labels let through
        found: list[dict[str, Any]] = json.loads(text)
        return found


@pytest.mark.parametrize("history", [run_of(), hostile_run(), RunHistory({})], ids=["plain", "hostile", "empty"])
def test_nothing_in_the_page_would_be_loaded_from_anywhere(history: RunHistory) -> None:
    page = Page(rendered(history))
    for tag, attributes in page.tags:
        assert not LOADING_ATTRIBUTES & attributes.keys(), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href") in (None, "data:,")
        assert "url(" not in (attributes.get("style") or "")
    assert not {tag for tag, _ in page.tags} & {
        "iframe",
        "object",
        "embed",
        "img",
        "base",
        "form",
        "audio",
        "video",
        "a",
    }
    assert not [style for style in page.styles if "url(" in style or "@import" in style]


@pytest.mark.parametrize("history", [run_of(), hostile_run(), RunHistory({})], ids=["plain", "hostile", "empty"])
def test_the_policy_allows_the_two_scripts_by_hash_and_no_connection(history: RunHistory) -> None:
    page = Page(rendered(history))
    running = [text for attributes, text in page.scripts if "type" not in attributes]
    assert page.policy == {
        "default-src": ["'none'"],
        "script-src": [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in running],
        "style-src": ["'unsafe-inline'"],
        "img-src": ["data:", "blob:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    assert len(running) == 2
    assert "plotly.js v" in running[0][:100]


def test_names_come_out_as_text_and_never_as_markup() -> None:
    text = rendered(hostile_run())
    page = Page(text)
    assert len(page.scripts) == 3
    for attack in ATTACKS[:4]:
        assert attack not in text
    assert "&lt;script&gt;document" in text


def test_labels_that_plotly_would_read_as_markup_are_escaped_and_data_is_not_run_through_templates() -> None:
    drawings = json.dumps(Page(rendered(hostile_run())).drawings)
    assert "<script" not in drawings
    assert "<img" not in drawings
    assert "<a" not in drawings
    assert "&lt;script&gt;" in drawings
    assert "{{7*7}}%{x}${1}" in drawings
    assert "{{7*7}}" not in "".join(re.findall(r'"hovertemplate": "([^"]*)"', drawings))


def test_hostile_data_changes_neither_script_nor_policy() -> None:
    assert Page(rendered(hostile_run())).policy == Page(rendered(run_of())).policy


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (RunHistory({}), ("0 worlds, 0 control ticks", "No measures", "No player", "No event", "No game")),
        (run_of(players=0), ("3 worlds, 20 control ticks", "No player took part")),
        (replace(run_of(), flows=()), ("No event was delivered",)),
        (run_of(["sol_1"], 1, 1), ("1 world, 1 control tick",)),
        (replace(run_of(), series=[SeriesRow(1, "sol_1", 10, {})]), ("No measures",)),
        (replace(run_of(), series=[SeriesRow(1, "sol_1", 10, {"x": float("nan"), "y": float("inf")})]), ("no figure",)),
    ],
    ids=["nothing", "no players", "no events", "one of each", "no measures", "no finite figure"],
)
def test_runs_in_which_little_happened_say_so(history: RunHistory, said: Sequence[str]) -> None:
    page = rendered(history)
    for words in said:
        assert words in page
    Page(page).drawings  # noqa: B018 - strict JSON, whatever was missing


def test_a_game_in_error_is_shown_with_its_message() -> None:
    run = run_of()
    run.summary["games"][1].update(state="error", error="ValueError: the granary holds -4 sacks.")
    page = rendered(run)
    assert "1 of 3 games stopped in error." in page
    assert page.count("ValueError: the granary holds -4 sacks.") == 2


def test_digests_are_short_to_read_and_whole_to_copy_and_the_command_is_there() -> None:
    page = rendered(run_of())
    assert ">abababababab…<" in page
    assert f'data-copy="{"ab" * 32}"' in page
    assert page.count("soulfra simulate --seed 7") == 2


def test_every_figure_has_a_place_a_heading_and_words_for_those_who_do_not_see_it() -> None:
    page = Page(rendered(run_of()))
    places = {attributes["id"]: attributes for tag, attributes in page.tags if attributes.get("role") == "img"}
    assert list(places) == [drawing["id"] for drawing in page.drawings]
    assert [*places] == ["measure-0", "measure-1", "measure-2", "journeys", "matrix", "deliveries"]
    assert all(len(attributes["aria-label"] or "") > 40 for attributes in places.values())
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")


def test_a_realm_has_one_colour_in_every_figure() -> None:
    slots: dict[str, set[str]] = {}
    for drawing in Page(rendered(run_of([f"r{n}" for n in range(11)]))).drawings:
        for trace in drawing["traces"]:
            if "realm" in trace["meta"]:
                slots.setdefault(trace["name"], set()).add(trace["meta"]["colour"])
    assert {name: len(found) for name, found in slots.items()} == {f"r{n}": 1 for n in range(11)}
    assert slots["r1"] == slots["r9"] != slots["r2"]


def test_thinning_keeps_the_ends_and_every_peak() -> None:
    points: list[tuple[int, float | None]] = [(at, float(at % 7)) for at in range(10_000)]
    points[4321], points[8765], points[5] = (4321, 1e6), (8765, -1e6), (5, None)
    kept = thinned(points, 100)
    assert len(kept) <= 100
    assert kept == sorted(set(kept) & set(points), key=lambda point: point[0])
    assert {points[0], points[-1], points[4321], points[8765]} <= set(kept)
    assert thinned(points[:100], 100) == points[:100]


def test_a_hundred_thousand_rows_are_drawn_from_a_bounded_number_of_points_and_the_page_says_so() -> None:
    realms = [f"sol_{n}" for n in range(100)]
    rows = [
        SeriesRow(k, realm, 10 * k, {"npcs": 40.0, "mood": float(k % 97)}) for k in range(1, 1001) for realm in realms
    ]
    figures = measure_figures(rows, realms)
    assert sum(len(trace["x"]) for trace in figures[1].traces) <= POINTS_PER_FIGURE_MAX
    page = rendered(replace(run_of(realms, 10, 100), series=rows))
    assert re.search(r"Drawn from [\d,]+ of 100,000 points", page)
    assert len(page) - len(get_plotlyjs()) < 2_000_000


def test_many_players_names_measures_and_event_types_are_bounded_and_said() -> None:
    realms = [f"r{n}" for n in range(200)]
    journeys = journey_figure(run_of(realms, 20, 150).journeys, realms, 20)
    assert journeys is not None
    assert len(journeys.layout["yaxis"]["ticktext"]) == PLAYERS_DRAWN_MAX
    assert "of 150" in journeys.limits[0]
    flows = [Flow(k, f"r{k % 200}", f"r{k * 7 % 200}", f"type_{k % 30}", 1) for k in range(3000)]
    matrix, deliveries = matrix_figure(flows, realms), deliveries_figure(flows)
    assert matrix is not None
    assert deliveries is not None
    assert len(matrix.traces[0]["z"]) == NAMES_IN_MATRIX_MAX
    assert sum(count or 0 for row in matrix.traces[0]["z"] for count in row) == 3000
    assert sum(sum(trace["y"]) for trace in deliveries.traces) == 3000
    assert len(deliveries.limits) == 2
    rows = [SeriesRow(1, "r0", 10, {f"m{n:02}": 1.0 for n in range(30)})]
    page = rendered(RunHistory({}, rows))
    assert len(Page(page).drawings) == MEASURES_DRAWN_MAX
    assert "Recorded but not drawn here: m12" in page


def test_rows_that_were_no_longer_kept_are_told() -> None:
    assert "The oldest 1,234 rows of the series had been dropped" in rendered(replace(run_of(), series_dropped=1234))
    assert "had been dropped" not in rendered(run_of())


def test_the_registry_is_no_realm_though_it_has_measures() -> None:
    run = run_of()
    page = rendered(replace(run, series=[*run.series, SeriesRow(1, "@players", 10, {"realms_visited": 3.0})]))
    assert page == rendered(run)


def test_stays_of_a_player_meet_without_gap_or_overlap() -> None:
    steps = [
        Journey("p", "Ada", 0, "a"),
        Journey("p", "Ada", 3, "b"),
        Journey("p", "Ada", 3, "c"),
        Journey("p", "Ada", 9, "a"),
    ]
    figure = journey_figure(steps, ["a", "b", "c"], 10)
    assert figure is not None
    stays = sorted(
        (base, base + x, trace["name"])
        for trace in figure.traces
        for base, x in zip(trace["base"], trace["x"], strict=True)
    )
    assert stays == [(-0.5, 2.5, "a"), (2.5, 8.5, "c"), (8.5, 10.5, "a")]


def test_the_report_replaces_the_old_one_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "run.html"
    write_report(target, run_of())
    before = target.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(reports, "rendered", lambda history: "\ud800")
        with pytest.raises(UnicodeEncodeError):
            write_report(target, run_of())
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["run.html"]
    with pytest.raises(SettingsError, match="does not exist"):
        write_report(tmp_path / "none" / "run.html", run_of())


def test_the_same_run_gives_the_same_report() -> None:
    assert rendered(run_of()) == rendered(run_of())


@pytest.mark.skipif(CHROMIUM is None, reason="not run: chromium is not installed")
@pytest.mark.parametrize("history", [run_of(), hostile_run()], ids=["plain", "hostile"])
def test_a_browser_draws_every_figure_without_a_word_on_its_console(tmp_path: Path, history: RunHistory) -> None:
    write_report(tmp_path / "run.html", history)
    shown = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=8000",
            "--dump-dom", (tmp_path / "run.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert not [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    page = Page(shown.stdout)
    (root,) = [attributes for tag, attributes in page.tags if tag == "html"]
    assert root["data-drawn"] == str(len(page.drawings))
    assert "data-hit" not in root
    drawn = [attributes for tag, attributes in page.tags if tag == "svg" and attributes.get("class") == "main-svg"]
    assert len(drawn) >= len(page.drawings)
    assert not [
        tag for tag, attributes in page.tags if tag == "img" or (attributes.get("xlink:href") or "").startswith("http")
    ]
