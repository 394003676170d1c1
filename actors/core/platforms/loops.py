"""LoopReseedDaemon: seals a finished loop and starts the next one from its seal.

A loop is a stretch of the society's life. When its time is over, or its trace is full, it is sealed: the SHA-256 of its
trace in the canonical encoding, with the seal it came from. Loop n+1 starts from that seal. A loop in which no ritual was
completed cannot be sealed: it is given more time, and after three failures in a row the daemon stops and says so.
"""

from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

from actors.core.kernel.codec import encode
from actors.core.platforms.schemas import Id, Line, Part, Seal, Whole

LOOP_TICKS = 250
LOOPS_MAX = 16
TRACE_MAX = 256
FAILURES_MAX = 3
COMPLETED: Final = "completed"
"""What a trace calls a completed ritual; without one a loop cannot be sealed."""

INCLINATIONS: Final = ("reflect", "speak", "create", "help", "propose")
"""What a loop may be inclined to, by the first byte of its seed."""
INCLINATION_PERCENT = 150


class Loop(Part, frozen=True):
    """One loop.

    Attributes:
        number: from 1.
        state: running, sealed, or stopped after too many failures.
        origin: the seal of the loop before; that of the first one is "".
        seed: what Mirror gave it; until it comes, the origin counts.
        began_at: local tick.
        closes_at: local tick in which it is finished.
        failures: in a row.
        trace: (local tick, what, about whom); dropped when it is sealed.
        steps: length of the trace when it was sealed.
        seal: see above; "" before.
        said: why it failed, or "".
    """

    number: Whole
    state: Literal["running", "sealed", "stopped"]
    origin: Seal
    seed: Seal
    began_at: Whole
    closes_at: Whole
    failures: Annotated[int, msgspec.Meta(ge=0, le=FAILURES_MAX)]
    trace: Annotated[tuple[tuple[Whole, Id, Line], ...], msgspec.Meta(max_length=TRACE_MAX)]
    steps: Whole
    seal: Seal
    said: Line

    @property
    def inclination(self) -> str:
        """The action that it favours; "" for the first loop before it has a seed."""
        seed = self.seed or self.origin
        return INCLINATIONS[int(seed[:2], 16) % len(INCLINATIONS)] if seed else ""


def begun(number: int, origin: str, now: int, ticks: int) -> Loop:
    """A new loop, from the seal of the one before."""
    return Loop(number, "running", origin, "", now, now + ticks, 0, (), 0, "", "")


def seal_of(loop: Loop) -> str:
    """The seal of a loop as it stands: SHA-256 of its number, origin and trace."""
    return sha256(encode([loop.number, loop.origin, loop.trace])).hexdigest()


def closed(loop: Loop, now: int, ticks: int) -> Loop:
    """A loop whose time is over: sealed, given more time, or stopped."""
    if any(what == COMPLETED for _, what, _ in loop.trace):
        return msgspec.structs.replace(
            loop, state="sealed", seal=seal_of(loop), steps=len(loop.trace), trace=(), failures=0, said=""
        )
    failures = loop.failures + 1
    said = f"no ritual was completed in loop {loop.number} by local tick {now}: failure {failures} of {FAILURES_MAX} in a row"
    if failures < FAILURES_MAX:
        return msgspec.structs.replace(loop, failures=failures, said=said, closes_at=now + ticks)
    return msgspec.structs.replace(
        loop, failures=failures, state="stopped", said=f"{said}; the daemon has stopped, start_autonomous lets it go on"
    )
