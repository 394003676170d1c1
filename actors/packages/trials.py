"""Whether a member of a package could live: it is made here, from its state, and let go again."""

from collections.abc import Collection

from actors.core.kernel.codec import decode
from actors.core.kernel.domains import decoded_cut
from actors.core.kernel.errors import CommandRefusedError, ProtocolError, SoulfraError, told
from actors.core.kernel.states import checked_state, decode_state
from actors.factories import load
from actors.packages.contents import OuterLayerPackage


def check_members(package: OuterLayerPackage, roles: Collection[str]) -> None:
    """Refuses a package some of whose members cannot be made from their states, by what its caller trusts already.

    Args:
        package: of an instance.
        roles: which members.

    Raises:
        CommandRefusedError: one of them refuses its state.
    """
    try:
        origins = [one for one in decoded_cut(package.cut).origins if one.role in roles]
    except ProtocolError as error:
        raise CommandRefusedError(f"the cut of package {package.name!r} cannot be read: {error.message}") from None
    for origin in origins:
        try:
            params = decode(origin.spec.checked_params or origin.spec.params)
            member = load(origin.spec.factory)(origin.birth, **params)
            member.restore(decode_state(origin.checkpoint.document))
            checked_state(member.capture())
            member.view()
            member.totals()
        except Exception as error:  # a member's code may raise anything, and says best what does not fit
            why = error.message if isinstance(error, SoulfraError) else told(error)
            raise CommandRefusedError(
                f"{origin.role} cannot be made from that state: {why.rstrip('.')}; nothing has changed."
            ) from None
