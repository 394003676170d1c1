"""`soulfra god …`. Its commands are made of the models in `god_commands`, and those only when one of them is asked for."""

from typing import Any

import typer
from typer.core import TyperGroup

from orchestration.command_options import show_help


class GodGroup(TyperGroup):
    """The group; whoever asks for another command does not wait for its models."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of its commands."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, if there is one."""
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if not self.commands:
            from orchestration.god_options import commands  # the models take 80 ms to make

            self.commands.update(commands())


gods = typer.Typer(name="god", cls=GodGroup, help="God mode: whatever a god may ask for, journaled and audited.")


gods.callback(invoke_without_command=True)(show_help)
