"""Idempotency keys: a command that is given again brings its first result, to whoever still may ask, whatever has become of
what it was asked of.
"""

import pytest

from actors.core.kernel.errors import CallerError, CommandRefusedError, PermissionRefusedError, UnknownInstanceError
from orchestration import Multiverse
from tests.orchestration.societies_at_work import god


@pytest.fixture
def mv(god_of_alpha):
    return god_of_alpha


@pytest.mark.parametrize(
    "command",
    [
        {"type": "REALITY_FORK", "source": "alpha", "count": 2},
        {"type": "CLONE_INSTANCE", "source": "alpha"},
        {"type": "MERGE_INSTANCES", "ids": ["alpha", "beta"], "strategy": "ours"},
        {"type": "AGENT_POSSESSION", "instance": "alpha", "agent": "arty"},
        {"type": "TIMELINE_REVERT", "scope": "alpha", "control_tick": 11},
        {"type": "FREEZE_TIME", "scope": ["alpha"]},
        {"type": "CROSS_INSTANCE_COMMUNICATION", "ids": ["alpha", "beta"]},
        {"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": {"kind": "spawn_agent"}},
        {"type": "TIMELINE_REVERT", "control_tick": 12},
    ],
)
def test_a_key_brings_the_first_result_back(mv, command):
    god(mv, "CLONE_INSTANCE", source="alpha", name="beta")
    first = mv.god_mode_command({**command, "idempotency_key": "once"})
    mv.run(1)
    god(mv, "UNFREEZE_TIME")
    before = (mv.digest(), mv.boundary())
    assert mv.god_mode_command({**command, "idempotency_key": "once"}) == first
    assert (mv.digest(), mv.boundary()) == before


GIVEN_AGAIN = [
    {"type": "REALITY_FORK", "source": "alpha", "count": 2},
    {"type": "REALITY_FORK", "source": "alpha", "control_tick": 5},
    {"type": "CLONE_INSTANCE", "source": "alpha", "modifications": {"runtime.agents.arty.mood": 0.5}},
    {"type": "MERGE_INSTANCES", "ids": ["alpha", "beta"], "strategy": "ours"},
    {"type": "AGENT_POSSESSION", "instance": "alpha", "agent": "arty"},
    {"type": "AGENT_POSSESSION", "instance": "alpha", "agent": "arty", "step": "break"},
    {"type": "TIMELINE_REVERT", "scope": "alpha", "control_tick": 11},
    {"type": "FREEZE_TIME", "scope": ["alpha"]},
    {"type": "UNFREEZE_TIME", "scope": ["alpha", "beta"]},
    {"type": "CROSS_INSTANCE_COMMUNICATION", "ids": ["alpha", "beta"]},
    {"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": {"kind": "spawn_agent"}},
    {
        "type": "PUPPET_MASTER_INTERVENTION",
        "instance": "alpha",
        "intervention": {"kind": "emergency_override", "platform": "all", "reason": "enough"},
    },
]


def outcome_of(mv, command):
    """The result of a command under a key, or what refused it."""
    try:
        return mv.god_mode_command({**command, "idempotency_key": "once"})
    except CallerError as error:
        return error.code, error.message


@pytest.mark.parametrize("command", GIVEN_AGAIN)
def test_a_key_brings_the_first_result_back_when_the_instance_is_gone(tmp_path, command):
    def opened():
        return Multiverse(1, engine="local", name="m", vault=tmp_path / "m.sqlite", principal="zeus")

    with opened() as mv:
        mv.create_instance("alpha")
        mv.run(12)
        god(mv, "CLONE_INSTANCE", source="alpha", name="beta")
        first = outcome_of(mv, command)
        mv.destroy_instance("alpha")
        mv.run(1)
        before = mv.digest(), mv.boundary()
        assert outcome_of(mv, command) == first
        mv.create_instance("alpha")  # another one, of which nothing was asked
        assert outcome_of(mv, command) == first
        assert mv.boundary().position == before[1].position + 1
    with opened() as mv:
        assert outcome_of(mv, command) == first


def test_a_refusal_comes_back_when_the_instance_is_gone(mv):
    command = {"type": "AGENT_POSSESSION", "instance": "alpha", "step": "release", "lease_id": "none"}
    first = outcome_of(mv, command)
    assert first[0] == "command_refused"
    mv.destroy_instance("alpha")
    assert outcome_of(mv, command) == first


@pytest.mark.parametrize("origin", ["local", "http"])
def test_of_an_instance_that_is_gone_only_whoever_may_ask_is_told(mv, origin):
    def given(principal, **more):
        return mv.god_mode_command({**command, "idempotency_key": "once", **more}, principal=principal, origin=origin)

    command = {"type": "CLONE_INSTANCE", "source": "alpha", "name": "beta"}
    mv.grant_role("zeus", "god")
    mv.grant_role("ann", "god", "alpha")
    first = given("ann")
    mv.destroy_instance("alpha")
    assert given("ann") == first
    mv.revoke_all_roles("ann")
    mv.grant_role("ann", "god", "beta")
    with pytest.raises(PermissionRefusedError):
        given("ann")
    with pytest.raises(PermissionRefusedError if origin == "http" else UnknownInstanceError):  # a key is its giver's
        given("bob")
    mv.grant_role("ann", "god")
    assert given("ann") == first
    for more in ({"name": "gamma"}, {"source": "beta"}):
        with pytest.raises(CallerError):
            given("ann", **more)
    with pytest.raises(UnknownInstanceError):
        given("zeus")
    assert [one.name for one in mv.instances()] == ["beta"]


def test_a_merge_is_told_again_to_whoever_has_a_role_everywhere_only(mv):
    god(mv, "CLONE_INSTANCE", source="alpha", name="beta")
    mv.grant_role("zeus", "god")
    mv.grant_role("ann", "god")
    command = {"type": "MERGE_INSTANCES", "ids": ["alpha", "beta"], "strategy": "ours", "idempotency_key": "once"}
    first = mv.god_mode_command(command, principal="ann")
    mv.destroy_instance("alpha")
    assert mv.god_mode_command(command, principal="ann") == first
    mv.revoke_all_roles("ann")
    mv.grant_role("ann", "god", "i1")
    with pytest.raises(PermissionRefusedError):
        mv.god_mode_command(command, principal="ann")


def test_a_key_is_printable_and_given_to_one_command_only(mv):
    for key in ("a\0b", "a b", "é", "\ud800"):
        with pytest.raises(CommandRefusedError, match="idempotency_key"):
            god(mv, "FREEZE_TIME", scope=["alpha"], idempotency_key=key)
    god(mv, "UNFREEZE_TIME", scope=["alpha"], idempotency_key="u")
    with pytest.raises(CommandRefusedError, match="given to another command"):
        god(mv, "UNFREEZE_TIME", scope=["runtime~1"], idempotency_key="u")
    long = "123e4567-e89b-12d3-a456-426614174000-and-more"
    assert len(god(mv, "AGENT_POSSESSION", instance="alpha", agent="arty", idempotency_key=long).lease_id) == 32


def test_a_repeat_is_only_for_whoever_still_may_ask(mv):
    mv.grant_role("ann", "god")
    command = {"type": "FREEZE_TIME", "scope": ["alpha"], "idempotency_key": "k"}
    mv.god_mode_command(command, principal="ann", origin="http")
    mv.revoke_all_roles("ann")
    with pytest.raises(PermissionRefusedError):
        mv.god_mode_command(command, principal="ann", origin="http")
    mv.grant_role("ann FREEZE_TIME", "god")
    mv.grant_role("bob", "observer")
    mv.god_mode_command({**command, "idempotency_key": "x"}, principal="ann FREEZE_TIME", origin="http")
    with pytest.raises(PermissionRefusedError):
        mv.god_mode_command({**command, "idempotency_key": "FREEZE_TIMEx"}, principal="bob", origin="http")
