"""Permitting: who may ask for what. Roles are given and taken back at boundaries, journaled, and state like all else."""

from collections.abc import Sequence
from typing import Any

from actors.core.kernel.commands import ChangeRole
from actors.core.kernel.errors import PermissionRefusedError, SettingsError
from actors.core.permissions.roles import LOCAL
from actors.core.permissions.validators import EVERYWHERE
from actors.requests import Caller
from orchestration.arguments import checked
from orchestration.remembering import Remembering


class Permitting(Remembering):
    """Roles of principals; the tables are in `actors.core.permissions.roles`."""

    def grant_role(self, principal: str, role: str, scope: str = EVERYWHERE) -> dict[str, Any]:
        """Gives a principal a role in a scope; from then on nothing but what is granted holds for him, from everywhere.

        Args:
            principal: who.
            role: "observer", "player", "operator" or "god".
            scope: an instance, the id of a realm or of a player. An instance's name means its id: another that is called so
                later is another one.

        Returns:
            principal, and all his roles by scope.

        Raises:
            SettingsError: no such role, or a principal or scope that is no name.
            PermissionRefusedError: whoever drives may not give roles.
            CommandRefusedError: there are as many principals or scopes as there may be.
        """
        return self._change_role(principal, _named(role), scope, granted=True)

    def revoke_role(self, principal: str, role: str, scope: str = EVERYWHERE) -> dict[str, Any]:
        """Takes a role in a scope back; see `grant_role`.

        Raises:
            CommandRefusedError: this principal does not have it there.
        """
        return self._change_role(principal, _named(role), scope, granted=False)

    def revoke_all_roles(self, principal: str) -> dict[str, Any]:
        """Takes every role of a principal back; he may do nothing then. See `grant_role`."""
        return self._change_role(principal, "", EVERYWHERE, granted=False)

    def _change_role(self, principal: str, role: str, scope: str, *, granted: bool) -> dict[str, Any]:
        for text, what in ((principal, "principal"), (role, "role"), (scope, "scope")):
            checked(str, text, what)
        return self._submit(ChangeRole(principal, role, self._ids_of((scope,))[0], granted))  # type: ignore[no-any-return]

    def check_permission(self, principal: str, verb: str, scope: str = EVERYWHERE, origin: str = LOCAL) -> None:
        """Finds out whether a principal may ask for something, as of the last boundary; a refusal is audited.

        Commands ask this by themselves. It is for those who answer a question in another's name.

        Args:
            principal: who.
            verb: for what, as the audit log spells it: "query", "history", "FREEZE_TIME".
            scope: the id of an instance, a realm or a player.
            origin: where the request comes from: "local", or "http".

        Raises:
            PermissionRefusedError: no role allows it.
            SettingsError: the principal, the verb or the scope is no name, or the origin is unknown.
        """
        self._admit(Caller(principal, verb, scope, origin), "" if scope == EVERYWHERE else scope)

    def _ids_of(self, scope: Sequence[str]) -> tuple[str, ...]:
        """Ids in place of instances' names; what is no instance's name stays."""
        ids = {one["name"]: one["instance_id"] for one in self.status().state["instances"]}
        return tuple(ids.get(one, one) for one in scope)

    def _may(self, verb: str, scope: str = EVERYWHERE) -> None:
        """Refuses what is no command of the clock, and what whoever drives has no role for."""
        if self._principal:
            self.check_permission(self._principal, verb, scope)

    def _admit(self, caller: Caller, subject: str = "") -> None:
        """`check_permission` for somebody else's words."""
        try:
            self._call("check_permission", caller)
        except PermissionRefusedError:
            self._call("admit", caller, subject)
            raise


def _named(role: object) -> str:
    if not isinstance(role, str) or not role:
        raise SettingsError(f"a role must be named, not {role!r:.80}; see revoke_all_roles to take all of them back.")
    return role
