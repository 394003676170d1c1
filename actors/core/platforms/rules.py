"""Protocol's rules: a table of what rituals, births, whispers and ventures may not exceed, and the score of compliance."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from actors.core.platforms.agents import AGENTS_MAX, GENERATION_MAX
from actors.core.platforms.messages import Fact, ItemKind, LevelName
from actors.core.platforms.schemas import Id, Line, Part, Unit
from actors.core.platforms.whispers import WHISPER_CHARACTERS_MAX

RULES_MAX = 32


class Rule(Part, frozen=True):
    """A rule: of items of a kind, a fact may not exceed a limit.

    Attributes:
        kind: of the items it is for.
        fact: what it looks at; an item that does not tell it breaks the rule.
        at_most: the limit.
        because: for people.
    """

    kind: ItemKind
    fact: Id
    at_most: Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]
    because: Line


RULES: Final[Mapping[str, Rule]] = {
    "birth_curses": Rule("birth", "curses", 1.0, "who is cursed twice brings no child to life"),
    "birth_generation": Rule("birth", "generation", float(GENERATION_MAX), "no birth past the last generation"),
    "birth_room": Rule("birth", "population", AGENTS_MAX - 1.0, "there is room for so many"),
    "ritual_energy": Rule("ritual", "energy", 60.0, "no ritual drains the pool"),
    "ritual_strain": Rule("ritual", "strain", 0.9, "nobody too unsettled is brought into a ritual"),
    "venture_risk": Rule("venture", "risk", 0.8, "no venture risks everything"),
    "whisper_length": Rule("whisper", "length", float(WHISPER_CHARACTERS_MAX), "a whisper is short"),
    "whisper_words": Rule("whisper", "forbidden", 0.0, "a whisper neither threatens nor commands"),
}
"""The rules a Protocol begins with, looked at in order of their ids."""

COMPLIANCE_OLD = 0.7
COMPLIANCE_LEVELS: Final[tuple[tuple[float, LevelName], ...]] = (
    (0.5, "critical"),
    (0.8, "warning"),
    (0.95, "standard"),
)
"""(score below which, level); above all of them it is excellent."""


class Compliance(Part, frozen=True):
    """How well what is asked keeps to the rules: a moving average of the share of valid items, and its level."""

    score: Unit
    level: LevelName


def broken_rule(rules: Mapping[str, Rule], kind: str, facts: Mapping[str, Fact]) -> str:
    """The first rule, in order of the ids, that an item breaks; "" if it may be."""
    for rule_id in sorted(rules):
        rule = rules[rule_id]
        if rule.kind == kind and not (rule.fact in facts and facts[rule.fact] <= rule.at_most):
            return rule_id
    return ""


def level_of(score: float) -> LevelName:
    """The level of a score."""
    return next((level for below, level in COMPLIANCE_LEVELS if score < below), "excellent")


def after_control_tick(before: Compliance, valid: int, asked: int) -> Compliance:
    """The compliance after a control tick in which so many of those asked were valid; without any it stays."""
    if not asked:
        return before
    score = COMPLIANCE_OLD * before.score + (1.0 - COMPLIANCE_OLD) * (valid / asked)
    score = min(max(score, 0.0), 1.0)
    return Compliance(score, level_of(score))


def check_rules(rules: Mapping[str, Rule]) -> None:
    """Whether the rules of a state from outside keep what Cal Riven denies denied.

    Raises:
        ValueError: they do not.
    """
    limits = [rule.at_most for rule in rules.values() if rule.kind == "birth" and rule.fact == "generation"]
    if not limits or min(limits) > GENERATION_MAX:
        raise ValueError(f"rules: a birth's generation may be at most {GENERATION_MAX}; Cal Riven denies more")
