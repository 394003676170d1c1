"""The endpoint dialogue against a real server on this machine, friendly and hostile."""

import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from actors.core.kernel.errors import CommandRefusedError, EngineError, SettingsError
from orchestration.dialogue_endpoints import EndpointDialogue

KEY = "sk-very-secret"
NPC = {"name": "Bram", "role": "guard", "faction": "realm_keepers", "mood": 0}
CONTEXT = {
    "player_id": "p1",
    "player_name": "Alice",
    "world_state": {"player_reputation_standing": {"realm_keepers": "liked"}},
}

Answer = Callable[[BaseHTTPRequestHandler], None]


class Endpoint(ThreadingHTTPServer):
    """A server that answers as it is told, and remembers what it was asked."""

    daemon_threads = True
    answer: Answer
    asked: list[tuple[str, dict[str, str], dict[str, Any]]]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of these tests."""


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), json.loads(body)))
        self.server.answer(self)

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers), {}))
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        pass


def sends(body: bytes, status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def says(content: Any) -> Answer:
    return sends(json.dumps({"id": "x", "choices": [{"index": 0, "message": {"content": content}}]}).encode())


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def dialogue(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> EndpointDialogue:
    monkeypatch.setenv("SOULFRA_TEST_KEY", KEY)
    return EndpointDialogue(f"http://127.0.0.1:{endpoint.server_port}/v1/", "tiny", "SOULFRA_TEST_KEY", timeout_s=1.0)


def test_one_question_one_line(endpoint: Endpoint, dialogue: EndpointDialogue) -> None:
    endpoint.answer = says("  Well met,\n Alice.\x07\u202e ")
    assert dialogue.line(CONTEXT, NPC, "What do you know of me?") == "Well met, Alice."
    ((path, headers, asked),) = endpoint.asked
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    assert asked["model"] == "tiny"
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert "warm" in asked["messages"][0]["content"]
    assert json.loads(asked["messages"][1]["content"])["question"] == "What do you know of me?"


def test_without_a_variable_no_key_is_sent(endpoint: Endpoint) -> None:
    endpoint.answer = says("Hm.")
    url = f"http://127.0.0.1:{endpoint.server_port}"
    assert EndpointDialogue(url, "tiny").line(CONTEXT, NPC, "?") == "Hm."
    assert "Authorization" not in endpoint.asked[0][1]


def test_an_answer_is_cut_to_one_short_line(endpoint: Endpoint, dialogue: EndpointDialogue) -> None:
    endpoint.answer = says("a" * 60_000)
    assert dialogue.line(CONTEXT, NPC, "?") == "a" * 500


def test_a_key_that_is_repeated_is_taken_out(endpoint: Endpoint, dialogue: EndpointDialogue) -> None:
    endpoint.answer = says(f"Your key is {KEY}!")
    assert dialogue.line(CONTEXT, NPC, "?") == "Your key is …!"
    for hidden in (KEY[:5] + "\x00" + KEY[5:], KEY[:5] + KEY + KEY[5:]):
        endpoint.answer = says(hidden)
        assert KEY not in dialogue.line(CONTEXT, NPC, "?")


def drips(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def drips_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
    for at in range(100):
        handler.wfile.write(f"X-{at}: y\r\n".encode())
        time.sleep(0.1)


def is_silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def promises_more(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{}")


def sends_elsewhere(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/elsewhere")
    handler.end_headers()


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (says("b" * 70_000), "more than 65536 bytes"),
        (sends(b"<html>"), "no chat completion"),
        (sends(b""), "no chat completion"),
        (sends(b"[]"), "no chat completion"),
        (sends(b'{"choices": 3}'), "no chat completion"),
        (sends(b'{"choices": [{"text": "old"}]}'), "no chat completion"),
        (sends(b'{"x": ' + b"[" * 60_000), "no chat completion"),
        (sends(b'{"choices": [{"message": {"content": "\\ud800"}}]}'), ""),
        (sends(b"\xff\xfe"), "no chat completion"),
        (sends(b'{"choices": []}'), "without choices"),
        (says(None), "no chat completion"),
        (says(" \n\x00"), "empty line"),
        (sends(KEY.encode(), 500), "status 500"),
        (sends(KEY.encode(), 401), "status 401"),
        (sends_elsewhere, "status 302"),
        (hangs_up, "failed"),
        (promises_more, "no chat completion"),
        (is_silent, "within 1 s"),
        (drips, "within 1 s"),
        (drips_headers, "within 1 s"),
    ],
)
def test_hostile_answers_are_errors_in_one_sentence(
    endpoint: Endpoint, dialogue: EndpointDialogue, answer: Answer, part: str
) -> None:
    endpoint.answer = answer
    begun = time.monotonic()
    with pytest.raises(EngineError) as caught:
        dialogue.line(CONTEXT, NPC, "?")
    assert time.monotonic() - begun < 3
    assert part in caught.value.message and KEY not in caught.value.message
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
    assert len(endpoint.asked) == 1


def test_an_endpoint_that_is_not_there(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    unused = Endpoint(("127.0.0.1", 0), Handler)
    port = unused.server_port
    unused.server_close()
    with pytest.raises(EngineError, match="failed"):
        EndpointDialogue(f"http://127.0.0.1:{port}", "tiny", timeout_s=1).line(CONTEXT, NPC, "?")


def test_the_key_is_nowhere_in_the_object(dialogue: EndpointDialogue, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEY not in repr(dialogue) and "SOULFRA_TEST_KEY" in repr(dialogue)
    assert KEY.encode() not in pickle.dumps(dialogue) and KEY not in str(vars(dialogue))
    monkeypatch.delenv("SOULFRA_TEST_KEY")
    with pytest.raises(SettingsError):
        dialogue.line(CONTEXT, NPC, "?")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "file:///etc/passwd",
        "host/v1",
        "http://",
        "http://user:pass@host",
        "http://host:port",
        "http://host/v1?key=1",
        "http://host/a b",
        "http://host/\r\nX: y",
        "http://[host",
        "",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        EndpointDialogue(url, "tiny")
    assert "pass" not in caught.value.message.replace("password", "")


@pytest.mark.parametrize("key", ["", "a\r\nX-Other: b", "a b", "ä"])
def test_keys_that_are_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOULFRA_TEST_KEY", key)
    with pytest.raises(SettingsError) as caught:
        EndpointDialogue("http://host", "tiny", "SOULFRA_TEST_KEY")
    assert not key or key not in caught.value.message


def test_other_settings_that_are_refused() -> None:
    for timeout_s in (0, -1, 601, float("nan")):
        with pytest.raises(SettingsError):
            EndpointDialogue("http://host", "tiny", timeout_s=timeout_s)
    with pytest.raises(SettingsError):
        EndpointDialogue("http://host", "")


def test_a_question_that_does_not_fit_is_not_asked(endpoint: Endpoint, dialogue: EndpointDialogue) -> None:
    with pytest.raises(CommandRefusedError):
        dialogue.line(CONTEXT, NPC, "x" * 501)
    assert endpoint.asked == []
