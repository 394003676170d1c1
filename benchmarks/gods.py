"""God commands: what one costs from a program, over HTTP and from a shell, beside a route of Ray Serve that does nothing.

    python -m benchmarks.gods [--commands 100] [--shells 3] [--json FILE]

One multiverse with an instance, its clock standing, on a Ray of its own; the same command (a changed trait: journaled, durable,
audited, carried out by a member) by each way, in turns with the route that does nothing. Milliseconds of wall time.
"""

import http.client
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import ray
from fastapi import FastAPI
from ray import serve as ray_serve

from benchmarks.command_lines import parser_of, write_figures
from benchmarks.machines import in_words, machine
from orchestration import Multiverse
from serve.gateways import gateway
from serve.keys import Keys

NAME, HOST = "gods", "127.0.0.1"
WARM_UP = 5
bare = FastAPI()


@ray_serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 0})
@ray_serve.ingress(bare)
class Bare:
    """Does nothing."""

    @bare.get("/")
    def nothing(self) -> dict[str, str]:
        """Nothing."""
        return {}


def command(number: int) -> dict[str, Any]:
    """A trait changed, each time to another value."""
    changed = {"kind": "modify_personality", "agent": "arty", "personality": {"calm": number % 100 / 100}}
    return {"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": changed}


def asking(port: int, key: str) -> tuple[Callable[[str], None], Callable[[int], None]]:
    """Ways to get a route, and to bring a command, over one connection that stays open."""
    connection = http.client.HTTPConnection(HOST, port)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def answered() -> None:
        reply = connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise SystemExit(f"{reply.status}: {body[:300]!r}; these figures are void.")

    def get(path: str) -> None:
        connection.request("GET", path, headers=headers)
        answered()

    def post(number: int) -> None:
        connection.request("POST", "/v1/god", json.dumps(command(number)), headers)
        answered()

    return get, post


def timed(act: Callable[[], object]) -> float:
    """Milliseconds that something takes."""
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1e3


def measure(commands: int, shells: int, port: int) -> dict[str, dict[str, float]]:
    """Median and worst of each way."""
    found: dict[str, list[float]] = {name: [] for name in ("bare route", "state", "god, HTTP", "god, program", "shell")}
    with tempfile.TemporaryDirectory() as folder:
        vault = Path(folder) / "gods.sqlite"
        with Multiverse(1, name=NAME, vault=vault, detached=True, realms_expected=4) as mv:
            try:
                mv.create_instance("alpha")
                mv.run(20, progress=lambda status: None)
                keys, key = Keys().with_new("bench")
                mv.grant_role("bench", "god")
                with gateway(NAME, keys, HOST, port):
                    ray_serve.run(cast(Any, Bare).bind(), name="bare", route_prefix="/bare")
                    get, post = asking(port, key)
                    for number in range(commands + WARM_UP):
                        took = {
                            "bare route": timed(lambda: get("/bare/")),
                            "state": timed(lambda: get("/v1/state")),
                            "god, HTTP": timed(lambda number=number: post(number)),  # type: ignore[misc]
                            "god, program": timed(lambda number=number: mv.god_mode_command(command(number + 1))),  # type: ignore[misc]
                        }
                        for name, took_ms in took.items() if number >= WARM_UP else ():
                            found[name].append(took_ms)
                    for number in range(shells):
                        found["shell"].append(timed(lambda number=number: from_a_shell(number)))  # type: ignore[misc]
            finally:
                mv.end()
    return {
        name: {"median_ms": statistics.median(values), "worst_ms": max(values)}
        for name, values in found.items()
        if values
    }


def from_a_shell(number: int) -> None:
    """The same command by a program of its own, start-up included."""
    address = ray.get_runtime_context().gcs_address
    words = ["god", "command", NAME, "--json-command", json.dumps(command(number)), "--json", "--address", address]
    program = [sys.executable, "-m", "orchestration", *words]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        raise SystemExit(f"{done.stderr}; these figures are void.")


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = parser_of("gods", __doc__)
    parser.add_argument("--commands", type=int, default=100)
    parser.add_argument("--shells", type=int, default=3)
    parser.add_argument("--port", type=int, default=8123)
    options = parser.parse_args(arguments)
    if options.commands < 1 or options.shells < 0:
        parser.error("--commands must be 1 or more, --shells 0 or more")
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, num_cpus=2)
    try:
        rows = measure(options.commands, options.shells, options.port)
    finally:
        ray.shutdown()
    found = machine(["ray", "fastapi", "pydantic"])
    print(in_words(found))
    least = rows["bare route"]["median_ms"]
    for name, row in rows.items():
        ratio = row["median_ms"] / least
        print(
            f"{name:>14}: {row['median_ms']:8.2f} ms (median), {row['worst_ms']:8.2f} (worst), {ratio:6.2f} x a bare route"
        )
    write_figures(options.json, {"machine": found, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
