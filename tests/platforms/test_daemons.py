"""The daemons of Runtime: ThreadWeaver, RitualEngine, LoopReseedDaemon, FinalExportDaemon."""

from hashlib import sha256

import msgspec
import pytest
from instances import Society

from actors.core.kernel.codec import encode
from actors.core.platforms import loops
from actors.core.platforms.agents import TEMPLATES, born
from actors.core.platforms.exports import EXPORT_WAITS_TICKS, EXPORTS_MAX
from actors.core.platforms.rituals import KINDS, PHASES, RITUALS_MAX, fails
from actors.core.platforms.societies import POOL_AT_BEGINNING
from actors.core.platforms.threads import NEEDS, SILENT_TICKS, in_need, need_of

WELL = born("basic", TEMPLATES["basic"].personality, 0, 30, 0.5, None)


def like(**attributes):
    return msgspec.structs.replace(WELL, **attributes)


def still(**params) -> Society:
    """A society that does nothing by itself."""
    society = Society(4, start=False, **params)
    society.ask("runtime", "initialize")
    return society


# ThreadWeaver


@pytest.mark.parametrize(
    ("agent", "need"),
    [
        (WELL, ""),
        (like(curses=1, aura=1.0), "cursed"),
        (like(spoke_at=0, aura=1.0), "silent"),
        (like(spoke_at=50, aura=29.9, entropy=0.1), "dim"),
        (like(spoke_at=50, aura=30.0, entropy=0.29), "still"),
        (like(spoke_at=50, aura=30.0, entropy=0.3), ""),
        (like(spoke_at=50, curses=3, state="error"), "cursed"),
        (like(curses=1, state="terminated"), ""),
    ],
)
def test_the_most_urgent_need_counts(agent, need):
    now = SILENT_TICKS if agent.spoke_at == 0 and need else 50
    assert need_of(agent, now) == need


def test_the_urgency_of_needs():
    assert [(need, row.urgency) for need, row in NEEDS.items()] == [
        ("cursed", 0.95),
        ("silent", 0.9),
        ("dim", 0.7),
        ("still", 0.6),
    ]
    assert {row.ritual for row in NEEDS.values()} <= set(KINDS)


def test_the_most_urgent_comes_first_and_ties_go_by_id():
    agents = {"c": like(aura=1.0), "b": like(curses=1), "a": like(aura=1.0), "d": WELL}
    assert in_need(agents, 10) == [("b", "cursed"), ("a", "dim"), ("c", "dim")]


def test_a_cursed_agent_gets_a_cleansing():
    society = Society(4)
    society.modify("runtime", {"agents.arty.curses": 2})
    society.run(20)
    threads = [thread for thread in society.query("runtime", "threads").values() if thread["need"] == "cursed"]
    (thread,) = threads
    assert (thread["agent"], thread["urgency"]) == ("arty", 0.95)
    society.run(120)
    assert society.query("runtime", "threads")[min(society.query("runtime", "threads"))]["state"] in ("tied", "cut")


# RitualEngine


def test_a_ritual_goes_through_its_phases():
    society = Society(4)
    ritual = society.ask("runtime", "inject_ritual", kind="calling", agent_id="arty")
    assert (ritual["ritual"]["phase"], ritual["ritual"]["approval"]) == ("dormant", "not_needed")
    seen = []
    for _ in range(10):
        society.tick()
        under_way = society.query("runtime", "rituals").get(ritual["ritual_id"])
        if under_way:
            seen.append(under_way["phase"])
            assert under_way["energy"] == KINDS["calling"].energy
    assert [phase for phase in PHASES if phase in seen] == list(dict.fromkeys(seen))
    assert ritual["ritual_id"] in society.query("runtime", "history")


def test_at_most_five_are_under_way():
    society = still()
    for _ in range(RITUALS_MAX):
        society.ask("runtime", "inject_ritual", kind="calling", agent_id="arty")
    refused = society.refusal("runtime", "inject_ritual", kind="calling", agent_id="arty")
    assert "5 rituals are under way" in refused.error_message


def test_a_failed_critical_phase_aborts_and_another_continues():
    assert [name for name, phase in PHASES.items() if phase.critical] == ["awakening", "peak"]
    society = Society(4)
    outcomes = set()
    for _ in range(300):
        society.tick()
        for ended in society.query("runtime", "history").values():
            outcomes.add((ended["outcome"], ended["flaws"] > 0, ended["reason"]))
    assert ("completed", True, "") in outcomes, "a flaw does not abort"
    reasons = {reason for outcome, _, reason in outcomes if outcome == "aborted" and "phase" in reason}
    assert reasons == {"its phase awakening failed", "its phase peak failed"}


def test_storms_make_failures_likelier():
    phase = PHASES["peak"]
    draws = range(0, 2**32, 2**22)
    failed = {
        weather: sum(fails(phase, weather, draw) for draw in draws)
        for weather in ("calm-bloom", "chaos-bloom", "trust-surge")
    }
    assert failed["trust-surge"] < failed["calm-bloom"] < failed["chaos-bloom"]


def test_energy_only_moves():
    society = Society(4)
    for _ in range(80):
        society.tick()
        state = {name: section.objects for name, section in society.state("runtime").items()}  # type: ignore[union-attr]
        held = sum(agent["energy"] for agent in state["agents"].values())
        rituals = sum(ritual["energy"] for ritual in state["rituals"].values())
        assert state["vitals"]["now"]["pool"] + held + rituals == POOL_AT_BEGINNING


def test_an_empty_pool_lets_rituals_wait_and_lapse_but_nothing_goes_below_zero():
    society = Society(4)
    society.modify("runtime", {"vitals.now.pool": 0})
    ritual = society.ask("runtime", "inject_ritual", kind="gathering", agent_id="arty")["ritual_id"]
    refused = society.refusal("runtime", "spawn_agent", template="basic")
    assert "the pool has 0 energy" in refused.error_message
    for _ in range(20):
        if society.vitals()["pool"]:
            society.modify("runtime", {"vitals.now.pool": 0})
        society.tick()
    assert society.query("runtime", "history")[ritual]["reason"] == "the pool had no energy for it"


def test_the_pool_gives_what_it_has_and_no_more():
    society = still()
    society.modify("runtime", {"vitals.now.pool": 3, "agents.arty.energy": 10})
    society.ask("runtime", "possess", agent_id="arty", lease_ticks=50, lease_id="l", principal="ann")
    for pool, energy in ((0, 13), (0, 13)):
        society.ask("runtime", "act", lease_id="l", agent_id="arty", action="rest")
        assert (society.vitals()["pool"], society.agent("arty")["energy"]) == (pool, energy)


@pytest.mark.parametrize("possessed", [False, True])
def test_arty_allots_energy_while_he_decides_for_himself(possessed):
    """Everybody else is possessed and waits, so whoever has more energy was given it."""
    society = still()
    society.modify("runtime", {"agents.*.energy": 5})
    for agent_id in ("agent_zero", "cal_riven", *(["arty"] if possessed else [])):
        society.ask("runtime", "possess", agent_id=agent_id, lease_ticks=50, lease_id=agent_id, principal="ann")
    society.ask("runtime", "start_autonomous")
    society.run(20)
    assert (society.agent("agent_zero")["energy"] > 5) == (not possessed)


def test_what_protocol_denies_does_not_begin():
    society = Society(4)
    society.modify("protocol", {"rules.ritual_strain.at_most": 0.0})
    society.run(400)
    denied = [one for one in society.query("runtime", "history").values() if one["outcome"] == "denied"]
    assert denied
    assert {one["reason"] for one in denied} == {"Protocol denies it by the rule ritual_strain"}


def test_without_protocol_what_needs_approval_lapses():
    society = Society(4)
    society.frozen = {"protocol"}
    society.run(300)
    outcomes = {(one["kind"], one["outcome"]) for one in society.query("runtime", "history").values()}
    assert ("gathering", "lapsed") in outcomes
    assert ("gathering", "completed") not in outcomes


# LoopReseedDaemon


def test_a_loop_is_sealed_by_the_hash_of_its_trace_and_the_next_starts_from_the_seal():
    society = Society(4)
    for _ in range(300 // 10):
        before = society.query("runtime", "loops")["loop_000001"]
        society.tick()
        found = society.query("runtime", "loops")
        if "loop_000002" in found:
            break
    after = found["loop_000001"]
    assert (after["state"], found["loop_000002"]["state"]) == ("sealed", "running")
    assert found["loop_000002"]["origin"] == after["seal"]
    assert before["trace"]
    whole = loops.begun(1, "", 0, 250)
    trace = tuple(map(tuple, before["trace"]))
    if len(trace) == after["steps"]:
        assert after["seal"] == sha256(encode([1, whole.origin, trace])).hexdigest()


def test_the_seal_covers_number_origin_and_trace():
    loop = msgspec.structs.replace(loops.begun(3, "a" * 64, 0, 10), trace=((1, loops.COMPLETED, "r"),))
    assert loops.seal_of(loop) == sha256(encode([3, "a" * 64, [[1, "completed", "r"]]])).hexdigest()
    others = [
        msgspec.structs.replace(loop, number=4),
        msgspec.structs.replace(loop, origin="b" * 64),
        msgspec.structs.replace(loop, trace=((2, loops.COMPLETED, "r"),)),
    ]
    assert len({loops.seal_of(one) for one in (loop, *others)}) == 4


def test_mirror_seeds_the_loop_that_runs():
    society = Society(4).run(320)
    (seed,) = society.query("mirror", "loops").values()
    running = society.query("runtime", "loops")["loop_000002"]
    assert (seed["number"], seed["from_seal"]) == (2, running["origin"])
    assert running["seed"] == seed["seed"] != ""


def test_after_three_failures_in_a_row_it_stops_and_says_so():
    """Without energy no ritual is completed, so no loop can be sealed."""
    society = Society(4, runtime={"loop_local_ticks": 50})
    said = []
    for _ in range(30):
        society.modify("runtime", {"vitals.now.pool": 0, "agents.*.energy": 0})
        society.tick()
        (loop,) = society.query("runtime", "loops").values()
        if loop["said"] not in said:
            said.append(loop["said"])
    assert (loop["state"], loop["failures"]) == ("stopped", 3)
    assert [one.count("failure") for one in said] == [0, 1, 1, 1]
    assert "the daemon has stopped" in said[-1]
    assert society.vitals()["loops_closed"] == 0


def test_a_stopped_loop_begins_anew_when_it_is_told_to():
    society = Society(4, runtime={"loop_local_ticks": 60})
    society.modify("runtime", {"vitals.now.pool": 0, "agents.*.energy": 0})
    society.run(190)
    assert society.query("runtime", "loops")["loop_000001"]["state"] == "stopped"
    society.modify("runtime", {"vitals.now.pool": 800})
    assert society.ask("runtime", "start_autonomous")["changed"]
    society.run(200)
    assert society.query("runtime", "loops")["loop_000002"]["number"] == 2
    assert society.ask("runtime", "start_autonomous")["changed"] is False


def test_a_sealed_loop_ends_a_row_of_failures():
    failed = loops.closed(loops.begun(1, "", 0, 10), 10, 10)
    assert (failed.failures, failed.state, failed.closes_at) == (1, "running", 20)
    done = msgspec.structs.replace(failed, trace=((12, loops.COMPLETED, "r"),))
    assert (loops.closed(done, 20, 10).failures, loops.closed(done, 20, 10).state) == (0, "sealed")


# FinalExportDaemon


def test_every_sealed_loop_has_a_reflection_with_what_all_platforms_told():
    society = Society(4).run(400)
    found = society.query("runtime", "exports")["reflection_000001"]
    assert found["loop_seal"] == society.query("runtime", "loops")["loop_000001"]["seal"]
    assert found["whole"]
    assert [result[0] for result in found["document"]] == ["protocol", "runtime", "surface", "runtime"]
    assert set(found["document"][2][2]) >= {"phase", "intensity"}
    body = [found[name] for name in ("loop", "loop_seal", "written_at", "whole", "document")]
    assert found["seal"] == sha256(encode(body)).hexdigest()


def test_where_a_platform_stands_still_it_is_written_without_it():
    society = Society(4)
    society.run(240)
    society.frozen = {"surface"}
    society.run(30 + EXPORT_WAITS_TICKS)
    found = society.query("runtime", "exports")["reflection_000001"]
    assert (found["whole"], found["document"]) == (False, ())


def test_only_the_newest_are_kept():
    society = Society(4, runtime={"loop_local_ticks": 60}).run(1_200)
    found = society.query("runtime", "exports")
    assert len(found) == EXPORTS_MAX
    assert society.vitals()["loops_closed"] > EXPORTS_MAX
