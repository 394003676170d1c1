"""Scenario files: what is wrong is named by key, with what is allowed."""

from pathlib import Path

import pytest

from actors.core.kernel.errors import ScenarioError
from orchestration import scenarios

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
GOOD = '[[realms]]\nid = "sol_1"\n'


def load(tmp_path, text):
    path = tmp_path / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return scenarios.load(path)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_good(path):
    assert scenarios.load(path).realms


def test_the_least_scenario(tmp_path):
    found = load(tmp_path, GOOD)
    assert found.realms[0].factory == scenarios.CITY
    assert found.realms[0].coordinate().key == "sol_1:cluster_0:narrative_prime:0"


def test_realm_paths_count_from_the_file(tmp_path):
    found = load(tmp_path, 'realm_paths = ["mine"]\n' + GOOD)
    assert found.realm_paths == (str(tmp_path / "mine"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "realms: is required"),
        ("realms = []", "realms: "),
        ("colour = 'red'\n" + GOOD, "colour: there is no such key; allowed: title, seed, control_ticks"),
        (GOOD + "perod = 2\n", "realms.0.perod: there is no such key; allowed: id, factory"),
        (GOOD + "period = 0\n", "realms.0.period: Input should be greater than or equal to 1, not 0"),
        (GOOD + "period = 1.5\n", "realms.0.period: "),
        (GOOD + "period = true\n", "realms.0.period: "),
        (GOOD + 'adjacency = "a:b"\n', "realms.0: adjacency 'a:b' contains ':'"),
        (GOOD + GOOD, "realm id 'sol_1' is given twice"),
        ("control_tick_interval_ticks = 0\n" + GOOD, "control_tick_interval_ticks: Input should be greater"),
        ("seed = -1\n" + GOOD, "seed: Input should be greater than or equal to 0, not -1"),
        ("control_ticks = 0\n" + GOOD, "control_ticks: "),
        (GOOD + '[[players]]\nname = "A"\nrealm = "sol_9"\n', "players.0.realm is 'sol_9'; allowed are the realms of this file: sol_1"),
        (GOOD + '[[players]]\nname = ""\nrealm = "sol_1"\n', "players.0.name: "),
        (GOOD + '[[players]]\nname = "A"\nrealm = "sol_1"\nklass = "x"\n', "allowed: name, realm, race, class, items"),
        (GOOD + '[[players]]\nname = "A"\nrealm = "sol_1"\ntravels = [{ at = 1, to = "sol_9" }]\n', "players.0.travels.0.to"),
        (GOOD + '[[players]]\nname = "A"\nrealm = "sol_1"\ntravels = [{ at = 2, to = "sol_1" }, { at = 1, to = "sol_1" }]\n', "in order of `at`"),
        (GOOD + '[[players]]\nname = "A"\nrealm = "sol_1"\nwander_every = 2\ntravels = [{ at = 1, to = "sol_1" }]\n', "not both"),
        (GOOD + '[[players]]\nname = "A"\nrealm = "sol_1"\nitems = [{ id = "x", name = "X", type = "spoon" }]\n', "weapon, armor"),
        (GOOD + '[[players]]\nname = "A"\nrealm = "sol_1"\nitems = [{ id = "x", name = "X", type = "quest", quantity = -1 }]\n', "quantity: "),
        (GOOD + '[[events]]\nat = 1\ntype = "x"\ntarget = "sol_9"\n', "events.0.target is 'sol_9'"),
        (GOOD + '[[events]]\nat = 0\ntype = "x"\n', "events.0.at: "),
        ("realms = [", "not valid TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, text, says):
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, text)
    assert says in caught.value.message
    assert "scenario.toml: " in caught.value.message
    assert "\n" not in caught.value.message


def test_every_mistake_has_its_line(tmp_path):
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, "seed = -1\ncolour = 1\n" + GOOD)
    assert len(caught.value.message.splitlines()) == 2


def test_unreadable_files(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        scenarios.load(tmp_path / "nowhere.toml")
    with pytest.raises(ScenarioError, match="cannot be read"):
        scenarios.load(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="not valid TOML"):
        scenarios.load(tmp_path / "bytes.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (scenarios.FILE_BYTES_MAX + 1))
    with pytest.raises(ScenarioError, match="larger than"):
        scenarios.load(tmp_path / "large.toml")


def test_cities_without_a_file():
    found = scenarios.of_cities(12, 5)
    assert len(found.realms) == 12 and len(found.players) == 24
    assert len({player.name for player in found.players}) == 24
    assert scenarios.of_cities(1, 5).players[0].wander_every is None


def test_devices_and_nesting(tmp_path):
    with pytest.raises(ScenarioError, match="larger than"):
        scenarios.load(Path("/dev/zero"))
    (tmp_path / "deep.toml").write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(ScenarioError, match=r"nested too deep|not valid TOML"):
        scenarios.load(tmp_path / "deep.toml")
