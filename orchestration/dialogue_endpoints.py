"""Dialogue from a language model: one question to an OpenAI-compatible endpoint, one line back.

The endpoint is a peer that may be slow, wrong or hostile: its answer is bounded in time and size, cut to one short
printable line, and never followed elsewhere (no redirects, so the key goes to the configured host only). `http.client`
rather than `urllib.request`: the latter follows redirects with the key, and bounds the time of one read, not of all.
Proxies named in the environment are not used.

The key is read from an environment variable at every call and kept nowhere: not in the object, not in an error.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Event, Timer
from urllib.parse import urlsplit

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import EngineError, SettingsError
from actors.core.players.dialogues import messages

ANSWER_BYTES_MAX = 64 * 1024
LINE_CHARACTERS_MAX = 500
TOKENS_MAX = 200
"""Asked of the model: about what a line may have."""
TIMEOUT_S = 20.0
TIMEOUT_S_MAX = 600.0


class _Message(msgspec.Struct):
    content: str


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class EndpointDialogue:
    """A language model as the generator of dialogue.

    Args:
        url: where the API begins, for example `https://host/v1`; `/chat/completions` is appended.
        model: the model's name at that endpoint.
        api_key_variable: name of the environment variable that holds the key; "" sends none.
        timeout_s: the longest that connecting, and then the whole answer, may take, each, in seconds.

    Raises:
        SettingsError: a URL that is not plain http or https, no model, an unset or malformed key, or a bad timeout.
    """

    def __init__(self, url: str, model: str, api_key_variable: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self.model = model
        self.api_key_variable = api_key_variable
        self.timeout_s = timeout_s
        self._scheme, self._host, self._port, self._path = _parts_of(url)
        if not model or not model.isprintable():
            raise SettingsError(f"the dialogue model must be named in printable text, not {model!r}.")
        if not 0 < timeout_s <= TIMEOUT_S_MAX:
            raise SettingsError(f"timeout_s is {timeout_s}; it must be above 0 and at most {TIMEOUT_S_MAX:g} seconds.")
        self._key()

    def __repr__(self) -> str:
        return f"EndpointDialogue({self.url!r}, {self.model!r}, {self.api_key_variable!r}, {self.timeout_s})"

    def line(self, context: Mapping[str, Plain], npc: Mapping[str, Plain], question: str) -> str:
        """What the NPC answers: one printable line of at most `LINE_CHARACTERS_MAX` characters.

        Raises:
            CommandRefusedError: a question that is blank, too long or unprintable.
            EngineError: the endpoint cannot be reached, is late, or gives no usable answer.
            SettingsError: the variable of the key is no longer set.
        """
        asked = {"model": self.model, "messages": messages(context, npc, question), "max_tokens": TOKENS_MAX}
        key = self._key()
        said = _content_of(self._post(msgspec.json.encode(asked), key), self._host)
        line = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
        if key:
            line = line.replace(key, "…")  # an endpoint that repeats the key must not get it into the journal
        if not line:
            raise EngineError(f"the dialogue endpoint at {self._host} answered with an empty line; ask again.")
        return line[:LINE_CHARACTERS_MAX].rstrip()

    def _key(self) -> str:
        if not self.api_key_variable:
            return ""
        key = os.environ.get(self.api_key_variable, "")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise SettingsError(
                f"the environment variable {self.api_key_variable!r} holds no usable key; set it to printable ASCII."
            )
        return key

    def _post(self, body: bytes, key: str) -> bytes:
        """The body of the endpoint's answer."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        kind = HTTPSConnection if self._scheme == "https" else HTTPConnection
        connection = kind(self._host, self._port, timeout=self.timeout_s)
        late = Event()
        try:
            connection.connect()
            timer = Timer(self.timeout_s, _hang_up, (connection.sock, late))
            timer.daemon = True
            timer.start()
            try:
                connection.request("POST", self._path, body, headers)
                with connection.getresponse() as response:
                    status, answer = response.status, response.read(ANSWER_BYTES_MAX + 1)
            finally:
                timer.cancel()
        except TimeoutError:
            raise self._late() from None
        except (OSError, HTTPException, ValueError) as error:
            if late.is_set():
                raise self._late() from None
            raise EngineError(
                f"the dialogue endpoint at {self._host} failed ({type(error).__name__}); see whether it runs."
            ) from None
        finally:
            connection.close()
        if late.is_set():
            raise self._late()
        if status != 200:
            raise EngineError(
                f"the dialogue endpoint at {self._host} answered with status {status}, not 200; check url, model and key."
            )
        return answer

    def _late(self) -> EngineError:
        return EngineError(
            f"the dialogue endpoint at {self._host} did not answer within {self.timeout_s:g} s; ask again."
        )


def _parts_of(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path of the chat completions below `url`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SettingsError("the dialogue url is malformed; write it like https://host/v1.") from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError("the dialogue url holds a user or a password; name the key's environment variable instead.")
    if parts.scheme not in ("http", "https") or not host:
        raise SettingsError("the dialogue url must begin with http:// or https:// and name a host.")
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise SettingsError("the dialogue url must be printable ASCII without spaces, query and fragment.")
    return parts.scheme, host, port, parts.path.rstrip("/") + "/chat/completions"


def _hang_up(connected: socket.socket, late: Event) -> None:
    """Ends a conversation that took too long: whoever waits on it wakes up."""
    late.set()
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _content_of(answer: bytes, host: str) -> str:
    """The text of a chat completion."""
    if len(answer) > ANSWER_BYTES_MAX:
        raise EngineError(
            f"the dialogue endpoint at {host} answered with more than {ANSWER_BYTES_MAX} bytes; lower its limit."
        )
    try:
        completion = msgspec.json.decode(answer, type=_Completion)
    except (msgspec.DecodeError, RecursionError):
        raise EngineError(
            f"the dialogue endpoint at {host} gave no chat completion; check that url is an API's."
        ) from None
    if not completion.choices:
        raise EngineError(f"the dialogue endpoint at {host} gave a chat completion without choices; ask again.")
    return completion.choices[0].message.content
