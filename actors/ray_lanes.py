"""The ray lane: plain actor calls. Simple, and always there."""

import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import (
    ActorUnavailableError,
    GetTimeoutError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
)

from actors.core.kernel.codec import Plain, decode
from actors.core.kernel.effects import Refused
from actors.core.kernel.errors import EngineError, FactoryError, ProtocolError, error_from
from actors.core.kernel.lanes import Beat, Died, Heard, Rejoined, Signal, Whereabouts
from actors.core.kernel.messages import Answer, Embodied, Message, Refusal, pack, unpack
from actors.ray_hosts import RemoteHost
from actors.ray_nodes import NodeWatch

READ_TIMEOUT_S = 30.0
"""A view answers in microseconds; a host that takes this long is hung."""
PROCESS_DIED = "its process died"
RESENDS_MAX = 3
"""Of a message to a host that cannot be reached for a moment."""


class RayLane:
    """Members in Ray actors, one each. See `Lane`.

    Args:
        realm_paths: users' folders for factories.
        nodes: what is known of the cluster's nodes.
    """

    name = "ray"
    hosts_may_die = True

    def __init__(self, realm_paths: tuple[str, ...] = (), nodes: NodeWatch | None = None) -> None:
        self._realm_paths = realm_paths
        self._nodes = NodeWatch() if nodes is None else nodes
        self._located: dict[str, Whereabouts] = {}
        self._asked_for: dict[str, dict[str, Any]] = {}
        self._actors: dict[str, Any] = {}
        self._answers: dict[Any, str] = {}
        self._watched: dict[Any, tuple[str, str]] = {}
        self._beating: set[str] = set()
        self._unreachable: Counter[str] = Counter()

    # ------------------------------------------------------------------------------------------------------ hosts

    def start(self, host_id: str, placement: bytes) -> None:
        """See `Lane`."""
        options = decode(placement) if placement else {}
        try:
            actor = RemoteHost.options(**options).remote(host_id, self._realm_paths)
        except (TypeError, ValueError) as error:  # a value that Ray does not take
            raise FactoryError(f"placement {options!r} cannot be used: {str(error).rstrip('.')}.") from None
        self._actors[host_id] = actor
        self._asked_for[host_id] = options
        self._watched[actor.whereabouts.remote()] = (host_id, "where")
        self._welcome(host_id, actor)

    def _welcome(self, host_id: str, actor: Any) -> None:
        self._watched[actor.stay.remote()] = (host_id, "stay")  # resolves, with an error, when its process dies

    def kill(self, host_id: str) -> None:
        """See `Lane`."""
        actor = self._actors.pop(host_id, None)
        if actor is not None:
            self._answers = {ref: known for ref, known in self._answers.items() if known != host_id}
            self._watched = {ref: known for ref, known in self._watched.items() if known[0] != host_id}
            self._beating.discard(host_id)
            self._located.pop(host_id, None)
            self._asked_for.pop(host_id, None)
            ray.kill(actor)

    def crash(self, host_id: str) -> None:
        """See `Lane`."""
        if host_id in self._actors:
            self._actors[host_id].crash.remote()

    def now_s(self) -> float:
        """See `Lane`."""
        return time.monotonic()

    def computing(self) -> None:
        """See `Lane`."""

    # --------------------------------------------------------------------------------------------------- messages

    def pack(self, message: Message) -> bytes:
        """See `Lane`."""
        return pack(message)

    def send(self, host_id: str, parcel: bytes) -> None:
        """See `Lane`."""
        actor = self._actors.get(host_id)
        if actor is not None:
            self._answers[actor.hear.remote(parcel)] = host_id

    def receive(self, timeout_s: float) -> Sequence[Signal]:
        """See `Lane`."""
        if self._answers:  # the quick way: everybody answers
            try:
                replies = ray.get(list(self._answers), timeout=timeout_s)
            except (GetTimeoutError, RayError):
                return self._receive_each(0)
            answers, self._answers = self._answers, {}
            return [self._read(host_id, reply) for host_id, reply in zip(answers.values(), replies, strict=True)]
        return self._receive_each(timeout_s)

    def _receive_each(self, timeout_s: float) -> list[Signal]:
        refs = [*self._answers, *self._watched]
        if not refs:
            time.sleep(timeout_s)
            return []
        if timeout_s:
            ray.wait(refs, timeout=timeout_s)
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        found = (self._collect(ref) if ref in self._answers else self._look_at(ref) for ref in ready)
        return [signal for signal in found if signal is not None]

    def _collect(self, ref: Any) -> Signal | None:
        host_id = self._answers.pop(ref)
        try:
            return self._read(host_id, ray.get(ref))
        except ActorUnavailableError:  # it may have run; the same question comes to the same answer
            self._unreachable[host_id] += 1
            if self._unreachable[host_id] <= RESENDS_MAX:
                return Rejoined(host_id)
            return Died(host_id, f"its process cannot be reached after {RESENDS_MAX} more tries")
        except (RayError, OutOfMemoryError) as error:
            return Died(host_id, _cause(error))

    def _read(self, host_id: str, reply: bytes) -> Signal:
        self._unreachable.pop(host_id, None)
        try:
            return Heard(host_id, unpack(reply, Answer, Embodied, Refusal))
        except ProtocolError as error:
            return Died(host_id, f"it answered what cannot be read: {error.message}")

    def _look_at(self, ref: Any) -> Signal | None:
        """A host has become ready, has given a sign of life, or never will."""
        host_id, what = self._watched.pop(ref)
        try:
            value = ray.get(ref)
        except (RayError, OutOfMemoryError) as error:
            return Died(host_id, _cause(error), host_id in self._located)
        if what == "beat":
            self._beating.discard(host_id)
            return Beat(host_id, value)
        if what == "where":
            self._located[host_id] = value
            return None
        return self._watched_is(host_id, what, value)

    def _watched_is(self, host_id: str, what: str, value: Any) -> Signal | None:
        """A watched call has ended well; another lane has more of them."""
        return None

    def beat(self, host_id: str) -> None:
        """See `Lane`."""
        if host_id in self._actors and host_id not in self._beating:
            self._beating.add(host_id)
            self._watched[self._actors[host_id].beat.remote()] = (host_id, "beat")

    # ------------------------------------------------------------------------------------------------------ reads

    def query(self, host_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See `Lane`."""
        return self._ask(host_id, "query", verb, arguments)

    def capture(self, host_id: str) -> bytes:
        """See `Lane`."""
        return self._ask(host_id, "capture")  # type: ignore[no-any-return]

    def _ask(self, host_id: str, method: str, *arguments: Any) -> Any:
        actor = self._actors.get(host_id)
        if actor is None:
            raise EngineError(f"{PROCESS_DIED}.")
        try:
            reply = ray.get(getattr(actor, method).remote(*arguments), timeout=READ_TIMEOUT_S)
        except GetTimeoutError:
            raise EngineError(f"no answer within {READ_TIMEOUT_S:.0f} s.") from None
        except RayError as error:
            raise EngineError(f"{_cause(error)}.") from None
        if isinstance(reply, Refused):
            raise error_from(reply.code, reply.message)
        return reply

    def whereabouts(self, host_ids: Sequence[str], patience_s: float = 0.0) -> dict[str, Whereabouts]:
        """See `Lane`."""
        wanted = set(host_ids) - self._located.keys()
        refs = [ref for ref, (host_id, what) in self._watched.items() if what == "where" and host_id in wanted]
        if refs and patience_s:
            ray.wait(refs, num_returns=len(refs), timeout=patience_s)
        for ref in ray.wait(refs, num_returns=len(refs), timeout=0)[0] if refs else ():
            with contextlib.suppress(RayError, OutOfMemoryError):  # its process is gone, which another sign tells
                self._located[self._watched[ref][0]] = ray.get(ref)
        return {host_id: self._located[host_id] for host_id in host_ids if host_id in self._located}

    def obstacle(self, host_id: str) -> str:
        """See `Lane`."""
        options = self._asked_for.get(host_id)
        return "" if not options or host_id in self._located else self._nodes.lacks(options)

    def close(self) -> None:
        """See `Lane`."""
        self._nodes.close()
        for host_id in list(self._actors):
            self.kill(host_id)


def _cause(error: BaseException) -> str:
    """What happened to a host, in a few words."""
    if isinstance(error, OutOfMemoryError):
        return f"{PROCESS_DIED}: out of memory"
    if isinstance(error, RayActorError):
        return PROCESS_DIED
    if isinstance(error, RayTaskError):
        return f"its host failed: {error.cause}"
    return f"its host cannot be reached: {str(error).splitlines()[0]}"
