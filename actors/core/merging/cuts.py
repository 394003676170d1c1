"""Instances merged: whole closed domains with what is under way in them, member by member, into one that can be made.

Time, the position in a random stream and the number of the next event are of the first side, but no number is given twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from actors.core.kernel.domains import Cut, Origin, cut_digest
from actors.core.kernel.errors import MergeRefusedError
from actors.core.kernel.events import Event, order
from actors.core.kernel.instances import PLATFORM_ROLES, Ancestor
from actors.core.kernel.states import State, decode_state, encode_state
from actors.core.merging.in_flight import United, united
from actors.core.merging.instances import BETWEEN, joined, parted
from actors.core.merging.merges import Merged, folded
from actors.core.merging.reports import Conflict
from actors.core.merging.rules import Strategy
from actors.core.merging.schemes import Invariant, Reference, Scheme

NO_SCHEME = Scheme()


@dataclass(frozen=True, slots=True)
class MergedCut:
    """What a merge of instances comes to.

    Attributes:
        merged: the states, joined under their roles, with every conflict.
        under_way: the events.
        cut: what the new instance is made from; of the first side where the strategy decides nothing.
    """

    merged: Merged
    under_way: United
    cut: Cut

    def conflicts(self) -> list[Conflict]:
        """Every conflict of states and of events."""
        return [*self.merged.conflicts, *self.under_way.conflicts]

    def accepted(self) -> Cut:
        """The cut, if it may take effect.

        Raises:
            MergeRefusedError: the strategy decides no conflict and there are some, or the merged state would not hold.
        """
        self.merged.accepted()
        self.under_way.accepted()
        return self.cut


def merged_cuts(
    cuts: Sequence[Cut],
    bases: Sequence[Cut | None],
    strategy: Strategy,
    schemes: Mapping[str, Scheme],
) -> MergedCut:
    """Several instances merged from left to right.

    Args:
        cuts: what they are, at one boundary; at least two.
        bases: for each from the second on, what its nearest common ancestor with those before it was; None where there is
            none.
        strategy: who wins a conflict.
        schemes: by factory, what a merge has to be told about a member's state.

    Raises:
        MergeRefusedError: they are not of one kind, or the states cannot be merged.
    """
    first = cuts[0]
    makers: dict[str, Origin] = {}
    for cut in cuts:
        if cut.instance is None:
            raise MergeRefusedError("only instances can be merged; name instances.")
        for origin in cut.origins:
            there = makers.setdefault(origin.role, origin)
            if (there.spec.factory, there.spec.params) != (origin.spec.factory, origin.spec.params):
                raise MergeRefusedError(
                    f"{origin.role} is made otherwise on two sides ({there.spec.factory} and {origin.spec.factory}, or with "
                    "other parameters), so they cannot be one."
                )
    scheme = _joined_scheme({role: schemes.get(origin.spec.factory, NO_SCHEME) for role, origin in makers.items()})
    merged = folded(
        [joined(_states(cut)) for cut in cuts],
        [None if base is None else joined(_states(base)) for base in bases],
        strategy,
        scheme,
    )
    under_way = united(
        [_calendar(cut) for cut in cuts], [None if base is None else _calendar(base) for base in bases], strategy
    )
    winner = _winner(cuts, bases, strategy)
    said = [event for event in winner.calendar if _is_among_platforms(event)]
    found = parted(merged.proposed)
    origins = [
        _remade(_origin(winner, role) or makers[role], makers[role], found[role], [_origin(cut, role) for cut in cuts])
        for role in sorted(found)
    ]
    left = tuple(dict.fromkeys(one for cut in cuts for one in cut.ancestors))
    return MergedCut(
        merged,
        under_way,
        msgspec.structs.replace(
            first,
            origins=origins,
            calendar=order([*under_way.events, *said]),
            mailboxes=winner.mailboxes,
            ancestors=left,
        ),
    )


def nearest_common(one: Iterable[Ancestor], other: Iterable[Ancestor], branch: str) -> Ancestor | None:
    """The boundary at which two last were the same: of all that both come from, the latest; None if there is none.

    Args:
        one: whatever the one comes from, itself and the present boundary included.
        other: the same of the other.
        branch: of the present history, which "" stands for.
    """
    found: list[Ancestor] = []
    theirs = {(line.fork, line.branch or branch): line for line in other}
    for line in one:
        same = theirs.get((line.fork, line.branch or branch))
        if same is not None:
            found.append(min(line, same, key=_instant))
    return max(found, key=_instant, default=None)


def _instant(line: Ancestor) -> tuple[int, int]:
    return line.control_tick, line.position


def _states(cut: Cut) -> dict[str, State]:
    return {origin.role: decode_state(origin.checkpoint.document) for origin in cut.origins}


def _calendar(cut: Cut) -> list[Event]:
    return [event for event in cut.calendar if not _is_among_platforms(event)]


def _is_among_platforms(event: Event) -> bool:
    """Whether an event is part of what goes on among the platforms, which is one thing and not united."""
    return event.source in PLATFORM_ROLES and event.target in PLATFORM_ROLES


def _winner(cuts: Sequence[Cut], bases: Sequence[Cut | None], strategy: Strategy) -> Cut:
    """The side whose society it is: whoever has lived on since the ancestor, and if all have, whom the strategy says."""
    found = cuts[0]
    for cut, base in zip(cuts[1:], bases, strict=True):
        as_base = b"" if base is None else cut_digest(base)
        if cut_digest(cut) != as_base and (strategy == "theirs" or cut_digest(found) == as_base):
            found = cut
    return found


def _origin(cut: Cut, role: str) -> Origin | None:
    return next((origin for origin in cut.origins if origin.role == role), None)


def _remade(winner: Origin, origin: Origin, state: State, sides: Sequence[Origin | None]) -> Origin:
    """The first side's member with the merged state; its next number is one that no side has given.

    Whether it stands still is as with the side whose society it is, for its mail is, too.
    """
    document = encode_state(state)
    there = [side for side in sides if side is not None]
    sequence = max(side.checkpoint.sequence for side in there)
    kept = origin.checkpoint
    same = document == kept.document and sequence == kept.sequence
    checkpoint = kept if same else msgspec.structs.replace(kept, document=document, sequence=sequence, digest=b"")
    subscriptions = sorted({event_type for side in there for event_type in side.subscriptions})
    return msgspec.structs.replace(origin, checkpoint=checkpoint, subscriptions=subscriptions, stills=winner.stills)


def _joined_scheme(schemes: Mapping[str, Scheme]) -> Scheme:
    """What the members' schemes say, of the joined state."""

    def within(role: str, path: str) -> str:
        return role + BETWEEN + path

    return Scheme(
        identities={within(role, name): of for role, one in schemes.items() for name, of in one.identities.items()},
        references=tuple(
            Reference(within(role, one.section), one.attribute, within(role, one.target), one.nobody)
            for role, scheme in schemes.items()
            for one in scheme.references
        ),
        first=tuple(within(role, path) for role, scheme in schemes.items() for path in scheme.first),
        row_steps={within(role, name): rows for role, one in schemes.items() for name, rows in one.row_steps.items()},
        together=tuple(
            tuple(within(role, name) for name in group) for role, one in schemes.items() for group in one.together
        ),
        settles=tuple(partial(_settled, role, settle) for role, one in schemes.items() for settle in one.settles),
        invariants=tuple(partial(_broken, role, rule) for role, one in schemes.items() for rule in one.invariants),
    )


def _settled(role: str, settle: Callable[[State], State], state: State) -> State:
    """What a member's own function makes of its part of the joined state."""
    members = parted(state)
    return joined({**members, role: settle(members[role])}) if role in members else state


def _broken(role: str, rule: Invariant, state: State) -> Iterable[str]:
    members = parted(state)
    return [f"{role}: {words}" for words in rule(members[role])] if role in members else []
