"""The tables of docs/god_mode.md, drawn from the models and tables of the code. Run as a program, it writes them into the page."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from actors.core.kernel.settings import Settings
from actors.core.merging.merge_reports import CONFLICTS_KEPT_MAX
from actors.core.permissions.roles import ROLES, VERBS
from orchestration.god_commands import (
    BY_TYPE,
    COPIES_MAX,
    KEY_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
    AgentPossession,
    Intervention,
    MergeInstances,
)
from orchestration.god_options import COMMAND_BYTES_MAX, name_of

PAGE = Path(__file__).parents[2] / "docs" / "god_mode.md"
PLACE = re.compile(r"<!-- (\w+) -->\n.*?\n<!-- end -->", re.DOTALL)
EVERYBODYS = ("type", "kind", "idempotency_key")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def fields(model) -> str:
    """The parameters of a command; those that it cannot do without are bold."""
    return ", ".join(
        f"**`{name}`**" if field.is_required() else f"`{name}`"
        for name, field in model.model_fields.items()
        if name not in EVERYBODYS
    )


def most(model, name: str) -> int:
    (found,) = (one.le for one in model.model_fields[name].metadata if hasattr(one, "le"))
    return int(found)


def tables() -> dict[str, str]:
    kinds = get_args(get_args(Intervention)[0])
    return {
        "commands": table(
            ("type", "from a shell", "fields", "effect"),
            [
                (f"`{type_}`", f"`soulfra god {name_of(type_)}`", fields(model), model.__doc__)
                for type_, model in BY_TYPE.items()
            ],
        ),
        "interventions": table(
            ("kind", "fields", "effect"),
            [(f"`{model.model_fields['kind'].default}`", fields(model), model.__doc__) for model in kinds],
        ),
        "roles": table(
            ("may", "who", "verbs"),
            [
                (
                    group,
                    ", ".join(role for role, groups in ROLES.items() if group in groups),
                    ", ".join(f"`{verb}`" for verb in verbs),
                )
                for group, verbs in VERBS.items()
            ],
        ),
        "limits": table(
            ("of what", "at most"),
            [
                ("instances that live at once (`instances_max`)", f"{Settings().instances_max:,}, a setting"),
                ("copies in one fork", f"{COPIES_MAX:,}"),
                (
                    "instances in one merge, or that may speak to each other by one command",
                    f"{next(one.max_length for one in MergeInstances.model_fields['ids'].metadata if hasattr(one, 'max_length')):,}",
                ),
                ("local ticks of a lease", f"{most(AgentPossession, 'lease_ticks'):,}"),
                ("characters of an idempotency key", f"{KEY_CHARACTERS_MAX:,}"),
                ("characters of a reason", f"{REASON_CHARACTERS_MAX:,}"),
                ("conflicts in the report of a merge that is asked for again", f"{CONFLICTS_KEPT_MAX:,}"),
                ("bytes of a command on standard input", f"{COMMAND_BYTES_MAX:,}"),
            ],
        ),
    }


def written(page: str) -> str:
    """The page with its tables as the code has them."""
    drawn = tables()
    return PLACE.sub(lambda found: f"<!-- {found[1]} -->\n{drawn[found[1]]}\n<!-- end -->", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
