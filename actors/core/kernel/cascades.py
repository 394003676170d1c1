"""Cascades: who caused what, where and when, across realms. For people; not part of history."""

from collections import OrderedDict

from actors.core.kernel.events import Trace


class Cascades:
    """The newest steps, found by event id.

    Args:
        traces_max: how many are kept; 0 keeps none.
    """

    def __init__(self, traces_max: int) -> None:
        self._traces_max = traces_max
        self._traces: OrderedDict[str, Trace] = OrderedDict()
        self._effects: dict[str, list[str]] = {}

    def add(self, trace: Trace) -> None:
        """Notes one step; the oldest beyond the limit is forgotten."""
        if not self._traces_max or trace.event_id in self._traces:
            return
        self._traces[trace.event_id] = trace
        if trace.cause:
            self._effects.setdefault(trace.cause, []).append(trace.event_id)
        if len(self._traces) > self._traces_max:
            _, gone = self._traces.popitem(last=False)
            self._effects.pop(gone.event_id, None)
            siblings = self._effects.get(gone.cause, [])
            if gone.event_id in siblings:
                siblings.remove(gone.event_id)
            if not siblings:
                self._effects.pop(gone.cause, None)

    def of(self, event_id: str) -> list[Trace]:
        """The whole cascade that an event belongs to: from the first cause that is still known, breadth first.

        Empty if the event is unknown or forgotten.
        """
        if event_id not in self._traces:
            return []
        first, passed = event_id, {event_id}
        while (
            cause := self._traces[first].cause
        ) in self._traces and cause not in passed:  # a driver may name any cause
            first = cause
            passed.add(cause)
        found, known = [first], {first}
        for at in found:  # grows while it is read: breadth first
            effects = [effect for effect in self._effects.get(at, ()) if effect in self._traces and effect not in known]
            found.extend(effects)
            known.update(effects)
        return [self._traces[found_id] for found_id in found]
