"""`soulfra snapshot …`, `soulfra history …` and `soulfra revert`.

What only looks reads the vault, whether or not the multiverse is up. What changes history is for the clock to do, so the
multiverse must be up.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from actors.core.kernel.errors import SettingsError
from orchestration.command_options import Address, AsJson, Name, RealmPath, VaultOption, say, show_help, vault_of

Reason = Annotated[str, typer.Option(help="Why, for people.")]

snapshots = typer.Typer(name="snapshot", help="Boundaries with a name: take, list, show, compare and delete them.")
history = typer.Typer(name="history", help="The tree of histories: draw it, look at it, go over.")


snapshots.callback(invoke_without_command=True)(show_help)
history.callback(invoke_without_command=True)(show_help)


@snapshots.command("take")
def take(
    name: Name,
    snapshot: Annotated[str, typer.Argument(help="Its name; one is given otherwise.", metavar="[SNAPSHOT]")] = "",
    reason: Reason = "",
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Gives the present boundary of a multiverse that is up a name."""
    from orchestration import time_trees

    taken = time_trees.snapshot_document(_asked(name, address, lambda mv: mv.snapshot(snapshot, reason)))
    where = f"control tick {taken['control_tick']:,} on {taken['branch']}"
    return say(taken, as_json, f"{taken['snapshot']}: {where}, digest {taken['digest']}")


@snapshots.command("list")
def list_(name: Name, vault: VaultOption = "", as_json: AsJson = False) -> int:
    """Lists the snapshots of every branch."""
    from orchestration import time_trees

    found = time_trees.tree_of(vault_of(name, vault), name)["snapshots"]
    return say({"name": name, "snapshots": found}, as_json, lambda: time_trees.print_snapshots(found))


@snapshots.command("show")
def show_snapshot(
    name: Name,
    snapshot: Annotated[str, typer.Argument(help="Which one.")],
    vault: VaultOption = "",
    realm_path: RealmPath = None,
    as_json: AsJson = False,
) -> int:
    """Shows what was there: lives it again and says how everything stood."""
    return _look(name, vault, realm_path, as_json, snapshot=snapshot)


@snapshots.command("diff")
def diff(
    name: Name,
    one: Annotated[str, typer.Argument(help="A snapshot.")],
    other: Annotated[str, typer.Argument(help="Another one.")],
    vault: VaultOption = "",
    realm_path: RealmPath = None,
    as_json: AsJson = False,
) -> int:
    """Says what changed from one snapshot to another, by member, object and attribute."""
    from orchestration import time_trees

    document = time_trees.difference_document(vault_of(name, vault), name, one, other, realm_path or ())
    return say(document, as_json, lambda: time_trees.print_differences(document))


@snapshots.command("delete")
def delete(name: Name, snapshot: Annotated[str, typer.Argument(help="Which one.")], address: Address = "") -> int:
    """Forgets a snapshot of a multiverse that is up. History is not touched."""
    _asked(name, address, lambda mv: mv.delete_snapshot(snapshot))
    return say({}, False, f"{snapshot} is deleted")


@history.command("show")
def show(name: Name, vault: VaultOption = "", as_json: AsJson = False) -> int:
    """Draws the tree of histories, with the snapshots on it."""
    from orchestration import time_trees

    document = time_trees.tree_of(vault_of(name, vault), name)
    return say(document, as_json, lambda: time_trees.print_tree(document))


@history.command("at")
def at(
    name: Name,
    control_tick: Annotated[int, typer.Argument(help="The boundary after this control tick, before its commands.")],
    branch: Annotated[str, typer.Option(help="Of which history; the one it lives on by default.")] = "",
    realm: Annotated[str, typer.Option(help="Only the smallest closed domain around this realm.")] = "",
    vault: VaultOption = "",
    realm_path: RealmPath = None,
    as_json: AsJson = False,
) -> int:
    """Looks at any past control tick: lives it again and says how everything stood."""
    return _look(name, vault, realm_path, as_json, control_tick=control_tick, branch=branch, realm=realm)


@history.command("select")
def select(
    name: Name,
    branch: Annotated[str, typer.Argument(help="Which one.")],
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Lets a multiverse that is up go on where a branch ends."""
    boundary = _asked(name, address, lambda mv: mv.select(branch))
    document = {key: getattr(boundary, key) for key in boundary.__struct_fields__}
    return say(document, as_json, f"{name} goes on at control tick {boundary.control_tick:,} of {boundary.branch}")


def revert(
    name: Name,
    to: Annotated[
        int | None, typer.Option("--to", help="The boundary after this control tick.", metavar="TICK")
    ] = None,
    snapshot: Annotated[str, typer.Option(help="Instead: the boundary of this snapshot.")] = "",
    branch: Annotated[str, typer.Option(help="Of which history; the one it lives on by default.")] = "",
    new: Annotated[str, typer.Option("--as", help="Name of the new branch; one is given otherwise.")] = "",
    realm: Annotated[str, typer.Option(help="Only this realm's own time goes back, on the same branch.")] = "",
    reason: Reason = "",
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Lets a multiverse that is up go back to a boundary, and on from there on a new branch. Nothing is overwritten.

    With --realm, that realm alone becomes what it was, on the same branch; the answer says what it is entangled in.
    """
    if (to is None) != bool(snapshot) or (snapshot and branch):
        raise SettingsError("give either --to TICK, with --branch if you like, or --snapshot SNAPSHOT.")
    if realm:
        if branch or new or reason:
            raise SettingsError(f"{realm} stays on the branch that it is on; leave --branch, --as and --reason out.")
        went = _asked(name, address, lambda mv: mv.revert_realm(realm, to, snapshot=snapshot))
        ties = f"; entangled in {', '.join(went['entangled'])}" if went["entangled"] else ""
        lost = f"; {len(went['dropped'])} events under way were dropped" if went["dropped"] else ""
        return say(went, as_json, f"{realm} is back at its local tick {went['local_tick']:,}{lost}{ties}")
    left = _asked(name, address, lambda mv: mv.revert(to, branch=branch, snapshot=snapshot, name=new, reason=reason))
    document = {key: getattr(left, key) for key in left.__struct_fields__ if key != "command_id"}
    where = f"control tick {left.control_tick:,} of {left.parent}"
    return say(document, as_json, f"{name} is back at {where}, and goes on from there on {left.branch}")


def fork(
    name: Name,
    realm: Annotated[list[str] | None, typer.Option(help="Whom; several live on together in each fork.")] = None,
    count: Annotated[
        int | None, typer.Option(help="How many forks; as many as there are modifications, or one.")
    ] = None,
    vary: Annotated[
        list[str] | None, typer.Option(help="REALM.PATH=VALUE,VALUE,…; several make every combination.")
    ] = None,
    table: Annotated[str, typer.Option(help="Instead: a CSV file, a column for each path, a row for each fork.")] = "",
    divergent: Annotated[bool, typer.Option("--divergent", help="Draw by lineages of their own.")] = False,
    at_tick: Annotated[
        int | None, typer.Option("--at", help="As they were after this control tick.", metavar="TICK")
    ] = None,
    branch: Annotated[str, typer.Option(help="Of which history; the one it lives on by default.")] = "",
    snapshot: Annotated[str, typer.Option(help="Instead: as they were at this snapshot.")] = "",
    drop: Annotated[
        list[int] | None, typer.Option(help="Instead: end the fork of this number.", metavar="FORK")
    ] = None,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Copies realms of a multiverse that is up into forks that live on beside them, each closed off from everybody else.

    A copy is called REALM~NUMBER. Without --realm and --drop, says which forks there are.
    """
    from orchestration import forks, sweeps

    if realm and drop:
        raise SettingsError("give either --realm, to fork, or --drop, to end a fork.")
    if vary and table:
        raise SettingsError("give either --vary REALM.PATH=VALUE,VALUE,… or --table FILE.")
    if not realm and (vary or table or divergent or snapshot or branch or not (count is at_tick is None)):
        raise SettingsError("say with --realm which realms are to be forked.")
    changes = sweeps.read_table(table) if table else sweeps.grid(vary) if vary else []

    def ask(mv: Any) -> list[Any]:
        for number in drop or ():
            mv.drop_fork(number)
        if not realm:
            return mv.forks()  # type: ignore[no-any-return]
        return mv.fork(  # type: ignore[no-any-return]
            realm,
            count=count,
            modifications=changes,
            divergent=divergent,
            control_tick=at_tick,
            branch=branch,
            snapshot=snapshot,
        )

    found = _asked(name, address, ask)
    document = {"name": name, "forks": [{"fork": one.number, "realms": dict(one.realms)} for one in found]}
    return say(document, as_json, forks.in_words(name, found))


def sweep(
    name: Name,
    control_ticks: Annotated[int, typer.Option("--control-ticks", help="How long each branch lives.")],
    vary: Annotated[
        list[str] | None, typer.Option(help="MEMBER.PATH=VALUE,VALUE,…; several make every combination.")
    ] = None,
    table: Annotated[
        str, typer.Option(help="Instead: a CSV file, a column for each path, a row for each branch.")
    ] = "",
    snapshot: Annotated[str, typer.Option(help="Where they begin.")] = "",
    at_tick: Annotated[int | None, typer.Option("--at", help="Or: after this control tick.", metavar="TICK")] = None,
    branch: Annotated[str, typer.Option(help="Of which history; the one it lives on by default.")] = "",
    measure: Annotated[list[str] | None, typer.Option(help="MEMBER.MEASURE; all there are by default.")] = None,
    every: Annotated[int, typer.Option(help="Measure every so many control ticks, not only at the end.")] = 0,
    out: Annotated[str, typer.Option(help="Write the rows to this .csv or .parquet file.")] = "",
    engine: Annotated[str, typer.Option(help="ray: tasks on a cluster; local: one after another.")] = "ray",
    vault: VaultOption = "",
    realm_path: RealmPath = None,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """What would come of it if: many branches from one boundary, each with other modifications, into one tidy table."""
    from orchestration import sweeps, time_trees
    from orchestration.progress import branch_bar
    from orchestration.series import checked_series_path

    if bool(vary) == bool(table):
        raise SettingsError("give either --vary MEMBER.PATH=VALUE,VALUE,… or --table FILE.")
    if out:
        checked_series_path(out)
    changes = sweeps.read_table(table) if table else sweeps.grid(vary or ())
    with branch_bar(len(changes)) as show:
        rows = sweeps.sweep(
            vault_of(name, vault),
            name,
            changes,
            control_ticks,
            snapshot=snapshot,
            control_tick=at_tick,
            branch=branch,
            measures=measure or (),
            every=every,
            engine=engine,
            address=address,
            realm_paths=realm_path or (),
            progress=show,
        )
    if out:
        sweeps.write_rows(out, rows)
    said = f"{len(changes):,} branches, {len(rows):,} rows in {out}"
    return say({"name": name, "rows": rows}, as_json, said if out else lambda: time_trees.print_rows(rows))


def _asked(name: str, address: str, ask: Callable[[Any], Any]) -> Any:
    from orchestration.detached import attached

    with attached(name, address) as mv:
        return ask(mv)


def _look(name: str, vault: str, realm_path: list[str] | None, as_json: bool, **which: Any) -> int:
    from orchestration import summaries, time_trees

    with time_trees.past_of(vault_of(name, vault), name, paths=tuple(realm_path or ()), **which) as past:
        state = past.get_multiverse_state()
        games = ("realm_id", "kind", "state", "local_tick", "measures", "digest", "error")
        document = {
            "name": name,
            "boundary": {key: getattr(past.boundary, key) for key in past.boundary.__struct_fields__},
            "digest": past.digest(),
            "digest_chain": past.digest_chain(),
            "events_propagated": state.get("events_propagated"),
            "dead_letters": state["dead_letters"],
            "realms": [{key: game[key] for key in games} for game in state["games"]],
        }
    return say(document, as_json, lambda: summaries.print_past(document))
