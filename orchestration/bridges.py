"""The bridge to an instance, for callers outside: what its platforms show, whispers, and emergencies.

What is fetched is a view of the last boundary; what is said is a command, done at the next one.

Source: seed 001, "CrossPlatformBridge".
"""

from collections.abc import Mapping
from typing import Any

from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.instances import PROTOCOL, RUNTIME, SURFACE
from orchestration.god_mode import GodMode
from orchestration.presiding import Who


class CrossPlatformBridge:
    """The bridge to one instance.

    Args:
        mv: the multiverse.
        who: the instance.

    Raises:
        CommandRefusedError: there is no such instance.
    """

    def __init__(self, mv: GodMode, who: Who) -> None:
        self._mv, self._instance = mv, mv.instance(who)

    def fetch_from_runtime(self, what: str = "society", arguments: Mapping[str, Any] | None = None) -> Any:
        """What Runtime shows: society, agents, agent, rituals, history, threads, loops, whispers, leases, exports, vitals.

        Raises:
            CommandRefusedError: it shows nothing of that name, or the arguments do not fit.
        """
        return self._mv.query(self._instance[RUNTIME], what, arguments)

    def fetch_from_surface(self, what: str = "weather", arguments: Mapping[str, Any] | None = None) -> Any:
        """What Surface shows: weather, echoes, traces, vitals."""
        return self._mv.query(self._instance[SURFACE], what, arguments)

    def fetch_from_protocol(self, what: str = "compliance", arguments: Mapping[str, Any] | None = None) -> Any:
        """What Protocol shows: validations, contracts, rules, compliance, vitals."""
        return self._mv.query(self._instance[PROTOCOL], what, arguments)

    def send_whisper_to_runtime(self, sender: str, text: str, agent: str = "") -> Any:
        """A hint for an agent, or for all: it shifts what they do, if Protocol lets it be heard, and commands nothing.

        Raises:
            CommandRefusedError: more than 500 characters, or the sender whispered less than 30 s of local time ago.
        """
        return self._mv.command(self._instance[RUNTIME], "whisper", {"sender": sender, "text": text, "agent_id": agent})

    def send_emergency_override(self, platform: str, command: str, reason: str) -> Any:
        """Stops a platform, or "all", or lets it go on: `command` is "stop" or "resume".

        Raises:
            CommandRefusedError: another command or platform, or no reason.
            PermissionRefusedError: that takes a god.
        """
        if command == "resume":
            return self._mv.resume(self._instance, platform)
        if command != "stop":
            raise CommandRefusedError(f"an emergency override is 'stop' or 'resume', not {command!r:.80}.")
        return self._mv.emergency_override(self._instance, platform, reason)
