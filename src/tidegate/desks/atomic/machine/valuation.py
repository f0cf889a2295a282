"""Dollars, fees and floors: the formulas of a plan, integers with a stated rounding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidegate.desks.atomic.language import syntax
from tidegate.model import (
    BPS,
    ZERO_ADDRESS,
    Address,
    Block,
    Denied,
    Reason,
    TidegateError,
    Unavailable,
    mul_div_down,
    mul_div_up,
)
from tidegate.venues import NATIVE, AddressBook, StateView
from tidegate.venues.chainlink import LATEST_ROUND, decode_round
from tidegate.venues.executor import TokenPrice

HEARTBEAT_MARGIN_BPS = 1_000
NATIVE_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction may pay for gas, in wei."""

    max_fee_wei: int
    max_priority_fee_wei: int


def fees_of(block: Block, gas: syntax.Gas) -> Fees:
    """Return fees for the blocks after ``block``; see ``fees_at``."""
    return fees_at(block.base_fee_wei, gas.max_base_fee_wei, gas.priority_fee_wei)


def fees_at(base_fee_wei: int, max_base_fee_wei: int, priority_fee_wei: int) -> Fees:
    """Return twice the base fee plus the tip, within the strategy's cap.

    The chain itself refuses the run above ``max_base_fee_wei``, so to offer more buys nothing.
    """
    return Fees(min(2 * base_fee_wei, max_base_fee_wei) + priority_fee_wei, priority_fee_wei)


def gas_limit_of(gas_used: int, margin_bps: int) -> int:
    """Return ⌈gas·(1 + margin)⌉: 212,569 at 15 % is 244,455."""
    return mul_div_up(gas_used, BPS + margin_bps, BPS)


def net_floor(minimum: int, gas_limit: int, max_fee_wei: int, native: TokenPrice, token: TokenPrice) -> int:
    """Return minimum + ⌈gas limit·max fee·native price/token price⌉ in base units of the token.

    805,000 gas at 30 gwei on top of 20 USDC, ETH at 3,000: 92,450,000.
    """
    cost = mul_div_up(
        gas_limit * max_fee_wei,
        native.price_usd_e8 * 10**token.decimals,
        token.price_usd_e8 * 10**native.decimals,
    )
    return minimum + cost


def read_prices(symbols: Iterable[str], book: AddressBook, view: StateView) -> dict[str, TokenPrice]:
    """Return the feeds' prices by symbol, always with the native coin's under ``ETH``.

    Raises
    ------
    Denied
        ``unavailable`` if a token has no feed, or a feed does not answer, is not positive or is silent
        for its heartbeat and a tenth: a missing price means "do not act".
    """
    now_s = view.block().timestamp
    return {
        symbol: TokenPrice(_price_usd_e8(symbol, book, view, now_s), book.token(symbol).decimals)
        for symbol in sorted({*symbols, NATIVE})
    }


def by_address(prices: Mapping[str, TokenPrice], book: AddressBook) -> dict[Address, TokenPrice]:
    """Return the prices by token address; the zero address is the native coin."""
    return {
        ZERO_ADDRESS if symbol == NATIVE else book.token(symbol).address: price
        for symbol, price in prices.items()
    }


def _price_usd_e8(symbol: str, book: AddressBook, view: StateView, now_s: int) -> int:
    feed = book.token(symbol).feed
    if feed is None:
        raise _no_price(symbol, "no feed in the address book")
    entry = book.entry(feed)
    try:
        answer = decode_round(view.call(entry.address, LATEST_ROUND))
    except Unavailable:
        raise
    except TidegateError as error:
        raise _no_price(symbol, error.message) from error
    if answer.price_usd_e8 <= 0:
        raise _no_price(symbol, f"answer {answer.price_usd_e8}")
    if entry.heartbeat_s is not None:
        age_max_s = mul_div_down(entry.heartbeat_s, BPS + HEARTBEAT_MARGIN_BPS, BPS)
        if not 0 <= now_s - answer.updated_at_s <= age_max_s:
            raise _no_price(symbol, f"{now_s - answer.updated_at_s} s old, at most {age_max_s} s is fresh")
    return answer.price_usd_e8


def _no_price(symbol: str, found: str) -> Denied:
    return Denied(
        Reason.UNAVAILABLE,
        f"{symbol} has no price",
        found=found,
        allowed="a fresh, positive answer of its feed",
        fix="wait for the feed, or mend the address book",
    )
