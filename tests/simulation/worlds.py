"""A small world from a seed: who lives in it, and what is asked of the clock at which boundary.

Everything is decided beforehand, so that a calm run and one with faults ask the same. Only the restart of members in
error follows from what happens, by one rule for all runs (`runs.py`).
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from actors.core.kernel.addresses import PLAYERS, RealmCoordinate
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import (
    AttachGame,
    BeginInstance,
    ChangeRole,
    ClockCommand,
    CreateInstance,
    DropFork,
    ForkGames,
    Freeze,
    LinkInstances,
    MemberCommand,
    MemberSpec,
    ModifyMembers,
    QueueEvent,
    RegisterGame,
    RemoveGame,
    Subscribe,
    Unfreeze,
    Unsubscribe,
)
from actors.core.kernel.instances import PHASES, PLATFORM_ROLES
from actors.core.players.players import player_id_of

SEEDS_PER_WORLD = 8
"""So many seeds live in one world, one after another; they share its calm run."""
CONTROL_TICKS = 25
PLAYERS_COUNT = 2
CITY = "actors.core.realms.city:City"
NPCS = 12
INSTANCE_SHARE = 0.3
"""Of the worlds: four members more cost time."""


@dataclass(frozen=True)
class World:
    """A scenario.

    Attributes:
        number: which one this is.
        settings: what its history depends on.
        agenda: commands at the boundary after each control tick, in order.
    """

    number: int
    settings: dict[str, Any]
    agenda: dict[int, list[ClockCommand]]

    @property
    def realms(self) -> list[str]:
        """Every realm that is ever registered."""
        found = (one.realm_id for commands in self.agenda.values() for one in commands if isinstance(one, RegisterGame))
        return sorted(set(found))


def world_of(seed: int) -> World:
    """The world that a seed lives in."""
    return _Author(seed // SEEDS_PER_WORLD).write()


class _Author:
    """Writes one world."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.rng = Random(f"world {number}")
        self.agenda: dict[int, list[ClockCommand]] = {}
        self.settings = {
            "seed": number,
            "control_tick_interval_ticks": self.rng.choice([2, 4]),
            "digest_interval_control_ticks": self.rng.choice([1, 1, 1, 2]),
        }
        self.kinds: dict[str, str] = {}
        self.has_instance = Random(f"instance {number}").random() < INSTANCE_SHARE

    def write(self) -> World:
        self._found()
        self._let_players_travel()
        self._ask_members()
        self._queue_events()
        self._change_subscriptions()
        self._let_members_fail()
        self._change_who_is_there()
        self._fork()
        if self.has_instance:
            self._preside()
        return World(self.number, self.settings, self.agenda)

    def _at(self, control_tick: int, command: ClockCommand) -> None:
        self.agenda.setdefault(control_tick, []).append(command)

    def _some_tick(self, first: int = 1, last: int = CONTROL_TICKS - 2) -> int:
        return self.rng.randint(first, last)

    # --------------------------------------------------------------------------------------------- who lives here

    def _found(self) -> None:
        """Three to six realms: always a ring and a scribe, the rest by chance."""
        more = ["city", "city", "letterbox", "slow", "diary", "ring", "scribe"]
        kinds = ["ring", "scribe", *self.rng.sample(more, self.rng.randint(1, 4))]
        self.kinds = {f"{kind}_{place}": kind for place, kind in enumerate(kinds)}
        for realm_id in self.kinds:
            self._register(realm_id, 0 if self.rng.random() < 0.8 else self._some_tick(1, 4))

    def _register(self, realm_id: str, control_tick: int) -> None:
        kind = self.kinds[realm_id]
        spec = MemberSpec(self._factory(kind), encode(self._params(realm_id, kind)))
        key = RealmCoordinate(realm_id).key
        self._at(control_tick, RegisterGame(realm_id, key, "sol_system", spec, 3 if kind == "slow" else 1))

    def _factory(self, kind: str) -> str:
        known = {"city": CITY, "ring": "small:Ring", "letterbox": "small:Letterbox", "diary": "small:Diary"}
        return known.get(kind, "small:Scribe")

    def _params(self, realm_id: str, kind: str) -> dict[str, Any]:
        others = sorted(set(self.kinds) - {realm_id})
        if kind == "city":
            return {"npcs": NPCS, "neighbours": self._of_kind("city", realm_id), "caravans_per_hour": 16}
        if kind == "ring":
            return {"next_realm": self.rng.choice(self._of_kind("ring", realm_id) or others), "shouts": True}
        penfriends = self._of_kind("scribe", realm_id) + self._of_kind("slow", realm_id)
        return {
            "gold": 50,
            "peers": penfriends + self._of_kind("letterbox", realm_id) + self._of_kind("diary", realm_id),
        }

    def _of_kind(self, kind: str, but: str = "") -> list[str]:
        return [realm_id for realm_id in sorted(self.kinds) if self.kinds[realm_id] == kind and realm_id != but]

    def _writers(self) -> list[str]:
        return [realm_id for realm_id in sorted(self.kinds) if self.kinds[realm_id] not in ("city", "ring")]

    # ----------------------------------------------------------------------------------------------- what is asked

    def _ask(self, control_tick: int, member_id: str, verb: str, /, **arguments: Any) -> None:
        self._at(control_tick, MemberCommand(member_id, verb, encode(arguments)))

    def _let_players_travel(self) -> None:
        """Players with things in their bags go from realm to realm."""
        hosts = [*self._of_kind("ring"), *self._of_kind("city")]
        for number in range(PLAYERS_COUNT):
            player_id = player_id_of(self.settings["seed"], PLAYERS, number)
            at, place = 4 + number, self.rng.choice(hosts)
            names = {"player_name": f"P{number}", "character_race": "human", "starting_realm": place}
            self._ask(at, PLAYERS, "create_player", **names)
            item: dict[str, Any] = {"item_id": f"i{number}", "name": "lamp", "item_type": "quest", "rarity": "common"}
            item |= {"source_realm": place, "quantity": 2}
            self._ask(at, PLAYERS, "add_item_to_inventory", player_id=player_id, item=item)
            for _ in range(4):
                at, target = at + self.rng.randint(1, 4), self.rng.choice([*hosts, *self.kinds])
                journey = {"player_id": player_id, "source_realm": place, "target_realm": target}
                self._ask(min(at, CONTROL_TICKS - 1), PLAYERS, "transition_player", **journey)
                place = target
            self._ask(self._some_tick(10), PLAYERS, "award_experience", player_id=player_id, amount=70)

    def _ask_members(self) -> None:
        for _ in range(4):
            ring = self.rng.choice(self._of_kind("ring"))
            self._ask(self._some_tick(), ring, "set_luck", luck=self.rng.randint(0, 99))
            self._ask(self._some_tick(), ring, "send", target=self.rng.choice(sorted(self.kinds)))
            scribe = self.rng.choice(self._writers())
            self._ask(self._some_tick(), scribe, "say", target=self.rng.choice(sorted(self.kinds)), nonsense=[1, 2])
            self._ask(self._some_tick(), scribe, self.rng.choice(["shout", "refuse"]))
        for city in self._of_kind("city"):
            self._ask(self._some_tick(), city, "set_trait", npc=self.rng.randrange(NPCS), trait="thrift", value=200)

    def _queue_events(self) -> None:
        for number in range(6):
            at = self._some_tick()
            due = at + self.rng.randint(1, 5)
            if self.rng.random() < 0.5:
                self._queue(at, self.rng.choice(self._of_kind("ring")), "token", {}, due, gold=self.rng.randint(0, 9))
            else:
                writer = self.rng.choice(self._writers())
                data = {"minted": 3} if number % 2 else {"answer": self.rng.choice(self._writers())}
                self._queue(at, writer, "note", data, due, gold=self.rng.randint(0, 9))
        self._queue(self._some_tick(), None, "gossip", {}, None)

    def _queue(
        self, at: int, target: str | None, event_type: str, data: dict[str, Any], due: int | None, **carries: int
    ) -> None:
        self._at(at, QueueEvent("", "", target, event_type, encode(data), due, carries=tuple(carries.items())))

    def _change_subscriptions(self) -> None:
        for _ in range(3):
            writer, ring = self.rng.choice(self._writers()), self.rng.choice(self._of_kind("ring"))
            for realm_id, event_type in ((writer, "gossip"), (ring, "shout")):
                subscribed = self.rng.random() < 0.5
                change = Subscribe(realm_id, event_type) if subscribed else Unsubscribe(realm_id, event_type)
                self._at(self._some_tick(), change)

    def _let_members_fail(self) -> None:
        """Some raise by mail, some by command, and are restarted."""
        for _ in range(2):
            self._queue(
                self._some_tick(3, 18), self.rng.choice(self._writers()), "note", {"poison": True}, None, gold=2
            )
        self._ask(self._some_tick(3, 18), self.rng.choice(self._of_kind("ring")), "break_down")
        self._ask(self._some_tick(3, 18), self.rng.choice(self._writers()), "tear")

    def _change_who_is_there(self) -> None:
        """A realm goes, perhaps with players in it, and perhaps another of the same name comes."""
        if len(self.kinds) < 4:
            return
        leaving, refuge = self.rng.sample(sorted(self.kinds), 2)
        at = self._some_tick(6, 18)
        self._at(at, RemoveGame(leaving, refuge))
        if self.rng.random() < 0.7:
            self._register(leaving, at + self.rng.randint(0, 4))

    def _fork(self) -> None:
        """Some realms are copied, one of the copies is copied again, and a fork ends; some of it cannot be, by then."""
        able = [realm_id for realm_id, kind in sorted(self.kinds.items()) if kind != "diary"]
        chosen = tuple(self.rng.sample(able, self.rng.randint(1, min(3, len(able)))))
        at = self._some_tick(3, 14)
        count = self.rng.randint(1, 2)
        first = 2 if self.has_instance else 1  # the instance is there before
        changes = {realm_id: encode({"book.gold": 60}) for realm_id in chosen if self.kinds[realm_id] == "scribe"}
        self._at(at, ForkGames(chosen, count, self.rng.random() < 0.5, (changes,)))
        self._at(at + self.rng.randint(1, 5), ForkGames((f"{chosen[0]}~{first}",)))
        for realm_id in chosen:
            if self.kinds[realm_id] in ("ring", "city"):
                continue
            told, last = self.rng.choice(sorted(self.kinds)), first + count - 1
            self._ask(at + self.rng.randint(1, 5), f"{realm_id}~{first}", "say", target=told)
            self._queue(at + 1, f"{realm_id}~{last}", "note", {"minted": 2}, None, gold=1)
        self._at(at + self.rng.randint(2, 8), DropFork(first + count - 1))

    def _preside(self) -> None:
        """An instance begins, takes a realm in, stands still, is changed, copied and possessed."""
        rng = Random(f"presiding {self.number}")
        spec = MemberSpec("small_platforms:Platform", encode({}))
        self._at(1, CreateInstance("alpha", dict.fromkeys(PLATFORM_ROLES, spec), rng.choice(PHASES)))
        self._at(2, BeginInstance(1, "initialized"))
        self._at(rng.randint(2, 4), BeginInstance(1, "started"))
        able = [realm_id for realm_id, kind in sorted(self.kinds.items()) if kind in ("scribe", "city", "slow")]
        self._at(rng.randint(4, 12), AttachGame(rng.choice(able), 1, rng.choice(["", *self._of_kind("ring")])))
        for _ in range(3):
            scope = rng.choice([("alpha",), ("runtime~1",), (rng.choice(sorted(self.kinds)),), ()])
            cause, at = rng.choice(["freeze", "override"]), rng.randint(4, 18)
            self._at(at, Freeze(scope, cause, rng.choice([0, 3, 8])))
            self._at(at + rng.randint(1, 5), Unfreeze(scope, cause))
        sums = {"runtime~1": encode({"all.it.sum": rng.choice([5, -5])}), "mirror~1": encode({"all.it.gold": 9})}
        self._at(rng.randint(5, 18), ModifyMembers(sums))
        self._ask(rng.randint(5, 18), "protocol~1", "mint", gold=rng.randint(1, 9))
        self._ask(rng.randint(5, 12), "runtime~1", "possess")
        platforms = tuple(f"{role}~1" for role in PLATFORM_ROLES)
        self._at(rng.randint(12, 20), ForkGames(platforms, 1, rng.random() < 0.5, names=("beta",)))
        self._at(rng.randint(20, 22), Unfreeze((), "override"))
        if rng.random() < 0.5:
            self._at(23, DropFork(1))
        self._at(rng.randint(3, 20), ChangeRole("ada", rng.choice(["god", "player"]), rng.choice(["*", "i1"]), True))
        if rng.random() < 0.5:
            self._at(rng.randint(12, 22), ChangeRole("ada", "", "*", False))
        self._at(rng.randint(18, 22), LinkInstances((1, rng.randint(2, 5)), enable=True))
