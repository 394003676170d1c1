"""Things that players own: what an item is, how equal ones stack, and which are in hand.

An item that is not transferable stays in its source realm, held for the player. That is derived, never moved: it is in
hand when the item is transferable or its owner is in its source realm. So travel touches no item, and one that is
given to a player who is elsewhere is held from the start.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from actors.core.kernel.addresses import checked_part, checked_realm_id
from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError
from actors.core.players.checks import checked_text, checked_whole

ITEM_TYPES = ("weapon", "armor", "quest", "cosmetic", "currency")
LEGENDARY = "legendary"
RARITIES = ("common", "rare", LEGENDARY)

ITEM_NAME_CHARACTERS_MAX = 64
ITEM_QUANTITY_MAX = 1_000_000_000
"""Of one item of one player; keeps every sum over players and items within 64 bits."""
INVENTORY_ITEMS_MAX = 256
"""Different items of one player; a player is written whole into digests and snapshots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryItem:
    """Some of one thing.

    Attributes:
        item_id: names the thing; the same id stacks.
        name: for people.
        item_type: one of `ITEM_TYPES`.
        rarity: one of `RARITIES`.
        source_realm: realm id it comes from.
        quantity: how many, from 1 upwards.
        transferable: whether it travels with its owner.

    Raises:
        CommandRefusedError: a value out of its table or range.
        AddressError: a malformed item id or realm id.

    Source: seed 002, "UniversalPlayerRouter".
    """

    item_id: str
    name: str
    item_type: str
    rarity: str
    source_realm: str
    quantity: int = 1
    transferable: bool = True

    def __post_init__(self) -> None:
        checked_part(self.item_id, "item id")
        checked_text(self.name, f"name of item {self.item_id!r}", ITEM_NAME_CHARACTERS_MAX)
        for what, value, known in (("item type", self.item_type, ITEM_TYPES), ("rarity", self.rarity, RARITIES)):
            if not isinstance(value, str) or value not in known:
                raise CommandRefusedError(f"{what} {value!r} is not known; use one of {', '.join(known)}.")
        checked_realm_id(self.source_realm)
        checked_whole(self.quantity, f"quantity of item {self.item_id!r}", 1, ITEM_QUANTITY_MAX)
        if not isinstance(self.transferable, bool):
            raise CommandRefusedError(
                f"transferable of item {self.item_id!r} must be true or false, not {self.transferable!r}."
            )

    @classmethod
    def from_plain(cls, item: object) -> Self:
        """The item of a map, as `plain` gives it; quantity and transferable may be left out.

        Raises:
            CommandRefusedError: not a map, a name missing or unknown, or a value out of its table or range.
            AddressError: a malformed item id or realm id.
        """
        if not isinstance(item, Mapping):
            raise CommandRefusedError(f"an item must be a map of its attributes, not {type(item).__name__}.")
        unknown, missing = sorted(set(item) - _ATTRIBUTES), sorted(_REQUIRED - set(item))
        if unknown or missing:
            raise CommandRefusedError(f"an item has no {unknown} and needs {missing}; give {sorted(_REQUIRED)}.")
        return cls(**item)

    def plain(self) -> dict[str, Plain]:
        """The item as a map."""
        return asdict(self)

    def in_hand(self, active_realm: str) -> bool:
        """Whether an owner who is in `active_realm` has it at hand."""
        return self.transferable or self.source_realm == active_realm


_ATTRIBUTES = {attribute.name for attribute in fields(InventoryItem)}
_REQUIRED = _ATTRIBUTES - {"quantity", "transferable"}

Inventory = Mapping[str, InventoryItem]
"""Item id to item. Never changed in place."""


def added(inventory: Inventory, item: InventoryItem) -> Inventory:
    """The inventory with the item, stacked on what is there under the same id.

    Raises:
        CommandRefusedError: the id names another thing, or a stack or the inventory would grow beyond its limit.
    """
    there = inventory.get(item.item_id)
    if there is None:
        if len(inventory) >= INVENTORY_ITEMS_MAX:
            raise CommandRefusedError(f"the inventory holds {INVENTORY_ITEMS_MAX} different items, the most it may.")
        return {**inventory, item.item_id: item}
    if replace(there, quantity=item.quantity) != item:
        raise CommandRefusedError(
            f"item {item.item_id!r} is there with other attributes ({_told(there)}); use another id."
        )
    quantity = checked_whole(
        there.quantity + item.quantity, f"the stack of item {item.item_id!r}", 1, ITEM_QUANTITY_MAX
    )
    return {**inventory, item.item_id: replace(there, quantity=quantity)}


def removed(inventory: Inventory, item_id: object, quantity: object, active_realm: str) -> Inventory:
    """The inventory without that many of an item that is in hand.

    Raises:
        CommandRefusedError: no such item, fewer than that, or it is held in its source realm.
    """
    there = inventory.get(item_id) if isinstance(item_id, str) else None
    if there is None:
        raise CommandRefusedError(f"the inventory has no item {item_id!r}; it has {sorted(inventory)[:8]}.")
    if not there.in_hand(active_realm):
        raise CommandRefusedError(
            f"item {there.item_id!r} is held in {there.source_realm!r}; it can be given away only there."
        )
    amount = checked_whole(quantity, f"quantity to remove of item {there.item_id!r}", 1, ITEM_QUANTITY_MAX)
    if amount > there.quantity:
        raise CommandRefusedError(f"the inventory has {there.quantity} of item {there.item_id!r}, fewer than {amount}.")
    rest: dict[str, Any] = {**inventory}
    if amount == there.quantity:
        del rest[there.item_id]
    else:
        rest[there.item_id] = replace(there, quantity=there.quantity - amount)
    return rest


def quantity_of(inventory: Inventory) -> int:
    """How many things there are, of all items together."""
    return sum(item.quantity for item in inventory.values())


def _told(item: InventoryItem) -> str:
    return f"{item.name}, {item.rarity} {item.item_type} of {item.source_realm}"
