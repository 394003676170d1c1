"""Mesa's own models beside Cities, on Ray: their rows are those of the models run alone."""

import importlib
from pathlib import Path

import pytest

from actors.adapters.mesa_states import collector_rows
from actors.core.kernel.errors import FactoryError
from orchestration import Multiverse, scenarios
from orchestration.agendas import set_up

EXAMPLE = Path(__file__).parents[2] / "examples" / "mesa_neighbours.toml"


def rows_alone(part, seed, steps):
    module, name = part.params["model"].split(":")
    model = getattr(importlib.import_module(module), name)(**part.params["arguments"], seed=seed)
    for _ in range(steps):
        if model.running:
            model.step()
    return [row["values"] for row in collector_rows(model) if row["table"] == "model"], model


def rows_hosted(mv, realm_id):
    return [row["values"] for row in mv.query(realm_id, "model_rows")]


def test_their_rows_are_those_of_the_models_run_alone(engine):
    scenario = scenarios.load(EXAMPLE)
    with Multiverse(scenario.seed, engine=engine, realm_paths=scenario.realm_paths, realms_expected=4) as mv:
        set_up(mv, scenario).play(mv, 15)
        state = {game["realm_id"]: game for game in mv.get_multiverse_state()["games"]}
        for part in scenario.realms[:2]:
            assert state[part.id]["recovery"] == "captured"
            alone, model = rows_alone(part, 42, 150)
            hosted = rows_hosted(mv, part.id)
            assert len(hosted) > 2
            assert hosted == alone
            other, _ = rows_alone(part, 43, 150)
            assert hosted != other
            agents = mv.query(part.id, "agent_rows", {"step": 2})
            frame = model.datacollector.get_agent_vars_dataframe().loc[2]
            assert {row["agent"]: list(row["values"].values()) for row in agents} == {
                index: list(values) for index, values in zip(frame.index, frame.to_numpy().tolist(), strict=True)
            }
        rumours = mv.audit()["delivered_by_type"]["rumour"]
        assert rumours > 0


@pytest.mark.ray
def test_a_model_that_is_not_deterministic_is_refused_on_ray(ray_cluster):
    models = str(Path(__file__).parent / "models")
    params = {"model": "mesa_samples:ByHash"}
    with Multiverse(1, engine="ray", realm_paths=[models]) as mv:
        with pytest.raises(FactoryError, match="step") as caught:
            mv.register_game("odd", "actors.adapters.mesa_realms:MesaRealm", params=params)
        assert "\n" not in str(caught.value)
        marked = mv.register_game(
            "odd", "actors.adapters.mesa_realms:MesaRealm", params={**params, "nondeterministic": "mark"}
        )
        assert marked["recovery"] == "none" and marked["notes"]
