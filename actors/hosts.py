"""The generic host: it learns what to host only when told, so that hosts can be started ahead of need."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors import factories
from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.errors import EngineError, FactoryError, ProtocolError, SoulfraError, told
from actors.core.kernel.members import Birth, Member
from actors.core.kernel.messages import (
    UNREAD,
    Advance,
    Embodied,
    Embodiment,
    Message,
    Refusal,
    Stand,
    pack,
    unpack,
    unpack_advance,
)
from actors.core.kernel.seats import Seat


class Host:
    """Hosts one member.

    Args:
        realm_paths: users' folders for factories.
    """

    def __init__(self, realm_paths: tuple[str, ...] = ()) -> None:
        factories.add_realm_paths(realm_paths)
        self._seat: Seat | None = None
        self._made_by: int | None = None
        self._embodied: Embodied | None = None  # the answer to that, until the member goes on
        self._turn = threading.Lock()  # an old clock may still be talking on one lane while a new one does on another

    @property
    def seat(self) -> Seat:
        """The member's seat.

        Raises:
            EngineError: the host has no member yet.
        """
        if self._seat is None:
            raise EngineError("the host has no member; embody one first.")
        return self._seat

    def embody(self, embodiment: Embodiment) -> Embodied:
        """Makes the member, or brings it back.

        A factory may offer `registration_check(birth, params) -> params`: it is asked once, before the member is made for
        the first time, and may refuse or change the parameters (a foreign model is checked for determinism there).

        Told twice, it is made once: who asks again gets the same answer, and none once the member has gone on.

        Raises:
            FactoryError: there is no such factory, or it raises.
            ProtocolError: the member was made by this very word, and has gone on since.
        """
        if self._made_by == embodiment.request:
            if self._embodied is None:
                raise ProtocolError(f"{embodiment.birth.member_id} was made already, and has gone on since.")
            return self._embodied
        birth, spec = embodiment.birth, embodiment.spec
        factory = factories.load(spec.factory)
        try:
            if not embodiment.again and not spec.checked_params:
                spec = _checked(factory, birth, spec)
            seat = Seat(birth, _maker(factory, decode(spec.checked_params or spec.params)), embodiment.checkpoint)
            digests = tuple(seat.replay(unpack_advance(packed)) for packed in embodiment.since)
        except SoulfraError as error:
            raise FactoryError(f"factory {spec.factory!r}: {error.message}") from error
        except BaseException as error:  # a factory is the user's code, and may even exit
            raise FactoryError(f"factory {spec.factory!r} raised {told(error)}.") from error
        self._seat = seat
        checkpoint = None if embodiment.again else seat.kept_checkpoint
        self._made_by = embodiment.request
        self._embodied = Embodied(embodiment.request, seat.contract, seat.status(), spec, digests, checkpoint)
        return self._embodied

    def answer(self, message: Message) -> Message:
        """Answers one message of the clock; an error of ours is an answer, too."""
        request = getattr(message, "request", 0)
        try:
            match message:
                case Advance():
                    self._embodied = None
                    return self.seat.answer(message)
                case Embodiment():
                    return self.embody(message)
                case Stand():
                    return self.seat.stand(message)
            raise ProtocolError(f"a host does not take a message of kind {type(message).__name__}.")
        except SoulfraError as error:
            return Refusal(request, error.code, error.message)

    def answer_packed(self, packed: bytes) -> bytes:
        """Like `answer`, for lanes on which messages travel as bytes. What cannot be read is refused without harm."""
        with self._turn:
            try:
                message = unpack(packed, Advance, Embodiment, Stand)
            except ProtocolError as error:
                return pack(Refusal(UNREAD, error.code, error.message))
            return pack(self.answer(message))

    def heartbeat(self) -> tuple[int, int]:
        """Process id and the local tick the member is in. Answered while a grant is carried out."""
        return os.getpid(), 0 if self._seat is None else self._seat.progress


def _checked(factory: Callable[..., Any], birth: Birth, spec: MemberSpec) -> MemberSpec:
    check = getattr(factory, "registration_check", None)
    if check is None:
        return spec
    return msgspec.structs.replace(spec, checked_params=encode(check(birth, decode(spec.params))))


def _maker(factory: Callable[..., Any], params: Mapping[str, Plain]) -> Callable[[Birth], Member]:
    def make(birth: Birth) -> Member:
        return factory(birth, **params)  # type: ignore[no-any-return]

    return make
