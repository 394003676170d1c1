"""Instances over HTTP: made, run, merged, digested, taken out, brought in and ended, by those who may."""

from urllib.parse import quote

import pytest
from served import BYTES, JSON, ask, client, problem_of, served

from actors.core.kernel.addresses import PART_CHARACTERS_MAX
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.packages.files import packed, unpacked
from actors.vaults.openings import open_vault
from orchestration import visitors
from orchestration.visitors import PACKAGE_BYTES_MAX, RUN_CONTROL_TICKS_MAX
from serve.bodies import BODY_BYTES_MAX

LONG = "x" * (PART_CHARACTERS_MAX + 1)


@pytest.fixture(scope="module")
def agora(tmp_path_factory):
    """A multiverse with a whole society in it, for those who leave it as it is."""
    with served(name="m", vault=tmp_path_factory.mktemp("vault") / "m.sqlite") as found:
        found.mv.create_instance("agora")
        found.mv.run(12)
        yield found


def brought_in(who, document, query="", headers=BYTES):
    return who.post(f"/v1/packages{query}", content=document, headers=headers)


def every_change(who, instance, document=b""):
    """Whatever this can ask that is more than looking, of an instance where it is of one."""
    return {
        "CreateInstance": who.post("/v1/instances", json={"name": "new"}),
        "run": who.post("/v1/clock/run", json={"control_ticks": 1}),
        "import_from_outer_layer": brought_in(who, document),
        "merge_all_active_platforms": who.post(f"/v1/instances/{instance}/merge", json={}),
        "export_to_outer_layer": who.get(f"/v1/instances/{instance}/package"),
        "DropFork": who.delete(f"/v1/instances/{instance}"),
    }


# ------------------------------------------------------------------------------------------------------- what comes of it


def test_an_instance_is_made_and_found_where_the_answer_says(here):
    response = here.god.post("/v1/instances", json={"name": "beta", "phase": "initialized"})
    assert (response.status_code, response.headers["location"]) == (201, "/v1/instances/i2")
    assert here.god.get(response.headers["location"]).json() == response.json()
    assert response.json()["phase"] == here.mv.instance("beta").phase == "initialized"
    taken = here.god.post("/v1/instances", json={"name": "beta"})
    assert "beta" in problem_of(taken, 409, "duplicate_member")


def test_an_instance_ends_and_is_gone(here):
    response = here.god.delete("/v1/instances/alpha")
    assert response.json() == {"removed": sorted(f"{role}~1" for role in PLATFORM_ROLES)}
    assert here.mv.instances() == []
    problem_of(here.god.delete("/v1/instances/alpha"), 404, "unknown_instance")


def test_the_clock_runs_so_far_and_says_where_it_stands(here):
    ran = here.god.post("/v1/clock/run", json={"control_ticks": 3}).json()
    position = here.mv.boundary().position
    assert ran["boundary"] == {"branch": "main", "control_tick": 5, "position": position}
    assert (ran["control_ticks"], ran["digest_chain"]) == (3, here.mv.digest_chain())
    assert ran["events_propagated"] == sum(one.events_propagated for one in here.mv.records()[-3:]) > 0
    again = here.god.post("/v1/clock/run", json={"control_ticks": 0}).json()
    assert again == {**ran, "control_ticks": 0, "events_propagated": 0}


def test_a_clock_that_runs_by_itself_is_not_run(here):
    here.mv.start("fast")
    try:
        said = problem_of(here.god.post("/v1/clock/run", json={"control_ticks": 3}), 422, "command_refused")
        assert "is running already" in said
    finally:
        here.mv.pause()
    assert here.god.post("/v1/clock/run", json={"control_ticks": 1}).status_code == 200


def test_the_digest_is_that_of_the_driver_with_its_boundary(agora):
    found = agora.watcher.get("/v1/instances/agora/digest").json()
    assert found["digest"] == agora.mv.instance_digest("agora")
    boundary = agora.mv.boundary()
    assert found["boundary"] == {name: getattr(boundary, name) for name in boundary.__struct_fields__}


def test_a_digest_on_a_clock_that_runs_is_of_the_boundary_that_it_names(here):
    here.mv.create_instance("agora")
    here.mv.start("fast")
    try:
        found = here.god.get("/v1/instances/agora/digest").json()
    finally:
        here.mv.pause()
    then = here.mv.export_to_outer_layer("agora", control_tick=found["boundary"]["control_tick"])
    assert found["digest"] == then.metadata.digest


def test_a_merge_of_the_platforms_names_every_conflict_with_both_values_and_the_winner(agora):
    before = agora.mv.digest()
    found = agora.god.post("/v1/instances/agora/merge", json={"sync_delay_ticks": 0}).json()
    there = agora.mv.merge_all_active_platforms("agora")
    assert found["snapshot_id"] == there.snapshot_id and found["merged"].keys() == there.state.keys()
    conflicts = found["metadata"]["conflicts"]
    assert conflicts and len(conflicts) == len(there.metadata.conflicts)
    for told, real in zip(conflicts, there.metadata.conflicts, strict=True):
        assert (told["type"], told["where"], told["winner"]) == (real.type, real.where, real.winner)
        assert len(told["values"]) == 2 and told["winner"] in told["values"]
    assert agora.mv.digest() == before


def test_out_and_in_again_under_another_name_is_the_same(agora):
    response = agora.god.get("/v1/instances/agora/package", params={"reason": "to look at"})
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''agora.soulfra"
    package = unpacked(response.content)
    assert (package.metadata.reason, package.metadata.session) == ("to look at", "ada")
    made = brought_in(agora.god, response.content, "?name=guest")
    assert made.status_code == 201
    (guest,) = made.json()["instances"]
    digests = [agora.god.get(f"/v1/instances/{one}/digest").json()["digest"] for one in (guest["instance_id"], "agora")]
    assert digests[0] == digests[1] == package.metadata.digest
    taken = brought_in(agora.god, response.content, "?name=guest")
    assert "guest" in problem_of(taken, 409, "duplicate_member")
    assert agora.god.delete("/v1/instances/guest").status_code == 200


def test_what_was_can_be_taken_out_too(here):
    here.mv.create_instance("agora")
    here.mv.run(2)
    digest = here.mv.instance_digest("agora")
    here.mv.snapshot("then")
    here.mv.run(2)
    for query in ("?control_tick=4", "?snapshot=then"):
        assert unpacked(here.god.get(f"/v1/instances/agora/package{query}").content).metadata.digest == digest
    refused = here.god.get("/v1/instances/agora/package?control_tick=4&snapshot=then")
    assert "or else" in problem_of(refused, 422, "command_refused")
    problem_of(here.god.get("/v1/instances/agora/package?snapshot=no"), 404, "unknown_snapshot")
    problem_of(here.god.get("/v1/instances/agora/package?control_tick=99"), 422, "command_refused")


def test_a_package_that_is_too_large_does_not_go_out(agora, monkeypatch):
    monkeypatch.setattr(visitors, "PACKAGE_BYTES_MAX", 100)
    said = problem_of(agora.god.get("/v1/instances/agora/package"), 422, "package")
    assert "at most 100" in said and "from a shell" in said


@pytest.mark.parametrize("name", ["../../etc/passwd", "~x", "i7", ".."])
def test_a_name_that_no_package_takes_is_refused_here_too(agora, name):
    document = agora.god.get("/v1/instances/agora/package").content
    before = agora.mv.digest()
    clone = {"type": "CLONE_INSTANCE", "source": "agora", "name": name}
    for response in (
        agora.god.post("/v1/instances", json={"name": name}),
        brought_in(agora.god, document, f"?name={quote(name)}"),
        ask(agora.god, clone),
    ):
        assert response.status_code == 422 and "cannot be used: it must have at most 64" in response.json()["detail"]
    assert agora.mv.digest() == before


def test_the_audit_log_tells_of_a_package_that_was_refused_that_it_was(here, tmp_path, monkeypatch):
    here.mv.create_instance("agora")
    before = here.mv.digest()
    document = here.god.get("/v1/instances/agora/package").content
    problem_of(brought_in(here.god, document[:-1]), 422, "package")
    monkeypatch.setattr(visitors, "PACKAGE_BYTES_MAX", 100)
    problem_of(here.god.get("/v1/instances/agora/package"), 422, "package")
    problem_of(here.god.get("/v1/instances/agora/package?control_tick=99"), 422, "command_refused")
    assert here.mv.digest() == before
    here.mv.close()
    with open_vault(str(tmp_path / "m.sqlite")) as opened:
        told = [(one.verb, one.subject, one.outcome) for one in opened.audits("m") if one.principal == "ada"]
    assert told == [
        ("export_to_outer_layer", "i2", "done"),
        ("import_from_outer_layer", "", "package"),
        ("export_to_outer_layer", "i2", "package"),
        ("export_to_outer_layer", "i2", "command_refused"),
    ]


# ----------------------------------------------------------------------------------------------------------------- who may


def test_without_a_role_nothing_and_an_observer_only_looks(agora):
    before = agora.mv.digest()
    for who, name in ((agora.stranger, "'eve'"), (agora.watcher, "'bob'")):
        for verb, response in every_change(who, "agora").items():
            said = problem_of(response, 403, "permission_refused")
            assert f"{name} may not ask for {verb!r}" in said and "takes the role operator or god" in said
        for verb, response in every_change(who, "none").items():
            assert "agora" not in problem_of(response, 403, "permission_refused"), verb
    assert "'query'" in problem_of(agora.stranger.get("/v1/instances/agora/digest"), 403, "permission_refused")
    assert agora.watcher.get("/v1/instances/agora/digest").status_code == 200
    for response in every_change(agora.nobody, "agora", b"x" * 100).values():
        problem_of(response, 401, "unknown_key")
    assert agora.mv.digest() == before


def test_who_looks_at_one_instance_is_told_what_he_lacks_there_and_of_others_not_whether_they_are(here):
    here.mv.create_instance("agora")
    here.mv.grant_role("eve", "observer", "i2")
    for who in ("agora", "i2"):
        said = problem_of(here.stranger.delete(f"/v1/instances/{who}"), 403, "permission_refused")
        assert "'DropFork' for 'i2': that takes the role operator or god there, and 'eve' has observer;" in said
    answers = [
        problem_of(here.stranger.delete(f"/v1/instances/{who}"), 403, "permission_refused")
        for who in ("alpha", "i1", "i9", "none")
    ]
    assert len(set(answers)) == 1 and "'DropFork' everywhere" in answers[0]
    assert "and 'eve' has no role there, only observer for 'i2';" in answers[0]


def test_an_operator_of_an_instance_does_what_is_of_that_one_by_its_id_or_name(here):
    here.mv.create_instance("agora")
    here.mv.run(1)
    here.mv.grant_role("eve", "operator", "i2")
    document = here.stranger.get("/v1/instances/agora/package").content
    answers = every_change(here.stranger, "agora", document)
    assert {verb: one.status_code for verb, one in answers.items()} == {
        "CreateInstance": 403, "run": 403, "import_from_outer_layer": 403,
        "merge_all_active_platforms": 200, "export_to_outer_layer": 200, "DropFork": 200,
    }  # fmt: skip
    answers = every_change(here.stranger, "alpha", document)
    assert {one.status_code for one in answers.values()} == {403}


def test_a_god_and_an_operator_of_everything_do_all_of_it(here):
    here.mv.create_instance("agora")
    here.mv.run(1)
    document = here.god.get("/v1/instances/agora/package").content
    here.mv.grant_role("eve", "operator")
    for who in (here.god, here.stranger):
        answers = every_change(who, "agora", document)
        assert {one.status_code for one in answers.values()} == {200, 201}
        here.god.delete("/v1/instances/new")
        here.god.delete("/v1/instances/agora-2")
        assert brought_in(here.god, document).json()["instances"][0]["name"] == "agora"


def test_the_audit_log_names_whose_key_it_was_and_what_was_refused(here, tmp_path):
    here.mv.create_instance("agora")
    before = len(here.mv.journal())
    document = here.god.get("/v1/instances/agora/package").content
    every_change(here.watcher, "agora", document)
    every_change(here.watcher, "none")
    assert len(here.mv.journal()) == before
    every_change(here.god, "agora", document)
    here.watcher.get("/v1/instances/agora/digest")
    assert len(here.mv.journal()) == before + 3, "what leaves traces is journaled"
    here.mv.close()
    with open_vault(str(tmp_path / "m.sqlite")) as opened:
        told = [(one.principal, one.verb, one.subject, one.outcome) for one in opened.audits("m")]
    refused = [one[1:3] for one in told if one[0] == "bob" and one[3] == "permission_refused"]
    assert refused == [
        ("CreateInstance", "new"), ("run", ""), ("import_from_outer_layer", ""),
        ("merge_all_active_platforms", "i2"), ("export_to_outer_layer", "i2"), ("DropFork", "i2"),
        ("CreateInstance", "new"), ("run", ""), ("import_from_outer_layer", ""),
        ("merge_all_active_platforms", ""), ("export_to_outer_layer", ""), ("DropFork", ""),
    ]  # fmt: skip
    assert [one[1:] for one in told if one[0] == "ada"] == [
        ("export_to_outer_layer", "i2", "done"),
        ("CreateInstance", "new", "done"),
        ("run", "", "done"),
        ("import_from_outer_layer", "agora-2", "done"),
        ("merge_all_active_platforms", "i2", "done"),
        ("export_to_outer_layer", "i2", "done"),
        ("DropFork", "2", "done"),
    ]


# ------------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/instances", {}, "name: field required"),
        ("/v1/instances", {"name": ""}, "name: "),
        ("/v1/instances", {"name": LONG}, "name: "),
        ("/v1/instances", {"name": 3}, "name: "),
        ("/v1/instances", {"name": "x", "phase": "ended"}, "phase: "),
        ("/v1/instances", {"name": "x", "factories": {"mirror": "os:system"}}, "there are name, phase"),
        ("/v1/instances", [], "the body: "),
        ("/v1/clock/run", {}, "control_ticks: field required"),
        ("/v1/clock/run", {"control_ticks": -1}, "control_ticks: "),
        ("/v1/clock/run", {"control_ticks": True}, "control_ticks: "),
        ("/v1/clock/run", {"control_ticks": "3"}, "control_ticks: "),
        ("/v1/clock/run", {"control_ticks": RUN_CONTROL_TICKS_MAX + 1}, "less than or equal to 10000"),
        ("/v1/clock/run", {"control_ticks": 1, "pace": "fast"}, "pace: there is no such field; there are control_ticks"),
        ("/v1/instances/agora/merge", {"sync_delay_ticks": -1}, "sync_delay_ticks: "),
        ("/v1/instances/agora/merge", {"sync_delay_ticks": 1_000_001}, "sync_delay_ticks: "),
        ("/v1/instances/agora/merge", {"delay": 1}, "there are sync_delay_ticks"),
    ],
)  # fmt: skip
def test_a_form_that_does_not_fit_names_what_would(agora, path, body, words):
    before = agora.mv.digest()
    assert words in problem_of(agora.god.post(path, json=body), 422, "command_refused")
    assert agora.mv.digest() == before


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/v1/instances/agora/package?since=3", "since: there is no such field; there are control_tick, reason, snapshot"),
        ("GET", "/v1/instances/agora/package?control_tick=-1", "control_tick: "),
        ("GET", "/v1/instances/agora/package?control_tick=x", "control_tick: "),
        ("GET", "/v1/instances/agora/package?reason=" + "x" * 301, "reason: "),
        ("GET", f"/v1/instances/{LONG}/package", "instance: "),
        ("GET", f"/v1/instances/{LONG}/digest", "instance: "),
        ("DELETE", f"/v1/instances/{LONG}", "instance: "),
        ("POST", "/v1/packages?trusted_factories=os:system", "trusted_factories: there is no such field; there are name"),
        ("POST", "/v1/packages?name=" + LONG, "name: "),
        ("GET", "/v1/state?page=2", "page: there is no such field; there are limit, offset"),
    ],
)  # fmt: skip
def test_an_address_that_does_not_fit_names_what_would(agora, method, path, words):
    content = b"x" if method == "POST" else None
    assert words in problem_of(agora.god.request(method, path, content=content, headers=BYTES), 422, "request")


@pytest.mark.parametrize("path", ["/v1/instances", "/v1/clock/run", "/v1/instances/agora/merge", "/v1/packages"])
def test_a_body_of_another_kind_or_too_large_is_not_looked_at(agora, path):
    is_package = path == "/v1/packages"
    right, most = (BYTES, PACKAGE_BYTES_MAX) if is_package else (JSON, BODY_BYTES_MAX)
    wrong = JSON if is_package else BYTES
    assert "the body must be" in problem_of(agora.god.post(path, content=b"{}", headers=wrong), 415, "media_type")
    large = agora.god.post(path, content=b" " * (most + 1), headers=right)
    assert f"{most:,} bytes" in problem_of(large, 413, "body_too_large")


def test_of_who_may_not_bring_anything_in_the_package_is_not_unpacked(agora, monkeypatch):
    monkeypatch.setattr(visitors, "unpacked", None)
    problem_of(brought_in(agora.watcher, b"x" * 1_000), 403, "permission_refused")


def test_a_package_is_refused_as_a_file_is(agora, monkeypatch):
    document = agora.god.get("/v1/instances/agora/package").content
    before = agora.mv.digest()
    hostile = {
        "does not begin": [b"", b"{}", b"x" * 1_000],
        "cut off": [document[:10], document[: len(document) // 2], document[:-1], document + b"x"],
        "its hash is another": [bytes(one ^ (at == 2_000) for at, one in enumerate(document))],
        "has version 2": [document[:9] + b"\x02" + document[10:]],
    }
    for words, some in hostile.items():
        for one in some:
            said = problem_of(brought_in(agora.god, one), 422, "package")
            assert words in said and "/" not in said, "no path of this machine"
    monkeypatch.setattr(visitors, "PACKAGE_CONTENT_BYTES_MAX", 10_000)
    assert "10" in problem_of(brought_in(agora.god, document), 422, "package"), "what it declares is too much"
    assert agora.mv.digest() == before


def test_a_package_of_members_that_are_not_known_here_is_refused(here, agora):
    foreign = here.god.get("/v1/instances/alpha/package").content
    with served() as other:
        other.mv.destroy_instance("alpha")
        said = problem_of(brought_in(other.god, foreign), 422, "package")
        assert "small_platforms:Platform" in said and "not known here" in said
        assert other.mv.instances() == []
    package = unpacked(agora.god.get("/v1/instances/agora/package").content)
    forged = type(package)(package.system_id, package.name, metadata=package.metadata, cut=package.cut[:-1])
    assert "cannot be read" in problem_of(brought_in(agora.god, packed(forged)), 422, "package")


def test_what_is_not_there_names_what_is(agora):
    for response in (
        agora.god.get("/v1/instances/none/digest"),
        agora.god.get("/v1/instances/none/package"),
        agora.god.post("/v1/instances/none/merge", json={}),
        agora.god.delete("/v1/instances/none"),
    ):
        assert "i2 (agora)" in problem_of(response, 404, "unknown_instance")


def test_a_second_run_beside_one_that_was_quicker_says_so(here, monkeypatch):
    before = here.mv.status()
    here.mv.run(5)
    monkeypatch.setattr(here.mv, "status", lambda: before)
    response = client(here.app, here.keys["ada"]).post("/v1/clock/run", json={"control_ticks": 2})
    assert "meanwhile; ask again" in problem_of(response, 422, "command_refused")
