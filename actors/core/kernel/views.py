"""Views that are plain data: what a member shows of a boundary, for everybody who asks."""

from collections.abc import Mapping

from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.errors import CommandRefusedError

_UNCHANGING = frozenset({type(None), bool, int, float, str, bytes})


class PlainView:
    """A view that is one map of plain data. `query("all")` gives it whole, `query("get", key=…)` one entry."""

    def __init__(self, shown: Mapping[str, Plain]) -> None:
        self._shown: dict[str, Plain] | bytes = dict(shown)
        if not all(type(value) in _UNCHANGING for value in self._shown.values()):
            self._shown = encode(self._shown)  # else nobody can change it, and it is written down when somebody asks

    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """See the class."""
        shown = decode(self._shown if isinstance(self._shown, bytes) else encode(self._shown))
        if verb == "all" and not arguments:
            return shown
        if verb == "get" and set(arguments) == {"key"} and arguments["key"] in shown:
            return shown[arguments["key"]]
        raise CommandRefusedError(
            f"no view answers {verb!r} with {dict(arguments)!r}; ask 'all', or 'get' with one of {sorted(shown)}."
        )


def measures_view(measures: Mapping[str, float]) -> PlainView:
    """Measures as a view; one that is NaN is shown as None."""
    return PlainView({name: value if value == value else None for name, value in measures.items()})
