"""The validator: which principal has which roles where, and whether one may ask for something.

What it knows is plain data with one canonical form, so that it can be state: digested, snapshot and lived again. Every change
is all or nothing. Who has once been named is never a stranger again: after his last role was revoked, he may do nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Self

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError, PermissionRefusedError, SettingsError
from actors.core.permissions.roles import LOCAL, ROLES, ROLES_OF_STRANGERS, group_of, roles_for

EVERYWHERE = "*"
"""The scope that every other one is in."""
PRINCIPALS_MAX = 10_000
SCOPES_PER_PRINCIPAL_MAX = 100
SCOPES_TOLD_MAX = 5
"""In a refusal."""
NAME_CHARACTERS_MAX = 128
"""Of a principal, a verb or a scope: as for ids."""

Roles = tuple[str, ...]
Grants = dict[str, dict[str, Roles]]
"""Principal to scope to roles, in order."""


class PermissionValidator:
    """Who may ask for what. Without anything written down, local drivers are gods and nobody else is anything."""

    def __init__(self) -> None:
        self._grants: Grants = {}

    def check(self, principal: str, verb: str, scope: str = EVERYWHERE, origin: str = LOCAL) -> None:
        """Raises unless a principal may ask for a verb.

        Args:
            principal: who asks.
            verb: for what, as the audit log spells it.
            scope: of whom: the id of an instance, a realm or a player; `EVERYWHERE` for more than one of them.
            origin: where the request comes from, a key of `ROLES_OF_STRANGERS`.

        Raises:
            PermissionRefusedError: no role allows it. Its text says who, what, and which role would.
            SettingsError: the principal, the verb or the scope is no name, or the origin is unknown.
        """
        _checked_name(principal, "principal")
        _checked_name(verb, "verb")
        _checked_name(scope, "scope")
        if not isinstance(origin, str) or origin not in ROLES_OF_STRANGERS:
            raise SettingsError(f"requests come from {' or '.join(ROLES_OF_STRANGERS)}, not from {origin!r:.100}.")
        roles = self.roles(principal, scope, origin)
        if not any(group_of(verb) in ROLES[role] for role in roles):
            where = "everywhere" if scope == EVERYWHERE else f"for {scope!r}"
            raise PermissionRefusedError(
                f"{principal!r} may not ask for {verb!r} {where}: that takes the role {' or '.join(roles_for(verb))} there, "
                f"and {principal!r} has {self._held(principal, scope, roles)}; ask a god to grant it."
            )

    def _held(self, principal: str, scope: str, roles: Roles) -> str:
        """Which roles a principal has in a scope, in words, and which elsewhere."""
        found = sorted(self._grants.get(principal, {}).items())
        elsewhere = [f"{' and '.join(held)} for {one!r}" for one, held in found if one not in (scope, EVERYWHERE)]
        if not elsewhere:
            return " and ".join(roles) or "no role"
        more = len(elsewhere) - SCOPES_TOLD_MAX
        told = ", ".join(elsewhere[:SCOPES_TOLD_MAX]) + (f" and {more} more" if more > 0 else "")
        return f"{' and '.join(roles)} there, and {told}" if roles else f"no role there, only {told}"

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written down of anybody."""
        return not self._grants

    def roles(self, principal: str, scope: str = EVERYWHERE, origin: str = LOCAL) -> Roles:
        """The roles of a principal in a scope, those that hold everywhere included, in order."""
        found = self._grants.get(principal)
        if found is None:
            return ROLES_OF_STRANGERS[origin]
        held = {*found.get(scope, ()), *found.get(EVERYWHERE, ())}
        return tuple(role for role in ROLES if role in held)

    def grant(self, principal: str, role: str, scope: str = EVERYWHERE) -> None:
        """Gives a principal a role in a scope; a second time is no change.

        From then on nothing but what is granted holds for this principal, wherever the request comes from.

        Raises:
            SettingsError: no such role, or a principal or scope that is no name.
            CommandRefusedError: there are as many principals, or scopes of this one, as there may be.
        """
        _checked(principal, role, scope)
        scopes = self._grants.get(principal)
        if scopes is None and len(self._grants) >= PRINCIPALS_MAX:
            raise CommandRefusedError(f"there are {PRINCIPALS_MAX:,} principals, the most there may be.")
        if scope not in (scopes or {}) and len(scopes or {}) >= SCOPES_PER_PRINCIPAL_MAX:
            raise CommandRefusedError(
                f"{principal!r} has roles in {SCOPES_PER_PRINCIPAL_MAX} scopes, the most there may be; grant one everywhere."
            )
        held = self._grants.setdefault(principal, {})
        held[scope] = _in_order({*held.get(scope, ()), role})

    def revoke(self, principal: str, role: str, scope: str = EVERYWHERE) -> None:
        """Takes a role in a scope back; roles of other scopes stay.

        Raises:
            SettingsError: no such role, or a principal or scope that is no name.
            CommandRefusedError: this principal does not have it there.
        """
        _checked(principal, role, scope)
        scopes = self._grants.get(principal, {})
        held = scopes.get(scope, ())
        if role not in held:
            has = ", ".join(f"{one} in {where!r}" for where in sorted(scopes) for one in scopes[where]) or "nothing"
            raise CommandRefusedError(
                f"{principal!r} was not granted {role!r} in {scope!r}, so it cannot be revoked; granted is {has:.500}."
            )
        left = _in_order({*held} - {role})
        if left:
            scopes[scope] = left
        else:
            del scopes[scope]

    def revoke_all(self, principal: str) -> None:
        """Leaves a principal without any role, those of strangers included.

        Raises:
            SettingsError: the principal is no name.
            CommandRefusedError: it is a new one, and there are as many as there may be.
        """
        _checked_name(principal, "principal")
        if principal not in self._grants and len(self._grants) >= PRINCIPALS_MAX:
            raise CommandRefusedError(f"there are {PRINCIPALS_MAX:,} principals, the most there may be.")
        self._grants[principal] = {}

    def principals(self) -> Iterator[tuple[str, Mapping[str, Roles]]]:
        """Everybody of whom something is written down, with roles by scope; in order."""
        for principal in sorted(self._grants):
            yield principal, dict(sorted(self._grants[principal].items()))

    def plain(self) -> Plain:
        """All of it in canonical form: `{principal: {scope: [role, …]}}`, everything in order."""
        return {
            principal: {scope: list(roles) for scope, roles in scopes.items()}
            for principal, scopes in self.principals()
        }

    @classmethod
    def from_plain(cls, plain: Plain) -> Self:
        """The validator that `plain` came from.

        Raises:
            SettingsError: it is not in canonical form, or too large.
        """
        made = cls()
        if not isinstance(plain, Mapping) or len(plain) > PRINCIPALS_MAX:
            raise SettingsError(f"permissions must be a map of at most {PRINCIPALS_MAX:,} principals.")
        for principal, scopes in plain.items():
            _checked_name(principal, "principal")
            if not isinstance(scopes, Mapping) or len(scopes) > SCOPES_PER_PRINCIPAL_MAX:
                raise SettingsError(
                    f"the permissions of {principal!r} must be a map of at most {SCOPES_PER_PRINCIPAL_MAX} scopes."
                )
            for scope, roles in scopes.items():
                if not isinstance(roles, list | tuple) or not roles:
                    raise SettingsError(f"the roles of {principal!r} in {scope!r:.100} must be a list of at least one.")
                for role in roles:
                    _checked(principal, role, scope)
                if tuple(roles) != _in_order({*roles}):
                    raise SettingsError(
                        f"the roles of {principal!r} in {scope!r} must each stand once, in the order of roles."
                    )
            made._grants[principal] = {scope: tuple(roles) for scope, roles in scopes.items()}
        return made


def _in_order(roles: set[str]) -> Roles:
    return tuple(role for role in ROLES if role in roles)


def _checked(principal: object, role: object, scope: object) -> None:
    _checked_name(principal, "principal")
    _checked_name(scope, "scope")
    if not isinstance(role, str) or role not in ROLES:
        raise SettingsError(f"there is no role {role!r:.100}; roles are {', '.join(ROLES)}.")


def _checked_name(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
        raise SettingsError(f"a {what} must be 1 to {NAME_CHARACTERS_MAX} printable characters, not {value!r:.100}.")
    return value
