"""Laws of the City: conservation, determinism, restoring, splitting, and the causal cone."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from city_worlds import Cities
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.kernel.codec import encode
from actors.core.kernel.members import Birth, Command, Grant
from actors.core.kernel.seats import Seat
from actors.core.kernel.states import decode_state, differences, encode_state
from actors.core.realms import city_roles as roles
from actors.core.realms import city_rules as rules
from actors.core.realms.city import City
from actors.core.realms.city_people import COLUMNS, Indices
from actors.core.realms.city_rumours import HOME_BITS

SIZES = st.sampled_from([0, 1, 2, 5, 40, 63, 64, 200])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**40), sizes=st.lists(SIZES, min_size=1, max_size=3))
def test_wealth_and_people_only_move(seed: int, sizes: list[int]) -> None:
    worlds = Cities({f"sol_{number}": size for number, size in enumerate(sizes)}, seed, caravans_per_hour=32)
    before = worlds.totals()
    for _ in range(15):
        worlds.tick()
        assert worlds.totals() == before
        for city in worlds.cities.values():
            columns = city.people.columns
            assert all(not column[~columns["alive"]].any() for column in columns.values())
            assert columns["wealth"].min(initial=0) >= 0


def test_caravans_leave_and_arrive_and_life_goes_on() -> None:
    worlds = Cities({"sol_1": 40, "sol_2": 40})
    mood_before, wealth_before = (worlds.cities["sol_1"].people.columns[name].copy() for name in ("mood", "wealth"))
    worlds.run(60)
    for city in worlds.cities.values():
        assert city.counts["caravans_out"] >= 3
        assert city.counts["caravans_in"] >= 3
        assert len(city.rumours.live) >= 5
        assert np.count_nonzero(city.people.columns["heard"]) > 10
    columns = worlds.cities["sol_1"].people.columns
    assert (columns["mood"][:40] != mood_before[:40]).mean() > 0.9
    assert (columns["wealth"][:40] != wealth_before[:40]).mean() > 0.5
    travellers = worlds.query("sol_1", "find_npcs", role="merchant", origin="sol_2")
    assert travellers
    assert all(person["origin"] == "sol_2" for person in travellers)


def test_without_neighbours_caravans_stay_home() -> None:
    worlds = Cities({"sol_1": 64}, caravans_per_hour=64).run(30)
    assert worlds.cities["sol_1"].people.count == 64


def test_same_seed_same_digests_and_another_seed_others() -> None:
    runs = [Cities({"a": 40, "b": 41}, seed).run(12).digests for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert not set(runs[0]) & set(runs[2])


def test_a_restored_city_lives_on_alike() -> None:
    worlds = Cities({"a": 40, "b": 50}).run(25)
    for _ in range(10):
        for realm_id, city in worlds.cities.items():
            document = encode_state(city.capture())
            city.restore(decode_state(document))
            assert encode_state(city.capture()) == document
            assert realm_id in city.origins
        worlds.tick()
    assert worlds.digests == Cities({"a": 40, "b": 50}).run(35).digests


@settings(max_examples=10, deadline=None)
@given(pieces=st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_a_run_in_pieces_is_the_run(pieces: list[int]) -> None:
    one, other = (Cities({"a": 90}) for _ in range(2))
    for piece in pieces:
        one.tick(piece)
    other.tick(sum(pieces))
    left, right = (worlds.cities["a"].capture() for worlds in (one, other))
    assert list(differences(left, right)) == []


class WatchedCity(City):
    """A City that notes who met whom."""

    def __init__(self, birth: Birth, **params: Any) -> None:
        self.met: list[tuple[int, Indices, Indices]] = []
        super().__init__(birth, **params)

    def meet(self, first: Indices, second: Indices, bits: rules.Bits) -> None:
        self.met.append((self.now, first.copy(), second.copy()))
        super().meet(first, second, bits)


def cone(runs: list[WatchedCity], changed: int, slots: int) -> np.ndarray:
    """Who can have been reached: by meetings in either run, forward in time, from the changed person."""
    reached = np.zeros(slots, dtype=bool)
    reached[changed] = True
    for _, first, second in sorted((meeting for run in runs for meeting in run.met), key=lambda meeting: meeting[0]):
        either = reached[first] | reached[second]
        reached[first] |= either
        reached[second] |= either
    return reached


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    npcs=st.sampled_from([40, 300, 2_000]),
    changed=st.integers(0, 39),
    trait=st.sampled_from(roles.TRAITS),
    value=st.sampled_from([0, 255]),
)
def test_a_changed_trait_stays_within_its_causal_cone(
    seed: int, npcs: int, changed: int, trait: str, value: int
) -> None:
    runs: list[WatchedCity] = []
    for change in (False, True):
        seat = Seat(Birth("a", seed, "a"), lambda birth: runs.append(WatchedCity(birth, npcs=npcs)) or runs[-1])
        arguments = encode({"npc": changed, "trait": trait, "value": value})
        commands = (Command("c", "set_trait", arguments),) if change else ()
        assert seat.advance(Grant(1, "main", 1, 0, 0, (), commands)).failure is None
        for number in range(2, 18):
            assert seat.advance(Grant(1, "main", number, number, 10)).failure is None
    reached = cone(runs, changed, runs[0].people.slots)
    for name in COLUMNS:
        one, other = (run.people.columns[name][~reached] for run in runs)
        assert np.array_equal(one, other), name
    assert npcs < 2_000 or not reached.all()


def test_a_traits_consequences_do_reach_others() -> None:
    """The law above would hold in a city where nobody meets; here somebody does, and it shows."""
    runs = [Cities({"a": 40}) for _ in range(2)]
    assert runs[0].command("a", "set_trait", npc=5, trait="thrift", value=255).error_code == ""
    one, other = (worlds.run(24).cities["a"].people.columns["wealth"] for worlds in runs)
    assert np.count_nonzero(one != other) > 2


def test_rumours_born_here_and_elsewhere_never_share_a_bit() -> None:
    worlds = Cities({"a": 40, "b": 40}).run(60)
    for realm_id, city in worlds.cities.items():
        assert all((bit < HOME_BITS) == (rumour["origin"] == realm_id) for bit, rumour in city.rumours.live.items())
        heard = int(np.bitwise_or.reduce(city.people.columns["heard"]))
        assert heard & ~sum(1 << bit for bit in city.rumours.live) == 0


CHILD = """
from actors.core.kernel.members import Birth, Grant
from actors.core.kernel.seats import Seat
from actors.core.realms.city import City
seat = Seat(Birth("a", 3, "a"), lambda birth: City(birth, npcs=40_000, neighbours=["b"]))
for number in range(1, 16):
    outbox = seat.advance(Grant(1, "main", number, number, 10))
    assert outbox.failure is None
print(outbox.digest.hex())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="feature names are those of x86 Linux")
def test_the_same_bits_with_fewer_vector_instructions() -> None:
    """numpy 2.4 groups features: X86_V4 (AVX-512) and X86_V3 (AVX2). Of names it does not know it only warns."""
    digests = set()
    for disabled in (
        "",
        "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512_SKX",
        "X86_V4 AVX512_ICL AVX512_SPR X86_V3 AVX2 FMA3",
    ):
        environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled, "PYTHONWARNINGS": "ignore"}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        run = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=True)
        digests.add(run.stdout.strip())
    assert len(digests) == 1
