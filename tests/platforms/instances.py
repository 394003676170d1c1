"""An instance on the local engine, as the kernel will build it: four realms that go by their roles."""

from typing import Any

from orchestration import Multiverse

FACTORIES = {
    "surface": "actors.core.platforms.surfaces:SurfacePlatform",
    "runtime": "actors.core.platforms.runtimes:RuntimePlatform",
    "protocol": "actors.core.platforms.protocols:ProtocolPlatform",
    "mirror": "actors.core.platforms.mirrors:MirrorPlatform",
}
ROLES = tuple(FACTORIES)


def instance(seed: int = 7, *, start: bool = True, params: dict[str, dict[str, Any]] | None = None, **settings: Any) -> Multiverse:
    """Four platforms under one clock; initialized and at work unless told otherwise."""
    mv = Multiverse(seed=seed, engine="local", **settings)
    for role, factory in FACTORIES.items():
        mv.register_game(role, factory, params=(params or {}).get(role, {}))
    if start:
        mv.command("runtime", "initialize")
        mv.command("runtime", "start_autonomous")
    return mv


def live(mv: Multiverse, local_ticks: int) -> Multiverse:
    """Lets an instance live so many local ticks, a multiple of the ten of a control tick."""
    assert local_ticks % 10 == 0
    mv.run(control_ticks=local_ticks // 10)
    return mv
