"""Who may ask for what, as a driver sees it: roles are state, and go back in time with all else."""

import pytest

from actors.core.kernel.errors import CommandRefusedError, PermissionRefusedError, SettingsError
from actors.core.permissions.roles import HTTP
from actors.vaults.openings import open_vault
from orchestration import Multiverse
from orchestration.bridges import CrossPlatformBridge
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


def test_a_name_means_the_instance_that_has_it_now(mv):
    mv.create_instance("alpha")
    assert mv.grant_role("ada", "god", "alpha")["roles"] == {"i1": ["god"]}
    mv.god_mode_command({"type": "FREEZE_TIME", "scope": ["alpha"]}, principal="ada", origin=HTTP)
    mv.god_mode_command({"type": "UNFREEZE_TIME", "scope": ["i1"]}, principal="ada", origin=HTTP)
    mv.destroy_instance("alpha")
    mv.create_instance("alpha")
    with pytest.raises(PermissionRefusedError, match="for 'i2'"):
        mv.god_mode_command({"type": "FREEZE_TIME", "scope": ["alpha"]}, principal="ada", origin=HTTP)


def driven_by(tmp_path, principal):
    return Multiverse(1, engine="local", name="m", vault=tmp_path / "m.sqlite", principal=principal)


def test_who_keeps_one_instance_running_may_not_touch_another_nor_make_one(tmp_path):
    with driven_by(tmp_path, "keeper") as mv:
        for name in ("alpha", "beta"):
            mv.create_instance(name, phase="created")
        mv.grant_role("ada", "operator", "alpha")
    with driven_by(tmp_path, "ada") as mv:
        mv.initialize_instance("alpha")
        for refused in (
            lambda: mv.initialize_instance("beta"),
            lambda: mv.destroy_instance("beta"),
            lambda: mv.create_instance("i1"),
            lambda: mv.merge_all_active_platforms("beta"),
            lambda: mv.export_to_outer_layer("beta"),
            lambda: mv.export_multiverse(),
            lambda: mv.run(1),
            lambda: mv.start(),
            lambda: mv.pause(),
        ):
            with pytest.raises(PermissionRefusedError, match="'ada' may not ask for"):
                refused()
        mv.merge_all_active_platforms("alpha")
        mv.export_to_outer_layer("alpha")
        mv.destroy_instance("alpha")


def test_a_player_may_whisper(tmp_path):
    with driven_by(tmp_path, "keeper") as mv:
        mv.create_instance("alpha")
        mv.grant_role("ada", "player")
    with driven_by(tmp_path, "ada") as mv:
        CrossPlatformBridge(mv, "alpha").send_whisper_to_runtime("ada", "be kind")


def test_what_is_refused_before_it_is_a_command_is_in_the_audit_log_too(mv, tmp_path):
    with pytest.raises(PermissionRefusedError):
        mv.check_permission("eve", "query", "alpha", HTTP)
    mv.grant_role("ada", "god")
    with open_vault(tmp_path / "m.sqlite") as vault:
        told = [(one.principal, one.verb, one.subject, one.outcome) for one in vault.audits("m")]
    assert ("eve", "query", "alpha", PermissionRefusedError.code) in told


def test_who_may_not_look_does_not_learn_who_is_there(mv):
    mv.create_instance("alpha")
    told = []
    for who in ("alpha", "i1", "nobody"):
        with pytest.raises(PermissionRefusedError) as refused:
            mv.visitor("eve", HTTP).instance(who)
        told.append(str(refused.value))
    assert len(set(told)) == 1


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
