"""Who may ask for what, as a driver sees it: roles are state, and go back in time with all else."""

import pytest

from actors.core.kernel.errors import CommandRefusedError, PermissionRefusedError, SettingsError
from actors.core.permissions.roles import HTTP
from orchestration import Multiverse
from tests.conftest import REALMS


@pytest.fixture
def mv(tmp_path):
    with Multiverse(1, engine="local", realm_paths=[REALMS], name="m", vault=tmp_path / "m.sqlite") as found:
        yield found


def may(mv, principal, verb="FREEZE_TIME", scope="*", origin=HTTP):
    try:
        mv.check_permission(principal, verb, scope, origin)
    except PermissionRefusedError:
        return False
    return True


def test_over_http_a_stranger_may_do_nothing_and_here_everything(mv):
    assert not may(mv, "ada") and not may(mv, "ada", "query")
    assert may(mv, "ada", origin="local")
    with pytest.raises(PermissionRefusedError, match=r"'ada' may not ask for 'query' everywhere.*observer"):
        mv.check_permission("ada", "query", origin=HTTP)


def test_a_role_holds_from_the_moment_it_is_given_until_it_is_taken_back(mv):
    assert mv.grant_role("ada", "god") == {"principal": "ada", "roles": {"*": ["god"]}}
    assert may(mv, "ada")
    assert mv.revoke_role("ada", "god") == {"principal": "ada", "roles": {}}
    assert not may(mv, "ada")
    assert not may(mv, "ada", origin="local"), "who was named once is no stranger any more"


def test_a_role_for_one_instance_is_for_that_alone(mv):
    mv.grant_role("ada", "observer", "i1")
    assert may(mv, "ada", "query", "i1") and not may(mv, "ada", "query", "i2") and not may(mv, "ada", "query")


def test_all_roles_go_at_once(mv):
    mv.grant_role("ada", "observer", "i1")
    mv.grant_role("ada", "god", "i2")
    assert mv.revoke_all_roles("ada") == {"principal": "ada", "roles": {}}
    assert not may(mv, "ada", "query", "i1")


def test_who_has_no_role_for_it_gives_none(tmp_path):
    where = {"engine": "local", "name": "m", "vault": tmp_path / "m.sqlite"}
    with Multiverse(1, **where) as mv:
        mv.grant_role("ada", "operator")
    with Multiverse(1, **where, principal="ada") as mv:
        assert mv.run(1)
        with pytest.raises(PermissionRefusedError, match="'ada' may not ask for 'ChangeRole'"):
            mv.grant_role("ada", "god")
        assert not may(mv, "ada")


def test_roles_go_back_with_everything_else(mv):
    mv.run(1)
    mv.grant_role("ada", "god")
    mv.run(1)
    mv.revert(1)
    assert not may(mv, "ada")
    mv.select("main")
    assert may(mv, "ada")


@pytest.mark.parametrize(
    ("give", "error", "words"),
    [
        (("ada", "king"), SettingsError, "there is no role 'king'; roles are observer, player, operator, god"),
        (("ada", ""), SettingsError, "a role must be named"),
        (("ada", None), SettingsError, "a role must be named"),
        (("", "god"), SettingsError, "a principal must be"),
        (("a\nb", "god"), SettingsError, "a principal must be"),
        (("ada", "god", ""), SettingsError, "a scope must be"),
        (("ada", "god", 7), CommandRefusedError, "scope must be of type str"),
        ((7, "god"), CommandRefusedError, "principal must be of type str"),
    ],
)
def test_a_role_that_cannot_be_is_refused_and_nothing_has_changed(mv, give, error, words):
    mv.grant_role("ada", "observer")
    before = mv.digest()
    for change in (mv.grant_role, mv.revoke_role):
        with pytest.raises(error, match=words):
            change(*give)
    assert mv.digest() == before


def test_what_was_not_given_is_not_taken_back(mv):
    with pytest.raises(CommandRefusedError, match="was not granted 'god'"):
        mv.revoke_role("ada", "god")


@pytest.mark.parametrize(
    ("asked", "words"),
    [(("a\nb", "query"), "a principal"), (("ada", ""), "a verb"), (("ada", "query", "x" * 129), "a scope")],
)
def test_a_question_that_cannot_be_is_refused(mv, asked, words):
    with pytest.raises(SettingsError, match=words):
        mv.check_permission(*asked, origin=HTTP)
    with pytest.raises(SettingsError, match="requests come from"):
        mv.check_permission("ada", "query", origin="heaven")
