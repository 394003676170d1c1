"""The tables of docs/instances.md, drawn from those in the code. Run as a program, it writes them into the page."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from instances import KINDS

from actors.core.platforms.agents import BUILT_IN, TEMPLATES, TIERS
from actors.core.platforms.bridges import BRIDGE
from actors.core.platforms.patterns import PATTERNS
from actors.core.platforms.personalities import ACTIONS, TRAITS
from actors.core.platforms.rituals import KINDS as RITUAL_KINDS
from actors.core.platforms.rituals import PHASES
from actors.core.platforms.rules import COMPLIANCE_LEVELS, RULES
from actors.core.platforms.threads import NEEDS
from actors.core.platforms.weathers import FREQUENCIES

PAGE = Path(__file__).parent.parent.parent / "docs" / "instances.md"
PLACE = re.compile(r"<!-- (\w+) -->\n.*?\n<!-- end -->", re.DOTALL)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def yes(value: object) -> str:
    return "yes" if value else "no"


def first_sentence(text: str | None) -> str:
    return (text or "").split("\n\n")[0].replace("\n", " ").split(". ")[0].split("; returns")[0].rstrip(".").strip()


def tables() -> dict[str, str]:
    return {**of_society(), **of_law(), **of_members()}


def of_society() -> dict[str, str]:
    names = {template: agent_id for agent_id, template in BUILT_IN.items()}
    return {
        "bridge": table(
            ("from", "to", ""), [(one, other, "allowed" if may else "denied") for one, other, may in BRIDGE]
        ),
        "templates": table(
            ("template", "what is special", "acts", "children", *TRAITS),
            [
                (
                    f"{name} ({names[name]})" if name in names else name,
                    row.for_people,
                    row.priority,
                    yes(row.has_children),
                    *(getattr(row.personality, trait) for trait in TRAITS),
                )
                for name, row in TEMPLATES.items()
            ],
        ),
        "actions": table(
            ("action", "effect", "energy", "weight", "drawn on"),
            [
                (
                    name,
                    row.effect,
                    row.costs,
                    row.base,
                    ", ".join(f"{trait} {share}" for trait, share in row.draws.items()),
                )
                for name, row in ACTIONS.items()
            ],
        ),
        "tiers": table(("tier", "risk it takes on alone, up to"), TIERS.items()),
        "needs": table(("sign", "urgency", "ritual"), [(row.sign, row.urgency, row.ritual) for row in NEEDS.values()]),
        "rituals": table(
            ("ritual", "when completed", "energy", "gift"),
            [(name, row.effect, row.energy, row.gift) for name, row in RITUAL_KINDS.items()],
        ),
        "phases": table(
            ("phase", "local ticks", "critical", "fails, of 1,000"),
            [(name, row.ticks, yes(row.critical), row.fails_per_mille) for name, row in PHASES.items()],
        ),
    }


def of_law() -> dict[str, str]:
    return {
        "weather": table(("phase", "frequency, Hz"), FREQUENCIES.items()),
        "rules": table(
            ("rule", "of a", "may be at most", ""),
            [(name, f"{row.kind}: {row.fact}", f"{row.at_most:g}", row.because) for name, row in RULES.items()],
        ),
        "levels": table(
            ("score", "level"),
            [*((f"below {below}", level) for below, level in COMPLIANCE_LEVELS), ("else", "excellent")],
        ),
        "patterns": table(
            ("pattern", "sign", "from a strength of"),
            [(name, row.sign, row.counts_from) for name, row in PATTERNS.items()],
        ),
    }


def of_members() -> dict[str, str]:
    return {
        "commands": table(
            ("platform", "command", ""),
            [
                (role, f"`{verb}`", first_sentence(getattr(kind, verb).__doc__))
                for role, kind in KINDS.items()
                for verb in vars_in_order(kind)
            ],
        ),
        "questions": table(
            ("platform", "questions"),
            [
                (role, ", ".join(f"`{verb}({argument})`" for verb, (_, argument) in kind.questions.items()))
                for role, kind in KINDS.items()
            ],
        ),
    }


def vars_in_order(kind: type) -> list[str]:
    return [
        name
        for base in reversed(kind.__mro__)
        for name, value in vars(base).items()
        if getattr(value, "__dict__", {}).get("is_command")
    ]


def written(page: str) -> str:
    """The page with its tables as the code has them."""
    drawn = tables()
    return PLACE.sub(lambda found: f"<!-- {found[1]} -->\n{drawn[found[1]]}\n<!-- end -->", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
