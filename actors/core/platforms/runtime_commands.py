"""What may be asked of a Runtime from outside.

Every argument is checked, and what may not be is refused before anything has changed. A denial of Cal Riven's is not counted
then, for nothing has happened.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from actors.core.kernel.addresses import checked_part
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import AddressError, CommandRefusedError, GovernorDeniedError, SettingsError
from actors.core.kernel.instances import PROTOCOL, RUNTIME, SURFACE
from actors.core.kernel.logs import RITUALS
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.streams import entity_number
from actors.core.platforms import daemons, deeds, governors, messages, possessions, ritual_engines, whispers
from actors.core.platforms.agents import BIRTH_ENERGY, BUILT_IN, TEMPLATES
from actors.core.platforms.members import Platform
from actors.core.platforms.messages import Founded, RitualTrace, ValidationRequest
from actors.core.platforms.personalities import changed
from actors.core.platforms.rituals import KINDS
from actors.core.platforms.runtime_reports import echoes_of
from actors.core.platforms.schemas import ID_CHARACTERS_MAX, NOW
from actors.core.platforms.societies import ENERGY, POOL_AT_BEGINNING, Society
from actors.core.players.checks import checked_text
from actors.core.realms.tick_engines import command

GOD: Final = "god"
"""Who is named as proposer of a ritual that came from outside."""


class RuntimeCommands(Platform):
    """The commands of a Runtime, and what they have in common."""

    def __init__(self, birth: Birth, society: Society, whisper_gap_local_ticks: int, loop_local_ticks: int) -> None:
        super().__init__(birth)
        self.society = society
        for name, value in (
            ("whisper_gap_local_ticks", whisper_gap_local_ticks),
            ("loop_local_ticks", loop_local_ticks),
        ):
            if type(value) is not int or not 1 <= value <= 1_000_000:
                raise SettingsError(f"{name} must be a whole number from 1 to 1000000, not {value!r}.")
        self.whisper_gap_local_ticks = whisper_gap_local_ticks
        self.loop_local_ticks = loop_local_ticks

    def speak(self, turn: Turn) -> None:
        """Says what there is to say to Surface and Protocol; each piece once."""
        society = self.society
        if society.spoken:
            echoes = echoes_of(society)
            society.count("echoes", len(echoes.echoes))
            self.say(turn, SURFACE, messages.ECHO, echoes)
        for ritual_id, ended in society.traces:
            turn.enter_log(RITUALS, ritual_id, msgspec.to_builtins(ended))
            if ritual_id in society.history:
                trace = RitualTrace(ritual_id, ended.kind, ended.agent, ended.outcome)
                self.say(turn, SURFACE, messages.RITUAL_TRACE, trace)
        for influence in society.influences:
            self.say(turn, SURFACE, messages.WEATHER_INFLUENCE, influence)
        for request in society.requests:
            self.say(turn, PROTOCOL, messages.REQUEST_VALIDATION, request)
        for contract in society.contracts:
            self.say(turn, PROTOCOL, messages.FOUNDED, contract)
        society.spoken.clear()
        for said in (society.traces, society.influences, society.requests, society.contracts):
            said.clear()

    # Beginning

    @command
    def initialize(self, turn: Turn) -> Plain:
        """Brings the built-in agents to life; a second time it changes nothing and says so."""
        if self.society.vitals.initialized:
            return {"changed": False, "said": "the society has begun already"}
        turn.enter_ledger(ENERGY, POOL_AT_BEGINNING)
        self.society.note(initialized=True, pool=POOL_AT_BEGINNING, now=turn.now)
        for agent_id, template in BUILT_IN.items():
            self._bear(turn, agent_id, template, "", {})
        self.society.contracts[:0] = [Founded("eternal", tuple(sorted(BUILT_IN)), "what Cal Riven denies stays denied")]
        return {"changed": True, "said": f"{', '.join(BUILT_IN)} are born"}

    @command
    def start_autonomous(self, turn: Turn) -> Plain:
        """Lets the society act by itself; a loop that has stopped begins anew."""
        self._begun()
        if self.society.vitals.autonomous and any(
            loop.state == "running" for loop in self.society.loops.parts.values()
        ):
            return {"changed": False, "said": "the society acts by itself already"}
        self.society.note(autonomous=True)
        daemons.begin_loop(self.society, turn.now, self.loop_local_ticks)
        self.society.contracts.append(Founded("deployment", tuple(sorted(BUILT_IN)), f"deployed at {turn.now}"))
        return {"changed": True, "said": "the society acts by itself"}

    @command
    def stop_autonomous(self, turn: Turn) -> Plain:
        """Lets agents and daemons stand still; leases go on."""
        self._begun()
        if not self.society.vitals.autonomous:
            return {"changed": False, "said": "the society stands still already"}
        self.society.note(autonomous=False)
        return {"changed": True, "said": "the society stands still"}

    # Reaching in

    @command
    def whisper(self, turn: Turn, sender: Plain, text: Plain, agent_id: Plain = "") -> Plain:
        """Whispers to an agent, or to all; it has an effect once Protocol has approved it. Returns `{whisper_id, hint}`."""
        self._begun()
        return self.take_whisper(turn, sender, text, agent_id)

    @command
    def whisper_across(self, turn: Turn, agent_id: Plain, instance: Plain, text: Plain, listener: Plain = "") -> Plain:
        """Lets an agent whisper to another instance, to one of its agents or to all; it is heard where a god lets it.

        Raises:
            CommandRefusedError: no such agent here, or a name or a text that cannot be.
        """
        self._begun()
        speaker = self._living(agent_id)
        there = checked_text(instance, "instance", ID_CHARACTERS_MAX)
        said = checked_text(text, "text", whispers.WHISPER_CHARACTERS_MAX)
        heard_by = "" if listener == "" else checked_text(listener, "listener", ID_CHARACTERS_MAX)
        told = messages.Whispered(said, heard_by)
        try:
            target = checked_part(f"{there}/{RUNTIME}", "instance")
        except AddressError as error:
            raise CommandRefusedError(error.message) from None
        event_id = turn.send(target, messages.WHISPER, msgspec.to_builtins(told))
        return {"event_id": event_id, "agent_id": speaker}

    def take_whisper(self, turn: Turn, sender: object, text: object, agent_id: object) -> Plain:
        """Takes a whisper in, from a command or an event, and asks Protocol.

        Raises:
            CommandRefusedError: no such agent, too long, or too soon.
        """
        self._begun()
        listener = self._living(agent_id) if agent_id != "" else ""
        if listener and self.society.agents[listener].template == "sovereign":
            raise CommandRefusedError(f"{listener} is sovereign and hears no whisper.")
        whisper_id, whisper = whispers.taken_whisper(
            self.society.whispers,
            sender,
            text,
            listener,
            turn.now,
            self.whisper_gap_local_ticks,
            self.society.vitals.whispers,
        )
        self.society.count("whispers")
        self.society.count("asked")
        facts = {"length": float(len(whisper.text)), "forbidden": float(whispers.forbidden_words(whisper.text))}
        self.society.requests.append(ValidationRequest(whisper_id, "whisper", facts))
        return {"whisper_id": whisper_id, "hint": whisper.hint}

    @command
    def spawn_agent(
        self, turn: Turn, template: Plain, agent_id: Plain = "", parent: Plain = "", personality: Plain = None
    ) -> Plain:
        """Brings an agent to life from a template, with a parent or without; returns its id and the agent.

        Raises:
            GovernorDeniedError: Cal Riven denies it.
            CommandRefusedError: values that do not fit, or no room or energy.
        """
        self._begun()
        if not isinstance(template, str) or template not in TEMPLATES:
            free = ", ".join(name for name, row in TEMPLATES.items() if not row.built_in)
            raise CommandRefusedError(f"there is no template {template!r:.80}; there are {free}.")
        line = self._living(parent) if parent != "" else ""
        if denial := governors.denial_of_birth(line, self.society.agents[line] if line else None, template):
            raise GovernorDeniedError(f"{denial}.")
        name = self.society.free_id(template) if agent_id == "" else self._free(agent_id)
        traits = changed(
            self.society.agents[line].personality if line else TEMPLATES[template].personality,
            {} if personality is None else personality,
        )
        if self.society.agents.is_full:
            raise CommandRefusedError(f"there are {len(self.society.agents)} agents, the most there may be.")
        if self.society.vitals.pool < BIRTH_ENERGY:
            raise CommandRefusedError(
                f"the pool has {self.society.vitals.pool} energy, and a birth takes {BIRTH_ENERGY}."
            )
        self._bear(turn, name, template, line, msgspec.to_builtins(traits))
        return self._shown(name)

    @command
    def terminate_agent(self, turn: Turn, agent_id: Plain) -> Plain:
        """Ends an agent; its energy goes back to the pool.

        Raises:
            GovernorDeniedError: Cal Riven denies it.
            CommandRefusedError: no such agent.
        """
        self._begun()
        name = self._living(agent_id)
        if denial := governors.denial_of_ending(name, self.society.agents[name]):
            raise GovernorDeniedError(f"{denial}.")
        daemons.end_agent(self.society, name, turn.now)
        return {"agent_id": name, "state": "terminated"}

    @command
    def modify_personality(self, turn: Turn, agent_id: Plain, personality: Plain) -> Plain:
        """Changes some traits of an agent; returns `{before, after}`."""
        self._begun()
        name = self._living(agent_id)
        before = self.society.agents[name].personality
        after = changed(before, personality)
        self.society.agents.change(name, personality=after)
        return {"before": msgspec.to_builtins(before), "after": msgspec.to_builtins(after)}

    @command
    def inject_ritual(self, turn: Turn, kind: Plain, agent_id: Plain, template: Plain = "") -> Plain:
        """Lets a ritual begin for an agent without asking Protocol; returns its id and the ritual.

        Raises:
            GovernorDeniedError: a birth that Cal Riven denies.
            CommandRefusedError: values that do not fit, or five rituals are under way.
        """
        self._begun()
        if not isinstance(kind, str) or kind not in KINDS:
            raise CommandRefusedError(f"there is no ritual {kind!r:.80}; there are {', '.join(KINDS)}.")
        name = self._living(agent_id)
        child = template
        if kind == "birth" and template == "":
            child = "basic"
        if child != "" and (kind != "birth" or not isinstance(child, str) or child not in TEMPLATES):
            raise CommandRefusedError(f"{template!r:.80} is no template for a {kind}; only a birth has one.")
        ritual_id = ritual_engines.begin(self.society, kind, name, GOD, turn.now, template=str(child), asked=False)
        return {"ritual_id": ritual_id, "ritual": msgspec.to_builtins(self.society.rituals[ritual_id])}

    # Possession

    @command
    def possess(self, turn: Turn, agent_id: Plain, lease_ticks: Plain, lease_id: Plain, principal: Plain) -> Plain:
        """Takes a lease on an agent, or with "" on the whole instance; returns it with its expiry in local ticks."""
        self._begun()
        name = self._living(agent_id) if agent_id != "" else ""
        vitals = self.society.vitals
        lease = possessions.opened(
            self.society.leases, self.society.agents, name, lease_ticks, lease_id, principal, turn.now, vitals.leases
        )
        self.society.count("leases")
        return {"lease_id": lease_id, **msgspec.to_builtins(lease)}

    @command
    def act(
        self, turn: Turn, lease_id: Plain, agent_id: Plain, action: Plain, target: Plain = "", ritual: Plain = ""
    ) -> Plain:
        """Decides for a possessed agent; it is done at once. Returns `{agent, action}`."""
        self._begun()
        lease = self._lease(turn, lease_id)
        name = self._living(agent_id)
        possession = self.society.agents[name].possession
        if possession is None or possession.lease_id != lease_id:
            held = f"agent {lease.agent}" if lease.agent else "the agents of this instance"
            raise CommandRefusedError(f"the lease {lease_id!r} is on {held}, not on {name}.")
        draw = turn.streams.word("act", turn.now, entity_number(name)) & 0xFFFF
        return deeds.decided(self.society, name, action, turn.now, draw, target, ritual)

    @command
    def release(self, turn: Turn, lease_id: Plain) -> Plain:
        """Gives back what a lease is on; returns the agents that decide for themselves again."""
        self._begun()
        self._lease(turn, lease_id)
        return {"released": possessions.ended(self.society.leases, self.society.agents, str(lease_id), "released")}

    @command
    def break_possession(self, turn: Turn, agent_id: Plain = "") -> Plain:
        """Breaks the lease under which an agent is possessed, or with "" every one; returns the agents that are free."""
        self._begun()
        name = self._living(agent_id) if agent_id != "" else ""
        broken = [
            lease_id
            for lease_id, lease in self.society.leases.items()
            if lease.state == "open" and (not name or lease.agent in ("", name))
        ]
        if not broken:
            raise CommandRefusedError(f"{name or 'the instance'} is not possessed; there is nothing to break.")
        freed: list[str] = []
        for lease_id in broken:
            freed += possessions.ended(self.society.leases, self.society.agents, lease_id, "broken")
        return {"broken": broken, "released": sorted(freed)}

    # What they have in common

    def _bear(self, turn: Turn, agent_id: str, template: str, parent: str, traits: Mapping[str, float]) -> None:
        chance = turn.streams.word("spawn", turn.now, entity_number(agent_id)) & 0xFFFF
        personality = changed(TEMPLATES[template].personality, traits)
        self.society.bear(agent_id, template, personality, turn.now, parent, chance)

    def _begun(self) -> None:
        if not self.society.vitals.initialized:
            raise CommandRefusedError("the society has not begun; initialize it first.")

    def _living(self, agent_id: object) -> str:
        agents = self.society.agents
        if not isinstance(agent_id, str) or agent_id not in agents or not agents[agent_id].lives:
            known = ", ".join(one for one, agent in agents.items() if agent.lives)
            raise CommandRefusedError(f"there is no living agent {agent_id!r:.80}; there are {known}.")
        return agent_id

    def _free(self, agent_id: object) -> str:
        name = checked_text(agent_id, "agent_id", ID_CHARACTERS_MAX)
        if not all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in name) or name == NOW:
            raise CommandRefusedError(f"agent_id {name!r} must be of letters, digits, '_' and '-', and not {NOW!r}.")
        if self.society.is_named(name):
            raise CommandRefusedError(
                f"the agent_id {name!r} is taken; choose another one, or leave it to the society."
            )
        return name

    def _lease(self, turn: Turn, lease_id: object) -> possessions.Lease:
        lease = possessions.held(self.society.leases, lease_id)
        if lease.expires_at <= turn.now:
            raise CommandRefusedError(
                f"the lease {lease_id!r} expired at local tick {lease.expires_at}; possess the agent anew."
            )
        return lease

    def _shown(self, agent_id: str) -> Plain:
        return {"agent_id": agent_id, "agent": msgspec.to_builtins(self.society.agents[agent_id])}
