"""A Mesa model's whole state, taken and taken up: its objects, and what was read of its rows."""

from typing import Any

from actors.adapters.graph_captures import born_with, captured
from actors.adapters.graph_restorations import restored
from actors.adapters.mesa_models import Model
from actors.adapters.mesa_states import RowFold
from actors.adapters.object_graphs import NOTHING_BORN, UncapturableError
from actors.core.kernel.codec import Plain, decode, encode


class CapturedModel:
    """A model that was just made, and can say what it is later on, or become what another one was.

    Args:
        model: just made; nothing has happened to it.
    """

    def __init__(self, model: Model) -> None:
        self._model, self._born, self._refusal = model, NOTHING_BORN, ""
        try:
            self._born = born_with(model)
        except UncapturableError as error:
            self._refusal = str(error)
        except Exception as error:  # foreign objects may do anything when they are looked at
            self._refusal = f"it cannot be looked through: {type(error).__name__}: {error}"

    def objects(self) -> dict[str, Plain]:
        """Every object of the model, by id.

        Raises:
            UncapturableError: one of them cannot be written down.
        """
        if self._refusal:
            raise UncapturableError(self._refusal)
        try:
            return captured(self._model, self._born)
        except UncapturableError:
            raise
        except Exception as error:  # see above
            raise UncapturableError(f"it cannot be looked through: {type(error).__name__}: {error}") from error

    def become(self, objects: dict[str, Any]) -> None:
        """Becomes what was told of another model that was made by the same constructor.

        Raises:
            UncapturableError: it cannot.
        """
        if self._refusal:
            raise UncapturableError(self._refusal)
        restored(self._model, self._born, objects)


def told_whole(model: CapturedModel, fold: RowFold) -> tuple[bytes, str]:
    """The model and its fold as one document; or nothing, and why not."""
    try:
        return encode({"objects": model.objects(), "fold": fold.table()}), ""
    except (UncapturableError, ValueError, RecursionError) as error:
        return b"", f"Its state cannot be written down: {error}."


def take_up(model: CapturedModel, fold: RowFold, document: bytes) -> None:
    """Lets a fresh model and its fold become what such a document says.

    Raises:
        UncapturableError: they cannot.
    """
    told = decode(document)
    model.become(told["objects"])
    fold.restore(told["fold"])
