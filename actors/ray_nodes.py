"""The cluster's nodes as the clock sees them: which are there, what they offer, which are to be left.

Looked up now and then by a thread of its own. Ray's control plane may be slow or gone for a while; nobody here waits for
it, and what was known last holds until it is back.
"""

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import ray
from ray._private.state import state as cluster_state

LOOK_INTERVAL_S = 1.0
"""How often the nodes are looked up. Two calls to the control plane, a millisecond or two of its time."""


class Node(msgspec.Struct, frozen=True):
    """One node that is up.

    Attributes:
        name: for people.
        offers: its resources in all, used or not.
        labels: its labels.
        leaves_at: when it goes away, in seconds of the Unix epoch; None if it stays, 0.0 if it has not said when.
    """

    name: str
    offers: Mapping[str, float]
    labels: Mapping[str, str]
    leaves_at: float | None = None


class NodeWatch:
    """What is known of the cluster's nodes. The first who asks starts it."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def nodes(self) -> dict[str, Node]:
        """The nodes that were up when they were last looked up, by id."""
        with self._guard:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._look, name="soulfra-nodes", daemon=True)
                self._thread.start()
        return self._nodes

    def leaving(self) -> dict[str, Node]:
        """Nodes that are being drained."""
        return {node_id: node for node_id, node in self.nodes().items() if node.leaves_at is not None}

    def lacks(self, options: Mapping[str, Any]) -> str:
        """What no node offers of an actor's options, in plain words; "" if one offers all, or nothing is known."""
        wanted = {**(options.get("resources") or {})}
        wanted |= {ray_name: options[name] for name, ray_name in WORDS.items() if options.get(name)}
        labels = options.get("label_selector") or {}
        staying = [node for node in self.nodes().values() if node.leaves_at is None]
        if not staying or any(_has(node, wanted, labels) for node in staying):
            return ""
        asked = ", ".join(f"{name}: {amount:g}" for name, amount in sorted(wanted.items()))
        selected = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
        return f"no node of the cluster offers {' and '.join(one for one in (asked, selected) if one)}"

    def close(self) -> None:
        """Looks no more."""
        self._ended.set()

    def _look(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(Exception):  # the control plane is away; Ray raises many unrelated kinds
                self._nodes = _nodes()
            self._ended.wait(LOOK_INTERVAL_S)


WORDS = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
"""What Ray calls in a node's resources what has a word of its own among an actor's options."""


def _has(node: Node, wanted: Mapping[str, float], labels: Mapping[str, str]) -> bool:
    """Whether a node offers all that. Only plain values of labels are judged; Ray knows words like `in()`, too."""
    return all(node.offers.get(name, 0.0) >= amount for name, amount in wanted.items()) and all(
        node.labels.get(name) == value for name, value in labels.items() if "(" not in value and "!" not in value
    )


def _nodes() -> dict[str, Node]:
    leaving = cluster_state.get_draining_nodes()
    return {
        node["NodeID"]: Node(
            node["NodeManagerHostname"],
            dict(node["Resources"]),
            dict(node.get("Labels") or {}),
            leaving[node["NodeID"]] / 1e3 if node["NodeID"] in leaving else None,
        )
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    }


def seconds_left(node: Node) -> float | None:
    """Until a node goes away; None if it has not said when."""
    return node.leaves_at - time.time() if node.leaves_at else None
