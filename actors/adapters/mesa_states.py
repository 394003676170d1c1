"""What of a Mesa model its digest covers: the rows it collected, folded, and its two generators.

A collector only ever grows, so each row is read and hashed once, when it is new; the fold of all rows so far is one
hash per step. The public frames (`get_model_vars_dataframe` and its sisters) copy every row at each call, which over a run
is quadratic; therefore the collector's own lists are read, those that the frames are made from.

As long as a model has no rows (it has no data collector, or has not collected yet), what is folded after each step is the
plain attributes (numbers, text, None; not those with a leading underscore) of the model and of every agent, in the order
of the agents.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import numpy as np

from actors.adapters.mesa_models import Model
from actors.core.kernel.codec import Plain
from actors.core.kernel.digests import NO_DIGEST, fold
from actors.core.kernel.errors import MemberError

MODEL_TABLE = "model"
AGENTS_TABLE = "agents"
AGENTS_OF = "agents of "
ATTRIBUTES_TABLE = "attributes"
AGENT_INDEX = ("Step", "AgentID")
"""What Mesa puts before the reporters of an agent's row; its frames name it so."""

_PLAIN_KINDS = "biufU"
_BARE: tuple[tuple[type, Callable[[Any], Plain]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
)


class Collected(NamedTuple):
    """Rows of one table of a collector: "model", "agents", "agents of <type>" or "table <name>"."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def _plain_of(cell: Any) -> Plain:
    """The plain value of a cell that MessagePack does not know: numpy's scalars and arrays, and kinds of int, float, str."""
    if isinstance(cell, np.ndarray | np.generic) and cell.dtype.kind in _PLAIN_KINDS:
        value = cell.tolist()
        if not isinstance(value, np.generic):  # an 80-bit float stays what it was
            return value
    for base, bare in _BARE:
        if isinstance(cell, base):
            return bare(cell)
    raise TypeError(type(cell).__name__)


_encoder = msgspec.msgpack.Encoder(order="deterministic", enc_hook=_plain_of)
_decoder = msgspec.msgpack.Decoder()


def encode_rows(tables: Sequence[Collected]) -> bytes:
    """The canonical encoding of rows: numpy scalars as Python's, floats by their bits (NaN included), maps by their keys.

    Raises:
        MemberError: a cell without canonical form; it names the column.
    """
    try:
        return _encoder.encode(tables)
    except (TypeError, OverflowError, ValueError, RecursionError):
        raise MemberError(_culprit(tables)) from None


def _culprit(tables: Sequence[Collected]) -> str:
    for table, columns, rows in tables:
        for row in rows:
            for column, cell in zip(columns, row, strict=True):
                try:
                    _encoder.encode(cell)
                except (TypeError, OverflowError, ValueError, RecursionError) as error:
                    return (
                        f"reporter {column!r} of the data collector's table {table!r} gave a {type(cell).__name__} that "
                        f"has no canonical form ({error}); report numbers of 64 bits, text, None, or lists and maps "
                        "(with text keys) of them."
                    )
    return "the data collector's rows have no canonical form."


def shown(cell: Any) -> Plain:
    """A cell as plain data, for people and for comparing. NaN, which plain data has not, is shown as None."""
    return _without_nan(_decoder.decode(_encoder.encode(cell)))


def _without_nan(value: Any) -> Plain:
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return value


class RowReader:
    """Reads what a model's data collector has collected since the last reading.

    Args:
        model: a Mesa model, with or without a data collector.
    """

    def __init__(self, model: Model) -> None:
        self.collector: Any = getattr(model, "datacollector", None)
        self._read: dict[str, int] = {}
        self._last: dict[str, tuple[Any, Any]] = {}

    def table(self) -> dict[str, list[Any]]:
        """How far each table was read, and whether the last of it has been collected again since: to be written down."""
        return {
            name: [read, name in self._last and self._records_of(name)[self._last[name][0]] is not self._last[name][1]]
            for name, read in self._read.items()
        }

    def restore(self, table: Mapping[str, list[Any]]) -> None:
        """Goes on where another reader of the same rows was."""
        for name, (read, again) in table.items():
            self._read[name] = read
            if read and (records := self._records_of(name)):
                step, rows = next(islice(records.items(), read - 1, None))
                self._last[name] = (step, None if again else rows)

    def _records_of(self, table: str) -> Mapping[Any, Any]:
        """The collector's own map, by step, of a table that has one."""
        if table == AGENTS_TABLE:
            return self.collector._agent_records  # type: ignore[no-any-return]
        return self.collector._agenttype_records if table.startswith(AGENTS_OF) else {}

    def new(self) -> list[Collected]:
        """The new rows, table by table; tables without new rows are left out."""
        if self.collector is None:
            return []
        return [found for found in self._tables() if found.rows]

    def _tables(self) -> Iterator[Collected]:
        collector = self.collector
        yield self._columns(MODEL_TABLE, collector.model_vars)
        columns = (*AGENT_INDEX, *collector.agent_reporters)
        yield Collected(AGENTS_TABLE, columns, self._records(AGENTS_TABLE, collector._agent_records))
        for kind, reporters in collector.agenttype_reporters.items():
            table = f"{AGENTS_OF}{kind.__name__}"
            of_kind = {step: kinds[kind] for step, kinds in self._since(table, collector._agenttype_records)}
            rows = [row for records in of_kind.values() for row in records]
            yield Collected(table, (*AGENT_INDEX, *reporters), rows)
        for name, values in collector.tables.items():
            yield self._columns(f"table {name}", values)

    def _columns(self, table: str, values: Mapping[str, list[Any]]) -> Collected:
        start = self._read.get(table, 0)
        rows = list(zip(*(column[start:] for column in values.values()), strict=True))
        self._read[table] = start + len(rows)
        return Collected(table, tuple(values), rows)

    def _records(self, table: str, records: Mapping[Any, Any]) -> list[Any]:
        return [row for _step, rows in self._since(table, records) for row in rows]

    def _since(self, table: str, records: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
        """The steps not read yet. A step collected again (by an `absorb`, say) is new again, for Mesa overwrites it."""
        seen = self._read.get(table, 0)
        found = list(islice(reversed(records.items()), len(records) - seen))[::-1]  # type: ignore[call-overload]
        step, rows = self._last.get(table, (None, None))
        if step is not None and records[step] is not rows:
            found.insert(0, (step, records[step]))
        if found:
            self._read[table], self._last[table] = len(records), found[-1]
        return found


def collector_rows(model: Model) -> list[dict[str, Plain]]:
    """Every row that a model's data collector holds, for comparing a hosted model with the same model run alone.

    Returns:
        One map a row, table by table in order of collection: `table` ("model", "agents", "agents of <type>",
        "table <name>"), `row` (number within the table) and `values` (column to value; agents' rows have "Step" and
        "AgentID" before their reporters). Empty for a model without a data collector.
    """
    return [
        {"table": table, "row": number, "values": row_values(columns, row)}
        for table, columns, rows in RowReader(model).new()
        for number, row in enumerate(rows)
    ]


def row_values(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Plain]:
    """One row as a map from column to plain value."""
    return {column: shown(cell) for column, cell in zip(columns, row, strict=True)}


class RowFold:
    """The running fold of all rows of a model.

    Args:
        model: the model; the rows it collected when it was made are taken at once.

    Attributes:
        chain: SHA-256 fold over the encodings of new rows, one a step.
        row_steps: the model's step at which each of its model rows was seen; only ever grows.
        agent_rows: how many rows of agents there were so far.
        latest: what was folded last.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._reader = RowReader(model)
        self._has_rows = False
        self.chain = NO_DIGEST
        self.row_steps: list[int] = []
        self.agent_rows = 0
        self.latest: list[Collected] = []
        self.take()

    def table(self) -> dict[str, Any]:
        """All of this, to be written down."""
        return {
            "fold": self.chain,
            "row_steps": list(self.row_steps),
            "agent_rows": self.agent_rows,
            "has_rows": self._has_rows,
            "read": self._reader.table(),
        }

    def restore(self, table: Mapping[str, Any]) -> None:
        """Goes on where another fold was; the model has become what it was then."""
        self.chain, self.row_steps, self.agent_rows = table["fold"], list(table["row_steps"]), table["agent_rows"]
        self._has_rows, self._reader, self.latest = table["has_rows"], RowReader(self._model), []
        self._reader.restore(table["read"])

    def take(self) -> None:
        """Folds what is new: call it after every step.

        Raises:
            MemberError: a cell without canonical form.
        """
        self.latest = self._reader.new()
        self._has_rows = self._has_rows or bool(self.latest)
        if not self._has_rows:
            self.latest = _attributes(self._model)
        self.chain = fold(self.chain, encode_rows(self.latest))
        for table, _columns, rows in self.latest:
            if table == MODEL_TABLE:
                self.row_steps += [int(self._model.steps)] * len(rows)
            elif table == AGENTS_TABLE:
                self.agent_rows += len(rows)


def _attributes(model: Model) -> list[Collected]:
    rows: list[tuple[str, dict[str, Any]]] = [("model", _plain_attributes(model))]
    rows += [(f"{type(agent).__name__}#{agent.unique_id}", _plain_attributes(agent)) for agent in model.agents]
    return [Collected(ATTRIBUTES_TABLE, ("object", "attributes"), rows)]


def _plain_attributes(thing: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(thing).items() if not name.startswith("_") and _is_scalar(value)}


def _is_scalar(value: Any) -> bool:
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 64
    if isinstance(value, np.generic):
        return value.dtype.kind in _PLAIN_KINDS and not isinstance(value, np.longdouble)
    return value is None or isinstance(value, float | str)


def generator_states(model: Model) -> dict[str, Plain]:
    """The states of a model's two generators, Python's `random` and numpy's `rng`, as plain data."""
    version, words, gauss_next = model.random.getstate()
    return {
        "random": [version, np.array(words, dtype="<u4").tobytes(), gauss_next],
        "rng": _generator_part(model.rng.bit_generator.state),
    }


def _generator_part(part: Any) -> Plain:
    """As text, for numpy's generators have whole numbers of 128 bits; arrays as bytes."""
    if isinstance(part, Mapping):
        return {str(key): _generator_part(value) for key, value in part.items()}
    if isinstance(part, np.ndarray):
        return part.astype(part.dtype.newbyteorder("<")).tobytes()
    return str(part)
