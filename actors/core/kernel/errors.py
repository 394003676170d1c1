"""The tree of errors. The type says who erred; the text says what was found, what was expected and what to do.

    SoulfraError
    ├── CallerError               the caller's mistake: nothing has changed
    │   ├── SettingsError         a setting or an option is out of its range
    │   ├── AddressError          a STAT7 address or an id is malformed
    │   ├── UnknownMemberError    no member of that id
    │   ├── DuplicateMemberError  the id is taken
    │   ├── UnknownPlayerError    no player of that id
    │   ├── EventRefusedError     an event that may not be queued
    │   ├── CommandRefusedError   a command whose verb, values or moment do not fit
    │   │   ├── GovernorDeniedError  Cal Riven denies it, whoever asks
    │   │   └── UnknownInstanceError  no instance of that id or name
    │   ├── BridgeDeniedError     a platform may not talk to that other one
    │   ├── FactoryError          a factory path that leads nowhere, or a factory that raises
    │   ├── ScenarioError         a scenario file that cannot be used
    │   ├── UnknownMultiverseError  no multiverse of that name is up
    │   ├── DuplicateMultiverseError  one of that name is up already
    │   ├── UnknownBranchError    the multiverse has no branch of that name
    │   ├── UnknownSnapshotError  the multiverse has no snapshot of that name
    │   ├── MergeRefusedError     a merge whose sides do not fit, or whose result may not take effect
    │   ├── PermissionRefusedError  the principal has no role that allows it
    │   ├── KeyFileError          a key file that cannot be used
    │   └── PackageError          a package that cannot be read or written
    ├── MemberError               a member's own code or state is at fault
    │   └── NondeterminismError   the same state and the same inbox gave something else in another process
    ├── ProtocolError             a grant or an outbox out of order: a bug or an old clock
    ├── EngineError               the engine below could not be started or lost a process
    └── VaultError                the vault refused, or could not be opened, read or written
        ├── StaleEpochError       another clock has taken over the multiverse
        ├── UnreachableVaultError the vault's server is not there, or has gone away before a commit
        ├── DamagedVaultError     what the vault holds is not what was written
        └── UncertainWriteError   the vault was lost in the middle of a commit: written, or not

Every class takes one sentence, so that an error crosses a process as `(code, message)` and is the same on both sides.
"""

from typing import ClassVar


class SoulfraError(Exception):
    """Anything this project raises on purpose."""

    code: ClassVar[str] = "error"

    @property
    def message(self) -> str:
        """The sentence for the user, without the class's name."""
        return str(self.args[0]) if self.args else self.code


class CallerError(SoulfraError):
    """The caller's mistake. Nothing has changed."""

    code = "caller"


class SettingsError(CallerError):
    """A setting or an option is out of its range."""

    code = "settings"


class AddressError(CallerError):
    """A STAT7 address or an id is malformed."""

    code = "address"


class UnknownMemberError(CallerError):
    """No member of that id."""

    code = "unknown_member"


class DuplicateMemberError(CallerError):
    """The id is taken."""

    code = "duplicate_member"


class UnknownPlayerError(CallerError):
    """No player of that id."""

    code = "unknown_player"


class EventRefusedError(CallerError):
    """An event that may not be queued."""

    code = "event_refused"


class CommandRefusedError(CallerError):
    """A command whose verb, values or moment do not fit."""

    code = "command_refused"


class GovernorDeniedError(CommandRefusedError):
    """Cal Riven denies it, whoever asks and on whatever path."""

    code = "governor_denied"


class BridgeDeniedError(CallerError):
    """A platform may not talk to that other one."""

    code = "bridge_denied"


class FactoryError(CallerError):
    """A factory path that leads nowhere, or a factory that raises."""

    code = "factory"


class ScenarioError(CallerError):
    """A scenario file that cannot be used."""

    code = "scenario"


class UnknownMultiverseError(CallerError):
    """No multiverse of that name is up."""

    code = "unknown_multiverse"


class DuplicateMultiverseError(CallerError):
    """One of that name is up already."""

    code = "duplicate_multiverse"


class UnknownBranchError(CallerError):
    """The multiverse has no branch of that name."""

    code = "unknown_branch"


class UnknownSnapshotError(CallerError):
    """The multiverse has no snapshot of that name."""

    code = "unknown_snapshot"


class UnknownInstanceError(CommandRefusedError):
    """No instance of that id or name."""

    code = "unknown_instance"


class MergeRefusedError(CallerError):
    """A merge whose sides do not fit, or whose result may not take effect."""

    code = "merge_refused"


class PermissionRefusedError(CallerError):
    """The principal has no role that allows it."""

    code = "permission_refused"


class KeyFileError(CallerError):
    """A key file that cannot be used."""

    code = "key_file"


class PackageError(CallerError):
    """A package that cannot be read or written: damaged, cut off, tampered with, too new, too large, or none at all."""

    code = "package"


class MemberError(SoulfraError):
    """A member's own code or state is at fault."""

    code = "member"


class NondeterminismError(MemberError):
    """The same state and the same inbox gave something else in another process."""

    code = "nondeterminism"


class ProtocolError(SoulfraError):
    """A grant or an outbox out of order."""

    code = "protocol"


class EngineError(SoulfraError):
    """The engine below could not be started or lost a process."""

    code = "engine"


class VaultError(SoulfraError):
    """The vault refused, or could not be opened, read or written. Nothing has changed, but for `UncertainWriteError`."""

    code = "vault"


class StaleEpochError(VaultError):
    """Another clock has taken over the multiverse. Nothing was written; this clock may neither write nor answer."""

    code = "stale_epoch"


class UnreachableVaultError(VaultError):
    """The vault's server is not there, or has gone away before a commit. Nothing was written; it may come back."""

    code = "unreachable_vault"


class DamagedVaultError(VaultError):
    """What the vault holds is not what was written."""

    code = "damaged_vault"


class UncertainWriteError(VaultError):
    """The vault was lost in the middle of a commit: all of it is written, or nothing; only reading it again tells."""

    code = "uncertain_write"


MESSAGE_CHARACTERS_MAX = 1_000
"""A line for people; it stands in every read of the clock's state."""


def told(error: BaseException) -> str:
    """Somebody's error in one line that can be read and written everywhere, whatever its class does with `str`."""
    try:
        words = " ".join(str(error).split())
    except Exception:  # the user's own class
        words = "(its text cannot be had)"
    name = type(error).__name__
    return writable(f"{name}: {words}" if words else name)[:MESSAGE_CHARACTERS_MAX].rstrip(". ")


def writable(text: str) -> str:
    """Without lone surrogates, which no encoding has."""
    return text.encode("utf-8", "backslashreplace").decode()


def _family(root: type[SoulfraError]) -> list[type[SoulfraError]]:
    return [root, *(found for child in root.__subclasses__() for found in _family(child))]


ERRORS_BY_CODE: dict[str, type[SoulfraError]] = {found.code: found for found in _family(SoulfraError)}


def error_from(code: str, message: str) -> SoulfraError:
    """The error that another process sent as `(code, message)`."""
    return ERRORS_BY_CODE.get(code, SoulfraError)(message)
