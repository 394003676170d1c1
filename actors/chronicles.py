"""What one clock writes into its vault, and how it finds its place when it takes over from another.

The journal is written before an answer leaves, one transaction for all commands of a boundary. Keyframes are written by
a thread of their own while the world runs on; they only shorten the way back.
"""

import threading
import time
from collections.abc import Iterator

import msgspec

from actors.core.kernel.commands import Boundary, JournalEntry
from actors.core.kernel.errors import EngineError, SoulfraError
from actors.core.kernel.keeping import KeptTable
from actors.core.kernel.settings import Settings
from actors.vaults.records import JournalRow, Keyframe, LatestKeyframe
from actors.vaults.vaults import Vault, open_vault

KEYFRAME_INTERVAL_S = 5.0
"""How long the clock may have run since the last keyframe: a successor repeats about as much."""
KEYFRAME_SHARE = 20
"""Writing keyframes may take one part in so many of the time."""
TABLES = "clock"
ORDERS = "@orders"
"""The branch of a vault's journal with what was decided about running and standing; no part of any history."""
MEMBER_PREFIX = "member "

_encode = msgspec.msgpack.Encoder().encode
_decode_entry = msgspec.msgpack.Decoder(JournalEntry).decode
_decode_kept = msgspec.msgpack.Decoder(KeptTable).decode


class Founding(msgspec.Struct, frozen=True):
    """What a multiverse was founded with; whoever takes over goes by it."""

    settings: Settings
    realm_paths: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True):
    """A boundary written down: the clock's tables, and what is kept of every member."""

    tables: bytes
    members: dict[str, KeptTable]


class Chronicle:
    """The history of one multiverse in a vault, as one clock writes it. Without a vault, it forgets.

    Args:
        vault: where; None remembers nothing.
        name: of the multiverse.
        founding: what it is founded with, if it is new.

    Attributes:
        name: of the multiverse.
        epoch: this clock's; every clock before it is stale.
        founding: what the multiverse was founded with.
        resumes: whether there is history to go on from.
    """

    def __init__(self, vault: Vault | None, name: str, founding: Founding) -> None:
        self._vault = vault
        self.name = self._name = name
        self.epoch, self.founding, self.resumes = 1, founding, False
        self._written = self._orders = 0
        self._keyframe_due = time.monotonic() + KEYFRAME_INTERVAL_S
        self._keyframe_writer: threading.Thread | None = None
        self._keyframe_error = ""
        self._damage: tuple[str, ...] = ()
        if vault is not None:
            opened = vault.begin_epoch(name, _encode(founding))
            self.epoch, self.resumes = opened.epoch, not opened.created
            self.founding = _read_founding(opened.founding, vault.where)

    @property
    def remembers(self) -> bool:
        """Whether there is a vault."""
        return self._vault is not None

    @property
    def where(self) -> str:
        """What the vault is called in messages, without secrets; "" without one."""
        return "" if self._vault is None else self._vault.where

    @property
    def durability(self) -> str:
        """In plain words, what survives what."""
        return "Without a vault, history ends with the clock." if self._vault is None else self._vault.durability

    @property
    def shared(self) -> bool:
        """Whether history survives losing the clock's node."""
        return self._vault is not None and self._vault.shared

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of the vault while the clock goes on."""
        error = self._keyframe_error
        return (*self._damage, *((f"keyframes cannot be written: {error}",) if error else ()))

    def check(self) -> None:
        """Makes sure that nobody has taken over.

        Raises:
            StaleEpochError: somebody has.
            VaultError: the vault cannot be read.
        """
        if self._vault is not None:
            self._vault.check(self._name, self.epoch)

    # ----------------------------------------------------------------------------------------------------- orders

    def standing_order(self) -> str:
        """The last order, which holds for a clock that takes over; "" if nobody has ordered anything yet."""
        if self._vault is None:
            return ""
        orders = [row.kind for row in self._vault.rows(self._name, ORDERS)]
        self._orders = len(orders)
        return orders[-1] if orders else ""

    def order(self, order: str, control_tick: int) -> None:
        """Writes down what the clock is to do from here on.

        Raises:
            VaultError: it could not be written.
        """
        if self._vault is not None:
            row = JournalRow(ORDERS, self._orders + 1, control_tick, "", order, "", b"")
            self._vault.append(self._name, self.epoch, [row])
            self._orders += 1

    # ------------------------------------------------------------------------------------------------------ marks

    def marked(self) -> int:
        """How far somebody may have seen this history; whoever takes over lives as far before anything new is done."""
        return 0 if self._vault is None else self._vault.marked(self._name, self.founding.settings.branch)

    def mark(self, control_tick: int) -> None:
        """Lets history be seen so far, and no further.

        Raises:
            StaleEpochError: another clock has taken over.
            VaultError: it could not be written.
        """
        if self._vault is not None:
            self._vault.mark(self._name, self.epoch, self.founding.settings.branch, control_tick)

    # --------------------------------------------------------------------------------------------------- writing

    def seal(self, journal: list[JournalEntry]) -> None:
        """Makes durable what is new in the journal, and forgets it there; or makes sure that nobody has taken over.

        Raises:
            StaleEpochError: another clock has taken over; nothing was written, and no answer may leave.
            VaultError: it could not be written.
        """
        if self._vault is None:
            return
        fresh = [entry for entry in journal if entry.position > self._written]
        if not fresh:
            self.check()
            return
        self._vault.append(self._name, self.epoch, [self._row(entry) for entry in fresh])
        self._written = fresh[-1].position
        journal.clear()

    def _row(self, entry: JournalEntry) -> JournalRow:
        command, decision = entry.command, entry.decision
        if command is None:
            kind, subject = "decision", "" if decision is None else decision.member_id
        else:
            kind = type(command).__name__
            subject = str(getattr(command, "member_id", "") or getattr(command, "realm_id", ""))
        branch = self.founding.settings.branch
        return JournalRow(branch, entry.position, entry.control_tick, entry.command_id, kind, subject, _encode(entry))

    def keyframe_is_due(self) -> bool:
        """Whether somebody should offer a keyframe now."""
        writer = self._keyframe_writer
        return (
            self._vault is not None
            and time.monotonic() >= self._keyframe_due
            and (writer is None or not writer.is_alive())
        )

    def write_keyframe(self, boundary: Boundary, standing: Standing) -> None:
        """Writes a boundary down, in the background.

        Raises:
            EngineError: the journal up to it has not been sealed.
        """
        if boundary.position != self._written:
            raise EngineError(
                f"a keyframe of journal position {boundary.position} cannot be written: {self._written} is durable."
            )
        self._keyframe_writer = threading.Thread(
            target=self._save,
            args=(boundary.control_tick, boundary.position, standing),
            name="soulfra-keyframe",
            daemon=True,
        )
        self._keyframe_writer.start()

    def _save(self, control_tick: int, position: int, standing: Standing) -> None:
        begun = time.monotonic()
        documents = {TABLES: standing.tables}
        documents |= {MEMBER_PREFIX + member_id: _encode(kept) for member_id, kept in standing.members.items()}
        try:
            if self._vault is not None:
                branch = self.founding.settings.branch
                self._vault.save_keyframe(self._name, self.epoch, Keyframe(branch, control_tick, position, documents))
            self._keyframe_error = ""
        except SoulfraError as error:  # history is whole without it
            self._keyframe_error = error.message
        took_s = time.monotonic() - begun
        self._keyframe_due = time.monotonic() + max(KEYFRAME_INTERVAL_S, KEYFRAME_SHARE * took_s)

    # --------------------------------------------------------------------------------------------------- reading

    def latest_standing(self) -> Standing | None:
        """The newest boundary that was written down whole; None if history has to be lived again from its birth."""
        if self._vault is None:
            return None
        return self._standing_in(self._vault.latest_keyframe(self._name, self.founding.settings.branch))

    def _standing_in(self, latest: LatestKeyframe) -> Standing | None:
        keyframe = latest.keyframe
        since = "its birth" if keyframe is None else f"control tick {keyframe.control_tick}"
        self._damage = tuple(f"{what} Its history was lived again since {since}." for what in latest.damaged)
        if keyframe is None:
            return None
        members = {
            name.removeprefix(MEMBER_PREFIX): _decode_kept(document)
            for name, document in keyframe.documents.items()
            if name.startswith(MEMBER_PREFIX)
        }
        return Standing(keyframe.documents[TABLES], members)

    def entries(self, after: int = 0) -> Iterator[JournalEntry]:
        """The journal after a position, as far as it is in the vault.

        Raises:
            VaultError: it cannot be read.
        """
        if self._vault is not None:
            yield from entries_in(self._vault, self._name, self.founding.settings.branch, after)

    def entries_since(self, position: int) -> list[JournalEntry]:
        """The journal after the boundary of a keyframe.

        Raises:
            EngineError: the journal does not reach that boundary: it is older than the keyframe beside it.
        """
        if position == 0:
            return list(self.entries())
        found = list(self.entries(position - 1))
        if not found:
            raise EngineError(
                f"the vault's keyframe is of journal position {position}, which its journal does not have: the two are not "
                "of one history. Put back the journal that belongs to it, or take the keyframes' file away."
            )
        return found[1:]

    def resume_after(self, position: int) -> None:
        """Notes that the journal up to here has been read, not written anew."""
        self._written = position

    def finish(self) -> None:
        """Waits for the keyframe that is being written."""
        writer = self._keyframe_writer
        if writer is not None:
            writer.join()

    def close(self) -> None:
        """Waits for what is being written."""
        self.finish()
        if self._vault is not None:
            self._vault.close()


def entries_in(vault: Vault, name: str, branch: str, after: int = 0) -> Iterator[JournalEntry]:
    """The journal of a branch after a position.

    Raises:
        VaultError: it cannot be read.
    """
    for row in vault.rows(name, branch, after):
        yield _decode_entry(row.payload)


def founding_in(vault: str, name: str) -> Founding | None:
    """What a multiverse in a vault was founded with; None if the vault does not know it. A file is made if there is none.

    Raises:
        VaultError: the vault cannot be opened, read or written.
        EngineError: it is of another version of this project.
    """
    with open_vault(vault) as opened:
        return founding_of(opened, name)


def founding_of(vault: Vault, name: str) -> Founding | None:
    """The same of a vault that is open."""
    found = next((one for one in vault.multiverses() if one.name == name), None)
    return None if found is None else _read_founding(found.founding, vault.where)


def _read_founding(document: bytes, where: str) -> Founding:
    try:
        return msgspec.msgpack.decode(document, type=Founding)
    except (ValueError, TypeError) as error:
        raise EngineError(f"{where} holds a multiverse of another version of this project: {error}.") from None


def no_chronicle(settings: Settings) -> Chronicle:
    """Remembers nothing: its clock ends with its process."""
    return Chronicle(None, "", Founding(settings))
