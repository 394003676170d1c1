"""Introspection: which name leads to a thing of Python, what it keeps in its attributes, and whether that is all of it."""

import enum
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

SCALARS = frozenset({type(None), bool, float, str, bytes})
_HEAP_TYPE, _IMMUTABLE_TYPE, _NO_INSTANCES = 1 << 9, 1 << 8, 1 << 7
_OF_PYTHON = _HEAP_TYPE | _IMMUTABLE_TYPE | _NO_INSTANCES
"""Flags of a class; those that a class statement makes have the first one only. Source: CPython, `Include/object.h`."""


def name_of(thing: Any) -> tuple[str, str] | None:
    """Module and qualified name, if they lead to this very thing."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if module is None and isinstance(thing, types.BuiltinFunctionType):
        module = getattr(thing.__self__, "__name__", None)
    if isinstance(module, str) and isinstance(name, str) and named(module, name) is thing:
        return module, name
    return None


def named(module: str, name: str) -> Any:
    """What a name leads to in a module that is imported; None if nothing. Nothing is imported for it."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def attributes_of(thing: Any, slots: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """An instance's own attributes, those in slots first."""
    for name in slots:
        try:
            yield name, getattr(thing, name)
        except AttributeError:
            continue
    yield from sorted(getattr(thing, "__dict__", {}).items())


def slots_of(kind: type) -> list[str]:
    """The names of attributes that instances keep in slots."""
    members = (member for base in kind.__mro__ for member in vars(base).items())
    return sorted({name for name, member in members if isinstance(member, types.MemberDescriptorType)})


def never_changes(thing: Any) -> bool:
    """Whether something is what it is for good."""
    if type(thing) is tuple:
        return all(never_changes(part) for part in thing)
    has_name = isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType) and name_of(thing) is not None
    return (
        has_name
        or type(thing) in SCALARS
        or type(thing) in (int, complex)
        or isinstance(thing, types.ModuleType | enum.Enum)
    )


def has_attributes(value: Any) -> bool:
    """Whether an attribute of a class has attributes of its own that are part of what a model is."""
    return made_by_python(type(value)) and not isinstance(value, type) and bool(getattr(value, "__dict__", None))


def made_by_python(kind: type) -> bool:
    """Whether no class that it descends from is made in C, with a state of its own that nobody sees."""
    bases = [base for base in kind.__mro__ if base is not object]
    if any(base.__flags__ & _OF_PYTHON != _HEAP_TYPE for base in bases):
        return False
    return not any(isinstance(vars(base).get("__new__"), types.BuiltinFunctionType) for base in bases)
