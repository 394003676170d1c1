"""What a merge has to be told about the states of our own members, by their factories."""

from collections.abc import Mapping

from actors.core.merging.schemes import Scheme

SCHEMES: Mapping[str, Scheme] = {
    "actors.core.realms.city:City": Scheme(
        identities={"npcs": ("origin", "number")},
        first=("chronicle.now", "chronicle.feast_day", "chronicle.spoken", "chronicle.origins"),
    ),
}
"""A factory that is not among them has nothing to be told: its objects are known by key, by row or by id."""
