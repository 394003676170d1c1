"""Outer layers: an instance, or a whole multiverse, taken out into a file, and brought to life from one, here or elsewhere.

What comes from a file is nobody's friend: it is made of nothing but the platforms and realms that are known here, in no place
of its own, and it is what its maker says it is, to the digest, or it is refused.

Source: seed 000, "Outer Layer Export System".
"""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any
from uuid import uuid4

import msgspec

from actors.core.kernel.codec import Plain, decode, encode
from actors.core.kernel.commands import ImportInstances, Reply
from actors.core.kernel.cut_checks import checked_cut
from actors.core.kernel.domains import Cut, Origin, cut_digest, decoded_cut, encoded_cut
from actors.core.kernel.errors import CommandRefusedError, PackageError, ProtocolError, SoulfraError
from actors.core.kernel.instances import FORK_MARK, NAME_CHARACTERS_MAX, PLATFORM_ROLES, RUNTIME, SURFACE, usable_name
from actors.core.kernel.states import Records, decode_state
from actors.fingerprints import fingerprint
from actors.packages.contents import (
    MULTIVERSE,
    ControlInterface,
    GameState,
    Metadata,
    OuterLayerPackage,
)
from actors.packages.manipulations import MANIPULATIONS
from actors.requests import Caller, Principal
from orchestration.god_mode import GodMode
from orchestration.instances import FACTORIES, FourPlatformInstance
from orchestration.presiding import Who

EXPORT = "export_to_outer_layer"
"""What it is called in the audit log, and in the table of permissions; of one instance, or of all."""
REALMS_KNOWN = ("actors.core.realms.city:City",)
"""What a package may be made of beside the platforms, and whatever lives here already."""
NUMBER_CHARACTERS_MAX = 8
"""Behind a name that is taken: a mark and a number."""
INSTRUCTIONS = (
    "read the file and compare its hash, and its signature if there is one",
    "compare the digest of the cut with the one in the metadata",
    "make every member of the cut with its own birth, so that it draws as it would have drawn",
    "put what was under way among them on its way again",
    "compare the digest of what lives with the one in the metadata",
)


class OuterLayers(GodMode):
    """Out into packages, and back."""

    def export_to_outer_layer(
        self,
        who: Who,
        *,
        reason: str = "",
        control_tick: int | None = None,
        snapshot: str = "",
        level: int = 0,
    ) -> OuterLayerPackage:
        """An instance with its attached realms, as it is at this boundary or was at one of the present history.

        Nothing changes by it.

        Args:
            who: the instance.
            reason: for people.
            control_tick: as it was after this control tick, before its commands.
            snapshot: or as it was there.
            level: how many layers it is above the innermost world.

        Raises:
            PermissionRefusedError: whoever drives has no role that allows it.
            CommandRefusedError: it was not there, a member cannot be captured, or two boundaries are named.
        """
        return self._exported(self.instance(who), control_tick, snapshot, reason, level)

    def _exported(
        self,
        instance: FourPlatformInstance,
        control_tick: int | None,
        snapshot: str,
        reason: str,
        level: int = 0,
        caller: Caller | None = None,
    ) -> OuterLayerPackage:
        """A package for whoever drives; or for a caller, who then says what came of it."""
        past = control_tick is not None or bool(snapshot)
        if control_tick is not None and snapshot:
            raise CommandRefusedError("an export is of now, of a control tick, or else of a snapshot.")
        where = (-1 if control_tick is None else control_tick, snapshot, past)
        who = caller or Caller(self._principal, EXPORT, instance.instance_id)
        cut: Cut = self._call("cut_of", instance.fork, *where, who, caller is None)
        return _package(instance, cut, self.name, who.name, reason, level)

    def export_multiverse(self, *, reason: str = "", level: int = 1) -> OuterLayerPackage:
        """Every instance at one boundary, one package in another: the multiverse as its outer layer holds it."""
        instances = self.instances()
        cuts: list[Cut] = self._call("cuts_of", [one.fork for one in instances], Caller(self._principal, EXPORT))
        below = max(0, level - 1)
        inner = [
            _package(one, cut, self.name, self._principal, reason, below)
            for one, cut in zip(instances, cuts, strict=True)
        ]
        metadata = Metadata(
            reason=reason,
            session=self._principal,
            recursion_level=level,
            fingerprint=fingerprint(),
            digest=digest_within(inner),
        )
        return OuterLayerPackage(_system(self.name), _system(self.name), MULTIVERSE, metadata=metadata, inner=inner)

    def import_from_outer_layer(
        self, package: OuterLayerPackage, *, name: str = "", trusted_factories: Collection[str] = ()
    ) -> list[FourPlatformInstance]:
        """Brings the instances of a package to life, all at once or none.

        Args:
            package: of an instance, or of several.
            name: of the instance; "" takes the package's, with a number if that is taken.
            trusted_factories: `module:name` of members that a package may be made of beside those that are known here. Whoever
                is named here runs with the package's parameters.

        Returns:
            The new instances.

        Raises:
            PackageError: the package is not what it says, or is made of what is not trusted; nothing was brought to life.
            CommandRefusedError: a name that is taken, too many instances, or too large.
        """
        return self._imported(package, name, trusted_factories)

    def _imported(
        self,
        package: OuterLayerPackage,
        name: str,
        trusted_factories: Collection[str] = (),
        principal: Principal = "",
    ) -> list[FourPlatformInstance]:
        leaves = _leaves(package)
        if name and len(leaves) != 1:
            raise PackageError(f"the package holds {len(leaves)} instances, and one name is given; leave the name out.")
        allowed = {*FACTORIES.values(), *REALMS_KNOWN, *trusted_factories, *self._factories()}
        cuts = [_checked_cut(leaf, allowed) for leaf in leaves]
        names: list[str] = []
        for leaf in leaves:
            names.append(name or self._free_name(leaf.name, names))
        made = self._submit(ImportInstances(tuple(map(_as_newcomer, cuts)), tuple(names)), principal)
        numbers = {one["fork"] for one in made}
        return [one for one in self.instances() if one.fork in numbers]

    def send_back_down(
        self, who: Who, package: OuterLayerPackage, original: OuterLayerPackage, *, force: bool = False
    ) -> dict[str, Any]:
        """Lets a live instance become what an outer layer has made of it, at the next boundary.

        Args:
            who: the instance.
            package: what it shall be.
            original: what was exported of it.
            force: also if it has moved on meanwhile; what is under way in it is then dropped.

        Raises:
            PackageError: it has moved on, or the package is not one of it; nothing has changed.
        """
        found: dict[str, Any] = self._sent_down(who, package, original, force).value()
        return found

    def _sent_down(self, who: Who, package: OuterLayerPackage, original: OuterLayerPackage, force: bool) -> Reply:
        instance = self.instance(who)
        allowed = {*FACTORIES.values(), *REALMS_KNOWN, *self._factories()}
        cut = _checked_cut(package, allowed)
        roles = [origin.role for origin in cut.origins]
        if sorted(roles) != sorted(instance.members):
            raise PackageError(
                f"the package has {', '.join(roles)}, and {instance.name!r} has {', '.join(instance.members)}."
            )
        then = {instance[one.role]: (one.checkpoint.local_tick, one.checkpoint.document) for one in cut.origins}
        expected = "" if force else original.metadata.digest
        if not force and not expected:
            raise PackageError(
                "the original says no digest, so nobody knows whether the instance has moved on; use force."
            )
        known_at = original.metadata.control_tick
        return self._call("send_down", instance.fork, then, expected, known_at, uuid4().hex, self._principal)  # type: ignore[no-any-return]

    def _sent_back(self, who: Who, original: OuterLayerPackage, sent: Reply) -> OuterLayerPackage:
        """What is known of an instance that was sent back: what it is since, if nothing has happened since.

        If the clock has gone on meanwhile, or cannot say, it is known as it was before.
        """
        try:
            found = self.instance_digest_with_boundary(who)
        except SoulfraError:
            return original
        if found.boundary != sent.boundary:
            return original
        digest, tick, position = found.digest, found.boundary.control_tick, found.boundary.position
        return msgspec.structs.replace(
            original,
            metadata=msgspec.structs.replace(
                original.metadata, digest=digest, branch=found.boundary.branch, control_tick=tick, position=position
            ),
        )

    def _factories(self) -> set[str]:
        return set(self._call("factories"))

    def _free_name(self, wanted: str, chosen_before: Collection[str]) -> str:
        taken = {*chosen_before, *(one.name for one in self.instances())}
        chosen = usable_name(usable_name(wanted).partition(FORK_MARK)[0])
        stem = chosen[: NAME_CHARACTERS_MAX - NUMBER_CHARACTERS_MAX]
        number = 2
        while chosen in taken:
            chosen, number = f"{stem}-{number}", number + 1
        return chosen


def digest_within(inner: Sequence[OuterLayerPackage]) -> str:
    """The digest of packages that one holds, of their own digests, in order."""
    return sha256(encode([one.metadata.digest for one in inner])).hexdigest()


def wrapped(packages: Sequence[OuterLayerPackage], name: str, reason: str = "") -> OuterLayerPackage:
    """Packages within one more layer.

    Raises:
        PackageError: there are none.
    """
    if not packages:
        raise PackageError("a layer needs at least one package in it.")
    level = 1 + max(one.metadata.recursion_level for one in packages)
    back = [packages[0].name, *packages[0].metadata.return_path]
    metadata = Metadata(
        reason=reason,
        recursion_level=level,
        return_path=back,
        fingerprint=fingerprint(),
        digest=digest_within(packages),
    )
    return OuterLayerPackage(name, name, MULTIVERSE, metadata=metadata, inner=list(packages))


def checked_package(package: OuterLayerPackage, trusted_factories: Collection[str]) -> None:
    """Refuses a package of an instance that is not what it says, or is made of what is not trusted.

    Raises:
        PackageError: that it is so.
    """
    _checked_cut(package, {*FACTORIES.values(), *REALMS_KNOWN, *trusted_factories})


def _leaves(package: OuterLayerPackage) -> list[OuterLayerPackage]:
    found: list[OuterLayerPackage] = []
    waiting = [package]
    while waiting:
        one = waiting.pop(0)
        if one.kind == MULTIVERSE:
            if one.metadata.digest not in ("", digest_within(one.inner)):
                raise PackageError(f"package {one.name!r} does not hold what its digest says.")
            waiting = [*one.inner, *waiting]
        else:
            found.append(one)
    if not found:
        raise PackageError(f"package {package.name!r} holds no instance.")
    return found


def _package(
    instance: FourPlatformInstance, cut: Cut, system: str, session: str, reason: str, level: int
) -> OuterLayerPackage:
    states = {origin.role: decode_state(origin.checkpoint.document) for origin in cut.origins}

    def section(role: str, name: str) -> dict[str, Plain]:
        found = states.get(role, {}).get(name)
        return dict(found.objects) if isinstance(found, Records) else {}

    from orchestration.god_commands import BY_TYPE  # the models take 80 ms to make

    left = cut.ancestors[-1] if cut.ancestors else None
    return OuterLayerPackage(
        _system(system),
        usable_name(instance.name),  # of an earlier build it may be called as no package can be
        game_state=GameState(
            section(RUNTIME, "agents"),
            section(RUNTIME, "history"),
            section(SURFACE, "weather"),
            {name: section(RUNTIME, name) for name in ("rituals", "threads", "loops", "vitals")},
        ),
        platform_configs={
            origin.role: {"factory": origin.spec.factory, "params": decode(origin.spec.params)}
            for origin in cut.origins
        },
        control_interface=ControlInterface(
            {name: one.model_json_schema() for name, one in BY_TYPE.items()},
            {name: row.schema() for name, row in MANIPULATIONS.items()},
            list(INSTRUCTIONS),
        ),
        metadata=Metadata(
            reason=reason,
            session=session,
            recursion_level=level,
            return_path=[_system(system)],
            fingerprint=fingerprint(),
            branch=left.branch if left is not None else "",
            control_tick=cut.control_tick,
            position=left.position if left is not None else 0,
            digest=cut_digest(cut).hex(),
            more={"instance_id": instance.instance_id},
        ),
        cut=encoded_cut(cut),
    )


def _checked_cut(package: OuterLayerPackage, allowed: Collection[str]) -> Cut:
    """The cut of a package, if it is what the package says and made of what is trusted.

    Raises:
        PackageError: it is not.
    """
    try:
        cut = checked_cut(decoded_cut(package.cut))
        digest = cut_digest(cut).hex()
    except (CommandRefusedError, ProtocolError, ValueError, TypeError, AttributeError) as error:
        raise PackageError(
            f"the cut of package {package.name!r} cannot be read: {str(error)[:200].rstrip('.')}."
        ) from None
    if package.metadata.digest not in ("", digest):
        raise PackageError(
            f"package {package.name!r} is not what it says: its cut has the digest {digest[:16]}…, and "
            f"{package.metadata.digest[:16]}… is written down."
        )
    roles = {origin.role for origin in cut.origins}
    if cut.instance is None or not roles.issuperset(PLATFORM_ROLES) or len(roles) != len(cut.origins):
        raise PackageError(f"package {package.name!r} holds no instance: its members are {', '.join(sorted(roles))}.")
    for origin in cut.origins:
        _check_origin(package.name, origin, allowed)
    return cut


def _as_newcomer(cut: Cut) -> bytes:
    """Encoded, and without what means nothing here: whom it was copied from."""
    return encoded_cut(msgspec.structs.replace(cut, ancestors=(), origins=[_unchecked(one) for one in cut.origins]))


def _unchecked(origin: Origin) -> Origin:
    """Without what a factory's own check has made of the parameters, elsewhere: here it is asked again."""
    spec = msgspec.structs.replace(origin.spec, checked_params=b"")
    return msgspec.structs.replace(origin, spec=spec)


def _check_origin(name: str, origin: Origin, allowed: Collection[str]) -> None:
    for spec in (origin.spec, origin.registration.spec):
        if spec.factory not in allowed:
            raise PackageError(
                f"package {name!r} makes its {origin.role} by {spec.factory!r}, which is not known here; name it in "
                "trusted_factories if you trust it."
            )
        if spec.is_placed:
            raise PackageError(f"package {name!r} says where its {origin.role} shall live; that is not for it to say.")
    if origin.spec.factory != origin.registration.spec.factory or origin.birth.member_id != origin.role:
        raise PackageError(f"package {name!r} has a {origin.role} that is two things at once.")


def _system(name: str) -> str:
    return name or "multiverse"
