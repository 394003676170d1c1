"""What a run leaves behind for people: figures per realm, deliveries, journeys, and the summary.

Plain values without behaviour. The driver fills them at boundaries; `series` and `reports` write them down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """The measures of one realm at one boundary.

    Attributes:
        control_tick: the control tick that the boundary ends; the first is 1, and 0 is the state at birth.
        realm_id: whose measures.
        local_tick: the realm's own time at that boundary.
        measures: figures by name, as the realm published them.
    """

    control_tick: int
    realm_id: str
    local_tick: int
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Flow:
    """Deliveries of one event type from one member to another in one control tick.

    Attributes:
        control_tick: in which they were delivered.
        source: id of the sender; `@outside` and `@players` are the kernel's own.
        target: id of the receiver.
        event_type: what was said.
        deliveries: how many, from 1.
    """

    control_tick: int
    source: str
    target: str
    event_type: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class Journey:
    """One step of a player's way: from this control tick on the player is in this realm, until the next step.

    Attributes:
        player_id: unique.
        name: what the player is called; need not be unique.
        control_tick: the boundary at which the player came.
        realm_id: where to.
    """

    player_id: str
    name: str
    control_tick: int
    realm_id: str


@dataclass(frozen=True, slots=True)
class RunHistory:
    """Everything a report or an export is made from.

    Attributes:
        summary: the JSON document of the command line, with two entries that need not be there: `command`, the command
            that gives this run again, and `error` in a game, the message it stopped with.
        series: measures per realm and control tick, in any order.
        flows: deliveries, in any order.
        journeys: players' steps; those of one player at one control tick in the order they were made.
        series_dropped: how many older rows of the series the clock no longer kept.
    """

    summary: Mapping[str, Any]
    series: Sequence[SeriesRow] = field(default=())
    flows: Sequence[Flow] = field(default=())
    journeys: Sequence[Journey] = field(default=())
    series_dropped: int = 0
