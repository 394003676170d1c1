"""Whoever dies while instances are merged, copied, possessed, taken out or brought in, at whatever point: all of it, or nothing."""

import contextlib
import itertools
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from actors.packages.files import inspect_package, read_package, write_package
from actors.vaults.openings import open_vault
from orchestration import Multiverse
from tests.orchestration.traps import KilledError, Trap, lead_through

pytestmark = pytest.mark.usefixtures("burials")

PACKAGE = "two.pkg"
TICKS = 6


def opened(folder: Path) -> Multiverse:
    return Multiverse(7, name="home", vault=folder / "v.sqlite", engine="local", snapshot_interval_control_ticks=4)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with two instances, one a copy of the other that has gone its own way, and both in a package."""
    folder = tmp_path_factory.mktemp("prepared")
    with opened(folder) as mv:
        mv.register_game("city", "actors.core.realms.city:City", params={"npcs": 4})
        mv.create_instance("alpha")
        mv.run(TICKS // 2)
        god(mv, "CLONE_INSTANCE", source="alpha", name="beta", modifications=CREATIVE)
        god(mv, "AGENT_POSSESSION", instance="beta", agent="arty", idempotency_key=LEASE)
        mv.run(TICKS - TICKS // 2)
        write_package(folder / PACKAGE, mv.export_multiverse())
    return folder


CREATIVE = {"runtime.agents.arty.personality.creativity": 1.0}
LEASE = "lease-of-arty"


def god(mv: Multiverse, command: str, **arguments: Any) -> Any:
    return mv.god_mode_command({"type": command, **arguments})


def go_down(mv: Multiverse, _: Path) -> None:
    original = mv.export_to_outer_layer("alpha")
    changed = mv.export_to_outer_layer("alpha", control_tick=2)
    mv.send_back_down("alpha", changed, original)


def act(mv: Multiverse, _: Path) -> None:
    lease = god(mv, "AGENT_POSSESSION", instance="beta", agent="arty", idempotency_key=LEASE).lease_id
    what = {"step": "act", "lease_id": lease, "agent": "arty", "action": "propose", "ritual": "gathering"}
    god(mv, "AGENT_POSSESSION", instance="beta", idempotency_key="act", **what)


BY_KEY: dict[str, dict[str, Any]] = {
    "clone": {"type": "CLONE_INSTANCE", "source": "alpha", "name": "gamma", "modifications": CREATIVE},
    "fork": {"type": "REALITY_FORK", "source": "alpha", "count": 2},
    "fork of the past": {"type": "REALITY_FORK", "source": "alpha", "control_tick": 2},
    "merge": {"type": "MERGE_INSTANCES", "ids": ["alpha", "beta"], "strategy": "ours", "name": "both"},
    "possession": {"type": "AGENT_POSSESSION", "instance": "alpha", "agent": "arty"},
    "revert of an instance": {"type": "TIMELINE_REVERT", "scope": "alpha", "control_tick": 2},
    "revert of everything": {"type": "TIMELINE_REVERT", "control_tick": 2, "name": "again"},
    "freeze": {"type": "FREEZE_TIME", "scope": ["alpha", "city"]},
    "link": {"type": "CROSS_INSTANCE_COMMUNICATION", "ids": ["alpha", "beta"], "enable": True},
}
"""God commands that are given with a key, so that they may be given again."""


def by_key(deed: str) -> Callable[[Multiverse, Path], object]:
    return lambda mv, _: mv.god_mode_command({**BY_KEY[deed], "idempotency_key": "once"})


DEEDS: dict[str, Callable[[Multiverse, Path], object]] = {
    **{deed: by_key(deed) for deed in BY_KEY},
    "act": act,
    "creation": lambda mv, _: mv.create_instance("gamma"),
    "end": lambda mv, _: mv.destroy_instance("beta"),
    "attachment": lambda mv, _: mv.attach_game("city", "alpha"),
    "merge of platforms": lambda mv, _: mv.merge_all_active_platforms("alpha"),
    "export": lambda mv, folder: write_package(folder / "out.pkg", mv.export_to_outer_layer("alpha")),
    "import": lambda mv, folder: mv.import_from_outer_layer(read_package(folder / PACKAGE)),
    "way back down": go_down,
}


class Found(NamedTuple):
    """Where it stands, and what there is."""

    branch: str
    control_tick: int
    position: int
    chain: str
    instances: list[tuple[str, str, tuple[str, ...]]]
    members: list[str]
    unified: list[str]
    packages: list[str]
    digest: str


def found_in(mv: Multiverse, folder: Path) -> Found:
    boundary = mv.boundary()
    return Found(
        boundary.branch,
        boundary.control_tick,
        boundary.position,
        mv.digest_chain(),
        [(one.name, one.phase, tuple(one.members)) for one in mv.instances()],
        [member["member_id"] for member in mv.members()],
        [one.snapshot_id for one in mv.unified_snapshots()],
        sorted(one.name for one in folder.glob("*.pkg")),
        mv.digest(),
    )


def check_whole(folder: Path, mv: Multiverse) -> None:
    """Nothing is lost, doubled, or left lying about."""
    assert all(here == owed for here, owed in mv.audit()["conservation"].values())
    lived = {member for one in mv.instances() for member in one.members.values()}
    assert lived <= {member["member_id"] for member in mv.members()}
    with open_vault(folder / "v.sqlite") as vault:
        assert vault.faults("home") == []
    for package in folder.glob("*.pkg"):
        inspect_package(package)


THROUGH_HISTORY = ("fork of the past", "merge", "revert of an instance", "revert of everything", "way back down")
"""What reads history, statement by statement, before anything happens."""
CASES = [
    *((deed, 37 if deed in THROUGH_HISTORY else 4) for deed in DEEDS),
    *(pytest.param(deed, 1, marks=pytest.mark.soak) for deed in DEEDS),
]


@pytest.mark.parametrize(("deed", "stride"), CASES)
def test_at_every_point_all_or_nothing(
    tmp_path: Path, prepared: Path, trap: Trap, monkeypatch: pytest.MonkeyPatch, deed: str, stride: int
) -> None:
    """At every point in the soak; here at some, from anywhere on."""
    lead_through(trap, monkeypatch, Path, "unlink")  # the dead do not clean up

    def fresh(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(prepared, folder)
        return folder

    folder = fresh("calm")
    with opened(folder) as calm:
        before = found_in(calm, folder)
        DEEDS[deed](calm, folder)
        whole = found_in(calm, folder)
        calm.run(2)
        later = calm.digest_chain()
    first = random.randrange(stride)
    print(f"from point {first}")
    done, undone = 0, 0
    for point in itertools.count(first, stride):
        folder = fresh(str(point))
        mv = opened(folder)
        trap.left = point
        with contextlib.suppress(KilledError):
            DEEDS[deed](mv, folder)
        struck, trap.left = trap.has_struck, None
        if not struck:
            mv.close()
            break
        with opened(folder) as successor:
            found = found_in(successor, folder)
            assert found in (before, whole), f"point {point}"
            check_whole(folder, successor)
            done, undone = done + (found == whole), undone + (found == before)
            if deed in BY_KEY or found == before:
                DEEDS[deed](successor, folder)
                assert found_in(successor, folder) == whole, f"asked again, point {point}"
            successor.run(2)
            assert successor.digest_chain() == later, f"lived on, point {point}"
            check_whole(folder, successor)
        left = {one.name for one in folder.iterdir() if not one.match("v.sqlite*")}
        assert left == set(whole.packages), f"left lying about, point {point}"
        shutil.rmtree(folder)
    print(f"{deed}: {point} points; {undone} times nothing had happened, {done} times all")
    if stride == 1:
        assert undone
        assert done, "there is no point at which it has happened and nobody knows yet"
