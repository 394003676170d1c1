"""What the README and the docs show is run, and comes out as shown."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from shown import BLOCK, blocks, run_python, shown_as, steps

from actors.packages.manipulations import MANIPULATIONS
from orchestration.main import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_block_is_of_a_kind_that_is_tested():
    kinds = [language for language, _ in BLOCK.findall(README)]
    assert kinds == ["console", "python", "text", "console", "console", "sh", "text"]


def test_the_session_in_the_readme():
    real = run_python(blocks(README, "python")[0], "readme")
    assert real == blocks(README, "text")[0]


def test_the_shell_session_in_the_readme(tmp_path):
    (ROOT / "out").mkdir(exist_ok=True)
    session = blocks(README, "console")[1]
    assert len(steps(session)) == 3
    for command, shown in steps(session):
        program, *arguments = shlex.split(command)
        assert program == "soulfra"
        done = subprocess.run(
            [sys.executable, "-m", "orchestration", *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert shown_as(shown, done.stdout), f"{command}\n{done.stdout}"


@pytest.mark.ray
def test_the_deaths_in_the_readme(ray_cluster, capsys):
    session = blocks(README, "console")[2]
    digests = []
    for command, shown in steps(session):
        assert run(shlex.split(command)[1:]) == 0
        told = capsys.readouterr().out.splitlines(keepends=True)
        real = "".join(
            line for line in told if "(raylet)" not in line
        )  # this cluster is not one of ours, so Ray speaks
        assert shown_as(shown, real), f"{command}\n{real}"
        digests.append(real.strip().splitlines()[-2:])
    assert len(digests) == 2 and digests[0] == digests[1]


@pytest.mark.ray
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("own ray")
def test_the_two_commands(tmp_path):
    """`make demo` for real, with this interpreter's environment; of `make test`, which runs this, what it would do."""
    assert blocks(README, "console")[0].split("\n")[:2] == ["$ make demo", "$ make test"]
    bin_folder = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    own = [f"BIN={bin_folder}", f"INSTALLED={ROOT / 'pyproject.toml'}"]
    report = tmp_path / "demo.html"
    done = subprocess.run(
        ["make", "demo", *own, f"DEMO_REPORT={report}"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "60 control ticks in" in done.stdout
    page = report.read_text(encoding="utf-8")
    assert all(realm in page for realm in ("sol_1", "sol_2", "sol_3"))
    would = subprocess.run(
        ["make", "--dry-run", "test", *own], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "-m pytest" in would.stdout and "mypy" in would.stdout and "ruff check" in would.stdout


def test_the_job_in_the_readme_is_the_one_that_is_tested():
    job = next(line for line in blocks(README, "sh")[0].splitlines() if line.startswith("ray job submit"))
    tested = (ROOT / "tests" / "engines" / "test_jobs.py").read_text(encoding="utf-8")
    assert "--working-dir . -- python -m orchestration simulate" in job
    assert '"--working-dir", ".", "--", "python", "-m", "orchestration", *SIMULATE' in tested


def test_the_map_of_the_house():
    folders = re.findall(r"^ *([\w/]+/) ", blocks(README, "text")[1], re.MULTILINE)
    core = ROOT / "actors" / "core"
    assert folders and all((ROOT / folder).is_dir() or (core / folder).is_dir() for folder in folders)


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_realm_in_the_docs(tmp_path, monkeypatch):
    realm, use = blocks((ROOT / "docs" / "how_to_write_a_realm.md").read_text(encoding="utf-8"), "python")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "lighthouses.py").write_text(realm, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    shown = run_python(use, "docs")
    assert re.fullmatch(r"\{'beams': \d+\.?\d*, 'warned': \d+\.?\d*\}\n", shown)
    assert "'beams': 0" not in shown and "'warned': 0" not in shown


def test_the_history_in_the_docs(tmp_path, monkeypatch):
    (story,) = blocks((ROOT / "docs" / "history.md").read_text(encoding="utf-8"), "python")
    monkeypatch.chdir(tmp_path)
    npcs, branches, copied, *swept = run_python(story, "docs").splitlines()
    assert [line.split()[0] for line in swept] == ["0", "50", "100"] and len({line.split()[1] for line in swept}) > 1
    assert re.fullmatch(r"\d+ NPCs then", npcs) and branches == "['main', 'poor']"
    assert re.fullmatch(r"\d+ NPCs in sol~2", copied)


def test_the_outer_layer_in_the_docs():
    page = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
    assert run_python(blocks(page, "python")[1], "docs") == blocks(page, "text")[0]
    assert "(docs/packages.md#an-outer-layer)" in README and "\n## An outer layer\n" in page


def test_the_table_of_manipulations_in_the_docs():
    page = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([A-Z_]{12,})` \| (.*?) \|", page, re.MULTILINE))
    assert told == {name: ", ".join(f"`{one}`" for one in row.arguments) for name, row in MANIPULATIONS.items()}
