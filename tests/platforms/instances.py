"""Instances to look into: on the local engine, as a user has one, or in four seats with events carried by hand."""

from collections.abc import Mapping
from typing import Any

from actors.core.kernel.codec import decode, encode
from actors.core.kernel.events import Event, order
from actors.core.kernel.members import Birth, Command, CommandResult, Grant, Outbox
from actors.core.kernel.modifications import MODIFY
from actors.core.kernel.seats import Seat
from actors.core.kernel.states import State, decode_state
from actors.core.platforms.members import Platform
from actors.core.platforms.mirrors import MirrorPlatform
from actors.core.platforms.protocols import ProtocolPlatform
from actors.core.platforms.runtimes import RuntimePlatform
from actors.core.platforms.surfaces import SurfacePlatform
from orchestration import Multiverse

KINDS: Mapping[str, type[Platform]] = {
    "mirror": MirrorPlatform,
    "protocol": ProtocolPlatform,
    "runtime": RuntimePlatform,
    "surface": SurfacePlatform,
}
FACTORIES = {role: f"{kind.__module__}:{kind.__name__}" for role, kind in KINDS.items()}


def instance(seed: int = 7, *, start: bool = True, **settings: Any) -> Multiverse:
    """Four realms that go by their roles, under one clock; initialized and at work unless told otherwise."""
    mv = Multiverse(seed=seed, engine="local", **settings)
    for role, factory in FACTORIES.items():
        mv.register_game(role, factory)
    if start:
        mv.command("runtime", "initialize")
        mv.command("runtime", "start_autonomous")
    return mv


class Society:
    """Four platforms in their seats; `tick` is one control tick.

    Args:
        seed: of the multiverse.
        start: whether it is initialized and at work.
        params: of the platforms, by role.
    """

    def __init__(self, seed: int = 7, *, start: bool = True, **params: Mapping[str, Any]) -> None:
        self.members: dict[str, Platform] = {}
        self.births = {role: Birth(role, seed, role) for role in KINDS}
        self.params = params
        self.seats = {role: Seat(self.births[role], self._make) for role in KINDS}
        self.inboxes: dict[str, list[Event]] = {role: [] for role in KINDS}
        self.ledger: dict[str, int] = {}
        self.digests: list[bytes] = []
        self.lost: list[Event] = []
        self.numbers = dict.fromkeys(KINDS, 0)
        self.control_tick = 0
        self.frozen: set[str] = set()
        if start:
            self.ask("runtime", "initialize")
            self.ask("runtime", "start_autonomous")

    def _make(self, birth: Birth) -> Platform:
        member = self.members[birth.member_id] = KINDS[birth.member_id](birth, **self.params.get(birth.member_id, {}))
        return member

    def run(self, local_ticks: int) -> "Society":
        assert local_ticks % 10 == 0
        for _ in range(local_ticks // 10):
            self.tick()
        return self

    def tick(self) -> None:
        self.control_tick += 1
        inboxes, self.inboxes = self.inboxes, {role: [] for role in KINDS}
        for role in KINDS:
            if role in self.frozen:
                self.inboxes[role] += inboxes[role]
                continue
            self.digests.append(self._advance(role, 10, order(inboxes[role]), ()).digest)

    def _advance(self, role: str, local_ticks: int, inbox: list[Event], commands: tuple[Command, ...]) -> Outbox:
        self.numbers[role] += 1
        grant = Grant(1, "main", self.numbers[role], self.control_tick, local_ticks, tuple(inbox), commands)
        outbox = self.seats[role].advance(grant)
        assert outbox.failure is None, outbox.failure.traceback
        for quantity, change in outbox.ledger.items():
            self.ledger[quantity] = self.ledger.get(quantity, 0) + change
        for event in outbox.events:
            if "/" in str(event.target):
                continue  # to another instance, of which there is none here
            assert event.target in KINDS, event
            handled = self.seats[event.target].contract.handles
            (self.inboxes[event.target] if event.event_type in handled else self.lost).append(event)
        return outbox

    def result(self, role: str, verb: str, /, **arguments: Any) -> CommandResult:
        command = Command(f"{role}{self.numbers[role]}", verb, encode(arguments))
        return self._advance(role, 0, [], (command,)).results[0]

    def ask(self, role: str, verb: str, /, **arguments: Any) -> Any:
        """What a command that may be comes to."""
        result = self.result(role, verb, **arguments)
        assert not result.error_code, result.error_message
        return decode(result.payload)

    def refusal(self, role: str, verb: str, /, **arguments: Any) -> CommandResult:
        """What a command that may not be is told; nothing has changed by it."""
        before = self.standing(role)
        result = self.result(role, verb, **arguments)
        assert result.error_code, decode(result.payload)
        assert self.standing(role) == before
        return result

    def modify(self, role: str, changes: Mapping[str, Any]) -> Any:
        return self.ask(role, MODIFY, **changes)

    def refused_change(self, role: str, changes: Mapping[str, Any]) -> str:
        return self.refusal(role, MODIFY, **changes).error_message

    def say(self, role: str, event_type: str, data: Mapping[str, Any], source: str = "@outside") -> None:
        """Something somebody says, to be heard at the next control tick."""
        number = 1_000_000 + self.control_tick * 100 + len(self.inboxes[role])
        self.inboxes[role].append(
            Event(f"e{number}", source, number, role, event_type, encode(dict(data)), self.control_tick, 0)
        )

    def query(self, role: str, verb: str, /, **arguments: Any) -> Any:
        return self.seats[role].query(verb, arguments)["value"]

    def agent(self, agent_id: str) -> Any:
        return self.query("runtime", "agent", agent_id=agent_id)

    def vitals(self, role: str = "runtime") -> Any:
        return self.query(role, "vitals")

    def state(self, role: str) -> State:
        return decode_state(self.seats[role].capture())

    def standing(self, role: str) -> Any:
        status = self.seats[role].status()
        return status.digest, status.local_tick, self.seats[role].capture()

    def reborn(self) -> "Society":
        """Lets every member be made again from what it says of itself."""
        for role in KINDS:
            checkpoint = self.seats[role].checkpoint()
            assert checkpoint is not None
            self.seats[role] = Seat(self.births[role], self._make, checkpoint)
        return self
