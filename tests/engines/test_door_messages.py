"""Messages through the door that are none: the clock hears `Died`, a host answers a refusal, and nobody else is harmed."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from peers import ADDRESS, LoopbackLane, context_of_a_test, departed, host_of, next_from, speaks_with

from actors import zmq_doors
from actors.core.kernel.codec import encode
from actors.core.kernel.commands import MemberSpec
from actors.core.kernel.errors import ProtocolError
from actors.core.kernel.fleets import MISUNDERSTOOD
from actors.core.kernel.lanes import Died, Heard
from actors.core.kernel.members import Birth, CommandResult, Grant, Outbox
from actors.core.kernel.messages import Advance, Answer, Embodied, Embodiment, Refusal, Stand, pack, unpack
from actors.core.kernel.settings import Settings
from actors.hosts import Host
from actors.zmq_doors import NONSENSE, Door
from orchestration import Multiverse
from orchestration.engines import LocalEngine

ROOT = Path(__file__).parents[2]
REALMS = str(ROOT / "tests" / "realms")

ANSWER = pack(Answer(7, (Outbox(1, 10, digest=bytes(32), measures={"luck": 1.5}, totals={"gold": 3}),)))
EMBODIMENT = pack(Embodiment(1, Birth("m", 7, "m"), MemberSpec("small:Ring", encode({}), b"")))
ADVANCE = pack(Advance(2, (Grant(1, "main", 1, 1, 10),)))

GARBAGE = {
    "empty": [b""],
    "one byte": [b"\x01"],
    "wrong version": [b"\x02" + ANSWER[1:]],
    "wrong kind": [ADVANCE],
    "unknown kind": [bytes([ANSWER[0], 99]) + ANSWER[2:]],
    "cut off": [ANSWER[:-1]],
    "too long": [ANSWER + b"\x00"],
    "no outbox": [pack(Answer(7, (Outbox(1, 10),))).replace(pack(Answer(7, (Outbox(1, 10),)))[4:], b"\x90\xc0")],
    "nested": [ANSWER[:2] + b"\x91" * 200_000],
    "random": [random.Random(7).randbytes(300)],
    "extra parts": [ANSWER, b"more"],
    "empty and more": [b"", ANSWER],
    "many parts": [ANSWER] * 50,
}


@pytest.fixture
def door():
    door = Door(ADDRESS)
    yield door
    door.close()


@pytest.fixture
def context():
    with context_of_a_test() as context:
        yield context


@pytest.fixture
def lane():
    lane = LoopbackLane((REALMS,))
    yield lane
    lane.close()


# ------------------------------------------------------------------------------------------- from a host to the clock


def signals(lane):
    for _ in range(500):
        if found := lane.receive(0.01):
            return list(found)
    raise AssertionError("nothing came")


def came_in(lane, *host_ids):
    peers = {}
    for host_id in host_ids:
        peers[host_id] = host_of(lane.context, lane._door, host_id)
    return peers


@pytest.mark.parametrize("what", GARBAGE)
def test_what_cannot_be_read_is_the_death_of_that_host_alone(lane, what):
    peers = came_in(lane, "a", "b")
    peers["a"].say(*GARBAGE[what])
    (signal,) = signals(lane)
    assert isinstance(signal, Died)
    assert (signal.host_id, signal.reason[:31]) == ("a", "it answered what cannot be read")
    peers["b"].say(ANSWER)
    assert signals(lane) == [Heard("b", unpack(ANSWER, Answer))]
    lane.kill("a")
    peers["a"].say(ANSWER)  # it is not heard any more
    peers["b"].say(ANSWER)
    assert signals(lane) == [Heard("b", unpack(ANSWER, Answer))]


@pytest.mark.parametrize(
    "message", [ANSWER, pack(Refusal(7, "engine", "no")), pack(Host((REALMS,)).embody(unpack(EMBODIMENT)))]
)
def test_a_message_cut_off_anywhere_is_refused(lane, message):
    (peer,) = came_in(lane, "a").values()
    for length in range(len(message)):
        peer.say(message[:length])
    for _ in range(len(message)):
        (signal,) = signals(lane)
        assert isinstance(signal, Died)
    peer.say(message)
    (signal,) = signals(lane)
    assert isinstance(signal, Heard)


def test_random_bytes_are_refused_and_never_raise(lane):
    (peer,) = came_in(lane, "a").values()
    chance = random.Random(7)
    for _ in range(500):
        spoiled = bytearray(ANSWER)
        for _ in range(chance.randrange(1, 5)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        peer.say(chance.choice([bytes(spoiled), chance.randbytes(chance.randrange(100))]))
    for _ in range(500):
        (signal,) = signals(lane)
        assert isinstance(signal, Died | Heard)


def test_a_long_message_cannot_speak_for_another_host(door, context):
    """[empty, name of the other's connection, words]: whoever reads parts one by one would take the second for a sender."""
    one, other = host_of(context, door, "a"), host_of(context, door, "b")
    one.say(b"", door._routes["b"], b"words of b's")
    assert next_from(door) == ("a", NONSENSE)
    assert next_from(door, 50) is None
    for host_id, peer in (("a", one), ("b", other)):
        assert speaks_with(door, host_id, peer)


def test_a_message_that_is_too_large_ends_the_line_of_its_sender_alone(context, monkeypatch):
    monkeypatch.setattr(zmq_doors, "MESSAGE_BYTES_MAX", 10_000)
    door = Door(ADDRESS)
    one, other = host_of(context, door, "a"), host_of(context, door, "b")
    one.say(bytes(9_000))
    assert next_from(door) == ("a", bytes(9_000))
    one.say(bytes(20_000))
    assert departed(door) == ["a"]
    one.say(b"I came back by myself")  # on a new line, which nobody has let in
    assert next_from(door, 300) is None
    assert speaks_with(door, "b", other)
    door.close()


LIES = {
    "another number": lambda answer: [replace(one, number=99) for one in answer.outboxes],
    "a result that nobody asked for": lambda answer: [
        replace(one, results=(CommandResult("x", b"\xc0"),)) for one in answer.outboxes
    ],
    "an outbox too many": lambda answer: [*answer.outboxes, answer.outboxes[-1]],
}


@pytest.mark.parametrize("what", [*GARBAGE, *LIES])
def test_a_multiverse_lives_on_as_if_nothing_had_happened(what):
    """The third answer of one host is spoiled: its member comes back elsewhere, and the chain is that of a quiet run."""
    spoiled = []

    def spoil(host_id, number, answer):
        if number == 3 and host_id == "host-3":
            spoiled.append(host_id)
            return GARBAGE[what] if what in GARBAGE else [lied(answer, LIES[what])]
        return [answer]

    chains = []
    for lane in (None, LoopbackLane((REALMS,), spoil)):
        with Multiverse(7, engine="local", realm_paths=[REALMS]) as mv:
            if lane is not None:
                mv._engine.close()
                mv._engine = LocalEngine(Settings(seed=7), lane=lane)
            for number in range(3):
                after = f"ring_{(number + 1) % 3}"
                mv.register_game(f"ring_{number}", "small:Ring", params={"next_realm": after, "shouts": True})
            mv.command("ring_0", "send", {"target": "ring_1"})
            mv.run(8)
            chains.append(mv.digest_chain())
            recoveries = mv.recoveries()
    assert spoiled == ["host-3"]
    assert chains[0] == chains[1]
    reason = "it answered what cannot be read" if what in GARBAGE else MISUNDERSTOOD
    assert [(one["member_id"], one["reason"][: len(reason)]) for one in recoveries] == [("ring_1", reason)]
    assert [died.host_id for died in lane.died] == (["host-3"] if what in GARBAGE else [])


def lied(answer, lie):
    truth = unpack(answer, Answer)
    return pack(replace(truth, outboxes=tuple(lie(truth))))


def test_a_host_that_leaves_out_the_result_of_a_command_is_replaced():
    def spoil(host_id, number, answer):
        told = unpack(answer)
        lies = host_id == "host-2" and isinstance(told, Answer) and told.outboxes[0].results
        return [lied(answer, lambda truth: [replace(one, results=()) for one in truth.outboxes])] if lies else [answer]

    with Multiverse(7, engine="local", realm_paths=[REALMS]) as mv:
        mv._engine.close()
        mv._engine = LocalEngine(Settings(seed=7), lane=LoopbackLane((REALMS,), spoil))
        mv.register_game("ring_0", "small:Ring", params={"shouts": True})
        mv.command("ring_0", "set_luck", {"luck": 5})
        mv.run(2)
        assert [one["reason"] for one in mv.recoveries()] == [MISUNDERSTOOD]
        (game,) = mv.get_multiverse_state()["games"]
        assert (game["state"], game["local_tick"]) == ("running", 20)


def test_a_host_that_answers_nonsense_again_and_again_costs_its_member_only():
    def spoil(host_id, number, answer):
        return [b"\xff"] if _kind(answer) is Answer and b"ring_1" in answer else [answer]

    lane = LoopbackLane((REALMS,), spoil)
    with Multiverse(7, engine="local", realm_paths=[REALMS]) as mv:
        mv._engine.close()
        mv._engine = LocalEngine(Settings(seed=7), lane=lane)
        mv.register_game("ring_0", "small:Ring", params={"shouts": True})
        mv.register_game("ring_1", "small:Ring", params={"shouts": True})
        mv.run(5)
        games = {game["realm_id"]: game for game in mv.get_multiverse_state()["games"]}
        assert (games["ring_0"]["state"], games["ring_0"]["local_tick"]) == ("running", 50)
        assert games["ring_1"]["state"] == "error"
        assert "cannot be read" in games["ring_1"]["error"]


def _kind(packed):
    return type(unpack(packed))


# ------------------------------------------------------------------------------------------- from the clock to a host


def is_refusal(packed):
    return isinstance(unpack(packed, Refusal), Refusal)


def embodied():
    host = Host((REALMS,))
    assert isinstance(unpack(host.answer_packed(EMBODIMENT)), Embodied)
    return host


def test_a_host_refuses_what_is_cut_off_anywhere_and_lives_on():
    host = embodied()
    for message in (ADVANCE, EMBODIMENT, pack(Stand(3))):
        for length in range(len(message)):
            assert is_refusal(host.answer_packed(message[:length]))
    alone = embodied()
    assert host.answer_packed(ADVANCE) == alone.answer_packed(ADVANCE)


@pytest.mark.parametrize("what", [*GARBAGE])
def test_a_host_refuses_garbage_and_lives_on(what):
    host = embodied()
    for part in GARBAGE[what]:
        if part != ADVANCE:
            assert is_refusal(host.answer_packed(part))
    assert isinstance(unpack(host.answer_packed(ADVANCE)), Answer)


def test_a_host_refuses_grants_that_are_none():
    packed = ADVANCE[:2] + encode([2, [], False])
    with pytest.raises(ProtocolError, match="cannot be read"):
        unpack(packed)
    assert is_refusal(embodied().answer_packed(packed))


def test_a_host_refuses_what_is_no_checkpoint_and_no_member():
    host = embodied()
    number = [1, ["m", 7, "m"], ["small:Ring", encode({}), b""], True]
    for checkpoint, since in (
        ([b"\xc1", 3, 30, 0, bytes(32), {}], []),
        ([encode({"ring": ["table", "", {"a": ["<i8", [9], b"short"]}]}), 3, 30, 0, bytes(32), {}], []),
        ([encode({"ring": 5}), 3, 30, 0, bytes(32), {}], []),
        ([encode({}), 3, 30, 0, bytes(32), {}], []),
        (None, [b"\x01"]),
        (None, [ADVANCE[:-1]]),
        (None, [ADVANCE, ADVANCE.replace(b"main", b"niam"), b""]),
    ):
        assert is_refusal(host.answer_packed(EMBODIMENT[:2] + encode([*number, checkpoint, since])))
    assert isinstance(unpack(host.answer_packed(ADVANCE)), Answer)  # the member that it had is still there


CHILD = """
import sys
from actors.hosts import Host
from actors.zmq_doors import Line
line = Line("a")
print(line.public_key.decode(), flush=True)
address, door_key = sys.stdin.readline().split()
line.serve(address, door_key.encode(), Host((sys.argv[1],)).answer_packed)
"""


def test_a_host_process_lives_through_all_of_it(door):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, REALMS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            door.admit(child.stdout.readline().strip().encode(), "a")
            child.stdin.write(f"{door.address} {door.public_key.decode()}\n")
            child.stdin.flush()
            assert next_from(door, 30_000) == ("a", b"")
            chance = random.Random(7)
            for nonsense in (*(chance.randbytes(chance.randrange(60)) for _ in range(200)), b"", os.urandom(1 << 20)):
                assert door.send("a", nonsense)
                host_id, answer = next_from(door)
                assert host_id == "a" and is_refusal(answer)
            door._router.send_multipart([door._routes["a"], b"two", b"parts"])  # as no clock of ours would
            assert all(is_refusal(next_from(door)[1]) for _ in range(2))
            assert door.send("a", EMBODIMENT) and isinstance(unpack(next_from(door)[1]), Embodied)
            assert door.send("a", ADVANCE) and isinstance(unpack(next_from(door)[1]), Answer)
            assert child.poll() is None
            assert list(door.departures()) == []
        finally:
            child.kill()
