"""The floors: imports point down only, and the core is pure, by what it imports and by what it does."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("serve", "orchestration", "actors", "actors.core")
"""From the top down; a module may import its own floor and those below."""

PLAIN_MODULES = {
    *(
        "__future__",
        "abc",
        "bisect",
        "collections",
        "contextlib",
        "dataclasses",
        "enum",
        "functools",
        "hashlib",
        "inspect",
    ),
    *("itertools", "keyword", "operator", "string", "struct", "traceback", "types", "typing", "numpy", "msgspec"),
}
"""All that the core may import from outside. What is not here (ray, time, random, os, math, asyncio …) is banned."""

STORAGE = ("sqlalchemy", "sqlite3", "psycopg", "zstandard")
"""What only an open vault has to load: importing it takes longer than starting a clock."""

FOREIGN = (
    *("ray", "mesa", "pandas", "zmq", "plotly", "jinja2", "typer", "rich", "fastapi", "uvicorn", "starlette"),
    "cryptography",
    *STORAGE,
)
"""What a process that only computes must not have to load."""


def modules() -> Iterator[tuple[str, Path]]:
    for top in ("actors", "orchestration", "serve"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file; `from a import b` counts as `a` and as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively; the floors are read off absolute names"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "__import__", f"{path.name} calls __import__, which hides what it imports"


def floor_of(module: str) -> int | None:
    """The place of a module's floor from the top; None if it is not ours."""
    within = [place for place, floor in enumerate(FLOORS) if f"{module}.".startswith(f"{floor}.")]
    return max(within, default=None)


def is_in(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


MODULES = dict(modules())
CORE = {name: path for name, path in MODULES.items() if is_in(name, "actors.core")}


def test_there_is_something_to_check() -> None:
    assert len(CORE) > 20
    assert {floor_of(name) for name in MODULES} == {0, 1, 2, 3}


def test_imports_point_down_only() -> None:
    upwards = [
        f"{name} imports {imported}"
        for name, path in MODULES.items()
        for imported in imports(path)
        if (below := floor_of(imported)) is not None and below < (floor_of(name) or 0)
    ]
    assert upwards == []


def test_the_core_imports_nothing_that_is_not_pure() -> None:
    impure = [
        f"{name} imports {imported}"
        for name, path in CORE.items()
        for imported in imports(path)
        if not is_in(imported, "actors.core") and imported not in ("actors",)
        if imported.partition(".")[0] not in PLAIN_MODULES
    ]
    assert impure == []


def test_numpys_own_randomness_enters_through_streams_only() -> None:
    users = {name for name, path in CORE.items() for imported in imports(path) if is_in(imported, "numpy.random")}
    assert users == {"actors.core.kernel.streams"}


@pytest.mark.parametrize(
    "above", ["actors.core.realms", "actors.core.players", "actors.core.merging", "actors.core.platforms"]
)
def test_the_kernel_stands_below_everything_else_in_the_core(above: str) -> None:
    reached = [
        f"{name} imports {imported}"
        for name, path in CORE.items()
        if is_in(name, "actors.core.kernel")
        for imported in imports(path)
        if is_in(imported, above)
    ]
    assert reached == []


@pytest.mark.parametrize(
    "package",
    [
        *("actors", "actors.core", "actors.core.kernel", "actors.core.realms", "actors.core.merging"),
        *("actors.core.platforms", "actors.core.permissions", "actors.packages", "actors.vaults"),
    ],
)
def test_packages_import_nothing_by_themselves(package: str) -> None:
    assert list(imports(MODULES[package])) == []


def fresh(code: str) -> str:
    """What a new interpreter prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_fresh_interpreter_with_all_of_the_core_has_loaded_nothing_foreign() -> None:
    code = f"""
import importlib, sys
for name in {sorted(CORE)!r}:
    importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & set({FOREIGN!r})))
"""
    assert fresh(code).split() == []


def test_the_vault_stands_on_the_core_alone() -> None:
    reached = [
        f"{name} imports {imported}"
        for name, path in MODULES.items()
        if is_in(name, "actors.vaults")
        for imported in imports(path)
        if is_in(imported, "ray") or (is_in(imported, "actors") and not is_in(imported, "actors.core"))
        if imported != "actors" and not is_in(imported, "actors.vaults")
    ]
    assert reached == []


def test_a_clock_and_the_vaults_face_load_no_storage() -> None:
    code = f"""
import sys
import actors.clocks, actors.vaults.records, actors.vaults.openings
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & set({STORAGE!r})))
"""
    assert fresh(code).split() == []


def test_a_simulation_in_the_core_touches_neither_files_nor_the_network() -> None:
    code = f"""
import importlib, sys
for name in {sorted(CORE)!r}:
    importlib.import_module(name)
from actors.core.kernel.codec import encode
from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Command, Grant
from actors.core.kernel.seats import Seat
from actors.core.players.registry import PlayerRegistry
from actors.core.realms.city import City

caught = []

def watch(event, arguments):
    if event.partition(".")[0] in ("open", "socket", "subprocess", "os", "shutil", "ctypes", "import"):
        caught.append((event, str(arguments)[:200]))

def live():
    city = Seat(Birth("sol_1", 7, "sol_1"), lambda birth: City(birth, npcs=40))
    registry = Seat(Birth("@players", 7, "@players"), PlayerRegistry)
    arguments = {{"player_name": "Alice", "character_race": "human", "starting_realm": "sol_1", "realms": {{"sol_1": "running"}}}}
    created = registry.advance(Grant(1, "main", 1, 0, 0, (), (Command("c", "create_player", encode(arguments)),)))
    assert created.events and not created.results[0].error_code, created.results
    for number in range(1, 71):
        unheard = Event("e", "@outside", number, "sol_1", "rumour", encode({{}}), number - 1, number)
        city.advance(Grant(1, "main", number, number, 10, (unheard,) if number == 70 else ()))
    city.status(), city.capture(), registry.query("list_players", {{}})

sys.addaudithook(watch)
live()
print(caught)
"""
    assert fresh(code).strip() == "[]"
