"""Lenders: vectors of the specification, and what the protocols' own bytecode says and takes."""

from __future__ import annotations

import pytest

from tidegate.app.devnet import Devnet, address_book
from tidegate.chain import decode_output, encode_call
from tidegate.model import UINT256_MAX, ZERO_ADDRESS, Address, Block, TidegateError
from tidegate.sim import FastWorld
from tidegate.venues.aave_v3 import set_flash_loans
from tidegate.venues.executor import FlashKind, TokenPrice
from tidegate.venues.flash import (
    PENALTY_USD_E6,
    PLAN_GAS,
    AaveV3Lender,
    BalancerV2Lender,
    Erc3156Lender,
    LiquidityCall,
    LoanPrices,
    MorphoBlueLender,
    UniswapV3Lender,
    choose,
    lenders_of,
)

USDC = TokenPrice(10**8, 6)
ETH = TokenPrice(3_000 * 10**8, 18)
SPEC_PRICES = LoanPrices(asset=USDC, native=ETH, gas_price_wei=20 * 10**9)
AAVE = Address("0x" + "a1" * 20)
POOL = Address("0x" + "b2" * 20)


class Premium:
    """A view that knows one thing: Aave's premium."""

    def __init__(self, premium_bps: int) -> None:
        self.premium_bps = premium_bps

    def call(
        self, to: Address, data: bytes = b"", *, sender: Address = ZERO_ADDRESS, value: int = 0
    ) -> bytes:
        return self.premium_bps.to_bytes(32)

    def block(self) -> Block:
        raise AssertionError("not asked")

    def code(self, account: Address) -> bytes:
        raise AssertionError("not asked")

    def balance(self, account: Address) -> int:
        raise AssertionError("not asked")


@pytest.mark.parametrize(
    ("amount", "fee"),
    [(10**12, 5 * 10**8), (12_345_678_901, 6_172_840), (10**18, 5 * 10**14), (0, 0), (1, 1)],
)
def test_fees_of_five_basis_points_round_up(amount: int, fee: int) -> None:
    view = Premium(5)
    assert AaveV3Lender("aave_v3.pool", AAVE).fee(AAVE, amount, view) == fee
    assert UniswapV3Lender("pool", POOL, AAVE, POOL, 500).fee(AAVE, amount, view) == fee


def test_the_cheapest_tier_rounds_up_too() -> None:
    pool = UniswapV3Lender("pool", POOL, AAVE, POOL, 100)
    assert pool.fee(AAVE, 12_345_678_901, Premium(0)) == 1_234_568


class Fixed:
    """A lender of ours with a liquidity and a fee."""

    code_hash = ""

    def __init__(self, name: str, kind: FlashKind, fee: int, liquidity: int = UINT256_MAX) -> None:
        self.name, self.kind, self.address = name, kind, Address(f"0x{kind:040x}")
        self._fee, self._liquidity = fee, liquidity

    def side(self, asset: Address) -> int:
        return 0

    def liquidity_call(self, asset: Address, view: object) -> LiquidityCall:
        raise AssertionError("not asked")

    def liquidity(self, asset: Address, view: object) -> int:
        if self._liquidity < 0:
            raise TidegateError("does not answer")
        return self._liquidity

    def fee(self, asset: Address, amount: int, view: object) -> int:
        return self._fee


def cents(cost_usd_e6: int) -> int:
    return round(cost_usd_e6 / 10_000)


@pytest.mark.parametrize(
    ("amount_usd", "costs_cents"),
    [
        (1_000_000, {"balancer": 678 + 2500, "morpho": 793, "uniswap": 50_568, "aave": 51_275}),
        (10_000, {"balancer": 678 + 2500, "morpho": 793, "uniswap": 1_068, "aave": 1_775}),
    ],
)
def test_lender_costs_are_those_of_the_specification(amount_usd: int, costs_cents: dict[str, int]) -> None:
    five_bps = amount_usd * 10**6 * 5 // 10_000
    lenders = [
        Fixed("aave", FlashKind.AAVE_V3, five_bps),
        Fixed("balancer", FlashKind.BALANCER_V2, 0),
        Fixed("morpho", FlashKind.MORPHO_BLUE, 0),
        Fixed("uniswap", FlashKind.UNISWAP_V3, five_bps),
    ]
    quotes = choose(AAVE, amount_usd * 10**6, Premium(0), lenders=lenders, prices=SPEC_PRICES)
    assert {quote.name: cents(quote.cost_usd_e6) for quote in quotes} == costs_cents
    assert [quote.name for quote in quotes] == sorted(costs_cents, key=lambda name: costs_cents[name])
    assert quotes[0].name == "morpho"


def test_equal_costs_fall_back_to_gas_and_then_to_the_name() -> None:
    free = LoanPrices(asset=USDC, native=ETH, gas_price_wei=0)
    lenders = [
        Fixed("b", FlashKind.MORPHO_BLUE, 7),
        Fixed("a", FlashKind.MORPHO_BLUE, 7),
        Fixed("c", FlashKind.UNISWAP_V3, 7),
    ]
    assert [quote.name for quote in choose(AAVE, 1, Premium(0), lenders=lenders, prices=free)] == [
        "c",
        "a",
        "b",
    ]


def test_liquidity_needs_headroom_of_a_tenth() -> None:
    for liquidity, served in ((1_100, True), (1_099, False), (0, False), (-1, False)):
        lender = Fixed("one", FlashKind.ERC3156, 0, liquidity)
        quotes = choose(AAVE, 1_000, Premium(0), lenders=[lender], prices=SPEC_PRICES)
        assert bool(quotes) is served
    bare = Fixed("one", FlashKind.ERC3156, 0, 1_000)
    assert choose(AAVE, 1_000, Premium(0), 0, lenders=[bare], prices=SPEC_PRICES)


def test_excluded_lenders_do_not_serve() -> None:
    lender = Fixed("one", FlashKind.UNISWAP_V3, 0)
    kept = choose(AAVE, 1, Premium(0), lenders=[lender], prices=SPEC_PRICES)
    gone = choose(AAVE, 1, Premium(0), exclude={lender.address}, lenders=[lender], prices=SPEC_PRICES)
    assert (len(kept), len(gone)) == (1, 0)


def test_a_penalty_is_what_the_owner_says() -> None:
    """Without Balancer's 25 USD it is the first; with 3 USD on Morpho a pool is before that."""
    free = [Fixed("balancer", FlashKind.BALANCER_V2, 0), Fixed("morpho", FlashKind.MORPHO_BLUE, 0)]
    pool = Fixed("uniswap", FlashKind.UNISWAP_V3, 5 * 10**6)

    def order(**penalties_usd: int) -> list[str]:
        penalties = {FlashKind[name]: usd * 10**6 for name, usd in penalties_usd.items()}
        prices = LoanPrices(USDC, ETH, 20 * 10**9, penalties)
        quotes = choose(AAVE, 10_000 * 10**6, Premium(0), lenders=[*free, pool], prices=prices)
        return [quote.name for quote in quotes]

    assert order() == ["balancer", "morpho", "uniswap"]
    assert order(BALANCER_V2=25) == ["morpho", "uniswap", "balancer"]
    assert order(BALANCER_V2=25, MORPHO_BLUE=3) == ["uniswap", "morpho", "balancer"]


def test_only_balancer_pays_a_penalty_by_default_and_every_kind_has_its_gas() -> None:
    assert PENALTY_USD_E6 == {FlashKind.BALANCER_V2: 25_000_000}
    assert set(PLAN_GAS) == set(FlashKind)


def test_the_book_names_every_lender_of_the_devnet(world: FastWorld, devnet: Devnet) -> None:
    found = {lender.name: lender for lender in lenders_of(address_book(devnet, world))}
    assert isinstance(found["aave_v3.pool"], AaveV3Lender)
    assert isinstance(found["erc3156.lender"], Erc3156Lender)
    assert isinstance(found["morpho_blue.morpho"], MorphoBlueLender)
    assert isinstance(found["balancer_v2.vault"], BalancerV2Lender)
    assert {lender.kind for lender in found.values()} == set(FlashKind)
    assert all(lender.code_hash for lender in found.values())
    pools = [lender for lender in found.values() if isinstance(lender, UniswapV3Lender)]
    assert len(pools) == len(devnet.uniswap_v3_pools)


def test_liquidity_is_what_the_contracts_hold(world: FastWorld, devnet: Devnet) -> None:
    found = {lender.name: lender for lender in lenders_of(address_book(devnet, world))}
    weth, dai, pool = devnet.weth, devnet.token("DAI"), devnet.pool("WETH", "USDC", 500)
    lender = found["uniswap_v3.pool." + _pool_name(devnet, 500)]
    assert lender.liquidity(weth, world) == _balance(world, weth, pool.address)
    assert lender.liquidity(dai, world) == 0
    assert lender.side(pool.token0) == 0
    assert lender.side(pool.token1) == 1
    aave = found["aave_v3.pool"]
    assert aave.liquidity(weth, world) > 10**18
    assert aave.side(weth) == 0
    set_flash_loans(world, devnet.aave_v3.configurator, weth, enabled=False, admin=devnet.accounts["admin"])
    assert aave.liquidity(weth, world) == 0


def test_the_model_lender_answers_for_itself(world: FastWorld, devnet: Devnet) -> None:
    lender = Erc3156Lender("erc3156.lender", devnet.erc3156_lender)
    lent = [token for token in devnet.tokens.values() if lender.liquidity(token.address, world) > 0]
    assert lent
    for token in lent:
        answer = world.call(lender.address, encode_call("flashFee(address,uint256)", token.address, 10**6))
        assert lender.fee(token.address, 10**6, world) == decode_output(("uint256",), answer)[0]
        assert lender.side(token.address) == 0


def _pool_name(devnet: Devnet, fee: int) -> str:
    pool = devnet.pool("WETH", "USDC", fee)
    symbols = {token.address: symbol for symbol, token in devnet.tokens.items()}
    return f"{symbols[pool.token0]}/{symbols[pool.token1]}.{fee}"


def _balance(world: FastWorld, token: Address, holder: Address) -> int:
    return int(decode_output(("uint256",), world.call(token, encode_call("balanceOf(address)", holder)))[0])
