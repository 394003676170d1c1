"""Whatever is asked of a platform gives a result or an error; a refusal changes nothing, and no state is beyond restoring."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from instances import KINDS, Society

WORDS = [
    *(
        "arty",
        "cal_riven",
        "agent_zero",
        "glass",
        "late",
        "nobody",
        "",
        "l1",
        "l2",
        "ann",
        "basic",
        "mirror",
        "sovereign",
    ),
    *(
        "ephemeral",
        "governor",
        "birth",
        "calling",
        "gathering",
        "rest",
        "help",
        "propose",
        "pursue",
        "wait",
        "calm-bloom",
    ),
    *(
        "echo-storm",
        "ritual",
        "venture",
        "whisper",
        "whisper_across",
        "binding",
        "eternal",
        "contract_000000",
        "ritual_000000",
        "x" * 600,
        "a\nb",
        "now",
    ),
]
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.floats(allow_nan=False) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["calm", "energy", "strain", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)
NAMES: dict[str, list[str]] = {
    "initialize": [],
    "start_autonomous": [],
    "stop_autonomous": [],
    "whisper": ["sender", "text", "agent_id"],
    "whisper_across": ["agent_id", "instance", "text", "listener"],
    "spawn_agent": ["template", "agent_id", "parent", "personality"],
    "terminate_agent": ["agent_id"],
    "modify_personality": ["agent_id", "personality"],
    "inject_ritual": ["kind", "agent_id", "template"],
    "possess": ["agent_id", "lease_ticks", "lease_id", "principal"],
    "act": ["lease_id", "agent_id", "action", "target", "ritual"],
    "release": ["lease_id"],
    "break_possession": ["agent_id"],
    "alter_weather": ["phase", "intensity"],
    "emit_echo": ["agent_id", "mood", "energy", "state", "aura"],
    "request_validation": ["item_id", "kind", "facts"],
    "propose_contract": ["kind", "parties", "terms", "item_id"],
    "sign": ["contract_id", "party"],
}


@st.composite
def asked(draw: Any) -> tuple[str, dict[str, Any]]:
    verb = draw(st.sampled_from(sorted(NAMES)))
    likely = st.sampled_from(WORDS) | plain
    return verb, {name: draw(likely) for name in NAMES[verb]}


def owner(society: Society, verb: str) -> str:
    return next(role for role in KINDS if verb in society.seats[role].contract.commands)


def test_every_command_is_fuzzed():
    society = Society(1, start=False)
    assert {verb for role in KINDS for verb in society.seats[role].contract.commands} == set(NAMES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(asked(), min_size=1, max_size=12), st.integers(0, 3))
def test_a_refusal_changes_nothing(commands, seed):
    society = Society(seed)
    society.ask("runtime", "spawn_agent", template="mirror", agent_id="glass")
    for verb, arguments in commands:
        role = owner(society, verb)
        before = society.standing(role)
        result = society.result(role, verb, **arguments)
        if result.error_code:
            assert result.error_code in ("command_refused", "governor_denied"), (verb, arguments, result)
            assert result.error_message.endswith("."), result.error_message
            assert society.standing(role) == before
        society.tick()
    society.reborn().run(30)
    assert society.seats["runtime"].status().totals == society.ledger
    assert society.agent("glass")["state"] != "terminated"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_modification_is_taken_whole_or_refused(data):
    """Any attribute of any object set to anything: what is taken can be lived with and restored."""
    society = Society(2).run(320)
    for _ in range(4):
        role = data.draw(st.sampled_from(sorted(KINDS)))
        state = {name: section.objects for name, section in society.state(role).items() if section.objects}
        section = data.draw(st.sampled_from(sorted(state)))
        object_id = data.draw(st.sampled_from(sorted(state[section])))
        attribute = data.draw(st.sampled_from(sorted(state[section][object_id])))
        value = data.draw(plain | st.integers(0, 1_000) | st.floats(0, 1))
        before = society.standing(role)
        result = society.result(role, "@modify", **{f"{section}.{object_id}.{attribute}": value})
        if result.error_code:
            assert result.error_code in ("command_refused", "governor_denied"), result
            assert society.standing(role) == before
    society.run(30).reborn().run(30)
