"""`soulfra package export` and `import`: an instance out into a file and back to the same digest, from a shell."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from shells import Shell, shell_on

from actors.packages.files import read_package
from actors.vaults.key_files import generate
from orchestration import Multiverse

REALMS = Path(__file__).parents[1] / "realms"


@pytest.fixture
def mv(tmp_path: Path) -> Iterator[Multiverse]:
    vault = tmp_path / "home.sqlite"
    with Multiverse(7, name="home", engine="local", vault=vault, realm_paths=[REALMS]) as made:
        made.create_instance("alpha")
        made.run(5)
        yield made


@pytest.fixture
def soulfra(
    mv: Multiverse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return shell_on(mv, monkeypatch, capsys)


def test_out_and_back_it_has_the_same_digest(soulfra: Shell, mv: Multiverse) -> None:
    digest = mv.instance_digest("alpha")
    before = mv.digest()
    assert soulfra("package", "export", "home", "alpha", "a.soulfra", "--reason", "to keep") == (
        0,
        f"a.soulfra holds alpha: digest {digest}\n",
        "",
    )
    assert mv.digest() == before
    assert read_package("a.soulfra").metadata.reason == "to keep"
    assert soulfra("package", "import", "home", "a.soulfra", "--name", "beta") == (
        0,
        f"beta is i2: digest {digest}\n",
        "",
    )
    again = json.loads(soulfra("package", "import", "home", "a.soulfra", "--json")[1])["instances"]
    assert [(one["name"], one["digest"]) for one in again] == [("alpha-2", digest)]
    mv.run(5)
    assert mv.instance_digest("beta") == mv.instance_digest("alpha") != digest, "and lives the same life"


def test_as_it_was(soulfra: Shell, mv: Multiverse) -> None:
    then = mv.instance_digest("alpha")
    mv.snapshot("then")
    mv.run(3)
    for which in (["--control-tick", "5"], ["--snapshot", "then"]):
        out = soulfra("package", "export", "home", "alpha", f"{which[1]}.soulfra", *which, "--json")[1]
        assert json.loads(out)["digest"] == then != mv.instance_digest("alpha")


def test_all_of_them(soulfra: Shell, mv: Multiverse) -> None:
    mv.create_instance("beta", phase="created")
    digests = [mv.instance_digest(one) for one in ("alpha", "beta")]
    assert soulfra("package", "export", "home", "-", "all.soulfra")[1].startswith(
        "all.soulfra holds home, 2 instances:"
    )
    inspected = soulfra("package", "inspect", "all.soulfra")[1].splitlines()[2:]
    assert [line.split()[:2] for line in inspected] == [
        ["home", "multiverse"],
        ["alpha", "instance"],
        ["beta", "instance"],
    ]
    assert " 5 " in inspected[1], "the control tick that it was taken at"
    made = json.loads(soulfra("package", "import", "home", "all.soulfra", "--json")[1])["instances"]
    assert [(one["name"], one["digest"]) for one in made] == [("alpha-2", digests[0]), ("beta-2", digests[1])]


def test_signed_by_one_who_is_trusted(soulfra: Shell, tmp_path: Path) -> None:
    for name in ("mine", "other"):
        generate(tmp_path / name)
    assert soulfra("package", "export", "home", "alpha", "a.soulfra", "--key", "mine")[0] == 0
    code, out, err = soulfra("package", "import", "home", "a.soulfra", "--key", "other.pub")
    assert (code, out) == (2, "") and "it is signed by" in err
    assert soulfra("package", "import", "home", "a.soulfra", "--key", "other.pub", "--key", "mine.pub")[0] == 0


def test_what_is_made_by_strangers_is_trusted_by_name(soulfra: Shell, mv: Multiverse) -> None:
    mv.register_game("a", "small:Ring")
    mv.attach_game("a", "alpha")
    assert soulfra("package", "export", "home", "alpha", "a.soulfra")[0] == 0
    mv.destroy_instance("alpha")
    code, out, err = soulfra("package", "import", "home", "a.soulfra")
    assert (code, out) == (2, "") and "small:Ring" in err and mv.instances() == []
    assert soulfra("package", "import", "home", "a.soulfra", "--trust-factory", "small:Ring")[0] == 0
    assert mv.instance("alpha").attached.keys() == {"a"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "home", "beta", "b.soulfra"], "there is no instance 'beta'"),
        (["export", "home", "alpha"], "Missing argument"),
        (["export", "home", "alpha", "taken"], "there is a file 'taken' already"),
        (["export", "home", "alpha", "no/where.soulfra"], "cannot be written"),
        (["export", "home", "alpha", "b", "--snapshot", "x", "--control-tick", "1"], "give either --snapshot"),
        (["export", "home", "-", "b", "--control-tick", "1"], "as they are now"),
        (["export", "home", "alpha", "b", "--snapshot", "none"], "none"),
        (["export", "home", "alpha", "b", "--control-tick", "99"], "99"),
        (["export", "home", "alpha", "b", "--key", "none"], "none"),
        (["import", "home", "none.soulfra"], "No such file"),
        (["import", "home", "taken"], "taken"),
        (["import", "home", "whole.soulfra", "--name", "alpha"], "there is an instance 'alpha' already"),
        (["import", "home", "whole.soulfra", "--name", "a:b"], "':'"),
        (["import", "home", "whole.soulfra", "--key", "none"], "none"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(
    soulfra: Shell, mv: Multiverse, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "taken").write_text("not a package")
    soulfra("package", "export", "home", "alpha", "whole.soulfra")
    before, files = mv.digest(), sorted(one.name for one in tmp_path.iterdir())
    code, out, err = soulfra("package", *arguments)
    assert (code, out, mv.digest()) == (2, "", before)
    assert says in err and len(err.splitlines()) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == files
