"""Blooms against a node's own: a real chain computes them."""

from __future__ import annotations

import pytest
from tests.chain.heads.fakechain import CONTRACT, OTHER_CONTRACT, OTHER_TOPIC, TOPIC
from tests.sim.assembly import ALICE, LOGS, initcode

from tidegate.chain import hex_data
from tidegate.chain.heads import LogFilter
from tidegate.chain.heads.bloom import bloom_of, is_explained, may_hold
from tidegate.chain.wire import header_of
from tidegate.model import Log
from tidegate.sim import ExactWorld

LOG = Log(CONTRACT, (TOPIC,), b"")
BLOOM = bloom_of([LOG]).to_bytes(256, "big")


def test_the_bloom_of_a_blocks_logs_is_the_one_in_its_header() -> None:
    with ExactWorld() as world:
        contract = world.deploy(initcode(LOGS), sender=ALICE)
        receipt = world.transact(contract, sender=ALICE)
        header = header_of(world._request("eth_getBlockByHash", hex_data(receipt.block_hash), False))
        assert header.logs_bloom == bloom_of(receipt.logs).to_bytes(256, "big")
        assert not is_explained(header.logs_bloom, [])
        assert is_explained(header.logs_bloom, receipt.logs)


def test_a_header_without_a_bloom_says_nothing() -> None:
    assert is_explained(b"", [])
    assert is_explained(bytes(256), [LOG])
    assert is_explained(b"\xff" * 256, [])


@pytest.mark.parametrize(
    ("wanted", "may"),
    [
        (LogFilter(), True),
        (LogFilter(accounts=(CONTRACT,)), True),
        (LogFilter(accounts=(OTHER_CONTRACT,)), False),
        (LogFilter(accounts=(OTHER_CONTRACT, CONTRACT), topics=(TOPIC,)), True),
        (LogFilter(accounts=(CONTRACT,), topics=(OTHER_TOPIC,)), False),
    ],
)
def test_a_block_that_can_not_hold_what_is_wanted_is_told_from_one_that_may(wanted, may) -> None:
    assert may_hold(BLOOM, wanted) is may
    assert may_hold(b"", wanted)
