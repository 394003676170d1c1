"""Addresses split one way only, and errors are the same on both sides of a process."""

import importlib
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors.core
from actors.core.kernel.addresses import (
    PART_CHARACTERS_MAX,
    PLAYERS,
    RealmCoordinate,
    checked_part,
    checked_realm_id,
)
from actors.core.kernel.errors import ERRORS_BY_CODE, AddressError, CallerError, SoulfraError, error_from

BAD_PARTS = [
    None,
    7,
    b"sol_1",
    "",
    "a:b",
    ":",
    "a b",
    " ",
    "a\tb",
    "a\nb",
    "a\x00b",
    "a\x7fb",
    "a\u00a0b",
    "a\u2028b",
    "a\u202eb",
    "a\ud800b",
    "x" * (PART_CHARACTERS_MAX + 1),
]

parts = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=":"), min_size=1, max_size=20)


@pytest.mark.parametrize("bad", BAD_PARTS, ids=repr)
def test_a_bad_part_is_refused_wherever_it_stands(bad: object) -> None:
    with pytest.raises(AddressError, match="part of it"):
        checked_part(bad, "part of it")
    with pytest.raises(AddressError, match="realm id"):
        RealmCoordinate(bad)  # type: ignore[arg-type]
    with pytest.raises(AddressError, match="realm type"):
        RealmCoordinate("sol_1", bad)  # type: ignore[arg-type]
    with pytest.raises(AddressError, match="adjacency"):
        RealmCoordinate("sol_1", "sol_system", bad)  # type: ignore[arg-type]
    with pytest.raises(AddressError, match="resonance"):
        RealmCoordinate("sol_1", "sol_system", "cluster_0", bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [-1, 1.0, True, "0", None], ids=repr)
def test_a_density_is_a_whole_number_from_0(bad: object) -> None:
    with pytest.raises(AddressError, match="density"):
        RealmCoordinate("sol_1", density=bad)  # type: ignore[arg-type]


def test_the_longest_part_is_allowed() -> None:
    assert checked_part("x" * PART_CHARACTERS_MAX, "part")


@pytest.mark.parametrize("bad", ["@sol", PLAYERS, "@"])
def test_the_mark_of_the_kernels_own_is_refused_in_a_realm_id_only(bad: str) -> None:
    with pytest.raises(AddressError, match="@"):
        checked_realm_id(bad)
    assert checked_part(bad, "part") == bad


@given(parts.filter(lambda part: not part.startswith("@")), parts, parts, parts, st.integers(0, 10**30))
def test_a_key_splits_the_way_it_was_joined(realm_id: str, kind: str, near: str, story: str, density: int) -> None:
    coordinate = RealmCoordinate(realm_id, kind, near, story, density)
    assert coordinate.key == f"{realm_id}:{near}:{story}:{density}"
    assert RealmCoordinate.from_key(coordinate.key, kind) == coordinate


@pytest.mark.parametrize(
    "key",
    ["", "sol_1", "a:b:c", "a:b:c:d", "a:b:c:-1", "a:b:c:1:2", ":b:c:0", "a::c:0", "a:b::0", "a:b:c:", "@a:b:c:0"],
)
def test_a_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(AddressError):
        RealmCoordinate.from_key(key)


def test_every_error_crosses_as_code_and_message() -> None:
    for found in pkgutil.walk_packages(actors.core.__path__, "actors.core."):
        importlib.import_module(found.name)
    family, unseen = {SoulfraError}, [SoulfraError]
    while unseen:
        children = unseen.pop().__subclasses__()
        family.update(children)
        unseen.extend(children)
    assert set(ERRORS_BY_CODE.values()) == family, "an error was defined outside of the tree"
    assert len({error.code for error in family}) == len(family), "two errors share a code"
    for error in family:
        original = error("It went wrong; do it right.")
        there = error_from(original.code, original.message)
        assert type(there) is error
        assert (there.message, str(there)) == (original.message, str(original))
        assert error().message == error.code


def test_an_error_of_an_unknown_code_is_still_one_of_ours() -> None:
    assert type(error_from("of a newer version", "Sentence.")) is SoulfraError


def test_the_address_error_is_the_callers() -> None:
    assert issubclass(AddressError, CallerError)
