"""When a checkpoint is due: seldom enough to cost little, often enough that little is lived again."""

from itertools import pairwise

import pytest

from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.keeping import CHECKPOINT_AFTER_GRANTS, Kept
from actors.core.kernel.members import CAPTURED, NONE, Birth, Contract, Grant, Outbox
from actors.core.kernel.messages import Answer, Checkpoint
from actors.core.kernel.settings import Settings

GRANT_S = 0.002
SETTINGS = Settings(seed=1)


def lived(grants: int, members: int, checkpoint_s: float, recovery: str = CAPTURED) -> list[int]:
    """A member lives through so many grants of 2 ms; after how many each checkpoint came."""
    kept = Kept("a", Birth("a", 1, "a"), MemberSpec("small:Ring", b""))
    kept.contract = Contract("ring", recovery=recovery)
    now, came = 0.0, []
    for number in range(1, grants + 1):
        due = kept.checkpoint_due(SETTINGS, members)
        kept.ask(number, b"packed", now, (Grant(1, "main", number, number, 1, (), (), True),))
        now += GRANT_S + due * checkpoint_s
        checkpoint = Checkpoint(b"", number, number, 0, b"", {}) if due else None
        kept.keep(Answer(number, (Outbox(number, number, digest=b"d"),), checkpoint), now)
        kept.answered()
        if due:
            came.append(number)
    return came


def between(came: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(came)]


def test_cheap_ones_come_as_soon_as_the_grants_are_many() -> None:
    gaps = between(lived(1_000, members=20, checkpoint_s=0.0))
    assert gaps and set(gaps) == {CHECKPOINT_AFTER_GRANTS + 1}


@pytest.mark.parametrize(("members", "checkpoint_s"), [(4, 0.002), (8, 0.001), (2, 0.004)])
def test_those_of_all_members_together_take_a_twentieth_of_the_time(members: int, checkpoint_s: float) -> None:
    gaps = between(lived(2_000, members, checkpoint_s))[3:]  # what one takes is believed by and by
    assert len(gaps) > 5
    for gap in gaps:
        assert members * checkpoint_s <= gap * GRANT_S / 20 + 1e-9 <= members * checkpoint_s * 1.1


def test_what_would_take_a_second_to_repeat_is_not_waited_for() -> None:
    gaps = between(lived(3_000, members=100, checkpoint_s=0.005))
    assert len(gaps) > 3
    assert all(gap * GRANT_S == pytest.approx(1.0, rel=0.01) for gap in gaps)


def test_one_that_cannot_be_captured_is_never_asked_for_one() -> None:
    assert lived(1_000, members=1, checkpoint_s=0.0, recovery=NONE) == []
