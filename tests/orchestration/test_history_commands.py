"""`soulfra snapshot`, `soulfra history`, `soulfra revert`: what they say of a vault, and how they refuse."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from orchestration import Multiverse
from orchestration.main import run

REALMS = Path(__file__).parents[1] / "realms"


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A folder with the vault of a short life with three branches, and the digest chain after control tick 7."""
    folder = tmp_path_factory.mktemp("history")
    where = {"name": "home", "vault": folder / "home.sqlite", "engine": "local", "realm_paths": [REALMS]}
    with Multiverse(7, snapshot_interval_control_ticks=4, **where) as mv:
        mv.register_game("a", "small:Ring", params={"shouts": True})
        mv.run(5)
        mv.snapshot("mine", "before")
        mv.command("a", "set_luck", {"luck": 3})
        mv.snapshot("luckier")
        mv.run(2)
        chain = mv.digest_chain()
        mv.revert(3, reason="what if")
        mv.run(1)
        mv.revert(snapshot="mine", name="third")
    return folder, chain


@pytest.fixture
def soulfra(lived, capsys, monkeypatch):
    """Runs a command line in that folder; gives code, output, complaints."""
    monkeypatch.chdir(lived[0])

    def command(*arguments):
        code = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_the_tree_is_drawn(soulfra):
    code, out, _ = soulfra("history", "show", "home")
    assert code == 0
    assert out.splitlines() == [
        "main  0 … 7",
        "├── main@4 at 4  every 4 control ticks",
        "├── mine at 5  before",
        "├── luckier at 5",
        "├── main-2  3 … 4  what if",
        "│   └── main-2@4 at 4  every 4 control ticks",
        "└── third  5 … 5  lives here",
    ]
    document = json.loads(soulfra("history", "show", "home", "--json")[1])
    assert (document["name"], document["branch"]) == ("home", "third")
    assert [(one["branch"], one["parent"], one["control_tick"], one["reached"]) for one in document["branches"]] == [
        ("main", "", 0, 7),
        ("main-2", "main", 3, 4),
        ("third", "main", 5, 5),
    ]
    assert [one["snapshot"] for one in document["snapshots"]] == ["main@4", "mine", "luckier", "main-2@4"]


def test_snapshots_are_listed(soulfra):
    out = soulfra("snapshot", "list", "home")[1].splitlines()
    assert out[0].split() == ["snapshot", "branch", "control", "tick", "position", "digest", "reason"]
    assert [line.split()[:4] for line in out[2:4]] == [["mine", "main", "5", "1"], ["luckier", "main", "5", "2"]]
    document = json.loads(soulfra("snapshot", "list", "home", "--json")[1])
    assert [one["snapshot"] for one in document["snapshots"]] == ["main@4", "mine", "luckier", "main-2@4"]


def test_any_control_tick_is_looked_at(soulfra, lived):
    code, out, _ = soulfra("history", "at", "home", 7, "--branch", "main")
    assert (
        code == 0
        and f"chain  {lived[1]}" in out
        and out.startswith("home at control tick 7 of main, journal position 2")
    )
    document = json.loads(soulfra("history", "at", "home", 2, "--json")[1])
    assert document["boundary"] == {"branch": "third", "control_tick": 2, "position": 1}
    assert document["realms"][0]["realm_id"] == "a" and document["realms"][0]["local_tick"] == 20


def test_a_snapshot_is_looked_at_and_compared(soulfra):
    taken = {one["snapshot"]: one for one in json.loads(soulfra("snapshot", "list", "home", "--json")[1])["snapshots"]}
    for name in taken:
        document = json.loads(soulfra("snapshot", "show", "home", name, "--json")[1])
        assert document["digest"] == taken[name]["digest"]
    code, out, _ = soulfra("snapshot", "diff", "home", "mine", "luckier")
    assert code == 0 and out.splitlines()[0] == "a: 1 difference" and out.rstrip().endswith("!= 3")
    document = json.loads(soulfra("snapshot", "diff", "home", "mine", "luckier", "--json")[1])
    assert [one["right"] for one in document["members"]["a"]] == [3]
    assert soulfra("snapshot", "diff", "home", "mine", "mine")[1] == "mine and mine do not differ\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["history", "show", "away"], 1, "there is no vault file 'away.sqlite'"),
        (["history", "show", "away", "--vault", "home.sqlite"], 2, "has no multiverse 'away'; it has home"),
        (["history", "show", "../home"], 2, "a multiverse's name must be"),
        (["history", "at", "home", "99"], 2, "reaches from control tick 0 to 5"),
        (["history", "at", "home", "1", "--branch", "x"], 2, "has no branch 'x'; it has main, main-2, third"),
        (["history", "at", "home"], 2, "Missing argument"),
        (["snapshot", "show", "home", "none"], 2, "has no snapshot 'none'; it has main@4, mine, luckier, main-2@4"),
        (["snapshot", "diff", "home", "mine", "none"], 2, "has no snapshot 'none'"),
        (["revert", "home"], 2, "give either --to TICK"),
        (["revert", "home", "--to", "3", "--snapshot", "mine"], 2, "give either --to TICK"),
        (["revert", "home", "--snapshot", "mine", "--branch", "main"], 2, "give either --to TICK"),
        (["revert", "home", "--realm", "ring_0"], 2, "give either --to TICK"),
        (["revert", "home", "--realm", "ring_0", "--to", "3", "--as", "new"], 2, "stays on the branch that it is on"),
    ],
)
def test_mistakes_are_one_line(soulfra, arguments, code, says):
    found, out, err = soulfra(*arguments)
    assert (found, out) == (code, "") and says in err and len(err.splitlines()) == 1


def test_what_there_is_is_said_without_a_command(soulfra):
    for name, verbs in (
        ("snapshot", ("take", "list", "show", "diff", "delete")),
        ("history", ("show", "at", "select")),
    ):
        code, out, err = soulfra(name)
        assert code == 0 and not err and all(f"  {verb} " in out for verb in verbs)


# ------------------------------------------------------------------------------------------------------- the vault


def test_a_vault_is_verified_backed_up_and_pruned(soulfra, lived, tmp_path):
    assert soulfra("vault", "verify", "home.sqlite") == (0, "home: all is well\n", "")
    copy = tmp_path / "copy.sqlite"
    code, out, _ = soulfra("vault", "backup", "home.sqlite", copy)
    assert code == 0 and out.startswith(f"{copy} is a copy of home.sqlite: ")
    code, out, _ = soulfra("vault", "prune", copy, "--keyframes", 3, "--json")
    assert code == 0 and list(json.loads(out)["keyframes_gone"]) == ["home"]
    assert soulfra("vault", "prune", copy, "--snapshots", 3) == (0, "home: 0 snapshots went\n", "")
    assert list(json.loads(soulfra("vault", "prune", copy, "--snapshots", 3, "--keyframes", 3, "--json")[1])) == [
        *("vault", "keyframes_gone", "snapshots_gone")
    ]
    assert soulfra("vault", "prune", copy, "--unified", 3) == (0, "home: 0 unified snapshots went\n", "")
    assert json.loads(soulfra("vault", "prune", copy, "--unified", 3, "--json")[1])["unified_snapshots_gone"] == {
        "home": 0
    }
    assert soulfra("vault", "prune", copy)[1].endswith("keyframes went\n")
    assert json.loads(soulfra("vault", "verify", copy, "--json")[1])["faults"] == {"home": []}
    looked = json.loads(soulfra("history", "at", "home", 7, "--branch", "main", "--vault", copy, "--json")[1])
    assert looked["digest_chain"] == lived[1]
    with contextlib.closing(sqlite3.connect(f"{copy}.keyframes")) as connection, connection:
        connection.execute("UPDATE vault_chunks SET uses = uses + 1 WHERE rowid = 1")
    code, out, _ = soulfra("vault", "verify", copy)
    assert code == 1 and out.startswith("home: chunk ") and "times and has" in out
    assert soulfra("history", "at", "home", 7, "--branch", "main", "--vault", copy)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["vault", "verify", "none.sqlite"], 1, "there is no vault file 'none.sqlite'"),
        (["vault", "backup", "none.sqlite", "copy.sqlite"], 1, "there is no vault file 'none.sqlite'"),
        (["vault", "backup", "home.sqlite", "home.sqlite"], 1, "already; name another, or move it away"),
        (["vault", "backup", "home.sqlite", "no/where/copy.sqlite"], 1, "there is no folder"),
        (["vault", "prune", "home.sqlite", "--keyframes", "2"], 2, "--keyframes must be 3 or more, not 2"),
        (["vault", "prune", "home.sqlite", "--snapshots", "2"], 2, "--snapshots must be 3 or more, not 2"),
        (["vault", "prune", "home.sqlite", "--unified", "2"], 2, "--unified must be 3 or more, not 2"),
        (["vault", "verify"], 2, "Missing argument"),
    ],
)
def test_mistakes_with_a_vault_are_one_line(soulfra, arguments, code, says):
    found, out, err = soulfra(*arguments)
    assert (found, out) == (code, "") and says in err and len(err.splitlines()) == 1
