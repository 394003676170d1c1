"""Manipulations: what an outer layer does to a package that it holds, without bringing anything to life.

Each is a pure function on the sections of one member's state. `manipulated` does it to a whole package: to the state in its
cut, from which the member comes to life, and to the game state, which shows it. What does not fit what is there is refused.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.domains import Cut, decoded_cut, encoded_cut
from actors.core.kernel.errors import CommandRefusedError, PackageError, ProtocolError
from actors.core.kernel.states import Records, State, decode_state, encode_state
from actors.core.platforms.rituals import HISTORY_MAX, ritual_number
from actors.packages.contents import OuterLayerPackage

AGENTS, HISTORY, WEATHER = "agents", "history", "weather"
"""Sections: agents by id and ended rituals by id (Runtime's), and the weather (Surface's)."""
NOW = "now"
"""The one object of the weather, and of `VITALS`."""
VITALS, ENDED = "vitals", "rituals_ended"
"""Where Runtime counts the rituals that have ended: as many as its history says, and those before that it has forgotten."""
COUNTED = ("completed", "aborted")
"""Outcomes that it counts one by one, too."""
REPORTED = "reported"
"""How many of these Mirror has been told of."""
RITUALS = "rituals"
"""Section: rituals under way (Runtime's)."""
ORDER = "order"
"""Of an ended ritual: how many had ended before it."""
INTENSITY_LEAST = 0.1
NAMES_SHOWN = 12
ID_CHARACTERS_MAX = 128


def modify_agent_personality(state: State, agent: str, traits: Mapping[str, float]) -> State:
    """Gives an agent other traits; those not named stay.

    Args:
        state: with the section `AGENTS`.
        agent: its id.
        traits: trait that it has to a number from 0 to 1.

    Raises:
        CommandRefusedError: there is no such agent or trait, or a number is out of its range.
    """
    agents = _section(state, AGENTS)
    record = agents.get(_text(agent, "agent"))
    personality = record.get("personality") if isinstance(record, Mapping) else None
    if not isinstance(record, Mapping) or not isinstance(personality, Mapping):
        raise CommandRefusedError(f"there is no agent {agent!r:.100} with a personality; there are {_some(agents)}.")
    if not isinstance(traits, Mapping) or not traits:
        raise CommandRefusedError("a personality is changed by a map of trait to number with at least one trait.")
    for trait, value in traits.items():
        if trait not in personality:
            raise CommandRefusedError(f"{agent!r} has no trait {trait!r:.100}; it has {_some(personality)}.")
        _check_share(trait, value, 0.0)
    changed = {**personality, **{trait: float(value) for trait, value in traits.items()}}
    return {**state, AGENTS: Records({**agents, agent: {**record, "personality": changed}})}


def inject_ritual_event(state: State, ritual: str, record: Mapping[str, Plain]) -> State:
    """Lets a ritual have happened, after all that have; where there is no room, the oldest is forgotten.

    Args:
        state: with the section `HISTORY`.
        ritual: an id that no other has, and that Runtime gives to none.
        record: what is remembered of it, with the attributes of the others but `order`.

    Raises:
        CommandRefusedError: the id is taken, one of Runtime's or none, or the record does not fit.
    """
    history = _section(state, HISTORY)
    if _text(ritual, "ritual") in history:
        raise CommandRefusedError(f"there is a ritual {ritual!r:.100} in the history already; choose another id.")
    order = max((_order(ritual_id, one) + 1 for ritual_id, one in history.items()), default=_ended(state))
    order = max(order, _ended(state))
    _check_records(state, {ritual: record}, history)
    newest = sorted(history, key=lambda one: _order(one, history[one]))[-(HISTORY_MAX - 1) :]
    after = {one: history[one] for one in history if one in newest}
    return _with_history(state, {**after, ritual: {**record, ORDER: order}}, order + 1)


def rewrite_history(state: State, history: Mapping[str, Mapping[str, Plain]]) -> State:
    """Puts another history in place of all that is remembered; what was forgotten before stays as it was.

    So the first one is given the number of the oldest that was remembered, and as many rituals have ended as that makes.

    Args:
        state: with the section `HISTORY`.
        history: ritual id to what is remembered of it, with the attributes of those that were but `order`, in the order in
            which they are to have happened; may be empty. An id that Runtime gives is one of those that were.

    Raises:
        CommandRefusedError: an id or a record does not fit.
    """
    present = _section(state, HISTORY)
    if not isinstance(history, Mapping):
        raise CommandRefusedError(f"a history is a map of ritual id to record, not {type(history).__name__}.")
    _check_records(state, history, present)
    first = min((_order(ritual, one) for ritual, one in present.items()), default=_ended(state))
    written = {ritual: {**one, ORDER: first + place} for place, (ritual, one) in enumerate(history.items())}
    return _with_history(state, written, first + len(written))


def alter_vibe_weather(state: State, weather: Mapping[str, Plain]) -> State:
    """Makes other weather; what is not named stays.

    Args:
        state: with the section `WEATHER`.
        weather: attribute that there is to a value of the same kind. A phase has its own frequency: name both.

    Raises:
        CommandRefusedError: there is no such attribute, or a value does not fit.
    """
    present = _section(state, WEATHER).get(NOW)
    if not isinstance(present, Mapping):
        raise CommandRefusedError(f"there is no weather {NOW!r}.")
    if not isinstance(weather, Mapping) or not weather:
        raise CommandRefusedError("weather is altered by a map of attribute to value with at least one attribute.")
    for name, value in weather.items():
        if name not in present:
            raise CommandRefusedError(f"weather has no {name!r:.100}; it has {_some(present)}.")
        if name in ("intensity", "confidence"):
            _check_share(name, value, INTENSITY_LEAST if name == "intensity" else 0.0)
        elif type(value) is not type(present[name]):
            raise CommandRefusedError(
                f"weather's {name} must be of the kind {type(present[name]).__name__}, not {value!r:.100}."
            )
    if "phase" in weather and "frequency" in present and "frequency" not in weather:
        raise CommandRefusedError("a phase of the weather has its own frequency; name both.")
    altered = {
        name: float(weather.get(name, value)) if isinstance(value, float) else weather.get(name, value)
        for name, value in present.items()
    }
    return {**state, WEATHER: Records({**_section(state, WEATHER), NOW: altered})}


class Manipulation(msgspec.Struct, frozen=True):
    """A row of the table of manipulations.

    Attributes:
        effect: for people.
        section: of whose state it changes.
        shown_as: the part of the game state that shows this section.
        arguments: name to JSON schema.
        act: does it.
    """

    effect: str
    section: str
    shown_as: str
    arguments: Mapping[str, Plain]
    act: Callable[..., State]

    def schema(self) -> Plain:
        """The JSON schema of its arguments."""
        return {
            "type": "object",
            "description": self.effect,
            "properties": dict(self.arguments),
            "required": sorted(self.arguments),
            "additionalProperties": False,
        }


TEXT: Final = {"type": "string"}
MANIPULATIONS: Final[Mapping[str, Manipulation]] = {
    "MODIFY_AGENT_PERSONALITY": Manipulation(
        "gives an agent other traits",
        AGENTS,
        "agents",
        {
            "agent": TEXT,
            "traits": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}},
        },
        modify_agent_personality,
    ),
    "INJECT_RITUAL_EVENT": Manipulation(
        "lets a ritual have happened",
        HISTORY,
        "rituals",
        {"ritual": TEXT, "record": {"type": "object"}},
        inject_ritual_event,
    ),
    "ALTER_VIBE_WEATHER": Manipulation(
        "makes other weather", WEATHER, "vibes", {"weather": {"type": "object"}}, alter_vibe_weather
    ),
    "REWRITE_HISTORY": Manipulation(
        "puts another history in place of what is remembered",
        HISTORY,
        "rituals",
        {"history": {"type": "object", "additionalProperties": {"type": "object"}}},
        rewrite_history,
    ),
}
"""What can be done to a package, by name."""


def manipulated(
    package: OuterLayerPackage, method: str, arguments: Mapping[str, Plain], role: str = ""
) -> OuterLayerPackage:
    """A package after a manipulation; the given one is not touched.

    Its digest is empty, for it is not what was exported any more.

    Args:
        package: of an instance.
        method: a key of `MANIPULATIONS`.
        arguments: as that says.
        role: of the member whose state is changed; "" for the only one that has the section.

    Raises:
        CommandRefusedError: no such method or member, or arguments that do not fit; nothing has changed.
        PackageError: its cut cannot be read.
    """
    if not isinstance(method, str) or method not in MANIPULATIONS:
        raise CommandRefusedError(f"there is no manipulation {method!r:.100}; there are {', '.join(MANIPULATIONS)}.")
    row = MANIPULATIONS[method]
    if not isinstance(arguments, Mapping) or arguments.keys() != row.arguments.keys():
        raise CommandRefusedError(f"{method} takes {', '.join(row.arguments)}, and nothing else.")
    cut, states = _states_in(package)
    having = [one for one in states if isinstance(states[one].get(row.section), Records) and role in ("", one)]
    if len(having) != 1:
        who = f"member {role!r:.100}" if role else "one member"
        raise CommandRefusedError(
            f"{method} changes the section {row.section!r} of {who}; those that have it are {', '.join(having) or 'none'}."
        )
    try:
        after = row.act(states[having[0]], **arguments)
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # nobody has made a member of it yet
        raise CommandRefusedError(
            f"{method} cannot be done to {having[0]}, whose state is not of our form: {str(error)[:200].rstrip('.')}."
        ) from None
    try:
        document = encode_state(after)
    except (ValueError, TypeError, AttributeError) as error:
        raise CommandRefusedError(f"{method} makes what cannot be kept: {str(error)[:200].rstrip('.')}.") from None
    origins = [
        msgspec.structs.replace(one, checkpoint=msgspec.structs.replace(one.checkpoint, document=document, digest=b""))
        if one.role == having[0]
        else one
        for one in cut.origins
    ]
    shown = {row.shown_as: dict(_section(after, row.section))}
    return msgspec.structs.replace(
        package,
        cut=encoded_cut(msgspec.structs.replace(cut, origins=origins)),
        game_state=msgspec.structs.replace(package.game_state, **shown),
        metadata=msgspec.structs.replace(package.metadata, digest=""),
    )


def changed_roles(before: OuterLayerPackage, after: OuterLayerPackage) -> list[str]:
    """Of which members the states in two packages of one instance are not the same."""
    known = {one.role: one.checkpoint.document for one in decoded_cut(before.cut).origins}
    return [one.role for one in decoded_cut(after.cut).origins if known.get(one.role) != one.checkpoint.document]


def _states_in(package: OuterLayerPackage) -> tuple[Cut, dict[str, State]]:
    try:
        cut = decoded_cut(package.cut)
        return cut, {one.role: decode_state(one.checkpoint.document) for one in cut.origins}
    except (ProtocolError, ValueError, TypeError, AttributeError) as error:
        raise PackageError(
            f"the cut of package {package.name!r} cannot be read: {str(error)[:200].rstrip('.')}."
        ) from None


def _section(state: State, name: str) -> Mapping[str, Plain]:
    section = state.get(name)
    if not isinstance(section, Records):
        raise CommandRefusedError(f"the state has no section {name!r} of records; it has {_some(state)}.")
    return section.objects


def _ended(state: State) -> int:
    """How many rituals have ended, as far as that is counted."""
    vitals = state.get(VITALS)
    now = vitals.objects.get(NOW) if isinstance(vitals, Records) else None
    return int(now.get(ENDED, 0)) if isinstance(now, Mapping) else 0


def _with_history(state: State, history: Mapping[str, Mapping[str, Plain]], ended: int) -> State:
    """A state with another history, after which so many rituals have ended; Mirror is told of what it has not been told of."""
    changed = {**state, HISTORY: Records(dict(history))}
    vitals = state.get(VITALS)
    now = vitals.objects.get(NOW) if isinstance(vitals, Records) else None
    if isinstance(vitals, Records) and isinstance(now, Mapping):
        present = _section(state, HISTORY)
        counted = {**now, ENDED: ended}
        first = min((one[ORDER] for one in history.values()), default=ended)
        taken = {one: record for one, record in present.items() if _order(one, record) >= first}
        for outcome in COUNTED:
            if outcome in now:
                more = _with_outcome(history, outcome) - _with_outcome(taken, outcome)
                counted[outcome] = max(0, now[outcome] + more)
        if REPORTED in now:
            fresh = [one[ORDER] for ritual, one in history.items() if present.get(ritual) != one]
            counted[REPORTED] = min([now[REPORTED], ended, *fresh])
        changed[VITALS] = Records({**vitals.objects, NOW: counted})
    return changed


def _with_outcome(history: Mapping[str, Plain], outcome: str) -> int:
    return sum(isinstance(one, Mapping) and one.get("outcome") == outcome for one in history.values())


def _order(ritual: str, record: Plain) -> int:
    order = record.get(ORDER) if isinstance(record, Mapping) else None
    if type(order) is not int:
        raise CommandRefusedError(f"ritual {ritual!r:.100} of the history has no {ORDER}; the state is damaged.")
    return order


def _check_records(state: State, records: Mapping[str, Plain], present: Mapping[str, Plain]) -> None:
    """Refuses records that are unlike those that are there; where there are none, they only have to be plain."""
    like = next((present[ritual] for ritual in sorted(present)), None)
    for ritual, record in records.items():
        _check_ritual_id(state, ritual, present)
        if not isinstance(record, Mapping) or ORDER in record:
            raise CommandRefusedError(
                f"ritual {ritual!r:.100} must be a map of attributes without {ORDER}, which is given here."
            )
        try:
            encode(dict(record))
        except ValueError as error:
            raise CommandRefusedError(f"ritual {ritual!r:.100} cannot be kept: {str(error)[:200]}.") from None
        if isinstance(like, Mapping):
            kinds = {name: type(value) for name, value in like.items() if name != ORDER}
            if {name: type(value) for name, value in record.items()} != kinds:
                told = ", ".join(f"{name} ({kind.__name__})" for name, kind in sorted(kinds.items()))
                raise CommandRefusedError(f"ritual {ritual!r:.100} must have {told}, as the others have.")
        _check_record(state, ritual, record, present)


def _check_ritual_id(state: State, ritual: object, present: Mapping[str, Plain]) -> None:
    """Refuses what can be no id, and what Runtime has given to another ritual, or will give to one."""
    if not isinstance(ritual, str) or not 0 < len(ritual) <= ID_CHARACTERS_MAX or not ritual.isprintable():
        raise CommandRefusedError(f"{ritual!r:.100} can be no ritual's id; use a short printable one.")
    if ritual in present:
        return
    under_way = state.get(RITUALS)
    if ritual_number(ritual) is not None or (isinstance(under_way, Records) and ritual in under_way.objects):
        raise CommandRefusedError(
            f"ritual {ritual!r} has an id of those that Runtime itself gives, and is not in the history; choose another id, "
            "for example 'coronation'."
        )


def _check_record(state: State, ritual: str, record: Mapping[str, Plain], present: Mapping[str, Plain]) -> None:
    """Refuses a ritual of nobody, or of a time that cannot have been, as far as the state tells who and when.

    What stands in the history already may stay there.
    """
    if ritual in present and {**present[ritual], ORDER: 0} == {**record, ORDER: 0}:
        return
    began_at, ended_at = record.get("began_at"), record.get("ended_at")
    vitals = state.get(VITALS)
    now = vitals.objects.get(NOW) if isinstance(vitals, Records) else None
    latest = now.get(NOW) if isinstance(now, Mapping) else None
    if (
        isinstance(began_at, int)
        and isinstance(ended_at, int)
        and isinstance(latest, int)
        and not 0 <= began_at <= ended_at <= latest
    ):
        raise CommandRefusedError(
            f"ritual {ritual!r} cannot have begun at local tick {began_at!r:.30} and ended at {ended_at!r:.30}: that must "
            f"be within 0 to {latest}, the present one, in that order."
        )
    agents = state.get(AGENTS)
    if "agent" in record and isinstance(agents, Records):
        known = {*agents.objects, *(one.get("agent") for one in present.values() if isinstance(one, Mapping))}
        if record["agent"] not in known:
            raise CommandRefusedError(
                f"ritual {ritual!r} is for {record['agent']!r:.100}, who is not there and of whom the history does not tell; "
                f"there are {_some(agents.objects)}."
            )


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise CommandRefusedError(f"the {what} is named by its id, a text, not by {value!r:.100}.")
    return value


def _check_share(name: str, value: object, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 1:
        raise CommandRefusedError(f"{name} must be a number from {least:g} to 1, not {value!r:.100}.")


def _some(names: Mapping[str, object]) -> str:
    shown = sorted(names)[:NAMES_SHOWN]
    return f"{', '.join(shown) or 'none'}{' and others' if len(names) > len(shown) else ''}"
