"""What is asked of a clock, as the audit log tells of it: by whom, for what, of whom. What was said, the journal has."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from actors.core.kernel.commands import (
    BeginInstance,
    Boundary,
    ChangeRole,
    ClockCommand,
    CreateInstance,
    DropFork,
    ForkGames,
    Freeze,
    ImportInstances,
    LinkInstances,
    MemberCommand,
    ModifyMembers,
    QueueEvent,
    RevertDomain,
    SetDelay,
    Unfreeze,
)
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.instances import instance_id
from actors.core.kernel.modifications import MODIFY
from actors.core.permissions.roles import LOCAL
from actors.core.permissions.validators import EVERYWHERE, PermissionValidator
from actors.vaults.checks import NOTE_CHARACTERS_MAX
from actors.vaults.records import DONE, Audit


class Caller(NamedTuple):
    """A principal who asks for something that others do not call as the clock does.

    Attributes:
        name: of the principal.
        verb: what it is called in the audit log, and in the table of permissions.
        scope: of what it is asked; `EVERYWHERE` for more than one thing.
        origin: where the request comes from; a key of `ROLES_OF_STRANGERS`.
    """

    name: str
    verb: str
    scope: str = EVERYWHERE
    origin: str = LOCAL


Principal = str | Caller
MAKES = (CreateInstance.__name__, ImportInstances.__name__)
"""What these are asked for is a new name."""
OF_DOMAINS = (DropFork.__name__, BeginInstance.__name__, RevertDomain.__name__, LinkInstances.__name__)
"""What these are asked of is the number of a closed domain."""
SEND_BACK_DOWN = "send_back_down"
"""Who asks for this, asks for no revert, though it is one command of the clock with it."""
KEYED = "god "
"""With this, the id of a command begins that somebody has given a key: then the key's hash, and what it asks for."""


def check_command_id(command_id: object, known: Collection[str]) -> None:
    """Refuses the name of a command that no vault can hold, or a key that has been given to something else.

    Args:
        command_id: the name.
        known: names of commands that have been carried out.

    Raises:
        CommandRefusedError: it is none, or the key was used before.
    """
    if not isinstance(command_id, str) or len(command_id) > NOTE_CHARACTERS_MAX or not command_id.isprintable():
        raise CommandRefusedError(
            f"a command's id must be at most {NOTE_CHARACTERS_MAX} printable characters, not {command_id!r:.80}."
        )
    if command_id.startswith(KEYED) and command_id not in known:
        key = command_id.rsplit(" ", 1)[0] + " "
        if any(one.startswith(key) for one in known):
            raise CommandRefusedError("this idempotency key was given to another command before; use another key.")


class Asked(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        principal: who asks.
        verb: for what.
        subject: of whom; "" if of nobody in particular.
        command_id: the caller's name for it; "" for none.
    """

    principal: Principal
    verb: str
    subject: str
    command_id: str = ""

    @property
    def caller(self) -> Caller:
        """Who asks, and for what in whoever's own words."""
        if isinstance(self.principal, Caller):
            return self.principal
        return Caller(self.principal, self.verb, _scope_of(self.verb, self.subject))

    def check(self, permissions: PermissionValidator) -> None:
        """Refuses what the caller has no role for.

        Raises:
            PermissionRefusedError: that it is so, and which role it takes.
        """
        who = self.caller
        if who.origin != LOCAL or not permissions.is_empty:  # a local stranger may do anything
            permissions.check(who.name or "nobody", who.verb, who.scope, who.origin)

    def told(self, boundary: Boundary, outcome: str = DONE) -> Audit:
        """The record of it, at this moment."""
        return Audit(
            datetime.now(UTC).isoformat(),
            _kept(self.caller.name),
            _kept(self.caller.verb),
            _kept(self.subject),
            _kept(self.command_id),
            boundary.branch,
            boundary.control_tick,
            boundary.position,
            outcome,
        )


def asked_by(principal: Principal, command: ClockCommand, command_id: str) -> Asked:
    """Who asks for a command, and for what."""
    match command:
        case MemberCommand(member_id, verb):
            return Asked(principal, "modify" if verb == MODIFY else verb, member_id, command_id)
        case QueueEvent(target=target):
            subject = target or ""
        case ForkGames(realm_ids):
            subject = " ".join(realm_ids)
        case DropFork(fork) | BeginInstance(fork) | RevertDomain(fork):
            subject = str(fork)
        case CreateInstance(name):
            subject = name
        case Freeze(scope) | Unfreeze(scope):
            subject = " ".join(scope)
        case LinkInstances(forks):
            subject = " ".join(map(str, forks))
        case ImportInstances(names=names):
            subject = " ".join(names)
        case ChangeRole(who, role, scope):
            subject = " ".join((who, role, scope))
        case ModifyMembers(changes):
            subject = " ".join(sorted(changes))
        case SetDelay(source, target):
            subject = f"{source} {target}"
        case _:
            subject = command.realm_id
    return Asked(principal, type(command).__name__, subject, command_id)


def _scope_of(verb: str, subject: str) -> str:
    """What a role must hold for. What is not there yet is nobody's: whoever makes it needs a role everywhere."""
    if not subject or " " in subject or verb in MAKES:
        return EVERYWHERE
    return instance_id(int(subject)) if verb in OF_DOMAINS else subject


def _kept(text: object) -> str:
    """As much of a text as a vault keeps; a refused request may hold anything."""
    return str(text).encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:NOTE_CHARACTERS_MAX]
