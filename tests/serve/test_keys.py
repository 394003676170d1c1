"""Keys: made at random, shown once, kept hashed, told apart in constant time."""

import hmac

import pytest

from actors.core.kernel.errors import KeyFileError, PermissionRefusedError
from actors.core.permissions.roles import HTTP
from orchestration import Multiverse
from serve import keys as module
from serve.keys import KEY_CHARACTERS_MAX, KEYS_MAX, Keys, keys_in
from serve.servers import Order, _with_key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.keys"


def test_a_key_is_somebodys_and_no_other_is():
    keys, ada = Keys().with_new("ada")
    keys, bob = keys.with_new("bob")
    assert (keys.principal_of(ada), keys.principal_of(bob)) == ("ada", "bob")
    for wrong in ("", "soulfra_", ada[:-1], ada + "x", ada.swapcase(), "é" * 10, "\0", "x" * 10_000):
        assert keys.principal_of(wrong) is None


def test_it_is_256_random_bits():
    made = {Keys().with_new("ada")[1] for _ in range(100)}
    assert len(made) == 100 and all(key.startswith("soulfra_") and len(key) == 8 + 43 for key in made)
    assert max(map(len, made)) <= KEY_CHARACTERS_MAX


def test_a_new_one_replaces_the_one_before():
    keys, first = Keys().with_new("ada")
    keys, second = keys.with_new("ada")
    assert (keys.principal_of(first), keys.principal_of(second)) == (None, "ada")


def test_what_is_kept_is_a_salted_hash_for_its_owner_alone(path):
    keys, key = Keys().with_new("ada")
    keys.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    kept = path.read_text()
    assert key not in kept and key.removeprefix("soulfra_") not in kept and key not in repr(keys)
    assert keys_in(path) == keys and keys_in(path).principal_of(key) == "ada"
    assert list(path.parent.iterdir()) == [path]


def test_equal_keys_have_unequal_hashes(monkeypatch):
    monkeypatch.setattr(module.secrets, "token_urlsafe", lambda _: "same")
    (one,), (other,) = (Keys().with_new("ada")[0].hashed for _ in range(2))
    assert one.digest != other.digest


def test_every_key_is_compared_in_constant_time_whoever_is_meant(monkeypatch):
    keys, first = Keys().with_new("ada")
    keys, _ = keys.with_new("bob")
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", lambda a, b: compared.append(len(a)) or real(a, b))
    assert keys.principal_of(first) == "ada" and keys.principal_of("nobody's") is None
    assert compared == [32] * 4


def test_without_a_file_there_are_no_keys(path):
    assert keys_in(path) == Keys()
    assert keys_in(path).principal_of("x") is None


def test_a_file_that_others_may_read_is_refused(path):
    Keys().with_new("ada")[0].save(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match=r"mode 640.*chmod 600"):
        keys_in(path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff", b"null", b'{"format": "other", "keys": []}', b'{"format": "soulfra http keys 1"}',
        b'{"format": "soulfra http keys 1", "keys": {}}', b'{"format": "soulfra http keys 1", "keys": [1]}',
        b'{"format": "soulfra http keys 1", "keys": [{"principal": "a", "salt": "00", "hash": "00"}]}',
        b'{"format": "soulfra http keys 1", "keys": [{"principal": 1, "salt": "%s", "hash": "%s"}]}' % (b"0" * 32, b"0" * 64),
        b"[" * 100_000, b" " * (2 << 20),
    ],
)  # fmt: skip
def test_a_file_that_holds_something_else_is_refused(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="holds no keys of this program"):
        keys_in(path)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    keys, _ = Keys().with_new("ada")
    with pytest.raises(KeyFileError, match="cannot be written"):
        keys.save(tmp_path / "no" / "m.keys")
    (tmp_path / "folder").mkdir()
    with pytest.raises(KeyFileError, match="cannot be written"):
        keys.save(tmp_path / "folder")
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_there_are_only_so_many():
    keys = Keys()
    for number in range(KEYS_MAX):
        keys, _ = keys.with_new(f"p{number}")
    with pytest.raises(KeyFileError, match="the most there may be"):
        keys.with_new("one more")
    assert len(keys.with_new("p0")[0].hashed) == KEYS_MAX


def test_whoever_gets_a_key_has_the_role_that_was_named_and_where():
    made = dict.fromkeys(Order.__dataclass_fields__)
    with Multiverse(1, engine="local") as mv:
        mv.create_instance("alpha")
        mv.create_instance("beta")
        order = Order(**{**made, "principal": "ada", "role": "observer", "scope": "alpha", "has_new_key": True})
        keys, key = _with_key(mv, order, Keys())
        assert keys.principal_of(key) == "ada"
        mv.check_permission("ada", "query", "i1", HTTP)
        for verb, scope in (("query", "i2"), ("FREEZE_TIME", "i1")):
            with pytest.raises(PermissionRefusedError):
                mv.check_permission("ada", verb, scope, HTTP)
