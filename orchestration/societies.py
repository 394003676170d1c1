"""An instance as a picture of its society: who lives there, how they are, what is under way; as data, and drawn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.instances import MIRROR, PLATFORM_ROLES, PROTOCOL, RUNTIME, SURFACE, instance_id
from orchestration.instances import FourPlatformInstance

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from orchestration.presiding import Presiding

QUESTIONS = {
    "agents": (RUNTIME, "agents"),
    "rituals": (RUNTIME, "rituals"),
    "leases": (RUNTIME, "leases"),
    "loops": (RUNTIME, "loops"),
    "vitals": (RUNTIME, "vitals"),
    "weather": (SURFACE, "weather"),
    "compliance": (PROTOCOL, "compliance"),
    "vibes": (MIRROR, "vibes"),
}
"""What a picture shows: which platform is asked what. What a platform of another kind does not answer is None."""
INSTANCES_SHOWN_MAX = 40
AGENTS_SHOWN_MAX = 40


def listed(presiding: "Presiding") -> list[dict[str, Any]]:
    """Every instance that lives: instance_id, name, phase, local_tick, members, stills, ancestors, agents (how many)."""
    state = presiding.get_multiverse_state()
    games = {game["realm_id"]: game for game in state["games"]}
    return [
        {
            **_named(one),
            "local_tick": max(games[member_id]["local_tick"] for member_id in one.members.values()),
            "agents": games[one[RUNTIME]]["measures"].get("agents"),
        }
        for one in presiding.instances()
        if all(member_id in games for member_id in one.members.values())  # it may have been made since
    ]


def picture_of(presiding: "Presiding", who: str) -> dict[str, Any]:
    """A picture of one instance.

    Returns:
        instance_id, name, phase, ancestors, digest (by roles), boundary (of Runtime's answers), members (by role: member_id,
        kind, state, local_tick, stills), and the answers to `QUESTIONS`.

    Raises:
        CommandRefusedError: there is no such instance.
    """
    one = presiding.instance(who)
    games = {game["realm_id"]: game for game in presiding.get_multiverse_state()["games"]}
    answers, boundary = {}, None
    for name, (role, verb) in QUESTIONS.items():
        try:
            answers[name], of = presiding.query_with_boundary(one[role], verb)
        except CommandRefusedError:
            answers[name] = None
        else:
            boundary = boundary or of
    shown = ("kind", "state", "local_tick")
    return {
        **_named(one),
        "digest": presiding.instance_digest(one),
        "boundary": boundary,
        "members": {
            role: {
                "member_id": member_id,
                **{key: games[member_id][key] for key in shown if member_id in games},
                "stills": list(one.stills.get(role, ())),
            }
            for role, member_id in _platforms_first(one.members)
        },
        **answers,
    }


def _named(one: FourPlatformInstance) -> dict[str, Any]:
    return {
        "instance_id": one.instance_id,
        "name": one.name,
        "phase": one.phase,
        "members": dict(one.members),
        "stills": {role: list(causes) for role, causes in one.stills.items()},
        "ancestors": [dict(ancestor) for ancestor in one.ancestors],
    }


def _platforms_first(members: Mapping[str, str]) -> list[tuple[str, str]]:
    order = {role: number for number, role in enumerate(PLATFORM_ROLES)}
    return sorted(members.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))


# -------------------------------------------------------------------------------------------------------------- drawn


def print_instances(found: Sequence[Mapping[str, Any]]) -> None:
    """Prints a line for each instance on standard output."""
    from orchestration.summaries import for_output

    console = for_output()
    if not found:
        console.print("there are no instances; `soulfra instance create` makes one")
        return
    rows = [
        (
            one["instance_id"],
            one["name"],
            one["phase"],
            f"{one['local_tick']:,}",
            "–" if one["agents"] is None else f"{one['agents']:,.0f}",
            _origin(one["ancestors"]),
            ", ".join(role for role in one["members"] if role not in PLATFORM_ROLES),
            _stills(one["stills"]),
        )
        for one in found[:INSTANCES_SHOWN_MAX]
    ]
    headings = ("instance", "name", "phase", "local tick", "agents", "made from", "realms", "stands still for")
    console.print(_table(headings, rows, right=("local tick", "agents")))
    if len(found) > INSTANCES_SHOWN_MAX:
        console.print(f"… and {len(found) - INSTANCES_SHOWN_MAX:,} more")


def print_picture(picture: Mapping[str, Any]) -> None:
    """Prints a picture on standard output."""
    from rich.text import Text

    from orchestration.summaries import for_output

    console = for_output()
    origin = _origin(picture["ancestors"])
    made = f", made from {origin}" if origin else ""
    boundary = picture["boundary"]
    where = f", at control tick {boundary['control_tick']:,} of {boundary['branch']}" if boundary else ""
    console.print(Text(f"{picture['name']} ({picture['instance_id']}), {picture['phase']}{where}{made}", style="bold"))
    for line in _sayings(picture):
        console.print(Text(line))
    members = [
        (
            role,
            one["member_id"],
            one.get("kind", ""),
            one.get("state", ""),
            f"{one.get('local_tick', 0):,}",
            _joined(one),
        )
        for role, one in picture["members"].items()
    ]
    console.print(
        _table(("role", "member", "kind", "state", "local tick", "stands still for"), members, ("local tick",))
    )
    if picture["agents"]:
        _print_agents(console, picture["agents"], picture["leases"] or {})
    if picture["rituals"]:
        rituals = [
            (ritual_id, one["kind"], one["agent"], one["phase"], f"{one['phase_until']:,}", f"{one['energy']:,}")
            for ritual_id, one in picture["rituals"].items()
        ]
        headings = ("ritual", "kind", "agent", "phase", "until", "energy")
        console.print(_table(headings, rituals, ("until", "energy")))
    console.print(f"digest {picture['digest']}")


def _sayings(picture: Mapping[str, Any]) -> list[str]:
    weather, compliance, vitals, vibes = (picture[name] for name in ("weather", "compliance", "vitals", "vibes"))
    found = []
    if weather is not None:
        found.append(
            f"weather: {weather['phase']}, intensity {weather['intensity']:.3f}, {weather['trajectory']}, "
            f"{weather['frequency']} Hz"
        )
    if compliance is not None:
        found.append(f"compliance: {compliance['level']}, {compliance['score']:.3f}")
    if vibes is not None:
        found.append(f"vibes: mood {vibes['mood']:.3f}, harmony {vibes['harmony']:.3f}")
    if vitals is not None:
        others = max(0, vitals["rituals_ended"] - vitals["completed"] - vitals["aborted"])
        found.append(
            f"rituals: {vitals['completed']:,} completed, {vitals['aborted']:,} aborted, {others:,} denied or lapsed; "
            f"energy in the pool: {vitals['pool']:,}; loops sealed: {vitals['loops_closed']:,}"
        )
    return found


def _print_agents(
    console: "Console", agents: Mapping[str, Mapping[str, Any]], leases: Mapping[str, Mapping[str, Any]]
) -> None:
    rows = [
        (
            agent_id,
            one["template"],
            one["state"],
            f"{one['mood']:.3f}",
            f"{one['energy']:,}",
            f"{one['aura']:.1f}",
            str(one["generation"]),
            _possessed(one["possession"], leases),
        )
        for agent_id, one in list(agents.items())[:AGENTS_SHOWN_MAX]
    ]
    headings = ("agent", "template", "state", "mood", "energy", "aura", "generation", "possessed by")
    console.print(_table(headings, rows, ("mood", "energy", "aura", "generation")))
    if len(agents) > AGENTS_SHOWN_MAX:
        console.print(f"… and {len(agents) - AGENTS_SHOWN_MAX:,} more agents")


def _possessed(possession: Mapping[str, Any] | None, leases: Mapping[str, Mapping[str, Any]]) -> str:
    if possession is None:
        return ""
    lease = leases.get(possession["lease_id"])
    until = "" if lease is None else f" until {lease['expires_at']:,}"
    return f"{possession['principal']}{until}"


def _origin(ancestors: Sequence[Mapping[str, Any]]) -> str:
    """Whom it was made from last; several, where it was merged."""
    if not ancestors:
        return ""
    instants = [(one["control_tick"], one["position"]) for one in ancestors]
    last = max(instants)
    parents = [instance_id(one["fork"]) for one, instant in zip(ancestors, instants, strict=True) if instant == last]
    return f"{' and '.join(parents)} at control tick {last[0]:,}"


def _stills(stills: Mapping[str, Sequence[str]]) -> str:
    """Every cause once, with the roles where not all of them stand still for it."""
    by_cause: dict[str, list[str]] = {}
    for role, causes in stills.items():
        for cause in causes:
            by_cause.setdefault(cause, []).append(role)
    everybody = len(PLATFORM_ROLES)
    return "; ".join(
        cause if len(roles) >= everybody else f"{cause} ({', '.join(roles)})" for cause, roles in by_cause.items()
    )


def _joined(member: Mapping[str, Any]) -> str:
    return ", ".join(member["stills"])


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
