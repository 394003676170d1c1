"""How a multiverse is opened: its settings, its engine and its vault, checked before anything is started or made."""

import getpass
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.core.kernel.errors import FactoryError, SettingsError
from actors.core.kernel.settings import Settings, is_branch_name
from actors.lanes import PLACEMENT_OPTIONS, LocalLane
from orchestration.arguments import checked, checked_map
from orchestration.engines import Engine, LocalEngine

if TYPE_CHECKING:
    from actors.paranoid_lanes import ParanoidLane

ENGINES = ("ray", "local")
LANES = ("zmq", "ray")
PRINCIPAL_CHARACTERS_MAX = 100


def checked_settings(**values: Any) -> Settings:
    """The settings of that name.

    Raises:
        SettingsError: there is no such setting, or its value does not fit.
    """
    known = set(Settings.__struct_fields__)
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingsError(f"there is no setting {unknown[0]!r}; settings are {', '.join(sorted(known))}.")
    made = Settings(**values)
    if not is_branch_name(made.branch):  # a vault of an earlier build may have it
        raise SettingsError(
            f"branch must be a name without '/' and '\\', and no '.' or '..', not {made.branch!r:.80}; choose another."
        )
    return made


def checked_folder(path: str | Path) -> Path:
    """A folder that is there, absolute.

    Raises:
        SettingsError: it is none.
    """
    folder = Path(checked((str, Path), path, "realm path")).resolve()
    if not folder.is_dir():
        raise SettingsError(f"realm path {str(path)!r} is not a folder; name the folder that holds the module.")
    return folder


def opened_engine(
    settings: Settings,
    engine: str,
    lane: str | None,
    address: str,
    realm_paths: tuple[str, ...],
    realms_expected: int,
    home: tuple[str, str] | None,
    local_lane: LocalLane | None,
    *,
    detached: bool,
    placement: Mapping[str, Any] | None,
) -> Engine:
    """The engine that was asked for, with its clock standing.

    Raises:
        SoulfraError: it cannot be had.
    """
    if engine == "local":
        return LocalEngine(settings, realm_paths, local_lane, home)
    from actors.ray_clocks import Home  # Ray takes half a second to import; the local engine needs none
    from orchestration.ray_engines import RayEngine

    kept = None if home is None else Home(*home)
    hosts = realms_expected + 1
    where = checked_placement(placement, "clock_placement") if placement is not None else None
    return RayEngine(settings, realm_paths, address, hosts, lane or LANES[0], kept, placement=where, detached=detached)


def check_engine(
    engine: str, lane: str | None, address: str, placement: Mapping[str, Any] | None, *, detached: bool
) -> None:
    """Finds out what cannot be before anything is started or made."""
    if engine not in ENGINES:
        raise SettingsError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}.")
    if lane is not None and lane not in LANES:
        raise SettingsError(f"lane must be one of {', '.join(LANES)}, not {lane!r}.")
    if engine == "local":
        for is_given, says in (
            (address, "the local engine has no address; leave it out, or use engine='ray'."),
            (lane is not None, "the local engine has no lane; leave it out, or use engine='ray'."),
            (detached, "on the local engine nothing outlives this process; use engine='ray'."),
            (placement is not None, "the local engine's clock has no place of its own; use engine='ray'."),
        ):
            if is_given:
                raise SettingsError(says)


def checked_placement(placement: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """Options of Ray's for where an actor may live.

    Raises:
        FactoryError: one that is not allowed.
    """
    found = checked_map(placement, what)
    if unknown := sorted(set(found) - set(PLACEMENT_OPTIONS)):
        allowed = ", ".join(PLACEMENT_OPTIONS)
        raise FactoryError(f"{what} has no option {unknown[0]!r}; allowed: {allowed}.")
    return found


def paranoid_lane(engine: str, realm_paths: tuple[str, ...]) -> "ParanoidLane":
    """The lane on which every member is lived twice.

    Raises:
        SettingsError: not the local engine.
    """
    if engine != "local":
        raise SettingsError(
            f"paranoid needs engine='local', not {engine!r}; the engines live the same life, so what differs shows there."
        )
    from actors.paranoid_lanes import ParanoidLane  # what it stands on takes its time to import

    return ParanoidLane(realm_paths)


def checked_home(name: str, vault: str | Path | None, *, detached: bool) -> tuple[str, str] | None:
    """The name and the vault's place, if history is to be kept."""
    if vault is None:
        if detached:
            raise SettingsError("a multiverse that outlives its driver needs a vault; name a file or a PostgreSQL URL.")
        return None
    checked(str, name, "name")
    text = str(checked((str, Path), vault, "vault"))
    if "://" not in text:
        text = str(Path(text).absolute())  # the clock's process may stand elsewhere
    if not name:
        raise SettingsError("a multiverse with a vault needs a name, by which the vault knows it; give name=….")
    return name, text


def checked_principal(principal: str | None) -> str:
    """Who commands: what is given, or else whoever runs this program.

    Raises:
        SettingsError: it cannot be a name.
    """
    if principal is None:
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):  # a container's user may have no name
            return f"user {os.getuid()}"
    if (
        not isinstance(principal, str)
        or not principal.strip()
        or len(principal) > PRINCIPAL_CHARACTERS_MAX
        or not principal.isprintable()
    ):
        raise SettingsError(
            f"principal must be 1 to {PRINCIPAL_CHARACTERS_MAX} printable characters, not {principal!r:.120}."
        )
    return principal
