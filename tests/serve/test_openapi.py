"""The OpenAPI document is true: it says what the union of god commands says, and every answer is as it says."""

import jsonschema
import pytest
from served import JSON, ask, client, refusing

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.kernel.errors import CommandRefusedError, DamagedVaultError, EngineError
from orchestration import god_commands, god_results
from orchestration.god_commands import BY_TYPE, god_command
from serve.apps import BODY_BYTES_MAX, app_of
from serve.keys import Keys
from serve.schemas import REF

COMMANDS = [
    {"type": "FREEZE_TIME"},
    {"type": "FREEZE_TIME", "scope": ["alpha"], "duration_ticks": 20, "idempotency_key": "once"},
    {"type": "UNFREEZE_TIME"},
    {"type": "CLONE_INSTANCE", "source": "alpha", "modifications": {"mirror.all.it.gold": 7}},
    {"type": "REALITY_FORK", "source": "alpha", "count": 2, "divergent": True},
    {"type": "REALITY_FORK", "source": "alpha", "control_tick": 1},
    {"type": "CROSS_INSTANCE_COMMUNICATION", "ids": ["i1", "i2"], "enable": True},
    {"type": "MERGE_INSTANCES", "ids": ["i1", "i2"], "strategy": "ours", "dry_run": True},
    {"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": {"kind": "emergency_override", "reason": "x"}},
    {"type": "PUPPET_MASTER_INTERVENTION", "instance": "alpha", "intervention": {"kind": "resume"}},
    {"type": "AGENT_POSSESSION", "instance": "alpha", "agent": "cal_riven", "step": "release", "lease_id": "x"},
    {"type": "TIMELINE_REVERT", "control_tick": 1, "scope": "alpha"},
    {"type": "TIMELINE_REVERT", "control_tick": 1, "name": "again"},
]  # fmt: skip
"""Of every type one that can be, in an order in which each can be."""
WRONG = [
    {"type": "SMITE"},
    {},
    [],
    "FREEZE_TIME",
    {"type": "FREEZE_TIME", "until": 3},
    {"type": "FREEZE_TIME", "duration_ticks": 0},
    {"type": "FREEZE_TIME", "duration_ticks": "3"},
    {"type": "FREEZE_TIME", "scope": "alpha"},
    {"type": "FREEZE_TIME", "idempotency_key": "x" * 101},
    {"type": "CLONE_INSTANCE"},
    {"type": "MERGE_INSTANCES", "ids": ["i1"]},
    {"type": "MERGE_INSTANCES", "ids": ["i1", "i2"], "strategy": "mine"},
    {"type": "REALITY_FORK", "source": "alpha", "count": 1_001},
    {"type": "AGENT_POSSESSION", "instance": "i1", "step": "eat"},
    {"type": "PUPPET_MASTER_INTERVENTION", "instance": "i1", "intervention": {"kind": "smile"}},
    {"type": "PUPPET_MASTER_INTERVENTION", "instance": "i1", "intervention": {"kind": "alter_weather", "phase": "x", "intensity": 2}},
]  # fmt: skip


@pytest.fixture(scope="module")
def document(there):
    return there.nobody.get("/openapi.json").json()


def validator(document, schema):
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def check(document, method, path, response):
    """Raises unless an answer is one that the document announces."""
    announced = document["paths"][path][method]["responses"][str(response.status_code)]["content"]
    schema = announced[response.headers["content-type"]]["schema"]
    validator(document, schema).validate(response.json())
    return method, path, response.status_code


# --------------------------------------------------------------------------------------------------------- the commands


def test_the_union_has_every_type_of_command_and_no_other(document):
    schemas, union = document["components"]["schemas"], document["components"]["schemas"]["GodCommand"]
    assert union["discriminator"]["propertyName"] == "type"
    mapping = union["discriminator"]["mapping"]
    assert mapping == {kind: REF.format(model=model.__name__) for kind, model in BY_TYPE.items()}
    assert {one["$ref"] for one in union["oneOf"]} == {*mapping.values()} and len(union["oneOf"]) == len(BY_TYPE)
    for kind, model in BY_TYPE.items():
        schema = schemas[model.__name__]
        assert set(schema["properties"]) == set(model.model_fields), kind
        assert schema["additionalProperties"] is False and schema["description"] == model.__doc__


def test_every_command_comes_to_the_result_of_its_type(document):
    schema = document["paths"]["/v1/god"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(schema["discriminator"]["mapping"]) == set(BY_TYPE)
    results = {
        one for one in vars(god_results).values() if isinstance(one, type) and issubclass(one, god_results.GodResult)
    }
    assert {one["$ref"] for one in schema["oneOf"]} == {
        REF.format(model=one.__name__) for one in results - {god_results.GodResult}
    }


def test_no_name_stands_for_two_things(document):
    commands = god_commands.GOD_COMMANDS.json_schema(ref_template=REF)["$defs"]
    results = {one for one in vars(god_results) if isinstance(getattr(god_results, one), type)}
    assert not set(commands) & results
    for name, schema in commands.items():
        assert document["components"]["schemas"][name] == schema


def test_every_reference_leads_somewhere(document):
    def references(part):
        if isinstance(part, dict):
            yield from (part["$ref"] for _ in range("$ref" in part))
            yield from part.get("discriminator", {}).get("mapping", {}).values() if "discriminator" in part else ()
        for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from references(one)

    found = set(references(document))
    assert found and {one.rpartition("/")[2] for one in found} <= set(document["components"]["schemas"])


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_schema_allows_is_a_command(document, command):
    validator(document, document["components"]["schemas"]["GodCommand"]).validate(command)
    god_command(command)


@pytest.mark.parametrize("command", WRONG)
def test_what_the_schema_forbids_is_none(document, command):
    with pytest.raises(jsonschema.ValidationError):
        validator(document, document["components"]["schemas"]["GodCommand"]).validate(command)
    with pytest.raises(CommandRefusedError):
        god_command(command)


# ---------------------------------------------------------------------------------------------------------- the answers


def test_every_answer_that_is_announced_comes_and_is_as_announced(there, document):
    assert {one["type"] for one in COMMANDS} == set(BY_TYPE)
    seen = {check(document, "get", "/healthz", there.nobody.get("/healthz"))}
    came = {}
    for command in COMMANDS:
        response = ask(there.god, command)
        seen.add(check(document, "post", "/v1/god", response))
        came[command["type"]] = response.status_code
    assert {kind for kind, status in came.items() if status != 200} == {"AGENT_POSSESSION"}, "small platforms have none"
    seen |= {
        check(document, "post", "/v1/god", response)
        for response in (
            ask(there.nobody, {}),
            ask(there.watcher, {"type": "FREEZE_TIME"}),
            ask(there.god, {"type": "CLONE_INSTANCE", "source": "nobody"}),
            ask(there.god, {"type": "CLONE_INSTANCE", "source": "alpha", "name": "alpha"}),
            ask(there.god, {"type": "SMITE"}),
            there.god.post("/v1/god", content=b" " * (BODY_BYTES_MAX + 1), headers=JSON),
            there.god.post("/v1/god", content=b"{}"),
            ask(refusing(DamagedVaultError("x.")), {}),
            ask(refusing(EngineError("x.")), {}),
        )
    }
    for path, found, other in (
        ("/v1/state", "", "?limit=0"),
        ("/v1/history", "", "?limit=0"),
        ("/v1/instances/{instance}", "i1", "x" * (PART_CHARACTERS_MAX + 1)),
    ):
        stem = path.partition("{")[0]
        answers = [
            there.watcher.get(stem + found),
            there.god.get(stem + other),
            there.nobody.get(stem + found),
            there.stranger.get(stem + found),
            refusing(EngineError("x.")).get(stem + found),
        ]
        if "{" in path:
            answers.append(there.god.get(f"{stem}nobody"))
        if path == "/v1/history":
            answers.append(refusing(DamagedVaultError("x.")).get(path))
        seen |= {check(document, "get", path, one) for one in answers}
    seen.add(check(document, "get", "/healthz", refusing(EngineError("x.")).get("/healthz")))
    announced = {
        (method, path, int(status))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for status in operation["responses"]
    }
    assert seen == announced


def test_what_takes_a_key_says_so(document):
    for path, item in document["paths"].items():
        for operation in item.values():
            assert (operation.get("security") == [{"key": []}]) == path.startswith("/v1/")
    scheme = document["components"]["securitySchemes"]["key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_a_number_that_json_has_not_is_null(there):
    class Odd:
        name = "odd"

        def check_permission(self, *_, **__):
            pass

        def god_mode_command(self, *_, **__):
            outcome = {"nan": float("nan"), "inf": float("inf"), "bytes": b"\xff\x00"}
            boundary = {"branch": "main", "control_tick": 1, "position": 1}
            return god_results.Intervened(boundary=boundary, instance="i1", intervention="x", outcome=outcome)

    keys, key = Keys().with_new("ada")
    assert ask(client(app_of(Odd(), keys), key), {}).json()["outcome"] == {"nan": None, "inf": None, "bytes": "_wA="}


def test_the_page_shows_every_operation_command_and_schema_and_fetches_nothing(there, document):
    response = there.nobody.get("/docs")
    page = response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "<script" not in page and "http://" not in page and "https://" not in page
    assert all(f"<code>{method.upper()} {path}</code>" in page for path in document["paths"] for method in document["paths"][path])  # fmt: skip
    assert all(f"<code>{kind}</code>" in page for kind in BY_TYPE)
    assert all(f'id="{name}"' in page for name in document["components"]["schemas"])
