"""A realm in which nothing happens."""

from actors.core.realms.tick_engines import Realm


class Idle(Realm):
    """It lets time pass."""

    kind = "idle"
