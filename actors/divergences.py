"""What differs between what a member answered here and what it answered elsewhere, in one line for its author."""

from typing import Any

import msgspec

from actors.core.kernel.messages import Answer
from actors.core.kernel.states import decode_state, differences

SHOWN_CHARACTERS_MAX = 200
SAID = ("number", "local_tick", "events", "results", "totals", "ledger", "cascades_cut")
"""What is compared of an outbox, beside its digest and whether it is a failure. Measures and traces are not part of
history, and the words of an error may name an address in memory."""

_encode = msgspec.msgpack.Encoder(order="sorted").encode


def state_difference(here: bytes, there: bytes) -> str:
    """The first attribute that differs, and how many more do."""
    found = differences(decode_state(here), decode_state(there))
    first = next(found, None)
    if first is None:
        return "the bytes of its state"
    more = sum(1 for _ in found)
    return f"{_short(first)}{f', and {more} more' if more else ''}"


def answer_difference(here: Answer, there: Answer) -> str:
    """The first outbox, and the first part of it, that differs; "" if none does."""
    for one, other in zip(here.outboxes, there.outboxes, strict=False):
        if (one.failure is None) != (other.failure is None):
            failure = one.failure or other.failure
            return f"it failed only {'here' if one.failure else 'there'} ({'' if failure is None else failure.message})"
        for name in SAID:
            left, right = getattr(one, name), getattr(other, name)
            if _encode(left) != _encode(right):
                return f"{name}: {_first_unequal(left, right)}"
        if one.digest and other.digest and one.digest != other.digest:
            return "its digest, though neither its state nor what it said: the number of its next event, or its kind"
    if len(here.outboxes) != len(there.outboxes):
        return f"it answered {len(here.outboxes)} grants here and {len(there.outboxes)} there"
    return ""


def _first_unequal(one: Any, other: Any) -> str:
    if isinstance(one, tuple) and isinstance(other, tuple):
        for left, right in zip(one, other, strict=False):
            if left != right:
                return f"{_short(left)} != {_short(right)}"
        return f"{len(one)} here, {len(other)} there"
    return f"{_short(one)} != {_short(other)}"


def _short(what: object) -> str:
    text = str(what)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
