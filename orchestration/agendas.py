"""The agenda of a run: which commands the driver gives at which boundary, as a scenario says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from actors.clock_messages import Status
from actors.core.kernel.events import CrossGameEvent
from orchestration.multiverse import Multiverse
from orchestration.scenarios import PlayerPart, Scenario


@dataclass
class _Traveller:
    player_id: str
    steps: Iterator[tuple[int, str, str]]
    at: int = 0
    to: str = ""
    story: str = ""
    done: bool = False

    def __post_init__(self) -> None:
        self.turn()

    def turn(self) -> None:
        """Looks at the next step."""
        step = next(self.steps, None)
        self.done = step is None
        if step is not None:
            self.at, self.to, self.story = step


@dataclass
class Agenda:
    """What is still to be done.

    Attributes:
        refused: journeys that were refused, with the reasons; a scenario may ask for what turns out impossible.
        kills: members whose process is killed, each with the boundary at which it is.
    """

    travellers: list[_Traveller] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    kills: list[tuple[int, str]] = field(default_factory=list)

    def next_after(self, control_tick: int, end: int) -> int:
        """The boundary at which there is something to do next, or `end`."""
        journeys = (one.at for one in self.travellers if not one.done)
        kills = (at for at, _ in self.kills)
        return min([end, *(at for at in (*journeys, *kills) if at > control_tick)])

    def play(
        self, mv: Multiverse, end: int, *, realtime: bool = False, watch: Callable[[Status], None] | None = None
    ) -> None:
        """Runs a multiverse to a control tick, giving every command at its boundary, those at the end included."""
        at = mv.boundary().control_tick
        self.carry_out(mv, at)
        while at < end:
            target = self.next_after(at, end)
            mv.advance_to(target, realtime=realtime, watch=watch)
            if mv.boundary().control_tick < target:
                return  # somebody has stopped the clock; what is due later is not due yet
            at = target
            self.carry_out(mv, at)

    def carry_out(self, mv: Multiverse, control_tick: int) -> None:
        """Gives the commands that are due at this boundary."""
        for one in self.travellers:
            while not one.done and one.at <= control_tick:
                here = mv.players.get_player(one.player_id).active_realm
                result = mv.players.transition_player(one.player_id, here, one.to, one.story)
                if not result.success:
                    self.refused.append(f"control tick {control_tick}: {result.message}")
                one.turn()
        for at, member_id in self.kills:
            if at == control_tick:
                mv.kill(member_id)


def set_up(mv: Multiverse, scenario: Scenario) -> Agenda:
    """Registers a scenario's realms, makes its players, queues its events; gives what is to be done later.

    Raises:
        SoulfraError: something in the scenario turned out not to fit.
    """
    for realm in scenario.realms:
        mv.register_game(
            realm.id,
            realm.factory,
            realm.coordinate(),
            params=realm.params,
            period=realm.period,
            subscriptions=realm.subscriptions,
            placement=realm.placement,
        )
    agenda = Agenda()
    ids = [realm.id for realm in scenario.realms]
    for part in scenario.players:
        player = mv.players.create_player(part.name, part.race, part.realm, part.character_class)
        for item in part.items:
            mv.players.add_item_to_inventory(player.player_id, item.item(part.realm))
        agenda.travellers.append(_Traveller(player.player_id, _steps(part, ids)))
    for event in scenario.events:
        mv.queue_cross_game_event(
            CrossGameEvent(event.id, event.source, event.target, event.type, event.data, deliver_at=event.at)
        )
    return agenda


def _steps(part: PlayerPart, ids: list[str]) -> Iterator[tuple[int, str, str]]:
    if part.wander_every is None:
        yield from ((travel.at, travel.to, travel.story) for travel in part.travels)
        return
    at, place = 0, ids.index(part.realm)
    while True:
        at += part.wander_every
        place = (place + 1) % len(ids)
        yield at, ids[place], "wandering on"
