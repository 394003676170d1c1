"""Freezing: members that are let stand still from outside, and go on."""

from collections.abc import Iterator

from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import Freeze, Unfreeze
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import DELIVER_AT_MAX
from actors.core.kernel.games import Seated
from actors.core.kernel.instances import instance_id
from actors.core.kernel.instancing import Instancing
from actors.core.kernel.standstills import (
    CAUSE_CHARACTERS_MAX,
    CAUSES_MAX,
    UNSTARTED,
    with_cause,
    without_cause,
)


class Freezing(Instancing):
    """The rules of standing still; see `standstills.py`."""

    def _freeze(self, command: Freeze) -> Plain:
        _check_cause(command.cause)
        if command.cause == UNSTARTED:
            raise CommandRefusedError(
                f"{UNSTARTED!r} is why an instance stands still that has not begun; use another cause."
            )
        ticks = command.local_ticks
        if isinstance(ticks, bool) or not isinstance(ticks, int) or not 0 <= ticks <= DELIVER_AT_MAX:
            raise CommandRefusedError(
                f"a freeze lasts a whole number of local ticks from 1 upwards, or 0 until it is lifted, not {ticks!r}."
            )
        concerned = self._in_scope(command.scope)
        standing = sorted(one for one, seated in concerned.items() if _has(seated, command.cause))
        changed = sorted(concerned.keys() - set(standing))
        for member_id in changed:
            if len(concerned[member_id].stills) >= CAUSES_MAX:
                raise CommandRefusedError(f"{member_id} stands still for {CAUSES_MAX} causes already; lift one first.")
        self._journal(command)
        for member_id in changed:
            seated = concerned[member_id]
            seated.freeze(with_cause(seated.stills, command.cause, ticks))
        return {"frozen": changed, "were_frozen": standing}

    def _unfreeze(self, command: Unfreeze) -> Plain:
        _check_cause(command.cause)
        if command.cause == UNSTARTED:
            raise CommandRefusedError("an instance that has not been started is started, not unfrozen.")
        concerned = self._in_scope(command.scope)
        changed = sorted(one for one, seated in concerned.items() if _has(seated, command.cause))
        self._journal(command)
        for member_id in changed:
            seated = concerned[member_id]
            seated.freeze(without_cause(seated.stills, command.cause))
        still = {
            one: [cause for cause, _ in concerned[one].stills] for one in sorted(concerned) if concerned[one].stills
        }
        return {"thawed": changed, "still": still}

    def _in_scope(self, scope: tuple[str, ...]) -> dict[str, Seated]:
        """Whom ids of realms and of instances name, by member id; everybody if there are none."""
        if not scope:
            return self.games
        return {member_id: self.members[member_id] for one in scope for member_id in self._named(one)}

    def _named(self, one: str) -> Iterator[str]:
        for number, domain in self.domains.items():
            if domain.instance is not None and one in (instance_id(number), domain.instance.name):
                yield from domain.members.values()
                return
        if not self.is_alone or one in self.members:  # where a domain lives alone, others may have been meant, too
            self._game(one)
            yield one


def _has(seated: Seated, cause: str) -> bool:
    return any(name == cause for name, _ in seated.stills)


def _check_cause(cause: object) -> None:
    if not isinstance(cause, str) or not 0 < len(cause) <= CAUSE_CHARACTERS_MAX or not cause.isprintable():
        raise CommandRefusedError(
            f"a cause must be 1 to {CAUSE_CHARACTERS_MAX} printable characters, not {cause!r:.80}."
        )
