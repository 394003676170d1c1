"""Measures a peer apart: in a process of its own that ends in time and takes its whole family with it.

A peer is a module with `ring(job) -> Laps`. The process is `worker`, with the job on its command line; the answer comes back
in a file, because libraries print what they like.
"""

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.peers.rings import Laps
from benchmarks.peers.rows import Row

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S, START_TIMEOUT_PER_MEMBER_S = 60.0, 4.0
"""A member is a Python that imports its library: half a second on a quiet machine with two cores."""
TICK_TIMEOUT_PER_MEMBER_S = 0.003
"""Five times what the slowest peer takes."""
LAST_WORDS_S = 10.0
"""What a ring that gives up has left to clean up after itself."""


class Peer(msgspec.Struct, frozen=True):
    """A framework to be measured.

    Attributes:
        name: what it is called in the tables.
        module: where its `ring` is.
        needs: modules that must be installed.
        configurations: its ways, the first one by default.
    """

    name: str
    module: str
    needs: tuple[str, ...]
    configurations: tuple[str, ...]


class Job(msgspec.Struct, frozen=True):
    """What a ring is to do.

    Attributes:
        members: processes in the ring, at least 2.
        control_ticks: to measure.
        warmup: control ticks before those, at least 1.
        configuration: which of the peer's ways.
        folder: for files; goes away afterwards.
        timeout_s: a ring that waits longer for a member gives up by itself.
        module: the peer's module.
    """

    members: int
    control_ticks: int
    warmup: int
    configuration: str
    folder: str
    timeout_s: float
    module: str

    @property
    def ticks(self) -> int:
        """Control ticks of the whole run."""
        return self.warmup + self.control_ticks


class CannotRunError(Exception):
    """A peer cannot be measured here; the text says why."""


class Answer(msgspec.Struct, frozen=True):
    """What a worker writes down: the laps, or the reason why there are none."""

    laps: Laps | None = None
    reason: str = ""


def measure(peer: Peer, members: int, control_ticks: int, warmup: int, configuration: str = "") -> Row:
    """Measures one configuration of a peer; a peer that cannot be measured gives a row that says why."""
    configuration = configuration or peer.configurations[0]
    nothing = Row(peer=peer.name, configuration=configuration, members=members, control_ticks=control_ticks)
    for module in peer.needs:
        if importlib.util.find_spec(module) is None:
            return msgspec.structs.replace(
                nothing, note=f"not run: {module} is not installed; pip install -e '.[bench]' brings it"
            )
    timeout_s = (
        START_TIMEOUT_S
        + members * START_TIMEOUT_PER_MEMBER_S
        + (warmup + control_ticks) * members * TICK_TIMEOUT_PER_MEMBER_S
    )
    with tempfile.TemporaryDirectory(prefix="soulfra-peer-") as folder:
        job = Job(members, control_ticks, warmup, configuration, folder, timeout_s, peer.module)
        answer = _ask(job)
    if answer.laps is None:
        return msgspec.structs.replace(nothing, note=f"not run: {answer.reason}")
    if answer.laps.fault:
        return msgspec.structs.replace(nothing, apart_ticks=answer.laps.apart_ticks, note=f"void: {answer.laps.fault}")
    durations = answer.laps.durations_ns[-control_ticks:]
    return Row.measured(peer.name, configuration, members, durations, answer.laps.apart_ticks, answer.laps.note)


def _ask(job: Job) -> Answer:
    answer, said = Path(job.folder, "answer.json"), Path(job.folder, "said.txt")
    with said.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.worker", msgspec.json.encode(job).decode()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            # Ours to measure is our own cluster, closed by a token; a session of its own makes its family known.
            env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_ADDRESS": ""},
            start_new_session=True,
        )
        try:
            process.wait(job.timeout_s + LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            return Answer(reason=f"no answer within {job.timeout_s + LAST_WORDS_S:.0f} s")
        finally:
            end_family(process)
    if answer.exists():
        return msgspec.json.decode(answer.read_bytes(), type=Answer)
    lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line.strip()]
    return Answer(reason=f"it ended with code {process.returncode}: {lines[-1] if lines else 'nothing said'}")


def end_family(process: subprocess.Popen[bytes]) -> None:
    """Kills a process that was started in a session of its own, what came from it, and nothing else."""
    for pid in _family(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _family(pid: int) -> set[int]:
    """The process, everything in its session, and their descendants."""
    parents: dict[int, int] = {}
    family = {pid} if Path(f"/proc/{pid}").exists() else set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            _state, parent, _group, session, *_ = entry.read_text().rpartition(")")[2].split()
            parents[int(entry.parent.name)] = int(parent)
            if int(session) == pid:
                family.add(int(entry.parent.name))
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return family
