"""The fleet: which host carries which member, and how a member whose host has died is brought back.

The fleet carries out what the sequencer asks for. Of every member it keeps a checkpoint and the grants since. When a
host dies, another one is told to make the member from these, and what it has answered before must come out again;
then the grant it owes is sent again. No other member goes back. A second death within one grant is the member's own
doing and puts it, alone, into error; so does what cannot be brought back.

Nothing here depends on the order in which signals come, on how often a message was sent, or on time, except for when
to lose patience. So it is the same logic on every lane, the seeded ones of the tests included.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.effects import (
    Ahead,
    Capture,
    Captured,
    Dispose,
    Effect,
    Exchange,
    Lost,
    Populate,
    Rebuild,
    Refused,
    Script,
    Spawn,
    T,
)
from actors.core.kernel.errors import EngineError, ProtocolError, SoulfraError, UnknownMemberError
from actors.core.kernel.keeping import RESEND_AFTER_S, Kept, KeptTable, Recovery, Waiting
from actors.core.kernel.lanes import Beat, Died, Heard, Lane, Rejoined, Signal, Whereabouts
from actors.core.kernel.members import CAPTURED, Outbox
from actors.core.kernel.messages import UNREAD, Advance, Answer, Embodied, Refusal, Stand
from actors.core.kernel.settings import Settings

IMPATIENT_AFTER_S = 0.25
"""From here on the clock asks for heartbeats and can say whom it waits for."""
LOCATE_TIMEOUT_S = 1.0
"""For hosts that are starting to say where they live; asked for people only."""
DEATHS_MAX = 1
"""Of a member's hosts within one grant; one more is the member's own doing."""
RESTARTED = "the clock was started again"
LEAVING = "its node is being drained"
MISUNDERSTOOD = "its process answered something else than it was asked"
SPARE_FAILURES_MAX = 5
"""Spares that died in a row before they were used; then the machine has no room for more."""


RECOVERIES_KEPT_MAX = 10_000
REFRESHED_BYTES = 4 << 20
"""Of checkpoints that come with one control tick for no other reason than that they are to be written down."""
SPARES_AFTER_S = 1.0
"""Spares are started when nobody has needed a host for so long: they must not slow down those who are waited for."""


class Fleet:
    """The hosts of all members.

    Args:
        settings: how many spares, how long to wait, how much to keep.
        lane: how hosts are reached.

    Attributes:
        decided: (member id, occasion) to reason: members that are lost there because history says so.
        deaths_max: so many hosts of a member may die within one grant.
        recoveries: members that were brought back, the newest.
    """

    def __init__(self, settings: Settings, lane: Lane) -> None:
        self._settings = settings
        self._lane = lane
        self._kept: dict[str, Kept] = {}
        self._carried: dict[str, Kept] = {}
        self._awaited: dict[str, Kept] = {}
        self._outcomes: dict[str, Any] = {}
        self._asked: Exchange | None = None  # which nobody waits for yet
        self._spares: deque[str] = deque()
        self._moving: dict[str, str] = {}
        self._spare_failures = 0
        self._hosts_started = 0
        self._requests = 0
        self._control_tick = 0
        self._checked_at = 0.0
        self._taken_at = lane.now_s()
        self.decided: dict[tuple[str, str], str] = {}
        self.deaths_max = DEATHS_MAX
        self._behind: list[str] | None = None
        self.recoveries: deque[Recovery] = deque(maxlen=RECOVERIES_KEPT_MAX)

    def carry_out(self, script: Script[T]) -> T:
        """Runs a script to its end, carrying out what it asks for."""
        try:
            effect = next(script)
            while True:
                effect = script.send(self.perform(effect))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        except BaseException:  # it broke off, and nobody waits any more
            self._asked = None
            self._awaited.clear()
            self._outcomes.clear()
            raise

    def perform(self, effect: Effect) -> Any:
        """Carries out one effect; see `effects.py` for what it comes to."""
        match effect:
            case Exchange():
                return self._exchange(effect)
            case Ahead(exchange):
                self._ask(exchange)
                self._asked = exchange
                return None
            case Spawn(birth, spec):
                return self._spawn([Kept(birth.member_id, birth, spec)])[birth.member_id]
            case Populate(newcomers):
                return self._spawn([Kept(key, one.birth, one.spec, one.checkpoint) for key, one in newcomers.items()])
            case Capture(member_ids):
                return self._captured(member_ids)
            case Rebuild(member_id, occasion):
                if (reason := self.decided.get((member_id, occasion))) is not None:  # a replay: it was lost here
                    return Lost(reason)
                return self._rebuild(self._kept[member_id])
            case Dispose(member_id):
                return self._dispose(member_id)

    # --------------------------------------------------------------------------------------------------- exchange

    def _exchange(self, exchange: Exchange) -> dict[str, tuple[Outbox, ...] | Lost]:
        if self._asked is exchange:  # its members have had the time since for themselves; the clock waits from now on
            self._asked, now = None, self._lane.now_s()
            for kept in self._awaited.values():
                kept.asked_at = kept.sent_at = now
        else:
            self._ask(exchange)
        return self._gather()

    def _ask(self, exchange: Exchange) -> None:
        grants, occasion = exchange.grants, exchange.occasion
        lane, now = self._lane, self._lane.now_s()
        refreshed = self._to_refresh(grants) if self._behind else ()
        for member_id, batch in grants.items():
            kept = self._kept[member_id]
            if (reason := self.decided.get((member_id, occasion))) is not None:  # a replay: it was lost here
                self._outcomes[member_id] = Lost(reason)
                continue
            self._requests += 1
            checkpoint = kept.checkpoint_due(self._settings, len(self._kept)) or member_id in refreshed
            kept.ask(self._requests, lane.pack(Advance(self._requests, batch, checkpoint)), now, batch)
            self._awaited[member_id] = kept
            if kept.standing:
                lane.send(kept.host_id, kept.parcel)
            elif kept.lost:
                self._settle(kept, Lost(kept.lost))
        if grants:
            self._control_tick = batch[0].control_tick

    def _gather(self) -> dict[str, Any]:
        """Waits until everybody who was asked has answered or is lost."""
        receive, carried, awaited, lane = self._lane.receive, self._carried, self._awaited, self._lane
        while awaited:
            for signal in receive(IMPATIENT_AFTER_S):
                if type(signal) is Heard and type(signal.message) is Answer:  # nearly always, so without more calls
                    kept, answer = carried.get(signal.host_id), signal.message
                    if kept is None or kept.request != answer.request or not kept.standing or kept.parcel is None:
                        continue  # of a host that was given up, or to a question that was settled before
                    if not kept.is_answered_by(answer):
                        self._mourn(kept.host_id, MISUNDERSTOOD, kept)
                    elif awaited.pop(kept.member_id, None) is not None:  # else it came twice
                        kept.keep(answer, lane.now_s())
                        kept.answered()
                        self._outcomes[kept.member_id] = answer.outboxes
                else:
                    self._heed(signal)
            if lane.now_s() - self._checked_at >= IMPATIENT_AFTER_S:
                self._lose_patience()
        outcomes, self._outcomes = self._outcomes, {}
        return outcomes

    def _settle(self, kept: Kept, outcome: Any) -> None:
        kept.answered()
        del self._awaited[kept.member_id]
        self._outcomes[kept.member_id] = outcome

    # ---------------------------------------------------------------------------------------------------- signals

    def _heed(self, signal: Signal) -> None:
        kept = self._carried.get(signal.host_id)
        match signal:
            case Heard(_, message):
                if kept is not None:  # else: a host that was given up; it may still be talking
                    self._hear(kept, message)
            case Died(host_id, reason, came):
                if came or kept is None or kept.newborn:
                    self._mourn(host_id, reason, kept)
                else:
                    self._release(kept)  # tried again soon, as long as there is patience
            case Beat(_, local_tick):
                if kept is not None:
                    kept.beat_at, kept.beat_tick = self._lane.now_s(), local_tick
            case Rejoined():
                if kept is not None:
                    self._ask_again(kept)

    def _hear(self, kept: Kept, message: Any) -> None:
        """Anything but an answer to a grant that is awaited, which `_gather` takes itself."""
        waited_for = kept.parcel is not None and message.request == kept.request  # else it is settled already
        if isinstance(message, Embodied):
            if message.request == kept.embodying:
                self._stand(kept, message)
        elif isinstance(message, Refusal) and message.request != UNREAD:  # what could not be read is asked again
            if message.request == kept.embodying:
                self._give_up(kept, message)
            elif waited_for:
                if message.code == ProtocolError.code:
                    raise EngineError(f"{kept.member_id} does not obey this clock: {message.message}")
                self._settle(kept, Refused(message.code, message.message))

    # ---------------------------------------------------------------------------------------------------- embodying

    def _spawn(self, newborn: list[Kept]) -> dict[str, Embodied | Refused]:
        for kept in newborn:
            self._kept[kept.member_id] = kept
            kept.newborn = True
            self._awaited[kept.member_id] = kept
            try:
                self._embody(kept)
            except SoulfraError as error:
                self._settle(kept, Refused(error.code, error.message))
        outcomes = self._gather()
        for kept in newborn:
            kept.newborn = False
            if isinstance(outcomes[kept.member_id], Refused):
                self._dispose(kept.member_id)
        return outcomes

    def _embody(self, kept: Kept) -> None:
        """Gives a member a host and tells it what the member was."""
        kept.host_id = self._moving.pop(kept.member_id, "") or self._take_host(kept.spec)
        self._carried[kept.host_id] = kept
        self._requests += 1
        kept.embodying, kept.standing, kept.lost = self._requests, False, ""
        kept.embodied_at = kept.sent_at = self._lane.now_s()
        kept.resend_after_s = RESEND_AFTER_S
        self._ask_again(kept)

    def _ask_again(self, kept: Kept) -> None:
        """Sends what a member's host owes an answer to: that the member stands, then the question."""
        if kept.embodying:
            self._lane.send(kept.host_id, self._lane.pack(kept.embodiment(kept.embodying)))
        elif kept.standing and kept.parcel is not None:
            self._lane.send(kept.host_id, kept.parcel)

    def _stand(self, kept: Kept, embodied: Embodied) -> None:
        """The member stands on its host: for the first time, or again."""
        kept.embodying = 0
        if kept.newborn:
            kept.newborn, kept.standing = False, True
            kept.contract, kept.spec = embodied.contract, embodied.spec
            kept.checkpoint = kept.checkpoint or embodied.checkpoint
            self._settle(kept, embodied)
            return
        if kept.differs(embodied):
            reason = f"{kept.reason}, and it was brought back as another: its replay gave another history"
            self._abandon(kept, reason)
            return
        kept.standing = True
        elapsed_ms = (self._lane.now_s() - kept.died_at) * 1e3
        self.recoveries.append(Recovery(kept.member_id, self._control_tick, kept.reason, elapsed_ms, len(kept.since)))
        kept.asked_at = kept.sent_at = self._lane.now_s()  # this host is asked only now, and has all the time there is
        kept.resend_after_s = RESEND_AFTER_S
        self._ask_again(kept)

    def _give_up(self, kept: Kept, refusal: Refusal) -> None:
        if kept.newborn:
            self._settle(kept, Refused(refusal.code, refusal.message))
        else:
            self._abandon(kept, f"{kept.reason}, and it cannot be brought back: {refusal.message.rstrip('.')}")

    def _abandon(self, kept: Kept, reason: str) -> None:
        """Nothing more is tried for this member until somebody restarts it."""
        self._release(kept)
        kept.lost = reason
        if kept.member_id in self._awaited:
            self._settle(kept, Lost(reason))

    def _rebuild(self, kept: Kept) -> Outbox | Refused | Lost:
        """Lets a member in error stand at the boundary before it: where it is, or on another host if it has none."""
        self._requests += 1
        kept.ask(self._requests, self._lane.pack(Stand(self._requests)), self._lane.now_s())
        self._awaited[kept.member_id] = kept
        if kept.standing:
            self._lane.send(kept.host_id, kept.parcel)
        elif not kept.embodying:  # else it is being brought back as it is
            kept.died_at = self._lane.now_s()
            self._embody(kept)
        outcome = self._gather()[kept.member_id]
        return outcome[0] if isinstance(outcome, tuple) else outcome  # type: ignore[no-any-return]

    # --------------------------------------------------------------------------------------------------- dead hosts

    def _mourn(self, host_id: str, reason: str, kept: Kept | None) -> None:
        if kept is None:
            if host_id in self._spares:
                self._spares.remove(host_id)
                self._spare_failures += 1
            for member_id in [one for one, to in self._moving.items() if to == host_id]:
                del self._moving[member_id]
            return
        self._release(kept)
        kept.reason = reason
        if kept.newborn:
            self._settle(kept, Refused(EngineError.code, f"{reason} while it was made."))
            return
        kept.died_at = self._lane.now_s()
        if kept.parcel is not None:
            kept.deaths += 1
        if not kept.recoverable:
            self._abandon(kept, reason)
        elif kept.deaths > self.deaths_max:
            self._abandon(kept, f"{reason}, and once more in the same grant")
        else:
            self._embody(kept)

    def _release(self, kept: Kept) -> None:
        """Takes a member's host away from it."""
        if kept.host_id:
            self._carried.pop(kept.host_id, None)
            self._lane.kill(kept.host_id)
        kept.host_id, kept.standing, kept.embodying = "", False, 0

    def _lose_patience(self) -> None:
        """Asks for signs of life, asks again, and at last treats as dead who does not answer."""
        now = self._checked_at = self._lane.now_s()
        self._keep_spares(now)
        for kept in list(self._awaited.values()):
            if not kept.standing:
                if not kept.host_id and not kept.lost:
                    self._embody_again(kept, now)
                elif kept.embodying and now - kept.embodied_at > self._settings.start_timeout_s:
                    self._mourn_unmade(kept)
                elif kept.embodying:
                    self._ask_again_when_late(kept, now)
            elif now - kept.asked_at > self._settings.member_timeout_s:
                self._mourn_silent(kept, self._settings.member_timeout_s)
            elif now - kept.asked_at >= IMPATIENT_AFTER_S:
                self._ask_again_when_late(kept, now)
                self._lane.beat(kept.host_id)

    def _ask_again_when_late(self, kept: Kept, now: float) -> None:
        if now - kept.sent_at > kept.resend_after_s:
            kept.sent_at, kept.resend_after_s = now, kept.resend_after_s * 2
            self._ask_again(kept)

    def _embody_again(self, kept: Kept, now: float) -> None:
        """Its new host never came: the node it was to live on was lost, too, and nobody knew."""
        if now - kept.died_at > self._settings.start_timeout_s:
            self._abandon(kept, f"{kept.reason}, and no new process for it could be started")
        else:
            self._embody(kept)

    def _mourn_unmade(self, kept: Kept) -> None:
        """It has not been made for too long. Where nobody can make it, trying again is of no use."""
        obstacle = self._lane.obstacle(kept.host_id)
        if obstacle and kept.newborn:
            self._mourn(kept.host_id, obstacle, kept)
        elif obstacle:
            self._abandon(kept, f"{kept.reason}, and it cannot be brought back: {obstacle}")
        else:
            self._mourn_silent(kept, self._settings.start_timeout_s)

    def _mourn_silent(self, kept: Kept, timeout_s: float) -> None:
        self._mourn(kept.host_id, f"its process did not answer within {timeout_s:g} s", kept)

    # --------------------------------------------------------------------------------------------------- keyframes

    def tables(self) -> dict[str, KeptTable]:
        """What is kept of every member; with the sequencer's tables, all that a successor needs."""
        return {member_id: kept.table() for member_id, kept in self._kept.items()}

    def checkpoint(self) -> None:
        """Takes a checkpoint of every member that can be captured, at this boundary: nothing before is lived again."""
        self._checkpoint([kept for kept in self._kept.values() if kept.standing])

    def refresh(self) -> None:
        """Lets members' next grants bring checkpoints, some at a time, because what is kept is to be written down soon."""
        if self._behind is None:
            self._behind = [member_id for member_id, kept in self._kept.items() if kept.is_behind()]

    def is_refreshed(self) -> bool:
        """Whether all that were behind have brought one since `refresh`; then another round may begin."""
        if self._behind:
            return False
        self._behind = None
        return True

    def _to_refresh(self, granted: Mapping[str, object]) -> set[str]:
        """Those that bring a checkpoint now; who is not granted anything now is left as it is."""
        behind = [member_id for member_id in self._behind or () if member_id in granted]
        chosen, size = 0, 0
        while chosen < len(behind) and size < REFRESHED_BYTES:
            checkpoint = self._kept[behind[chosen]].checkpoint
            chosen, size = chosen + 1, size + (len(checkpoint.document) if checkpoint is not None else 0)
        self._behind = behind[chosen:]
        return set(behind[:chosen])

    def _checkpoint(self, members: Iterable[Kept]) -> None:
        """Who is being brought back is waited for."""
        now = self._lane.now_s()
        for kept in members:
            if kept.since and not kept.lost and kept.contract.recovery == CAPTURED:
                self._requests += 1
                kept.ask(self._requests, self._lane.pack(Stand(self._requests, checkpoint=True)), now)
                self._awaited[kept.member_id] = kept
                if kept.standing:
                    self._lane.send(kept.host_id, kept.parcel)
        self._gather()

    def _captured(self, member_ids: Iterable[str]) -> dict[str, Captured | Refused]:
        members = [self._kept[member_id] for member_id in member_ids]
        self._checkpoint(members)
        found: dict[str, Captured | Refused] = {}
        for kept in members:
            if kept.checkpoint is None or kept.since:
                found[kept.member_id] = Refused(EngineError.code, f"{kept.member_id} cannot be captured now.")
            else:
                found[kept.member_id] = Captured(kept.birth, kept.spec, kept.checkpoint)
        return found

    def restore(self, tables: Mapping[str, KeptTable]) -> None:
        """Brings back every member that was written down, all at once. One that nothing brings back is lost.

        Raises:
            EngineError: one of them cannot be brought back.
        """
        before = self.recoveries.copy()
        self._kept = {member_id: Kept.of(member_id, table) for member_id, table in tables.items()}
        for kept in self._kept.values():
            kept.reason, kept.died_at = RESTARTED, self._lane.now_s()
            if not kept.recoverable:
                kept.lost = f"{RESTARTED}, and its recovery is {kept.contract.recovery!r}"
                continue
            self._requests += 1
            kept.ask(self._requests, self._lane.pack(Stand(self._requests)), kept.died_at)
            self._awaited[kept.member_id] = kept
            self._embody(kept)
        for member_id, outcome in self._gather().items():
            if not isinstance(outcome, tuple):
                raise EngineError(f"{member_id} cannot be brought back: {outcome}.")
        self.recoveries = before  # it was not they who died

    def adopt(self, tables: Mapping[str, KeptTable]) -> None:
        """Lets the members be others: those that were written down, on the hosts that are there.

        Raises:
            EngineError: one of them cannot be brought back.
        """
        for member_id, kept in self._kept.items():
            host_id, wanted = kept.host_id, tables.get(member_id)
            if not host_id:
                continue
            self._carried.pop(host_id, None)
            if wanted is None or wanted.spec.placement != kept.spec.placement or member_id in self._moving:
                self._lane.kill(host_id)
            else:
                self._moving[member_id] = host_id
        for member_id in [one for one in self._moving if one not in tables]:
            self._lane.kill(self._moving.pop(member_id))
        self.restore(tables)

    # ------------------------------------------------------------------------------------------------------ hosts

    def prepare(self, hosts: int) -> None:
        """Makes so many hosts ready ahead of need, without waiting for them."""
        while len(self._spares) < hosts and self._spare_failures < SPARE_FAILURES_MAX:
            self._spares.append(self._start(b""))

    def _keep_spares(self, now: float) -> None:
        if self._lane.hosts_may_die and now - self._taken_at >= SPARES_AFTER_S:
            self.prepare(self._settings.spare_hosts)

    def tend(self) -> None:
        """What is to be done while the clock stands: dead hosts are replaced, spares made ready."""
        for signal in self._lane.receive(0):
            self._heed(signal)
        now = self._lane.now_s()
        for kept in self._kept.values():
            if not kept.host_id and not kept.lost and now - kept.embodied_at >= IMPATIENT_AFTER_S:
                self._embody_again(kept, now)
        self._keep_spares(now)

    def move(self, member_id: str, reason: str) -> None:
        """Hands a member over to another host, at a boundary: no death, no waiting, nobody can tell.

        Where it is to live must be ready before, or it starts now; whoever grants it next waits for it.
        """
        kept = self._kept[member_id]
        if kept.standing and kept.recoverable and member_id not in self._awaited:
            self._release(kept)
            kept.reason, kept.died_at = reason, self._lane.now_s()
            self._embody(kept)

    def evacuate(self, node_ids: Collection[str]) -> list[str]:
        """Lets members leave these nodes, at a boundary; ask again until it says that nobody is left.

        A new host is started ahead for each; a member moves when that stands ready. One whose new host cannot come
        stays where it is, and so does one that cannot be brought back elsewhere.

        Returns:
            Members that are still there.
        """
        hosts = [*self._spares, *self._moving.values(), *(kept.host_id for kept in self._kept.values())]
        where = self._lane.whereabouts(hosts)
        there = {host_id for host_id, found in where.items() if found.node_id in node_ids}
        for host_id in [spare for spare in self._spares if spare in there]:
            self._spares.remove(host_id)
            self._lane.kill(host_id)
        for member_id in [one for one, to in self._moving.items() if to in there]:
            self._lane.kill(self._moving.pop(member_id))
        left = sorted(kept.member_id for kept in self._kept.values() if kept.host_id in there)
        for member_id in left:
            kept = self._kept[member_id]
            if member_id in self._moving and self._moving[member_id] in where:
                self.move(member_id, LEAVING)
            elif member_id not in self._moving and kept.recoverable:
                self._moving[member_id] = self._start(kept.spec.placement)
        return left

    def _take_host(self, spec: MemberSpec) -> str:
        if spec.is_placed:
            return self._start(spec.placement)
        if not self._spares:
            self._spares.append(self._start(b""))
        self._spare_failures = 0
        self._taken_at = self._lane.now_s()
        return self._spares.popleft()

    def _start(self, placement: bytes) -> str:
        self._hosts_started += 1
        host_id = f"host-{self._hosts_started}"
        self._lane.start(host_id, placement)
        return host_id

    def _dispose(self, member_id: str) -> None:
        kept = self._kept.pop(member_id, None)
        if kept is not None:
            self._release(kept)
        if (host_id := self._moving.pop(member_id, "")) != "":
            self._lane.kill(host_id)

    # ------------------------------------------------------------------------------------------------------ reads

    def host_of(self, member_id: str) -> str:
        """The host that carries a member; from any thread.

        Raises:
            UnknownMemberError: no such member.
            EngineError: it is being brought back, or was lost.
        """
        kept = self._kept.get(member_id)
        if kept is None:
            known = ", ".join(sorted(self._kept)) or "none"
            raise UnknownMemberError(f"no member {member_id!r} is registered; registered: {known}.")
        host_id = kept.host_id
        if not kept.standing or not host_id:
            why = kept.lost or "it is being brought back"
            raise EngineError(f"{member_id} has no host right now: {why}; ask again, or see its state.")
        return host_id

    def capture(self, member_id: str) -> bytes:
        """A member's encoded state at this boundary.

        Raises:
            SoulfraError: it cannot be had.
        """
        return self._lane.capture(self.host_of(member_id))

    def whereabouts(self) -> dict[str, Whereabouts]:
        """Where every member lives that has a host."""
        hosts = {kept.host_id: member_id for member_id, kept in self._kept.items() if kept.standing}
        found = self._lane.whereabouts(list(hosts), LOCATE_TIMEOUT_S)
        return {hosts[host_id]: where for host_id, where in found.items()}

    def waiting(self) -> list[Waiting]:
        """Members that the clock waits for right now; may be asked from another thread."""
        now = self._lane.now_s()
        computing = self._lane.computing()
        if computing is not None and (kept := self._carried.get(computing[0])) is not None:
            return [Waiting(kept.member_id, now - kept.asked_at, 0.0, computing[1])]
        awaited = sorted(self._awaited.items())
        return [kept.waiting(now, "" if kept.standing else self._lane.obstacle(kept.host_id)) for _, kept in awaited]

    def close(self) -> None:
        """Gives every host back."""
        self._lane.close()
        self._kept.clear()
        self._carried.clear()
        self._spares.clear()
