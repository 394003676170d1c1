"""`soulfra god grant` and `revoke`: who may ask for what."""

from typing import Annotated, Any

import typer

from actors.core.permissions.roles import ROLES
from actors.core.permissions.validators import EVERYWHERE
from orchestration.command_options import Address, AsJson, Name, say

Principal = Annotated[str, typer.Argument(help="Who.", metavar="PRINCIPAL")]
Scope = Annotated[str, typer.Option(help="The id of an instance, a realm or a player; everywhere otherwise.")]


def grant(
    name: Name,
    principal: Principal,
    role: Annotated[str, typer.Argument(help=f"{', '.join(ROLES)}.", metavar="ROLE")],
    scope: Scope = EVERYWHERE,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Gives a principal a role; from then on nothing but his roles holds for him, wherever he asks from."""
    from orchestration.detached import attached

    with attached(name, address) as mv:
        answer = mv.grant_role(principal, role, scope)
    return _told(name, answer, as_json)


def revoke(
    name: Name,
    principal: Principal,
    role: Annotated[str, typer.Argument(help="Which one; all of them without.", metavar="[ROLE]")] = "",
    scope: Scope = EVERYWHERE,
    as_json: AsJson = False,
    address: Address = "",
) -> int:
    """Takes a role of a principal back, or all of them; who has none left may do nothing."""
    from orchestration.detached import attached

    with attached(name, address) as mv:
        answer = mv.revoke_role(principal, role, scope) if role else mv.revoke_all_roles(principal)
    return _told(name, answer, as_json)


def _told(name: str, answer: dict[str, Any], as_json: bool) -> int:
    held = [
        f"{' and '.join(roles)} {'everywhere' if scope == EVERYWHERE else f'for {scope}'}"
        for scope, roles in answer["roles"].items()
    ]
    return say({"name": name, **answer}, as_json, f"{answer['principal']}: {', '.join(held) or 'no role'}")
