"""Series as tidy tables: one row per realm and control tick, as CSV or Parquet.

Columns are `control_tick`, `realm_id`, `local_tick`, then every measure that any realm has, sorted by name. Where a realm
has none, the CSV cell is empty and the Parquet value null. Rows are sorted by control tick, then by realm id as UTF-8
bytes, so the same history gives the same CSV to the byte. Numbers are written exactly: what `float` reads from the CSV has
the same bits.

A spreadsheet takes a CSV cell that begins with `=`, `+`, `-` or `@` for a formula, and realm ids and measures may begin so.
In the CSV, and only there, such text gets one apostrophe in front, and so does text that begins with an apostrophe. Who
drops one leading apostrophe has the original back; ordinary names are untouched.
"""

import csv
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from actors.core.kernel.errors import SettingsError
from orchestration.histories import SeriesRow

LEADING_COLUMNS = ("control_tick", "realm_id", "local_tick")
SUFFIXES = (".csv", ".parquet")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""The last is no formula; it is there so that the mark can be told from the text."""


def write_series(path: str | os.PathLike[str], rows: Sequence[SeriesRow]) -> None:
    """Writes the rows as a table; the suffix of the path, `.csv` or `.parquet`, says which kind.

    A file of that name is replaced at once when the new one is whole, and is untouched by a failure.

    Raises:
        SettingsError: see `checked_series_path`; or a measure has the name of a leading column.
    """
    target = checked_series_path(path)
    measures = sorted({name for row in rows for name in row.measures})
    ordered = sorted(rows, key=lambda row: (row.control_tick, row.realm_id.encode()))
    write = _write_parquet if target.suffix == ".parquet" else _write_csv
    with replacing(target) as file:
        write(file, measures, ordered)


def checked_series_path(path: str | os.PathLike[str]) -> Path:
    """`path`, if series can be written there. Worth asking before a long run.

    Raises:
        SettingsError: another suffix, Parquet without its extra, or see `checked_target`.
    """
    target = checked_target(path)
    if target.suffix not in SUFFIXES:
        raise SettingsError(f"series file {target.name!r} must end in {' or '.join(SUFFIXES)}.")
    if target.suffix == ".parquet":
        try:
            import pyarrow as pa  # noqa: F401
        except ImportError:
            raise SettingsError(
                f"series file {target.name!r} needs pyarrow, which is not installed; "
                "install the extra `parquet`, or write .csv."
            ) from None
    return target


def checked_target(path: str | os.PathLike[str]) -> Path:
    """`path`, if its folder is there and it is no folder itself.

    Raises:
        SettingsError: it cannot name a file to write.
    """
    target = Path(path)
    if target.is_dir():
        raise SettingsError(f"{str(target)!r} is a folder; name a file in it.")
    if not target.parent.is_dir():
        raise SettingsError(f"folder {str(target.parent)!r} does not exist; make it first, or name another.")
    return target


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well; after a failure `path` is as before.

    Raises:
        SettingsError: see `checked_target`; or nothing may be written in the folder.
    """
    target = checked_target(path).resolve()
    beside = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        file = beside.open("xb")
    except OSError as error:
        raise SettingsError(
            f"nothing can be written in {str(target.parent)!r} ({error.strerror}); name another folder."
        ) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _write_csv(file: BinaryIO, measures: Sequence[str], rows: Sequence[SeriesRow]) -> None:
    lines = csv.writer(Encoded(file), lineterminator="\n")
    lines.writerow([*LEADING_COLUMNS, *(harmless(_column(name)) for name in measures)])
    for row in rows:
        figures = (repr(float(row.measures[name])) if name in row.measures else "" for name in measures)
        lines.writerow([row.control_tick, harmless(row.realm_id), row.local_tick, *figures])


class Encoded:
    """What the csv module writes to: text in, UTF-8 out. `TextIOWrapper` would close the file under it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        return self._file.write(text.encode())


def _column(measure: str) -> str:
    """The name of a measure's column: its own, unless every series has a column of that name."""
    return f"measure_{measure}" if measure in LEADING_COLUMNS else measure


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _write_parquet(file: BinaryIO, measures: Sequence[str], rows: Sequence[SeriesRow]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "control_tick": pa.array([row.control_tick for row in rows], pa.int64()),
        "realm_id": pa.array([row.realm_id for row in rows], pa.string()),
        "local_tick": pa.array([row.local_tick for row in rows], pa.int64()),
    }
    for name in measures:
        figures = [float(row.measures[name]) if name in row.measures else None for row in rows]
        columns[_column(name)] = pa.array(figures, pa.float64())
    parquet.write_table(pa.table(columns), file)
