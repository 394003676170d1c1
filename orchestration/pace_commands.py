"""`soulfra run`, `soulfra start` and `soulfra pause`: whether and how fast a multiverse that is up lives on."""

from typing import Annotated

import typer

from actors.core.kernel.errors import SettingsError
from orchestration.command_options import Address, AsJson, Name, say

CONTROL_TICKS_MAX = 1_000_000_000
"""In one `run`; `start` lets it live on without an end."""


def run(
    name: Name,
    control_ticks: Annotated[int, typer.Argument(help="How many.", metavar="CONTROL_TICKS")],
    realtime: Annotated[bool, typer.Option("--realtime", help="Each takes its simulated time on the wall.")] = False,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Lets a multiverse that is up and stands live so many control ticks, and waits for them. Then it stands again."""
    from orchestration.detached import attached

    if not 0 <= control_ticks <= CONTROL_TICKS_MAX:
        raise SettingsError(
            f"CONTROL_TICKS must be a whole number from 0 to {CONTROL_TICKS_MAX:,}, not {control_ticks}."
        )
    with attached(name, address) as mv:
        metrics = mv.run(control_ticks, realtime=realtime)
        boundary, chain = mv.boundary(), mv.digest_chain()
    document = {
        "name": name,
        "boundary": {key: getattr(boundary, key) for key in boundary.__struct_fields__},
        "control_ticks": control_ticks,
        "events_propagated": sum(one.events_propagated for one in metrics),
        "digest_chain": chain,
    }
    words = (
        f"{name} stands at control tick {boundary.control_tick:,} of {boundary.branch}; "
        f"{document['events_propagated']:,} events delivered; chain {chain}"
    )
    return say(document, as_json, words)


def start(
    name: Name,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as it can, instead of in real time.")] = False,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Lets a multiverse that is up and stands live on by itself; its clock's successors go on, too."""
    from orchestration.detached import attached

    pace = "fast" if fast else "realtime"
    with attached(name, address) as mv:
        mv.start(pace)
    return say({"name": name, "pace": pace}, as_json, f"{name} runs, {'as fast as it can' if fast else 'in real time'}")


def pause(name: Name, as_json: AsJson = False, address: Address = "") -> int:
    """Lets a multiverse that is up stand, at the next boundary, until it is told to go on; one that stands already stays."""
    from orchestration.detached import attached

    with attached(name, address) as mv:
        boundary = mv.pause()
    words = f"{name} stands at control tick {boundary['control_tick']:,} of {boundary['branch']}"
    return say({"name": name, "boundary": boundary}, as_json, words)
