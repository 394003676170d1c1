"""The guard: what a client meets are our limits, each as a problem document, and what nobody waits for keeps its place."""

import asyncio
import json
import threading

import pytest

from serve.guards import Guard, Limits

FEW = Limits(requests_max=2, requests_waiting_max=3, timeout_s=0.05, retry_after_s=7)
PATIENT = Limits(requests_max=2, requests_waiting_max=3, timeout_s=30.0, retry_after_s=7)


class App:
    """What is guarded: it answers when it is let, as a handler on a thread does, which nothing can interrupt."""

    def __init__(self):
        self.go, self.at_work, self.most, self.done = threading.Event(), 0, 0, 0

    async def __call__(self, scope, receive, send):
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            while (await receive()).get("more_body"):
                pass
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self.go.wait, 10.0))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
            self.done += 1
        finally:
            self.at_work -= 1


class Client:
    """One request over ASGI, and what comes of it."""

    def __init__(self, guard, path="/v1/state", body=((b"", False),)):
        self.guard, self.path, self.body, self.answer = guard, path, list(body), []

    async def ask(self):
        scope = {"type": "http", "method": "GET", "path": self.path, "headers": []}
        await self.guard(scope, self.receive, self.take)
        return self

    async def receive(self):
        if not self.body:
            await asyncio.Event().wait()  # it says nothing more, and does not go
        piece, more = self.body.pop(0)
        return {"type": "http.request", "body": piece, "more_body": more}

    async def take(self, message):
        self.answer.append(message)

    @property
    def status(self):
        return self.answer[0]["status"]

    @property
    def headers(self):
        return {name.decode(): value.decode() for name, value in self.answer[0]["headers"]}

    def problem(self, status, code):
        (start, body) = self.answer
        found = json.loads(body["body"])
        assert start["status"] == found["status"] == status and found["code"] == code
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["cache-control"] == "no-store"
        return found["detail"]


async def settled():
    for _ in range(20):
        await asyncio.sleep(0)


def test_so_many_are_at_work_so_many_wait_and_one_more_is_told_when_to_come_again():
    async def story():
        app = App()
        guard = Guard(app, PATIENT)
        asked = [asyncio.ensure_future(Client(guard).ask()) for _ in range(5)]
        await settled()
        assert app.at_work == 2
        late = await Client(guard).ask()
        assert "nothing was done" in late.problem(503, "busy") and late.headers["retry-after"] == "7"
        app.go.set()
        healthy = await Client(guard, "/healthz").ask()
        assert healthy.status == 200, "health is asked of a server that is busy, too"
        assert [one.status for one in await asyncio.gather(*asked)] == [200] * 5
        assert app.done == 6 and app.most <= 3
        assert (await Client(guard).ask()).status == 200, "there is room again"

    asyncio.run(story())


def test_what_takes_too_long_is_told_so_and_keeps_its_place_until_it_ends():
    async def story():
        app = App()
        guard = Guard(app, FEW)
        first, second, waiting = await asyncio.gather(*(Client(guard).ask() for _ in range(3)))
        for one in (first, second):
            assert "may still come about" in one.problem(504, "timeout")
        assert "nothing was done" in waiting.problem(503, "busy") and waiting.headers["retry-after"] == "7"
        assert app.at_work == 2
        (await Client(guard).ask()).problem(503, "busy")
        app.go.set()
        while app.at_work:
            await asyncio.sleep(0.01)
        assert app.done == 2 and len(first.answer) == 2, "nobody hears what came of it"
        assert (await Client(guard).ask()).status == 200

    asyncio.run(story())


def test_a_body_that_does_not_come_is_not_waited_for_for_ever():
    async def story():
        app = App()
        app.go.set()
        guard = Guard(app, FEW)
        (await Client(guard, body=[(b"{", True)]).ask()).problem(504, "timeout")
        await settled()
        assert app.at_work == 0

    asyncio.run(story())


def test_who_goes_away_leaves_his_place_when_his_work_is_done():
    async def story():
        app = App()
        guard = Guard(app, PATIENT)
        asked = [asyncio.ensure_future(Client(guard).ask()) for _ in range(3)]
        await settled()
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert app.at_work == 2, "whoever waited has gone, and those at work are not interrupted"
        app.go.set()
        while app.at_work:
            await asyncio.sleep(0.01)
        assert app.done == 2
        assert (await Client(guard).ask()).status == 200

    asyncio.run(story())


def test_a_fault_after_everybody_has_left_is_in_the_log_alone(caplog):
    class Faulty(App):
        async def __call__(self, scope, receive, send):
            await super().__call__(scope, receive, send)
            raise ValueError("secret")

    async def story():
        app = Faulty()
        late = await Client(Guard(app, FEW)).ask()
        late.problem(504, "timeout")
        app.go.set()
        while app.at_work:
            await asyncio.sleep(0.01)
        await settled()
        assert len(late.answer) == 2

    asyncio.run(story())
    assert "takes too long" in caplog.text and "secret" in caplog.text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Serve's own, when it is imported
def test_ray_serves_own_limits_lie_beyond_ours():
    from serve.gateways import LIMITS, RAY_REQUESTS_MAX, RAY_TIMEOUT_S

    assert LIMITS.requests_max + LIMITS.requests_waiting_max < RAY_REQUESTS_MAX
    assert LIMITS.timeout_s < RAY_TIMEOUT_S
    assert LIMITS.requests_max < 40, "FastAPI has so many threads, and health needs one"
