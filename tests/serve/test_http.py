"""The multiverse over HTTP: who gets in, what is told, what may be commanded."""

import logging

import pytest
from served import JSON, ask, client, problem_of, served

from actors.core.kernel.instances import PLATFORM_ROLES
from actors.vaults.openings import open_vault
from serve.apps import app_of
from serve.bodies import BODY_BYTES_MAX
from serve.documents import LIMIT_MAX
from serve.keys import Keys

CLOSED = ("/v1/state", "/v1/instances/alpha", "/v1/history")


# ---------------------------------------------------------------------------------------------------------- who gets in


def test_health_the_page_and_the_document_need_no_key(there):
    assert there.nobody.get("/healthz").json() == {"status": "ok"}
    assert there.nobody.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert "<h1>Soulfra over HTTP</h1>" in there.nobody.get("/docs").text


def test_everything_else_needs_one(there):
    for response in (*map(there.nobody.get, CLOSED), ask(there.nobody, {"type": "FREEZE_TIME"})):
        assert "a key is needed" in problem_of(response, 401, "unknown_key")
        assert response.headers["www-authenticate"] == 'Bearer realm="soulfra"'


@pytest.mark.parametrize(
    "sent", ["Bearer x", "Bearer ", "Bearer", "Basic YTpi", "x", "Bearer \xff\xfe", "Bearer " + "x" * 60_000, "bearer soulfra_"]
)  # fmt: skip
def test_another_key_is_nobodys(there, sent):
    before = there.mv.digest()
    for send in (lambda: there.nobody.get("/v1/state", headers={"Authorization": sent.encode("latin-1")}),
                 lambda: there.nobody.post("/v1/god", json={"type": "FREEZE_TIME"}, headers={"Authorization": sent.encode("latin-1")})):  # fmt: skip
        response = send()
        problem_of(response, 401, "unknown_key")
        assert response.headers["www-authenticate"].startswith('Bearer realm="soulfra"')
    assert there.mv.digest() == before


def test_a_key_without_a_role_is_let_in_and_refused_everything(there):
    before = there.mv.digest()
    for response in (*map(there.stranger.get, CLOSED), there.stranger.get("/v1/instances/nobody")):
        assert "'eve' may not ask for" in problem_of(response, 403, "permission_refused")
    for command in ({"type": "FREEZE_TIME"}, {"type": "CLONE_INSTANCE", "source": "alpha"}):
        assert "takes the role god" in problem_of(ask(there.stranger, command), 403, "permission_refused")
    assert there.mv.digest() == before


def test_who_may_not_look_is_not_told_which_instances_tthere_are(there):
    for command in ({"type": "CLONE_INSTANCE", "source": "x"}, {"type": "MERGE_INSTANCES", "ids": ["x", "y"]}):
        assert "alpha" not in problem_of(ask(there.stranger, command), 403, "permission_refused")
        assert "alpha" in problem_of(ask(there.god, command), 404, "unknown_instance")


def test_an_observer_looks_and_commands_nothing(there):
    assert [there.watcher.get(path).status_code for path in CLOSED] == [200] * 3
    assert "'bob' has observer" in problem_of(ask(there.watcher, {"type": "FREEZE_TIME"}), 403, "permission_refused")


def test_a_role_for_one_instance_is_for_that_alone(here):
    here.mv.fork_instance("alpha")
    here.mv.grant_role("eve", "observer", "i1")
    assert here.stranger.get("/v1/instances/i1").status_code == 200
    for path in ("/v1/instances/i2", "/v1/state", "/v1/history"):
        problem_of(here.stranger.get(path), 403, "permission_refused")


def test_a_revoked_role_is_gone_with_the_next_request(here):
    here.mv.revoke_all_roles("bob")
    for path in CLOSED:
        problem_of(here.watcher.get(path), 403, "permission_refused")


def test_no_key_is_in_the_journal_the_audit_log_the_vault_or_a_log(here, tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        ask(here.god, {"type": "FREEZE_TIME", "idempotency_key": "k"})
        ask(here.stranger, {"type": "FREEZE_TIME"})
        here.nobody.get("/v1/state", headers={"Authorization": f"Bearer {here.keys['ada']}x"})
    here.mv.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir()) + caplog.text.encode()
    assert b"FREEZE_TIME" in kept
    assert not any(key.removeprefix("soulfra_").encode() in kept for key in here.keys.values())


# ------------------------------------------------------------------------------------------------------------- what is told


def test_the_state_is_that_of_the_driver(there):
    found, status = there.watcher.get("/v1/state").json(), there.mv.status()
    assert found["name"] == "m" and found["running"] is False
    assert found["boundary"] == {"branch": "main", "control_tick": 2, "position": status.boundary.position}
    assert found["digest_chain"] == there.mv.digest_chain()
    assert found["instances"] == {
        "total": 1,
        "offset": 0,
        "items": [{"instance_id": "i1", "name": "alpha", "phase": "started"}],
    }
    realms = [(game["realm_id"], game["local_tick"], game["digest"]) for game in status.state["games"]]
    shown = [(game["realm_id"], game["local_tick"], game["digest"]) for game in found["games"]["items"]]
    assert shown == realms and found["games"]["total"] == len(realms) == 6


def test_long_lists_come_in_parts(there):
    every = [one["realm_id"] for one in there.watcher.get("/v1/state").json()["games"]["items"]]
    parts = [there.watcher.get(f"/v1/state?limit=4&offset={at}").json()["games"] for at in (0, 4, 8)]
    assert [part["offset"] for part in parts] == [0, 4, 8] and {part["total"] for part in parts} == {6}
    assert [len(part["items"]) for part in parts] == [4, 2, 0]
    assert [one["realm_id"] for part in parts for one in part["items"]] == every


@pytest.mark.parametrize(
    "query", ["limit=0", f"limit={LIMIT_MAX + 1}", "limit=x", "limit=", "offset=-1", "offset=1e3", f"offset={10**30}", "limit=%00"]
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/state", "/v1/history"])
def test_a_part_that_cannot_be_is_refused(there, path, query):
    assert problem_of(there.god.get(f"{path}?{query}"), 422, "request").startswith(query.partition("=")[0])


def test_a_realm_in_error_shows_its_sentence_and_no_traceback(here):
    here.mv.register_game("bad", "small:Ring", params={"raise_at": 15})
    here.mv.run(4)
    (game,) = (game for game in here.mv.status().state["games"] if game["realm_id"] == "bad")
    assert "ZeroDivisionError" in game["traceback"]
    answer = here.god.get("/v1/state")
    (shown,) = (one for one in answer.json()["games"]["items"] if one["realm_id"] == "bad")
    assert shown["state"] == "error" and shown["error"] == game["error"] != ""
    assert "traceback" not in answer.text.lower() and ".py" not in answer.text


def test_an_instance_is_found_by_id_and_by_name(here):
    here.mv.freeze(["runtime~1"])
    found = here.watcher.get("/v1/instances/i1").json()
    assert found == here.watcher.get("/v1/instances/alpha").json()
    assert found["members"] == {role: f"{role}~1" for role in PLATFORM_ROLES}
    assert (found["stills"], found["phase"]) == ({"runtime": ["freeze"]}, "started")
    assert "i1 (alpha)" in problem_of(here.god.get("/v1/instances/beta"), 404, "unknown_instance")


@pytest.mark.parametrize("name", ["x" * 65, "%00", "%ff", "a%2Fb", "..%2f..%2fetc%2fpasswd", "%F0%9F%92%A9", " "])
def test_an_instance_that_cannot_be_is_a_problem(there, name):
    response = there.god.get(f"/v1/instances/{name}")
    problem_of(response, response.status_code, response.json()["code"])
    assert response.status_code in (404, 422)


def test_the_history_is_that_of_the_driver(here):
    here.mv.snapshot("before", "by hand")
    ask(here.god, {"type": "TIMELINE_REVERT", "snapshot": "before", "name": "again", "reason": "why not"})
    found = here.god.get("/v1/history").json()
    assert [one["branch"] for one in found["branches"]["items"]] == ["main", "again"]
    assert found["branches"]["items"][1] == {
        "branch": "again", "parent": "main", "control_tick": 2, "position": here.mv.branches()[1].position,
        "reason": "why not", "snapshot": "before",
    }  # fmt: skip
    (taken,) = found["snapshots"]["items"]
    assert taken["digest"] == here.mv.snapshots()[0].digest and taken["reason"] == "by hand"
    assert here.god.get("/v1/history?limit=1&offset=1").json()["branches"]["items"] == found["branches"]["items"][1:]


def test_without_a_vault_history_is_one_branch():
    with served() as found:
        assert found.god.get("/v1/history").json()["branches"]["total"] == 1
        assert "vault" in problem_of(
            ask(found.god, {"type": "TIMELINE_REVERT", "control_tick": 1}), 422, "command_refused"
        )


# --------------------------------------------------------------------------------------------------- what is commanded


def test_a_command_is_the_one_that_the_driver_would_give(here):
    answer = ask(here.god, {"type": "FREEZE_TIME", "scope": ["alpha"], "duration_ticks": 20}).json()
    assert answer["frozen"] == sorted(f"{role}~1" for role in PLATFORM_ROLES)
    assert answer["boundary"] == {"branch": "main", "control_tick": 2, "position": here.mv.boundary().position}
    here.mv.run(3)
    ticks = {game["realm_id"]: game["local_tick"] for game in here.mv.status().state["games"]}
    assert (ticks["runtime~1"], ticks["sol_1"]) == (30, 50)


def test_a_fork_makes_instances_that_are_found_at_once(here):
    answer = ask(here.god, {"type": "REALITY_FORK", "source": "alpha", "names": ["beta", "gamma"]}).json()
    for made in answer["instances"]:
        assert here.god.get(f"/v1/instances/{made['instance_id']}").json()["name"] == made["name"]
    assert here.god.get("/v1/state").json()["instances"]["total"] == 3


def test_the_same_idempotency_key_is_the_same_command(here):
    command = {"type": "CLONE_INSTANCE", "source": "alpha", "idempotency_key": "once"}
    assert ask(here.god, command).json() == ask(here.god, command).json()
    assert len(here.mv.instances()) == 2


def test_the_audit_log_names_whose_key_it_was(here, tmp_path):
    ask(here.god, {"type": "FREEZE_TIME"})
    ask(here.watcher, {"type": "FREEZE_TIME"})
    for source in ("alpha", "none"):
        ask(here.watcher, {"type": "CLONE_INSTANCE", "source": source})
    here.mv.close()
    with open_vault(str(tmp_path / "m.sqlite")) as opened:
        told = [(one.principal, one.verb, one.outcome) for one in opened.audits("m")][-4:]
    assert told == [
        ("ada", "FREEZE_TIME", "done"),
        ("bob", "FREEZE_TIME", "permission_refused"),
        *[("bob", "CLONE_INSTANCE", "permission_refused")] * 2,
    ]


@pytest.mark.parametrize(
    ("command", "status", "code", "words"),
    [
        ({"type": "SMITE"}, 422, "command_refused", "one of FREEZE_TIME"),
        ({}, 422, "command_refused", "one of FREEZE_TIME"),
        ([], 422, "command_refused", "the command"),
        ("FREEZE_TIME", 422, "command_refused", "the command"),
        ({"type": "FREEZE_TIME", "until": 3}, 422, "command_refused", "there are duration_ticks"),
        ({"type": "FREEZE_TIME", "duration_ticks": "3"}, 422, "command_refused", "duration_ticks"),
        ({"type": "FREEZE_TIME", "scope": ["gamma"]}, 404, "unknown_member", "no realm 'gamma'"),
        ({"type": "REALITY_FORK", "source": "beta"}, 404, "unknown_instance", "i1 (alpha)"),
        ({"type": "REALITY_FORK", "source": "alpha", "names": ["alpha"]}, 409, "duplicate_member", "already"),
        ({"type": "REALITY_FORK", "source": "alpha", "snapshot": "no"}, 404, "unknown_snapshot", "no"),
        ({"type": "REALITY_FORK", "source": "alpha", "control_tick": 99}, 422, "command_refused", "99"),
        ({"type": "TIMELINE_REVERT", "control_tick": 1, "branch": "no"}, 404, "unknown_branch", "no"),
        ({"type": "CLONE_INSTANCE", "source": "alpha", "modifications": {"mirror.all.it.sum": -1}}, 422, "command_refused", "Nothing was forked"),
    ],
)  # fmt: skip
def test_what_is_refused_is_a_problem_and_changes_nothing(there, command, status, code, words):
    before = there.mv.digest()
    assert words in problem_of(ask(there.god, command), status, code)
    assert there.mv.digest() == before


def test_a_body_of_another_kind_or_too_large_is_not_looked_at(here):
    before = here.mv.digest()
    body = b'{"type": "FREEZE_TIME"}'
    for media in ("text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"):
        response = here.god.post("/v1/god", content=body, headers={"Content-Type": media})
        assert "must be application/json" in problem_of(response, 415, "media_type")
    for size in (BODY_BYTES_MAX - len(body) + 1, 3 * BODY_BYTES_MAX):
        response = here.god.post("/v1/god", content=body + b" " * size, headers=JSON)
        assert "1,048,576 bytes" in problem_of(response, 413, "body_too_large")
    pieces = (b" " * 1000 for _ in range(10_000))
    problem_of(here.god.post("/v1/god", content=pieces, headers=JSON), 413, "body_too_large")
    assert here.mv.digest() == before
    assert here.god.post("/v1/god", content=body + b" " * (BODY_BYTES_MAX - len(body)), headers=JSON).status_code == 200


def test_of_who_has_no_key_the_body_is_not_even_looked_at(there):
    problem_of(there.nobody.post("/v1/god", content=b" " * (4 * BODY_BYTES_MAX), headers=JSON), 401, "unknown_key")


def test_other_paths_and_methods_are_problems(there):
    for path in ("/", "/v1", "/v1/god/", "/v2/state", "/docs/oauth2-redirect", "/redoc", "/v1/instances/", "/.."):
        problem_of(there.god.get(path, follow_redirects=False), 404, "not_found")
    response = there.god.get("/v1/god")
    problem_of(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"
    problem_of(there.god.delete("/v1/state"), 405, "method_not_allowed")


def test_a_clock_that_runs_answers_too(here):
    here.mv.start("fast")
    try:
        assert here.god.get("/v1/state").json()["running"] is True
        assert ask(here.god, {"type": "FREEZE_TIME", "scope": ["alpha"]}).status_code == 200
    finally:
        here.mv.pause()


def test_a_second_application_beside_the_first_is_as_good_with_keys_of_its_own(there):
    keys, key = Keys().with_new("ada")
    other = app_of(there.mv, keys)
    assert client(other, key).get("/v1/state").json() == there.god.get("/v1/state").json()
    problem_of(client(other, there.keys["ada"]).get("/v1/state"), 401, "unknown_key")
