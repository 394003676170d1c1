"""The standing test: both engines live the same life, to the bit, whatever differs around them."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.core.kernel.settings import Settings
from actors.lanes import LocalLane
from orchestration import Multiverse, scenarios
from orchestration.agendas import set_up
from orchestration.comparisons import UNDER_WAY, first_divergence
from orchestration.engines import LocalEngine

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "three_cities.toml"


def opened(engine: str, scenario: scenarios.Scenario, *, lane: LocalLane | None = None, **changes):
    @contextmanager
    def open_run():
        chosen = scenario.model_copy(update=changes)
        with Multiverse(chosen.seed, engine=engine, realm_paths=chosen.realm_paths) as mv:
            if lane is not None:
                mv._engine.close()
                mv._engine = LocalEngine(Settings(seed=chosen.seed), lane=lane)
            yield mv, set_up(mv, chosen)

    return open_run


@pytest.mark.ray
@pytest.mark.parametrize(
    "name", ["three_cities", "slow_oracle", pytest.param("mesa_neighbours", marks=pytest.mark.soak)]
)
def test_the_engines_live_the_same_life(ray_cluster, name):
    scenario = scenarios.load(ROOT / "examples" / f"{name}.toml")
    divergence = first_divergence(opened("local", scenario), opened("ray", scenario), scenario.control_ticks)
    assert divergence is None, str(divergence)


@pytest.mark.ray
@pytest.mark.soak
def test_two_runs_on_ray_are_the_same(ray_cluster):
    scenario = scenarios.of_cities(3, 30)
    divergence = first_divergence(opened("ray", scenario), opened("ray", scenario), 30)
    assert divergence is None, str(divergence)


def test_the_order_in_which_members_answer_does_not_matter():
    scenario = scenarios.load(EXAMPLE)
    for sequence in (lambda ids: ids[::-1], lambda ids: ids[1:] + ids[:1]):
        lane = LocalLane(sequence=sequence)
        divergence = first_divergence(opened("local", scenario), opened("local", scenario, lane=lane), 60)
        assert divergence is None, str(divergence)


def test_another_seed_lives_another_life():
    scenario = scenarios.load(EXAMPLE)
    divergence = first_divergence(opened("local", scenario), opened("local", scenario, seed=8), 20)
    assert divergence is not None
    assert divergence.control_tick == 1


def test_where_runs_part_is_named_to_the_object():
    """One NPC's trait, changed from outside at one boundary, is what the comparison finds."""
    scenario = scenarios.of_cities(2, 30)

    @contextmanager
    def touched():
        with opened("local", scenario)() as (mv, agenda):
            carry_out = agenda.carry_out

            def carry_out_and_touch(at_mv, control_tick):
                carry_out(at_mv, control_tick)
                if control_tick == 9:
                    at_mv.command("sol_2", "set_trait", {"npc": 17, "trait": "thrift", "value": 255})

            agenda.carry_out = carry_out_and_touch
            agenda.next_after = lambda at, end: min(at + 1, end)
            yield mv, agenda

    divergence = first_divergence(opened("local", scenario), touched, 20)
    assert divergence is not None
    assert (divergence.control_tick, divergence.member_id) == (10, "sol_2")
    assert divergence.objects[0].section == "npcs"
    assert "17" in {difference.object for difference in divergence.objects}
    assert "sol_2" in str(divergence) and "control tick 10" in str(divergence)


def test_what_is_under_way_counts_too():
    scenario = scenarios.of_cities(2, 10)

    @contextmanager
    def subscribed():
        with opened("local", scenario)() as (mv, agenda):
            mv.unsubscribe("sol_1", "festival")
            yield mv, agenda

    divergence = first_divergence(opened("local", scenario), subscribed, 1)
    assert divergence is not None
    assert divergence.member_id == UNDER_WAY


def _run_elsewhere(engine: str, **environment: str) -> dict:
    command = [sys.executable, "-m", "orchestration", "simulate", "--scenario", str(EXAMPLE), "--control-ticks", "40"]
    done = subprocess.run(
        [*command, "--engine", engine, "--json"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_hash_seeds_and_vector_units_do_not_matter():
    """numpy 2.4 names its dispatch groups; older names are listed too, and what a machine has not is ignored."""
    plain = _run_elsewhere("local", PYTHONHASHSEED="0")
    others = [
        _run_elsewhere("local", PYTHONHASHSEED="4711"),
        _run_elsewhere("local", NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR AVX512F"),
        _run_elsewhere(
            "local",
            NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3",
            OPENBLAS_CORETYPE="Nehalem",
        ),
    ]
    for other in others:
        assert other["digest_chain"] == plain["digest_chain"]
        assert other["digest"] == plain["digest"]


@pytest.mark.ray
@pytest.mark.xdist_group("own ray")
def test_hash_seeds_do_not_matter_on_ray():
    """A cluster of its own, so that every worker has this hash seed and this processor."""
    plain = _run_elsewhere("local", PYTHONHASHSEED="0")
    other = _run_elsewhere("ray", PYTHONHASHSEED="4711", NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR")
    assert other["engine"] == "ray" and other["lane"] == "zmq"
    assert other["digest_chain"] == plain["digest_chain"]
