"""An instance left alone is a small society that one can watch."""

from itertools import pairwise
from statistics import mean, stdev
from typing import Any

import pytest
from instances import Society, instance

from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.platforms.agents import AGENT_ENERGY_MAX, AGENTS_MAX, MEMORIES_MAX
from actors.core.platforms.rituals import HISTORY_MAX, RITUALS_MAX
from actors.core.platforms.societies import POOL_AT_BEGINNING
from actors.core.platforms.weathers import WEATHER_PHASES

LIFE_TICKS = 10_000
WARM_UP_TICKS = 200
WINDOW_TICKS = 1_000


@pytest.fixture(scope="module")
def life() -> dict[str, Any]:
    """Ten thousand local ticks of one instance, looked at once per control tick."""
    society = Society(1)
    seen: dict[str, Any] = {name: [] for name in ("phase", "intensity", "denied", "completed", "aborted", "seals")}
    bytes_max = dict.fromkeys(PLATFORM_ROLES, 0)
    for k in range(LIFE_TICKS // 10):
        society.tick()
        weather, vitals = society.query("surface", "weather"), society.vitals()
        seen["phase"].append(weather["phase"])
        seen["intensity"].append(weather["intensity"])
        seen["denied"].append(society.vitals("protocol")["denied"])
        seen["completed"].append(vitals["completed"])
        seen["aborted"].append(vitals["aborted"])
        check_bounds(society, vitals)
        if k % 50 == 0:
            society.reborn()
            for role in PLATFORM_ROLES:
                bytes_max[role] = max(bytes_max[role], len(society.seats[role].capture()))
    return seen | {"society": society, "bytes_max": bytes_max}


def check_bounds(society: Society, vitals: dict[str, Any]) -> None:
    agents = society.query("runtime", "agents")
    assert len(agents) <= AGENTS_MAX
    assert len(society.query("runtime", "rituals")) <= RITUALS_MAX
    assert len(society.query("runtime", "history")) <= HISTORY_MAX
    for agent in agents.values():
        assert 0 <= agent["energy"] <= AGENT_ENERGY_MAX
        assert len(agent["memory"]) <= MEMORIES_MAX
        assert 0.0 <= agent["mood"] <= 1.0
        assert agent["generation"] <= 3
    assert vitals["pool"] >= 0
    totals = society.seats["runtime"].status().totals
    assert totals == {"energy": POOL_AT_BEGINNING} == society.ledger


def windows(values: list[Any]) -> list[list[Any]]:
    """The values of every window after the warm-up, one from each control tick on."""
    length, first = WINDOW_TICKS // 10, WARM_UP_TICKS // 10
    return [values[at : at + length] for at in range(first, len(values) - length + 1)]


def test_every_phase_of_the_weather_recurs_in_every_window(life):
    assert all(set(window) == set(WEATHER_PHASES) for window in windows(life["phase"]))


@pytest.mark.parametrize("what", ["denied", "completed", "aborted"])
def test_denials_by_protocol_and_rituals_recur_in_every_window(life, what):
    assert all(window[-1] > window[0] for window in windows(life[what]))


def test_the_weather_is_no_clockwork(life):
    assert all(0.1 <= intensity <= 1.0 for intensity in life["intensity"])
    assert max(life["intensity"]) - min(life["intensity"]) > 0.5
    turns = [phase for phase, before in zip(life["phase"][1:], life["phase"], strict=False) if phase != before]
    followers = set(pairwise(turns))
    assert len(followers) > 10, "a phase has more than one that may follow"


def test_state_does_not_grow_without_end(life):
    assert all(size < 100_000 for size in life["bytes_max"].values()), life["bytes_max"]


def test_all_of_it_is_used(life):
    society = life["society"]
    vitals = society.vitals()
    assert all(count > 0 for count in vitals["acts"].values())
    for counter in ("born", "ended", "governor_denials", "protocol_denials", "ventures", "threads", "loops_closed"):
        assert vitals[counter] > 0, counter
    for role in PLATFORM_ROLES:
        assert society.vitals(role)["refused"]["count"] == 0, f"{role}: the platforms say nothing that may not be"
    assert society.lost == []
    assert society.vitals("mirror")["patterns"] > 10
    assert len(society.query("runtime", "exports")) == 8
    assert all(export["whole"] for export in society.query("runtime", "exports").values())


def test_mirror_remembers_what_runtime_did_one_control_tick_later(life):
    society = life["society"]
    before = society.query("runtime", "history")
    society.ask("runtime", "stop_autonomous")
    society.tick()
    assert society.query("mirror", "timeline") == society.query("runtime", "history")
    assert before.keys() <= society.query("mirror", "timeline").keys()


def lived(seed: int, changes: dict[str, Any], local_ticks: int) -> dict[str, float]:
    with instance(seed, digest_interval_control_ticks=1_000) as mv:
        if changes:
            mv.modify("runtime", changes)
        mv.run(control_ticks=local_ticks // 10)
        vitals = mv.query("runtime", "vitals")
    return {"completed": vitals["completed"], "ventures": vitals["ventures"]}


def test_a_personality_matters_more_than_the_seed():
    """Twenty pairs of lives, the two of a pair with the same draws, that differ in one trait of one agent."""
    changes = {"agents.arty.personality.ambition": "completed", "agents.agent_zero.personality.ambition": "ventures"}
    unchanged = [lived(seed, {}, 700) for seed in range(20)]
    for path, measure in changes.items():
        changed = [lived(seed, {path: 0.05}, 700) for seed in range(20)]
        pairs = [(one[measure], other[measure]) for one, other in zip(unchanged, changed, strict=True)]
        effect = mean(after - before for before, after in pairs)
        spread = stdev(before for before, _ in pairs)
        assert abs(effect) > spread, (path, effect, spread, pairs)
        assert sum(after < before for before, after in pairs) >= 18, (path, pairs)
