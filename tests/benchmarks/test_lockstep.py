"""The side-by-side benchmark: its figures, its checks, its tables and its command line. It measures nothing here."""

import io
import json
import subprocess
import sys
import time

import pytest
from rich.console import Console

from benchmarks import lockstep
from benchmarks.machines import machine
from benchmarks.peers import apart, soulfra_ring
from benchmarks.peers.rings import BYTES, Ear, Lived, laps_of, pack, unpack
from benchmarks.peers.rows import Row, percentile


def row(peer="HELICS", configuration="values tcp distributed", members=3, mean_ns=300_000, apart_ticks=1):
    return Row.measured(peer, configuration, members, [mean_ns] * 10, apart_ticks)


def not_run(peer="mosaik", members=3):
    return Row(peer=peer, configuration="processes", members=members, control_ticks=10, note="not run: no mosaik")


@pytest.mark.parametrize(
    "percent, expected", [(50, 1000), (99, 1980), (99.9, 1998), (100, 2000), (0.01, 1), (0.05, 1), (0.051, 2)]
)
def test_a_percentile_is_a_value_that_was_measured(percent, expected):
    assert percentile(range(2000, 0, -1), percent) == expected


@pytest.mark.parametrize("values, percent", [([], 50), ([1], 0), ([1], 100.1), ([1], float("nan"))])
def test_no_percentile_of_nothing_and_none_beyond_all(values, percent):
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, percent)


def test_a_row_holds_microseconds():
    measured = Row.measured("peer", "way", 3, [1_000, 2_000, 3_000, 10_000], apart_ticks=1)
    assert (measured.p50_us, measured.p99_us, measured.p999_us, measured.mean_us) == (2, 10, 10, 4)
    assert measured.checked and measured.control_ticks == 4


def heard_by(events):
    """What an ear of member 0 of 3 says is wrong after these events, tick by tick."""
    ear = Ear(0, 3)
    for tick, heard in enumerate(events, start=1):
        ear.hear(tick, heard)
    return ear.fault(len(events))


def test_an_ear_is_content_with_what_its_predecessor_said_a_tick_ago():
    assert heard_by([[], [(1, 2, 0)], [(2, 2, 1)], [(3, 2, 2)]]) == ""


@pytest.mark.parametrize(
    "events",
    [
        [[], [(1, 2, 0)], []],
        [[], [(1, 2, 0)], [(2, 2, 1), (2, 2, 1)]],
        [[], [], [(1, 2, 0), (2, 2, 1)]],
        [[], [(1, 1, 0)], [(2, 2, 1)]],
        [[], [(1, 2, 0)], [(1, 2, 0)]],
        [[], [(1, 2, 1)], [(2, 2, 1)]],
        [[(1, 2, 0)], [(1, 2, 0)], [(2, 2, 1)]],
    ],
    ids=["missed", "twice", "late", "another's", "old", "another's count", "early"],
)
def test_an_ear_tells_of_what_it_should_not_have_heard(events):
    assert heard_by(events).startswith("member 0 heard")


def test_what_is_said_is_twenty_bytes_and_comes_back():
    said = (2_200, 19, 2_198)
    assert BYTES == len(pack(*said)) == 20
    assert unpack(pack(*said)) == said


def test_a_control_tick_begins_with_its_last_member():
    laps = laps_of([Lived("", [10, 20, 30, 40]), Lived("", [11, 25, 31, 44])])
    assert (laps.durations_ns, laps.apart_ticks, laps.fault) == ([14, 6, 13], 1, "")


def test_members_that_run_ahead_are_counted():
    ahead, behind = Lived("", [1, 2, 3, 10]), Lived("it misheard", [1, 8, 9, 11])
    laps = laps_of([ahead, behind])
    assert laps.apart_ticks == 2
    assert laps.fault == "it misheard"


def test_a_missing_library_is_a_row_and_not_a_crash():
    peer = apart.Peer("nobody", "benchmarks.peers.nobody_ring", ("there_is_no_such_module",), ("a way",))
    found = apart.measure(peer, 3, 10, 1)
    assert found.note.startswith("not run: there_is_no_such_module is not installed")
    assert found.mean_us is None and not found.checked


def test_our_own_ring_checks_on_the_local_engine():
    found = soulfra_ring.measure(3, 20, 5, soulfra_ring.LOCAL)
    assert found.checked, found.note
    assert found.control_ticks == 20 and found.apart_ticks == 1


def test_a_setting_that_is_refused_is_a_reason():
    assert soulfra_ring.measure(3, 20, 5, "pigeons").note.startswith("not run: lane must be")


def rendered(rows):
    console = Console(width=200, record=True, file=io.StringIO())
    for table in lockstep.tables(rows):
        console.print(table)
    return console.export_text()


def test_tables_hold_figures_ratios_and_reasons():
    text = rendered([row("Soulfra", "ray", mean_ns=150_000), row(apart_ticks=7), not_run(), row(members=8)])
    helics = next(line for line in text.splitlines() if "HELICS" in line)
    assert [cell.strip() for cell in helics.split("│")[3:9]] == ["300", "300", "300", "300", "2.00", "7"]
    assert "not run: no mosaik" in text
    assert "N = 3" in text and "N = 8" in text


def test_others_are_compared_with_our_quickest_lane():
    rows = [row("Soulfra", "ray"), row("Soulfra", "zmq"), not_run("Soulfra"), row(members=8)]
    assert lockstep.reference(rows, 3) is rows[1]
    assert lockstep.reference(rows, 8) is None


def test_of_several_rounds_the_quickest_counts_unless_one_is_void():
    quick, slow = row(mean_ns=1_000), row(mean_ns=2_000)
    assert lockstep.best([slow, quick, slow]) is quick
    assert lockstep.best([quick, not_run()]).mean_us is None


def test_rounds_take_turns_and_what_cannot_run_is_not_tried_again(monkeypatch):
    asked = []

    def peer(name, ran):
        def measure(size, ticks, warmup, configuration):
            asked.append((name, size))
            return row(name, configuration, size) if ran else not_run(name, size)

        return apart.Peer(name, "", (), ("a way",)), measure

    monkeypatch.setattr(lockstep, "PEERS", {"a": peer("a", True), "b": peer("b", False)})
    rows = lockstep.collect(("a", "b"), (3, 8), 10, 1, 2, lambda what, total: None)
    assert asked == [("a", 3), ("b", 3), ("a", 8), ("b", 8), ("a", 3), ("a", 8)]
    assert [(one.peer, one.members) for one in rows] == [("a", 3), ("b", 3), ("a", 8), ("b", 8)]


def test_the_report_is_json():
    report = lockstep.document([row(), not_run()], machine(("msgspec", "no-such-thing")), {"members": [3]}, 1.23456)
    back = json.loads(json.dumps(report))
    assert back["rows"][0]["mean_us"] == 300 and back["rows"][1]["mean_us"] is None
    assert back["machine"]["msgspec"] and back["machine"]["no-such-thing"] is None
    assert back["machine"]["cores"] and back["elapsed_s"] == 1.235


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--members", "1"], "'1' is not a whole number from 2 to 200"),
        (["--members", "3,x"], "'x' is not a whole number"),
        (["--members", ""], "'' is not a whole number"),
        (["--only", "helics,hal"], "there is no peer 'hal'; peers are ours, helics"),
        (["--control-ticks", "0"], "'0' is not a whole number from 10"),
        (["--json", "no/such/folder/x.json"], "cannot be written"),
        (["--faster"], "unrecognized arguments: --faster"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        lockstep.main(arguments)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told and len(told.splitlines()) == 1


def test_a_whole_run_prints_and_writes(tmp_path, monkeypatch, capsys):
    def measure(size, ticks, warmup, configuration):
        return Row.measured("Soulfra", configuration, size, [2_000] * ticks, 1)

    monkeypatch.setattr(lockstep, "PEERS", {"ours": (apart.Peer("Soulfra", "", (), ("ray",)), measure)})
    lockstep.main(["--members", "3", "--only", "ours", "--quick", "--json", str(tmp_path / "report.json")])
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["options"] == {
        "members": [3],
        "only": ["ours"],
        "control_ticks": 300,
        "warmup": 50,
        "rounds": 1,
    }
    assert report["rows"][0]["control_ticks"] == 300
    printed = capsys.readouterr().out
    assert "N = 3" in printed and "× ours" in printed and "cores" in printed


def _state_of(process):
    return subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout[:1]


def test_what_a_peer_leaves_behind_is_ended_and_nothing_else(tmp_path):
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    bystander = subprocess.Popen(["sleep", "60"])
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    try:
        with process.stdout:
            child = int(process.stdout.readline())
        process.kill()
        process.wait()
        apart.end_family(process)
        deadline = time.monotonic() + 20  # the kernel takes its time on a machine with much to do
        while _state_of(child) not in ("", "Z"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
