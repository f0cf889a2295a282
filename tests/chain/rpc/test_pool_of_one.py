"""A pool of one endpoint: the typed reads on a real node, and what a send to a bad one means."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from eth_account import Account
from tests.chain.misbehaving import http, server
from tests.chain.rpc.support import CHAIN_ID, NETWORK, PATIENT_S, QUIET_S, whole_text
from tests.sim.assembly import (
    ALICE,
    BOB,
    COUNTER,
    ETHER,
    INVALID,
    LOGS,
    WRITES_AND_REVERTS,
    initcode,
    number,
    returning,
)

from tidegate.chain import CallReverted, ChainReads, RangeTooWide, SimulatedCall, address
from tidegate.chain.rpc import Endpoint, Keep, RpcPool
from tidegate.model import Ambiguous, Divergence, Rejected, TidegateError, Unavailable
from tidegate.sim import ExactWorld

KEY = Account.from_key("0x" + "22" * 32)
SENDER = address(KEY.address)


@pytest.fixture(scope="module")
def exact() -> Iterator[ExactWorld]:
    with ExactWorld() as world:
        yield world


@pytest.fixture(autouse=True)
def undone(request) -> Iterator[None]:
    """Give each test the same fresh chain on the one node, where it asks for it."""
    if "exact" not in request.fixturenames:
        yield
        return
    world = request.getfixturevalue("exact")
    with world.snapshot():
        world.set_balance(SENDER, ETHER)
        world.set_balance(ALICE, ETHER)
        yield


def signed(nonce: int = 0, *, value: int = 0) -> bytes:
    transaction = {
        "to": BOB,
        "value": value,
        "gas": 50_000,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 0,
        "nonce": nonce,
        "chainId": CHAIN_ID,
        "type": 2,
    }
    return bytes(KEY.sign_transaction(transaction).raw_transaction)


def talk(
    url: str,
    conversation: Callable[[ChainReads, RpcPool], Awaitable[object]],
    *,
    deadline_s=PATIENT_S,
    **options,
) -> object:
    async def run():
        node = Endpoint("node", url, **{"timeout_s": PATIENT_S, **options})
        pool = RpcPool(NETWORK, [node], deadline_s=deadline_s, watch_every_s=QUIET_S)
        async with pool:
            return await conversation(pool.reads(keep=Keep.NOTHING), pool)

    return asyncio.run(run())


def answering(method: str, found: object):
    """Answer the chain id rightly and ``method`` with ``found`` (bytes are raw, none is silence)."""

    def answer(request):
        if isinstance(request, dict) and request["method"] == method:
            if isinstance(found, bytes | None):
                return found
            return http({"jsonrpc": "2.0", "id": request["id"], **found})
        return http({"jsonrpc": "2.0", "id": request["id"], "result": hex(CHAIN_ID)})

    return answer


def test_reads_agree_with_the_world(exact):
    contract = exact.deploy(initcode(COUNTER), sender=ALICE)
    old = exact.block()
    exact.transact(contract, sender=ALICE)

    async def conversation(reads, _):
        assert await reads.block() == await reads.block("latest") == exact.block()
        assert await reads.block(old.number) == await reads.block(old.hash) == old
        assert number(await reads.call(contract)) == 2
        assert number(await reads.call(contract, block=old.hash)) == 1
        assert await reads.balance(SENDER) == ETHER
        assert await reads.code(contract) == COUNTER
        assert (await reads.nonce(ALICE), await reads.nonce(ALICE, old.number)) == (2, 1)
        assert await reads.batch([("eth_chainId", []), ("eth_blockNumber", [])]) == [
            hex(CHAIN_ID),
            hex(exact.block().number),
        ]

    talk(exact.url, conversation)


def test_a_block_or_state_that_is_not_there_is_unavailable(exact):
    async def conversation(reads, _):
        for ask in (reads.block(999), reads.block(b"\x01" * 32), reads.call(BOB, block=999)):
            with pytest.raises(Unavailable):
                await ask

    talk(exact.url, conversation)


def test_a_call_that_reverts_carries_its_data(exact):
    failing = exact.deploy(initcode(WRITES_AND_REVERTS), sender=ALICE)
    invalid = exact.deploy(initcode(INVALID), sender=ALICE)

    async def conversation(reads, _):
        with pytest.raises(CallReverted) as reverted:
            await reads.call(failing)
        assert (reverted.value.data, reverted.value.halt) == (bytes.fromhex("deadbeef"), "")
        with pytest.raises(CallReverted) as halted:
            await reads.call(invalid)
        assert (halted.value.data, "Opcode" in halted.value.halt) == (b"", True)

    talk(exact.url, conversation)


def test_bytes_that_can_never_land_are_rejected(exact):
    exact.send_raw_and_wait(signed())

    async def conversation(_, pool):
        with pytest.raises(Rejected) as used:
            await pool.send_raw(signed(value=1))
        assert used.value.code == "nonce_too_low"
        with pytest.raises(Rejected) as poor:
            await pool.send_raw(signed(1, value=2 * ETHER))
        assert poor.value.code == "insufficient_funds"

    talk(exact.url, conversation)


def test_logs_come_in_spans_that_fit(exact):
    contract = exact.deploy(initcode(LOGS), sender=ALICE)
    receipts = [exact.transact(contract, sender=ALICE) for _ in range(5)]
    every = tuple(log for receipt in receipts for log in receipt.logs)
    head = exact.block().number

    async def conversation(reads, _):
        assert await reads.logs(from_block=0, to_block=head) == every
        assert await reads.logs(from_block=0, to_block=head, account=[contract]) == every
        assert await reads.logs(from_block=0, to_block=head, topics=[None, (2).to_bytes(32, "big")]) == every
        assert await reads.logs(from_block=head, to_block=head) == receipts[-1].logs
        assert await reads.block_logs(receipts[2].block_hash) == receipts[2].logs

    for span in (1, 2, 100):
        talk(exact.url, conversation, logs_span_max=span)


def test_a_span_that_is_too_wide_is_halved_for_good():
    asked = []

    def answer(request):
        if request["method"] != "eth_getLogs":
            return http({"id": request["id"], "result": hex(CHAIN_ID)})
        first, last = (int(request["params"][0][key], 16) for key in ("fromBlock", "toBlock"))
        asked.append((first, last))
        if last - first >= 3:
            error = {"code": -32005, "message": "query returned more than 10000 results"}
            return http({"id": request["id"], "error": error})
        return http({"id": request["id"], "result": []})

    async def conversation(reads, _):
        assert await reads.logs(from_block=0, to_block=7) == ()

    with server(answer) as url:
        talk(url, conversation)
    assert asked == [(0, 7), (0, 3), (0, 1), (2, 3), (4, 5), (6, 7)]


def test_one_block_that_is_too_much_is_refused():
    error = {"error": {"code": -32005, "message": "query returned more than 10000 results"}}

    async def conversation(reads, _):
        with pytest.raises(RangeTooWide):
            await reads.logs(from_block=5, to_block=6)

    with server(answering("eth_getLogs", error)) as url:
        talk(url, conversation)


def test_calls_are_simulated_one_after_another_in_a_block_of_their_own(exact):
    counter = exact.deploy(initcode(COUNTER), sender=ALICE)
    failing = exact.deploy(initcode(WRITES_AND_REVERTS), sender=ALICE)
    logging = exact.deploy(initcode(LOGS), sender=ALICE)
    for index, opcode in enumerate(("43", "42", "48", "41")):
        exact.set_code(address(0x100 + index), returning(opcode))
    base = exact.block()
    true_gas = {}
    with exact.snapshot():
        true_gas["first"] = exact.transact(counter, sender=ALICE).gas_used
        true_gas["second"] = exact.transact(counter, sender=ALICE).gas_used
    exact.transact(counter, sender=ALICE)

    async def conversation(reads, _):
        calls = [SimulatedCall(sender=ALICE, to=to) for to in (counter, counter, failing, logging)]
        block = await reads.simulate(calls, base, timestamp=base.timestamp + 12)
        first, second, failed, logged = block.results
        assert (number(first.output), number(second.output)) == (1, 2), "on top of the base, not of the head"
        assert (first.gas_used, second.gas_used) == (true_gas["first"], true_gas["second"])
        assert (failed.status, failed.output, failed.halt, failed.logs) == (
            0,
            bytes.fromhex("deadbeef"),
            "",
            (),
        )
        assert number(logged.logs[0].data) == 7
        assert (block.number, block.timestamp) == (base.number + 1, base.timestamp + 12)

        asked = [SimulatedCall(sender=ALICE, to=address(0x100 + index), max_fee_wei=50) for index in range(4)]
        seen = await reads.simulate(
            asked, base, timestamp=9_999_999_999, base_fee_wei=7, coinbase=BOB, validate=True
        )
        words = [number(result.output) for result in seen.results]
        assert words == [base.number + 1, 9_999_999_999, 7, int(BOB, 16)]
        assert seen.base_fee_wei == 7
        assert number(await reads.call(counter)) == 2, "nothing stays"

    talk(exact.url, conversation)


def test_a_simulation_can_give_funds_and_refuses_what_no_block_would_hold(exact):
    base = exact.block()
    pay = [SimulatedCall(sender=address(0x77), to=BOB, value_wei=5, gas_limit=21_000, max_fee_wei=0)]

    async def conversation(reads, _):
        with pytest.raises(Rejected) as poor:
            await reads.simulate(pay, base, validate=True)
        assert poor.value.code == "insufficient_funds"
        given = await reads.simulate(pay, base, balances_wei={address(0x77): 5}, validate=True)
        assert given.results[0].gas_used == 21_000

    talk(exact.url, conversation)


def test_fee_history_ends_with_the_next_block(exact):
    exact.set_base_fee(10**9)
    exact.transact(BOB, sender=ALICE)

    async def conversation(reads, _):
        history = await reads.fee_history(2, [10, 90])
        assert history.next_base_fee_wei == exact.next_base_fee_wei()
        assert history.base_fees_wei[-2] == exact.block().base_fee_wei == 10**9
        assert len(history.base_fees_wei) == len(history.gas_used_ratios) + 1
        assert all(len(row) == 2 for row in history.rewards_wei)

    talk(exact.url, conversation)


def test_nothing_that_listens_is_unavailable():
    with server(lambda _: None) as url:
        pass
    with pytest.raises(Unavailable) as caught:
        talk(url, lambda reads, _: reads.block())
    assert "SECRET" not in whole_text(caught.value)


READ_FAULTS = {
    "silence": None,
    "hang up": b"",
    "html with 200": http(b"<html>hello</html>"),
    "html with 502": http(b"<html>bad gateway</html>", "502 Bad Gateway"),
    "429": http(b"slow down", "429 Too Many Requests"),
    "truncated": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
    "garbage": b"\x00\x01\x02\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "wrong id": http({"id": 424_242, "result": "0x1"}),
    "internal error": {"error": {"code": -32603, "message": "Internal error"}},
}


@pytest.mark.parametrize("fault", ["silence", "garbage", "redirect", "internal error"])
def test_a_read_that_fails_is_unavailable_and_shows_no_url(fault):
    async def conversation(reads, _):
        with pytest.raises(Unavailable) as caught:
            await reads.balance(BOB)
        return caught.value

    with server(answering("eth_getBalance", READ_FAULTS[fault])) as url:
        error = talk(url, conversation, deadline_s=0.2)
    assert "SECRET" not in whole_text(error)
    assert "127.0.0.1" not in whole_text(error)


SEND_FAULTS: dict[str, tuple[object, type[TidegateError]]] = {
    **{name: (fault, Ambiguous) for name, fault in READ_FAULTS.items() if name != "429"},
    "429": (READ_FAULTS["429"], Unavailable),
    "not ready": ({"error": {"code": -32005, "message": "limit exceeded"}}, Unavailable),
    "refused": ({"error": {"code": -32000, "message": "insufficient funds"}}, Rejected),
    "another hash": ({"result": "0x" + "11" * 32}, Divergence),
}


@pytest.mark.parametrize("fault", SEND_FAULTS)
def test_a_send_that_may_have_arrived_is_ambiguous_never_failed(fault):
    found, expected = SEND_FAULTS[fault]

    async def conversation(_, pool):
        with pytest.raises(TidegateError) as caught:
            await pool.send_raw(signed())
        return caught.value

    with server(answering("eth_sendRawTransaction", found)) as url:
        error = talk(url, conversation, send_timeout_s=0.2)
    assert type(error) is expected
    assert "SECRET" not in whole_text(error)


@pytest.mark.parametrize(
    ("method", "found", "ask"),
    [
        ("eth_getBlockByNumber", {"result": {"number": "0x1"}}, lambda reads: reads.block(1)),
        (
            "eth_getTransactionReceipt",
            {"result": {"status": "0x1"}},
            lambda reads: reads.receipt(bytes(32)),
        ),
        ("eth_feeHistory", {"result": {}}, lambda reads: reads.fee_history()),
        (
            "eth_getLogs",
            {"result": [{"address": "0x1"}]},
            lambda reads: reads.logs(from_block=1, to_block=1),
        ),
    ],
)
def test_nonsense_from_a_node_is_a_divergence(method, found, ask):
    async def conversation(reads, _):
        with pytest.raises(Divergence):
            await ask(reads)

    with server(answering(method, found)) as url:
        talk(url, conversation)
