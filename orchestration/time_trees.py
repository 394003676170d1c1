"""The tree of a multiverse's histories as people see it: read from its vault, drawn, and what differs within it."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from actors import pasts
from actors.chronicles import founding_of
from actors.core.kernel.errors import UnknownMultiverseError, UnknownSnapshotError
from actors.core.kernel.states import Difference
from actors.factories import add_realm_paths
from actors.vaults.openings import open_vault
from actors.vaults.records import Branch, Instant, Snapshot, owner_of, path_of, unknown_snapshot
from actors.vaults.vaults import Vault
from orchestration.pasts import Past, differing
from orchestration.summaries import OUTPUT_WIDTH, VisibleConsole, for_output, in_html
from orchestration.vault_files import existing_vault

SNAPSHOTS_DRAWN_MAX = 8
"""Of each branch; more are counted."""
DIFFERENCES_SHOWN_MAX = 40


def tree_of(vault: str, name: str) -> dict[str, Any]:
    """The tree of histories in a vault, with the snapshots on it; nothing is written, and whoever runs is not asked.

    Returns:
        name, branch (the one that the multiverse lives on), branches (branch, parent, control_tick, position, number,
        reason, reached), snapshots.

    Raises:
        UnknownMultiverseError: the vault does not know it.
        VaultError: it cannot be read.
    """
    with open_vault(existing_vault(vault)) as opened:
        first = _first_branch(opened, name)
        branches, sealed = opened.branches(name), set(opened.seals(name))
        known = [Branch(first, "", 0, 0), *branches]
        return {
            "name": name,
            "branch": opened.head(name) or first,
            "branches": [
                {
                    **{
                        key: getattr(one, key)
                        for key in ("branch", "parent", "control_tick", "position", "number", "reason")
                    },
                    "reached": opened.marked(name, one.branch),
                }
                for one in known
            ],
            "snapshots": [
                snapshot_document(one) | {"sealed": _whereabouts(one, branches) in sealed}
                for one in opened.snapshots(name)
            ],
        }


def _first_branch(opened: Vault, name: str) -> str:
    founding = founding_of(opened, name)
    if founding is None:
        known = ", ".join(one.name for one in opened.multiverses()) or "none"
        raise UnknownMultiverseError(f"{opened.where} has no multiverse {name!r}; it has {known}.")
    return founding.settings.branch


def _whereabouts(taken: Snapshot, branches: Sequence[Branch]) -> tuple[str, Instant]:
    instant = taken.instant
    return owner_of(path_of(branches, taken.branch), instant), instant


def seal(vault: str, name: str, snapshot: str, paths: Sequence[str] = ()) -> None:
    """Writes a snapshot down whole, so that it outlives an upgrade; whoever runs is not asked.

    Raises:
        UnknownSnapshotError: there is no such snapshot.
        SoulfraError: see `actors.pasts.seal`.
    """
    add_realm_paths(paths)
    with open_vault(existing_vault(vault)) as opened:
        founding = founding_of(opened, name)
        add_realm_paths(founding.realm_paths if founding is not None else ())
        pasts.seal(opened, name, taken_in(opened, name, snapshot), tuple(paths))
        try:
            taken_in(opened, name, snapshot)  # one that came round may have gone meanwhile
        except UnknownSnapshotError:
            opened.release(name)
            raise


def taken_in(opened: Vault, name: str, snapshot: str) -> Snapshot:
    """A snapshot by its name.

    Raises:
        UnknownMultiverseError: the vault does not know the multiverse.
        UnknownSnapshotError: there is no such snapshot.
    """
    _first_branch(opened, name)
    known = {one.snapshot: one for one in opened.snapshots(name)}
    if (taken := known.get(snapshot)) is None:
        raise unknown_snapshot(name, snapshot, list(known))
    return taken


def snapshot_document(taken: Snapshot) -> dict[str, Any]:
    """A snapshot as plain data, without what only a caller knows."""
    return {key: value for key, value in msgspec.to_builtins(taken).items() if key != "command_id"}


def past_of(
    vault: str,
    name: str,
    *,
    control_tick: int | None = None,
    branch: str = "",
    snapshot: str = "",
    realm: str = "",
    paths: Sequence[str] = (),
) -> Past:
    """A boundary in a vault, by its control tick or by a snapshot.

    Raises:
        UnknownSnapshotError: there is no such snapshot.
        SoulfraError: see `Past`.
    """
    if not snapshot:
        return Past(vault, name, control_tick, paths, branch=branch, realm=realm)  # type: ignore[arg-type]
    with open_vault(existing_vault(vault)) as opened:
        taken = taken_in(opened, name, snapshot)
    where = {"branch": taken.branch, "position": taken.position, "realm": realm}
    return Past(vault, name, taken.control_tick, paths, **where)  # type: ignore[arg-type]


def difference_document(vault: str, name: str, one: str, other: str, paths: Sequence[str] = ()) -> dict[str, Any]:
    """What differs between two snapshots: name, left, right, members (by id, a list of differences)."""
    with (
        past_of(vault, name, snapshot=one, paths=paths) as left,
        past_of(vault, name, snapshot=other, paths=paths) as right,
    ):
        found = differing(left, right)
    members = {member_id: [msgspec.to_builtins(one) for one in some] for member_id, some in found.items()}
    return {"name": name, "left": one, "right": other, "members": members}


# ------------------------------------------------------------------------------------------------------------ drawn


class HistoryTree:
    """The tree of a multiverse's histories, to be looked at: drawn as text, and in a notebook.

    Attributes:
        document: see `tree_of`.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def __repr__(self) -> str:
        text = io.StringIO()
        console = VisibleConsole(file=text, width=OUTPUT_WIDTH, highlight=False, color_system=None, force_jupyter=False)
        console.print(drawing(self.document))
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        return in_html(drawing(self.document))


def print_tree(document: Mapping[str, Any]) -> None:
    """Draws the tree of histories on standard output."""
    for_output().print(drawing(document))


def drawing(document: Mapping[str, Any]) -> Tree:
    """The tree of histories as something that rich can draw."""
    by_branch: dict[str, list[Mapping[str, Any]]] = {}
    for one in document["snapshots"]:
        by_branch.setdefault(one["branch"], []).append(one)
    drawn: dict[str, Tree] = {}
    for one in document["branches"]:
        label = Text(one["branch"], style="bold green" if one["branch"] == document["branch"] else "bold")
        label.append(f"  {one['control_tick']:,} … {one['reached']:,}", style="default not bold")
        if one["branch"] == document["branch"]:
            label.append("  lives here", style="green not bold")
        if one["reason"]:
            label.append(f"  {one['reason']}", style="dim not bold")
        node = drawn[one["branch"]] = (
            drawn[one["parent"]].add(label) if one["parent"] else Tree(label, guide_style="dim")
        )
        snapshots = by_branch.get(one["branch"], [])
        for taken in snapshots[-SNAPSHOTS_DRAWN_MAX:]:
            reason = f"  {taken['reason']}" if taken["reason"] else ""
            sealed = "  sealed" if taken["sealed"] else ""
            node.add(Text(f"{taken['snapshot']} at {taken['control_tick']:,}{sealed}{reason}", style="cyan"))
        if len(snapshots) > SNAPSHOTS_DRAWN_MAX:
            node.add(Text(f"… and {len(snapshots) - SNAPSHOTS_DRAWN_MAX:,} earlier snapshots", style="dim"))
    return drawn[document["branches"][0]["branch"]]


def print_snapshots(snapshots: Sequence[Mapping[str, Any]]) -> None:
    """Lists snapshots on standard output."""
    console = for_output()
    if not snapshots:
        console.print("no snapshots yet")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("snapshot", "branch"):
        table.add_column(heading)
    for heading in ("control tick", "position"):
        table.add_column(heading, justify="right")
    for heading in ("digest", "reason"):
        table.add_column(heading)
    for one in snapshots:
        figures = (f"{one['control_tick']:,}", f"{one['position']:,}")
        table.add_row(*map(Text, (one["snapshot"], one["branch"], *figures, one["digest"][:16], one["reason"])))
    console.print(table)


def print_differences(document: Mapping[str, Any]) -> None:
    """Says what differs on standard output, the first of each member."""
    console = for_output()
    if not document["members"]:
        console.print(f"{document['left']} and {document['right']} do not differ")
    for member_id, found in document["members"].items():
        console.print(Text(f"{member_id}: {len(found):,} difference{'' if len(found) == 1 else 's'}", style="bold"))
        for one in found[:DIFFERENCES_SHOWN_MAX]:
            console.print(Text(f"  {Difference(**one)}"))
        if len(found) > DIFFERENCES_SHOWN_MAX:
            console.print(f"  … and {len(found) - DIFFERENCES_SHOWN_MAX:,} more")


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints the rows of a sweep on standard output."""
    console = for_output()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), justify="left" if column == "error" else "right")
    for row in rows:
        table.add_row(*(Text(_shown(row.get(column))) for column in columns))
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.6g}" if isinstance(value, float) else str(value)[:16]
