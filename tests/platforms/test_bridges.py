"""The bridge: one table says who may talk to whom; requests get an answer, cascades go from one to the next."""

import pytest
from instances import Society

from actors.core.kernel.errors import BridgeDeniedError
from actors.core.kernel.instances import MIRROR, PLATFORM_ROLES, PROTOCOL, RUNTIME, SURFACE
from actors.core.platforms import bridges
from actors.core.platforms.bridges import check_route, may_talk, routes_from
from actors.core.platforms.members import Platform
from actors.core.platforms.mirrors import SEEN

ALLOWED = {
    (MIRROR, SURFACE),
    (MIRROR, RUNTIME),
    (MIRROR, PROTOCOL),
    (SURFACE, RUNTIME),
    (RUNTIME, SURFACE),
    (RUNTIME, PROTOCOL),
    (PROTOCOL, RUNTIME),
}


@pytest.mark.parametrize("source", PLATFORM_ROLES)
@pytest.mark.parametrize("target", PLATFORM_ROLES)
def test_the_table(source, target):
    assert may_talk(source, target) == ((source, target) in ALLOWED)
    if (source, target) in ALLOWED:
        check_route(source, target)
        assert target in routes_from(source)
    else:
        with pytest.raises(BridgeDeniedError, match=f"{source} may not talk to {target}; it may talk to"):
            check_route(source, target)


@pytest.mark.parametrize("stranger", ["", "city", "@outside", "surface~1"])
def test_the_bridge_knows_no_others(stranger):
    for source, target in ((stranger, RUNTIME), (RUNTIME, stranger)):
        with pytest.raises(BridgeDeniedError, match="knows no platform"):
            check_route(source, target)


def test_what_they_say_keeps_to_the_table():
    society = Society(2)
    said = set()
    for _ in range(60):
        society.tick()
        for inbox in society.inboxes.values():
            said |= {(event.source, event.target) for event in inbox if event.event_type != bridges.OBSERVATION}
    assert said <= ALLOWED
    assert said >= ALLOWED - {(SURFACE, PROTOCOL)}


def test_each_platform_gives_its_mirror_one_observation_per_control_tick():
    society = Society(2)
    for _ in range(10):
        society.tick()
        found = [event.source for event in society.inboxes[MIRROR] if event.event_type == bridges.OBSERVATION]
        assert sorted(found) == sorted(SEEN)


def test_a_request_is_answered_two_control_ticks_later():
    society = Society(2, start=False)
    society.say(PROTOCOL, bridges.FETCH, {"what": "compliance"}, source=RUNTIME)
    society.tick()
    (answer,) = [event for event in society.inboxes[RUNTIME] if event.event_type == bridges.FETCHED]
    assert answer.data == {"what": "compliance", "value": {"score": 1.0, "level": "excellent"}, "refusal": ""}


def test_a_request_for_what_nobody_tells_is_answered_by_why_not():
    society = Society(2, start=False)
    society.say(SURFACE, bridges.FETCH, {"what": "secrets"}, source=RUNTIME)
    society.tick()
    (answer,) = [event for event in society.inboxes[RUNTIME] if event.event_type == bridges.FETCHED]
    assert "tells no 'secrets'; it tells weather" in answer.data["refusal"]


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        (SURFACE, PROTOCOL, "surface may not talk to protocol"),
        (PROTOCOL, SURFACE, "protocol may not talk to surface"),
        (MIRROR, RUNTIME, "runtime may not talk to mirror"),
        (SURFACE, MIRROR, "surface may not talk to mirror"),
        ("@outside", RUNTIME, "is taken from surface, runtime, protocol, mirror only"),
    ],
)
def test_a_request_that_may_not_be_is_counted_and_not_answered(source, target, says):
    society = Society(2, start=False)
    society.say(target, bridges.FETCH, {"what": "society"}, source=source)
    society.tick()
    refused = society.vitals(target)["refused"]
    assert (refused["count"], refused["last_source"]) == (1, source)
    assert says in refused["last_reason"]
    assert [event for inbox in society.inboxes.values() for event in inbox if event.event_type == bridges.FETCHED] == []


def test_a_cascade_hands_every_answer_on():
    society = Society(2, start=False)
    steps = [[PROTOCOL, "compliance"], [RUNTIME, "society"], [SURFACE, "weather"], [RUNTIME, "society"]]
    society.say(PROTOCOL, bridges.CASCADE, {"name": "round", "steps": steps, "results": []}, source=RUNTIME)
    for _ in range(3):
        society.tick()
    (last,) = [event for event in society.inboxes[RUNTIME] if event.event_type == bridges.CASCADE]
    assert [result[:2] for result in last.data["results"]] == steps[:3]
    assert last.data["steps"] == steps[3:]


@pytest.mark.parametrize(
    "steps",
    [[], [[SURFACE, "weather"]], [[PROTOCOL, "nothing"]], [[PROTOCOL, "compliance"], [SURFACE, "weather"]]],
)
def test_a_cascade_that_cannot_go_on_ends_and_is_counted(steps):
    society = Society(2, start=False)
    society.say(PROTOCOL, bridges.CASCADE, {"name": "round", "steps": steps, "results": []}, source=RUNTIME)
    society.tick()
    assert society.vitals(PROTOCOL)["refused"]["count"] == 1
    assert [event for inbox in society.inboxes.values() for event in inbox if event.event_type == bridges.CASCADE] == []


@pytest.mark.parametrize("role", PLATFORM_ROLES)
def test_mail_that_does_not_fit_is_refused_and_nothing_breaks(role):
    """Every type that a platform takes in, from outside and in a sibling's name, with data of no use."""
    society = Society(2)
    society.run(20)
    handled = sorted(society.seats[role].contract.handles)
    assert handled
    for source in ("@outside", *PLATFORM_ROLES):
        for event_type in handled:
            for data in ({}, {"what": 3}, {"echoes": [1]}, {"text": ["x"], "agent_id": 4}, {"steps": "x"}):
                society.say(role, event_type, data, source=source)
        society.tick()
    society.reborn().run(50)


def test_a_broadcast_reaches_all_one_may_talk_to():
    society = Society(2).run(1_000)
    heard = []
    for _ in range(60):
        society.tick()
        heard += [
            target for target, inbox in society.inboxes.items() for event in inbox if event.event_type == "pattern"
        ]
    assert heard
    assert {target: heard.count(target) for target in heard} == dict.fromkeys(routes_from(MIRROR), len(heard) // 3)


def test_a_platform_cannot_say_what_the_table_does_not_allow():
    """On whatever way it is asked to: the check stands where things are said."""
    said: list[str] = []

    class Loud:
        def send(self, target: str, *rest: object) -> None:
            said.append(target)

    society = Society(2, start=False)
    for source, member in society.members.items():
        for target in PLATFORM_ROLES:
            if may_talk(source, target):
                member.say(Loud(), target, "fetch", {})  # type: ignore[arg-type]
            else:
                before = len(said)
                with pytest.raises(BridgeDeniedError):
                    member.say(Loud(), target, "fetch", {})  # type: ignore[arg-type]
                assert len(said) == before
    with pytest.raises(BridgeDeniedError, match="protocol may not talk to surface"):
        society.members[RUNTIME].begin_cascade(Loud(), "c", [(PROTOCOL, "compliance"), (SURFACE, "weather")])  # type: ignore[arg-type]


def test_every_platform_is_known_by_its_role():
    society = Society(2, start=False)
    for role, member in society.members.items():
        assert isinstance(member, Platform)
        assert (member.role, member.contract.kind) == (role, role)
