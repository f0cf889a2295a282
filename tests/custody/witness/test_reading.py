"""What the witness answers, read from a real node through operators that tests bend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from tests.chain.rpc.support import PATIENT, PATIENT_S

from tidegate.chain import NETWORKS, ChainReads, devnet_network, encode_call, keccak256
from tidegate.chain.rpc import Endpoint, RpcPool
from tidegate.custody.witness import (
    Answer,
    Balance,
    Call,
    CodeHash,
    Question,
    Read,
    Unread,
    WitnessedChain,
)
from tidegate.model import Address, ManualClock, Unavailable
from tidegate.sim import ExactWorld

CHAIN_ID = 31337
TARGET = Address("0x00000000000000000000000000000000000000AA")
EMPTY = Address("0x00000000000000000000000000000000000000bb")
RETURNS_42 = bytes.fromhex("602a60005260206000f3")
QUESTION = CodeHash(chain_id=CHAIN_ID, address=TARGET)


@pytest.fixture(scope="module")
def world() -> Iterator[ExactWorld]:
    with ExactWorld() as world:
        world.set_code(TARGET, RETURNS_42)
        world.set_balance(TARGET, 10**18 + 7)
        yield world


class Bent(ChainReads):
    """An operator whose answers a test bends: ``bend(method, params, true answer)``."""

    def __init__(self, reads: ChainReads, bend: Callable[[str, tuple[Any, ...], Any], Any]) -> None:
        super().__init__(CHAIN_ID, name="bent")
        self._reads, self._bend = reads, bend

    async def request(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        return self._bend(method, params, await self._reads.request(method, *params, timeout_s=timeout_s))


def honest(_: str, __: tuple[Any, ...], answer: Any) -> Any:
    return answer


def silent(*_: Any) -> Any:
    raise Unavailable("this operator does not answer")


def lies_about_code(method: str, _: tuple[Any, ...], answer: Any) -> Any:
    return "0x6001" if method == "eth_getCode" else answer


def ask(
    world: ExactWorld, bends: list[Any], *questions: Question, quorum: int = 2, **chain: Any
) -> list[Answer]:
    async def asked() -> list[Answer]:
        endpoint = Endpoint(name="node", url=world.url, operator="us", **PATIENT)
        async with RpcPool(devnet_network(CHAIN_ID), (endpoint,), deadline_s=PATIENT_S) as pool:
            operators = {f"operator-{index}": Bent(pool.reads(), bend) for index, bend in enumerate(bends)}
            fields = {"network": devnet_network(CHAIN_ID), "clock": ManualClock(0), **chain}
            witness = WitnessedChain(operators=operators, quorum=quorum, **fields)
            return await witness.answer(questions or (QUESTION,))

    return asyncio.run(asked())


def test_an_answer_carries_value_block_hash_and_the_providers_that_agree(world: ExactWorld) -> None:
    answers = ask(
        world,
        [honest, honest],
        QUESTION,
        CodeHash(chain_id=CHAIN_ID, address=EMPTY),
        Balance(chain_id=CHAIN_ID, address=TARGET),
        Call(chain_id=CHAIN_ID, to=TARGET, data=encode_call("anything()")),
    )
    assert [answer.value for answer in answers if isinstance(answer, Read)] == [
        keccak256(RETURNS_42),
        keccak256(b""),
        (10**18 + 7).to_bytes(32),
        (42).to_bytes(32),
    ]
    for answer in answers:
        assert isinstance(answer, Read)
        assert answer.block_hash == world.block().hash
        assert answer.providers == ("operator-0", "operator-1")


def test_one_that_lies_is_no_minority_to_outvote(world: ExactWorld) -> None:
    [answer] = ask(world, [honest, honest, honest, lies_about_code])
    assert isinstance(answer, Unread)
    assert answer.code == "divergence"


def test_too_few_operators_are_no_answer(world: ExactWorld) -> None:
    for bends in ([honest], [honest, silent], [silent, silent]):
        [answer] = ask(world, bends)
        assert isinstance(answer, Unread)
        assert answer.code == "no_quorum"


def test_one_that_does_not_answer_is_not_named_as_a_provider(world: ExactWorld) -> None:
    def only_heads(method: str, _: tuple[Any, ...], answer: Any) -> Any:
        return answer if method == "eth_getBlockByNumber" else silent()

    for quiet in (silent, only_heads):
        [answer] = ask(world, [honest, quiet, honest])
        assert isinstance(answer, Read)
        assert answer.providers == ("operator-0", "operator-2")


def test_the_block_is_one_that_enough_operators_have(world: ExactWorld) -> None:
    """One claims a block far ahead, of a hash that nobody else knows: it decides nothing."""

    def ahead(method: str, _: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getBlockByNumber":
            return {**answer, "number": hex(10**9), "hash": "0x" + "ee" * 32}
        return answer

    [answer] = ask(world, [honest, ahead, honest])
    assert isinstance(answer, Read)
    assert answer.block_number == world.block().number


def test_an_old_block_is_no_answer_except_on_a_devnet(world: ExactWorld) -> None:
    late = ManualClock((world.block().timestamp + 121) * 1000)
    public = msgspec.structs.replace(NETWORKS[1], chain_id=CHAIN_ID)
    [answer] = ask(world, [honest, honest], network=public, clock=late)
    assert isinstance(answer, Unread)
    assert "old" in answer.found
    [answer] = ask(world, [honest, honest], network=public, clock=ManualClock(world.block().timestamp * 1000))
    assert isinstance(answer, Read)
    [answer] = ask(world, [honest, honest], clock=late)
    assert isinstance(answer, Read)


def test_a_call_that_reverts_is_no_answer(world: ExactWorld) -> None:
    world.set_code(EMPTY, bytes.fromhex("60006000fd"))
    try:
        [answer] = ask(world, [honest, honest], Call(chain_id=CHAIN_ID, to=EMPTY, data=b""))
    finally:
        world.set_code(EMPTY, b"")
    assert isinstance(answer, Unread)
