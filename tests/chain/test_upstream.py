"""Street spec 1.6: one client for every upstream that is no node."""

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tidegate.chain import Upstream, UpstreamRequest
from tidegate.chain import upstream as upstream_room
from tidegate.chain.upstream import CONNECT_S, TOTAL_S, ServiceBreaker, SlidingWindow
from tidegate.model import Ambiguous, ConfigError, Divergence, ManualClock, Rejected, Unavailable

Answer = Callable[[web.Request], web.Response]
LONG_S = 60.0
"""How long a service is waited for that answers: a busy machine makes none a silent one."""


@asynccontextmanager
async def service(*answers: Answer, **options):
    """Serve the answers one after the other, the last one for ever; count the requests."""
    seen: list[web.Request] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        answer = answers[min(len(seen), len(answers)) - 1](request)
        return await answer if asyncio.iscoroutine(answer) else answer

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    settings = {"requests": 100, "window_s": 1.0, "connect_s": LONG_S, "total_s": LONG_S, **options}
    try:
        async with Upstream("prices", f"http://127.0.0.1:{port}/SECRET", **settings) as upstream:
            yield upstream, seen
    finally:
        await runner.cleanup()


def ok(_request: web.Request) -> web.Response:
    return web.json_response({"price": 7})


def status(code: int, **headers: str) -> Answer:
    return lambda _: web.Response(status=code, text="SORRY", headers=headers)


def html(_request: web.Request) -> web.Response:
    return web.Response(text="<html></html>", content_type="text/html")


async def hang(_request: web.Request) -> web.Response:
    await asyncio.sleep(10 * LONG_S)
    return web.Response()


def price(body: bytes) -> int:
    return json.loads(body)["price"]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses between tries be a tenth of what they are."""
    monkeypatch.setattr(upstream_room, "_PAUSE_S", upstream_room._PAUSE_S / 10)


def run(conversation) -> None:
    asyncio.run(conversation)


def test_the_adapter_builds_the_request_and_its_parser_reads_the_answer():
    async def conversation():
        async with service(ok) as (upstream, seen):
            request = UpstreamRequest("/v1/price", query={"token": "WETH"}, headers={"X-Key": "k"})
            assert await upstream.ask(request, price) == 7
            assert (seen[0].path, seen[0].query["token"]) == ("/SECRET/v1/price", "WETH")
            assert seen[0].headers["X-Key"] == "k"
            assert "127.0.0.1" not in repr(upstream)
            assert "k'" not in repr(request)

    run(conversation())


@pytest.mark.parametrize("first", [status(500), status(503), status(408), html])
def test_a_failure_is_tried_twice_again_within_the_deadline(first):
    async def conversation():
        async with service(first, first, ok) as (upstream, seen):
            assert await upstream.ask(UpstreamRequest(), price) == 7
            assert len(seen) == 3
        async with service(first) as (upstream, seen):
            with pytest.raises(Unavailable) as caught:
                await upstream.ask(UpstreamRequest(), price)
            assert len(seen) == 3, "two retries, no more"
            assert "SECRET" not in str(caught.value)

    run(conversation())


def test_everything_ends_within_the_deadline():
    async def conversation():
        async with service(hang, total_s=0.5) as (upstream, seen):
            async with asyncio.timeout(LONG_S):
                with pytest.raises(Unavailable) as caught:
                    await upstream.ask(UpstreamRequest(), price)
            assert len(seen) == 1
            assert caught.value.found == "no answer in 0.5 s"

    run(conversation())
    assert (CONNECT_S, TOTAL_S) == (1.0, 2.0)


@pytest.mark.parametrize("code", [400, 403, 404, 422])
def test_a_refusal_is_final(code):
    async def conversation():
        async with service(status(code)) as (upstream, seen):
            with pytest.raises(Rejected) as caught:
                await upstream.ask(UpstreamRequest(), price)
            assert len(seen) == 1
            assert caught.value.found == f"HTTP {code}: SORRY"

    run(conversation())


def test_what_may_not_be_repeated_is_asked_once_and_is_ambiguous_when_it_may_have_arrived():
    async def conversation():
        order = UpstreamRequest(method="POST", body=b"{}", is_repeatable=False)
        for answer, total_s in ((status(503), LONG_S), (hang, 0.5), (html, LONG_S)):
            async with service(answer, total_s=total_s) as (upstream, seen):
                with pytest.raises(Ambiguous):
                    await upstream.ask(order, price)
                assert len(seen) == 1
        async with Upstream("gone", "http://127.0.0.1:9", requests=9, window_s=1) as upstream:
            with pytest.raises(Unavailable):
                await upstream.ask(order, price)

    run(conversation())


def test_a_parser_that_refuses_what_it_read_is_heard():
    def refuse(body: bytes) -> int:
        raise Divergence("the venue names another chain", found=body.decode())

    async def conversation():
        async with service(ok) as (upstream, seen):
            for _ in range(9):
                with pytest.raises(Divergence):
                    await upstream.ask(UpstreamRequest(), refuse)
            assert len(seen) == 9, "and is not the service's failure: nobody leaves it alone"

    run(conversation())


def test_429_honours_retry_after():
    async def conversation():
        async with service(status(429, **{"Retry-After": "60"}), ok, total_s=30.0) as (upstream, seen):
            for _ in range(3):
                with pytest.raises(Unavailable) as caught:
                    await upstream.ask(UpstreamRequest(), price)
                assert caught.value.code == "rate_limited"
            assert len(seen) == 1, "nothing leaves before the minute is over"
        async with service(status(429, **{"Retry-After": "0"}), ok) as (upstream, seen):
            assert await upstream.ask(UpstreamRequest(), price) == 7
            assert len(seen) == 2

    run(conversation())


def test_the_limiter_is_asked_before_the_request_leaves_and_retries_count():
    async def conversation():
        async with service(ok, requests=2, window_s=600.0) as (upstream, seen):
            for _ in range(2):
                await upstream.ask(UpstreamRequest(), price)
            with pytest.raises(Unavailable) as caught:
                await upstream.ask(UpstreamRequest(), price)
            assert caught.value.code == "rate_limited"
            assert len(seen) == 2
        async with service(status(500), requests=2, window_s=600.0) as (upstream, seen):
            with pytest.raises(Unavailable):
                await upstream.ask(UpstreamRequest(), price)
            assert len(seen) == 2, "the third try had no place"

    run(conversation())


def test_a_window_slides():
    clock = ManualClock()
    window = SlidingWindow(3, 1.0, clock)
    for at_ms in (0, 400, 800):
        clock.set_ms(at_ms)
        assert window.take() == 0
    assert window.take() == 0.2
    clock.set_ms(999)
    assert window.take() > 0
    clock.set_ms(1_000)
    assert window.take() == 0
    assert window.take() == 0.4, "the next place is free when the second one's second is over"
    with pytest.raises(ConfigError):
        SlidingWindow(0, 1.0, clock)


def test_five_failures_in_a_row_open_the_breaker_for_ten_seconds_doubling_to_sixty():
    clock = ManualClock()
    breaker = ServiceBreaker(clock)
    for _ in range(4):
        breaker.failed()
        breaker.succeeded()
        breaker.failed()
    assert not breaker.is_open
    for _ in range(4):
        breaker.failed()
    rests = []
    for _ in range(5):
        assert breaker.is_open
        rest_s = breaker.enter()
        rests.append(rest_s)
        clock.set_ms(clock.now_ms() + round(rest_s * 1000) - 1)
        assert breaker.enter() > 0
        clock.set_ms(clock.now_ms() + 1)
        assert breaker.enter() == 0, "one trial"
        assert breaker.enter() > 0, "and only one"
        breaker.failed()
    assert rests == [10, 20, 40, 60, 60]
    clock.set_ms(clock.now_ms() + 60_000)
    assert breaker.enter() == 0
    breaker.succeeded()
    assert not breaker.is_open
    for _ in range(5):
        breaker.failed()
    assert breaker.enter() == 10, "the doubling began anew"


def test_a_service_that_is_left_alone_is_not_asked():
    async def conversation():
        clock = ManualClock()
        async with service(status(500), clock=clock) as (upstream, seen):
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await upstream.ask(UpstreamRequest(), price)
            assert upstream.is_left_alone
            asked = len(seen)
            assert asked == 5, "the fifth failure in a row"
            with pytest.raises(Unavailable) as caught:
                await upstream.ask(UpstreamRequest(), price)
            assert caught.value.code == "left_alone"
            assert len(seen) == asked
            clock.set_ms(10_000)
            with pytest.raises(Unavailable):
                await upstream.ask(UpstreamRequest(), price)
            assert len(seen) == asked + 1, "one trial"

    run(conversation())


@pytest.mark.parametrize("url", ["", "prices.example", "ftp://prices.example", "ws://prices.example/KEY"])
def test_a_url_that_is_none_is_refused_and_not_shown(url):
    with pytest.raises(ConfigError) as caught:
        Upstream("prices", url, requests=1, window_s=1)
    assert "example" not in str(caught.value)
