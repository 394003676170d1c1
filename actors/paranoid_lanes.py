"""The paranoid lane: the local lane on which every member lives everything twice, the second time in another process.

Before a member is asked, it is captured. While it answers here, it is restored from that capture in a child of a forking
double (see `doubles.py`) and asked the same there. Its state afterwards and what it said must be equal to the bit. What
differs (state that `capture` leaves out, iteration over a set, `hash()` of a text, a generator of the module's, the wall
clock) stops the run and is named: control tick, member, object. Command rounds are checked like ticks.

A member that cannot be captured but replayed has a double from its birth on, which is asked all that it is asked. One
that promises nothing is not checked; `report` names it.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.digests import member_digest
from actors.core.kernel.errors import EngineError, MemberError, NondeterminismError
from actors.core.kernel.lanes import Heard, Signal
from actors.core.kernel.members import CAPTURED, NONE, Birth, Contract
from actors.core.kernel.messages import (
    Advance,
    Answer,
    Checkpoint,
    Embodied,
    Embodiment,
    Message,
    Refusal,
    pack,
    unpack,
)
from actors.core.kernel.states import decode_state
from actors.divergences import answer_difference, state_difference
from actors.doubles import FORKING, STAYING, Double
from actors.lanes import LocalLane

HASH_SEEDS = (1, 2, 3)
"""Two that this process does not have are used, in turns: a set of two texts has the same order under half of all seeds."""
DOUBLES = 2


class _Life(NamedTuple):
    """One member on one host: what makes it again, and where it is checked."""

    birth: Birth
    spec: MemberSpec
    contract: Contract
    double: "_Worker | None"


class _Check(NamedTuple):
    """A check under way: what is asked, and what the double answers."""

    life: _Life
    before: Checkpoint | None
    answers: "Future[list[bytes]]"
    hash_seed: int


class _Worker:
    """A double with a thread that waits for it, so that this process computes meanwhile."""

    def __init__(self, mode: str, hash_seed: int) -> None:
        self.double = Double(mode, hash_seed)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="soulfra-double")

    def ask(self, *messages: Message) -> "Future[list[bytes]]":
        return self._thread.submit(self.double.ask, [pack(message) for message in messages])

    def close(self) -> None:
        self.double.kill()  # first, for the thread may be waiting for it
        self._thread.shutdown()
        self.double.close()


class ParanoidLane(LocalLane):
    """See `LocalLane`.

    Args:
        realm_paths: users' folders for factories.
        sequence: in which order hosts answer.
    """

    def __init__(
        self, realm_paths: tuple[str, ...] = (), sequence: Callable[[list[str]], list[str]] = lambda ids: ids
    ) -> None:
        super().__init__(realm_paths, sequence)
        self._hash_seeds = [seed for seed in HASH_SEEDS if str(seed) != os.environ.get("PYTHONHASHSEED")][:DOUBLES]
        self._forking: list[_Worker] = []
        self._lives: dict[str, _Life] = {}
        self._checks = self._turns = 0
        self._unchecked: dict[str, str] = {}
        self._by_birth: set[str] = set()

    def report(self) -> dict[str, Plain]:
        """How many answers were compared, which members from their birth on, and which not at all, with the reason."""
        return {
            "checks": self._checks,
            "from_birth": sorted(self._by_birth),
            "unchecked": dict(sorted(self._unchecked.items())),
        }

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        """See `Lane`.

        Raises:
            NondeterminismError: a member was not the same in another process.
            EngineError: a double has ended, or did not answer.
        """
        asked, self._sent = self._sent, {}
        answered: dict[str, Signal] = {}
        for step in range(max((_steps(message) for message in asked.values()), default=0)):
            # One grant after another, although a window has many, so that what differs is found in its control tick.
            now = {
                host_id: _step(message, step)
                for host_id, message in asked.items()
                if step < _steps(message) and not _has_failed(answered.get(host_id))
            }
            checks = {host_id: check for host_id, message in now.items() if (check := self._begin(host_id, message))}
            self._sent = dict(now)
            for signal in super().receive(timeout_s):
                if isinstance(signal, Heard):
                    self._look_at(signal, now[signal.host_id], checks.get(signal.host_id))
                    answered[signal.host_id] = _joined(answered.get(signal.host_id), signal)
        return list(answered.values())

    def _look_at(self, heard: Heard, asked: Message, check: "_Check | None") -> None:
        if isinstance(heard.message, Embodied):
            self._note(heard.host_id, asked, heard.message)
        elif check is not None:
            self._compare(heard.host_id, asked, heard.message, check)

    # ----------------------------------------------------------------------------------------------------- asking

    def _begin(self, host_id: str, message: Message) -> _Check | None:
        """Asks the double; None if this is nothing that a member lives through."""
        life = self._lives.get(host_id)
        if life is None or isinstance(message, Embodiment):
            return None
        if life.double is not None:
            return _Check(life, None, life.double.ask(message), life.double.double.hash_seed)
        if life.contract.recovery != CAPTURED or not isinstance(message, Advance):
            return None
        try:
            before = self._hosts[host_id].seat.copy()
        except (MemberError, ValueError):  # its next digest will say what cannot be captured
            return None
        if message.grants[0].number != before.number + 1:  # asked once more
            return None
        worker = self._next_forking()
        embodiment = Embodiment(message.request, life.birth, life.spec, True, before)
        wanted = msgspec.structs.replace(message, checkpoint=True)
        return _Check(life, before, worker.ask(embodiment, wanted), worker.double.hash_seed)

    def _next_forking(self) -> _Worker:
        if not self._forking:
            self._forking = [_Worker(FORKING, seed) for seed in self._hash_seeds]
        self._turns += 1
        # After each full turn one is left out, so that a member's checks fall on all of them.
        return self._forking[(self._turns + self._turns // max(1, len(self._lives))) % len(self._forking)]

    def _note(self, host_id: str, asked: Message, embodied: Embodied) -> None:
        """A member was made: how it will be checked."""
        if not isinstance(asked, Embodiment):
            return
        self._forget(host_id)
        birth, spec, recovery = asked.birth, embodied.spec, embodied.contract.recovery
        if recovery == NONE:
            self._unchecked[birth.member_id] = f"its recovery is {NONE!r}"
        worker = None
        if recovery not in (CAPTURED, NONE):
            worker = _Worker(STAYING, self._hash_seeds[0])
            self._by_birth.add(birth.member_id)
        self._lives[host_id] = _Life(birth, spec, embodied.contract, worker)
        if worker is not None:
            again = msgspec.structs.replace(asked, spec=spec, again=True)
            there = _read(worker.ask(again), birth.member_id, "when it was made")[0]
            if not isinstance(there, Embodied) or there.status.digest != embodied.status.digest:
                raise NondeterminismError(
                    f"{birth.member_id}, made from its birth in another process (hash seed {worker.double.hash_seed}), "
                    "is not the same."
                )

    # -------------------------------------------------------------------------------------------------- comparing

    def _compare(self, host_id: str, asked: Message, here: Message, check: _Check) -> None:
        member_id = check.life.birth.member_id
        when = _moment(asked)
        *_, there, misfit = _read(check.answers, member_id, when)
        self._checks += 1
        found = ""
        if misfit and check.before is not None:
            found = f"restored from its capture it is another: {state_difference(check.before.document, misfit)}"
        elif isinstance(here, Refusal) or isinstance(there, Refusal):
            if type(here) is not type(there):
                refusal = there if isinstance(there, Refusal) else here
                found = f"only one of the two answers: {getattr(refusal, 'message', '')}"
        elif isinstance(here, Answer) and isinstance(there, Answer):
            found = self._state_difference(host_id, check.life, here, there) or answer_difference(here, there)
        if found:
            raise NondeterminismError(
                f"{when}, {member_id} was not the same in another process (hash seed {check.hash_seed}): {found}."
            )

    def _state_difference(self, host_id: str, life: _Life, here: Answer, there: Answer) -> str:
        if here.outboxes[-1].failure is not None or there.checkpoint is None:
            return ""
        with contextlib.suppress(MemberError, ValueError):  # its next digest will say what cannot be captured
            seat = self._hosts[host_id].seat
            now = seat.copy()
            if now.document != there.checkpoint.document:
                return state_difference(now.document, there.checkpoint.document)
            identity = (life.birth.member_id, life.contract.kind, now.local_tick, now.sequence)
            if seat.says_touched and now.digest != member_digest(*identity, decode_state(now.document)):
                return "its digest is not that of its state: something has changed that it does not tell as touched"
        return ""

    # ----------------------------------------------------------------------------------------------------- the end

    def kill(self, host_id: str) -> None:
        """See `Lane`."""
        super().kill(host_id)
        self._forget(host_id)

    def _forget(self, host_id: str) -> None:
        life = self._lives.pop(host_id, None)
        if life is not None and life.double is not None:
            life.double.close()

    def close(self) -> None:
        """See `Lane`. A second time is no change."""
        super().close()
        for host_id in list(self._lives):
            self._forget(host_id)
        for worker in self._forking:
            worker.close()
        self._forking = []


def _steps(message: Message) -> int:
    return len(message.grants) if isinstance(message, Advance) else 1


def _step(message: Message, step: int) -> Message:
    """One grant of a question that may have more; a checkpoint is due with the last."""
    if not isinstance(message, Advance):
        return message
    last = step == len(message.grants) - 1
    return Advance(message.request, message.grants[step : step + 1], message.checkpoint and last)


def _joined(before: Signal | None, heard: Heard) -> Heard:
    """The answer to a whole question, as far as it has come."""
    if isinstance(before, Heard) and isinstance(before.message, Answer) and isinstance(heard.message, Answer):
        outboxes = (*before.message.outboxes, *heard.message.outboxes)
        return Heard(heard.host_id, msgspec.structs.replace(heard.message, outboxes=outboxes))
    return heard


def _has_failed(answered: Signal | None) -> bool:
    """Whether nothing more is asked of a member, for its turn was discarded or it did not answer at all."""
    if not isinstance(answered, Heard):
        return False
    message = answered.message
    return not isinstance(message, Answer) or message.outboxes[-1].failure is not None


def _moment(asked: Message) -> str:
    if not isinstance(asked, Advance):
        return "when it was to stand again"
    first = asked.grants[0]
    return f"in control tick {first.control_tick}" if first.local_ticks else f"in commands after {first.control_tick}"


def _read(answers: "Future[list[bytes]]", member_id: str, when: str) -> Any:
    """The messages of a double's answer, and last the state that could not be restored.

    Raises:
        EngineError: it has none.
    """
    try:
        *packed, misfit = answers.result()
    except EngineError as error:
        raise EngineError(f"{member_id} could not be checked {when}: {error.message}") from None
    return [*(unpack(one) for one in packed), misfit]
