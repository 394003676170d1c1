"""The driver of the multiverse and the command line."""

from actors.core.kernel.addresses import RealmCoordinate
from actors.core.kernel.errors import SoulfraError
from actors.core.kernel.events import CrossGameEvent
from actors.core.players.inventories import InventoryItem
from orchestration.multiverse import Multiverse

__all__ = ["CrossGameEvent", "InventoryItem", "Multiverse", "RealmCoordinate", "SoulfraError"]
