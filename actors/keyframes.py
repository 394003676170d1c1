"""Keyframes: a boundary written down whole, by a thread of its own while the world runs on.

They only shorten the way back. What comes together between two of them (digest chains, snapshots that came round, balances)
is written with the next one; if that cannot be written, it is owed, and the one after it brings it along.
"""

import threading
import time
from collections.abc import Callable

import msgspec

from actors.core.kernel.commands import Boundary
from actors.core.kernel.errors import SoulfraError
from actors.core.kernel.keeping import KeptTable
from actors.core.kernel.logs import Logged
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import borders_of
from actors.core.kernel.ticking import TickRecord
from actors.listings import Lister
from actors.vaults.records import EVERYTHING, INTERVAL, Balance, Chains, Keyframe, Snapshot, head_of
from actors.vaults.vaults import Vault

KEYFRAME_AFTER_WORK_S = 0.8
"""How much the clock may have lived since the last keyframe, in seconds of its control ticks: who takes over, or looks at
the past, repeats about as much."""
KEYFRAME_OF_TEMPORARY_AFTER_WORK_S = 5.0
"""The same where nobody will look at the past, for the vault goes with its clock."""
KEYFRAME_SHARE = 20
"""Writing keyframes may take one part in so many of the time."""
TABLES = "clock"
MEMBER_PREFIX, STATE_PREFIX = "member ", "state "
"""Documents of a keyframe: what is kept of a member, and its checkpoint's state, which is the large part."""

_encode = msgspec.msgpack.Encoder().encode
_decode_kept = msgspec.msgpack.Decoder(KeptTable).decode


class Standing(msgspec.Struct, frozen=True):
    """A boundary written down: the clock's tables, what is kept of every member, and what members have logged on the way."""

    tables: bytes
    members: dict[str, KeptTable]
    logged: list[Logged] = []


class Lived:
    """The digest chain after each control tick since a first one; a clock that idles lives thousands of them a second."""

    def __init__(self, first_tick: int, heads: bytearray | None = None) -> None:
        self.first_tick = first_tick
        self.heads = bytearray() if heads is None else heads


class Owed(msgspec.Struct, frozen=True):
    """What a keyframe that could not be written would have brought along."""

    lived: dict[int, Chains] = {}
    taken: list[Snapshot] = []
    balances: list[Balance] = []


class KeyframeWriter:
    """Writes the keyframes of one clock, and with each of them what has come together since the one before. One at a time.

    Args:
        vault: where; None remembers nothing.
        name: of the multiverse.
        epoch: the clock's.
        limits: how many keyframes and snapshots that came round are kept, and how often one of those comes round.
        temporary: whether the vault is only there for the clock to survive its own process.

    Attributes:
        worked_s: how much the clock has lived since the last keyframe, in seconds of its control ticks.
        balances: those that neither the journal nor a keyframe has brought along yet.
        error: why the last keyframe could not be written; "" if it could.
    """

    def __init__(self, vault: Vault | None, name: str, epoch: int, limits: Settings, *, temporary: bool) -> None:
        self._vault, self._name, self._epoch = vault, name, epoch
        self._limits, self._temporary = limits, temporary
        self.worked_s = self._took_s = 0.0
        self.balances: list[Balance] = []
        self.error = ""
        self._lived: dict[int, Lived] = {}
        self._taken: list[Snapshot] = []
        self._owed = Owed()
        self._lister = Lister()
        self._thread: threading.Thread | None = None

    def note(self, record: TickRecord, branch: str, position: int) -> None:
        """Takes in what a control tick came to.

        Args:
            record: of the control tick.
            branch: of which history.
            position: of the journal, at its boundary before its commands.
        """
        tick = record.control_tick_id
        for domain, chain in ((EVERYTHING, record.chain), *record.domains.items()):
            lived = self._lived.get(domain)
            if lived is None:
                lived = self._lived[domain] = Lived(tick)
            lived.heads += head_of(chain)
        interval = self._limits.snapshot_interval_control_ticks
        if interval and tick % interval == 0:
            reason = f"every {interval} control ticks"
            name = f"{branch}@{tick}"
            self._taken.append(Snapshot(name, branch, tick, position, record.digest.hex(), reason, INTERVAL))

    def is_due(self) -> bool:
        """Whether somebody should offer a keyframe now."""
        after_s = KEYFRAME_OF_TEMPORARY_AFTER_WORK_S if self._temporary else KEYFRAME_AFTER_WORK_S
        return (
            self._vault is not None
            and self.worked_s >= max(after_s, KEYFRAME_SHARE * self._took_s)
            and (self._thread is None or not self._thread.is_alive())
        )

    def write(self, boundary: Boundary, stand: Callable[[], Standing]) -> None:
        """Writes a boundary down, in the background.

        Args:
            boundary: where the clock stands; the journal up to it is durable.
            stand: says how it stands there; asked at once.
        """
        begun = time.monotonic()
        standing = stand()
        owed = self._owed
        for domain, one in owed.lived.items():
            later = self._lived.get(domain)
            self._lived[domain] = Lived(one.first_tick, bytearray(one.chains) + (later.heads if later else b""))
        lived = {domain: Chains(one.first_tick, bytes(one.heads)) for domain, one in self._lived.items()}
        owed = Owed(lived, owed.taken + self._taken, owed.balances + self.balances)
        self._taken, self.balances, self._lived, self.worked_s, self._owed = [], [], {}, 0.0, Owed()
        self._thread = threading.Thread(
            target=self._save, args=(boundary, standing, owed, begun), name="soulfra-keyframe", daemon=True
        )
        self._thread.start()

    def _save(self, boundary: Boundary, standing: Standing, owed: Owed, begun: float) -> None:
        try:
            self._lister.take(standing.logged)  # before anything can fail: nobody else has it
            keyframe, borders = keyframe_of(boundary, standing)
            if self._vault is not None:
                if owed.taken:
                    most = self._limits.interval_snapshots_max
                    self._vault.take_snapshots(self._name, self._epoch, owed.taken, most)
                    owed = msgspec.structs.replace(owed, taken=[])
                if owed.balances:
                    self._vault.append(self._name, self._epoch, [], owed.balances)
                    owed = msgspec.structs.replace(owed, balances=[])
                listings = self._lister.listings(boundary.control_tick, standing.tables, standing.members)
                self._vault.save_keyframe(
                    self._name, self._epoch, keyframe, borders, owed.lived, self._limits.keyframes_max, listings
                )
                self._lister.written()
            self.error = ""
        except SoulfraError as error:  # history is whole without it
            self.error, self._owed = error.message, owed
        except Exception as error:  # a fault of ours ends this thread, and is not to be heard by nobody
            self.error, self._owed = f"a fault, to be reported: {type(error).__name__}: {error}", owed
        self._took_s = time.monotonic() - begun

    def write_snapshots(self) -> None:
        """Writes down the snapshots that came round, without a keyframe.

        Raises:
            VaultError: they cannot be written.
        """
        self.finish()
        if self._vault is not None and (taken := self._owed.taken + self._taken):
            self._vault.take_snapshots(self._name, self._epoch, taken, self._limits.interval_snapshots_max)
            self._owed, self._taken = msgspec.structs.replace(self._owed, taken=[]), []

    def forget(self) -> None:
        """Lets go of what has come together of a history that the clock does not live on; snapshots that came round stay."""
        self._lived, self._owed, self.balances = {}, Owed(), []
        self._lister.forget()

    def finish(self) -> None:
        """Waits for the keyframe that is being written."""
        if self._thread is not None:
            self._thread.join()


def keyframe_of(boundary: Boundary, standing: Standing) -> tuple[Keyframe, dict[str, list[int]]]:
    """A boundary as a keyframe, and where to cut its documents."""
    documents, borders = {TABLES: standing.tables}, {}
    for member_id, kept in standing.members.items():
        if (checkpoint := kept.checkpoint) is not None:
            name, state = STATE_PREFIX + member_id, checkpoint.document
            documents[name], borders[name] = state, borders_of(state)
            kept = msgspec.structs.replace(kept, checkpoint=msgspec.structs.replace(checkpoint, document=b""))
        documents[MEMBER_PREFIX + member_id] = _encode(kept)
    return Keyframe(boundary.branch, boundary.control_tick, boundary.position, documents), borders


def standing_of(keyframe: Keyframe) -> Standing:
    """How everything stood at the boundary that a keyframe is of."""
    documents = keyframe.documents
    members = {
        name.removeprefix(MEMBER_PREFIX): _kept(document, documents.get(STATE_PREFIX + name[len(MEMBER_PREFIX) :]))
        for name, document in documents.items()
        if name.startswith(MEMBER_PREFIX)
    }
    return Standing(documents[TABLES], members)


def _kept(document: bytes, state: bytes | None) -> KeptTable:
    kept = _decode_kept(document)
    if state is None or kept.checkpoint is None:
        return kept
    return msgspec.structs.replace(kept, checkpoint=msgspec.structs.replace(kept.checkpoint, document=state))
