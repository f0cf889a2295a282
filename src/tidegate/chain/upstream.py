"""The one client for every upstream that is no node: prices, aggregators, indexers, block engines, relays.

It knows no venue: an adapter builds the request and parses the answer. The limiter is asked before a
request leaves, everything ends within one deadline, and a service that fails is left alone for a while.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from tidegate.chain.rpc.exchange import retry_after_s, whole_content
from tidegate.model import (
    Ambiguous,
    Clock,
    ConfigError,
    Rejected,
    SystemClock,
    TidegateError,
    Unavailable,
)

CONNECT_S = 1.0
TOTAL_S = 2.0
RETRIES = 2
FAILURES_TO_OPEN = 5
OPEN_FIRST_S = 10.0
OPEN_LONGEST_S = 60.0
_PAUSE_S = 0.1
_SHOWN_MAX = 200
_PARSE_ERRORS = (ValueError, KeyError, TypeError, IndexError, AttributeError)
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What an adapter asks for.

    ``is_repeatable`` says that asking twice does no harm; without it a request is never retried, and
    one that may have arrived is ``Ambiguous``. ``headers`` may hold keys and are never shown.
    """

    path: str = "/"
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_repeatable: bool = True


class SlidingWindow:
    """At most ``requests`` in any ``window_s``: exactly, not on average."""

    def __init__(self, requests: int, window_s: float, clock: Clock) -> None:
        if requests < 1 or not window_s > 0:
            raise ConfigError(f"a limit must be above 0, was {requests} requests in {window_s} s")
        self._requests = requests
        self._window_ns = round(window_s * 1e9)
        self._clock = clock
        self._taken: deque[int] = deque()

    def take(self) -> float:
        """Take a place and return 0; if there is none, return the seconds until there is."""
        now_ns = self._clock.monotonic_ns()
        while self._taken and self._taken[0] <= now_ns - self._window_ns:
            self._taken.popleft()
        if len(self._taken) < self._requests:
            self._taken.append(now_ns)
            return 0.0
        return (self._taken[0] + self._window_ns - now_ns) / 1e9


class ServiceBreaker:
    """Leaves a service alone after failures in a row: 10 s, doubling to 60 s; then one trial."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._openings = 0
        self._open_until_ns: int | None = None
        self._is_on_trial = False

    @property
    def is_open(self) -> bool:
        """Say whether the service is left alone, or being tried."""
        return self._open_until_ns is not None

    def enter(self) -> float:
        """Return 0 if a request may leave now, else the seconds until one may be tried."""
        if self._open_until_ns is None:
            return 0.0
        left_s = (self._open_until_ns - self._clock.monotonic_ns()) / 1e9
        if left_s > 0 or self._is_on_trial:
            return max(left_s, _PAUSE_S)
        self._is_on_trial = True
        return 0.0

    def succeeded(self) -> None:
        """Close it."""
        self._failures = self._openings = 0
        self._open_until_ns = None
        self._is_on_trial = False

    def failed(self) -> None:
        """Count a failure; the fifth in a row, or one on trial, opens it."""
        self._failures += 1
        if self._is_on_trial or self._failures >= FAILURES_TO_OPEN:
            rest_s = min(OPEN_FIRST_S * 2**self._openings, OPEN_LONGEST_S)
            self._openings = min(self._openings + 1, 16)
            self._open_until_ns = self._clock.monotonic_ns() + round(rest_s * 1e9)
            self._is_on_trial = False
            self._failures = 0

    def left(self) -> None:
        """End a trial that showed nothing."""
        self._is_on_trial = False


class Upstream:
    """One service. Used as ``async with Upstream(…) as service``.

    Parameters
    ----------
    name
        How errors call it. Its URL never shows.
    base_url
        Where it is; a request's path is put behind it.
    requests, window_s
        At most so many requests in any such window, retries included.
    connect_s, total_s
        How long a connection and the whole question, with its retries, may take.
    headers
        Sent with every request; may hold keys.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        requests: int,
        window_s: float,
        connect_s: float = CONNECT_S,
        total_s: float = TOTAL_S,
        headers: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"upstream {name}: base_url is no URL",
                code="url",
                found="something else (not shown: it may hold a key)",
                allowed="http(s)://host",
            )
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._connect_s = connect_s
        self._total_s = total_s
        self._headers = dict(headers or {})
        self._clock = clock or SystemClock()
        self._window = SlidingWindow(requests, window_s, self._clock)
        self._breaker = ServiceBreaker(self._clock)
        self._told_to_wait_ns = 0
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Upstream({self.name}, host hidden)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @property
    def is_left_alone(self) -> bool:
        """Say whether its breaker is open."""
        return self._breaker.is_open

    async def ask(self, request: UpstreamRequest, parse: Callable[[bytes], _Parsed]) -> _Parsed:
        """Return what the adapter's strict parser makes of the answer.

        Raises
        ------
        Unavailable
            If it did not answer in time, what it said can not be parsed, its limit is used up
            (``rate_limited``) or it is left alone (``left_alone``).
        Rejected
            If it refuses the request (HTTP 4xx).
        Ambiguous
            If a request that may not be repeated may have arrived.
        """
        ends_ns = self._clock.monotonic_ns() + round(self._total_s * 1e9)
        tries = 1 + (RETRIES if request.is_repeatable else 0)
        for number in range(tries):
            await self._admitted(ends_ns)
            try:
                answer = parse(await self._answered(request, ends_ns))
            except _Failure as failure:
                error = failure.error
            except _PARSE_ERRORS as wrong:
                error = self._unavailable("upstream_answer", f"the answer can not be parsed: {wrong!r}")
                if not request.is_repeatable:
                    error = self._ambiguous("the answer can not be parsed")
            except TidegateError:
                # The adapter read the answer and says what it means: the service itself works.
                self._breaker.succeeded()
                raise
            except BaseException:
                self._breaker.left()
                raise
            else:
                self._breaker.succeeded()
                return answer
            if error.code == "rate_limited":
                self._breaker.left()
            else:
                self._breaker.failed()
            pause_s = _PAUSE_S * 2**number * (0.5 + random.random())  # noqa: S311
            if number + 1 == tries or self._left_s(ends_ns) <= pause_s:
                raise error
            await asyncio.sleep(pause_s)
        raise AssertionError

    async def _admitted(self, ends_ns: int) -> None:
        """Wait for the limiter, as long as the deadline allows; refuse at once while it is left alone."""
        closed_s = self._breaker.enter()
        if closed_s:
            raise self._unavailable("left_alone", f"it failed too often; tried again in {closed_s:.1f} s")
        while True:
            told_s = (self._told_to_wait_ns - self._clock.monotonic_ns()) / 1e9
            wait_s = told_s if told_s > 0 else self._window.take()
            if wait_s <= 0:
                return
            if wait_s >= self._left_s(ends_ns):
                self._breaker.left()
                raise self._unavailable("rate_limited", f"the next request may leave in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    async def _answered(self, request: UpstreamRequest, ends_ns: int) -> bytes:
        session = self._session or self._opened()
        url = URL(self._base_url + request.path).update_query(dict(request.query))
        may_have_arrived = True
        try:
            async with asyncio.timeout(max(self._left_s(ends_ns), 0.001)):
                async with session.request(
                    request.method,
                    url,
                    data=request.body,
                    headers={**self._headers, **request.headers},
                    allow_redirects=False,
                ) as response:
                    content = await whole_content(response)
                    status, asked_to_wait = response.status, response.headers.get("Retry-After")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            may_have_arrived, shown = False, type(error).__name__
        except TimeoutError:
            shown = f"no answer in {self._total_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            shown = type(error).__name__
        else:
            if status < 300:
                return content
            self._refuse(request, status, asked_to_wait, content)
            shown = f"HTTP {status}"
        if may_have_arrived and not request.is_repeatable:
            raise _Failure(self._ambiguous(shown)) from None
        raise _Failure(self._unavailable("transport", shown)) from None

    def _refuse(
        self, request: UpstreamRequest, status: int, asked_to_wait: str | None, content: bytes
    ) -> None:
        """Raise for what is the request's fault; a server's own failure is left to the caller."""
        if status == 429:
            wait_s = retry_after_s(asked_to_wait, self._clock.now_ms()) or _PAUSE_S
            self._told_to_wait_ns = self._clock.monotonic_ns() + round(wait_s * 1e9)
            error = self._unavailable("rate_limited", f"HTTP 429, it asks to wait {wait_s:g} s")
            raise _Failure(error) if request.is_repeatable else error
        if 400 <= status < 500 and status != 408:
            raise Rejected(
                f"{self.name} refuses the request",
                code="upstream_refused",
                found=f"HTTP {status}: {content[:_SHOWN_MAX].decode(errors='replace')}",
            )

    def _left_s(self, ends_ns: int) -> float:
        return (ends_ns - self._clock.monotonic_ns()) / 1e9

    def _opened(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
            trust_env=False,
        )
        return self._session

    def _unavailable(self, code: str, found: str) -> Unavailable:
        return Unavailable(f"{self.name} does not answer", code=code, found=found)

    def _ambiguous(self, found: str) -> Ambiguous:
        return Ambiguous(
            f"{self.name} did not confirm; the request may have arrived",
            found=found,
            fix="ask what became of it before asking for it again",
        )


class _Failure(Exception):
    """The service failed, as far as its breaker is concerned."""

    def __init__(self, error: TidegateError) -> None:
        super().__init__(str(error))
        self.error = error
