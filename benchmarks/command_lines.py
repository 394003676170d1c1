"""What the command lines of the benchmarks have in common: how they are called, and a file for the figures."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def parser_of(benchmark: str, doc: str) -> ArgumentParser:
    """A parser that knows where to write the figures; other options are the benchmark's own.

    Args:
        benchmark: its module's name in this folder.
        doc: its module's docstring, the first line of which says what it measures.
    """
    parser = ArgumentParser(prog=f"python -m benchmarks.{benchmark}", description=doc.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there as JSON")
    return parser


def write_figures(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Writes figures as JSON, if they were asked for."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n")
