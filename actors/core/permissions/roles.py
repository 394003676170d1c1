"""Roles: what principals may ask for, as two tables. Which verb is in which group, and which groups a role has.

Verbs are spelled as the audit log spells them. A verb that stands nowhere, such as a realm's own, is in `ANYTHING`: who adds
one that is not for gods alone adds a word to a row.
"""

from collections.abc import Mapping

LOOK, PLAY, OPERATE, ANYTHING = "look", "play", "operate", "anything"
"""Groups of verbs: reading; a player's own moves; keeping the multiverse running, and its history; what only a god does."""

VERBS: Mapping[str, tuple[str, ...]] = {
    LOOK: ("query", "history", "audit", "inspect_package"),
    PLAY: (
        *("transition_player", "accept_quest", "abandon_quest", "remove_item_from_inventory"),
        *("speak", "whisper"),
    ),
    OPERATE: (
        *("run", "start", "pause", "snapshot", "delete_snapshot", "select", "merge_all_active_platforms"),
        *("RegisterGame", "RemoveGame", "RestartGame", "Subscribe", "Unsubscribe", "QueueEvent", "SetDelay"),
        *("CreateInstance", "BeginInstance", "AttachGame"),
        *("ForkGames", "ImportInstances", "DropFork", "create_player", "offer_quest"),
        *("export_to_outer_layer", "import_from_outer_layer"),
    ),
    ANYTHING: (
        *("FREEZE_TIME", "UNFREEZE_TIME", "CLONE_INSTANCE", "MERGE_INSTANCES", "REALITY_FORK", "AGENT_POSSESSION"),
        *("TIMELINE_REVERT", "CROSS_INSTANCE_COMMUNICATION", "PUPPET_MASTER_INTERVENTION"),
        *("Freeze", "Unfreeze", "ModifyMembers", "RevertDomain", "send_back_down", "LinkInstances", "ChangeRole"),
        *("revert", "RevertGame", "modify"),
    ),
}
"""Every verb that is known, by its group."""

OBSERVER, PLAYER, OPERATOR, GOD = "observer", "player", "operator", "god"
ROLES: Mapping[str, tuple[str, ...]] = {
    OBSERVER: (LOOK,),
    PLAYER: (LOOK, PLAY),
    OPERATOR: (LOOK, PLAY, OPERATE),
    GOD: (LOOK, PLAY, OPERATE, ANYTHING),
}
"""The groups of each role, from the least to the most."""

LOCAL, HTTP = "local", "http"
ROLES_OF_STRANGERS: Mapping[str, tuple[str, ...]] = {LOCAL: (GOD,), HTTP: ()}
"""By where somebody comes from of whom nothing is written down. Who drives from a shell could write the vault himself, too."""

_GROUPS: Mapping[str, str] = {verb: group for group, verbs in VERBS.items() for verb in verbs}


def group_of(verb: str) -> str:
    """The group of a verb."""
    return _GROUPS.get(verb, ANYTHING)


def roles_for(verb: str) -> tuple[str, ...]:
    """Every role that allows a verb, the least one first."""
    group = group_of(verb)
    return tuple(role for role, groups in ROLES.items() if group in groups)
