"""Who asked for what: every change and every refusal is told of, in the transaction of what it tells of."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.core.kernel.effects import Exchange, Lost
from actors.core.kernel.errors import SoulfraError
from actors.vaults.openings import open_vault
from actors.vaults.records import Audit
from orchestration import CrossGameEvent, Multiverse
from orchestration.main import run

REALMS = Path(__file__).parents[1] / "realms"
RING = "small:Ring"


def opened(vault: Path, **more: Any) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=vault, realm_paths=[REALMS], **more)


def log_of(vault: Path) -> list[Audit]:
    with open_vault(vault) as found:
        assert found.audit_faults("home") == []
        return list(found.audits("home"))


def told(one: Audit) -> tuple[str, str, str, str, tuple[str, int, int]]:
    return one.principal, one.verb, one.subject, one.outcome, (one.branch, one.control_tick, one.position)


def test_everything_that_is_asked_is_told_of(tmp_path: Path) -> None:
    vault = tmp_path / "home.sqlite"
    begun = datetime.now(UTC)
    with opened(vault, principal="ada") as mv:
        mv.register_game("ring", RING)
        mv.run(2)
        mv.command("ring", "set_luck", {"luck": 5})
        player = mv.players.create_player("Ann", "elf", "ring").player_id
        mv.modify("ring", {"ring.luck": 7})
        mv.queue_cross_game_event(CrossGameEvent("mine", "x", "ring", "token"))
        mv.snapshot("noon")
        mv.run(1)
        for refused in (
            lambda: mv.command("ring", "no_such_verb"),
            lambda: mv.command("nobody", "set_luck"),
            lambda: mv.register_game("ring", RING),
            lambda: mv.snapshot("noon"),
            lambda: mv.revert(99),
            lambda: mv.revert_realm("nobody", 1),
            lambda: mv.delete_snapshot("none"),
            lambda: mv.select("nowhere"),
            lambda: mv.drop_fork(4),
        ):
            with pytest.raises(SoulfraError):
                refused()
        mv.revert_realm("ring", 1)
        (fork,) = mv.fork(["ring"])
        mv.drop_fork(fork)
        mv.revert(2, name="other")
        mv.select("main")
        mv.snapshot("second")
        mv.delete_snapshot("second")
        mv.get_multiverse_state(), mv.audit(), mv.journal(), mv.digest()  # who looks is not told of
    found = log_of(vault)
    assert [told(one)[1:4] for one in found] == [
        ("RegisterGame", "ring", "done"),
        ("set_luck", "ring", "done"),
        ("create_player", "@players", "done"),
        ("modify", "ring", "done"),
        ("QueueEvent", "ring", "done"),
        ("snapshot", "noon", "done"),
        ("no_such_verb", "ring", "command_refused"),
        ("set_luck", "nobody", "unknown_member"),
        ("RegisterGame", "ring", "duplicate_member"),
        ("snapshot", "noon", "command_refused"),
        ("revert", "", "command_refused"),
        ("RevertGame", "nobody", "unknown_member"),
        ("delete_snapshot", "none", "unknown_snapshot"),
        ("select", "nowhere", "unknown_branch"),
        ("DropFork", "4", "command_refused"),
        ("RevertGame", "ring", "done"),
        ("ForkGames", "ring", "done"),
        ("DropFork", "1", "done"),
        ("revert", "other", "done"),
        ("select", "main", "done"),
        ("snapshot", "second", "done"),
        ("delete_snapshot", "second", "done"),
    ]
    assert {one.principal for one in found} == {"ada"}
    assert [one.branch for one in found if one.verb in ("revert", "select") and one.outcome == "done"] == [
        "other",
        "main",
    ]
    assert all(begun <= datetime.fromisoformat(one.at) <= datetime.now(UTC) for one in found)
    assert player not in str(found)  # what was said is in the journal


def test_a_driver_that_says_nothing_is_whoever_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    with opened(tmp_path / "home.sqlite") as mv:
        mv.register_game("ring", RING)
    (found,) = log_of(tmp_path / "home.sqlite")
    assert found.principal == "grace"
    for wrong in ("", " ", "x" * 200, "a\nb", 5):
        with pytest.raises(SoulfraError, match="principal"):
            opened(tmp_path / "other.sqlite", principal=wrong)


def test_a_command_that_is_asked_again_is_told_of_once(tmp_path: Path) -> None:
    vault = tmp_path / "home.sqlite"
    with opened(vault) as mv:
        mv.register_game("ring", RING)
        mv._command_id = lambda command: "the same"
        assert mv.command("ring", "set_luck", {"luck": 5}) == mv.command("ring", "set_luck", {"luck": 5})
    assert [(one.verb, one.command_id) for one in log_of(vault)][1:] == [("set_luck", "the same")]


def test_from_a_shell(tmp_path: Path, capsys: Any) -> None:
    vault = tmp_path / "home.sqlite"
    where = ["--vault", str(vault)]

    def soulfra(*arguments: str) -> tuple[int, str, str]:
        code = run([*arguments, *where])
        return (code, *capsys.readouterr())

    with opened(vault, principal="ada") as mv:
        assert soulfra("audit", "show", "home") == (0, "nobody has asked for anything yet\n", "")
        mv.register_game("ring", RING)
        for luck in range(5):
            mv.command("ring", "set_luck", {"luck": luck})
    code, out, _ = soulfra("audit", "show", "home", "--last", "2", "--json")
    document = json.loads(out)
    assert (code, [one["number"] for one in document["records"]]) == (0, [5, 6])
    _, kept, _ = soulfra("audit", "head", "home")
    assert document["head"] == kept.strip() and kept.startswith("6:")
    assert "ada" in soulfra("audit", "show", "home")[1]
    assert soulfra("audit", "verify", "home", "--head", kept.strip()) == (0, "home: 6 records, all is well\n", "")
    with closing(sqlite3.connect(vault)) as file, file:
        file.execute("DELETE FROM vault_audit WHERE number > 4")
    code, out, _ = soulfra("audit", "verify", "home")
    assert (code, out) == (
        1,
        "no audit record tells of position 5 of branch 'main'; no audit record tells of position 6 of branch 'main'\n",
    )
    code, out, _ = soulfra("audit", "verify", "home", "--head", kept.strip(), "--json")
    assert code == 1 and "the audit log ends at record 4, and one of 6 was kept" in json.loads(out)["faults"]
    with closing(sqlite3.connect(vault)) as file, file:
        file.execute("DELETE FROM vault_audit")
    emptied = "the audit log is empty, and there were records in it; of 6 commands in the journal nothing tells"
    assert soulfra("audit", "verify", "home") == (1, f"{emptied}\n", "")
    assert run(["vault", "verify", str(vault)]) == 1 and emptied in capsys.readouterr().out
    for arguments, says in (
        (["show", "away"], "has no multiverse 'away'; it has home"),
        (["show", "home", "--last", "0"], "--last must be a whole number from 1 upwards"),
        (["verify", "home", "--head", "6"], "--head must read NUMBER:HASH"),
        (["verify", "home", "--head", "x:" + "0" * 64], "--head must read NUMBER:HASH"),
        (["verify", "home", "--head", "6:" + "0" * 63], "--head must read NUMBER:HASH"),
    ):
        code, out, err = soulfra("audit", *arguments)
        assert (code, out) == (2, "") and says in err and len(err.splitlines()) == 1


def test_a_command_that_costs_its_member_its_life_is_told_of_at_its_own_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = tmp_path / "home.sqlite"
    with opened(vault) as mv:
        mv.register_game("ring", RING)
        fleet = mv._engine._clock._fleet
        perform = fleet.perform

        def losing(effect: Any) -> Any:
            if isinstance(effect, Exchange) and effect.occasion.startswith("command"):
                return {member_id: Lost("its process died twice") for member_id in effect.grants}
            return perform(effect)

        with monkeypatch.context() as patched, pytest.raises(SoulfraError, match="is in error now"):
            patched.setattr(fleet, "perform", losing)
            mv.command("ring", "set_luck", {"luck": 1})
        assert [(entry.position, entry.decision is not None) for entry in mv.journal()] == [
            (1, False),
            (2, False),
            (3, True),
        ]
    assert [(one.position, one.outcome) for one in log_of(vault)] == [(1, "done"), (2, "member")]


HOSTILE = "\x1b[31mred\x07\u202e[bold]"


def test_what_somebody_has_said_does_not_steer_the_terminal(tmp_path: Path, capsys: Any) -> None:
    vault = tmp_path / "home.sqlite"
    with opened(vault, principal="ada") as mv:
        for scope in (HOSTILE, "\ud800\0", "x" * 10_000):
            with pytest.raises(SoulfraError):
                mv.freeze([scope])
    show = ["audit", "show", "home", "--vault", str(vault)]
    assert run(show) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable() and r"\x1b[31mred\x07\u202e[bold]" in out
    assert max(map(len, out.splitlines())) < 180
    assert run([*show, "--json"]) == 0
    out = capsys.readouterr().out
    assert out.rstrip().isprintable()
    assert [one["subject"] for one in json.loads(out)["records"]] == [HOSTILE, "?\ufffd", "x" * 1_000]
