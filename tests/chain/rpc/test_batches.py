"""Street spec 1.2: calls made together travel together, and come back by id."""

import asyncio

import pytest
from tests.chain.rpc.support import PATIENT_S, SEEN, run, stand

from tidegate.chain.rpc import Keep, Priority
from tidegate.chain.rpc.attempt import Attempt, Call
from tidegate.chain.rpc.courier import COALESCE_S, Courier
from tidegate.chain.rpc.endpoint import Endpoint
from tidegate.model import ManualClock, TidegateError, Unavailable
from tidegate.sim import Fault


def balances(at, count: int, **options):
    reads = at.pool.reads(keep=Keep.NOTHING, **options)
    return asyncio.gather(*(reads.balance(f"0x{number:040x}") for number in range(count)))


def test_calls_made_together_travel_as_one_batch(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            await balances(at, 20)
            assert at.proxies[0].batches == [20]

    run(conversation())


class StillLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes when a test says so: a busy machine makes no millisecond longer."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s


def test_calls_made_within_a_millisecond_of_a_busy_line_travel_together():
    bodies: list[int] = []
    line = asyncio.Event()

    async def post(body: bytes, timeout_s: float) -> bytes:
        bodies.append(body.count(b'"method"'))
        await line.wait()
        return b"[]"

    class Ears:
        def came_back(self, attempts, results, seconds) -> None: ...

        def failed(self, attempts, problem) -> None: ...

    async def conversation():
        courier = Courier(Endpoint("a", "http://127.0.0.1:1"), post, Ears(), ManualClock())

        def submit() -> None:
            courier.submit(Attempt(Call("eth_gasPrice", []), Priority.DECIDE, 10**12, lambda *_: None))

        submit()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert bodies == [1], "the line was idle: it left with its own turn of the loop"
        for _ in range(5):
            submit()
            await asyncio.sleep(0)
        assert bodies == [1], "the line is busy: the next wait for each other"
        asyncio.get_running_loop().now_s += COALESCE_S
        while len(bodies) < 2:  # noqa: ASYNC110  the loop turns until it has seen that its time has come
            await asyncio.sleep(0)
        assert bodies == [1, 5]
        line.set()
        await courier.close()

    with asyncio.Runner(loop_factory=StillLoop) as runner:
        runner.run(conversation())
    assert COALESCE_S == 0.001


def test_a_batch_holds_at_most_what_the_endpoint_takes(node):
    async def conversation():
        async with stand(node.url, 1, options=[{"batch_max": 8}]) as at:
            await balances(at, 20)
            assert at.sizes(0) == [4, 8, 8]

    run(conversation())


def test_a_batch_max_of_one_means_no_batches(node):
    async def conversation():
        async with stand(node.url, 1, options=[{"batch_max": 1}]) as at:
            await balances(at, 5)
            assert at.sizes(0) == [1] * 5

    run(conversation())


def test_answers_are_matched_by_id_in_any_order(node):
    async def conversation():
        async with stand(node.url, 1, faults=[Fault.REORDER]) as at:
            await balances(at, 20)
            assert at.proxies[0].batches == [20]
            reads = at.pool.reads(keep=Keep.NOTHING)
            blocks = await asyncio.gather(*(reads.block(number) for number in range(8)))
            assert [block.number for block in blocks] == list(range(8))

    run(conversation())


@pytest.mark.parametrize("fault", [Fault.OMIT_IDS, Fault.DOUBLE_IDS])
def test_a_missing_or_doubled_id_fails_that_call_alone(node, fault):
    async def conversation():
        async with stand(node.url, 1, faults=[fault]) as at:
            lane = at.pool._lanes[0]
            calls = [Call("eth_getBlockByNumber", [hex(number), False]) for number in range(6)]
            results = await asyncio.gather(
                *(lane.ask(call, Priority.DECIDE, 1.0) for call in calls), return_exceptions=True
            )
            assert at.proxies[0].batches == [6]
            for number, result in enumerate(results):
                if number % 2:
                    assert isinstance(result, Unavailable)
                    assert result.code == "transport"
                else:
                    assert int(result["number"], 16) == number

    run(conversation())


@pytest.mark.parametrize("fault", [Fault.OMIT_IDS, Fault.DOUBLE_IDS])
def test_a_call_whose_id_went_missing_is_read_all_the_same(node, fault):
    async def conversation():
        async with stand(node.url, 1, faults=[fault]) as at:
            reads = at.pool.reads(keep=Keep.NOTHING)
            blocks = await asyncio.gather(*(reads.block(number) for number in range(8)))
            assert [block.number for block in blocks] == list(range(8))

    run(conversation())


def test_batch_not_supported_turns_batches_off_for_that_endpoint_alone(node):
    async def conversation():
        async with stand(node.url, 2, faults=[Fault.REFUSE_BATCHES]) as at:
            refusing, good = at.proxies
            await balances(at, 40)
            assert refusing.batches[0] > 1
            assert set(refusing.batches[1:]) == {1}, "the same calls, one by one"
            at.forget_counts()
            await balances(at, 40)
            assert set(refusing.batches) == {1}, "and it is remembered"
            assert max(good.batches) > 1

    run(conversation())


def test_a_batch_that_is_too_large_is_halved_and_remembered():
    sizes: list[int] = []

    async def post(body: bytes, timeout_s: float) -> bytes:
        sizes.append(body.count(b'"method"'))
        if sizes[-1] > 3:
            return b'{"id":null,"error":{"code":-32600,"message":"batch too large, at most 3"}}'
        return b"[]" if sizes[-1] > 1 else b"{}"

    class Ears:
        def came_back(self, attempts, results, seconds) -> None: ...

        def failed(self, attempts, problem) -> None: ...

    async def conversation():
        courier = Courier(Endpoint("a", "http://127.0.0.1:1"), post, Ears(), ManualClock())
        for _ in range(12):
            courier.submit(Attempt(Call("eth_gasPrice", []), Priority.DECIDE, 10**12, lambda *_: None))
        async with asyncio.timeout(PATIENT_S):
            while sum(size for size in sizes if size <= 3) < 12:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert courier.batch_max == 3
        assert sizes[0] == 12
        await courier.close()

    run(conversation())


def test_backfill_never_shares_a_batch_with_what_a_decision_waits_for(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            await asyncio.gather(balances(at, 10, priority=Priority.BACKFILL), balances(at, 3))
            assert at.sizes(0) == [3, 10]

    run(conversation())


def test_the_agreed_rate_is_kept(node):
    async def conversation():
        async with stand(node.url, 1, options=[{"rate_per_s": 200, "burst": 10}]) as at:
            at.pool._lanes[0]._courier.bucket.give_back(10)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await balances(at, 30)
            assert loop.time() - began >= 0.09, "20 of 30 calls wait for their token at 200 a second"
            assert at.proxies[0].batches[0] <= 10

    run(conversation())


def test_one_answer_that_is_an_error_leaves_the_others_alone(node):
    async def conversation():
        async with stand(node.url, 1) as at:
            results = await at.pool.reads(keep=Keep.NOTHING).batch(
                [
                    ("eth_getBalance", [SEEN, "latest"]),
                    ("eth_getBalance", ["x", "latest"]),
                    ("eth_chainId", []),
                ]
            )
            assert at.proxies[0].batches == [3]
            assert results[0] == hex(10**18)
            assert isinstance(results[1], TidegateError)
            assert results[2] == hex(31_337)

    run(conversation())
