"""HELICS: a broker and one federate per member, each a process; a period of one second is a control tick.

A configuration is three words: how a member speaks, over which core, and who coordinates time.

    values      publications and inputs, as between continuous models
    targeted    endpoints with a fixed destination
    untargeted  endpoints that name the destination of each message, as a member of ours may

    tcp, ipc, zmq, …   core types

    distributed   each federate by itself, HELICS's default
    global        the broker (`--timing=global`)

What was tried to make it as fast as is fair (HELICS 3.6.1, a run or two each on a shared machine, so only the large differences
say something): of the cores tcp and ipc are the fastest; zmq, its default, mostly takes a third to two thirds more.
`single_thread_federate` and `uninterruptible` show no difference beyond the noise; the latter is on, because it is what
lockstep means. With `wait_for_current_time_update` on all members a ring did not end within 40 s, presumably because each waits
for the other. An output delay of a period for values, or sending untargeted messages for the next period, delivers two ticks
later instead of one. Logs are off.

With distributed time a federate waits only for those that may tell it something: with values and targeted endpoints its
predecessor, so that members get apart (see `Row`); with untargeted ones all others. With global time all wait for all.
"""

import contextlib
import multiprocessing
import queue
import secrets
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.peers import apart
from benchmarks.peers.alone import alone
from benchmarks.peers.apart import CannotRunError, Job, Peer
from benchmarks.peers.ports import free_port
from benchmarks.peers.rings import Ear, Laps, Lived, laps_of, pack, unpack
from benchmarks.peers.rows import Row

PEER = Peer(
    "HELICS",
    "benchmarks.peers.helics_ring",
    ("helics",),
    (
        "values tcp distributed",
        "values ipc distributed",
        "targeted tcp distributed",
        "targeted ipc distributed",
        "untargeted tcp distributed",
        "untargeted ipc distributed",
        "values tcp global",
        "values ipc global",
    ),
)
SPEECHES, TIMINGS = ("values", "targeted", "untargeted"), ("distributed", "global")
PERIOD_S = 1.0
QUIET = "--loglevel=no_print"
JOIN_TIMEOUT_S = 5.0


def measure(members: int, control_ticks: int, warmup: int, configuration: str = PEER.configurations[0]) -> Row:
    """See `apart.measure`."""
    return apart.measure(PEER, members, control_ticks, warmup, configuration)


class Federation:
    """What all processes of one run must agree on: names and ports that no other run uses."""

    def __init__(self, job: Job) -> None:
        words = job.configuration.split()
        if len(words) != 3 or words[0] not in SPEECHES or words[2] not in TIMINGS:
            raise CannotRunError(f"a configuration is one of {SPEECHES}, a core type, one of {TIMINGS}")
        self.speech, self.core, timing = words
        self.members, self.ticks = job.members, job.ticks
        self.name = f"ring{secrets.token_hex(4)}"
        whereabouts = f"--local_interface={self.name}" if self.core == "ipc" else f"--port={free_port()}"
        timed = " --timing=global" if timing == "global" else ""
        self.broker_init = f"--federates={job.members} {whereabouts} {QUIET}{timed}"
        reached = whereabouts.replace("--local_interface", "--broker_address").replace("--port", "--brokerport")
        self.core_init = f"--federates=1 {reached} {QUIET}"


def ring(job: Job) -> Laps:
    """Starts the broker and the federates, and collects what they lived."""
    federation = Federation(job)
    fork = multiprocessing.get_context(
        "fork"
    )  # of a process that has no threads; helics is loaded in the children only
    up, told = fork.Event(), fork.Queue()
    broker = fork.Process(target=_broker, args=(federation, up), daemon=True)
    federates = [
        fork.Process(target=_federate, args=(federation, member, told), daemon=True) for member in range(job.members)
    ]
    lives: dict[int, Lived] = {}
    try:
        broker.start()
        if not up.wait(job.timeout_s):
            raise CannotRunError("the broker did not start")
        for federate in federates:
            federate.start()
        deadline = time.monotonic() + job.timeout_s
        while len(lives) < job.members:
            member, life = told.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(life, str):
                raise CannotRunError(life)
            lives[member] = life
    except queue.Empty:
        raise CannotRunError(f"members did not end within {job.timeout_s:.0f} s") from None
    finally:
        _end([*federates, broker])
        for left in Path("/dev/shm").glob(f"*{federation.name}*"):  # queues of the ipc core, if a process was killed
            left.unlink(missing_ok=True)
    return laps_of([lives[member] for member in range(job.members)])


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        with contextlib.suppress(AssertionError):  # it was never started
            process.join(JOIN_TIMEOUT_S)
            process.kill()
            process.join()


def _broker(federation: Federation, up: Any) -> None:
    import helics

    broker = helics.helicsCreateBroker(federation.core, federation.name, federation.broker_init)
    up.set()
    while helics.helicsBrokerIsConnected(broker):
        helics.helicsBrokerWaitForDisconnect(broker, 1_000)
    helics.helicsCloseLibrary()


def _federate(federation: Federation, member: int, told: Any) -> None:
    import helics

    try:
        federate = _join(federation, member)
        listen, speak = _mouth_and_ear(federation, federate, member)
        helics.helicsFederateEnterExecutingMode(federate)
        ear = Ear(member, federation.members)
        granted_ns = []
        for tick in range(1, federation.ticks + 1):
            granted_s = helics.helicsFederateRequestTime(federate, tick * PERIOD_S)
            granted_ns.append(time.perf_counter_ns())
            if granted_s != tick * PERIOD_S:
                raise RuntimeError(f"member {member} was granted {granted_s} s when it asked for {tick * PERIOD_S} s")
            speak(pack(*ear.hear(tick, [unpack(event) for event in listen()])))
        told.put((member, Lived(ear.fault(federation.ticks), granted_ns)))
        helics.helicsFederateDisconnect(federate)
    except Exception as error:  # to be told where the row is made
        told.put((member, " ".join(str(error).split())))
    helics.helicsCloseLibrary()


def _join(federation: Federation, member: int) -> Any:
    import helics

    info = helics.helicsCreateFederateInfo()
    helics.helicsFederateInfoSetCoreTypeFromString(info, federation.core)
    helics.helicsFederateInfoSetCoreName(info, f"{federation.name}_{member}")
    helics.helicsFederateInfoSetCoreInitString(info, federation.core_init)
    helics.helicsFederateInfoSetTimeProperty(info, helics.HELICS_PROPERTY_TIME_PERIOD, PERIOD_S)
    helics.helicsFederateInfoSetFlagOption(info, helics.HELICS_FLAG_UNINTERRUPTIBLE, True)
    helics.helicsFederateInfoSetIntegerProperty(
        info, helics.HELICS_PROPERTY_INT_LOG_LEVEL, helics.HELICS_LOG_LEVEL_NO_PRINT
    )
    return helics.helicsCreateCombinationFederate(f"member_{member}", info)


def _mouth_and_ear(
    federation: Federation, federate: Any, member: int
) -> tuple[Callable[[], list[bytes]], Callable[[bytes], Any]]:
    """How a member hears what came, and how it speaks to its successor."""
    import helics

    successor, predecessor = (member + 1) % federation.members, (member - 1) % federation.members
    if federation.speech == "values":
        said = helics.helicsFederateRegisterGlobalPublication(federate, f"said_{member}", helics.HELICS_DATA_TYPE_RAW)
        heard = helics.helicsFederateRegisterSubscription(federate, f"said_{predecessor}")

        def listen_to_values() -> list[bytes]:
            return [helics.helicsInputGetBytes(heard)] if helics.helicsInputIsUpdated(heard) else []

        return listen_to_values, lambda event: helics.helicsPublicationPublishBytes(said, event)

    if federation.speech == "targeted":
        endpoint = helics.helicsFederateRegisterGlobalTargetedEndpoint(federate, f"door_{member}")
        helics.helicsEndpointAddDestinationTarget(endpoint, f"door_{successor}")
    else:
        endpoint = helics.helicsFederateRegisterGlobalEndpoint(federate, f"door_{member}")

    def listen_to_messages() -> list[bytes]:
        events = []
        while helics.helicsEndpointHasMessage(endpoint):
            events.append(helics.helicsMessageGetBytes(helics.helicsEndpointGetMessage(endpoint)))
        return events

    if federation.speech == "targeted":
        return listen_to_messages, lambda event: helics.helicsEndpointSendBytes(endpoint, event)
    return listen_to_messages, lambda event: helics.helicsEndpointSendBytesTo(endpoint, event, f"door_{successor}")


if __name__ == "__main__":
    alone(PEER, measure)
