"""God mode: one typed entry for whatever a god may ask for, the same from a shell, a notebook and over HTTP.

A command is checked for its form, then for permission; it is journaled and audited under its own name, takes effect at a
boundary, all of it or nothing, and comes to a typed result. Every command is one command of the clock.

Source: seed 000, "God Mode Interface"; `PuppetMasterEngine.godModeCommand`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.core.permissions.roles import LOCAL
from orchestration.instances import FourPlatformInstance
from orchestration.presiding import Presiding

if TYPE_CHECKING:
    from orchestration.god_commands import GodCommand
    from orchestration.god_results import GodResult


@dataclass(frozen=True)
class Possession:
    """A lease on an agent, or on all agents of an instance; used until it is given back, broken or over.

    Attributes:
        presiding: the multiverse.
        instance: the id of the instance.
        agent: the agent; "" is all of them.
        lease_id: of the lease.
        expires_at: in local ticks of the instance.

    Source: seed 000, "AgentPossessionInterface".
    """

    presiding: "GodMode"
    instance: str
    agent: str
    lease_id: str
    expires_at: int

    def act(self, action: str, *, agent: str = "", target: str = "", ritual: str = "") -> Any:
        """Decides for an agent, at the next boundary; of a lease on a whole instance, for the one that is named.

        Raises:
            CommandRefusedError: an action that cannot be, or the lease is over.
        """
        more = {"agent": agent or self.agent, "action": action, "target": target, "ritual": ritual}
        return self._step("act", more)

    def release(self) -> Any:
        """Gives the lease back: the agents decide for themselves again."""
        return self._step("release", {"agent": self.agent})

    def _step(self, step: str, more: Mapping[str, Any]) -> Any:
        command = {"type": "AGENT_POSSESSION", "instance": self.instance, "step": step, "lease_id": self.lease_id}
        return _outcome(self.presiding.god_mode_command({**command, **more}))


class GodMode(Presiding):
    """Whatever a god may ask for. The methods below are the same as the commands of the same name."""

    def god_mode_command(
        self, command: "GodCommand | Mapping[str, Any] | str | bytes", *, principal: str = "", origin: str = LOCAL
    ) -> "GodResult":
        """Carries out a command of the union in `god_commands`.

        Args:
            command: the command, a map, or JSON text.
            principal: who asks; by default whoever this driver commands as.
            origin: where the request comes from: "local", or "http".

        Raises:
            CommandRefusedError: an unknown type or field, or a value that does not fit; it names what is allowed.
            PermissionRefusedError: the principal has no role that allows it.
            SoulfraError: what refused it. Nothing has changed in any of these cases.
        """
        from orchestration.god_commands import god_command  # the models take 80 ms to make, and few programs need them
        from orchestration.god_errands import Errand

        return Errand(self, god_command(command), principal or self._principal, origin).result()

    def possess(self, who: str | FourPlatformInstance, agent: str = "", *, lease_ticks: int = 1_000) -> Possession:
        """Takes a lease on an agent, or on all of an instance; it then does nothing of itself.

        Raises:
            CommandRefusedError: no such agent, or it is possessed already.
        """
        instance = self.instance(who)
        command = {"type": "AGENT_POSSESSION", "instance": instance.instance_id, "agent": agent}
        lease = _outcome(self.god_mode_command({**command, "lease_ticks": lease_ticks}))
        return Possession(self, instance.instance_id, agent, lease["lease_id"], lease["expires_at"])

    def emergency_override(self, who: str | FourPlatformInstance, platform: str, reason: str) -> Any:
        """Stops a platform, or "all", until `resume`."""
        return self._intervene(who, {"kind": "emergency_override", "platform": platform, "reason": reason})

    def resume(self, who: str | FourPlatformInstance, platform: str = "all") -> Any:
        """Lets a platform go on that was stopped."""
        return self._intervene(who, {"kind": "resume", "platform": platform})

    def _intervene(self, who: str | FourPlatformInstance, intervention: Mapping[str, Any]) -> Any:
        instance = self.instance(who).instance_id
        command = {"type": "PUPPET_MASTER_INTERVENTION", "instance": instance, "intervention": dict(intervention)}
        return _outcome(self.god_mode_command(command))


def _outcome(result: "GodResult") -> Any:
    return getattr(result, "outcome", None)
