"""Mesa models whose state is captured: they come back, go back, fork, sweep and can be modified like Cities."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mesa")

from actors.adapters import mesa_realms
from actors.adapters.certificates import Certificate, certify
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.states import differences
from orchestration import Multiverse

MODELS = Path(__file__).parent / "models"
MESA = "actors.adapters.mesa_realms:MesaRealm"
SCHELLING = "mesa.examples.basic.schelling.model:Schelling"


def opened(folder: Path, engine: str = "local", **more: Any) -> Multiverse:
    return Multiverse(7, name="home", engine=engine, vault=folder / "v.sqlite", realm_paths=[MODELS], **more)


def walkers(mv: Multiverse, realm_id: str = "walk", model: str = "mesa_samples:Walkers") -> dict[str, Any]:
    return mv.register_game(realm_id, MESA, params={"model": model, "certify_steps": 3})


certified = lru_cache(certify)


@pytest.fixture(autouse=True)
def certified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the check of a model finds, it finds each time; that is tested elsewhere, and takes seconds."""

    def again(model: str, arguments: Any, seed: int, steps: int, *, publish: str = "") -> Certificate:
        assert not arguments
        return certified(model, (), seed, steps, publish=publish)

    monkeypatch.setattr(mesa_realms, "certify", again)


@pytest.fixture
def mv(tmp_path: Path) -> Iterator[Multiverse]:
    with opened(tmp_path) as made:
        assert walkers(made)["recovery"] == "captured"
        made.run(3)
        yield made


def rows(mv: Any, realm_id: str) -> list[Any]:
    return mv.query(realm_id, "model_rows")  # type: ignore[no-any-return]


def digests(mv: Any) -> dict[str, str]:
    return {game["realm_id"]: game["digest"] for game in mv.get_multiverse_state()["games"]}


def test_a_twin_collects_the_rows_of_its_origin(mv: Multiverse) -> None:
    [fork] = mv.fork(["walk"])
    mv.run(4)
    assert rows(mv, fork["walk"]) == rows(mv, "walk") and len(rows(mv, "walk")) == 71
    assert digests(mv)[fork["walk"]] == digests(mv)["walk"]
    [deeper] = mv.fork([fork["walk"]])
    mv.run(2)
    assert digests(mv)[deeper["walk"]] == digests(mv)["walk"]


def test_a_divergent_copy_draws_otherwise(mv: Multiverse) -> None:
    fork, other = mv.fork(["walk"], count=2, divergent=True)
    assert rows(mv, fork["walk"]) == rows(mv, "walk"), "what has been is common to them"
    mv.run(2)
    lives = [rows(mv, realm_id)[31:] for realm_id in ("walk", fork["walk"], other["walk"])]
    assert lives[0] != lives[1] != lives[2] != lives[0]


def test_modified_by_dotted_path(mv: Multiverse) -> None:
    [fork] = mv.fork(["walk"], modifications=[{"walk.objects.Walker-2.place": 1_000.0}])
    assert digests(mv)[fork["walk"]] != digests(mv)["walk"], "that it was changed is in the digest at once"
    mv.run(1)
    assert rows(mv, fork["walk"])[-1]["values"]["mean"] > 100 > rows(mv, "walk")[-1]["values"]["mean"]
    before = mv.digest()
    for changes, says in (
        ({"objects.Walker-99.place": 1.0}, "Walker-99"),
        ({"objects.Walker-2.place": "far"}, "place"),
        ({"objects.Walker-2.nothing": 1}, "nothing"),
        ({"objects.model.random": ["@", "nobody"]}, "a number, a text, true, false or null is needed"),
        ({"objects.model.@": "x"}, "objects.OBJECT.ATTRIBUTE"),
        ({"told.lineage": "x"}, "objects.OBJECT.ATTRIBUTE"),
        ({"objects.model.random": 5}, "random"),
    ):
        with pytest.raises(CommandRefusedError, match=says):
            mv.modify("walk", changes)
    assert mv.digest() == before


def test_it_goes_back_by_itself_and_with_everybody(mv: Multiverse) -> None:
    then, chain = mv.state_of("walk"), mv.digest_chain()
    mv.run(3)
    later, rows_later = mv.digest_chain(), rows(mv, "walk")
    mv.revert_realm("walk", 3)
    assert not list(differences(then, mv.state_of("walk")))
    mv.run(3)
    assert rows(mv, "walk") == rows_later, "its own time is the same again"
    mv.revert(3)
    assert mv.digest_chain() == chain
    mv.run(3)
    assert mv.digest_chain() == later


def test_it_is_restored_not_lived_again(mv: Multiverse, tmp_path: Path) -> None:
    mv.run(2)
    chain = mv.digest_chain()
    mv.close()
    with opened(tmp_path) as again:
        assert again.digest_chain() == chain
        again.run(2)
        live = again.digest_chain()
        with again.at(7) as past:
            assert past.digest_chain() == live


def test_a_sweep_over_what_an_agent_is(mv: Multiverse) -> None:
    mv.snapshot("noon")
    table = [{"walk.objects.Walker-1.place": place} for place in (0.0, 600.0)]
    low, high = mv.sweep(table, 2, snapshot="noon", measures=["walk.mean"])
    assert high["walk.mean"] - low["walk.mean"] == pytest.approx(100)


def test_three_generations_of_checkpoints(mv: Multiverse, tmp_path: Path) -> None:
    with Multiverse(7, name="home", engine="local", vault=tmp_path / "calm.sqlite", realm_paths=[MODELS]) as calm:
        walkers(calm)
        calm.run(9)
        expected = calm.digest_chain()
    mv.close()
    for _ in range(3):
        with opened(tmp_path) as again:
            again.run(2)
            found = again.digest_chain()
    assert found == expected


def test_shipped_schelling_forks(tmp_path: Path) -> None:
    pytest.importorskip("networkx", reason="mesa.examples imports it")
    with opened(tmp_path, control_tick_interval_ticks=2) as mv:
        assert walkers(mv, "town", SCHELLING)["recovery"] == "captured"
        mv.run(2)
        fork, other = mv.fork(["town"], modifications=[{}, {"town.objects.model.running": False}])
        mv.run(3)
        assert rows(mv, fork["town"]) == rows(mv, "town") != rows(mv, other["town"])


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("Dreamer", "Its state cannot be written down: model holds a builtins.generator, whose state"),
        ("Clique", "which nothing but a set holds"),
        ("Amnesiac", "Another process, told its state after step 1, lives on otherwise: column 'tax'"),
    ],
)
def test_what_cannot_be_captured_is_lived_again(tmp_path: Path, model: str, says: str) -> None:
    with opened(tmp_path) as mv:
        registered = walkers(mv, "walk", f"mesa_samples:{model}")
        assert registered["recovery"] == "replayed"
        assert says in registered["notes"]
        with pytest.raises(CommandRefusedError, match="its recovery is 'replayed'"):
            mv.fork(["walk"])


def test_a_certificate_says_whether_it_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(MODELS))
    found = certify("mesa_samples:Bare", {}, 7, 2)
    assert (found.captured, found.refusal) == (True, "")
    assert "One step is too few" in certify("mesa_samples:Bare", {}, 7, 1).refusal
    assert "generator" in certify("mesa_samples:Dreamer", {}, 7, 2).refusal


@pytest.mark.ray
@pytest.mark.soak
def test_on_ray_whoever_dies(ray_cluster: str, tmp_path: Path) -> None:
    def life(mv: Multiverse, *killed: str) -> str:
        walkers(mv)
        mv.run(2)
        [fork] = mv.fork(["walk"])
        for realm_id in killed:
            mv.kill(realm_id)
            mv.run(1)
        mv.run(3 - len(killed))
        assert rows(mv, fork["walk"]) == rows(mv, "walk")
        return mv.digest_chain()

    with opened(tmp_path) as mv:
        expected = life(mv)
    with Multiverse(7, name="home", engine="ray", vault=tmp_path / "ray.sqlite", realm_paths=[MODELS]) as mv:
        assert life(mv, "walk", "walk~1") == expected
        assert {one["member_id"] for one in mv.recoveries()} == {"walk", "walk~1"}
