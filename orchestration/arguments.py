"""What users give, checked: one sentence says what was wrong."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from actors.core.kernel.codec import bounded, encode
from actors.core.kernel.errors import CommandRefusedError

T = TypeVar("T")


def encoded(values: Mapping[str, Any] | None, what: str) -> bytes:
    """A map of plain data, encoded and bounded.

    Raises:
        CommandRefusedError: it is none, is not plain or is too large.
    """
    try:
        return bounded(checked_map(values, what), what) if values else encode({})
    except ValueError as error:
        raise CommandRefusedError(f"{what} cannot be used: {error}.") from None


def checked(kind: type[T] | tuple[type[Any], ...], value: object, what: str) -> T:
    """`value`, if it is of that kind."""
    if not isinstance(value, kind):
        names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise CommandRefusedError(f"{what} must be of type {names}, not {value!r:.80}.")
    return cast(T, value)


def check_target(control_tick: int | None, snapshot: str) -> None:
    """Makes sure that a revert is told one boundary.

    Raises:
        CommandRefusedError: it is told none, or two.
    """
    if control_tick is None and not snapshot:
        raise CommandRefusedError("a revert needs a control tick, or else a snapshot.")
    if control_tick is not None and snapshot:
        raise CommandRefusedError(
            f"a revert goes to control tick {control_tick!r:.30} or to snapshot {snapshot!r:.80}; only one of them may be "
            "given."
        )


def checked_map(values: object, what: str) -> dict[str, Any]:
    """`values` as a dictionary; None is an empty one.

    Raises:
        CommandRefusedError: it is no map.
    """
    if values is not None and not isinstance(values, Mapping):
        raise CommandRefusedError(f"{what} must be a map, not {values!r:.80}.")
    return dict(values or {})


def checked_texts(values: object, what: str) -> tuple[str, ...]:
    """`values` as texts, those of a set sorted.

    Raises:
        CommandRefusedError: it is no list or set of texts.
    """
    if not isinstance(values, list | tuple | set | frozenset) or not all(isinstance(one, str) for one in values):
        raise CommandRefusedError(f"{what} must be a list of texts, not {values!r:.80}.")
    return tuple(sorted(values) if isinstance(values, set | frozenset) else values)
