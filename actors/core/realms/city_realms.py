"""The City without its mail: its state, its time, its figures. What it says and hears is in `city`."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from actors.core.kernel.addresses import checked_realm_id
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import SettingsError
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.states import Records, State, Table
from actors.core.players.rosters import Roster
from actors.core.realms import city_roles as roles
from actors.core.realms import city_rules as rules
from actors.core.realms.city_caravans import NPCS, WEALTH, Strongroom
from actors.core.realms.city_conversations import Conversations
from actors.core.realms.city_people import LIVING, PEOPLE_MAX, PLANNED, Indices, born
from actors.core.realms.city_rumours import RumourBoard
from actors.core.realms.city_views import CityView
from actors.core.realms.tick_engines import Realm

GRID_MIN, GRID_MAX = 8, 256
"""Fields a side; a coordinate is one byte."""
NEIGHBOURS_MAX = 1_024
CARAVANS_PER_HOUR_MAX = 64
SPAN_MIN = 64
"""Slots are paired, drawn and visited within spans of a power of two that birth fixes, never by the present population:
one arrival more must not change whom everybody else meets."""
COUNTS = ("caravans_out", "caravans_in", "caravans_today", "feasts", "rumours_unheard", "travels_heard")
"""What a city counts for its chronicle."""


class PeopledRealm(Realm):
    """People with places, needs, wealth and mood, who live their days.

    Args:
        birth: see `Birth`.
        npcs: people born here, 0 … 5,000,000; their roles go in turn.
        neighbours: ids of the realms that caravans set out for; without any, they stay home.
        grid: fields a side, 8 … 256.
        caravans_per_hour: merchants that fate asks to set out, per span of slots and hour, 0 … 64; most are asleep, or too
            poor, or no merchants.

    Raises:
        SettingsError: a parameter out of its range.
    """

    kind: ClassVar[str] = "city"

    def __init__(
        self,
        birth: Birth,
        *,
        npcs: int = 40,
        neighbours: Iterable[str] = (),
        grid: int = 64,
        caravans_per_hour: int = 4,
    ) -> None:
        _check_setting("npcs", npcs, 0, PEOPLE_MAX)
        _check_setting("grid", grid, GRID_MIN, GRID_MAX)
        _check_setting("caravans_per_hour", caravans_per_hour, 0, CARAVANS_PER_HOUR_MAX)
        super().__init__(birth)
        self.neighbours = _checked_neighbours(neighbours, birth.member_id)
        self.grid = grid
        self.caravans_per_hour = caravans_per_hour
        self.span = max(SPAN_MIN, 1 << npcs.bit_length())
        self.people = born(birth.streams(), npcs, grid)
        self.origins = [birth.member_id]
        self.rumours = RumourBoard()
        self.strongroom = Strongroom()
        self.roster = Roster()
        self.conversations = Conversations()
        self.answers: list[Plain] = []
        self.greetings: list[Plain] = []
        self.counts = dict.fromkeys(COUNTS, 0)
        self.feast_day = -1
        self.now = 0

    def advance(self, turn: Turn) -> None:
        """See `Realm`."""
        self.now = turn.now
        self.take_mail(turn)
        for _ in range(turn.local_ticks):
            self.tick(turn)
            turn.now += 1
            self.now = turn.now

    def take_mail(self, turn: Turn) -> None:
        """Handles the inbox, before the first local tick."""
        self.engine.react(turn, turn.inbox)

    def tick(self, turn: Turn) -> None:
        """One local tick of everybody; on the hour they decide what to do, then `on_the_hour` follows."""
        now, people = turn.now, self.people
        people.own(*LIVING)
        bits = rules.draws(turn.streams, now, people.slots)
        on_the_hour = now % roles.TICKS_PER_HOUR == 0
        if on_the_hour:
            people.own(*PLANNED)
            rules.plan(people.columns, roles.hour_of(now), self.grid)
        meeting = rules.live(people.columns, bits)
        mask = 1 + turn.streams.below("meeting", now, 0, self.span - 1)
        first, second = rules.pairs(people.columns, meeting, mask)
        if len(first):
            self.meet(first, second, bits)
        if on_the_hour:
            self.on_the_hour(turn)

    def meet(self, first: Indices, second: Indices, bits: rules.Bits) -> None:
        """The two of each pair meet; nobody is in two pairs."""
        rules.meet(self.people.columns, first, second, bits, self.rumours.tones())

    def on_the_hour(self, turn: Turn) -> None:
        """What happens once an hour beside what everybody does."""

    def totals(self) -> Mapping[str, int]:
        """Wealth and people, and whatever else came here and lies in the strongroom."""
        stored = self.strongroom.amounts
        return dict(stored) | {
            WEALTH: self.people.total("wealth") + stored.get(WEALTH, 0),
            NPCS: self.people.count + stored.get(NPCS, 0),
        }

    def measures(self) -> Mapping[str, float]:
        """People, wealth, players, live rumours, travellers (people born elsewhere), and two figures of distribution.

        `mood` is the mean. `wealth_hoover` is the Hoover index, the part of all wealth that would have to change hands for
        all to have the same: half the sum of distances from the mean (rounded down) over the whole.
        """
        people, columns = self.people.count, self.people.columns
        wealth = self.people.total("wealth")
        mean = wealth // max(people, 1)
        apart = np.abs(columns["wealth"] - np.int32(mean)).sum(dtype=np.int64) - mean * (self.people.slots - people)
        return {
            NPCS: people,
            WEALTH: wealth,
            "mood": self.people.total("mood") / max(people, 1),
            "wealth_hoover": int(apart) / max(2 * wealth, 1),
            "players": len(self.roster.players),
            "rumours": len(self.rumours.live),
            "travellers": int(np.count_nonzero(columns["origin"])),
        }

    def capture(self) -> State:
        """See `Member`."""
        return {
            "npcs": self.people.capture(),
            "rumours": self.rumours.capture(),
            "roster": self.roster.capture(),
            "conversations": self.conversations.capture(),
            "chronicle": Records(
                {
                    "answers": list(self.answers),
                    "counts": dict(self.counts),
                    "feast_day": self.feast_day,
                    "greetings": list(self.greetings),
                    "now": self.now,
                    "origins": list(self.origins),
                    "spoken": self.conversations.spoken,
                    "strongroom": dict(self.strongroom.amounts),
                }
            ),
        }

    def restore(self, state: State) -> None:
        """See `Member`.

        Raises:
            ValueError: the state is not a city's.
        """
        npcs, rumours, roster, said, chronicle = (
            state.get(name) for name in ("npcs", "rumours", "roster", "conversations", "chronicle")
        )
        if not (
            isinstance(npcs, Table)
            and isinstance(rumours, Records)
            and isinstance(roster, Records)
            and isinstance(said, Records)
            and isinstance(chronicle, Records)
        ):
            raise ValueError(f"a city's state has other sections than {sorted(state)}")
        kept = chronicle.objects
        self.people.restore(npcs)
        self.rumours.restore(rumours)
        self.roster.restore(roster)
        self.conversations.restore(said, kept["spoken"])
        self.answers, self.greetings = list(kept["answers"]), list(kept["greetings"])
        self.counts, self.feast_day, self.now = dict(kept["counts"]), kept["feast_day"], kept["now"]
        self.origins, self.strongroom.amounts = list(kept["origins"]), dict(kept["strongroom"])
        origin = self.people.columns["origin"]
        if len(origin) and not 0 <= int(origin.min()) <= int(origin.max()) < len(self.origins):
            raise ValueError(f"somebody was born in none of the {len(self.origins)} places of birth")

    def view(self) -> CityView:
        """See `Member`. No column is copied; the city copies those it writes to next."""
        return CityView(
            self.birth.member_id,
            self.people.show(),
            tuple(self.origins),
            {
                "answers": list(self.answers),
                "counts": dict(self.counts),
                "greetings": list(self.greetings),
                "now": self.now,
                "strongroom": dict(self.strongroom.amounts),
            },
            tuple(self.rumours.live[bit] for bit in sorted(self.rumours.live)),
            self.roster.players,
            self.conversations.shown(),
        )


def _check_setting(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingsError(f"{name} must be a whole number from {low:,} to {high:,}, not {value!r}.")


def _checked_neighbours(neighbours: object, own_id: str) -> tuple[str, ...]:
    if isinstance(neighbours, str) or not isinstance(neighbours, Iterable):
        raise SettingsError(f"neighbours must be a list of realm ids, not {neighbours!r}.")
    listed = tuple(checked_realm_id(neighbour) for neighbour in neighbours)
    if len(listed) > NEIGHBOURS_MAX or len(set(listed)) < len(listed) or own_id in listed:
        raise SettingsError(
            f"neighbours of {own_id!r} must be at most {NEIGHBOURS_MAX} different realms, itself not among them."
        )
    return listed
