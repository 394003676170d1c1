"""States to merge: a base and what lives made of it, with every form of section, and references among them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from actors.core.kernel.states import Records, Section, State, Table, encode_state
from actors.core.merging.schemes import Reference, Scheme

SCHEME = Scheme(
    identities={"people": ("origin", "number")},
    references=(
        Reference("people", "friend", "people", nobody=-1),
        Reference("bonds", "person", "people", nobody=-1),
        Reference("notes", "about", "people", nobody=-1),
        Reference("notes", "goods", "goods"),
        Reference("goods", "parent", "goods", nobody=0),
    ),
)

floats = st.sampled_from([0.0, -0.0, 1.5, float("nan"), -2.25])
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, -0.0, 1.0, "", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)
records = st.dictionaries(st.sampled_from("abcd"), plain, max_size=4).map(Records)


def keyed(rows: Mapping[int, tuple[int, float]], order: list[int] | None = None) -> Table:
    ids = list(rows) if order is None else order
    return Table(
        {
            "id": np.array(ids, dtype=np.int32),
            "gold": np.array([rows[one][0] for one in ids], dtype=np.int16),
            "mood": np.array([rows[one][1] for one in ids], dtype=np.float64),
        },
        key="id",
    )


def slots(people: Mapping[int, tuple[int, int]], length: int, friends: Mapping[int, int] | None = None) -> Table:
    """Row to (number, wealth); all born in place 1."""
    columns: dict[str, Any] = {
        "alive": np.zeros(length, dtype=np.bool_),
        "origin": np.zeros(length, dtype=np.int16),
        "number": np.zeros(length, dtype=np.int64),
        "wealth": np.zeros(length, dtype=np.int32),
        "friend": np.zeros(length, dtype=np.int32),
    }
    for row, (number, wealth) in people.items():
        columns["alive"][row], columns["origin"][row] = True, 1
        columns["number"][row], columns["wealth"][row] = number, wealth
        columns["friend"][row] = (friends or {}).get(row, -1)
    return Table(columns, present="alive")


def cells(values: list[float]) -> Table:
    return Table({"level": np.array(values, dtype=np.float32), "pair": np.zeros((len(values), 2), dtype=np.uint8)})


@st.composite
def keyed_tables(draw: Any) -> Table:
    rows = draw(st.dictionaries(st.integers(-3, 5), st.tuples(st.integers(0, 2), floats), max_size=5))
    return keyed(rows, draw(st.permutations(list(rows))))


@st.composite
def slot_tables(draw: Any) -> Table:
    rows = draw(st.lists(st.integers(0, 5), unique=True, max_size=6))
    numbers = draw(st.lists(st.integers(0, 8), unique=True, min_size=len(rows), max_size=len(rows)))
    people = {row: (number, draw(st.integers(0, 2))) for row, number in zip(rows, numbers, strict=True)}
    friends = {row: draw(st.sampled_from([-1, *rows])) for row in rows}
    return slots(people, 6 + draw(st.integers(0, 2)), friends)


@st.composite
def cell_tables(draw: Any) -> Table:
    return cells(draw(st.lists(floats, max_size=4)))


@st.composite
def states(draw: Any) -> State:
    """Any state; two of them need have nothing in common but the forms of their sections."""
    found: dict[str, Section] = {
        "goods": Table({**draw(keyed_tables()).columns}, key="id"),
        "people": draw(slot_tables()),
        "cells": draw(cell_tables()),
        "facts": draw(records),
    }
    for name in draw(st.sets(st.sampled_from(["cells", "facts"]))):
        del found[name]
    return found


IDENTITIES = Scheme(identities={"people": ("origin", "number")}, references=SCHEME.references[:1])
"""For `states`, which have no notes and no bonds."""


def bits(state: State) -> bytes:
    return encode_state(state)


def column(state: State, section: str, name: str) -> list[Any]:
    table = state[section]
    assert isinstance(table, Table)
    found: list[Any] = table.columns[name].tolist()
    return found


def objects(state: State, section: str) -> Mapping[str, Any]:
    found = state[section]
    assert isinstance(found, Records)
    return found.objects


def people(state: State) -> dict[int, tuple[int, int]]:
    """Row to (number, wealth) of everybody there is."""
    rows = zip(*(column(state, "people", name) for name in ("alive", "number", "wealth")), strict=True)
    return {row: (number, wealth) for row, (alive, number, wealth) in enumerate(rows) if alive}


def friends(state: State) -> dict[int, int]:
    """Whose friend is who, by their numbers wherever they live; -1 is nobody."""
    number, friend = (column(state, "people", name) for name in ("number", "friend"))
    return {who: number[friend[row]] if friend[row] >= 0 else -1 for row, (who, _) in people(state).items()}
