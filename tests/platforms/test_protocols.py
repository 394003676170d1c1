"""Protocol: a table of rules, contracts, and a score of compliance."""

import pytest
from instances import Society

from actors.core.platforms.rules import COMPLIANCE_LEVELS, RULES, Compliance, after_control_tick, broken_rule, level_of

RITUAL = {"energy": 30.0, "strain": 0.2}


def test_an_item_that_breaks_no_rule_is_valid():
    society = Society(2, start=False)
    found = society.ask("protocol", "request_validation", item_id="r1", kind="ritual", facts=RITUAL)
    assert (found["valid"], found["rule"]) == (True, "")
    assert society.query("protocol", "validation", item_id="r1") == found


@pytest.mark.parametrize("rule_id", RULES)
def test_every_rule_is_kept_up_to_its_limit(rule_id):
    rule = RULES[rule_id]
    facts = {other.fact: 0.0 for other in RULES.values() if other.kind == rule.kind}
    assert broken_rule(RULES, rule.kind, facts | {rule.fact: rule.at_most}) == ""
    assert broken_rule(RULES, rule.kind, facts | {rule.fact: rule.at_most + 0.01}) == rule_id
    del facts[rule.fact]
    assert broken_rule(RULES, rule.kind, facts) == rule_id, "what is not told breaks the rule"


@pytest.mark.parametrize(
    "arguments",
    [
        {"item_id": "", "kind": "ritual", "facts": {}},
        {"item_id": "a\nb", "kind": "ritual", "facts": {}},
        {"item_id": 5, "kind": "ritual", "facts": {}},
        {"item_id": "r", "kind": "war", "facts": {}},
        {"item_id": "r", "kind": "ritual", "facts": {"energy": "much"}},
        {"item_id": "r", "kind": "ritual", "facts": {"energy": -1}},
        {"item_id": "r", "kind": "ritual", "facts": [1]},
        {"item_id": "r", "kind": "ritual", "facts": {str(number): 1 for number in range(17)}},
    ],
)
def test_a_request_must_be_one(arguments):
    Society(2, start=False).refusal("protocol", "request_validation", **arguments)


def test_what_runtime_asked_about_nobody_else_asks_about_again():
    society = Society(2).run(300)
    known = society.query("protocol", "validations")
    item_id = next(one for one, found in known.items() if found["asked_by"] == "runtime")
    refused = society.refusal("protocol", "request_validation", item_id=item_id, kind="ritual", facts=RITUAL)
    assert "Runtime's" in refused.error_message
    society.ask("runtime", "stop_autonomous")
    society.say("protocol", "request_validation", {"item": item_id, "kind": "ritual", "facts": {}})
    society.tick()
    assert society.query("protocol", "validation", item_id=item_id) == known[item_id]
    assert "Runtime's" in society.vitals("protocol")["refused"]["last_reason"]


def test_validations_are_bounded_and_the_oldest_goes():
    society = Society(2, start=False)
    for number in range(70):
        society.ask("protocol", "request_validation", item_id=f"r{number:02d}", kind="ritual", facts=RITUAL)
    found = society.query("protocol", "validations")
    assert len(found) == 64
    assert min(found) == "r06"


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0.0, "critical"),
        (0.499, "critical"),
        (0.5, "warning"),
        (0.799, "warning"),
        (0.8, "standard"),
        (0.949, "standard"),
        (0.95, "excellent"),
        (1.0, "excellent"),
    ],
)
def test_the_levels(score, level):
    assert level_of(score) == level
    assert COMPLIANCE_LEVELS == ((0.5, "critical"), (0.8, "warning"), (0.95, "standard"))


def test_the_score_is_a_moving_average():
    after = after_control_tick(Compliance(1.0, "excellent"), 0, 2)
    assert (after.score, after.level) == (0.7, "warning")
    after = after_control_tick(after, 1, 2)
    assert after.score == pytest.approx(0.7 * 0.7 + 0.3 * 0.5)
    assert after_control_tick(after, 0, 0) == after


def test_the_score_moves_once_per_control_tick():
    society = Society(2, start=False)
    for number in range(3):
        society.ask("protocol", "request_validation", item_id=f"bad{number}", kind="ritual", facts={})
    assert society.query("protocol", "compliance")["score"] == 1.0
    society.tick()
    assert society.query("protocol", "compliance") == {"score": 0.7, "level": "warning"}
    society.tick()
    assert society.query("protocol", "compliance")["score"] == 0.7


# Contracts


def test_a_society_that_begins_has_an_eternal_contract_and_one_for_every_birth():
    society = Society(2, start=False)
    society.ask("runtime", "initialize")
    society.tick()
    kinds = [contract["kind"] for contract in society.query("protocol", "contracts").values()]
    assert kinds == ["eternal", "consciousness", "consciousness", "consciousness"]
    society.ask("runtime", "start_autonomous")
    society.tick()
    assert society.query("protocol", "contract", contract_id="contract_000004")["kind"] == "deployment"


def test_a_contract_is_in_force_when_all_have_signed_and_makes_its_item_valid():
    society = Society(2, start=False)
    society.ask("protocol", "request_validation", item_id="bad", kind="ritual", facts={})
    made = society.ask(
        "protocol", "propose_contract", kind="binding", parties=["ann", "bob"], terms="peace", item_id="bad"
    )
    contract_id = made["contract_id"]
    assert society.ask("protocol", "sign", contract_id=contract_id, party="ann")["signed"] == ["ann"]
    assert not society.query("protocol", "validation", item_id="bad")["valid"]
    society.say("protocol", "signature", {"contract": contract_id, "party": "bob"})
    society.tick()
    assert society.query("protocol", "validation", item_id="bad")["valid"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"contract_id": "none"}, "no contract"),
        ({"contract_id": 3}, "no contract"),
        ({"party": "eve"}, "no party"),
        ({"party": "ann"}, "has signed"),
        ({"contract_id": "contract_000000"}, "eternal"),
    ],
)
def test_what_cannot_be_signed(arguments, says):
    society = Society(2, start=False)
    society.ask("runtime", "initialize")
    society.tick()
    made = society.ask("protocol", "propose_contract", kind="binding", parties=["ann", "bob"], terms="peace")
    society.ask("protocol", "sign", contract_id=made["contract_id"], party="ann")
    refused = society.refusal("protocol", "sign", **{"contract_id": made["contract_id"], "party": "bob"} | arguments)
    assert says in refused.error_message


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "verbal"},
        {"parties": []},
        {"parties": ["ann", "ann"]},
        {"parties": "ann"},
        {"parties": [f"p{number}" for number in range(9)]},
        {"terms": "x" * 501},
        {"item_id": "nothing"},
        {"item_id": 4},
    ],
)
def test_a_contract_must_be_one(arguments):
    whole = {"kind": "binding", "parties": ["ann"], "terms": "peace"} | arguments
    Society(2, start=False).refusal("protocol", "propose_contract", **whole)


def test_an_eternal_contract_outlives_all_others():
    society = Society(2, start=False)
    society.ask("runtime", "initialize")
    society.tick()
    for _ in range(80):
        society.ask("protocol", "propose_contract", kind="binding", parties=["ann"], terms="peace")
    contracts = society.query("protocol", "contracts")
    assert len(contracts) == 64
    assert contracts["contract_000000"]["kind"] == "eternal"
