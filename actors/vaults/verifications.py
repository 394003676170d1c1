"""Verifications: everything in a vault is read, and held against everything else."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from actors.core.kernel.errors import DamagedVaultError
from actors.vaults.audit_logs import FROM_THE_FIRST
from actors.vaults.journals import Journal
from actors.vaults.keyframes import Keyframes
from actors.vaults.records import DECISION, Branch, Instant, JournalRow, Snapshot, owner_of, path_of

Readable = Callable[[JournalRow], bool]


class Found(msgspec.Struct, frozen=True):
    """What there is of one multiverse, but for journal and keyframes.

    Attributes:
        name: of the multiverse.
        head: the branch that it lives on; "" for its first one.
        branches: all but the first one.
        marks: how far each branch may have been seen, the first one's included.
        snapshots: all.
        seals: branch and boundary of keyframes that stay.
        rules: branch, boundary and fingerprint, wherever the rules changed.
    """

    name: str
    head: str
    branches: list[Branch]
    marks: dict[str, int]
    snapshots: list[Snapshot]
    seals: list[tuple[str, Instant]]
    rules: list[tuple[str, Instant, str]]


def unnamed_seals(
    branches: list[Branch], snapshots: list[Snapshot], seals: list[tuple[str, Instant]]
) -> list[tuple[str, Instant]]:
    """Keyframes that stay for no snapshot any more: whoever deleted it has died then."""
    instants = [(one.branch, one.instant) for one in snapshots]
    named = {(owner_of(path_of(branches, branch), instant), instant) for branch, instant in instants}
    return [one for one in seals if one not in named]


def faults_in(
    found: Found,
    journal: Journal,
    keyframes: Keyframes,
    is_readable: Readable,
) -> list[str]:
    """What is wrong, one line each; nothing if all is well."""
    try:
        tree = list(_faults_of_tree(found, journal))
    except DamagedVaultError as error:  # it leads nowhere, so nothing can be held against it
        return [error.message]
    told = [
        *tree,
        *_faults_of_journal(found, journal, is_readable),
        *_faults_of_rules(found),
        *audit_faults_in(found.name, journal),
        *keyframes.faults(found.name),
    ]
    return list(dict.fromkeys(told))  # what is missing of the journal, the audit log has missed, too


def _faults_of_tree(found: Found, journal: Journal) -> Iterator[str]:
    names = {one.branch for one in found.branches}
    firsts = sorted({one.parent for one in found.branches} - names)
    for one in found.branches:
        path_of(found.branches, one.branch)
        left = f"branch {one.branch!r} left {one.parent!r} at"
        if one.position > journal.head(found.name, one.parent):
            yield f"{left} position {one.position}, which that does not have"
        if one.control_tick > found.marks.get(one.parent, 0):
            yield f"{left} control tick {one.control_tick}, to which that has not come"
        if found.marks.get(one.branch, 0) < one.control_tick:
            yield f"branch {one.branch!r} ends before it begins"
    if len(firsts) > 1:
        yield f"branches {', '.join(firsts)} cannot all be the first one"
    if found.head and found.head not in names | set(firsts):
        yield f"it lives on branch {found.head!r}, which it does not have"
    for taken in found.snapshots:
        is_known = not found.branches or taken.branch in names | set(firsts)
        if not is_known or taken.control_tick > found.marks.get(taken.branch, 0):
            yield f"snapshot {taken.snapshot!r} is of a boundary that has not been"
    for branch, instant in unnamed_seals(found.branches, found.snapshots, found.seals):
        yield f"the keyframe of control tick {instant[0]} on {branch} is sealed for no snapshot; prune takes it away"


def _faults_of_journal(found: Found, journal: Journal, is_readable: Readable) -> Iterator[str]:
    begins = {one.branch: one.position for one in found.branches}
    for branch, after in [*begins.items(), *journal.first_branches(found.name, found.branches)]:
        try:
            for row in journal.rows(found.name, branch, after):
                if not is_readable(row):
                    yield f"position {row.position} of branch {branch!r} cannot be read"
        except DamagedVaultError as error:
            yield error.message


def audit_faults_in(
    name: str, journal: Journal, kept: tuple[int, bytes] | None = None, trusted: Sequence[bytes] = ()
) -> list[str]:
    """What is wrong with the audit log alone; see `Vault.audit_faults`."""
    beginning = journal.audits.beginning(name)
    told: dict[str, set[int]] = {}
    for one in journal.audits.records(name):
        told.setdefault(one.branch, set()).add(one.position)
    begins = journal.beginnings(name)
    try:
        since = begins if beginning == FROM_THE_FIRST or not told else _first(told)
        untold = list(_untold(name, journal, since, told))
    except DamagedVaultError as error:  # rows are missing, and of what they told nobody knows
        untold = [error.message]
    is_needed = bool(untold) or beginning is not None
    if not told:
        count = f"; of {len(untold):,} commands in the journal nothing tells" if untold else ""
        emptied = f"the audit log is empty, and there were records in it{count}"
        untold = [] if beginning is None else [emptied]  # else nobody knows that there ever was one
    return [*journal.audits.faults(name, kept, trusted, is_needed=is_needed), *untold]


def _first(told: Mapping[str, set[int]]) -> list[tuple[str, int]]:
    """Of each history, the first position that a record tells of."""
    return [(branch, min(positions)) for branch, positions in sorted(told.items())]


def _commanded(name: str, journal: Journal, branch: str, after: int) -> Iterator[int]:
    return (row.position for row in journal.rows(name, branch, after) if row.kind != DECISION)


def _untold(
    name: str, journal: Journal, begins: Sequence[tuple[str, int]], told: Mapping[str, set[int]]
) -> Iterator[str]:
    """What was commanded since the log begins is told of by a record: so a log that was cut off is found out."""
    for branch, after in begins:
        for position in _commanded(name, journal, branch, after):
            if position not in told.get(branch, ()):
                yield f"no audit record tells of position {position} of branch {branch!r}"


def _faults_of_rules(found: Found) -> Iterator[str]:
    for branch, instant, fingerprint in found.rules:
        try:
            is_one = isinstance(json.loads(fingerprint), dict)
        except ValueError:
            is_one = False
        if not is_one:
            yield f"the rules of branch {branch!r} from control tick {instant[0]} on cannot be read"
