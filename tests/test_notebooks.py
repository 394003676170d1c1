"""The notebooks are run, and show what they promise."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"


def run(path: Path) -> list[dict[str, Any]]:
    """Runs a notebook in a kernel of its own; gives what its cells put out."""
    notebook = nbformat.read(path, as_version=4)
    there = {"metadata": {"path": str(NOTEBOOKS)}}  # the kernel listens on loopback, and what it is told is signed
    NotebookClient(notebook, timeout=120, resources=there).execute()
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_what_if() -> None:
    pages = [one["data"] for one in run(NOTEBOOKS / "what_if.ipynb") if "data" in one]
    shown = [page.get("text/html", "") for page in pages]
    assert "home, control tick 60 on main" in shown[0] and "<pre" in shown[0]
    trees = [page["text/plain"] for page in pages if "lives here" in page.get("text/plain", "")]
    assert len(trees) == 2 and all(f"{name}  60 … 140" in trees[0] for name in ("as it was", "thrifty", "gruff"))
    figures = [page["application/vnd.plotly.v1+json"] for page in pages if "application/vnd.plotly.v1+json" in page]
    assert [len(figure["data"]) for figure in figures] == [3, 3, 5, 1]
    mood, wealth = ([json.dumps(line["y"]) for line in figure["data"]] for figure in figures[:2])
    assert len(set(zip(mood, wealth, strict=True))) == 3, "three realities, three lives"
    sol, twin, *others = (json.dumps(line["y"]) for line in figures[2]["data"])
    assert sol == twin and len({sol, *others}) == 4, "a twin, and three that differ from it and each other"


def test_society() -> None:
    outputs = run(NOTEBOOKS / "society.ipynb")
    printed = "".join(one.get("text", "") for one in outputs)
    pages = [one["data"] for one in outputs if "data" in one]
    assert any("alpha (i1), started" in page.get("text/html", "") for page in pages)
    figures = [page["application/vnd.plotly.v1+json"] for page in pages if "application/vnd.plotly.v1+json" in page]
    assert [figure["data"][0]["type"] for figure in figures] == ["heatmap", "scatter", "table", "scatter"]
    assert "AGENT_STATE_MISMATCH" in json.dumps(figures[2]["data"])
    alpha, red, blue = (json.dumps(line["y"]) for line in figures[3]["data"])
    assert len({alpha, red, blue}) == 3, "three realities, three lives"
    assert "possessed" in printed and "Cal Riven denies" in printed
    assert "{'arty': 1.0, 'agent_zero': 1.0}" in printed
    assert "True True" in printed


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_what_they_put_out(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
