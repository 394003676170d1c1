"""Mirror, the platform of unification: it observes the other three and remembers.

Nobody writes to it but by the observations that the kernel delivers to it, nor reads from it over the bridge. It keeps the
timeline of rituals, which is the source of truth; what it says to the others are patterns, and the seed of the next loop.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar

import msgspec

from actors.core.kernel.codec import encode
from actors.core.kernel.events import Event
from actors.core.kernel.instances import MIRROR, PROTOCOL, RUNTIME, SURFACE
from actors.core.kernel.members import Birth, Turn
from actors.core.platforms import bridges, messages, patterns
from actors.core.platforms.fixed_parts import Fixed
from actors.core.platforms.members import BRIDGE_EVENTS, NO_REFUSALS, Platform, Refusals
from actors.core.platforms.messages import (
    ItemKind,
    LoopSeed,
    PatternSeen,
    ProtocolObservation,
    RuntimeObservation,
    SurfaceObservation,
)
from actors.core.platforms.rituals import HISTORY_MAX, Ended
from actors.core.platforms.schemas import NOW, Part, Seal, Shelf, Whole, numbered
from actors.core.platforms.views import Questions
from actors.core.realms.tick_engines import on

LEGAL_MAX = 64
SEEDS_MAX = 16

SEEN: Mapping[str, type[Part]] = {
    SURFACE: SurfaceObservation,
    RUNTIME: RuntimeObservation,
    PROTOCOL: ProtocolObservation,
}
"""Platform to what its observations are."""


class Observation(Part, frozen=True):
    """The latest observation of a platform: when it came, and what it said."""

    at: Whole
    seen: dict[str, Any]


class Legal(Part, frozen=True):
    """What Mirror knows of an item that Protocol decided on."""

    kind: ItemKind
    valid: bool
    at: Whole
    order: Whole


class Seed(Part, frozen=True):
    """The seed of a loop, and the seal of the one before, from which it was made."""

    number: Whole
    seed: Seal
    from_seal: Seal
    at: Whole


class Vitals(Part, frozen=True):
    """How Mirror stands.

    Attributes:
        now: local tick at the last end of a control tick.
        refused: mail that may not be; whoever writes to Mirror finds it here.
        observations, rituals, checked, patterns, seeds: taken in, remembered, recognised and given so far.
    """

    now: Whole
    refused: Refusals
    observations: Whole
    rituals: Whole
    checked: Whole
    patterns: Whole
    seeds: Whole


class MirrorPlatform(Platform):
    """A Mirror."""

    kind = "mirror"
    role = MIRROR
    emits = BRIDGE_EVENTS | {messages.LOOP_SEED, messages.PATTERN}
    fixed: ClassVar[Fixed] = {"vitals": Vitals.__struct_fields__}
    questions: ClassVar[Questions] = {
        "observations": ("observations", ""),
        "observation": ("observations", "platform"),
        "timeline": ("timeline", ""),
        "vibes": ("vibes", ""),
        "legal": ("legal", ""),
        "patterns": ("patterns", ""),
        "loops": ("loops", ""),
        "vitals": ("vitals", ""),
    }

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.observations: Shelf[Observation] = Shelf("observations", Observation, len(SEEN))
        self.timeline: Shelf[Ended] = Shelf("timeline", Ended, HISTORY_MAX)
        self.vibes: Shelf[patterns.Vibes] = Shelf("vibes", patterns.Vibes, 1, 1)
        self.vibes[NOW] = patterns.Vibes(0.3, "calm-bloom", 0.5, 0.0, 1.0, 0.5)
        self.legal: Shelf[Legal] = Shelf("legal", Legal, LEGAL_MAX)
        self.patterns: Shelf[patterns.Pattern] = Shelf("patterns", patterns.Pattern, patterns.PATTERNS_MAX)
        self.loops: Shelf[Seed] = Shelf("loops", Seed, SEEDS_MAX)
        self.vitals: Shelf[Vitals] = Shelf("vitals", Vitals, 1, 1)
        self.vitals[NOW] = Vitals(0, NO_REFUSALS, 0, 0, 0, 0, 0)
        self.shelves: tuple[Shelf[Any], ...] = (
            self.observations,
            self.timeline,
            self.vibes,
            self.legal,
            self.patterns,
            self.loops,
            self.vitals,
        )

    @on(bridges.OBSERVATION)
    def take_observation(self, turn: Turn, event: Event) -> None:
        """What a platform of this instance tells of itself; anybody else is refused."""
        if event.source not in SEEN:
            self.refuse(event, f"only {', '.join(SEEN)} are observed; nobody else writes to Mirror.")
            return
        try:
            seen = msgspec.convert(event.data, SEEN[event.source])
        except ValueError as error:
            self.refuse(event, f"the observation does not fit: {error}.")
            return
        self._count("observations")
        self.observations[event.source] = Observation(turn.now, msgspec.to_builtins(seen))
        if isinstance(seen, RuntimeObservation):
            self._remember(seen)
            self._seed(turn, seen)
        elif isinstance(seen, SurfaceObservation):
            intensity = patterns.mixed(self.vibes[NOW].intensity, seen.intensity)
            self.vibes.change(NOW, intensity=intensity, phase=seen.phase)
        elif isinstance(seen, ProtocolObservation):
            self._check_legal(turn.now, seen)

    def close(self, turn: Turn) -> None:
        """See `Platform`. Mirror looks for patterns, and tells all whom it may talk to."""
        observed = self.observations.parts.get(RUNTIME)
        agents = observed.seen["agents"].values() if observed is not None else ()
        generations = [agent["generation"] for agent in agents if agent["state"] != "terminated"]
        for kind, strength in patterns.recognised(self.vibes[NOW], generations, self.patterns.parts, turn.now):
            order = self._count("patterns")
            found = patterns.Pattern(kind, strength, turn.now, order)
            self.patterns.push(numbered(kind, order), found, lambda one: one.order)
            self.say_to_all(turn, messages.PATTERN, PatternSeen(kind, strength))

    def _remember(self, seen: RuntimeObservation) -> None:
        self._take_back(seen.ended)
        for ritual_id in sorted(seen.ended, key=lambda one: seen.ended[one].order):
            if ritual_id not in self.timeline:
                self._count("rituals")
            self.timeline.push(ritual_id, seen.ended[ritual_id], lambda one: one.order)
        moods = [seen.agents[one].mood for one in sorted(seen.agents) if seen.agents[one].state != "terminated"]
        if not moods:
            return
        mean = 0.0
        for mood in moods:
            mean += mood / len(moods)
        mean = min(max(mean, 0.0), 1.0)
        vibes = self.vibes[NOW]
        harmony = patterns.mixed(vibes.harmony, (mean + vibes.compliance) / 2.0)
        self.vibes.change(NOW, mood=mean, spread=max(moods) - min(moods), harmony=harmony)

    def _take_back(self, ended: Mapping[str, Ended]) -> None:
        """Forgets what never was: where a number comes again, Runtime has another history from there on."""
        first = min((one.order for one in ended.values()), default=None)
        if first is None:
            return
        for ritual_id, known in self.timeline.items():
            if known.order >= first and ritual_id not in ended:
                del self.timeline.parts[ritual_id]

    def _seed(self, turn: Turn, seen: RuntimeObservation) -> None:
        """Gives the loop that runs a seed: of the seal of the one before, and of the timeline."""
        loop_id = numbered("loop", seen.loop)
        if not seen.seal or seen.loop != seen.sealed + 1 or loop_id in self.loops:
            return
        remembered = sorted(self.timeline.parts, key=lambda one: (self.timeline[one].order, one))
        seed = sha256(encode([seen.seal, seen.loop, remembered])).hexdigest()
        self.loops.push(loop_id, Seed(seen.loop, seed, seen.seal, turn.now), lambda one: one.number)
        self._count("seeds")
        self.say(turn, RUNTIME, messages.LOOP_SEED, LoopSeed(seen.loop, seed))

    def _check_legal(self, now: int, seen: ProtocolObservation) -> None:
        for item_id in sorted(seen.validated):
            found = seen.validated[item_id]
            legal = Legal(found.kind, found.valid, now, self._count("checked"))
            self.legal.push(item_id, legal, lambda one: one.order)
        self.vibes.change(NOW, compliance=seen.score)

    def _count(self, name: str) -> int:
        before: int = getattr(self.vitals[NOW], name)
        self.vitals.change(NOW, **{name: before + 1})
        return before

    def check(self) -> None:
        """See `Platform`."""
        for platform, observation in self.observations.items():
            if platform not in SEEN:
                raise ValueError(f"observations: {platform!r} is not observed; there are {', '.join(SEEN)}")
            try:
                msgspec.convert(observation.seen, SEEN[platform])
            except msgspec.ValidationError as error:
                raise ValueError(f"observations.{platform} does not fit: {error}") from None
        orders = [ended.order for ended in self.timeline.parts.values()]
        if len(orders) != len(set(orders)):
            raise ValueError("timeline: every record has an order of its own")
        if set(self.vibes.parts) != {NOW}:
            raise ValueError(f"section 'vibes' has the one object {NOW!r}, not {sorted(self.vibes.parts)}")

    def measures(self) -> Mapping[str, float]:
        """See `Member`."""
        vibes, vitals = self.vibes[NOW], self.vitals[NOW]
        return {
            "intensity": vibes.intensity,
            "mood": vibes.mood,
            "harmony": vibes.harmony,
            "rituals": vitals.rituals,
            "patterns": vitals.patterns,
            "loops_seeded": vitals.seeds,
            "observations": vitals.observations,
        }
