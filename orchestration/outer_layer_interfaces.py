"""An outer layer: it holds the packages that it has received, changes them, lets them live for a while, and sends them back.

Nothing here needs Ray, a cluster or a vault: what lives for a while, lives in this process.

Source: seed 000, "The Outer Layer Interface".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core.kernel.errors import CommandRefusedError, PackageError
from actors.packages.contents import INSTANCE, OuterLayerPackage
from actors.packages.files import read_package
from actors.packages.manipulations import manipulated
from orchestration.multiverse import Multiverse
from orchestration.outer_layers import OuterLayers, checked_package, wrapped

HELD_MAX = 1_000
RUN_TOGETHER_MAX = 100


class OuterLayerInterface:
    """Received packages of instances, by name.

    Args:
        trusted_factories: `module:name` of members that packages may be made of beside those that are known.
        realm_paths: users' folders for these.
    """

    def __init__(self, *, trusted_factories: Sequence[str] = (), realm_paths: Sequence[str] = ()) -> None:
        self._trusted, self._realm_paths = tuple(trusted_factories), tuple(realm_paths)
        self._originals: dict[str, OuterLayerPackage] = {}
        self._held: dict[str, OuterLayerPackage] = {}

    @property
    def names(self) -> list[str]:
        """What is held."""
        return list(self._held)

    def __getitem__(self, name: str) -> OuterLayerPackage:
        """A package as it is here now.

        Raises:
            CommandRefusedError: none of that name is held.
        """
        if name not in self._held:
            raise CommandRefusedError(f"no package {name!r} is held here; there are {', '.join(self._held) or 'none'}.")
        return self._held[name]

    def receive(self, package: OuterLayerPackage | str, name: str = "") -> str:
        """Takes a package of an instance in, or a file with one; returns by what name it is held.

        Raises:
            PackageError: it cannot be read, is of another kind, or is not what it says.
            CommandRefusedError: the name is taken, or too many are held.
        """
        one = read_package(package) if isinstance(package, str) else package
        if one.kind != INSTANCE:
            raise PackageError(f"package {one.name!r} holds a {one.kind}; receive its inner packages one by one.")
        checked_package(one, self._trusted)
        chosen = name or one.name
        if chosen in self._held or len(self._held) >= HELD_MAX:
            raise CommandRefusedError(
                f"a package {chosen!r} is held here already, or {HELD_MAX} are; use another name."
            )
        self._originals[chosen] = self._held[chosen] = one
        return chosen

    def manipulate(self, name: str, method: str, arguments: Mapping[str, Any]) -> OuterLayerPackage:
        """Changes a held package: MODIFY_AGENT_PERSONALITY, INJECT_RITUAL_EVENT, ALTER_VIBE_WEATHER or REWRITE_HISTORY.

        Raises:
            CommandRefusedError: no such package or method, or arguments that do not fit; nothing has changed.
        """
        self._held[name] = manipulated(self[name], method, arguments)
        return self._held[name]

    def clone(self, name: str, new_name: str) -> OuterLayerPackage:
        """Holds one more of a package, under another name.

        Raises:
            CommandRefusedError: no such package, or the name is taken.
        """
        if new_name in self._held:
            raise CommandRefusedError(f"a package {new_name!r} is held here already; choose another name.")
        self._originals[new_name] = self._originals[name] if name in self._originals else self[name]
        self._held[new_name] = msgspec.structs.replace(self[name], name=new_name)
        return self._held[new_name]

    def run(self, names: Sequence[str], control_ticks: int) -> dict[str, dict[str, float]]:
        """Lets packages live side by side for so many control ticks, each behind its own wall; they are then what they became.

        Returns:
            What Runtime's measures say of each in the end.

        Raises:
            CommandRefusedError: no such package, or too many at once.
        """
        if not 0 < len(names) <= RUN_TOGETHER_MAX:
            raise CommandRefusedError(f"1 to {RUN_TOGETHER_MAX} packages can live together, not {len(names)}.")
        found: dict[str, dict[str, float]] = {}
        with Multiverse(engine="local", realm_paths=self._realm_paths, instances_max=len(names)) as mv:
            made = {}
            for name in names:
                (made[name],) = mv.import_from_outer_layer(
                    msgspec.structs.replace(self[name], name=name), name=name, trusted_factories=self._trusted
                )
            mv.run(control_ticks, progress=lambda status: None)
            games = {game["realm_id"]: game["measures"] for game in mv.status().state["games"]}
            for name, instance in made.items():
                metadata = self[name].metadata
                lived = mv.export_to_outer_layer(instance, reason=metadata.reason, level=metadata.recursion_level)
                self._held[name] = msgspec.structs.replace(lived, system_id=self[name].system_id)
                found[name] = dict(games[instance["runtime"]])
        return found

    def send_back_down(self, name: str, mv: OuterLayers, who: str, *, force: bool = False) -> dict[str, Any]:
        """Lets the live instance become what has been made of it here, at the next boundary.

        Raises:
            PackageError: it has moved on since it was taken out; `force` lets it go back nevertheless.
        """
        return mv.send_back_down(who, self[name], self._originals[name], force=force)

    def outward(self, name: str = "outer", reason: str = "") -> OuterLayerPackage:
        """All that is held, as one package for a layer further out."""
        return wrapped(list(self._held.values()), name, reason)
