"""What people ask of instances in SQL: their agents as they stand, and the rituals that have ended."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from journaling import ROOT, answers, keyframes_url

from actors.core.kernel.states import Records, State
from actors.core.platforms.rituals import HISTORY_MAX
from actors.core.platforms.society_rows import agent_rows, ritual_rows
from actors.vaults.records import Branch, Keyframe, Listing
from actors.vaults.vaults import Vault
from orchestration import Multiverse

AGENTS = """
SELECT agent_id, template, state, generation, mood, energy, born_at, personality, record FROM vault_agents
WHERE multiverse = 'home' AND branch = :branch AND instance_id = :instance ORDER BY agent_id
"""
RITUALS = """
SELECT ritual_id, number, kind, agent_id, outcome, began_at, ended_at, record FROM vault_ritual_logs
WHERE multiverse = 'home' AND branch = :branch AND instance_id = :instance ORDER BY number
"""
NUMBERS = "SELECT instance_id, number, kind FROM vault_ritual_logs WHERE branch = 'main' ORDER BY instance_id, number"


def opened(url: str) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=url)


def objects(mv: Multiverse, member_id: str, section: str) -> dict[str, Any]:
    found = mv.state_of(member_id)[section]
    assert isinstance(found, Records)
    return dict(found.objects)


def agents_in(url: str, branch: str, instance: str) -> list[tuple[Any, ...]]:
    return answers(keyframes_url(url), AGENTS, branch=branch, instance=instance)


def rituals_in(url: str, branch: str, instance: str) -> list[tuple[Any, ...]]:
    return answers(keyframes_url(url), RITUALS, branch=branch, instance=instance)


def as_rows(history: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What the log must say of rituals that are remembered."""
    words = ("order", "kind", "agent", "outcome", "began_at", "ended_at")
    rows = [
        (one, *(ended[word] for word in words), json.dumps(ended, sort_keys=True)) for one, ended in history.items()
    ]
    return sorted(rows, key=lambda row: row[1])


def test_the_agents_of_every_instance_can_be_read(url: str) -> None:
    with opened(url) as mv:
        for name in ("alpha", "beta"):
            mv.create_instance(name)
        mv.run(30)
        states = {"i1": objects(mv, "runtime~1", "agents"), "i2": objects(mv, "runtime~2", "agents")}
    for instance, agents in states.items():
        rows = agents_in(url, "main", instance)
        assert [row[0] for row in rows] == sorted(agents)
        for agent_id, *told, personality, record in rows:
            agent = agents[agent_id]
            words = ("template", "state", "generation", "mood", "energy", "born_at")
            assert told == [agent[word] for word in words]
            assert (json.loads(personality), json.loads(record)) == (agent["personality"], agent)
    assert states["i1"] != states["i2"]
    names = "SELECT DISTINCT instance_id, instance, local_tick FROM vault_agents ORDER BY instance_id"
    assert answers(keyframes_url(url), names) == [("i1", "alpha", 300), ("i2", "beta", 300)]
    ticks = "SELECT listing, control_tick FROM vault_listed WHERE listing IN ('agents', 'rituals') ORDER BY listing"
    assert answers(keyframes_url(url), ticks) == [("agents", 30), ("rituals", 30)]


def test_who_is_gone_is_no_agent_any_more_and_its_rituals_stay(url: str) -> None:
    with opened(url) as mv:
        for name in ("alpha", "beta"):
            mv.create_instance(name)
        mv.run(40)
        history = objects(mv, "runtime~1", "history")
    assert history and rituals_in(url, "main", "i1") == as_rows(history)
    with opened(url) as mv:
        mv.destroy_instance("alpha")
        mv.run(1)
    assert agents_in(url, "main", "i1") == [] and agents_in(url, "main", "i2")
    assert rituals_in(url, "main", "i1") == as_rows(history)


def test_what_an_instance_has_forgotten_stays_in_the_log(url: str) -> None:
    ended: dict[str, Any] = {}
    for _ in range(3):  # each time a keyframe is written at the end, by a process that knows nothing of the one before
        with opened(url) as mv:
            if not ended:
                mv.create_instance("alpha")
            mv.run(50)
            ended |= objects(mv, "runtime~1", "history")
            remembered = len(objects(mv, "runtime~1", "history"))
    assert len(ended) > remembered == HISTORY_MAX
    assert rituals_in(url, "main", "i1") == as_rows(ended)
    assert [row[1] for row in as_rows(ended)] == list(range(len(ended)))


def test_what_an_instance_takes_back_goes_from_the_log(url: str) -> None:
    with opened(url) as mv:
        mv.create_instance("alpha")
        mv.run(40)
        before = objects(mv, "runtime~1", "history")
        mv.run(20)
        taken_back = objects(mv, "runtime~1", "history").keys() - before.keys()
    assert taken_back
    with opened(url) as mv:
        mv.revert_instance("alpha", 40)
    assert rituals_in(url, "main", "i1") == as_rows(before)


def test_each_branch_has_its_own(url: str) -> None:
    with opened(url) as mv:
        mv.create_instance("alpha")
        mv.run(20)
        then = objects(mv, "runtime~1", "agents"), objects(mv, "runtime~1", "history")
        mv.run(20)
        now = objects(mv, "runtime~1", "agents"), objects(mv, "runtime~1", "history")
        branch = mv.revert(control_tick=20, name="again").branch
    for where, (agents, history) in ((branch, then), ("main", now)):
        assert [json.loads(row[-1]) for row in agents_in(url, where, "i1")] == [
            one for _, one in sorted(agents.items())
        ]
        assert rituals_in(url, where, "i1") == as_rows(history)


def test_the_questions_of_the_documentation_have_answers(url: str) -> None:
    with opened(url) as mv:
        mv.create_instance("alpha")
        mv.run(150)
        mv.possess("alpha", "arty")
        mv.run(1)
        arty = objects(mv, "runtime~1", "agents")["arty"]
        merged = mv.merge_all_active_platforms("alpha")
    completed = Counter(
        kind for *_, kind, _, outcome, _, at, _ in rituals_in(url, "main", "i1") if outcome == "completed" and at > 510
    )
    _, block = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "history.md").read_text(encoding="utf-8"), re.DOTALL)
    questions = [question for question in block.split(";") if question.strip()]
    possessed, by_kind, merges = (answers(url, question, beside=keyframes_url(url)) for question in questions)
    assert possessed == [("alpha", "arty", "orchestrator", arty["energy"])]
    assert by_kind == [("i1", kind, count) for kind, count in sorted(completed.items())] and len(by_kind) > 1
    assert merges == [("alpha", 151, 1510, len(merged.metadata.conflicts))]


# ------------------------------------------------------------------------------------------------------------- the log


def log_of(**numbers: dict[int, str]) -> dict[tuple[str, ...], dict[str, object]]:
    """Rows of the log, by instance: number and kind."""
    rest = {"instance": "", "agent_id": "a", "outcome": "completed", "began_at": 0, "ended_at": 0, "record": "{}"}
    return {
        (instance, f"ritual_{number}"): {**rest, "number": number, "kind": kind}
        for instance, some in numbers.items()
        for number, kind in some.items()
    }


def write(vault: Vault, tick: int, since: dict[str, int], **numbers: dict[int, str]) -> None:
    listing = Listing("rituals", tick, log_of(**numbers), since)
    vault.save_keyframe("m", 1, Keyframe("main", tick, 0, {"a": b"%d" % tick}), listings=[listing])


def shown(url: str) -> list[tuple[str, int, str]]:
    return [(str(one), int(number), str(kind)) for one, number, kind in answers(keyframes_url(url), NUMBERS)]


def test_a_log_grows_and_goes_back(url: str, opening: Callable[[], Vault]) -> None:
    vault = opening()
    vault.begin_epoch("m", b"")
    write(vault, 1, {"i1": 1, "i2": 1}, i1={1: "a", 2: "b"}, i2={1: "z"})
    write(vault, 2, {"i1": 2, "i2": 1}, i1={2: "b", 3: "c"}, i2={1: "z"})
    other = [("i2", 1, "z")]
    assert shown(url) == [("i1", 1, "a"), ("i1", 2, "b"), ("i1", 3, "c"), *other]
    write(vault, 3, {"i1": 3}, i1={3: "C", 5: "e"})  # as far as it remembers, it is right; of i2 nothing is said
    assert shown(url) == [("i1", 1, "a"), ("i1", 2, "b"), ("i1", 3, "C"), ("i1", 5, "e"), *other]
    write(vault, 4, {"i1": 2}, i1={2: "b"})  # its time has gone back
    assert shown(url) == [("i1", 1, "a"), ("i1", 2, "b"), *other]
    write(vault, 5, {"i1": 0}, i1={})
    assert shown(url) == other


def test_a_log_is_taken_up_by_whoever_knows_nothing_of_it(url: str, opening: Callable[[], Vault]) -> None:
    vault = opening()
    vault.begin_epoch("m", b"")
    write(vault, 1, {"i1": 1}, i1={1: "a", 2: "b", 3: "c", 4: "d"})
    write(opening(), 2, {"i1": 3}, i1={3: "C"})
    assert shown(url) == [("i1", 1, "a"), ("i1", 2, "b"), ("i1", 3, "C")]


def test_a_new_branch_begins_with_what_its_parent_had_there(url: str, opening: Callable[[], Vault]) -> None:
    vault = opening()
    vault.begin_epoch("m", b"")
    write(vault, 4, {"i1": 0, "i2": 0, "i4": 0}, i1={0: "a", 1: "b", 2: "c", 3: "d"}, i2={0: "x", 1: "y"}, i4={0: "z"})
    write(vault, 6, {"i1": 1}, i1={1: "B", 2: "c"})  # i1 has gone back and lived on, the others are gone
    write(vault, 8, {"i1": 0}, i1={0: "A"})
    at = {3: "abcd", 4: "abcd", 5: "abcd", 6: "aBc", 7: "aBc", 8: "A"}
    for tick, letters in at.items():
        for opened in (vault, opening()):  # a second time it begins anew
            since = {"i1": len(letters) - 1, "i2": 2**63 - 1}
            listing = Listing("rituals", tick, log_of(i1={len(letters) - 1: letters[-1]}), since)
            opened.begin_log("m", 1, Branch("b", "main", tick, 0), listing)
        found = answers(keyframes_url(url), NUMBERS.replace("'main'", "'b'"))
        assert found == [*(("i1", number, one) for number, one in enumerate(letters)), ("i2", 0, "x"), ("i2", 1, "y")]
    write(vault, 9, {"i1": 0}, i1={0: "A"})
    taken = "SELECT number, kind, control_tick FROM vault_rituals_taken_back ORDER BY control_tick, number"
    assert answers(keyframes_url(url), taken) == [
        *((1, "b", 6), (3, "d", 6)),
        *((0, "a", 8), (1, "B", 8), (2, "c", 8)),
    ]


# ---------------------------------------------------------------------------------------------------------- other shapes

AGENT = {
    "template": "basic",
    "personality": dict.fromkeys(("creativity", "empathy", "discipline", "ambition", "curiosity", "calm"), 0.5),
    "memory": [],
    "mood": 0.5,
    "energy": 3,
    "generation": 1,
    "state": "ready",
    "aura": 1.0,
    "entropy": 0.5,
    "resonance": 0.5,
    "curses": 0,
    "parent": None,
    "born_at": 4,
    "ends_at": None,
    "spoke_at": 4,
    "possession": None,
    "business": None,
}
ENDED = {
    "kind": "birth",
    "agent": "a\0b",
    "proposer": "god",
    "outcome": "denied",
    "flaws": 0,
    "began_at": 1,
    "ended_at": 2,
    "reason": "\0",
    "order": 9,
}


@pytest.mark.parametrize("state", [{}, {"agents": Records({"a": 1, "b": {"mood": 2}}), "history": Records({"r": []})}])
def test_what_a_foreign_platform_keeps_has_no_rows(state: State) -> None:
    assert agent_rows(state) == ritual_rows(state) == {}


def test_a_row_can_be_kept_by_every_store_whatever_a_god_has_written(vault: Vault, url: str) -> None:
    state = {"agents": Records({"a": AGENT, "foreign": 7}), "history": Records({"r": ENDED})}
    (agent,) = agent_rows(state).values()
    assert json.loads(json.dumps(agent["record"])) == AGENT
    (row,) = ritual_rows(state).values()
    assert (row["agent_id"], row["number"]) == ("a\ufffdb", 9)
    vault.begin_epoch("m", b"")
    rows = {("i1", "r"): {**row, "instance": "alpha", "record": json.dumps(row["record"])}}
    listing = Listing("rituals", 1, rows, {"i1": 9})
    vault.save_keyframe("m", 1, Keyframe("main", 1, 0, {"a": b""}), listings=[listing])
    assert json.loads(answers(keyframes_url(url), "SELECT record FROM vault_ritual_logs")[0][0]) == ENDED
