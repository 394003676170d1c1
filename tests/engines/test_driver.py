"""The driver, on either engine: what the specification promises of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from actors.core.kernel.errors import (
    AddressError,
    CommandRefusedError,
    DuplicateMemberError,
    EventRefusedError,
    FactoryError,
    SettingsError,
    SoulfraError,
    UnknownMemberError,
    UnknownPlayerError,
)
from actors.core.players.rosters import effective_roster
from orchestration import CrossGameEvent, InventoryItem, Multiverse, RealmCoordinate
from orchestration.main import run
from orchestration.openings import LANES

RING = "small:Ring"
REALMS = [Path(__file__).parents[1] / "realms"]


@pytest.fixture
def mv(engine):
    with Multiverse(seed=7, engine=engine, realm_paths=REALMS, realms_expected=3, spare_hosts=0) as found:
        for number in (1, 2, 3):
            found.register_game(
                f"sol_{number}",
                RING,
                RealmCoordinate(f"sol_{number}", "sol_system", f"cluster_{number % 2}"),
                params={"next_realm": f"sol_{number % 3 + 1}", "shouts": number == 1},
            )
        yield found


def test_the_example_of_the_specification(mv):
    metrics = mv.execute_control_tick()
    assert set(metrics) == {"control_tick_id", "games_synced", "events_propagated", "elapsed_ms"}
    assert (metrics["control_tick_id"], metrics["games_synced"]) == (1, 3)
    mv.queue_cross_game_event(CrossGameEvent("e1", RealmCoordinate("sol_2"), RealmCoordinate("sol_1"), "token"))
    mv.run(control_ticks=10)
    state = mv.get_multiverse_state()
    assert state["control_tick_id"] == 11
    assert [game["realm_id"] for game in state["games"]] == ["sol_1", "sol_2", "sol_3"]
    assert {game["state"] for game in state["games"]} == {"running"}
    assert {game["local_tick"] for game in state["games"]} == {110}
    assert state["games"][0]["stat7_key"] == "sol_1:cluster_1:narrative_prime:0"
    assert state["mean_sync_ms"] > 0 and state["mean_event_latency_ms"] == 1000
    assert sum(mv.audit()["delivered_by_type"].values()) == state["events_propagated"]
    members = mv.members()
    assert [member["member_id"] for member in members] == ["@players", "sol_1", "sol_2", "sol_3"]
    processes = {member["process_id"] for member in members}
    assert len(processes) == (4 if mv.engine == "ray" else 1)
    assert all(member["node"] for member in members)

    alice = mv.players.create_player("Alice", "human", "sol_1", character_class="Warrior")
    success, message, reason = mv.players.transition_player(alice.player_id, "sol_1", "sol_2", "Portal Jump")
    assert success and not reason and "sol_2" in message
    assert mv.players.modify_reputation(alice.player_id, "the_wanderers", +300)["standing"] == "liked"
    sword = InventoryItem(
        item_id="sword_001", name="Legendary Sword", item_type="weapon", rarity="legendary", source_realm="sol_1"
    )
    mv.players.add_item_to_inventory(alice.player_id, sword)
    context = mv.players.get_warbler_context(alice.player_id)
    assert context["world_state"]["player_has_legendary_items"] is True
    assert context["visited_realms"] == ["sol_1", "sol_2"]
    assert [player.name for player in mv.players.get_realm_roster("sol_2")] == ["Alice"]
    assert mv.players.get_multiverse_stats()["total_transitions"] == 1


def test_rosters_follow_the_registry_at_every_boundary(mv):
    mv.execute_control_tick()
    ids = [mv.players.create_player(name, "elf", "sol_1").player_id for name in ("A", "B", "C")]
    mv.players.transition_player(ids[0], "sol_1", "sol_2")
    mv.players.transition_player(ids[0], "sol_2", "sol_3")
    for step in range(4):
        if step == 2:
            mv.players.transition_player(ids[1], "sol_1", "sol_3")
        for realm_id in ("sol_1", "sol_2", "sol_3"):
            roster = mv.state_of(realm_id)["roster"].objects
            expected = {player.player_id for player in mv.players.get_realm_roster(realm_id)}
            assert set(effective_roster(roster, mv.in_flight_to(realm_id))) == expected
        mv.execute_control_tick()
    for found, expected in mv.audit()["conservation"].values():
        assert found == expected


@pytest.mark.ray
@pytest.mark.parametrize(
    ("spoil", "kind", "says"),
    [
        (lambda mv: mv.register_game("sol_1", RING), DuplicateMemberError, "registered already"),
        (lambda mv: mv.register_game("sol_9", RING, RealmCoordinate("sol_8")), CommandRefusedError, "differ"),
        (lambda mv: mv.register_game("a:b", RING), AddressError, "separates"),
        (lambda mv: mv.register_game("@a", RING), AddressError, "'@'"),
        (lambda mv: mv.register_game("sol_9", RING, period=0), CommandRefusedError, "period"),
        (lambda mv: mv.register_game("sol_9", "nowhere.at:All"), FactoryError, "no module 'nowhere'"),
        (lambda mv: mv.register_game("sol_9", "small:Missing"), FactoryError, "no callable 'Missing'"),
        (lambda mv: mv.register_game("sol_9", "small"), FactoryError, "module:name"),
        (lambda mv: mv.register_game("sol_9", "small:raising_factory"), FactoryError, "on strike"),
        (lambda mv: mv.register_game("sol_9", RING, params={"colour": "red"}), FactoryError, "colour"),
        (lambda mv: mv.register_game("sol_9", RING, params={"x": {1, 2}}), CommandRefusedError, "set is not plain"),
        (lambda mv: mv.register_game("sol_9", RING, subscriptions=["opera"]), CommandRefusedError, "opera"),
        (lambda mv: mv.remove_game("sol_9"), UnknownMemberError, "sol_1, sol_2, sol_3"),
        (lambda mv: mv.restart_game("sol_1"), CommandRefusedError, "not in error"),
        (lambda mv: mv.subscribe("sol_9", "shout"), UnknownMemberError, "sol_9"),
        (lambda mv: mv.subscribe("sol_1", "opera"), EventRefusedError, "opera"),
        (lambda mv: mv.command("sol_9", "set_luck", {"luck": 1}), UnknownMemberError, "sol_9"),
        (lambda mv: mv.command("sol_1", "fly"), CommandRefusedError, "set_luck"),
        (lambda mv: mv.command("sol_1", "set_luck", {"lack": 1}), CommandRefusedError, "luck"),
        (lambda mv: mv.query("sol_9", "all"), UnknownMemberError, "sol_9"),
        (lambda mv: mv.state_of("sol_9"), UnknownMemberError, "sol_9"),
        (lambda mv: mv.register_game("sol_9", RING, placement={"num_cpus": "many"}), FactoryError, "num_cpus"),
        (lambda mv: mv.query("sol_1", "everything"), CommandRefusedError, "everything"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_9", "token")), UnknownMemberError, "sol_9"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_1", "opera")), EventRefusedError, "opera"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", None, "opera")), EventRefusedError, "opera"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_1", "token", deliver_at=1)), EventRefusedError, "use 2"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_1", "token", {"x": object()})), EventRefusedError, "object"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_1", "token", carries={"gold": -1})), EventRefusedError, "-1"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x:y", "sol_1", "token")), AddressError, "x:y"),
        (lambda mv: mv.players.create_player("A", "human", "sol_9"), SoulfraError, "sol_9"),
        (lambda mv: mv.players.get_player("nobody"), UnknownPlayerError, "nobody"),
        (lambda mv: mv.players.get_warbler_context("nobody"), UnknownPlayerError, "nobody"),
        (lambda mv: mv.players.modify_reputation("nobody", "neutral", 1), UnknownPlayerError, "nobody"),
        (lambda mv: mv.run(-1), SettingsError, "-1"),
        (lambda mv: mv.start("quick"), SettingsError, "quick"),
        (lambda mv: mv.advance_to("x"), SettingsError, "whole number"),
        (lambda mv: mv.register_game("sol_9", RING, "sol:1"), CommandRefusedError, "RealmCoordinate"),
        (lambda mv: mv.register_game("sol_9", RING, params=[1]), CommandRefusedError, "must be a map"),
        (lambda mv: mv.register_game("sol_9", RING, subscriptions=1), CommandRefusedError, "list of texts"),
        (lambda mv: mv.register_game("sol_9", None), CommandRefusedError, "factory must be"),
        (lambda mv: mv.register_game("sol_9", "builtins:exit"), FactoryError, "raised"),
        (lambda mv: mv.register_game("sol_9", RING, placement={"cpus": 1}), FactoryError, "label_selector"),
        (lambda mv: mv.command([], "x"), CommandRefusedError, "member id must be"),
        (lambda mv: mv.query("sol_1", "all", [1]), CommandRefusedError, "must be a map"),
        (lambda mv: mv.queue_cross_game_event(None), CommandRefusedError, "CrossGameEvent"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_1", "token", carries=[1])), EventRefusedError, "map of quantity"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_1", "token", path=5)), EventRefusedError, "path"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("", "x", "sol_1", "token", deliver_at=2**63)), EventRefusedError, "deliver_at"),
        (lambda mv: mv.queue_cross_game_event(CrossGameEvent("a\nb", "x", "sol_1", "token")), EventRefusedError, "printable"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line_and_changes_nothing(mv_shared, spoil, kind, says):
    mv, digest = mv_shared
    with pytest.raises(kind) as caught:
        spoil(mv)
    assert says in caught.value.message
    assert "\n" not in caught.value.message and caught.value.message.endswith(".")
    assert mv.digest() == digest


@pytest.fixture(scope="module")
def mv_shared(request):
    """One multiverse for all refusals: they change nothing, which is what is tested."""
    request.getfixturevalue("ray_cluster")
    with Multiverse(seed=7, engine="ray", realm_paths=REALMS, realms_expected=3) as found:
        for number in (1, 2, 3):
            found.register_game(f"sol_{number}", RING)
        found.execute_control_tick()
        yield found, found.digest()


def test_travel_that_may_not_happen(mv):
    alice = mv.players.create_player("Alice", "human", "sol_1")
    travel = mv.players.transition_player
    assert travel(alice.player_id, "sol_1", "sol_2").reason == "realm_not_running"
    mv.execute_control_tick()
    digest = mv.digest()
    assert travel("nobody", "sol_1", "sol_2").reason == "unknown_player"
    assert travel(alice.player_id, "sol_2", "sol_3").reason == "not_in_realm"
    assert travel(alice.player_id, "sol_1", "sol_1").reason == "same_realm"
    assert travel(alice.player_id, "sol_1", "sol_9").reason == "realm_not_registered"
    assert mv.digest() == digest
    assert mv.players.get_player(alice.player_id).active_realm == "sol_1"


def test_a_realm_that_raises_stands_alone(engine):
    with Multiverse(seed=7, engine=engine, realm_paths=REALMS) as mv:
        mv.register_game("good", RING, params={"shouts": True})
        mv.register_game("bad", RING, params={"raise_at": 7})
        player = mv.players.create_player("Alice", "human", "good")
        mv.run(1)
        before = {game["realm_id"]: game for game in mv.get_multiverse_state()["games"]}
        assert before["bad"]["state"] == "error"
        assert before["bad"]["error"] == "ZeroDivisionError: the hobbit fell off"
        assert "in tick" in before["bad"]["traceback"]
        assert before["bad"]["local_tick"] == 0
        assert before["good"]["local_tick"] == 10
        assert mv.execute_control_tick()["games_synced"] == 1
        assert mv.players.transition_player(player.player_id, "good", "bad").reason == "realm_not_running"
        with pytest.raises(CommandRefusedError, match="in error"):
            mv.command("bad", "set_luck", {"luck": 3})
        assert mv.dead_letters()[0]["reason"].startswith("it is in error")
        assert mv.restart_game("bad")["local_tick"] == 0
        mv.run(1)
        assert mv.get_multiverse_state()["games"][0]["error"]  # it falls off again: the same inputs, the same end
        mv.remove_game("bad")
        assert [game["realm_id"] for game in mv.get_multiverse_state()["games"]] == ["good"]
        for found, expected in mv.audit()["conservation"].values():
            assert found == expected


def test_a_realm_with_players_is_not_removed_over_their_heads(mv):
    mv.execute_control_tick()
    alice = mv.players.create_player("Alice", "human", "sol_1")
    with pytest.raises(CommandRefusedError, match="sol_1"):
        mv.remove_game("sol_1")
    assert mv.remove_game("sol_1", players_to="sol_2")["players_moved"] == [alice.player_id]
    assert mv.players.get_player(alice.player_id).active_realm == "sol_2"
    mv.run(2)
    assert alice.player_id in mv.state_of("sol_2")["roster"].objects


def test_cascades_are_followed_across_realms(mv):
    mv.queue_cross_game_event(CrossGameEvent("first", "", "sol_1", "token"))
    mv.run(3)
    cascade = mv.cascade("first")
    assert cascade[0].event_id == "first"
    assert {trace.where for trace in cascade} == {"@outside", "sol_1", "sol_2", "sol_3"}
    assert max(trace.depth for trace in cascade) == 5
    assert mv.get_multiverse_state()["cascades_cut"] == 3
    assert mv.cascade(cascade[-1].event_id)[0].event_id == "first"
    assert mv.cascade("unheard of") == []


def test_a_running_clock_takes_commands_at_its_boundaries(mv):
    mv.start(pace="fast")
    with pytest.raises(CommandRefusedError, match="running already"):
        mv.start()
    answers = []

    def command(luck):
        answers.append(mv.command("sol_2", "set_luck", {"luck": luck}))

    threads = [threading.Thread(target=command, args=(luck,)) for luck in range(1000, 1004)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(answers) == [1000, 1001, 1002, 1003]
    assert mv.members() and mv.audit() and len(mv.digest()) == 64
    boundary = mv.pause()
    assert boundary["control_tick"] > 0 and boundary["position"] == 7
    assert {game["state"] for game in mv.get_multiverse_state()["games"]} == {"paused"}
    entries = mv.journal()
    assert [entry.position for entry in entries] == list(range(1, 8))
    assert mv.execute_control_tick()["control_tick_id"] == boundary["control_tick"] + 1


def test_a_clock_that_runs_by_itself_refuses_another_run(mv):
    mv.start(pace="fast")
    with pytest.raises(CommandRefusedError, match="running already"):
        mv.run(2)
    with pytest.raises(CommandRefusedError, match="running already"):
        mv.execute_control_tick()
    boundary = mv.pause()
    assert mv.execute_control_tick()["control_tick_id"] == boundary["control_tick"] + 1


def test_a_generator_of_ones_own_speaks_through_the_npc():
    class Echo:
        def line(self, context, npc, question):
            return f"{npc['name']} the {npc['role']} to {context['player_name']}: {question}"

    with Multiverse(seed=7, engine="local") as mv:
        mv.register_game("sol_1", "actors.core.realms.city:City", params={"npcs": 5})
        alice = mv.players.create_player("Alice", "human", "sol_1")
        mv.run(1)
        said = mv.speak(alice.player_id, 0, "Who goes there?", Echo())
        assert said["line"] == f"{said['name']} the merchant to Alice: Who goes there?"


def test_reads_say_which_boundary_they_are_of(mv):
    mv.run(3)
    value, boundary = mv.query_with_boundary("sol_1", "get", {"key": "luck"})
    assert value > 0
    assert boundary["control_tick"] == 3


def test_whom_the_clock_waits_for(engine):
    with Multiverse(seed=1, engine=engine, realm_paths=REALMS) as mv:
        mv.register_game("slow", RING, params={"sleep_s": 0.3})
        mv.register_game("fast", RING)
        mv.start(pace="fast")
        said = ""
        deadline = time.monotonic() + 20
        while not said and time.monotonic() < deadline:
            time.sleep(0.1)
            status = mv.status()
            said = " ".join(line for line in status.waiting if "heartbeat " in line and "ago" in line)
        assert "waiting for slow since" in said and "local tick" in said
        assert {game["state"] for game in status.state["games"]} <= {"syncing", "booting"}
        mv.pause()


@pytest.mark.ray
@pytest.mark.parametrize("lane", LANES)
def test_a_dead_process_is_brought_back_and_nobody_can_tell(ray_cluster, lane):
    with _two_rings("local") as mv:
        mv.run(12)
        calm = mv.digest_chain()
    with _two_rings("ray", lane=lane) as mv:
        mv.run(4)
        for killed, member_id in enumerate(("doomed", "@players"), 1):
            _kill(mv, member_id)
            mv.run(4)
            _until(lambda: len(mv.recoveries()) == killed)  # noqa: B023  # the registry may have had no mail
        assert mv.digest_chain() == calm
        assert [one["member_id"] for one in mv.recoveries()] == ["doomed", "@players"]
        assert all(one["reason"] == "its process died" and one["elapsed_ms"] > 0 for one in mv.recoveries())
        assert {entry.decided for entry in mv.journal()} == {""}, "a recovery is no part of history"


@pytest.mark.ray
@pytest.mark.parametrize("lane", LANES)
def test_a_realm_that_kills_its_process_twice_in_a_grant_is_alone_in_error(ray_cluster, lane):
    with Multiverse(seed=1, engine="ray", lane=lane, realm_paths=REALMS, spare_hosts=0) as mv:
        mv.register_game("doomed", RING, params={"die_at": 25})
        mv.register_game("other", RING)
        mv.run(5)
        games = {game["realm_id"]: game for game in mv.get_multiverse_state()["games"]}
        reason = "its process died, and once more in the same grant"
        assert (games["doomed"]["state"], games["doomed"]["error"]) == ("error", reason)
        assert games["other"]["local_tick"] == 50
        assert mv.journal()[-1].decided == f"doomed: {reason}"
        mv.remove_game("doomed")
        assert mv.execute_control_tick()["games_synced"] == 1


@pytest.mark.ray
@pytest.mark.soak
def test_the_command_line_shows_recoveries(ray_cluster, capsys):
    arguments = ["simulate", "--games", "2", "--control-ticks", "12", "--npcs", "5", "--json"]
    assert run([*arguments, "--engine", "local"]) == 0
    calm = json.loads(capsys.readouterr().out)
    kills = ["--kill", "sol_1@4", "--kill", "@players@6", "--kill", "@clock@8", "--kill", "sol_2@10"]
    assert run([*arguments, *kills]) == 0
    shaken = json.loads(capsys.readouterr().out)
    assert [one["member_id"] for one in shaken["recoveries"]] == ["sol_1", "@players", "@clock", "sol_2"]
    assert (shaken["digest"], shaken["digest_chain"]) == (calm["digest"], calm["digest_chain"])
    for wrong, says in (("sol_3@4", "no member"), ("sol_1@13", "after the end")):
        assert run([*arguments, "--kill", wrong]) == 2
        assert says in capsys.readouterr().err


def _until(what, patience_s=20):
    deadline = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _two_rings(engine, **options):
    mv = Multiverse(seed=1, engine=engine, realm_paths=REALMS, **options)
    mv.register_game("doomed", RING, params={"next_realm": "other"})
    mv.register_game("other", RING, params={"next_realm": "doomed"})
    mv.players.create_player("Alice", "elf", "doomed")
    mv.queue_cross_game_event(CrossGameEvent("", "", "doomed", "token", {}))
    return mv


def _kill(mv, member_id):
    """Kills a member's process, which this test's own cluster has started, and waits until it is gone."""
    process_id = next(member["process_id"] for member in mv.members() if member["member_id"] == member_id)
    os.kill(process_id, signal.SIGKILL)


@pytest.mark.ray
def test_placement_words_are_ray_s_own(ray_cluster):
    with Multiverse(seed=1, engine="ray", realm_paths=REALMS) as mv:
        mv.register_game("placed", RING, placement={"num_cpus": 0.01})
        with pytest.raises(FactoryError, match="label_selector"):
            mv.register_game("other", RING, placement={"cpus": 1})
        assert mv.execute_control_tick()["games_synced"] == 1


@pytest.mark.ray
def test_closing_takes_every_actor_along(ray_cluster):
    with Multiverse(seed=1, engine="ray", realm_paths=REALMS) as mv:
        mv.register_game("one", RING)
        processes = [member["process_id"] for member in mv.members()]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(_alive(process) for process in processes):
        time.sleep(0.1)
    assert not any(_alive(process) for process in processes)
    with pytest.raises(CommandRefusedError, match="closed"):
        mv.status()


def _alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"engine": "steam"}, "ray, local"),
        ({"engine": "local", "lane": "ray"}, "no lane"),
        ({"engine": "ray", "lane": "tin"}, "zmq, ray"),
        ({"engine": "local", "control_tick_interval_ticks": 0}, "control_tick_interval_ticks"),
        ({"engine": "local", "local_tick_interval_ms": -1}, "local_tick_interval_ms"),
        ({"engine": "local", "seed": "seven"}, "seed"),
        ({"engine": "local", "realm_paths": ["/no/such/folder"]}, "not a folder"),
        ({"engine": "local", "colour": "red"}, "no setting 'colour'"),
    ],
)
def test_settings_out_of_range(arguments, says):
    with pytest.raises(SettingsError, match=says):
        Multiverse(**arguments)


@pytest.mark.ray
def test_readers_do_not_queue_behind_commands_that_wait(ray_cluster):
    with Multiverse(seed=1, engine="ray", realm_paths=REALMS) as mv:
        mv.register_game("slow", RING, params={"sleep_s": 0.1})
        mv.start(pace="fast")
        while mv.status().state["games"][0]["state"] != "syncing":
            time.sleep(0.05)
        threads = [threading.Thread(target=mv.command, args=("slow", "set_luck", {"luck": n})) for n in range(20)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        assert mv.query("slow", "all") is not None
        assert mv.status().running
        assert any(thread.is_alive() for thread in threads), "the commands were to wait for the end of a control tick"
        for thread in threads:
            thread.join()
        mv.pause()


@pytest.mark.ray
def test_a_hung_realm_does_not_hold_up_the_end(ray_cluster, monkeypatch):
    monkeypatch.setattr("orchestration.ray_engines.CLOSE_TIMEOUT_S", 1.0)
    with Multiverse(seed=1, engine="ray", realm_paths=REALMS) as mv:
        mv.register_game("hung", RING, params={"sleep_s": 1000.0})
        process = next(member["process_id"] for member in mv.members() if member["member_id"] == "hung")
        mv.start(pace="fast")
        time.sleep(1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(process):
        time.sleep(0.1)
    assert not _alive(process)


def test_what_is_closed_says_so(engine):
    mv = Multiverse(seed=1, engine=engine, realm_paths=REALMS)
    mv.register_game("one", RING)
    mv.start(pace="fast")
    mv.close()
    for use in (mv.status, mv.pause, mv.start, mv.digest, lambda: mv.advance_to(3), lambda: mv.run(1)):
        with pytest.raises(CommandRefusedError, match="closed"):
            use()
    mv.close()


def test_two_multiverses_side_by_side(engine):
    first = Multiverse(seed=1, engine=engine, realm_paths=REALMS)
    with Multiverse(seed=1, engine=engine, realm_paths=REALMS) as second:
        for mv in (first, second):
            mv.register_game("one", RING)
            mv.run(3)
        first.close()
        second.run(3)
        assert second.get_multiverse_state()["control_tick_id"] == 6


def test_a_player_visits_a_realm_that_raises_and_is_there_after_its_restart(engine):
    with Multiverse(seed=7, engine=engine, realm_paths=REALMS) as mv:
        mv.register_game("home", RING)
        mv.register_game("shaky", RING)
        mv.run(1)
        alice = mv.players.create_player("Alice", "human", "home")
        mv.run(1)
        assert mv.players.transition_player(alice.player_id, "home", "shaky").success
        with pytest.raises(SoulfraError, match="broken by command"):
            mv.command("shaky", "break_down")
        mv.run(1)
        assert mv.dead_letters()[0]["event_type"] == "player_arrived"
        mv.restart_game("shaky")
        mv.run(1)
        assert set(mv.state_of("shaky")["roster"].objects) == {alice.player_id}
        assert mv.state_of("home")["roster"].objects == {}


INTERRUPTED = """
import os, signal, sys, threading, time
from orchestration import Multiverse, SoulfraError
def interrupt():
    for _ in range(2):
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGINT)
with Multiverse(seed=1, engine=sys.argv[1], realm_paths=[sys.argv[2]]) as mv:
    mv.register_game("hung", "small:Ring", params={"sleep_s": 1000.0})
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        mv.run(1)
    except SoulfraError as error:
        print(error)
    import orchestration.engines, orchestration.ray_engines
    orchestration.engines.CLOSE_TIMEOUT_S = orchestration.ray_engines.CLOSE_TIMEOUT_S = 0.5
print("ended")
"""


@pytest.mark.parametrize(
    "name", ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.xdist_group("own ray")])]
)
def test_a_second_interrupt_does_not_wait_for_a_hung_realm(name):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, name, str(REALMS[0])],
        capture_output=True, text=True, check=False, timeout=60,
        # Whoever starts the tests in the background has made them ignore interrupts; the child is not to inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, ended = done.stdout.splitlines()[-2:]
    assert "interrupted twice" in said and "waiting for hung" in said
    assert ended == "ended"
