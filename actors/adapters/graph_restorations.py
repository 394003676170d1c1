"""The way back: a fresh model becomes what was captured of another one, and reaches nothing but what it was made with."""

import enum
import itertools
import sys
import warnings
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any

import numpy as np

from actors.adapters.introspection import name_of, named, slots_of
from actors.adapters.object_graphs import OF_RECORDS, ROOT, WHAT, Born, UncapturableError
from actors.core.kernel.codec import Plain


def restored(root: Any, born: Born, objects: Mapping[str, Plain]) -> None:
    """Lets a fresh model become what was captured of another one.

    Raises:
        UncapturableError: a record that cannot be followed: another program wrote it, or a name leads nowhere now.
    """
    _Restoring(root, born, objects).run()


class _Restoring:
    """Makes the objects of a graph: first all of them empty, then their attributes, then what has to be hashed."""

    def __init__(self, root: Any, born: Born, objects: Mapping[str, Plain]) -> None:
        self.born, self.records = born, objects
        self.made: dict[str, Any] = {ROOT: root}

    def run(self) -> None:
        """Does it."""
        if not isinstance(self.records.get(ROOT), Mapping):
            raise UncapturableError("what was captured has no model")
        for object_id in self.records:
            self._object(object_id)
        later: list[tuple[str, Any, Mapping[str, Any]]] = []
        for object_id, record in self.records.items():
            kind, thing = record[WHAT][0], self.made[object_id]
            if kind in _ATTRIBUTED:
                self._set_attributes(thing, record)
            if kind == "born class":
                for name, value in record.items():
                    if name != WHAT:
                        setattr(thing, name, self._value(value))
            elif kind in ("list", "deque"):
                (list if kind == "list" else deque).extend(thing, (self._value(item) for item in record["items"]))
            elif kind == "objects array":
                for place, item in enumerate(record["items"]):
                    thing.flat[place] = self._value(item)
            elif kind in _HASHING:
                later.append((kind, thing, record))
        for kind, thing, record in later:
            if kind in ("set", "weak set"):
                add = set.add if kind == "set" else weakref.WeakSet.add
                for item in record["items"]:
                    add(thing, self._value(item))
            else:
                put: Any = OrderedDict.__setitem__ if isinstance(thing, OrderedDict) else _PUTS[kind]
                for key, value in record["items"]:
                    put(thing, self._value(key), self._value(value))

    def _set_attributes(self, thing: Any, record: Mapping[str, Any]) -> None:
        own = getattr(thing, "__dict__", None)
        if own is not None:
            own.clear()
        slots = slots_of(type(thing))
        for name, value in record.items():
            if name == WHAT or (name in OF_RECORDS and record[WHAT][0] != "object"):
                continue
            if record[WHAT][0] != "object":
                name = name.removeprefix(".")
            if name in slots or own is None:
                object.__setattr__(thing, name, self._value(value))
            else:
                own[name] = self._value(value)

    def _object(self, object_id: Any) -> Any:
        if object_id not in self.made:
            record = self.records.get(object_id)
            if not isinstance(record, Mapping):
                raise UncapturableError(f"there is no object {object_id!r} in what was captured")
            self.made[object_id] = self._empty(record)
        return self.made[object_id]

    def _empty(self, record: Mapping[str, Any]) -> Any:
        kind, *rest = record[WHAT]
        cls: Any = self._class(*rest) if len(rest) == 2 else None
        if cls is not None and not issubclass(cls, _BASES.get(kind, object)):
            raise UncapturableError(f"{cls.__qualname__!r} is no kind of {kind}")
        match kind:
            case "object":
                return object.__new__(cls)
            case "list":
                return [] if cls is None else cls.__new__(cls)
            case "dict":
                made: Any = {} if cls is None else cls.__new__(cls)
                if "factory" in record:
                    made.default_factory = self._value(record["factory"])
                return made
            case "deque":
                return deque(maxlen=record["most"]) if cls is deque else cls(maxlen=record["most"])
            case "tuple":
                return tuple.__new__(cls, [self._value(item) for item in record["items"]])
            case "value":
                return cls.__new__(cls, self._value(record["value"]))
            case "set":
                return cls.__new__(cls)
            case "frozenset":
                return cls([self._value(item) for item in record["items"]])
            case "weak set" | "weak keys" | "weak values":
                return cls()
            case "array":
                flat = np.frombuffer(record["state"], np.dtype(rest[0]))
                array = flat.reshape(record["shape"], order=record["order"]).copy(order=record["order"])
                array.flags.writeable = "locked" not in record
                return array
            case "view":
                of, shape, dtype = self._value(record["of"]), record["shape"], np.dtype(rest[0])
                view: Any = np.ndarray(shape, dtype, of, record["offset"], record["strides"])
                view.flags.writeable = "locked" not in record
                return view
            case "born class":
                return self.born.functions[rest[0]]
            case "objects array":
                return np.empty(record["shape"], dtype=object)
            case "random":
                made = cls.__new__(cls)
                version, words, gauss_next = record["state"]
                made.setstate((version, tuple(np.frombuffer(words, "<u4").tolist()), gauss_next))
                return made
            case "generator":
                return np.random.Generator(self._value(record["of"]))
            case "bits":
                grown = record["seed"]
                entropy = [self._value(part) for part in grown["entropy"]]
                seed = np.random.SeedSequence(
                    entropy[0] if len(entropy) == 1 else entropy,
                    spawn_key=tuple(grown["key"]),
                    pool_size=grown["pool"],
                    n_children_spawned=grown["children"],
                )
                bits = _BIT_GENERATORS[rest[0]](seed)
                bits.state = self._state(record["state"])
                return bits
            case "random state":
                made = np.random.RandomState()
                made.set_state(self._state(record["state"]))
                return made
            case "chain" | "count" | "iterator":
                return self._iterator(kind, [self._value(item) for item in record["items"]])
        raise UncapturableError(f"nothing is known of objects of kind {kind!r}")

    def _iterator(self, kind: str, items: list[Any]) -> Any:
        """Made with all that it has to give, for it cannot be made empty."""
        if kind == "iterator":
            return iter(items)
        if kind == "count":
            return itertools.count(*items)
        made: Any = itertools.chain()
        if items:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                made.__setstate__(tuple(items))
        return made

    def _class(self, module: str, name: str) -> type:
        found = self._named_thing(module, name) if module else self._object(name)
        if not isinstance(found, type):
            raise UncapturableError(f"{name!r} of {module!r} is no class")
        return found

    def _value(self, value: Any) -> Any:
        if type(value) is not list:
            return value
        kind, *rest = value
        return _VALUES[kind](self, *rest)

    def _method(self, name: str, of: Plain) -> Any:
        return getattr(type(thing := self._value(of)), name).__get__(thing)

    def _named_thing(self, module: str, name: str) -> Any:
        found = named(module, name)
        if found is None or name_of(found) != (module, name):
            raise UncapturableError(f"{module!r} has no {name!r} now")
        if not self.born.knows(module, name, isinstance(found, type)):
            raise UncapturableError(f"{name!r} of {module!r} is nothing that the model was made with")
        return found

    def _enum(self, module: str, name: str, value: Plain) -> Any:
        kind = self._class(module, name)
        if not issubclass(kind, enum.Enum):
            raise UncapturableError(f"{name!r} of {module!r} is no enumeration")
        return kind(self._value(value))

    def _module(self, name: str) -> Any:
        if (name, "") not in self.born.names:
            raise UncapturableError(f"the module {name!r} is nothing that the model was made with")
        return sys.modules[name]

    def _weak(self, of: Plain) -> Any:
        thing = self._value(of)
        return weakref.ref(_Gone() if thing is None else thing)

    def _state(self, part: Any) -> Any:
        if isinstance(part, Mapping):
            return {key: self._state(value) for key, value in part.items()}
        if type(part) is list and part[0] == "array":
            return np.frombuffer(part[2], part[1]).copy()
        return self._value(part)


class _Gone:
    """What a weak reference to nothing refers to."""


_BIT_GENERATORS: dict[str, Any] = {
    name: getattr(np.random, name) for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
}
_BASES: dict[str, Any] = {
    "list": list,
    "dict": dict,
    "deque": deque,
    "tuple": tuple,
    "value": (int, float, str, bytes),
    "set": set,
    "frozenset": frozenset,
    "weak set": weakref.WeakSet,
    "weak keys": weakref.WeakKeyDictionary,
    "weak values": weakref.WeakValueDictionary,
    "random": Random,
}
_PUTS = {
    "dict": dict.__setitem__,
    "weak keys": weakref.WeakKeyDictionary.__setitem__,
    "weak values": weakref.WeakValueDictionary.__setitem__,
}
_ATTRIBUTED = frozenset({"object", "list", "dict", "deque", "random", "value"})
_HASHING = frozenset({"set", "weak set", "dict", "weak keys", "weak values"})
_VALUES: dict[str, Callable[..., Any]] = {
    "@": _Restoring._object,
    "()": lambda self, *items: tuple([self._value(item) for item in items]),
    "int": lambda self, text: int(text),
    "nan": lambda self: float("nan"),
    "class": _Restoring._class,
    "function": _Restoring._named_thing,
    "born": lambda self, number: self.born.functions[number],
    "method": _Restoring._method,
    "partial": lambda self, function, given, keywords: partial(
        self._value(function), *self._value(given), **{key: self._value(value) for key, value in keywords}
    ),
    "module": _Restoring._module,
    "constant": lambda self, name: {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}[name],
    "enum": _Restoring._enum,
    "dtype": lambda self, text: np.dtype(text),
    "scalar": lambda self, dtype, state: np.frombuffer(state, dtype)[0],
    "complex": lambda self, real, imaginary: complex(real, imaginary),
    "range": lambda self, *parts: range(*map(self._value, parts)),
    "slice": lambda self, *parts: slice(*map(self._value, parts)),
    "weak": _Restoring._weak,
}
