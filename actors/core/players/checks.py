"""Checks of what comes from outside, shared by the rules of players. Each refuses with one sentence."""

from collections.abc import Mapping

from actors.core.kernel.errors import CommandRefusedError


def checked_text(value: object, what: str, characters_max: int, *, may_be_empty: bool = False) -> str:
    """`value`, if it is text that people can read on one line.

    Raises:
        CommandRefusedError: not text, blank (unless it may be empty), too long, or it has an unprintable character.
    """
    if not isinstance(value, str):
        raise CommandRefusedError(f"{what} must be text, not {type(value).__name__}.")
    if value == "" and may_be_empty:
        return value
    if not value.strip():
        raise CommandRefusedError(f"{what} is blank; give it at least one visible character.")
    if len(value) > characters_max:
        raise CommandRefusedError(f"{what} has {len(value)} characters; at most {characters_max} are allowed.")
    if not value.isprintable():
        raise CommandRefusedError(f"{what} has a line break or an unprintable character; leave it out.")
    return value


def checked_whole(value: object, what: str, least: int, most: int) -> int:
    """`value`, if it is a whole number from `least` to `most`.

    Raises:
        CommandRefusedError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise CommandRefusedError(f"{what} must be a whole number, not {type(value).__name__}.")
    if not least <= value <= most:
        raise CommandRefusedError(f"{what} is {value}; it must be from {least} to {most}.")
    return value


def checked_realms(realms: object) -> Mapping[str, str]:
    """`realms`, if it is the clock's map of realm id to game state.

    Raises:
        CommandRefusedError: it is not.
    """
    if not isinstance(realms, Mapping) or not all(
        isinstance(realm_id, str) and isinstance(state, str) for realm_id, state in realms.items()
    ):
        raise CommandRefusedError("realms must be a map of realm id to game state; the clock adds it to the command.")
    return realms
