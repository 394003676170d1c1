"""The door: who gets in, as whom, and what a stranger, an impostor and a dead host come to. No Ray is needed."""

import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq
from peers import ADDRESS, QUIET_MS, Peer, context_of_a_test, departed, host_of, next_from, speaks_with
from zmq.utils import z85

from actors.zmq_doors import Door, Line

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["far", "near"])
def door(request):
    """A door, approached over TCP or over the system's own sockets, as hosts on its node do."""
    door = Door(ADDRESS)
    if request.param == "near":
        door.address = door.near_address
    yield door
    door.close()


@pytest.fixture
def far_door():
    door = Door(ADDRESS)
    yield door
    door.close()


@pytest.fixture
def context():
    with context_of_a_test() as context:
        yield context


def port_of(door):
    return int(door.address.rpartition(":")[2])


# ------------------------------------------------------------------------------------------------------ strangers


def test_a_host_whose_key_is_listed_comes_in_and_is_heard(door, context):
    assert not door.is_open_to("a")
    assert not door.send("a", b"too early")
    peer = host_of(context, door, "a")
    assert door.is_open_to("a")
    assert speaks_with(door, "a", peer)
    assert door.turned_away == 0


def test_a_stranger_with_a_key_of_his_own_gets_nothing_through(door, context):
    before = Peer(context, door, "a")
    before.say(b"let me in")
    assert next_from(door, QUIET_MS) is None
    real = host_of(context, door, "a")
    while_there = Peer(context, door, "a")
    while_there.say(b"let me in")
    assert speaks_with(door, "a", real)
    assert before.hears(QUIET_MS) is None and while_there.hears(0) is None
    assert (next_from(door, QUIET_MS), door.turned_away) == (None, 0)  # nothing of theirs has ever reached the clock


def test_a_stranger_without_a_key_gets_nothing_through(door, context):
    real = host_of(context, door, "a")
    plain, password = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
    password.plain_username, password.plain_password = b"a", b"a"
    with plain, password:
        for line in (plain, password):
            line.linger = 0
            line.connect(door.address)
            line.send(b"a")
        assert next_from(door, QUIET_MS) is None
        assert plain.poll(0) == password.poll(0) == 0
        assert speaks_with(door, "a", real)
    assert door.turned_away == 0


def test_a_stranger_who_knows_a_public_key_only_gets_nothing_through(door, context):
    real = host_of(context, door, "a")
    thief = Peer(context, door, "a", (real.public_key, zmq.curve_keypair()[1]))
    assert next_from(door, QUIET_MS) is None
    assert thief.hears(0) is None
    assert speaks_with(door, "a", real)


def test_whoever_does_not_know_the_doors_key_gets_nothing_through(door, context):
    keys = zmq.curve_keypair()
    door.admit(keys[0], "a")
    Peer(context, door, "a", keys, curve_serverkey=zmq.curve_keypair()[0])
    assert next_from(door, QUIET_MS) is None
    assert not door.is_open_to("a")


def test_bytes_that_are_no_greeting_harm_nobody(far_door, context):
    real = host_of(context, far_door, "a")
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
    for nonsense in (b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", greeting, greeting[:20], os.urandom(200), b"\xff" * 9000):
        with socket.create_connection((ADDRESS, port_of(far_door)), timeout=5) as line:
            line.sendall(nonsense)
            assert speaks_with(far_door, "a", real)
    assert list(far_door.departures()) == []


def test_only_the_given_address_is_listened_on(far_door):
    with socket.create_connection((ADDRESS, port_of(far_door)), timeout=5):
        pass
    with pytest.raises(ConnectionRefusedError):  # all of 127.0.0.0/8 is this machine; a wildcard would take it
        socket.create_connection(("127.0.0.2", port_of(far_door)), timeout=5)
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert f"0100007F:{port_of(far_door):04X}" in listening
    assert f"00000000:{port_of(far_door):04X}" not in listening


def test_the_near_address_is_this_user_s_alone_and_goes_with_the_door():
    door = Door(ADDRESS)
    folder = Path(door.near_address.removeprefix("ipc://")).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    door.close()
    assert not folder.exists()


def test_an_address_of_six_parts_is_listened_on_alone(context):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    door = Door("::1")
    keys = zmq.curve_keypair()
    door.admit(keys[0], "a")
    peer = Peer(context, door, ipv6=True)
    peer.leave()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ADDRESS, port_of(door)), timeout=5)
    door.close()


# ------------------------------------------------------------------------------------------------------- impostors


def test_a_listed_host_that_claims_another_id_is_turned_away_at_any_time(door, context):
    impostor = host_of(context, door, "b")
    keys = zmq.curve_keypair()
    door.admit(keys[0], "a")

    def tries():
        """The impostor, once on a new line, claims to be the other."""
        again = Peer(context, door, "a", (impostor.public_key, impostor.secret_key))
        away = door.turned_away
        while door.turned_away == away:
            assert door.receive(10) is None
        again.say(b"an answer of a's")
        while door.turned_away == away + 1:
            assert door.receive(10) is None
        return again

    tries()  # before the real one is there
    assert not door.is_open_to("a")
    real = Peer(context, door, "a", keys)
    assert next_from(door) == ("a", b"")
    lines = [tries() for _ in range(20)]  # while it is, again and again
    assert speaks_with(door, "a", real)
    assert [line.hears(0) for line in lines] == [None] * 20
    for line in lines:
        line.leave()
    assert speaks_with(door, "a", real)
    assert departed(door, QUIET_MS) == []  # nobody who was in has left
    real.leave()
    assert departed(door) == ["a"]
    tries()  # and after
    assert speaks_with(door, "b", impostor)
    assert list(door.departures()) == []


def test_a_connection_s_name_is_not_for_the_peer_to_choose(door, context):
    real = host_of(context, door, "a")
    Peer(context, door, "a", routing_id=door._routes["a"])  # not listed
    keys = zmq.curve_keypair()
    door.admit(keys[0], "b")
    namesake = Peer(context, door, "b", keys, routing_id=door._routes["a"])  # listed, under the name of a's connection
    heard = next_from(door, QUIET_MS)
    assert heard in (None, ("b", b""))
    namesake.say(b"from b")
    assert next_from(door, QUIET_MS) in (None, ("b", b"from b"))
    assert speaks_with(door, "a", real)


def test_a_name_that_nobody_has_is_turned_away(door, context):
    keys = zmq.curve_keypair()
    door.admit(keys[0], "a")
    for claim in (b"", b"\0", b"A", b"a ", b"aa", b"\xff\xfe", b"a" * 5000):
        peer = Peer(context, door, keys=keys)
        peer.say(claim)
        away = door.turned_away
        while door.turned_away == away:
            assert door.receive(10) is None
        peer.leave()
    assert not door.is_open_to("a")


def test_one_who_keeps_coming_does_not_keep_the_clock(door, context):
    """A flood of what is turned away: the clock hears the others, sees departures, and gets its time back."""
    real, going = host_of(context, door, "a"), host_of(context, door, "c")
    keys = zmq.curve_keypair()
    door.admit(keys[0], "d")
    over = threading.Event()

    def flood():
        with zmq.Context() as own:
            peer = Peer(own, door, "a", keys)  # listed, under another id
            while not over.is_set():
                try:
                    peer.say(b"let me in")
                except zmq.Again:
                    time.sleep(0.0001)
            peer.leave()

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        while door.turned_away < 100:
            assert door.receive(10) is None
        going.leave()
        real.say(b"here I am")
        seen, heard, deadline = [], None, time.monotonic() + 10
        while (not seen or heard is None) and time.monotonic() < deadline:
            heard = door.receive(10) or heard
            seen += door.departures()
        assert (seen, heard) == (["c"], ("a", b"here I am"))
    finally:
        over.set()
        thread.join()


# --------------------------------------------------------------------------------------------- coming, going, coming back


def test_a_host_started_again_with_a_new_key_is_heard_and_the_old_key_is_refused(door, context):
    old = host_of(context, door, "a")
    door.expel("a")
    assert not door.is_open_to("a") and not door.send("a", b"gone")
    new = host_of(context, door, "a")
    old.say(b"I am still here")
    again = Peer(context, door, "a", (old.public_key, old.secret_key))
    again.say(b"and again")
    assert next_from(door, QUIET_MS) is None
    assert door.turned_away == 1  # on the line that it had; a new one it does not get
    assert again.hears(0) is None
    assert speaks_with(door, "a", new)
    old.leave()
    assert departed(door, QUIET_MS) == []  # the one that left is nobody any more
    assert speaks_with(door, "a", new)
    new.leave()
    assert departed(door) == ["a"]


def test_a_host_that_comes_back_on_a_new_line_is_heard_there(door, context):
    keys = zmq.curve_keypair()
    door.admit(keys[0], "a")
    for _ in range(5):
        peer = Peer(context, door, "a", keys)
        assert next_from(door) == ("a", b"")
        assert speaks_with(door, "a", peer)
        peer.leave()
        assert departed(door) == ["a"]


def test_the_end_of_a_line_that_was_replaced_is_not_the_end_of_the_host(door, context):
    keys = zmq.curve_keypair()
    door.admit(keys[0], "a")
    first = Peer(context, door, "a", keys)
    assert next_from(door) == ("a", b"")
    second = Peer(context, door, "a", keys)
    assert next_from(door) == ("a", b"")
    assert speaks_with(door, "a", second)
    first.leave()
    assert departed(door, QUIET_MS) == []
    assert speaks_with(door, "a", second)
    second.leave()
    assert departed(door) == ["a"]


def test_a_descriptor_that_is_used_again_is_not_the_one_that_has_left(door, context):
    staying = host_of(context, door, "z")
    reused = 0
    for number in range(40):
        one = host_of(context, door, f"one-{number}")
        (descriptor,) = (at for at, host_id in door._connections.items() if host_id == f"one-{number}")
        one.leave()
        while one.socket.closed and descriptor in _descriptors_of_sockets():
            time.sleep(0.001)
        other = host_of(context, door, f"other-{number}")  # the departure has not been asked for yet
        reused += door._connections.get(descriptor) == f"other-{number}"
        assert departed(door) == [f"one-{number}"]
        assert departed(door, 20) == []
        assert speaks_with(door, f"other-{number}", other)
        other.leave()
        assert departed(door) == [f"other-{number}"]
    assert reused, "no descriptor was used again; the test has tested nothing"
    assert speaks_with(door, "z", staying)


def _descriptors_of_sockets():
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if entry.readlink().name.startswith("socket:"):
                found.add(int(entry.name))
        except OSError:
            continue
    return found


CHILD = """
import sys
from actors.zmq_doors import Line
line = Line("a")
print(line.public_key.decode(), flush=True)
address, door_key = sys.stdin.readline().split()
line.serve(address, door_key.encode(), lambda asked: asked[::-1])
"""


def test_a_killed_process_is_seen(door, context):
    staying = host_of(context, door, "z")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        door.admit(child.stdout.readline().strip().encode(), "a")
        child.stdin.write(f"{door.address} {door.public_key.decode()}\n")
        child.stdin.flush()
        assert next_from(door, 30_000) == ("a", b"")
        assert door.send("a", b"abc") and next_from(door) == ("a", b"cba")
        os.kill(child.pid, signal.SIGKILL)
        begun = time.perf_counter()
        assert departed(door) == ["a"]
        print(f"a death was seen after {(time.perf_counter() - begun) * 1e3:.1f} ms")
    assert list(door.departures()) == []
    assert speaks_with(door, "z", staying)


# --------------------------------------------------------------------------------------------------------- secrets


def test_secrets_are_neither_shown_nor_logged_nor_readable(context, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    secrets, make = [], zmq.curve_keypair

    def noted():
        pair = make()
        secrets.append(pair[1])
        return pair

    monkeypatch.setattr(zmq, "curve_keypair", noted)
    door, line = Door(ADDRESS), Line("a")
    monkeypatch.undo()
    door.admit(line.public_key, "a")
    stranger = Peer(context, door, "a")
    host_of(context, door, "b")
    Peer(context, door, "b", (line.public_key, secrets[1]))
    assert next_from(door, QUIET_MS) is None
    assert door.turned_away == 1
    with pytest.raises(AttributeError, match="write-only"):
        door._router.curve_secretkey  # noqa: B018
    shown = " ".join([repr(door), str(vars(door)), repr(line), str(line), repr(stranger.socket), caplog.text])
    assert any(record.name.startswith("zmq.auth") for record in caplog.records)
    for secret in secrets:
        assert len(secret) == 40
        assert secret.decode() not in shown and z85.decode(secret).hex() not in shown
    door.close()


def test_every_door_and_every_line_has_a_key_of_its_own():
    doors = [Door(ADDRESS) for _ in range(3)]
    lines = [Line("a") for _ in range(3)]
    assert len({door.public_key for door in doors} | {line.public_key for line in lines}) == 6
    for door in doors:
        door.close()


def test_a_door_leaves_nothing_behind():
    before, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(5):
        door = Door(ADDRESS)
        with zmq.Context() as context:
            host_of(context, door, "a").leave()
        door.close()
    deadline = time.monotonic() + 5
    while len(list(Path("/proc/self/fd").iterdir())) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) == (before, threads)
