"""The check of determinism: two fresh processes, one seed, the same rows?

A member that is rebuilt by replay must do again what it did. Whether a foreign model does cannot be read off its code,
so it is tried: the model runs for some steps in two processes that differ in what must not matter (the hash seed of
text, addresses of objects, process id, the moment), and everything its digest covers is compared after every step.

Equal rows are not enough. A model that draws from the generators which all of a process shares (Python's `random` or
numpy's `np.random` module) depends on its neighbours, so that is found, too, by looking at those generators' states.

What passes has been found deterministic over so many steps, not proved; later differences show when a
rebuilt member's digest is not the one it had.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from actors.adapters.mesa_bridges import Said, said_by
from actors.adapters.mesa_captures import CapturedModel, take_up, told_whole
from actors.adapters.mesa_models import imported_function, make_model, model_class
from actors.adapters.mesa_states import Collected, RowFold, encode_rows, generator_states
from actors.adapters.object_graphs import UncapturableError
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.errors import FactoryError, MemberError, SoulfraError, error_from

CERTIFY_STEPS_DEFAULT = 5
CERTIFY_STEPS_MAX = 1_000
"""More steps find more, but registration waits for them."""

CERTIFY_TIMEOUT_S = 120.0
"""Two processes on a busy machine need some seconds to import Mesa; a model that needs minutes is to be checked shorter."""

RESULT_BYTES_MAX = 64 << 20
"""A result has some 20 bytes for each column of each step, and the model's state."""

HASH_SEEDS = ("1", "2")
"""PYTHONHASHSEED of the two processes: sets of text are walked in two orders."""

LIVES, CAPTURES = b"live", b"capture"
"""What a process is told to do; anything else is the state that it is to take up."""

DIGEST_CHARACTERS = 16
"""Of each column: enough to tell two runs apart, short enough to send."""


class Certificate(msgspec.Struct, frozen=True):
    """What the check found.

    Attributes:
        deterministic: whether both processes agreed and drew from their own generators only.
        steps: how many steps were compared, beside the model's first state.
        rows: how many rows were compared; for a model without rows, the objects whose attributes were.
        reason: what differed and at which step, a sentence; "" if nothing did.
        captured: whether a third process, to which its state was told half-way, went on alike.
        refusal: why not, a sentence.
    """

    deterministic: bool
    steps: int
    rows: int = 0
    reason: str = ""
    captured: bool = False
    refusal: str = ""


class Run(msgspec.Struct, frozen=True):
    """What one process reports.

    Attributes:
        steps: for the model's first state and for each step, what it consists of: name to short digest.
        rows: how many rows were collected.
        shared: "" or the sentence that tells of draws from a generator that the process shares.
        error: "" or the code and the message of the error that stopped it.
        state: the model half-way, object by object; empty if it cannot be written down.
        refusal: why not.
    """

    steps: list[dict[str, str]] = []
    rows: int = 0
    shared: str = ""
    error: tuple[str, str] | None = None
    state: bytes = b""
    refusal: str = ""


def certify(
    model: str, arguments: Mapping[str, Plain], seed: int, steps: int = CERTIFY_STEPS_DEFAULT, *, publish: str = ""
) -> Certificate:
    """Runs a Mesa model in two fresh processes and compares it step by step.

    Args:
        model: "module:Class"; found by the import path of this process.
        arguments: of its constructor, without the seed; what JSON can hold.
        seed: of both runs.
        steps: how many, at most `CERTIFY_STEPS_MAX`.
        publish: "module:function" of what it says to others, which is compared, too; "" for none.

    Raises:
        FactoryError: the model cannot be made or run, or the check takes longer than `CERTIFY_TIMEOUT_S`.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= CERTIFY_STEPS_MAX:
        raise FactoryError(f"certify_steps must be a whole number from 1 to {CERTIFY_STEPS_MAX}, not {steps!r}.")
    order = {"model": model, "arguments": dict(arguments), "seed": seed, "steps": steps, "publish": publish}
    try:
        json.dumps(order)
    except (TypeError, ValueError) as error:
        raise FactoryError(f"arguments of {model!r} must be plain data: {error}.") from None
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_run_apart, {**order, "captures": True}, HASH_SEEDS[0], lambda: b"")
        second = pool.submit(_run_apart, {**order, "captures": False}, HASH_SEEDS[1], lambda: _state_of(first))
        (one,), (other, *heirs) = first.result(), second.result()
    if one.error is not None or other.error is not None:
        raise FactoryError(error_from(*(one.error or other.error or ("", ""))).message)
    reason = " ".join(found for found in (_difference(one, other), one.shared or other.shared) if found)
    few = "" if steps > 1 else "One step is too few to find out whether its state can be told."
    refusal = reason or few or one.refusal or _difference_of_heir(one, heirs[0], steps)
    return Certificate(not reason, steps, one.rows, reason, not refusal, refusal)


def _state_of(first: "Future[list[Run]]") -> bytes:
    """What the first process tells of its model half-way; nothing if it has nothing to tell."""
    return first.result()[0].state if first.exception() is None else b""


def _difference_of_heir(one: Run, heir: Run, steps: int) -> str:
    """What a process does otherwise that takes up a model's state half-way."""
    if heir.error is not None:
        return f"Another process, told its state, cannot go on: {heir.error[1]}"
    half = steps // 2
    found = _difference(Run(one.steps[half + 1 :]), heir, half + 1)
    return f"Another process, told its state after step {half}, lives on otherwise: {found}" if found else ""


def _run_apart(order: Mapping[str, Any], hash_seed: str, word: Callable[[], bytes]) -> list[Run]:
    """Runs in a process of its own, with this process's import path.

    The process begins to import at once; the word is asked for meanwhile.
    """
    model, steps = order["model"], order["steps"]
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 (import paths are text)
    surroundings = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": hash_seed}
    with subprocess.Popen(
        [sys.executable, "-m", "actors.adapters.certificates"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings,
    ) as process:
        try:
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):  # how it ended, its result tells
                    process.stdin.write(json.dumps(order).encode() + b"\n")
                    process.stdin.flush()
            out, err = process.communicate(word(), timeout=CERTIFY_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise FactoryError(
                f"checking {model!r} took more than {CERTIFY_TIMEOUT_S:.0f} s for {steps} steps; lower certify_steps."
            ) from None
        finally:
            process.kill()
    try:
        return msgspec.json.decode(out, type=list[Run])
    except msgspec.DecodeError:
        last = err.decode(errors="replace").strip().splitlines()[-1:]
        raise FactoryError(
            f"checking {model!r} ended with code {process.returncode} and no result: {''.join(last) or 'it said nothing'}."
        ) from None


def _difference(one: Run, other: Run, first: int = 0) -> str:
    for step, (left, right) in enumerate(zip(one.steps, other.steps, strict=True), first):
        for name in [*left, *(name for name in right if name not in left)]:
            if left.get(name) != right.get(name):
                when = "when it is made" if step == 0 else f"at step {step}"
                return f"{name} differs between two processes with one seed {when}."
    return ""


def run_here(
    model: str, arguments: Mapping[str, Plain], seed: int, steps: int, publish: str = "", word: bytes = b"live"
) -> Run:
    """Runs the model in this process and says of every step what it consists of.

    Args:
        model: see `certify`, like the others.
        arguments: of its constructor.
        seed: of the model.
        steps: how many.
        publish: what it says to others.
        word: `LIVES`; `CAPTURES` to tell its state half-way, too; or such a state, to live from there to the end.

    Raises:
        FactoryError: the model cannot be found or made, or it raises.
        MemberError: a row without canonical form.
    """
    speak = imported_function(publish, "publish")
    model_class(model)  # what its module draws while it is imported is not the model's doing
    before = _shared_state()
    hosted = make_model(model, arguments, seed)
    shared, half, first = _shared_draw(before, 0), steps // 2, 0
    kept = None if word == LIVES else CapturedModel(hosted)
    fold = RowFold(hosted)
    state, refusal = b"", ""
    rows = sum(len(found.rows) for found in fold.latest)
    found = [_parts(hosted, fold.latest)]
    if kept is not None and word != CAPTURES:
        take_up(kept, fold, word)
        found, first = [], half
    for step in range(first + 1, steps + 1):
        if kept is not None and word == CAPTURES and step == half + 1:
            state, refusal = told_whole(kept, fold)
        said: list[Said] = []
        fold.latest = []
        if hosted.running:
            try:
                hosted.step()
                said = said_by(speak, hosted, step - 1)
            except MemberError:
                raise
            except Exception as error:  # a foreign model may raise whatever it likes
                raise FactoryError(f"{model!r} raised at step {step}: {type(error).__name__}: {error}.") from error
            fold.take()
        rows += sum(len(collected.rows) for collected in fold.latest)
        found.append({**_parts(hosted, fold.latest), "what it publishes": _short(encode(said))})
        shared = shared or _shared_draw(before, step)
    return Run(found, rows, shared, None, state, refusal)


def _parts(model: Any, tables: list[Collected]) -> dict[str, str]:
    """What the digest covers, each part by itself, columns first: they say most to the model's author."""
    parts = {}
    for table, columns, rows in tables:
        for place, column in enumerate(columns):
            cells = Collected(table, (column,), [(row[place],) for row in rows])
            parts[f"column {column!r} of table {table!r}"] = _short(encode_rows([cells]))
    for name, state in generator_states(model).items():
        parts[f"the state of its generator '{name}'"] = _short(encode(state))
    parts["'running'"] = str(bool(model.running))
    return parts


def _short(encoded: bytes) -> str:
    return sha256(encoded).hexdigest()[:DIGEST_CHARACTERS]


def _shared_state() -> tuple[str, str]:
    """The states of the two generators that all of a process shares."""
    return repr(random.getstate()), repr(np.random.get_state(legacy=False)["state"])  # noqa: NPY002


def _shared_draw(before: tuple[str, str], step: int) -> str:
    names = ("Python's module 'random'", "numpy's module 'np.random'")
    for name, was, now in zip(names, before, _shared_state(), strict=True):
        if was != now:
            when = "when it is made" if step == 0 else f"at step {step}"
            return f"It draws from {name}, which all of a process shares, {when}; let it draw from its own generator."
    return ""


def main() -> None:
    """Runs, ordered as a line of JSON on standard input, told as JSON on standard output.

    One that captures is told alone. Else there are two: one that lives from the beginning; and one, in another process that
    has imported the model and nothing more, that takes up the state which follows on standard input, once it is there.
    What the model itself writes to its standard streams is dropped, so that it can neither garble nor flood the result.
    """
    order = json.loads(sys.stdin.buffer.readline())
    result = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    with contextlib.suppress(SoulfraError):  # it says so again when it is run
        model_class(order["model"])
    told = _told([_run(order, CAPTURES)]) if order.pop("captures") else _told(_lived_and_taken_up(order))
    with os.fdopen(result, "wb") as out:
        out.write(told)


def _lived_and_taken_up(order: Mapping[str, Any]) -> list[Run]:
    reading, writing = os.pipe()
    if not (living := os.fork()):
        os.close(reading)
        with os.fdopen(writing, "wb") as out:
            out.write(_told([_run(order, LIVES)]))
        os._exit(0)
    os.close(writing)
    state = sys.stdin.buffer.read()
    heirs = [_run(order, state)] if state else []
    with os.fdopen(reading, "rb") as told_by_it:
        told = told_by_it.read()
    _, code = os.waitpid(living, 0)
    if not told:
        return [
            _stopped(FactoryError(f"{order['model']!r} ended its process with code {os.waitstatus_to_exitcode(code)}."))
        ]
    return [*msgspec.json.decode(told, type=list[Run]), *heirs]


def _run(order: Mapping[str, Any], word: bytes) -> Run:
    try:
        return run_here(**order, word=word)
    except SoulfraError as error:
        return _stopped(error)
    except UncapturableError as error:
        return _stopped(FactoryError(f"{error}."))
    except Exception as error:  # a broken collector, say; the caller shall read what it was
        return _stopped(FactoryError(f"{order['model']!r} cannot be checked: {type(error).__name__}: {error}."))


def _told(runs: list[Run]) -> bytes:
    told = msgspec.json.encode(runs)
    if len(told) > RESULT_BYTES_MAX:
        too_much = f"checking gave {len(told)} bytes, more than {RESULT_BYTES_MAX}; lower certify_steps."
        told = msgspec.json.encode([_stopped(FactoryError(too_much))])
    return told


def _stopped(error: SoulfraError) -> Run:
    return Run(error=(error.code, error.message))


if __name__ == "__main__":
    main()
