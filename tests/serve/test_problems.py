"""Problem documents: every error of ours has a status, and what is not ours says nothing of what is inside."""

import logging

import pytest
from served import client, problem_of, refusing

from actors.core.kernel import errors
from actors.core.kernel.errors import ERRORS_BY_CODE
from serve.apps import app_of
from serve.keys import Keys
from serve.problems import DETAIL_CHARACTERS_MAX, STATUSES, status_of

EXPECTED = {
    "error": 500, "caller": 422, "settings": 422, "address": 422, "unknown_member": 404, "duplicate_member": 409,
    "unknown_player": 404, "event_refused": 422, "command_refused": 422, "unknown_instance": 404, "factory": 422,
    "scenario": 422, "unknown_multiverse": 404, "duplicate_multiverse": 409, "unknown_branch": 404, "unknown_snapshot": 404,
    "merge_refused": 409, "permission_refused": 403, "key_file": 422, "package": 422, "member": 500, "nondeterminism": 500,
    "protocol": 500, "engine": 503, "vault": 500, "stale_epoch": 503, "unreachable_vault": 503, "damaged_vault": 500,
    "uncertain_write": 503,
}  # fmt: skip


def test_every_error_there_is_has_the_status_that_is_expected():
    of_core = {code: one for code, one in ERRORS_BY_CODE.items() if one.__module__ == errors.__name__}
    assert {code: status_of(of_core[code]("x.")) for code in EXPECTED} == EXPECTED
    assert set(STATUSES) <= set(of_core.values())
    for one in of_core.values():  # those that came later, too: who erred shows
        assert status_of(one("x.")) // 100 == (4 if issubclass(one, errors.CallerError) else 5), one


@pytest.mark.parametrize("code", EXPECTED)
def test_an_error_crosses_http_with_its_sentence(code):
    asked = refusing(ERRORS_BY_CODE[code]("it did not go well."))
    for response in (asked.get("/v1/state"), asked.get("/healthz"), asked.post("/v1/god", json={})):
        assert problem_of(response, EXPECTED[code], code) == "it did not go well."
        assert response.json()["title"] == ERRORS_BY_CODE[code].__doc__.splitlines()[0]


@pytest.mark.parametrize("error", [ValueError("secret"), RecursionError("secret"), KeyError("secret"), MemoryError("secret")])  # fmt: skip
def test_a_fault_of_the_server_is_in_its_log_and_nowhere_else(error, caplog):
    with caplog.at_level(logging.ERROR, logger="soulfra.http"):
        response = refusing(error).get("/v1/state")
    problem_of(response, 500, "internal")
    assert "secret" not in response.text and "secret" in caplog.text
    assert response.json()["instance"] in caplog.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_sentence_that_is_too_long_or_no_text_is_cut_to_what_can_be_sent():
    response = refusing(errors.SettingsError("\ud800" + "x" * 100_000)).get("/v1/state")
    assert response.status_code == 422
    assert len(response.json()["detail"]) == DETAIL_CHARACTERS_MAX and response.json()["detail"].startswith("\\ud800x")


def test_every_occurrence_has_a_name_of_its_own():
    asked = refusing(errors.SettingsError("no."))
    assert len({asked.get("/v1/state").json()["instance"] for _ in range(5)}) == 5


def test_a_multiverse_that_has_broken_off_is_not_healthy():
    class BrokenOff:
        def status(self):
            return self

        trouble = "the disk is full"

    assert "broken off" in problem_of(client(app_of(BrokenOff(), Keys())).get("/healthz"), 503, "engine")
