"""Which lender serves a loan: enough liquidity first, then what it costs all in all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from tidegate.chain import decode_output, encode_call, keccak256
from tidegate.model import BPS, Address, TidegateError, Unavailable, format_units, mul_div_up
from tidegate.venues.executor import FlashKind, TokenPrice
from tidegate.venues.flash.lenders import Lender
from tidegate.venues.view import StateView

PLAN_GAS = {
    FlashKind.AAVE_V3: 212_569,
    FlashKind.ERC3156: 279_102,
    FlashKind.UNISWAP_V3: 94_720,
    FlashKind.MORPHO_BLUE: 132_114,
    FlashKind.BALANCER_V2: 113_032,
}
"""Gas that a loan adds to a plan (atomic spec, 4.5); for ordering lenders, never for a gas limit."""

PENALTY_USD_E6: Mapping[FlashKind, int] = {FlashKind.BALANCER_V2: 25_000_000}
"""After the loss of November 2025 Balancer v2 is taken only when it is clearly cheaper."""

HEADROOM_BPS = 1_000
"""How much more than the loan a lender must hold, unless told otherwise: a tenth."""


@dataclass(frozen=True, slots=True)
class LenderQuote:
    """What one lender asks for one loan. ``cost_usd_e6`` is fee, gas and penalty together.

    ``fee_usd_e6`` and ``gas_usd_e6`` are the first two of these; what is left is the penalty.
    """

    name: str
    kind: FlashKind
    lender: Address
    side: int
    liquidity: int
    fee: int
    plan_gas: int
    fee_usd_e6: int
    gas_usd_e6: int
    cost_usd_e6: int

    @property
    def rank(self) -> tuple[int, int, str]:
        """Return what lenders are ordered by: cost, then gas, then name."""
        return self.cost_usd_e6, self.plan_gas, self.name


@dataclass(frozen=True, slots=True)
class LoanPrices:
    """What costs are valued by: the asset, the chain's own coin, gas in wei, and what caution costs.

    ``penalties_usd_e6`` is added to the cost of a kind's lenders; a kind that is not named has none.
    """

    asset: TokenPrice
    native: TokenPrice
    gas_price_wei: int
    penalties_usd_e6: Mapping[FlashKind, int] = field(default_factory=lambda: PENALTY_USD_E6)


def choose(
    asset: Address,
    amount: int,
    view: StateView,
    headroom_bps: int = HEADROOM_BPS,
    exclude: Collection[Address] = (),
    *,
    lenders: Iterable[Lender],
    prices: LoanPrices,
    executor: Address | None = None,
) -> list[LenderQuote]:
    """Return the lenders that can serve ``amount`` now, the one to try first in front.

    Parameters
    ----------
    headroom_bps
        Liquidity must be at least amount·(1 + headroom), rounded up.
    exclude
        Lenders that may not serve, such as Uniswap v3 pools that are swapped inside the loan.
    executor
        If given, only lenders that its policy allows for their kind.

    Returns
    -------
    list of LenderQuote
        Ordered by cost, then gas, then name. A lender that does not answer is left out.
    """
    asked = [
        ask(lender, asset, amount, view, headroom_bps, prices=prices, executor=executor)
        for lender in lenders
        if lender.address not in exclude
    ]
    quotes = [answer for answer in asked if isinstance(answer, LenderQuote)]
    return sorted(quotes, key=lambda quote: quote.rank)


def ask(
    lender: Lender,
    asset: Address,
    amount: int,
    view: StateView,
    headroom_bps: int = HEADROOM_BPS,
    *,
    prices: LoanPrices,
    executor: Address | None = None,
) -> LenderQuote | str:
    """Return what one lender asks for a loan of ``amount``, or in words why it can not serve it.

    The parameters are those of ``choose``. One that reverts or answers nonsense can not serve either,
    nor one whose code is not that of the address book.
    """
    needed = max(with_headroom(amount, headroom_bps), 1)
    try:
        if executor is not None and not is_allowed(executor, lender, view):
            return "the executor's policy does not allow it"
        if lender.code_hash and _keccak_hex(view.code(lender.address)) != lender.code_hash:
            return "its code is not the one that the address book knows"
        liquidity = lender.liquidity(asset, view)
        if liquidity == 0:
            return "lends none of it now: it is paused, closed or empty"
        if liquidity < needed:
            has, wanted = (format_units(figure, prices.asset.decimals) for figure in (liquidity, needed))
            return f"can lend {has}, {wanted} needed (the loan and headroom)"
        fee = lender.fee(asset, amount, view)
    except Unavailable:
        raise  # a node that is gone says nothing about lenders
    except TidegateError as error:
        return f"does not answer: {error.message}"
    return _quote(lender, asset, liquidity, fee, prices)


def with_headroom(amount: int, headroom_bps: int) -> int:
    """Return ⌈amount·(1 + headroom)⌉: what a lender must hold to serve ``amount``."""
    return mul_div_up(amount, BPS + headroom_bps, BPS)


def is_allowed(executor: Address, lender: Lender, view: StateView) -> bool:
    """Say whether the executor's policy has the lender's kind (bit k of its word is kind k)."""
    answer = view.call(executor, encode_call("lenders(address)", lender.address))
    (word,) = decode_output(("uint256",), answer)
    return bool(word >> lender.kind & 1)


@lru_cache(maxsize=64)
def _keccak_hex(code: bytes) -> str:
    # Hashing the code of a large contract takes longer than all that is read of a lender otherwise.
    return keccak256(code).hex()


def _quote(lender: Lender, asset: Address, liquidity: int, fee: int, prices: LoanPrices) -> LenderQuote:
    gas = PLAN_GAS[lender.kind]
    fee_usd_e6 = prices.asset.usd_e6(fee)
    gas_usd_e6 = prices.native.usd_e6(gas * prices.gas_price_wei)
    return LenderQuote(
        name=lender.name,
        kind=lender.kind,
        lender=lender.address,
        side=lender.side(asset),
        liquidity=liquidity,
        fee=fee,
        plan_gas=gas,
        fee_usd_e6=fee_usd_e6,
        gas_usd_e6=gas_usd_e6,
        cost_usd_e6=fee_usd_e6 + gas_usd_e6 + prices.penalties_usd_e6.get(lender.kind, 0),
    )
