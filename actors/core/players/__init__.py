"""Players: the registry and its rules for travel, things, reputation, quests and dialogue."""
