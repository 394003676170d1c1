"""Forks as a driver sees them: which realms are copies of which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.modifications import by_member
from orchestration.arguments import checked_map, encoded


@dataclass(frozen=True)
class Fork:
    """Copies of some realms, closed off from everybody else.

    Attributes:
        number: no other fork of this history ever has it.
        realms: the id of each copy, by its role: the id of what it was copied from, or of what that was copied from.
    """

    number: int
    realms: Mapping[str, str]

    def __getitem__(self, role: str) -> str:
        """The id of the copy of a realm."""
        return self.realms[role]


def in_words(name: str, forks: Sequence[Fork]) -> str:
    """Which copies each fork has, a line each."""
    lines = [f"fork {fork.number}: {', '.join(fork.realms.values())}" for fork in forks]
    return "\n".join(lines) or f"{name} has no forks"


def forked_from(reply: Any) -> list[Fork]:
    """The forks that a reply of the clock tells of."""
    return [Fork(one["fork"], one["realms"]) for one in reply]


def modifications_of(
    realm_ids: Sequence[str], modifications: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, bytes], ...]:
    """What a command says of modifications given by dotted paths that begin with a realm's id.

    Raises:
        CommandRefusedError: a path that begins with no realm that is forked, or values that are not plain.
    """
    if not isinstance(modifications, list | tuple):
        raise CommandRefusedError(f"modifications must be a list, a map for each copy, not {modifications!r:.80}.")

    def refusal(path: str, _: str) -> CommandRefusedError:
        known = ", ".join(realm_ids)
        return CommandRefusedError(f"{path!r} does not begin with a realm that is forked; they are {known}.")

    found = []
    for changes in modifications:
        by_realm = by_member(checked_map(changes, "a modification"), realm_ids, refusal)
        found.append({realm_id: encoded(some, "modifications") for realm_id, some in by_realm.items()})
    return tuple(found)
