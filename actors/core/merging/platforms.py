"""The four platforms of one instance made into one truth: what each says at one boundary, and who is believed.

What one platform says reaches another a control tick later, so at a boundary their views differ. Where two speak of the same
thing, one table (`RESOLUTIONS`) says how a difference is found and who is believed; where one has more to say than the other,
both are heard. Nothing is changed in the platforms.

Source: seed 000, "The Merge Algorithm For Active Platforms".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.instances import MIRROR, PLATFORM_ROLES, PROTOCOL, RUNTIME, SURFACE
from actors.core.kernel.states import Records, State

NOW = "now"
"""The one object of a section that says how things are at present."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    SURFACE: ("echoes", "weather"),
    RUNTIME: ("agents", "history", "rituals", "threads", "loops", "vitals"),
    PROTOCOL: ("validations",),
    MIRROR: ("timeline", "vibes", "legal"),
}
"""What the merge reads of each platform."""
OPERATIONS = ("rituals", "threads", "loops", "vitals")
"""Runtime's autonomous operations."""

INTENSITY_APART_MAX = 100_000_000
"""Billionths by which two intensities may differ: 0.1, without what floats add to it (0.8 - 0.7 is no conflict)."""
BILLION = 1_000_000_000

Objects = Mapping[str, Plain]
Found = Iterator[tuple[str, Plain, Plain]]
"""Where two views differ, the loser's value, the winner's value."""


@dataclass(frozen=True, slots=True)
class Views:
    """What the four platforms say, by section; every map is checked.

    Attributes:
        agents: Runtime's agents by id.
        echoes: Surface's latest echo of each agent; agents without one are not in it.
        history: ids of Runtime's rituals, in their order.
        timeline: ids of Mirror's rituals, in their order.
        weather: Surface's present weather; empty before there is any.
        vibes: Mirror's present vibes; empty before there are any.
        validations: Protocol's, by item.
        legal: Mirror's legal checks, by item.
        records: the rituals' own records, Mirror's under those of Runtime.
        timeline_records: Mirror's records of rituals.
        operations: Runtime's autonomous operations.
    """

    agents: Objects
    echoes: Objects
    history: list[str]
    timeline: list[str]
    weather: Objects
    vibes: Objects
    validations: Objects
    legal: Objects
    records: Objects
    timeline_records: Objects
    operations: Objects


@dataclass(frozen=True, slots=True)
class Resolution:
    """One row of the table.

    Attributes:
        type: the conflict's name.
        found: where the two differ.
        loser: the platform that is not believed.
        winner: the one that is.
    """

    type: str
    found: Callable[[Views], Found]
    loser: str
    winner: str


class PlatformConflict(msgspec.Struct, frozen=True):
    """Two platforms that do not say the same.

    Attributes:
        type: one of `RESOLUTIONS`.
        where: what they speak of, as a dotted path.
        values: what each of the two says, by platform.
        winner: the platform that is believed.
        resolution: what it says, and so what stands in the merged state.
    """

    type: str
    where: str
    values: dict[str, Plain]
    winner: str
    resolution: Plain


@dataclass(frozen=True, slots=True)
class Unified:
    """One truth.

    Attributes:
        state: `agents` (as Runtime has them), `ritual_timeline` (Mirror's, in order, each `{id, record}`),
            `ritual_history` (the same rituals as Runtime recorded them, or Mirror where Runtime has none), `vibes`
            (Surface's weather laid over Mirror's vibes), `autonomous_operations` (Runtime's rituals, threads, loops and
            vitals), `validations` (Protocol's laid over Mirror's legal checks).
        conflicts: every one, in the order of the table, then by where it is.
    """

    state: dict[str, Plain]
    conflicts: tuple[PlatformConflict, ...]


def _agent_mismatches(views: Views) -> Found:
    for agent_id in sorted(views.echoes.keys() & views.agents.keys()):
        echo, agent = views.echoes[agent_id], views.agents[agent_id]
        for name in sorted(echo.keys() & agent.keys()):
            if encode(echo[name]) != encode(agent[name]):
                yield f"agents.{agent_id}.{name}", echo[name], agent[name]


def _timeline_divergence(views: Views) -> Found:
    if views.history != views.timeline:
        yield "ritual_timeline", views.history, views.timeline


def _weather_inconsistency(views: Views) -> Found:
    if views.weather and views.vibes:
        reflected, aggregated = views.weather["intensity"], views.vibes["intensity"]
        if round(abs(reflected - aggregated) * BILLION) > INTENSITY_APART_MAX:
            yield "vibes.intensity", aggregated, reflected


def _legal_conflicts(views: Views) -> Found:
    for item in sorted(views.legal.keys() & views.validations.keys()):
        checked, validated = views.legal[item]["valid"], views.validations[item]["valid"]
        if checked != validated:
            yield f"validations.{item}.valid", checked, validated


RESOLUTIONS = (
    Resolution("AGENT_STATE_MISMATCH", _agent_mismatches, loser=SURFACE, winner=RUNTIME),
    Resolution("RITUAL_TIMELINE_DIVERGENCE", _timeline_divergence, loser=RUNTIME, winner=MIRROR),
    Resolution("VIBE_WEATHER_INCONSISTENCY", _weather_inconsistency, loser=MIRROR, winner=SURFACE),
    Resolution("LEGAL_VALIDATION_CONFLICT", _legal_conflicts, loser=MIRROR, winner=PROTOCOL),
)


def unified(states: Mapping[str, State]) -> Unified:
    """One truth of what the four platforms say at one boundary.

    Args:
        states: by platform; what else stands in them is not read.

    Raises:
        MergeRefusedError: a platform or a section is missing or unknown, or an object is not of the form it has to have.
    """
    views = views_of(states)
    conflicts = tuple(
        PlatformConflict(rule.type, where, {rule.loser: lost, rule.winner: won}, rule.winner, won)
        for rule in RESOLUTIONS
        for where, lost, won in rule.found(views)
    )
    state = {
        "agents": views.agents,
        "ritual_timeline": [{"id": ritual, "record": views.timeline_records[ritual]} for ritual in views.timeline],
        "ritual_history": [{"id": ritual, "record": views.records[ritual]} for ritual in views.timeline],
        "vibes": {**views.vibes, **views.weather},
        "autonomous_operations": views.operations,
        "validations": {**views.legal, **views.validations},
    }
    return Unified(decode(encode(state)), conflicts)


def views_of(states: Mapping[str, State]) -> Views:
    """What the platforms say, checked and their own copies.

    Raises:
        MergeRefusedError: see `unified`.
    """
    if sorted(states) != sorted(PLATFORM_ROLES):
        raise MergeRefusedError(
            f"the merge is of the platforms {', '.join(PLATFORM_ROLES)}, not of "
            f"{', '.join(sorted(map(str, states))) or 'none'}."
        )
    said = {role: {name: _objects(states[role], role, name) for name in names} for role, names in SECTIONS.items()}
    runtime, mirror = said[RUNTIME], said[MIRROR]
    return Views(
        agents=_maps(runtime["agents"], "runtime.agents"),
        echoes=_latest(_maps(said[SURFACE]["echoes"], "surface.echoes")),
        history=_in_order(runtime["history"], "runtime.history"),
        timeline=_in_order(mirror["timeline"], "mirror.timeline"),
        weather=_present(said[SURFACE]["weather"], "surface.weather"),
        vibes=_present(mirror["vibes"], "mirror.vibes"),
        validations=_verdicts(said[PROTOCOL]["validations"], "protocol.validations"),
        legal=_verdicts(mirror["legal"], "mirror.legal"),
        records={**mirror["timeline"], **runtime["history"]},
        timeline_records=mirror["timeline"],
        operations={name: runtime[name] for name in OPERATIONS},
    )


def _objects(state: State, role: str, name: str) -> Objects:
    section = state.get(name)
    if not isinstance(section, Records):
        found = "is missing" if section is None else f"is a {type(section).__name__}"
        raise MergeRefusedError(f"section {role}.{name} {found}; records are needed to merge the platforms.")
    try:
        objects = decode(encode(section.objects))
    except ValueError as error:
        raise MergeRefusedError(f"section {role}.{name} is not plain data: {error}.") from None
    if not isinstance(objects, dict):
        raise MergeRefusedError(f"section {role}.{name} must have its objects by id.")
    return objects


def _maps(objects: Objects, where: str) -> Objects:
    for object_id in sorted(objects):
        if not isinstance(objects[object_id], dict):
            raise MergeRefusedError(f"{where}.{object_id} must be a map, not {objects[object_id]!r:.80}.")
    return objects


def _latest(echoes: Objects) -> Objects:
    found = {agent_id: echo.get("latest") for agent_id, echo in echoes.items()}
    return _maps({agent_id: echo for agent_id, echo in found.items() if echo is not None}, "surface.echoes (latest)")


def _in_order(records: Objects, where: str) -> list[str]:
    for ritual, record in sorted(_maps(records, where).items()):
        if type(record.get("order")) is not int:
            raise MergeRefusedError(f"{where}.{ritual}.order must be a whole number, not {record.get('order')!r:.80}.")
    return sorted(records, key=lambda ritual: (records[ritual]["order"], ritual))


def _present(objects: Objects, where: str) -> Objects:
    if NOW not in objects:
        return {}
    found: Objects = _maps({NOW: objects[NOW]}, where)[NOW]
    intensity: Plain = found.get("intensity")
    if type(intensity) not in (int, float) or not 0 <= intensity <= 1:
        raise MergeRefusedError(f"{where}.{NOW}.intensity must be a number from 0 to 1, not {intensity!r:.80}.")
    return found


def _verdicts(objects: Objects, where: str) -> Objects:
    for item, verdict in sorted(_maps(objects, where).items()):
        if type(verdict.get("valid")) is not bool:
            raise MergeRefusedError(f"{where}.{item}.valid must be true or false, not {verdict.get('valid')!r:.80}.")
    return objects
