"""Command rounds as the rules see them: grants of zero local ticks to those whom a command addresses."""

from collections.abc import Mapping

from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.commands import ClockCommand, checked_command
from actors.core.kernel.effects import Script
from actors.core.kernel.errors import CommandRefusedError, MemberError, UnknownMemberError, error_from
from actors.core.kernel.events import Event
from actors.core.kernel.games import HOME, Seated
from actors.core.kernel.members import CAPTURED, Command, Failure, Outbox
from actors.core.kernel.modifications import MODIFY
from actors.core.kernel.ticking import Ticking


class Rounds(Ticking):
    """How a command enters the journal and reaches members."""

    def _journal(self, command: ClockCommand) -> None:
        checked_command(command)
        self._note(command, None, self._command_id)

    def _game(self, realm_id: str) -> Seated:
        seated = self.members.get(realm_id)
        if seated is None or not seated.is_game:
            known = ", ".join(self.games) or "none yet"
            raise UnknownMemberError(f"no realm {realm_id!r} is registered; registered: {known}.")
        return seated

    def _commandable(self, member_id: str, verb: str) -> Seated:
        seated = self._member(member_id)
        if seated.error is not None:
            raise CommandRefusedError(f"{member_id} is in error ({seated.error.message}); restart or remove it first.")
        if verb == MODIFY:
            if seated.contract.recovery != CAPTURED:
                raise CommandRefusedError(
                    f"the state of {member_id} cannot be modified: its recovery is {seated.contract.recovery!r}."
                )
        elif verb not in seated.contract.commands:
            verbs = ", ".join(sorted(seated.contract.commands)) or "none"
            raise CommandRefusedError(f"{member_id} has no command {verb!r}; it has {verbs}.")
        return seated

    def _command_round(self, member_id: str, verb: str, payload: bytes) -> Script[Plain]:
        """One command for one member, and its value.

        Raises:
            SoulfraError: what refused it; or the member failed in it, and is in error.
        """
        return (yield from self._command_rounds({member_id: (verb, payload)}))[member_id]

    def _command_rounds(self, commands: Mapping[str, tuple[str, bytes]]) -> Script[dict[str, Plain]]:
        """One command for each of several members at once, and their values.

        Raises:
            SoulfraError: what refused the first of them, by member id, that was refused; all others have been carried out.
        """
        grants = {}
        for member_id, (verb, payload) in sorted(commands.items()):
            seated = self.members[member_id]
            if verb in seated.contract.told_realms:
                realms = {realm_id: game.state for realm_id, game in self.games.items() if game.domain == HOME}
                payload = encode({**decode(payload), "realms": realms})
            command = Command(f"@command#{self.position}", verb, payload)
            grants[member_id] = self._grant(seated, self.control_tick, 0, (), (command,), False)
        self._occasion = f"command {self.position}"
        outboxes = yield from self._exchange(grants)
        settled = {
            member_id: self._settle(member_id, self.members[member_id], grant, outboxes[member_id])
            for member_id, grant in grants.items()
        }
        spoken: dict[int, list[Event]] = {}
        for member_id, outbox in settled.items():
            if isinstance(outbox, Outbox):
                spoken.setdefault(self.members[member_id].domain, []).extend(outbox.events)
        for domain, events in spoken.items():
            self._send(events, domain)
        return {member_id: _value(member_id, commands[member_id][0], outbox) for member_id, outbox in settled.items()}


def _value(member_id: str, verb: str, outbox: Outbox | Failure) -> Plain:
    if isinstance(outbox, Failure):
        raise MemberError(f"{member_id} failed in {verb!r} and is in error now: {outbox.message}.")
    result = outbox.results[0]
    if result.error_code:
        raise error_from(result.error_code, result.error_message)
    return decode(result.payload)
