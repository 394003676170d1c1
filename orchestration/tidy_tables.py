"""Tidy tables of any columns, as CSV or Parquet."""

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from orchestration.series import Encoded, harmless

Rows = Sequence[Mapping[str, Any]]


def write_csv(file: BinaryIO, columns: Sequence[str], rows: Rows) -> None:
    """Numbers exactly, text so that no spreadsheet takes it for a formula, what is missing as an empty cell."""
    lines = csv.writer(Encoded(file), lineterminator="\n")
    lines.writerow([harmless(column) for column in columns])
    for row in rows:
        lines.writerow([_cell(row.get(column)) for column in columns])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) else repr(value) if isinstance(value, float) else json.dumps(value)


def write_parquet(file: BinaryIO, columns: Sequence[str], rows: Rows) -> None:
    """Each column of one type; one whose values are of several becomes text."""
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({name: _array(pa, [row.get(name) for row in rows]) for name in columns}), file)


def _array(pa: Any, values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else _cell(value) for value in values])
