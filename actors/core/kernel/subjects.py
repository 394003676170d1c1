"""Subjects: of which instance a command asks something, so that its answer can still be told when that one is gone."""

from collections.abc import Sequence

from actors.core.kernel.commands import ClockCommand, ForkGames, Freeze, MemberCommand, RevertDomain, Unfreeze
from actors.core.kernel.instances import instance_id, is_instance_id
from actors.core.kernel.standstills import OVERRIDE
from actors.core.kernel.ticking import Ticking


def instance_asked(tables: Ticking, command: ClockCommand) -> str:
    """The id of the one instance that a command is for or about, as things stand before it; "" if it is of none or several."""
    match command:
        case MemberCommand(member_id):
            return _instance_of(tables, (member_id,))
        case ForkGames(realm_ids):
            return _instance_of(tables, realm_ids)
        case RevertDomain(fork):
            return _named(tables, fork)
        case Freeze((only,)) | Unfreeze((only,)) if is_instance_id(only):
            return only
        case Freeze(scope, cause) | Unfreeze(scope, cause) if cause == OVERRIDE:
            return _instance_of(tables, scope)
    return ""


def _instance_of(tables: Ticking, member_ids: Sequence[str]) -> str:
    domains = {tables.members[one].domain for one in member_ids if one in tables.members}
    return _named(tables, domains.pop()) if len(domains) == 1 else ""


def _named(tables: Ticking, number: int) -> str:
    domain = tables.domains.get(number)
    return "" if domain is None or domain.instance is None else instance_id(number)
