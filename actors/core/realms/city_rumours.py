"""Rumours of a City: up to 64 live at once, one bit each in everybody's `heard`.

The lower 32 bits are for rumours born here, the upper 32 for those from other realms. Which bit a rumour of our own takes
follows from the time alone, and the bit is retired at its time whether or not it was in use: so no rumour owes its bit to
what somebody else did or left undone.
"""

from collections.abc import Mapping

from actors.core.kernel.codec import Plain
from actors.core.kernel.states import Records
from actors.core.realms.city_roles import MYSTIC, ROLES

HOME_BITS = 32
FOREIGN_BITS = 32
RUMOUR_INTERVAL_TICKS = 40
"""Every so many local ticks one person of the city may start a rumour; it lives for `HOME_BITS` intervals."""
RUMOURS_PER_TURN_MAX = 16
"""Foreign rumours taken up in one turn; what goes beyond is noise, and counted. Retiring a bit touches everybody."""
TOPIC_CHARACTERS_MAX = 200
RUMOUR_HOPS_MAX = 2
"""How often a rumour born here is told on from realm to realm."""
HOPS_MAX = 8
"""No rumour is told on more often than that, whatever it says itself."""
TONE_MAX = 100

Rumour = dict[str, Plain]

_TALK = (
    ("{name} sells silk at half the price", 5),
    ("{name} saw lights beyond the wall", -5),
    ("{name} found a map of all the realms", 5),
    ("{name} dreamt that the clock stood still", -5),
    ("{name} is to be wed before the feast", 5),
)
"""What people of each role talk of, in the order of `ROLES`, and its tone."""


def talk_of(role: int, name: str, humour: int) -> tuple[str, int]:
    """What somebody starts to talk of, and its tone; mystics' dreams turn out as their humour is."""
    topic, tone = _TALK[role % len(ROLES)]
    return topic.format(name=name), (tone if role != MYSTIC or humour < 0 else -tone)


class RumourBoard:
    """The live rumours, by bit."""

    def __init__(self) -> None:
        self.live: dict[int, Rumour] = {}
        self._bits: dict[tuple[str, str], int] = {}
        self._next_foreign = 0

    def knows(self, topic: str, origin: str) -> bool:
        """Whether this rumour is live here."""
        return (topic, origin) in self._bits

    @staticmethod
    def home_bit(local_tick: int) -> int:
        """The bit of a rumour born here in this interval."""
        return local_tick // RUMOUR_INTERVAL_TICKS % HOME_BITS

    def foreign_bit(self) -> int:
        """The bit for the next rumour from elsewhere."""
        self._next_foreign = (self._next_foreign + 1) % FOREIGN_BITS
        return HOME_BITS + self._next_foreign

    def retire(self, bit: int) -> None:
        """Forgets the rumour of a bit; the caller clears the bit in everybody's `heard`."""
        rumour = self.live.pop(bit, None)
        if rumour is not None:
            del self._bits[rumour["topic"], rumour["origin"]]

    def open(self, bit: int, rumour: Rumour) -> None:
        """Puts a rumour onto a free bit."""
        self.live[bit] = rumour
        self._bits[rumour["topic"], rumour["origin"]] = bit

    def tones(self) -> tuple[int, int]:
        """The bits of the good and of the bad rumours."""
        good = bad = 0
        for bit, rumour in self.live.items():
            good |= (rumour["tone"] > 0) << bit
            bad |= (rumour["tone"] < 0) << bit
        return good, bad

    def capture(self) -> Records:
        """The live rumours by bit, and which foreign bit was last in use."""
        return Records({str(bit): self.live[bit] for bit in sorted(self.live)} | {"next_foreign": self._next_foreign})

    def restore(self, section: Records) -> None:
        """Takes up captured rumours."""
        live = dict(section.objects)
        self._next_foreign = live.pop("next_foreign")
        self.live, self._bits = {}, {}
        for bit in sorted(map(int, live)):
            self.open(bit, live[str(bit)])


def read_rumour(data: Mapping[str, Plain], teller: str, local_tick: int) -> Rumour | None:
    """The rumour that an event tells, every value within its bounds; None if it has no topic that can be told."""
    topic, origin, hops, hops_max, tone = (data.get(name) for name in ("topic", "origin", "hops", "hops_max", "tone"))
    if not isinstance(topic, str) or not topic.strip():
        return None
    return {
        "topic": topic[:TOPIC_CHARACTERS_MAX],
        "origin": (origin if isinstance(origin, str) and origin else teller)[:TOPIC_CHARACTERS_MAX],
        "hops": within(hops, 0, HOPS_MAX),
        "hops_max": within(hops_max, 0, HOPS_MAX),
        "tone": within(tone, -TONE_MAX, TONE_MAX),
        "since": local_tick,
    }


def within(value: object, low: int, high: int) -> int:
    """`value` if it is a whole number in these bounds, else the nearest in them; 0, or what is nearest, for anything else."""
    whole = value if isinstance(value, int) and not isinstance(value, bool) else 0
    return max(low, min(high, whole))
