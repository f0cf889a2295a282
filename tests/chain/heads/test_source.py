"""What a node's answers mean to the follower: null is not here now, a refused word is not known."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.chain.test_recorded import OWN, exchanges

from tidegate.chain import address
from tidegate.chain.heads import LogFilter, NodeBlocks
from tidegate.model import Log, Rejected, Unavailable

ACCOUNT, OTHER = address(0xA), address(0xB)
ONE, TWO = b"\x01" * 32, b"\x02" * 32


class Answers:
    """Answers every request the same way, and remembers what was asked."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple]] = []

    async def request(self, method: str, *params):
        self.asked.append((method, params))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def recorded(name: str) -> object:
    return json.loads(next(exchanges(OWN / f"{name}.io"))[1])["result"]


def test_null_is_not_here_now() -> None:
    async def conversation() -> None:
        source = NodeBlocks(Answers(None))
        assert await source.head() is None
        assert await source.header(7) is None
        assert await source.header(ONE) is None
        assert await source.block_logs(ONE) is None

    asyncio.run(conversation())


def test_a_chain_that_does_not_know_finality_is_asked_once() -> None:
    async def conversation() -> None:
        node = Answers(Rejected("the node refuses", code="invalid_params"))
        source = NodeBlocks(node)
        assert await source.finalised() is None
        assert await source.finalised() is None
        assert len(node.asked) == 1

    asyncio.run(conversation())


def test_a_chain_that_names_no_final_block_yet_has_not_answered() -> None:
    with pytest.raises(Unavailable, match="no final block yet"):
        asyncio.run(NodeBlocks(Answers(None)).finalised())


def test_a_recorded_header_and_recorded_logs_are_read() -> None:
    async def conversation() -> None:
        header = await NodeBlocks(Answers(recorded("block-by-hash"))).header(ONE)
        logs = await NodeBlocks(Answers(recorded("logs-by-hash"))).block_logs(ONE)
        assert header is not None
        assert [log.block_hash for log in logs or ()] == [header.hash]

    asyncio.run(conversation())


def test_a_filter_is_what_the_node_is_asked_and_what_is_kept() -> None:
    wanted = LogFilter(accounts=(ACCOUNT,), topics=(ONE, TWO))
    node = Answers([])
    asyncio.run(NodeBlocks(node).span_logs(1, 255, wanted))
    ((method, (parameter,)),) = node.asked
    assert method == "eth_getLogs"
    assert parameter == {
        "fromBlock": "0x1",
        "toBlock": "0xff",
        "address": [ACCOUNT],
        "topics": [["0x" + ONE.hex(), "0x" + TWO.hex()]],
    }
    assert wanted.wants(Log(ACCOUNT, (TWO, ONE), b""))
    assert not wanted.wants(Log(OTHER, (TWO,), b""))
    assert not wanted.wants(Log(ACCOUNT, (b"\x03" * 32, ONE), b""))
    assert not wanted.wants(Log(ACCOUNT, (), b""))
    assert LogFilter().wants(Log(OTHER, (), b""))
