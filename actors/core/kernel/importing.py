"""Imports: instances that come from outside, each from a cut, come to be together or not at all."""

from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import ImportInstances, checked_command
from actors.core.kernel.cut_checks import checked_cut
from actors.core.kernel.domains import decoded_cut
from actors.core.kernel.effects import Script
from actors.core.kernel.errors import CommandRefusedError
from actors.core.kernel.forking import Copy, Forking
from actors.core.kernel.instances import Instance


class Importing(Forking):
    """The rules of imports."""

    def _import(self, command: ImportInstances) -> Script[Plain]:
        checked_command(command)  # before anything is made for it
        if not command.cuts or len(command.names) != len(command.cuts):
            raise CommandRefusedError(
                f"{len(command.names)} names are given for {len(command.cuts)} instances; give one for each of at least one."
            )
        cuts = [checked_cut(decoded_cut(one)) for one in command.cuts]
        self.check_room(command.names)
        copies = {}
        for number, cut, name in zip(self._numbers(cuts), cuts, command.names, strict=True):
            if cut.instance is None:
                raise CommandRefusedError(f"what is to be {name!r} is no instance.")
            copies[number] = Copy(cut, Instance(name, cut.instance.phase, cut.ancestors))
        return (yield from self._copy(command, copies, {}))
