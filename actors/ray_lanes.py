"""The ray lane: plain actor calls. Simple, and always there."""

import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, OutOfMemoryError, RayActorError, RayTaskError

from actors.core.kernel.codec import Plain, decode
from actors.core.kernel.effects import Dispose, Effect, Exchange, Lost, Rebuild, Refused, Spawn, Spawned
from actors.core.kernel.errors import EngineError, FactoryError, error_from
from actors.core.kernel.members import Grant, Outbox
from actors.lanes import Waiting, Whereabouts, hosted
from actors.ray_hosts import RemoteHost, decode_outbox, encode_message

HOST_START_TIMEOUT_S = 300.0
"""A host starts in half a second; on a machine that starts a hundred at once it takes a minute.
Checking a foreign model may take two more."""
READ_TIMEOUT_S = 30.0
"""A view answers in microseconds; a host that takes this long is hung."""
SLOW_AFTER_S = 0.25
"""From here on the clock asks for heartbeats and can say whom it waits for."""
PROCESS_DIED = "its process died"
RESENDS_MAX = 3
"""Of a grant to a host that cannot be reached for a moment."""


class RayLane:
    """Members in Ray actors, one each.

    Args:
        realm_paths: users' folders for factories.
    """

    def __init__(self, realm_paths: tuple[str, ...] = ()) -> None:
        self._realm_paths = realm_paths
        self._hosts: dict[str, Any] = {}
        self._spares: deque[Any] = deque()
        self._pending: dict[str, tuple[float, float | None, int]] = {}

    def perform(self, effect: Effect) -> Any:
        """See `Lane`."""
        match effect:
            case Exchange(grants):
                return self._exchange(grants)
            case Spawn():
                return self._spawn(effect)
            case Rebuild(member_id):
                return self._get(self._hosts[member_id].rebuild.remote(), None)
            case Dispose(member_id):
                self._kill(self._hosts.pop(member_id, None))
                return None

    # --------------------------------------------------------------------------------------------------- exchange

    def _exchange(self, grants: Mapping[str, Grant]) -> dict[str, Outbox | Lost]:
        sent = {member_id: encode_message(grant) for member_id, grant in grants.items()}
        refs = {
            member_id: self._hosts[member_id].advance_message.remote(message) for member_id, message in sent.items()
        }
        try:
            replies = ray.get(list(refs.values()), timeout=SLOW_AFTER_S)
        except (GetTimeoutError, RayActorError, OutOfMemoryError):
            return self._exchange_slowly(refs, sent)
        return {member_id: decode_outbox(reply) for member_id, reply in zip(refs, replies, strict=True)}

    def _exchange_slowly(self, refs: dict[str, Any], sent: Mapping[str, bytes]) -> dict[str, Outbox | Lost]:
        """One by one, watching the hosts that do not answer."""
        begun = time.monotonic() - SLOW_AFTER_S
        outboxes: dict[str, Outbox | Lost] = {}
        beats: dict[str, Any] = {}
        again: Counter[str] = Counter()
        try:
            while len(outboxes) < len(refs):
                waiting = {ref: member_id for member_id, ref in refs.items() if member_id not in outboxes}
                ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=SLOW_AFTER_S)
                for ref in ready:
                    member_id = waiting[ref]
                    try:
                        outboxes[member_id] = self._collect(ref)
                        self._pending.pop(member_id, None)
                    except ActorUnavailableError:  # it may have run; the same number comes to the same outbox
                        again[member_id] += 1
                        if again[member_id] > RESENDS_MAX:
                            outboxes[member_id] = Lost(f"its process cannot be reached after {RESENDS_MAX} more tries")
                        else:
                            refs[member_id] = self._hosts[member_id].advance_message.remote(sent[member_id])
                self._watch([waiting[ref] for ref in waiting if ref not in set(ready)], begun, beats)
        finally:
            self._pending = {}
        return outboxes

    def _collect(self, ref: Any) -> Outbox | Lost:
        try:
            return decode_outbox(ray.get(ref))
        except OutOfMemoryError:
            return Lost(f"{PROCESS_DIED}: out of memory")
        except ActorUnavailableError:
            raise
        except RayActorError:
            return Lost(PROCESS_DIED)
        except RayTaskError as error:
            raise EngineError(f"a host failed outside its member: {error.cause}.") from error

    def _watch(self, member_ids: list[str], begun: float, beats: dict[str, Any]) -> None:
        for member_id in member_ids:
            _, heard, local_tick = self._pending.get(member_id, (begun, None, 0))
            beat = beats.get(member_id)
            if beat is not None and ray.wait([beat], timeout=0)[0]:
                try:
                    local_tick = ray.get(beat)[1]
                    heard = time.monotonic()
                except RayActorError:
                    pass  # its outbox will say so
                beat = None
            if beat is None:
                beats[member_id] = self._hosts[member_id].beat.remote()
            self._pending[member_id] = (begun, heard, local_tick)

    def waiting(self) -> list[Waiting]:
        """See `Lane`."""
        now = time.monotonic()
        return [
            Waiting(member_id, now - begun, None if heard is None else now - heard, local_tick)
            for member_id, (begun, heard, local_tick) in sorted(self._pending.items())
        ]

    # ------------------------------------------------------------------------------------------------------ hosts

    def prepare(self, hosts: int) -> None:
        """See `Lane`."""
        while len(self._spares) < hosts:
            self._spares.append(RemoteHost.remote(self._realm_paths))

    def _spawn(self, effect: Spawn) -> Spawned | Refused:
        placement = decode(effect.spec.placement)
        if placement or not self._spares:
            try:
                host = RemoteHost.options(**placement).remote(self._realm_paths)
            except (TypeError, ValueError) as error:  # a value that Ray does not take
                return Refused(FactoryError.code, f"placement {placement!r} cannot be used: {str(error).rstrip('.')}.")
        else:
            host = self._spares.popleft()
        spawned = self._get(host.embody_or_refuse.remote(effect.birth, effect.spec), HOST_START_TIMEOUT_S)
        if isinstance(spawned, Spawned):
            self._hosts[effect.birth.member_id] = host
        else:
            self._kill(host)
        return spawned  # type: ignore[no-any-return]

    def _get(self, ref: Any, timeout_s: float | None) -> Any:
        try:
            return ray.get(ref, timeout=timeout_s)
        except RayActorError:
            return Refused(EngineError.code, "its process died.")
        except GetTimeoutError:
            return Refused(
                EngineError.code, f"no answer within {timeout_s:.0f} s; does the cluster have room for one more actor?"
            )
        except RayTaskError as error:
            return Refused(EngineError.code, f"its host failed: {error.cause}.")

    @staticmethod
    def _kill(host: Any) -> None:
        if host is not None:
            ray.kill(host)

    # ------------------------------------------------------------------------------------------------------ reads

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See `Lane`."""
        host = hosted(self._hosts, member_id)
        return self._value(self._get(host.query.remote(verb, arguments), READ_TIMEOUT_S))

    def capture(self, member_id: str) -> bytes:
        """See `Lane`."""
        return self._value(self._get(hosted(self._hosts, member_id).capture.remote(), None))  # type: ignore[no-any-return]

    @staticmethod
    def _value(reply: Any) -> Any:
        if isinstance(reply, Refused):
            raise error_from(reply.code, reply.message)
        return reply

    def whereabouts(self) -> dict[str, Whereabouts]:
        """See `Lane`. A member whose process is gone is left out."""
        refs = {member_id: host.whereabouts.remote() for member_id, host in sorted(self._hosts.items())}
        found = {member_id: self._get(ref, READ_TIMEOUT_S) for member_id, ref in refs.items()}
        return {member_id: where for member_id, where in found.items() if isinstance(where, Whereabouts)}

    def close(self) -> None:
        """See `Lane`."""
        for host in (*self._hosts.values(), *self._spares):
            self._kill(host)
        self._hosts.clear()
        self._spares.clear()
