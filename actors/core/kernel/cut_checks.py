"""What a cut must be for members to be made from it: one that comes from a file may say anything."""

from typing import Any

from actors.core.kernel.addresses import RealmCoordinate, checked_part, checked_realm_id
from actors.core.kernel.codec import decode
from actors.core.kernel.domains import Cut, Origin
from actors.core.kernel.errors import CommandRefusedError, SoulfraError
from actors.core.kernel.events import CARRIED_MAX, DELIVER_AT_MAX, EVENT_ID_CHARACTERS_MAX, QUANTITIES_MAX, Event
from actors.core.kernel.instances import PHASES
from actors.core.kernel.settings import LOOKAHEAD_MAX, SEED_MAX
from actors.core.kernel.standstills import CAUSE_CHARACTERS_MAX, CAUSES_MAX

PERIOD_CONTROL_TICKS_MAX = 1_000_000
ANCESTORS_MAX = 10_000
NUMBER_MAX = 2**62
"""Of grants and events: what follows must fit, too."""


def checked_cut(cut: Cut) -> Cut:
    """`cut`, if members can be made from it and live on.

    Raises:
        CommandRefusedError: they cannot, and why.
    """
    try:
        _check_whole("its control tick", cut.control_tick, 0, DELIVER_AT_MAX)
        roles = [checked_realm_id(origin.role) for origin in cut.origins]
        if len(set(roles)) != len(roles) or not roles:
            raise ValueError("a role is there twice, or there is none")
        for origin in cut.origins:
            _check_origin(origin)
        for source, target, delay in cut.delays:
            if source not in roles or target not in roles:
                raise ValueError(
                    f"there is a delay from {source!r:.40} to {target!r:.40}, and one of them is not there"
                )
            _check_whole("a delay", delay, 1, LOOKAHEAD_MAX)
        for event in cut.calendar:
            _check_event(event)
            _check_whole("when an event arrives", event.deliver_at, cut.control_tick + 1, DELIVER_AT_MAX)
        for role, waiting in cut.mailboxes.items():
            if role not in roles:
                raise ValueError(f"mail waits for {role!r:.40}, who is not there")
            for event in waiting:
                _check_event(event)
        if cut.instance is not None and cut.instance.phase not in PHASES:
            raise ValueError(f"an instance is not {cut.instance.phase!r:.40}")
        _check_whole("the number of its ancestors", len(cut.ancestors), 0, ANCESTORS_MAX)
    except (SoulfraError, ValueError, TypeError) as error:
        why = error.message if isinstance(error, SoulfraError) else str(error)
        raise CommandRefusedError(f"nobody can be made from this cut: {why.rstrip('.')}.") from None
    return cut


def _check_origin(origin: Origin) -> None:
    birth, registration, checkpoint = origin.birth, origin.registration, origin.checkpoint
    RealmCoordinate.from_key(registration.stat7_key, registration.realm_type)
    _check_whole("a period", registration.period, 1, PERIOD_CONTROL_TICKS_MAX)
    _check_whole("a seed", birth.seed, 0, SEED_MAX)
    _check_whole("the local ticks of a grant", birth.local_ticks, 1, DELIVER_AT_MAX)
    _check_whole("the depth of cascades", birth.cascade_depth_max, 0, 1_000)
    checked_part(birth.member_id, "what a member is told to be")
    checked_part(birth.lineage, "a lineage")
    for what, value in (("number", checkpoint.number), ("local tick", checkpoint.local_tick)):
        _check_whole(f"a checkpoint's {what}", value, 0, NUMBER_MAX)
    for value in (checkpoint.sequence, birth.first_sequence):
        _check_whole("the number of the next event", value, 0, NUMBER_MAX)
    if len(origin.stills) > CAUSES_MAX or len({cause for cause, _ in origin.stills}) != len(origin.stills):
        raise ValueError("a member stands still for too many causes, or for one of them twice")
    for cause, ticks in origin.stills:
        if not 0 < len(cause) <= CAUSE_CHARACTERS_MAX or not cause.isprintable():
            raise ValueError(f"a member stands still for {cause!r:.40}")
        _check_whole("how long a member stands still", ticks, 0, DELIVER_AT_MAX)
    for event_type in origin.subscriptions:
        checked_part(event_type, "a subscription")


def _check_event(event: Event) -> None:
    for text in (event.event_id, event.source, event.event_type):
        if not 0 < len(text) <= EVENT_ID_CHARACTERS_MAX or not text.isprintable():
            raise ValueError(f"an event is called {text!r:.40}")
    _check_whole("an event's number", event.sequence, 0, NUMBER_MAX)
    _check_whole("when an event was said", event.control_tick_id, 0, DELIVER_AT_MAX)
    _check_whole("how much an event carries of different things", len(event.carries), 0, QUANTITIES_MAX)
    for quantity, amount in event.carries:
        checked_part(quantity, "quantity")
        _check_whole("how much an event carries", amount, 0, CARRIED_MAX)
    if not isinstance(decode(event.payload), dict):
        raise ValueError(f"the data of event {event.event_id!r:.40} are no map")


def _check_whole(what: str, value: Any, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{what} must be from {least} to {most}, not {value!r:.40}")
