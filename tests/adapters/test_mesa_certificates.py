"""What is not deterministic by itself is found at registration, and refused or marked."""

from pathlib import Path

import pytest

pytest.importorskip("mesa")

from actors.adapters import certificates
from actors.adapters.certificates import certify
from actors.adapters.mesa_realms import MesaRealm
from actors.core.kernel.errors import FactoryError
from actors.core.kernel.members import CAPTURED, NONE, Birth

BIRTH = Birth("mesa_1", 7, "mesa_1")


@pytest.fixture(autouse=True)
def users_own_folder(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "models"))


@pytest.mark.parametrize(("model", "rows"), [("Walkers", 79), ("OddCells", 6), ("Bare", 30), ("Chatty", 79)])
def test_a_deterministic_model_passes(model, rows):
    found = certify(f"mesa_samples:{model}", {}, 7)
    assert found.deterministic, found.reason
    assert (found.steps, found.rows, found.reason) == (5, rows, "")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("ByHash", "column 'tax' of table 'model' differs between two processes with one seed at step 1."),
        ("BySetOrder", "column 'tax' of table 'model' differs between two processes with one seed at step 4."),
        ("ByEntropy", "column 'tax' of table 'model' differs between two processes with one seed at step 1."),
        ("ByTime", "column 'tax' of table 'model' differs between two processes with one seed at step 1."),
        ("ByUnseededGenerator", "the state of its generator 'random' differs .* when it is made."),
        ("BareByHash", "column 'attributes' of table 'attributes' differs"),
        ("BySharedGenerator", "It draws from Python's module 'random', which all of a process shares, when it is made"),
    ],
)
def test_a_nondeterministic_model_is_refused_with_what_differed_and_when(model, reason):
    with pytest.raises(FactoryError, match=f"is not deterministic: {reason}"):
        MesaRealm.registration_check(BIRTH, {"model": f"mesa_samples:{model}"})


def test_a_nondeterministic_model_may_be_marked():
    params = {"model": "mesa_samples:ByHash", "nondeterministic": "mark", "arguments": {"n": 2}}
    checked = MesaRealm.registration_check(BIRTH, params)
    assert {**params, "certificate": checked["certificate"]} == checked
    contract = MesaRealm(BIRTH, **checked).contract
    assert contract.recovery == NONE
    assert "column 'tax'" in contract.notes


def test_a_deterministic_model_gets_its_certificate_and_a_forged_one_is_made_anew():
    forged = {"deterministic": False, "steps": 1, "rows": 0, "reason": "so they say."}
    params = {"model": "mesa_samples:Walkers", "certify_steps": 3, "certificate": forged}
    checked = MesaRealm.registration_check(BIRTH, params)
    assert checked["certificate"] == {
        "deterministic": True, "steps": 3, "rows": 53, "reason": "", "captured": True, "refusal": ""
    }  # fmt: skip
    assert checked == MesaRealm.registration_check(BIRTH, params)
    contract = MesaRealm(BIRTH, **checked).contract
    assert contract.recovery == CAPTURED
    assert contract.notes == "Deterministic over 3 steps (53 rows) in two processes."


def test_what_a_model_publishes_is_compared_too():
    good = certify("mesa_samples:Walkers", {}, 7, publish="mesa_samples:publish_means")
    bad = certify("mesa_samples:Walkers", {}, 7, publish="mesa_samples:publish_by_hash")
    assert good.deterministic
    assert bad.reason.startswith("what it publishes differs between two processes with one seed at step 1.")


@pytest.mark.parametrize(
    ("model", "arguments", "steps", "sentence"),
    [
        ("mesa_samples:Raises", {}, 5, "raised at step 1: ZeroDivisionError: no such day"),
        ("mesa_samples:ReportsObject", {}, 5, "'first_agent'"),
        ("mesa_samples:Nobody", {}, 5, "has no 'Nobody'"),
        ("mesa_samples:Walkers", {"n": object()}, 5, "plain data"),
        ("mesa_samples:Walkers", {}, 0, "certify_steps"),
        ("mesa_samples:Walkers", {}, 5.0, "certify_steps"),
    ],
)
def test_what_cannot_be_run_is_refused(model, arguments, steps, sentence):
    with pytest.raises(FactoryError, match=sentence):
        certify(model, arguments, 7, steps)


def test_a_check_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(certificates, "CERTIFY_TIMEOUT_S", 3.0)
    with pytest.raises(FactoryError, match="lower certify_steps"):
        certify("mesa_samples:NeverReady", {}, 7)


def test_a_shipped_model_that_draws_from_the_shared_generator_is_found():
    pytest.importorskip("networkx", reason="mesa.examples imports it")
    found = certify("mesa.examples.basic.virus_on_network.model:VirusOnNetwork", {}, 7)
    assert not found.deterministic
    assert "It draws from Python's module 'random'" in found.reason


@pytest.mark.filterwarnings("ignore:Random number generator not specified:UserWarning")  # Mesa's own, for Conway's grid
@pytest.mark.parametrize(
    "model",
    [
        pytest.param("basic.boid_flockers.model:BoidFlockers", marks=pytest.mark.soak),
        "basic.boltzmann_wealth_model.model:BoltzmannWealth",
        pytest.param("basic.conways_game_of_life.model:ConwaysGameOfLife", marks=pytest.mark.soak),
        "basic.schelling.model:Schelling",
        "advanced.epstein_civil_violence.model:EpsteinCivilViolence",
        pytest.param("advanced.pd_grid.model:PdGrid", marks=pytest.mark.soak),
        pytest.param("advanced.sugarscape_g1mt.model:SugarscapeG1mt", marks=pytest.mark.soak),
    ],
)
def test_shipped_models_pass_and_are_hosted(model):
    pytest.importorskip("networkx", reason="mesa.examples imports it")
    params = MesaRealm.registration_check(BIRTH, {"model": f"mesa.examples.{model}", "certify_steps": 2})
    assert params["certificate"]["deterministic"]
    assert params["certificate"]["captured"], params["certificate"]["refusal"]
    assert MesaRealm(BIRTH, **params).contract.recovery == CAPTURED
