"""Forms: what is asked for beside god commands, each as a model. Unknown fields are errors."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from orchestration.god_commands import FORM, REASON_CHARACTERS_MAX, Id, Text
from orchestration.presiding import SYNC_DELAY_TICKS, SYNC_DELAY_TICKS_MAX
from orchestration.visitors import RUN_CONTROL_TICKS_MAX


class Creation(BaseModel):
    """A new instance of Surface, Runtime, Protocol and Mirror."""

    model_config = FORM

    name: Id
    """No other that lives has it."""
    phase: Literal["created", "initialized", "started"] = "started"
    """How far it is brought at once."""


class Run(BaseModel):
    """So much time for a clock that stands."""

    model_config = FORM

    control_ticks: Annotated[int, Field(ge=0, le=RUN_CONTROL_TICKS_MAX, strict=True)]
    """How many it lives, as fast as it can."""


class PlatformMerge(BaseModel):
    """When the four platforms of an instance are looked at."""

    model_config = FORM

    sync_delay_ticks: Annotated[int, Field(ge=0, le=SYNC_DELAY_TICKS_MAX, strict=True)] = SYNC_DELAY_TICKS
    """So many local ticks ahead; of a clock that stands, now."""


class Export(BaseModel):
    """As what an instance goes out: as it is now, at a snapshot, or at a control tick."""

    model_config = FORM

    snapshot: Text = ""
    """As it was at this snapshot."""
    control_tick: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """As it was after this control tick, before its commands."""
    reason: Annotated[str, Field(max_length=REASON_CHARACTERS_MAX)] = ""
    """Why, for people."""


class Import(BaseModel):
    """As what an instance comes in."""

    model_config = FORM

    name: Text = ""
    """Of the instance; the package's own otherwise, with a number if that is taken."""


FORMS = (Creation, Run, PlatformMerge)
"""Those that come as a body."""
