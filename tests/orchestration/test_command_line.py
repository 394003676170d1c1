"""The command line: keys, exit codes, one line for a mistake, nothing but the document with --json."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from orchestration.command_options import say
from orchestration.main import _complain, run
from orchestration.summaries import for_output
from orchestration.wordings import visible

ROOT = Path(__file__).parents[2]
LOCAL = ["simulate", "--engine", "local"]


def test_the_document(capsys):
    assert run([*LOCAL, "--games", "3", "--control-ticks", "5", "--seed", "7", "--json"]) == 0
    out, _ = capsys.readouterr()
    document = json.loads(out)
    assert list(document) == [
        "seed", "engine", "lane", "control_ticks", "events_propagated", "dead_letters", "players", "transitions",
        "games", "recoveries", "digest", "digest_chain", "elapsed_s", "control_ticks_per_s",
    ]  # fmt: skip
    assert (document["seed"], document["engine"], document["lane"], document["control_ticks"]) == (7, "local", None, 5)
    assert list(document["games"][0]) == ["realm_id", "stat7_key", "state", "local_tick", "npcs", "digest"]
    assert [game["local_tick"] for game in document["games"]] == [50, 50, 50]
    assert document["recoveries"] == []
    assert document["players"] == 6
    assert re.fullmatch("[0-9a-f]{64}", document["digest_chain"])


def test_the_same_seed_the_same_document_another_seed_another(capsys):
    documents = []
    for seed in ("1", "1", "2"):
        assert run([*LOCAL, "--games", "2", "--control-ticks", "12", "--seed", seed, "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0]["digest_chain"] == documents[1]["digest_chain"] != documents[2]["digest_chain"]


def test_duration_is_simulated_seconds(capsys):
    assert run([*LOCAL, "--duration", "2.5", "--control-tick-interval", "5", "--local-tick-ms", "100", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["control_ticks"] == 5
    assert run([*LOCAL, "--duration", "0.1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["control_ticks"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--games", "0"], "--games must be from 1 to 1000, not 0"),
        (["--games", "-1"], "not -1"),
        (["--games", "many"], "--games"),
        (["--npcs", "-1"], "--npcs must be 0 or more"),
        (["--npcs", "99999999999"], "5,000,000"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "99999999999999999999"], "seed must be"),
        (["--control-ticks", "0"], "--control-ticks"),
        (["--duration", "0"], "--duration"),
        (["--duration", "nan"], "--duration"),
        (["--duration", "5", "--control-ticks", "5"], "exclude each other"),
        (["--control-tick-interval", "0"], "--control-tick-interval"),
        (["--control-tick-interval", "99999999"], "control_tick_interval_ticks must be"),
        (["--local-tick-ms", "0"], "--local-tick-ms"),
        (["--engine", "steam"], "ray, local"),
        (["--lane", "tin", "--engine", "ray"], "zmq, ray"),
        (["--lane", "ray"], "no lane"),
        (["--kill", "sol_1@1"], "--engine ray"),
        (["--kill", "sol_1"], "REALM@TICK"),
        (["--kill", "sol_1@0"], "REALM@TICK"),
        (["--kill", "@7"], "REALM@TICK"),
        (["--scenario", "nowhere.toml"], "cannot be read"),
        (["--scenario", "examples/three_cities.toml", "--games", "2"], "exclude each other"),
        (["--report", "/no/such/folder/report.html"], "does not exist"),
        (["--series", "series.txt"], ".csv or .parquet"),
        (["--realm-path", "/no/such/folder"], "not a folder"),
        (["--sed", "1"], "--sed"),
        (["more"], "unexpected"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(capsys, monkeypatch, arguments, says):
    monkeypatch.chdir(ROOT)
    extra = [] if any(bound in arguments for bound in ("--control-ticks", "--duration")) else ["--control-ticks", "1"]
    assert run([*LOCAL, *extra, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("soulfra: ") and len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["down", "home", "--now"], ["attach", "home"], ["fly"]])
def test_commands_that_are_not_there(capsys, arguments):
    assert run(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_help(capsys):
    for arguments in ([], ["--help"], ["simulate", "--help"]):
        assert run(arguments) == 0
        assert "soulfra" in capsys.readouterr().out


def test_a_realm_that_raises_is_exit_code_1(capsys, tmp_path):
    scenario = tmp_path / "broken.toml"
    scenario.write_text(
        f'control_ticks = 3\nrealm_paths = ["{ROOT / "tests" / "realms"}"]\n'
        '[[realms]]\nid = "good"\n[[realms]]\nid = "bad"\nfactory = "small:Ring"\nparams = { raise_at = 7 }\n'
    )
    assert run([*LOCAL, "--scenario", str(scenario), "--json"]) == 1
    games = {game["realm_id"]: game for game in json.loads(capsys.readouterr().out)["games"]}
    assert games["bad"]["state"] == "error" and games["good"]["local_tick"] == 30
    assert run([*LOCAL, "--scenario", str(scenario)]) == 1
    out, err = capsys.readouterr()
    assert "bad is in error: ZeroDivisionError: the hobbit fell off" in out
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("small:raising_factory", "raised RuntimeError: the factory is on strike"),
        ("small:Nothing", "no callable"),
        ("nowhere:At", "no module 'nowhere'"),
    ],
)
def test_a_factory_that_cannot_be_used(capsys, tmp_path, factory, says):
    scenario = tmp_path / "broken.toml"
    scenario.write_text(
        f'control_ticks = 3\nrealm_paths = ["{ROOT / "tests" / "realms"}"]\n[[realms]]\nid = "a"\nfactory = "{factory}"\n'
    )
    assert run([*LOCAL, "--scenario", str(scenario), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and says in err and len(err.splitlines()) == 1


def test_report_and_series(capsys, tmp_path):
    report, series, parquet = tmp_path / "r.html", tmp_path / "s.csv", tmp_path / "s.parquet"
    common = [*LOCAL, "--games", "2", "--control-ticks", "4"]
    assert run([*common, "--report", str(report), "--series", str(series)]) == 0
    out = capsys.readouterr().out
    assert str(report) in out and str(series) in out
    assert "sol_2" in report.read_text(encoding="utf-8")
    with series.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and {row["realm_id"] for row in rows} == {"sol_1", "sol_2"}
    assert float(rows[0]["npcs"]) == 40
    assert run([*common, "--series", str(parquet)]) == 0
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(parquet).num_rows == 8


def test_a_user_s_realm_may_print(capsys, tmp_path):
    (tmp_path / "talkers.py").write_text(
        "from actors.core.realms.tick_engines import Realm\n\n\nclass Talker(Realm):\n"
        "    def tick(self, turn):\n        print('hello from', turn.member_id)\n"
    )
    scenario = tmp_path / "talk.toml"
    scenario.write_text('control_ticks = 1\nrealm_paths = ["."]\n[[realms]]\nid = "a"\nfactory = "talkers:Talker"\n')
    assert run([*LOCAL, "--scenario", str(scenario), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["control_ticks"] == 1
    assert "hello from a" in err


def interrupted(arguments, which, when="", after_s=0.0):
    """Runs a command line and sends it a signal, once a line of its standard error says `when`, or after a time."""
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "orchestration", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        # Whoever starts the tests in the background has made them ignore interrupts; the child is not to inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    begun = ""
    while when not in begun:
        line = process.stderr.readline()
        assert line, f"ended before it said {when!r}: {begun}"
        begun += line
    time.sleep(after_s)
    process.send_signal(which)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # it says where each of its threads is
        pytest.fail("it did not end:\n" + process.communicate()[1])
    return process.returncode, out, begun + err


ON_RAY = [pytest.mark.ray, pytest.mark.xdist_group("own ray")]


@pytest.mark.parametrize(
    ("which", "engine"),
    [
        (signal.SIGINT, "local"),
        (signal.SIGTERM, "local"),
        pytest.param(signal.SIGINT, "ray", marks=[*ON_RAY, pytest.mark.soak]),
        pytest.param(signal.SIGTERM, "ray", marks=ON_RAY),
    ],
)
def test_an_interrupt_ends_with_the_summary(which, engine):
    """On Ray the cluster is this run's own; Ray's own handler of SIGTERM must not have the last word."""
    arguments = ["simulate", "--engine", engine, "--games", "2", "--local-tick-ms", "5", "--json"]
    code, out, err = interrupted(arguments, which, "control tick")
    assert code == 0, err
    document = json.loads(out)
    assert document["control_ticks"] > 5
    assert document["games"][0]["local_tick"] == document["control_ticks"] * 10
    assert "Traceback" not in err


def test_an_interrupt_before_the_run_begins_is_one_line(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import sys, time\nfrom actors.core.realms.tick_engines import Realm\n\n\nclass Slow(Realm):\n"
        "    def __init__(self, *given, **named):\n        print('being made', file=sys.stderr, flush=True)\n        time.sleep(3)\n"
    )
    scenario = tmp_path / "slow.toml"
    scenario.write_text('control_ticks = 1\nrealm_paths = ["."]\n[[realms]]\nid = "a"\nfactory = "slow:Slow"\n')
    code, out, err = interrupted([*LOCAL, "--scenario", str(scenario)], signal.SIGINT, "being made")
    assert (code, out) == (1, "")
    assert err.endswith("soulfra: interrupted before the run began.\n")
    assert "Traceback" not in err


def test_an_output_that_cannot_be_written_is_one_line():
    command = [sys.executable, "-m", "orchestration", *LOCAL, "--control-ticks", "2", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "soulfra: the output cannot be written: No space left on device.\n"


def test_dead_letters_and_figures_that_are_none(capsys, tmp_path):
    (tmp_path / "odd.py").write_text(
        "from actors.core.realms.tick_engines import Realm\n\n\nclass Odd(Realm):\n    emits = frozenset({'x'})\n\n"
        "    def tick(self, turn):\n        if turn.now == 3:\n            turn.send('nobody', 'x')\n\n"
        "    def measures(self):\n        return {'npcs': float('nan'), 'control_tick': 1.0}\n"
    )
    scenario = tmp_path / "odd.toml"
    scenario.write_text('control_ticks = 2\nrealm_paths = ["."]\n[[realms]]\nid = "a"\nfactory = "odd:Odd"\n')
    series = tmp_path / "s.csv"
    assert run([*LOCAL, "--scenario", str(scenario), "--json", "--series", str(series)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["dead_letters"] == 1
    assert document["games"][0]["npcs"] is None
    assert "measure_control_tick" in series.read_text()


@pytest.mark.ray
def test_ray_that_cannot_be_reached():
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "orchestration", "simulate", "--control-ticks", "1", "--address", "127.0.0.1:9"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no Ray cluster answers at '127.0.0.1:9'" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.ray
def test_ray_that_cannot_be_started(tmp_path):
    """Its session folder cannot be made where a file stands in the way."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    environment = {**os.environ, "RAY_TMPDIR": str(blocked)}
    command = [sys.executable, "-m", "orchestration", "simulate", "--control-ticks", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Ray could not be started here" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain – ü 東", "plain – ü 東"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\0b\tc\x7f\x9b", r"a\x00b\tc\x7f\x9b"),
        ("two\nlines", "two\nlines"),
        ("\u202egnp.exe\ud800\U000e0001", r"\u202egnp.exe\ud800\U000e0001"),
        (r"\x1b", r"\x1b"),
    ],
)
def test_text_from_anywhere_is_only_read(said, shown, capsys):
    assert visible(said) == shown and visible(shown) == shown
    for_output().print(Text(said))
    drawn = Table(box=None)
    drawn.add_column()
    drawn.add_row(Text(said.replace("\n", "")))
    for_output().print(drawn)
    say({}, False, said)
    _complain(said)
    for out in capsys.readouterr():
        assert out.replace("\n", "").isprintable()


def test_what_is_too_long_is_cut_and_stands_on_one_line():
    assert visible("x" * 9, 8) == "xxxxxxx…" and visible("x" * 8, 8) == "x" * 8
    assert visible("\x1b" * 9, 8) == r"\x1b\x1…"
    assert visible("a\nb", 8) == r"a\nb"
