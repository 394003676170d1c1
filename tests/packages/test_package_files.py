"""Package files: what is written is read, and a file of which a single bit is another is refused with a reason."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import PackageError, error_from
from actors.packages import contents, files, formats, headers
from actors.packages.contents import (
    LEVELS_MAX,
    MULTIVERSE,
    ControlInterface,
    GameState,
    Metadata,
    OuterLayerPackage,
)
from actors.packages.files import PARTIAL, inspect_package, packed, read_package, unpacked, write_package
from actors.packages.formats import END, MAGIC, PRELUDE, VERSION
from actors.packages.headers import Header, Label, Part
from actors.vaults.key_files import SigningKey, generate

ROOT = Path(__file__).parents[2]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(texts, plain, max_size=3)
names = st.text("abcXYZ019_-.~ü", min_size=1, max_size=12).filter(lambda name: name not in (".", ".."))
named = st.dictionaries(names, plain, max_size=3)


def packages(inner: Any) -> Any:
    return st.builds(
        OuterLayerPackage,
        names,
        names,
        st.sampled_from(contents.KINDS),
        st.builds(GameState, records, records, records, records),
        named,
        st.builds(ControlInterface, named, named, st.lists(texts, max_size=3)),
        st.builds(
            Metadata, texts, texts, st.integers(0, 99), st.lists(names, max_size=3), texts, texts,
            st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), texts, records,
        ),
        st.binary(max_size=200),
        inner,
    )  # fmt: skip


some_packages = packages(st.lists(packages(st.lists(packages(st.just([])), max_size=2)), max_size=2))


def small(**more: Any) -> OuterLayerPackage:
    told = {
        "system_id": "soulfra",
        "name": "one",
        "game_state": GameState({"cal_riven": {"personality": {"creativity": 0.9}}}, {}, {"phase": "calm-bloom"}, {}),
        "platform_configs": {"runtime": {"agents_max": 3}},
        "control_interface": ControlInterface({"FREEZE_TIME": {}}, {"ALTER_VIBE_WEATHER": {}}, ["unpack", "run"]),
        "metadata": Metadata("for a test", "s1", 1, ["home"], "{}", "main", 7, 2, "ab" * 32, {"x": 1}),
        "cut": bytes(range(100)),
    }
    return OuterLayerPackage(**(told | more))


def layered(levels: int, **more: Any) -> OuterLayerPackage:
    """A package in a package in …"""
    made = small(**more)
    for level in range(2, levels + 1):
        made = small(kind=MULTIVERSE, metadata=Metadata(recursion_level=level), inner=[made])
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "one.soulfra"


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    generate(tmp_path / "key")
    return SigningKey.load(tmp_path / "key")


def refused(path: Path, **more: Any) -> str:
    """The one line with which a file is refused, whoever looks at it."""
    with pytest.raises(PackageError) as caught:
        read_package(path, **more)
    message = caught.value.message
    assert message.endswith(".") and not message.endswith("..") and "\n" not in message and len(message) < 700
    assert type(error_from(caught.value.code, message)) is PackageError
    if path.is_file() and "cannot be read" not in message:
        with pytest.raises(PackageError) as again:
            unpacked(path.read_bytes(), **more)
        reason = message.removeprefix(f"package {os.fspath(path)!r:.200}")
        assert again.value.message == f"the package{reason}", "the same as from a file"
    return message


def rebuilt(
    header: bytes, content: bytes, version: int = VERSION, signed: int = 0, declared: int | None = None
) -> bytes:
    """A file that somebody has made who knows the format, with a hash that is right."""
    size = len(header) if declared is None else declared
    body = PRELUDE.pack(MAGIC, version, signed, size) + header + content
    return body + hashlib.sha256(body).digest() + END


def frame(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def label(document: bytes, **more: Any) -> Label:
    told = {"parent": -1, "system_id": "s", "name": "n", "kind": "instance", "metadata": Metadata()}
    return Label(**(told | {"description": Part.of(document), "cut": Part.of(b"")} | more))


def description(**more: Any) -> bytes:
    told = {"agents": {}, "rituals": {}, "vibes": {}, "autonomous_state": {}}
    interface = {"god_mode_commands": {}, "manipulation_methods": {}, "reconstruction_instructions": []}
    return encode({"game_state": told, "platform_configs": {}, "control_interface": interface} | more)


# ----------------------------------------------------------------------------------------------------- there and back


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(package=some_packages)
def test_what_is_written_is_read(tmp_path: Path, package: OuterLayerPackage) -> None:
    path = tmp_path / "some.soulfra"
    write_package(path, package, replace=True)
    once = path.read_bytes()
    found = read_package(path)
    assert found == package
    write_package(path, found, replace=True)
    assert path.read_bytes() == packed(package) == once, "the same package has the same bytes"
    assert unpacked(once) == package


def test_a_signed_package_says_by_whom(path: Path, key: SigningKey, tmp_path: Path) -> None:
    write_package(path, small(), key)
    assert read_package(path) == read_package(path, trusted=[key.public_key]) == small()
    assert inspect_package(path).signer == key.public_key.hex()
    other = generate(tmp_path / "other")
    assert "is signed by" in refused(path, trusted=[other]) and "not by" in refused(path, trusted=[other])
    assert read_package(path, trusted=[other, key.public_key]) == small()
    write_package(path, small(), replace=True)
    assert inspect_package(path).signer == ""
    assert "it is not signed, and must be by" in refused(path, trusted=[key.public_key])


def test_an_inspection_tells_of_every_package_and_decompresses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(path, small(kind=MULTIVERSE, inner=[layered(2), small(name="two", cut=b"")]))
    monkeypatch.delattr(zstandard, "ZstdDecompressor")
    found = inspect_package(path)
    assert found.version == VERSION and found.file_bytes == path.stat().st_size
    assert [(one.level, one.parent, one.name, one.kind, one.cut_bytes) for one in found.packages] == [
        (0, -1, "one", "multiverse", 100),
        (1, 0, "one", "multiverse", 100),
        (2, 1, "one", "instance", 100),
        (1, 0, "two", "instance", 0),
    ]
    assert found.packages[0].metadata == small().metadata
    assert found.content_bytes == sum(one.description_bytes + one.cut_bytes for one in found.packages)


def test_twenty_levels_come_back_and_cost_twenty_times_one(path: Path, tmp_path: Path) -> None:
    cut = os.urandom(20_000)
    deep, one = layered(20, cut=cut), tmp_path / "flat.soulfra"
    write_package(path, deep)
    write_package(one, small(cut=cut))
    assert read_package(path) == deep
    assert path.stat().st_size < one.stat().st_size + 20 * 1_500
    write_package(path, layered(LEVELS_MAX), replace=True)
    assert read_package(path) == layered(LEVELS_MAX)
    assert max(one.level for one in inspect_package(path).packages) == LEVELS_MAX - 1


def test_a_large_cut_is_packed_and_unpacked_in_pieces(path: Path) -> None:
    cut = b"".join(hashlib.sha256(bytes([n])).digest() * 4_000 for n in range(80))  # 10 MB
    write_package(path, small(cut=cut))
    assert path.stat().st_size < len(cut) / 20
    assert read_package(path).cut == cut


# ------------------------------------------------------------------------------------------------------- not a bit off


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_package_that_is_cut_off_at_any_byte_is_refused(path: Path, key: SigningKey, is_signed: bool) -> None:
    write_package(path, small(), key if is_signed else None)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        message = refused(path)
        assert "cut off" in message or size == 0, (size, message)
        with pytest.raises(PackageError):
            inspect_package(path)


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_package_of_which_any_bit_is_another_is_refused(path: Path, key: SigningKey, is_signed: bool) -> None:
    write_package(path, small(), key if is_signed else None)
    whole = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for place in range(len(whole)):
            for bit in range(8):
                file.seek(place)
                file.write(bytes([whole[place] ^ 1 << bit]))
                with pytest.raises(PackageError):
                    inspect_package(path)
            refused(path)
            file.seek(place)
            file.write(whole[place : place + 1])
    assert read_package(path) == small()


def test_whatever_follows_is_refused(path: Path) -> None:
    write_package(path, small())
    whole = path.read_bytes()
    for more in (b"\0", b"x" * 1_000, END, whole):
        path.write_bytes(whole + more)
        assert "something was appended" in refused(path) or "its hash is another" in refused(path)


def test_a_signature_cannot_be_taken_off_or_put_on_another(path: Path, key: SigningKey, tmp_path: Path) -> None:
    write_package(path, small(), key)
    whole = path.read_bytes()
    stripped = bytearray(whole[: -64 - len(END)] + END)
    stripped[10] = 0
    path.write_bytes(stripped)
    assert "its hash is another" in refused(path)
    header = Header(key.public_key, [label(description())]).encoded()
    path.write_bytes(rebuilt(header, frame(description())))
    assert "does not say the same of a signature" in refused(path)
    forged = rebuilt(header, frame(description()), signed=1)
    path.write_bytes(forged[: -len(END)] + whole[-64 - len(END) :])
    assert "does not bear the signature of" in refused(path)
    generate(tmp_path / "eves")
    unsigned = forged[: -len(END)]
    path.write_bytes(unsigned + SigningKey.load(tmp_path / "eves").sign(formats.signed_message(unsigned[-32:])) + END)
    assert "does not bear the signature of" in refused(path)
    path.write_bytes(unsigned + key.sign(formats.signed_message(unsigned[-32:])) + END)
    assert read_package(path).name == "n"
    path.write_bytes(unsigned + key.sign(unsigned[-32:]) + END)
    assert "does not bear the signature of" in refused(path)


def test_what_is_no_package_is_refused(path: Path, tmp_path: Path) -> None:
    for content in (b"", b"x", b"PK\x03\x04" + bytes(500), b"SOULFRA\x1b" + bytes(500)):
        path.write_bytes(content)
        assert "does not begin as a package file does" in refused(path)
    path.unlink()
    assert "No such file or directory" in refused(path)
    assert "Is a directory" in refused(tmp_path)
    os.mkfifo(path)
    assert "it is not a file" in refused(path)
    assert "cannot be read" in refused(Path("a\0b"))


def test_a_newer_version_is_refused_by_name(path: Path) -> None:
    header = Header(b"", [label(description())]).encoded()
    path.write_bytes(rebuilt(header, frame(description()), version=VERSION))
    read_package(path)
    path.write_bytes(rebuilt(header, frame(description()), version=VERSION + 1))
    assert "it has version 2 of the format, and this program knows none above 1; use a newer program" in refused(path)
    path.write_bytes(rebuilt(header, frame(description()), version=0))
    assert "its first bytes are damaged" in refused(path)


# -------------------------------------------------------------------------------- made by somebody who knows the format


def test_a_bomb_is_refused_before_it_takes_memory(path: Path) -> None:
    bomb = frame(bytes(1 << 30))  # 1 GiB in 32 KiB
    honest = Header(b"", [label(description())]).encoded()
    path.write_bytes(rebuilt(honest, frame(description()) + bomb))
    script = f"""
import resource, sys
from actors.packages.files import inspect_package, read_package
inspect_package({str(path)!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_package({str(path)!r})
except Exception as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    message, mebibytes = done.stdout.splitlines()
    assert "its content is longer than it declares" in message
    assert int(mebibytes) < 64
    liar = msgspec.structs.replace(label(description()), cut=Part(1 << 30, bytes(32)))
    path.write_bytes(rebuilt(Header(b"", [liar]).encoded(), frame(description()) + bomb))
    declared = (1 << 30) + len(description())
    assert f"declares {declared} bytes of content; at most 1000000 are allowed" in refused(
        path, content_bytes_max=1_000_000
    )
    many = [msgspec.structs.replace(liar, parent=min(place - 1, 0)) for place in range(5)]
    path.write_bytes(rebuilt(Header(b"", many).encoded(), frame(description()) + bomb))
    assert "bytes of content; at most 4294967296 are allowed here" in refused(path)
    with pytest.raises(PackageError, match="bytes of content; at most"):
        inspect_package(path)


def test_a_content_that_takes_a_large_window_is_refused(path: Path) -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    compressing = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    content = description()
    path.write_bytes(
        rebuilt(Header(b"", [label(content)]).encoded(), compressing.compress(content) + compressing.flush())
    )
    assert "cannot be decompressed" in refused(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "its content is shorter than it declares"),
        (b"no zstd at all", "its content cannot be decompressed"),
        (frame(description()[:-1]), "its content is shorter than it declares"),
        (frame(description() + b"x"), "its content is longer than it declares"),
        (frame(description()) + frame(b"x"), "its content is longer than it declares"),
        (frame(description()) + b"garbage", "its content cannot be decompressed"),
        (frame(bytes(len(description()))), "a part of its content is not what it declares"),
    ],
)
def test_a_content_that_is_not_what_its_header_declares_is_refused(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(rebuilt(Header(b"", [label(description())]).encoded(), content))
    assert says in refused(path)


PATHS = [
    *("../x", "..", ".", "/etc/passwd", "a/b", "C:\\x", "C:x", "c:", "a\\b", "\\\\host\\x", "a\0b", "a\nb", ""),
    *(" a", "a ", "x" * 129, "\u202ex", "\ud800"),
]


@pytest.mark.parametrize("bad", PATHS)
def test_names_that_could_lead_somewhere_are_refused(path: Path, bad: str) -> None:
    for package in (
        small(name=bad),
        small(system_id=bad),
        small(platform_configs={bad: {}}),
        small(control_interface=ControlInterface({bad: {}})),
        small(control_interface=ControlInterface({}, {bad: {}})),
        small(metadata=Metadata(return_path=["home", bad])),
        small(inner=[small(), small(inner=[small(name=bad)])]),
    ):
        with pytest.raises(PackageError):
            write_package(path, package)
    assert list(path.parent.iterdir()) == []
    if bad == "\ud800":
        return
    for header, content in (
        ([label(description(), name=bad)], description()),
        ([label(description(), system_id=bad)], description()),
        ([label(description(), metadata=Metadata(return_path=[bad]))], description()),
        ([label(description(platform_configs={bad: 1}))], description(platform_configs={bad: 1})),
    ):
        path.write_bytes(rebuilt(Header(b"", header).encoded(), frame(content)))
        assert "printable characters that are no path" in refused(path)


def changed(**more: Any) -> list[Label]:
    return [label(description(), **more)]


HUGE = 2**62


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([], "must hold 1 to 10000 packages"),
        (changed(parent=0), "says that it is in package 0, which is not before it"),
        (changed() + changed(), "says that it is in package -1"),
        (changed() + changed(parent=1), "says that it is in package 1"),
        (changed() + changed(parent=-2), "says that it is in package -2"),
        (changed() + changed(parent=HUGE), "which is not before it"),
        ([label(description(), parent=place - 1) for place in range(LEVELS_MAX + 1)], "at most 64 are allowed"),
        (changed(kind="world"), "must be instance or multiverse, not 'world'"),
        (changed(description=Part(-1, bytes(32))), "must have 0 to"),
        (changed(description=Part(HUGE, bytes(32))), "must have 0 to"),
        (changed(cut=Part((1 << 30) + 1, bytes(32))), "a package's cut must have 0 to 1073741824 bytes"),
        (changed(cut=Part(0, bytes(31))), "must have 32 bytes, not 31"),
        (changed(metadata=Metadata(recursion_level=-1)), "recursion_level must be a whole number"),
        (changed(metadata=Metadata(control_tick=-1)), "control_tick must be a whole number"),
        (changed(metadata=Metadata(more={"x": "y" * 70_000})), "a package's metadata takes"),
        (changed(metadata=Metadata(reason="y" * 10_001)), "a package's reason must be text of at most"),
        (changed(metadata=Metadata(return_path=["x"] * 10_001)), "10001 of the kind layer on the return path"),
    ],
)
def test_a_header_that_says_what_may_not_be_is_refused(path: Path, labels: list[Label], says: str) -> None:
    path.write_bytes(rebuilt(Header(b"", labels).encoded(), frame(description() * len(labels))))
    assert says in refused(path)
    with pytest.raises(PackageError):
        inspect_package(path)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xc1",
        encode([]),
        encode({"signer": b""}),
        encode({"signer": "", "labels": []}),
        encode({"signer": b"", "labels": [], "more": 1}),
        b"\x91" * 5_000 + b"\xc0",
        Header(b"", [label(description())]).encoded() + b"\0",
        Header(bytes(31), [label(description())]).encoded(),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(path: Path, header: bytes) -> None:
    path.write_bytes(rebuilt(header, frame(description())))
    assert "the header of a package file cannot be read" in refused(path) or "must have 32 bytes" in refused(path)


def test_a_header_that_is_too_long_is_refused_before_it_is_read(path: Path) -> None:
    path.write_bytes(rebuilt(b"", b"", declared=headers.HEADER_BYTES_MAX + 1))
    assert "its first bytes are damaged" in refused(path)
    path.write_bytes(rebuilt(b"", b"", declared=500))
    assert "it is cut off" in refused(path)


def deep(levels: int) -> Any:
    made: Any = 1
    for _ in range(levels):
        made = [made]
    return made


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000 + b"\xc0",
        encode({}),
        description(more=1),
        description(game_state={"agents": []}),
        description(game_state={"spirits": {}}),
        description(control_interface={"reconstruction_instructions": [5]}),
    ],
)
def test_a_description_that_cannot_be_read_is_refused(path: Path, document: bytes) -> None:
    path.write_bytes(rebuilt(Header(b"", [label(document)]).encoded(), frame(document)))
    assert "the description of a package cannot be read" in refused(path)


# ------------------------------------------------------------------------------------------------------------ writing


def test_what_may_not_be_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    itself: list[OuterLayerPackage] = []
    itself.append(small(inner=itself))
    twice = small()
    for _ in range(20):
        twice = small(inner=[twice, twice])
    cases: list[tuple[OuterLayerPackage, str]] = [
        (itself[0], "or one holds itself"),
        (layered(LEVELS_MAX + 1), "more than 64 levels"),
        (twice, "more than 10000 packages"),
        (small(inner=[small()] * 10_000), "more than 10000 packages"),
        (small(kind="world"), "must be instance or multiverse"),
        (small(game_state=GameState({"x": {1, 2}})), "set is not plain data"),
        (small(game_state=GameState({"x": float("nan")})), "NaN"),
        (small(game_state=GameState({"x": deep(70)})), "nested more than 64 deep"),
        (small(game_state=GameState([])), "cannot be read"),  # type: ignore[arg-type]
        (small(metadata=Metadata(recursion_level=True)), "recursion_level"),
        (small(metadata=Metadata(more={"x": b"y" * 70_000})), "a package's metadata takes"),
    ]
    for package, says in cases:
        with pytest.raises(PackageError, match=says):
            write_package(path, package)
    for limit, value in (("DESCRIPTION_BYTES_MAX", 50), ("CUT_BYTES_MAX", 99), ("DESCRIPTIONS_BYTES_MAX", 50)):
        with monkeypatch.context() as patched, pytest.raises(PackageError, match=r"must have 0 to|at most"):
            patched.setattr(headers, limit, value)
            write_package(path, small())
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_there_stays(path: Path, tmp_path: Path) -> None:
    path.write_text("somebody's")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for there in (path, tmp_path / "link", tmp_path):
        with pytest.raises(PackageError, match=r"already; name another"):
            write_package(there, small())
    assert path.read_text() == "somebody's" and not (tmp_path / "nowhere").exists()
    write_package(path, small(), replace=True)
    (tmp_path / "target").write_text("somebody else's")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_package(tmp_path / "link", small(), replace=True)
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "somebody else's"
    assert read_package(path) == read_package(tmp_path / "link") == small()


def test_what_fails_half_way_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(path, small())
    before = path.read_bytes()

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patched,
        pytest.raises(PackageError, match="cannot be written: No space left on device"),
    ):
        patched.setattr(os, "fsync", full)
        write_package(path, small(name="two"), replace=True)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(files, "_compressed", interrupted)
        write_package(path, small(name="two"), replace=True)
    assert [one.name for one in path.parent.iterdir()] == [path.name] and path.read_bytes() == before
    with pytest.raises(PackageError, match="cannot be written: No such file"):
        write_package(path.parent / "nowhere" / "x", small())


def interrupted(contents: list[bytes]) -> Any:
    yield b"something"
    raise KeyboardInterrupt


def test_what_a_killed_writer_has_left_goes_with_the_next(path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from actors.packages import files
from actors.packages.contents import OuterLayerPackage
def killed(contents):
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)
files._compressed = killed
files.write_package({str(path)!r}, OuterLayerPackage("s", "n"))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == -9
    (left,) = path.parent.iterdir()
    assert left.name.startswith(PARTIAL) and not path.exists()
    write_package(path.with_name("another"), small())
    assert left.exists(), "it is not this one's"
    write_package(path, small())
    assert {one.name for one in path.parent.iterdir()} == {path.name, "another"}


def test_a_writer_that_lives_keeps_what_it_has(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = files._compressed
    inside: list[OuterLayerPackage] = [small(name="inner")]

    def slow(contents: list[bytes]) -> Any:
        if inside:
            write_package(path, inside.pop())
        yield from compressed(contents)

    monkeypatch.setattr(files, "_compressed", slow)
    write_package(path, small())
    assert read_package(path) == small() and len(list(path.parent.iterdir())) == 1


def test_the_secret_is_in_no_package(path: Path, key: SigningKey, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    write_package(path, small(), key)
    secret = load_pem_private_key((tmp_path / "key").read_bytes(), None).private_bytes_raw()  # type: ignore[union-attr]
    assert secret not in path.read_bytes() and secret.hex() not in repr(
        (inspect_package(path), read_package(path), key)
    )


def test_a_package_is_read_without_ray_or_a_store() -> None:
    code = (
        "import sys, actors.packages.files as f; "
        "print(sorted({'ray', 'sqlalchemy', 'numpy', 'cryptography', 'zmq'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
