"""`python -m serve`: what it refuses before it starts anything, and a walk through the real thing on Ray Serve."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shown import blocks, shown_as, steps

from actors.core.kernel.instances import PLATFORM_ROLES
from serve.__main__ import run
from serve.keys import keys_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
PATIENCE_S = 120.0


@pytest.fixture
def serve(capsys, tmp_path, monkeypatch):
    """Runs a command line in an empty folder; its exit code and what it complained of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def call(*arguments):
        code = run([str(one) for one in arguments])
        said = capsys.readouterr()
        assert said.out == "" and list(tmp_path.glob("*.sqlite*")) == []
        return code, said.err

    return call


@pytest.fixture
def port():
    """One that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "0"], "--port must be from 1 to 65535, not 0"),
        (["--port", "65536"], "--port must be from 1 to 65535"),
        (["--port", "x"], "--port"),
        (["--name", "a/b"], "letters, digits"),
        (["--games", "0"], "--games"),
        (["--platform", "mirror"], "ROLE=MODULE:NAME"),
        (["--scenario", "none.toml"], "cannot be read"),
        (["--host", "1.2.3.4"], "nobody can listen"),
        (["--vault", "postgresql://nobody@127.0.0.1:9/x"], "name a file with --keys"),
        (["--principal"], "principal"),
        (["more"], "more"),
    ],
)
def test_wrong_use_is_one_line_and_starts_nothing(serve, port, arguments, says):
    code, said = serve("--port", port, *arguments)
    assert code == 2 and says in said and said.startswith("serve: ") and said.count("\n") == 1


def test_a_port_that_is_taken_is_named(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = serve("--port", taken.getsockname()[1])
    assert code == 2 and "is taken; choose another with --port" in said


def test_it_does_not_come_between_somebody_elses_ray(serve, port, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert serve("--port", port) == (
        2,
        "serve: this starts a Ray of its own, and RAY_ADDRESS names another; unset it.\n",
    )


def test_keys_that_others_may_read_are_not_used(serve, port, tmp_path):
    (tmp_path / "k").write_text("{}")
    (tmp_path / "k").chmod(0o644)
    code, said = serve("--port", port, "--keys", "k")
    assert code == 2 and "chmod 600" in said


def test_make_serve_is_that_program():
    would = subprocess.run(["make", "--dry-run", "serve"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m serve" in would and "127.0.0.1" not in would, "loopback is its default"


class Program:
    """`python -m serve` in a process of its own, with a Ray of its own."""

    def __init__(self, folder, port):
        platforms = [f"--platform={role}=small_platforms:Platform" for role in PLATFORM_ROLES]
        environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        self.port, self.output = port, folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "serve", "--vault", str(folder / "m.sqlite"), "--port", str(port)),
                    *("--games", "1", "--npcs", "5", "--realm-path", str(ROOT / "tests" / "realms"), *platforms),
                ],
                cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def said(self):
        """What it has printed, once it serves."""
        deadline = time.monotonic() + PATIENCE_S
        while "serving until Ctrl-C." not in (said := self.output.read_text()):
            assert self.process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.1)
        return said

    def curl(self, command, key):
        """What a command line of curl prints, sent to where this listens."""
        line = command.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, env={**os.environ, "KEY": key}, timeout=60, check=True
        )
        return done.stdout

    def end(self):
        """Ends it as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def program(tmp_path, port):
    begun = []

    def begin():
        begun.append(Program(tmp_path, port))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def listening(port):
    """The addresses on which somebody listens at a port, from /proc, in hexadecimal."""
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1].partition(":")[0] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]


@pytest.mark.ray
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("own ray")
def test_the_walk_in_the_docs_on_ray_serve(program, tmp_path, port):
    served = program()
    said = served.said()
    (key,) = re.findall(r"soulfra_[\w-]{43}", said)
    assert f"http://127.0.0.1:{port}/v1/state" in said and "multiverse is new: 1 realms, instances: alpha." in said
    assert listening(port) == ["0100007F"], "the machine itself is all that it listens to"
    file = tmp_path / "m.sqlite.keys"
    assert file.stat().st_mode & 0o777 == 0o600 and keys_in(file).principal_of(key) == "god"

    walk = steps("".join(blocks(PAGE, "console")[1:]))
    assert len(walk) >= 8
    for command, shown in walk:
        real = served.curl(command, key)
        assert shown_as(shown, real.replace(str(port), "8000")), f"{command}\n{real}"
    before = json.loads(served.curl('curl -s -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/v1/state', key))
    assert before["running"]
    assert served.end() == 0, served.output.read_text()
    assert "Traceback" not in served.output.read_text() and listening(port) == []
    kept = b"".join(one.read_bytes() for one in tmp_path.iterdir() if one.name != "output")
    assert key.removeprefix("soulfra_").encode() not in kept

    again = program()
    said = again.said()
    assert "soulfra_" not in said and "the key of god is the one shown before" in said
    after = json.loads(again.curl('curl -s -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/v1/state', key))
    assert after["boundary"]["control_tick"] >= before["boundary"]["control_tick"] > 0
    assert [one["name"] for one in after["instances"]["items"]] == [one["name"] for one in before["instances"]["items"]]
    assert again.end() == 0, again.output.read_text()
