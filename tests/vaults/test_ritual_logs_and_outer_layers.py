"""What an outer layer makes of an instance's history is in the log of rituals: once each, without a gap, with or without keyframes."""

import json
from pathlib import Path
from typing import Any

import pytest
from journaling import answers, keyframes_url

import actors.keyframes
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.states import Records
from actors.core.platforms.rituals import HISTORY_MAX
from orchestration import Multiverse
from orchestration.outer_layer_interfaces import OuterLayerInterface

pytestmark = pytest.mark.usefixtures("burials")

CORONATION = {
    "kind": "calling", "agent": "arty", "proposer": "god", "outcome": "completed", "flaws": 0, "began_at": 1, "ended_at": 9,
    "reason": "",
}  # fmt: skip
LOG = """
SELECT number, ritual_id FROM vault_ritual_logs WHERE multiverse = 'home' AND branch = :branch ORDER BY number
"""
GONE = """
SELECT control_tick, number, ritual_id, record FROM vault_rituals_taken_back
WHERE multiverse = 'home' AND branch = 'main' ORDER BY number
"""
Log = list[tuple[int, str]]


@pytest.fixture
def vault(tmp_path: Path) -> str:
    """Where a vault may be that nobody has opened yet."""
    return f"sqlite:///{tmp_path / 'v.sqlite'}"


@pytest.fixture(params=["seldom", "often"])
def keyframes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How often the clock writes keyframes."""
    often = request.param == "often"
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0 if often else 1e9)
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_SHARE", 0)
    return str(request.param)


def opened(vault: str) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=vault)


def log_in(vault: str, branch: str = "main") -> Log:
    return [(number, ritual) for number, ritual in answers(keyframes_url(vault), LOG, branch=branch)]


def gone_in(vault: str) -> list[tuple[int, int, str]]:
    return [(tick, number, ritual) for tick, number, ritual, _ in answers(keyframes_url(vault), GONE)]


def remembered(mv: Multiverse, role: str = "runtime", section: str = "history") -> Log:
    found = mv.state_of(f"{role}~1")[section]
    assert isinstance(found, Records)
    return sorted((one["order"], ritual) for ritual, one in found.objects.items())


def ended_after(mv: Multiverse, known: Log, control_ticks: int) -> Log:
    """What had ended, and what does in so many control ticks more."""
    seen = dict(known)
    for _ in range(control_ticks // 20):
        mv.run(20)
        seen |= dict(remembered(mv))
    return sorted(seen.items())


def rewritten(mv: Multiverse, history: dict[str, Any]) -> None:
    layer = OuterLayerInterface()
    layer.receive(mv.export_to_outer_layer("alpha"))
    layer.manipulate("alpha", "REWRITE_HISTORY", {"history": history})
    layer.send_back_down("alpha", mv, "alpha")


def gapless(log: Log) -> bool:
    return [number for number, _ in log] == list(range(len(log)))


def test_what_is_injected_is_in_the_log_among_all_others_and_nothing_is_taken_back(vault: str, keyframes: str) -> None:
    with opened(vault) as mv:
        mv.create_instance("alpha")
        mv.run(60)
        before = remembered(mv)
        layer = OuterLayerInterface()
        layer.receive(mv.export_to_outer_layer("alpha"))
        begun = mv.query("runtime~1", "vitals")["rituals_begun"]
        for ritual in (f"ritual_{begun:06d}", f"ritual_{begun + 60:06d}", *mv.query("runtime~1", "rituals")):
            with pytest.raises(CommandRefusedError, match="id of those that Runtime itself gives"):
                layer.manipulate("alpha", "INJECT_RITUAL_EVENT", {"ritual": ritual, "record": CORONATION})
        layer.manipulate("alpha", "INJECT_RITUAL_EVENT", {"ritual": "coronation", "record": CORONATION})
        layer.send_back_down("alpha", mv, "alpha")
        known = [*before, (len(before), "coronation")]
        mv.run(1)
        mv.run(1)
        assert (len(before), "coronation") in remembered(mv, "mirror", "timeline"), "Mirror is told of it"
        lived = ended_after(mv, known, 400)
        assert len(lived) - len(known) > HISTORY_MAX, "it has been forgotten since"
    assert log_in(vault) == lived and gapless(lived)
    assert gone_in(vault) == []


def test_an_id_that_comes_again_takes_nothing_out_of_the_log(vault: str, keyframes: str) -> None:
    with opened(vault) as mv:
        mv.create_instance("alpha")
        lived: Log = []
        for _ in range(2):
            lived = ended_after(mv, lived, 140)
            layer = OuterLayerInterface()
            layer.receive(mv.export_to_outer_layer("alpha"))
            layer.manipulate("alpha", "INJECT_RITUAL_EVENT", {"ritual": "coronation", "record": CORONATION})
            layer.send_back_down("alpha", mv, "alpha")
            lived = [*lived, (len(lived), "coronation")]
        first, second = (number for number, ritual in lived if ritual == "coronation")
        assert second - first > HISTORY_MAX, "nobody remembers the first one"
        lived = ended_after(mv, lived, 20)
    assert log_in(vault) == [(n, f"coronation\u00a0{n}" if n == first else ritual) for n, ritual in lived]
    assert gapless(log_in(vault)) and gone_in(vault) == []


@pytest.mark.parametrize("kept", [0, 2, "all", "all and more"])
@pytest.mark.parametrize("control_ticks", [60, 320])
def test_another_history_takes_the_place_of_all_that_is_remembered(
    vault: str, keyframes: str, control_ticks: int, kept: Any
) -> None:
    with opened(vault) as mv:
        mv.create_instance("alpha")
        before = ended_after(mv, [], control_ticks)
        mine = remembered(mv)
        first = mine[0][0]
        assert (first > 0) == (control_ticks == 320), "of the longer life some is forgotten"
        state = mv.state_of("runtime~1")["history"]
        assert isinstance(state, Records)
        records = {one: {key: value for key, value in state.objects[one].items() if key != "order"} for _, one in mine}
        chosen = [one for _, one in mine][: kept if isinstance(kept, int) else HISTORY_MAX - 1]
        history: dict[str, Any] = {one: dict(records[one], reason="so it is told") for one in chosen}
        if kept == "all and more":
            history["coronation"] = CORONATION
        rewritten(mv, history)
        after = [*before[:first], *((first + place, one) for place, one in enumerate(history))]
        assert log_in(vault) == after
        assert gone_in(vault) == [(control_ticks, *row) for row in mine]
        was = [json.loads(record)["reason"] for *_, record in answers(keyframes_url(vault), GONE)]
        assert was == [records[one]["reason"] for _, one in mine], "what is taken back is there as it was"
        lived = ended_after(mv, after, 40)
        timeline = remembered(mv, "mirror", "timeline")
        assert set(timeline) <= set(lived), "Mirror remembers no other history"
        assert timeline[-1][0] >= len(after), "nor is it without the newest"
        mv.revert(control_tick=control_ticks, name="before")
        mv.run(1)
    assert log_in(vault) == lived and gapless(lived) and len(lived) > len(after)
    assert log_in(vault, "before")[: len(before)] == before, "whoever goes back to before has it all"
