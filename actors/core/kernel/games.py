"""A member as the clock knows it: its contract, its state among games, and how it stood when it last answered."""

from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import RegisterGame
from actors.core.kernel.members import Contract, Failure, Outbox
from actors.core.kernel.standstills import Stills

HOME = 0
"""The domain of all members that are no copies."""

OFFLINE = "offline"
BOOTING = "booting"
RUNNING = "running"
SYNCING = "syncing"
PAUSED = "paused"
ERROR = "error"
FROZEN = "frozen"
GAME_STATES = (OFFLINE, BOOTING, RUNNING, SYNCING, PAUSED, ERROR, FROZEN)
"""Source: seed 002, `GameInstanceState`, and frozen. Syncing and paused are the clock's moods, shown while it lives through
a tick or has been paused; offline is a game that is not registered (any more)."""


class Seated:
    """One member in the clock's tables.

    Args:
        contract: what it promises.
        status: how it stands.
        registration: what a realm was registered with; None for the kernel's own members.
        role: what it is called among those whom it hears: its id, or for a copy the id of its origin.
        domain: the closed domain it lives in; `HOME` unless it is a copy.

    Attributes:
        unasked: its last digest in history, where one was taken since because somebody asked, which nobody writes down.
    """

    def __init__(
        self, contract: Contract, status: Outbox, registration: RegisterGame | None, role: str, domain: int = HOME
    ) -> None:
        self.contract = contract
        self.role, self.domain = role, domain
        self.registration = registration
        self.period = 1 if registration is None else registration.period
        self.state = BOOTING
        self.error: Failure | None = None
        self.stills: Stills = ()
        self.number = 0
        self.digest = status.digest
        self.unasked: bytes | None = None
        self.stand(status)

    def stand(self, status: Outbox) -> None:
        """Takes over how the member says it stands; without a digest, the one before is stale."""
        self.local_tick = status.local_tick
        if status.digest:
            self.digest, self.digest_stale, self.unasked = status.digest, False, None
        else:
            self.digest_stale = True
        self.measures = status.measures
        self.totals = status.totals

    @property
    def recorded_digest(self) -> bytes:
        """Its last digest in history."""
        return self.digest if self.unasked is None else self.unasked

    @property
    def owes_digest(self) -> bool:
        """Whether it has changed since its last digest in history."""
        return self.digest_stale or self.unasked is not None

    def freeze(self, stills: Stills) -> None:
        """Stands still for these causes, or for none any more."""
        self.stills = stills
        if self.error is None:
            self.state = FROZEN if stills else RUNNING if self.local_tick else BOOTING

    @property
    def is_game(self) -> bool:
        """Whether it is a realm, not one of the kernel's own."""
        return self.registration is not None

    def role_identity(self) -> Plain:
        """What the digest of its domain covers of it besides its own state: nothing by which a copy is told from its origin."""
        spec = None if self.registration is None else self.registration.spec
        birth = [] if spec is None else [spec.factory, spec.params]
        return [birth, self.period, self.state, self.error is not None, *self._standing_still()]

    def identity(self) -> Plain:
        """What the digest covers of it besides its own state. Not the words of its error: they may name an address."""
        registration = self.registration
        birth = (
            []
            if registration is None
            else [registration.stat7_key, registration.spec.factory, registration.spec.params]
        )
        return [birth, self.period, self.state, self.error is not None, *self._standing_still()]

    def _standing_still(self) -> list[Plain]:
        return [list(self.stills)] if self.stills else []
