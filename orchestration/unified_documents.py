"""Unified snapshots for people and for programs: the conflicts as a table, the whole as one JSON document."""

import json
from pathlib import Path
from typing import Any

import msgspec

from actors.core.kernel.errors import SettingsError
from actors.core.kernel.states import State, Table
from actors.core.merging.unified_snapshots import UnifiedSnapshot

CONFLICTS_SHOWN_MAX = 40
VALUE_CHARACTERS_MAX = 40


def summary(found: UnifiedSnapshot) -> dict[str, Any]:
    """All but the states: snapshot_id, instance, branch, control_tick, position, local_tick, metadata."""
    words = ("snapshot_id", "instance", "branch", "control_tick", "position", "local_tick", "metadata")
    return {name: msgspec.to_builtins(getattr(found, name)) for name in words}


def document(found: UnifiedSnapshot) -> dict[str, Any]:
    """All of it as plain data: the summary, `merged`, and `platforms` with each one's own state."""
    platforms = {role: _plain(found.platform(role)) for role in found.platforms}
    return {**summary(found), "merged": msgspec.to_builtins(found.state), "platforms": platforms}


def _plain(state: State) -> dict[str, Any]:
    """A state: tables by column, records by object."""
    return {
        name: {column: values.tolist() for column, values in section.columns.items()}
        if isinstance(section, Table)
        else msgspec.to_builtins(dict(section.objects))
        for name, section in state.items()
    }


def check_output(path: Path) -> None:
    """Finds out what cannot be written before anything is asked.

    Raises:
        SettingsError: there is no such folder, or a folder is there.
    """
    if not path.parent.is_dir() or path.is_dir():
        raise SettingsError(f"--output {str(path)!r:.200} cannot be written: name a file in a folder that is there.")


def write(path: Path, found: UnifiedSnapshot) -> None:
    """Writes the whole document to a file; one that is there is replaced.

    Raises:
        SettingsError: it cannot be written.
    """
    text = json.dumps(document(found), indent=1) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--output {str(path)!r:.200} cannot be written: {error.strerror or error}.") from None


def print_conflicts(instance: str, found: UnifiedSnapshot, output: Path | None) -> None:
    """Prints where the platforms disagreed, and who was right, on standard output."""
    from rich.table import Table as Drawn
    from rich.text import Text

    from orchestration.summaries import for_output

    console = for_output()
    conflicts = found.metadata.conflicts
    many = f"{len(conflicts):,} conflict{'' if len(conflicts) == 1 else 's'}"
    console.print(
        Text(
            f"{instance} at control tick {found.control_tick:,} of {found.branch}, local tick {found.local_tick:,}: {many}, "
            f"{found.metadata.ticks_paused:,} local ticks lost"
        )
    )
    table = Drawn(box=None, pad_edge=False)
    for heading in ("conflict", "where", "values", "winner"):
        table.add_column(heading)
    for one in conflicts[:CONFLICTS_SHOWN_MAX]:
        values = ", ".join(f"{role} {_shown(value)}" for role, value in one.values.items())
        table.add_row(*map(Text, (one.type, one.where, values, one.winner)))
    if conflicts:
        console.print(table)
    if len(conflicts) > CONFLICTS_SHOWN_MAX:
        console.print(f"… and {len(conflicts) - CONFLICTS_SHOWN_MAX:,} more")
    console.print(found.snapshot_id)
    if output is not None:
        console.print(Text(f"written to {output}"))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[: VALUE_CHARACTERS_MAX - 1]}…"
