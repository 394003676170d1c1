"""The log of an instance's rituals between what was written down of it and what it remembers.

A ritual's `number` is how many had ended before it, so numbers grow, and a number that comes again means that the instance's
time has gone back: what it had said from there on is taken back.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.core.kernel.logs import Logged
from actors.core.platforms.society_rows import ritual_row

Key = tuple[str, ...]
Rows = dict[Key, dict[str, object]]
IN_JSON = ("personality", "record")
"""Columns of any shape."""


class Said(msgspec.Struct, frozen=True):
    """A row, and what it is ordered by.

    Attributes:
        grant: the number of the grant in which it was logged.
        number: the ritual's.
        key: instance and ritual.
        row: of `vault_ritual_logs`.
    """

    grant: int
    number: int
    key: Key
    row: dict[str, object]


class RitualLog:
    """What one instance has logged.

    Args:
        instance_id: the instance.

    Attributes:
        said: by number in order.
    """

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        self.said: list[Said] = []

    def take(self, logged: Logged) -> None:
        """Takes in a row; one that is in another shape than our Runtime's is passed over."""
        found = ritual_row(logged.row.entry_id, logged.row.record)
        if found is None:
            return
        ritual_id, row = found
        number: Any = row["number"]
        while self.said and self.said[-1].number >= number:
            self.said.pop()
        whole = in_json({"instance": logged.instance, **row})
        self.said.append(Said(logged.number, number, (self._instance_id, ritual_id), whole))

    def rows(self) -> Rows:
        """All of it."""
        return {one.key: one.row for one in self.said}

    def with_remembered(self, remembered: Rows, ended: int, lived: int) -> tuple[Rows, int]:
        """The rows of an instance that lives: what it remembers, what it forgot before, and what has come since.

        Args:
            remembered: what its checkpoint remembers.
            ended: how many rituals had ended by then.
            lived: the number of the last grant that is in the checkpoint.

        Returns:
            The rows, and the number from which on they are all that there are.
        """
        numbers: dict[Key, Any] = {key: row["number"] for key, row in remembered.items()}
        first = min(numbers.values(), default=ended)
        rows = {one.key: one.row for one in self.said if one.grant <= lived and one.number < first}
        later = [one for one in self.said if one.grant > lived]
        end = later[0].number if later else None
        rows |= {key: row for key, row in remembered.items() if end is None or numbers[key] < end}
        rows |= {one.key: one.row for one in later}
        return rows, min([first, *(one.number for one in self.said)])

    def forget(self, lived: int | None) -> None:
        """Lets go of what is written down, but for what the checkpoint beside it does not know; None if there is none."""
        self.said = [] if lived is None else [one for one in self.said if one.grant > lived]


NOTHING_LOGGED = RitualLog("")
"""Of an instance in which no ritual has ended meanwhile."""


def in_json(row: Mapping[str, Any]) -> dict[str, object]:
    """A row with those columns as JSON that can have any shape."""
    return {name: json.dumps(value, sort_keys=True) if name in IN_JSON else value for name, value in row.items()}
