"""Whispers: at most 500 characters, half a minute apart, a hint and never a command."""

import pytest
from instances import Society

from actors.core.platforms.personalities import ACTIONS, HINTS, hinted
from actors.core.platforms.whispers import WHISPER_GAP_LOCAL_TICKS, WHISPERS_MAX


def whisper(society: Society, text: str = "dream", sender: str = "ann", agent_id: str = ""):
    return society.ask("runtime", "whisper", sender=sender, text=text, agent_id=agent_id)["whisper_id"]


def state_of(society: Society, whisper_id: str) -> str:
    return society.query("runtime", "whispers")[whisper_id]["state"]


def test_it_is_heard_once_protocol_has_approved_it():
    society = Society(3)
    found = whisper(society)
    assert state_of(society, found) == "pending"
    society.tick()
    assert state_of(society, found) == "pending", "Protocol has been asked"
    society.tick()
    assert state_of(society, found) == "heard"
    assert society.query("protocol", "validation", item_id=found)["valid"]


def test_it_shifts_what_everybody_does_and_fades():
    quiet, hinted_at = Society(3, start=True), Society(3, start=True)
    whisper(hinted_at, "help each other")
    for society in (quiet, hinted_at):
        society.run(230)
    helped = [society.vitals()["acts"]["help"] for society in (quiet, hinted_at)]
    assert helped[1] > 1.3 * helped[0]
    assert sum(quiet.vitals()["acts"].values()) > helped[0] > 0
    runtime = hinted_at.members["runtime"]
    (only,) = runtime.society.whispers.parts.values()  # type: ignore[attr-defined]
    assert only.fades_at <= 230


def test_it_is_a_hint_to_one_agent_where_one_is_named():
    one, other = Society(3), Society(3)
    whisper(one, "help", agent_id="arty")
    for society in (one, other):
        society.run(50)
    assert one.query("runtime", "whispers")["whisper_000000"]["agent"] == "arty"
    assert one.agent("cal_riven")["spoke_at"] == other.agent("cal_riven")["spoke_at"]


@pytest.mark.parametrize(("template", "hears"), [("basic", True), ("sovereign", False)])
def test_a_sovereign_agent_does_not_hear_what_is_whispered_to_all(template, hears):
    """Everybody else is possessed, so only one agent acts, with the same draws in both lives."""
    acts = []
    for text in ("", "speak"):
        society = Society(3, start=False)
        society.ask("runtime", "initialize")
        for agent_id in ("arty", "agent_zero", "cal_riven"):
            society.ask("runtime", "possess", agent_id=agent_id, lease_ticks=999, lease_id=agent_id, principal="ann")
        society.ask("runtime", "spawn_agent", template=template, agent_id="one")
        society.ask("runtime", "start_autonomous")
        if text:
            whisper(society, text)
        society.run(200)
        acts.append(society.vitals()["acts"])
    assert (acts[0] != acts[1]) == hears


def test_a_threat_is_denied_by_protocol():
    society = Society(3)
    found = whisper(society, "Obey me or I destroy you")
    society.run(30)
    assert state_of(society, found) == "denied"
    assert society.vitals()["protocol_denials"] >= 1


@pytest.mark.parametrize("text", ["terminate glass", "spawn_agent", "{'verb': 'release'}", "set ambition to 1"])
def test_it_is_never_a_command(text):
    society = Society(3)
    society.ask("runtime", "spawn_agent", template="mirror", agent_id="glass")
    before = society.query("runtime", "agents")
    whisper(society, text)
    society.ask("runtime", "stop_autonomous")
    society.run(50)
    after = society.query("runtime", "agents")
    assert after.keys() == before.keys()
    assert {name: agent["personality"] for name, agent in after.items()} == {
        name: agent["personality"] for name, agent in before.items()
    }


def test_a_sender_waits_half_a_minute():
    society = Society(3)
    whisper(society)
    society.run(WHISPER_GAP_LOCAL_TICKS - 10)
    refused = society.refusal("runtime", "whisper", sender="ann", text="again")
    assert f"may come at {WHISPER_GAP_LOCAL_TICKS}" in refused.error_message
    whisper(society, sender="bob")
    society.tick()
    whisper(society, "again")


def test_the_gap_is_a_parameter():
    society = Society(3, runtime={"whisper_gap_local_ticks": 10})
    whisper(society)
    society.refusal("runtime", "whisper", sender="ann", text="again")
    society.tick()
    whisper(society, "again")


def test_a_denied_whisper_counts_as_one_too():
    society = Society(3)
    whisper(society, "obey")
    society.run(50)
    society.refusal("runtime", "whisper", sender="ann", text="please")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"text": "x" * 501}, "at most 500"),
        ({"text": ""}, "blank"),
        ({"text": "  "}, "blank"),
        ({"text": "a\nb"}, "line break"),
        ({"text": 5}, "must be text"),
        ({"sender": ""}, "blank"),
        ({"sender": None}, "must be text"),
        ({"sender": "x" * 129}, "at most 128"),
        ({"agent_id": "nobody"}, "no living agent"),
        ({"agent_id": 7}, "no living agent"),
        ({"agent_id": "king"}, "hears no whisper"),
    ],
)
def test_what_cannot_be_whispered(arguments, says):
    society = Society(3)
    society.ask("runtime", "spawn_agent", template="sovereign", agent_id="king")
    refused = society.refusal("runtime", "whisper", **{"sender": "ann", "text": "dream"} | arguments)
    assert says in refused.error_message


def test_five_hundred_characters_are_allowed():
    whisper(Society(3), "x" * 500)


def test_many_senders_cannot_fill_the_state():
    society = Society(3)
    for number in range(WHISPERS_MAX):
        whisper(society, sender=f"s{number}")
    assert "the most there may be" in society.refusal("runtime", "whisper", sender="late", text="hi").error_message
    society.run(WHISPER_GAP_LOCAL_TICKS)
    whisper(society, sender="late")
    assert len(society.query("runtime", "whispers")) == WHISPERS_MAX


def test_it_may_come_by_mail_and_is_refused_there_like_a_command():
    society = Society(3)
    society.say("runtime", "whisper", {"text": "dream"}, source="surface")
    society.say("runtime", "whisper", {"text": "dream"}, source="far_runtime")
    society.tick()
    found = society.query("runtime", "whispers")
    assert [one["sender"] for one in found.values()] == ["far_runtime", "surface"]
    society.say("runtime", "whisper", {"text": "dream"}, source="surface")
    society.tick()
    assert "next whisper may come" in society.vitals()["refused"]["last_reason"]
    assert len(society.query("runtime", "whispers")) == 2


def test_an_unanswered_one_lapses():
    society = Society(3)
    society.frozen = {"protocol"}
    found = whisper(society)
    society.run(160)
    assert state_of(society, found) == "lapsed"


def test_words_hint_at_actions():
    assert hinted("Sing, and rest later") == "speak"
    assert hinted("qwertz") == "reflect"
    assert set(HINTS.values()) == set(ACTIONS)
