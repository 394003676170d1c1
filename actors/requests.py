"""What is asked of a clock, as the audit log tells of it: by whom, for what, of whom. What was said, the journal has."""

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
    LinkInstances,
    MemberCommand,
    ModifyMembers,
    QueueEvent,
    RevertDomain,
    SetDelay,
    Unfreeze,
)
from actors.core.kernel.modifications import MODIFY
from actors.vaults.checks import NOTE_CHARACTERS_MAX
from actors.vaults.records import DONE, Audit


class Caller(NamedTuple):
    """A principal who asks for something that others do not call as the clock does.

    Attributes:
        name: of the principal.
        verb: what it is called in the audit log.
    """

    name: str
    verb: str


Principal = str | Caller


class Asked(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        principal: who asks.
        verb: for what.
        subject: of whom; "" if of nobody in particular.
        command_id: the caller's name for it; "" for none.
    """

    principal: str
    verb: str
    subject: str
    command_id: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.principal, Caller):  # whoever asks says for what
            object.__setattr__(self, "verb", self.principal.verb)
            object.__setattr__(self, "principal", self.principal.name)

    def told(self, boundary: Boundary, outcome: str = DONE) -> Audit:
        """The record of it, at this moment."""
        return Audit(
            datetime.now(UTC).isoformat(),
            _kept(self.principal),
            _kept(self.verb),
            _kept(self.subject),
            _kept(self.command_id),
            boundary.branch,
            boundary.control_tick,
            boundary.position,
            outcome,
        )


def asked_by(principal: str, command: ClockCommand, command_id: str) -> Asked:
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
        case ChangeRole(who, role, scope):
            subject = " ".join((who, role, scope))
        case ModifyMembers(changes):
            subject = " ".join(sorted(changes))
        case SetDelay(source, target):
            subject = f"{source} {target}"
        case _:
            subject = command.realm_id
    return Asked(principal, type(command).__name__, subject, command_id)


def _kept(text: object) -> str:
    """As much of a text as a vault keeps; a refused request may hold anything."""
    return str(text).encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:NOTE_CHARACTERS_MAX]
