"""Notional, at-risk and counts: per transaction, rolling over 24 h, and what nobody can value."""

import pytest
from tests.custody.signer_world import (
    DAY_S,
    ETHER,
    FRIEND,
    GWEI,
    HOT,
    POOL,
    REPAY,
    TRANSFER_FROM,
    USD,
    USDC,
    SignerWorld,
    is_signed,
    refusal,
    transaction,
    transfer,
)

from tidegate.chain import encode_call
from tidegate.custody.requests import Status
from tidegate.model import UINT256_MAX, ZERO_ADDRESS

GAS_USD_E6 = 3 * USD
"""100,000 gas at 10 gwei and 3,000 dollars."""
ROOMY = {
    "notional_tx_usd_e6": 10**12,
    "notional_day_usd_e6": 10**12,
    "at_risk_tx_usd_e6": 10**12,
    "at_risk_day_usd_e6": 10**12,
}


@pytest.fixture
def world():
    return SignerWorld()


def paying(amount, nonce=0, **changes):
    return transaction(nonce=nonce, data=transfer(amount), **changes)


def used(world, held):
    return next(one for one in world.ask(Status()).capabilities if one.id == held)


def test_notional_per_transaction_is_held_to_the_millionth_of_a_dollar(world):
    held = world.load()
    assert refusal(world.sign(held, paying(1_000 * USD + 1))) == ("notional", "notional_limit")
    assert is_signed(world.sign(held, paying(1_000 * USD)))


def test_notional_of_24_hours_rolls_to_the_millisecond(world):
    held = world.load()
    assert is_signed(world.sign(held, paying(1_000 * USD, 0)))
    world.later(3_600)
    assert is_signed(world.sign(held, paying(1_000 * USD, 1)))
    assert refusal(world.sign(held, paying(500 * USD + 1, 2))) == ("notional", "notional_limit")
    assert is_signed(world.sign(held, paying(500 * USD, 2)))
    world.later(DAY_S - 3_600 - 0.001)
    held = world.load(serial=2, not_before=world.clock.now_ms() // 1000, expires_at=1_800_170_000)
    assert refusal(world.sign(held, paying(1, 3))) == ("notional", "notional_limit")
    world.later(0.001)
    assert is_signed(world.sign(held, paying(1_000 * USD, 3)))
    assert refusal(world.sign(held, paying(1, 4))) == ("notional", "notional_limit")


def test_a_renewal_does_not_open_the_day_again(world):
    held = world.load()
    for nonce in range(2):
        assert is_signed(world.sign(held, paying(1_000 * USD, nonce)))
    renewed = world.load(serial=2)
    assert refusal(world.sign(renewed, paying(501 * USD, 2))) == ("notional", "notional_limit")
    assert is_signed(world.sign(renewed, paying(500 * USD, 2)))


def test_at_risk_is_what_leaves_plus_the_most_that_gas_costs(world):
    held = world.load(at_risk_tx_usd_e6=100 * USD + GAS_USD_E6)
    assert is_signed(world.sign(held, paying(100 * USD)))
    assert refusal(world.sign(held, paying(100 * USD + 1, 1))) == ("at_risk", "at_risk_limit")
    assert used(world, held).at_risk_used_usd_e6 == 103 * USD


def test_at_risk_of_24_hours_is_held(world):
    held = world.load(at_risk_tx_usd_e6=103 * USD, at_risk_day_usd_e6=206 * USD)
    assert is_signed(world.sign(held, paying(100 * USD, 0)))
    assert refusal(world.sign(held, paying(100 * USD, 1, gas_limit=100_001))) == ("at_risk", "at_risk_limit")
    assert is_signed(world.sign(held, paying(100 * USD, 1)))
    assert refusal(world.sign(held, paying(0, 2, gas_limit=21_000))) == ("at_risk", "at_risk_limit")


def test_transactions_of_24_hours_are_counted(world):
    held = world.load(tx_day=2)
    assert is_signed(world.sign(held, paying(1, 0)))
    assert is_signed(world.sign(held, paying(1, 1)))
    assert refusal(world.sign(held, paying(1, 2))) == ("count", "count_limit")


def test_limits_of_one_desk_are_not_those_of_another(world):
    atomic = world.load(tx_day=1)
    momentum = world.load(tx_day=1, desk="momentum")
    assert is_signed(world.sign(atomic, paying(1, 0)))
    assert refusal(world.sign(atomic, paying(1, 1))) == ("count", "count_limit")
    assert is_signed(world.sign(momentum, paying(1, 1), desk="momentum"))


def test_a_refused_request_takes_nothing_from_the_day(world):
    held = world.load()
    for nonce in range(5):
        world.sign(held, paying(1_001 * USD, nonce))
    assert (used(world, held).notional_used_usd_e6, used(world, held).tx_used) == (0, 0)


# Valuation, by the signer from the calldata


def test_the_capability_s_own_price_counts_rounded_up(world):
    dear = {"token": USDC, "price_usd_e8": 3 * 10**8 + 1, "decimals": 6}
    coin = {"token": ZERO_ADDRESS, "price_usd_e8": 3_000 * 10**8, "decimals": 18}
    held = world.load(prices=(coin, dear))
    assert is_signed(world.sign(held, paying(1)))
    assert used(world, held).notional_used_usd_e6 == 4  # 3.00000001 millionths, rounded up


@pytest.mark.parametrize(
    ("data", "notional"),
    [
        (encode_call("transfer(address,uint256)", FRIEND, 7 * USD), 7 * USD),
        (encode_call("approve(address,uint256)", FRIEND, 7 * USD), 7 * USD),
        (encode_call("transferFrom(address,address,uint256)", FRIEND, POOL, 7 * USD), 7 * USD),
    ],
)
def test_erc20_calls_are_valued_by_amount_and_price(world, data, notional):
    held = world.load()
    assert is_signed(world.sign(held, transaction(data=data)))
    assert used(world, held).notional_used_usd_e6 == notional


def test_an_approval_without_end_passes_every_limit_and_is_refused(world):
    held = world.load(**ROOMY)
    endless = transaction(data=encode_call("approve(address,uint256)", FRIEND, UINT256_MAX))
    assert refusal(world.sign(held, endless)) == ("notional", "notional_limit")


def test_value_of_the_chain_s_coin_counts(world):
    held = world.load(**ROOMY)
    paid = transaction(to=POOL, data=b"", value_wei=ETHER // 2)
    assert is_signed(world.sign(held, paid))
    assert used(world, held).notional_used_usd_e6 == 1_500 * USD


def test_value_beside_a_call_counts_with_it(world):
    held = world.load(**ROOMY)
    both = paying(100 * USD, value_wei=ETHER // 10)
    assert is_signed(world.sign(held, both))
    assert used(world, held).notional_used_usd_e6 == 400 * USD


@pytest.mark.parametrize(
    "data",
    [
        transfer(7) + b"\x00",
        transfer(7)[:-1],
        transfer(7)[:4] + b"\x01" + transfer(7)[5:],
        bytes.fromhex(TRANSFER_FROM[2:]) + transfer(7)[4:],
    ],
    ids=["longer", "shorter", "dirty address", "a word less"],
)
def test_a_call_that_is_not_exactly_encoded_is_not_valued(world, data):
    assert refusal(world.sign(world.load(), transaction(data=data))) == ("notional", "unvalued")


def test_a_token_without_a_price_is_unvalued(world):
    coin = {"token": ZERO_ADDRESS, "price_usd_e8": 3_000 * 10**8, "decimals": 18}
    assert refusal(world.sign(world.load(prices=(coin,)), paying(1))) == ("notional", "unvalued")


def test_gas_without_a_price_of_the_coin_is_unvalued(world):
    usdc = {"token": USDC, "price_usd_e8": 10**8, "decimals": 6}
    assert refusal(world.sign(world.load(prices=(usdc,)), paying(1))) == ("notional", "unvalued")


def repay(nonce, **changes):
    return transaction(nonce=nonce, to=POOL, data=bytes.fromhex(REPAY[2:]) + bytes(32), **changes)


def test_what_nobody_values_is_refused_unless_listed_with_its_own_count(world):
    unlisted = world.load(unvalued=())
    assert refusal(world.sign(unlisted, repay(0))) == ("notional", "unvalued")
    listed = world.load(serial=2)
    for nonce in range(3):
        assert is_signed(world.sign(listed, repay(nonce)))
    assert refusal(world.sign(listed, repay(3))) == ("count", "count_limit")
    assert is_signed(world.sign(listed, paying(1, 3)))
    world.later(DAY_S)
    renewed = world.load(serial=3, not_before=1_800_080_000, expires_at=1_800_160_000)
    assert is_signed(world.sign(renewed, repay(4)))


# Replacements


def test_a_replacement_takes_only_what_it_costs_more(world):
    held = world.load(tx_day=1)
    assert is_signed(world.sign(held, paying(100 * USD)))
    faster = paying(100 * USD, max_fee_wei=20 * GWEI, max_priority_fee_wei=2 * GWEI)
    assert is_signed(world.sign(held, faster))
    now = used(world, held)
    assert now.notional_used_usd_e6 == 100 * USD
    assert now.at_risk_used_usd_e6 == 106 * USD
    assert now.tx_used == 1


def test_the_same_bytes_again_cost_nothing_and_are_signed_although_the_day_is_full(world):
    held = world.load(tx_day=1, notional_tx_usd_e6=100 * USD, notional_day_usd_e6=100 * USD)
    first = world.sign(held, paying(100 * USD))
    assert world.sign(held, paying(100 * USD)) == first
    assert used(world, held).tx_used == 1


def test_a_cancel_costs_its_gas_alone(world):
    held = world.load()
    cancel = transaction(to=HOT.address, data=b"", gas_limit=21_000)
    assert is_signed(world.sign(held, cancel))
    now = used(world, held)
    assert (now.notional_used_usd_e6, now.at_risk_used_usd_e6) == (0, 630_000)


def test_a_replacement_after_a_day_is_charged_in_full_again(world):
    held = world.load(expires_at=1_800_086_000)
    assert is_signed(world.sign(held, paying(1_000 * USD)))
    world.later(DAY_S)
    later = world.load(serial=2, not_before=1_800_080_000, expires_at=1_800_160_000)
    faster = paying(1_000 * USD, max_fee_wei=11 * GWEI, max_priority_fee_wei=2 * GWEI)
    assert is_signed(world.sign(later, faster))
    assert used(world, later).notional_used_usd_e6 == 1_000 * USD
