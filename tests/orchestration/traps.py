"""Traps: the end of the process at a point that a test has named."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.keyframes import KeyframeWriter
from actors.lanes import LocalLane
from actors.vaults.stores import Store


class KilledError(BaseException):
    """The end of the process, as far as a thread can have it: nobody catches it."""


class Trap:
    """Ends the process when it has passed so many points; from then on, whatever it still tries."""

    def __init__(self) -> None:
        self.left: int | None = None

    def passes(self) -> None:
        """One point: a statement that is about to be carried out, a commit that was, a message that is about to leave."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KilledError

    @property
    def has_struck(self) -> bool:
        return self.left is not None and self.left < 0


class TrappedCursor:
    def __init__(self, cursor: Any, trap: Trap) -> None:
        self._cursor, self._trap = cursor, trap

    def execute(self, *arguments: Any) -> Any:
        self._trap.passes()
        return self._cursor.execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        self._trap.passes()
        return self._cursor.executemany(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def lead_through(trap: Trap, monkeypatch: pytest.MonkeyPatch, of: Any, name: str) -> None:
    """Makes a point of every call of a function."""
    genuine = getattr(of, name)

    def passed(*arguments: Any, **options: Any) -> Any:
        trap.passes()
        return genuine(*arguments, **options)

    monkeypatch.setattr(of, name, passed)


def set_trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """A trap that is passed at every statement and commit, every message, and whatever is done to files; it is not armed yet."""
    made = Trap()
    transact, send, save = Store._transact, LocalLane.send, KeyframeWriter._save

    def trapped(store: Store, connection: Any, work: Callable[[Any], Any]) -> Any:
        result = transact(store, connection, lambda cursor: work(TrappedCursor(cursor, made)))
        made.passes()
        return result

    def sent(lane: LocalLane, host_id: str, parcel: Any) -> None:
        made.passes()
        send(lane, host_id, parcel)

    def saved(writer: KeyframeWriter, *arguments: Any) -> None:
        with contextlib.suppress(KilledError):  # a thread of its own; the others find out at their next point
            save(writer, *arguments)

    for of, name in ((Path, "rename"), (Path, "replace"), (os, "fsync")):
        lead_through(made, monkeypatch, of, name)
    monkeypatch.setattr(Store, "_transact", trapped)
    monkeypatch.setattr(LocalLane, "send", sent)
    monkeypatch.setattr(KeyframeWriter, "_save", saved)
    yield made
    made.left = None
