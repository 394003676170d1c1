"""The journal: what append has returned is there, in order, once, and written by the current clock only."""

import threading
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journaling import behind_its_back, row, rows

from actors.core.kernel.errors import DamagedVaultError, StaleEpochError, VaultError
from actors.vaults.checks import NOTE_CHARACTERS_MAX, NUMBER_MAX, PAYLOAD_BYTES_MAX
from actors.vaults.journals import ROWS_READ_MAX
from actors.vaults.records import JournalRow, KnownMultiverse, Opened
from actors.vaults.vaults import Vault

Opening = Callable[[], Vault]


def test_the_first_epoch_founds_and_the_next_ones_are_told_of_the_founding(vault: Vault) -> None:
    assert vault.begin_epoch("m", b"first") == Opened(1, b"first", True)
    assert vault.begin_epoch("m", b"second") == Opened(2, b"first", False)
    assert vault.begin_epoch("other", b"") == Opened(1, b"", True)
    assert vault.multiverses() == [KnownMultiverse("m", 2, b"first"), KnownMultiverse("other", 1, b"")]


def test_what_is_appended_is_read_by_whoever_opens_the_vault_next(opening: Opening) -> None:
    with opening() as vault:
        epoch = vault.begin_epoch("m", b"").epoch
        vault.append("m", epoch, rows(1, 3))
        vault.append("m", epoch, [row(4), row(1, "fork"), row(5), row(2, "fork")])
    again = opening()
    assert list(again.rows("m", "main")) == rows(1, 5)
    assert list(again.rows("m", "fork")) == rows(1, 2, "fork")
    assert list(again.rows("m", "main", after_position=3)) == rows(4, 5)
    assert list(again.rows("m", "main", after_position=5)) == []
    assert list(again.rows("m", "nowhere")) == list(again.rows("nobody", "main")) == []


def test_multiverses_of_one_vault_have_journals_of_their_own(vault: Vault) -> None:
    for name in ("m", "n"):
        vault.append(name, vault.begin_epoch(name, b"").epoch, rows(1, 2, payload=name.encode()))
    assert [found.payload for found in vault.rows("n", "main")] == [b"n", b"n"]


@pytest.mark.parametrize("count", [ROWS_READ_MAX - 1, ROWS_READ_MAX, ROWS_READ_MAX + 1, 3 * ROWS_READ_MAX])
def test_long_journals_are_read_to_the_end(vault: Vault, count: int) -> None:
    vault.append("m", vault.begin_epoch("m", b"").epoch, rows(1, count))
    assert list(vault.rows("m", "main")) == rows(1, count)


def test_reading_holds_nobody_up_and_sees_what_is_appended_meanwhile(vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    vault.append("m", epoch, rows(1, ROWS_READ_MAX))
    reading = vault.rows("m", "main")
    assert next(reading) == row(1)
    vault.append("m", epoch, rows(ROWS_READ_MAX + 1, ROWS_READ_MAX + 2))
    assert len(list(reading)) == ROWS_READ_MAX + 1


def test_a_row_comes_back_as_it_was(vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    extreme = [
        JournalRow("main", 1, 0, "", "", "", b""),
        JournalRow("main", 2, NUMBER_MAX, "ü🜨\n'\"%s:x?", "k" * NOTE_CHARACTERS_MAX, "sol 1", bytes(range(256))),
        JournalRow("main", 3, 1, "c", "k", "s", bytes(1 << 20)),
    ]
    vault.append("m", epoch, extreme)
    assert list(vault.rows("m", "main")) == extreme


# ------------------------------------------------------------------------------------------------------ the fence


def test_an_old_clock_can_neither_write_nor_answer(opening: Opening) -> None:
    old, new = opening(), opening()
    first = old.begin_epoch("m", b"").epoch
    old.append("m", first, rows(1, 2))
    old.check("m", first)
    second = new.begin_epoch("m", b"").epoch
    with pytest.raises(StaleEpochError, match="epoch 1 of multiverse 'm' is over: epoch 2 is current"):
        old.append("m", first, [row(3)])
    with pytest.raises(StaleEpochError):
        old.append("m", first, [])
    with pytest.raises(StaleEpochError):
        old.check("m", first)
    new.append("m", second, [row(3, payload=b"new")])
    assert list(old.rows("m", "main")) == [*rows(1, 2), row(3, payload=b"new")]


def test_the_fence_of_one_multiverse_is_not_that_of_another(vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    for _ in range(3):
        vault.begin_epoch("n", b"")
    vault.append("m", epoch, [row(1)])
    vault.check("m", epoch)


def test_an_epoch_that_was_never_given_out_is_refused(vault: Vault) -> None:
    vault.begin_epoch("m", b"")
    for epoch in (0, 2, -1):
        with pytest.raises(StaleEpochError):
            vault.append("m", epoch, [row(1)])
    for action in (lambda: vault.append("n", 1, [row(1)]), lambda: vault.check("n", 1)):
        with pytest.raises(VaultError, match="no multiverse 'n'; begin an epoch"):
            action()
    assert list(vault.rows("m", "main")) == []


def test_threads_may_share_a_vault(vault: Vault) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    failures: list[BaseException] = []

    def work(branch: str) -> None:
        try:
            for position in range(1, 31):
                vault.append("m", epoch, [row(position, branch)])
                vault.check("m", epoch)
                assert len(list(vault.rows("m", branch))) == position
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"branch-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# --------------------------------------------------------------------------------------- the law of positions


batches = st.lists(
    st.lists(st.tuples(st.sampled_from(["main", "fork"]), st.integers(-1, 2)), min_size=0, max_size=5), max_size=6
)
_names = iter(range(1_000_000))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_a_batch_is_written_whole_if_every_branch_goes_on_by_one_and_not_at_all_otherwise(
    vault: Vault, tried: list[list[tuple[str, int]]]
) -> None:
    name = f"m{next(_names)}"
    epoch = vault.begin_epoch(name, b"").epoch
    written: list[JournalRow] = []
    heads = {"main": 0, "fork": 0}
    for batch in tried:
        after = dict(heads)
        wanted: list[JournalRow] = []
        good = True
        for branch, off in batch:  # 0 goes on by one, anything else is a repeat or a gap
            position = max(1, after[branch] + 1 + off)
            good &= position == after[branch] + 1
            wanted.append(row(position, branch))
            after[branch] = position
        if good:
            vault.append(name, epoch, wanted)
            written += wanted
            heads = after
        else:
            with pytest.raises(VaultError, match="must come next"):
                vault.append(name, epoch, wanted)
        for branch in heads:
            assert list(vault.rows(name, branch)) == [one for one in written if one.branch == branch]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"position": 0}, "position must be a whole number from 1"),
        ({"position": NUMBER_MAX + 1}, "position must be a whole number"),
        ({"position": 2.0}, "position must be a whole number"),
        ({"position": True}, "position must be a whole number"),
        ({"control_tick": -1}, "control tick must be a whole number from 0"),
        ({"control_tick": "1"}, "control tick must be a whole number"),
        ({"branch": ""}, "branch must be 1 to 128 printable characters"),
        ({"branch": "a\nb"}, "branch must be"),
        ({"branch": "b" * 129}, "branch must be"),
        ({"branch": 7}, "branch must be"),
        ({"command_id": "a\0b"}, "NUL character"),
        ({"command_id": "\ud800"}, "lone surrogate"),
        ({"kind": None}, "kind must be text"),
        ({"subject": "s" * (NOTE_CHARACTERS_MAX + 1)}, "subject must be text of at most"),
        ({"payload": "text"}, "payload must be bytes, not str"),
        ({"payload": bytearray(1)}, "payload must be bytes, not bytearray"),
        ({"payload": bytes(PAYLOAD_BYTES_MAX + 1)}, "at most 16777216 are allowed"),
    ],
)
def test_a_bad_row_is_refused_with_the_whole_batch(vault: Vault, change: dict[str, object], says: str) -> None:
    epoch = vault.begin_epoch("m", b"").epoch
    with pytest.raises(VaultError, match=says) as refused:
        vault.append("m", epoch, [row(1), msgspec.structs.replace(row(2), **change)])
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 2_000
    assert list(vault.rows("m", "main")) == []


@pytest.mark.parametrize("name", ["", " \n", "\ud800", "n" * 129, 5, None, b"m"])
def test_bad_names_are_refused_everywhere(vault: Vault, name: str) -> None:
    for action in (
        lambda: vault.begin_epoch(name, b""),
        lambda: vault.append(name, 1, []),
        lambda: vault.check(name, 1),
        lambda: list(vault.rows(name, "main")),
        lambda: list(vault.rows("m", name)),
        lambda: vault.latest_keyframe(name, "main"),
        lambda: vault.latest_keyframe("m", name),
    ):
        with pytest.raises(VaultError, match="must be 1 to 128 printable characters"):
            action()
    assert vault.multiverses() == []


def test_a_founding_document_is_bytes(vault: Vault) -> None:
    with pytest.raises(VaultError, match="founding document must be bytes"):
        vault.begin_epoch("m", "text")  # type: ignore[arg-type]
    assert vault.multiverses() == []


def test_names_may_be_anything_printable(vault: Vault) -> None:
    name = "Ω'; DROP TABLE vault_journal; --%s:x"
    epoch = vault.begin_epoch(name, b"").epoch
    vault.append(name, epoch, [row(1, name)])
    assert list(vault.rows(name, name)) == [row(1, name)]


def test_missing_rows_are_found_out_by_whoever_reads(url: str, vault: Vault) -> None:
    vault.append("m", vault.begin_epoch("m", b"").epoch, rows(1, 5))
    behind_its_back(url, "DELETE FROM vault_journal WHERE position = 3")
    reading = vault.rows("m", "main")
    assert [next(reading).position, next(reading).position] == [1, 2]
    with pytest.raises(DamagedVaultError, match="goes from position 2 to 4; rows are missing"):
        next(reading)
