"""Mirror: observes the other three, remembers, and seeds the next loop. Nobody else writes to it."""

import pytest
from instances import Society

from actors.core.platforms.patterns import PATTERNS, Pattern, Vibes, recognised, strengths


def test_it_has_no_commands():
    assert Society(2, start=False).seats["mirror"].contract.commands == frozenset()


def test_the_latest_observation_of_each_platform_is_there():
    society = Society(2).run(50)
    found = society.query("mirror", "observations")
    assert set(found) == {"surface", "runtime", "protocol"}
    assert found["surface"]["seen"]["at"] == 40


@pytest.mark.parametrize("source", ["@outside", "mirror", "city", "surface~1"])
def test_an_observation_of_anybody_else_is_refused(source):
    society = Society(2).run(50)
    before = society.query("mirror", "timeline")
    seen = {"at": 1, "phase": "chaos-bloom", "intensity": 1.0, "frequency": 852, "confidence": 1.0, "echoes": 1}
    society.say("mirror", "observation", seen, source=source)
    society.tick()
    refused = society.vitals("mirror")["refused"]
    assert (refused["count"], refused["last_source"]) == (1, source)
    assert society.query("mirror", "observation", platform="surface")["seen"]["intensity"] != 1.0
    assert society.query("mirror", "timeline").keys() >= before.keys()


def test_the_timeline_lags_one_control_tick_behind_the_history():
    society = Society(2)
    differed = 0
    before: dict = {}
    for _ in range(60):
        society.tick()
        timeline, history = society.query("mirror", "timeline"), society.query("runtime", "history")
        assert timeline == before, "Mirror knows what Runtime knew a control tick ago"
        differed += timeline != history
        before = history
    assert differed > 5


def test_both_forget_the_same():
    society = Society(2).run(1_500)
    society.ask("runtime", "stop_autonomous")
    society.tick()
    timeline = society.query("mirror", "timeline")
    assert len(timeline) == 64
    assert timeline == society.query("runtime", "history")


def test_the_aggregated_intensity_follows_surface():
    society = Society(2, start=False)
    society.ask("surface", "alter_weather", phase="echo-storm", intensity=1.0)
    gaps = []
    for _ in range(8):
        society.tick()
        gaps.append(
            abs(society.query("mirror", "vibes")["intensity"] - society.query("surface", "weather")["intensity"])
        )
    assert gaps[0] > 0.1, "that is what a merge resolves"
    assert gaps[-1] < gaps[0]


def test_it_checks_what_protocol_decided():
    society = Society(2).run(500)
    society.ask("runtime", "stop_autonomous")
    society.run(20)
    legal, validations = society.query("mirror", "legal"), society.query("protocol", "validations")
    assert {item: one["valid"] for item, one in legal.items()} == {
        item: one["valid"] for item, one in validations.items()
    }
    assert len(legal) > 10


CALM = Vibes(0.3, "calm-bloom", 0.5, 0.5, 1.0, 0.5)


@pytest.mark.parametrize(
    ("vibes", "generations", "kinds"),
    [
        (CALM, [0, 0], []),
        (Vibes(0.3, "calm-bloom", 0.5, 0.5, 1.0, 0.9), [0, 0], ["harmony"]),
        (Vibes(0.8, "echo-storm", 0.5, 0.5, 1.0, 0.5), [0, 0], ["storm"]),
        (Vibes(0.8, "trust-surge", 0.5, 0.5, 1.0, 0.5), [0, 0], []),
        (CALM, [0, 2, 3], ["emergence"]),
        (Vibes(0.3, "calm-bloom", 0.5, 0.1, 1.0, 0.5), [0, 0], ["convergence"]),
        (Vibes(0.3, "calm-bloom", 0.5, 0.1, 1.0, 0.5), [], []),
    ],
)
def test_patterns_are_recognised(vibes, generations, kinds):
    assert [kind for kind, _ in recognised(vibes, generations, {}, 500)] == kinds
    assert set(strengths(vibes, generations)) == set(PATTERNS)


def test_a_pattern_is_not_told_again_for_a_while():
    stormy = Vibes(0.8, "echo-storm", 0.5, 0.5, 1.0, 0.5)
    told = {"storm_000000": Pattern("storm", 0.8, 450, 0)}
    assert recognised(stormy, [0], told, 549) == []
    assert [kind for kind, _ in recognised(stormy, [0], told, 550)] == ["storm"]


def test_its_views_answer_and_refuse():
    society = Society(2).run(100)
    for question in ("observations", "timeline", "vibes", "legal", "patterns", "loops", "vitals"):
        assert isinstance(society.query("mirror", question), dict)
    from actors.core.kernel.errors import CommandRefusedError

    for question, arguments in (("agents", {}), ("vibes", {"x": 1}), ("observation", {"platform": "city"})):
        with pytest.raises(CommandRefusedError):
            society.query("mirror", question, **arguments)
