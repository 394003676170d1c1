"""From a factory path to a factory: `module:name`, imported where the member will live."""

import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

from actors.core.kernel.errors import FactoryError, told


def add_realm_paths(realm_paths: Iterable[str]) -> None:
    """Puts users' folders on the import path, behind everything that is there already."""
    sys.path.extend(path for path in realm_paths if path not in sys.path)


def load(path: str) -> Callable[..., Any]:
    """The callable at `module:name`.

    Raises:
        FactoryError: not of that form, no such module, a module that fails to import, or no such callable in it.
    """
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise FactoryError(f"factory {path!r} must read module:name, for example actors.core.realms.city:City.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            raise FactoryError(
                f"factory {path!r}: there is no module {error.name!r} on the import path; "
                "check the spelling, or add its folder with --realm-path."
            ) from None
        raise FactoryError(f"factory {path!r}: its module needs {error.name!r}, which is not installed.") from None
    except BaseException as error:  # the user's module runs its own code when it is imported, and may even exit
        raise FactoryError(f"factory {path!r}: its module fails to import: {told(error)}.") from None
    found = getattr(module, name, None)
    if not callable(found):
        offered = ", ".join(sorted(key for key, value in vars(module).items() if isinstance(value, type))) or "none"
        raise FactoryError(f"factory {path!r}: {module_name} has no callable {name!r}; its classes: {offered}.")
    return found  # type: ignore[no-any-return]
