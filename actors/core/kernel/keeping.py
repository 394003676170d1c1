"""What the clock keeps of a member so that it can be brought back: a checkpoint, and the grants since.

A checkpoint is due when the grants since are many and repeating them would take longer than a checkpoint is worth, and
always before they outgrow their bound in bytes. When it is taken is not part of history: any checkpoint gives the same
member.
"""

from typing import Any

import msgspec

from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.members import CAPTURED, NONE, Birth, Contract, Grant
from actors.core.kernel.messages import Answer, Checkpoint, Embodied, Embodiment, answered_as, packed
from actors.core.kernel.settings import Settings

CHECKPOINT_AFTER_GRANTS = 64
"""Fewer than this are repeated in less time than a host takes to be told about them."""
CHECKPOINT_SHARE = 20
"""The checkpoints of all members may take one part in so many of the time spent on grants, which pass for all at once."""
CHECKPOINT_LEAST_S = 0.001
"""What the first checkpoint is believed to take at most; each later one at most twice as long as the one before."""
CHECKPOINT_AFTER_WORK_S = 1.0
"""Repeating the grants since must not take much longer than this, however few they are."""
BEHIND_AFTER_WORK_S = 0.01
"""A checkpoint that is to be written down is made anew if repeating the grants since would take longer."""
RESEND_AFTER_S = 5.0
"""Lanes lose messages only with the connection, and say so; this is for what nobody foresaw. Doubles with each resend."""


UNBORN = Contract("unborn", recovery=NONE)
"""What is known of a member that has never been made."""


class Waiting(msgspec.Struct, frozen=True):
    """A member that the clock waits for.

    Attributes:
        member_id: the member.
        since_s: seconds since it was asked.
        heartbeat_age_s: seconds since its host last showed a sign of life; None if it has shown none yet.
        local_tick: the local tick it was in then.
        restoring: why it is being brought back; "" if it is not.
        obstacle: why its host cannot come; "" if nothing is known to stand in its way.
        newborn: whether it is being made for the first time.
    """

    member_id: str
    since_s: float
    heartbeat_age_s: float | None
    local_tick: int
    restoring: str = ""
    obstacle: str = ""
    newborn: bool = False

    def __str__(self) -> str:
        said = f"waiting for {self.member_id} since {self.since_s:.1f} s"
        obstacle = f"; {self.obstacle}" if self.obstacle else ""
        if self.restoring:
            return f"{said} ({self.restoring}; it is being brought back{obstacle})"
        if self.newborn:
            return f"{said} (it is being made{obstacle})"
        sign = (
            "no heartbeat yet"
            if self.heartbeat_age_s is None
            else f"in local tick {self.local_tick}, last heartbeat {self.heartbeat_age_s:.1f} s ago"
        )
        return f"{said} ({sign})"


class Recovery(msgspec.Struct, frozen=True):
    """A member that was brought back.

    Attributes:
        member_id: the member.
        control_tick_id: the control tick that was under way.
        reason: what had happened to its host.
        elapsed_ms: from the death being seen to the member standing again.
        replayed: messages it lived through again.
    """

    member_id: str
    control_tick_id: int
    reason: str
    elapsed_ms: float
    replayed: int


class KeptTable(msgspec.Struct, frozen=True):
    """One `Kept`, to be written down."""

    birth: Birth
    spec: MemberSpec
    contract: Contract
    checkpoint: Checkpoint | None
    since: list[bytes]
    digests: list[bytes]


class Kept:
    """One member as the fleet knows it.

    Attributes:
        host_id: the host that carries it; "" if none does.
        standing: whether that host has made it.
        newborn: whether it is being made for the first time.
        lost: why it cannot answer any more; "" if it can.
        request: the question it was asked last.
        parcel: that question, packed, until it is answered.
        embodying: the request that makes it; 0 if none is under way.
        since: packed grants since the checkpoint, oldest first.
        deaths: of hosts, within the present question.
    """

    def __init__(self, member_id: str, birth: Birth, spec: MemberSpec, checkpoint: Checkpoint | None = None) -> None:
        self.birth = birth  # a copy is told the id of its origin
        self.spec = spec
        self.member_id = member_id
        self.contract = UNBORN
        self.host_id = self.lost = self.reason = ""
        self.standing = self.newborn = False
        self.request = self.embodying = self.deaths = 0
        self.parcel: Any = None
        self._grants: tuple[Grant, ...] = ()
        self.since: list[Any] = []
        self.checkpoint = checkpoint
        self._digests: list[bytes] = []
        self._since_bytes = self._since_grants = 0
        self._worked_s = self._checkpoint_s = 0.0
        # The first checkpoints of many members fall on different grants.
        self._due_after = CHECKPOINT_AFTER_GRANTS + sum(self.member_id.encode()) % CHECKPOINT_AFTER_GRANTS
        self.asked_at = self.sent_at = self.embodied_at = self.died_at = 0.0
        self.resend_after_s = RESEND_AFTER_S
        self.beat_at: float | None = None
        self.beat_tick = 0

    def ask(self, request: int, parcel: Any, now: float, grants: tuple[Grant, ...] = ()) -> None:
        """Notes a question: grants, or, without any, how it stands."""
        self.request, self.parcel, self._grants = request, parcel, grants
        self.asked_at = self.sent_at = now
        self.beat_at = None

    def is_answered_by(self, answer: Answer) -> bool:
        """Whether an answer is one to what was asked: an outbox for each grant, fewer only after a failure."""
        grants, outboxes = self._grants, answer.outboxes
        if grants and len(outboxes) != len(grants) and (len(outboxes) > len(grants) or outboxes[-1].failure is None):
            return False
        for grant, outbox in zip(grants, outboxes, strict=False):
            if outbox.number != grant.number:
                return False
            if len(outbox.results) != len(grant.commands) and outbox.failure is None:
                return False
        return True

    def answered(self) -> None:
        """The question is settled."""
        self.parcel = None
        self.deaths = 0
        self.resend_after_s = RESEND_AFTER_S

    @property
    def recoverable(self) -> bool:
        """Whether it can be brought back at all."""
        return self.contract.recovery != NONE

    # --------------------------------------------------------------------------------------------------- checkpoints

    def checkpoint_due(self, settings: Settings, members: int) -> bool:
        """Whether the next grant shall bring a checkpoint, of a member among so many."""
        if self.contract.recovery != CAPTURED:
            return False
        worth_s = members * CHECKPOINT_SHARE * self._checkpoint_s
        return (
            (self._since_grants >= self._due_after and self._worked_s >= worth_s)
            or self._worked_s >= max(CHECKPOINT_AFTER_WORK_S, CHECKPOINT_SHARE * self._checkpoint_s)
            or self._since_bytes * 2 >= settings.kept_bytes_max
        )

    def is_behind(self) -> bool:
        """Whether a checkpoint would save those who begin from this one's a time that is worth it."""
        return self.contract.recovery == CAPTURED and self._worked_s >= BEHIND_AFTER_WORK_S

    def keep(self, answer: Answer, now: float) -> None:
        """Keeps the grants that were answered, or the checkpoint that makes them unnecessary."""
        if not self.recoverable or not (self._grants or answer.checkpoint):
            return
        took_s = now - self.asked_at
        if answer.checkpoint is not None:
            mean_s = self._worked_s / max(1, len(self.since))
            self.checkpoint = answer.checkpoint
            self.since, self._digests = [], []
            self._since_bytes, self._since_grants, self._worked_s = 0, 0, 0.0
            # One that met with a pause of the process says little; several in a row do.
            most_s = max(CHECKPOINT_LEAST_S, 2 * self._checkpoint_s)
            self._checkpoint_s = min(max(0.0, took_s - mean_s), most_s)
            self._due_after = CHECKPOINT_AFTER_GRANTS
            return
        self.since.append(self.parcel)
        self._digests.append(answered_as(answer))
        self._since_bytes += len(self.parcel) if isinstance(self.parcel, bytes) else 0
        self._since_grants += len(self._grants)
        self._worked_s += took_s

    @property
    def kept_bytes(self) -> int:
        """How much is kept: the grants since, and the checkpoint."""
        return self._since_bytes + (0 if self.checkpoint is None else len(self.checkpoint.document))

    # ------------------------------------------------------------------------------------------------------ recovery

    def table(self) -> KeptTable:
        """All that a successor has to know of it. Later changes of this do not reach the table."""
        return KeptTable(
            self.birth,
            self.spec,
            self.contract,
            self.checkpoint,
            [packed(one) for one in self.since],
            list(self._digests),
        )

    @classmethod
    def of(cls, member_id: str, table: KeptTable) -> "Kept":
        """A member that was written down; it has no host yet."""
        kept = cls(member_id, table.birth, table.spec, table.checkpoint)
        kept.contract = table.contract
        kept.since, kept._digests = list(table.since), list(table.digests)
        kept._since_bytes, kept._since_grants = sum(map(len, kept.since)), len(kept.since)
        return kept

    def embodiment(self, request: int) -> Embodiment:
        """What a host has to be told to make it, or to bring it back."""
        again = not self.newborn or self.checkpoint is not None
        return Embodiment(request, self.birth, self.spec, again, self.checkpoint, tuple(self.since))

    def differs(self, embodied: Embodied) -> bool:
        """Whether what was brought back has lived another life than the one it was told to repeat."""
        return embodied.digests != tuple(self._digests)

    def waiting(self, now: float, obstacle: str = "") -> Waiting:
        """For people: what the clock waits for."""
        beat_age_s = None if self.beat_at is None else now - self.beat_at
        restoring = "" if self.standing or self.newborn else self.reason
        since_s = now - (self.embodied_at if self.newborn else self.asked_at)
        return Waiting(self.member_id, since_s, beat_age_s, self.beat_tick, restoring, obstacle, self.newborn)
