"""A unified snapshot: one truth of an instance at a boundary, with the four states it was made of."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.digests import digest_of
from actors.core.kernel.errors import CallerError
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.kernel.states import State, decode_state, encode_state
from actors.core.merging.platforms import PlatformConflict, unified

STRATEGY = "active_platform_merge"
"""The name of what `platforms.RESOLUTIONS` does. Source: seed 000."""
FORMAT = "soulfra.unified_snapshot.1"
ID_BYTES = 16


class Metadata(msgspec.Struct, frozen=True):
    """How a unified snapshot came about.

    Attributes:
        strategy: name of the table of resolutions.
        conflicts: every conflict, with both values and its winner.
        ticks_paused: local ticks that autonomous operation stood still for it.
    """

    strategy: str
    conflicts: tuple[PlatformConflict, ...]
    ticks_paused: int


class UnifiedSnapshot(msgspec.Struct, frozen=True):
    """One truth of an instance at a boundary. Whatever is in it is encoded, so that nobody can change it.

    Attributes:
        snapshot_id: `unified-` and a digest of all the rest.
        instance: id of the instance.
        branch: of the boundary.
        control_tick: of the boundary.
        position: the journal position of the boundary.
        local_tick: the instance's local time.
        merged: the merged state, encoded; see `state`.
        platforms: each platform's own state, encoded; see `platform`.
        metadata: how it came about.
    """

    PREFIX: ClassVar[str] = "unified-"

    snapshot_id: str
    instance: str
    branch: str
    control_tick: int
    position: int
    local_tick: int
    merged: bytes
    platforms: dict[str, bytes]
    metadata: Metadata

    @property
    def state(self) -> dict[str, Plain]:
        """The merged state, decoded anew at each call; see `Unified`."""
        return decode(self.merged)  # type: ignore[no-any-return]

    def platform(self, role: str) -> State:
        """One platform's state as it was, decoded anew at each call.

        Raises:
            CallerError: there is no such platform.
        """
        if role not in self.platforms:
            raise CallerError(f"{role!r} is no platform; there are {', '.join(PLATFORM_ROLES)}.")
        return decode_state(self.platforms[role])

    def encode(self) -> bytes:
        """The whole snapshot as one self-describing document."""
        return encode([FORMAT, _plain(self)])


def unified_snapshot(
    states: Mapping[str, State],
    *,
    instance: str,
    branch: str,
    control_tick: int,
    position: int,
    local_tick: int,
    ticks_paused: int = 0,
) -> UnifiedSnapshot:
    """The unified snapshot of an instance whose platforms have these states; see `UnifiedSnapshot` for the rest.

    Raises:
        MergeRefusedError: see `unified`.
    """
    one = unified(states)
    snapshot = UnifiedSnapshot(
        "",
        instance,
        branch,
        control_tick,
        position,
        local_tick,
        encode(one.state),
        {role: encode_state(states[role]) for role in sorted(states)},
        Metadata(STRATEGY, one.conflicts, ticks_paused),
    )
    return msgspec.structs.replace(snapshot, snapshot_id=_id(snapshot))


def decode_unified_snapshot(document: bytes) -> UnifiedSnapshot:
    """The snapshot of `UnifiedSnapshot.encode`.

    Raises:
        CallerError: not a unified snapshot, one of another version, or not as it was written.
    """
    try:
        form, fields = decode(document)
        if form != FORMAT:
            raise CallerError(f"this is {form!r:.80}, not {FORMAT!r}; read it with the version that wrote it.")
        snapshot = msgspec.convert(fields, UnifiedSnapshot, builtin_types=(bytes,))
    except (ValueError, TypeError) as error:
        raise CallerError(f"this is no unified snapshot: {error}.") from None
    if snapshot.snapshot_id != _id(snapshot):
        raise CallerError(f"unified snapshot {snapshot.snapshot_id!r:.80} is not as it was written; take another copy.")
    return snapshot


def _plain(snapshot: UnifiedSnapshot) -> Plain:
    return msgspec.to_builtins(snapshot, builtin_types=(bytes,))


def _id(snapshot: UnifiedSnapshot) -> str:
    """Derived from the content and the boundary, so that the same merge has the same id wherever it is made."""
    content = encode(_plain(msgspec.structs.replace(snapshot, snapshot_id="")))
    return UnifiedSnapshot.PREFIX + digest_of(content)[:ID_BYTES].hex()
