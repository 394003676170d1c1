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

Here is what both ways have in common: `graph_captures.py` writes graphs down, `graph_restorations.py` takes them up.
"""

from typing import Any, NamedTuple

ROOT = "model"
"""The id of what everything else is reached from."""
WHAT = "@"
"""The attribute of an object's record that says what it is."""
OF_RECORDS = frozenset({"items", "state", "value", "most", "factory"})
"""What a record may say beside attributes; an attribute that is called so has a dot before it."""
_PLAIN_MODULES = frozenset({"builtins", "collections", "decimal", "fractions", "numpy", "random", "weakref"})
"""Any class of these does nothing when an empty instance of it is made."""


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
