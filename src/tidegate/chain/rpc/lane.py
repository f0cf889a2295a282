"""One endpoint in use: its health, its calls, its head, and whether it is the right chain at all."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from tidegate.chain.jsonrpc import AlreadyKnown, RangeTooWide, decode_answer
from tidegate.chain.rpc.attempt import Attempt, Call
from tidegate.chain.rpc.bynumber import ask_by_number
from tidegate.chain.rpc.courier import Courier
from tidegate.chain.rpc.endpoint import Endpoint
from tidegate.chain.rpc.exchange import Exchange, NoAnswer, Trouble
from tidegate.chain.rpc.health import Cause, Change, EndpointState, Health
from tidegate.chain.rpc.methods import BLOCK_POSITIONS, NULL_IS_MISSING, logs_span, metric_label, pinned_hash
from tidegate.chain.rpc.terms import Priority
from tidegate.chain.wire import hex_data, integer, octets
from tidegate.model import (
    Ambiguous,
    Clock,
    Divergence,
    Metric,
    Recorder,
    Rejected,
    TidegateError,
    Unavailable,
)

_CHAIN_ID = Call("eth_chainId", [])
_OWN_FAULTS = frozenset({"transport", "node_error", "limit_exceeded", "rate_limited", "auth"})
_HASHES_KEPT = 32
HEDGE_UNKNOWN_S = 0.25
HEDGE_LEAST_S = 0.005
_Heard = tuple[Any, TidegateError | None]


class Lane:
    """What the pool knows of one endpoint, and the way to it.

    Parameters
    ----------
    pool_median_s
        Returns what a call takes in this pool.
    on_change
        Told of every change of state.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        chain_id: int,
        lag_max_blocks: int,
        clock: Clock,
        recorder: Recorder,
        pool_median_s: Callable[[], float | None],
        on_change: Callable[[Lane, Change], None],
    ) -> None:
        self.endpoint = endpoint
        self.name = endpoint.name
        self.head: int | None = None
        self.head_hash = ""
        self.head_seen_ns = 0
        self.hashes: OrderedDict[int, str] = OrderedDict()
        self.logs_span_max = endpoint.logs_span_max
        self.last_error = ""
        self.turn = 0.0
        self._chain_id = chain_id
        self._clock = clock
        self._recorder = recorder
        self._chain_label = str(chain_id)
        self._on_change = on_change
        self.health = Health(
            clock=clock, lag_max_blocks=lag_max_blocks, pool_median_s=pool_median_s, on_change=self._changed
        )
        self._exchange = Exchange(endpoint, clock)
        self._courier = Courier(endpoint, self._post, self, clock)
        self._identified = -1
        self._identifying: asyncio.Task[None] | None = None
        self._pins_by_number = False
        self._pins_by_hash = False
        self._errands: set[asyncio.Task[None]] = set()
        self._show_state()

    def __repr__(self) -> str:
        return f"{self.endpoint!r} {self.health.state.name.lower()}"

    @property
    def hedge_after_s(self) -> float:
        """Return how long to wait for an answer before another endpoint is asked too."""
        p95_s = self.health.p95_s
        return HEDGE_UNKNOWN_S if p95_s is None else max(p95_s, HEDGE_LEAST_S)

    @property
    def complaint(self) -> str:
        """Return its state and last error, for people. Never a URL."""
        state = self.health.state
        told = self.health.detail if state >= EndpointState.COOLING else ""
        parts = dict.fromkeys(part for part in (told, self.last_error) if part)
        return f"{self.name} ({state.name.lower()}): {', '.join(parts) or 'nothing yet'}"

    @property
    def is_identified(self) -> bool:
        """Say whether it has named the right chain since it was last reached."""
        return self._identified >= 0

    def submit(self, attempt: Attempt) -> None:
        """Send a call on its way."""
        if self._pins_by_number and _is_pinned(attempt.call):
            self._errand(self._by_number(attempt))
        else:
            self._courier.submit(attempt)

    async def ask_alone(self, call: Call, priority: Priority, timeout_s: float) -> tuple[Any] | None:
        """Return one call's result in a tuple of one, None if it has to be asked for in a race.

        The short way for a pool of one endpoint: nobody is raced, and who finds the line idle makes the
        exchange itself. A final error is raised; whatever else went wrong is for the race, which tries again.
        """
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[_Heard | None] = loop.create_future()
        ends_ns = self._clock.monotonic_ns() + round(timeout_s * 1e9)
        attempt = Attempt(call, priority, ends_ns, lambda *found: _settle(heard, found))
        # Who carries a batch must travel with it: backfill travels apart, and a pin may go by number.
        carries = priority is not Priority.BACKFILL and (self._pins_by_hash or not _is_pinned(call))
        limit: asyncio.TimerHandle | None = None
        try:
            if carries and self._courier.is_idle:
                await self._courier.carry(attempt)
                _settle(heard, None)
            else:
                limit = loop.call_later(timeout_s, _settle, heard, None)
                self.submit(attempt)
            found = await heard
        finally:
            attempt.abandon()
            if limit is not None:
                limit.cancel()
        if found is None:
            return None
        result, error = found
        if isinstance(error, Rejected):
            raise error
        is_good = error is None and (result is not None or call.method not in NULL_IS_MISSING)
        return (result,) if is_good else None

    async def ask(self, call: Call, priority: Priority, timeout_s: float) -> Any:
        """Return one call's result from this endpoint alone. Raises what it answers."""
        return await self._courier.ask(call, priority, timeout_s)

    async def identify(self) -> None:
        """Check that the configured chain answers; called at connect and after every reconnect.

        Raises
        ------
        NoAnswer
            If nothing does, or another chain: then the endpoint is quarantined.
        """
        self._courier.open()
        if self._identifying is None:
            self._identifying = asyncio.create_task(self._identify())
        await asyncio.shield(self._identifying)

    async def send_raw(self, raw: bytes, expected: bytes) -> None:
        """Hand over signed bytes; that the node has them already is a success.

        Raises
        ------
        Rejected, Ambiguous, Unavailable, Divergence
            Refused for good; may have arrived; certainly did not; taken for another transaction.
        """
        call = Call("eth_sendRawTransaction", [hex_data(raw)])
        self._courier.bucket.owe(1)
        started_ns = self._clock.monotonic_ns()
        result = "ok"
        try:
            content = await self._exchange.post(call.body(1), self.endpoint.send_timeout_s)
            found = octets(decode_answer(content, 1))
        except AlreadyKnown:
            found = expected
        except NoAnswer as problem:
            result = problem.trouble.value
            self.troubled(problem, 1)
            raise (self._ambiguous if problem.may_have_arrived else self._not_sent)(problem.detail) from None
        except Unavailable as error:
            result = error.code
            self._noted(error, 1)
            # What can not be read may have been accepted; what was understood and put off was not.
            unknown = error.code in ("transport", "node_error")
            raise (self._ambiguous if unknown else self._not_sent)(str(error)) from None
        except Rejected as error:
            result = error.code
            raise
        except (TypeError, ValueError, AttributeError):
            raise self._ambiguous("the answer is no hash") from None
        finally:
            self._count("eth_sendRawTransaction", result)
        self.health.answered((self._clock.monotonic_ns() - started_ns) / 1e9)
        if found != expected:
            self.last_error = "it names another transaction"
            raise Divergence(
                f"{self.name} names another transaction", found=hex_data(found), allowed=hex_data(expected)
            )

    def saw_head(self, number: int, block_hash: str, *, pool_head: int | None) -> None:
        """Take note of its newest block; ``pool_head`` was known before it was asked."""
        self.head, self.head_hash = number, block_hash
        self.head_seen_ns = self._clock.monotonic_ns()
        lag = 0 if pool_head is None else max(pool_head - number, 0)
        self._recorder.set(Metric.HEAD_LAG_BLOCKS, lag, chain=self._chain_label, endpoint=self.name)
        self.health.saw_head(lag)

    def saw_hash(self, number: int, block_hash: str) -> None:
        """Take note of its block at a settled height."""
        self.hashes[number] = block_hash
        self.hashes.move_to_end(number)
        while len(self.hashes) > _HASHES_KEPT:
            self.hashes.popitem(last=False)

    def quarantine(self, cause: Cause, detail: str) -> None:
        """Use it for nothing until a person releases it."""
        self.last_error = detail
        self._identified = -1
        self.health.quarantine(cause, detail)

    def hold(self, detail: str) -> None:
        """Keep it in the quarantine in which an earlier process put it."""
        self.last_error = detail
        self.health.hold(detail)
        self._show_state()

    def release(self) -> None:
        """Let it be probed again, by a person's order."""
        self.hashes.clear()
        self._identified = -1
        self.health.release()

    async def close(self) -> None:
        """End its calls and its connections."""
        errands = [*self._errands, *([self._identifying] if self._identifying else [])]
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)
        await self._courier.close()
        await self._exchange.close()
        self._identified = -1

    def came_back(self, attempts: Sequence[Attempt], results: Sequence[Any], seconds: float) -> None:
        """Take the results of the attempts, in order; an item may be its error."""
        faults = 0
        for attempt, result in zip(attempts, results, strict=True):
            if isinstance(result, TidegateError):
                faults += result.code in _OWN_FAULTS
                self._erred(attempt, result)
            else:
                self._count(attempt.call.method, "ok")
                if not self._pins_by_hash and _is_pinned(attempt.call):
                    self._pins_by_hash = True
                attempt.settle(result)
        self.health.answered(seconds, calls=len(attempts), errors=faults)
        self._recorder.observe(Metric.RPC_SECONDS, seconds, chain=self._chain_label, endpoint=self.name)

    def failed(self, attempts: Sequence[Attempt], problem: NoAnswer) -> None:
        """Take note that nothing readable came back for these attempts."""
        self.troubled(problem, len(attempts))
        for attempt in attempts:
            self._count(attempt.call.method, problem.trouble.value)
            attempt.settle(self._unavailable(problem.detail, code=problem.trouble.value))

    def troubled(self, problem: NoAnswer, calls: int) -> None:
        """Take note of an exchange that brought nothing back, with so many calls in it."""
        self.last_error = problem.detail
        if problem.trouble is Trouble.RATE_LIMITED:
            self.health.rate_limited(problem.retry_after_s)
        elif problem.trouble is Trouble.AUTH:
            self.health.auth_failed(problem.detail)
        elif problem.trouble is not Trouble.WRONG_CHAIN:
            self.health.failed(problem.detail, calls=calls)

    async def _post(self, body: bytes, timeout_s: float) -> bytes:
        content = await self._exchange.post(body, timeout_s)
        if self._exchange.connections_opened != self._identified:
            # A new connection may lead to another machine: what it said waits until it is known.
            await self.identify()
        return content

    async def _identify(self) -> None:
        try:
            content = await self._exchange.post(_CHAIN_ID.body(1), self.endpoint.timeout_s)
            opened = self._exchange.connections_opened
            found = integer(decode_answer(content, 1))
        except TidegateError as error:
            raise NoAnswer(str(error)) from None
        except (TypeError, ValueError):
            raise NoAnswer("its chain id is no number") from None
        finally:
            self._identifying = None
        if found != self._chain_id:
            detail = f"wrong_chain_id: expected {self._chain_id}, was {found}"
            self.quarantine(Cause.WRONG_CHAIN_ID, detail)
            raise NoAnswer(detail, trouble=Trouble.WRONG_CHAIN)
        self._identified = opened

    async def _by_number(self, attempt: Attempt) -> None:
        """Ask a pinned read by number: the node does not know pins by hash, or the read is invalid."""
        timeout_s = max((attempt.ends_ns - self._clock.monotonic_ns()) / 1e9, HEDGE_LEAST_S)

        async def ask(call: Call) -> Any:
            return await self._courier.ask(call, attempt.priority, timeout_s)

        try:
            result = await ask_by_number(ask, attempt.call)
        except TidegateError as error:
            result = error
        if not (isinstance(result, TidegateError) and result.code == "invalid_params"):
            self._pins_by_number = True
        attempt.settle(result)

    def _erred(self, attempt: Attempt, error: TidegateError) -> None:
        """Hand on an error that the endpoint answered, and remember what it says about the endpoint."""
        self._count(attempt.call.method, error.code)
        self._noted(error, 0)
        if isinstance(error, RangeTooWide):
            self._narrow(attempt.call)
        elif error.code == "invalid_params" and _is_pinned(attempt.call):
            self._errand(self._by_number(attempt))
            return
        attempt.settle(error)

    def _narrow(self, call: Call) -> None:
        span = logs_span(call.method, call.params)
        if span is not None:
            self.logs_span_max = max(min(self.logs_span_max, span // 2), 1)

    def _noted(self, error: TidegateError, calls: int) -> None:
        """Take note of an error that the endpoint answered; ``calls`` not yet counted by its health."""
        self.last_error = f"{error.code}: {error.found or error.message}"
        if error.code == "rate_limited":
            self.health.rate_limited()
        elif error.code == "auth":
            self.health.auth_failed(self.last_error)
        elif calls and error.code == "transport":
            self.health.failed(self.last_error, calls=calls)

    def _errand(self, work: Any) -> None:
        errand = asyncio.create_task(work)
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    def _count(self, method: str, result: str) -> None:
        self._recorder.count(
            Metric.RPC_REQUESTS,
            chain=self._chain_label,
            endpoint=self.name,
            method=metric_label(method),
            result=result,
        )

    def _changed(self, change: Change) -> None:
        self._show_state()
        self._on_change(self, change)

    def _show_state(self) -> None:
        state = self.health.state
        self._recorder.set(Metric.RPC_ENDPOINT_STATE, state, chain=self._chain_label, endpoint=self.name)

    def _unavailable(self, found: str, *, code: str = "transport") -> Unavailable:
        return Unavailable(f"{self.name} does not answer", code=code, found=found)

    def _not_sent(self, found: str) -> Unavailable:
        return self._unavailable(found, code="not_sent")

    def _ambiguous(self, found: str) -> Ambiguous:
        return Ambiguous(
            f"{self.name} did not confirm; the transaction may have arrived",
            found=found,
            fix="ask for its receipt and the account's nonce, then send the same bytes again",
        )


def _is_pinned(call: Call) -> bool:
    return call.method in BLOCK_POSITIONS and pinned_hash(call.method, call.params) is not None


def _settle(heard: asyncio.Future[_Heard | None], found: _Heard | None) -> None:
    if not heard.done():
        heard.set_result(found)
