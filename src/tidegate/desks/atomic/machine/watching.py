"""What triggers read of the chain: prices by feeds or by a pool's mean, and health factors."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Context, Decimal

from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic.language.settings_names import CHAINLINK, EXECUTOR, MEAN_WINDOW_S
from tidegate.model import Address, TidegateError, Unavailable, mul_div_down
from tidegate.risk.guards import feeds_of, word
from tidegate.venues import AddressBook, StateView

_EXACT = Context(prec=80)
_TICK_BASE = Decimal("1.0001")


def observe(wanted: Iterable[str], book: AddressBook, executor: Address, view: StateView) -> dict[str, int]:
    """Return every reading that the chain gives, rounded down; one that it does not give is left out.

    Raises
    ------
    Unavailable
        If the state can not be read at all.
    """
    found: dict[str, int] = {}
    for name in sorted(wanted):
        kind, first, second = name.split(" ")
        try:
            if kind == "health_factor":
                found[name] = _health_factor(first, second, book, executor, view)
            elif second == CHAINLINK:
                found[name] = _by_feeds(first, book, view)
            else:
                found[name] = _by_pool(first, second, book, view)
        except Unavailable:
            raise
        except (TidegateError, ValueError):
            continue  # stale, wrong or missing: a trigger that can not see does not fire
    return found


def _health_factor(protocol: str, user: str, book: AddressBook, executor: Address, view: StateView) -> int:
    account = executor if user == EXECUTOR else book.entry(user).address
    data = encode_call("health_factor(address,address)", book.entry(f"{protocol}.pool").address, account)
    return word(view.call(book.entry("guard_lens").address, data))


def _by_feeds(pair: str, book: AddressBook, view: StateView) -> int:
    """Return ⌊base·10^decimals/quote⌋ of the pair's fresh USD prices."""
    lens = book.entry("guard_lens").address
    base, quote = (word(view.call(ask.target, ask.data)) for ask in
                   (feed.fresh_price(lens) for feed in feeds_of(pair, book)))  # fmt: skip
    return mul_div_down(base, 10 ** book.token(pair.split("/")[1]).decimals, quote)


def _by_pool(pair: str, pool: str, book: AddressBook, view: StateView) -> int:
    """Return the mean price of a Uniswap v3 pool, 1.0001^tick, the tick's mean rounded down.

    Raises
    ------
    ValueError
        If the pool is not one of the pair.
    """
    entry = book.entry(pool)
    base, quote = (book.token(symbol) for symbol in pair.split("/"))
    if {entry.about.get("token0"), entry.about.get("token1")} != {base.address, quote.address}:
        raise ValueError(f"{pool} is no pool of {pair}")
    answer = view.call(entry.address, encode_call("observe(uint32[])", [MEAN_WINDOW_S, 0]))
    ticks, _ = decode_output(("int56[]", "uint160[]"), answer)
    tick = (ticks[1] - ticks[0]) // MEAN_WINDOW_S  # floor, as the pool's own ticks
    for_first = tick if int(base.address, 16) < int(quote.address, 16) else -tick
    price = _EXACT.power(_TICK_BASE, for_first)
    return int(_EXACT.multiply(price, Decimal(10**base.decimals)).to_integral_value(ROUND_FLOOR))
