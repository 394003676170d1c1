"""Small realms for tests: each shows one behaviour and nothing else."""

import itertools
import os
import time

from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.events import Event
from actors.core.kernel.members import REPLAYED, Turn
from actors.core.kernel.states import Records, State
from actors.core.players.rosters import PLAYER_ARRIVED, PLAYER_LEFT, PLAYER_ROSTER, Roster
from actors.core.realms.tick_engines import Realm, command, on


class Ring(Realm):
    """Passes a token on to the next one; draws; keeps a roster."""

    kind = "ring"
    emits = frozenset({"token", "shout", "odd"})
    subscribes = frozenset({"shout"})

    def __init__(self, birth, *, next_realm="", raise_at=-1, sleep_s=0.0, die_at=-1, shouts=False):
        super().__init__(birth)
        self.next_realm, self.raise_at, self.sleep_s, self.die_at = next_realm, raise_at, sleep_s, die_at
        self.shouts = shouts
        self.state = {"tokens": 0, "heard": 0, "luck": 0, "gold": 100}
        self.roster = Roster()

    @on("token")
    def pass_on(self, turn: Turn, event: Event) -> None:
        self.state["tokens"] += 1
        self.state["gold"] += event.carried("gold")
        self.engine.emit(turn, "noticed", {"depth": 1})
        if self.next_realm:
            gold = min(3, self.state["gold"])
            self.state["gold"] -= gold
            turn.send(self.next_realm, "token", {"hop": event.data.get("hop", 0) + 1}, carries={"gold": gold})

    @on("noticed")
    def notice(self, turn: Turn, event: Event) -> None:
        self.state["heard"] += 1
        self.engine.emit(turn, "noticed", {"depth": event.data["depth"] + 1})

    @on("shout")
    def hear(self, turn: Turn, event: Event) -> None:
        self.state["heard"] += 1

    @on(PLAYER_ARRIVED, PLAYER_LEFT, PLAYER_ROSTER)
    def follow(self, turn: Turn, event: Event) -> None:
        self.roster.apply(event)

    def tick(self, turn: Turn) -> None:
        if turn.now == self.raise_at:
            raise ZeroDivisionError("the hobbit fell off")
        if turn.now == self.die_at:
            os._exit(1)
        if self.sleep_s:
            time.sleep(self.sleep_s)
        self.state["luck"] += turn.streams.below("luck", turn.now, 0, 100)
        if self.shouts and turn.now % 10 == 0:
            turn.broadcast("shout", {"luck": self.state["luck"]})

    @command
    def set_luck(self, turn: Turn, luck: int) -> int:
        self.state["luck"] = luck
        return luck

    @command
    def send(self, turn: Turn, target: str, event_type: str = "token", deliver_at: int | None = None) -> str:
        return turn.send(target, event_type, {}, deliver_at=deliver_at)

    @command
    def break_down(self, turn: Turn) -> None:
        self.state["luck"] = -1
        raise RuntimeError("broken by command")

    def mend(self) -> None:
        self.raise_at = -1

    def capture(self) -> State:
        return {"ring": Records(dict(self.state)), "roster": self.roster.capture()}

    def restore(self, state: State) -> None:
        self.state = dict(state["ring"].objects)
        self.roster.restore(state["roster"])

    def measures(self) -> dict[str, float]:
        return {"luck": self.state["luck"], "players": len(self.roster.players)}

    def totals(self) -> dict[str, int]:
        return {"gold": self.state["gold"]}


def raising_factory(birth, **params):
    raise RuntimeError("the factory is on strike")


class Scribe(Realm):
    """Writes down what it hears, in order, says what it is told to, and sends parcels of gold to its peers by chance."""

    kind = "scribe"
    emits = frozenset({"note", "gossip", "unheard"})
    subscribes = frozenset({"gossip"})

    def __init__(self, birth, *, gold=0, peers=(), raise_at=-1):
        super().__init__(birth)
        self.peers, self.raise_at = list(peers), raise_at
        self.gold, self.heard = gold, []

    @on("note", "gossip")
    def write_down(self, turn: Turn, event: Event) -> None:
        if event.data.get("poison"):
            raise RuntimeError("poisoned ink")
        self.gold += event.carried("gold")
        self.heard.append([turn.now, event.source, event.sequence, event.event_type, event.event_id, event.cause])
        if "answer" in event.data:
            turn.send(event.data["answer"], "note", {})
        if "minted" in event.data:
            self.gold += event.data["minted"]
            turn.enter_ledger("gold", event.data["minted"])

    def tick(self, turn: Turn) -> None:
        if turn.now == self.raise_at:
            raise RuntimeError("the quill broke")
        if not self.peers:
            return
        gold = min(self.gold, turn.streams.below("gold", turn.now, 0, 5))
        self.gold -= gold
        peer = self.peers[turn.streams.below("peer", turn.now, 0, len(self.peers))]
        delay = turn.streams.below("delay", turn.now, 0, 4)
        turn.send(peer, "note", {}, carries={"gold": gold}, deliver_at=turn.control_tick + 1 + delay)

    @command
    def say(
        self, turn: Turn, target: str, event_type: str = "note", deliver_at: int | None = None, **data: object
    ) -> str:
        return turn.send(target, event_type, data, deliver_at=deliver_at)

    @command
    def shout(self, turn: Turn) -> str:
        return turn.broadcast("gossip", {})

    @command
    def refuse(self, turn: Turn) -> None:
        raise CommandRefusedError("the scribe would rather not.")

    @command
    def tear(self, turn: Turn) -> None:
        self.heard.clear()
        raise RuntimeError("torn by command")

    def capture(self) -> State:
        return {"book": Records({"gold": self.gold, "heard": list(self.heard)})}

    def restore(self, state: State) -> None:
        self.gold, self.heard = state["book"].objects["gold"], list(state["book"].objects["heard"])

    def measures(self) -> dict[str, float]:
        return {"heard": len(self.heard)}

    def totals(self) -> dict[str, int]:
        return {"gold": self.gold}


class Letterbox(Scribe):
    """A scribe without time of its own: it wakes for mail and for commands."""

    kind = "letterbox"
    event_driven = True


class Silent(Realm):
    """Says nothing and hears nothing."""

    kind = "silent"


class Diary(Scribe):
    """A scribe whose state cannot be captured for good: it is brought back by living its life again."""

    kind = "diary"
    recovery = REPLAYED


class Hog(Ring):
    """Holds the interpreter's lock for ever in one of its ticks, so that its process answers nobody."""

    def __init__(self, birth, *, hog_at):
        super().__init__(birth)
        self.hog_at = hog_at

    def tick(self, turn: Turn) -> None:
        if turn.now == self.hog_at:
            all(itertools.repeat(True))
        super().tick(turn)


def sleeping_factory(birth, **params):
    time.sleep(1000)
