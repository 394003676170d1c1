"""An outer layer: it holds the packages that it has received, changes them, lets them live for a while, and sends them back.

Nothing here needs Ray, a cluster or a vault: what lives for a while, lives in this process.

Source: seed 000, "The Outer Layer Interface".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.core.kernel.errors import CommandRefusedError, PackageError, SoulfraError
from actors.core.kernel.instances import checked_instance_name
from actors.factories import add_realm_paths
from actors.packages.contents import INSTANCE, OuterLayerPackage, checked_name, checked_text
from actors.packages.files import read_package
from actors.packages.manipulations import changed_roles, manipulated
from actors.packages.trials import check_members
from orchestration.multiverse import Multiverse
from orchestration.outer_layers import OuterLayers, checked_package, wrapped
from orchestration.presiding import Who

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
        if not isinstance(name, str) or name not in self._held:
            held = ", ".join(self._held) or "none"
            raise CommandRefusedError(f"no package {name!r:.100} is held here; there are {held}.")
        return self._held[name]

    def receive(self, package: OuterLayerPackage | str | Path, name: str = "") -> str:
        """Takes a package of an instance in, or a file with one; returns by what name it is held.

        Raises:
            PackageError: it cannot be read, is of another kind, or is not what it says.
            CommandRefusedError: it is no package, no instance can have that name, it is taken, or too many are held.
        """
        if not isinstance(package, OuterLayerPackage | str | Path):
            raise CommandRefusedError(f"a package, or the path of a file with one, is received, not {package!r:.100}.")
        one = package if isinstance(package, OuterLayerPackage) else read_package(package)
        if one.kind != INSTANCE:
            raise PackageError(
                f"package {one.name!r:.100} holds a {one.kind!s:.20}; receive its inner packages one by one."
            )
        checked_package(one, self._trusted)
        chosen = self._free_name(one.name if name == "" else name)
        self._originals[chosen] = self._held[chosen] = one
        return chosen

    def manipulate(self, name: str, method: str, arguments: Mapping[str, Any]) -> OuterLayerPackage:
        """Changes a held package: MODIFY_AGENT_PERSONALITY, INJECT_RITUAL_EVENT, ALTER_VIBE_WEATHER or REWRITE_HISTORY.

        Raises:
            CommandRefusedError: no such package or method, or the member would not take what comes of it; nothing has
                changed.
        """
        present = self[name]
        changed = manipulated(present, method, arguments)
        add_realm_paths(self._realm_paths)
        check_members(changed, changed_roles(present, changed))
        self._held[name] = changed
        return changed

    def clone(self, name: str, new_name: str) -> OuterLayerPackage:
        """Holds one more of a package, under another name.

        Raises:
            CommandRefusedError: no such package, no instance can have that name, it is taken, or too many are held.
        """
        present = self[name]
        chosen = self._free_name(new_name)
        self._originals[chosen] = self._originals[name]
        self._held[chosen] = msgspec.structs.replace(present, name=chosen)
        return self._held[chosen]

    def run(self, names: Sequence[str], control_ticks: int) -> dict[str, dict[str, float]]:
        """Lets packages live side by side for so many control ticks, each behind its own wall; they are then what they became.

        Returns:
            What Runtime's measures say of each in the end.

        Raises:
            CommandRefusedError: no such package, one of them twice, or too many at once.
            SettingsError: the control ticks are not a whole number from 0 upwards.
        """
        if isinstance(names, str) or not isinstance(names, Sequence):
            raise CommandRefusedError(f"which packages live is said by a list of names, not by {names!r:.100}.")
        if not 0 < len(names) <= RUN_TOGETHER_MAX:
            raise CommandRefusedError(f"1 to {RUN_TOGETHER_MAX} packages can live together, not {len(names)}.")
        packages = [self[name] for name in names]
        if len(set(names)) != len(names):
            raise CommandRefusedError("each package can live once at a time; clone the one that is there twice.")
        found: dict[str, dict[str, float]] = {}
        became: dict[str, OuterLayerPackage] = {}
        with Multiverse(engine="local", realm_paths=self._realm_paths, instances_max=len(names)) as mv:
            made = {}
            for name, package in zip(names, packages, strict=True):
                (made[name],) = mv.import_from_outer_layer(
                    msgspec.structs.replace(package, name=name), name=name, trusted_factories=self._trusted
                )
            mv.run(control_ticks, progress=lambda status: None)
            games = {game["realm_id"]: game["measures"] for game in mv.status().state["games"]}
            for name, package in zip(names, packages, strict=True):
                metadata = package.metadata
                lived = mv.export_to_outer_layer(made[name], reason=metadata.reason, level=metadata.recursion_level)
                became[name] = msgspec.structs.replace(lived, system_id=package.system_id)
                found[name] = dict(games[made[name]["runtime"]])
        self._held |= became
        return found

    def send_back_down(self, name: str, mv: OuterLayers, who: Who, *, force: bool = False) -> dict[str, Any]:
        """Lets the live instance become what has been made of it here, at the next boundary.

        If nothing happens to it after that, it can be sent back again.

        Raises:
            PackageError: it has moved on since it was taken out or sent back; `force` lets it go back nevertheless.
        """
        package, original = self[name], self._originals[name]
        sent = mv._sent_down(who, package, original, force)
        answer: dict[str, Any] = sent.value()
        self._originals[name] = mv._sent_back(who, original, sent)
        return answer

    def outward(self, name: str = "outer", reason: str = "") -> OuterLayerPackage:
        """All that is held, as one package for a layer further out.

        Raises:
            PackageError: nothing is held, or name or reason can be no package's.
        """
        checked_text(reason, "package's reason")
        return wrapped(list(self._held.values()), checked_name(name, "name"), reason)

    def _free_name(self, name: object) -> str:
        """A name under which a package can be held: an instance has to live by it.

        Raises:
            CommandRefusedError: it is none, it is taken, or too many packages are held.
        """
        try:
            chosen = checked_instance_name(name)
        except SoulfraError as error:
            raise CommandRefusedError(
                f"no instance could live as {name!r:.100}; give another name. {error.message[:200]}"
            ) from None
        if chosen in self._held:
            raise CommandRefusedError(f"a package {chosen!r} is held here already; choose another name.")
        if len(self._held) >= HELD_MAX:
            raise CommandRefusedError(f"{HELD_MAX} packages are held here, the most there may be.")
        return chosen
