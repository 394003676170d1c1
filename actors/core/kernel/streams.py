"""Keyed random draws: chance as a pure function of (seed, lineage, stream, entity, local tick).

Philox 4x64 is a counter-based generator: block *c* under key *k* is a function of the two. The key is made from the seed,
the member's lineage and the stream's name, the counter from the local tick and the entity. So there is no generator state
to save, an entity's draw depends on nobody else's, and two runs that differ in one trait draw the same for everybody
(common random numbers). Only raw 64-bit words are used, which numpy keeps stable; its distributions may change.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from hashlib import sha256

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray

from actors.core.kernel.digests import digest_of

Words = NDArray[np.uint64]
WORDS_PER_BLOCK = 4
BOUND_MAX = 1 << 32


def entity_number(name: str) -> int:
    """A stable number for an entity that is known by a name. `hash()` would differ between processes."""
    return int.from_bytes(sha256(name.encode()).digest()[:7], "little")


class Streams:
    """All draws of one member.

    Args:
        seed: the multiverse's seed.
        lineage: what the member descends from; twins draw alike.
    """

    def __init__(self, seed: int, lineage: str) -> None:
        self._root = (str(seed).encode(), lineage.encode())
        self._generators: dict[str, tuple[Philox, Words]] = {}

    def _at(self, stream: str, local_tick: int, block: int) -> Philox:
        found = self._generators.get(stream)
        if found is None:
            key = np.frombuffer(digest_of(*self._root, stream.encode())[:16], dtype="<u8").astype(np.uint64)
            found = self._generators[stream] = (Philox(key=key), key)
        generator, key = found
        generator.state = {
            "bit_generator": "Philox",
            "state": {"counter": np.array([block, 0, local_tick, 0], dtype=np.uint64), "key": key},
            "buffer": np.zeros(WORDS_PER_BLOCK, dtype=np.uint64),
            "buffer_pos": WORDS_PER_BLOCK,
            "has_uint32": 0,
            "uinteger": 0,
        }
        return generator

    def words(self, stream: str, local_tick: int, count: int) -> Words:
        """Raw words of the entities 0 … count-1: uint64, shape (count,)."""
        return self._at(stream, local_tick, 0).random_raw(count)

    def word(self, stream: str, local_tick: int, entity: int) -> int:
        """The raw word of one entity; equals `words(stream, local_tick, entity + 1)[entity]`."""
        block, place = divmod(entity, WORDS_PER_BLOCK)
        return int(self._at(stream, local_tick, block).random_raw(WORDS_PER_BLOCK)[place])

    def below(self, stream: str, local_tick: int, entity: int, bound: int) -> int:
        """A whole number in 0 … bound-1 for one entity; bound is at most 2³²."""
        return int(scaled(np.array([self.word(stream, local_tick, entity)], dtype=np.uint64), bound)[0])


def scaled(words: Words, bound: int) -> NDArray[np.int64]:
    """Each word as a whole number in 0 … bound-1 (bound at most 2³²), by multiplication and shift: exact everywhere.

    Raises:
        ValueError: the bound is not within 1 … 2³².
    """
    if not 1 <= bound <= BOUND_MAX:
        raise ValueError(f"bound {bound} is not within 1 … {BOUND_MAX}")
    return (((words >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)
