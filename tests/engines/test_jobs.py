"""The cluster: a job on a Ray that somebody else started, and the launcher file."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.xdist_group("own ray")

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SIMULATE = ["simulate", "--games", "2", "--control-ticks", "12", "--seed", "7", "--npcs", "20", "--json"]
RESERVED = range(10_002, 20_000)
"""Ports that Ray keeps for its workers."""


def free_port() -> int:
    while True:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        if port not in RESERVED:
            return port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """`ray start --head` as a process of its own, ended by its process id."""
    dashboard = free_port()
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    # A short folder: Ray's sockets live below it, and a socket's path has at most 107 characters.
    folder = Path(f"/tmp/soulfra-job-{os.getpid()}")
    log = (tmp_path_factory.mktemp("ray") / "head.log").open("w")
    head = subprocess.Popen(
        [
            BIN / "ray", "start", "--head", "--block", "--num-cpus=2", f"--port={free_port()}",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", "--dashboard-agent-listen-port=0",
            f"--temp-dir={folder}", "--object-store-memory=100000000", "--disable-usage-stats",
        ],
        env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for_port(dashboard, head)
        yield f"http://127.0.0.1:{dashboard}", environment
    finally:
        head.send_signal(signal.SIGTERM)
        try:
            head.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_port(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "ray start ended early"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("the head did not come up within 90 s")


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_a_job_prints_the_digest_of_a_run_without_it(cluster, tmp_path):
    address, environment = cluster
    copy = tmp_path / "copy"  # what a user has: the files, not an installed package
    kept_out = shutil.ignore_patterns(".git", ".venv", "out", ".*_cache", ".hypothesis", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=kept_out)
    submitted = subprocess.run(
        [BIN / "ray", "job", "submit", "--address", address, "--working-dir", ".", "--", "python", "-m", "orchestration", *SIMULATE],
        cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    document = next(json.loads(line) for line in submitted.stdout.splitlines() if line.startswith('{"seed"'))
    alone = subprocess.run(
        [sys.executable, "-m", "orchestration", *SIMULATE, "--engine", "local"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    expected = json.loads(alone.stdout)
    assert document["engine"] == "ray"
    assert document["digest_chain"] == expected["digest_chain"]
    assert document["digest"] == expected["digest"]


@pytest.mark.ray
def test_the_cluster_file_passes_ray_s_own_validator():
    from ray.autoscaler._private.util import prepare_config, validate_config

    described = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    validate_config(prepare_config(described))
    spoiled = {**described, "colour": "red"}
    with pytest.raises(Exception, match="colour"):
        validate_config(prepare_config(spoiled))
