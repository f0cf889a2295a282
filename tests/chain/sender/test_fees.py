import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from tests.chain.sender.ground import GWEI, key_of, work

from tidegate.chain import (
    NETWORKS,
    FeeHistory,
    FeeMarket,
    FeeQuote,
    Fees,
    Network,
    address,
    data_fee_wei,
    decode_output,
    demand_gas_limit,
    encode_arguments,
    gas_limit_of,
    keccak256,
    price_cap_wei,
)
from tidegate.chain.data_fees import GAS_PRICE_ORACLE, NODE_INTERFACE, unsigned_bytes
from tidegate.chain.fees import fitted, gas_limit_max, quote_of, replacement
from tidegate.model import Address, Denied, Reason, Rejected, Unavailable

ETHEREUM, OPTIMISM, ARBITRUM, POLYGON = NETWORKS[1], NETWORKS[10], NETWORKS[42161], NETWORKS[137]


def history(base_next: int, rewards: Sequence[int], used: Sequence[float] | None = None) -> FeeHistory:
    ratios = tuple(used or (0.5,) * len(rewards))
    return FeeHistory(1, (9 * GWEI,) * len(rewards) + (base_next,), ratios, tuple((one,) for one in rewards))


@pytest.mark.parametrize(
    ("rewards", "priority"),
    [
        ((GWEI, 3 * GWEI, 2 * GWEI), 2 * GWEI),
        ((GWEI, 2 * GWEI), GWEI),  # the lower of two middles
        ((), 0),
        ((10 * GWEI, 11 * GWEI, 12 * GWEI), 5 * GWEI),  # capped
    ],
)
def test_the_quote_is_twice_the_next_base_fee_and_the_percentile(
    rewards: Sequence[int], priority: int
) -> None:
    quote = quote_of(history(10 * GWEI, rewards), ETHEREUM)
    assert quote == FeeQuote(10 * GWEI, priority)
    assert quote.fees == Fees(20 * GWEI + priority, priority)


def test_blocks_without_a_transaction_say_nothing_about_priority() -> None:
    assert quote_of(history(GWEI, (0, 0, 2 * GWEI), (0.0, 0.0, 0.7)), ETHEREUM).priority_fee_wei == 2 * GWEI


def test_a_chains_floor_is_paid_even_where_nobody_does() -> None:
    assert quote_of(history(GWEI, (GWEI,)), POLYGON).priority_fee_wei == 25 * GWEI


def test_a_chain_without_a_base_fee_has_one_gas_price() -> None:
    legacy = msgspec.structs.replace(ETHEREUM, is_legacy=True)
    quote = quote_of(history(0, (7 * GWEI, 8 * GWEI, 9 * GWEI)), legacy)
    assert quote.fees == Fees(8 * GWEI, 8 * GWEI), "priority_cap_wei is no cap on a whole price"


def test_the_market_asks_for_the_60th_percentile_of_20_blocks() -> None:
    asked: list[tuple[int, Sequence[float]]] = []

    class Reads:
        async def fee_history(self, blocks: int = 0, percentiles: Sequence[float] = ()) -> FeeHistory:
            asked.append((blocks, percentiles))
            return history(GWEI, (GWEI,))

    assert asyncio.run(FeeMarket(Reads(), ETHEREUM).quote()) == FeeQuote(GWEI, GWEI)
    assert asked == [(20, (60,))]


def test_never_more_gas_is_paid_than_the_budget_or_the_network_allows() -> None:
    assert price_cap_wei(ETHEREUM, gas_limit=7, gas_budget_wei=700_001) == 100_000, "rounded down"
    assert price_cap_wei(ETHEREUM, gas_limit=1, gas_budget_wei=10**18) == ETHEREUM.fee_cap_wei
    assert fitted(Fees(30, 4), base_fee_next_wei=10, cap_wei=12) == Fees(12, 4)
    assert fitted(Fees(30, 20), base_fee_next_wei=10, cap_wei=12) == Fees(12, 12)
    with pytest.raises(Denied) as caught:
        fitted(Fees(30, 4), base_fee_next_wei=13, cap_wei=12)
    assert caught.value.reason is Reason.FEE_CAP


@pytest.mark.parametrize(
    ("before", "quote", "cap", "after"),
    [
        (Fees(100, 7), FeeQuote(0, 0), 10**6, Fees(113, 8)),  # an eighth more, rounded up
        (Fees(8, 8), FeeQuote(0, 0), 10**6, Fees(9, 9)),
        (Fees(8, 0), FeeQuote(0, 0), 10**6, Fees(9, 1)),  # nothing plus an eighth would be nothing
        (Fees(100, 7), FeeQuote(200, 9), 10**6, Fees(409, 9)),  # what the chain asks for is more
        (Fees(100, 7), FeeQuote(200, 9), 120, Fees(120, 9)),
        (Fees(100, 7), FeeQuote(0, 0), 113, Fees(113, 8)),
        (Fees(100, 7), FeeQuote(0, 0), 112, None),  # a cap that leaves no room for an eighth more
    ],
)
def test_a_replacement_pays_an_eighth_more_and_never_above_the_cap(
    before: Fees, quote: FeeQuote, cap: int, after: Fees | None
) -> None:
    assert replacement(before, quote, cap) == after


def test_a_node_that_asks_for_more_gets_its_minimum() -> None:
    assert replacement(Fees(100, 10), FeeQuote(0, 0), 10**6, minimum_bps=20_000) == Fees(200, 20)


def test_the_gas_limit_is_what_was_simulated_and_15_percent_rounded_up() -> None:
    assert gas_limit_of(200_001, ETHEREUM, 36_000_000) == 230_002


@pytest.mark.parametrize(
    ("network", "block_gas_limit", "most"),
    [
        (ETHEREUM, 36_000_000, 16_777_216),
        (ETHEREUM, 10_000_001, 8_000_000),
        (POLYGON, 45_000_000, 36_000_000),
    ],
)
def test_no_gas_limit_above_80_percent_of_a_block_or_the_chains_cap(
    network: Network, block_gas_limit: int, most: int
) -> None:
    assert gas_limit_max(network, block_gas_limit) == most
    demand_gas_limit(most, network, block_gas_limit)
    with pytest.raises(Denied) as caught:
        demand_gas_limit(most + 1, network, block_gas_limit)
    assert caught.value.reason is Reason.GAS_CAP


class Rollup:
    """Answers as the rollup's own contract does, or not at all."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[Address, bytes]] = []

    async def call(self, to: Address, data: bytes = b"", **_: object) -> bytes:
        self.asked.append((to, data))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def fee(network: Network, rollup: Rollup) -> int:
    unsigned = work().unsigned(3, Fees(2 * GWEI, GWEI), is_legacy=False)
    return asyncio.run(data_fee_wei(rollup, network, unsigned, sender=address(1)))


def test_the_op_stacks_oracle_is_asked_with_the_unsigned_bytes() -> None:
    rollup = Rollup(encode_arguments(("uint256",), (12_345,)))
    assert fee(OPTIMISM, rollup) == 12_345
    ((to, data),) = rollup.asked
    assert (to, data[:4].hex()) == (GAS_PRICE_ORACLE, "49948e0e")
    (raw,) = decode_output(("bytes",), data[4:])
    assert raw == unsigned_bytes(work().unsigned(3, Fees(2 * GWEI, GWEI), is_legacy=False))


def test_arbitrums_fee_is_the_parents_gas_at_the_childs_base_fee() -> None:
    types = ("uint64", "uint64", "uint256", "uint256")
    rollup = Rollup(encode_arguments(types, (900_000, 300_000, 10**8, 7 * GWEI)))
    assert fee(ARBITRUM, rollup) == 300_000 * 10**8
    assert rollup.asked[0][0] == NODE_INTERFACE


def test_a_chain_without_a_data_fee_is_not_asked() -> None:
    rollup = Rollup(b"")
    assert fee(ETHEREUM, rollup) == 0
    assert rollup.asked == []


@pytest.mark.parametrize("network", [OPTIMISM, ARBITRUM])
@pytest.mark.parametrize("answer", [b"", Unavailable("silence"), Rejected("reverted")])
def test_a_data_fee_that_can_not_be_read_is_unknown_and_never_zero(
    network: Network, answer: bytes | Exception
) -> None:
    with pytest.raises(Denied) as caught:
        fee(network, Rollup(answer))
    assert caught.value.reason is Reason.L1_FEE_UNKNOWN


@pytest.mark.parametrize("is_legacy", [False, True])
def test_unsigned_bytes_are_those_whose_hash_is_signed(is_legacy: bool) -> None:
    unsigned = work().unsigned(3, Fees(2 * GWEI, GWEI), is_legacy=is_legacy)
    signed = key_of().sign_now(unsigned, intent_id="i", plan_digest=work().plan_digest)
    assert Account.recover_transaction(signed.raw) == key_of().address
    if not is_legacy:
        fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
        for name in ("v", "r", "s"):
            fields.pop(name)
        hashed = TypedTransaction.from_dict(fields).hash()
        assert keccak256(unsigned_bytes(unsigned)) == bytes(hashed)
