"""Possession: a lease under which somebody else decides for an agent, whose autonomy is bypassed meanwhile."""

import pytest
from instances import Society

ACTED = ("energy", "spoke_at", "business")


@pytest.fixture
def society() -> Society:
    return Society(9).run(50)


def possess(society: Society, agent_id: str = "arty", ticks: int = 100, lease: str = "l1"):
    return society.ask("runtime", "possess", agent_id=agent_id, lease_ticks=ticks, lease_id=lease, principal="ann")


def acts(society: Society) -> int:
    return sum(society.vitals()["acts"].values())


def test_a_lease_says_when_it_expires(society):
    lease = possess(society, ticks=100)
    assert (lease["began_at"], lease["expires_at"], lease["state"]) == (50, 150, "open")
    assert society.agent("arty")["possession"] == {"lease_id": "l1", "principal": "ann"}


def test_the_whole_instance_waits_without_act(society):
    possess(society, "", ticks=1_000)
    before = acts(society)
    society.run(300)
    assert acts(society) == before, "nobody does anything by itself"
    society.ask("runtime", "act", lease_id="l1", agent_id="arty", action="rest")
    assert acts(society) == before + 1


def test_only_the_possessed_agent_waits(society):
    possess(society, "agent_zero", ticks=1_000)
    before = society.agent("agent_zero")
    ventures = society.vitals()["ventures"]
    society.run(300)
    after = society.agent("agent_zero")
    assert society.vitals()["ventures"] == ventures
    assert (after["spoke_at"], after["state"]) == (before["spoke_at"], "possessed")
    assert acts(society) > 0


def test_act_decides(society):
    possess(society, "cal_riven")
    done = society.ask("runtime", "act", lease_id="l1", agent_id="cal_riven", action="speak")
    assert done == {"agent": "cal_riven", "action": "speak"}
    assert society.agent("cal_riven")["spoke_at"] == 50
    society.tick()
    assert society.query("surface", "echo", agent_id="cal_riven")["latest"]["state"] == "possessed"
    began = society.vitals()["rituals_begun"]
    society.ask("runtime", "act", lease_id="l1", agent_id="cal_riven", action="propose", ritual="calling")
    assert society.vitals()["rituals_begun"] == began + 1


def test_waiting_may_be_decided_too(society):
    possess(society)
    before = acts(society)
    assert society.ask("runtime", "act", lease_id="l1", agent_id="arty", action="wait")["action"] == "wait"
    assert acts(society) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"action": "fly"}, "no action"),
        ({"action": 3}, "no action"),
        ({"action": "rest", "target": "cal_riven"}, "goes with 'help'"),
        ({"action": "help", "target": "nobody"}, "no other living agent"),
        ({"action": "help", "target": "arty"}, "no other living agent"),
        ({"action": "propose", "ritual": "war"}, "no ritual"),
        ({"action": "rest", "ritual": "calling"}, "no ritual"),
        ({"agent_id": "cal_riven", "action": "rest"}, "not on cal_riven"),
        ({"agent_id": "nobody", "action": "rest"}, "no living agent"),
        ({"lease_id": "l2", "action": "rest"}, "no lease"),
    ],
)
def test_what_cannot_be_decided_changes_nothing(society, arguments, says):
    possess(society)
    refused = society.refusal("runtime", "act", **{"lease_id": "l1", "agent_id": "arty"} | arguments)
    assert says in refused.error_message


def test_release_gives_the_agent_back(society):
    possess(society, "arty", ticks=1_000)
    assert society.ask("runtime", "release", lease_id="l1") == {"released": ["arty"]}
    assert society.agent("arty")["possession"] is None
    before = society.agent("arty")["memory"]
    society.run(300)
    assert society.agent("arty")["memory"] != before


@pytest.mark.parametrize("verb", ["act", "release"])
def test_a_released_lease_is_an_error(society, verb):
    possess(society)
    society.ask("runtime", "release", lease_id="l1")
    arguments = {"agent_id": "arty", "action": "rest"} if verb == "act" else {}
    assert "is released" in society.refusal("runtime", verb, lease_id="l1", **arguments).error_message


@pytest.mark.parametrize("verb", ["act", "release"])
def test_an_expired_lease_is_an_error(society, verb):
    possess(society, ticks=20)
    society.run(20)
    arguments = {"agent_id": "arty", "action": "rest"} if verb == "act" else {}
    assert "expired" in society.refusal("runtime", verb, lease_id="l1", **arguments).error_message
    society.tick()
    assert society.query("runtime", "leases")["l1"]["state"] == "expired"
    assert society.agent("arty")["possession"] is None


def test_only_one_at_a_time(society):
    possess(society, "arty")
    for agent_id in ("arty", ""):
        refused = society.refusal(
            "runtime", "possess", agent_id=agent_id, lease_ticks=10, lease_id="l2", principal="bob"
        )
        assert "possessed by ann" in refused.error_message
    possess(society, "cal_riven", lease="l3")


def test_nobody_of_a_possessed_instance_can_be_possessed(society):
    possess(society, "")
    refused = society.refusal("runtime", "possess", agent_id="arty", lease_ticks=9, lease_id="l2", principal="bob")
    assert "the whole instance is possessed" in refused.error_message


def test_a_newborn_of_a_possessed_instance_is_possessed_too(society):
    possess(society, "")
    born = society.ask("runtime", "spawn_agent", template="basic", agent_id="late")
    assert born["agent"]["state"] == "possessed"
    assert "late" in society.ask("runtime", "release", lease_id="l1")["released"]


def test_a_lease_id_is_used_once(society):
    possess(society)
    society.ask("runtime", "release", lease_id="l1")
    refused = society.refusal("runtime", "possess", agent_id="arty", lease_ticks=9, lease_id="l1", principal="ann")
    assert "an id of its own" in refused.error_message


@pytest.mark.parametrize("ticks", [0, -1, True, 1.5, "9", None, 10**9])
def test_a_lease_has_a_length(society, ticks):
    society.refusal("runtime", "possess", agent_id="arty", lease_ticks=ticks, lease_id="l1", principal="ann")


@pytest.mark.parametrize("agent_id", ["arty", ""])
def test_a_god_can_break_it(society, agent_id):
    possess(society)
    assert society.ask("runtime", "break_possession", agent_id=agent_id) == {"broken": ["l1"], "released": ["arty"]}
    assert "is broken" in society.refusal("runtime", "release", lease_id="l1").error_message
    assert "not possessed" in society.refusal("runtime", "break_possession", agent_id=agent_id).error_message


def test_the_kernel_ends_all_of_them(society):
    possess(society, "arty", 1_000, "l1")
    possess(society, "cal_riven", 1_000, "l2")
    society.say("runtime", "possession_ended", {}, source="@gods")
    society.tick()
    assert {lease["state"] for lease in society.query("runtime", "leases").values()} == {"released"}
    assert all(agent["possession"] is None for agent in society.query("runtime", "agents").values())


def test_nobody_else_ends_them_by_an_event(society):
    possess(society, "arty", 1_000)
    society.say("runtime", "possession_ended", {})
    society.tick()
    assert society.agent("arty")["possession"] is not None
    assert "@gods only" in society.vitals()["refused"]["last_reason"]


def test_ending_a_possessed_agent_ends_the_lease(society):
    society.ask("runtime", "spawn_agent", template="basic", agent_id="brief")
    possess(society, "brief", 1_000)
    society.ask("runtime", "terminate_agent", agent_id="brief")
    assert "is broken" in society.refusal("runtime", "release", lease_id="l1").error_message
    society.reborn().run(100)


def test_leases_go_on_through_a_restoration(society):
    possess(society, "arty", 100)
    society.run(50).reborn()
    society.ask("runtime", "act", lease_id="l1", agent_id="arty", action="rest")
    society.run(60)
    assert society.query("runtime", "leases")["l1"]["state"] == "expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"agents.arty.possession": {"lease_id": "forged", "principal": "eve"}, "agents.arty.state": "possessed"},
        {"agents.arty.state": "possessed"},
        {"agents.arty.possession": {"lease_id": "forged"}},
    ],
)
def test_a_possession_cannot_be_forged_by_a_modification(society, changes):
    society.refused_change("runtime", changes)
