"""The society of a Runtime: its state, its energy, and what it has to say at the end of a control tick.

Energy is a closed account. There is a pool; agents and rituals hold shares of it; every move goes from one to another.
So pool + agents + rituals stays what it was at the beginning, and nothing can go below zero.
"""

from typing import Any, Final

from actors.core.platforms import governors
from actors.core.platforms.agents import (
    AGENT_ENERGY_MAX,
    AGENTS_MAX,
    AURA_MAX,
    BIRTH_ENERGY,
    CAL_RIVEN,
    FADING_TICKS,
    TEMPLATES,
    Agent,
    born,
    inherited,
    moved,
    remembering,
)
from actors.core.platforms.exports import EXPORTS_MAX, Reflection
from actors.core.platforms.loops import LOOPS_MAX, TRACE_MAX, Loop
from actors.core.platforms.messages import Founded, ValidationRequest, WeatherInfluence
from actors.core.platforms.personalities import Personality
from actors.core.platforms.possessions import LEASES_MAX, Lease, check_leases, taken
from actors.core.platforms.rituals import HISTORY_MAX, RITUALS_MAX, Ended, Ritual, ritual_number
from actors.core.platforms.runtime_vitals import POOL_MAX, Vitals, at_birth
from actors.core.platforms.schemas import NOW, Shelf, numbered
from actors.core.platforms.threads import THREADS_MAX, Thread
from actors.core.platforms.whispers import WHISPERS_MAX, Whisper

ENERGY: Final = "energy"
"""The conserved quantity, as totals and ledger name it."""
POOL_AT_BEGINNING = 1_000


class Society:
    """All of a Runtime's state, and what it will say.

    What is to be said is no part of the state: it is said before the turn ends.
    """

    def __init__(self) -> None:
        self.agents: Shelf[Agent] = Shelf("agents", Agent, AGENTS_MAX)
        self.rituals: Shelf[Ritual] = Shelf("rituals", Ritual, RITUALS_MAX)
        self.history: Shelf[Ended] = Shelf("history", Ended, HISTORY_MAX)
        self.threads: Shelf[Thread] = Shelf("threads", Thread, THREADS_MAX)
        self.loops: Shelf[Loop] = Shelf("loops", Loop, LOOPS_MAX)
        self.whispers: Shelf[Whisper] = Shelf("whispers", Whisper, WHISPERS_MAX)
        self.leases: Shelf[Lease] = Shelf("leases", Lease, LEASES_MAX)
        self.exports: Shelf[Reflection] = Shelf("exports", Reflection, EXPORTS_MAX)
        self._vitals: Shelf[Vitals] = Shelf("vitals", Vitals, 1, 1)
        self._vitals[NOW] = at_birth()
        self.spoken: dict[str, str] = {}
        self.requests: list[ValidationRequest] = []
        self.traces: list[tuple[str, Ended]] = []
        self.influences: list[WeatherInfluence] = []
        self.contracts: list[Founded] = []

    @property
    def shelves(self) -> tuple[Shelf[Any], ...]:
        """All sections of the state."""
        return (
            self.agents,
            self.rituals,
            self.history,
            self.threads,
            self.loops,
            self.whispers,
            self.leases,
            self.exports,
            self._vitals,
        )

    @property
    def vitals(self) -> Vitals:
        """How it stands."""
        return self._vitals[NOW]

    def note(self, **attributes: Any) -> None:
        """Changes the vitals."""
        self._vitals.change(NOW, **attributes)

    def count(self, name: str, more: int = 1) -> int:
        """Adds to a counter of the vitals; what it was before."""
        before: int = getattr(self.vitals, name)
        self._vitals.change(NOW, **{name: before + more})
        return before

    def in_order(self) -> list[str]:
        """The living agents by priority, ties by id."""
        living = [(-TEMPLATES[agent.template].priority, one) for one, agent in self.agents.parts.items() if agent.lives]
        return [one for _, one in sorted(living)]

    # Energy

    def total_energy(self) -> int:
        """All there is: in the pool, with agents, in rituals."""
        held = sum(agent.energy for agent in self.agents.parts.values())
        return self.vitals.pool + held + sum(ritual.energy for ritual in self.rituals.parts.values())

    def draw(self, wanted: int) -> int:
        """Takes energy out of the pool, as far as there is; what was taken."""
        drawn = min(wanted, self.vitals.pool)
        self.note(pool=self.vitals.pool - drawn)
        return drawn

    def put_back(self, energy: int) -> None:
        """Gives energy to the pool."""
        self.note(pool=self.vitals.pool + energy)

    def feed(self, agent_id: str, wanted: int) -> int:
        """Gives an agent energy from the pool, as far as there is and it has room; how much."""
        fed = self.draw(min(wanted, AGENT_ENERGY_MAX - self.agents[agent_id].energy))
        if fed:
            self.agents.change(agent_id, energy=self.agents[agent_id].energy + fed)
        return fed

    def spend(self, agent_id: str, energy: int) -> None:
        """Lets an agent give energy back that it has."""
        if energy:
            self.agents.change(agent_id, energy=self.agents[agent_id].energy - energy)
            self.put_back(energy)

    # Lives

    def bear(
        self, agent_id: str, template: str, personality: Personality, now: int, parent_id: str, chance: int
    ) -> Agent:
        """Lets an agent be born that Cal Riven does not deny; there is room and energy for it.

        Args:
            agent_id: a free one.
            template: its own.
            personality: its own.
            now: the local tick.
            parent_id: an agent's, or "".
            chance: 16 random bits, for the resonance.
        """
        parent = self.agents[parent_id] if parent_id else None
        resonance = inherited(parent.resonance if parent else 0.5, chance)
        agent = born(
            template, personality, now, self.draw(BIRTH_ENERGY), resonance, (parent_id, parent) if parent else None
        )
        self.agents[agent_id] = agent
        self.count("born")
        if template == "mirror":
            self.count("mirrors")
        for lease_id, lease in self.leases.items():
            if lease.state == "open" and not lease.agent:
                taken(self.agents, agent_id, lease_id, lease.principal)
        self.remember(parent_id, now, "child", agent_id)
        self.chronicle(now, "birth", agent_id)
        parties = (CAL_RIVEN, agent_id) if agent_id != CAL_RIVEN else (CAL_RIVEN,)
        self.contracts.append(Founded("consciousness", parties, f"{agent_id} is born a {template}"))
        return self.agents[agent_id]

    def end(self, agent_id: str, now: int) -> None:
        """Ends an agent; its energy goes back to the pool, and it is seen no longer after a while."""
        agent = self.agents[agent_id]
        self.put_back(agent.energy)
        if agent.possession is not None and self.leases[agent.possession.lease_id].agent:
            self.leases.change(agent.possession.lease_id, state="broken")
        self.agents.change(
            agent_id, state="terminated", energy=0, possession=None, business=None, ends_at=now + FADING_TICKS
        )
        self.count("ended")
        self.chronicle(now, "ending", agent_id)

    def free_id(self, word: str) -> str:
        """An id for a newborn that nobody has, nor ever had who still has children."""
        number = self.vitals.born
        while self.is_named(numbered(word, number)):
            number += 1
        return numbered(word, number)

    def is_named(self, agent_id: str) -> bool:
        """Whether an id belongs to an agent or to the parent of one."""
        return agent_id in self.agents or any(agent.parent == agent_id for agent in self.agents.parts.values())

    def touch(
        self, agent_id: str, *, mood: float = 0.0, aura: float = 0.0, entropy: float = 0.0, resonance: float = 0.0
    ) -> None:
        """Moves what an agent is like, the less the nearer it is to the bound."""
        agent = self.agents[agent_id]
        self.agents.change(
            agent_id,
            mood=moved(agent.mood, mood),
            aura=moved(agent.aura, aura, AURA_MAX),
            entropy=moved(agent.entropy, entropy),
            resonance=moved(agent.resonance, resonance),
        )

    def remember(self, agent_id: str, now: int, kind: str, about: str) -> None:
        """Lets an agent remember something, if it is there."""
        agent = self.agents.parts.get(agent_id)
        if agent is not None:
            self.agents.change(agent_id, memory=remembering(agent, now, kind, about))

    def chronicle(self, now: int, what: str, about: str) -> None:
        """Adds to the trace of the present loop; a full trace closes it, see `loops`."""
        present = next((one for one, loop in self.loops.parts.items() if loop.state == "running"), None)
        if present is not None and len(self.loops[present].trace) < TRACE_MAX:
            self.loops.change(present, trace=(*self.loops[present].trace, (now, what, about)))

    def check(self) -> None:
        """Whether a state from outside fits together.

        Raises:
            ValueError: it does not, or Cal Riven denies it.
        """
        vitals = self.vitals
        governors.check_society(self.agents.parts, vitals.mirrors, vitals.initialized)
        if vitals.autonomous and not vitals.initialized:
            raise ValueError("a society that has not begun cannot act by itself")
        for agent_id, agent in self.agents.items():
            if (agent.business is not None) != (agent.template == "business" and agent.lives):
                raise ValueError(f"agents.{agent_id} is a {agent.template} with the business {agent.business}")
            if TEMPLATES[agent.template].lives_ticks is not None and agent.ends_at is None:
                raise ValueError(f"agents.{agent_id} is {agent.template} and must have an end (ends_at)")
            if TEMPLATES[agent.template].lives_ticks is None and agent.lives and agent.ends_at is not None:
                raise ValueError(f"agents.{agent_id} is {agent.template} and has no end of its own (ends_at)")
            if not agent.lives and (agent.ends_at is None or agent.energy):
                raise ValueError(f"agents.{agent_id} has ended and must have no energy, and a tick in which it is gone")
        if self.total_energy() > POOL_MAX:
            raise ValueError(f"vitals.now.pool: there may be {POOL_MAX} energy in all, not {self.total_energy()}")
        for ritual_id, ritual in self.rituals.items():
            self._check_ritual(ritual_id, ritual)
        for loop_id, loop in self.loops.items():
            if loop_id != numbered("loop", loop.number):
                raise ValueError(f"loops.{loop_id} has the number {loop.number}, which is not that of its id")
        self._check_history()
        if sum(loop.state == "running" for loop in self.loops.parts.values()) > 1:
            raise ValueError("loops: only one loop runs at a time")
        check_leases(self.leases, self.agents)

    def _check_history(self) -> None:
        """Whether every ritual has an id that no other one will get, and a number of the last that have ended."""
        begun, ended = self.vitals.rituals_begun, self.vitals.rituals_ended
        for section, parts in (("rituals", self.rituals.parts), ("history", self.history.parts)):
            for ritual_id in parts:
                if (number := ritual_number(ritual_id)) is not None and number >= begun:
                    raise ValueError(
                        f"{section}.{ritual_id}: only {begun} rituals have begun (vitals.now.rituals_begun), so a ritual "
                        "still to come will be given that id; choose another one"
                    )
        if both := sorted(self.rituals.parts.keys() & self.history.parts.keys()):
            raise ValueError(f"history.{both[0]} is under way, too; what has ended has another id")
        orders = sorted(one.order for one in self.history.parts.values())
        if orders != list(range(ended - len(orders), ended)):
            raise ValueError(
                "history: every record has an order of its own, and all of them count up to vitals.now.rituals_ended, "
                f"which is {ended}, without a gap"
            )

    def _check_ritual(self, ritual_id: str, ritual: Ritual) -> None:
        if ritual.agent not in self.agents:
            raise ValueError(f"rituals.{ritual_id} is for {ritual.agent!r}, who is not there")
        if (ritual.kind == "birth") != bool(ritual.template):
            raise ValueError(f"rituals.{ritual_id} is a {ritual.kind} with the template {ritual.template!r}")
        if ritual.template:
            parent = self.agents[ritual.agent]
            if denial := governors.denial_of_birth(ritual.agent, parent, ritual.template):
                raise ValueError(f"rituals.{ritual_id}: {denial}")
        if ritual.phase == "dormant" and ritual.energy:
            raise ValueError(f"rituals.{ritual_id} is dormant and holds no energy yet, not {ritual.energy}")
