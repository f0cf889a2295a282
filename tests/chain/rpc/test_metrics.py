"""Street spec 10: what the pool counts, under bounded labels."""

import asyncio
from collections import Counter

import pytest
from tests.chain.rpc.support import SEEN, run, stand

from tidegate.chain.rpc import Keep
from tidegate.model import Metric, Rejected
from tidegate.sim import Fault


class Recorder:
    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.levels: dict[tuple[Metric, str], float] = {}
        self.seconds: list[float] = []

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        self.counts[labels["endpoint"], labels["method"], labels["result"]] += 1

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        assert labels["chain"] == "31337"
        self.levels[metric, labels["endpoint"]] = value

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        assert metric is Metric.RPC_SECONDS
        self.seconds.append(value)


def test_requests_seconds_states_and_lag_are_recorded_by_endpoint(node):
    async def conversation():
        recorder = Recorder()
        async with stand(node.url, 2, recorder=recorder) as at:
            assert recorder.levels[Metric.RPC_ENDPOINT_STATE, "a"] == 0
            assert recorder.levels[Metric.HEAD_LAG_BLOCKS, "a"] == 0
            at.proxies[0].fault = Fault.DROP
            reads = at.pool.reads(keep=Keep.NOTHING)
            for _ in range(8):
                await reads.balance(SEEN)
            assert recorder.counts["b", "eth_getBalance", "ok"] == 8
            assert recorder.counts["a", "eth_getBalance", "transport"] >= 3
            assert recorder.levels[Metric.RPC_ENDPOINT_STATE, "a"] == 2
            assert len(recorder.seconds) >= 8

    run(conversation())


def test_a_method_that_is_not_on_the_list_is_other(node):
    async def conversation():
        recorder = Recorder()
        async with stand(node.url, 1, recorder=recorder) as at:
            results = await asyncio.gather(
                at.pool.reads().request("eth_whatever_a_stranger_names"), return_exceptions=True
            )
            assert isinstance(results[0], Rejected)
            assert recorder.counts["a", "other", "method_not_found"] == 1
            assert not any("stranger" in part for key in recorder.counts for part in key)

    run(conversation())


@pytest.mark.parametrize("metric", [Metric.RPC_REQUESTS, Metric.RPC_SECONDS, Metric.RPC_ENDPOINT_STATE])
def test_the_metrics_are_named_as_the_specification_says(metric):
    assert metric.metric_name.startswith("tidegate_rpc_")
    assert {"chain", "endpoint"} <= set(metric.labels)
