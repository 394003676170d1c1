"""Merges: the four platforms as one truth, and one instance of several."""

import pytest

from actors.core.kernel.errors import CallerError, CommandRefusedError, MergeRefusedError
from actors.instance_clocks import InstanceClock
from orchestration import Multiverse
from tests.orchestration.societies_at_work import agents, god, intervene


@pytest.fixture
def mv(tmp_path):
    with Multiverse(1, engine="local", name="m", vault=tmp_path / "m.sqlite", principal="zeus") as found:
        found.create_instance("alpha")
        found.run(12)
        yield found


def test_platforms_are_merged_into_one_truth_and_nobody_notices(tmp_path):
    def lived(merges):
        with Multiverse(1, engine="local", name="m", vault=tmp_path / f"{merges}.sqlite") as mv:
            mv.create_instance("alpha")
            for _ in range(5):
                mv.run(4)
                if merges:
                    unified = mv.merge_all_active_platforms("alpha")
                    types = {one.type for one in unified.metadata.conflicts}
            return mv.digest_chain(), unified if merges else None, types if merges else None

    chain, unified, types = lived(True)
    assert chain == lived(False)[0]
    assert "AGENT_STATE_MISMATCH" in types, "what one says reaches another a control tick later"
    assert (unified.instance, unified.control_tick, unified.local_tick) == ("i1", 20, 200)
    assert unified.metadata.ticks_paused == 0
    assert set(unified.state) == {
        *("agents", "ritual_timeline", "ritual_history", "vibes", "autonomous_operations", "validations")
    }


def test_on_a_clock_that_runs_the_merge_is_at_the_control_tick_that_was_named(mv):
    mv.start("fast")
    waiting = mv.begin_merge("alpha", sync_delay_ticks=200)
    unified = waiting.result()
    mv.pause()
    assert unified.control_tick >= 32
    assert unified.local_tick == unified.control_tick * 10


def test_a_merge_that_was_waited_for_is_done_where_the_clock_comes_to_stand(mv):
    mv.start("fast")
    waiting = mv.begin_merge("alpha", sync_delay_ticks=1_000_000)
    boundary = mv.pause()
    assert waiting.result().control_tick == boundary["control_tick"]
    with pytest.raises(CommandRefusedError, match="sync_delay_ticks"):
        mv.merge_all_active_platforms("alpha", sync_delay_ticks=-1)


def test_the_status_says_why_nobody_goes_on_and_all_do_when_a_merge_has_failed(mv, monkeypatch):
    told = []

    def failing(clock, fork):
        told.extend(clock.status().waiting)
        raise MergeRefusedError("it could not be.")

    monkeypatch.setattr(InstanceClock, "_unified", failing)
    with pytest.raises(MergeRefusedError, match="could not be"):
        mv.merge_all_active_platforms("alpha")
    assert any("making one truth of the platforms of i1 (merge_operation)" in one for one in told)
    assert not mv.status().waiting
    assert mv.instance("alpha").stills == {}
    mv.run(1)
    assert {one["local_tick"] for one in mv.members() if one["member_id"].endswith("~1")} == {130}


def test_instances_are_merged_against_what_they_come_from(mv):
    red, blue = mv.fork_instance(
        "alpha",
        names=["red", "blue"],
        modifications=[
            {"runtime.agents.arty.personality.creativity": 0.25},
            {"runtime.agents.cal_riven.personality.calm": 0.125},
        ],
    )
    before = mv.digest()
    told = god(mv, "MERGE_INSTANCES", ids=["red", "blue"], dry_run=True)
    assert (told.instance_id, told.report["conflicts_count"], mv.digest()) == ("", 0, before)
    made = god(mv, "MERGE_INSTANCES", ids=["red", "blue"], name="violet")
    assert made.report["bases"] == ("i1 at control tick 12",)
    merged = agents(mv, "violet")
    assert merged["arty"]["personality"]["creativity"] == 0.25
    assert merged["cal_riven"]["personality"]["calm"] == 0.125
    assert {one.fork for one in mv.instances() if one.name in ("red", "blue")} == {red.fork, blue.fork}, "they live on"
    keys = ("conflicts_count", "changed_count", "broken", "bases", "conflicts")
    assert [made.report[key] for key in keys] == [told.report[key] for key in keys], "a dry run tells the same"
    mv.run(5)
    assert all(there == owed for there, owed in mv.audit()["conservation"].values())
    chain = mv.digest_chain()
    with mv.at(17) as past:
        assert past.digest_chain() == chain


def test_conflicts_are_won_by_the_strategy_or_by_nobody(mv):
    changes = [{"runtime.agents.arty.personality.calm": value} for value in (0.25, 0.75)]
    mv.fork_instance("alpha", names=["red", "blue"], modifications=changes)
    before = mv.digest()
    with pytest.raises(MergeRefusedError, match=r"runtime/agents\[arty\].personality.calm"):
        god(mv, "MERGE_INSTANCES", ids=["red", "blue"])
    assert mv.digest() == before
    assert len(god(mv, "MERGE_INSTANCES", ids=["red", "blue"], dry_run=True).report["conflicts"]) == 1
    for strategy, calm in (("ours", 0.25), ("theirs", 0.75)):
        god(mv, "MERGE_INSTANCES", ids=["red", "blue"], strategy=strategy, name=strategy)
        assert agents(mv, strategy)["arty"]["personality"]["calm"] == calm


@pytest.mark.parametrize("strategy", ["ours", "theirs"])
def test_lives_that_have_long_been_apart_become_one_that_lives_on(mv, strategy):
    ambitious = [{f"runtime.agents.{one}.personality.ambition": 1.0} for one in ("arty", "agent_zero")]
    mv.fork_instance("alpha", names=["red", "blue"], modifications=ambitious)
    mv.possess("red", "arty", lease_ticks=1_000)
    mv.run(25)
    report = god(mv, "MERGE_INSTANCES", ids=["red", "blue"], strategy=strategy, name="violet").report
    assert report["conflicts_count"] > 10
    winner = "red" if strategy == "ours" else "blue"
    for role in ("mirror", "protocol", "surface"):
        assert mv.state_of(mv.instance("violet")[role]) == mv.state_of(mv.instance(winner)[role]), role
    merged = agents(mv, "violet")
    assert [merged[one]["personality"]["ambition"] for one in ("arty", "agent_zero")] == [1.0, 1.0]
    assert {one["possession"] for one in merged.values()} == {None}
    mv.run(40)
    assert all(not game["error"] for game in mv.status().state["games"])
    assert all(there == owed for there, owed in mv.audit()["conservation"].values())


def test_more_agents_than_have_a_place_are_refused_and_named(mv):
    mv.fork_instance("alpha", names=["red", "blue"])
    for number in range(16 - len(agents(mv))):
        for name in ("red", "blue"):
            intervene(mv, name, "spawn_agent", agent=f"{name}_{number}")
    command = {"ids": ["red", "blue"], "strategy": "ours"}
    told = god(mv, "MERGE_INSTANCES", **command, dry_run=True).report["broken"]
    assert "agents would live there, and at most 16 can" in told[0]
    with pytest.raises(MergeRefusedError, match="at most 16 can"):
        god(mv, "MERGE_INSTANCES", **command)


def test_three_fold_from_left_to_right_and_one_with_its_own_ancestor(mv):
    mv.fork_instance("alpha", names=["red"])
    mv.run(2)
    mv.fork_instance("red", names=["pink"])
    mv.run(2)
    report = god(mv, "MERGE_INSTANCES", ids=["alpha", "red", "pink"], strategy="theirs", name="all").report
    assert report["bases"] == ("i1 at control tick 12", "i2 at control tick 14")
    assert mv.instance("all").ancestors[0]["fork"] == 1


def test_strangers_are_merged_two_ways_and_one_with_itself_is_refused(mv):
    mv.create_instance("stranger")
    mv.run(1)
    report = god(mv, "MERGE_INSTANCES", ids=["alpha", "stranger"], strategy="ours", dry_run=True).report
    assert report["bases"] == ("none",)
    assert report["conflicts_count"] > 0
    with pytest.raises(CommandRefusedError, match="each once"):
        god(mv, "MERGE_INSTANCES", ids=["alpha", "i1"])


def test_mail_that_was_heard_is_not_heard_again_after_a_merge(mv):
    mv.freeze(["mirror~1"])
    mv.run(4)
    assert len(mv.in_flight_to("mirror~1")) > 10
    mv.fork_instance("alpha", names=["awake"])
    mv.unfreeze(["awake"])
    mv.freeze(["alpha"])
    mv.run(2)
    god(mv, "MERGE_INSTANCES", ids=["alpha", "awake"], strategy="theirs", name="both")
    assert len(mv.in_flight_to(mv.instance("both")["mirror"])) < 10
    assert "mirror" not in mv.instance("both").stills


def test_a_dry_run_knows_names_that_are_taken(mv):
    mv.fork_instance("alpha", names=["red"])
    told = god(mv, "MERGE_INSTANCES", ids=["alpha", "red"], name="red", dry_run=True).report["broken"]
    assert "there is an instance 'red' already" in told[0]


def test_a_dry_run_says_what_the_real_one_would_be_refused_for(tmp_path):
    with Multiverse(1, engine="local", name="m", vault=tmp_path / "m.sqlite", instances_max=2) as mv:
        mv.create_instance("alpha")
        mv.fork_instance("alpha", names=["beta"])
        for name, words in (("alpha", "there is an instance 'alpha' already"), ("", "at most 2 may live")):
            both = {"ids": ["alpha", "beta"], "strategy": "ours", "name": name}
            (told,) = god(mv, "MERGE_INSTANCES", **both, dry_run=True).report["broken"]
            assert words in told
            with pytest.raises(CallerError, match=words):
                god(mv, "MERGE_INSTANCES", **both)
