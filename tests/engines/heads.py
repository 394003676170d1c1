"""A Ray head as a process of its own, which can be killed with all that belongs to it, as a power cut does."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import family

BIN = Path(sys.executable).parent
RESERVED = range(10_002, 20_000)
"""Ports that Ray keeps for its workers."""
START_S_MAX = 90


def free_port() -> int:
    while True:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        if port not in RESERVED:
            return port


class Head:
    """`ray start --head`, without a dashboard."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="soulfra-ray-"))  # short: a socket's path has 107 characters at most
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._log = (self.folder / "log").open("w")
        self._process = subprocess.Popen(
            [
                BIN / "ray", "start", "--head", "--block", "--num-cpus=2", f"--port={port}", "--node-ip-address=127.0.0.1",
                "--include-dashboard=false", f"--temp-dir={self.folder / 't'}", "--object-store-memory=100000000",
                "--disable-usage-stats",
            ],
            env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
            stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + START_S_MAX
        while "Ray runtime started" not in (said := (self.folder / "log").read_text()):
            assert self._process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.1)

    def power_cut(self) -> list[int]:
        """Kills everything at once; says whom."""
        everybody = family(self._process.pid)
        for process_id in everybody:
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return everybody
