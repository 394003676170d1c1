"""Sweeps: the rows are those of live runs, in the order of the table, and what does not fit is refused before any run."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from actors.core.kernel.errors import CommandRefusedError, SettingsError, SoulfraError, UnknownMemberError
from orchestration import Multiverse, sweeps
from orchestration.main import run

REALMS = Path(__file__).parents[1] / "realms"
TABLE: list[dict[str, Any]] = [
    {},
    {"city_0.npcs.*.thrift": 0},
    {"city_0.npcs.*.thrift": 100, "city_1.npcs.3.wealth": 9_000},
]
MEASURES = ["city_0.wealth", "city_1.mood"]


def cities(mv: Multiverse) -> Multiverse:
    for number in range(2):
        params = {"npcs": 40, "neighbours": [f"city_{1 - number}"]}
        mv.register_game(f"city_{number}", "actors.core.realms.city:City", params=params)
    return mv


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault of two cities, with a snapshot after control tick 12."""
    folder = tmp_path_factory.mktemp("swept")
    with Multiverse(5, name="home", engine="local", vault=folder / "home.sqlite", realm_paths=[REALMS]) as mv:
        cities(mv).run(12)
        mv.snapshot("noon")
        mv.run(3)
        mv.register_game("again", "leaks:Replayed")
        mv.run(1)
    return folder


def live_rows(folder: Path) -> list[dict[str, Any]]:
    """The same by hand: going back, modifying, running, for each branch."""
    rows = []
    with Multiverse(5, name="home", engine="local", vault=folder / "home.sqlite", realm_paths=[REALMS]) as mv:
        for number, changes in enumerate(TABLE, 1):
            mv.revert(snapshot="noon")
            for city in ("city_0", "city_1"):
                if some := {path.partition(".")[2]: value for path, value in changes.items() if path.startswith(city)}:
                    mv.modify(city, some)
            for _ in range(2):
                mv.run(6)
                games = {game["realm_id"]: game["measures"] for game in mv.get_multiverse_state()["games"]}
                figures = {f"{city}.{name}": games[city][name] for city, name in (one.split(".") for one in MEASURES)}
                tick = mv.boundary().control_tick
                rows.append(
                    {"branch": number, **changes, "control_tick": tick, **figures, "digest_chain": mv.digest_chain()}
                )
    return rows


def test_the_rows_are_those_of_live_runs(lived: Path, tmp_path: Path) -> None:
    from shutil import copytree

    told: list[tuple[int, int]] = []
    rows = sweeps.sweep(
        lived / "home.sqlite", "home", TABLE, 12, snapshot="noon", measures=MEASURES, every=6, engine="local",
        progress=lambda done, of: told.append((done, of)),
    )  # fmt: skip
    copytree(lived, tmp_path / "live")
    assert rows == live_rows(tmp_path / "live")
    assert len({row["digest_chain"] for row in rows}) == 6
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_on_a_cluster_the_rows_are_the_same(lived: Path, tmp_path: Path) -> None:
    where: dict[str, Any] = {"snapshot": "noon", "measures": MEASURES}
    here = sweeps.sweep(lived / "home.sqlite", "home", TABLE * 4, 8, engine="local", **where)
    assert sweeps.sweep(lived / "home.sqlite", "home", TABLE * 4, 8, engine="ray", **where) == here
    with Multiverse(5, name="home", vault=tmp_path / "v.sqlite") as mv:
        cities(mv).run(6)
        chain = mv.digest_chain()
        rows = mv.sweep(TABLE, 4, control_tick=3)
        assert [row["control_tick"] for row in rows] == [7, 7, 7] and mv.digest_chain() == chain
        mv.run(1)
        assert rows[0]["digest_chain"] == mv.digest_chain()


@pytest.mark.parametrize(
    ("table", "more", "error", "says"),
    [
        ([], {}, SettingsError, "from 1 to 100,000 branches"),
        ([{}], {"control_ticks": 0}, SettingsError, "control_ticks must be a whole number from 1"),
        ([{}], {"every": -1}, SettingsError, "every must be"),
        ([{}], {"engine": "moon"}, SettingsError, "engine must be one of"),
        ([{}], {"measures": ["wealth"]}, SettingsError, "must read member.measure"),
        (
            [{}],
            {"measures": ["city_7.wealth"]},
            UnknownMemberError,
            "no member 'city_7' to measure; there are city_0, city_1",
        ),
        ([{}], {"snapshot": ""}, CommandRefusedError, "begins at a control tick, or else at a snapshot"),
        ([{}], {"control_tick": 3}, CommandRefusedError, "begins at a control tick, or else at a snapshot"),
        ([{}, {"city_0.npcs.3.luck": 1}], {}, CommandRefusedError, "branch 2 of the sweep: .* no attribute 'luck'"),
        ([{"city_0.npcs.*.thrift": 1e6}], {}, CommandRefusedError, "branch 1 of the sweep: .* no whole number"),
        ([{}], {"measures": ["city_0.welth"]}, CommandRefusedError, "city_0 has no measure 'welth'; it has mood, npcs"),
        ([{3: 1}], {}, SettingsError, "a path must be text, not 3"),
        ({"city_0.npcs.3.mood": 1}, {}, SettingsError, "must be a list of maps"),
        ([{"city_9.npcs.3.mood": 1}], {}, UnknownMemberError, "branch 1 of the sweep: .* no member 'city_9'"),
        ([{"city_0": 1}], {}, CommandRefusedError, "there is no section ''"),
        (
            [{"again.figures.0.x": 1}],
            {"snapshot": "", "control_tick": 16},
            CommandRefusedError,
            "it cannot be captured",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_any_run(
    lived: Path, table: list[Any], more: dict[str, Any], error: type[SoulfraError], says: str
) -> None:
    asked = {"control_ticks": 2, "snapshot": "noon", "engine": "local", **more}

    def run_by_mistake(done: int, of: int) -> None:
        raise AssertionError("a branch was run")

    with pytest.raises(error, match=says):
        sweeps.sweep(lived / "home.sqlite", "home", table, asked.pop("control_ticks"), progress=run_by_mistake, **asked)


def test_what_only_the_realm_can_refuse_names_its_branch(lived: Path) -> None:
    with pytest.raises(CommandRefusedError, match="branch 2 of the sweep: city_0 cannot be made from that state"):
        sweeps.sweep(
            lived / "home.sqlite", "home", [{}, {"city_0.npcs.*.habit": 77}], 2, snapshot="noon", engine="local"
        )


def test_from_a_shell(lived: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(lived)
    common = ["sweep", "home", "--control-ticks", "3", "--snapshot", "noon", "--engine", "local"]
    varied = [
        "--vary",
        "city_0.npcs.*.thrift=0,100",
        "--vary",
        "city_1.npcs.3.wealth=5,6",
        "--measure",
        "city_0.wealth",
    ]
    assert run([*common, *varied, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["city_0.npcs.*.thrift"], row["city_1.npcs.3.wealth"]) for row in rows] == [
        (0, 5),
        (0, 6),
        (100, 5),
        (100, 6),
    ]
    assert list(rows[0]) == [
        "branch", "city_0.npcs.*.thrift", "city_1.npcs.3.wealth", "control_tick", "city_0.wealth", "digest_chain",
    ]  # fmt: skip
    table = tmp_path / "table.csv"
    table.write_text("city_0.npcs.*.thrift,city_1.npcs.3.wealth\n0,5\n,6\n")
    out = tmp_path / "rows.csv"
    assert run([*common, "--table", str(table), "--measure", "city_0.wealth", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"2 branches, 2 rows in {out}\n"
    with out.open() as file:
        written = list(csv.DictReader(file))
    assert (
        written[0]["digest_chain"] == rows[0]["digest_chain"]
        and float(written[0]["city_0.wealth"]) == rows[0]["city_0.wealth"]
    )
    assert written[1]["city_0.npcs.*.thrift"] == "" and written[1]["city_1.npcs.3.wealth"] == "6"
    assert run([*common, *varied]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    for wrong, says in (
        ([], "give either --vary"),
        (["--vary", "city_0.npcs.3.mood"], "--vary must read PATH=VALUE"),
        (["--table", "none.csv"], "cannot be read"),
        (["--vary", "city_0.npcs.3.mood=1", "--out", "rows.txt"], "must end in .csv or .parquet"),
    ):
        assert run([*common, *wrong]) == 2
        assert says in capsys.readouterr().err
    table.write_text("a,b\n1\n")
    assert run([*common, "--table", str(table)]) == 2
    assert "line 2" in capsys.readouterr().err


def test_rows_as_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = [{"branch": 1, "a": 1, "b": None}, {"branch": 2, "a": "text", "b": 0.5, "=c": "=1"}]
    sweeps.write_rows(tmp_path / "rows.parquet", rows)
    found = parquet.read_table(tmp_path / "rows.parquet").to_pydict()
    assert found == {"branch": [1, 2], "a": ["1", "text"], "b": [None, 0.5], "=c": [None, "=1"]}
    sweeps.write_rows(tmp_path / "rows.csv", rows)
    assert (tmp_path / "rows.csv").read_text() == "branch,a,b,'=c\n1,1,,\n2,text,0.5,'=1\n"
