"""What a user's `publish` function gives, checked and made plain, the same for the realm and for its check."""

from typing import Any

from actors.adapters.mesa_models import Model
from actors.adapters.mesa_states import shown
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import MemberError

Said = tuple[str, Plain, str | None]
"""An event type, its data, and a target; without a target it is a broadcast."""


def said_by(publish: Any, model: Model, now: int) -> list[Said]:
    """What `publish(model, now)` gives, numpy's numbers as Python's.

    Args:
        publish: the user's function, or None for one that says nothing.
        model: the model, after a step.
        now: the local tick of that step.

    Raises:
        MemberError: something that is neither (event type, data) nor (event type, data, target), or data that is not
            plain.
    """
    return [_checked(said) for said in publish(model, now) or ()] if publish is not None else []


def _checked(said: Any) -> Said:
    if not isinstance(said, tuple) or len(said) not in (2, 3):
        raise MemberError(f"publish gave {said!r}; it must give (event type, data) or (event type, data, target).")
    event_type, data, *target = said
    try:
        return event_type, shown(data), target[0] if target else None
    except (TypeError, OverflowError, ValueError, RecursionError) as error:
        raise MemberError(
            f"publish gave data of {event_type!r} that is not plain ({error}); send numbers, text, None, lists, maps."
        ) from None
