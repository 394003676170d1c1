"""Finding, seeding and making a Mesa model that a user names by path.

Mesa is imported only when a model is made: a multiverse without Mesa models does not pay for it (about a second, for
pandas and scipy come with it) and does not need it. Only the model's own module is imported, never Mesa's visualisation.
"""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import FactoryError
from actors.core.kernel.members import Birth

Model = Any
"""A `mesa.Model`. (Mesa is not imported here, and brings no types of its own.)"""

SEED_KEYWORDS = ("seed", "rng")
"""What a Mesa model may call its seed, the first that fits. For a whole number both seed both of its generators alike."""

SEED_STREAM = "mesa/seed"
SEED_BOUND = 1 << 31
"""Derived seeds fit into 31 bits, which every generator takes."""

EXTRA = "pip install 'soulfra-multiverse[mesa]'"


def model_seed(birth: Birth, seed: int | None = None) -> int:
    """The seed that a hosted model gets: the given one, else one derived from the multiverse's seed and the lineage.

    The same model run alone with it, `Model(**arguments, seed=model_seed(birth))`, collects the same rows.

    Raises:
        FactoryError: the given seed is not a whole number from 0 to 2⁶³-1.
    """
    if seed is None:
        return birth.streams().below(SEED_STREAM, 0, 0, SEED_BOUND)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 63:
        raise FactoryError(f"seed {seed!r} of a Mesa model must be a whole number from 0 to 2^63-1.")
    return seed


def imported(path: str, what: str) -> Any:
    """What `module:name` leads to.

    Args:
        path: for example "mesa.examples.basic.schelling.model:Schelling".
        what: what it is used as, for the error.

    Raises:
        FactoryError: the path leads nowhere, or a package is missing.
    """
    module_name, separator, name = path.partition(":") if isinstance(path, str) else ("", "", "")
    if not module_name or not separator or not name:
        raise FactoryError(f"{what} {path!r} must read 'module:name'.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise FactoryError(_missing(error, path, what)) from error
    except Exception as error:  # a user's module may raise whatever it likes
        raise FactoryError(f"{what} {path!r} cannot be imported: {type(error).__name__}: {error}.") from error
    if not hasattr(module, name):
        raise FactoryError(f"{what} {path!r}: module {module_name!r} has no {name!r}.")
    return getattr(module, name)


def _missing(error: ModuleNotFoundError, path: str, what: str) -> str:
    package = (error.name or "").partition(".")[0]
    if package == path.partition(":")[0].partition(".")[0] and error.name != "mesa":
        return f"{what} {path!r}: there is no module {error.name!r} on the import path; name its folder there."
    return (
        f"{what} {path!r} needs the package {package!r}, which is not installed: {EXTRA} brings Mesa and what its shipped "
        "examples need; what your own model needs beyond it, install beside it."
    )


def imported_function(path: str, what: str) -> Any:
    """The function that `module:function` leads to, or None for "".

    Raises:
        FactoryError: the path leads nowhere, or to something that cannot be called.
    """
    if path == "":
        return None
    found = imported(path, what)
    if not callable(found):
        raise FactoryError(f"{what} {path!r} is a {type(found).__name__}, not a function.")
    return found


def model_class(path: str) -> type:
    """The Mesa model that `module:Class` leads to.

    Raises:
        FactoryError: the path leads nowhere, to something that is no Mesa model, or Mesa is not installed.
    """
    base = imported("mesa:Model", "the base class of Mesa models")
    found = imported(path, "Mesa model")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise FactoryError(f"{path!r} is no subclass of mesa.Model; name a Mesa model as 'module:Class'.")
    return found


def seed_keyword(kind: type) -> str:
    """The keyword by which a model takes its seed, by the signatures from the class up to the first that is closed.

    Raises:
        FactoryError: it takes none.
    """
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters
        for keyword in SEED_KEYWORDS:
            if keyword in parameters:
                return keyword
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    raise FactoryError(
        f"{kind.__module__}:{kind.__qualname__} takes neither 'seed' nor 'rng' (from Mesa 3.4 on, some models take a "
        "'scenario' object instead); host a subclass of it with 'seed' in its constructor."
    )


def make_model(path: str, arguments: Mapping[str, Plain], seed: int) -> Model:
    """A new model, made as its user would make it alone: `Class(**arguments, seed=seed)`.

    Raises:
        FactoryError: it cannot be found or seeded, its arguments name the seed, or its constructor raises.
    """
    kind = model_class(path)
    keyword = seed_keyword(kind)
    if named := sorted(set(SEED_KEYWORDS) & set(arguments)):
        raise FactoryError(f"arguments of {path!r} hold {named[0]!r}; give it as the realm's own parameter 'seed'.")
    try:
        return kind(**arguments, **{keyword: seed})
    except Exception as error:  # a foreign constructor may raise whatever it likes
        raise FactoryError(f"{path!r} could not be made: {type(error).__name__}: {error}.") from error
