"""Four-platform instances as a driver sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.errors import CommandRefusedError, UnknownInstanceError
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.kernel.modifications import by_member
from orchestration.arguments import checked_map, encoded

FACTORIES = {role: f"actors.core.platforms.{role}s:{role.capitalize()}Platform" for role in PLATFORM_ROLES}
"""What the platforms of an instance are, unless they are said to be something else."""


@dataclass(frozen=True)
class FourPlatformInstance:
    """Surface, Runtime, Protocol and Mirror that belong together, with the realms that are attached to them.

    Attributes:
        instance_id: its id.
        name: no other that lives has it.
        fork: the number of its closed domain.
        phase: created, initialized or started.
        members: the id of every member, by role: that of a platform, or the id of a realm where it was first.
        stills: why members stand still, by role; those that do not are left out.
        ancestors: the boundaries at which it left whom it was made from: fork, control_tick, position, branch.

    Source: seed 001, "FourPlatformInstance".
    """

    instance_id: str
    name: str
    fork: int
    phase: str
    members: Mapping[str, str]
    stills: Mapping[str, Sequence[str]]
    ancestors: Sequence[Mapping[str, Any]]

    def __getitem__(self, role: str) -> str:
        """The id of the member in a role."""
        return self.members[role]

    @property
    def attached(self) -> dict[str, str]:
        """The ids of the realms that are attached to it, by role."""
        return {role: member_id for role, member_id in self.members.items() if role not in PLATFORM_ROLES}

    def _repr_html_(self) -> str:
        from rich.table import Table  # people only need it in notebooks

        from orchestration.summaries import in_html

        table = Table(title=f"{self.name} ({self.instance_id}), {self.phase}", box=None, pad_edge=False)
        for heading in ("role", "member", "stands still for"):
            table.add_column(heading)
        for role, member_id in self.members.items():
            table.add_row(role, member_id, ", ".join(self.stills.get(role, ())))
        return in_html(table)


def instance_of(shown: Mapping[str, Any]) -> FourPlatformInstance:
    """The instance that the clock shows."""
    return FourPlatformInstance(**{name: shown[name] for name in FourPlatformInstance.__dataclass_fields__})


def found(instances: Sequence[FourPlatformInstance], who: object) -> FourPlatformInstance:
    """The one of that id or name.

    Raises:
        UnknownInstanceError: there is none.
    """
    if isinstance(who, FourPlatformInstance):
        who = who.instance_id
    for one in instances:
        if who in (one.instance_id, one.name):
            return one
    known = ", ".join(f"{one.instance_id} ({one.name})" for one in instances) or "none"
    raise UnknownInstanceError(f"there is no instance {str(who)[:PART_CHARACTERS_MAX]!r}; there are {known}.")


def specs_of(factories: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, MemberSpec]:
    """How the platforms of an instance are made: by `FACTORIES` where nothing else is said.

    Raises:
        CommandRefusedError: a role that is none, or parameters that are not plain.
    """
    for given, what in ((factories, "factories"), (params, "params")):
        if unknown := sorted(checked_map(given, what).keys() - set(PLATFORM_ROLES)):
            raise CommandRefusedError(f"{what} name {unknown}; the platforms are {', '.join(PLATFORM_ROLES)}.")
    return {
        role: MemberSpec(str(factories.get(role, FACTORIES[role])), encoded(params.get(role), f"params of {role}"))
        for role in PLATFORM_ROLES
    }


def changes_of(instance: FourPlatformInstance, changes: object) -> dict[str, bytes]:
    """A modification by dotted paths that begin with a role, as changes by member id.

    Raises:
        CommandRefusedError: a path that begins with no role of the instance, or values that are not plain.
    """

    def refusal(path: str, _: str) -> CommandRefusedError:
        return CommandRefusedError(
            f"{path!r} does not begin with a member of {instance.name!r}; they are {', '.join(instance.members)}."
        )

    by_role = by_member(checked_map(changes, "a modification"), instance.members, refusal)
    return {instance[role]: encoded(some, "modifications") for role, some in by_role.items()}
