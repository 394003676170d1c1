"""The log of rituals is complete: whatever ends is there once, however fast the clock runs and whoever dies meanwhile."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from journaling import answers, keyframes_url

import actors.clocks
import actors.keyframes
from actors.core.kernel.errors import VaultError
from actors.core.kernel.states import Records
from actors.core.platforms.rituals import HISTORY_MAX
from actors.vaults.vaults import Vault
from orchestration import Multiverse

pytestmark = pytest.mark.usefixtures("burials")

TICKS = 600
LOG = """
SELECT number, ritual_id, record FROM vault_ritual_logs
WHERE multiverse = 'home' AND branch = :branch AND instance_id = :instance ORDER BY number
"""
Log = list[tuple[int, str, Any]]
CALLING = {"kind": "inject_ritual", "ritual": "calling", "agent": "arty"}


def opened(vault: str, **settings: Any) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=vault, **settings)


def remembered(mv: Multiverse, member_id: str = "runtime~1") -> dict[str, Any]:
    history = mv.state_of(member_id)["history"]
    assert isinstance(history, Records)
    return dict(history.objects)


def log_in(vault: str, branch: str = "main", instance: str = "i1") -> Log:
    """The log as the table has it."""
    found = answers(keyframes_url(vault), LOG, branch=branch, instance=instance)
    return [(number, ritual_id, json.loads(record)) for number, ritual_id, record in found]


def log_of(ended: dict[str, Any]) -> Log:
    """The log as it must be."""
    return sorted(((one["order"], ritual_id, one) for ritual_id, one in ended.items()), key=lambda row: row[0])


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """What ended, seen by somebody who looked before it could be forgotten."""
    ended: dict[str, Any] = {}
    with opened(f"sqlite:///{tmp_path_factory.mktemp('calm') / 'v.sqlite'}") as mv:
        mv.create_instance("alpha")
        for _ in range(TICKS // 20):
            mv.run(20)
            ended |= remembered(mv)
    return log_of(ended)


def some_of(cases: list[tuple[Any, ...]], count: int) -> list[Any]:
    """The first of them, and the others in the soak."""
    return [pytest.param(*case, marks=[pytest.mark.soak] if at >= count else []) for at, case in enumerate(cases)]


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


WINDOWS, LONG_GRANTS = {"lookahead_control_ticks": 5}, {"control_tick_interval_ticks": 1_000}


@pytest.mark.parametrize(
    ("keyframes", "settings"),
    some_of([("seldom", {}), ("often", WINDOWS), ("often", LONG_GRANTS), ("often", {}), ("seldom", WINDOWS)], 3),
    indirect=["keyframes"],
)
def test_at_full_speed_nothing_is_missing(vault: str, keyframes: str, settings: dict[str, int]) -> None:
    with opened(vault, **settings) as mv:
        for name in ("alpha", "beta"):
            mv.create_instance(name)
        mv.run(20 if "control_tick_interval_ticks" in settings else TICKS)
        newest = {one: log_of(remembered(mv, f"runtime~{one}")) for one in (1, 2)}
    for one, rows in newest.items():
        log = log_in(vault, instance=f"i{one}")
        assert [number for number, *_ in log] == list(range(rows[-1][0] + 1)) and len(log) > 2 * HISTORY_MAX
        assert log[-len(rows) :] == rows


def test_what_the_log_says_is_what_happened(vault: str, keyframes: str, truth: Log) -> None:
    with opened(vault) as mv:
        mv.create_instance("alpha")
        mv.run(TICKS)
    assert log_in(vault) == truth
    assert len(truth) > 4 * HISTORY_MAX


@pytest.mark.parametrize(
    ("keyframes", "dies_at"),
    some_of(list(itertools.product(("often", "seldom"), ([1, 299, 300, 420], [150]))), 1),
    indirect=["keyframes"],
)
def test_a_clock_dies_and_nothing_is_lost_or_doubled(
    vault: str, keyframes: str, truth: Log, dies_at: list[int]
) -> None:
    mv = opened(vault)
    mv.create_instance("alpha")
    for control_tick in dies_at:
        mv.run(control_tick - mv.boundary().control_tick)
        mv = opened(vault)  # the one before is not closed: it dies with what it has not written down
    with mv:
        mv.run(TICKS - mv.boundary().control_tick)
    assert log_in(vault) == truth


def test_a_keyframe_has_exactly_what_ended_before_it(vault: str, truth: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 1e9)
    mv = opened(vault)
    mv.create_instance("alpha")
    mv.run(250)
    mv.revert(control_tick=250, name="there")  # writes main down to its end
    assert log_in(vault) == [row for row in truth if row[2]["ended_at"] <= 2_500]


def test_too_many_rows_do_not_wait_for_a_keyframe(vault: str, truth: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 1e9)
    monkeypatch.setattr(actors.clocks, "LOGGED_MAX", 100)
    mv = opened(vault)
    mv.create_instance("alpha")
    mv.run(TICKS)  # it dies without a word
    log = log_in(vault)
    assert len(truth) - 105 < len(log) <= len(truth) and log == truth[: len(log)]


def test_what_cannot_be_written_is_written_later(vault: str, truth: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, failing = Vault.save_keyframe, [True]

    def save(*arguments: Any, **named: Any) -> None:
        if failing[0]:
            raise VaultError("the disk is full.")
        genuine(*arguments, **named)

    monkeypatch.setattr(Vault, "save_keyframe", save)
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 0.0)
    with opened(vault) as mv:
        mv.create_instance("alpha")
        mv.run(TICKS // 2)
        assert any("the disk is full" in notice for notice in mv.status().notices)
        failing[0] = False
        mv.run(TICKS // 2)
    assert log_in(vault) == truth


def test_of_an_instance_that_ends_between_two_keyframes_nothing_is_missing(
    vault: str, truth: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.keyframes, "KEYFRAME_AFTER_WORK_S", 1e9)
    with opened(vault) as mv:
        mv.create_instance("alpha")
        mv.run(TICKS)
        mv.destroy_instance("alpha")
    assert log_in(vault) == truth


# ------------------------------------------------------------------------------------------------------------- branches


def until(log: Log, control_tick: int) -> Log:
    return [row for row in log if row[2]["ended_at"] <= 10 * control_tick]


@pytest.mark.parametrize("keyframes", some_of([("seldom",), ("often",)], 1), indirect=True)
def test_a_branch_has_the_whole_of_its_own_history(vault: str, keyframes: str, truth: Log) -> None:
    with opened(vault) as mv:
        for name in ("alpha", "beta"):
            mv.create_instance(name)
        mv.run(200)
        mv.destroy_instance("beta")
        mv.run(200)
        mv.create_instance("gamma")
        mv.run(200)
        mv.revert(control_tick=300, name="again")
        mv.create_instance("delta")  # it has the number that gamma had
        mv.run(TICKS - 300)
        mv.revert(control_tick=450, branch="again", name="once more")
        mv.run(TICKS - 450)
        mv.select("main")
        mv.run(1)
    gone = log_in(vault, instance="i2")
    assert [number for number, *_ in gone] == list(range(len(gone))) and len(gone) > HISTORY_MAX
    for branch in ("main", "again", "once more"):
        assert until(log_in(vault, branch), TICKS) == truth
        assert log_in(vault, branch, "i2") == gone
    gamma, delta, same = (log_in(vault, branch, "i3") for branch in ("main", "again", "once more"))
    assert gamma != delta == same and len(delta) > HISTORY_MAX


@pytest.mark.parametrize(
    ("keyframes", "dies"),
    some_of(list(itertools.product(("often", "seldom"), (True, False))), 1),
    indirect=["keyframes"],
)
def test_what_an_instance_took_back_is_there_for_who_goes_back_to_before(
    vault: str, keyframes: str, truth: Log, dies: bool
) -> None:
    mv = opened(vault)
    mv.create_instance("alpha")
    mv.run(400)
    lives = {400: until(truth, 400)}
    for control_tick in (100, 150, 50):  # what it was in its first life, and on from there otherwise than before
        mv.revert_instance("alpha", control_tick)
        life = dict(enumerate(until(truth, control_tick)))
        assert log_in(vault) == list(life.values())
        mv.god_mode_command({"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": CALLING})
        for _ in range(10):
            mv.run(20)
            life |= {row[0]: row for row in log_of(remembered(mv))}
            lives[mv.boundary().control_tick] = list(life.values())
    for control_tick in (400, 440, 600, 780, 800, 1_000):
        branch = f"from {control_tick}"
        mv.revert(control_tick=control_tick, branch="main", name=branch)
        if dies:
            mv = opened(vault)
        mv.run(1)
        mv.select("main")
        log, lived = log_in(vault, branch), lives[control_tick]
        assert log[: len(lived)] == lived
        assert [number for number, *_ in log] == list(range(len(log)))
    mv.close()


def test_without_a_vault_nothing_is_kept() -> None:
    with Multiverse(7, engine="local") as mv:
        mv.create_instance("alpha")
        mv.run(100)
        (clock,) = (one for one in vars(mv._engine).values() if isinstance(one, actors.clocks.MasterClock))
        assert not clock._chronicle.remembers and clock._sequencer.logged == []
