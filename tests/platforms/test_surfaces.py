"""Surface: echoes, traces and the vibe weather; it takes in nothing else."""

import pytest
from instances import Society

from actors.core.platforms.surfaces import ECHO_FADES
from actors.core.platforms.weathers import (
    FREQUENCIES,
    PHASE_TICKS_LEAST,
    WEATHER_PHASES,
    Pressures,
    after_tick,
    at_beginning,
    certain,
)


def echoing(society: Society, agent_id: str = "ann", mood: float = 0.5):
    return society.ask("surface", "emit_echo", agent_id=agent_id, mood=mood)


def test_the_last_five_echoes_are_kept_and_fade():
    society = Society(8, start=False)
    for number in range(7):
        echoing(society, mood=number / 10)
    found = society.query("surface", "echo", agent_id="ann")
    assert [echo["mood"] for echo in found["recent"]] == [number / 10 for number in range(2, 7)]
    assert found["latest"]["mood"] == 0.6
    society.tick()
    expected = 1.0
    for _ in range(10):
        expected *= ECHO_FADES
    assert {echo["strength"] for echo in society.query("surface", "echo", agent_id="ann")["recent"]} == {expected}
    society.run(400)
    assert {echo["strength"] for echo in society.query("surface", "echo", agent_id="ann")["recent"]} == {0.0}


def test_an_agent_s_echo_is_what_it_was_when_it_spoke():
    society = Society(8).run(200)
    echoes, agents = society.query("surface", "echoes"), society.query("runtime", "agents")
    shared = set(echoes["arty"]["latest"])
    assert shared == {"mood", "energy", "state", "aura"}
    assert shared <= set(agents["arty"])
    assert any(echoes[one]["latest"][name] != agents[one][name] for one in echoes if one in agents for name in shared)


def test_the_last_twenty_traces_are_kept():
    society = Society(8).run(900)
    traces = society.query("surface", "traces")
    assert len(traces) == 20
    assert society.vitals("surface")["traces"] > 20
    orders = sorted(trace["order"] for trace in traces.values())
    assert orders == list(range(orders[0], orders[0] + 20))


@pytest.mark.parametrize(("phase", "frequency"), FREQUENCIES.items())
def test_the_weather_can_be_altered(phase, frequency):
    society = Society(8, start=False)
    told = society.ask("surface", "alter_weather", phase=phase, intensity=1)
    assert (told["phase"], told["frequency"], told["intensity"]) == (phase, frequency, 1.0)
    society.tick()
    assert society.query("surface", "weather")["phase"] == phase


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"phase": "hail"}, "no phase"),
        ({"phase": None}, "no phase"),
        ({"phase": "calm-bloom", "intensity": 0.09}, "from 0.1 to 1.0"),
        ({"phase": "calm-bloom", "intensity": 1.01}, "from 0.1 to 1.0"),
        ({"phase": "calm-bloom", "intensity": True}, "from 0.1 to 1.0"),
        ({"phase": "calm-bloom", "intensity": "high"}, "from 0.1 to 1.0"),
    ],
)
def test_no_other_weather_can_be_made(arguments, says):
    assert says in Society(8, start=False).refusal("surface", "alter_weather", **arguments).error_message


@pytest.mark.parametrize(
    "arguments",
    [
        {"agent_id": "", "mood": 0.5},
        {"agent_id": "now", "mood": 0.5},
        {"agent_id": 4, "mood": 0.5},
        {"agent_id": "ann", "mood": 1.5},
        {"agent_id": "ann", "mood": "low"},
        {"agent_id": "ann", "mood": 0.5, "energy": -1},
        {"agent_id": "ann", "mood": 0.5, "state": "asleep"},
        {"agent_id": "ann", "mood": 0.5, "aura": 101},
    ],
)
def test_an_echo_must_be_one(arguments):
    Society(8, start=False).refusal("surface", "emit_echo", **arguments)


@pytest.mark.parametrize("verb", ["set_agent", "initialize", "spawn_agent", "whisper", "write"])
def test_it_is_read_only_to_commands(verb):
    assert "has no command" in Society(8, start=False).refusal("surface", verb).error_message


def test_it_is_read_only_to_events():
    handled = Society(8, start=False).seats["surface"].contract.handles
    assert handled == {"echo", "ritual_trace", "weather_influence", "pattern", "fetch", "fetched", "cascade"}


def test_the_phase_under_the_highest_pressure_follows():
    before = at_beginning()
    pressed = type(before)(
        "calm-bloom", 0.3, 432, "steady", 0.0, 0, PHASE_TICKS_LEAST, 0.5, Pressures(900, 10, 20, 800, 30)
    )
    assert after_tick(pressed, {}, 0, PHASE_TICKS_LEAST - 1, 0).phase == "calm-bloom"
    after = after_tick(pressed, {}, 0, PHASE_TICKS_LEAST, 0)
    assert (after.phase, after.pressures.drift_wave, after.frequency) == ("drift-wave", 0, FREQUENCIES["drift-wave"])
    pushed = after_tick(pressed, {"echo-storm": 1_000}, 0, PHASE_TICKS_LEAST, 0)
    assert pushed.phase == "echo-storm"


def test_what_happens_in_the_society_pushes_the_weather():
    one, other = Society(8, start=False), Society(8, start=False)
    other.say("surface", "weather_influence", {"phase": "chaos-bloom", "push": 900, "because": "a test"})
    other.say("surface", "weather_influence", {"phase": "chaos-bloom", "push": 9_000, "because": "too much"})
    for society in (one, other):
        society.run(40)
    assert one.query("surface", "weather")["phase"] != "chaos-bloom"
    assert other.query("surface", "weather")["phase"] == "chaos-bloom"
    assert other.vitals("surface")["refused"]["count"] == 1


def test_intensity_stays_within_its_bounds():
    weather = at_beginning()
    for now in range(2_000):
        weather = after_tick(weather, {}, 0, now, now * 2_654_435_761 % 2**64)
        assert 0.1 <= weather.intensity <= 1.0
        assert weather.trajectory in ("rising", "steady", "falling")


def test_confidence_grows_with_the_number_of_echoes():
    assert [certain(echoes) for echoes in (0, 5, 25, 100)] == [0.0, 0.2, 1.0, 1.0]
    society = Society(8).run(300)
    assert society.query("surface", "weather")["confidence"] > 0.5


def test_the_measures():
    society = Society(8).run(100)
    measures = society.members["surface"].measures()
    assert WEATHER_PHASES[int(measures["phase"])] == society.query("surface", "weather")["phase"]
