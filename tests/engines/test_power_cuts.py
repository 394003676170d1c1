"""A power cut: everything dies at once, Ray itself included; `soulfra up` goes on with the same history."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from heads import Head
from processes import alive, until

from orchestration import Multiverse

ROOT = Path(__file__).parents[2]
REALMS = ROOT / "tests" / "realms"
SCENARIO = f"""
local_tick_interval_ms = 1
seed = 5
realm_paths = ["{REALMS}"]
[[realms]]
id = "a"
factory = "small:Ring"
params = {{ next_realm = "b", shouts = true }}
[[realms]]
id = "b"
factory = "small:Ring"
params = {{ next_realm = "a" }}
"""
COMMAND = """
from orchestration import Multiverse
with Multiverse.attach("home") as mv:
    mv.command("a", "set_luck", {"luck": 7})
    print(mv.journal()[-1].control_tick)
"""

pytestmark = [pytest.mark.ray, pytest.mark.soak, pytest.mark.timeout(300)]


@pytest.fixture
def heads():
    """Starts heads; those that are still up at the end have their power cut."""
    started = []

    def start():
        started.append(Head())
        return started[-1]

    yield start
    for head in started:
        head.power_cut()


def call(head, folder, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "RAY_ADDRESS": head.address, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def soulfra(head, folder, *arguments):
    return call(head, folder, "-m", "orchestration", *arguments)


def test_everything_dies_at_once_and_goes_on(heads, tmp_path):
    (tmp_path / "two.toml").write_text(SCENARIO)
    head = heads()
    soulfra(head, tmp_path, "up", "home", "--scenario", "two.toml")
    known = int(call(head, tmp_path, "-c", COMMAND))
    seen = json.loads(soulfra(head, tmp_path, "status", "home", "--json"))["boundary"]["control_tick"]
    assert seen > known > 0
    victims = head.power_cut()
    assert len(victims) > 5
    until(lambda: not any(map(alive, victims)))
    head = heads()
    begun = time.monotonic()
    out = soulfra(head, tmp_path, "up", "home", "--paused")
    print(f"up again within {time.monotonic() - begun:.1f} s")
    resumed_at = int(out.partition("resumed at control tick ")[2].partition(":")[0])
    assert resumed_at >= known
    found = json.loads(soulfra(head, tmp_path, "status", "home", "--json"))
    with Multiverse(5, engine="local", local_tick_interval_ms=1, realm_paths=[REALMS]) as calm:
        calm.register_game("a", "small:Ring", params={"next_realm": "b", "shouts": True})
        calm.register_game("b", "small:Ring", params={"next_realm": "a"})
        calm.advance_to(known)
        calm.command("a", "set_luck", {"luck": 7})
        calm.advance_to(resumed_at)
        assert (found["boundary"]["control_tick"], found["digest_chain"]) == (resumed_at, calm.digest_chain())
    assert "is down" in soulfra(head, tmp_path, "down", "home")
