"""Doubles: processes beside the clock's in which a member lives once more, to see whether it is the same member there.

A double differs from the process of the clock in all that must not matter: the hash seed of text, addresses of objects,
process id, the moment, the time zone, the number of threads that linear algebra may use.

A *forking* double is for members that can be captured. It has imported what members stand on and forks a child for each
question, in which the member is made and restored from its capture: as good as a new process, for milliseconds instead
of tenths of a second. A *staying* double is for a member that can be rebuilt only from its birth: it lives beside it.

Both take a list of packed messages (see `kernel/messages.py`) and answer with the list of packed answers. When the clock's
process ends, for whatever reason, the line is at its end and so are they.
"""

import contextlib
import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection

import msgspec

from actors.core.kernel.codec import decode
from actors.core.kernel.errors import EngineError, ProtocolError
from actors.core.kernel.messages import Embodiment, Refusal, unpack
from actors.core.kernel.states import decode_state, encode_state
from actors.factories import load
from actors.hosts import Host

FORKING, STAYING = "forking", "staying"
ANSWER_TIMEOUT_S = 600.0
"""As long as the clock waits for a member; one that takes longer in its double only is no double."""

SURROUNDINGS = {
    "TZ": "Asia/Kathmandu",
    "PYTHONSAFEPATH": "1",
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
"""What differs around a double, beside its hash seed. One thread only, for it forks."""
AHEAD = ("actors.core.realms.city", "actors.core.players.registry", "numpy.random")
"""What a forking double has imported; everything in the core, for what users wrote is imported anew for each question."""


class Double:
    """A double, from the side of the clock. One thread at a time.

    Args:
        mode: `FORKING` or `STAYING`.
        hash_seed: its PYTHONHASHSEED.
    """

    def __init__(self, mode: str, hash_seed: int) -> None:
        self.hash_seed = hash_seed
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 (import paths are text)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (this Python, a module of ours)
                [sys.executable, "-m", "actors.doubles", mode],
                stdin=theirs.fileno(),
                start_new_session=True,  # an interrupt from the keyboard lets the tick under way end, and so its checks
                env={**os.environ, **SURROUNDINGS, "PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed)},
            )
        self._line = Connection(ours.detach())

    def ask(self, packed: Sequence[bytes]) -> list[bytes]:
        """The answers to packed messages, one each; at the end what became of a capture that could not be restored.

        Raises:
            EngineError: it ended, or did not answer in time.
        """
        try:
            self._line.send_bytes(msgspec.msgpack.encode(list(packed)))
            if self._line.poll(ANSWER_TIMEOUT_S):
                return msgspec.msgpack.decode(self._line.recv_bytes(), type=list[bytes])
        except (EOFError, OSError):
            raise EngineError("it ended there without an answer.") from None
        raise EngineError(f"there was no answer from there within {ANSWER_TIMEOUT_S:g} s.")

    def kill(self) -> None:
        """Ends it and whatever it has forked, so that nobody waits for an answer any more."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends it and gives back what it took."""
        self.kill()
        self._line.close()
        self._process.wait()


def _answers(host: Host, questions: list[bytes]) -> bytes:
    answers = [host.answer_packed(question) for question in questions]
    return msgspec.msgpack.encode([*answers, _misfit(questions[0], answers[0])])


def _misfit(question: bytes, answer: bytes) -> bytes:
    """The state that a member has after it was restored from another one, if that was why it could not be made."""
    try:
        embodiment, _ = unpack(question, Embodiment), unpack(answer, Refusal)
    except ProtocolError:  # another question, or it was made
        return b""
    if not isinstance(embodiment, Embodiment) or embodiment.checkpoint is None:
        return b""
    try:
        params = decode(embodiment.spec.checked_params or embodiment.spec.params)
        member = load(embodiment.spec.factory)(embodiment.birth, **params)
        member.restore(decode_state(embodiment.checkpoint.document))
        return encode_state(member.capture())
    except Exception:  # the refusal says what it is; there is no state to show
        return b""


def _fork_for_each(line: Connection) -> None:
    for name in AHEAD:
        importlib.import_module(name)
    gc.freeze()  # what is here now is not looked through by a child's collector, which would copy its pages
    while True:
        asked = line.recv_bytes()
        child = os.fork()
        if not child:
            try:
                signal.alarm(int(ANSWER_TIMEOUT_S))  # nobody would end it if the clock's process were gone
                line.send_bytes(_answers(Host(), msgspec.msgpack.decode(asked, type=list[bytes])))
            except BaseException:
                os._exit(1)
            os._exit(0)
        if os.waitpid(child, 0)[1]:  # half of an answer may be on its way: nothing after it could be understood
            return


def _stay(line: Connection) -> None:
    host = Host()
    while True:
        questions = msgspec.msgpack.decode(line.recv_bytes(), type=list[bytes])
        signal.alarm(int(ANSWER_TIMEOUT_S))
        line.send_bytes(_answers(host, questions))
        signal.alarm(0)


def main() -> None:
    """A double: questions and answers on what was standard input. What members print was printed by the first ones."""
    line = Connection(os.dup(0))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    try:
        (_stay if sys.argv[1] == STAYING else _fork_for_each)(line)
    except (EOFError, OSError, KeyboardInterrupt):  # the clock's process has ended
        os._exit(0)


if __name__ == "__main__":
    main()
