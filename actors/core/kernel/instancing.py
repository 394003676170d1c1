"""Instances come to be, begin, take realms in, are changed and go back in time."""

from collections.abc import Mapping
from itertools import combinations

import msgspec

from actors.core.kernel.addresses import PLAYERS, RealmCoordinate
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.commands import (
    STATE_BYTES_MAX,
    AttachGame,
    BeginInstance,
    CreateInstance,
    LinkInstances,
    MemberSpec,
    ModifyMembers,
    RegisterGame,
    RevertDomain,
    checked_command,
)
from actors.core.kernel.domains import Domain, copy_id
from actors.core.kernel.effects import Captured, Dispose, Populate, Script
from actors.core.kernel.errors import CommandRefusedError, SoulfraError
from actors.core.kernel.forking import all_made
from actors.core.kernel.games import HOME, Seated
from actors.core.kernel.importing import Importing
from actors.core.kernel.instances import (
    INITIALIZED,
    PHASES,
    PLATFORM_ROLES,
    Instance,
    instance_id,
)
from actors.core.kernel.members import Birth
from actors.core.kernel.messages import Embodied
from actors.core.kernel.modifications import BECOME, MODIFY, TRY, TRY_TO_BECOME
from actors.core.kernel.standstills import UNSTARTED, UNTIL_LIFTED, with_cause, without_cause

PLATFORM = "platform"
"""The realm type of an instance's four."""
INITIALIZE = "initialize"
"""The verb by which a platform that has it is told to make what it begins with."""
START_AUTONOMOUS = "start_autonomous"
"""The verb by which a platform that has it is told to live by itself."""


class Instancing(Importing):
    """The rules of instances; see `instances.py`."""

    # ---------------------------------------------------------------------------------------------------- creation

    def _create(self, command: CreateInstance) -> Script[Plain]:
        if sorted(command.platforms) != sorted(PLATFORM_ROLES):
            raise CommandRefusedError(
                f"an instance has the platforms {', '.join(PLATFORM_ROLES)}, not {', '.join(command.platforms) or 'none'}."
            )
        _check_phase(command.phase)
        self.check_room((command.name,))
        checked_command(command)  # before anything is made for it
        number = self.forks + 1
        newcomers = {
            copy_id(role, number): Captured(self._platform_birth(role, number), spec, None)
            for role, spec in sorted(command.platforms.items())
        }
        made = yield Populate(newcomers)
        try:
            embodied = all_made(made)
        except SoulfraError:
            for member_id in newcomers:
                yield Dispose(member_id)
            raise
        specs = {role: embodied[copy_id(role, number)].spec for role in sorted(command.platforms)}
        self._journal(msgspec.structs.replace(command, platforms=specs))  # with what their factories' checks decided
        self._begin(number, command.name, specs, embodied)
        try:
            for phase in PHASES[1 : PHASES.index(command.phase) + 1]:
                yield from self._bring(number, phase)
        except SoulfraError:
            for member_id in newcomers:
                yield Dispose(member_id)
                self._leave(member_id)
            raise
        return self.instance_shown(number)

    def _platform_birth(self, role: str, number: int) -> Birth:
        settings = self.settings
        lineage, local_ticks = copy_id(role, number), settings.control_tick_interval_ticks
        return Birth(role, settings.seed, lineage, local_ticks, settings.cascade_depth_max)

    def _begin(self, number: int, name: str, specs: Mapping[str, MemberSpec], embodied: Mapping[str, Embodied]) -> None:
        self.forks = number
        members = {role: copy_id(role, number) for role in specs}
        traces_max = self.settings.traces_max
        self.domains[number] = Domain(number, members, dict(members), traces_max, Instance(name))
        post = self.posts[number] = self.new_post()
        for role, member_id in members.items():
            spawned = embodied[member_id]
            key = RealmCoordinate(member_id, PLATFORM, name, density=number).key
            registration = RegisterGame(member_id, key, PLATFORM, specs[role])
            seated = self.members[member_id] = Seated(spawned.contract, spawned.status, registration, role, number)
            seated.number = spawned.status.number
            seated.freeze(with_cause((), UNSTARTED, UNTIL_LIFTED))
            self.totals.ledger.update(seated.totals)
            for event_type in sorted(spawned.contract.subscribes):
                post.subscribe(role, event_type)

    def _begin_instance(self, command: BeginInstance) -> Script[Plain]:
        domain, instance = self._instance(command.fork)
        _check_phase(command.phase)
        if PHASES.index(command.phase) <= PHASES.index(instance.phase):
            self._journal(command)
            shown = self.instance_shown(domain.number)
            return {**shown, "changed": False, "note": f"{instance.name} is {command.phase} already; nothing was done"}
        if PHASES.index(command.phase) - PHASES.index(instance.phase) > 1:
            raise CommandRefusedError(f"{instance.name} is not initialized yet; initialize it before it is started.")
        self._journal(command)
        yield from self._bring(domain.number, command.phase)
        return {**self.instance_shown(domain.number), "changed": True, "note": ""}

    def _bring(self, number: int, phase: str) -> Script[None]:
        """Brings an instance to the phase after the one it is in."""
        domain, instance = self._instance(number)
        platforms = [domain.members[role] for role in PLATFORM_ROLES]
        verb = INITIALIZE if phase == INITIALIZED else START_AUTONOMOUS
        able = [one for one in platforms if verb in self.members[one].contract.commands]
        for member_id in able:
            self._commandable(member_id, verb)
        yield from self._command_rounds(dict.fromkeys(able, (verb, encode({}))))
        if phase != INITIALIZED:
            for member_id in platforms:
                seated = self.members[member_id]
                seated.freeze(without_cause(seated.stills, UNSTARTED))
        domain.instance = msgspec.structs.replace(instance, phase=phase)

    # ------------------------------------------------------------------------------------------------------ looking

    def _instance(self, number: int) -> tuple[Domain, Instance]:
        domain = self.domains.get(number)
        if domain is None or domain.instance is None:
            known = ", ".join(
                f"{instance_id(one)} ({found.instance.name})"
                for one, found in sorted(self.domains.items())
                if found.instance is not None
            )
            raise CommandRefusedError(f"there is no instance {instance_id(number)}; there are {known or 'none'}.")
        return domain, domain.instance

    def instance_shown(self, number: int) -> dict[str, Plain]:
        """An instance for people: id, name, phase, its members by role, who of them stands still and why."""
        domain, instance = self._instance(number)
        stills = {
            role: [cause for cause, _ in self.members[member_id].stills]
            for role, member_id in sorted(domain.members.items())
            if self.members[member_id].stills
        }
        return {
            "instance_id": instance_id(number),
            "name": instance.name,
            "fork": number,
            "phase": instance.phase,
            "members": dict(sorted(domain.members.items())),
            "stills": stills,
            "ancestors": [msgspec.to_builtins(one) for one in instance.ancestors],
        }

    def instances_shown(self) -> list[dict[str, Plain]]:
        """Every instance that lives, by number."""
        return [
            self.instance_shown(number)
            for number, domain in sorted(self.domains.items())
            if domain.instance is not None
        ]

    # ------------------------------------------------------------------------------------------------------- change

    def _attach(self, command: AttachGame) -> Script[Plain]:
        domain, instance = self._instance(command.fork)
        realm_id = command.realm_id
        seated = self._game(realm_id)
        if seated.domain != HOME:
            raise CommandRefusedError(
                f"{realm_id} lives in a closed domain already; only a free realm can be attached."
            )
        if realm_id in domain.members:
            raise CommandRefusedError(
                f"{instance.name} has a {realm_id!r} already; register the realm under another id."
            )
        if command.players_to:
            if command.players_to == realm_id or self._game(command.players_to).domain != HOME:
                raise CommandRefusedError(f"players_to must name another free realm, not {command.players_to!r}.")
        elif (registry := self.members.get(PLAYERS)) is not None and registry.error is not None:
            raise CommandRefusedError(f"{PLAYERS} is in error ({registry.error.message}); restart {PLAYERS} first.")
        self._journal(command)
        moved = yield from self._ask_players("evacuate", {"realm_id": realm_id, "target_realm": command.players_to})
        subscriptions = self.post.subscriptions(realm_id)
        dropped = self.post.withdraw(realm_id, f"{realm_id} was attached to {instance.name}", self.control_tick)
        self.post.remove(realm_id, self.control_tick)
        seated.domain = domain.number
        domain.members[realm_id] = domain.lineages[realm_id] = realm_id
        for event_type in subscriptions:
            self.posts[domain.number].subscribe(realm_id, event_type)
        return {
            "realm_id": realm_id,
            "instance_id": instance_id(domain.number),
            "players_moved": moved or [],
            "dropped": dropped,
        }

    def _ask_players(self, verb: str, arguments: Mapping[str, Plain]) -> Script[Plain]:
        """Lets the registry follow a change among the realms."""
        seated = self.members.get(PLAYERS)
        if seated is None or seated.error is not None:
            return None
        return (yield from self._command_round(PLAYERS, verb, encode(arguments)))

    def _link(self, command: LinkInstances) -> Plain:
        numbers = sorted(set(command.forks))
        if len(numbers) < 2:
            raise CommandRefusedError("name at least two different instances.")
        names = {number: self._instance(number)[1].name for number in numbers}
        self._journal(command)
        pairs = set(combinations(numbers, 2))
        changed = pairs - self.links if command.enable else pairs & self.links
        self.links = self.links | pairs if command.enable else self.links - pairs
        return {
            "enabled": command.enable,
            "pairs": [[names[one], names[other]] for one, other in sorted(pairs)],
            "changed": len(changed),
        }

    def _modify_members(self, command: ModifyMembers) -> Script[Plain]:
        if not command.changes:
            raise CommandRefusedError("a modification needs at least one path, for example runtime.agents.arty.mood.")
        if len({self._commandable(member_id, MODIFY).domain for member_id in sorted(command.changes)}) > 1:
            raise CommandRefusedError(
                "members of several closed domains cannot be modified together; modify each by itself."
            )
        self._journal(command)
        yield from self._command_rounds({one: (TRY, changes) for one, changes in command.changes.items()})
        done = yield from self._command_rounds({one: (MODIFY, changes) for one, changes in command.changes.items()})
        return {"changed": sum(one["changed"] for one in done.values())}

    def _revert_domain(self, command: RevertDomain) -> Script[Plain]:
        domain = self.domains.get(command.fork)
        if domain is None or sorted(domain.members.values()) != sorted(command.members):
            raise CommandRefusedError(
                f"fork {command.fork!r} cannot go back: its members are not the ones that it had then."
            )
        size = sum(len(one.document) for one in command.members.values())
        if size > STATE_BYTES_MAX:
            raise CommandRefusedError(
                f"what its members were takes {size:,} bytes, and at most {STATE_BYTES_MAX:,} fit."
            )
        for member_id in sorted(command.members):
            self._commandable(member_id, MODIFY)
        self._journal(command)
        then = {
            member_id: encode({"document": one.document, "local_tick": one.local_tick})
            for member_id, one in command.members.items()
        }
        yield from self._command_rounds({member_id: (TRY_TO_BECOME, was) for member_id, was in then.items()})
        became = yield from self._command_rounds({member_id: (BECOME, was) for member_id, was in then.items()})
        post, dropped = self.posts[command.fork], []
        for role, member_id in sorted(domain.members.items()):
            if not command.keeps_mail:
                dropped += post.withdraw(role, f"{instance_id(command.fork)} went back in time", self.control_tick)
            self._release(member_id)
        return {
            "fork": command.fork,
            "local_ticks": {member_id: one["local_tick"] for member_id, one in sorted(became.items())},
            "dropped": dropped,
            "entangled": list(command.entangled),
        }


def _check_phase(phase: object) -> None:
    if phase not in PHASES:
        raise CommandRefusedError(f"an instance is {', '.join(PHASES[:-1])} or {PHASES[-1]}, not {phase!r:.40}.")
