"""`soulfra run`, `start` and `pause`: a multiverse that is up, told from a shell whether and how fast to live on."""

import json

import pytest
from processes import until

from orchestration import Multiverse
from orchestration.main import run

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def test_from_a_shell(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def soulfra(*arguments):
        code = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    scenario = tmp_path / "one.toml"
    scenario.write_text('local_tick_interval_ms = 1\n[[realms]]\nid = "a"\nfactory = "actors.core.realms.city:City"\n')
    code, _, err = soulfra("up", "paced", "--scenario", scenario, "--paused")
    assert code == 0, err
    try:
        code, out, err = soulfra("run", "paced", 7, "--json")
        told = json.loads(out)
        assert (code, err, told["boundary"]["control_tick"], told["control_ticks"]) == (0, "", 7, 7)
        with Multiverse.attach("paced") as mv:
            assert told["digest_chain"] == mv.digest_chain()
            assert soulfra("run", "paced", 0)[1].startswith(
                "paced stands at control tick 7 of main; 0 events delivered;"
            )
            for wrong in ("-1", "x", "1.5", "1" * 20):
                code, out, err = soulfra("run", "paced", "--", wrong)
                assert (code, out, len(err.splitlines())) == (2, "", 1)
            assert soulfra("start", "paced") == (0, "paced runs, in real time\n", "")
            until(lambda: mv.boundary().control_tick > 9)
            code, out, err = soulfra("run", "paced", 1)
            assert (code, out) == (2, "") and "the clock is running already; pause it first" in err
            assert soulfra("pause", "paced")[1].startswith("paced stands at control tick ")
            stands = mv.boundary()
            assert json.loads(soulfra("pause", "paced", "--json")[1])["boundary"]["control_tick"] == stands.control_tick
            assert soulfra("start", "paced", "--fast") == (0, "paced runs, as fast as it can\n", "")
            until(lambda: mv.boundary().control_tick > stands.control_tick + 5)
            soulfra("pause", "paced")
    finally:
        soulfra("down", "paced")
    code, out, err = soulfra("run", "paced", 1)
    assert (code, out) == (2, "") and "no multiverse 'paced' is up" in err
