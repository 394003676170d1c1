"""What a clock and those who ask it say to each other: orders, paces, how a run went, how the clock stands."""

from typing import Any

import msgspec

from actors.core.kernel.commands import Boundary
from actors.core.kernel.settings import SEED_MAX, Settings
from actors.schedules import Lateness

FOREVER = SEED_MAX
"""The control tick that a run without a bound goes to."""
STAND, SET_UP, REALTIME, AS_FAST_AS_IT_CAN = "stand", "set up", "realtime", "fast"
"""Orders to a clock. They hold for its successors, too."""
CLOCK = "@clock"
"""What the clock itself is called among those that were brought back."""


class Pace(msgspec.Struct, frozen=True):
    """How fast a run goes.

    Attributes:
        realtime: one control tick takes its simulated time on the wall; otherwise as fast as it can.
    """

    realtime: bool = False


FAST = Pace()


class Metrics(msgspec.Struct, frozen=True):
    """Metrics of one control tick. Source: seed 002, `execute_control_tick`."""

    control_tick_id: int
    games_synced: int
    events_propagated: int
    elapsed_ms: float


class Ran(msgspec.Struct, frozen=True):
    """What a run came to.

    Attributes:
        boundary: where history stands.
        chain: the digest chain up to there, hexadecimal.
        control_ticks: how many it lived.
        events_propagated: deliveries in these.
    """

    boundary: Boundary
    chain: str
    control_ticks: int
    events_propagated: int


class DomainDigest(msgspec.Struct, frozen=True):
    """The digest of a closed domain by roles, and where it was taken.

    Attributes:
        digest: hexadecimal.
        boundary: of that moment.
    """

    digest: str
    boundary: Boundary


class Status(msgspec.Struct, frozen=True):
    """How the clock stands; asked at any time, never waits.

    Attributes:
        boundary: the last boundary.
        running: whether a run holds the clock.
        state: what `get_multiverse_state` shows.
        recent_events_propagated: deliveries in the last control tick.
        lateness: of the present or the last run in real time.
        waiting: who or what the clock waits for, in plain words; empty if it does not.
        chain: the digest chain so far, hexadecimal.
        epoch: which clock of this multiverse this is, counted from 1.
        trouble: why the clock cannot go on; "" if it can.
        notices: what people should know while it goes on.
    """

    boundary: Boundary
    running: bool
    state: dict[str, Any]
    recent_events_propagated: int
    lateness: Lateness
    waiting: tuple[str, ...]
    chain: str
    epoch: int = 1
    trouble: str = ""
    notices: tuple[str, ...] = ()


class About(msgspec.Struct, frozen=True):
    """What does not change while a clock lives.

    Attributes:
        name: of the multiverse.
        settings: what it was founded with.
        lane: how its members are reached.
        vault: what the vault is called, without secrets; "" without one.
        durability: in plain words, what survives what.
        resumed: whether it went on from history that was there.
        order: what it was last told to do: one of the paces, `STAND`, `SET_UP`; "" if nothing yet.
        process_id: of the clock.
        node: where it lives.
    """

    name: str
    settings: Settings
    lane: str
    vault: str
    durability: str
    resumed: bool
    order: str
    process_id: int
    node: str
