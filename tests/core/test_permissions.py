"""Permissions: who may ask for what, and that a revoke never leaves more than there was."""

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.kernel.codec import decode, encode
from actors.core.kernel.commands import ClockCommand, MemberCommand
from actors.core.kernel.errors import (
    CallerError,
    CommandRefusedError,
    PermissionRefusedError,
    SettingsError,
    error_from,
)
from actors.core.permissions import validators
from actors.core.permissions.roles import (
    GOD,
    HTTP,
    LOCAL,
    LOOK,
    OBSERVER,
    OPERATOR,
    PLAYER,
    ROLES,
    ROLES_OF_STRANGERS,
    VERBS,
    group_of,
    roles_for,
)
from actors.core.permissions.validators import EVERYWHERE, NAME_CHARACTERS_MAX, PermissionValidator

ROOT = Path(__file__).parents[2]
ALL_VERBS = [*(verb for verbs in VERBS.values() for verb in verbs), "set_luck"]
PEOPLE = ["ada", "bob", "eve"]
SCOPES = [EVERYWHERE, "sol_1", "sol_2"]


def may(
    validator: PermissionValidator, principal: str, verb: str, scope: str = EVERYWHERE, origin: str = LOCAL
) -> bool:
    try:
        validator.check(principal, verb, scope, origin)
    except PermissionRefusedError:
        return False
    return True


def everything(validator: PermissionValidator) -> set[tuple[str, ...]]:
    """All that anybody may ask for."""
    return {
        (principal, verb, scope, origin)
        for principal in PEOPLE
        for verb in ALL_VERBS
        for scope in SCOPES
        for origin in (LOCAL, HTTP)
        if may(validator, principal, verb, scope, origin)
    }


def test_who_drives_locally_is_a_god_and_a_stranger_over_http_is_nobody() -> None:
    validator = PermissionValidator()
    for verb in ALL_VERBS:
        assert may(validator, "ada", verb) and may(validator, "ada", verb, "sol_1")
        assert not may(validator, "ada", verb, origin=HTTP)
    assert validator.plain() == {}


@pytest.mark.parametrize(
    ("role", "may_ask", "may_not_ask"),
    [
        (OBSERVER, ["query", "history"], ["transition_player", "snapshot", "FREEZE_TIME", "set_luck"]),
        (PLAYER, ["query", "transition_player", "speak"], ["create_player", "run", "modify", "set_luck"]),
        (OPERATOR, ["query", "speak", "snapshot", "RegisterGame"], ["revert", "FREEZE_TIME", "grant_role", "set_luck"]),
        (GOD, ALL_VERBS, []),
    ],
)
def test_a_role_allows_its_verbs_and_no_others(role: str, may_ask: list[str], may_not_ask: list[str]) -> None:
    validator = PermissionValidator()
    validator.grant("ada", role)
    for origin in (LOCAL, HTTP):
        assert [verb for verb in may_ask if not may(validator, "ada", verb, origin=origin)] == []
        assert [verb for verb in may_not_ask if may(validator, "ada", verb, origin=origin)] == []


def test_a_refusal_says_who_what_and_which_role_would_be_needed() -> None:
    validator = PermissionValidator()
    validator.grant("ada", OBSERVER, "sol_1")
    with pytest.raises(PermissionRefusedError) as caught:
        validator.check("ada", "snapshot", "sol_1", HTTP)
    assert caught.value.message == (
        "'ada' may not ask for 'snapshot' for 'sol_1': that takes the role operator or god there, and 'ada' has observer; "
        "ask a god to grant it."
    )
    assert isinstance(caught.value, CallerError)
    assert type(error_from(caught.value.code, caught.value.message)) is PermissionRefusedError
    with pytest.raises(
        PermissionRefusedError, match=r"'bob' may not ask for 'set_luck' everywhere: .* role god there.* no role"
    ):
        validator.check("bob", "set_luck", origin=HTTP)


def test_a_refusal_says_which_roles_there_are_elsewhere() -> None:
    validator = PermissionValidator()
    validator.grant("bob", OBSERVER, "i1")
    told = "'bob' may not ask for 'snapshot' everywhere: that takes the role operator or god there, and 'bob' has "
    for others, has in (
        ([], "no role there, only observer for 'i1'"),
        ([(OPERATOR, "i2"), (OBSERVER, "i2")], "no role there, only observer for 'i1', observer and operator for 'i2'"),
        ([(OBSERVER, EVERYWHERE)], "observer there, and observer for 'i1', observer and operator for 'i2'"),
        (
            [(PLAYER, f"j{number}") for number in range(6)],
            "observer there, and observer for 'i1', observer and operator for 'i2', player for 'j0', player for 'j1', "
            "player for 'j2' and 3 more",
        ),
    ):
        for role, scope in others:
            validator.grant("bob", role, scope)
        with pytest.raises(PermissionRefusedError) as caught:
            validator.check("bob", "snapshot", origin=HTTP)
        assert caught.value.message == f"{told}{has}; ask a god to grant it."


def test_a_role_holds_in_its_scope_alone() -> None:
    validator = PermissionValidator()
    validator.grant("ada", OPERATOR, "sol_1")
    assert may(validator, "ada", "RestartGame", "sol_1")
    assert not may(validator, "ada", "RestartGame", "sol_2") and not may(validator, "ada", "RestartGame")
    validator.grant("ada", OBSERVER)
    assert may(validator, "ada", "query", "sol_2") and not may(validator, "ada", "RestartGame", "sol_2")
    assert validator.roles("ada", "sol_1") == (OBSERVER, OPERATOR)
    validator.revoke("ada", OBSERVER)
    assert may(validator, "ada", "query", "sol_1") and not may(validator, "ada", "query", "sol_2")


def test_who_was_named_once_is_never_a_stranger_again() -> None:
    validator = PermissionValidator()
    validator.grant("ada", GOD)
    validator.revoke("ada", GOD)
    validator.revoke_all("bob")
    for one in ("ada", "bob"):
        assert not may(validator, one, "query") and not may(validator, one, "query", "sol_1")
    assert validator.plain() == {"ada": {}, "bob": {}}
    assert may(PermissionValidator.from_plain(validator.plain()), "ada", "query") is False


def test_unknown_roles_origins_and_names_are_refused_and_nothing_changes() -> None:
    validator = PermissionValidator()
    validator.grant("ada", PLAYER)
    before = validator.plain()
    bad_names: list[Any] = ["", " ", "a\nb", "a\0b", "\ud800", "x" * (NAME_CHARACTERS_MAX + 1), None, 5, b"ada"]
    for bad in bad_names:
        for action in (
            lambda bad=bad: validator.check(bad, "query"),
            lambda bad=bad: validator.check("ada", bad),
            lambda bad=bad: validator.check("ada", "query", bad),
            lambda bad=bad: validator.grant(bad, GOD),
            lambda bad=bad: validator.grant("ada", GOD, bad),
            lambda bad=bad: validator.revoke(bad, PLAYER),
            lambda bad=bad: validator.revoke_all(bad),
        ):
            with pytest.raises(SettingsError, match="must be 1 to"):
                action()
    bad_roles: list[Any] = ["", "admin", "God", None, ["god"]]
    for bad in bad_roles:
        with pytest.raises(SettingsError, match=r"there is no role .*; roles are observer, player, operator, god"):
            validator.grant("ada", bad)
        with pytest.raises(SettingsError, match="there is no role"):
            validator.revoke("ada", bad)
    for bad in ("", "ftp", None, []):
        with pytest.raises(SettingsError, match="requests come from local or http"):
            validator.check("ada", "query", origin=bad)  # type: ignore[arg-type]
    assert validator.plain() == before


def test_what_was_not_granted_cannot_be_revoked() -> None:
    validator = PermissionValidator()
    validator.grant("ada", PLAYER, "sol_1")
    for principal, role, scope in (("ada", GOD, "sol_1"), ("ada", PLAYER, EVERYWHERE), ("bob", PLAYER, "sol_1")):
        with pytest.raises(CommandRefusedError, match="was not granted"):
            validator.revoke(principal, role, scope)
    with pytest.raises(CommandRefusedError, match="granted is player in 'sol_1'"):
        validator.revoke("ada", GOD)
    assert validator.plain() == {"ada": {"sol_1": [PLAYER]}}


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validators, "PRINCIPALS_MAX", 3)
    monkeypatch.setattr(validators, "SCOPES_PER_PRINCIPAL_MAX", 2)
    validator = PermissionValidator()
    for name in PEOPLE:
        validator.grant(name, PLAYER)
    for action in (lambda: validator.grant("joe", PLAYER), lambda: validator.revoke_all("joe")):
        with pytest.raises(CommandRefusedError, match="3 principals, the most"):
            action()
    validator.grant("ada", PLAYER, "sol_1")
    validator.grant("ada", GOD, "sol_1")
    with pytest.raises(CommandRefusedError, match="2 scopes, the most"):
        validator.grant("ada", PLAYER, "sol_2")
    validator.revoke("ada", PLAYER)
    validator.grant("ada", PLAYER, "sol_2")
    plain = validator.plain()
    PermissionValidator.from_plain(plain)
    for larger in ({**plain, "joe": {}}, {"ada": {scope: [GOD] for scope in SCOPES}}):
        with pytest.raises(SettingsError, match="at most"):
            PermissionValidator.from_plain(larger)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {"": {}},
        {"ada": []},
        {"ada": {"sol_1": []}},
        {"ada": {"sol_1": "god"}},
        {"ada": {"sol_1": ["admin"]}},
        {"ada": {"sol_1": ["god", "god"]}},
        {"ada": {"sol_1": ["god", "player"]}},
        {"ada": {"": ["god"]}},
        {"ada": {5: ["god"]}},
        {5: {}},
    ],
)
def test_what_is_not_in_canonical_form_is_refused(bad: Any) -> None:
    with pytest.raises(SettingsError):
        PermissionValidator.from_plain(bad)


def test_the_tables_fit_each_other() -> None:
    assert len(ALL_VERBS) == len(set(ALL_VERBS)), "a verb is in one group only"
    assert {group for groups in ROLES.values() for group in groups} == set(VERBS)
    assert {role for roles in ROLES_OF_STRANGERS.values() for role in roles} <= set(ROLES)
    assert all(LOOK in groups for groups in ROLES.values())
    assert all(roles_for(verb)[-1] == GOD for verb in ALL_VERBS)
    commands = {kind.__name__ for kind in get_args(ClockCommand)} - {MemberCommand.__name__}
    assert commands <= set(ALL_VERBS), "a new command of the clock has a row in no group"
    assert group_of("set_luck") == group_of("FREEZE_TIME")


def test_every_verb_of_the_tables_is_one_that_somebody_asks_under() -> None:
    commands = {kind.__name__ for kind in get_args(ClockCommand)}
    sources = [
        path.read_text() for floor in ("actors", "orchestration", "serve") for path in (ROOT / floor).rglob("*.py")
    ]
    for verb in {verb for verbs in VERBS.values() for verb in verbs} - commands:
        used = (f"def {verb}(", f'"{verb}"')
        assert sum(word in source for source in sources for word in used) > 1, f"nobody ever asks for {verb}"


moves = st.lists(
    st.tuples(
        st.sampled_from(["grant", "revoke", "revoke_all"]),
        st.sampled_from(PEOPLE),
        st.sampled_from(sorted(ROLES)),
        st.sampled_from(SCOPES),
    ),
    max_size=12,
)


def done(validator: PermissionValidator, move: tuple[str, str, str, str]) -> None:
    verb, principal, role, scope = move
    if verb == "revoke_all":
        validator.revoke_all(principal)
    else:
        getattr(validator, verb)(principal, role, scope)


@given(moves)
def test_a_revoke_never_leaves_more_than_there_was_and_never_touches_others(
    some: list[tuple[str, str, str, str]],
) -> None:
    validator = PermissionValidator()
    for move in some:
        before = everything(validator)
        try:
            done(validator, move)
        except CommandRefusedError:
            assert everything(validator) == before
            continue
        after = everything(validator)
        assert {one for one in before ^ after if one[0] != move[1]} == set()
        if move[0] != "grant":
            assert after <= before
        if move[0] == "revoke_all":
            assert not any(one[0] == move[1] for one in after)


@given(moves)
def test_it_is_plain_data_with_one_form(some: list[tuple[str, str, str, str]]) -> None:
    validator = PermissionValidator()
    for move in some:
        try:
            done(validator, move)
        except CommandRefusedError:
            continue
    document = encode(validator.plain())
    again = PermissionValidator.from_plain(decode(document))
    assert encode(again.plain()) == document and everything(again) == everything(validator)
    assert list(validator.plain()) == sorted(validator.plain())


@given(st.permutations([(name, role, scope) for name in PEOPLE[:2] for role in (PLAYER, GOD) for scope in SCOPES[:2]]))
def test_the_order_of_grants_leaves_no_trace(grants: list[tuple[str, str, str]]) -> None:
    validator, sorted_one = PermissionValidator(), PermissionValidator()
    for grant in grants:
        validator.grant(*grant)
    for grant in sorted(grants):
        sorted_one.grant(*grant)
    assert list(validator.plain()["ada"]) == list(sorted_one.plain()["ada"])
    assert encode(validator.plain()) == encode(sorted_one.plain())
