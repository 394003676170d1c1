"""Comparing two runs that should be one: the first control tick, member and object that differ.

For the standing test that both engines live the same life, and for whoever wants to know where a realm of his own is not
deterministic.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from typing import NamedTuple

from actors.core.kernel.states import Difference, State, differences
from actors.core.kernel.ticking import TickRecord
from orchestration.agendas import Agenda
from orchestration.multiverse import Multiverse

DIFFERENCES_SHOWN_MAX = 10
UNDER_WAY = "(under way)"
"""Stands for what no member holds: events in flight, subscriptions, game states, the ledger."""

Opened = tuple[Multiverse, Agenda]
Open = Callable[[], AbstractContextManager[Opened]]
"""Makes a multiverse, set up and standing at its first boundary, with what is to be done at later ones."""


class Divergence(NamedTuple):
    """Where two runs part.

    Attributes:
        control_tick: the first one whose digests differ.
        member_id: the first member by id that differs there, or `UNDER_WAY`.
        objects: what differs in it, by section, object and attribute, at most `DIFFERENCES_SHOWN_MAX`.
    """

    control_tick: int
    member_id: str
    objects: tuple[Difference, ...]

    def __str__(self) -> str:
        what = "; ".join(map(str, self.objects)) or "no object of its state"
        return f"the runs part at control tick {self.control_tick}, member {self.member_id}: {what}"


def first_divergence(left: Open, right: Open, control_ticks: int) -> Divergence | None:
    """Runs both to a control tick and finds where they part; None if they are the same to the bit.

    Where they part, both are run once more, up to that control tick, to look into the member.
    """
    found = _first_unequal(_records(left, control_ticks), _records(right, control_ticks))
    if found is None:
        return None
    control_tick, member_id = found
    if member_id == UNDER_WAY:
        return Divergence(control_tick, member_id, ())
    unequal = differences(_state(left, control_tick, member_id), _state(right, control_tick, member_id))
    return Divergence(control_tick, member_id, tuple(islice(unequal, DIFFERENCES_SHOWN_MAX)))


def _records(open_run: Open, control_ticks: int) -> list[TickRecord]:
    with open_run() as (mv, agenda):
        agenda.play(mv, control_ticks)
        return mv.records()


def _state(open_run: Open, control_tick: int, member_id: str) -> State:
    with open_run() as (mv, agenda):
        agenda.play(mv, control_tick - 1)  # commands at the end belong to the next boundary, so stop one short
        mv.advance_to(control_tick)
        return mv.state_of(member_id)


def _first_unequal(left: list[TickRecord], right: list[TickRecord]) -> tuple[int, str] | None:
    for one, other in zip(left, right, strict=True):
        if one.digest == other.digest:
            continue
        for member_id in sorted(one.members.keys() | other.members.keys()):
            if one.members.get(member_id) != other.members.get(member_id):
                return one.control_tick_id, member_id
        return one.control_tick_id, UNDER_WAY
    return None
