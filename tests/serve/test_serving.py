"""`python -m serve`: what it refuses before it starts anything, and a walk through the real thing on Ray Serve."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shown import blocks, shown_as, steps

from actors.packages.files import inspect_package
from serve.__main__ import run
from serve.guards import Limits
from serve.keys import keys_in

ROOT = Path(__file__).parents[2]
PAGE, STORY = (
    (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in ("http", "puppet_master_over_http")
)
PATIENCE_S = 200.0
LIMITS = Limits()


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
        (["--role", "king"], "--role must be one of observer, player, operator, god"),
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
    """`python -m serve` in a process and a folder of its own, with a Ray of its own."""

    def __init__(self, folder, port, *more):
        environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        self.folder, self.port, self.output = folder, port, folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serve", "--port", str(port), *more],
                cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT,
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
            ["bash", "-c", line],
            cwd=self.folder, env={**os.environ, "KEY": key}, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout.replace(str(self.port), "8000")

    def tells(self, page, key):
        """Runs every command of curl on a page; what comes of each must be as shown."""
        for command, shown in page:
            real = self.curl(command, key)
            assert shown_as(shown, real), f"{command}\n{real}"

    def end(self):
        """Ends it as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def program(tmp_path, port):
    begun = []

    def begin(*more):
        begun.append(Program(tmp_path, port, *more))
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


def begun(port, key, path="/v1/state", rest=""):
    """A connection on which a request has been begun, with so much more of it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"{'POST' if rest else 'GET'} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n"
    connection.sendall(f"{head}{rest}\r\n".encode())
    return connection


def answer(connection):
    """Its answer, whole."""
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()


def check_that_too_many_are_turned_away(port, key):
    """Those whose bodies do not come are at work, or wait, until they go; one more is told so by us, not by Ray Serve."""
    most = LIMITS.requests_max + LIMITS.requests_waiting_max
    rest = "Content-Type: application/json\r\nContent-Length: 2\r\n"
    with contextlib.ExitStack() as stalled:
        connections = [stalled.enter_context(begun(port, key, "/v1/god", rest)) for _ in range(most + 1)]
        (answered, *_), _, _ = select.select(connections, [], [], PATIENCE_S)
        said = answer(answered)
        assert said.startswith("HTTP/1.1 503 ") and "application/problem+json" in said and '"code":"busy"' in said
        assert f"retry-after: {LIMITS.retry_after_s}" in said
        assert "200 OK" in answer(begun(port, key, "/healthz"))
    deadline = time.monotonic() + PATIENCE_S
    while not (said := answer(begun(port, key))).startswith("HTTP/1.1 200 "):
        assert time.monotonic() < deadline, said


@pytest.mark.ray
@pytest.mark.timeout(500)
@pytest.mark.xdist_group("own ray")
def test_the_story_and_the_walk_in_the_docs_on_ray_serve(program, tmp_path, port):
    (begins,) = blocks(STORY, "sh")
    served = program(*begins.split()[3:])
    said = served.said()
    (key,) = re.findall(r"soulfra_[\w-]{43}", said)
    assert f"http://127.0.0.1:{port}/v1/state" in said and "multiverse is new: 2 realms, instances: alpha." in said
    assert listening(port) == ["0100007F"], "the machine itself is all that it listens to"
    file = tmp_path / "multiverse.sqlite.keys"
    assert file.stat().st_mode & 0o777 == 0o600 and keys_in(file).principal_of(key) == "god"

    story = steps("".join(blocks(STORY, "console")))
    assert len(story) >= 30
    served.tells(story, key)
    assert inspect_package(tmp_path / "both.soulfra").packages[0].metadata.digest in STORY
    state = "curl -s --oauth2-bearer $KEY http://127.0.0.1:8000/v1/state"
    before = json.loads(served.curl(state, key))
    assert not before["running"]
    assert served.end() == 0, served.output.read_text()
    assert "Traceback" not in served.output.read_text() and listening(port) == []
    kept = b"".join(one.read_bytes() for one in tmp_path.iterdir() if one.name != "output")
    assert key.removeprefix("soulfra_").encode() not in kept

    again = program()
    said = again.said()
    assert "soulfra_" not in said and "the key of god is the one shown before" in said
    after = json.loads(again.curl(state, key))
    assert after["boundary"]["branch"] == before["boundary"]["branch"] == "quiet" and after["running"]
    assert after["boundary"]["control_tick"] >= before["boundary"]["control_tick"] > 0
    assert [one["name"] for one in after["instances"]["items"]] == [one["name"] for one in before["instances"]["items"]]
    walk = steps("".join(blocks(PAGE, "console")[1:]))
    assert len(walk) >= 8
    again.tells(walk, key)
    check_that_too_many_are_turned_away(port, key)
    assert again.end() == 0, again.output.read_text()
