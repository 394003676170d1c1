"""Keyframes: whole or not there, fenced like the journal, and never in its way."""

import itertools
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pytest
import servers
import zstandard
from journaling import WAIT_S_MAX, answers, behind_its_back, keyframes_url, row, rows
from sqlalchemy import event
from sqlalchemy.pool import Pool

from actors.core.kernel.errors import StaleEpochError, VaultError
from actors.vaults import chunks, keyframes
from actors.vaults.chunks import CHUNK_BYTES
from actors.vaults.openings import KEYFRAMES_SUFFIX
from actors.vaults.records import CHAIN_BYTES, EVERYTHING, Chains, Keyframe, LatestKeyframe
from actors.vaults.vaults import Vault

Opening = Callable[[], Vault]


def frame(control_tick: int, position: int = 0, branch: str = "main", **documents: bytes) -> Keyframe:
    return Keyframe(branch, control_tick, position, documents or {"sol_1": b"state of %d" % control_tick})


def stored(url: str, branch: str) -> list[tuple[object, ...]]:
    """Control tick, position and name of every document in the tables."""
    columns = "control_tick, position, name"
    return answers(
        keyframes_url(url),
        f"SELECT {columns} FROM vault_documents WHERE branch = :branch ORDER BY {columns}",
        branch=branch,
    )


def test_a_keyframe_comes_back_as_it_was(opening: Opening) -> None:
    noise = random.Random(5).randbytes(3 << 20)
    saved = frame(7, 3, **{"sol_1": noise, "empty": b"", "ü / ?": bytes(1 << 20)})
    with opening() as vault:
        epoch = vault.begin_epoch("m", b"").epoch
        assert vault.latest_keyframe("m", "main") == LatestKeyframe(None)
        vault.save_keyframe("m", epoch, saved)
    again = opening()
    assert again.latest_keyframe("m", "main") == LatestKeyframe(saved)
    assert again.latest_keyframe("m", "fork") == again.latest_keyframe("n", "main") == LatestKeyframe(None)


def test_a_keyframe_may_be_of_an_empty_multiverse(vault: Vault) -> None:
    vault.save_keyframe("m", vault.begin_epoch("m", b"").epoch, Keyframe("main", 0, 0, {}))
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(Keyframe("main", 0, 0, {}))


def test_all_of_a_branch_are_kept_and_found_by_their_boundary(url: str, vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    vault.save_keyframe("m", epoch, frame(1, branch="fork"))
    for tick in range(1, 6):
        vault.save_keyframe("m", epoch, frame(tick, tick * 2))
    assert [(tick, position) for tick, position, _ in stored(url, "main")] == [(n, 2 * n) for n in range(1, 6)]
    assert stored(url, "fork") == [(1, 0, "sol_1")]
    for until, tick in [((0, 9), None), ((1, 1), None), ((1, 2), 1), ((3, 5), 2), ((3, 6), 3), ((9, 0), 5), (None, 5)]:
        found = vault.latest_keyframe("m", "main", until).keyframe
        assert found == (None if tick is None else frame(tick, tick * 2)), until


def test_when_they_are_too_many_the_old_ones_lie_further_apart(url: str, vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    for tick in range(100):
        vault.save_keyframe("m", epoch, frame(tick, sol_1=b"%d" % tick), kept_max=12)
    kept = [int(str(tick)) for tick, _, _ in stored(url, "main")]
    assert len(kept) == 12 and kept[0] == 0 and kept[-2:] == [98, 99]
    gaps = [later - earlier for earlier, later in itertools.pairwise(kept)]
    assert sum(gaps[:4]) > sum(gaps[4:8]) > sum(gaps[8:]) and max(gaps) < 50
    assert len(chunk_uses(url)) == 12


def test_one_at_the_same_boundary_takes_the_place_of_the_old_one(url: str, vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    for content in (b"first", b"second"):
        vault.save_keyframe("m", epoch, frame(3, 1, sol_1=content))
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(frame(3, 1, sol_1=b"second"))
    assert stored(url, "main") == [(3, 1, "sol_1")]


def test_one_of_a_future_that_was_not_reached_again_is_gone(url: str, vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    for tick, position in ((10, 1), (20, 2)):
        vault.save_keyframe("m", epoch, frame(tick, position))
    vault.save_keyframe("m", epoch, frame(15, 2))
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(frame(15, 2))
    assert [(tick, position) for tick, position, _ in stored(url, "main")] == [(10, 1), (15, 2)]


def test_an_old_clock_saves_no_keyframe(opening: Opening) -> None:
    old, new = opening(), opening()
    first = old.begin_epoch("m", b"").epoch
    old.save_keyframe("m", first, frame(1))
    second = new.begin_epoch("m", b"").epoch
    with pytest.raises(StaleEpochError, match="epoch 2 is current"):
        old.save_keyframe("m", first, frame(2))
    assert new.latest_keyframe("m", "main") == LatestKeyframe(frame(1))
    new.save_keyframe("m", second, frame(2))
    with pytest.raises(VaultError, match="no multiverse 'n'"):
        new.save_keyframe("n", 1, frame(1))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"branch": ""}, "branch must be 1 to"),
        ({"control_tick": -1}, "control tick must be"),
        ({"position": 1.5}, "position must be"),
        ({"documents": {"": b""}}, "document's name must be 1 to"),
        ({"documents": {"a": b"", "b": "text"}}, "document 'b' of a keyframe must be bytes, not str"),
    ],
)
def test_bad_keyframes_are_refused(vault: Vault, change: dict[str, object], says: str) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    with pytest.raises(VaultError, match=says):
        vault.save_keyframe("m", epoch, msgspec.structs.replace(frame(1), **change))
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(None)


def test_a_document_that_is_too_large_is_refused(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyframes, "DOCUMENT_BYTES_MAX", 10)
    epoch = vault.begin_epoch("m", b"").epoch
    with pytest.raises(VaultError, match="document 'sol_1' of a keyframe has 11 bytes; at most 10 are allowed"):
        vault.save_keyframe("m", epoch, frame(1, sol_1=bytes(11)))


# -------------------------------------------------------------------------------------------------------- chunks


def chunk_uses(url: str) -> list[tuple[int, int]]:
    """Size and number of uses of every chunk, in order."""
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(make_url(keyframes_url(url).replace("postgresql:", "postgresql+psycopg:")))
    with engine.connect() as connection:
        asked = "SELECT size_bytes, uses FROM vault_chunks ORDER BY size_bytes, uses"
        found = [tuple(one) for one in connection.execute(text(asked))]
    engine.dispose()
    return found


@pytest.mark.parametrize("forgetful", [False, True], ids=["one process", "another process each time"])
def test_what_stays_as_it_was_is_stored_once(url: str, opening: Opening, forgetful: bool) -> None:
    noise = random.Random(8)
    still, moving = noise.randbytes(100_000), [noise.randbytes(30_000 + n) for n in range(3)]
    vault = opening()
    epoch = vault.begin_epoch("m", b"").epoch
    saved = []
    for tick, part in enumerate(moving):
        if forgetful:
            vault = opening()
        saved.append(frame(tick, sol_1=part + still, sol_2=still))
        vault.save_keyframe("m", epoch, saved[-1], {"sol_1": [len(part)]})
    first, rest = chunks.CHUNK_BYTES, len(still) - chunks.CHUNK_BYTES
    each = [(len(part), 1) for part in moving]
    assert chunk_uses(url) == [*each, (rest, 6), (first, 6)]
    for one in saved:
        assert opening().latest_keyframe("m", "main", one.instant) == LatestKeyframe(one)
    vault.save_keyframe("m", epoch, frame(1, sol_2=still))  # two are of a future that was not reached again
    assert chunk_uses(url) == [each[0], (rest, 3), (first, 3)]
    vault.save_keyframe("m", epoch, frame(0, sol_1=b""))
    assert chunk_uses(url) == []
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(frame(0, sol_1=b""))


def test_multiverses_and_branches_free_nothing_of_each_other(url: str, vault: Vault) -> None:
    for name in ("m", "n"):
        epoch = vault.begin_epoch(name, b"").epoch
        for branch in ("main", "fork"):
            vault.save_keyframe(name, epoch, frame(5, branch=branch, sol_1=b"the same"))
    assert chunk_uses(url) == [(8, 2), (8, 2)]
    vault.save_keyframe("m", epoch, frame(4, sol_1=b"another"))
    assert chunk_uses(url) == [(7, 1), (8, 1), (8, 2)]
    for name, branch in [("m", "fork"), ("n", "main"), ("n", "fork")]:
        assert vault.latest_keyframe(name, branch) == LatestKeyframe(frame(5, branch=branch, sol_1=b"the same"))


def test_a_piece_that_went_meanwhile_is_written_again(vault: Vault, opening: Opening) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    vault.save_keyframe("m", epoch, frame(3, sol_1=b"a piece"))
    opening().save_keyframe("m", epoch, frame(2, sol_1=b"something else"))
    vault.save_keyframe("m", epoch, frame(4, sol_1=b"a piece"))  # it believes that this is there
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(frame(4, sol_1=b"a piece"))


# -------------------------------------------------------------------------------------------------------- chains


def some_chains(first_tick: int, last_tick: int, life: bytes = b"") -> Chains:
    return Chains(
        first_tick,
        b"".join(sha256(life + b"%d" % tick).digest()[:CHAIN_BYTES] for tick in range(first_tick, last_tick + 1)),
    )


def test_chains_are_kept_by_control_tick_and_give_way_to_what_was_lived_again(vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    assert vault.chains("m", "main", 7) is None
    for first, last in [(1, 10), (11, 30), (31, 31)]:
        vault.save_keyframe("m", epoch, frame(last), lived={EVERYTHING: some_chains(first, last)})
    for tick in (1, 9, 10, 11, 30, 31):
        found = vault.chains("m", "main", tick)
        assert found is not None and found.after(tick) == some_chains(tick, tick).chains
    assert vault.chains("m", "main", 0) is None
    found = vault.chains("m", "main", 32)
    assert found is not None and found.after(32) == found.after(30) == b""
    vault.save_keyframe("m", epoch, frame(25), lived={EVERYTHING: some_chains(11, 25, b"again")})
    for tick, life in [(10, b""), (11, b"again"), (25, b"again")]:
        found = vault.chains("m", "main", tick)
        assert found is not None and found.after(tick) == some_chains(tick, tick, life).chains
    found = vault.chains("m", "main", 31)
    assert found is not None and found.after(31) == b"", "of a future that was not reached again"


# -------------------------------------------------------------------------------------------------------- damage

SECOND = "WHERE control_tick = 2 AND name = 'sol_2'"
STATE_OF_TWO = b"the state of two"
SECOND_CHUNK = f"WHERE size_bytes = {len(STATE_OF_TWO)}"


@pytest.mark.parametrize(
    ("statement", "parameters", "says"),
    [
        (
            f"UPDATE vault_chunks SET compressed = :new {SECOND_CHUNK}",
            {"new": b"no frame"},
            "'sol_2' is not what was written",
        ),
        (
            f"UPDATE vault_chunks SET compressed = :new {SECOND_CHUNK}",
            {"new": zstandard.compress(b"another state!!")},
            "'sol_2' is not what was written",
        ),
        (
            f"UPDATE vault_chunks SET compressed = :new {SECOND_CHUNK}",  # claims 2⁶³ bytes
            {"new": bytes.fromhex("28b52ffde0") + (1 << 63).to_bytes(8, "little")},
            "'sol_2' is not what was written",
        ),
        (f"UPDATE vault_chunks SET stride = 2 {SECOND_CHUNK}", {}, "'sol_2' is not what was written"),
        (f"UPDATE vault_chunks SET stride = 0 {SECOND_CHUNK}", {}, "'sol_2' is not what was written"),
        (f"UPDATE vault_documents SET sha256 = :new {SECOND}", {"new": bytes(32)}, "list of documents"),
        (f"UPDATE vault_documents SET name = 'sol_3' {SECOND}", {}, "list of documents"),
        (f"DELETE FROM vault_documents {SECOND}", {}, "list of documents"),
        ("UPDATE vault_keyframes SET manifest = :new WHERE control_tick = 2", {"new": b""}, "list of documents"),
    ],
)
def test_damage_is_said_and_the_keyframe_before_is_used(
    url: str, vault: Vault, statement: str, parameters: dict[str, object], says: str
) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    for tick, state in ((1, b"of one"), (2, STATE_OF_TWO)):
        vault.save_keyframe("m", epoch, frame(tick, sol_1=b"one", sol_2=state))
    behind_its_back(keyframes_url(url), statement, **parameters)
    found = vault.latest_keyframe("m", "main")
    assert found.keyframe == frame(1, sol_1=b"one", sol_2=b"of one")
    assert len(found.damaged) == 1
    assert found.damaged[0].startswith("keyframe of control tick 2: ")
    assert says in found.damaged[0]
    vault.save_keyframe("m", epoch, frame(2, sol_1=b"again"))
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(frame(2, sol_1=b"again"))


@pytest.mark.parametrize("kind", ["i2", "u4", "i8"])
def test_columns_of_small_numbers_are_stored_in_less_than_they_are(url: str, vault: Vault, kind: str) -> None:
    draw = np.random.default_rng(3)
    column = draw.integers(0, 100, 20_001).astype(kind).tobytes() + b"xyz"  # the last number is not whole
    vault.begin_epoch("m", b"")
    vault.save_keyframe("m", 1, frame(1, sol_1=column))
    found = vault.latest_keyframe("m", "main")
    assert found == LatestKeyframe(frame(1, sol_1=column))
    ((stored_bytes, strides),) = answers(
        keyframes_url(url), "SELECT SUM(LENGTH(compressed)), MAX(stride) FROM vault_chunks"
    )
    plain = sum(len(zstandard.compress(column[at : at + CHUNK_BYTES])) for at in range(0, len(column), CHUNK_BYTES))
    assert strides == int(kind[1]) and stored_bytes < 0.95 * plain


def test_where_both_are_damaged_there_is_none_and_both_are_named(url: str, vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    for tick in (1, 2):
        vault.save_keyframe("m", epoch, frame(tick))
    behind_its_back(keyframes_url(url), "UPDATE vault_chunks SET compressed = :new", changed=2, new=b"")
    found = vault.latest_keyframe("m", "main")
    assert found.keyframe is None
    assert [line.partition(":")[0] for line in found.damaged] == [
        "keyframe of control tick 2",
        "keyframe of control tick 1",
    ]


def test_a_file_damaged_on_the_disk_costs_a_keyframe_and_not_the_journal(tmp_path: Path) -> None:
    from actors.vaults.openings import open_vault

    path = tmp_path / "vault.sqlite"
    noise = random.Random(6)
    with open_vault(path) as vault:
        epoch = vault.begin_epoch("m", b"").epoch
        vault.append("m", epoch, rows(1, 5))
        for tick in (1, 2):
            vault.save_keyframe("m", epoch, frame(tick, sol_1=noise.randbytes(1 << 20)))
        older = frame(1, sol_1=random.Random(6).randbytes(1 << 20))
    beside = Path(f"{path}{KEYFRAMES_SUFFIX}")
    damaged = bytearray(beside.read_bytes())
    half = len(damaged) * 3 // 4  # within the document that was written last
    damaged[half : half + 64] = bytes(64)
    beside.write_bytes(damaged)
    with open_vault(path) as vault:
        found = vault.latest_keyframe("m", "main")
        assert found.keyframe == older
        assert len(found.damaged) == 1
        assert list(vault.rows("m", "main")) == rows(1, 5)


# ----------------------------------------------------------------------------------------- not in the journal's way


@contextmanager
def held_in_the_middle(url: str, request: pytest.FixtureRequest) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Stops the next keyframe between its first statement that writes and its commit; yields (there, go_on)."""
    there, go_on = threading.Event(), threading.Event()

    def stop() -> None:
        there.set()
        assert go_on.wait(WAIT_S_MAX)

    if url.startswith("sqlite"):

        def connected(connection: sqlite3.Connection, _record: object) -> None:
            connection.set_trace_callback(lambda sql: stop() if sql.startswith("INSERT INTO vault_documents") else None)

        event.listen(Pool, "connect", connected)
        yield there, go_on
        event.remove(Pool, "connect", connected)
        return
    import psycopg

    server: servers.Server = request.getfixturevalue("postgres")
    schema = url.rpartition("%3D")[2]
    with psycopg.connect(server.conninfo) as holder, psycopg.connect(server.conninfo, autocommit=True) as watcher:
        holder.execute(f"LOCK TABLE {schema}.vault_documents IN SHARE MODE")

        def watch() -> None:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
            while watcher.execute(waiting, [f"{schema}.vault_documents"]).fetchone() == (0,):
                threading.Event().wait(0.01)
            stop()
            holder.commit()

        watching = threading.Thread(target=watch)
        watching.start()
        yield there, go_on
        watching.join()


def test_the_journal_does_not_wait_for_a_keyframe(url: str, opening: Opening, request: pytest.FixtureRequest) -> None:
    happened: list[str] = []
    large = frame(2, 5, sol_1=random.Random(7).randbytes(8 << 20), sol_2=b"x")
    opening().close()  # makes the tables
    with held_in_the_middle(url, request) as (there, go_on):
        vault = opening()
        epoch = vault.begin_epoch("m", b"").epoch

        def save() -> None:
            vault.save_keyframe("m", epoch, large)
            happened.append("keyframe saved")

        saving = threading.Thread(target=save)
        saving.start()
        assert there.wait(WAIT_S_MAX)
        for position in range(1, 21):
            vault.append("m", epoch, [row(position)])
            vault.check("m", epoch)
        happened.append("journal written")
        assert vault.latest_keyframe("m", "main") == LatestKeyframe(None), "half a keyframe can be seen"
        go_on.set()
        saving.join()
    assert happened == ["journal written", "keyframe saved"]
    assert list(vault.rows("m", "main")) == rows(1, 20)
    assert vault.latest_keyframe("m", "main") == LatestKeyframe(large)
