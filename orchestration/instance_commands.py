"""`soulfra instance …`: four-platform instances of a multiverse that is up, made, looked at, merged and ended."""

from pathlib import Path
from typing import Annotated, Any

import typer

from actors.core.kernel.errors import SettingsError
from orchestration.command_options import Address, AsJson, Name, say, show_help

Instance = Annotated[str, typer.Argument(help="Its id or its name.", metavar="INSTANCE")]

instances = typer.Typer(name="instance", help="Instances: four platforms and a small society each.")


instances.callback(invoke_without_command=True)(show_help)


@instances.command("create")
def create(
    name: Name,
    instance: Annotated[str, typer.Argument(help="What it is to be called.", metavar="INSTANCE")],
    phase: Annotated[
        str, typer.Option(help="How far it is brought at once: created, initialized, started.")
    ] = "started",
    params: Annotated[
        list[str] | None, typer.Option("--param", help="ROLE.NAME=VALUE, for a platform.", metavar="TEXT")
    ] = None,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Makes an instance: Surface, Runtime, Protocol and Mirror, behind a wall of their own."""
    from orchestration.assignments import assigned
    from orchestration.detached import attached

    by_role: dict[str, dict[str, Any]] = {}
    for path, value in assigned(params or (), "--param", "runtime.loop_local_ticks=100").items():
        role, dot, word = path.partition(".")
        if not dot or not word:
            raise SettingsError(f"--param must read ROLE.NAME=VALUE, not {path!r:.200}=….")
        by_role.setdefault(role, {})[word] = value
    with attached(name, address) as mv:
        made = mv.create_instance(instance, phase=phase, params=by_role)
    told = {"instance_id": made.instance_id, "name": made.name, "phase": made.phase, "members": dict(made.members)}
    words = f"{made.name} is {made.instance_id}, {made.phase}: {', '.join(made.members.values())}"
    return say({"name": name, "instance": told}, as_json, words)


@instances.command("list")
def list_(name: Name, as_json: AsJson = False, address: Address = "") -> int:
    """Lists the instances that live, with how many agents each has, and what it was made from."""
    from orchestration import societies
    from orchestration.detached import attached

    with attached(name, address) as mv:
        found = societies.listed(mv)
    return say({"name": name, "instances": found}, as_json, lambda: societies.print_instances(found))


@instances.command("show")
def show(name: Name, instance: Instance, as_json: AsJson = False, address: Address = "") -> int:
    """Shows an instance: its platforms, agents, weather, rituals under way, compliance, and its digest by roles."""
    from orchestration import societies
    from orchestration.detached import attached

    with attached(name, address) as mv:
        picture = societies.picture_of(mv, instance)
    return say({"name": name, "instance": picture}, as_json, lambda: societies.print_picture(picture))


@instances.command("initialize")
def initialize(name: Name, instance: Instance, as_json: AsJson = False, address: Address = "") -> int:
    """Lets the agents of an instance be born that was made with `--phase created`."""
    from orchestration.detached import attached

    with attached(name, address) as mv:
        answer = mv.initialize_instance(instance)
    return say({"name": name, **answer}, as_json, answer.get("note") or f"{instance} is initialized")


@instances.command("start")
def start(name: Name, instance: Instance, as_json: AsJson = False, address: Address = "") -> int:
    """Lets an instance live that is initialized."""
    from orchestration.detached import attached

    with attached(name, address) as mv:
        answer = mv.start_instance(instance)
    return say({"name": name, **answer}, as_json, answer.get("note") or f"{instance} is started")


@instances.command("destroy")
def destroy(name: Name, instance: Instance, as_json: AsJson = False, address: Address = "") -> int:
    """Ends an instance; its members are gone, attached realms, too."""
    from orchestration.detached import attached

    with attached(name, address) as mv:
        removed = mv.destroy_instance(instance)
    return say({"name": name, "removed": removed}, as_json, f"{instance} is gone: {', '.join(removed)}")


@instances.command("merge")
def merge(
    name: Name,
    instance: Instance,
    output: Annotated[
        Path | None, typer.Option(help="Write the whole unified snapshot to this file, as JSON.", metavar="FILE")
    ] = None,
    sync_delay_ticks: Annotated[
        int, typer.Option(help="Local ticks ahead at which a clock that runs looks at all four.", metavar="TICKS")
    ] = 50,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Makes one truth of what the four platforms say, and lists where they disagreed. Nothing changes by it."""
    from orchestration import unified_documents
    from orchestration.detached import attached

    if output is not None:
        unified_documents.check_output(output)
    with attached(name, address) as mv:
        found = mv.merge_all_active_platforms(instance, sync_delay_ticks=sync_delay_ticks)
    if output is not None:
        unified_documents.write(output, found)
    document = {"name": name, "unified": unified_documents.summary(found)}
    return say(document, as_json, lambda: unified_documents.print_conflicts(instance, found, output))
