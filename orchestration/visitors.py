"""Visitors: what somebody from elsewhere asks for beside god commands, in his own name.

Whoever drives a multiverse may look, run, merge platforms and export whatever his roles say. A visitor needs a role for all of
it, and whatever is more than looking stands in the audit log under his name, refusals, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from actors.clock_messages import DomainDigest, Ran, Status
from actors.core.kernel.commands import CreateInstance, DropFork
from actors.core.kernel.errors import CommandRefusedError, PackageError
from actors.core.kernel.instances import STARTED
from actors.core.merging.unified_snapshots import UnifiedSnapshot
from actors.core.permissions.validators import EVERYWHERE
from actors.packages.files import packed, unpacked
from actors.requests import Caller
from orchestration.arguments import checked
from orchestration.instances import FourPlatformInstance, instance_of, specs_of
from orchestration.outer_layers import EXPORT, OuterLayers
from orchestration.presiding import SYNC_DELAY_TICKS

RUN_CONTROL_TICKS_MAX = 10_000
"""In one run; whoever asks waits for it, and a small society takes minutes for so many."""
PACKAGE_BYTES_MAX = 16 << 20
"""Of a package that comes in or goes out. What an instance is must fit into a command, 12 MiB; the rest is to tell of it."""
PACKAGE_CONTENT_BYTES_MAX = 32 << 20
"""The same, unpacked: one instance of the largest kind, with the largest description."""


class Visitor:
    """Somebody who asks.

    Args:
        mv: the multiverse.
        principal: who asks.
        origin: where he comes from.
    """

    def __init__(self, mv: OuterLayers, principal: str, origin: str) -> None:
        self._mv, self._principal, self._origin = mv, principal, origin

    def instance(self, who: str) -> FourPlatformInstance:
        """The instance of an id or a name.

        Raises:
            PermissionRefusedError: no role allows it.
            UnknownInstanceError: there is none.
        """
        return self._instance(who, "query")

    def instance_digest(self, who: str) -> DomainDigest:
        """The digest of an instance by roles, and the boundary that it is of.

        Raises:
            PermissionRefusedError: no role allows it.
            UnknownInstanceError: there is none.
            CommandRefusedError: one of its members cannot be captured.
        """
        return self._mv.instance_digest_with_boundary(self._instance(who, "query"))

    def create_instance(self, name: str, phase: str = STARTED) -> FourPlatformInstance:
        """See `Presiding.create_instance`; its platforms are ours.

        Raises:
            PermissionRefusedError: no role allows it.
            DuplicateMemberError: the name is taken.
            CommandRefusedError: too many instances, or a name or phase that is none; nothing has changed.
        """
        command = CreateInstance(checked(str, name, "name"), specs_of({}, {}), checked(str, phase, "phase"))
        return instance_of(self._mv._submit(command, self._caller(CreateInstance.__name__)))

    def destroy_instance(self, who: str) -> list[str]:
        """Ends an instance; the ids of its members, which are gone, those of attached realms, too.

        Raises:
            PermissionRefusedError: no role allows it.
            UnknownInstanceError: there is none.
        """
        verb = DropFork.__name__
        found = self._instance(who, verb)
        return self._mv._submit(DropFork(found.fork), self._caller(verb, found.instance_id))["removed"]  # type: ignore[no-any-return]

    def run(self, control_ticks: int) -> Ran:
        """Runs so many control ticks, as fast as it can, and waits for them.

        Args:
            control_ticks: from 0 to `RUN_CONTROL_TICKS_MAX`.

        Raises:
            PermissionRefusedError: no role allows it.
            CommandRefusedError: the clock runs already, or another number of control ticks.
        """
        if not 0 <= checked(int, control_ticks, "control_ticks") <= RUN_CONTROL_TICKS_MAX:
            raise CommandRefusedError(
                f"control_ticks must be from 0 to {RUN_CONTROL_TICKS_MAX:,}, not {control_ticks}."
            )
        before = self._mv.status()
        begun = before.boundary.control_tick
        now: Status = self._mv._call("run_for", begun + control_ticks, self._caller("run"), uuid4().hex)
        lived = now.boundary.control_tick - begun  # by whichever clock: one may have died meanwhile
        if control_ticks and not 0 < lived <= control_ticks:
            raise CommandRefusedError("somebody else has moved or stopped the clock meanwhile; ask again.")
        delivered = now.state["events_propagated"] - before.state["events_propagated"]
        return Ran(now.boundary, now.chain, lived, delivered)

    def merge_all_active_platforms(self, who: str, *, sync_delay_ticks: int = SYNC_DELAY_TICKS) -> UnifiedSnapshot:
        """See `Presiding.merge_all_active_platforms`.

        Raises:
            PermissionRefusedError: no role allows it.
            UnknownInstanceError: there is none.
            CommandRefusedError: one of its platforms cannot be captured.
            MergeRefusedError: a platform's state is none that can be merged.
        """
        verb = "merge_all_active_platforms"
        found = self._instance(who, verb)
        delay = self._mv._sync_delay_control_ticks(sync_delay_ticks)
        return self._mv._call("unify", found.fork, delay, self._caller(verb, found.instance_id))  # type: ignore[no-any-return]

    def export_to_outer_layer(
        self, who: str, *, reason: str = "", control_tick: int | None = None, snapshot: str = ""
    ) -> tuple[str, bytes]:
        """See `OuterLayers.export_to_outer_layer`.

        Returns:
            The name of what is in the package, and the package's file.

        Raises:
            PermissionRefusedError: no role allows it.
            UnknownInstanceError: there is none.
            CommandRefusedError: it was not there, or a member cannot be captured.
            PackageError: the file would have more than `PACKAGE_BYTES_MAX`.
        """
        found = self._instance(who, EXPORT)
        caller = self._caller(EXPORT, found.instance_id)
        package = self._mv._exported(found, control_tick, snapshot, reason, caller=caller)
        with self._telling_of_packages(caller, found.instance_id):
            document = packed(package)
            if len(document) > PACKAGE_BYTES_MAX:
                raise PackageError(
                    f"the package takes {len(document):,} bytes, and here at most {PACKAGE_BYTES_MAX:,} go out; take it "
                    "out from a shell."
                )
        self._mv._call("tell", caller, found.instance_id)  # before it goes out
        return package.name, document

    def import_from_outer_layer(self, document: bytes, *, name: str = "") -> list[FourPlatformInstance]:
        """Brings what the bytes of a package hold to life; see `OuterLayers.import_from_outer_layer`.

        Args:
            document: the package's file; what it holds is at most `PACKAGE_CONTENT_BYTES_MAX`.
            name: of the instance; "" takes the package's, with a number if that is taken.

        Raises:
            PermissionRefusedError: no role allows it.
            PackageError: it is not what was written, not what it says, or made of what is not known here.
            CommandRefusedError: a name that is taken, too many instances, or too large. Nothing has changed in any case.
        """
        caller = self._caller("import_from_outer_layer")
        self._mv._admit(caller)
        with self._telling_of_packages(caller):
            package = unpacked(document, content_bytes_max=PACKAGE_CONTENT_BYTES_MAX)
            return self._mv._imported(package, name, principal=caller)

    @contextmanager
    def _telling_of_packages(self, caller: Caller, subject: str = "") -> Iterator[None]:
        """Lets the audit log tell where a package is refused, which the clock does not see."""
        try:
            yield
        except PackageError as error:
            self._mv._call("tell", caller, subject, error.code)
            raise

    def _caller(self, verb: str, scope: str = EVERYWHERE) -> Caller:
        return Caller(self._principal, verb, scope, self._origin)

    def _instance(self, who: str, verb: str) -> FourPlatformInstance:
        return self._mv.instance_asked_for(who, verb, self._principal, self._origin)
