"""A whole instance as one state, so that its members merge together and references cross from one to another."""

from collections.abc import Mapping

from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.states import Records, Section, State

BETWEEN = "/"
"""Joins role and section: `runtime/agents`."""


def joined(members: Mapping[str, State]) -> State:
    """The sections of all members under one roof, `role/section` each. A role has one, `role/`, that says it is there.

    Raises:
        MergeRefusedError: a role has "/" or "." in it, or nothing.
    """
    found: dict[str, Section] = {}
    for role in sorted(members):
        if not role or BETWEEN in role or "." in role:
            raise MergeRefusedError(f"role {role!r}: use a name without {BETWEEN!r} and '.'.")
        found[role + BETWEEN] = Records()
        for name, section in members[role].items():
            if not name:
                raise MergeRefusedError(f"role {role!r} has a section without a name; give it one.")
            found[role + BETWEEN + name] = section
    return found


def parted(state: State) -> dict[str, dict[str, Section]]:
    """The members of a joined state, by role."""
    found: dict[str, dict[str, Section]] = {}
    for path, section in state.items():
        role, name = path.split(BETWEEN, 1)
        sections = found.setdefault(role, {})
        if name:
            sections[name] = section
    return found
