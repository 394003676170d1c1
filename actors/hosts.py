"""The generic host: it learns what to host only when told, so that hosts can be started ahead of need."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from actors import factories
from actors.core.kernel.codec import Plain, decode
from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.effects import Spawned
from actors.core.kernel.errors import EngineError, FactoryError, SoulfraError, told
from actors.core.kernel.members import Birth, Grant, Member, Outbox
from actors.core.kernel.seats import Seat


class Host:
    """Hosts one member.

    Args:
        realm_paths: users' folders for factories.
    """

    def __init__(self, realm_paths: tuple[str, ...] = ()) -> None:
        factories.add_realm_paths(realm_paths)
        self._seat: Seat | None = None

    @property
    def seat(self) -> Seat:
        """The member's seat.

        Raises:
            EngineError: the host has no member yet.
        """
        if self._seat is None:
            raise EngineError("the host has no member; embody one first.")
        return self._seat

    def embody(self, birth: Birth, spec: MemberSpec) -> Spawned:
        """Makes the member.

        A factory may offer `registration_check(birth, params) -> params`: it is asked once, before the member is made,
        and may refuse or change the parameters (a foreign model is checked for determinism there).

        Raises:
            FactoryError: there is no such factory, or it raises.
        """
        factory = factories.load(spec.factory)
        params: Mapping[str, Plain] = decode(spec.params)
        check = getattr(factory, "registration_check", None)
        try:
            if check is not None:
                params = check(birth, params)
            seat = Seat(birth, _maker(factory, params))
        except SoulfraError as error:
            raise FactoryError(f"factory {spec.factory!r}: {error.message}") from error
        except BaseException as error:  # a factory is the user's code, and may even exit
            raise FactoryError(f"factory {spec.factory!r} raised {told(error)}.") from error
        self._seat = seat
        return Spawned(seat.contract, seat.status())

    def advance(self, grant: Grant) -> Outbox:
        """See `Seat.advance`."""
        return self.seat.advance(grant)

    def heartbeat(self) -> tuple[int, int]:
        """Process id and the local tick the member is in. Answered while a grant is carried out."""
        return os.getpid(), 0 if self._seat is None else self._seat.progress


def _maker(factory: Callable[..., Any], params: Mapping[str, Plain]) -> Callable[[Birth], Member]:
    def make(birth: Birth) -> Member:
        return factory(birth, **params)  # type: ignore[no-any-return]

    return make
