"""Keys in files: the private half is for its owner alone and shows itself nowhere; what is not a whole key is refused."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from journaling import ROOT

from actors.core.kernel.errors import KeyFileError
from actors.vaults.key_files import (
    FILE_BYTES_MAX,
    PUBLIC_SUFFIX,
    SIGNATURE_BYTES,
    SigningKey,
    generate,
    is_signed,
    public_key_in,
)


def public(path: Path) -> Path:
    return Path(f"{path}{PUBLIC_SUFFIX}")


def refused(path: Path) -> str:
    with pytest.raises(KeyFileError) as caught:
        SigningKey.load(path)
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
    assert "BEGIN" not in caught.value.message
    return caught.value.message


def test_a_key_signs_and_its_public_half_checks(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = generate(path)
    key = SigningKey.load(path)
    assert made == key.public_key == public_key_in(public(path))
    signature = key.sign(b"hello")
    assert len(signature) == SIGNATURE_BYTES and signature == key.sign(b"hello")
    assert is_signed(made, b"hello", signature)
    assert not is_signed(made, b"hullo", signature)
    assert not is_signed(made, b"hello", bytes([signature[0] ^ 1]) + signature[1:])
    assert not is_signed(generate(tmp_path / "other"), b"hello", signature)
    assert not is_signed(b"short", b"hello", signature) and not is_signed(made, b"hello", b"")


def test_the_private_half_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        generate(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for mode in (0o640, 0o604, 0o660, 0o601):
        path.chmod(mode)
        assert f"(mode {mode:o}); run chmod 600 on it" in refused(path)
    path.chmod(0o400)
    SigningKey.load(path)


def test_it_shows_itself_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "key"
    generate(path)
    secret = "".join(path.read_text().splitlines()[1:-1])
    key = SigningKey.load(path)
    assert secret not in public(path).read_text()
    assert repr(key) == f"{key}" == f"<the private half of {key.public_key.hex()[:16]}>"
    path.write_text(path.read_text()[:-30])
    assert secret[:20] not in refused(path)


def test_keys_are_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key"
    public(path).write_text("somebody's")
    with pytest.raises(KeyFileError, match=r"key\.pub' already; name another"):
        generate(path)
    assert not path.exists() and public(path).read_text() == "somebody's"
    public(path).unlink()
    generate(path)
    before = path.read_bytes(), public(path).read_bytes()
    with pytest.raises(KeyFileError, match="key' already; name another"):
        generate(path)
    assert (path.read_bytes(), public(path).read_bytes()) == before
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="already"):
        generate(tmp_path / "link")
    with pytest.raises(KeyFileError, match="cannot be made: No such file"):
        generate(tmp_path / "nowhere" / "key")


def test_a_key_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    generate(path)
    for file, read in ((path, SigningKey.load), (public(path), public_key_in)):
        whole = file.read_bytes()
        for size in range(len(whole.rstrip())):
            file.write_bytes(whole[:size])
            with pytest.raises(KeyFileError, match="no whole"):
                read(file)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert "cannot be read: No such file or directory" in refused(path)
    assert f"is not a file of at most {FILE_BYTES_MAX} bytes" in refused(tmp_path)
    os.mkfifo(path, 0o600)
    assert "is not a file of at most" in refused(path)  # and nobody waits for a writer
    path.unlink()
    generate(path)
    assert "no whole private key" in refused_private(public(path))
    with pytest.raises(KeyFileError, match="no whole public key of Ed25519"):
        public_key_in(path)
    path.write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    assert "is not a file of at most" in refused(path)
    assert "cannot be read" in refused(Path("a\0b"))


def refused_private(path: Path) -> str:
    path.chmod(0o600)
    return refused(path)


def test_keys_of_another_kind_or_with_a_password_are_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(
        x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    assert "holds a key of another kind" in refused(path)
    locked = BestAvailableEncryption(b"hush")
    path.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    assert "without a password" in refused(path)


def test_who_only_opens_a_vault_does_not_fetch_the_library(tmp_path: Path) -> None:
    code = (
        "import sys; from actors.vaults.openings import open_vault; v = open_vault(sys.argv[1]); v.begin_epoch('m', b'');"
        "assert v.audit_faults('m') == []; v.close(); print('cryptography' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "v")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
