"""The City: the native realm. People with a place, needs, wealth, mood and a daily schedule, by the million.

    city_roles           what people do and when: tables
    city_names           what they are called
    city_people          the people as columns, one slot each
    city_rules           how they live through a local tick, vectorised
    city_realms          the City without its mail: state, time, figures
    city_news            what it hears and tells
    city_rumours         up to 64 live rumours, one bit each in everybody's `heard`
    city_caravans        merchants between cities, as events that carry wealth and a person
    city_conversations   what was said to each player
    city_views           what a boundary shows

Nothing couples everybody. A person is changed by their own draws, by whom they meet (wealth and rumours move within a
pair), by caravans, and by drawn visits of fate (who starts a rumour, whom news reaches first, which block of houses
feasts). So a changed trait of one person changes those within reach of its consequences and leaves all others as they
were, to the bit.

Within a local tick, reactions cascade:

    caravan ─▶ market_day ─▶ feast ─▶ festival, to the other realms
    world_event ─▶ rumour ─▶ stir ─▶ stir ─▶ …   from door to door, up to the cascade depth
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import Event
from actors.core.kernel.members import Turn
from actors.core.kernel.streams import entity_number, scaled
from actors.core.players.checks import checked_text
from actors.core.players.dialogues import QUESTION_CHARACTERS_MAX, WORDS_PER_LINE, tone_between
from actors.core.players.dialogues import speak as compose_line
from actors.core.realms import city_roles as roles
from actors.core.realms import city_rules as rules
from actors.core.realms.city_caravans import (
    CARAVAN_MOOD,
    CARAVAN_WEALTH_MIN,
    NPCS,
    WEALTH,
    packed,
    unpacked,
    whole_number,
)
from actors.core.realms.city_names import npc_name
from actors.core.realms.city_news import DOORS, NewsRealm, data_of
from actors.core.realms.city_people import houses_of, role_of
from actors.core.realms.city_rumours import within
from actors.core.realms.city_views import described
from actors.core.realms.tick_engines import command, on

ORIGINS_MAX = 1_024
"""Realms of birth a city tells apart; names from outside must not grow the state without end."""
STALL_SALES = 3
"""Doors at which a merchant just arrived tries to sell."""
FEAST_CARAVANS = 3
"""The third caravan of a day calls the feast of that day."""
FEAST_MOOD, FESTIVAL_MOOD = 60, 40
LINE_CHARACTERS_MAX = 2_000
"""Of a line that was decided outside."""


class City(NewsRealm):
    """A city, its people and its mail; see `PeopledRealm` for its parameters.

    Events heard: `caravan` {npc, goods}, carrying wealth and one of npcs; `rumour` {topic, origin, hops, hops_max, tone};
    `question` {ask: "where_is", role, origin}; `answer`; `world_event` {message, mood}; `player_traveled` {player};
    `festival`; and the registry's, which the roster follows.

    Malformed events change nothing; what they carry goes to the strongroom.
    """

    emits: ClassVar[frozenset[str]] = frozenset({"caravan", "rumour", "answer", "festival"})
    subscribes: ClassVar[frozenset[str]] = frozenset({"rumour", "world_event", "player_traveled", "festival"})

    def take_mail(self, turn: Turn) -> None:
        """See `PeopledRealm`. What events carry that should carry nothing goes to the strongroom."""
        for event in turn.inbox:
            if event.carries and event.event_type != "caravan":
                self._store(turn, event.carries)
        super().take_mail(turn)

    def on_the_hour(self, turn: Turn) -> None:
        """See `PeopledRealm`. Fate asks a few merchants to set out."""
        super().on_the_hour(turn)
        if turn.now % roles.TICKS_PER_DAY == 0:
            self.counts["caravans_today"] = 0
        if self.neighbours:
            self._send_caravans(turn)

    # Caravans

    def _send_caravans(self, turn: Turn) -> None:
        columns = self.people.columns
        asked = self.caravans_per_hour
        spans = -(-self.people.slots // self.span)
        words = turn.streams.words("caravan", turn.now, asked * spans)
        slots = scaled(words, self.span) + np.repeat(np.arange(spans), asked) * self.span
        words, slots = words[slots < self.people.slots], slots[slots < self.people.slots]
        ready = columns["alive"][slots] & (role_of(columns["habit"][slots]) == roles.MERCHANT)
        ready &= (columns["activity"][slots] != roles.SLEEP) & (columns["wealth"][slots] >= CARAVAN_WEALTH_MIN)
        for word, slot in zip(words[ready].tolist(), slots[ready].tolist(), strict=True):
            if self.people.lives_at(slot):  # fate may have asked the same one twice
                target = self.neighbours[(word & 0xFFFFFFFF) * len(self.neighbours) >> 32]
                self._send_caravan(turn, slot, target)

    def _send_caravan(self, turn: Turn, slot: int, target: str) -> None:
        values = self.people.leave(slot)
        origin = self.origins[values["origin"]]
        data = packed(values, origin, npc_name(origin, values["number"]))
        turn.send(target, "caravan", data, carries={WEALTH: values["wealth"], NPCS: 1})
        self.counts["caravans_out"] += 1

    @on("caravan")
    def receive_caravan(self, turn: Turn, event: Event) -> None:
        """The merchant moves in with what the event carries, and holds a market day."""
        carried = dict(event.carries)
        found = unpacked(data_of(event))
        origin = None if found is None else self._origin_index(found[1])
        if found is None or origin is None or carried.get(NPCS) != 1 or not self.people.has_room:
            self._store(turn, event.carries)
            return
        purse = within(carried.pop(WEALTH, 0), 0, roles.WEALTH_MAX)
        del carried[NPCS]
        self._store(turn, [*carried.items(), (WEALTH, event.carried(WEALTH) - purse)])
        slot = self.people.settle({**found[0], "origin": origin, "wealth": purse, "y": self.grid // 2})
        words = np.array([turn.streams.word("lodging", turn.now, slot)], dtype=np.uint64)
        lodging = {name: int(value[0]) for name, value in houses_of(words, self.grid).items()}
        lodging |= {"goal_x": lodging["home_x"], "goal_y": lodging["home_y"], "activity": roles.REST}
        for name, value in lodging.items():
            self.people.columns[name][slot] = value
        self.counts["caravans_in"] += 1
        self.counts["caravans_today"] += 1
        self.engine.emit(turn, "market_day", {"slot": slot})

    @on("market_day", internal=True)
    def hold_market_day(self, turn: Turn, event: Event) -> None:
        """A merchant sells at a few doors of the block; the third caravan of a day calls a feast."""
        slot = data_of(event).get("slot")
        if not self.people.lives_at(slot):
            return
        self.people.own("wealth", "stock", "mood")
        columns = self.people.columns
        haggling = turn.streams.word("stall", turn.now, slot)
        rules.cheer(columns, np.array([slot]), CARAVAN_MOOD)
        for door in range(1, STALL_SALES + 1):
            haggling, haggled = divmod(haggling, 16)
            if self.people.lives_at(slot ^ door) and columns["stock"][slot]:
                rules.settle_sales(columns, np.array([slot]), np.array([slot ^ door]), np.array([haggled]))
        if self.counts["caravans_today"] >= FEAST_CARAVANS:
            self.engine.emit(turn, "feast")

    @on("feast", internal=True)
    def hold_feast(self, turn: Turn, event: Event) -> None:
        """Once a day a block of houses feasts, and the other realms hear of it."""
        day = turn.now // roles.TICKS_PER_DAY
        if day == self.feast_day:
            return
        self.feast_day = day
        self.counts["feasts"] += 1
        self._cheer_block(turn, "feast", FEAST_MOOD)
        turn.broadcast("festival", {"realm": self.birth.member_id, "day": day})

    @on("festival")
    def hear_of_festival(self, turn: Turn, event: Event) -> None:
        """Another realm's festival cheers a block of houses."""
        if event.source != self.birth.member_id:
            self._cheer_block(turn, "festival", FESTIVAL_MOOD)

    def _cheer_block(self, turn: Turn, stream: str, change: int) -> None:
        if self.people.slots:
            start = turn.streams.below(stream, turn.now, 0, self.span // DOORS) * DOORS
            self.people.own("mood")
            rules.cheer(self.people.columns, slice(start, start + DOORS), change)

    def _store(self, turn: Turn, carries: Iterable[tuple[str, int]]) -> None:
        for quantity, amount in carries:
            self.strongroom.put(quantity, amount, turn.enter_ledger)

    def _origin_index(self, origin: str) -> int | None:
        if origin not in self.origins:
            if len(self.origins) >= ORIGINS_MAX:
                return None
            self.origins.append(origin)
        return self.origins.index(origin)

    # Commands

    @command
    def speak(
        self, turn: Turn, player_id: Plain, npc: Plain, context: Plain, line: Plain = None, question: Plain = ""
    ) -> Plain:
        """Lets a person say a line to a player who is here, and keeps it for that player.

        Args:
            turn: the moment.
            player_id: a player of the roster.
            npc: the person's slot.
            context: the player's Warbler context.
            line: what is said, if it was decided outside; otherwise it is composed here.
            question: what the player said, kept with the line.

        Raises:
            CommandRefusedError: nobody lives in that slot, the player is not here, or a value does not fit.
        """
        slot = self._person(npc)
        if not isinstance(player_id, str) or player_id not in self.roster.players:
            raise CommandRefusedError(
                f"player {player_id!r} is not in {self.birth.member_id}; the player must travel here first and "
                "arrives with the control tick after."
            )
        if not isinstance(context, Mapping) or context.get("player_id") != player_id:
            raise CommandRefusedError(
                f"context must be the Warbler context of player {player_id!r} and of nobody else."
            )
        asked = checked_text(question, "question", QUESTION_CHARACTERS_MAX, may_be_empty=True)
        person = described(self.people.columns, slot, self.origins)
        speaker = {name: person[name] for name in ("name", "role", "faction", "mood")}
        entity = entity_number(f"{player_id}/{slot}/{self.conversations.spoken}")
        words = [turn.streams.word("dialogue", turn.now, entity + place) for place in range(WORDS_PER_LINE)]
        try:
            tone = tone_between(context, speaker)
            composed = compose_line(context, speaker, words) if line is None else line
        except (AttributeError, KeyError, TypeError) as error:
            raise CommandRefusedError(
                f"context is not a whole Warbler context ({error!r}); ask the registry for it."
            ) from None
        said = {"npc": slot, "name": person["name"], "tone": tone, "question": asked, "tick": turn.now}
        said["line"] = checked_text(composed, "line", LINE_CHARACTERS_MAX)
        self.conversations.keep(player_id, said)
        return {name: said[name] for name in ("npc", "name", "tone", "line")}

    @command
    def set_trait(self, turn: Turn, npc: Plain, trait: Plain, value: Plain) -> Plain:
        """Changes what one person is like.

        Raises:
            CommandRefusedError: nobody lives in that slot, no such trait, or a value outside 0 … 255.
        """
        slot = self._person(npc)
        if trait not in roles.TRAITS:
            raise CommandRefusedError(f"there is no trait {trait!r}; use one of {list(roles.TRAITS)}.")
        if not whole_number(value, 0, 255):
            raise CommandRefusedError(f"{trait} must be a whole number from 0 to 255, not {value!r}.")
        self.people.own(trait)
        before = int(self.people.columns[trait][slot])
        self.people.columns[trait][slot] = value
        return {"npc": slot, "trait": trait, "before": before, "after": value}

    @command
    def grant_wealth(self, turn: Turn, npc: Plain, amount: Plain) -> Plain:
        """Gives one person wealth out of nothing, or takes it; the ledger says so.

        Raises:
            CommandRefusedError: nobody lives in that slot, or the wealth would leave its bounds.
        """
        slot = self._person(npc)
        before = int(self.people.columns["wealth"][slot])
        if not whole_number(amount, -before, roles.WEALTH_MAX - before):
            raise CommandRefusedError(
                f"amount must be a whole number that leaves wealth {before} within 0 to {roles.WEALTH_MAX}, not {amount!r}."
            )
        self.people.own("wealth")
        self.people.columns["wealth"][slot] += amount
        turn.enter_ledger(WEALTH, amount)
        return {"npc": slot, "before": before, "after": before + amount}

    def _person(self, npc: Plain) -> int:
        if not self.people.lives_at(npc):
            raise CommandRefusedError(f"nobody in {self.birth.member_id} has the id {npc!r}; find_npcs gives ids.")
        return int(npc)
