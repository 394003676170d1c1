"""Standing still: a member that gets no local time, for one cause or several; all must lift.

Its mail waits, as much of it as one may have waiting. A cause with a duration lifts by itself after the local ticks that
the member would have had.
"""

UNSTARTED = "unstarted"
"""The cause for which the platforms of an instance stand still until it is started."""
FREEZE = "freeze"
OVERRIDE = "override"
MERGE_OPERATION = "merge_operation"
"""The reason for which nobody goes on while platforms are made one truth, which is between two ticks: nobody loses any."""
CAUSE_CHARACTERS_MAX = 200
CAUSES_MAX = 16
"""For which one member stands still at once; each is written into every digest."""
UNTIL_LIFTED = 0
"""The duration of a cause that does not lift by itself."""

Stills = tuple[tuple[str, int], ...]
"""Cause and local ticks left, by cause in order."""


def with_cause(stills: Stills, cause: str, local_ticks: int) -> Stills:
    """One cause more; one that is there already stays as it is."""
    if any(name == cause for name, _ in stills):
        return stills
    return tuple(sorted((*stills, (cause, local_ticks))))


def without_cause(stills: Stills, cause: str) -> Stills:
    """One cause less."""
    return tuple(one for one in stills if one[0] != cause)


def passed(stills: Stills, local_ticks: int) -> Stills:
    """What is left when so many local ticks would have gone by."""
    left = [(cause, ticks - local_ticks if ticks else UNTIL_LIFTED, ticks) for cause, ticks in stills]
    return tuple((cause, remaining) for cause, remaining, ticks in left if not ticks or remaining > 0)


def is_timed(stills: Stills) -> bool:
    """Whether one of the causes lifts by itself."""
    return any(ticks for _, ticks in stills)
