"""What a merge has to be told about the states of our own members, by their factories."""

from collections.abc import Mapping

from actors.core.merging.schemes import Scheme

SCHEMES: Mapping[str, Scheme] = {
    "actors.core.realms.city:City": Scheme(
        identities={"npcs": ("origin", "number")}, row_steps={"npcs": 64}, first=("chronicle", "rumours")
    ),
}
"""A factory that is not among them has nothing to be told: its objects are known by key, by row or by id."""
