"""What people ask of a vault in SQL: the ledger at every boundary where it changed, the players as they stand."""

import json
import os
import re
import signal
from collections.abc import Callable

import pytest
from journaling import ROOT, answers, child, keyframes_url

from actors.core.kernel.errors import StaleEpochError, VaultError
from actors.core.players.inventories import InventoryItem
from actors.vaults.records import Balance, Keyframe, Listing
from actors.vaults.vaults import Vault
from orchestration import Multiverse

CITY = "actors.core.realms.city:City"
BALANCES = "SELECT branch, quantity, control_tick, position, balance FROM vault_ledger WHERE multiverse = :name"
NOW = """
SELECT quantity, balance FROM vault_ledger AS one WHERE multiverse = :name AND branch = :branch AND NOT EXISTS (
    SELECT 1 FROM vault_ledger AS later WHERE later.multiverse = one.multiverse AND later.branch = one.branch
    AND later.quantity = one.quantity
    AND (later.control_tick > one.control_tick OR later.control_tick = one.control_tick AND later.position > one.position)
)
"""


def expected(mv: Multiverse) -> dict[str, int]:
    """What the ledger says of each quantity, by the multiverse's own account."""
    return {quantity: should for quantity, (_, should) in mv.audit()["conservation"].items()}


def ledger(url: str, branch: str) -> dict[str, int]:
    return {quantity: int(balance) for quantity, balance in answers(url, NOW, name="home", branch=branch)}


def opened(url: str) -> Multiverse:
    return Multiverse(7, name="home", engine="local", vault=url)


def test_the_ledger_can_be_read_at_every_boundary(url: str) -> None:
    with opened(url) as mv:
        mv.register_game("sol", CITY, params={"npcs": 20})
        mv.run(3)
        ada = mv.players.create_player("Ada", "elf", "sol")
        mv.players.add_item_to_inventory(
            ada.player_id, InventoryItem(item_id="x", name="X", item_type="quest", rarity="common", source_realm="sol")
        )
        mv.command("sol", "grant_wealth", {"npc": 3, "amount": 10})
        first = sorted(row[1:4] for row in answers(url, BALANCES, name="home"))
        assert first == [
            ("items", 3, 3),
            ("npcs", 0, 1),
            ("players", 3, 2),
            ("wealth", 0, 1),
            ("wealth", 3, 4),
        ]  # written with the command, not with the next keyframe
        main = expected(mv)
        mv.run(2)
        mv.fork(["sol"], count=2)
        forked = expected(mv)
        assert forked["wealth"] > main["wealth"]
        assert {name: forked[name] for name in ("items", "npcs", "players", "wealth")} == {
            "items": 1,
            **ledger(url, "main"),
        }
        mv.revert(control_tick=4, name="poor")
        assert ledger(url, "main") == {name: amount for name, amount in forked.items() if amount}
        mv.run(1)
        poor = expected(mv)
    assert ledger(url, "poor") == poor == main
    with opened(url) as mv:  # taken up again, it says the same
        assert ledger(url, "poor") == expected(mv)


def test_the_players_can_be_read(url: str) -> None:
    with opened(url) as mv:
        for realm_id in ("sol", "luna"):
            mv.register_game(realm_id, CITY, params={"npcs": 20})
        ids = [mv.players.create_player(name, "elf", "sol").player_id for name in ("Ada", "Bö", "Eve")]
        mv.run(2)
        mv.players.transition_player(ids[1], "sol", "luna")
        mv.players.award_experience(ids[2], 100)
        mv.run(1)
        branch = mv.revert(control_tick=1, name="stay").branch
    there = keyframes_url(url)
    rows = "SELECT name, active_realm, level, record FROM vault_players WHERE multiverse = 'home' AND branch = :branch ORDER BY number"
    assert [row[:3] for row in answers(there, rows, branch="main")] == [
        ("Ada", "sol", 1),
        ("Bö", "luna", 1),
        ("Eve", "sol", 2),
    ]
    assert [row[:3] for row in answers(there, rows, branch=branch)] == [
        ("Ada", "sol", 1),
        ("Bö", "sol", 1),
        ("Eve", "sol", 1),
    ]
    assert json.loads(answers(there, rows, branch="main")[1][3])["visited_realms"] == ["sol", "luna"]
    ticks = "SELECT branch, control_tick FROM vault_listed WHERE listing = 'players' ORDER BY branch"
    assert answers(there, ticks) == [("main", 3), ("stay", 1)]


def test_the_questions_of_the_documentation_have_answers(url: str) -> None:
    with opened(url) as mv:
        mv.register_game("sol", CITY, params={"npcs": 20})
        mv.players.create_player("Ada", "elf", "sol")
        mv.run(1)
        born = ledger(url, "main")["wealth"]
        mv.command("sol", "grant_wealth", {"npc": 3, "amount": 10})
    block, _ = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "history.md").read_text(encoding="utf-8"), re.DOTALL)
    found = [answers(url, question, beside=keyframes_url(url)) for question in block.split(";") if question.strip()]
    assert [row[:4] for row in found[0]] == [
        (0, 1, "RegisterGame", "sol"),
        (0, 2, "MemberCommand", "@players"),
        (1, 3, "MemberCommand", "sol"),
    ]
    assert found[1:] == [[("main", str(born + 10))], [("sol", 1, 0)]]


LIVING = f"""
import sys
import actors.keyframes
actors.keyframes.KEYFRAME_AFTER_WORK_S, actors.keyframes.KEYFRAME_SHARE = 0.0, 0
from orchestration import Multiverse

mv = Multiverse(7, name="home", engine="local", vault=sys.argv[1])
mv.register_game("sol", {CITY!r}, params={{"npcs": 20}})
for number in range(10_000):
    mv.run(1)
    mv.command("sol", "grant_wealth", {{"npc": number % 20, "amount": 1}})
    print(number + 1, flush=True)
"""


def test_whoever_is_killed_leaves_a_ledger_that_its_journal_bears_out(url: str) -> None:
    living = child(LIVING, url)
    assert living.stdout is not None
    for _ in range(9):
        living.stdout.readline()
    os.kill(living.pid, signal.SIGKILL)
    living.communicate()
    before = ledger(url, "main")
    (journaled,) = answers(url, "SELECT COUNT(*) FROM vault_journal WHERE kind = 'MemberCommand'")
    (born,) = answers(url, "SELECT balance FROM vault_ledger WHERE quantity = 'wealth' AND control_tick = 0")
    assert before["wealth"] == int(born[0]) + journaled[0]
    with opened(url) as mv:
        assert ledger(url, "main") == before == {name: amount for name, amount in expected(mv).items() if amount}


def test_a_stale_clock_enters_nothing(vault: Vault, url: str) -> None:
    vault.begin_epoch("m", b"")
    vault.begin_epoch("m", b"")
    with pytest.raises(StaleEpochError):
        vault.append("m", 1, [], [Balance("main", "wealth", 1, 1, 5)])
    assert answers(url, BALANCES, name="m") == []


def test_a_balance_may_outgrow_64_bits_and_is_entered_once(vault: Vault, url: str) -> None:
    vault.begin_epoch("m", b"")
    for _ in range(2):
        vault.append("m", 1, [], [Balance("main", "wealth", 1, 1, 10**30), Balance("main", "wealth", 2, 1, -5)])
    assert [row[2:] for row in answers(url, BALANCES, name="m")] == [(1, 1, str(10**30)), (2, 1, "-5")]
    with pytest.raises(VaultError, match="control tick"):
        vault.append("m", 1, [], [Balance("main", "wealth", -1, 1, 5)])


def test_a_listing_becomes_what_it_is_told(url: str, opening: Callable[[], Vault]) -> None:
    there = keyframes_url(url)
    row = {
        "number": 0,
        "name": "Ada",
        "race": "",
        "character_class": "",
        "active_realm": "sol",
        "level": 1,
        "experience": 0,
    }
    row |= {"items": 0, "record": "{}"}
    names = "SELECT branch, player_id, name FROM vault_players ORDER BY branch, player_id"

    def save(vault: Vault, tick: int, branch: str, players: dict[str, str]) -> None:
        rows = {(key,): {**row, "name": name} for key, name in players.items()}
        vault.save_keyframe(
            "m", 1, Keyframe(branch, tick, 0, {"a": b"%d" % tick}), listings=[Listing("players", tick, rows)]
        )

    vault = opening()
    vault.begin_epoch("m", b"")
    save(vault, 1, "main", {"a": "Ada", "b": "Bob"})
    save(vault, 2, "main", {"b": "Bo", "c": "Cy"})
    save(vault, 2, "other", {"a": "Al"})
    assert answers(there, names) == [("main", "b", "Bo"), ("main", "c", "Cy"), ("other", "a", "Al")]
    another = opening()  # it knows nothing of what is there
    save(another, 3, "main", {"c": "Cy"})
    assert answers(there, names) == [("main", "c", "Cy"), ("other", "a", "Al")]


REALMS = ROOT / "tests" / "realms"
GOLD = "SELECT branch, control_tick, balance FROM vault_ledger WHERE quantity = 'gold' ORDER BY branch, control_tick"


def test_what_control_ticks_make_stands_at_each_of_them(url: str) -> None:
    with Multiverse(7, name="home", engine="local", vault=url, realm_paths=[REALMS]) as mv:
        mv.register_game("mint", "mints:Mint", params={"until": 6})
        mv.run(30)  # granted all at once
        rows = [("main", tick, str(tick)) for tick in range(1, 7)] + [("main", 7, "0")]
    assert answers(url, GOLD) == rows
    for _ in range(2):  # who only comes back changes nothing
        with Multiverse(7, name="home", engine="local", vault=url, realm_paths=[REALMS]) as mv:
            mv.run(1)
        assert answers(url, GOLD) == rows
    with Multiverse(7, name="home", engine="local", vault=url, realm_paths=[REALMS]) as mv:
        mv.revert(4, name="again")
        mv.run(4)
        again = [("again", 4, "4"), ("again", 5, "5"), ("again", 6, "6"), ("again", 7, "0")]
        mv.select("main")
        mv.run(1)
    assert answers(url, GOLD) == again + rows


MINTING = f"""
import sys
import actors.keyframes
from orchestration import Multiverse

actors.keyframes.KEYFRAME_AFTER_WORK_S, actors.keyframes.KEYFRAME_SHARE = 0.0, 0
mv = Multiverse(7, name="home", engine="local", vault=sys.argv[1], realm_paths=[{str(REALMS)!r}])
mv.register_game("mint", "mints:Mint", params={{"until": 6}})
for _ in range(6):
    mv.run(1)
mv._engine._clock._chronicle.finish()
actors.keyframes.KEYFRAME_AFTER_WORK_S = 1e9
mv.run(1)
print("burnt", flush=True)
sys.stdin.readline()
"""


def test_whoever_takes_over_enters_what_was_not_written(url: str) -> None:
    minting = child(MINTING, url)
    assert minting.stdout is not None and minting.stdout.readline() == "burnt\n", minting.communicate()
    os.kill(minting.pid, signal.SIGKILL)
    minting.communicate()
    with Multiverse(7, name="home", engine="local", vault=url, realm_paths=[REALMS]) as mv:
        assert mv.boundary().control_tick == 7
    assert answers(url, GOLD)[-1] == ("main", 7, "0")
