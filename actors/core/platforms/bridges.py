"""The bridge: who may talk to whom among the four platforms of an instance, and in which patterns.

Platforms know each other by their roles, which are the ids they have within their instance. What one says to another
arrives one control tick later. There are three patterns: a whisper goes to one, a broadcast to all whom one may talk to,
a cascade from one to the next, each adding its answer to those before.

The observation that every platform gives its Mirror once per control tick is the kernel's exception to the table.
"""

from typing import Final

from actors.core.kernel.errors import BridgeDeniedError
from actors.core.kernel.instances import MIRROR, PLATFORM_ROLES, PROTOCOL, RUNTIME, SURFACE

ANY = "any"

BRIDGE: Final[tuple[tuple[str, str, bool], ...]] = (
    (ANY, MIRROR, False),
    (MIRROR, ANY, True),
    (SURFACE, RUNTIME, True),
    (RUNTIME, SURFACE, True),
    (RUNTIME, PROTOCOL, True),
    (PROTOCOL, RUNTIME, True),
    (ANY, ANY, False),
)
"""(source, target, allowed); the first row that fits decides."""

OBSERVATION = "observation"
FETCH = "fetch"
FETCHED = "fetched"
CASCADE = "cascade"

CASCADE_STEPS_MAX = 8


def may_talk(source: str, target: str) -> bool:
    """Whether one platform may say something to another one."""
    fitting = (allowed for one, other, allowed in BRIDGE if one in (ANY, source) and other in (ANY, target))
    return source != target and next(fitting)


def check_route(source: str, target: str) -> None:
    """Refuses a route that the bridge does not have.

    Raises:
        BridgeDeniedError: not two platforms, or two that may not talk.
    """
    for role in (source, target):
        if role not in PLATFORM_ROLES:
            raise BridgeDeniedError(f"the bridge knows no platform {role!r}; it joins {', '.join(PLATFORM_ROLES)}.")
    if not may_talk(source, target):
        known = ", ".join(routes_from(source)) or "nobody"
        raise BridgeDeniedError(f"{source} may not talk to {target}; it may talk to {known}.")


def routes_from(source: str) -> list[str]:
    """Whom a platform may talk to, in the order of the roles."""
    return [role for role in PLATFORM_ROLES if role != source and may_talk(source, role)]
