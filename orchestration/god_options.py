"""The commands of `soulfra god`, made of the models of god commands: a field is an option, what it says of itself is the help.

A text, a number or a choice is an option that takes one; a list is one that may come again (`--id alpha --id beta`); a truth
value is a flag; a map is `--set PATH=VALUE` with a value in JSON, which may come again. Of a list of maps, each is of one copy:
`--set 2:PATH=VALUE` is for the second, without a number for all of them. The fields of interventions stand side by side.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel

from actors.core.kernel.errors import SettingsError
from orchestration.assignments import assigned
from orchestration.command_options import Address, AsJson, Name, say
from orchestration.god_commands import BY_TYPE, COPIES_MAX, GodCommand, god_command
from orchestration.role_commands import grant, revoke

ASSIGNED_EXAMPLE = "runtime.agents.arty.personality.calm=0.9"
COMMAND_BYTES_MAX = 16 << 20
"""Of a command on standard input."""
OF_A_COPY = re.compile(r"([1-9][0-9]{0,6}):(.*)", re.DOTALL)
As = Annotated[str, typer.Option("--as", help="Who asks, for permissions and audit log; whoever runs this otherwise.")]
AsCommand = Annotated[
    str, typer.Option("--json-command", help="The command as JSON, with its type; - is standard input.", metavar="JSON")
]


@dataclass(frozen=True)
class Part:
    """A field of a command, as a shell has it.

    Attributes:
        path: where it is: its name, or the name of the field with interventions and its own.
        kind: its type, without what only a validator reads.
        is_required: whether there is no command without it.
        says: for whom it is.
    """

    path: tuple[str, ...]
    kind: Any
    is_required: bool
    says: str

    @property
    def word(self) -> str:
        """Its name for a program; no two parts of a command have the same."""
        return "_".join(self.path)

    @property
    def option(self) -> str:
        """What it is called in a shell."""
        if self.is_changes or self.is_changes_of_copies:
            return "--set"
        name = self.path[-1].replace("_", "-")
        return f"--{name.removesuffix('s') if get_origin(self.kind) is tuple else name}"

    @property
    def is_changes(self) -> bool:
        """Whether it is a map."""
        return get_origin(self.kind) is dict

    @property
    def is_changes_of_copies(self) -> bool:
        """Whether it is a list of maps."""
        return get_origin(self.kind) is tuple and get_origin(get_args(self.kind)[0]) is dict

    def parameter(self) -> inspect.Parameter:
        """It as typer reads it; what is not given is None."""
        kind: Any = self.kind
        flags = [self.option]
        metavar: str | None = None
        if self.option == "--set":
            kind, metavar = list[str], "[COPY:]PATH=VALUE" if self.is_changes_of_copies else "PATH=VALUE"
        elif get_origin(kind) is tuple:
            each = _bare(get_args(kind)[0])
            kind, metavar = GenericAlias(list, (each,)), f"<{each.__name__}>"
        elif get_origin(kind) is Literal:
            kind, metavar = str, "|".join(get_args(kind))
        elif kind is bool:
            flags = [f"{self.option}/--no-{self.option.removeprefix('--')}"]
        told = typer.Option(... if self.is_required else None, *flags, help=self.says, metavar=metavar)
        annotation = kind if self.is_required else kind | None
        return inspect.Parameter(self.word, inspect.Parameter.KEYWORD_ONLY, default=told, annotation=annotation)


def parts_of(model: type[BaseModel]) -> list[Part]:
    """Every field of a command that a shell may say something of: those that are required first."""
    found = {part.word: part for part in _parts(model, ())}
    return sorted(found.values(), key=lambda part: not part.is_required)


def _parts(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[Part]:
    for name, field in model.model_fields.items():
        kind = _bare(field.annotation)
        if members := [one for one in get_args(kind) if inspect.isclass(one) and issubclass(one, BaseModel)]:
            yield from _parts_of_union(members, (*path, name), str(field.discriminator))
        elif get_origin(kind) is not Literal or len(get_args(kind)) > 1:
            says = field.description or ""
            if field.default not in (None, "", (), False, True) and not field.is_required() and field.default != {}:
                says += f" {field.default} otherwise."
            yield Part((*path, name), kind, field.is_required(), says)


def _parts_of_union(members: list[type[BaseModel]], path: tuple[str, ...], tag: str) -> Iterator[Part]:
    """What the models of a union have, each once; only the tag is required, and the model says what else there must be."""
    tags = tuple(one.model_fields[tag].default for one in members)
    yield Part((*path, tag), Literal[tags], True, "Which one.")
    users: dict[str, list[str]] = {}
    parts: dict[str, Part] = {}
    for member, name in zip(members, tags, strict=True):
        for part in _parts(member, path):
            parts.setdefault(part.word, part)
            users.setdefault(part.word, []).append(name)
    for word, part in parts.items():
        yield Part(part.path, part.kind, False, f"{part.says} ({', '.join(users[word])})")


def _bare(annotation: Any) -> Any:
    """A type without what is annotated, and without None."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        some = [one for one in get_args(annotation) if one is not NoneType]
        if len(some) == 1:
            return _bare(some[0])
    return annotation


def command_of(type_: str, given: Mapping[str, Any]) -> GodCommand:
    """The command of a type, of what was given to its options, by `Part.word`.

    Raises:
        SettingsError: a `--set` that does not read as it should.
        CommandRefusedError: a value that does not fit.
    """
    document: dict[str, Any] = {"type": type_}
    for part in parts_of(BY_TYPE[type_]):
        value = given.get(part.word)
        if value is None:
            continue
        if part.is_changes:
            value = assigned(value, "--set", ASSIGNED_EXAMPLE)
        elif part.is_changes_of_copies:
            value = _of_copies(value, given)
        inner = document
        for name in part.path[:-1]:
            inner = inner.setdefault(name, {})
        inner[part.path[-1]] = value
    return god_command(document)


def _of_copies(texts: list[str], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The modifications of each copy; how many there are say the count, the names and the highest number."""
    parted = [(int(found[1]), found[2]) if (found := OF_A_COPY.fullmatch(text)) else (0, text) for text in texts]
    highest = max(copy for copy, _ in parted)
    count = given.get("count") or max(1, len(given.get("names") or ()), highest)
    if highest > count or count > COPIES_MAX:
        raise SettingsError(f"--set speaks of copy {highest} of {count}; there may be at most {COPIES_MAX:,} copies.")
    return [
        assigned([text for copy, text in parted if copy in (0, number)], "--set", ASSIGNED_EXAMPLE)
        for number in range(1, count + 1)
    ]


def commands() -> dict[str, Any]:
    """The commands of the group, by name."""
    group = typer.Typer(rich_markup_mode=None)
    for type_ in BY_TYPE:
        group.command(name_of(type_), help=BY_TYPE[type_].__doc__)(_callback(type_))
    group.command("command")(command)
    group.command("grant")(grant)
    group.command("revoke")(revoke)
    made: Any = typer.main.get_group(group)
    return dict(made.commands)


def name_of(type_: str) -> str:
    """A type as a shell spells it: FREEZE_TIME is freeze-time."""
    return type_.lower().replace("_", "-")


def _callback(type_: str) -> Any:
    def carry_out(multiverse: str, principal: str, as_json: bool, address: str, **given: Any) -> int:
        return _carried_out(multiverse, command_of(type_, given), principal, as_json, address)

    options = [part.parameter() for part in parts_of(BY_TYPE[type_])]
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.Signature(
        [
            inspect.Parameter("multiverse", keyword, annotation=Name),
            *options,
            inspect.Parameter("principal", keyword, default="", annotation=As),
            inspect.Parameter("as_json", keyword, default=False, annotation=AsJson),
            inspect.Parameter("address", keyword, default="", annotation=Address),
        ]
    )
    carry_out.__signature__ = signature  # type: ignore[attr-defined]
    carry_out.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
    return carry_out


def command(
    name: Name, json_command: AsCommand, principal: As = "", as_json: AsJson = False, address: Address = ""
) -> int:
    """Any god command, as JSON: the same as over HTTP and in a program."""
    text = sys.stdin.read(COMMAND_BYTES_MAX) if json_command == "-" else json_command
    return _carried_out(name, god_command(text), principal, as_json, address)


def _carried_out(name: str, command: GodCommand, principal: str, as_json: bool, address: str) -> int:
    from orchestration import god_tables
    from orchestration.detached import attached
    from orchestration.openings import checked_principal

    who = checked_principal(principal) if principal else ""
    with attached(name, address) as mv:
        result = mv.god_mode_command(command, principal=who)
    return say(result.model_dump(mode="json"), as_json, lambda: god_tables.print_result(result))
