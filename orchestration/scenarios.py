"""Scenario files: a multiverse described in TOML. Every error names the key and what it allows."""

import tomllib
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from actors.core.kernel.addresses import RealmCoordinate
from actors.core.kernel.errors import ScenarioError, SoulfraError
from actors.core.kernel.settings import LOCAL_TICK_INTERVAL_MS_MAX, LOCAL_TICKS_PER_CONTROL_TICK_MAX, SEED_MAX
from actors.core.players.inventories import InventoryItem

CITY = "actors.core.realms.city:City"
FILE_BYTES_MAX = 1 << 20
GAMES_MAX = 1_000
"""Each is a process; a thousand of them need some 50 GiB. A larger number is a slip."""

Tick = Annotated[int, Field(ge=0, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RealmPart(_Part):
    """A realm. `subscriptions` left out means those of its contract."""

    id: str
    factory: str = CITY
    type: str = "sol_system"
    adjacency: str = "cluster_0"
    resonance: str = "narrative_prime"
    density: int = Field(0, ge=0, strict=True)
    period: int = Field(1, ge=1, strict=True)
    subscriptions: tuple[str, ...] | None = None
    params: dict[str, Any] = {}
    placement: dict[str, Any] = {}

    @model_validator(mode="after")
    def _address(self) -> Self:
        self.coordinate()
        return self

    def coordinate(self) -> RealmCoordinate:
        """Its STAT7 address."""
        try:
            return RealmCoordinate(self.id, self.type, self.adjacency, self.resonance, self.density)
        except SoulfraError as error:
            raise ValueError(error.message) from None


class TravelPart(_Part):
    """A journey, undertaken at the boundary after control tick `at`."""

    at: Tick
    to: str
    story: str = ""


class ItemPart(_Part):
    """A thing that a player starts with."""

    id: str
    name: str
    type: str
    rarity: str = "common"
    quantity: int = Field(1, ge=1, strict=True)
    transferable: bool = True

    def item(self, source_realm: str) -> InventoryItem:
        """As the registry knows it."""
        try:
            return InventoryItem(
                item_id=self.id,
                name=self.name,
                item_type=self.type,
                rarity=self.rarity,
                source_realm=source_realm,
                quantity=self.quantity,
                transferable=self.transferable,
            )
        except SoulfraError as error:
            raise ValueError(error.message) from None

    @model_validator(mode="after")
    def _valid(self) -> Self:
        self.item("anywhere")
        return self


class PlayerPart(_Part):
    """A player: where he starts, what he has, and where he goes.

    `travels` are single journeys; `wander_every` sends him on to the next realm of the file every so many control ticks.
    """

    name: str = Field(min_length=1)
    realm: str
    race: str = "human"
    character_class: str = Field("Wanderer", alias="class")
    items: tuple[ItemPart, ...] = ()
    travels: tuple[TravelPart, ...] = ()
    wander_every: int | None = Field(None, ge=1, strict=True)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.travels and self.wander_every is not None:
            raise ValueError("give travels or wander_every, not both")
        if any(one.at >= other.at for one, other in zip(self.travels, self.travels[1:], strict=False)):
            raise ValueError("travels must be in order of `at`, each later than the one before")
        return self


class EventPart(_Part):
    """An event from outside, arriving at the start of control tick `at`. Without a target it is a broadcast."""

    at: int = Field(ge=1, strict=True)
    type: str = Field(min_length=1)
    target: str | None = None
    source: str = ""
    id: str = ""
    data: dict[str, Any] = {}


class Scenario(_Part):
    """A multiverse: its realms, its players, what happens to it from outside."""

    title: str = "Soulfra"
    seed: int = Field(0, ge=0, le=SEED_MAX, strict=True)
    control_ticks: int | None = Field(None, ge=1, strict=True)
    control_tick_interval_ticks: int = Field(10, ge=1, le=LOCAL_TICKS_PER_CONTROL_TICK_MAX, strict=True)
    local_tick_interval_ms: int = Field(100, ge=1, le=LOCAL_TICK_INTERVAL_MS_MAX, strict=True)
    realm_paths: tuple[str, ...] = ()
    realms: tuple[RealmPart, ...]
    players: tuple[PlayerPart, ...] = ()
    events: tuple[EventPart, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        ids = [realm.id for realm in self.realms]
        if not 1 <= len(ids) <= GAMES_MAX:
            raise ValueError(f"realms: from 1 to {GAMES_MAX} are allowed, not {len(ids)}")
        doubled = sorted({realm_id for realm_id in ids if ids.count(realm_id) > 1})
        if doubled:
            raise ValueError(f"realm id {doubled[0]!r} is given twice; ids are unique")
        for at, player in enumerate(self.players):
            _known(player.realm, ids, f"players.{at}.realm")
            for step, travel in enumerate(player.travels):
                _known(travel.to, ids, f"players.{at}.travels.{step}.to")
        for at, event in enumerate(self.events):
            if event.target is not None:
                _known(event.target, ids, f"events.{at}.target")
        return self


def _known(realm_id: str, ids: list[str], key: str) -> None:
    if realm_id not in ids:
        raise ValueError(f"{key} is {realm_id!r}; allowed are the realms of this file: {', '.join(ids)}")


def load(path: Path) -> Scenario:
    """The scenario in a file; its `realm_paths` count from the file's folder.

    Raises:
        ScenarioError: it cannot be read, is not TOML, or does not fit, a line for each thing that is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)  # a device or a pipe has no size to ask for
        if len(content) > FILE_BYTES_MAX:
            raise ScenarioError(f"{path}: larger than {FILE_BYTES_MAX} bytes; a scenario is a text of some pages.")
        document = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: not valid TOML: {error}.") from None
    except RecursionError:
        raise ScenarioError(f"{path}: nested too deep; no scenario needs that.") from None
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        raise ScenarioError("\n".join(_line(path, found) for found in error.errors())) from None
    paths = tuple(str((path.parent / folder).resolve()) for folder in scenario.realm_paths)
    return scenario.model_copy(update={"realm_paths": paths})


def _line(path: Path, found: Any) -> str:
    key = ".".join(map(str, found["loc"]))
    message = found["msg"].removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        message = f"there is no such key; allowed: {', '.join(_allowed(found['loc'][:-1]))}"
    elif found["type"] == "missing":
        message = "is required"
    elif found["type"] != "value_error":
        message = f"{message}, not {found['input']!r}"
    return f"{path}: {key + ': ' if key else ''}{message.rstrip('.')}."


def _allowed(place: tuple[Any, ...]) -> list[str]:
    """The keys of the table at a place of the file."""
    model: type[BaseModel] = Scenario
    children: dict[str, type[BaseModel]] = {
        "realms": RealmPart,
        "players": PlayerPart,
        "travels": TravelPart,
        "items": ItemPart,
        "events": EventPart,
    }
    for step in place:
        model = children.get(step, model) if isinstance(step, str) else model
    return [field.alias or name for name, field in model.model_fields.items()]


PLAYER_NAMES = ("Alice", "Bob", "Charlie", "Dana", "Emeka", "Farid", "Greta", "Hanako", "Imani", "Jonas")
RACES = ("human", "elf", "dwarf")
CLASSES = ("Warrior", "Wanderer", "Scholar", "Bard")
PLAYERS_PER_GAME = 2


def of_cities(games: int, npcs: int) -> Scenario:
    """What runs without a scenario file: cities that all trade with each other, and players who wander among them."""
    ids = [f"sol_{number}" for number in range(1, games + 1)]
    realms = tuple(
        RealmPart(
            id=realm_id,
            adjacency=f"cluster_{at % 2}",
            params={"npcs": npcs, "neighbours": [other for other in ids if other != realm_id]},
        )
        for at, realm_id in enumerate(ids)
    )
    count = games * PLAYERS_PER_GAME
    players = tuple(
        PlayerPart(
            name=name if at < len(PLAYER_NAMES) else f"{name} {at // len(PLAYER_NAMES) + 1}",
            realm=ids[at % games],
            race=RACES[at % len(RACES)],
            character_class=CLASSES[at % len(CLASSES)],
            wander_every=None if games == 1 else 4 + at % 5,
        )
        for at, name in enumerate(islice(cycle(PLAYER_NAMES), count))
    )
    return Scenario(title=f"{games} cities" if games > 1 else "one city", realms=realms, players=players)
