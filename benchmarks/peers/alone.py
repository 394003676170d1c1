"""Runs one peer from the command line, for `python -m benchmarks.peers.helics_ring --members 20`."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from benchmarks.peers.apart import Peer
from benchmarks.peers.rows import Row

CONTROL_TICKS, WARMUP = 2_000, 200
MEMBERS_MAX = 200


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line and ends with code 2."""

    def error(self, message: str) -> NoReturn:
        """See the class."""
        self.exit(2, f"{self.prog}: {message}\n")


def count(least: int, most: int) -> Callable[[str], int]:
    """A whole number from `least` to `most`, read from a command line."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


members = count(2, MEMBERS_MAX)
control_ticks = count(10, 1_000_000)


def end_on_terminate() -> None:
    """Lets a request to terminate end a run as Ctrl-C does, so that the processes under way are ended too."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(128 + signal.SIGTERM))


def alone(peer: Peer, measure: Callable[[int, int, int, str], Row], arguments: Sequence[str] | None = None) -> None:
    """Measures all configurations of a peer, or one, and prints a line each."""
    options = OneLineParser(prog=f"python -m {peer.module}", description=f"{peer.name}: the ring in lockstep.")
    options.add_argument("--members", type=members, default=3)
    options.add_argument("--control-ticks", type=control_ticks, default=CONTROL_TICKS)
    options.add_argument("--warmup", type=count(1, 1_000_000), default=WARMUP)
    options.add_argument("--configuration", default="", help=f"one of: {'; '.join(peer.configurations)}")
    chosen = options.parse_args(arguments)
    end_on_terminate()
    for configuration in (chosen.configuration,) if chosen.configuration else peer.configurations:
        print(line(measure(chosen.members, chosen.control_ticks, chosen.warmup, configuration)), flush=True)
    sys.exit(0)


def line(row: Row) -> str:
    """A row in one line."""
    head = f"{row.peer}, {row.configuration}, N={row.members}: "
    if row.mean_us is None:
        return head + row.note
    figures = (("p50", row.p50_us), ("p99", row.p99_us), ("p99.9", row.p999_us), ("mean", row.mean_us))
    told = ", ".join(f"{name} {value:,.0f}" for name, value in figures if value is not None)
    return f"{head}{told} µs; at most {row.apart_ticks} apart{'; ' if row.note else ''}{row.note}"
