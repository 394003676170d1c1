"""What a hosted Mesa model shows of a boundary: its collector's rows, its latest figures, and how to run it alone."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import numpy as np

from actors.adapters.mesa_models import Model
from actors.adapters.mesa_states import AGENT_INDEX, RowFold, row_values
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError

ROWS_PER_ANSWER_MAX = 10_000
"""An answer is one message; longer tables are asked for in pieces, by `start`."""

ROWS_PER_ANSWER_DEFAULT = 1_000


def latest_figures(model: Model) -> dict[str, float]:
    """The number of agents and the numeric model variables of the last row, the finite ones only."""
    figures = {"agents": float(len(model.agents))}
    collector: Any = getattr(model, "datacollector", None)
    for name, values in collector.model_vars.items() if collector is not None else ():
        value = values[-1] if values else None
        if (
            isinstance(value, int | float | np.integer | np.floating)
            and not isinstance(value, bool)
            and isfinite(value)
        ):
            figures[name] = float(value)
    return figures


class MesaView:
    """The rows as they are at one boundary. A collector only appends, so the number of rows is all that need be kept.

    Queries:
        summary(): everything small: model, arguments, seed, steps, running, rows, columns, figures, certificate, and
            `run_alone`, the Python line that makes the same model without us.
        model_rows(start=0, limit=1000): `row`, `step` and `values` of the model variables.
        agent_rows(step, start=0, limit=1000): `step`, `agent` and `values` of the agents' rows collected at a step.

    Args:
        model: the hosted model.
        fold: its rows so far.
        summary: what the first query answers.
    """

    def __init__(self, model: Model, fold: RowFold, summary: Mapping[str, Plain]) -> None:
        self._summary = dict(summary)
        self._collector: Any = getattr(model, "datacollector", None)
        self._row_steps = fold.row_steps
        self._rows = len(fold.row_steps)
        self._steps = int(model.steps)
        self._queries: dict[str, Callable[..., Plain]] = {
            "summary": self._answer_summary,
            "model_rows": self._answer_model_rows,
            "agent_rows": self._answer_agent_rows,
        }

    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See the class."""
        answer = self._queries.get(verb)
        if answer is None:
            raise CommandRefusedError(f"a Mesa realm does not answer {verb!r}; ask one of {sorted(self._queries)}.")
        try:
            return answer(**arguments)
        except TypeError as error:
            raise CommandRefusedError(f"{verb!r} does not take {dict(arguments)!r}: {error}.") from None

    def _answer_summary(self) -> Plain:
        return self._summary

    def _answer_model_rows(self, start: int = 0, limit: int = ROWS_PER_ANSWER_DEFAULT) -> Plain:
        asked = _asked(start, limit, self._rows)
        columns = self._collector.model_vars if self._collector is not None else {}
        return [
            {
                "row": row,
                "step": self._row_steps[row],
                "values": row_values(list(columns), [column[row] for column in columns.values()]),
            }
            for row in asked
        ]

    def _answer_agent_rows(self, step: int, start: int = 0, limit: int = ROWS_PER_ANSWER_DEFAULT) -> Plain:
        records = self._collector._agent_records if self._collector is not None else {}
        rows = records.get(step, ()) if _whole(step, "step") <= self._steps else ()
        columns = list(self._collector.agent_reporters) if self._collector is not None else []
        index = len(AGENT_INDEX)
        return [
            {"step": step, "agent": int(rows[row][1]), "values": row_values(columns, rows[row][index:])}
            for row in _asked(start, limit, len(rows))
        ]


def _asked(start: int, limit: int, rows: int) -> range:
    if _whole(limit, "limit") > ROWS_PER_ANSWER_MAX:
        raise CommandRefusedError(f"limit {limit} is more than the {ROWS_PER_ANSWER_MAX} rows that one answer holds.")
    return range(min(_whole(start, "start"), rows), min(start + limit, rows))


def _whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise CommandRefusedError(f"{what} must be a whole number from 0 upwards, not {value!r}.")
    return value
