"""Bare ZeroMQ between plain processes: the floor of the technique. A ROUTER lets DEALERs go on, one message each way.

Messages are about 60 bytes: 40 of envelope, 20 of event. Over TCP on the loopback, as they would go between machines.
"""

import multiprocessing
import time
from typing import Any

from benchmarks.peers import apart
from benchmarks.peers.alone import alone
from benchmarks.peers.apart import CannotRunError, Job, Peer
from benchmarks.peers.rings import Ear, Laps, pack, unpack
from benchmarks.peers.rows import Row

PLAIN, CURVE = "ROUTER/DEALER, plain", "ROUTER/DEALER, CurveZMQ"
PEER = Peer("bare ZeroMQ", "benchmarks.peers.zmq_ring", ("zmq",), (PLAIN, CURVE))
ENVELOPE = bytes(40)
END = b"end"

Keys = tuple[bytes, bytes] | None
"""The coordinator's, public and secret. Members make their own; nobody is kept out here, all is encrypted."""


def measure(members: int, control_ticks: int, warmup: int, configuration: str = PLAIN) -> Row:
    """See `apart.measure`."""
    return apart.measure(PEER, members, control_ticks, warmup, configuration)


def ring(job: Job) -> Laps:
    """The coordinator."""
    import zmq

    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.RCVTIMEO, int(job.timeout_s * 1e3))
    keys: Keys = None
    if job.configuration == CURVE:
        keys = zmq.curve_keypair()
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = keys
    port = router.bind_to_random_port("tcp://127.0.0.1")
    fork = multiprocessing.get_context(
        "fork"
    )  # of a process that has no threads but ZeroMQ's, which the children never use
    processes = [fork.Process(target=_member, args=(port, n, job, keys), daemon=True) for n in range(job.members)]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            router.recv_multipart()  # here I am
        durations = _run(router, job)
        faults = _faults(router, job.members)
    except zmq.Again:
        raise CannotRunError("a member did not answer in time") from None
    finally:
        for process in processes:
            process.kill()
            process.join()
        context.destroy(linger=0)
    return Laps(durations, next(filter(None, faults), ""))


def _run(router: Any, job: Job) -> list[int]:
    names = [b"%d" % member for member in range(job.members)]
    events = [b""] * job.members
    durations = []
    for tick in range(1, job.ticks + 1):
        begun = time.perf_counter_ns()
        head = tick.to_bytes(8, "little") + ENVELOPE[8:]
        for member, name in enumerate(names):
            router.send_multipart((name, head + events[member]))
        for _ in names:
            name, message = router.recv_multipart()
            events[(int(name) + 1) % job.members] = message[len(ENVELOPE) :]
        durations.append(time.perf_counter_ns() - begun)
    return durations


def _faults(router: Any, members: int) -> list[str]:
    for member in range(members):
        router.send_multipart((b"%d" % member, END))
    return [router.recv_multipart()[1].decode() for _ in range(members)]


def _member(port: int, member: int, job: Job, keys: Keys) -> None:
    import zmq

    dealer = zmq.Context().socket(zmq.DEALER)
    dealer.setsockopt(zmq.IDENTITY, b"%d" % member)
    if keys is not None:
        dealer.curve_serverkey = keys[0]
        dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
    dealer.connect(f"tcp://127.0.0.1:{port}")
    dealer.send(b"")
    ear = Ear(member, job.members)
    while (message := dealer.recv()) != END:
        tick, event = int.from_bytes(message[:8], "little"), message[len(ENVELOPE) :]
        dealer.send(message[: len(ENVELOPE)] + pack(*ear.hear(tick, [unpack(event)] if event else [])))
    dealer.send(ear.fault(job.ticks).encode())
    dealer.close()
    dealer.context.term()


if __name__ == "__main__":
    alone(PEER, measure)
