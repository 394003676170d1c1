"""Realms that are not deterministic, each in its own way, from a given local tick on; for the tests of paranoid mode."""

import locale
import os
import random
import threading
import time

import numpy as np

from actors.core.kernel.members import Turn
from actors.core.kernel.states import Records, State, Table
from actors.core.realms.tick_engines import Realm, command
from actors.doubles import SURROUNDINGS

GENERATOR = random.Random(7)  # seeded, and yet its position is no part of anybody's state
CALLS = [0]
NAMES = tuple(f"name {number}" for number in range(24))


def elsewhere() -> bool:
    """Whether this is a double's process."""
    return os.environ.get("TZ") == SURROUNDINGS["TZ"]


class Leak(Realm):
    """Keeps ten figures, and adds to the seventh, in every local tick, what `leaked` gives.

    Args:
        birth: see `Birth`.
        leak_at: the first local tick in which anything leaks.
    """

    kind = "leak"
    emits = frozenset({"news"})

    def __init__(self, birth, *, leak_at=0):
        super().__init__(birth)
        self.leak_at = leak_at
        self.figures = np.zeros(10, dtype=np.int64)

    def leaked(self) -> int:
        return 0

    def tick(self, turn: Turn) -> None:
        self.figures += 1
        if turn.now >= self.leak_at:
            self.figures[7] = (int(self.figures[7]) * 31 + self.leaked()) % 2**62

    @command
    def poke(self, turn: Turn) -> int:
        self.figures[7] = (int(self.figures[7]) * 31 + self.leaked()) % 2**62
        return 0

    def capture(self) -> State:
        return {"figures": Table({"value": self.figures})}

    def restore(self, state: State) -> None:
        self.figures = state["figures"].columns["value"]


class Nothing(Leak):
    """Does not leak at all."""


class Hash(Leak):
    def leaked(self) -> int:
        return hash("a text") % 1000


class SetOrder(Leak):
    def leaked(self) -> int:
        return next(place for place, name in enumerate({*NAMES}) if name == NAMES[0]) * 64 + [*{*NAMES}].index(NAMES[1])


class ModuleGenerator(Leak):
    def leaked(self) -> int:
        return GENERATOR.randrange(1000)


class SharedGenerator(Leak):
    def leaked(self) -> int:
        return random.randrange(10**6)


class NumpyGenerator(Leak):
    def leaked(self) -> int:
        return int(np.random.randint(10**6))  # noqa: NPY002


class WallClock(Leak):
    def leaked(self) -> int:
        return time.time_ns() % 10**9


class LocalTime(Leak):
    def leaked(self) -> int:
        return time.localtime(86_400 * 365).tm_hour * 60 + time.localtime(86_400 * 365).tm_min


class ProcessId(Leak):
    def leaked(self) -> int:
        return os.getpid()


class Identity(Leak):
    def leaked(self) -> int:
        return sum(id(object()) // 16 % 4096 for _ in range(8)) + id(self) // 16 % 4096


class Environment(Leak):
    def leaked(self) -> int:
        return int(os.environ.get("OMP_NUM_THREADS", "0"))


class ModuleState(Leak):
    def leaked(self) -> int:
        CALLS[0] += 1
        return CALLS[0]


class Thread(Leak):
    """What a thread of its own has counted by now."""

    def __init__(self, birth, *, leak_at=0):
        super().__init__(birth, leak_at=leak_at)
        self.counted = 0
        threading.Thread(target=self.count, daemon=True).start()

    def count(self) -> None:
        for _ in range(20_000):
            self.counted += 1
            time.sleep(0.0001)

    def leaked(self) -> int:
        time.sleep(0.0005)
        return self.counted


class Hidden(Leak):
    """Remembers what `capture` does not say; it shows one control tick after it was first remembered."""

    memory = 0

    def leaked(self) -> int:
        self.memory += 1
        return self.memory


class Forgetful(Leak):
    """Restores something else than it captured."""

    def restore(self, state: State) -> None:
        super().restore(state)
        self.figures = np.minimum(self.figures, 25)


class Untouched(Leak):
    """Has changed what it says it has not touched; its column is large enough to be hashed in chunks."""

    def __init__(self, birth, *, leak_at=0):
        super().__init__(birth, leak_at=leak_at)
        self.figures = np.zeros(10_000, dtype=np.int64)

    def touched(self):
        return {} if self.figures[0] > self.leak_at else None


class Talkative(Leak):
    """Its state is the same everywhere; what it says is not."""

    def tick(self, turn: Turn) -> None:
        self.figures += 1
        if turn.now >= self.leak_at:
            turn.broadcast("news", {"names": sorted({*NAMES}, key=hash)})


class Embezzler(Leak):
    """Its state is the same everywhere; its totals are not."""

    def totals(self) -> dict[str, int]:
        return {"gold": hash("gold") if self.figures[0] > self.leak_at else 0}


class Moody(Leak):
    """Fails there and not here."""

    def tick(self, turn: Turn) -> None:
        self.figures += 1
        if turn.now >= self.leak_at and elsewhere():
            raise RuntimeError("not today")


class Locale(Leak):
    """Does not leak: sorts by code point, whatever the locale; `locale.strxfrm` would not."""

    def leaked(self) -> int:
        locale.getlocale()
        return sorted(["zebra", "Äpfel", "apfel", "Zebra"]).index("apfel")


class Words(Realm):
    """Keeps records; the order in which it joins a set of texts leaks."""

    kind = "words"

    def __init__(self, birth):
        super().__init__(birth)
        self.people = {"anna": {"friends": "", "age": 0}, "bert": {"friends": "", "age": 0}}

    def tick(self, turn: Turn) -> None:
        for person in self.people.values():
            person["age"] += 1
        if turn.now == 12:
            self.people["bert"]["friends"] = ", ".join({*NAMES})

    def capture(self) -> State:
        return {"people": Records({name: dict(found) for name, found in self.people.items()})}

    def restore(self, state: State) -> None:
        self.people = {name: dict(found) for name, found in state["people"].objects.items()}


class Replayed(Leak):
    """Cannot be captured, only lived through again."""

    recovery = "replayed"

    def leaked(self) -> int:
        return 1

    def restore(self, state: State) -> None:
        raise NotImplementedError


class ReplayedHash(Replayed):
    def leaked(self) -> int:
        return hash("a text") % 1000


class Anyhow(Replayed):
    """Promises nothing."""

    recovery = "none"

    def leaked(self) -> int:
        return time.time_ns()


class Dying(Leak):
    """Ends the process that is not the first one."""

    def leaked(self) -> int:
        if elsewhere():
            os._exit(3)
        return 0
