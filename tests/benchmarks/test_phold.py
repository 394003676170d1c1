"""PHOLD: the count is that of theory, and sharing the logical processes out changes nothing."""

import statistics
from random import Random

import pytest

from benchmarks.phold import expected, main, measure
from benchmarks.realms.pholds import WORDS_PER_DRAW, exponential


def test_the_delays_are_exponential() -> None:
    random = Random(5)
    draws = [exponential([random.getrandbits(64) for _ in range(WORDS_PER_DRAW)]) / 2**32 for _ in range(40_000)]
    assert abs(statistics.fmean(draws) - 1) < 0.02
    assert abs(statistics.pstdev(draws) - 1) < 0.03
    assert abs(sum(draw > 2 for draw in draws) / len(draws) - 0.1353) < 0.008


def test_theory() -> None:
    count, three_sigma = expected(1_000)
    assert (round(count), round(three_sigma, -1)) == (255_976, 1_370)


def test_count_and_digest_do_not_depend_on_how_the_processes_are_shared_out() -> None:
    rows = [measure(processes, 30, 0, engine="local") for processes in (1, 2, 4, 16)]
    assert len({(row["events"], row["digest"]) for row in rows}) == 1
    count, three_sigma = expected(30)
    assert abs(rows[0]["events"] - count) <= three_sigma
    assert measure(4, 30, 0, seed=2, engine="local")["digest"] != rows[0]["digest"]


@pytest.mark.ray
def test_nor_on_ray(ray_cluster) -> None:
    rows = [measure(processes, 10, 0, engine=engine) for processes, engine in ((1, "local"), (2, "ray"))]
    assert len({(row["events"], row["digest"]) for row in rows}) == 1


def test_wrong_use(capsys) -> None:
    for wrong in (["--processes", "3"], ["--units", "0"]):
        with pytest.raises(SystemExit) as stop:
            main(wrong)
        assert stop.value.code == 2
