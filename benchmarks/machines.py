"""What a figure was measured on."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine(distributions: Sequence[str] = ()) -> dict[str, str | int | float | None]:
    """CPU model, cores, memory in GiB, kernel, load average, Python, and versions of distributions (None: not installed).

    The load average is of the last minute: above 0.5 or so somebody else was at work, and figures are high.
    """
    return {
        "cpu": _first_value("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: _version(name) for name in distributions},
    }


def in_words(found: Mapping[str, str | int | float | None]) -> str:
    """A machine in one line."""
    return ", ".join(f"{name} {'not there' if value is None else value}" for name, value in found.items())


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _memory_gib() -> float | None:
    told = _first_value("/proc/meminfo", "MemTotal")
    return round(int(told.split()[0]) / 2**20, 1) if told else None


def _first_value(path: str, name: str) -> str:
    """The value of the first line `name: value` of a file of Linux; "" elsewhere."""
    source = Path(path)
    if not source.exists():
        return ""
    for line in source.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
