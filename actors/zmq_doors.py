"""The closed door of the zmq lane: who may speak to the clock, and as whom.

Every host makes a key pair and tells only the public half, over Ray. The clock lists that key under the host's id;
CurveZMQ lets nobody in whose key is not listed (an encrypted line alone would let in any stranger with a key of his
own). A connection is known by what libzmq itself calls it, not by a name that the peer chooses, and belongs to the host
whose key opened it: a listed key that claims another host's id is turned away. So nobody can take over a line.
"""

import contextlib
import errno
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zmq
import zmq.utils.monitor
from zmq.auth.thread import ThreadAuthenticator

MESSAGE_BYTES_MAX = 1 << 30
"""A checkpoint of some ten million NPCs. Larger ones would end the connection."""
HEARTBEAT_INTERVAL_MS = 1_000
HEARTBEAT_TIMEOUT_MS = 10_000
"""Only for a peer whose machine is gone without a word; the death of a process ends its connection at once."""
SEND_TIMEOUT_MS = 1_000
DOMAIN = "soulfra"
FOLDER_PREFIX, FOLDER_DOOR = "soulfra-door-", "door"
NONSENSE = b"\0"
"""Stands for what a host sent that is no message of one part; `unpack` refuses it."""


class Door:
    """The clock's end. One thread at a time.

    Args:
        node_address: of this node, as the others reach it.

    Attributes:
        address: for hosts on other nodes.
        near_address: for hosts on this node, which a socket of the system's own serves a quarter quicker than TCP.
        public_key: of the door.
        turned_away: connections and messages that were refused.
    """

    def __init__(self, node_address: str) -> None:
        self._context = zmq.Context()
        self._authenticator = ThreadAuthenticator(self._context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(DOMAIN, credentials_provider=self)
        self._listed: dict[bytes, str] = {}
        self._routes: dict[str, bytes] = {}
        self._hosts: dict[bytes, str] = {}
        self._connections: dict[int, str] = {}
        self._receive_timeout_ms = -1
        self.turned_away = 0
        self.public_key, secret_key = zmq.curve_keypair()
        router = self._router = self._context.socket(zmq.ROUTER)
        router.curve_server, router.curve_secretkey, router.curve_publickey = True, secret_key, self.public_key
        router.zap_domain = DOMAIN.encode()
        router.router_mandatory = True
        router.linger = 0
        router.sndtimeo = SEND_TIMEOUT_MS
        router.maxmsgsize = MESSAGE_BYTES_MAX
        router.heartbeat_ivl, router.heartbeat_timeout = HEARTBEAT_INTERVAL_MS, HEARTBEAT_TIMEOUT_MS
        self._monitor = router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        host = f"[{node_address}]" if ":" in node_address else node_address
        if ":" in node_address:
            router.ipv6 = True
        port = router.bind_to_random_port(f"tcp://{host}")
        self.address = f"tcp://{host}:{port}"
        _sweep()
        self._folder = tempfile.mkdtemp(prefix=FOLDER_PREFIX)  # only this user may enter
        self.near_address = f"ipc://{self._folder}/{FOLDER_DOOR}"
        router.bind(self.near_address)

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a key may connect; asked by the authenticator, on its own thread."""
        return key in self._listed

    def admit(self, public_key: bytes, host_id: str) -> None:
        """Lists a host's key."""
        self._listed[public_key] = host_id

    def expel(self, host_id: str) -> None:
        """Takes a host's key off the list and forgets its line."""
        for key in [key for key, listed in self._listed.items() if listed == host_id]:
            del self._listed[key]
        self._forget_line(host_id)

    def _forget_line(self, host_id: str) -> None:
        """What comes over the line that a host has had, and its end, are nobody's any more."""
        self._hosts.pop(self._routes.pop(host_id, b""), None)
        for connection in [at for at, known in self._connections.items() if known == host_id]:
            del self._connections[connection]

    def is_open_to(self, host_id: str) -> bool:
        """Whether a host has come in."""
        return host_id in self._routes

    def send(self, host_id: str, parcel: bytes) -> bool:
        """Sends to a host; whether it could be sent."""
        route = self._routes.get(host_id)
        if route is None:
            return False
        try:
            self._router.send(route, zmq.SNDMORE)
            self._router.send(parcel)
        except zmq.ZMQError:  # unreachable, or its queue is full: both are told by other signs
            return False
        return True

    def receive(self, timeout_ms: int) -> tuple[str, bytes] | None:
        """The next message and its host; `(host, b"")` if the host has just come in; None if nothing of theirs came in time."""
        router = self._router
        if self._receive_timeout_ms != timeout_ms:
            router.setsockopt(zmq.RCVTIMEO, timeout_ms)
            self._receive_timeout_ms = timeout_ms
        try:
            head = router.recv(0, False)
        except zmq.Again:
            return None
        parcel = router.recv()
        if router.getsockopt(zmq.RCVMORE):
            parcel = self._drop_rest()
        host_id = self._hosts.get(head.bytes)
        if host_id is not None:
            return host_id, parcel or NONSENSE
        if (host_id := self._let_in(head, parcel)) is not None:
            return host_id, b""
        return None  # who keeps sending what is turned away must not keep the clock from looking around

    def _drop_rest(self) -> bytes:
        """A message of ours has one part; a longer one is nothing of ours, whatever it says."""
        while self._router.getsockopt(zmq.RCVMORE):
            self._router.recv()
        return NONSENSE

    def _let_in(self, head: zmq.Frame, claimed: bytes) -> str | None:
        """A connection speaks for the first time: it says who it is, and its key must be listed as that."""
        host_id = self._listed.get(str(head.get("User-Id")).encode())
        if host_id is None or host_id.encode() != claimed:
            self.turned_away += 1
            return None
        self._note_departures()  # one that had the same descriptor before has left before
        self._forget_line(host_id)
        self._routes[host_id] = head.bytes
        self._hosts[head.bytes] = host_id
        self._connections[head.get(zmq.SRCFD)] = host_id
        return host_id

    def departures(self) -> Iterator[str]:
        """Hosts whose connection has ended since this was last asked."""
        self._note_departures()
        departed, self._departed = self._departed, []
        return iter(departed)

    _departed: list[str] = []  # noqa: RUF012  # replaced, never changed in place

    def _note_departures(self) -> None:
        while self._monitor.poll(0):
            event = zmq.utils.monitor.recv_monitor_message(self._monitor)
            host_id = self._connections.pop(int(event["value"]), None)
            if host_id is not None:
                self._departed = [*self._departed, host_id]

    def close(self) -> None:
        """Ends every line."""
        self._router.disable_monitor()
        self._authenticator.stop()
        self._context.destroy(linger=0)
        shutil.rmtree(self._folder, ignore_errors=True)


def _sweep() -> None:
    """Takes away what doors whose process was killed have left behind: folders with a socket where nobody listens."""
    for place in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/{FOLDER_DOOR}"):
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(SEND_TIMEOUT_MS / 1e3)
            if probe.connect_ex(str(place)) == errno.ECONNREFUSED:
                shutil.rmtree(place.parent, ignore_errors=True)


class Line:
    """A host's end.

    Args:
        host_id: the name that the clock has listed its key under.
    """

    def __init__(self, host_id: str) -> None:
        self._host_id = host_id
        self.public_key, self._secret_key = zmq.curve_keypair()

    def serve(self, address: str, door_key: bytes, answer: Callable[[bytes], bytes]) -> None:
        """Answers whatever the clock sends, one after another, until the process ends."""
        context = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.curve_publickey, dealer.curve_secretkey, dealer.curve_serverkey = (
            self.public_key,
            self._secret_key,
            door_key,
        )
        dealer.linger = 0
        dealer.maxmsgsize = MESSAGE_BYTES_MAX
        if "[" in address:
            dealer.ipv6 = True
        dealer.connect(address)
        dealer.send(self._host_id.encode())
        while True:
            dealer.send(answer(dealer.recv()))
