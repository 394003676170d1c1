"""docs/determinism.md names a test for every source of nondeterminism; here are those that belong nowhere else."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from peers import LoopbackLane
from test_equality import _run_elsewhere

from actors.core.kernel.settings import Settings
from orchestration import Multiverse
from orchestration.engines import LocalEngine

ROOT = Path(__file__).parents[2]
REALMS = str(ROOT / "tests" / "realms")
LEDGER = ROOT / "docs" / "determinism.md"
CORE = sorted((ROOT / "actors" / "core").rglob("*.py"))
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NO_TEST = "no test"


# ---------------------------------------------------------------------------------------------------- the ledger itself


def test_every_test_that_the_ledger_names_is_there():
    named = set(NAMED.findall(LEDGER.read_text(encoding="utf-8")))
    assert len(named) > 40
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in tests and name.startswith("test_"), f"{path} has no test {name}"


def test_every_source_in_the_ledger_has_a_test_or_says_that_it_has_none():
    rows = [line for line in LEDGER.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith(("| source", "| ---"))]
    assert len(rows) > 30
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        assert NAMED.search(cells[2]) or NO_TEST in cells[2], row


# ------------------------------------------------------------------------------------------------------ surroundings


def test_the_surroundings_do_not_matter(tmp_path):
    """Time zone, locale, number of threads, optimisation, unknown variables; hash seeds are in another test."""
    plain = _run_elsewhere("local", PYTHONHASHSEED="0")
    for surroundings in (
        {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "LANGUAGE": "de"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONOPTIMIZE": "2", "OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7"},
        {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONMALLOC": "debug",
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "SEED": "1",
        },
    ):
        assert _run_elsewhere("local", **surroundings)["digest_chain"] == plain["digest_chain"], surroundings


@pytest.mark.parametrize("core_type", ["Prescott", "Nehalem", "Sandybridge", "Haswell"])
def test_the_kernels_of_linear_algebra_do_not_matter(core_type):
    """OpenBLAS chooses them by processor; a processor that has not got the wished ones uses its own."""
    assert (
        _run_elsewhere("local", OPENBLAS_CORETYPE=core_type)["digest_chain"] == _run_elsewhere("local")["digest_chain"]
    )


# ---------------------------------------------------------------------------------------------------------- settings

BESIDE_HISTORY = (
    {"traces_max": 0},
    {"spare_hosts": 0},
    {"spare_hosts": 7},
    {"member_timeout_s": 0.5},
    {"kept_bytes_max": 1 << 10},
    {"window_control_ticks": 1},
    {"window_control_ticks": 3},
)


def lived(lane=None, **settings):
    """The chain of a short life with talk, a failure and a restart."""
    with Multiverse(7, engine="local", realm_paths=[REALMS], **settings) as mv:
        if lane is not None:
            mv._engine.close()
            mv._engine = LocalEngine(Settings(seed=7, **settings), lane=lane)
        for number in range(3):
            mv.register_game(
                f"ring_{number}", "small:Ring", params={"next_realm": f"ring_{(number + 1) % 3}", "shouts": True}
            )
        mv.register_game("scribe", "small:Scribe")
        mv.command("ring_0", "send", {"target": "ring_1"})
        mv.run(5)
        mv.command("scribe", "say", {"target": "scribe", "poison": True})
        mv.run(2)
        mv.restart_game("scribe")
        mv.run(7)
        return mv.digest_chain()


def test_settings_beside_history_do_not_matter():
    plain = lived()
    for settings in BESIDE_HISTORY:
        assert lived(**settings) == plain, settings
    for settings in ({"cascade_depth_max": 0}, {"control_tick_interval_ticks": 9}, {"lookahead_control_ticks": 2}):
        assert lived(**settings) != plain, f"{settings} is part of history and does not show"


def test_when_checkpoints_are_taken_does_not_matter():
    """A host that answers nonsense is replaced: its member comes back from a checkpoint long ago, a moment ago, or its birth."""
    plain = lived()
    for kept_bytes_max in (1 << 10, 64 << 20):
        for spoiled_at in (1, 4, 9):

            def spoil(host_id, number, answer, at=spoiled_at):
                return [b"nonsense"] if (host_id, number) == ("host-3", at) else [answer]

            lane = LoopbackLane((REALMS,), spoil)
            assert lived(lane, kept_bytes_max=kept_bytes_max) == plain
            assert [died.host_id for died in lane.died] == ["host-3"]


# ------------------------------------------------------------------------------------------------------------- the core

BANNED_IN_LINT = (
    *("time", "datetime", "random", "uuid", "os", "threading", "math", "numpy.random.default_rng"),
    *("numpy.exp", "numpy.log", "numpy.power", "numpy.tanh", "numpy.dot", "numpy.matmul"),
)
INEXACT = frozenset(
    [
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "power",
        "pow",
        "float_power",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "arctan2",
        "sinh",
        "cosh",
        "tanh",
        "hypot",
        "cbrt",
        "dot",
        "vdot",
        "inner",
        "outer",
        "matmul",
        "tensordot",
        "einsum",
        "linalg",
        "fft",
        "convolve",
        "correlate",
        "mean",
        "std",
        "var",
        "average",
        "nansum",
        "cumprod",
    ]
)
"""Of numpy, and as methods of arrays: what differs with vector units, BLAS, or the order of a sum of floats."""
UNSTABLE = frozenset(("argsort", "sort", "argpartition", "partition", "lexsort"))
ADDRESSED = frozenset(("hash", "id"))


def test_lint_bans_what_would_leak():
    banned = tomllib.loads((ROOT / "actors" / "core" / "ruff.toml").read_text(encoding="utf-8"))["lint"]
    for name in BANNED_IN_LINT:
        assert name in banned["flake8-tidy-imports"]["banned-api"]


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_uses_nothing_whose_bits_depend_on_the_machine(path):
    """Beyond lint: operators, methods, and functions that lint does not list."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            found.append(f"{where}: @")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not isinstance(node.right, ast.Constant):
            found.append(f"{where}: ** with an exponent that is not written down")
        if isinstance(node, ast.Attribute) and node.attr in INEXACT:
            found.append(f"{where}: .{node.attr}")
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if isinstance(node.func, ast.Name) and name in ADDRESSED:
                found.append(f"{where}: {name}(), which differs between processes")
            if name in UNSTABLE and not any(key.arg == "kind" for key in node.keywords):
                found.append(f"{where}: {name} without kind='stable'")
            if (
                isinstance(node.func, ast.Attribute)
                and name == "sum"
                and not any(key.arg == "dtype" for key in node.keywords)
            ):
                found.append(f"{where}: a sum without its dtype, which may be of floats")
            if name == "popitem":
                found.append(f"{where}: popitem")
        if isinstance(node, ast.For | ast.comprehension) and _is_a_set(node.iter):
            found.append(f"line {node.iter.lineno}: walks over a set; sort it")
    assert found == []


def _is_a_set(node):
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
    return call or isinstance(node, ast.Set | ast.SetComp)
