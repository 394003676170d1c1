"""What a City hears and tells: rumours, questions and answers, world events, travellers.

News reaches one drawn person, and goes on from there: by gossip at every meeting, and at once from door to door, as a
cascade of `stir` events within the local tick:

    world_event ─▶ rumour ─▶ stir ─▶ stir ─▶ …   up to the cascade depth

Events come from anywhere. What is malformed changes nothing; what is kept of them is bounded.
"""

from collections.abc import Mapping

import numpy as np

from actors.core.kernel.addresses import OUTSIDE, checked_realm_id
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import AddressError
from actors.core.kernel.events import Event
from actors.core.kernel.members import Turn
from actors.core.kernel.streams import entity_number
from actors.core.players.rosters import ROSTER_EVENTS
from actors.core.realms import city_roles as roles
from actors.core.realms import city_rules as rules
from actors.core.realms.city_caravans import whole_number
from actors.core.realms.city_names import npc_name
from actors.core.realms.city_people import role_of
from actors.core.realms.city_realms import PeopledRealm
from actors.core.realms.city_rumours import (
    RUMOUR_HOPS_MAX,
    RUMOUR_INTERVAL_TICKS,
    RUMOURS_PER_TURN_MAX,
    Rumour,
    read_rumour,
    talk_of,
    within,
)
from actors.core.realms.city_views import described, find
from actors.core.realms.tick_engines import on

HEARERS_TRIED = 4
"""Drawn slots that news or a visitor tries; all of them may be empty."""
DOORS = 64
"""People live in blocks of 64 slots: rumours run from door to door, and feasts are held, within a block."""
GREETING_MOOD = 10
WORLD_MOOD_MAX = 100
"""What one world event, and all of one turn together, do to the mood of all."""
KEPT_MAX = 8
"""Answers and greetings kept."""
KEPT_CHARACTERS_MAX = 200
"""Of a text from outside that is kept."""
ANSWERED_MAX = 5
"""People named in one answer."""


class NewsRealm(PeopledRealm):
    """People who hear and tell; see `PeopledRealm` for the parameters."""

    def take_mail(self, turn: Turn) -> None:
        """See `PeopledRealm`. What world events do to all is done once, after all mail."""
        self._world_mood = self._rumours_taken = 0
        self._found: dict[tuple[Plain, Plain], list[Plain]] = {}
        super().take_mail(turn)
        if self._world_mood:
            self.people.own("mood")
            rules.cheer(self.people.columns, slice(None), within(self._world_mood, -WORLD_MOOD_MAX, WORLD_MOOD_MAX))

    def on_the_hour(self, turn: Turn) -> None:
        """Now and then fate lets somebody start a rumour."""
        if turn.now % RUMOUR_INTERVAL_TICKS == 0:
            self._start_rumour(turn)

    # Rumours

    def _start_rumour(self, turn: Turn) -> None:
        """Retires the rumour whose bit is due, and lets a drawn person start another, if they are there and awake."""
        bit = self.rumours.home_bit(turn.now)
        self._retire(bit)
        slot = turn.streams.below("teller", turn.now, 0, self.span)
        columns = self.people.columns
        if not self.people.lives_at(slot) or columns["activity"][slot] == roles.SLEEP:
            return
        name = npc_name(self.origins[columns["origin"][slot]], int(columns["number"][slot]))
        topic, tone = talk_of(int(role_of(columns["habit"][slot])), name, int(columns["mood"][slot]))
        if self.rumours.knows(topic, self.birth.member_id):
            return
        told = {"topic": topic, "origin": self.birth.member_id, "hops": 0, "hops_max": RUMOUR_HOPS_MAX, "tone": tone}
        self.rumours.open(bit, {**told, "since": turn.now})
        self._hear(slot, bit)
        turn.broadcast("rumour", told)

    @on("rumour")
    def hear_rumour(self, turn: Turn, event: Event) -> None:
        """News reaches one drawn person, who tells it on: door to door, and a scholar or mystic to the other realms."""
        rumour = read_rumour(data_of(event), event.origin, turn.now)
        if rumour is None or self.rumours.knows(rumour["topic"], rumour["origin"]):
            return
        slot = self._drawn_person(turn, "hearer", f"{rumour['origin']}/{rumour['topic']}")
        if slot is None or self._rumours_taken >= RUMOURS_PER_TURN_MAX:
            self.counts["rumours_unheard"] += 1
            return
        self._rumours_taken += 1
        bit = self.rumours.foreign_bit()
        self._retire(bit)
        self.rumours.open(bit, rumour)
        self._hear(slot, bit)
        self._tell_on(turn, slot, rumour)
        self.engine.emit(turn, "stir", {"bit": bit, "slot": slot})

    @on("stir", internal=True)
    def stir(self, turn: Turn, event: Event) -> None:
        """Who has just heard tells a neighbour, who does the same if curious enough for their draw."""
        data = data_of(event)
        bit, slot = data.get("bit"), data.get("slot")
        if not whole_number(bit, 0, 63) or bit not in self.rumours.live or not self.people.lives_at(slot):
            return
        drawn = turn.streams.word("door", turn.now, slot)
        neighbour = slot ^ (1 + drawn % (DOORS - 1))
        if not self.people.lives_at(neighbour) or int(self.people.columns["heard"][neighbour]) >> bit & 1:
            return
        if self.people.columns["curiosity"][neighbour] >= drawn >> 56:
            self._hear(neighbour, bit)
            self.engine.emit(turn, "stir", {"bit": bit, "slot": neighbour})

    def _tell_on(self, turn: Turn, slot: int, rumour: Rumour) -> None:
        role = int(role_of(self.people.columns["habit"][slot]))
        if role in (roles.SCHOLAR, roles.MYSTIC) and rumour["hops"] < rumour["hops_max"]:
            told = {name: rumour[name] for name in ("topic", "origin", "hops_max", "tone")}
            turn.broadcast("rumour", {**told, "hops": rumour["hops"] + 1})

    def _hear(self, slot: int, bit: int) -> None:
        self.people.own("heard")
        self.people.columns["heard"][slot] |= np.uint64(1 << bit)

    def _retire(self, bit: int) -> None:
        if bit in self.rumours.live:
            self.rumours.retire(bit)
            self.people.own("heard")
            self.people.columns["heard"] &= np.uint64(~(1 << bit) & (2**64 - 1))

    def _drawn_person(self, turn: Turn, stream: str, about: str) -> int | None:
        """Somebody drawn by what it is about, or None if the drawn slots are empty."""
        entity = entity_number(about)
        for tried in range(HEARERS_TRIED):
            slot = turn.streams.below(stream, turn.now, entity + tried, self.span)
            if self.people.lives_at(slot):
                return slot
        return None

    # Questions, news and players

    @on("question")
    def answer_question(self, turn: Turn, event: Event) -> None:
        """Says to whoever asked where people of a role and an origin are, as it was when that was first asked in this turn.

        Unknown questions get an answer too, with nobody in it; who cannot be answered is not.
        """
        asker = event.claimed_source if event.source == OUTSIDE else event.source
        try:
            checked_realm_id(asker)
        except AddressError:
            return
        data = data_of(event)
        role, origin = data.get("role"), data.get("origin")
        known = origin is None or (isinstance(origin, str) and origin in self.origins)
        if data.get("ask") != "where_is" or not known or not (role is None or role in roles.ROLES):
            turn.send(asker, "answer", {"found": []})
            return
        found = self._whereabouts(role, origin)
        turn.send(asker, "answer", {"ask": "where_is", "role": role, "origin": origin, "found": found})

    def _whereabouts(self, role: Plain, origin: Plain) -> list[Plain]:
        if (role, origin) not in self._found:
            columns = self.people.columns
            slots = find(
                columns,
                None if role is None else roles.ROLES.index(role),
                None if origin is None else self.origins.index(origin),
                ANSWERED_MAX,
            )
            self._found[role, origin] = [described(columns, slot, self.origins) for slot in slots]
        return self._found[role, origin]

    @on("answer")
    def take_answer(self, turn: Turn, event: Event) -> None:
        """Keeps the last answers from other realms."""
        found = data_of(event).get("found")
        if not isinstance(found, list):
            return
        names = [person.get("name") for person in found[:ANSWERED_MAX] if isinstance(person, Mapping)]
        self.answers = [
            *self.answers,
            {
                "from": event.origin[:KEPT_CHARACTERS_MAX],
                "cause": event.cause[:KEPT_CHARACTERS_MAX],
                "names": [name[:KEPT_CHARACTERS_MAX] for name in names if isinstance(name, str)],
            },
        ][-KEPT_MAX:]

    @on("world_event")
    def live_through_world_event(self, turn: Turn, event: Event) -> None:
        """What happens to the world moves everybody's mood, within bounds, and is talked about."""
        data = data_of(event)
        mood = within(data.get("mood"), -WORLD_MOOD_MAX, WORLD_MOOD_MAX)
        self._world_mood += mood
        told = read_rumour({"topic": data.get("message"), "tone": mood}, event.origin, turn.now)
        if told is not None:
            self.engine.emit(turn, "rumour", told)

    @on("player_traveled")
    def greet_traveller(self, turn: Turn, event: Event) -> None:
        """Somebody greets a player of whose travels the city hears."""
        player = data_of(event).get("player")
        if not isinstance(player, str) or not player:
            return
        self.counts["travels_heard"] += 1
        slot = self._drawn_person(turn, "greeter", player)
        if slot is not None:
            self.people.own("mood")
            rules.cheer(self.people.columns, np.array([slot]), GREETING_MOOD)
            kept = {"player": player[:KEPT_CHARACTERS_MAX], "npc": slot, "tick": turn.now}
            self.greetings = [*self.greetings, kept][-KEPT_MAX:]

    @on(*ROSTER_EVENTS)
    def follow_registry(self, turn: Turn, event: Event) -> None:
        """The roster follows the registry."""
        self.roster.apply(event)


def data_of(event: Event) -> Mapping[str, Plain]:
    """An event's data; none if what came from outside is no map."""
    try:
        data = event.data
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
