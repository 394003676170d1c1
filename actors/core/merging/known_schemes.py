"""What a merge has to be told about the states of our own members, by their factories."""

from collections.abc import Mapping

from actors.core.merging.schemes import Scheme

OWN_TIME = Scheme(first=("vitals.now.now",))
"""Of a platform: how late it is."""
SCHEMES: Mapping[str, Scheme] = {
    "actors.core.platforms.surfaces:SurfacePlatform": OWN_TIME,
    "actors.core.platforms.runtimes:RuntimePlatform": OWN_TIME,
    "actors.core.platforms.protocols:ProtocolPlatform": OWN_TIME,
    "actors.core.platforms.mirrors:MirrorPlatform": OWN_TIME,
    "actors.core.realms.city:City": Scheme(
        identities={"npcs": ("origin", "number")}, row_steps={"npcs": 64}, first=("chronicle", "rumours")
    ),
}
"""A factory that is not among them has nothing to be told: its objects are known by key, by row or by id."""
