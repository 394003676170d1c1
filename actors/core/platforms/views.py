"""What a platform shows of a boundary: its sections, whole or object by object."""

from collections.abc import Mapping

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CommandRefusedError
from actors.core.platforms.schemas import NOW, Part

Questions = Mapping[str, tuple[str, str]]
"""Question to the section it is answered from and the argument that names one object of it, or "" for all of them."""


class PlatformView:
    """One boundary of a platform. The parts are never changed, so making it copies no more than the maps of them.

    A question about all objects is answered by a map of id to object, in order of the ids; one about one object by it,
    and so is one about a section that has only one.

    Args:
        role: the platform's.
        questions: what is answered.
        sections: section to objects by id.
    """

    def __init__(self, role: str, questions: Questions, sections: Mapping[str, Mapping[str, Part]]) -> None:
        self._role, self._questions, self._sections = role, questions, sections

    def query(self, verb: str, arguments: Mapping[str, Plain]) -> Plain:
        """The answer to one question.

        Raises:
            CommandRefusedError: an unknown question, arguments that do not fit, or no such object.
        """
        section, argument = self._questions.get(verb, ("", ""))
        if not section or set(arguments) != ({argument} if argument else set()):
            known = ", ".join(f"{name}({one})" for name, (_, one) in self._questions.items())
            raise CommandRefusedError(
                f"the {self._role} answers no {verb!r} with {sorted(arguments)}; it answers {known}."
            )
        objects = self._sections[section]
        if not argument and objects.keys() == {NOW}:
            return _plain(objects[NOW])
        if not argument:
            return {object_id: _plain(objects[object_id]) for object_id in sorted(objects)}
        object_id = arguments[argument]
        if not isinstance(object_id, str) or object_id not in objects:
            raise CommandRefusedError(
                f"there is no {argument} {object_id!r:.80} in {section}; there are {', '.join(sorted(objects)) or 'none'}."
            )
        return _plain(objects[object_id])


def _plain(part: Part) -> Plain:
    return msgspec.to_builtins(part)
