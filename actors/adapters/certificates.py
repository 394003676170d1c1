"""The check of determinism: two fresh processes, one seed, the same rows?

A member that is rebuilt by replay must do again what it did. Whether a foreign model does cannot be read off its code,
so it is tried: the model runs for some steps in two processes that differ in what must not matter (the hash seed of
text, addresses of objects, process id, the moment), and everything its digest covers is compared after every step.

Equal rows are not enough. A model that draws from the generators which all of a process shares (Python's `random` or
numpy's `np.random` module) depends on its neighbours, so that is found, too, by looking at those generators' states.

What passes has been found deterministic over so many steps, not proved; later differences show when a
rebuilt member's digest is not the one it had.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from actors.adapters.mesa_bridges import Said, said_by
from actors.adapters.mesa_models import imported_function, make_model, model_class
from actors.adapters.mesa_states import Collected, RowFold, encode_rows, generator_states
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.errors import FactoryError, MemberError, SoulfraError, error_from

CERTIFY_STEPS_DEFAULT = 5
CERTIFY_STEPS_MAX = 1_000
"""More steps find more, but registration waits for them."""

CERTIFY_TIMEOUT_S = 120.0
"""Two processes on a busy machine need some seconds to import Mesa; a model that needs minutes is to be checked shorter."""

RESULT_BYTES_MAX = 16 << 20
"""A result has some 20 bytes for each column of each step."""

HASH_SEEDS = ("1", "2")
"""PYTHONHASHSEED of the two processes: sets of text are walked in two orders."""

DIGEST_CHARACTERS = 16
"""Of each column: enough to tell two runs apart, short enough to send."""


class Certificate(msgspec.Struct, frozen=True):
    """What the check found.

    Attributes:
        deterministic: whether both processes agreed and drew from their own generators only.
        steps: how many steps were compared, beside the model's first state.
        rows: how many rows were compared; for a model without rows, the objects whose attributes were.
        reason: what differed and at which step, a sentence; "" if nothing did.
    """

    deterministic: bool
    steps: int
    rows: int = 0
    reason: str = ""


class Run(msgspec.Struct, frozen=True):
    """What one process reports.

    Attributes:
        steps: for the model's first state and for each step, what it consists of: name to short digest.
        rows: how many rows were collected.
        shared: "" or the sentence that tells of draws from a generator that the process shares.
        error: "" or the code and the message of the error that stopped it.
    """

    steps: list[dict[str, str]] = []
    rows: int = 0
    shared: str = ""
    error: tuple[str, str] | None = None


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
    try:
        order = json.dumps(
            {"model": model, "arguments": dict(arguments), "seed": seed, "steps": steps, "publish": publish}
        )
    except (TypeError, ValueError) as error:
        raise FactoryError(f"arguments of {model!r} must be plain data: {error}.") from None
    with ThreadPoolExecutor(len(HASH_SEEDS)) as pool:
        one, other = pool.map(lambda hash_seed: _run_apart(order, model, steps, hash_seed), HASH_SEEDS)
    reason = " ".join(found for found in (_difference(one, other), one.shared or other.shared) if found)
    return Certificate(not reason, steps, one.rows, reason)


def _run_apart(order: str, model: str, steps: int, hash_seed: str) -> Run:
    """One run in a process of its own, with this process's import path."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 (import paths are text)
    surroundings = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": hash_seed}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "actors.adapters.certificates"],
            input=order.encode(),
            capture_output=True,
            env=surroundings,
            timeout=CERTIFY_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FactoryError(
            f"checking {model!r} took more than {CERTIFY_TIMEOUT_S:.0f} s for {steps} steps; lower certify_steps."
        ) from None
    try:
        run = msgspec.json.decode(done.stdout, type=Run)
    except msgspec.DecodeError:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise FactoryError(
            f"checking {model!r} ended with code {done.returncode} and no result: {''.join(last) or 'it said nothing'}."
        ) from None
    if run.error is not None:
        raise FactoryError(error_from(*run.error).message)
    return run


def _difference(one: Run, other: Run) -> str:
    for step, (left, right) in enumerate(zip(one.steps, other.steps, strict=True)):
        for name in [*left, *(name for name in right if name not in left)]:
            if left.get(name) != right.get(name):
                when = "when it is made" if step == 0 else f"at step {step}"
                return f"{name} differs between two processes with one seed {when}."
    return ""


def run_here(model: str, arguments: Mapping[str, Plain], seed: int, steps: int, publish: str = "") -> Run:
    """Runs the model in this process and says of every step what it consists of.

    Raises:
        FactoryError: the model cannot be found or made, or it raises.
        MemberError: a row without canonical form.
    """
    speak = imported_function(publish, "publish")
    model_class(model)  # what its module draws while it is imported is not the model's doing
    before = _shared_state()
    hosted = make_model(model, arguments, seed)
    shared = _shared_draw(before, 0)
    fold = RowFold(hosted)
    rows = sum(len(found.rows) for found in fold.latest)
    found = [_parts(hosted, fold.latest)]
    for step in range(1, steps + 1):
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
    return Run(found, rows, shared)


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
    """One run, ordered as JSON on standard input, told as JSON on standard output.

    What the model itself writes to its standard streams is dropped, so that it can neither garble nor flood the result.
    """
    order = json.load(sys.stdin)
    result = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    try:
        run = run_here(**order)
    except SoulfraError as error:
        run = _stopped(error)
    except Exception as error:  # a broken collector, say; the caller shall read what it was
        run = _stopped(FactoryError(f"{order['model']!r} cannot be checked: {type(error).__name__}: {error}."))
    told = msgspec.json.encode(run)
    if len(told) > RESULT_BYTES_MAX:
        too_much = f"checking gave {len(told)} bytes, more than {RESULT_BYTES_MAX}; lower certify_steps."
        told = msgspec.json.encode(_stopped(FactoryError(too_much)))
    with os.fdopen(result, "wb") as out:
        out.write(told)


def _stopped(error: SoulfraError) -> Run:
    return Run(error=(error.code, error.message))


if __name__ == "__main__":
    main()
