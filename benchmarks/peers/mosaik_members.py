"""A member of the ring as a mosaik simulator: `python -m benchmarks.peers.mosaik_members HOST:PORT`."""

import time
from pathlib import Path
from typing import Any

import mosaik_api_v3
import msgspec

from benchmarks.peers.rings import Ear, Lived, Said

META = {
    "api_version": "3.0",
    "type": "time-based",
    "models": {"Member": {"public": True, "params": [], "attrs": ["said"]}},
}
ENTITY = "member"


class RingSimulator(mosaik_api_v3.Simulator):
    """See `Ear`. Writes what it lived to a file when it is over, for mosaik's `World` cannot be asked."""

    def __init__(self) -> None:
        super().__init__(META)
        self._granted_ns: list[int] = []

    def init(self, sid: str, time_resolution: float = 1.0, **params: Any) -> Any:
        """Learns who it is and where to write."""
        self._ear = Ear(params["member"], params["members"])
        self._ticks, self._lived = params["ticks"], Path(params["lived"])
        self._said: Said | None = None
        return self.meta

    def create(self, num: int, model: str, **params: Any) -> Any:
        """The one entity."""
        return [{"eid": ENTITY, "type": model}]

    # Named as mosaik names it, which hides the module `time`.
    def step(self, time: int, inputs: Any, max_advance: int) -> int:
        """One control tick; mosaik counts from 0."""
        self._granted_ns.append(_now_ns())
        heard = inputs.get(ENTITY, {}).get("said", {})
        self._said = self._ear.hear(time + 1, [tuple(said) for said in heard.values() if said is not None])
        if time + 1 == self._ticks:
            lived = Lived(self._ear.fault(self._ticks), self._granted_ns)
            self._lived.write_bytes(msgspec.json.encode(lived))
        return time + 1

    def get_data(self, outputs: Any) -> Any:
        """What it said last."""
        return {ENTITY: {"said": self._said}}


_now_ns = time.perf_counter_ns

if __name__ == "__main__":
    mosaik_api_v3.start_simulation(RingSimulator(), configure_logging=False)
