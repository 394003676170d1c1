"""Packages from a shell: what one holds is told, and one that is not what was written is refused in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from actors.packages.contents import MULTIVERSE, Metadata, OuterLayerPackage
from actors.packages.files import write_package
from actors.vaults.key_files import SigningKey, generate
from orchestration.main import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A signed package of a multiverse with one instance in it."""
    generate(tmp_path / "key")
    inner = OuterLayerPackage(
        "soulfra", "inner [bold]", metadata=Metadata(branch="main", control_tick=1_234), cut=b"x" * 5
    )
    told = Metadata("for a\ntest", recursion_level=1, digest="ab" * 32, more={"bytes": b"\xff"})
    outer = OuterLayerPackage("soulfra", "outer", MULTIVERSE, metadata=told, inner=[inner])
    write_package(tmp_path / "one.soulfra", outer, SigningKey.load(tmp_path / "key"))
    return tmp_path / "one.soulfra"


def test_an_inspection_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "inspect", str(file)]) == 0
    out, err = capsys.readouterr()
    assert err == "" and "signed by" in out
    assert "outer" in out and "  inner [bold]" in out and "1,234 of main" in out and "for a test" in out


def test_an_inspection_for_programs(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "inspect", str(file), "--json", "--key", str(tmp_path / "key.pub")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["level"], one["parent"], one["cut_bytes"]) for one in found["packages"]] == [
        ("outer", 0, -1, 0),
        ("inner [bold]", 1, 0, 5),
    ]
    assert found["packages"][0]["metadata"]["recursion_level"] == 1
    assert found["signer"] == SigningKey.load(tmp_path / "key").public_key.hex()
    assert found["file_bytes"] == file.stat().st_size


def test_what_is_not_what_was_written_is_refused_in_one_line(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(tmp_path / "other")
    whole = file.read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped").write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    for arguments, says in (
        ([str(tmp_path / "half")], "cut off"),
        ([str(tmp_path / "flipped")], "its hash is another"),
        ([str(tmp_path / "none")], "No such file"),
        ([str(file), "--key", str(tmp_path / "other.pub")], "it is signed by"),
        ([str(file), "--key", str(tmp_path / "other")], "no whole public key"),
    ):
        assert run(["package", "inspect", *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == "" and says in err and len(err.splitlines()) == 1


def test_neither_ray_nor_a_store_is_loaded(file: Path) -> None:
    code = (
        f"import sys; from orchestration.main import run; run(['package', 'inspect', {str(file)!r}, '--json']); "
        "print(sorted({'ray', 'sqlalchemy', 'zmq', 'mesa'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
