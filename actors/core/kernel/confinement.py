"""Confinement: one closed domain lives on alone, as it did among all others.

Nothing crosses a domain's wall, so whoever wants to know what was within need not live the rest again. What an entry of the
journal did elsewhere is passed over; only its number counts, for ids are made from it.
"""

from actors.core.kernel.commands import (
    AttachGame,
    BeginInstance,
    ChangeRole,
    ClockCommand,
    CreateInstance,
    DropFork,
    ForkGames,
    Freeze,
    ImportInstances,
    JournalEntry,
    LinkInstances,
    MemberCommand,
    ModifyMembers,
    QueueEvent,
    RegisterGame,
    RemoveGame,
    RestartGame,
    RevertDomain,
    RevertGame,
    SetDelay,
    Subscribe,
    Unfreeze,
    Unsubscribe,
)
from actors.core.kernel.errors import EngineError
from actors.core.kernel.games import HOME
from actors.core.kernel.sequencing import Sequencer

NOT_ALONE = (
    "this was no closed domain all the time: a realm was attached, or instances could speak to each other; look at the whole "
    "past, without a realm."
)


def confine(sequencer: Sequencer, domain: int) -> list[str]:
    """Lets a sequencer forget everybody who is not in a domain; gives their ids, in order.

    Its digest and its ledger are nobody's from then on; `domain_digest` and the domain's chain stay what they are.

    Raises:
        EngineError: the domain's wall is open.
    """
    if any(domain in pair for pair in sequencer.links):
        raise EngineError(NOT_ALONE)
    others = sorted(member_id for member_id, seated in sequencer.members.items() if seated.domain != domain)
    for member_id in others:
        del sequencer.members[member_id]
    for number in [number for number in sequencer.domains if number != domain]:
        del sequencer.domains[number]
    if domain != HOME:
        sequencer.post = sequencer.new_post()
    sequencer.is_alone = True
    sequencer.posts = {HOME: sequencer.post} | ({domain: sequencer.posts[domain]} if domain != HOME else {})
    return others


def concerns(sequencer: Sequencer, domain: int, entry: JournalEntry) -> bool:
    """Whether an entry of the journal does anything within a domain that lives alone.

    Raises:
        EngineError: what it did is nothing that a domain can live through alone.
    """
    if entry.decision is not None:
        return entry.decision.member_id in sequencer.members
    return entry.command is not None and _concerns(sequencer, domain, entry.command)


def _concerns(sequencer: Sequencer, domain: int, command: ClockCommand) -> bool:
    match command:
        case MemberCommand(member_id) | SetDelay(member_id):
            return member_id in sequencer.members
        case RemoveGame(realm_id) | RestartGame(realm_id) | RevertGame(realm_id):
            return realm_id in sequencer.members
        case Subscribe(realm_id) | Unsubscribe(realm_id):
            return realm_id in sequencer.members
        case RegisterGame():
            return domain == HOME
        case QueueEvent(target=None):
            return domain == HOME
        case QueueEvent(target=target):
            return target in sequencer.members
        case DropFork(fork):
            return fork == domain
        case ForkGames() | CreateInstance() | ImportInstances():  # whoever is copied stays as it was
            return False
        case BeginInstance(fork) | RevertDomain(fork):
            return fork == domain
        case AttachGame(fork=fork):
            if domain in (HOME, fork):
                raise EngineError(NOT_ALONE)
            return False
        case LinkInstances(forks):
            if domain in forks:
                raise EngineError(NOT_ALONE)
            return False
        case ChangeRole():
            return False
        case ModifyMembers(changes):
            return not sequencer.members.keys().isdisjoint(changes)
        case Freeze() | Unfreeze():  # whoever is not there is passed over
            return True
