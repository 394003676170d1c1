import builtins
import csv
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.core.kernel.errors import SettingsError
from orchestration.histories import SeriesRow
from orchestration.series import checked_series_path, replacing, write_series

ROWS = [
    SeriesRow(2, "sol_1", 20, {"npcs": 40.0, "mood": -12.5}),
    SeriesRow(1, "sol_2", 10, {"wealth": 0.1 + 0.2, "npcs": 3.0}),
    SeriesRow(1, "sol_1", 10, {"npcs": 40.0, "mood": 1e300}),
]


def test_csv_has_one_sorted_row_per_realm_and_control_tick_and_exact_floats(tmp_path: Path) -> None:
    write_series(tmp_path / "run.csv", ROWS)
    assert (tmp_path / "run.csv").read_bytes() == (
        b"control_tick,realm_id,local_tick,mood,npcs,wealth\n"
        b"1,sol_1,10,1e+300,40.0,\n"
        b"1,sol_2,10,,3.0,0.30000000000000004\n"
        b"2,sol_1,20,-12.5,40.0,\n"
    )


def test_order_of_rows_given_does_not_matter(tmp_path: Path) -> None:
    write_series(tmp_path / "a.csv", ROWS)
    write_series(tmp_path / "b.csv", ROWS[::-1])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_no_rows_give_the_leading_columns(tmp_path: Path) -> None:
    write_series(tmp_path / "run.csv", [])
    assert (tmp_path / "run.csv").read_text() == "control_tick,realm_id,local_tick\n"


@pytest.mark.parametrize("value", [0.1, 5e-324, -0.0, 1.7976931348623157e308, math.inf, -math.inf, 1 / 3])
def test_csv_floats_have_the_same_bits_when_read(tmp_path: Path, value: float) -> None:
    write_series(tmp_path / "run.csv", [SeriesRow(1, "a", 10, {"x": value})])
    with (tmp_path / "run.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert struct.pack("<d", float(row["x"])) == struct.pack("<d", value)


@pytest.mark.parametrize("realm", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", '=a,"b"'])
def test_no_text_cell_of_a_csv_begins_a_formula_and_the_original_can_be_had_back(tmp_path: Path, realm: str) -> None:
    write_series(tmp_path / "run.csv", [SeriesRow(1, realm, 10, {"=cmd": 1.0})])
    with (tmp_path / "run.csv").open(newline="") as file:
        header, row = csv.reader(file)
    assert (header[3], row[1]) == ("'=cmd", f"'{realm}")


def test_ids_in_any_script_survive(tmp_path: Path) -> None:
    write_series(tmp_path / "run.csv", [SeriesRow(1, "太陽_1", 10, {})])
    assert (tmp_path / "run.csv").read_text("utf-8").splitlines()[1] == "1,太陽_1,10"


def test_parquet_gives_back_what_was_written(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="not run: pyarrow is not installed")
    write_series(tmp_path / "run.parquet", [*ROWS, SeriesRow(3, "=x", 30, {"npcs": math.inf})])
    table = parquet.read_table(tmp_path / "run.parquet")
    assert [str(kind) for kind in table.schema.types] == ["int64", "string", "int64", "double", "double", "double"]
    assert table.to_pydict() == {
        "control_tick": [1, 1, 2, 3],
        "realm_id": ["sol_1", "sol_2", "sol_1", "=x"],
        "local_tick": [10, 10, 20, 30],
        "mood": [1e300, None, -12.5, None],
        "npcs": [40.0, 3.0, 40.0, math.inf],
        "wealth": [None, 0.1 + 0.2, None, None],
    }


def test_parquet_of_no_rows_can_be_read(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="not run: pyarrow is not installed")
    write_series(tmp_path / "run.parquet", [])
    assert parquet.read_table(tmp_path / "run.parquet").num_rows == 0


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingsError, match="extra `parquet`"):
        write_series(tmp_path / "run.parquet", ROWS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["run.xlsx", "run", "run.CSV", ".csv"])
def test_another_suffix_is_refused_with_the_allowed_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"\.csv or \.parquet"):
        checked_series_path(tmp_path / name)


def test_a_missing_folder_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        write_series(tmp_path / "none" / "run.csv", ROWS)
    (tmp_path / "run.csv").mkdir()
    with pytest.raises(SettingsError, match="is a folder"):
        write_series(tmp_path / "run.csv", ROWS)


def test_a_measure_that_has_the_name_of_a_leading_column_gets_another(tmp_path: Path) -> None:
    write_series(tmp_path / "run.csv", [SeriesRow(1, "a", 1, {"local_tick": 1.5})])
    assert (tmp_path / "run.csv").read_text() == "control_tick,realm_id,local_tick,measure_local_tick\n1,a,1,1.5\n"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"run{suffix}"
    write_series(target, ROWS)
    before = target.read_bytes()
    with pytest.raises(ValueError, match="could not convert"):
        write_series(target, [*ROWS, SeriesRow(9, "a", 9, {"npcs": "many"})])  # type: ignore[dict-item]
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_new_file_replaces_the_old_one_whole_and_follows_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "run.csv", tmp_path / "latest.csv"
    target.write_text("old " * 1000)
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")
        assert target.read_text().startswith("old")
    assert (target.read_text(), link.is_symlink()) == ("new", True)


def test_a_new_file_has_the_permissions_that_any_new_file_has(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_series(tmp_path / "run.csv", ROWS)
    assert (tmp_path / "run.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode
