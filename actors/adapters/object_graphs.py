"""A foreign model's whole state, object by object: every Python object that it reaches, as plain data with references.

`pickle` and `copy.deepcopy` ask each object how it wants to be copied, and objects answer wrongly. Here nobody is asked:
instances are their attributes, containers their items in order, generators their state, functions and classes their names. No
code of the model runs but what hashing needs, and what containers and enumerations of its own do when they are made. What
cannot be written down so (an open file, a running generator, an object of C without a form known here, a set whose order only
addresses or its past decide) refuses the whole, by name.

Functions without a name that leads to them (lambdas, closures) are those that the model was made with: a fresh model,
made by the same constructor, has the same ones in the same order, and a graph is restored into such a model. One that
remembers anything but the model itself and what never changes is refused.

Values are written as they are, if they are None, truth values, numbers of 64 bits, text or bytes. Anything else is a list
that begins with what it is: `["@", id]` a reference to another object of the graph, `["()", item, …]` a tuple, `["int", text]`
a large whole number, `["class", module, name]`, `["function", module, name]`, `["method", name, of whom]`, `["born", n]`, ….
"""

import enum
import itertools
import sys
import types
import warnings
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, Literal, NamedTuple

import numpy as np

from actors.core.kernel.codec import Plain, encode

ROOT = "model"
"""The id of what everything else is reached from."""
OBJECTS_MAX = 5_000_000
"""More than a model of a million agents has; a graph without end must stop somewhere."""
WHAT = "@"
"""The attribute of an object's record that says what it is."""
_SCALARS = frozenset({type(None), bool, float, str, bytes})
_PLAIN_MODULES = frozenset({"builtins", "collections", "decimal", "fractions", "numpy", "random", "weakref"})
"""Any class of these does nothing when an empty instance of it is made."""
_ARRAY_KINDS = "biufcSUMm"
_HEAP_TYPE, _IMMUTABLE_TYPE, _NO_INSTANCES = 1 << 9, 1 << 8, 1 << 7
_OF_PYTHON = _HEAP_TYPE | _IMMUTABLE_TYPE | _NO_INSTANCES
"""Flags of a class; those that a class statement makes have the first one only. Source: CPython, `Include/object.h`."""
_WORD_MIN, _WORD_END = -(1 << 63), 1 << 63


class UncapturableError(Exception):
    """Something has no form in which it could be written down; the message names it."""


class Born(NamedTuple):
    """What a fresh model has that no name leads to, in the order of its graph; and the names that it knows.

    Attributes:
        functions: functions and classes without a name.
        names: (module, name) of the classes, functions and modules that it refers to.
        packages: those that its classes are from.
    """

    functions: tuple[Any, ...]
    names: frozenset[tuple[str, str]]
    packages: frozenset[str]

    def number_of(self, function: Any) -> int | None:
        """The place of a function among them; None if it is not there."""
        return next((place for place, one in enumerate(self.functions) if one is function), None)

    def knows(self, module: str, name: str, of_a_class: bool) -> bool:
        """Whether a model may refer to something by name: what it was made with, what is its own, and plain classes.

        So that what was written down, whoever wrote it, reaches nothing that the model could not reach itself.
        """
        return (
            (module, name) in self.names
            or module.partition(".")[0] in self.packages
            or (of_a_class and module in _PLAIN_MODULES)
        )


NOTHING_BORN = Born((), frozenset(), frozenset())


def born_with(root: Any) -> Born:
    """What a model that was just made has that no name leads to.

    Raises:
        UncapturableError: see the module.
    """
    walk = _Walk(root, None)
    walk.run()
    own = {kind.__module__.partition(".")[0] for kind in type(root).__mro__ if kind is not object}
    return Born(tuple(walk.nameless), frozenset(walk.names), frozenset(own))


def captured(root: Any, born: Born) -> dict[str, Plain]:
    """Every object that `root` reaches, by id; `root` itself is the first.

    Raises:
        UncapturableError: see the module.
    """
    walk = _Walk(root, born)
    walk.run()
    return walk.objects


def restored(root: Any, born: Born, objects: Mapping[str, Plain]) -> None:
    """Lets a fresh model become what was captured of another one.

    Raises:
        UncapturableError: a record that cannot be followed: another program wrote it, or a name leads nowhere now.
    """
    _Restoring(root, born, objects).run()


def _name(thing: Any) -> tuple[str, str] | None:
    """Module and qualified name, if they lead to this very thing."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if module is None and isinstance(thing, types.BuiltinFunctionType):
        module = getattr(thing.__self__, "__name__", None)
    if isinstance(module, str) and isinstance(name, str) and _named(module, name) is thing:
        return module, name
    return None


def _named(module: str, name: str) -> Any:
    """What a name leads to in a module that is imported; None if nothing. Nothing is imported for it."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _attributes(thing: Any, slots: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """An instance's own attributes, those in slots first."""
    for name in slots:
        try:
            yield name, getattr(thing, name)
        except AttributeError:
            continue
    yield from sorted(getattr(thing, "__dict__", {}).items())


def _slots(kind: type) -> list[str]:
    """The names of attributes that instances keep in slots."""
    members = (member for base in kind.__mro__ for member in vars(base).items())
    return sorted({name for name, member in members if isinstance(member, types.MemberDescriptorType)})


class _Walk:
    """One way through a graph, in an order that only what is there decides."""

    def __init__(self, root: Any, born: Born | None) -> None:
        self.root, self.born = root, born
        self.objects: dict[str, Plain] = {}
        self.nameless: list[Any] = []
        self.names: set[tuple[str, str]] = set()
        self._ids: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no address is used twice meanwhile
        self._counts: dict[str, int] = {}
        self._waiting: deque[tuple[str, Any]] = deque()
        self._sets: list[tuple[str, Any]] = []
        self._where = ""
        self._holders: dict[str, str] = {}
        self._slots: dict[type, list[str]] = {}
        self._classes: dict[type, tuple[str, str]] = {}

    def run(self) -> None:
        """Goes the whole way. Sets come when everything else has a name, for only names can order them."""
        self._value(self.root)
        while self._waiting or self._sets:
            while self._waiting:
                object_id, thing = self._waiting.popleft()
                self._where = object_id
                self.objects[object_id] = self._record(thing)
            for object_id, thing in self._take_sets():
                self._where = object_id
                items = self._items_of_set(thing)
                self.objects[object_id] = {WHAT: [self._kind_of_set(thing), *self._class_of(thing)], "items": items}

    def _take_sets(self) -> list[tuple[str, Any]]:
        found, self._sets = self._sets, []
        return found

    def _items_of_set(self, thing: Any) -> list[Plain]:
        """In an order that neither addresses nor hash seeds decide; of numbers, in that in which the set gives them."""
        present = list(thing)
        for agent in sorted((item for item in present if _is_agent(item)), key=_agent_key):
            self._value(agent)  # whom nothing else holds gets a name now
        items = [self._member(item) for item in present]
        if not all(_is_of_numbers(item) for item in present):
            return sorted(items, key=encode)
        if list(type(thing)(present)) != present:
            raise self._fail(thing, "whose order follows from what it has held before")
        return items

    def _kind_of_set(self, thing: Any) -> str:
        if isinstance(thing, weakref.WeakSet):
            return "weak set"
        return "frozenset" if isinstance(thing, frozenset) else "set"

    def _fail(self, thing: Any, why: str) -> UncapturableError:
        kind = type(thing)
        known = self._ids.get(id(thing))
        holder = self._where if known is None else self._holders[known]
        return UncapturableError(f"{holder} holds a {kind.__module__}.{kind.__qualname__}, {why}")

    # -------------------------------------------------------------------------------------------------------- values

    def _value(self, thing: Any) -> Plain:
        kind = type(thing)
        if kind in _SCALARS:
            return ["nan"] if thing != thing else thing
        if kind is int:
            return thing if _WORD_MIN <= thing < _WORD_END else ["int", str(thing)]
        if kind is tuple:
            return ["()", *(self._value(item) for item in thing)]
        if (known := self._ids.get(id(thing))) is not None:
            return ["@", known]
        return self._constant(thing) or self._reference(thing)

    def _constant(self, thing: Any) -> Plain:
        """What has no state of its own, by name; None for what has."""
        kind = type(thing)
        if isinstance(thing, type):
            name = _name(thing)
            return None if name is None else ["class", *self._known(thing, name)]
        if kind in (types.FunctionType, types.BuiltinFunctionType) and (name := _name(thing)) is not None:
            return ["function", *self._known(thing, name)]
        if kind is types.FunctionType:
            self._check_forgetful(thing)
            return ["born", self._birth_number(thing)]
        if isinstance(thing, types.MethodType | types.BuiltinMethodType):
            return ["method", self._method_name(thing), self._value(thing.__self__)]
        if kind is partial:
            keywords = [[key, self._value(value)] for key, value in thing.keywords.items()]
            return ["partial", self._value(thing.func), self._value(thing.args), keywords]
        if isinstance(thing, types.ModuleType):
            return ["module", self._known(thing, (thing.__name__, ""))[0]]
        if isinstance(thing, enum.Enum):
            return ["enum", *self._class_of(thing), self._value(thing.value)]
        if isinstance(thing, np.dtype):
            return ["dtype", thing.str]
        if isinstance(thing, np.generic) and thing.dtype.kind in _ARRAY_KINDS and not isinstance(thing, str | bytes):
            return ["scalar", thing.dtype.str, thing.tobytes()]
        if kind is complex:
            return ["complex", thing.real, thing.imag]
        if kind in (range, slice):
            return [kind.__name__, *(self._value(part) for part in (thing.start, thing.stop, thing.step))]
        if thing is Ellipsis or thing is NotImplemented:
            return ["constant", repr(thing)]
        if isinstance(thing, weakref.ReferenceType):
            if type(thing) is not weakref.ReferenceType or thing.__callback__ is not None:
                raise self._fail(thing, "a weak reference with something to do when it dies")
            return ["weak", self._value(thing())]
        return None

    def _check_forgetful(self, function: Any) -> None:
        """A function without a name must not remember what nobody sees: only the model itself, and what never changes."""
        cells = [cell.cell_contents for cell in function.__closure__ or () if cell != _EMPTY_CELL]
        held = [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        if vars(function) or not all(one is self.root or one is function or _never_changes(one) for one in held):
            raise UncapturableError(
                f"{self._where} holds {function.__qualname__!r}, a function without a name that remembers something"
            )

    def _method_name(self, thing: Any) -> str:
        name, of = thing.__name__, thing.__self__
        found = getattr(type(of), name, None)
        if found is None or (isinstance(thing, types.MethodType) and found is not thing.__func__):
            raise self._fail(thing, f"the method {name!r}, which is not its class's")
        return str(name)

    def _birth_number(self, thing: Any) -> int:
        if self.born is None:
            self.nameless.append(thing)
            return len(self.nameless) - 1
        if (number := self.born.number_of(thing)) is None:
            what = f"{thing.__qualname__!r}, to which no name leads, and which it was not made with"
            raise UncapturableError(f"{self._where} holds {what}")
        return number

    # ------------------------------------------------------------------------------------------------------- objects

    def _reference(self, thing: Any) -> Plain:
        return ["@", self._enter(thing)]

    def _enter(self, thing: Any) -> str:
        if len(self._kept) >= OBJECTS_MAX:
            raise self._fail(thing, f"and has more than {OBJECTS_MAX:,} objects")
        object_id = self._new_id(thing)
        self._ids[id(thing)] = object_id
        self._holders[object_id] = self._where
        self._kept.append(thing)
        self.objects[object_id] = None
        if isinstance(thing, set | frozenset | weakref.WeakSet):
            self._sets.append((object_id, thing))
        else:
            self._waiting.append((object_id, thing))
        return object_id

    def _new_id(self, thing: Any) -> str:
        """For people: an agent is called by its class and its own number, everything else by its class and place."""
        if thing is self.root:
            return ROOT
        name = type(thing).__name__
        own = getattr(thing, "__dict__", {}).get("unique_id")
        if type(own) in (int, str) and (found := f"{name}-{own}".replace(".", "_")) not in self.objects:
            return found
        while True:
            number = self._counts[name] = self._counts.get(name, 0) + 1
            if (found := f"{name}#{number}") not in self.objects:
                return found

    def _member(self, item: Any) -> Plain:
        """An item of a set, which must not be one that only the set's own order would name."""
        if type(item) is tuple:
            return ["()", *(self._member(part) for part in item)]
        if id(item) not in self._ids and type(item) not in _SCALARS and type(item) is not int:
            constant = None if type(item) is types.FunctionType and _name(item) is None else self._constant(item)
            if constant is not None:
                return constant
            if not _is_agent(item):
                raise self._fail(item, "which nothing but a set holds: whatever comes of it follows from addresses")
        return self._value(item)

    def _record(self, thing: Any) -> Plain:
        kind = type(thing)
        if isinstance(thing, type):
            own = {name: self._value(value) for name, value in sorted(vars(thing).items()) if _is_instance(value)}
            return {WHAT: ["born class", self._birth_number(thing)], **own}
        if kind is list:
            return {WHAT: ["list"], "items": [self._value(item) for item in thing]}
        if kind is dict:
            return {WHAT: ["dict"], "items": self._pairs(thing)}
        if isinstance(thing, np.ndarray):
            return self._array(thing)
        if isinstance(thing, Random):
            version, words, gauss_next = thing.getstate()
            state = np.array(words, dtype="<u4").tobytes()
            return {WHAT: ["random", *self._class_of(thing)], "state": [version, state, gauss_next], **self._own(thing)}
        if isinstance(thing, np.random.Generator):
            return {WHAT: ["generator"], "of": self._value(thing.bit_generator)}
        if isinstance(thing, np.random.BitGenerator):
            return self._bit_generator(thing)
        if isinstance(thing, np.random.RandomState):
            return {WHAT: ["random state"], "state": self._state(thing.get_state(legacy=False))}
        if isinstance(thing, itertools.count | itertools.chain) or kind in _ITERATORS:
            return self._iterator(thing)
        if isinstance(thing, weakref.WeakKeyDictionary | weakref.WeakValueDictionary):
            weak = "weak keys" if isinstance(thing, weakref.WeakKeyDictionary) else "weak values"
            return {WHAT: [weak, *self._class_of(thing)], "items": self._pairs(thing)}
        if isinstance(thing, deque):
            items = [self._value(item) for item in thing]
            return {WHAT: ["deque", *self._class_of(thing)], "items": items, "most": thing.maxlen, **self._own(thing)}
        if isinstance(thing, dict):
            given = {"factory": self._value(thing.default_factory)} if hasattr(thing, "default_factory") else {}
            return {WHAT: ["dict", *self._class_of(thing)], "items": self._pairs(thing), **given, **self._own(thing)}
        if isinstance(thing, list):
            items = [self._value(item) for item in thing]
            return {WHAT: ["list", *self._class_of(thing)], "items": items, **self._own(thing)}
        return self._instance(thing)

    def _iterator(self, thing: Any) -> Plain:
        """What it has still to give, and no longer from where. The ways of itertools to say so end with Python 3.14."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            _, given, *state = thing.__reduce__()
        if isinstance(thing, itertools.count):
            return {WHAT: ["count"], "items": [self._value(part) for part in given]}
        if isinstance(thing, itertools.chain):
            return {WHAT: ["chain"], "items": [self._value(part) for part in (state[0] if state else given)]}
        left = list(given[0])[state[0] if state else 0 :]
        return {WHAT: ["iterator"], "items": [self._value(item) for item in left]}

    def _instance(self, thing: Any) -> Plain:
        kind = type(thing)
        if isinstance(thing, tuple):
            items = [self._value(item) for item in thing]
            return {WHAT: ["tuple", *self._class_of(thing)], "items": items}
        if isinstance(thing, int | float | str | bytes):
            bare = next(own(thing) for kept, own in _BARE if isinstance(thing, kept))  # whatever its class says of it
            return {WHAT: ["value", *self._class_of(thing)], "value": self._value(bare), **self._own(thing)}
        # An object of C's own kind keeps what it is where nobody can look.
        if not _made_by_python(kind):
            raise self._fail(thing, "whose state is not in its attributes")
        return {WHAT: ["object", *self._class_of(thing)], **self._own(thing, plain=True)}

    def _class_of(self, thing: Any) -> tuple[str, str]:
        """Module and name; of a class to which no name leads, nothing and its id in the graph."""
        kind = type(thing)
        if (found := self._classes.get(kind)) is None:
            name = _name(kind)
            found = self._classes[kind] = self._known(kind, name) if name is not None else ("", self._value(kind)[1])
        return found

    def _known(self, thing: Any, name: tuple[str, str]) -> tuple[str, str]:
        if self.born is None:
            self.names.add(name)
        elif not self.born.knows(*name, isinstance(thing, type)):
            raise UncapturableError(f"{self._where} holds {'.'.join(name)}, which the model was not made with")
        return name

    def _own(self, thing: Any, plain: bool = False) -> dict[str, Plain]:
        """An instance's own attributes; beside what else its record says of it, unless that is plain."""
        found: dict[str, Plain] = {}
        kind = type(thing)
        if (slots := self._slots.get(kind)) is None:
            slots = self._slots[kind] = _slots(kind)
        for name, value in _attributes(thing, slots):
            if name == "__orig_class__":  # how its class was written, for type checkers
                continue
            if not isinstance(name, str) or name == WHAT:
                raise self._fail(thing, f"with an attribute {name!r}")
            found[f".{name}" if not plain and name in _OF_RECORDS else name] = self._value(value)
        return found

    def _pairs(self, thing: Mapping[Any, Any]) -> list[Plain]:
        return [[self._value(key), self._value(value)] for key, value in list(thing.items())]

    def _array(self, thing: Any) -> Plain:
        if type(thing) is not np.ndarray:
            raise self._fail(thing, "a kind of array of its own")
        if thing.dtype.kind == "O":
            if thing.base is not None:
                raise self._fail(thing, "a view into an array of objects")
            items = [self._value(item) for item in thing.ravel()]
            return {WHAT: ["objects array"], "shape": list(thing.shape), "items": items}
        if thing.dtype.kind not in _ARRAY_KINDS:
            raise self._fail(thing, f"of {thing.dtype}")
        if isinstance(thing.base, np.ndarray):
            offset = thing.ctypes.data - thing.base.ctypes.data
            if not thing.base.flags.c_contiguous:
                raise self._fail(thing, "a view into an array that is not in order itself")
            form = {"shape": list(thing.shape), "strides": list(thing.strides), "offset": offset}
            return {WHAT: ["view", thing.dtype.str], "of": self._value(thing.base), **form, **_locked(thing)}
        order: Literal["C", "F"] = "F" if thing.flags.f_contiguous and not thing.flags.c_contiguous else "C"
        if order == "C" and not thing.flags.c_contiguous:
            raise self._fail(thing, "with gaps in it")
        form = {"shape": list(thing.shape), "order": order, "state": thing.tobytes(order)}
        return {WHAT: ["array", thing.dtype.str], **form, **_locked(thing)}

    def _bit_generator(self, thing: Any) -> Plain:
        seed = thing.seed_seq
        if type(seed) is not np.random.SeedSequence or getattr(np.random, type(thing).__name__, None) is not type(
            thing
        ):
            raise self._fail(thing, "whose seed is of a kind of its own")
        entropy = [self._value(int(part)) for part in np.atleast_1d(np.array(seed.entropy, dtype=object))]
        key = [int(part) for part in seed.spawn_key]
        grown = {"entropy": entropy, "key": key, "pool": seed.pool_size, "children": seed.n_children_spawned}
        return {WHAT: ["bits", type(thing).__name__], "state": self._state(thing.state), "seed": grown}

    def _state(self, part: Any) -> Plain:
        if isinstance(part, Mapping):
            return {str(key): self._state(value) for key, value in part.items()}
        if isinstance(part, np.ndarray):
            return ["array", part.dtype.str, part.tobytes()]
        return self._value(int(part) if isinstance(part, np.integer) else part)


def _locked(array: Any) -> dict[str, Plain]:
    return {} if array.flags.writeable else {"locked": True}


def _is_agent(item: Any) -> bool:
    """Whether something has a number of its own, as Mesa's agents have."""
    return type(getattr(item, "__dict__", {}).get("unique_id")) in (int, str)


def _agent_key(agent: Any) -> tuple[str, bool, Any]:
    own = agent.unique_id
    return type(agent).__qualname__, isinstance(own, str), own


def _is_of_numbers(item: Any) -> bool:
    return type(item) in (int, float, bool) or (type(item) is tuple and all(_is_of_numbers(part) for part in item))


_EMPTY_CELL = types.CellType()


def _never_changes(thing: Any) -> bool:
    """Whether something is what it is for good."""
    if type(thing) is tuple:
        return all(_never_changes(part) for part in thing)
    named = isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType) and _name(thing) is not None
    return (
        named
        or type(thing) in _SCALARS
        or type(thing) in (int, complex)
        or isinstance(thing, types.ModuleType | enum.Enum)
    )


def _is_instance(value: Any) -> bool:
    """Whether an attribute of a class has attributes of its own that are part of what a model is."""
    return _made_by_python(type(value)) and not isinstance(value, type) and bool(getattr(value, "__dict__", None))


def _made_by_python(kind: type) -> bool:
    """Whether no class that it descends from is made in C, with a state of its own that nobody sees."""
    bases = [base for base in kind.__mro__ if base is not object]
    if any(base.__flags__ & _OF_PYTHON != _HEAP_TYPE for base in bases):
        return False
    return not any(isinstance(vars(base).get("__new__"), types.BuiltinFunctionType) for base in bases)


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
        slots = _slots(type(thing))
        for name, value in record.items():
            if name == WHAT or (name in _OF_RECORDS and record[WHAT][0] != "object"):
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
        found = _named(module, name)
        if found is None or _name(found) != (module, name):
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


_BARE: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, lambda thing: bytes.__getitem__(thing, slice(None))),
)
_EMPTY: tuple[Any, ...] = ([], (), {}.keys(), {}.values(), {}.items())
_ITERATORS = frozenset(type(iter(one)) for one in _EMPTY)
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
_OF_RECORDS = frozenset({"items", "state", "value", "most", "factory"})
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
