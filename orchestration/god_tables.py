"""What god commands come to, for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration import god_results as came
from orchestration.summaries import for_output

CONFLICTS_SHOWN_MAX = 40
VALUE_CHARACTERS_MAX = 100
CELL_CHARACTERS_MAX = 24


def print_result(result: came.GodResult) -> None:
    """Prints a result on standard output, the boundary of which it is last."""
    console = for_output()
    for line in _lines(result):
        console.print(Text(line))
    if isinstance(result, came.InstancesMerged):
        _print_conflicts(console, result.report)
    boundary = result.boundary
    where = f"control tick {boundary['control_tick']:,} of {boundary['branch']}"
    console.print(f"boundary: {where}, journal position {boundary['position']:,}")


def _lines(result: came.GodResult) -> list[str]:
    match result:
        case came.TimeFrozen():
            return [
                *_named("stands still", "stand still", result.frozen),
                *_named("stood still already", "stood still already", result.were_frozen),
            ] or ["nobody is there to stand still"]
        case came.TimeUnfrozen():
            still = [f"{one} still stands still for {', '.join(causes)}" for one, causes in result.still.items()]
            return [*_named("goes on", "go on", result.thawed), *still] or ["nobody stood still for that"]
        case came.InstanceCloned():
            return [_made(result.instance)]
        case came.RealityForked():
            return [_made(one) for one in result.instances]
        case came.InstancesMerged():
            return _merged(result)
        case came.Possessed():
            return [f"{result.step} in {result.instance}: {_told(result.outcome)}"]
        case came.TimelineReverted():
            return _reverted(result)
        case came.CommunicationSet():
            may = "may speak to each other" if result.enabled else "no longer speak to each other"
            return [f"{' and '.join(pair)} {may}" for pair in result.pairs] or ["nothing has changed by it"]
        case came.Intervened():
            return [f"{result.intervention} in {result.instance}: {_told(result.outcome)}"]
        case _:
            return [_told(result.model_dump(mode="json"))]


def _named(one: str, several: str, who: Sequence[str]) -> list[str]:
    return [f"{', '.join(who)} {one if len(who) == 1 else several}"] if who else []


def _made(one: came.MadeInstance) -> str:
    return f"{one.name} is {one.instance_id}: {', '.join(one.members.values())}"


def _merged(result: came.InstancesMerged) -> list[str]:
    report = result.report
    count = report["conflicts_count"]
    told = (
        f"{' and '.join(report['sources'])} merged by {report['strategy']!r}: {count:,} "
        f"conflict{'' if count == 1 else 's'}, {report['changed_count']:,} attributes other than in {report['sources'][0]}"
    )
    made = f"{result.name} is {result.instance_id}" if result.instance_id else "a dry run: nothing was made"
    bases = [f"{source} against {base}" for source, base in zip(report["sources"][1:], report["bases"], strict=False)]
    return [told, *bases, *report["broken"], made]


def _reverted(result: came.TimelineReverted) -> list[str]:
    if result.branch is not None:
        left = result.branch
        return [f"back at control tick {left['control_tick']:,} of {left['parent']}, on from there on {left['branch']}"]
    went = result.scope or {}
    ticks = went.get("local_ticks") or {went.get("realm_id", ""): went.get("local_tick", 0)}
    found = [f"{member_id} is back at its local tick {tick:,}" for member_id, tick in ticks.items()]
    for key, says in (
        ("dropped", "events under way were dropped"),
        ("entangled", "events have crossed its wall since"),
    ):
        if went.get(key):
            found.append(f"{len(went[key]):,} {says}")
    return found


def _print_conflicts(console: Console, report: Mapping[str, Any]) -> None:
    conflicts = report["conflicts"]
    if not conflicts:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("section", "object", "attribute", "base", "left", "right", "winner"):
        table.add_column(heading, no_wrap=True)
    for one in conflicts[:CONFLICTS_SHOWN_MAX]:
        words = (str(one["section"]), str(one["object"]), str(one["attribute"]))
        values = (_plain(one[side], CELL_CHARACTERS_MAX) for side in ("base", "left", "right"))
        table.add_row(*map(Text, (*words, *values, str(one["winner"]))))
    console.print(table)
    if len(conflicts) > CONFLICTS_SHOWN_MAX:
        console.print(f"… and {len(conflicts) - CONFLICTS_SHOWN_MAX:,} more")


def _told(outcome: Any) -> str:
    """What a command came to, in one line; what is nested deeper is for programs."""
    if not isinstance(outcome, Mapping):
        return _plain(outcome)
    told = [
        f"{name} {_plain(value)}" for name, value in outcome.items() if not isinstance(value, Mapping) and value != ""
    ]
    return ", ".join(told) or "done"


def _plain(value: Any, characters_max: int = VALUE_CHARACTERS_MAX) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        value = ", ".join(value) or "nobody"
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= characters_max else f"{text[: characters_max - 1]}…"
