"""Whatever is sent, a problem document comes back, never a fault of the server, and what is refused changes nothing."""

import hashlib
import json

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from served import BYTES, JSON, problem_of

from actors.packages.contents import Metadata
from actors.packages.formats import END, MAGIC, PRELUDE, VERSION
from actors.packages.headers import Header, Label, Part
from orchestration.god_commands import BY_TYPE

DEEP = 100_000
FIELDS = sorted({field for model in BY_TYPE.values() for field in model.model_fields})
WORDS = st.sampled_from(
    [*BY_TYPE, "alpha", "i1", "@players", "", "\0", "\ud800", "mirror.all.it.sum", "runtime~1", "sol_1", "a" * 65]
)
NUMBERS = st.one_of(st.integers(), st.integers(-3, 3), st.floats(), st.just(10**400), st.just(2**53))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(WORDS, st.text(max_size=5)), inner, max_size=4)),
    max_leaves=10,
)  # fmt: skip


def sent(there, body, headers=JSON):
    """Sends a body as a god; the answer is a result, or else a refusal that has changed nothing."""
    before = there.mv.digest()
    response = there.god.post("/v1/god", content=body, headers=headers)
    if response.status_code == 200:
        assert response.json()["type"] in BY_TYPE
        return response
    assert 400 <= response.status_code < 500, response.text
    problem_of(response, response.status_code, response.json()["code"])
    assert there.mv.digest() == before
    return response


@settings(max_examples=80)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\x00")
@example(b"\xff\xfe{\x00}\x00")
@example(b"\xef\xbb\xbf{}")
@example(b'{"type": "FREEZE_TIME", "scope": ["\xff"]}')
@example(b'{"type": "FREEZE_TIME", "scope": ["\\ud800"]}')
@example(b'{"type": "FREEZE_TIME", "scope": ["\\u0000"]}')
@example(b'{"type": "FREEZE_TIME", "duration_ticks": NaN}')
@example(b'{"type": "FREEZE_TIME", "duration_ticks": 1e999}')
@example(b'{"type": "FREEZE_TIME"} {}')
@example(b'{"type": "SMITE", "type": "SMITE"}')
@example(b"'FREEZE_TIME'")
@example(b"9" * 10_000)
def test_bytes(there, body):
    assert sent(there, body).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"type":"CLONE_INSTANCE","source":"alpha","modifications":' + b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 1),
        b'{"type":"CLONE_INSTANCE","source":"alpha","modifications":{"mirror.all.it.sum":' + b"[" * 150 + b"]" * 150 + b"}}",
        b'{"type":"CLONE_INSTANCE","source":"alpha","modifications":{"mirror.all.it.sum":' + b"9" * 5_000 + b"}}",
        b'{"type":"FREEZE_TIME","scope":[' + b",".join([b'"x"'] * 200_000) + b"]}",
        b'{"type":"REALITY_FORK","source":"alpha","modifications":[' + b",".join([b"{}"] * 200_000) + b"]}",
        b'{"type":"FREEZE_TIME",' + b",".join(b'"f%d":1' % at for at in range(50_000)) + b"}",
        b'{"type":"FREEZE_TIME","' + b"x" * 900_000 + b'":1}',
        b'{"type":"' + b"x" * 900_000 + b'"}',
        b'{"type":"CLONE_INSTANCE","source":"' + b"x" * 900_000 + b'"}',
    ],
    ids=range(12),
)  # fmt: skip
def test_deep_and_large(there, body):
    response = sent(there, body)
    assert response.status_code in (404, 422)
    assert len(response.content) < 10_000, "what is refused is not sent back"


@settings(max_examples=80)
@given(VALUES)
def test_any_json(there, value):
    assert sent(there, json.dumps(value)).status_code == 422


@settings(max_examples=150)
@given(st.sampled_from(sorted(BY_TYPE)), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5))
def test_fields_that_there_are_with_values_that_may_not_fit(there, kind, fields):
    if there.mv.boundary().branch != "main":
        there.mv.select("main")  # a revert to before anything was there
    sent(there, json.dumps({**fields, "type": kind}))


FORMS = [
    ("/v1/instances", "name"),
    ("/v1/instances", "phase"),
    ("/v1/clock/run", "control_ticks"),
    ("/v1/instances/alpha/merge", "sync_delay_ticks"),
]


def refused(there, path, body, headers=JSON):
    """Sends what cannot be as a god; a problem comes back, and nothing has changed."""
    before = there.mv.digest()
    response = there.god.post(path, content=body, headers=headers)
    assert response.status_code == 422, response.text
    said = problem_of(response, 422, response.json()["code"])
    assert len(response.content) < 10_000 and there.mv.digest() == before
    return said


@settings(max_examples=150)
@given(st.sampled_from(FORMS), VALUES.filter(lambda value: type(value) is not int and not isinstance(value, str)))
def test_forms_with_values_that_do_not_fit(there, form, value):
    path, field = form
    refused(there, path, json.dumps({"name": "new", field: value} if path.endswith("instances") else {field: value}))
    refused(there, path, json.dumps({f"{field}s": value}))
    refused(there, path, json.dumps(value if not isinstance(value, dict) else [value]))


@pytest.mark.parametrize("path", sorted({path for path, _ in FORMS}))
@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"\xff", b"{", b"[" * DEEP, b'{"a":' * DEEP, b'{"name":"\\ud800"}', b'{"' + b"x" * 900_000 + b'":1}', b'{"control_ticks":1e999}',
     b'{"control_ticks":' + b"9" * 5_000 + b"}", b'{"sync_delay_ticks":NaN}', b'{"name":"x"} {}'],
    ids=range(12),
)  # fmt: skip
def test_bodies_of_forms(there, path, body):
    refused(there, path, body)


@settings(max_examples=60)
@given(st.binary(max_size=300))
@example(MAGIC)
@example(PRELUDE.pack(MAGIC, VERSION, 0, 2**32 - 1) + b"x" * 100)
@example(PRELUDE.pack(MAGIC, VERSION, 1, 0) + END)
def test_packages(there, document):
    assert "the package is refused" in refused(there, "/v1/packages", document, BYTES)


def test_a_package_that_is_a_bomb_takes_no_memory(there):
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(64 << 20))
    description = Part(64 << 20, bytes(32))
    header = Header(b"", [Label(-1, "s", "n", "instance", Metadata(), description, Part.of(b""))]).encoded()
    body = PRELUDE.pack(MAGIC, VERSION, 0, len(header)) + header + bomb
    said = refused(there, "/v1/packages", body + hashlib.sha256(body).digest() + END, BYTES)
    assert "the package is refused" in said and len(bomb) < 10_000


@settings(max_examples=60)
@given(st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=50))
def test_headers(there, text):
    value = text.strip().encode("latin-1")
    response = there.god.post("/v1/god", content=b"{}", headers={"Content-Type": value})
    problem_of(response, response.status_code, response.json()["code"])
    assert response.status_code in (415, 422)
    response = there.nobody.get("/v1/state", headers={"Authorization": value})
    problem_of(response, 401, "unknown_key")


@settings(max_examples=60)
@given(st.sampled_from(["/v1/state", "/v1/history"]), st.dictionaries(st.sampled_from(["limit", "offset", "x"]), st.text(max_size=10)))  # fmt: skip
def test_parameters(there, path, parameters):
    response = there.god.get(path, params=parameters)
    if response.status_code != 200:
        problem_of(response, 422, "request")
