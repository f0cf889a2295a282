"""The price feeds of a pair, and how old their answers may be: one rule for guards and triggers."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.chain import encode_call
from tidegate.model import BPS, Address, ConfigError, mul_div_down
from tidegate.risk.guards.facts import Read
from tidegate.venues import AddressBook

DOLLAR = "USD"
HEARTBEAT_MARGIN_BPS = 1_000
"""A feed is stale when its heartbeat is over by a tenth."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The USD feed of a token, 8 decimals, and the age from which its answer is stale."""

    symbol: str
    address: Address
    max_age_s: int

    def fresh_price(self, lens: Address) -> Read:
        """Return the question to the lens, which reverts unless the answer is positive and fresh."""
        return Read(lens, encode_call("chainlink(address,uint256)", self.address, self.max_age_s))


def split_pair(pair: str) -> tuple[str, str]:
    """Return the two symbols of ``WETH/USDC``."""
    base, _, quote = pair.partition("/")
    return base, quote


def feeds_of(pair: str, book: AddressBook, max_age_s: int | None = None) -> tuple[Feed, ...]:
    """Return the feeds of a pair; one against USD itself has one.

    ``max_age_s`` replaces the feeds' own heartbeats and a tenth.

    Raises
    ------
    ConfigError
        If a token has no feed, or its feed neither a heartbeat nor a maximum age.
    """
    return tuple(_feed_of(symbol, book, max_age_s) for symbol in split_pair(pair) if symbol != DOLLAR)


def _feed_of(symbol: str, book: AddressBook, max_age_s: int | None) -> Feed:
    token = book.token(symbol)
    if token.feed is None:
        raise ConfigError(
            f"{token.symbol} has no price feed", fix="name its feed in the address book, or drop the guard"
        )
    entry = book.entry(token.feed)
    if max_age_s is None and entry.heartbeat_s is not None:
        max_age_s = mul_div_down(entry.heartbeat_s, BPS + HEARTBEAT_MARGIN_BPS, BPS)
    if max_age_s is None:
        raise ConfigError(
            f"{entry.name} has no heartbeat", fix="set max_age, or the heartbeat in the address book"
        )
    return Feed(token.symbol, entry.address, max_age_s)
