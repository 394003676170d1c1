"""PHOLD, the field's yardstick for parallel event simulation, as a realm: logical processes that send each other events.

A logical process handles an event and sends one on, to itself or, one time in ten, to another at random, after a delay of
the lookahead plus an exponential one. Times are whole nanounits, so order is exact; delays are drawn by von Neumann's
method, which compares and does not take logarithms. A realm holds one logical process or several: how they are shared
out changes nothing of what happens.

Source: R. M. Fujimoto, "Performance of Time Warp under synthetic workloads", 1990; parameters as in HELICS's benchmark.
"""

from hashlib import sha256
from heapq import heappop, heappush
from typing import Any, cast

from actors.core.kernel.codec import encode
from actors.core.kernel.events import Event
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import Records, State
from actors.core.kernel.streams import Streams
from actors.core.realms.tick_engines import Realm, on

UNIT = 1_000_000_000
"""Nanounits in a unit of simulated time."""
LOOKAHEAD = UNIT // 10
"""An event needs at least this long; a control tick is as long."""
MEAN_DELAY = 9 * UNIT // 10
REMOTE_OF_TEN = 1
WORDS_PER_DRAW = 96
"""Random words set aside for one event. Von Neumann's method takes four on average; this many do not suffice once in 10¹⁵."""


def toil(rounds: int) -> int:
    """Work: so many steps of Lehmer's generator, in plain Python, which two cores do twice as fast as one."""
    value = 1
    for _ in range(rounds):
        value = value * 48_271 % 2_147_483_647
    return value


class Process:
    """One logical process: its own events to come, how many it has handled, and a digest of which and when.

    Args:
        number: its own.
        seed: of the multiverse.
    """

    def __init__(self, number: int, seed: int) -> None:
        self.number = number
        self._streams = Streams(seed, f"phold-{number}")
        self.sent = self.handled = 0
        self.digest = b""
        self.coming: list[tuple[int, int, int]] = []

    def delay(self) -> tuple[int, bool, int]:
        """The next draw: lookahead plus an exponential delay, whether it goes elsewhere, and a word to choose where."""
        words = self._streams.words("delay", self.sent, WORDS_PER_DRAW + 2).tolist()
        remote, whither, *rest = words
        return LOOKAHEAD + exponential(rest) * MEAN_DELAY // (1 << 32), remote % 10 < REMOTE_OF_TEN, whither

    def begin(self, events: int) -> None:
        """The events that it begins with, each drawn like any other."""
        for _ in range(events):
            heappush(self.coming, (self.delay()[0], self.number, self.sent))
            self.sent += 1


def exponential(words: list[int]) -> int:
    """An exponential draw of mean 1, in units of 2⁻³², from uniform words (von Neumann 1951).

    Raises:
        ValueError: the words do not suffice.
    """
    whole, at = 0, 0
    while at + 1 < len(words):
        first = last = words[at]
        at += 1
        falling = 1
        while at < len(words):
            word = words[at]
            at += 1
            if word >= last:
                break
            last = word
            falling += 1
        else:
            break
        if falling % 2:
            return (whole << 32) + (first >> 32)
        whole += 1
    raise ValueError(f"{len(words)} words do not suffice for a draw.")


class Phold(Realm):
    """Some of the logical processes.

    Args:
        birth: see `Realm`.
        first: number of its first logical process.
        processes: how many it has.
        total: how many there are in all.
        realms: ids of all realms, each with as many.
        events: how many each logical process begins with.
        rounds: of work for each event; see `toil`.
    """

    kind = "phold"
    emits = frozenset({"hold"})

    def __init__(
        self, birth: Birth, *, first: int, processes: int, total: int, realms: list[str], events: int, rounds: int
    ) -> None:
        super().__init__(birth)
        self._total, self._realms, self._rounds = total, realms, rounds
        self._held = {number: Process(number, birth.seed) for number in range(first, first + processes)}
        for process in self._held.values():
            process.begin(events)

    @on("hold")
    def take(self, turn: Turn, event: Event) -> None:
        """An event from elsewhere, long before its time."""
        data = event.data
        heappush(self._held[data["to"]].coming, (data["at"], data["from"], data["number"]))

    def tick(self, turn: Turn) -> None:
        """Handles all events of this control tick, each logical process its own in order of time."""
        end = turn.control_tick * LOOKAHEAD
        for process in self._held.values():
            coming = process.coming
            while coming and coming[0][0] <= end:
                self._handle(turn, process, heappop(coming))

    def _handle(self, turn: Turn, process: Process, event: tuple[int, int, int]) -> None:
        process.handled += 1
        process.digest = sha256(process.digest + encode(list(event))).digest()
        toil(self._rounds)
        delay, remote, whither = process.delay()
        at, number = event[0] + delay, process.sent
        process.sent += 1
        to = (process.number + 1 + whither % (self._total - 1)) % self._total if remote else process.number
        if to in self._held:
            heappush(self._held[to].coming, (at, process.number, number))
            return
        realm = self._realms[to * len(self._realms) // self._total]
        due = -(-at // LOOKAHEAD)
        data: dict[str, Any] = {"to": to, "at": at, "from": process.number, "number": number}
        turn.send(realm, "hold", data, deliver_at=due)

    def capture(self) -> State:
        """See `Member`."""
        return {
            "processes": Records(
                {
                    str(number): {
                        "sent": one.sent,
                        "handled": one.handled,
                        "digest": one.digest,
                        "coming": [list(event) for event in sorted(one.coming)],
                    }
                    for number, one in self._held.items()
                }
            )
        }

    def restore(self, state: State) -> None:
        """See `Member`."""
        for number, record in cast(Records, state["processes"]).objects.items():
            one = self._held[int(number)]
            one.sent, one.handled, one.digest = record["sent"], record["handled"], record["digest"]
            one.coming = [(event[0], event[1], event[2]) for event in record["coming"]]

    def measures(self) -> dict[str, float]:
        """See `Member`."""
        return {"handled": sum(one.handled for one in self._held.values())}
