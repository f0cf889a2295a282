from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.app.devnet import BorrowerSpec, Devnet, DevnetSpec
from tidegate.model import UINT256_MAX, Address
from tidegate.sim import FastWorld, WorldReverted, compile_contract
from tidegate.venues.aave_v3 import account_data, borrow, liquidate, set_flash_loans, supply
from tidegate.venues.calls import create, read, send
from tidegate.venues.chainlink import set_answer
from tidegate.venues.tokens import approve, balance_of, mint

SPEC = DevnetSpec()
# Aave's own error numbers (Errors.sol)
INVALID_AMOUNT = "26"
COLLATERAL_CAN_NOT_COVER = "36"
HEALTH_FACTOR_ABOVE_THRESHOLD = "45"
FLASH_LOAN_DISABLED = "91"


@pytest.fixture
def receiver(world: FastWorld, devnet: Devnet) -> Address:
    build = compile_contract(Path(__file__).parent / "flash_receiver.vy")
    return create(world, build, devnet.aave_v3.pool, sender=devnet.accounts["trader"])


def flash(world: FastWorld, devnet: Devnet, receiver: Address, amount: int, *, short: int = 0) -> None:
    asset, trader = devnet.token("USDC"), devnet.accounts["trader"]
    send(world, receiver, "borrow(address,uint256,uint256)", asset, amount, short, sender=trader)


def test_the_market_lists_its_reserves(world: FastWorld, devnet: Devnet) -> None:
    market = devnet.aave_v3
    listed = read(world, market.pool, "getReservesList()(address[])")
    assert listed == tuple(reserve.asset for reserve in market.reserves)
    assert [reserve.symbol for reserve in market.reserves] == ["WETH", "USDC", "WBTC", "DAI"]
    assert [devnet.tokens[reserve.symbol].decimals for reserve in market.reserves] == [18, 6, 8, 18]


def test_reserves_are_set_as_the_spec_says(world: FastWorld, devnet: Devnet) -> None:
    signature = (
        "getReserveConfigurationData(address)"
        "(uint256,uint256,uint256,uint256,uint256,bool,bool,bool,bool,bool)"
    )
    for item in SPEC.reserves:
        found = read(world, devnet.aave_v3.data_provider, signature, devnet.token(item.token))
        assert found == (
            SPEC.token(item.token).decimals,
            item.ltv_bps,
            item.liquidation_threshold_bps,
            item.liquidation_bonus_bps,
            item.reserve_factor_bps,
            *(True, True, False, True, False),  # collateral, borrowing, stable rate, active, frozen
        )
    total = "FLASHLOAN_PREMIUM_TOTAL()(uint128)"
    assert read(world, devnet.aave_v3.pool, total) == SPEC.flash_premium_bps


def test_the_oracle_reads_the_feeds(world: FastWorld, devnet: Devnet) -> None:
    price = ("getAssetPrice(address)(uint256)", devnet.weth)
    assert read(world, devnet.aave_v3.oracle, *price) == 3_000 * 10**8
    set_answer(world, devnet.feeds["ETH/USD"], 2_500 * 10**8)
    assert read(world, devnet.aave_v3.oracle, *price) == 2_500 * 10**8
    assert read(world, devnet.aave_v3.oracle, "BASE_CURRENCY_UNIT()(uint256)") == 10**8


@pytest.mark.parametrize("borrower", SPEC.borrowers, ids=lambda one: one.account)
def test_borrowers_stand_at_their_health_factor(
    world: FastWorld, devnet: Devnet, borrower: BorrowerSpec
) -> None:
    found = account_data(world, devnet.aave_v3, devnet.accounts[borrower.account])
    # debts round up and grow by the second
    assert found.health_factor_e18 == pytest.approx(borrower.health_factor_bps * 10**14, rel=1e-8)
    assert found.collateral_usd_e8 == pytest.approx(borrower.collateral_usd * 10**8, rel=1e-8)


def test_supply_then_borrow_within_the_limit(world: FastWorld, devnet: Devnet) -> None:
    trader, usdc, market = devnet.accounts["trader"], devnet.token("USDC"), devnet.aave_v3
    supply(world, market, devnet.weth, 10 * 10**18, holder=trader)
    before = balance_of(world, usdc, trader)
    borrow(world, market, usdc, 24_000 * 10**6, holder=trader)
    assert balance_of(world, usdc, trader) - before == 24_000 * 10**6
    # debts and deposits grow by the second, and debts round up
    debt = balance_of(world, market.reserve("USDC").variable_debt_token, trader)
    assert 24_000 * 10**6 <= debt <= 24_000 * 10**6 + 1
    deposit = balance_of(world, market.reserve("WETH").a_token, trader)
    assert 10 * 10**18 <= deposit <= 10 * 10**18 + 10**12


def test_borrowing_beyond_the_limit_reverts(world: FastWorld, devnet: Devnet) -> None:
    trader, usdc, market = devnet.accounts["trader"], devnet.token("USDC"), devnet.aave_v3
    supply(world, market, devnet.weth, 10 * 10**18, holder=trader)
    with pytest.raises(WorldReverted, match=COLLATERAL_CAN_NOT_COVER):
        borrow(world, market, usdc, 24_151 * 10**6, holder=trader)


def test_supplying_nothing_or_without_approval_reverts(world: FastWorld, devnet: Devnet) -> None:
    trader, market = devnet.accounts["trader"], devnet.aave_v3
    with pytest.raises(WorldReverted, match=INVALID_AMOUNT):
        supply(world, market, devnet.weth, 0, holder=trader)
    approve(world, devnet.token("USDC"), market.pool, 0, holder=trader)
    with pytest.raises(WorldReverted, match="test_token: allowance"):
        supply(world, market, devnet.token("USDC"), 10**6, holder=trader)


def test_a_healthy_borrower_can_not_be_liquidated(world: FastWorld, devnet: Devnet) -> None:
    with pytest.raises(WorldReverted, match=HEALTH_FACTOR_ABOVE_THRESHOLD):
        liquidate(
            world,
            devnet.aave_v3,
            collateral=devnet.weth,
            debt=devnet.token("USDC"),
            user=devnet.accounts["borrower1"],
            amount=UINT256_MAX,
            liquidator=devnet.accounts["liquidator"],
        )


def test_after_the_feed_fell_a_liquidator_pays_the_debt_and_earns_the_bonus(
    world: FastWorld, devnet: Devnet
) -> None:
    market, usdc = devnet.aave_v3, devnet.token("USDC")
    user, liquidator = devnet.accounts["borrower1"], devnet.accounts["liquidator"]
    set_answer(world, devnet.feeds["ETH/USD"], 2_500 * 10**8)
    sick = account_data(world, market, user)
    assert sick.health_factor_e18 < 950 * 10**15  # below 0.95 all of the debt may be paid
    held = balance_of(world, usdc, liquidator), balance_of(world, devnet.weth, liquidator)
    liquidate(
        world,
        market,
        collateral=devnet.weth,
        debt=usdc,
        user=user,
        amount=UINT256_MAX,
        liquidator=liquidator,
    )
    paid = held[0] - balance_of(world, usdc, liquidator)
    seized = balance_of(world, devnet.weth, liquidator) - held[1]
    assert paid == pytest.approx(22_636_363_636, abs=10)
    # worth of the debt plus 5 %, less the protocol's tenth of the bonus
    full = paid * 10**12 * 10_500 // 10_000 // 2_500
    assert seized == pytest.approx(full - (full - full * 10_000 // 10_500) // 10, rel=1e-6)
    assert balance_of(world, market.reserve("USDC").variable_debt_token, user) == 0
    assert account_data(world, market, user).health_factor_e18 == UINT256_MAX


def test_a_flash_loan_is_repaid_with_its_premium(world: FastWorld, devnet: Devnet, receiver: Address) -> None:
    usdc, amount, premium = devnet.token("USDC"), 1_000_000 * 10**6, 500 * 10**6  # 5 bps
    a_token = devnet.aave_v3.reserve("USDC").a_token
    mint(world, devnet.tokens["USDC"], receiver, premium)
    lent = balance_of(world, usdc, a_token)
    flash(world, devnet, receiver, amount)
    assert read(world, receiver, "held_during()(uint256)") == amount + premium
    assert balance_of(world, usdc, receiver) == 0
    assert balance_of(world, usdc, a_token) == lent + premium


def test_a_flash_loan_that_is_not_repaid_reverts(world: FastWorld, devnet: Devnet, receiver: Address) -> None:
    with pytest.raises(WorldReverted, match="test_token: balance"):  # the premium is missing
        flash(world, devnet, receiver, 10**6)
    mint(world, devnet.tokens["USDC"], receiver, 10**6)
    with pytest.raises(WorldReverted, match="test_token: allowance"):
        flash(world, devnet, receiver, 10**6, short=1)


def test_more_than_the_reserve_holds_can_not_be_lent(
    world: FastWorld, devnet: Devnet, receiver: Address
) -> None:
    lent = balance_of(world, devnet.token("USDC"), devnet.aave_v3.reserve("USDC").a_token)
    with pytest.raises(WorldReverted, match="test_token: balance"):
        flash(world, devnet, receiver, lent + 1)


def test_a_flash_loan_of_a_closed_reserve_reverts(
    world: FastWorld, devnet: Devnet, receiver: Address
) -> None:
    market, admin, usdc = devnet.aave_v3, devnet.accounts["admin"], devnet.token("USDC")
    mint(world, devnet.tokens["USDC"], receiver, 10**6)
    set_flash_loans(world, market.configurator, usdc, enabled=False, admin=admin)
    with pytest.raises(WorldReverted, match=FLASH_LOAN_DISABLED):
        flash(world, devnet, receiver, 10**6)
    set_flash_loans(world, market.configurator, usdc, enabled=True, admin=admin)
    flash(world, devnet, receiver, 10**6)


def test_only_the_admin_governs(world: FastWorld, devnet: Devnet) -> None:
    market, stranger = devnet.aave_v3, devnet.accounts["trader"]
    with pytest.raises(WorldReverted):
        set_flash_loans(world, market.configurator, devnet.weth, enabled=False, admin=stranger)
    with pytest.raises(WorldReverted):
        send(world, market.provider, "setPriceOracle(address)", stranger, sender=stranger)
