"""The laws of merging hold for whole instances, too: with what is under way, with mail that waits, with who stands still."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from actors.core.kernel.domains import Cut, cut_digest
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.merging.cuts import merged_cuts
from actors.core.merging.known_schemes import SCHEMES
from orchestration import Multiverse

STRATEGIES: list[Any] = ["ours", "theirs", "fail"]


@pytest.fixture(scope="module", params=range(4))
def lives(request: Any, tmp_path_factory: Any) -> Iterator[tuple[Cut, Cut, Cut, Cut]]:
    """An ancestor, what a twin of it became, what that twin's own twin became, and a copy with whom things went otherwise.

    Members of both stand still for a while, so mail waits for them.
    """
    seed: int = request.param
    rng = Random(seed)
    vault: Path = tmp_path_factory.mktemp("laws") / "m.sqlite"
    with Multiverse(seed, engine="local", name="m", vault=vault) as mv:
        mv.create_instance("alpha")
        mv.run(rng.randint(5, 40))
        mv.fork_instance("alpha", names=["one", "same", "other"])
        mv.modify_instance("other", {"runtime.agents.arty.personality.creativity": rng.random()})
        mv.freeze([f"{role}~4" for role in rng.sample(PLATFORM_ROLES, 2)])
        still = rng.sample(PLATFORM_ROLES, 2)
        mv.freeze([f"{role}~{number}" for role in still for number in (2, 3)])
        born = mv.boundary().control_tick
        mv.run(rng.randint(2, 6))
        base = mv._call("cut_of", 1, born, "", True)
        one, same, other = mv._call("cuts_of", [2, 3, 4])
        assert one.mailboxes and other.mailboxes and one.calendar
        yield base, one, same, other


def by_content(cut: Cut) -> Cut:
    """Without whom it was made from, which a merge has more of."""
    return msgspec.structs.replace(cut, ancestors=(), instance=None)


def merged(cuts: list[Cut], bases: list[Cut | None], strategy: Any) -> Cut:
    return merged_cuts(cuts, bases, strategy, SCHEMES).accepted()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_and_the_same_twice_is_itself(lives: Any, strategy: Any) -> None:
    base, one, same, _ = lives
    assert cut_digest(one) == cut_digest(same)
    for ancestor in (base, None):
        assert by_content(merged([one, same], [ancestor], strategy)) == by_content(one)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_whoever_has_not_changed_gives_way(lives: Any, strategy: Any) -> None:
    base, one, _, other = lives
    for changed in (one, other):
        found = merged([changed, base], [base], strategy)
        assert by_content(found) == by_content(changed)
        assert cut_digest(merged([base, changed], [base], strategy)) != cut_digest(base)


def test_sides_change_places_with_the_strategy(lives: Any) -> None:
    base, one, _, other = lives
    here, there = merged([one, other], [base], "ours"), merged([other, one], [base], "theirs")
    assert here.mailboxes == there.mailboxes
    assert here.calendar == there.calendar
    assert [origin.stills for origin in here.origins] == [origin.stills for origin in there.origins]


def test_nothing_that_is_under_way_is_there_twice_or_from_nowhere(lives: Any) -> None:
    base, one, _, other = lives
    for strategy in ("ours", "theirs"):
        found = merged([one, other], [base], strategy)
        under_way = [*found.calendar, *(event for mail in found.mailboxes.values() for event in mail)]
        names = [(event.event_id, event.target) for event in under_way]
        assert len(set(names)) == len(names)
        sides = [*one.calendar, *other.calendar]
        sides += [event for cut in (one, other) for mail in cut.mailboxes.values() for event in mail]
        assert all(event in sides for event in under_way)
