"""The way there: every object that a model reaches, visited once and written down as a record of its graph."""

import enum
import itertools
import types
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any, Literal

import numpy as np

from actors.adapters.introspection import (
    SCALARS,
    attributes_of,
    has_attributes,
    made_by_python,
    name_of,
    never_changes,
    slots_of,
)
from actors.adapters.object_graphs import OF_RECORDS, ROOT, WHAT, Born, UncapturableError
from actors.core.kernel.codec import Plain, encode

OBJECTS_MAX = 5_000_000
"""More than a model of a million agents has; a graph without end must stop somewhere."""
_ARRAY_KINDS = "biufcSUMm"
_WORD_MIN, _WORD_END = -(1 << 63), 1 << 63
_EMPTY_CELL = types.CellType()
_BARE: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, lambda thing: bytes.__getitem__(thing, slice(None))),
)
_EMPTY: tuple[Any, ...] = ([], (), {}.keys(), {}.values(), {}.items())
_ITERATORS = frozenset(type(iter(one)) for one in _EMPTY)


def born_with(root: Any) -> Born:
    """What a model that was just made has that no name leads to.

    Raises:
        UncapturableError: something that it reaches cannot be written down; see `object_graphs.py`.
    """
    walk = _Walk(root, None)
    walk.run()
    own = {kind.__module__.partition(".")[0] for kind in type(root).__mro__ if kind is not object}
    return Born(tuple(walk.nameless), frozenset(walk.names), frozenset(own))


def captured(root: Any, born: Born) -> dict[str, Plain]:
    """Every object that `root` reaches, by id; `root` itself is the first.

    Raises:
        UncapturableError: something that it reaches cannot be written down; see `object_graphs.py`.
    """
    walk = _Walk(root, born)
    walk.run()
    return walk.objects


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
        if kind in SCALARS:
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
            name = name_of(thing)
            return None if name is None else ["class", *self._known(thing, name)]
        if kind in (types.FunctionType, types.BuiltinFunctionType) and (name := name_of(thing)) is not None:
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
        if vars(function) or not all(one is self.root or one is function or never_changes(one) for one in held):
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
        if id(item) not in self._ids and type(item) not in SCALARS and type(item) is not int:
            constant = None if type(item) is types.FunctionType and name_of(item) is None else self._constant(item)
            if constant is not None:
                return constant
            if not _is_agent(item):
                raise self._fail(item, "which nothing but a set holds: whatever comes of it follows from addresses")
        return self._value(item)

    def _record(self, thing: Any) -> Plain:
        kind = type(thing)
        if isinstance(thing, type):
            own = {name: self._value(value) for name, value in sorted(vars(thing).items()) if has_attributes(value)}
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
        if not made_by_python(kind):
            raise self._fail(thing, "whose state is not in its attributes")
        return {WHAT: ["object", *self._class_of(thing)], **self._own(thing, plain=True)}

    def _class_of(self, thing: Any) -> tuple[str, str]:
        """Module and name; of a class to which no name leads, nothing and its id in the graph."""
        kind = type(thing)
        if (found := self._classes.get(kind)) is None:
            name = name_of(kind)
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
            slots = self._slots[kind] = slots_of(kind)
        for name, value in attributes_of(thing, slots):
            if name == "__orig_class__":  # how its class was written, for type checkers
                continue
            if not isinstance(name, str) or name == WHAT:
                raise self._fail(thing, f"with an attribute {name!r}")
            found[f".{name}" if not plain and name in OF_RECORDS else name] = self._value(value)
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
