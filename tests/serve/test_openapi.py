"""The OpenAPI document is true: it says what the union of god commands says, and every answer is as it says."""

import jsonschema
import pytest
from served import BYTES, JSON, ask, client, refusing, slow

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.kernel.errors import ERRORS_BY_CODE, CommandRefusedError, EngineError
from orchestration import god_commands, god_results
from orchestration.god_commands import BY_TYPE, god_command
from orchestration.visitors import PACKAGE_BYTES_MAX
from serve.apps import app_of
from serve.forms import FORMS, Export
from serve.keys import Keys
from serve.problems import MEDIA_TYPE, status_of
from serve.schemas import BYTES as BINARY
from serve.schemas import EXAMPLES, REF

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
    found = response.content.decode("latin-1") if schema == BINARY else response.json()
    validator(document, schema).validate(found)
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
    there.mv.create_instance("agora")
    package = there.god.get("/v1/instances/agora/package").content
    god, merge, name = (
        {"type": "CLONE_INSTANCE", "source": "alpha"},
        "/v1/instances/{instance}/merge",
        "/v1/instances/{instance}",
    )
    long, large = "x" * (PART_CHARACTERS_MAX + 1), {"content": b" " * (PACKAGE_BYTES_MAX + 1), "headers": JSON}
    for method, path, well, others in (
        ("post", "/v1/god", {"json": god}, [{"json": {}}, {"json": {**god, "source": "nobody"}}, {"json": {**god, "name": "alpha"}}]),
        ("post", "/v1/clock/run", {"json": {"control_ticks": 1}}, [{"json": {}}]),
        ("get", "/v1/state", {}, [{"params": {"limit": 0}}]),
        ("get", "/v1/history", {}, [{"params": {"limit": 0}}]),
        ("post", "/v1/instances", {"json": {"name": "new"}}, [{"json": {}}, {"json": {"name": "agora"}}]),
        ("get", name, {"at": "agora"}, [{"at": "nobody"}, {"at": long}]),
        ("get", f"{name}/digest", {"at": "agora"}, [{"at": "nobody"}, {"at": long}]),
        ("post", merge, {"at": "agora", "json": {}}, [{"at": "nobody", "json": {}}, {"at": "agora", "json": 3}, {"at": "alpha", "json": {}}]),
        ("get", f"{name}/package", {"at": "agora"}, [{"at": "nobody"}, {"at": long}]),
        ("post", "/v1/packages", {"content": package, "headers": BYTES}, [{"content": b"", "headers": BYTES}, {"content": package, "headers": BYTES, "params": {"name": "agora"}}]),
        ("delete", name, {"at": "agora"}, [{"at": "nobody"}, {"at": long}]),
    ):  # fmt: skip
        ways = [(there.god, well), *((there.god, one) for one in others)]
        ways += [
            (one, well)
            for one in (there.nobody, there.stranger, *map(refusing, (EngineError("x."), ValueError("x."))), slow())
        ]
        if method == "post":
            right = well.get("headers", JSON)
            ways += [
                (there.god, {**well, "json": None, "content": large["content"], "headers": one})
                for one in (right, {"Content-Type": "x/y"})
            ]
        for who, how in ways:
            sent = {key: value for key, value in how.items() if key != "at"}
            response = who.request(method, path.format(instance=how.get("at", well.get("at"))), **sent)
            seen.add(check(document, method, path, response))
    seen.add(check(document, "get", "/healthz", refusing(EngineError("x.")).get("/healthz")))
    announced = {
        (method, path, int(status))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for status in operation["responses"]
    }
    assert seen == announced


def test_every_example_of_an_error_is_a_problem_that_there_is(document):
    examples = {
        (int(status), content["example"]["code"]): content["example"]
        for item in document["paths"].values()
        for operation in item.values()
        for status, response in operation["responses"].items()
        for media, content in response["content"].items()
        if media == MEDIA_TYPE
    }
    assert {status for status, _ in examples} == set(EXAMPLES)
    for (status, code), example in examples.items():
        validator(document, document["components"]["schemas"]["Problem"]).validate(example)
        assert example["status"] == status
        if code in ERRORS_BY_CODE:
            assert status_of(ERRORS_BY_CODE[code]("x.")) == status
            assert example["title"] == ERRORS_BY_CODE[code].__doc__.splitlines()[0]


def test_what_a_route_takes_is_in_the_document(document):
    schemas = document["components"]["schemas"]
    for form in FORMS:
        assert set(schemas[form.__name__]["properties"]) == set(form.model_fields)
        assert schemas[form.__name__]["additionalProperties"] is False
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert ("requestBody" in operation) == (method == "post"), path
    (content,) = document["paths"]["/v1/packages"]["post"]["requestBody"]["content"].items()
    assert content == ("application/octet-stream", {"schema": {"type": "string", "format": "binary"}})
    queries = [one["name"] for one in document["paths"]["/v1/instances/{instance}/package"]["get"]["parameters"]]
    assert set(queries) == {"instance", *Export.model_fields}


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
