"""Cascades: who caused what, where and when, across realms. For people; not part of history."""

from collections import deque

from actors.core.kernel.events import Event, Trace


class Cascades:
    """The newest steps, found by event id. They are put in order when somebody asks, which is seldom.

    Args:
        traces_max: how many are kept; 0 keeps none.
    """

    def __init__(self, traces_max: int) -> None:
        self._steps: deque[tuple[Event, str] | Trace] = deque(maxlen=traces_max)

    def add(self, trace: Trace) -> None:
        """Notes one step within a member."""
        self._steps.append(trace)

    def sent(self, event: Event, where: str) -> None:
        """Notes an event on its way to a member, or to `*`."""
        self._steps.append((event, where))

    def of(self, event_id: str) -> list[Trace]:
        """The whole cascade that an event belongs to: from the first cause that is still known, breadth first.

        Empty if the event is unknown or forgotten.
        """
        traces: dict[str, Trace] = {}
        effects: dict[str, list[str]] = {}
        for step in self._steps:
            trace = step if isinstance(step, Trace) else _trace(*step)
            if trace.event_id not in traces:
                traces[trace.event_id] = trace
                if trace.cause:
                    effects.setdefault(trace.cause, []).append(trace.event_id)
        if event_id not in traces:
            return []
        first, passed = event_id, {event_id}
        while (cause := traces[first].cause) in traces and cause not in passed:  # a driver may name any cause
            first = cause
            passed.add(cause)
        found, known = [first], {first}
        for at in found:  # grows while it is read: breadth first
            fresh = [effect for effect in effects.get(at, ()) if effect not in known]
            found.extend(fresh)
            known.update(fresh)
        return [traces[found_id] for found_id in found]


def _trace(event: Event, where: str) -> Trace:
    return Trace(event.event_id, event.cause, event.event_type, event.source, where, event.control_tick_id, -1, 0)
